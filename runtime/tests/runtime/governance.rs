//! Governance on the runtime as it is: referenda change parameters, which take effect when an era begins.

use crate::common::{Chain, start_with};
use gear_exe_primitives::{U256, hashing::keccak256, outbox::OutboxItem};
use gear_exe_runtime::{
    Balances, ConvictionVoting, OriginCaller, Parameters, Preimage, Referenda, Runtime,
    RuntimeCall, RuntimeEvent, RuntimeOrigin, Settlement, System, TechnicalCommittee, Treasury,
    UNITS, Whitelist,
    governance::origins::Origin,
    pace,
    parameters::{
        RuntimeParameters,
        in_force::{Event, Group},
        values,
    },
};
use polkadot_sdk::{
    frame_support::{
        assert_noop, assert_ok,
        dispatch::GetDispatchInfo,
        traits::{StorePreimage, schedule::DispatchTime},
    },
    pallet_conviction_voting::{AccountVote, Conviction, Vote},
    pallet_parameters, pallet_referenda, pallet_staking,
    sp_core::Encode,
    sp_keyring::Sr25519Keyring,
    sp_runtime::{
        DispatchError,
        traits::{BlakeTwo256, Hash},
    },
};
use serde_json::json;

fn by(who: Sr25519Keyring) -> RuntimeOrigin {
    RuntimeOrigin::signed(who.to_account_id())
}

fn era() -> u32 {
    pallet_staking::ActiveEra::<Runtime>::get().unwrap().index
}

fn set(parameter: RuntimeParameters) -> RuntimeCall {
    RuntimeCall::Parameters(pallet_parameters::Call::set_parameter {
        key_value: parameter,
    })
}

fn value_per_gas(value: u128) -> RuntimeParameters {
    RuntimeParameters::Execution(values::execution::Parameters::ValuePerGas(
        values::execution::ValuePerGas,
        Some(value),
    ))
}

/// Submits a referendum that acts as `power`, and lets more than a quarter of all VARA say aye.
fn propose(chain: &mut Chain, power: impl Into<OriginCaller>, call: RuntimeCall) -> u32 {
    use Sr25519Keyring::{Alice, Bob, Charlie, Dave, Eve, Ferdie};
    let index = pallet_referenda::ReferendumCount::<Runtime>::get();
    let proposal = Preimage::bound(call).unwrap();
    let power = power.into();
    chain.act(|| {
        assert_ok!(Referenda::submit(
            by(Alice),
            Box::new(power),
            proposal,
            DispatchTime::After(0)
        ));
        assert_ok!(Referenda::place_decision_deposit(by(Bob), index));
        for voter in [Alice, Bob, Charlie, Dave, Eve, Ferdie] {
            let vote = AccountVote::Standard {
                vote: Vote {
                    aye: true,
                    conviction: Conviction::Locked1x,
                },
                balance: 800_000 * UNITS,
            };
            assert_ok!(ConvictionVoting::vote(by(voter), index, vote));
        }
    });
    index
}

fn approved(index: u32) -> bool {
    matches!(
        pallet_referenda::ReferendumInfoFor::<Runtime>::get(index),
        Some(pallet_referenda::ReferendumInfo::Approved(..))
    )
}

#[test]
fn a_referendum_changes_a_price_when_the_next_era_begins() {
    start_with("development", json!({})).execute_with(|| {
        let mut chain = Chain::new();
        chain.block(Vec::new());
        let index = propose(&mut chain, Origin::ParameterAdmin, set(value_per_gas(77)));
        chain.until(200, || approved(index));
        let enacted = || {
            pallet_parameters::Parameters::<Runtime>::iter_values()
                .any(|value| value.encode().ends_with(&77u128.encode()))
        };
        chain.until(40, enacted);
        let before = era();
        // In force before only if the era has turned since.
        let price = || pallet_execution::Parameters::<Runtime>::get().value_per_gas;
        assert_eq!(price(), 5);
        chain.until(200, || era() > before);
        assert_eq!(price(), 77);
        assert_eq!(
            gear_exe_runtime::Execution::round_facts(false)
                .parameters
                .value_per_gas,
            77
        );
    });
}

#[test]
fn nobody_else_sets_parameters() {
    start_with("development", json!({})).execute_with(|| {
        let mut chain = Chain::new();
        chain.block(Vec::new());
        let call = set(value_per_gas(77));
        for origin in [
            by(Sr25519Keyring::Alice),
            RuntimeOrigin::none(),
            Origin::StakingAdmin.into(),
            Origin::Treasurer.into(),
            Origin::WhitelistedCaller.into(),
        ] {
            assert_noop!(
                Parameters::set_parameter(origin, value_per_gas(77)),
                DispatchError::BadOrigin
            );
        }
        // A referendum of another track comes to nothing when it is enacted.
        let index = propose(&mut chain, Origin::StakingAdmin, call);
        chain.until(200, || approved(index));
        (0..40).for_each(|_| chain.block(Vec::new()));
        assert_eq!(pallet_parameters::Parameters::<Runtime>::iter().count(), 0);
    });
}

#[test]
fn values_that_would_stop_the_network_are_refused_as_a_group() {
    start_with("development", json!({})).execute_with(|| {
        let mut chain = Chain::new();
        chain.block(Vec::new());
        let bonding = values::pace::Parameters::Bonding(values::pace::Bonding, Some(1));
        let session = values::pace::Parameters::Session(values::pace::Session, Some(30));
        let limit =
            values::execution::Parameters::RoundGasLimit(values::execution::RoundGasLimit, Some(0));
        chain.act(|| {
            for parameter in [
                RuntimeParameters::Pace(bonding),
                RuntimeParameters::Pace(session),
                RuntimeParameters::Execution(limit),
            ] {
                assert_ok!(Parameters::set_parameter(
                    Origin::ParameterAdmin.into(),
                    parameter
                ));
            }
        });
        let (before, pace) = (era(), pace::InForce::<Runtime>::get());
        chain.until(200, || era() > before);
        for group in [Group::Pace, Group::Execution] {
            let refused = |event: &RuntimeEvent| {
                matches!(event, RuntimeEvent::ParametersInForce(Event::ParametersRefused { group: other, .. })
                    if *other == group)
            };
            assert!(
                System::events()
                    .iter()
                    .any(|record| refused(&record.event)),
                "{group:?}"
            );
        }
        assert_eq!(pace::InForce::<Runtime>::get(), pace);
        assert!(pallet_execution::Parameters::<Runtime>::get().round_gas_limit > 0);

        // Mended, the rest of the group counts too.
        let bonding = values::pace::Parameters::Bonding(values::pace::Bonding, Some(5));
        chain.act(|| {
            assert_ok!(Parameters::set_parameter(
                RuntimeOrigin::root(),
                RuntimeParameters::Pace(bonding)
            ));
        });
        let before = era();
        chain.until(200, || era() > before);
        let after = pace::InForce::<Runtime>::get();
        assert_eq!((after.bonding, after.session), (5, 30));
        // And sessions are shorter from then on.
        let session = || gear_exe_runtime::Session::current_index();
        let began = session();
        chain.until(31, || session() > began);
    });
}

#[test]
fn the_router_is_told_once_of_what_it_holds_too() {
    start_with("development", json!({})).execute_with(|| {
        let mut chain = Chain::new();
        chain.block(Vec::new());
        let fee = |value| {
            RuntimeParameters::Router(values::router::Parameters::RequestCodeValidationBaseFee(
                values::router::RequestCodeValidationBaseFee,
                Some(value),
            ))
        };
        let key = keccak256(["requestCodeValidationBaseFee"]);
        let change = |value: u64| OutboxItem::ParameterChange {
            key,
            value: U256::from(value),
        };
        let mut turn = |value| {
            chain.act(|| {
                assert_ok!(Parameters::set_parameter(RuntimeOrigin::root(), fee(value)));
            });
            let before = era();
            chain.until(200, || era() > before);
            Settlement::outbox(0, 9)
        };
        assert_eq!(turn(3), [change(3)]);
        assert_eq!(turn(3), [change(3)]);
        assert_eq!(turn(4), [change(3), change(4)]);
    });
}

#[test]
fn the_settlement_pauser_stops_batches() {
    start_with("development", json!({})).execute_with(|| {
        let mut chain = Chain::new();
        chain.block(Vec::new());
        let pause = RuntimeCall::Settlement(pallet_settlement::Call::pause {});
        let index = propose(&mut chain, Origin::SettlementPauser, pause);
        chain.until(100, || approved(index));
        chain.until(10, pallet_settlement::Paused::<Runtime>::get);
    });
}

#[test]
fn the_committee_speeds_up_what_all_vote_on() {
    use Sr25519Keyring::{Alice, Bob, Charlie};
    start_with("development", json!({})).execute_with(|| {
        let mut chain = Chain::new();
        chain.block(Vec::new());
        let call = set(value_per_gas(9));
        let hash = BlakeTwo256::hash_of(&call);
        chain.act(|| {
            let members = [Alice, Bob, Charlie].map(|member| member.to_account_id());
            assert_ok!(TechnicalCommittee::set_members(
                RuntimeOrigin::root(),
                members.to_vec(),
                None,
                0
            ));
            assert_noop!(
                Whitelist::whitelist_call(by(Alice), hash),
                DispatchError::BadOrigin
            );
            let motion =
                RuntimeCall::Whitelist(polkadot_sdk::pallet_whitelist::Call::whitelist_call {
                    call_hash: hash,
                });
            let (length, weight) = (
                motion.encoded_size() as u32,
                motion.get_dispatch_info().call_weight,
            );
            let motion_hash = BlakeTwo256::hash_of(&motion);
            assert_ok!(TechnicalCommittee::propose(
                by(Alice),
                2,
                Box::new(motion),
                length
            ));
            for member in [Alice, Bob] {
                assert_ok!(TechnicalCommittee::vote(by(member), motion_hash, 0, true));
            }
            assert_ok!(TechnicalCommittee::close(
                by(Alice),
                motion_hash,
                0,
                weight,
                length
            ));
        });
        let dispatch = RuntimeCall::Whitelist(
            polkadot_sdk::pallet_whitelist::Call::dispatch_whitelisted_call_with_preimage {
                call: Box::new(call),
            },
        );
        let index = propose(&mut chain, Origin::WhitelistedCaller, dispatch);
        chain.until(60, || approved(index));
        chain.until(40, || {
            pallet_parameters::Parameters::<Runtime>::iter().count() == 1
        });
    });
}

#[test]
fn the_treasury_pays_what_a_spender_may_spend() {
    start_with("development", json!({})).execute_with(|| {
        let mut chain = Chain::new();
        chain.block(Vec::new());
        let payee = Sr25519Keyring::Ferdie.to_account_id();
        let before = Balances::free_balance(&payee);
        let issued = Balances::total_issuance();
        chain.act(|| {
            let spend = |origin: RuntimeOrigin, amount: u128| {
                Treasury::spend(origin, Box::new(()), amount, Box::new(payee.clone()), None)
            };
            assert_noop!(
                spend(Origin::SmallSpender.into(), 10_001 * UNITS),
                polkadot_sdk::pallet_treasury::Error::<Runtime>::InsufficientPermission
            );
            assert_noop!(
                spend(by(Sr25519Keyring::Alice), 1),
                DispatchError::BadOrigin
            );
            assert_ok!(spend(Origin::SmallSpender.into(), 10_000 * UNITS));
            assert_ok!(Treasury::payout(by(Sr25519Keyring::Alice), 0));
        });
        assert_eq!(Balances::free_balance(&payee), before + 10_000 * UNITS);
        assert_eq!(Balances::total_issuance(), issued);
    });
}
