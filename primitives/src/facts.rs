//! Facts that the chain itself takes from contracts on Ethereum: burns of wVARA, and what became of slashes.
//!
//! A fact is read from a final Ethereum block and never changes again: a burn has its number for good, and a slash that
//! is over stays over. So each is voted for by itself, and validators need not read at the same block.

use crate::ethereum::BlockId;
use alloc::vec::Vec;
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use primitive_types::H256;
use scale_info::TypeInfo;

/// The most facts in one vote.
pub const MAX_FACTS: usize = 32;

/// The most slashes that a node is asked about at a time.
pub const MAX_ASKED_SLASHES: usize = 32;

/// wVARA that was burned on Ethereum, so that as much VARA is unlocked on the chain.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Burn {
    /// Its number: from 0, without a gap.
    pub number: u64,
    /// The account that gets VARA: its 32 bytes.
    pub account: H256,
    /// How much, in base units (12 decimals on both sides).
    pub amount: u128,
}

/// What became of a slash on Ethereum.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum SlashFate {
    /// Vaults have paid, or other slashes of the same capture took as much.
    Executed,
    /// It was cancelled.
    Vetoed,
    /// The Middleware has not taken it, although the batch that carried it is final; or nobody executed it while the
    /// vaults could pay.
    Refused,
}

/// One thing that is true on Ethereum for good.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Fact {
    /// wVARA was burned.
    Burn(Burn),
    /// A slash is over.
    Slash {
        /// Its number.
        id: u64,
        /// How it ended.
        fate: SlashFate,
    },
}

/// What a fact is about. There is one true fact about each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// The burn with that number.
    Burn(u64),
    /// The slash with that number.
    Slash(u64),
}

impl Fact {
    /// What it is about.
    pub const fn subject(&self) -> Subject {
        match self {
            Self::Burn(burn) => Subject::Burn(burn.number),
            Self::Slash { id, .. } => Subject::Slash(*id),
        }
    }
}

/// What the chain asks of a node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct FactsRequest {
    /// An Ethereum block that a quorum calls final. The node answers from a block that it calls final itself and that is
    /// not below this one.
    pub block: BlockId,
    /// Number of the first burn that the chain does not know.
    pub burns_from: u64,
    /// How many burns it would take.
    pub burns_most: u32,
    /// Slashes that were in a batch that is final, at most [`MAX_ASKED_SLASHES`]. About those that are not over there is
    /// nothing to say yet.
    pub slashes: Vec<u64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_that_contradict_each_other_have_one_subject() {
        let burn = |amount| {
            Fact::Burn(Burn {
                number: 3,
                account: H256::zero(),
                amount,
            })
        };
        assert_eq!(burn(1).subject(), burn(2).subject());
        let slash = |fate| Fact::Slash { id: 3, fate };
        assert_eq!(
            slash(SlashFate::Executed).subject(),
            slash(SlashFate::Vetoed).subject()
        );
        assert_ne!(burn(1).subject(), slash(SlashFate::Executed).subject());
    }
}
