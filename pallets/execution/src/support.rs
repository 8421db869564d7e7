//! How much of a validator set stands behind an Ethereum block.

use alloc::collections::BTreeMap;
use gear_exe_primitives::{
    H256,
    ethereum::BlockId,
    quorum::{Member, is_quorum},
};

/// Heads and weight of some members of a set.
#[derive(Clone, Copy, Debug, Default)]
pub struct Support {
    heads: u32,
    weight: u128,
}

impl Support {
    /// That of one member.
    pub fn of(member: &Member) -> Self {
        Self {
            heads: 1,
            weight: member.weight.into(),
        }
    }

    /// That of a whole set.
    pub fn of_all(members: &[Member]) -> Self {
        Self::sum(members.iter().map(Self::of))
    }

    /// That of several.
    pub fn sum(parts: impl Iterator<Item = Self>) -> Self {
        parts.fold(Self::default(), Self::plus)
    }

    /// The sum of two.
    pub const fn plus(self, other: Self) -> Self {
        Self {
            heads: self.heads.saturating_add(other.heads),
            weight: self.weight.saturating_add(other.weight),
        }
    }

    /// Whether this is a quorum of `all`.
    pub const fn is_quorum_of(self, all: Self) -> bool {
        is_quorum(self.heads, all.heads, self.weight, all.weight)
    }
}

/// The highest block that blocks with a quorum's support descend from or are, among the `votes` for known blocks.
///
/// Walks down from the highest block, joining support where branches meet, and looks at each block at most once. It
/// does not start if all votes together are no quorum.
pub fn highest_supported(
    votes: impl IntoIterator<Item = (BlockId, Support)>,
    all: Support,
    parent: impl Fn(H256) -> Option<H256>,
) -> Option<BlockId> {
    let mut front = BTreeMap::<BlockId, Support>::new();
    let mut total = Support::default();
    for (block, support) in votes {
        total = total.plus(support);
        join(&mut front, block, support);
    }
    if !total.is_quorum_of(all) {
        return None;
    }
    while let Some((block, support)) = front.pop_last() {
        if support.is_quorum_of(all) {
            return Some(block);
        }
        if let Some((number, hash)) = block.number.checked_sub(1).zip(parent(block.hash)) {
            join(&mut front, BlockId { number, hash }, support);
        }
    }
    None
}

fn join(front: &mut BTreeMap<BlockId, Support>, block: BlockId, support: Support) {
    let sum = front.entry(block).or_default();
    *sum = sum.plus(support);
}
