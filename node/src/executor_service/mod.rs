//! The off-chain worker proper: executes the round of every block of the best chain, oldest first, whoever built the
//! block and however it came.
//!
//! Substrate calls its off-chain workers only for new best blocks that did not come by sync. So this service walks the
//! chain itself, from the best block down to what is executed, and lets the workers only wake it. Outcomes are kept by
//! block hash and states by content: a fork costs its own execution, and a restart goes on at the last stored round.
//!
//! [`worker`] does the work, [`base`] says on what a round is executed, [`records`] keeps what was done. What stands in the
//! way and other nodes have is [asked for](crate::sync).

pub mod base;
pub mod chain;
pub mod finality;
pub mod joining;
pub mod records;
pub mod worker;

use crate::{
    codes::Codes,
    ethereum_service::EthereumService,
    metrics::{Alarm, Metrics},
    rounds::{ExecutedRound, Rounds},
    sync::demands::Demands,
};
use gear_exe_executor::Executor;
use gear_exe_primitives::{H256, round::ChainBlock};
use parking_lot::{Mutex, RwLock};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::{Notify, broadcast};
use worker::{Lacking, Pass, Readers, Worker};

/// Rounds that a reader may be behind before it is told that it missed some.
const BROADCAST: usize = 4_096;
/// Waiting for an Ethereum block for so long is an alarm.
const PATIENCE: Duration = Duration::from_secs(15);
/// Pause before a round that lacks something is tried again, if nothing tells that it came.
const RETRY: Duration = Duration::from_secs(1);
/// Alarms that a blocked round raises; all are over when a pass ends well.
const ALARMS: [Alarm; 6] = [
    Alarm::EthereumMissing,
    Alarm::CodeMissing,
    Alarm::ExecutorVersion,
    Alarm::ExecutorFault,
    Alarm::StoreDamaged,
    Alarm::ChainUnreadable,
];

/// Executes rounds and serves them to readers.
pub struct ExecutorService {
    worker: Arc<Worker>,
    ethereum: Arc<EthereumService>,
    codes: Arc<Codes>,
    published: Arc<Published>,
    wake: Arc<Notify>,
    demands: Arc<Demands>,
    /// The Ethereum block that a round waits for, and since when.
    waiting: Mutex<Option<(H256, Instant)>>,
}

struct Published {
    best: RwLock<Option<ExecutedRound>>,
    sender: broadcast::Sender<ExecutedRound>,
}

impl Readers for Published {
    fn executed(&self, round: ExecutedRound, fresh: bool) {
        let changed = {
            let mut best = self.best.write();
            let changed = best.as_ref().map(|best| best.block) != Some(round.block);
            *best = Some(round.clone());
            changed
        };
        if fresh || changed {
            // Nobody listening is no fault.
            let _ = self.sender.send(round);
        }
    }
}

impl ExecutorService {
    /// Over what the node has.
    pub fn new(
        worker: Worker,
        ethereum: Arc<EthereumService>,
        codes: Arc<Codes>,
        wake: Arc<Notify>,
        demands: Arc<Demands>,
    ) -> Arc<Self> {
        Arc::new(Self {
            worker: Arc::new(worker),
            ethereum,
            codes,
            published: Arc::new(Published {
                best: RwLock::new(None),
                sender: broadcast::channel(BROADCAST).0,
            }),
            wake,
            demands,
            waiting: Mutex::new(None),
        })
    }

    /// The records, for settlement.
    pub fn worker(&self) -> &Arc<Worker> {
        &self.worker
    }

    /// Executes rounds until the node ends.
    pub async fn run(self: Arc<Self>) {
        let mut grown = self.ethereum.history().grown();
        let mut added = self.codes.added();
        let mut retry = tokio::time::interval(RETRY);
        retry.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let (worker, published) = (self.worker.clone(), self.published.clone());
            let pass = tokio::task::spawn_blocking(move || worker.pass(&*published)).await;
            match pass {
                Ok(Pass::More) => continue,
                Ok(Pass::Done) => ALARMS
                    .into_iter()
                    .for_each(|alarm| self.metrics().clear(alarm)),
                Ok(Pass::Blocked(block, lacking)) => self.blocked(block, lacking),
                Err(error) if error.is_cancelled() => return,
                Err(error) => self.metrics().raise(
                    Alarm::ExecutorFault,
                    format!("the executor panicked; its rounds are tried again: {error}"),
                ),
            }
            tokio::select! {
                () = self.wake.notified() => {}
                changed = grown.changed() => if changed.is_err() { return },
                changed = added.changed() => if changed.is_err() { return },
                _ = retry.tick() => {}
            }
        }
    }

    fn metrics(&self) -> &Metrics {
        &self.worker.metrics
    }

    /// An object of the executor's store is asked of other nodes.
    fn damaged(&self, hash: H256, says: String) {
        self.metrics().raise(Alarm::StoreDamaged, says);
        self.demands.want(|wants| {
            wants.objects.insert(hash);
        });
    }

    fn blocked(&self, block: ChainBlock, lacking: Lacking) {
        let says = format!("round {} waits: {lacking}", block.number);
        match lacking {
            Lacking::Ethereum(hash) => {
                self.ethereum.history().release();
                self.ethereum.want(hash);
                let mut waiting = self.waiting.lock();
                let since = match *waiting {
                    Some((before, since)) if before == hash => since,
                    _ => Instant::now(),
                };
                *waiting = Some((hash, since));
                if since.elapsed() > PATIENCE {
                    self.metrics().raise(Alarm::EthereumMissing, says);
                } else {
                    tracing::debug!("{says}");
                }
            }
            Lacking::Code(code) => {
                self.codes.need(code);
                self.demands.want(|wants| {
                    wants.codes.insert(code);
                });
                self.metrics().raise(Alarm::CodeMissing, says);
            }
            Lacking::Version(_) => self.metrics().raise(Alarm::ExecutorVersion, says),
            Lacking::Round(_) => tracing::debug!("{says}"),
            Lacking::Far(_) => {
                tracing::debug!("{says}");
                self.demands.want(|wants| wants.far = true);
            }
            Lacking::Floor(_) => {
                tracing::debug!("{says}");
                self.demands.want(|wants| wants.floor = Some(block));
            }
            Lacking::Damaged(hash, _) => self.damaged(hash, says),
            Lacking::Fault(alarm, _) => self.metrics().raise(alarm, says),
        }
    }
}

impl Rounds for ExecutorService {
    fn best(&self) -> Option<ExecutedRound> {
        self.published.best.read().clone()
    }

    fn round(&self, block: H256) -> Option<ExecutedRound> {
        self.worker.round(block).unwrap_or_else(|lacking| {
            match lacking {
                Lacking::Fault(alarm, says) => self.metrics().raise(alarm, says),
                Lacking::Damaged(hash, says) => self.damaged(hash, says),
                _ => {}
            }
            None
        })
    }

    fn at_ethereum(&self, ethereum: H256) -> Option<ExecutedRound> {
        let best = self.best()?;
        if best.anchor.hash == ethereum {
            return Some(best);
        }
        let records = &self.worker.records;
        let last = records.at_anchor(ethereum).ok().flatten()?;
        let canonical = self.worker.chain.canonical(last.number).ok().flatten();
        if canonical == Some(last.hash) && last.number <= best.block.number {
            return self.round(last.hash);
        }
        // A fork was executed last with this anchor: look along the best chain.
        let mut cursor = records.get(best.block.hash).ok().flatten()?;
        while cursor.block.number > 0 && cursor.anchor.hash != ethereum {
            cursor = records.get(cursor.parent).ok().flatten()?;
        }
        (cursor.anchor.hash == ethereum)
            .then(|| self.round(cursor.block.hash))
            .flatten()
    }

    fn subscribe(&self) -> broadcast::Receiver<ExecutedRound> {
        self.published.sender.subscribe()
    }

    fn executor(&self) -> &Arc<Executor> {
        &self.worker.executor
    }
}

#[cfg(test)]
pub(crate) mod tests;
