//! Kinds of offences: what each costs, in VARA and in ETH, alone and together.

use crate::{mock::*, offences::*, *};
use frame_support::assert_ok;
use gear_exe_primitives::faults::{BrokenPromise, TwoPromises, TwoRounds, WrongRound};
use polkadot_sdk::{
    frame_support, pallet_staking,
    sp_runtime::Perbill,
    sp_staking::offence::{Offence, ReportOffence},
};

#[test]
fn fractions_grow_with_the_square_of_the_offenders() {
    let percent = Perbill::from_percent;
    assert_eq!(correlated(1, 10), percent(9));
    assert_eq!(correlated(2, 10), percent(36));
    assert_eq!(correlated(3, 10), percent(81));
    assert_eq!(correlated(4, 10), percent(100));
    assert_eq!(correlated(u32::MAX, 1), percent(100));
    assert_eq!(correlated(1, 0), percent(100));
    let double = |validators| DoubleSignature {
        session: 1,
        validators,
        offender: 1u64,
        seal: Default::default(),
        floor: percent(5),
    };
    assert_eq!(double(10).slash_fraction(1), percent(9));
    // One of a hundred: nine in ten thousand, but for the floor.
    assert_eq!(double(100).slash_fraction(1), percent(5));
    assert_eq!(double(100).slash_fraction(10), percent(9));
}

#[test]
fn absence_follows_the_curve_of_im_online() {
    let absence = Absence::<u64> {
        session: 1,
        validators: 50,
        offenders: vec![],
        maximum: Perbill::from_percent(7),
    };
    // Six of fifty may be away.
    assert_eq!(absence.slash_fraction(6), Perbill::zero());
    assert_eq!(absence.slash_fraction(7), Perbill::from_parts(4_200_000));
    assert_eq!(absence.slash_fraction(17), Perbill::from_parts(46_200_000));
    assert_eq!(absence.slash_fraction(50), Perbill::from_percent(7));
}

#[test]
fn kinds_have_names_of_their_own() {
    let kinds = [
        DoubleSignature::<()>::KIND,
        TwoHeaders::<()>::KIND,
        AgainstQuorum::<()>::KIND,
        Absence::<()>::KIND,
        TwoRounds::KIND,
        TwoPromises::KIND,
        WrongRound::KIND,
        BrokenPromise::KIND,
        *b"grandpa:equivoca",
        UNNAMED,
    ];
    for (place, kind) in kinds.iter().enumerate() {
        assert!(!kinds[..place].contains(kind));
    }
    assert_eq!(ethereum(&Absence::<()>::KIND), Ethereum::Spared);
    assert_eq!(ethereum(b"im-online:offlin"), Ethereum::Spared);
    assert_eq!(ethereum(&AgainstQuorum::<()>::KIND), Ethereum::Approved);
    assert_eq!(ethereum(b"grandpa:equivoca"), Ethereum::Slashed);
    // Two signatures prove themselves; what is said against a quorum may be the quorum's fault.
    assert_eq!(ethereum(&TwoRounds::KIND), Ethereum::Slashed);
    assert_eq!(ethereum(&TwoPromises::KIND), Ethereum::Slashed);
    assert_eq!(ethereum(&WrongRound::KIND), Ethereum::Approved);
    assert_eq!(ethereum(&BrokenPromise::KIND), Ethereum::Approved);
}

#[test]
fn a_double_signature_costs_both_assets() {
    run(|| {
        let number = System::block_number();
        assert_ok!(report(double_sign(3, number)));
        let slash = slash(0);
        assert_eq!(slash.validator, 3);
        assert_eq!(slash.operator, operator(3));
        assert_eq!(slash.kind, DoubleSignature::<()>::KIND);
        assert_eq!(slash.fraction, Perbill::from_percent(9));
        assert_eq!(slash.era, 1);
        assert_eq!(slash.vara.len(), 1);
        // Taken by Staking when its own deferral is over, with a reward for who reported it.
        let all = balance(3) + balance(TREASURY) + balance(REPORTER);
        to_era(5);
        assert_eq!(2 * STAKE - balance(3), STAKE * 9 / 100);
        assert!(balance(REPORTER) > 1_000);
        assert_eq!(balance(3) + balance(TREASURY) + balance(REPORTER), all);
        assert_eq!(pushed_slashes(), [0]);
    });
}

#[test]
fn who_offends_together_pays_more() {
    run(|| {
        let number = System::block_number();
        assert_ok!(report(double_sign(3, number)));
        assert_ok!(report(double_sign(4, number)));
        // The first one's slash is raised, not doubled.
        assert_eq!(NextId::<Test>::get(), 2);
        assert_eq!(slash(0).fraction, Perbill::from_percent(36));
        assert_eq!(slash(1).fraction, Perbill::from_percent(36));
        assert_eq!(slash(0).vara.len(), 2);
        assert!(events().contains(&Event::SlashRaised {
            id: 0,
            fraction: Perbill::from_percent(36)
        }));
        to_era(5);
        for who in [3, 4] {
            assert_eq!(2 * STAKE - balance(who), STAKE * 36 / 100);
        }
        let fractions: Vec<_> = Pushed::get()
            .into_iter()
            .filter_map(|commitment| match commitment {
                Commitment::Slash { fraction, .. } => Some(fraction),
                Commitment::Cancel { .. } => None,
            })
            .collect();
        assert_eq!(fractions, [360_000_000, 360_000_000]);
    });
}

#[test]
fn nominators_of_vara_pay_with_their_validator() {
    run(|| {
        assert_ok!(report(double_sign(1, System::block_number())));
        to_era(5);
        assert!(balance(1) < 2 * STAKE);
        assert!(balance(21) < 2 * STAKE);
    });
}

#[test]
fn absence_costs_no_eth() {
    run(|| {
        let session = Session::current_index();
        assert_ok!(Slashing::report_absence(session, 10, vec![3, 4, 5, 6]).map_err(|_| ()));
        assert_eq!(NextId::<Test>::get(), 0);
        // (4 - 2) · 3 / 10 of one percent.
        to_era(5);
        assert_eq!(2 * STAKE - balance(3), STAKE * 6 / 1_000);
        assert!(Slashing::report_absence(session, 10, vec![3]).is_err());
    });
}

#[test]
fn a_validator_without_address_pays_in_vara_only() {
    run(|| {
        assert_ok!(report(double_sign(10, System::block_number())));
        assert_eq!(NextId::<Test>::get(), 0);
        to_era(5);
        assert!(balance(10) < 2 * STAKE);
    });
}

#[test]
fn without_a_capture_eth_did_not_count() {
    run(|| {
        WithoutEth::set(vec![1]);
        assert_ok!(report(double_sign(3, System::block_number())));
        assert_eq!(NextId::<Test>::get(), 0);
    });
}

#[test]
fn the_validator_is_disabled() {
    run(|| {
        assert_ok!(report(double_sign(3, System::block_number())));
        assert_eq!(Session::disabled_validators().len(), 1);
    });
}

#[test]
fn an_offence_before_the_bonds_is_refused() {
    run(|| {
        to_era(9);
        let (oldest, _) = OverStaking::<Test>::oldest();
        assert_eq!(oldest, 3);
        // Staking's filter drops it without an error.
        assert!(offend(3, 1, 7, 10).is_ok());
        assert_eq!(NextId::<Test>::get(), 0);
        assert!(
            pallet_staking::UnappliedSlashes::<Test>::iter_values()
                .all(|slashes| slashes.is_empty())
        );
        // Past the filter the handler refuses it itself.
        let offence = Custom {
            offenders: vec![3],
            session: 4,
            slot: 8,
            fraction: Perbill::from_percent(10),
        };
        assert!(<Noted<Test, Offences>>::report_offence(vec![], offence).is_ok());
        assert_eq!(NextId::<Test>::get(), 0);
    });
}

#[test]
fn an_offence_that_came_past_the_note_is_taken_too() {
    run(|| {
        let offence = Custom {
            offenders: vec![3],
            session: 4,
            slot: 8,
            fraction: Perbill::from_percent(10),
        };
        assert!(Offences::report_offence(vec![], offence).is_ok());
        assert_eq!(slash(0).kind, UNNAMED);
    });
}
