//! What the pallet stores, and what it asks of the runtime around it.

use alloc::vec::Vec;
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use frame_support::{BoundedVec, traits::Get};
use gear_exe_primitives::{H160, U256, outbox::OutboxItem, rewards::RewardClaim};
use polkadot_sdk::{frame_support, sp_runtime::Perbill};
use scale_info::TypeInfo;

/// Number of an era of staking.
pub type EraIndex = u32;

/// What programs have paid.
pub trait Income {
    /// wVARA base units that programs have paid since the Router exists, as a final Ethereum block says. It never falls.
    fn spent() -> u128;
    /// Lets programs pay `amount` more.
    #[cfg(feature = "runtime-benchmarks")]
    fn earn(amount: u128);
}

/// Where commitments for Ethereum go.
pub trait Outbox {
    /// Appends an item. Returns its number.
    fn push(item: OutboxItem) -> u64;
    /// Items below this number are settled: the batch that carried them is in a final Ethereum block.
    fn settled_end() -> u64;
    /// Settles the items below `end`.
    #[cfg(feature = "runtime-benchmarks")]
    fn settle(end: u64);
}

/// Time on Ethereum.
pub trait Ethereum {
    /// Unix time in seconds of the last Ethereum block that a quorum reported final; zero if there is none.
    fn finalised() -> u64;
    /// Makes it that time.
    #[cfg(feature = "runtime-benchmarks")]
    fn set_finalised(timestamp: u64);
}

/// What stood behind a validator in an era, in VARA.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Exposure {
    /// The validator's own stake.
    pub own: u128,
    /// All stake, its own included.
    pub total: u128,
    /// Number of pages of other stakers.
    pub pages: u32,
    /// What the validator takes of its stakers' part.
    pub commission: Perbill,
}

/// Validators and stakers of VARA: pallet-staking, with what it keeps of past eras.
pub trait Staking<AccountId> {
    /// The era whose validators are at work; nothing before the first.
    fn active() -> Option<EraIndex>;
    /// The reward points of validators in an era.
    fn points(era: EraIndex) -> Vec<(AccountId, u32)>;
    /// What stood behind a validator; nothing if it is not known any more.
    fn exposure(era: EraIndex, validator: &AccountId) -> Option<Exposure>;
    /// A page of the other stakers, with the stake of each.
    fn page(era: EraIndex, validator: &AccountId, page: u32) -> Vec<(AccountId, u128)>;
    /// Makes `era` the active one.
    #[cfg(feature = "runtime-benchmarks")]
    fn begin(era: EraIndex);
    /// Puts `stakers` in page 0 behind a validator, which has earned points.
    #[cfg(feature = "runtime-benchmarks")]
    fn expose(era: EraIndex, validator: &AccountId, stakers: Vec<(AccountId, u128)>);
}

/// Number of a pool of stakers.
pub type PoolId = u32;

/// Who gets the reward of a staker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Payee {
    /// The staker itself: somebody has its key.
    Itself,
    /// The members of a pool, whose stake this account holds.
    Pool(PoolId),
    /// Nobody can take it.
    Nobody,
}

/// A pool as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pool<AccountId> {
    /// The points of all members together, without those that are being unbonded.
    pub points: u128,
    /// The part of its rewards that goes to this account first.
    pub commission: Option<(Perbill, AccountId)>,
}

/// A member of a pool as it is now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its pool.
    pub pool: PoolId,
    /// Its points in the pool, without those that are being unbonded.
    pub points: u128,
}

/// Who gets the rewards of stakers, and who is in which pool. Whoever changes members tells the pallet: see `pools.rs`.
pub trait Payees<AccountId> {
    /// Who is credited for `staker`.
    fn payee(staker: &AccountId) -> Payee;
    /// A pool; nothing if there is none of that number.
    fn pool(pool: PoolId) -> Option<Pool<AccountId>>;
    /// The member that an account is; nothing if it is in no pool.
    fn member(who: &AccountId) -> Option<Member>;
    /// All members of all pools. Only for checks: there may be very many.
    fn members() -> Vec<(AccountId, Member)>;
    /// Founds a pool of members with these points, which gives this commission. Returns the account that holds its stake.
    #[cfg(feature = "runtime-benchmarks")]
    fn found(
        pool: PoolId,
        members: Vec<(AccountId, u128)>,
        commission: (Perbill, AccountId),
    ) -> AccountId;
}

/// What stood behind a validator in an era, on Ethereum.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EthStake<AccountId> {
    /// The validator.
    pub validator: AccountId,
    /// What its stake weighed (18 decimals).
    pub weight: u128,
    /// Its vaults, with what each weighs among them.
    pub vaults: Vec<(H160, u128)>,
}

/// Collateral on Ethereum, and the elections that have counted it.
pub trait Collateral<AccountId> {
    /// Unix time in seconds at which the stake of an era was read; nothing if none was.
    fn capture(era: EraIndex) -> Option<u64>;
    /// The validators of an era whose election has counted ETH.
    fn stakes(era: EraIndex) -> Vec<EthStake<AccountId>>;
    /// Makes these the stakes of an era.
    #[cfg(feature = "runtime-benchmarks")]
    fn put(era: EraIndex, stakes: Vec<EthStake<AccountId>>);
}

/// Who gets which part of what programs pay, in parts per billion; what the three leave stays in the income of the next
/// era.
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
pub struct RewardsParameters {
    /// Validators.
    pub validators: Perbill,
    /// Stakers of VARA: nominators, and validators with their own stake.
    pub vara_stakers: Perbill,
    /// Stakers of ETH. If none has counted in an era, stakers of VARA get it.
    pub eth_stakers: Perbill,
    /// The least that can be claimed at a time, in wVARA base units: less is not worth its gas on Ethereum.
    pub min_claim: u128,
}

impl Default for RewardsParameters {
    fn default() -> Self {
        Self {
            validators: Perbill::from_percent(20),
            vara_stakers: Perbill::from_percent(50),
            eth_stakers: Perbill::from_percent(30),
            // One wVARA.
            min_claim: 1_000_000_000_000,
        }
    }
}

impl RewardsParameters {
    /// Whether no more is given than there is.
    pub fn is_sound(&self) -> bool {
        let all = [self.validators, self.vara_stakers, self.eth_stakers];
        let sum: u64 = all.iter().map(|part| u64::from(part.deconstruct())).sum();
        sum <= 1_000_000_000
    }
}

/// How the income of an era was divided, in wVARA base units.
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
pub struct Division {
    /// What there was: what programs paid, what was left of the era before, and what has come back since.
    pub income: u128,
    /// What validators were credited.
    pub validators: u128,
    /// What was set aside for stakers of VARA.
    pub vara_stakers: u128,
    /// What was sent to the vaults of stakers of ETH.
    pub eth_stakers: u128,
    /// What was left: it is income of the next era.
    pub left: u128,
    /// By which time's shares vaults divide their part, and under which claims stand on Ethereum: Unix time in seconds.
    /// Nothing if the chain knew no time of Ethereum: then nothing was sent.
    pub capture: Option<u64>,
}

/// What is set aside for the stakers of VARA behind a validator in an era.
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
pub struct Pot {
    /// What it was at first, in wVARA base units.
    pub total: u128,
    /// What of it is not credited yet.
    pub left: u128,
    /// The pages that are paid: bit `i` for page `i`.
    pub paid: u64,
}

/// What the members of a pool have earned together and were not credited yet.
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
pub struct PoolShare {
    /// What a point has earned since the pool was founded: wVARA base units, times 10^18.
    pub per_point: u128,
    /// What is kept for members, in wVARA base units.
    pub left: u128,
}

/// Up to where a member's share of what its pool has earned was credited.
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
pub struct MemberMark {
    /// The pool.
    pub pool: PoolId,
    /// What a point had earned then: see `PoolShare`.
    pub per_point: u128,
}

/// The claims of an era, by ascending address: what its root on Ethereum is over.
#[derive(
    Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
#[scale_info(skip_type_params(MaxClaims))]
#[codec(mel_bound())]
pub struct Tree<MaxClaims: Get<u32>> {
    /// The time under which the era stands on Ethereum: Unix time in seconds.
    pub capture: u64,
    /// The leaves.
    pub claims: BoundedVec<RewardClaim, MaxClaims>,
}

/// What an outbox item has taken to Ethereum.
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
pub enum Sent {
    /// The claims of the era, in wVARA base units.
    Claims(u128),
    /// Rewards of vaults, in wVARA base units.
    Vaults(u128),
}

impl Sent {
    /// How much, in wVARA base units.
    pub const fn amount(self) -> u128 {
        match self {
            Self::Claims(amount) | Self::Vaults(amount) => amount,
        }
    }
}

/// `amount × part ÷ whole`, rounded down; nothing of nothing. The parts of a whole never get more than `amount` together.
pub(crate) fn portion(amount: u128, part: u128, whole: U256) -> u128 {
    // No product of two 128-bit numbers overflows.
    let product = U256::from(amount).saturating_mul(part.into());
    product
        .checked_div(whole)
        .and_then(|share| u128::try_from(share).ok())
        .unwrap_or_default()
        .min(amount)
}
