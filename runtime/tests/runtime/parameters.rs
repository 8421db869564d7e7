//! Parameters of restaking, elections, batches and slashing: what governance sets is in force when the next era begins, in the
//! pallet that uses it; what would not fit is refused, then and at the genesis.
//!
//! * `parameters/deposits.rs`: what is held, and given back as it was held.
//! * `parameters/governance.rs`: days, tracks, windows, spenders.
//! * `parameters/chain.rs`: fees, staking, inflation.

use crate::common::{Chain, start_with};
use gear_exe_runtime::{
    Parameters, Runtime, RuntimeEvent, RuntimeOrigin, System,
    governance::origins::Origin,
    pace,
    parameters::{
        RuntimeParameters as Set,
        in_force::{Event, Group},
        values,
    },
};
use pallet_restaking::RestakingParameters;
use pallet_slashing::SlashingParameters;
use pallet_validator_election::ElectionParameters;
use polkadot_sdk::{frame_support::assert_ok, pallet_staking, sp_runtime::Perbill};
use serde_json::json;
use values::{election, pace as pace_values, restaking, settlement, slashing};

const DAY: u64 = 86_400;

fn era() -> u32 {
    pallet_staking::ActiveEra::<Runtime>::get().unwrap().index
}

fn next_era(chain: &mut Chain) {
    let before = era();
    chain.until(400, || {
        // The Router takes every handover at once.
        let current = pallet_settlement::CurrentSet::<Runtime>::get();
        pallet_settlement::Settled::<Runtime>::mutate(|settled| settled.set_id = current);
        era() > before
    });
}

/// Governance sets these.
fn set(chain: &mut Chain, parameters: impl IntoIterator<Item = Set>) {
    chain.act(|| {
        for parameter in parameters {
            assert_ok!(Parameters::set_parameter(
                Origin::ParameterAdmin.into(),
                parameter
            ));
        }
    });
}

/// The groups that were refused in this block, each once, with the reason.
fn refusals() -> Vec<(Group, String)> {
    System::events()
        .into_iter()
        .filter_map(|record| match record.event {
            RuntimeEvent::ParametersInForce(Event::ParametersRefused { group, reason }) => {
                Some((group, reason))
            }
            _ => None,
        })
        .collect()
}

/// The groups that were refused in this block, each once.
fn refused() -> Vec<Group> {
    refusals().into_iter().map(|(group, _)| group).collect()
}

/// Root sets these: what governance decides by is not for its tracks.
fn set_as_root(chain: &mut Chain, parameters: impl IntoIterator<Item = Set>) {
    chain.act(|| {
        for parameter in parameters {
            assert_ok!(Parameters::set_parameter(RuntimeOrigin::root(), parameter));
        }
    });
}

macro_rules! parameter {
    ($group:ident, $module:ident, $name:ident, $value:expr) => {
        Set::$group($module::Parameters::$name($module::$name, Some($value)))
    };
}

/// A parameter of slashing, set and as if it had never been set.
macro_rules! both {
    ($name:ident, $value:expr) => {
        (
            parameter!(Slashing, slashing, $name, $value),
            Set::Slashing(slashing::Parameters::$name(slashing::$name, None)),
        )
    };
}

mod chain;
mod deposits;
mod governance;

fn on_a_new_chain(test: impl FnOnce(&mut Chain)) {
    start_with("development", json!({})).execute_with(|| {
        let mut chain = Chain::new();
        chain.block(Vec::new());
        test(&mut chain);
    });
}

#[test]
fn restaking_takes_its_rules_when_an_era_begins() {
    on_a_new_chain(|chain| {
        let rules = RestakingParameters {
            max_growth: Perbill::from_percent(7),
            growth_step: 8,
            reuse_haircut: Perbill::from_percent(9),
        };
        set(
            chain,
            [
                parameter!(Restaking, restaking, MaxGrowth, rules.max_growth),
                parameter!(Restaking, restaking, GrowthStep, rules.growth_step),
                parameter!(Restaking, restaking, ReuseHaircut, rules.reuse_haircut),
            ],
        );
        let in_force = pallet_restaking::Parameters::<Runtime>::get;
        assert_eq!(in_force(), RestakingParameters::default());
        next_era(chain);
        assert_eq!(in_force(), rules);
        assert_eq!(refused(), []);
        set(chain, [parameter!(Restaking, restaking, GrowthStep, 0)]);
        next_era(chain);
        assert_eq!(in_force(), rules);
        assert_eq!(refused(), [Group::Restaking]);
    });
}

#[test]
fn elections_take_their_rules_when_an_era_begins() {
    on_a_new_chain(|chain| {
        let rules = ElectionParameters {
            vara_share: Perbill::from_percent(80),
            full_weight: 5,
            max_operator_share: Perbill::from_percent(10),
            max_weight: 300,
        };
        set(
            chain,
            [
                parameter!(Election, election, VaraShare, rules.vara_share),
                parameter!(Election, election, FullWeight, rules.full_weight),
                parameter!(
                    Election,
                    election,
                    MaxOperatorShare,
                    rules.max_operator_share
                ),
                parameter!(Election, election, MaxWeight, rules.max_weight),
            ],
        );
        let in_force = pallet_validator_election::Parameters::<Runtime>::get;
        assert_eq!(in_force(), ElectionParameters::default());
        next_era(chain);
        assert_eq!(in_force(), rules);
        // One that is out of range holds back the others of its group.
        set(
            chain,
            [
                parameter!(Election, election, VaraShare, Perbill::from_percent(49)),
                parameter!(Election, election, MaxWeight, 200),
            ],
        );
        next_era(chain);
        assert_eq!(in_force(), rules);
        assert_eq!(refused(), [Group::Election]);
    });
}

#[test]
fn batches_stay_such_that_ethereum_mines_them() {
    on_a_new_chain(|chain| {
        let limits = || pallet_settlement::Parameters::<Runtime>::get().limits;
        let before = limits();
        set(
            chain,
            [
                parameter!(Settlement, settlement, MaxBatchGas, 16_000_000),
                parameter!(Settlement, settlement, GasOfByte, 60),
            ],
        );
        next_era(chain);
        assert_eq!((limits().max_gas, limits().gas.byte), (16_000_000, 60));
        assert_eq!(limits().max_bytes, before.max_bytes);
        for bad in [
            parameter!(Settlement, settlement, MaxBatchGas, (1 << 24) + 1),
            parameter!(Settlement, settlement, MaxBatchGas, 800_000),
            parameter!(Settlement, settlement, MaxBatchGas, 0),
        ] {
            set(chain, [bad]);
            next_era(chain);
            assert_eq!(refused(), [Group::Settlement]);
            assert_eq!(limits().max_gas, 16_000_000);
        }
        set(
            chain,
            [
                parameter!(Settlement, settlement, MaxBatchGas, 16_000_000),
                parameter!(Settlement, settlement, MaxBatchBytes, (128 << 10) + 1),
            ],
        );
        next_era(chain);
        assert_eq!(refused(), [Group::Settlement]);
        assert_eq!(limits().max_bytes, before.max_bytes);
    });
}

#[test]
fn a_slash_that_would_come_too_late_is_never_in_force() {
    on_a_new_chain(|chain| {
        let in_force = gear_exe_runtime::parameters::in_force::Slashing::<Runtime>::get;
        let before = in_force();
        assert_eq!(before, SlashingParameters::default());
        // Blocks of half a second: two days of reports, four of deferral, half a day of relay, four of execution.
        for (bad, as_before) in [
            both!(Window, 10 * DAY),
            both!(Reporting, 7 * DAY),
            both!(Relay, 6 * DAY),
            both!(Execution, u64::MAX),
            both!(Deferral, 1_300_000),
        ] {
            set(chain, [bad.clone()]);
            next_era(chain);
            assert_eq!(refused(), [Group::Slashing], "{bad:?}");
            assert_eq!(in_force(), before, "{bad:?}");
            set(chain, [as_before]);
        }
        // What does fit is taken.
        set(chain, [parameter!(Slashing, slashing, Reporting, 3 * DAY)]);
        next_era(chain);
        assert_eq!(refused(), []);
        assert_eq!(in_force().reporting, 3 * DAY);
    });
}

#[test]
fn longer_eras_need_a_longer_window() {
    on_a_new_chain(|chain| {
        let pace = || pace::InForce::<Runtime>::get();
        let window = || gear_exe_runtime::parameters::in_force::Slashing::<Runtime>::get().window;
        // Three eras of more than a day do not fit into what is left of fourteen days.
        let longer = parameter!(Pace, pace_values, SessionsPerEra, 30_000);
        set(chain, [longer.clone()]);
        next_era(chain);
        assert_eq!(refused(), [Group::Pace]);
        assert_eq!(pace().sessions_per_era, 3);
        // With a window for it, both are taken together.
        set(
            chain,
            [longer, parameter!(Slashing, slashing, Window, 28 * DAY)],
        );
        next_era(chain);
        assert_eq!(refused(), []);
        assert_eq!((pace().sessions_per_era, window()), (30_000, 28 * DAY));
    });
}

#[test]
#[should_panic(expected = "slashes of ETH would come too late")]
fn a_genesis_whose_slashes_come_too_late_is_refused() {
    start_with(
        "development",
        json!({ "parametersInForce": { "slashing": { "window": 5 * DAY } } }),
    );
}

#[test]
#[should_panic(expected = "slashes of ETH would come too late")]
fn a_genesis_whose_eras_are_too_long_is_refused() {
    start_with(
        "development",
        json!({ "pace": { "durations": { "session": 2_000_000 } } }),
    );
}

#[test]
#[should_panic(expected = "no operator could ever count")]
fn a_genesis_in_which_nobody_could_begin_is_refused() {
    start_with(
        "development",
        json!({ "restaking": { "parameters": { "growth_step": 0 } } }),
    );
}
