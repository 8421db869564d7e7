//! Facts that the chain itself takes from contracts on Ethereum: burns of wVARA, what became of slashes, and whether
//! rewards were taken.
//!
//! A fact is read from a final Ethereum block and never changes again: a burn has its number for good, a slash that is
//! over stays over, and an outbox item is applied or skipped once. So each is voted for by itself, and validators need not
//! read at the same block.

use crate::ethereum::BlockId;
use alloc::vec::Vec;
use codec::{Decode, DecodeWithMemTracking, Encode, Input, MaxEncodedLen};
use primitive_types::{H160, H256};
use scale_info::TypeInfo;

/// The most facts in one vote.
pub const MAX_FACTS: usize = 32;

/// The most slashes that a node is asked about at a time.
pub const MAX_ASKED_SLASHES: usize = 32;

/// The most items of rewards that a node is asked about at a time.
pub const MAX_ASKED_REWARDS: usize = 16;

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

/// What became of an outbox item of rewards.
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
pub enum RewardsFate {
    /// The Middleware has taken it.
    Taken,
    /// The Router has skipped it: it names no Middleware, or that has refused, or the pool held less. No wVARA has moved.
    Skipped,
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
    /// An item of rewards was applied, or skipped.
    Rewards {
        /// The era of the rewards.
        era: u32,
        /// Number of the outbox item.
        item: u64,
        /// Which of both.
        fate: RewardsFate,
    },
}

/// What a fact is about. There is one true fact about each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// The burn with that number.
    Burn(u64),
    /// The slash with that number.
    Slash(u64),
    /// The rewards of that era in the outbox item with that number.
    Rewards(u32, u64),
}

impl Fact {
    /// What it is about.
    pub const fn subject(&self) -> Subject {
        match self {
            Self::Burn(burn) => Subject::Burn(burn.number),
            Self::Slash { id, .. } => Subject::Slash(*id),
            Self::Rewards { era, item, .. } => Subject::Rewards(*era, *item),
        }
    }
}

/// By what the Middleware shows that it has taken an item of rewards. It takes an item as a whole, or nothing of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum RewardsTrace {
    /// It holds this root over the claims of the era. There is one for each era.
    Claims(H256),
    /// It holds so much for the stakers of this vault in the era. No other item of the era is for that vault.
    Vault {
        /// The vault.
        vault: H160,
        /// wVARA base units.
        amount: u128,
    },
}

/// An outbox item of rewards that was in a batch that is final.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct AskedRewards {
    /// The era of the rewards.
    pub era: u32,
    /// Number of the outbox item.
    pub item: u64,
    /// All that it pays, in wVARA base units; not zero.
    pub amount: u128,
    /// How to see that it was taken.
    pub trace: RewardsTrace,
}

/// What the chain asks of a node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode)]
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
    /// Items of rewards that were in a batch that is final, at most [`MAX_ASKED_REWARDS`].
    pub rewards: Vec<AskedRewards>,
    /// What the items of rewards pay together that are known to be taken, in wVARA base units. With what of those asked
    /// about was taken, the Router's `totalRewards` is as much, or something else was taken that is not seen: a node does
    /// not call an item skipped then.
    pub delivered: u128,
}

impl Decode for FactsRequest {
    fn decode<I: Input>(input: &mut I) -> Result<Self, codec::Error> {
        let mut request = Self {
            block: Decode::decode(input)?,
            burns_from: Decode::decode(input)?,
            burns_most: Decode::decode(input)?,
            slashes: Decode::decode(input)?,
            ..Self::default()
        };
        // A node is newer than the runtime for a while: one that knows nothing of rewards ends here.
        if input.remaining_len()? != Some(0) {
            request.rewards = Decode::decode(input)?;
            request.delivered = Decode::decode(input)?;
        }
        Ok(request)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

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
        let rewards = |item, fate| Fact::Rewards { era: 0, item, fate };
        assert_eq!(
            rewards(3, RewardsFate::Taken).subject(),
            rewards(3, RewardsFate::Skipped).subject()
        );
        assert_ne!(
            rewards(3, RewardsFate::Taken).subject(),
            rewards(4, RewardsFate::Taken).subject()
        );
        assert!(slash(SlashFate::Refused).subject() < rewards(0, RewardsFate::Taken).subject());
    }

    #[test]
    fn a_request_is_read_as_it_was_written_also_by_an_older_runtime() {
        let request = FactsRequest {
            block: BlockId {
                number: 7,
                hash: H256::repeat_byte(7),
            },
            burns_from: 3,
            burns_most: 16,
            slashes: vec![1, 2],
            rewards: vec![AskedRewards {
                era: 5,
                item: 9,
                amount: 11,
                trace: RewardsTrace::Claims(H256::repeat_byte(1)),
            }],
            delivered: 4,
        };
        let bytes = request.encode();
        assert_eq!(FactsRequest::decode(&mut &bytes[..]).as_ref(), Ok(&request));
        let known = (
            request.block,
            request.burns_from,
            request.burns_most,
            request.slashes.clone(),
        );
        let older = FactsRequest {
            rewards: Vec::new(),
            delivered: 0,
            ..request
        };
        assert_eq!(
            FactsRequest::decode(&mut &known.encode()[..]),
            Ok(older.clone())
        );
        // What is cut short elsewhere is nothing.
        assert!(FactsRequest::decode(&mut &bytes[..bytes.len() - 1]).is_err());
        assert!(FactsRequest::decode(&mut &known.encode()[1..]).is_err());
    }
}
