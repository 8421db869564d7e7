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
    native::{NativeTransaction, SignedNative, SigningForm},
    signature::CompactSignature,
};
use jsonrpsee::rpc_params;
use serde_json::Value;
use std::time::{Duration, Instant};

/// Pause between two looks at what became of the message.
const LOOK: Duration = Duration::from_millis(100);
/// Ethereum blocks behind the head to which a message refers: validators know it for sure.
const BEHIND: u64 = 3;
/// The levels of confirmation, in order.
const LEVELS: [&str; 5] = ["executed", "certified", "finalized", "committed", "settled"];

/// A message that is to be sent.
pub(super) struct Letter<'a> {
    pub at: &'a Endpoints,
    pub key: &'a PrivateKeySigner,
    pub program: Address,
    pub payload: Vec<u8>,
    /// How long to wait; not at all if nothing.
    pub patience: Option<Duration>,
    /// Wait until it is settled on Ethereum.
    pub watch: bool,
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
            value: 0,
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

    /// Shows each level that the message reaches, and the reply.
    async fn follow(
        &self,
        node: &Node,
        id: H256,
        patience: Duration,
        answer: Answer,
    ) -> Result<Answer, CliError> {
        let wanted = if self.watch { "settled" } else { "certified" };
        let place = |level: &str| LEVELS.iter().position(|one| *one == level);
        let began = Instant::now();
        let mut reached = None;
        self.progress.stage("waiting for validators");
        let status = loop {
            let status: Value = node.call("gear_messageStatus", rpc_params![id]).await?;
            if let Some(level) = status["level"].as_str()
                && let now @ Some(_) = place(level)
            {
                if now > reached {
                    reached = now;
                    self.progress.stage(level);
                }
                if now >= place(wanted) {
                    break status;
                }
            }
            if began.elapsed() > patience {
                return Err(CliError::new(
                    format!(
                        "message {id:?} is not {wanted} after {} s; it is {}",
                        patience.as_secs(),
                        reached
                            .and_then(|place| LEVELS.get(place))
                            .unwrap_or(&"waiting"),
                    ),
                    "it may still come: look with `gear-exe query message`, or wait longer (--deadline)",
                ));
            }
            tokio::time::sleep(LOOK).await;
        };
        let code = status["receipt"]["code"].as_str().unwrap_or_default();
        let receipt: Value = node
            .call("injected_getTransactionReceipt", rpc_params![id])
            .await?;
        let reply = receipt["data"]["Promise"]["reply"]["payload"].as_str();
        if !code.starts_with("0x00") {
            return Err(CliError::new(
                format!(
                    "the program did not take message {id:?}: {} ({code})",
                    meaning(code)
                ),
                "correct the payload; `gear-exe query reply` tells what a program would answer without sending anything",
            ));
        }
        Ok(answer
            .with_some("reply", reply.map(str::to_owned))
            .with("code", code)
            .with("meaning", meaning(code))
            .with("level", status["level"].as_str().unwrap_or_default())
            .with("round", status["block"]["number"].to_string())
            .with("gas", status["receipt"]["gas_burned"].to_string())
            .with(
                "signers",
                status["certificate"]["signatures"]
                    .as_array()
                    .map_or(0, Vec::len),
            )
            .with(
                "milliseconds",
                U256::from(began.elapsed().as_millis()).to_string(),
            ))
    }
}
