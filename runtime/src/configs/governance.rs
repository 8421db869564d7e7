//! Referenda and what they decide about: preimages, the scheduler, the treasury, parameters.

use super::BlockWeights;
use crate::{
    AccountId, Balance, Balances, OriginCaller, Preimage, Referenda, Runtime, RuntimeCall,
    RuntimeEvent, RuntimeHoldReason, RuntimeOrigin, Scheduler, System, Treasury,
    governance::{origins, tracks::Tracks},
    parameters,
};
use polkadot_sdk::{
    frame_support::{
        PalletId, parameter_types,
        traits::{
            AsEnsureOriginWithArg, ConstU32, EitherOf, EitherOfDiverse, EqualPrivilegeOnly,
            LinearStoragePrice, TotalIssuanceOf,
            fungible::HoldConsideration,
            tokens::{PayFromAccount, UnityAssetBalanceConversion},
        },
        weights::Weight,
    },
    frame_system::{EnsureRoot, EnsureRootWithSuccess, EnsureSigned},
    pallet_collective, pallet_conviction_voting, pallet_parameters, pallet_preimage,
    pallet_referenda, pallet_scheduler,
    pallet_treasury::{self, TreasuryAccountId},
    pallet_utility, pallet_whitelist,
    sp_runtime::{Perbill, Permill, traits::IdentityLookup},
};

impl origins::Config for Runtime {}

impl parameters::in_force::Config for Runtime {}

impl pallet_parameters::Config for Runtime {
    type AdminOrigin = parameters::Admin;
    type RuntimeEvent = RuntimeEvent;
    type RuntimeParameters = parameters::RuntimeParameters;
    type WeightInfo = ();
}

parameter_types! {
    /// Why a preimage's deposit is held.
    pub const PreimageHold: RuntimeHoldReason =
        RuntimeHoldReason::Preimage(pallet_preimage::HoldReason::Preimage);
    /// What scheduled calls may use of a block.
    pub SchedulerWeight: Weight = Perbill::from_percent(80) * BlockWeights::get().max_block;
    /// What a call of the committee may use of a block.
    pub MotionWeight: Weight = Perbill::from_percent(50) * BlockWeights::get().max_block;
    /// Account of the treasury.
    pub const TreasuryId: PalletId = PalletId(*b"gexe/try");
    /// Nothing is burnt.
    pub const NoBurn: Permill = Permill::zero();
    /// The most that root may spend.
    pub const AnyAmount: Balance = Balance::MAX;
}

impl pallet_preimage::Config for Runtime {
    type Consideration = HoldConsideration<
        AccountId,
        Balances,
        PreimageHold,
        LinearStoragePrice<parameters::PreimageBase, parameters::PreimageByte, Balance>,
    >;
    type Currency = Balances;
    type ManagerOrigin = EnsureRoot<AccountId>;
    type RuntimeEvent = RuntimeEvent;
    type WeightInfo = pallet_preimage::weights::SubstrateWeight<Runtime>;
}

impl pallet_scheduler::Config for Runtime {
    type BlockNumberProvider = System;
    type MaxScheduledPerBlock = ConstU32<50>;
    type MaximumWeight = SchedulerWeight;
    type OriginPrivilegeCmp = EqualPrivilegeOnly;
    type PalletsOrigin = OriginCaller;
    type Preimages = Preimage;
    type RuntimeCall = RuntimeCall;
    type RuntimeEvent = RuntimeEvent;
    type RuntimeOrigin = RuntimeOrigin;
    type ScheduleOrigin = EnsureRoot<AccountId>;
    type WeightInfo = pallet_scheduler::weights::SubstrateWeight<Runtime>;
}

impl pallet_conviction_voting::Config for Runtime {
    type BlockNumberProvider = System;
    type Currency = Balances;
    type MaxTurnout = TotalIssuanceOf<Balances, AccountId>;
    type MaxVotes = ConstU32<512>;
    type Polls = Referenda;
    type RuntimeEvent = RuntimeEvent;
    type VoteLockingPeriod = parameters::VoteLocking;
    type VotingHooks = ();
    type WeightInfo = pallet_conviction_voting::weights::SubstrateWeight<Runtime>;
}

impl pallet_referenda::Config for Runtime {
    type AlarmInterval = ConstU32<1>;
    type BlockNumberProvider = System;
    type CancelOrigin = EitherOfDiverse<EnsureRoot<AccountId>, origins::ReferendumCanceller>;
    type Currency = Balances;
    type KillOrigin = EitherOfDiverse<EnsureRoot<AccountId>, origins::ReferendumKiller>;
    type MaxQueued = ConstU32<100>;
    type Preimages = Preimage;
    type RuntimeCall = RuntimeCall;
    type RuntimeEvent = RuntimeEvent;
    type Scheduler = Scheduler;
    type Slash = Treasury;
    type SubmissionDeposit = parameters::SubmissionDeposit;
    type SubmitOrigin = AsEnsureOriginWithArg<EnsureSigned<AccountId>>;
    type Tally = pallet_conviction_voting::TallyOf<Runtime>;
    type Tracks = Tracks;
    type UndecidingTimeout = parameters::Undeciding;
    type Votes = pallet_conviction_voting::VotesOf<Runtime>;
    type WeightInfo = pallet_referenda::weights::SubstrateWeight<Runtime>;
}

/// The technical committee, which root appoints: it whitelists calls for the fast track.
pub type TechnicalCommitteeInstance = pallet_collective::Instance1;

/// Two thirds of the technical committee.
type CommitteeMajority =
    pallet_collective::EnsureProportionAtLeast<AccountId, TechnicalCommitteeInstance, 2, 3>;

impl pallet_collective::Config<TechnicalCommitteeInstance> for Runtime {
    type Consideration = ();
    type DefaultVote = pallet_collective::PrimeDefaultVote;
    type DisapproveOrigin = EnsureRoot<AccountId>;
    type KillOrigin = EnsureRoot<AccountId>;
    type MaxMembers = ConstU32<32>;
    type MaxProposalWeight = MotionWeight;
    type MaxProposals = ConstU32<32>;
    type MotionDuration = parameters::Motion;
    type Proposal = RuntimeCall;
    type RuntimeEvent = RuntimeEvent;
    type RuntimeOrigin = RuntimeOrigin;
    type SetMembersOrigin = EnsureRoot<AccountId>;
    type WeightInfo = pallet_collective::weights::SubstrateWeight<Runtime>;
}

impl pallet_whitelist::Config for Runtime {
    type BlockNumberProvider = System;
    type DeferredDispatchExpiration = parameters::Whitelisting;
    type DispatchWhitelistedOrigin =
        EitherOfDiverse<EnsureRoot<AccountId>, origins::WhitelistedCaller>;
    type Preimages = Preimage;
    type RuntimeCall = RuntimeCall;
    type RuntimeEvent = RuntimeEvent;
    type WeightInfo = pallet_whitelist::weights::SubstrateWeight<Runtime>;
    type WhitelistOrigin = EitherOfDiverse<EnsureRoot<AccountId>, CommitteeMajority>;
}

/// Who may spend, and how much at a time.
type Spenders = EitherOf<
    EnsureRootWithSuccess<AccountId, AnyAmount>,
    EitherOf<origins::Treasurer, EitherOf<origins::BigSpender, origins::SmallSpender>>,
>;

impl pallet_treasury::Config for Runtime {
    type AssetKind = ();
    type BalanceConverter = UnityAssetBalanceConversion;
    #[cfg(feature = "runtime-benchmarks")]
    type BenchmarkHelper = crate::benches::TreasuryArguments;
    type Beneficiary = AccountId;
    type BeneficiaryLookup = IdentityLookup<AccountId>;
    type BlockNumberProvider = System;
    type Burn = NoBurn;
    type BurnDestination = ();
    type Currency = Balances;
    type MaxApprovals = ConstU32<100>;
    type PalletId = TreasuryId;
    type Paymaster = PayFromAccount<Balances, TreasuryAccountId<Runtime>>;
    type PayoutPeriod = parameters::TreasuryPayout;
    type RejectOrigin = EitherOfDiverse<EnsureRoot<AccountId>, origins::Treasurer>;
    type RuntimeEvent = RuntimeEvent;
    type SpendFunds = ();
    type SpendOrigin = Spenders;
    type SpendPeriod = parameters::TreasuryPeriod;
    type WeightInfo = pallet_treasury::weights::SubstrateWeight<Runtime>;
}

impl pallet_utility::Config for Runtime {
    type PalletsOrigin = OriginCaller;
    type RuntimeCall = RuntimeCall;
    type RuntimeEvent = RuntimeEvent;
    type WeightInfo = pallet_utility::weights::SubstrateWeight<Runtime>;
}
