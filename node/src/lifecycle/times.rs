//! When this node first saw that a round had reached a level. Kept in memory only: what lies before the node's start, or far
//! back, is not known.

use gear_exe_primitives::{H256, level::Level};
use std::{
    collections::{HashMap, VecDeque},
    time::{SystemTime, UNIX_EPOCH},
};

/// Rounds whose times are remembered, those of forks among them.
const KEPT: usize = 16_384;

/// Milliseconds since 1970.
pub fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    })
}

/// The times of a round's levels, in milliseconds since 1970.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reached([Option<u64>; 5]);

impl Reached {
    /// When the round reached a level; nothing if it did not, or that is not known.
    pub const fn at(&self, level: Level) -> Option<u64> {
        self.0[level as usize]
    }
}

/// The times of the newest rounds, by block hash.
#[derive(Debug, Default)]
pub struct Times {
    order: VecDeque<H256>,
    reached: HashMap<H256, Reached>,
}

impl Times {
    /// A round has reached a level. Returns when it was seen first.
    pub fn note(&mut self, block: H256, level: Level) -> u64 {
        if !self.reached.contains_key(&block) {
            self.order.push_back(block);
            if self.order.len() > KEPT
                && let Some(oldest) = self.order.pop_front()
            {
                self.reached.remove(&oldest);
            }
        }
        let reached = self.reached.entry(block).or_default();
        *reached.0[level as usize].get_or_insert_with(now)
    }

    /// What is known of a round.
    pub fn of(&self, block: H256) -> Reached {
        self.reached.get(&block).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_time_counts_and_old_rounds_are_forgotten() {
        let mut times = Times::default();
        let block = |number: usize| H256::from_low_u64_be(number as u64);
        let first = times.note(block(0), Level::Executed);
        assert_eq!(times.note(block(0), Level::Executed), first);
        assert_eq!(times.of(block(0)).at(Level::Executed), Some(first));
        assert_eq!(times.of(block(0)).at(Level::Certified), None);
        for number in 1..=KEPT {
            times.note(block(number), Level::Certified);
        }
        assert_eq!(times.of(block(0)), Reached::default());
        assert_eq!((times.order.len(), times.reached.len()), (KEPT, KEPT));
    }
}
