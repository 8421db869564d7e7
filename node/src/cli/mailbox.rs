//! Messages of programs that wait in an account's mailbox: what is there, and the two ways to take it, a reply and a
//! claim. Validators ignore both if the message is not there, so a command asks the node first, and says so.

use super::{
    CliError, Progress,
    amount::{self, units},
    connect::Endpoints,
    output::Answer,
    query::meaning,
    rpc::Node,
    tx::client,
};
use alloy::{
    primitives::{Address, B256, U256},
    rpc::types::TransactionReceipt,
};
use gear_exe_ethereum::client::MirrorClient;
use gear_exe_primitives::{H256, MessageId};
use jsonrpsee::rpc_params;
use serde::Deserialize;
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

/// Pause between two questions to the node.
const POLL: Duration = Duration::from_millis(250);

/// A message in a mailbox, as the node tells it.
#[derive(Debug, Deserialize)]
struct Entry {
    value: Mail,
    expiry: u64,
}

#[derive(Debug, Deserialize)]
struct Mail {
    payload: Value,
    value: Value,
}

impl Mail {
    fn has_value(&self) -> bool {
        self.value != json!(0)
    }
}

/// What waits for `user` from `program`, by message.
async fn read(
    node: &Node,
    program: Address,
    user: Address,
) -> Result<BTreeMap<B256, Entry>, CliError> {
    let found: Value = node.call("gear_programState", rpc_params![program]).await?;
    let Some(all) = found["state"]["mailbox_hash"].as_str() else {
        return Ok(BTreeMap::new());
    };
    let all: Value = node.call("program_readMailbox", rpc_params![all]).await?;
    match all["inner"][format!("{user:#x}")].as_str() {
        Some(own) => node.call("program_readUserMailbox", rpc_params![own]).await,
        None => Ok(BTreeMap::new()),
    }
}

/// What waits for `user` from `program`.
///
/// # Errors
///
/// [`CliError`] says what to do; so for all below.
pub(super) async fn list(
    at: &Endpoints,
    program: Address,
    user: Address,
) -> Result<Answer, CliError> {
    let node = at.node().await?;
    let mut messages = Vec::new();
    for (id, entry) in read(&node, program, user).await? {
        let payload = match &entry.value.payload["Stored"] {
            Value::Null => entry.value.payload["Direct"].clone(),
            hash => node.call("program_readPayload", rpc_params![hash]).await?,
        };
        messages.push(json!({
            "message_id": id.to_string(),
            "eth": units(&entry.value.value, amount::ETH),
            "payload": payload,
            "expires_at": entry.expiry,
        }));
    }
    Ok(Answer::new().with("messages", messages))
}

/// One message in the mailbox of a wallet.
pub(super) struct Letter<'a> {
    /// Where the node and Ethereum are.
    pub at: &'a Endpoints,
    /// The program that sent it.
    pub mirror: &'a MirrorClient,
    /// The wallet's address.
    pub user: Address,
    /// Its id.
    pub message: B256,
    /// Longest wait for validators; `None` does not wait, and does not look before.
    pub patience: Option<Duration>,
    /// Told of what is waited for.
    pub progress: &'a Progress,
}

impl Letter<'_> {
    fn id(&self) -> MessageId {
        MessageId(H256(self.message.0))
    }

    /// The message, which must be there.
    async fn look(&self, node: &Node) -> Result<Mail, CliError> {
        let (program, user) = (self.mirror.address(), self.user);
        self.progress.stage("looking into the mailbox");
        read(node, program, user)
            .await?
            .remove(&self.message)
            .map(|entry| entry.value)
            .ok_or_else(|| {
                CliError::new(
                    format!(
                        "there is no message {} of {program} in the mailbox of {user}",
                        self.message
                    ),
                    format!(
                        "`gear-exe query mailbox {program} {user}` shows what is there: perhaps it is another account's, \
                         was taken before, or has expired"
                    ),
                )
            })
    }

    /// Replies to it, and waits until the program has taken the reply.
    pub(super) async fn reply(&self, payload: Vec<u8>, value: u128) -> Result<Answer, CliError> {
        let waits = match self.patience {
            Some(patience) => {
                let node = self.at.node().await?;
                let mail = self.look(&node).await?;
                Some((node, mail, patience))
            }
            None => None,
        };
        let receipt = self
            .mirror
            .send_reply(self.id(), payload, value)
            .await
            .map_err(client)?;
        let answer = Answer::new()
            .with("replied_to", self.message.to_string())
            .with("transaction", receipt.transaction_hash.to_string());
        let Some((node, mail, patience)) = waits else {
            return Ok(answer);
        };
        let code = self.taken(&node, patience).await?;
        let claimed = if mail.has_value() {
            Some(self.claimed(&receipt).await?)
        } else {
            None
        };
        if !code.starts_with("0x00") {
            let paid = claimed
                .map(|eth| format!("; the message's {eth} ETH are paid to you"))
                .unwrap_or_default();
            return Err(CliError::new(
                format!(
                    "the program did not take the reply: {} ({code}){paid}",
                    meaning(&code)
                ),
                "it cannot be replied to again: what came with the reply stays with the program; its log says more if it \
                 panicked",
            ));
        }
        Ok(answer
            .with("code", code.as_str())
            .with("meaning", "the program has taken the reply")
            .with_some("eth", claimed))
    }

    /// Waits until a batch with the program's run on the reply is on Ethereum. Returns how the run ended.
    async fn taken(&self, node: &Node, patience: Duration) -> Result<String, CliError> {
        self.progress
            .stage("waiting for the program to take the reply");
        let reply = MessageId::reply(self.id()).0;
        let began = Instant::now();
        loop {
            let status: Value = node.call("gear_messageStatus", rpc_params![reply]).await?;
            if let (Some("committed" | "settled"), Some(code)) =
                (status["level"].as_str(), status["receipt"]["code"].as_str())
            {
                return Ok(code.to_owned());
            }
            if began.elapsed() > patience {
                return Err(CliError::new(
                    format!(
                        "the program has not taken the reply after {} s",
                        patience.as_secs()
                    ),
                    format!(
                        "it stays sent: `gear-exe query program {}` tells whether the program waits for executable balance",
                        self.mirror.address()
                    ),
                ));
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// Takes its ETH without a reply, and waits until that is paid.
    pub(super) async fn claim(&self) -> Result<Answer, CliError> {
        if self.patience.is_some() {
            let mail = self.look(&self.at.node().await?).await?;
            if !mail.has_value() {
                return Err(CliError::new(
                    format!("message {} came without ETH", self.message),
                    "there is nothing to claim; `gear-exe tx send-reply` replies to it",
                ));
            }
        }
        let receipt = self.mirror.claim_value(self.id()).await.map_err(client)?;
        let answer = Answer::new()
            .with("message_id", self.message.to_string())
            .with("transaction", receipt.transaction_hash.to_string());
        if self.patience.is_none() {
            return Ok(answer);
        }
        Ok(answer.with("eth", self.claimed(&receipt).await?))
    }

    /// Waits until its ETH is paid. Returns how much, in ETH.
    async fn claimed(&self, receipt: &TransactionReceipt) -> Result<String, CliError> {
        let claimed = self
            .mirror
            .wait_for_claim(self.id(), receipt.block_number.unwrap_or_default())
            .await
            .map_err(client)?;
        let value = amount::show(U256::from(claimed.value), amount::ETH);
        if claimed.paid {
            return Ok(value);
        }
        Err(CliError::new(
            format!("{value} ETH could not be paid to this account"),
            "it stays owed: have the account accept ETH and call withdrawPending of the Mirror",
        ))
    }
}
