//! What really happened, read from the chain after the run: every message once, and the same everywhere. It does not depend on
//! what was told during the run.

use anyhow::{Context, Result, ensure};
use gear_exe_client::{Client, Error};
use gear_exe_primitives::{H256, MessageId, round::ChainBlock};
use jsonrpsee::rpc_params;
use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

/// Pause between two looks.
const PAUSE: Duration = Duration::from_millis(100);
/// How long nodes may take to execute what one of them has finalised.
const PATIENCE: Duration = Duration::from_secs(60);

/// The finalised head of a node.
///
/// # Errors
///
/// If the node does not answer.
pub async fn finalised(client: &Client) -> Result<ChainBlock, Error> {
    const METHOD: &str = "chain_getHeader";
    let malformed = |reason: &str| Error::Malformed {
        method: METHOD,
        reason: reason.into(),
    };
    let head = client.ask("chain_getFinalizedHead", rpc_params![]).await?;
    let header = client.ask(METHOD, rpc_params![&head]).await?;
    let number = header["number"].as_str();
    let number = number.and_then(|hex| u64::from_str_radix(hex.trim_start_matches("0x"), 16).ok());
    Ok(ChainBlock {
        number: number.ok_or_else(|| malformed("no number"))?,
        hash: serde_json::from_value(head).map_err(|error| malformed(&error.to_string()))?,
    })
}

/// What the chain holds of a run.
#[derive(Clone, Debug)]
pub struct Audit {
    /// How often each message has ended in a round that counts: once each.
    pub receipts: HashMap<MessageId, u32>,
    /// Of those, the ones that ended without success.
    pub failed: u64,
    /// Gas burned by all of them.
    pub gas: u128,
    /// Blocks from the beginning of the run to `head`.
    pub blocks: u64,
    /// The block up to which it was read.
    pub head: ChainBlock,
    /// Commitment to the state of all programs after it, by node.
    pub roots: Vec<H256>,
    /// What validators sign of its round, by node.
    pub outcomes: Vec<H256>,
}

impl Audit {
    /// Reads all rounds after `from` up to the finalised head of the first node, and what every node has after that head.
    ///
    /// # Errors
    ///
    /// If a node does not answer, or does not execute that head in time.
    pub async fn read(nodes: &[Client], from: ChainBlock) -> Result<Self> {
        let first = nodes.first().context("no nodes")?;
        let head = finalised(first).await?;
        let (mut roots, mut outcomes) = (Vec::new(), Vec::new());
        for node in nodes {
            let began = Instant::now();
            let round = loop {
                if let Some(round) = node.round(Some(head.hash), 0).await? {
                    break round;
                }
                let late = began.elapsed() > PATIENCE;
                ensure!(
                    !late,
                    "{} does not execute block {}",
                    node.url(),
                    head.number
                );
                tokio::time::sleep(PAUSE).await;
            };
            roots.push(round.state_root);
            outcomes.push(round.outcome_root);
        }
        let mut audit = Self {
            receipts: HashMap::new(),
            failed: 0,
            gas: 0,
            blocks: head.number.saturating_sub(from.number),
            head,
            roots,
            outcomes,
        };
        audit.walk(first, from).await?;
        Ok(audit)
    }

    /// Counts receipts from the head back to `from`, by the rounds on which each was executed: what a rewind has left behind
    /// does not count.
    async fn walk(&mut self, node: &Client, from: ChainBlock) -> Result<()> {
        let mut cursor = self.head;
        while cursor.number > from.number {
            let mut at = 0;
            loop {
                let round = node.round(Some(cursor.hash), at).await?;
                let round =
                    round.with_context(|| format!("no round of block {}", cursor.number))?;
                for receipt in &round.receipts {
                    *self.receipts.entry(receipt.message_id).or_default() += 1;
                    self.failed += u64::from(!receipt.code.is_success());
                    self.gas += u128::from(receipt.gas_burned);
                }
                at += round.receipts.len() as u64;
                if at >= round.receipts_count || round.receipts.is_empty() {
                    cursor = round.base;
                    break;
                }
            }
        }
        Ok(())
    }

    /// Whether all nodes have the same state and the same outcome.
    pub fn is_agreed(&self) -> bool {
        let same = |all: &[H256]| all.windows(2).all(|pair| pair[0] == pair[1]);
        same(&self.roots) && same(&self.outcomes)
    }
}
