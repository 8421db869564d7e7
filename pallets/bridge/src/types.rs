//! What the pallet asks of the runtime around it.

use alloc::vec::Vec;
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use gear_exe_primitives::{
    H160,
    ethereum::BlockId,
    facts::{AskedRewards, RewardsFate, SlashFate},
    outbox::OutboxItem,
    voters::VoteFault,
};
use polkadot_sdk::sp_runtime::transaction_validity::{
    InvalidTransaction, TransactionValidityError,
};
use scale_info::TypeInfo;

/// VARA and wVARA, in base units: both have 12 decimals.
pub type Balance = u128;

/// What the chain knows of Ethereum.
pub trait Ethereum {
    /// The last Ethereum block that a quorum reported final.
    fn finalised() -> BlockId;
    /// The Router; nothing if the chain is bound to none.
    fn router() -> Option<H160>;
    /// Binds the chain to a Router.
    #[cfg(feature = "runtime-benchmarks")]
    fn set_router(router: H160);
}

/// Where items for the Router go.
pub trait Outbox {
    /// Appends an item and returns its number.
    fn push(item: OutboxItem) -> u64;
}

/// Slashes that Ethereum has been told of in a final block, and of which it is not known what became of them.
pub trait OpenSlashes {
    /// Whether this is one.
    fn is_open(id: u64) -> bool;
    /// All of them. For off-chain workers: it may take long.
    fn all() -> Vec<u64>;
    /// Makes a slash open.
    #[cfg(feature = "runtime-benchmarks")]
    fn make_open(id: u64);
}

/// Who is told how slashes end.
pub trait OnSlashFate {
    /// An open slash is over.
    fn on_fate(id: u64, fate: SlashFate);
}

/// Items of rewards that a final batch has carried, and of which it is not known whether the Middleware has taken them.
pub trait OpenRewards {
    /// Whether the item is one.
    fn is_open(era: u32, item: u64) -> bool;
    /// All of them, by era and item. For off-chain workers: it may take long.
    fn all() -> Vec<(u32, u64)>;
    /// How a node is asked about one. For off-chain workers, too.
    fn question(era: u32, item: u64) -> Option<AskedRewards>;
    /// What the items that are known to be taken pay together, in wVARA base units. For off-chain workers.
    fn delivered() -> u128;
}

/// Who is told whether rewards were taken.
pub trait OnRewardsFate {
    /// An open item was taken or skipped.
    fn on_fate(era: u32, item: u64, fate: RewardsFate);
}

/// What governance sets. It is read where it is used, so a change takes effect at once.
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
pub struct BridgeParameters {
    /// The least amount that can be locked, in base units: each lock costs the next batch gas on Ethereum.
    pub min_lock: Balance,
    /// Nothing is locked or paid out. Burns wait.
    pub paused: bool,
}

/// Why an authorised call is refused, as the number in `InvalidTransaction::Custom`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Refusal {
    /// Not for the set that votes now.
    Set = 1,
    /// The set has no validator with that index.
    Index = 2,
    /// No facts, too many, or not in ascending order.
    Facts = 3,
    /// Nothing of it is asked for, or the validator has said something on each already.
    Said = 4,
    /// Not signed by the validator's Ethereum key.
    Signature = 5,
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
