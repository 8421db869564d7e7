//! The executed path: the rounds whose outcomes count, from the newest one down its base, the base's base, and so on. Rounds of
//! forks that were left, and those that were executed again on another branch of Ethereum, are not on it.

use gear_exe_primitives::{H256, batch::AppliedBatch, ethereum::BlockId, round::ChainBlock};
use std::collections::BTreeMap;

/// Rounds of the path that are remembered: more than half an hour of blocks each quarter of a second.
const KEPT: usize = 8_192;

/// One round of the path.
#[derive(Clone, Copy, Debug)]
pub struct Step {
    /// Hash of its block.
    pub hash: H256,
    /// Its anchor.
    pub anchor: BlockId,
    /// What validators sign of its outcome, once somebody needed to know.
    pub outcome: Option<H256>,
    /// It was executed since the start, so that readers are told of it.
    pub live: bool,
    /// Its certificate was seen.
    pub certified: bool,
    /// Its block was seen to be final.
    pub finalized: bool,
}

/// The newest rounds of the path, by number of their block.
#[derive(Debug, Default)]
pub struct Path(BTreeMap<u64, Step>);

impl Path {
    /// The newest round.
    pub fn tip(&self) -> Option<ChainBlock> {
        let (number, step) = self.0.last_key_value()?;
        Some(ChainBlock {
            number: *number,
            hash: step.hash,
        })
    }

    /// What is known of a round, if it is on the path.
    pub fn get(&mut self, block: ChainBlock) -> Option<&mut Step> {
        self.0
            .get_mut(&block.number)
            .filter(|step| step.hash == block.hash)
    }

    /// Whether a round is on the path.
    pub fn stands(&self, block: ChainBlock) -> bool {
        self.0
            .get(&block.number)
            .is_some_and(|step| step.hash == block.hash)
    }

    /// Whether the path has come as far as a round, and does not go through it. Of what lies below its remembered part nothing
    /// can be said.
    pub fn contradicts(&self, block: ChainBlock) -> bool {
        let first = self.0.first_key_value().map(|(number, _)| *number);
        let last = self.0.last_key_value().map(|(number, _)| *number);
        first.is_some_and(|first| first <= block.number)
            && last.is_some_and(|last| block.number <= last)
            && !self.stands(block)
    }

    /// The round of the path with this number.
    pub fn at(&self, number: u64) -> Option<ChainBlock> {
        let hash = self.0.get(&number)?.hash;
        Some(ChainBlock { number, hash })
    }

    /// The rounds of the path with numbers above `low` and not above `high`.
    pub fn between(&self, low: u64, high: u64) -> Vec<ChainBlock> {
        if low >= high {
            return Vec::new();
        }
        self.0
            .range(low + 1..=high)
            .map(|(number, step)| ChainBlock {
                number: *number,
                hash: step.hash,
            })
            .collect()
    }

    /// Whether a batch ends on the path: its last number may be that of a block that the path skips, and then it names the
    /// round before it.
    pub fn holds(&self, batch: &AppliedBatch) -> bool {
        self.0
            .range(..=batch.last_round)
            .next_back()
            .is_some_and(|(_, step)| step.hash == batch.last_round_hash)
    }

    /// Puts a round on the path; without what is signed of its outcome, if it was executed before the start. Returns the numbers of those that are forgotten for it.
    pub fn put(&mut self, block: ChainBlock, anchor: BlockId, outcome: Option<H256>) -> Vec<u64> {
        self.0.insert(
            block.number,
            Step {
                hash: block.hash,
                anchor,
                outcome,
                live: outcome.is_some(),
                certified: false,
                finalized: false,
            },
        );
        let mut forgotten = Vec::new();
        while self.0.len() > KEPT
            && let Some((number, _)) = self.0.pop_first()
        {
            forgotten.push(number);
        }
        forgotten
    }

    /// Takes the rounds above `number` off the path, and returns them.
    pub fn cut(&mut self, number: u64) -> Vec<ChainBlock> {
        let above = self.0.split_off(&number.saturating_add(1));
        above
            .into_iter()
            .map(|(number, step)| ChainBlock {
                number,
                hash: step.hash,
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(number: u64, fork: u8) -> ChainBlock {
        let mut hash = H256::repeat_byte(fork);
        hash.0[..8].copy_from_slice(&number.to_be_bytes());
        ChainBlock { number, hash }
    }

    fn batch(last_round: u64, end: ChainBlock) -> AppliedBatch {
        AppliedBatch {
            nonce: 1,
            last_round,
            last_round_hash: end.hash,
            ..Default::default()
        }
    }

    #[test]
    fn a_batch_may_end_in_a_block_that_the_path_skips() {
        let mut path = Path::default();
        for number in [1, 2, 3, 6] {
            path.put(block(number, 0), BlockId::default(), None);
        }
        assert!(path.holds(&batch(3, block(3, 0))));
        assert!(path.holds(&batch(5, block(3, 0))));
        assert!(!path.holds(&batch(6, block(3, 0))));
        assert!(!path.holds(&batch(3, block(3, 1))));
        assert!(!path.holds(&batch(0, block(0, 0))));
    }

    #[test]
    fn what_is_cut_stands_no_more() {
        let mut path = Path::default();
        for number in 1..=4 {
            path.put(block(number, 0), BlockId::default(), None);
        }
        assert_eq!(path.cut(2), [block(3, 0), block(4, 0)]);
        path.put(block(5, 1), BlockId::default(), None);
        assert_eq!(path.tip(), Some(block(5, 1)));
        assert!(path.stands(block(2, 0)) && !path.stands(block(3, 0)));
        // The path skips it; and it has not come so far.
        assert!(path.contradicts(block(3, 0)) && !path.contradicts(block(6, 0)));
        assert!(!path.contradicts(block(2, 0)) && path.contradicts(block(2, 1)));
        assert_eq!(path.between(1, 9), [block(2, 0), block(5, 1)]);
        assert!(path.between(9, 1).is_empty());
    }

    #[test]
    fn it_does_not_grow_without_end() {
        let mut path = Path::default();
        let kept = KEPT as u64;
        for number in 1..=kept {
            let forgotten = path.put(block(number, 0), BlockId::default(), None);
            assert!(forgotten.is_empty());
        }
        assert_eq!(path.put(block(kept + 1, 0), BlockId::default(), None), [1]);
        assert!(!path.stands(block(1, 0)) && !path.contradicts(block(1, 1)));
    }
}
