//! How the pallets are set up, and where one meets another.

use crate::{
    AccountId, Aura, AuraId, Balance, Balances, Block, BlockNumber, EXISTENTIAL_DEPOSIT, Execution,
    Hash, Nonce, PalletInfo, Runtime, RuntimeCall, RuntimeEvent, RuntimeFreezeReason,
    RuntimeHoldReason, RuntimeOrigin, RuntimeTask, SESSION_LENGTH, SS58_PREFIX, Session,
    SessionKeys, Settlement, Slots, System, TxExtension, UncheckedExtrinsic, VERSION, slots,
};
use alloc::vec::Vec;
use gear_exe_primitives::{
    H256,
    ethereum::{BlockId, EthereumHeader},
    outbox::OutboxItem,
    quorum::Member,
    vote::RouterAt,
};
#[cfg(feature = "dev")]
use polkadot_sdk::pallet_sudo;
use polkadot_sdk::{
    frame_support::{
        derive_impl, parameter_types,
        traits::{ConstBool, ConstU8, ConstU16, ConstU32, ConstU64, ConstU128, VariantCountOf},
        weights::{
            IdentityFee, Weight,
            constants::{RocksDbWeight, WEIGHT_REF_TIME_PER_MILLIS},
        },
    },
    frame_system::{self, EnsureRoot, limits},
    pallet_aura, pallet_authorship, pallet_balances, pallet_grandpa, pallet_session,
    pallet_timestamp, pallet_transaction_payment,
    sp_runtime::{
        Perbill, generic,
        traits::{ConvertInto, OpaqueKeys},
    },
    sp_version::RuntimeVersion,
};

const NORMAL_RATIO: Perbill = Perbill::from_percent(75);

parameter_types! {
    /// Blocks whose hashes are kept: the longest life of a mortal transaction.
    pub const BlockHashCount: BlockNumber = 2_400;
    /// Version of the runtime.
    pub const Version: RuntimeVersion = VERSION;
    /// Half of a slot of 250 ms.
    pub BlockWeights: limits::BlockWeights = limits::BlockWeights::with_sensible_defaults(
        Weight::from_parts(125u64.saturating_mul(WEIGHT_REF_TIME_PER_MILLIS), 5 << 20),
        NORMAL_RATIO,
    );
    /// 5 MiB, of which 3/4 for ordinary transactions.
    pub BlockLength: limits::BlockLength =
        limits::BlockLength::builder().max_length(5 << 20).build();
}

#[derive_impl(frame_system::config_preludes::SolochainDefaultConfig)]
impl frame_system::Config for Runtime {
    type AccountData = pallet_balances::AccountData<Balance>;
    type AccountId = AccountId;
    type Block = Block;
    type BlockHashCount = BlockHashCount;
    type BlockLength = BlockLength;
    type BlockWeights = BlockWeights;
    type DbWeight = RocksDbWeight;
    type Hash = Hash;
    type MaxConsumers = ConstU32<16>;
    type Nonce = Nonce;
    type SS58Prefix = ConstU16<SS58_PREFIX>;
    type Version = Version;
}

impl slots::Config for Runtime {}

impl pallet_aura::Config for Runtime {
    type AllowMultipleBlocksPerSlot = ConstBool<false>;
    type AuthorityId = AuraId;
    type DisabledValidators = Session;
    type MaxAuthorities = MaxValidators;
    type SlotDuration = Slots;
}

impl pallet_grandpa::Config for Runtime {
    type EquivocationReportSystem = ();
    type KeyOwnerProof = polkadot_sdk::sp_core::Void;
    type MaxAuthorities = MaxValidators;
    type MaxNominators = ConstU32<0>;
    type MaxSetIdSessionEntries = ConstU64<0>;
    type RuntimeEvent = RuntimeEvent;
    type WeightInfo = ();
}

impl pallet_session::Config for Runtime {
    type Currency = Balances;
    type DisablingStrategy = ();
    type KeyDeposit = ConstU128<0>;
    type Keys = SessionKeys;
    type NextSessionRotation = Periods;
    type RuntimeEvent = RuntimeEvent;
    type SessionHandler = <SessionKeys as OpaqueKeys>::KeyTypeIdProviders;
    type SessionManager = ();
    type ShouldEndSession = SessionEnd;
    type ValidatorId = AccountId;
    type ValidatorIdOf = ConvertInto;
    type WeightInfo = ();
}

/// When sessions would end if nothing held them.
pub type Periods = pallet_session::PeriodicSessions<ConstU32<SESSION_LENGTH>, ConstU32<0>>;

/// When sessions end: not while the Router has to be told of the current validators, whom their predecessors must
/// still sign in. A session that was held ends with the next period.
pub struct SessionEnd;

impl pallet_session::ShouldEndSession<BlockNumber> for SessionEnd {
    fn should_end_session(now: BlockNumber) -> bool {
        Periods::should_end_session(now) && !Settlement::is_handing_over()
    }
}

/// Greatest number of validators.
pub type MaxValidators = ConstU32<128>;

impl pallet_authorship::Config for Runtime {
    type EventHandler = ();
    type FindAuthor = pallet_session::FindAccountFromAuthorIndex<Self, Aura>;
}

impl pallet_timestamp::Config for Runtime {
    type MinimumPeriod = slots::HalfSlot<Runtime>;
    type Moment = u64;
    type OnTimestampSet = Aura;
    type WeightInfo = ();
}

impl pallet_balances::Config for Runtime {
    type AccountStore = System;
    type Balance = Balance;
    type DoneSlashHandler = ();
    type DustRemoval = ();
    type ExistentialDeposit = ConstU128<EXISTENTIAL_DEPOSIT>;
    type FreezeIdentifier = RuntimeFreezeReason;
    type MaxFreezes = VariantCountOf<RuntimeFreezeReason>;
    type MaxLocks = ConstU32<50>;
    type MaxReserves = ConstU32<0>;
    type ReserveIdentifier = [u8; 8];
    type RuntimeEvent = RuntimeEvent;
    type RuntimeFreezeReason = RuntimeFreezeReason;
    type RuntimeHoldReason = RuntimeHoldReason;
    type WeightInfo = pallet_balances::weights::SubstrateWeight<Runtime>;
}

impl pallet_transaction_payment::Config for Runtime {
    type FeeMultiplierUpdate = ();
    type LengthToFee = IdentityFee<Balance>;
    type OnChargeTransaction = pallet_transaction_payment::FungibleAdapter<Balances, ()>;
    type OperationalFeeMultiplier = ConstU8<5>;
    type RuntimeEvent = RuntimeEvent;
    type WeightInfo = ();
    type WeightToFee = IdentityFee<Balance>;
}

#[cfg(feature = "dev")]
impl pallet_sudo::Config for Runtime {
    type RuntimeCall = RuntimeCall;
    type RuntimeEvent = RuntimeEvent;
    type WeightInfo = ();
}

/// Settlement as execution sees it, and the other way round.
pub struct Glue;

impl pallet_execution::ValidatorSet for Glue {
    fn set_id() -> u64 {
        pallet_settlement::CurrentSet::<Runtime>::get()
    }

    fn members() -> Vec<Member> {
        Settlement::validator_set().members
    }

    fn genesis_hash() -> H256 {
        Settlement::genesis_hash()
    }

    #[cfg(feature = "runtime-benchmarks")]
    fn set_members(members: Vec<Member>) {
        let members = polkadot_sdk::frame_support::BoundedVec::truncate_from(members);
        pallet_settlement::Sets::<Runtime>::insert(Self::set_id(), members);
    }
}

impl pallet_execution::Outbox for Glue {
    fn push(item: OutboxItem) -> u64 {
        Settlement::push(item)
    }

    fn end() -> u64 {
        pallet_settlement::OutboxEnd::<Runtime>::get()
    }
}

impl pallet_execution::OnRouter for Glue {
    fn agreed(router: RouterAt) {
        Settlement::router_agreed(router);
    }

    fn known_at() -> BlockId {
        pallet_settlement::Router::<Runtime>::get().block
    }
}

impl pallet_settlement::Ethereum for Glue {
    fn anchor() -> EthereumHeader {
        pallet_execution::Anchor::<Runtime>::get()
    }

    fn finalised() -> EthereumHeader {
        pallet_execution::Finalised::<Runtime>::get()
    }

    fn is_ancestor_or_same(ancestor: BlockId, block: EthereumHeader) -> bool {
        Execution::is_ancestor_or_same(ancestor, block)
    }

    #[cfg(feature = "runtime-benchmarks")]
    fn set_anchor(header: EthereumHeader) {
        pallet_execution::Anchor::<Runtime>::put(header);
    }
}

impl pallet_execution::Config for Runtime {
    type GovernanceOrigin = EnsureRoot<AccountId>;
    type MaxValidators = MaxValidators;
    type OnRouter = Glue;
    type Outbox = Glue;
    type Validators = Glue;
    type WeightInfo = ();
}

impl pallet_settlement::Config for Runtime {
    type Ethereum = Glue;
    type GovernanceOrigin = EnsureRoot<AccountId>;
    type MaxValidators = MaxValidators;
    type WeightInfo = ();
    // Stake in VARA and ETH will decide here.
    type Weights = ();
}

impl<C> frame_system::offchain::CreateTransactionBase<C> for Runtime
where
    RuntimeCall: From<C>,
{
    type Extrinsic = UncheckedExtrinsic;
    type RuntimeCall = RuntimeCall;
}

impl<C> frame_system::offchain::CreateTransaction<C> for Runtime
where
    RuntimeCall: From<C>,
{
    type Extension = TxExtension;

    fn create_transaction(call: RuntimeCall, extension: TxExtension) -> UncheckedExtrinsic {
        UncheckedExtrinsic::new_transaction(call, extension)
    }
}

impl<C> frame_system::offchain::CreateAuthorizedTransaction<C> for Runtime
where
    RuntimeCall: From<C>,
{
    fn create_extension() -> TxExtension {
        (
            frame_system::AuthorizeCall::new(),
            frame_system::CheckNonZeroSender::new(),
            frame_system::CheckSpecVersion::new(),
            frame_system::CheckTxVersion::new(),
            frame_system::CheckGenesis::new(),
            frame_system::CheckEra::from(generic::Era::Immortal),
            frame_system::CheckNonce::from(0),
            frame_system::CheckWeight::new(),
            pallet_transaction_payment::ChargeTransactionPayment::from(0),
            frame_system::WeightReclaim::new(),
        )
    }
}
