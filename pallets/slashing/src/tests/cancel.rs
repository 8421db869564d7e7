//! Cancelling: both assets, at any time at which something can still be saved, and for good.

use crate::{mock::*, *};
use frame_support::{assert_noop, assert_ok};
use polkadot_sdk::{frame_support, pallet_staking, sp_runtime::DispatchError};

fn unapplied() -> usize {
    pallet_staking::UnappliedSlashes::<Test>::iter_values()
        .map(|slashes| slashes.len())
        .sum()
}

#[test]
fn in_time_nothing_falls() {
    run(|| {
        assert_ok!(offend(1, 1, 1, 10).map_err(|_| ()));
        assert_eq!(unapplied(), 1);
        assert_noop!(
            Slashing::cancel(RuntimeOrigin::signed(REPORTER), 0),
            DispatchError::BadOrigin
        );
        assert_ok!(cancel(0));
        assert!(events().contains(&Event::SlashCancelled {
            id: 0,
            ethereum: true,
            vara: 1
        }));
        assert_eq!(state(0), State::Cancelled);
        assert_eq!(unapplied(), 0);
        assert!(Slashing::is_clear(operator(1)));
        to_era(6);
        assert!(Pushed::get().is_empty());
        for who in [1, 20, 21] {
            assert_eq!(balance(who), 2 * STAKE);
        }
    });
}

#[test]
fn others_are_not_touched() {
    run(|| {
        for who in [3, 4, 5] {
            assert_ok!(offend(who, 1, who, 10).map_err(|_| ()));
        }
        assert_ok!(offend(3, 1, 9, 30).map_err(|_| ()));
        assert_ok!(cancel(1));
        assert_ok!(cancel(0));
        to_era(5);
        let mut pushed = pushed_slashes();
        pushed.sort_unstable();
        assert_eq!(pushed, [2, 3]);
        assert_eq!(balance(4), 2 * STAKE);
        assert_eq!(2 * STAKE - balance(5), STAKE / 10);
        // Of the third validator the second offence stays: what it took beyond the first.
        assert_eq!(2 * STAKE - balance(3), STAKE / 5);
        assert_eq!(slash(3).fraction.deconstruct(), 200_000_000);
    });
}

#[test]
fn in_the_outbox_the_cancellation_follows() {
    run(|| {
        assert_ok!(offend(3, 1, 1, 10).map_err(|_| ()));
        blocks(12);
        assert_ok!(cancel(0));
        assert_eq!(Pushed::get().last(), Some(&Commitment::Cancel { id: 0 }));
        let cancelling = State::Cancelling {
            item: 1,
            slash: Some(0),
        };
        assert_eq!(state(0), cancelling);
        assert_noop!(cancel(0), Error::<Test>::AlreadyCancelled);
        settle();
        blocks(2);
        // That it is there does not mean that it came in time.
        assert_eq!(state(0), cancelling);
        assert_ok!(Slashing::note_outcome(0, Outcome::Vetoed));
        assert_eq!(state(0), State::Vetoed);
        assert!(events().contains(&Event::SlashVetoed { id: 0 }));
        assert_noop!(cancel(0), Error::<Test>::AlreadyCancelled);
        to_era(6);
        assert_eq!(balance(3), 2 * STAKE);
        assert_eq!(Slashing::lost(1, operator(3)), Default::default());
    });
}

#[test]
fn after_it_was_relayed_it_is_vetoed() {
    run(|| {
        assert_ok!(offend(3, 1, 1, 10).map_err(|_| ()));
        blocks(12);
        settle();
        blocks(2);
        assert!(matches!(state(0), State::Requested { .. }));
        assert_ok!(Slashing::cancel(root(), 0));
        assert_eq!(Pushed::get().last(), Some(&Commitment::Cancel { id: 0 }));
        settle();
        blocks(2);
        assert_ok!(Slashing::note_outcome(0, Outcome::Vetoed));
        assert_eq!(state(0), State::Vetoed);
        assert!(Slashing::is_clear(operator(3)));
    });
}

/// A slash whose cancellation is settled on Ethereum, and of which nothing more is known.
fn cancelled_on_ethereum() {
    assert_ok!(offend(3, 1, 1, 10).map_err(|_| ()));
    blocks(12);
    settle();
    blocks(2);
    assert_ok!(cancel(0));
    settle();
    blocks(2);
    assert!(matches!(state(0), State::Cancelling { .. }));
}

#[test]
fn what_the_vault_has_paid_before_is_executed() {
    run(|| {
        cancelled_on_ethereum();
        assert_ok!(Slashing::note_outcome(0, Outcome::Executed));
        assert_eq!(state(0), State::Executed);
        let events = events();
        assert!(events.contains(&Event::SlashExecuted { id: 0 }));
        assert!(!events.contains(&Event::SlashVetoed { id: 0 }));
        // It is lost, and holds back what is older: vaults pay for none before.
        assert_eq!(
            Slashing::lost(1, operator(3)),
            polkadot_sdk::sp_runtime::Perbill::from_percent(10)
        );
        assert_eq!(
            Queues::<Test>::get(operator(3)).map(|queue| queue.executed),
            Some(capture(1))
        );
        assert!(Slashing::is_clear(operator(3)));
        // VARA was saved all the same.
        to_era(6);
        assert_eq!(balance(3), 2 * STAKE);
    });
}

#[test]
fn what_ethereum_has_refused_is_no_veto() {
    run(|| {
        cancelled_on_ethereum();
        assert_ok!(Slashing::note_outcome(0, Outcome::Refused));
        assert_eq!(state(0), State::Expired(Expiry::Refused));
        assert_eq!(Slashing::lost(1, operator(3)), Default::default());
    });
}

#[test]
fn ethereum_is_asked_as_soon_as_the_slash_is_there() {
    run(|| {
        for who in [3, 4] {
            assert_ok!(offend(who, 1, who, 10).map_err(|_| ()));
        }
        blocks(12);
        assert_eq!(Pushed::get().len(), 2);
        assert_ok!(cancel(0));
        assert_ok!(cancel(1));
        let on_ethereum = || [0, 1].map(|id| state(id).is_on_ethereum(SettledEnd::<Test>::get()));
        assert_eq!(on_ethereum(), [false, false]);
        // One of them: the cancellations are not there yet.
        Slashing::note_settled(1);
        assert_eq!(on_ethereum().iter().filter(|there| **there).count(), 1);
        Slashing::note_settled(2);
        assert_eq!(on_ethereum(), [true, true]);
        // The vault may have paid before the cancellation left.
        assert_ok!(Slashing::note_outcome(0, Outcome::Executed));
        assert_eq!(state(0), State::Executed);
        settle();
        blocks(2);
        assert_eq!(state(0), State::Executed);
        assert_eq!(on_ethereum(), [false, true]);
    });
}

#[test]
fn if_nobody_says_more_it_is_neither_vetoed_nor_executed() {
    run(|| {
        cancelled_on_ethereum();
        assert!(!Slashing::is_clear(operator(3)));
        let end = slash(0).end;
        while seconds() <= end {
            next_block();
        }
        blocks(3);
        // It holds nobody any more, and may still be told of.
        assert!(Slashing::is_clear(operator(3)));
        assert!(matches!(state(0), State::Cancelling { .. }));
        assert!(!events().iter().any(|event| matches!(
            event,
            Event::SlashVetoed { .. } | Event::SlashExecuted { .. } | Event::SlashExpired { .. }
        )));
        assert_ok!(Slashing::note_outcome(0, Outcome::Vetoed));
        assert_eq!(state(0), State::Vetoed);
    });
}

#[test]
fn too_late_for_eth_it_saves_vara() {
    run(|| {
        SlashDeferDuration::set(5);
        assert_ok!(offend(3, 1, 1, 10).map_err(|_| ()));
        blocks(12);
        settle();
        blocks(2);
        assert_ok!(Slashing::note_outcome(0, Outcome::Executed));
        assert_ok!(cancel(0));
        assert!(events().contains(&Event::SlashCancelled {
            id: 0,
            ethereum: false,
            vara: 1
        }));
        assert_eq!(state(0), State::Executed);
        assert_noop!(cancel(0), Error::<Test>::TooLate);
        to_era(8);
        assert_eq!(balance(3), 2 * STAKE);
    });
}

#[test]
fn too_late_for_both_is_said() {
    run(|| {
        assert_ok!(offend(3, 1, 1, 10).map_err(|_| ()));
        blocks(12);
        settle();
        to_era(5);
        assert!(balance(3) < 2 * STAKE);
        assert!(matches!(state(0), State::Requested { .. }));
        assert_noop!(cancel(0), Error::<Test>::TooLate);
        assert_noop!(cancel(7), Error::<Test>::UnknownSlash);
    });
}

#[test]
fn what_is_forgiven_does_not_come_back_with_others() {
    run(|| {
        let number = System::block_number();
        assert_ok!(report(double_sign(3, number)));
        assert_ok!(cancel(0));
        // Two more commit the same offence: without forgiveness the first would pay for three.
        assert_ok!(report(double_sign(4, number)));
        assert_ok!(report(double_sign(5, number)));
        assert_eq!(NextId::<Test>::get(), 3);
        assert_eq!(slash(2).validator, 5);
        // They count together all the same, up to the maximum.
        assert_eq!(slash(1).fraction.deconstruct(), 500_000_000);
        to_era(5);
        assert_eq!(balance(3), 2 * STAKE);
        assert_eq!(2 * STAKE - balance(4), STAKE * 81 / 100);
        let mut pushed = pushed_slashes();
        pushed.sort_unstable();
        assert_eq!(pushed, [1, 2]);
    });
}

#[test]
fn a_raised_slash_is_cancelled_as_a_whole() {
    run(|| {
        let number = System::block_number();
        for who in [3, 4, 5] {
            assert_ok!(report(double_sign(who, number)));
        }
        // What each had to pay was decided in one to three steps.
        assert_eq!(unapplied(), 6);
        assert_ok!(cancel(0));
        assert_eq!(unapplied(), 3);
        assert_ok!(cancel(1));
        assert_ok!(cancel(2));
        assert_eq!(unapplied(), 0);
    });
}

#[test]
fn another_offence_of_the_same_era_is_not_forgiven() {
    run(|| {
        assert_ok!(offend(3, 1, 1, 10).map_err(|_| ()));
        assert_ok!(cancel(0));
        // What it takes beyond the first, as with Staking.
        assert_ok!(offend(3, 1, 2, 30).map_err(|_| ()));
        assert_eq!(slash(1).fraction.deconstruct(), 200_000_000);
        to_era(5);
        assert_eq!(2 * STAKE - balance(3), STAKE / 5);
        assert_eq!(pushed_slashes(), [1]);
    });
}

#[test]
fn staking_may_have_cancelled_by_itself() {
    run(|| {
        assert_ok!(offend(3, 1, 1, 10).map_err(|_| ()));
        assert_ok!(offend(4, 1, 2, 10).map_err(|_| ()));
        // Offences of era 1 are taken in era 5.
        assert_ok!(Staking::cancel_deferred_slash(root(), 5, vec![0]));
        assert_ok!(cancel(1));
        assert!(events().contains(&Event::SlashCancelled {
            id: 1,
            ethereum: true,
            vara: 1
        }));
        assert_ok!(cancel(0));
        assert!(events().contains(&Event::SlashCancelled {
            id: 0,
            ethereum: true,
            vara: 0
        }));
    });
}

#[test]
fn vara_that_was_reported_late_is_cancelled_too() {
    run(|| {
        to_era(6);
        assert_ok!(offend(3, 1, 1, 10).map_err(|_| ()));
        assert_ok!(offend(4, 1, 2, 10).map_err(|_| ()));
        assert_ok!(cancel(0));
        assert_eq!(state(0), State::Expired(Expiry::ReportedLate));
        to_era(7);
        assert_eq!(balance(3), 2 * STAKE);
        assert_eq!(2 * STAKE - balance(4), STAKE / 10);
        assert_noop!(cancel(1), Error::<Test>::TooLate);
    });
}
