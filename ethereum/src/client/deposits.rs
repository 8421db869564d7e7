//! Deposits at the Router: ETH that pays the value of native messages.

use super::{ClientError, RouterClient, Transaction, router::find_log};
use crate::{
    abi::Router,
    convert::{b256, h256},
};
use alloy::{
    primitives::{Address, B256, U256},
    rpc::types::{Filter, TransactionReceipt},
    sol_types::SolEvent,
};
use gear_exe_primitives::H256;

/// A withdrawal that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Withdrawal {
    /// Its id.
    pub id: H256,
    /// The transaction.
    pub tx: B256,
    /// The transaction's block: where to start looking for the payout.
    pub block: u64,
}

/// A withdrawal that a batch has settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Withdrawn {
    /// In wei: what was asked for, or what was left of the deposit.
    pub value: u128,
    /// Whether the account took it. If not, it stays owed: see [`RouterClient::withdraw_pending_deposit`].
    pub paid: bool,
    /// Block number.
    pub block: u64,
    /// The batch's transaction.
    pub tx: B256,
}

impl RouterClient {
    /// Deposits `value` wei for `account`.
    ///
    /// # Errors
    ///
    /// [`ClientError`] if the node or the contract refuses; so for all below.
    pub async fn deposit(
        &self,
        account: Address,
        value: u128,
    ) -> Result<TransactionReceipt, ClientError> {
        let call = Router::depositForCall { account };
        let transaction = Transaction::call("depositing ETH", self.address(), &call);
        self.wallet().send(transaction.with_value(value)).await
    }

    /// Asks for at most `amount` wei of the wallet's deposit.
    ///
    /// # Errors
    ///
    /// See [`RouterClient::deposit`].
    pub async fn request_withdrawal(&self, amount: u128) -> Result<Withdrawal, ClientError> {
        let call = Router::requestWithdrawalCall { amount };
        let transaction = Transaction::call("asking for the withdrawal", self.address(), &call);
        let receipt = self.wallet().send(transaction).await?;
        let asked = find_log::<Router::WithdrawalRequested>(&receipt, self.address())?;
        Ok(Withdrawal {
            id: h256(asked.id),
            tx: receipt.transaction_hash,
            block: receipt.block_number.unwrap_or_default(),
        })
    }

    /// Waits until a batch pays a withdrawal.
    ///
    /// # Errors
    ///
    /// [`ClientError::Timeout`] if none does in time: also if there was nothing to pay.
    pub async fn wait_for_withdrawal(
        &self,
        withdrawal: &Withdrawal,
    ) -> Result<Withdrawn, ClientError> {
        let filter = Filter::new().address(self.address()).event_signature(vec![
            Router::Withdrawn::SIGNATURE_HASH,
            Router::WithdrawalPending::SIGNATURE_HASH,
        ]);
        let hint = format!(
            "nothing was paid for withdrawal {:?}: nothing was left of the deposit (`gear-exe query deposit`), or no batch \
             has come",
            withdrawal.id
        );
        let id = b256(withdrawal.id);
        self.wallet()
            .wait_for_log(
                "waiting for the payout",
                hint,
                filter,
                withdrawal.block,
                |log| {
                    let data = &log.inner.data;
                    let (own, value, paid) =
                        if let Ok(event) = Router::Withdrawn::decode_log_data_validate(data) {
                            (event.id, event.value, true)
                        } else {
                            let event =
                                Router::WithdrawalPending::decode_log_data_validate(data).ok()?;
                            (event.id, event.value, false)
                        };
                    (own == id).then(|| Withdrawn {
                        value,
                        paid,
                        block: log.block_number.unwrap_or_default(),
                        tx: log.transaction_hash.unwrap_or_default(),
                    })
                },
            )
            .await
    }

    /// Wei that withdrawals that failed owe to `owner`.
    ///
    /// # Errors
    ///
    /// See [`RouterClient::deposit`].
    pub async fn pending_deposit(&self, owner: Address) -> Result<U256, ClientError> {
        let call = Router::pendingDepositCall { owner };
        self.wallet().call(self.address(), &call).await
    }

    /// Takes what withdrawals that failed owe to the wallet, to `to`.
    ///
    /// # Errors
    ///
    /// See [`RouterClient::deposit`].
    pub async fn withdraw_pending_deposit(
        &self,
        to: Address,
    ) -> Result<TransactionReceipt, ClientError> {
        let call = Router::withdrawPendingDepositCall { to };
        let transaction = Transaction::call("taking what is owed", self.address(), &call);
        self.wallet().send(transaction).await
    }
}
