//! Whether a node takes over the state after a later round, and which, in place of executing what comes before it.
//! [`sync`](crate::sync) does it.

use super::{
    finality::Finality,
    worker::{Lacking, Worker},
};
use crate::metrics::Alarm;
use gear_exe_primitives::round::ChainBlock;
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

/// Blocks by which this node has to be behind a round whose state others have before it takes that over in place of
/// executing the rounds in between.
pub const FAR: u64 = 64;

/// Whether the state of a later round can be taken from other nodes.
#[derive(Default)]
pub struct Joining {
    /// What is final. Without it, every round is executed.
    pub finality: Option<Arc<dyn Finality>>,
    /// Nobody has offered a state: what can be executed is.
    pub replay: AtomicBool,
}

impl Worker {
    /// The round whose state is best taken from others: the last one that the Router holds at Ethereum's final block, since
    /// nothing that comes before it will ever be needed. A node that does not have that block's state, because it has joined
    /// later, takes the last finalised round. Nothing if that cannot be, or need not.
    pub fn join_target(&self) -> Option<ChainBlock> {
        let finality = self.joining.finality.as_ref()?;
        if self.joining.replay.load(Ordering::Relaxed) {
            return None;
        }
        let last = finality.finalised();
        if last.number == 0 {
            return None;
        }
        let settled = finality.settled().ok()?;
        match settled.filter(|hash| self.facts(*hash).is_ok()) {
            Some(hash) => {
                let place = self.chain.place(hash).ok()?;
                let canonical = self.chain.canonical(place.block.number).ok()?;
                (canonical == Some(hash)).then_some(place.block)
            }
            None => {
                let first = self.chain.canonical(1).ok().flatten();
                let replayable =
                    settled.is_none() && first.is_some_and(|first| self.facts(first).is_ok());
                (!replayable).then_some(last)
            }
        }
    }

    /// Whether the oldest block without a round can be read: it has its state, and those before it are executed.
    pub fn can_replay(&self) -> bool {
        let mut cursor = self.chain.best().hash;
        let mut oldest = cursor;
        loop {
            match (self.records.contains(cursor), self.chain.place(cursor)) {
                (Ok(true), _) => break,
                (Ok(false), Ok(place)) if place.block.number == 0 => break,
                (Ok(false), Ok(place)) => {
                    oldest = cursor;
                    cursor = place.parent;
                }
                _ => return false,
            }
        }
        self.facts(oldest).is_ok()
    }

    /// What a node that has joined cannot read of a block from before, it takes the state of a later round for.
    pub(super) fn or_far(&self, block: ChainBlock, lacking: Lacking) -> Lacking {
        match (&lacking, self.join_target()) {
            (Lacking::Fault(Alarm::ChainUnreadable, _), Some(target))
                if target.number > block.number =>
            {
                Lacking::Far(target)
            }
            _ => lacking,
        }
    }
}
