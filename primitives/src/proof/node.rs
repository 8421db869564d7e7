//! The nodes of the maps that states are made of: radix trees over keys, in which every node is an object of its own.
//!
//! The shape of a map depends on its entries alone, not on the order in which they came and went. Entries that weigh no
//! more than [`BUCKET`] together, or one alone, are a bucket; more of them are a branch where their keys first differ, and
//! each of its children is built by the same rule. So no node can be made large, and a path is never longer than a key.

use alloc::vec::Vec;
use codec::{Decode, Encode};
use primitive_types::H256;

/// Most that the entries of a bucket weigh, unless there is but one.
pub const BUCKET: u64 = 4_096;
/// A longer value is an object of its own, which its entry names by hash.
pub const INLINE: usize = 2_048;
/// Children that a branch can have: the end of a key, and the values of four bits.
pub const WIDTH: usize = 17;

/// A node as it is stored: named by the BLAKE2b-256 of this encoding.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Node {
    /// Entries in the order of their keys.
    Bucket(Vec<Entry>),
    /// Where keys part.
    Branch(Branch),
}

/// A key and its value.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Entry {
    /// The whole key.
    pub key: Vec<u8>,
    /// Its value.
    pub value: Value,
}

impl Entry {
    /// What it counts against [`BUCKET`].
    pub fn weight(&self) -> u64 {
        let value = match &self.value {
            Value::Here(bytes) => bytes.len(),
            Value::Apart(_) => 32,
        };
        // Eight for the lengths.
        (self.key.len() + value + 8) as u64
    }
}

/// A value, encoded.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Value {
    /// At most [`INLINE`] bytes.
    Here(Vec<u8>),
    /// Hash of a longer one.
    Apart(H256),
}

/// A node with at least two children.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Branch {
    /// How many half bytes all keys below have in common.
    #[codec(compact)]
    pub at: u32,
    /// Those, two in a byte, the higher first; padded with zero.
    pub prefix: Vec<u8>,
    /// Ordered by [`Child::digit`].
    pub children: Vec<Child>,
}

/// One child of a branch.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Child {
    /// What the keys below go on with: see [`digit`].
    pub digit: u8,
    /// Weight of all entries below.
    #[codec(compact)]
    pub weight: u64,
    /// The node.
    pub hash: H256,
}

/// What follows the first `at` half bytes of a key: zero if nothing does, otherwise the next half byte plus one.
pub fn digit(key: &[u8], at: usize) -> u8 {
    match key.get(at / 2) {
        None => 0,
        Some(byte) if at.is_multiple_of(2) => (byte >> 4) + 1,
        Some(byte) => (byte & 15) + 1,
    }
}

/// How many half bytes two keys have in common from the first on. A key that ends differs from one that goes on.
pub fn common(one: &[u8], other: &[u8]) -> usize {
    let bytes = one.iter().zip(other).take_while(|(a, b)| a == b).count();
    match (one.get(bytes), other.get(bytes)) {
        (Some(a), Some(b)) if a >> 4 == b >> 4 => 2 * bytes + 1,
        _ => 2 * bytes,
    }
}

/// The first `at` half bytes of a key, as [`Branch::prefix`] has them.
pub fn prefix(key: &[u8], at: usize) -> Vec<u8> {
    let mut bytes: Vec<u8> = key.iter().copied().take(at.div_ceil(2)).collect();
    if !at.is_multiple_of(2)
        && let Some(last) = bytes.last_mut()
    {
        *last &= 0xf0;
    }
    bytes
}

impl Branch {
    /// Whether a key can be below this branch.
    pub fn leads_to(&self, key: &[u8]) -> bool {
        let at = self.at as usize;
        key.len() * 2 >= at && prefix(key, at) == self.prefix
    }

    /// The child below which a key would be.
    pub fn child(&self, key: &[u8]) -> Option<&Child> {
        let digit = digit(key, self.at as usize);
        self.children.iter().find(|child| child.digit == digit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_and_prefixes() {
        assert_eq!([0, 1, 2, 9].map(|at| digit(&[0x0f], at)), [1, 16, 0, 0]);
        assert_eq!(common(&[0x12, 0x34], &[0x12, 0x35]), 3);
        assert_eq!(common(&[0x12, 0x34], &[0x12, 0x44]), 2);
        assert_eq!(common(&[0x12], &[0x12, 0]), 2);
        assert_eq!(common(&[], &[1]), 0);
        assert_eq!(common(&[1], &[1]), 2);
        assert_eq!(prefix(&[0x12, 0x34], 3), [0x12, 0x30]);
        assert!(prefix(&[0x12, 0x34], 0).is_empty());
        let branch = Branch {
            at: 3,
            prefix: [0x12, 0x30].to_vec(),
            children: Vec::new(),
        };
        assert!(branch.leads_to(&[0x12, 0x3f]));
        assert!(!branch.leads_to(&[0x12, 0x4f]));
        assert!(!branch.leads_to(&[0x12]));
    }
}
