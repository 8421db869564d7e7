//! How much of a validator set stands behind an Ethereum block.

use alloc::collections::BTreeMap;
use gear_exe_primitives::{H256, ethereum::BlockId, quorum::Support};

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
