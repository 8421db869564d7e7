//! What the pallet stores, and what it asks of the runtime around it.

use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use gear_exe_primitives::{
    ethereum::{BlockId, EthereumHeader},
    outbox::OutboxItem,
    vote::{RouterAt, Verdict},
    voters::VoteFault,
};
use polkadot_sdk::sp_runtime::transaction_validity::{
    InvalidTransaction, TransactionValidityError,
};
use scale_info::TypeInfo;

/// The numbered list of what Ethereum has to be told.
pub trait Outbox {
    /// Appends an item and returns its number.
    fn push(item: OutboxItem) -> u64;
    /// The number that the next item gets.
    fn end() -> u64;
}

/// Who wants to know what the Router holds.
pub trait OnRouter {
    /// A quorum says that the Router holds this at that Ethereum block: the anchor or an ancestor of it.
    fn agreed(router: RouterAt);
    /// The Ethereum block of the last such statement.
    fn known_at() -> BlockId;
    /// Makes this the Router.
    #[cfg(feature = "runtime-benchmarks")]
    fn set_domain(domain: gear_exe_primitives::batch::RouterDomain);
}

/// A header with the number of reasons to keep it: known children, views whose tip it is, anchor, finalised block.
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
pub struct KeptHeader {
    /// The header.
    pub header: EthereumHeader,
    /// Reasons to keep it.
    pub references: u32,
}

/// A validator's vote on a request for code validation.
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
pub struct StoredVerdict {
    /// Index of the validator in the current set.
    pub validator: u32,
    /// What it found.
    pub verdict: Verdict,
}

/// How many votes a validator has sent in a block.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
)]
pub struct Spoken {
    /// Number of the block.
    pub block: u64,
    /// Votes in it.
    pub votes: u32,
}

/// How views are taken and forgotten.
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
    serde::Serialize,
    serde::Deserialize,
)]
pub struct ViewParameters {
    /// Blocks of this chain after which a view that was not renewed is forgotten.
    pub max_age: u32,
    /// Ethereum blocks that a tip may be ahead of the anchor.
    pub max_ahead: u32,
    /// Ethereum blocks behind the head at which validators report their tip. 0 reports the head itself.
    pub depth: u32,
}

impl Default for ViewParameters {
    fn default() -> Self {
        Self {
            max_age: 1_200,
            max_ahead: 256,
            depth: 0,
        }
    }
}

/// How native messages are taken.
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
    serde::Serialize,
    serde::Deserialize,
)]
pub struct NativeParameters {
    /// Ethereum blocks that a message's reference block may lie behind the highest anchor.
    pub window: u32,
    /// Messages that a block takes.
    pub max_per_block: u32,
}

impl Default for NativeParameters {
    fn default() -> Self {
        Self {
            window: 64,
            max_per_block: 2_048,
        }
    }
}

/// How many native messages a block has taken.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
)]
pub struct NativeCount {
    /// Number of the block.
    pub block: u64,
    /// Messages in it.
    pub messages: u32,
}

/// Why an authorised call is refused, as the number in `InvalidTransaction::Custom`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Refusal {
    /// The set is not the current one.
    Set = 1,
    /// There is no validator with that index.
    Index = 2,
    /// The view is not newer than the validator's last, or too old, or from the future.
    Seq = 3,
    /// The final block lies above the tip, or the tip too far above the anchor.
    Range = 4,
    /// The tip is unknown and no header leads to it.
    Headers = 5,
    /// Not signed by the validator's Ethereum key.
    Signature = 6,
    /// The validator has said so already, or the request is answered.
    Decided = 7,
    /// The Router's cursor is said to lie beyond the end of the outbox.
    Cursor = 8,
    /// The chain settles on no Router, so there are no programs.
    NoRouter = 9,
    /// Payload or salt of a native message is longer than it may be.
    TooLong = 10,
    /// The reference block is not known: the anchor was never on it, or has not come to it yet.
    Reference = 12,
    /// The reference block lies too far behind.
    Outdated = 13,
}

impl From<VoteFault> for Refusal {
    fn from(fault: VoteFault) -> Self {
        match fault {
            VoteFault::Set => Self::Set,
            VoteFault::Index => Self::Index,
            VoteFault::Signature => Self::Signature,
        }
    }
}

impl From<Refusal> for TransactionValidityError {
    fn from(refusal: Refusal) -> Self {
        InvalidTransaction::Custom(refusal as u8).into()
    }
}
