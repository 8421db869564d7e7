//! The Gear.exe chain: orders native messages, agrees on what Ethereum says, and closes batches. It holds no program
//! state.

#![cfg_attr(not(feature = "std"), no_std)]
#![recursion_limit = "256"]
// What FRAME's macros generate has no docs, and names in full what is in scope already.
#![allow(missing_docs, unused_qualifications)]

extern crate alloc;

mod apis;
pub mod bags;
#[cfg(feature = "runtime-benchmarks")]
mod benches;
pub mod configs;
pub mod eras;
pub mod genesis;
pub mod governance;
pub mod inflation;
pub mod migrations;
pub mod pace;
pub mod parameters;

#[cfg(feature = "std")]
include!(concat!(env!("OUT_DIR"), "/wasm_binary.rs"));

pub use apis::RuntimeApi;
#[cfg(feature = "std")]
pub use apis::api;
pub use pallet_validator_election::MEAN_WEIGHT;

use alloc::{borrow::Cow, vec::Vec};
use gear_exe_primitives::H256;
use polkadot_sdk::{
    frame_executive, frame_support, frame_system, pallet_aura, pallet_authorship, pallet_bags_list,
    pallet_balances, pallet_collective, pallet_conviction_voting, pallet_delegated_staking,
    pallet_grandpa, pallet_im_online, pallet_nomination_pools, pallet_offences, pallet_parameters,
    pallet_preimage, pallet_referenda, pallet_scheduler, pallet_session, pallet_staking,
    pallet_timestamp, pallet_transaction_payment, pallet_treasury, pallet_utility,
    pallet_whitelist,
    sp_consensus_aura::sr25519::AuthorityId as AuraId,
    sp_runtime::{
        self, MultiAddress, MultiSignature, generic, impl_opaque_keys,
        traits::{BlakeTwo256, IdentifyAccount, Verify},
    },
    sp_version::{self, RuntimeVersion},
};
// The runtime's macro names the pallet also where it is left out.
#[allow(unused_imports)]
use polkadot_sdk::{pallet_root_offences, pallet_sudo};

/// One VARA in base units.
pub const UNITS: Balance = 1_000_000_000_000;
/// The least balance of an account.
pub const EXISTENTIAL_DEPOSIT: Balance = UNITS / 1_000;
/// ss58 prefix of addresses.
pub const SS58_PREFIX: u16 = 137;

/// Signature of a transaction.
pub type Signature = MultiSignature;
/// An account.
pub type AccountId = <<Signature as Verify>::Signer as IdentifyAccount>::AccountId;
/// VARA, in base units.
pub type Balance = u128;
/// Number of transactions of an account.
pub type Nonce = u32;
/// Hash of a block.
pub type Hash = H256;
/// Number of a block.
pub type BlockNumber = u32;
/// Address in a transaction.
pub type Address = MultiAddress<AccountId, ()>;
/// Header of a block.
pub type Header = generic::Header<BlockNumber, BlakeTwo256>;
/// Block.
pub type Block = generic::Block<Header, UncheckedExtrinsic>;
/// What a transaction carries besides its call.
pub type TxExtension = (
    frame_system::AuthorizeCall<Runtime>,
    frame_system::CheckNonZeroSender<Runtime>,
    frame_system::CheckSpecVersion<Runtime>,
    frame_system::CheckTxVersion<Runtime>,
    frame_system::CheckGenesis<Runtime>,
    frame_system::CheckEra<Runtime>,
    frame_system::CheckNonce<Runtime>,
    frame_system::CheckWeight<Runtime>,
    pallet_transaction_payment::ChargeTransactionPayment<Runtime>,
    frame_system::WeightReclaim<Runtime>,
);
/// A transaction.
pub type UncheckedExtrinsic =
    generic::UncheckedExtrinsic<Address, RuntimeCall, Signature, TxExtension>;
/// A transaction's signed payload.
pub type SignedPayload = generic::SignedPayload<RuntimeCall, TxExtension>;
/// Executes blocks.
pub type Executive = frame_executive::Executive<
    Runtime,
    Block,
    frame_system::ChainContext<Runtime>,
    Runtime,
    AllPalletsWithSystem,
>;

/// Types that the node uses without knowing the runtime.
pub mod opaque {
    use super::*;
    pub use sp_runtime::OpaqueExtrinsic as UncheckedExtrinsic;

    /// Header of a block.
    pub type Header = generic::Header<BlockNumber, BlakeTwo256>;
    /// Block.
    pub type Block = generic::Block<Header, UncheckedExtrinsic>;
    /// Id of a block.
    pub type BlockId = generic::BlockId<Block>;
}

impl_opaque_keys! {
    /// What a validator signs with.
    pub struct SessionKeys {
        /// Blocks.
        pub aura: Aura,
        /// Finality.
        pub grandpa: Grandpa,
        /// Heartbeats, which say that a validator is there.
        pub im_online: ImOnline,
        /// Views, verdicts and batches: an Ethereum key.
        pub ethereum: Settlement,
    }
}

/// Version of the runtime.
#[sp_version::runtime_version]
pub const VERSION: RuntimeVersion = RuntimeVersion {
    spec_name: Cow::Borrowed("gear-exe"),
    impl_name: Cow::Borrowed("gear-exe"),
    authoring_version: 1,
    spec_version: 1,
    impl_version: 1,
    apis: apis::RUNTIME_API_VERSIONS,
    transaction_version: 1,
    system_version: 1,
};

#[frame_support::runtime]
mod runtime {
    use super::*;

    #[runtime::runtime]
    #[runtime::derive(
        RuntimeCall,
        RuntimeEvent,
        RuntimeError,
        RuntimeOrigin,
        RuntimeFreezeReason,
        RuntimeHoldReason,
        RuntimeSlashReason,
        RuntimeLockId,
        RuntimeTask,
        RuntimeViewFunction
    )]
    pub struct Runtime;

    #[runtime::pallet_index(0)]
    pub type System = frame_system;
    #[runtime::pallet_index(1)]
    pub type Pace = crate::pace;
    #[runtime::pallet_index(2)]
    pub type Timestamp = pallet_timestamp;
    #[runtime::pallet_index(3)]
    pub type Aura = pallet_aura;
    // Before Session, so that the author is noted in the session and era of its block.
    #[runtime::pallet_index(4)]
    pub type Authorship = pallet_authorship;
    #[runtime::pallet_index(5)]
    pub type Balances = pallet_balances;
    #[runtime::pallet_index(6)]
    pub type TransactionPayment = pallet_transaction_payment;
    #[runtime::pallet_index(7)]
    pub type VoterList = pallet_bags_list;
    #[runtime::pallet_index(8)]
    pub type Restaking = pallet_restaking;
    #[runtime::pallet_index(9)]
    pub type ValidatorElection = pallet_validator_election;
    // Before Session, whose genesis asks for the first validators.
    #[runtime::pallet_index(10)]
    pub type Staking = pallet_staking;
    #[runtime::pallet_index(11)]
    pub type Historical = pallet_session::historical;
    #[runtime::pallet_index(12)]
    pub type Session = pallet_session;
    #[runtime::pallet_index(13)]
    pub type Offences = pallet_offences;
    #[runtime::pallet_index(14)]
    pub type Grandpa = pallet_grandpa;
    #[runtime::pallet_index(15)]
    pub type ImOnline = pallet_im_online;
    #[runtime::pallet_index(16)]
    pub type DelegatedStaking = pallet_delegated_staking;
    #[runtime::pallet_index(17)]
    pub type NominationPools = pallet_nomination_pools;
    // Execution before Settlement: at the end of a block the anchor moves first, then the block may become a seal.
    #[runtime::pallet_index(20)]
    pub type Execution = pallet_execution;
    #[runtime::pallet_index(21)]
    pub type Settlement = pallet_settlement;
    // After Session and Settlement, whose genesis tell it of the first validators.
    #[runtime::pallet_index(22)]
    pub type Slashing = pallet_slashing;
    // After Session, so that it knows the set of its block, and after Slashing, which it tells how slashes end.
    #[runtime::pallet_index(23)]
    pub type Bridge = pallet_bridge;
    // After Session, which ends eras, and after Settlement, which knows what programs have paid.
    #[runtime::pallet_index(24)]
    pub type Rewards = pallet_rewards;
    #[runtime::pallet_index(30)]
    pub type Parameters = pallet_parameters;
    #[runtime::pallet_index(31)]
    pub type ParametersInForce = crate::parameters::in_force;
    #[runtime::pallet_index(32)]
    pub type Preimage = pallet_preimage;
    #[runtime::pallet_index(33)]
    pub type Scheduler = pallet_scheduler;
    #[runtime::pallet_index(34)]
    pub type Origins = crate::governance::origins;
    #[runtime::pallet_index(35)]
    pub type ConvictionVoting = pallet_conviction_voting;
    #[runtime::pallet_index(36)]
    pub type Referenda = pallet_referenda;
    #[runtime::pallet_index(37)]
    pub type Whitelist = pallet_whitelist;
    #[runtime::pallet_index(38)]
    pub type TechnicalCommittee = pallet_collective<Instance1>;
    #[runtime::pallet_index(39)]
    pub type Treasury = pallet_treasury;
    #[runtime::pallet_index(40)]
    pub type Utility = pallet_utility;
    #[cfg(feature = "dev")]
    #[runtime::pallet_index(98)]
    pub type RootOffences = pallet_root_offences;
    #[cfg(feature = "dev")]
    #[runtime::pallet_index(99)]
    pub type Sudo = pallet_sudo;
}
