//! What a node tells of rounds, with the client's own clock: when each message was seen at each level.

use anyhow::Result;
use gear_exe_client::{Client, Level, RoundLevel};
use gear_exe_primitives::{H256, MessageId};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};
use tokio::task::JoinHandle;

/// Pause before a subscription that has ended is begun again.
const AGAIN: Duration = Duration::from_millis(100);

/// A message was seen in a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// When.
    pub at: Instant,
    /// The block whose round it is.
    pub block: H256,
}

/// What a node has told. It grows with the run, and is gone with it.
#[derive(Clone, Debug, Default)]
pub struct Told {
    executed: HashMap<MessageId, Vec<Seen>>,
    certified: HashMap<H256, Instant>,
    finalized: HashMap<H256, Instant>,
    /// Receipts in each round that has some.
    rounds: HashMap<H256, u64>,
    /// How often the subscription has ended.
    pub interruptions: u32,
}

impl Told {
    /// Takes what was told at a time.
    pub fn take(&mut self, at: Instant, told: RoundLevel) {
        let block = told.block.hash;
        match told.level {
            Level::Executed => {
                if !told.messages.is_empty() {
                    self.rounds.insert(block, told.messages.len() as u64);
                }
                for id in told.messages {
                    let seen = self.executed.entry(id).or_default();
                    if seen.iter().all(|before| before.block != block) {
                        seen.push(Seen { at, block });
                    }
                }
            }
            Level::Certified => {
                self.certified.entry(block).or_insert(at);
            }
            _ => {
                self.finalized.entry(block).or_insert(at);
            }
        }
    }

    /// When a message had reached a level first.
    pub fn reached(&self, id: MessageId, level: Level) -> Option<Instant> {
        let seen = self.executed.get(&id)?;
        let times = match level {
            Level::Executed => return seen.iter().map(|seen| seen.at).min(),
            Level::Certified => &self.certified,
            _ => &self.finalized,
        };
        let at = seen.iter().filter_map(|seen| {
            // A certificate may come before the own execution; the level holds from the later of both.
            Some((*times.get(&seen.block)?).max(seen.at))
        });
        at.min()
    }

    /// Messages that were executed again in another block, because a block was left or Ethereum went back.
    pub fn again(&self) -> usize {
        self.executed.values().filter(|seen| seen.len() > 1).count()
    }

    /// Rounds with messages, and the most messages of one.
    pub fn rounds(&self) -> (usize, u64) {
        (
            self.rounds.len(),
            self.rounds.values().copied().max().unwrap_or(0),
        )
    }
}

/// Follows a node until it is dropped.
#[derive(Debug)]
pub struct Follower {
    told: Arc<Mutex<Told>>,
    task: JoinHandle<()>,
}

impl Follower {
    /// Begins.
    ///
    /// # Errors
    ///
    /// If the node does not answer, or does not tell its rounds.
    pub async fn start(client: Client) -> Result<Self> {
        let told = Arc::<Mutex<Told>>::default();
        let shared = told.clone();
        let mut rounds = client.rounds(true).await?;
        let task = tokio::spawn(async move {
            loop {
                while let Some(item) = rounds.next().await {
                    let at = Instant::now();
                    match item {
                        Ok(level) => lock(&shared).take(at, level),
                        Err(_) => lock(&shared).interruptions += 1,
                    }
                }
                // What was missed meanwhile is found by the audit, without a time.
                rounds = loop {
                    tokio::time::sleep(AGAIN).await;
                    if let Ok(rounds) = client.rounds(true).await {
                        break rounds;
                    }
                };
            }
        });
        Ok(Self { told, task })
    }

    /// What was told until now.
    pub fn told(&self) -> MutexGuard<'_, Told> {
        lock(&self.told)
    }
}

fn lock(told: &Mutex<Told>) -> MutexGuard<'_, Told> {
    told.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gear_exe_primitives::round::ChainBlock;

    fn level(level: Level, block: u8, ids: &[u8]) -> RoundLevel {
        RoundLevel {
            level,
            at: None,
            block: ChainBlock {
                number: block.into(),
                hash: H256::repeat_byte(block),
            },
            anchor: None,
            outcome: None,
            messages: ids
                .iter()
                .map(|id| MessageId(H256::repeat_byte(*id)))
                .collect(),
        }
    }

    #[test]
    fn levels_are_joined_by_block_also_when_they_come_in_another_order() {
        let begin = Instant::now();
        let after = |millis| begin + Duration::from_millis(millis);
        let id = |id| MessageId(H256::repeat_byte(id));
        let mut told = Told::default();
        told.take(after(10), level(Level::Certified, 1, &[]));
        told.take(after(20), level(Level::Executed, 1, &[7, 8]));
        told.take(after(25), level(Level::Executed, 1, &[7, 8]));
        told.take(after(30), level(Level::Executed, 2, &[9]));
        told.take(after(35), level(Level::Executed, 3, &[9]));
        told.take(after(40), level(Level::Finalized, 3, &[]));
        assert_eq!(told.reached(id(7), Level::Executed), Some(after(20)));
        assert_eq!(told.reached(id(7), Level::Certified), Some(after(20)));
        assert_eq!(told.reached(id(7), Level::Finalized), None);
        assert_eq!(told.reached(id(9), Level::Executed), Some(after(30)));
        assert_eq!(told.reached(id(9), Level::Finalized), Some(after(40)));
        assert_eq!(told.reached(id(1), Level::Executed), None);
        assert_eq!(told.again(), 1);
        assert_eq!(told.rounds(), (3, 2));
    }
}
