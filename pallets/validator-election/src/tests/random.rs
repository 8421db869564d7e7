//! Random histories of staking, collateral, governance and failing solvers. There are always validators, the books of
//! staking hold VARA only, and what was kept of an era is what staking was given.

use crate::{ElectionParameters, Parameters, mock::*};
use polkadot_sdk::{
    frame_system::RawOrigin,
    pallet_staking::{self, ValidatorPrefs},
    sp_runtime::Perbill,
};
use proptest::prelude::*;

#[derive(Clone, Copy, Debug)]
enum Action {
    Bond(usize, u16),
    Unbond(usize, u16),
    Chill(usize),
    Validate(usize),
    Nominate(usize, usize),
    Collateral(usize, u128),
    Rules(u32, u32, u32),
    VaraOnly(u32),
    Failures(u32),
    Session,
    Era,
}

fn action() -> impl Strategy<Value = Action> {
    let one = 0..CANDIDATES.len();
    prop_oneof![
        1 => (one.clone(), any::<u16>()).prop_map(|(who, amount)| Action::Bond(who, amount % 2_000)),
        1 => (one.clone(), any::<u16>()).prop_map(|(who, amount)| Action::Unbond(who, amount % 2_000)),
        1 => one.clone().prop_map(Action::Chill),
        1 => one.clone().prop_map(Action::Validate),
        1 => (one.clone(), one.clone()).prop_map(|(who, other)| Action::Nominate(who, other)),
        2 => (one, prop_oneof![Just(0), Just(u128::MAX), 1..100 * ETH])
            .prop_map(|(who, amount)| Action::Collateral(who, amount)),
        1 => (0..=110u32, 0..=110u32, 90..1_000u32)
            .prop_map(|(vara, most, weight)| Action::Rules(vara, most, weight)),
        1 => (0..3u32).prop_map(Action::VaraOnly),
        1 => (0..3u32).prop_map(Action::Failures),
        2 => Just(Action::Session),
        3 => Just(Action::Era),
    ]
}

fn apply(action: Action) {
    let account = |index: usize| CANDIDATES[index].0;
    let signed = |index: usize| RawOrigin::Signed(account(index)).into();
    // Staking may refuse; this is about what comes of what it takes.
    match action {
        Action::Bond(who, amount) => {
            let _ = Staking::bond_extra(signed(who), amount.into());
        }
        Action::Unbond(who, amount) => {
            let _ = Staking::unbond(signed(who), amount.into());
        }
        Action::Chill(who) => {
            let _ = Staking::chill(signed(who));
        }
        Action::Validate(who) => {
            let _ = Staking::validate(signed(who), ValidatorPrefs::default());
        }
        Action::Nominate(one, other) => {
            let targets = vec![account(one), account(other)];
            let _ = Staking::nominate(RawOrigin::Signed(NOMINATOR).into(), targets);
        }
        Action::Collateral(who, amount) => {
            Collateral::mutate(|all| all.insert(account(who), amount));
        }
        Action::Rules(vara, most, weight) => {
            let _ = ValidatorElection::apply_parameters(ElectionParameters {
                vara_share: Perbill::from_percent(vara),
                full_weight: 10 * ETH,
                max_operator_share: Perbill::from_percent(most),
                max_weight: weight,
            });
        }
        Action::VaraOnly(eras) => {
            ValidatorElection::force_vara_only(RawOrigin::Root.into(), eras).unwrap();
        }
        Action::Failures(count) => Failures::set(count),
        Action::Session => run_to_block(System::block_number() + 5),
        Action::Era => three_sessions(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn elections_go_on(actions in proptest::collection::vec(action(), 1..40)) {
        run(|| {
            for action in actions {
                apply(action);
                check();
                assert!(Parameters::<Test>::get().is_sound());
                assert!(!validators().is_empty());
                assert!(SetWeights::get().iter().all(|(_, weight)| *weight > 0));
                let era = active_era();
                let exposures = ValidatorElection::exposures(era).unwrap();
                for one in &exposures {
                    let staking = pallet_staking::ErasStakersOverview::<Test>::get(era, one.validator);
                    assert_eq!(staking.map(|exposure| exposure.total).unwrap_or_default(), one.vara);
                }
                let total = pallet_staking::ErasTotalStake::<Test>::get(era);
                assert_eq!(total, exposures.iter().map(|one| one.vara).sum::<u128>());
            }
        });
    }
}
