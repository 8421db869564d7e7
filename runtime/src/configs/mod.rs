//! How the pallets are set up, and where one meets another.
//!
//! * `consensus.rs`: slots, sessions, finality, offences.
//! * `staking.rs`: VARA at stake.
//! * `pools.rs`: who is in which pool, for what pools earn in wVARA.
//! * `restaking.rs`: collateral on Ethereum, and the election over both.
//! * `slashing.rs`: offences, on their way to both.
//! * `rewards.rs`: what programs pay, on its way to those who secure the network.
//! * `governance.rs`: referenda, treasury, parameters.
//! * `settlement.rs`: execution and settlement, where they meet.
//! * `bridge.rs`: facts of contracts on Ethereum; VARA as wVARA and back.
//! * here: accounts, fees, transactions.

mod bridge;
mod consensus;
mod governance;
mod pools;
mod restaking;
mod rewards;
mod settlement;
mod slashing;
mod staking;

pub use consensus::{Periods, SessionEnd};
pub use governance::TechnicalCommitteeInstance;

#[cfg(feature = "dev")]
use crate::Slashing;
use crate::{
    AccountId, Aura, Balance, Balances, Block, BlockNumber, EXISTENTIAL_DEPOSIT, Hash, Nonce,
    PalletInfo, Runtime, RuntimeCall, RuntimeEvent, RuntimeFreezeReason, RuntimeHoldReason,
    RuntimeOrigin, RuntimeTask, SS58_PREFIX, System, TxExtension, UncheckedExtrinsic, VERSION,
    migrations, pace, parameters,
};
use polkadot_sdk::{
    frame_support::{
        derive_impl, parameter_types,
        traits::{ConstU8, ConstU16, ConstU32, ConstU128, VariantCountOf},
        weights::{
            Weight,
            constants::{ParityDbWeight, WEIGHT_REF_TIME_PER_MILLIS},
        },
    },
    frame_system::{self, limits},
    pallet_balances, pallet_timestamp, pallet_transaction_payment,
    sp_runtime::{Perbill, generic},
    sp_version::RuntimeVersion,
};
#[cfg(feature = "dev")]
use polkadot_sdk::{pallet_root_offences, pallet_sudo};
use staking::ToTreasury;

/// Greatest number of validators.
pub type MaxValidators = ConstU32<128>;

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
    type DbWeight = ParityDbWeight;
    type Hash = Hash;
    type MaxConsumers = ConstU32<16>;
    type Nonce = Nonce;
    type SS58Prefix = ConstU16<SS58_PREFIX>;
    type SingleBlockMigrations = migrations::Migrations;
    type Version = Version;
}

impl pallet_timestamp::Config for Runtime {
    type MinimumPeriod = pace::HalfSlot<Runtime>;
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
    type LengthToFee = parameters::LengthFee;
    type OnChargeTransaction = pallet_transaction_payment::FungibleAdapter<Balances, ToTreasury>;
    type OperationalFeeMultiplier = ConstU8<5>;
    type RuntimeEvent = RuntimeEvent;
    type WeightInfo = ();
    type WeightToFee = parameters::WeightFee;
}

/// Offences on demand, to see what they lead to.
#[cfg(feature = "dev")]
impl pallet_root_offences::Config for Runtime {
    type OffenceHandler = Slashing;
    type ReportOffence = slashing::Reports;
    type RuntimeEvent = RuntimeEvent;
}

#[cfg(feature = "dev")]
impl pallet_sudo::Config for Runtime {
    type RuntimeCall = RuntimeCall;
    type RuntimeEvent = RuntimeEvent;
    type WeightInfo = ();
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

impl<C> frame_system::offchain::CreateBare<C> for Runtime
where
    RuntimeCall: From<C>,
{
    fn create_bare(call: RuntimeCall) -> UncheckedExtrinsic {
        UncheckedExtrinsic::new_bare(call)
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
