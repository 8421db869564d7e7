//! Versions of storage: what the genesis says is what the code expects, and an upgrade without a migration changes nothing.

use crate::common::{Chain, start, start_with};
use gear_exe_runtime::{
    AllPalletsWithSystem, Balances, DelegatedStaking, Execution, Executive, Grandpa, Historical,
    ImOnline, NominationPools, Offences, Pace, ParametersInForce, Preimage, Referenda, Restaking,
    Runtime, Scheduler, Session, Settlement, Slashing, Staking, TechnicalCommittee,
    ValidatorElection, pace,
};
use polkadot_sdk::{
    frame_support::traits::{
        GetStorageVersion, PalletInfoAccess, PalletsInfoAccess, StorageVersion,
    },
    sp_runtime::StateVersion,
};
use serde_json::json;

/// Version on the chain, version in the code.
fn versions<P>() -> (&'static str, StorageVersion, StorageVersion)
where
    P: GetStorageVersion<InCodeStorageVersion = StorageVersion> + PalletInfoAccess,
{
    (
        P::name(),
        P::on_chain_storage_version(),
        P::in_code_storage_version(),
    )
}

macro_rules! versions_of {
    ($($pallet:ty),* $(,)?) => { [$(versions::<$pallet>()),*] };
}

#[test]
fn a_genesis_has_the_versions_of_the_code() {
    for preset in ["development", "local"] {
        start(preset).execute_with(|| {
            let ours = versions_of!(
                Pace,
                Restaking,
                ValidatorElection,
                Execution,
                Settlement,
                Slashing,
                ParametersInForce,
            );
            for (name, on_chain, in_code) in ours {
                assert_eq!(on_chain, in_code, "{name}");
                assert_eq!(in_code, StorageVersion::new(1), "{name}");
            }
            let theirs = versions_of!(
                Balances,
                Staking,
                Historical,
                Session,
                Offences,
                Grandpa,
                ImOnline,
                DelegatedStaking,
                NominationPools,
                Preimage,
                Scheduler,
                Referenda,
                TechnicalCommittee,
            );
            for (name, on_chain, in_code) in theirs {
                assert_eq!(on_chain, in_code, "{name}");
            }
        });
    }
}

/// Whoever adds a pallet of ours names it above.
#[test]
fn no_pallet_of_ours_is_without_a_version() {
    // `Origins` stores nothing.
    let ours = [
        "pace",
        "pallet_restaking",
        "pallet_validator_election",
        "pallet_execution",
        "pallet_settlement",
        "pallet_slashing",
        "in_force",
        "origins",
    ];
    let found: Vec<_> = AllPalletsWithSystem::infos()
        .into_iter()
        .filter(|info| info.module_name.starts_with("crate::") || ours.contains(&info.module_name))
        .map(|info| info.name)
        .collect();
    assert_eq!(
        found,
        [
            "Pace",
            "Restaking",
            "ValidatorElection",
            "Execution",
            "Settlement",
            "Slashing",
            "ParametersInForce",
            "Origins"
        ]
    );
}

#[test]
fn an_upgrade_without_migrations_changes_nothing() {
    start_with("development", json!({})).execute_with(|| {
        let mut chain = Chain::new();
        (0..3).for_each(|_| chain.block(Vec::new()));
        let root = || polkadot_sdk::sp_io::storage::root(StateVersion::V1);
        let before = root();
        let _ = Executive::execute_on_runtime_upgrade();
        assert_eq!(root(), before);
        // Were something changed, it would be seen.
        pace::InForce::<Runtime>::mutate(|durations| durations.day += 1);
        assert_ne!(root(), before);
    });
}

/// What `try-runtime` does before an upgrade: all of the state decodes, and every pallet's invariants hold after it.
#[test]
fn an_upgrade_can_be_tried() {
    use polkadot_sdk::frame_try_runtime::UpgradeCheckSelect;
    start_with("local", json!({})).execute_with(|| {
        let mut chain = Chain::new();
        (0..3).for_each(|_| chain.block(Vec::new()));
        assert!(Executive::try_runtime_upgrade(UpgradeCheckSelect::All).is_ok());
    });
}
