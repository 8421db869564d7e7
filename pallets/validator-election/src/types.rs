//! What the pallet stores, and what it asks of the runtime around it.

use alloc::vec::Vec;
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use polkadot_sdk::sp_runtime::Perbill;
use scale_info::TypeInfo;

/// Number of an era of staking.
pub type EraIndex = u32;

/// Who knows of restaked collateral.
pub trait Restaking<AccountId> {
    /// What each operator's collateral weighs in an era (18 decimals), each operator once. Nothing if it is not known.
    fn stakes(era: EraIndex) -> Vec<(AccountId, u128)>;
}

/// The eras of staking.
pub trait Eras {
    /// The era whose validators are elected next.
    fn electing() -> EraIndex;
    /// The era whose validators are at work; nothing before the first.
    fn active() -> Option<EraIndex>;
}

/// How ETH counts beside VARA.
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
pub struct ElectionParameters {
    /// The share of an election that VARA decides at least, in parts per billion: half of it or more.
    pub vara_share: Perbill,
    /// The weight of collateral (18 decimals) from which on ETH decides all of its share. With less it decides less, in
    /// proportion.
    pub full_weight: u128,
    /// The share of all collateral that may count for one operator, in parts per billion.
    pub max_operator_share: Perbill,
    /// The most that a validator may weigh in a quorum, in percent of the mean.
    pub max_weight: u32,
}

impl Default for ElectionParameters {
    fn default() -> Self {
        Self {
            vara_share: Perbill::from_percent(67),
            // 10,000 ETH.
            full_weight: 10_000_000_000_000_000_000_000,
            max_operator_share: Perbill::from_percent(25),
            max_weight: 200,
        }
    }
}

/// The greatest `max_weight`: beyond it is no limit at all.
pub const MAX_MAX_WEIGHT: u32 = 100_000;

impl ElectionParameters {
    /// Whether the rules make sense.
    pub fn is_sound(&self) -> bool {
        self.vara_share >= Perbill::from_percent(50)
            && self.full_weight > 0
            && !self.max_operator_share.is_zero()
            && (100..=MAX_MAX_WEIGHT).contains(&self.max_weight)
    }
}

/// Why ETH had no say in an election.
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
pub enum VaraOnlyReason {
    /// Governance wants it so.
    Forced,
    /// No candidate has collateral, or nothing is known of it.
    NoStake,
    /// The election could not be computed with it.
    Failed,
}

/// How an election came about.
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
pub struct ElectionRecord {
    /// All votes of VARA, in the election's unit.
    pub vara: u128,
    /// Collateral of all candidates (18 decimals).
    pub eth: u128,
    /// All votes of ETH, in the election's unit.
    pub eth_votes: u128,
    /// The share of VARA by which it was held.
    pub vara_share: Perbill,
    /// Why ETH had no say; nothing if it had.
    pub vara_only: Option<VaraOnlyReason>,
}

/// What stands behind a validator in an era.
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
pub struct ValidatorExposure<AccountId> {
    /// The validator.
    pub validator: AccountId,
    /// VARA of its own and of its nominators, in the election's unit.
    pub vara: u128,
    /// Collateral on Ethereum (18 decimals).
    pub eth: u128,
    /// What the collateral adds to its weight, in the election's unit. Of all elected validators together it is at most
    /// the share of ETH.
    pub eth_votes: u128,
}
