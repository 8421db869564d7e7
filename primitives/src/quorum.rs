//! When a set of signers is enough: more than two thirds of heads *and* more than two thirds of weight, everywhere.

use alloc::vec::Vec;
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use primitive_types::H160;
use scale_info::TypeInfo;

/// A validator as the Router knows it.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Member {
    /// Address of its Ethereum key.
    pub address: H160,
    /// Its settlement weight.
    pub weight: u64,
}

/// Whether `signer_heads` of `heads` with `signer_weight` of `weight` are a quorum. A set without weight has none.
pub const fn is_quorum(signer_heads: u32, heads: u32, signer_weight: u128, weight: u128) -> bool {
    let enough_weight = match (signer_weight.checked_mul(3), weight.checked_mul(2)) {
        (Some(signed), Some(needed)) => signed > needed,
        _ => false,
    };
    signer_heads as u64 * 3 > heads as u64 * 2 && enough_weight
}

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

/// The bitmap of signers that the Router reads: bit `i % 8`, from the least significant, of byte `i / 8`.
pub fn bitmap(signers: impl IntoIterator<Item = usize>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for signer in signers {
        if bytes.len() <= signer / 8 {
            bytes.resize(signer / 8 + 1, 0);
        }
        bytes[signer / 8] |= 1 << (signer % 8);
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_heads_and_weight_must_be_above_two_thirds() {
        assert!(is_quorum(1, 1, 1, 1));
        assert!(is_quorum(3, 4, 3, 4));
        assert!(!is_quorum(2, 3, 2, 3));
        assert!(!is_quorum(2, 4, 1_000, 1_001));
        assert!(!is_quorum(3, 4, 2, 3));
        assert!(!is_quorum(0, 0, 0, 0));
        assert!(!is_quorum(4, 4, u128::MAX, u128::MAX));
    }

    #[test]
    fn support_adds_up_heads_and_weight() {
        let member = |weight| Member {
            address: H160::zero(),
            weight,
        };
        let all = Support::of_all(&[member(1), member(2), member(6)]);
        let of =
            |weights: &[u64]| Support::sum(weights.iter().map(|one| Support::of(&member(*one))));
        assert!(of(&[1, 2, 6]).is_quorum_of(all));
        assert!(!of(&[2, 6]).is_quorum_of(all));
        assert!(!of(&[1, 1, 1]).is_quorum_of(all));
        assert!(!Support::default().is_quorum_of(Support::default()));
    }

    #[test]
    fn bitmap_is_least_significant_first() {
        assert_eq!(bitmap([0, 2, 9]), [0b101, 0b10]);
        assert!(bitmap([]).is_empty());
    }
}
