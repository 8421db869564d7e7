//! Waiting for Ethereum: head by head, until a deadline.

use super::{ClientError, Wallet};
use crate::convert::h256;
use alloy::{
    eips::BlockNumberOrTag,
    providers::Provider,
    rpc::types::{Filter, Log},
};
use gear_exe_primitives::ethereum::BlockId;
use tokio::time::Instant;

/// Most blocks in one question for logs: what public nodes allow.
const LOG_RANGE: u64 = 1_000;

/// New heads, until the wallet's deadline.
pub struct Heads {
    wallet: Wallet,
    stage: &'static str,
    hint: String,
    started: Instant,
    seen: Option<BlockId>,
    trouble: Option<String>,
}

impl Heads {
    pub(super) fn new(wallet: &Wallet, stage: &'static str, hint: impl Into<String>) -> Self {
        Self {
            wallet: wallet.clone(),
            stage,
            hint: hint.into(),
            started: Instant::now(),
            seen: None,
            trouble: None,
        }
    }

    /// The head, as soon as it is another one than last time; at once the first time.
    ///
    /// # Errors
    ///
    /// [`ClientError::Timeout`] when the deadline has passed. Trouble with the node is outlasted until then.
    pub async fn next(&mut self) -> Result<BlockId, ClientError> {
        loop {
            match self.wallet.head().await {
                Ok(head) if self.seen != Some(head) => {
                    self.seen = Some(head);
                    return Ok(head);
                }
                Ok(_) => {}
                Err(error) if error.is_transient() => self.trouble = Some(error.to_string()),
                Err(error) => return Err(error),
            }
            let options = self.wallet.options();
            if self.started.elapsed() >= options.deadline {
                return Err(ClientError::Timeout {
                    stage: self.stage,
                    seconds: options.deadline.as_secs(),
                    hint: self.hint.clone(),
                    last: self
                        .trouble
                        .take()
                        .map(|trouble| format!(" (last trouble: {trouble})"))
                        .unwrap_or_default(),
                });
            }
            tokio::time::sleep(options.poll).await;
        }
    }

    /// Passes an answer on. Trouble with the node becomes `None`, and the same head will be returned again.
    ///
    /// # Errors
    ///
    /// Any other error.
    pub fn outlast<T>(
        &mut self,
        answer: Result<Option<T>, ClientError>,
    ) -> Result<Option<T>, ClientError> {
        match answer {
            Err(error) if error.is_transient() => {
                self.trouble = Some(error.to_string());
                self.seen = None;
                Ok(None)
            }
            other => other,
        }
    }
}

/// Logs from a block on, each block asked for once unless a reorg replaced it.
pub struct LogScan {
    filter: Filter,
    from: u64,
    scanned: Option<BlockId>,
}

impl LogScan {
    /// Logs of `filter` in blocks `from` and later.
    pub const fn new(filter: Filter, from: u64) -> Self {
        Self {
            filter,
            from,
            scanned: None,
        }
    }

    /// The logs up to `head` that were not returned before. After a reorg all are returned again.
    ///
    /// # Errors
    ///
    /// [`ClientError`] if the node cannot answer; call it again then.
    pub async fn up_to(&mut self, wallet: &Wallet, head: BlockId) -> Result<Vec<Log>, ClientError> {
        if let Some(scanned) = self.scanned {
            let block = wallet
                .rpc("reading a block", |provider| {
                    provider.get_block_by_number(BlockNumberOrTag::Number(scanned.number))
                })
                .await?;
            if block.is_none_or(|block| h256(block.header.hash) != scanned.hash) {
                self.scanned = None;
            }
        }
        let mut next = self.scanned.map_or(self.from, |scanned| scanned.number + 1);
        let mut logs = Vec::new();
        while next <= head.number {
            let last = head.number.min(next + LOG_RANGE - 1);
            let filter = self.filter.clone().from_block(next).to_block(last);
            logs.extend(
                wallet
                    .rpc("reading logs", |provider| {
                        let filter = filter.clone();
                        async move { provider.get_logs(&filter).await }
                    })
                    .await?,
            );
            next = last + 1;
        }
        self.scanned = Some(head);
        Ok(logs)
    }
}
