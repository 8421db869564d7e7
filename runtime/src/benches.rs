//! Benchmarks of our pallets, as the node's `benchmark` command calls them.

use crate::{
    AccountId, AllPalletsWithSystem, Bridge, Execution, Restaking, Rewards, Settlement, Slashing,
    ValidatorElection,
};
use alloc::{string::String, vec::Vec};
use polkadot_sdk::{
    frame_benchmarking::{self, BenchmarkBatch, BenchmarkConfig, BenchmarkList},
    frame_support::traits::{StorageInfo, StorageInfoTrait, WhitelistedStorageKeys},
    pallet_treasury,
};

frame_benchmarking::define_benchmarks!(
    [pallet_bridge, Bridge]
    [pallet_execution, Execution]
    [pallet_restaking, Restaking]
    [pallet_rewards, Rewards]
    [pallet_settlement, Settlement]
    [pallet_slashing, Slashing]
    [pallet_validator_election, ValidatorElection]
);

/// Which benchmarks there are.
pub(crate) fn metadata(extra: bool) -> (Vec<BenchmarkList>, Vec<StorageInfo>) {
    let mut list = Vec::new();
    list_benchmarks!(list, extra);
    (list, AllPalletsWithSystem::storage_info())
}

/// Runs one.
pub(crate) fn dispatch(config: BenchmarkConfig) -> Result<Vec<BenchmarkBatch>, String> {
    let whitelist = AllPalletsWithSystem::whitelisted_storage_keys();
    let mut batches = Vec::new();
    let params = (&config, &whitelist);
    add_benchmarks!(params, batches);
    Ok(batches)
}

/// Accounts that the treasury's benchmarks pay.
pub struct TreasuryArguments;

impl pallet_treasury::ArgumentsFactory<(), AccountId> for TreasuryArguments {
    fn create_asset_kind(_: u32) {}

    fn create_beneficiary(seed: [u8; 32]) -> AccountId {
        seed.into()
    }
}
