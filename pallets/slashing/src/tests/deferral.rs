//! When a slash leaves the chain, and when it is too late for it.

use crate::{mock::*, offences::AgainstQuorum, *};
use frame_support::{assert_noop, assert_ok};
use gear_exe_primitives::H256;
use polkadot_sdk::{frame_support, sp_runtime::DispatchError};

#[test]
fn it_waits_for_its_time() {
    run(|| {
        assert_ok!(offend(3, 1, 1, 10).map_err(|_| ()));
        let due = System::block_number() + 10;
        assert_eq!(slash(0).due, due);
        while System::block_number() < due - 1 {
            next_block();
            assert_eq!(state(0), State::Deferred);
        }
        assert!(Pushed::get().is_empty());
        next_block();
        assert_eq!(state(0), State::Committed { item: 0 });
        // Staking's deferral is longer.
        assert_eq!(balance(3), 2 * STAKE);
    });
}

#[test]
fn a_raise_does_not_delay_it() {
    run(|| {
        let number = System::block_number();
        assert_ok!(report(double_sign(3, number)));
        let due = slash(0).due;
        blocks(8);
        assert_ok!(report(double_sign(4, number)));
        assert_eq!(slash(0).due, due);
        assert!(slash(1).due > due);
        blocks(2);
        assert_eq!(pushed_slashes(), [0]);
    });
}

#[test]
fn what_comes_after_the_first_has_left_is_a_second() {
    run(|| {
        let number = System::block_number();
        assert_ok!(report(double_sign(3, number)));
        blocks(12);
        // The seal's set is the one of then.
        SetId::mutate(|set| *set -= u64::from(slash(0).era != active_era()));
        assert_ok!(report(double_sign(4, number)));
        let parts = |id: u64| slash(id).fraction.deconstruct() / 10_000_000;
        assert_eq!((parts(0), parts(1), parts(2)), (9, 27, 36));
    });
}

#[test]
fn reported_too_late_it_does_not_go_to_ethereum() {
    run(|| {
        to_era(6);
        assert!(seconds() > capture(1) + 450);
        assert_ok!(offend(3, 1, 1, 10).map_err(|_| ()));
        assert_eq!(state(0), State::Expired(Expiry::ReportedLate));
        assert!(events().contains(&Event::SlashExpired {
            id: 0,
            reason: Expiry::ReportedLate
        }));
        assert!(Slashing::is_clear(operator(3)));
        blocks(20);
        assert!(Pushed::get().is_empty());
        // But ETH of the era in which it was reported is not touched by it.
        assert_eq!(Reached::<Test>::get(6, operator(3)), Default::default());
        // Staking alone would have kept VARA's part for era 5, which is over.
        assert_eq!(2 * STAKE - balance(3), STAKE / 10);
    });
}

#[test]
fn deferred_beyond_its_deadline_it_expires() {
    run(|| {
        Rules::set(SlashingParameters {
            deferral: 1_000,
            ..rules()
        });
        assert_ok!(offend(3, 1, 1, 10).map_err(|_| ()));
        while seconds() <= slash(0).deadline {
            assert_eq!(state(0), State::Deferred);
            next_block();
        }
        assert_eq!(state(0), State::Expired(Expiry::HeldTooLong));
        assert!(Pushed::get().is_empty());
    });
}

#[test]
fn a_batch_that_is_never_settled_ends_with_the_window() {
    run(|| {
        assert_ok!(offend(3, 1, 1, 10).map_err(|_| ()));
        blocks(12);
        while seconds() <= slash(0).end {
            assert_eq!(state(0), State::Committed { item: 0 });
            next_block();
        }
        assert_eq!(state(0), State::Expired(Expiry::NotSettled));
        assert!(Slashing::is_clear(operator(3)));
    });
}

#[test]
fn against_the_quorum_it_needs_approval() {
    run(|| {
        let number = System::block_number();
        let decided = batch(number, 1).digest(&DOMAIN);
        DecidedSeals::mutate(|seals| seals.insert((number, seal_hash(number)), decided));
        for who in [3, 4] {
            let wrong = sign_batch(who, batch(number, 2));
            assert_ok!(report(Evidence::AgainstQuorum(wrong)));
        }
        assert_eq!(slash(0).kind, AgainstQuorum::<()>::KIND);
        assert!(!slash(0).approved);
        blocks(20);
        assert_eq!(state(0), State::Deferred);
        assert_noop!(
            Slashing::approve(RuntimeOrigin::signed(CANCELLER), 0),
            DispatchError::BadOrigin
        );
        assert_noop!(Slashing::approve(root(), 9), Error::<Test>::UnknownSlash);
        assert_ok!(Slashing::approve(root(), 0));
        assert_noop!(Slashing::approve(root(), 0), Error::<Test>::WrongState);
        next_block();
        assert_eq!(pushed_slashes(), [0]);
        // The other one is forgotten by governance.
        while seconds() <= slash(1).deadline {
            next_block();
        }
        assert_eq!(state(1), State::Expired(Expiry::HeldTooLong));
        assert_noop!(Slashing::approve(root(), 1), Error::<Test>::WrongState);
    });
}

#[test]
fn approval_is_too_late_after_the_deadline() {
    run(|| {
        let number = System::block_number();
        let decided = H256::repeat_byte(1);
        DecidedSeals::mutate(|seals| seals.insert((number, seal_hash(number)), decided));
        let wrong = sign_batch(3, batch(number, 2));
        assert_ok!(report(Evidence::AgainstQuorum(wrong)));
        Slashes::<Test>::mutate_extant(0, |slash| slash.deadline = seconds() - 1);
        assert_noop!(Slashing::approve(root(), 0), Error::<Test>::TooLate);
    });
}

#[test]
fn windows_must_fit() {
    let rules = SlashingParameters::default();
    let day = 24 * 3_600;
    // A capture of three eras of half a day, two days of reports, blocks of 250 ms: ten days of fourteen.
    assert!(rules.fits(3 * day / 2, 250));
    assert!(!rules.fits(3 * day / 2, 1_000));
    assert!(!rules.fits(u64::MAX, u64::MAX));
    let late = SlashingParameters {
        reporting: 7 * day,
        ..rules
    };
    assert!(!late.fits(3 * day / 2, 250));
}
