//! What the pallet stores, and what it asks of the runtime around it.

use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use gear_exe_primitives::{
    H256,
    batch::RouterDomain,
    ethereum::{BlockId, EthereumHeader},
    voters::VoteFault,
};
use polkadot_sdk::{
    frame_support::traits::fungible,
    frame_system,
    sp_runtime::{
        Perbill,
        transaction_validity::{InvalidTransaction, TransactionValidityError},
    },
};
use scale_info::TypeInfo;

/// Number of an era of staking.
pub type EraIndex = u32;

/// Balances of the chain's own token.
pub type BalanceOf<T> = <<T as crate::Config>::Currency as fungible::Inspect<
    <T as frame_system::Config>::AccountId,
>>::Balance;

/// What the chain knows of Ethereum.
pub trait Ethereum {
    /// The last Ethereum block that a quorum reported final.
    fn finalised() -> EthereumHeader;
    /// Chain id and Router; nothing if the chain is bound to no Router.
    fn domain() -> Option<RouterDomain>;
    /// Makes `header` the finalised block, and the chain bound to `domain`.
    #[cfg(feature = "runtime-benchmarks")]
    fn set(header: EthereumHeader, domain: RouterDomain);
}

/// The eras of staking.
pub trait Eras {
    /// The era whose validators are at work; nothing before the first.
    fn active() -> Option<EraIndex>;
    /// The newest era whose validators are elected.
    fn planned() -> Option<EraIndex>;
    /// Makes `era` the active and the newest planned era.
    #[cfg(feature = "runtime-benchmarks")]
    fn set(era: EraIndex);
}

/// Why an authorised call is refused, as the number in `InvalidTransaction::Custom`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Refusal {
    /// Not for the set that votes now.
    Set = 1,
    /// The set has no validator with that index.
    Index = 2,
    /// Nothing is asked for that era, or its election is over, or the capture is another one.
    Era = 3,
    /// The era's root is agreed already, or not yet.
    State = 4,
    /// More pages than an era may have, or a root without pages, or a page that there is not.
    Pages = 5,
    /// The validator has voted, or the page is stored.
    Said = 6,
    /// Not signed by the validator's Ethereum key.
    Signature = 7,
    /// The page does not belong to the agreed root.
    Proof = 8,
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

/// An account with the Ethereum address that it is bound to.
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
pub struct Operator<Balance> {
    /// The address under which vaults on Ethereum delegate stake to it.
    pub address: gear_exe_primitives::H160,
    /// What is held of the account's balance.
    pub deposit: Balance,
    /// The last era for which its stake counts, if it wants to leave.
    pub leaving: Option<EraIndex>,
}

/// How a token counts as collateral.
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
pub struct AssetRules {
    /// The token's decimals.
    pub decimals: u8,
    /// What does not count of it, in parts per billion: for its risk, and for what it is worth less than ETH.
    pub haircut: Perbill,
    /// The weight that all stake in this token together has at most (18 decimals). What is above reduces everybody's
    /// in proportion.
    pub cap: u128,
}

/// Rules for stake.
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
pub struct RestakingParameters {
    /// By how much of itself an operator's weight may grow from one era to the next, in parts per billion.
    pub max_growth: Perbill,
    /// By how much it may grow besides (18 decimals): so that new operators can begin.
    pub growth_step: u128,
    /// What does not count when the stake of the era before is used again, in parts per billion.
    pub reuse_haircut: Perbill,
}

impl Default for RestakingParameters {
    fn default() -> Self {
        Self {
            max_growth: Perbill::from_percent(50),
            // 10,000 ETH.
            growth_step: 10_000_000_000_000_000_000_000,
            reuse_haircut: Perbill::from_percent(20),
        }
    }
}

impl RestakingParameters {
    /// Whether the rules make sense: who has had nothing so far must be able to begin.
    pub fn is_sound(&self) -> bool {
        self.growth_step > 0
    }
}

/// When vaults are read for an era.
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
pub struct Capture {
    /// Unix time in seconds: that of the block.
    pub timestamp: u64,
    /// The final Ethereum block.
    pub block: BlockId,
}

/// How far a snapshot is.
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
pub enum SnapshotState {
    /// Validators say what they have read.
    Voting,
    /// A quorum has said the same. Its pages are being stored.
    Agreed {
        /// Root over the pages.
        root: H256,
        /// Number of pages.
        pages: u32,
        /// Which are stored: bit `i` for page `i`.
        stored: u64,
    },
    /// All pages are stored and counted.
    Accepted {
        /// Root over the pages; zero if there are none.
        root: H256,
        /// Number of pages.
        pages: u32,
        /// Sum of the operators' weights (18 decimals).
        total: u128,
    },
    /// It came to nothing before the era's election.
    Missed,
    /// It came to nothing, and the stake of the era before counts once more, with a haircut. The capture is that of the
    /// era before, too.
    Reused {
        /// Sum of the operators' weights (18 decimals).
        total: u128,
    },
}

/// What vaults hold for all operators, for one era.
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
pub struct Snapshot {
    /// When the vaults are read.
    pub capture: Capture,
    /// How far it is.
    pub state: SnapshotState,
}

/// What a validator has said of the open snapshot.
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
pub struct StoredVote {
    /// Index of the validator in the current set.
    pub validator: u32,
    /// Root over the pages.
    pub root: H256,
    /// Number of pages.
    pub pages: u32,
}

/// Why an era has no snapshot.
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
pub enum MissReason {
    /// Ethereum has finalised no block since the last capture.
    NoNewBlock,
    /// There was no quorum, or not all pages were brought, before the era began.
    Incomplete,
    /// The pages that a quorum has agreed on are not what validators' nodes make.
    Malformed,
}
