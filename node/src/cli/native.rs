//! `gear-exe tx send-message --native`: a message without an Ethereum transaction. The key signs typed data; the node hands
//! it on; a quorum of validators answers for the result.

use super::{
    CliError, Next, Progress, connect::Endpoints, output::Answer, query::meaning, rpc::Node,
};
use alloy::{
    eips::BlockNumberOrTag,
    primitives::{Address, U256},
    providers::{DynProvider, Provider},
    signers::local::PrivateKeySigner,
};
use gear_exe_primitives::{
    H160, H256,
    batch::RouterDomain,
    level::Level,
    native::{NativeTransaction, SignedNative, SigningForm},
    signature::CompactSignature,
};
use jsonrpsee::rpc_params;
use serde_json::Value;
use std::time::{Duration, Instant};
use tokio::time::timeout;

/// Pause before a lost connection to the node is made anew.
const RECONNECT: Duration = Duration::from_millis(500);
/// Ethereum blocks behind the head to which a message refers: validators know it for sure.
const BEHIND: u64 = 3;

/// A message that is to be sent.
pub(super) struct Letter<'a> {
    pub at: &'a Endpoints,
    pub key: &'a PrivateKeySigner,
    pub program: Address,
    pub payload: Vec<u8>,
    /// In wei, from the deposit of the key's address.
    pub value: u128,
    /// How long to wait; not at all if nothing.
    pub patience: Option<Duration>,
    /// The level that is waited for.
    pub wanted: Level,
    pub progress: &'a Progress,
}

impl Letter<'_> {
    /// Signs, sends, and waits.
    ///
    /// # Errors
    ///
    /// [`CliError`] says what to do.
    pub(super) async fn send(self) -> Result<Answer, CliError> {
        let ethereum = self.at.ethereum().await?;
        let domain = self.domain(&ethereum).await?;
        let signed = self.sign(&ethereum, &domain).await?;
        let id = signed.id(&domain).0;
        let node = self.at.node().await?;
        self.progress.stage("handing the message to the node");
        let said: Value = node
            .call("injected_sendTransaction", rpc_params![&signed])
            .await?;
        if let Some(reason) = said["Reject"]["reason"].as_str() {
            return Err(CliError::new(
                format!("the node does not take the message: {reason}"),
                "nothing was changed; do what the reason says, and send again",
            ));
        }
        let answer = Answer::new()
            .with("message_id", format!("{id:?}"))
            .with("from", format!("{:?}", signed.source));
        match self.patience {
            None => Ok(answer),
            Some(patience) => self.follow(&node, id, patience, answer).await,
        }
    }

    async fn domain(&self, ethereum: &DynProvider) -> Result<RouterDomain, CliError> {
        let chain_id = ethereum
            .get_chain_id()
            .await
            .next(self.at.silent(), self.at.start())?;
        Ok(RouterDomain {
            chain_id,
            router: H160(self.at.router().await?.into_array()),
        })
    }

    async fn sign(
        &self,
        ethereum: &DynProvider,
        domain: &RouterDomain,
    ) -> Result<SignedNative, CliError> {
        let head = ethereum
            .get_block_number()
            .await
            .next(self.at.silent(), self.at.start())?;
        let number = BlockNumberOrTag::Number(head.saturating_sub(BEHIND));
        let block = ethereum
            .get_block_by_number(number)
            .await
            .next(self.at.silent(), self.at.start())?;
        let block = block.ok_or_else(|| {
            CliError::new(
                format!("the Ethereum node does not have its block {number}"),
                "try again",
            )
        })?;
        let transaction = NativeTransaction {
            destination: H160(self.program.into_array()),
            payload: self.payload.clone(),
            value: self.value,
            reference_block: H256(block.header.hash.0),
            // As good as a key: 32 random bytes.
            salt: PrivateKeySigner::random().to_bytes().to_vec(),
        };
        let form = SigningForm::Typed;
        let digest = transaction.digest(form, domain);
        let signature =
            CompactSignature::sign(&self.key.to_bytes().0, digest).map_err(|error| {
                CliError::new(
                    format!("the key does not sign: {error:?}"),
                    "sign with another key (--from)",
                )
            })?;
        Ok(SignedNative {
            transaction,
            form,
            source: H160(self.key.address().into_array()),
            signature,
        })
    }

    /// Shows each level that the message reaches, as the node tells of it, and the reply.
    async fn follow(
        &self,
        node: &Node,
        id: H256,
        patience: Duration,
        answer: Answer,
    ) -> Result<Answer, CliError> {
        let began = Instant::now();
        let mut life = Life::default();
        self.progress.stage("waiting for validators");
        let watched = timeout(patience, self.watch(node, id, &mut life)).await;
        let signers = life.signers;
        watched.map_err(|_| {
            CliError::new(
                format!(
                    "message {id:?} is not {} after {} s; it is {}",
                    self.wanted.name(),
                    patience.as_secs(),
                    life.says(),
                ),
                "it may still come: look with `gear-exe query message`, or wait longer (--deadline)",
            )
        })??;
        let status: Value = node.call("gear_messageStatus", rpc_params![id]).await?;
        if status.is_null() {
            return Err(CliError::new(
                format!(
                    "message {id:?} was superseded just now: its receipt does not count any more"
                ),
                "it is executed again: look with `gear-exe query message`",
            ));
        }
        let code = status["receipt"]["code"].as_str().unwrap_or_default();
        let receipt: Value = node
            .call("injected_getTransactionReceipt", rpc_params![id])
            .await?;
        let reply = receipt["data"]["Promise"]["reply"]["payload"].as_str();
        if !code.starts_with("0x00") {
            let next = match code {
                "0x01040000" => {
                    "deposit ETH with `gear-exe tx deposit`; `gear-exe query deposit` shows what is there"
                }
                _ => {
                    "correct the payload; `gear-exe query reply` tells what a program would answer without sending anything"
                }
            };
            return Err(CliError::new(
                format!(
                    "the program did not take message {id:?}: {} ({code})",
                    meaning(code)
                ),
                next,
            ));
        }
        Ok(answer
            .with_some("reply", reply.map(str::to_owned))
            .with("code", code)
            .with("meaning", meaning(code))
            .with("level", self.wanted.name())
            .with("round", status["block"]["number"].to_string())
            .with("gas", status["receipt"]["gas_burned"].to_string())
            .with("signers", signers)
            .with(
                "milliseconds",
                U256::from(began.elapsed().as_millis()).to_string(),
            ))
    }

    /// Follows the message until it is as far as wanted. What is lost with a connection is told anew by the next.
    async fn watch(&self, node: &Node, id: H256, life: &mut Life) -> Result<(), CliError> {
        let mut cursor = None;
        loop {
            let params = rpc_params![id, &cursor];
            let mut told = node
                .subscribe::<Value>("gear_subscribeMessage", params, "gear_unsubscribeMessage")
                .await?;
            while let Some(one) = told.next().await {
                cursor = one["cursor"].as_str().map(str::to_owned);
                self.progress.stage(life.take(&one));
                if let Some(reason) = &life.purged {
                    return Err(CliError::new(
                        format!("message {id:?} will never be executed: {reason}"),
                        "do what the reason says, and send again",
                    ));
                }
                if life.level >= Some(self.wanted) {
                    return Ok(());
                }
            }
            tokio::time::sleep(RECONNECT).await;
        }
    }
}

/// What is known of a message's life.
#[derive(Debug, Default)]
struct Life {
    level: Option<Level>,
    signers: usize,
    purged: Option<String>,
    superseded: bool,
}

impl Life {
    /// Takes a notification in. Returns what it says.
    fn take(&mut self, told: &Value) -> String {
        let level = told["level"].as_str().unwrap_or_default();
        match level {
            "superseded" => {
                let block = told["block"]["number"].to_string();
                *self = Self {
                    superseded: true,
                    ..Self::default()
                };
                return format!(
                    "superseded: the receipt in block {block} does not count any more, since Ethereum or the chain has left \
                     its branch; what replaces it follows"
                );
            }
            "purged" => {
                self.purged = told["message"].as_str().map(str::to_owned);
            }
            "certified" => {
                let signatures = told["certificate"]["signatures"].as_array();
                self.signers = signatures.map_or(0, Vec::len);
            }
            _ => {}
        }
        if let Ok(reached) = self::level(level) {
            self.level = Some(reached);
        }
        level.to_owned()
    }

    fn says(&self) -> &'static str {
        match self.level {
            Some(level) => level.name(),
            None if self.superseded => "superseded, and waits to be executed again",
            None => "waiting",
        }
    }
}

/// A level by its name.
pub(super) fn level(text: &str) -> Result<Level, String> {
    Level::from_name(text).ok_or_else(|| {
        let known = Level::ALL.map(Level::name).join(", ");
        format!("there is no such level; known are {known}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_life_is_told_plainly() {
        let mut life = Life::default();
        assert_eq!(life.says(), "waiting");
        assert_eq!(life.take(&json!({"level": "executed"})), "executed");
        life.take(&json!({"level": "certified", "certificate": {"signatures": ["0x", "0x"]}}));
        assert_eq!((life.level, life.signers), (Some(Level::Certified), 2));
        let says = life.take(&json!({"level": "superseded", "block": {"number": 7}}));
        assert!(
            says.starts_with("superseded: the receipt in block 7"),
            "{says}"
        );
        assert_eq!((life.level, life.signers), (None, 0));
        assert!(life.says().starts_with("superseded"));
        life.take(&json!({"level": "purged", "reason": 1, "message": "too late"}));
        assert_eq!(life.purged.as_deref(), Some("too late"));
    }
}
