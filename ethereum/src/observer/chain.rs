//! What an observer holds of the canonical chain, and how it changes when the head does. Pure: no I/O.

use gear_exe_primitives::{
    H256,
    ethereum::{BlockId, EthereumHeader},
};
use std::collections::VecDeque;

/// A change of the canonical chain: first `reverted`, newest first, then `added`, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeadChange {
    /// Blocks that are canonical no more, newest first.
    pub reverted: Vec<EthereumHeader>,
    /// Blocks that are canonical now, oldest first. The last is the head.
    pub added: Vec<EthereumHeader>,
}

/// The canonical blocks from some block up to the head, without a gap.
#[derive(Clone, Debug, Default)]
pub struct CanonicalChain {
    blocks: VecDeque<EthereumHeader>,
}

impl CanonicalChain {
    /// The head.
    pub fn head(&self) -> Option<&EthereumHeader> {
        self.blocks.back()
    }

    /// Number of the oldest block that is kept.
    pub fn first_number(&self) -> Option<u64> {
        self.blocks.front().map(|block| block.number)
    }

    /// Whether the block is canonical, as far as the chain is kept.
    pub fn contains(&self, id: BlockId) -> bool {
        self.position(id.hash, id.number).is_some()
    }

    fn position(&self, hash: H256, number: u64) -> Option<usize> {
        let index = usize::try_from(number.checked_sub(self.first_number()?)?).ok()?;
        (self.blocks.get(index)?.hash == hash).then_some(index)
    }

    /// Whether a branch whose oldest known block is `lowest` can be joined: its parent is canonical, or there is
    /// nothing below it to join.
    pub fn joins(&self, lowest: &EthereumHeader) -> bool {
        match (self.first_number(), lowest.number.checked_sub(1)) {
            (Some(first), Some(parent)) => {
                lowest.number <= first || self.position(lowest.parent, parent).is_some()
            }
            _ => true,
        }
    }

    /// Makes `branch`, oldest first and linked by parents, the end of the chain. Call it when [`Self::joins`] says so
    /// of its first block.
    pub fn switch(&mut self, branch: Vec<EthereumHeader>) -> HeadChange {
        let Some(lowest) = branch.first() else {
            return HeadChange::default();
        };
        let keep = lowest
            .number
            .checked_sub(1)
            .and_then(|number| self.position(lowest.parent, number))
            .map_or(0, |index| index + 1);
        let reverted = self.blocks.drain(keep..).rev().collect();
        self.blocks.extend(branch.iter().copied());
        HeadChange {
            reverted,
            added: branch,
        }
    }

    /// Forgets blocks below `number`, but never the head.
    pub fn prune(&mut self, number: u64) {
        while self.blocks.len() > 1 && self.first_number().is_some_and(|first| first < number) {
            self.blocks.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(number: u64, branch: u8, parent_branch: u8) -> EthereumHeader {
        let hash = |number: u64, branch: u8| {
            let mut bytes = [branch; 32];
            bytes[..8].copy_from_slice(&number.to_be_bytes());
            H256(bytes)
        };
        EthereumHeader {
            hash: hash(number, branch),
            parent: hash(number.saturating_sub(1), parent_branch),
            number,
            ..Default::default()
        }
    }

    fn chain(numbers: std::ops::RangeInclusive<u64>) -> CanonicalChain {
        let mut chain = CanonicalChain::default();
        chain.switch(numbers.map(|number| block(number, 1, 1)).collect());
        chain
    }

    #[test]
    fn extends() {
        let mut chain = chain(5..=7);
        let next = block(8, 1, 1);
        assert!(chain.joins(&next));
        assert!(!chain.joins(&block(9, 1, 1)));
        assert_eq!(
            chain.switch(vec![next]),
            HeadChange {
                reverted: vec![],
                added: vec![next]
            }
        );
        assert_eq!(chain.head(), Some(&next));
    }

    #[test]
    fn reorganises_at_any_depth() {
        for depth in [1, 5, 70] {
            let mut chain = chain(0..=100);
            let first = 101 - depth;
            let branch: Vec<_> = (first..=101)
                .map(|number| block(number, 2, if number == first { 1 } else { 2 }))
                .collect();
            assert!(chain.joins(&branch[0]));
            assert!(!chain.joins(&branch[1]));
            let change = chain.switch(branch.clone());
            assert_eq!(change.reverted.len() as u64, depth);
            assert_eq!(change.reverted[0].number, 100);
            assert_eq!(change.added, branch);
            assert!(chain.contains(block(first - 1, 1, 1).id()));
            assert!(!chain.contains(block(first, 1, 1).id()));
            assert!(chain.contains(block(101, 2, 2).id()));
        }
    }

    #[test]
    fn a_shorter_branch_is_taken_too() {
        let mut chain = chain(0..=10);
        let change = chain.switch(vec![block(5, 2, 1)]);
        assert_eq!(change.reverted.len(), 6);
        assert_eq!(chain.head().map(|head| head.number), Some(5));
    }

    #[test]
    fn a_branch_from_below_replaces_all() {
        let mut chain = chain(0..=10);
        chain.prune(8);
        assert_eq!(chain.first_number(), Some(8));
        let lowest = block(8, 2, 2);
        assert!(chain.joins(&lowest));
        let change = chain.switch(vec![lowest, block(9, 2, 2)]);
        assert_eq!(change.reverted.len(), 3);
        assert_eq!(chain.first_number(), Some(8));
        chain.prune(100);
        assert_eq!(chain.head().map(|head| head.number), Some(9));
    }
}
