//! A program, through its Mirror: messages in, replies out, balances.

use super::{ClientError, RouterClient, Transaction, Wallet, router::find_log};
use crate::{
    abi::Mirror,
    convert::{b256, h160, h256},
};
use alloy::{
    primitives::{Address, B256, Bytes, U256},
    rpc::types::{Filter, TransactionReceipt},
    sol_types::SolEvent,
};
use gear_exe_primitives::{ActorId, H256, MessageId, message::ReplyCode};

/// A message that is on Ethereum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SentMessage {
    /// Its id.
    pub id: MessageId,
    /// The transaction.
    pub tx: B256,
    /// The transaction's block: where to start looking for the reply.
    pub block: u64,
}

/// A reply, as it is on Ethereum.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// What it says. Empty if the call-back failed: then only its code and value are on Ethereum.
    pub payload: Bytes,
    /// Wei that came with it.
    pub value: u128,
    /// How the message ended.
    pub code: ReplyCode,
    /// It should have called a contract back, and the call failed.
    pub callback_failed: bool,
    /// Block number.
    pub block: u64,
    /// The batch's transaction.
    pub tx: B256,
}

/// A message of a program to an Ethereum address, waiting there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    /// Its id: for a reply, or to claim its value.
    pub id: MessageId,
    /// What it says.
    pub payload: Bytes,
    /// Wei that can be claimed.
    pub value: u128,
    /// Block number.
    pub block: u64,
    /// The batch's transaction.
    pub tx: B256,
}

/// A claim that was settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claimed {
    /// In wei.
    pub value: u128,
    /// Whether it was paid. If not, it is owed: `withdraw_pending` takes it.
    pub paid: bool,
    /// Block number.
    pub block: u64,
    /// The batch's transaction.
    pub tx: B256,
}

/// How a Mirror is allowed to take wVARA.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Approval {
    /// By a signed permit, in the same transaction.
    #[default]
    Permit,
    /// By an approval in a transaction before.
    Approve,
    /// It is approved already.
    Given,
}

/// A program's Mirror.
#[derive(Clone, Debug)]
pub struct MirrorClient {
    router: RouterClient,
    address: Address,
}

impl MirrorClient {
    pub(super) const fn new(router: RouterClient, address: Address) -> Self {
        Self { router, address }
    }

    /// Its address: the program's.
    pub const fn address(&self) -> Address {
        self.address
    }

    /// The program's id.
    pub fn actor_id(&self) -> ActorId {
        h160(self.address).into()
    }

    const fn wallet(&self) -> &Wallet {
        self.router.wallet()
    }

    /// Hash of the program's state on Ethereum; zero before the first batch.
    ///
    /// # Errors
    ///
    /// [`ClientError`] if the node or the contract refuses; so for all below.
    pub async fn state_hash(&self) -> Result<H256, ClientError> {
        let call = Mirror::stateHashCall {};
        self.wallet().call(self.address, &call).await.map(h256)
    }

    /// Messages that its Mirror has taken.
    ///
    /// # Errors
    ///
    /// See [`MirrorClient::state_hash`].
    pub async fn nonce(&self) -> Result<U256, ClientError> {
        self.wallet()
            .call(self.address, &Mirror::nonceCall {})
            .await
    }

    /// Who may send the first message.
    ///
    /// # Errors
    ///
    /// See [`MirrorClient::state_hash`].
    pub async fn initializer(&self) -> Result<Address, ClientError> {
        self.wallet()
            .call(self.address, &Mirror::initializerCall {})
            .await
    }

    /// The inheritor of a program that has exited.
    ///
    /// # Errors
    ///
    /// See [`MirrorClient::state_hash`].
    pub async fn inheritor(&self) -> Result<Option<Address>, ClientError> {
        let exited = self
            .wallet()
            .call(self.address, &Mirror::exitedCall {})
            .await?;
        if !exited {
            return Ok(None);
        }
        self.wallet()
            .call(self.address, &Mirror::inheritorCall {})
            .await
            .map(Some)
    }

    /// Wei that failed payouts owe to `owner`.
    ///
    /// # Errors
    ///
    /// See [`MirrorClient::state_hash`].
    pub async fn pending_withdrawal(&self, owner: Address) -> Result<U256, ClientError> {
        let call = Mirror::pendingWithdrawalCall { owner };
        self.wallet().call(self.address, &call).await
    }

    /// Sends a message with `value` wei. With `call_reply` the reply calls the sender back, which must be a contract.
    ///
    /// # Errors
    ///
    /// See [`Wallet::send`].
    pub async fn send_message(
        &self,
        payload: impl Into<Bytes>,
        value: u128,
        call_reply: bool,
    ) -> Result<SentMessage, ClientError> {
        let call = Mirror::sendMessageCall {
            payload: payload.into(),
            callReply: call_reply,
        };
        let transaction =
            Transaction::call("sending the message", self.address, &call).with_value(value);
        self.sent(self.wallet().send(transaction).await?)
    }

    /// Calls a method of the program's typed ABI: `calldata` becomes the message, and its first argument says whether the
    /// reply calls back.
    ///
    /// # Errors
    ///
    /// See [`Wallet::send`].
    pub async fn call_typed(
        &self,
        calldata: impl Into<Bytes>,
        value: u128,
    ) -> Result<SentMessage, ClientError> {
        let transaction = Transaction {
            action: "calling the program".into(),
            to: Some(self.address),
            data: calldata.into(),
            ..Default::default()
        };
        let receipt = self.wallet().send(transaction.with_value(value)).await?;
        self.sent(receipt)
    }

    fn sent(&self, receipt: TransactionReceipt) -> Result<SentMessage, ClientError> {
        let event = find_log::<Mirror::MessageQueueingRequested>(&receipt, self.address)?;
        Ok(SentMessage {
            id: MessageId(h256(event.id)),
            tx: receipt.transaction_hash,
            block: receipt.block_number.unwrap_or_default(),
        })
    }

    /// Replies to a message in the wallet's mailbox.
    ///
    /// # Errors
    ///
    /// See [`Wallet::send`].
    pub async fn send_reply(
        &self,
        to: MessageId,
        payload: impl Into<Bytes>,
        value: u128,
    ) -> Result<TransactionReceipt, ClientError> {
        let call = Mirror::sendReplyCall {
            repliedTo: b256(to.0),
            payload: payload.into(),
        };
        let transaction =
            Transaction::call("sending the reply", self.address, &call).with_value(value);
        self.wallet().send(transaction).await
    }

    /// Asks for the value of a message in the wallet's mailbox.
    ///
    /// # Errors
    ///
    /// See [`Wallet::send`].
    pub async fn claim_value(&self, message: MessageId) -> Result<TransactionReceipt, ClientError> {
        let call = Mirror::claimValueCall {
            claimedId: b256(message.0),
        };
        self.wallet()
            .send(Transaction::call("claiming the value", self.address, &call))
            .await
    }

    /// Takes what failed payouts owe to the wallet.
    ///
    /// # Errors
    ///
    /// See [`Wallet::send`].
    pub async fn withdraw_pending(&self, to: Address) -> Result<TransactionReceipt, ClientError> {
        let call = Mirror::withdrawPendingCall { to };
        self.wallet()
            .send(Transaction::call("withdrawing", self.address, &call))
            .await
    }

    /// Gives the program `value` wVARA base units to pay its execution with.
    ///
    /// # Errors
    ///
    /// See [`Wallet::send`].
    pub async fn executable_balance_top_up(
        &self,
        value: u128,
        approval: Approval,
    ) -> Result<TransactionReceipt, ClientError> {
        let action = "topping the executable balance up";
        let transaction = if approval == Approval::Permit {
            let token = self.router.token().await?;
            let permit = token.permit(self.address, U256::from(value)).await?;
            Transaction::call(
                action,
                self.address,
                &Mirror::executableBalanceTopUpWithPermitCall {
                    value,
                    deadline: permit.deadline,
                    v: permit.v,
                    r: permit.r,
                    s: permit.s,
                },
            )
        } else {
            if approval == Approval::Approve {
                let token = self.router.token().await?;
                token.approve(self.address, U256::from(value)).await?;
            }
            Transaction::call(
                action,
                self.address,
                &Mirror::executableBalanceTopUpCall { value },
            )
        };
        self.wallet().send(transaction).await
    }

    /// Gives the program `value` wei, without a message.
    ///
    /// # Errors
    ///
    /// See [`Wallet::send`].
    pub async fn owned_balance_top_up(
        &self,
        value: u128,
    ) -> Result<TransactionReceipt, ClientError> {
        let transaction = Transaction {
            action: "topping the owned balance up".into(),
            to: Some(self.address),
            ..Default::default()
        };
        self.wallet().send(transaction.with_value(value)).await
    }

    fn events(&self, signatures: &[B256]) -> Filter {
        Filter::new()
            .address(self.address)
            .event_signature(signatures.to_vec())
    }

    /// Waits for the reply to `message`, from block `from` on. A call-back that succeeds leaves no reply on Ethereum:
    /// wait for an event of the contract that was called then.
    ///
    /// # Errors
    ///
    /// [`ClientError::Timeout`] if none comes in time.
    pub async fn wait_for_reply(
        &self,
        message: MessageId,
        from: u64,
    ) -> Result<Reply, ClientError> {
        let filter = self.events(&[
            Mirror::Reply::SIGNATURE_HASH,
            Mirror::ReplyCallFailed::SIGNATURE_HASH,
        ]);
        let hint = format!(
            "no reply to {message}: check that the program has executable balance (a message waits without), and that \
             batches arrive"
        );
        self.wallet()
            .wait_for_log("waiting for the reply", hint, filter, from, |log| {
                let data = &log.inner.data;
                let (payload, value, to, code, callback_failed) =
                    if let Ok(event) = Mirror::Reply::decode_log_data_validate(data) {
                        (
                            event.payload,
                            event.value,
                            event.replyTo,
                            event.replyCode,
                            false,
                        )
                    } else {
                        let event = Mirror::ReplyCallFailed::decode_log_data_validate(data).ok()?;
                        (
                            Bytes::new(),
                            event.value,
                            event.replyTo,
                            event.replyCode,
                            true,
                        )
                    };
                (h256(to) == message.0).then(|| Reply {
                    payload,
                    value,
                    code: ReplyCode(code.0),
                    callback_failed,
                    block: log.block_number.unwrap_or_default(),
                    tx: log.transaction_hash.unwrap_or_default(),
                })
            })
            .await
    }

    /// Waits for a message of the program to `destination`, from block `from` on.
    ///
    /// # Errors
    ///
    /// [`ClientError::Timeout`] if none comes in time.
    pub async fn wait_for_mail(
        &self,
        destination: Address,
        from: u64,
    ) -> Result<Mail, ClientError> {
        let filter = self
            .events(&[Mirror::Message::SIGNATURE_HASH])
            .topic1(destination);
        let hint = format!("the program has sent nothing to {destination}");
        self.wallet()
            .wait_for_log(
                "waiting for a message of the program",
                hint,
                filter,
                from,
                |log| {
                    let event = Mirror::Message::decode_log_data_validate(&log.inner.data).ok()?;
                    Some(Mail {
                        id: MessageId(h256(event.id)),
                        payload: event.payload,
                        value: event.value,
                        block: log.block_number.unwrap_or_default(),
                        tx: log.transaction_hash.unwrap_or_default(),
                    })
                },
            )
            .await
    }

    /// Waits until a claim is settled, from block `from` on.
    ///
    /// # Errors
    ///
    /// [`ClientError::Timeout`] if it is not in time.
    pub async fn wait_for_claim(
        &self,
        message: MessageId,
        from: u64,
    ) -> Result<Claimed, ClientError> {
        let filter = self.events(&[
            Mirror::ValueClaimed::SIGNATURE_HASH,
            Mirror::ValueClaimFailed::SIGNATURE_HASH,
        ]);
        let hint = format!(
            "nothing was paid for {message}: check that it is in this account's mailbox and has not expired"
        );
        self.wallet()
            .wait_for_log("waiting for the claim", hint, filter, from, |log| {
                let data = &log.inner.data;
                let (id, value, paid) = if let Ok(event) =
                    Mirror::ValueClaimed::decode_log_data_validate(data)
                {
                    (event.claimedId, event.value, true)
                } else {
                    let event = Mirror::ValueClaimFailed::decode_log_data_validate(data).ok()?;
                    (event.claimedId, event.value, false)
                };
                (h256(id) == message.0).then(|| Claimed {
                    value,
                    paid,
                    block: log.block_number.unwrap_or_default(),
                    tx: log.transaction_hash.unwrap_or_default(),
                })
            })
            .await
    }
}
