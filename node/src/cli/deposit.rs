//! ETH that an account has put by at the Router, for the value of its native messages: putting it there, taking it back, and
//! how much there is.

use super::{
    CliError, Next, Progress,
    amount::{self, units},
    connect::Endpoints,
    output::Answer,
    query::call,
    rpc::Node,
    tx::client,
};
use alloy::{
    primitives::{Address, U256},
    rpc::types::TransactionReceipt,
};
use gear_exe_ethereum::{abi::Router, client::RouterClient};
use jsonrpsee::rpc_params;
use serde_json::Value;
use std::time::{Duration, Instant};

/// Pause between two questions to the node.
const POLL: Duration = Duration::from_millis(250);

/// What the node has of an address, as of which Ethereum block, and in its own words.
struct Known {
    value: u128,
    anchor: u64,
    words: Value,
}

/// The deposit of `address` in the node's newest round.
async fn read(node: &Node, address: Address) -> Result<Known, CliError> {
    let found: Value = node.call("gear_deposit", rpc_params![address]).await?;
    let words = found["value"].clone();
    let text = words
        .as_str()
        .map_or_else(|| words.to_string(), str::to_owned);
    let not_known = "ask another node, or update this one";
    let value = text
        .parse()
        .next("the node's `gear_deposit` is no amount", not_known)?;
    let anchor = found["anchor"]["number"]
        .as_u64()
        .ok_or("no number of a block")
        .next("the node's `gear_deposit` has no anchor", not_known)?;
    Ok(Known {
        value,
        anchor,
        words,
    })
}

/// What `address` has at the Router.
///
/// # Errors
///
/// [`CliError`] says what to do; so for all below.
pub(super) async fn show(at: &Endpoints, address: Address) -> Result<Answer, CliError> {
    let known = read(&at.node().await?, address).await?;
    let question = Router::pendingDepositCall { owner: address };
    let owed = call(&at.ethereum().await?, at.router().await?, question).await?;
    Ok(Answer::new()
        .with("address", address.to_string())
        .with("eth", units(&known.words, amount::ETH))
        .with("owed", amount::show(owed, amount::ETH)))
}

/// Deposits of a wallet.
pub(super) struct Deposits<'a> {
    /// Where the node and Ethereum are.
    pub at: &'a Endpoints,
    /// The Router, with the wallet.
    pub router: &'a RouterClient,
    /// Longest wait for validators; `None` does not wait.
    pub patience: Option<Duration>,
    /// Told of what is waited for.
    pub progress: &'a Progress,
}

impl Deposits<'_> {
    /// Puts `value` wei by for `account`, and waits until native messages can bring it.
    pub(super) async fn put(&self, account: Address, value: u128) -> Result<Answer, CliError> {
        let receipt = self.router.deposit(account, value).await.map_err(client)?;
        let answer = Answer::new()
            .with("account", account.to_string())
            .with("eth", amount::show(U256::from(value), amount::ETH))
            .with("transaction", receipt.transaction_hash.to_string());
        match self.patience {
            None => Ok(answer),
            Some(patience) => {
                let known = self.taken_in(account, &receipt, patience).await?;
                Ok(answer.with("deposit", units(&known.words, amount::ETH)))
            }
        }
    }

    /// Waits until the node has executed a round with the block of a transaction.
    async fn taken_in(
        &self,
        account: Address,
        receipt: &TransactionReceipt,
        patience: Duration,
    ) -> Result<Known, CliError> {
        let node = self.at.node().await?;
        self.progress
            .stage("waiting for validators to see the deposit");
        let began = Instant::now();
        loop {
            let known = read(&node, account).await?;
            if known.anchor >= receipt.block_number.unwrap_or_default() {
                return Ok(known);
            }
            if began.elapsed() > patience {
                return Err(CliError::new(
                    format!(
                        "validators have not seen the deposit after {} s",
                        patience.as_secs()
                    ),
                    "it stays deposited: `gear-exe query deposit` tells when they have",
                ));
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// Takes `amount` wei back, or all there is, and waits until that is paid.
    pub(super) async fn withdraw(&self, amount: Option<u128>) -> Result<Answer, CliError> {
        let user = self.router.wallet().address();
        if self.patience.is_some() && read(&self.at.node().await?, user).await?.value == 0 {
            return Err(CliError::new(
                format!("{user} has no deposit"),
                "there is nothing to withdraw; if native messages are on their way, look again when they have ended",
            ));
        }
        let amount = amount.unwrap_or(u128::MAX);
        let withdrawal = self
            .router
            .request_withdrawal(amount)
            .await
            .map_err(client)?;
        let answer = Answer::new()
            .with("withdrawal", format!("{:?}", withdrawal.id))
            .with("transaction", withdrawal.tx.to_string());
        if self.patience.is_none() {
            return Ok(answer);
        }
        let withdrawn = self
            .router
            .wait_for_withdrawal(&withdrawal)
            .await
            .map_err(client)?;
        let eth = amount::show(U256::from(withdrawn.value), amount::ETH);
        if !withdrawn.paid {
            return Err(CliError::new(
                format!("{eth} ETH could not be paid to {user}"),
                "it stays owed: have the account accept ETH, or call withdrawPendingDeposit of the Router for another one",
            ));
        }
        Ok(answer.with("eth", eth))
    }
}
