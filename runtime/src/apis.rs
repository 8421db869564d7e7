//! What the node may ask of the runtime.

use crate::{
    AccountId, AuraId, Balance, Block, Execution, Executive, Grandpa, Historical,
    InherentDataExt as _, NominationPools, Nonce, Rewards, Runtime, RuntimeGenesisConfig, Session,
    SessionKeys, Settlement, Staking, System, TransactionPayment, VERSION, genesis, pace,
};
use alloc::vec::Vec;
use codec::Encode;
use gear_exe_primitives::{
    CodeId, H160, H256,
    batch::RouterDomain,
    ethereum::EthereumHeader,
    outbox::OutboxItem,
    report::{ReadyBatch, RoundFacts, SealStatus, SlotAuthor, ValidatorSet},
    rewards::RewardProof,
    round::ExecutionParameters,
    settlement::SealFacts,
    vote::{CodeAnswer, RouterAt, Verdict},
};
use polkadot_sdk::{
    frame_support::{
        genesis_builder_helper::{build_state, get_preset},
        traits::KeyOwnerProofSystem,
        weights::Weight,
    },
    frame_system_rpc_runtime_api, pallet_aura, pallet_grandpa,
    pallet_nomination_pools::PoolId,
    pallet_nomination_pools_runtime_api, pallet_staking_runtime_api, pallet_transaction_payment,
    pallet_transaction_payment_rpc_runtime_api as payment_api,
    sp_api::{self, impl_runtime_apis},
    sp_block_builder, sp_consensus_aura, sp_consensus_grandpa,
    sp_core::{
        OpaqueMetadata,
        crypto::{KeyTypeId, key_types},
    },
    sp_genesis_builder, sp_inherents, sp_offchain, sp_runtime,
    sp_runtime::{
        ApplyExtrinsicResult,
        traits::{Block as BlockT, NumberFor},
        transaction_validity::{TransactionSource, TransactionValidity},
    },
    sp_session, sp_staking, sp_transaction_pool,
    sp_version::RuntimeVersion,
};

impl_runtime_apis! {
    impl sp_api::Core<Block> for Runtime {
        fn version() -> RuntimeVersion {
            VERSION
        }

        fn execute_block(block: <Block as BlockT>::LazyBlock) {
            Executive::execute_block(block);
        }

        fn initialize_block(header: &<Block as BlockT>::Header) -> sp_runtime::ExtrinsicInclusionMode {
            Executive::initialize_block(header)
        }
    }

    impl sp_api::Metadata<Block> for Runtime {
        fn metadata() -> OpaqueMetadata {
            OpaqueMetadata::new(Runtime::metadata().into())
        }

        fn metadata_at_version(version: u32) -> Option<OpaqueMetadata> {
            Runtime::metadata_at_version(version)
        }

        fn metadata_versions() -> Vec<u32> {
            Runtime::metadata_versions()
        }
    }

    impl sp_block_builder::BlockBuilder<Block> for Runtime {
        fn apply_extrinsic(extrinsic: <Block as BlockT>::Extrinsic) -> ApplyExtrinsicResult {
            Executive::apply_extrinsic(extrinsic)
        }

        fn finalize_block() -> <Block as BlockT>::Header {
            Executive::finalize_block()
        }

        fn inherent_extrinsics(data: sp_inherents::InherentData) -> Vec<<Block as BlockT>::Extrinsic> {
            data.create_extrinsics()
        }

        fn check_inherents(
            block: <Block as BlockT>::LazyBlock,
            data: sp_inherents::InherentData,
        ) -> sp_inherents::CheckInherentsResult {
            data.check_extrinsics(&block)
        }
    }

    impl sp_transaction_pool::runtime_api::TaggedTransactionQueue<Block> for Runtime {
        fn validate_transaction(
            source: TransactionSource,
            transaction: <Block as BlockT>::Extrinsic,
            block_hash: <Block as BlockT>::Hash,
        ) -> TransactionValidity {
            Executive::validate_transaction(source, transaction, block_hash)
        }
    }

    impl sp_offchain::OffchainWorkerApi<Block> for Runtime {
        fn offchain_worker(header: &<Block as BlockT>::Header) {
            Executive::offchain_worker(header)
        }
    }

    impl sp_consensus_aura::AuraApi<Block, AuraId> for Runtime {
        fn slot_duration() -> sp_consensus_aura::SlotDuration {
            sp_consensus_aura::SlotDuration::from_millis(pace::SlotDuration::<Runtime>::get())
        }

        fn authorities() -> Vec<AuraId> {
            pallet_aura::Authorities::<Runtime>::get().into_inner()
        }
    }

    impl sp_session::SessionKeys<Block> for Runtime {
        fn generate_session_keys(owner: Vec<u8>, seed: Option<Vec<u8>>) -> sp_session::OpaqueGeneratedSessionKeys {
            SessionKeys::generate(&owner, seed).into()
        }

        fn decode_session_keys(encoded: Vec<u8>) -> Option<Vec<(Vec<u8>, KeyTypeId)>> {
            SessionKeys::decode_into_raw_public_keys(&encoded)
        }
    }

    impl sp_consensus_grandpa::GrandpaApi<Block> for Runtime {
        fn grandpa_authorities() -> sp_consensus_grandpa::AuthorityList {
            Grandpa::grandpa_authorities()
        }

        fn current_set_id() -> sp_consensus_grandpa::SetId {
            pallet_grandpa::CurrentSetId::<Runtime>::get()
        }

        fn submit_report_equivocation_unsigned_extrinsic(
            equivocation: sp_consensus_grandpa::EquivocationProof<
                <Block as BlockT>::Hash,
                NumberFor<Block>,
            >,
            key_owner: sp_consensus_grandpa::OpaqueKeyOwnershipProof,
        ) -> Option<()> {
            Grandpa::submit_unsigned_equivocation_report(equivocation, key_owner.decode()?)
        }

        fn generate_key_ownership_proof(
            _: sp_consensus_grandpa::SetId,
            authority: sp_consensus_grandpa::AuthorityId,
        ) -> Option<sp_consensus_grandpa::OpaqueKeyOwnershipProof> {
            Historical::prove((sp_consensus_grandpa::KEY_TYPE, authority))
                .map(|proof| sp_consensus_grandpa::OpaqueKeyOwnershipProof::new(proof.encode()))
        }
    }

    impl pallet_staking_runtime_api::StakingApi<Block, Balance, AccountId> for Runtime {
        fn nominations_quota(balance: Balance) -> u32 {
            Staking::api_nominations_quota(balance)
        }

        fn eras_stakers_page_count(era: sp_staking::EraIndex, account: AccountId) -> sp_staking::Page {
            Staking::api_eras_stakers_page_count(era, account)
        }

        fn pending_rewards(era: sp_staking::EraIndex, account: AccountId) -> bool {
            Staking::api_pending_rewards(era, account)
        }
    }

    impl pallet_nomination_pools_runtime_api::NominationPoolsApi<Block, AccountId, Balance> for Runtime {
        fn pending_rewards(who: AccountId) -> Balance {
            NominationPools::api_pending_rewards(who).unwrap_or_default()
        }

        fn points_to_balance(pool: PoolId, points: Balance) -> Balance {
            NominationPools::api_points_to_balance(pool, points)
        }

        fn balance_to_points(pool: PoolId, funds: Balance) -> Balance {
            NominationPools::api_balance_to_points(pool, funds)
        }

        fn pool_pending_slash(pool: PoolId) -> Balance {
            NominationPools::api_pool_pending_slash(pool)
        }

        fn member_pending_slash(member: AccountId) -> Balance {
            NominationPools::api_member_pending_slash(member)
        }

        fn pool_needs_delegate_migration(pool: PoolId) -> bool {
            NominationPools::api_pool_needs_delegate_migration(pool)
        }

        fn member_needs_delegate_migration(member: AccountId) -> bool {
            NominationPools::api_member_needs_delegate_migration(member)
        }

        fn member_total_balance(who: AccountId) -> Balance {
            NominationPools::api_member_total_balance(who)
        }

        fn pool_balance(pool: PoolId) -> Balance {
            NominationPools::api_pool_balance(pool)
        }

        fn pool_accounts(pool: PoolId) -> (AccountId, AccountId) {
            NominationPools::api_pool_accounts(pool)
        }
    }

    impl frame_system_rpc_runtime_api::AccountNonceApi<Block, AccountId, Nonce> for Runtime {
        fn account_nonce(account: AccountId) -> Nonce {
            System::account_nonce(account)
        }
    }

    impl payment_api::TransactionPaymentApi<Block, Balance> for Runtime {
        fn query_info(
            extrinsic: <Block as BlockT>::Extrinsic,
            length: u32,
        ) -> payment_api::RuntimeDispatchInfo<Balance> {
            TransactionPayment::query_info(extrinsic, length)
        }

        fn query_fee_details(
            extrinsic: <Block as BlockT>::Extrinsic,
            length: u32,
        ) -> pallet_transaction_payment::FeeDetails<Balance> {
            TransactionPayment::query_fee_details(extrinsic, length)
        }

        fn query_weight_to_fee(weight: Weight) -> Balance {
            TransactionPayment::weight_to_fee(weight)
        }

        fn query_length_to_fee(length: u32) -> Balance {
            TransactionPayment::length_to_fee(length)
        }
    }

    impl sp_genesis_builder::GenesisBuilder<Block> for Runtime {
        fn build_state(config: Vec<u8>) -> sp_genesis_builder::Result {
            build_state::<RuntimeGenesisConfig>(config)
        }

        fn get_preset(id: &Option<sp_genesis_builder::PresetId>) -> Option<Vec<u8>> {
            get_preset::<RuntimeGenesisConfig>(id, genesis::get_preset)
        }

        fn preset_names() -> Vec<sp_genesis_builder::PresetId> {
            genesis::preset_names()
        }
    }

    impl gear_exe_primitives::runtime_api::ExecutionApi<Block> for Runtime {
        fn round_facts() -> RoundFacts {
            Execution::round_facts(Settlement::seal().is_some())
        }

        fn anchor() -> EthereumHeader {
            pallet_execution::Anchor::<Runtime>::get()
        }

        fn finalised() -> EthereumHeader {
            pallet_execution::Finalised::<Runtime>::get()
        }

        fn ethereum_header(hash: H256) -> Option<EthereumHeader> {
            Execution::header(hash)
        }

        fn ethereum_ancestors(hash: H256, limit: u32) -> Vec<EthereumHeader> {
            Execution::ancestors(hash, limit)
        }

        fn is_reference_open(hash: H256) -> Option<bool> {
            Execution::is_reference_open(hash)
        }

        fn code_result(code_id: CodeId, request_id: H256) -> Option<Verdict> {
            pallet_execution::CodeAnswers::<Runtime>::get(code_id, request_id)
                .map(|answer| answer.verdict)
        }

        fn code_answer(code_id: CodeId, request_id: H256) -> Option<CodeAnswer> {
            pallet_execution::CodeAnswers::<Runtime>::get(code_id, request_id)
        }

        fn is_code_valid(code_id: CodeId) -> bool {
            pallet_execution::Codes::<Runtime>::contains_key(code_id)
        }

        fn parameters() -> ExecutionParameters {
            pallet_execution::Parameters::<Runtime>::get()
        }
    }

    impl gear_exe_primitives::runtime_api::SlashingApi<Block> for Runtime {
        fn aura_key_owner(key: Vec<u8>) -> Option<Vec<u8>> {
            Historical::prove((key_types::AURA, key)).map(|proof| proof.encode())
        }

        // Aura's authorities are the session's validators, in their order.
        fn slot_author(slot: u64) -> Option<SlotAuthor> {
            let validators = Session::validators();
            let index = slot.checked_rem(validators.len() as u64)?;
            let account = validators.get(usize::try_from(index).ok()?)?;
            let set_id = pallet_settlement::CurrentSet::<Runtime>::get();
            let signers = pallet_slashing::Signers::<Runtime>::get(set_id)?;
            let (address, _) = signers.members.into_iter().find(|(_, of)| of == account)?;
            Some(SlotAuthor { set_id, address })
        }
    }

    impl gear_exe_primitives::runtime_api::SettlementApi<Block> for Runtime {
        fn seal() -> Option<SealFacts> {
            Settlement::seal()
        }

        fn seals() -> Vec<SealStatus> {
            Settlement::seals()
        }

        fn outbox(from: u64, to: u64) -> Vec<OutboxItem> {
            Settlement::outbox(from, to)
        }

        fn outbox_range() -> (u64, u64) {
            (
                pallet_settlement::OutboxStart::<Runtime>::get(),
                pallet_settlement::OutboxEnd::<Runtime>::get(),
            )
        }

        fn ready_batches() -> Vec<ReadyBatch> {
            Settlement::ready_batches()
        }

        fn router() -> RouterAt {
            pallet_settlement::Router::<Runtime>::get()
        }

        fn domain() -> Option<RouterDomain> {
            pallet_settlement::Domain::<Runtime>::get()
        }

        fn validator_set() -> ValidatorSet {
            Settlement::validator_set()
        }

        fn validator_set_at(id: u64) -> Option<ValidatorSet> {
            Settlement::validator_set_at(id)
        }
    }

    impl gear_exe_primitives::runtime_api::RewardsApi<Block> for Runtime {
        fn proof(era: u32, address: H160) -> Option<RewardProof> {
            Rewards::proof(era, address)
        }

        fn pool_share(member: AccountId) -> u128 {
            Rewards::pool_share(&member)
        }
    }

    #[cfg(feature = "try-runtime")]
    impl polkadot_sdk::frame_try_runtime::TryRuntime<Block> for Runtime {
        fn on_runtime_upgrade(
            checks: polkadot_sdk::frame_try_runtime::UpgradeCheckSelect,
        ) -> (Weight, Weight) {
            let used = Executive::try_runtime_upgrade(checks).expect("the upgrade succeeds");
            (used, crate::configs::BlockWeights::get().max_block)
        }

        fn execute_block(
            block: <Block as BlockT>::LazyBlock,
            state_root_check: bool,
            signature_check: bool,
            select: polkadot_sdk::frame_try_runtime::TryStateSelect,
        ) -> Weight {
            Executive::try_execute_block(block, state_root_check, signature_check, select)
                .expect("the block executes")
        }
    }

    #[cfg(feature = "runtime-benchmarks")]
    impl polkadot_sdk::frame_benchmarking::Benchmark<Block> for Runtime {
        fn benchmark_metadata(
            extra: bool,
        ) -> (
            Vec<polkadot_sdk::frame_benchmarking::BenchmarkList>,
            Vec<polkadot_sdk::frame_support::traits::StorageInfo>,
        ) {
            crate::benches::metadata(extra)
        }

        fn dispatch_benchmark(
            config: polkadot_sdk::frame_benchmarking::BenchmarkConfig,
        ) -> Result<Vec<polkadot_sdk::frame_benchmarking::BenchmarkBatch>, alloc::string::String> {
            crate::benches::dispatch(config)
        }
    }
}
