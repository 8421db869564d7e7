//! VARA at stake: bonds, nominations, pools, elections, what an era pays.

use crate::{
    AccountId, Balance, Balances, DelegatedStaking, NominationPools, Runtime, RuntimeEvent,
    RuntimeFreezeReason, RuntimeHoldReason, Session, Staking, System, Timestamp, VoterList, bags,
    governance::origins, inflation, pace, parameters,
};
use pallet_validator_election::DualElection;
use polkadot_sdk::{
    frame_election_provider_support::{
        VoteWeight,
        bounds::{ElectionBounds, ElectionBoundsBuilder},
    },
    frame_support::{
        PalletId, parameter_types,
        traits::{ConstU8, ConstU32, EitherOfDiverse, tokens::imbalance::ResolveTo},
    },
    frame_system::EnsureRoot,
    pallet_bags_list, pallet_delegated_staking, pallet_nomination_pools, pallet_staking,
    pallet_treasury::TreasuryAccountId,
    sp_core::U256,
    sp_runtime::{FixedU128, traits::Convert},
    sp_staking,
};

/// Nominators that may stand behind one validator, with what counts in an election.
pub const MAX_BACKERS: u32 = 2_048;

/// Nominators of a validator that are paid at a time.
pub const PAGE: u32 = 256;

/// Root, or a referendum on the track `staking_admin`.
pub type StakingAdmin = EitherOfDiverse<EnsureRoot<AccountId>, origins::StakingAdmin>;

/// Where slashed VARA goes.
pub type ToTreasury = ResolveTo<TreasuryAccountId<Runtime>, Balances>;

parameter_types! {
    /// What an election looks at: the voters with the most stake, in the order of the bags, and the candidates.
    pub Bounds: ElectionBounds = ElectionBoundsBuilder::default()
        .voters_count(2_000.into())
        .targets_count(300.into())
        .build();
    /// Thresholds of the bags.
    pub const BagThresholds: &'static [u64] = &bags::THRESHOLDS;
    /// Account of the pools.
    pub const PoolsId: PalletId = PalletId(*b"gexe/npl");
    /// Account of delegations.
    pub const DelegationsId: PalletId = PalletId(*b"gexe/dlg");
}

impl pallet_bags_list::Config for Runtime {
    type BagThresholds = BagThresholds;
    type MaxAutoRebagPerBlock = ConstU32<8>;
    type RuntimeEvent = RuntimeEvent;
    type Score = VoteWeight;
    type ScoreProvider = Staking;
    type WeightInfo = pallet_bags_list::weights::SubstrateWeight<Runtime>;
}

/// Sizes for staking's own benchmarks.
pub struct BenchmarkSizes;

impl pallet_staking::BenchmarkingConfig for BenchmarkSizes {
    type MaxNominators = ConstU32<1_000>;
    type MaxValidators = ConstU32<128>;
}

impl pallet_staking::Config for Runtime {
    type AdminOrigin = StakingAdmin;
    type BenchmarkingConfig = BenchmarkSizes;
    type BondingDuration = pace::Bonding<Self>;
    type Currency = Balances;
    type CurrencyBalance = Balance;
    type CurrencyToVote = sp_staking::currency_to_vote::U128CurrencyToVote;
    type ElectionProvider = DualElection<Self>;
    type EraPayout = inflation::EraPayout;
    type EventListeners = (NominationPools, DelegatedStaking);
    type Filter = pallet_nomination_pools::AllPoolMembers<Self>;
    type GenesisElectionProvider = DualElection<Self>;
    type HistoryDepth = super::restaking::HistoryDepth;
    type MaxControllersInDeprecationBatch = ConstU32<64>;
    type MaxExposurePageSize = ConstU32<PAGE>;
    type MaxUnlockingChunks = ConstU32<32>;
    type MaxValidatorSet = super::MaxValidators;
    type NextNewSession = Session;
    type NominationsQuota = pallet_staking::FixedNominationsQuota<16>;
    type OldCurrency = Balances;
    type Reward = ();
    type RewardRemainder = ToTreasury;
    type RuntimeEvent = RuntimeEvent;
    type RuntimeHoldReason = RuntimeHoldReason;
    type SessionInterface = Self;
    type SessionsPerEra = pace::SessionsPerEra<Self>;
    type Slash = ToTreasury;
    type SlashDeferDuration = pace::SlashDeferral<Self>;
    type TargetList = pallet_staking::UseValidatorsMap<Self>;
    type UnixTime = Timestamp;
    type VoterList = VoterList;
    type WeightInfo = pallet_staking::weights::SubstrateWeight<Runtime>;
}

impl pallet_delegated_staking::Config for Runtime {
    type CoreStaking = Staking;
    type Currency = Balances;
    type OnSlash = ToTreasury;
    type PalletId = DelegationsId;
    type RuntimeEvent = RuntimeEvent;
    type RuntimeHoldReason = RuntimeHoldReason;
    type SlashRewardFraction = parameters::PoolSlashReward;
}

/// A balance as a wider number, and back.
pub struct Wide;

impl Convert<Balance, U256> for Wide {
    fn convert(balance: Balance) -> U256 {
        U256::from(balance)
    }
}

impl Convert<U256, Balance> for Wide {
    fn convert(wide: U256) -> Balance {
        wide.try_into().unwrap_or(Balance::MAX)
    }
}

impl pallet_nomination_pools::Config for Runtime {
    type AdminOrigin = StakingAdmin;
    type BalanceToU256 = Wide;
    type BlockNumberProvider = System;
    type Currency = Balances;
    type Filter = pallet_staking::AllStakers<Self>;
    type MaxMetadataLen = ConstU32<256>;
    type MaxPointsToBalance = ConstU8<10>;
    type MaxUnbonding = ConstU32<32>;
    type MaxUnbondingPools = ConstU32<32>;
    type PalletId = PoolsId;
    type RewardCounter = FixedU128;
    type RuntimeEvent = RuntimeEvent;
    type RuntimeFreezeReason = RuntimeFreezeReason;
    type StakeAdapter = super::pools::Shared;
    type U256ToBalance = Wide;
    type WeightInfo = super::pools::Weights;
}
