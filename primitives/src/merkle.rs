//! A binary Merkle tree over Keccak-256, cheap to verify in Solidity.
//!
//! Leaves and inner nodes are hashed with different prefixes, so that a node can never be shown as a leaf. A node
//! without a sibling goes up unchanged. The root also binds the number of leaves, through [`root`]'s last step.

use crate::hashing::keccak256;
use alloc::vec::Vec;
use primitive_types::H256;

const LEAF: &[u8] = &[0];
const NODE: &[u8] = &[1];
const ROOT: &[u8] = &[2];

/// Hash of a leaf made of `parts`.
pub fn leaf(parts: &[&[u8]]) -> H256 {
    keccak256(core::iter::once(LEAF).chain(parts.iter().copied()))
}

fn node(left: &H256, right: &H256) -> H256 {
    keccak256([NODE, left.as_bytes(), right.as_bytes()])
}

fn seal(count: u64, top: &H256) -> H256 {
    keccak256([ROOT, &count.to_be_bytes(), top.as_bytes()])
}

fn level_up(level: &[H256]) -> Vec<H256> {
    level
        .chunks(2)
        .map(|pair| match pair {
            [left, right] => node(left, right),
            [single, ..] => *single,
            [] => H256::zero(),
        })
        .collect()
}

/// Root over `leaves`; the zero hash if there are none.
pub fn root(leaves: Vec<H256>) -> H256 {
    let count = leaves.len() as u64;
    let mut level = leaves;
    while level.len() > 1 {
        level = level_up(&level);
    }
    level.first().map_or(H256::zero(), |top| seal(count, top))
}

/// Siblings from the leaf at `index` to the root, lowest first; `None` if there is no such leaf.
pub fn proof(leaves: Vec<H256>, index: usize) -> Option<Vec<H256>> {
    if index >= leaves.len() {
        return None;
    }
    let (mut level, mut at, mut siblings) = (leaves, index, Vec::new());
    while level.len() > 1 {
        if let Some(sibling) = level.get(at ^ 1) {
            siblings.push(*sibling);
        }
        level = level_up(&level);
        at /= 2;
    }
    Some(siblings)
}

/// True if `leaf` is the one at `index` of `count` leaves under `root`.
pub fn verify(root: H256, count: u64, index: u64, leaf: H256, siblings: &[H256]) -> bool {
    if index >= count {
        return false;
    }
    let (mut at, mut width, mut hash, mut rest) = (index, count, leaf, siblings.iter());
    while width > 1 {
        if at ^ 1 < width {
            let Some(sibling) = rest.next() else {
                return false;
            };
            hash = if at % 2 == 0 {
                node(&hash, sibling)
            } else {
                node(sibling, &hash)
            };
        }
        at /= 2;
        width = width.div_ceil(2);
    }
    rest.next().is_none() && seal(count, &hash) == root
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaves(count: usize) -> Vec<H256> {
        (0..count)
            .map(|number| leaf(&[&(number as u64).to_be_bytes()]))
            .collect()
    }

    #[test]
    fn every_leaf_proves_itself_and_no_other() {
        for count in 1..20 {
            let all = leaves(count);
            let top = root(all.clone());
            for (index, own) in all.iter().enumerate() {
                let path = proof(all.clone(), index).unwrap();
                assert!(verify(top, count as u64, index as u64, *own, &path));
                for (other, foreign) in all.iter().enumerate().filter(|(other, _)| *other != index)
                {
                    assert!(!verify(top, count as u64, index as u64, *foreign, &path));
                    assert!(!verify(top, count as u64, other as u64, *own, &path));
                }
                assert!(!verify(top, count as u64 + 1, index as u64, *own, &path));
            }
        }
    }

    #[test]
    fn empty_and_foreign() {
        assert_eq!(root(Vec::new()), H256::zero());
        assert_eq!(proof(leaves(3), 3), None);
        assert!(!verify(H256::zero(), 0, 0, H256::zero(), &[]));
    }
}
