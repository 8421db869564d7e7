//! Elections do not stop.

use crate::{
    DualElection, ElectionError, Elections, Error, Event, Parameters, VaraOnlyReason,
    VaraOnlyUntil, mock::*, tests::elections::eager,
};
use polkadot_sdk::{
    frame_election_provider_support::{ElectionProvider, bounds::ElectionBoundsBuilder},
    frame_support::{assert_noop, assert_ok},
    frame_system::RawOrigin,
    pallet_staking, sp_npos_elections,
    sp_runtime::{DispatchError, Perbill},
};

fn with_eth(test: impl FnOnce()) {
    run(|| {
        Parameters::<Test>::put(eager());
        Collateral::set([(41, ETH), (51, ETH)].into());
        test();
    });
}

#[test]
fn vara_elects_alone_if_the_election_with_eth_fails() {
    with_eth(|| {
        Failures::set(1);
        let era = next_era();
        assert_eq!(validators(), [11, 21]);
        let record = Elections::<Test>::get(era).unwrap();
        assert_eq!(record.vara_only, Some(VaraOnlyReason::Failed));
        assert_eq!((record.eth, record.eth_votes), (0, 0));
        let exposures = ValidatorElection::exposures(era).unwrap();
        assert!(exposures.iter().all(|one| one.eth_votes == 0));
        let era = next_era();
        assert_eq!(Elections::<Test>::get(era).unwrap().vara_only, None);
        assert!(validators().contains(&41) || validators().contains(&51));
    });
}

#[test]
fn validators_stay_if_nothing_can_be_elected() {
    with_eth(|| {
        Failures::set(u32::MAX);
        let era = active_era();
        let planned = pallet_staking::CurrentEra::<Test>::get();
        (0..4).for_each(|_| three_sessions());
        assert_eq!(active_era(), era);
        assert_eq!(pallet_staking::CurrentEra::<Test>::get(), planned);
        assert_eq!(validators(), [11, 21]);
        assert_eq!(SetWeights::get().len(), 2);
        Failures::set(0);
        next_era();
        assert!(validators().contains(&41) || validators().contains(&51));
    });
}

#[test]
fn errors_are_named() {
    with_eth(|| {
        Failures::set(2);
        assert_eq!(
            DualElection::<Test>::elect(0),
            Err(ElectionError::Solver(
                sp_npos_elections::Error::ArithmeticError
            ))
        );
        Bounds::set(
            ElectionBoundsBuilder::default()
                .targets_count(1.into())
                .build(),
        );
        assert_eq!(
            DualElection::<Test>::elect(0),
            Err(ElectionError::Data("Target snapshot too big"))
        );
        // And staking lives with it.
        three_sessions();
        assert_eq!(validators(), [11, 21]);
    });
}

#[test]
fn governance_lets_vara_elect_alone() {
    with_eth(|| {
        assert_ok!(ValidatorElection::force_vara_only(
            RawOrigin::Root.into(),
            2
        ));
        let until = VaraOnlyUntil::<Test>::get();
        assert!(events().contains(&Event::VaraOnly { until }));
        while active_era() + 1 < until {
            let era = next_era();
            assert_eq!(
                Elections::<Test>::get(era).unwrap().vara_only,
                Some(VaraOnlyReason::Forced)
            );
            assert_eq!(validators(), [11, 21]);
        }
        let era = next_era();
        assert_eq!(Elections::<Test>::get(era).unwrap().vara_only, None);
        // Zero ends it early; the greatest number does not overflow.
        let force = |eras| ValidatorElection::force_vara_only(RawOrigin::Root.into(), eras);
        assert_ok!(force(u32::MAX));
        assert_ok!(force(0));
        let era = next_era();
        assert_eq!(Elections::<Test>::get(era).unwrap().vara_only, None);
    });
}

#[test]
fn nobody_else_does() {
    with_eth(|| {
        for origin in [
            RawOrigin::Signed(11),
            RawOrigin::None,
            RawOrigin::Authorized,
        ] {
            assert_noop!(
                ValidatorElection::force_vara_only(origin.into(), 1),
                DispatchError::BadOrigin
            );
        }
    });
}

#[test]
fn rules_must_be_in_range() {
    run(|| {
        let good = eager();
        for mut bad in [good; 6].into_iter().enumerate() {
            match bad.0 {
                0 => bad.1.vara_share = Perbill::from_percent(49),
                1 => bad.1.full_weight = 0,
                2 => bad.1.max_operator_share = Perbill::zero(),
                3 => bad.1.max_weight = 99,
                4 => bad.1.max_weight = u32::MAX,
                _ => bad.1.vara_share = Perbill::zero(),
            }
            assert_noop!(
                ValidatorElection::apply_parameters(bad.1),
                Error::<Test>::OutOfRange
            );
        }
        assert_ok!(ValidatorElection::apply_parameters(good));
        assert_eq!(
            events().last(),
            Some(&Event::ParametersChanged { parameters: good })
        );
    });
}

/// With a share of one VARA decides all.
#[test]
fn eth_may_have_no_share() {
    with_eth(|| {
        Parameters::<Test>::mutate(|rules| rules.vara_share = Perbill::one());
        let era = next_era();
        assert_eq!(validators(), [11, 21]);
        assert_eq!(
            Elections::<Test>::get(era).unwrap().vara_only,
            Some(VaraOnlyReason::NoStake)
        );
    });
}
