//! Who makes blocks and who finalises them: slots, sessions, authorship, offences.

use super::{MaxValidators, slashing::Reports};
use crate::{
    AccountId, Aura, AuraId, Balances, BlockNumber, Historical, ImOnline, Pace, Runtime,
    RuntimeEvent, Session, SessionKeys, Settlement, Slashing, Staking, eras::Eras, pace,
    parameters,
};
use polkadot_sdk::{
    frame_support::{
        parameter_types,
        traits::{ConstBool, ConstU32, KeyOwnerProofSystem},
    },
    pallet_aura, pallet_authorship, pallet_grandpa, pallet_im_online, pallet_offences,
    pallet_session::{self, historical},
    pallet_staking,
    sp_core::crypto::KeyTypeId,
    sp_runtime::{
        traits::{ConvertInto, OpaqueKeys},
        transaction_validity::TransactionPriority,
    },
};

impl pace::Config for Runtime {}

impl pallet_aura::Config for Runtime {
    type AllowMultipleBlocksPerSlot = ConstBool<false>;
    type AuthorityId = AuraId;
    type DisabledValidators = Session;
    type MaxAuthorities = MaxValidators;
    type SlotDuration = Pace;
}

type GrandpaKeyOwner = (KeyTypeId, pallet_grandpa::AuthorityId);

impl pallet_grandpa::Config for Runtime {
    type EquivocationReportSystem = pallet_grandpa::EquivocationReportSystem<
        Self,
        Reports,
        Historical,
        pace::ReportLongevity<Self>,
    >;
    type KeyOwnerProof = <Historical as KeyOwnerProofSystem<GrandpaKeyOwner>>::Proof;
    type MaxAuthorities = MaxValidators;
    type MaxNominators = ConstU32<{ super::staking::MAX_BACKERS }>;
    type MaxSetIdSessionEntries = pace::ReportSessions<Self>;
    type RuntimeEvent = RuntimeEvent;
    type WeightInfo = ();
}

impl pallet_session::Config for Runtime {
    type Currency = Balances;
    type DisablingStrategy = pallet_session::disabling::UpToLimitWithReEnablingDisablingStrategy<3>;
    type KeyDeposit = parameters::KeyDeposit;
    type Keys = SessionKeys;
    type NextSessionRotation = Periods;
    type RuntimeEvent = RuntimeEvent;
    type SessionHandler = <SessionKeys as OpaqueKeys>::KeyTypeIdProviders;
    type SessionManager = historical::NoteHistoricalRoot<Self, Eras>;
    type ShouldEndSession = SessionEnd;
    type ValidatorId = AccountId;
    type ValidatorIdOf = ConvertInto;
    type WeightInfo = pallet_session::weights::SubstrateWeight<Runtime>;
}

impl historical::Config for Runtime {
    type FullIdentification = ();
    type FullIdentificationOf = pallet_staking::UnitIdentificationOf<Self>;
    type RuntimeEvent = RuntimeEvent;
}

/// When sessions would end if nothing held them.
pub type Periods = pallet_session::PeriodicSessions<pace::SessionLength<Runtime>, ConstU32<0>>;

/// When sessions end: not while the Router has to be told of the current validators, whom their predecessors must
/// still sign in. A session that was held ends with the next period.
pub struct SessionEnd;

impl pallet_session::ShouldEndSession<BlockNumber> for SessionEnd {
    fn should_end_session(now: BlockNumber) -> bool {
        Periods::should_end_session(now) && !Settlement::is_handing_over()
    }
}

impl pallet_authorship::Config for Runtime {
    type EventHandler = (Staking, ImOnline);
    type FindAuthor = pallet_session::FindAccountFromAuthorIndex<Self, Aura>;
}

impl pallet_offences::Config for Runtime {
    type IdentificationTuple = historical::IdentificationTuple<Self>;
    type OnOffenceHandler = Slashing;
    type RuntimeEvent = RuntimeEvent;
}

parameter_types! {
    /// Heartbeats go before what pays.
    pub const HeartbeatPriority: TransactionPriority = TransactionPriority::MAX;
}

impl pallet_im_online::Config for Runtime {
    type AuthorityId = pallet_im_online::sr25519::AuthorityId;
    type MaxKeys = MaxValidators;
    type MaxPeerInHeartbeats = ConstU32<10_000>;
    type NextSessionRotation = Periods;
    type ReportUnresponsiveness = Reports;
    type RuntimeEvent = RuntimeEvent;
    type UnsignedPriority = HeartbeatPriority;
    type ValidatorSet = Historical;
    type WeightInfo = pallet_im_online::weights::SubstrateWeight<Runtime>;
}
