//! An operator's slashes leave in the order of their captures, and none is held for ever.

use crate::{mock::*, *};
use frame_support::assert_ok;
use polkadot_sdk::frame_support;

/// In era 2: an offence of that era, then one of era 1.
fn newer_first() {
    to_era(2);
    assert_ok!(offend(3, 2, 1, 10).map_err(|_| ()));
    blocks(4);
    assert_ok!(offend(3, 1, 2, 10).map_err(|_| ()));
    assert_eq!((slash(0).era, slash(1).era), (2, 1));
}

#[test]
fn a_newer_one_waits_for_an_older_one() {
    run(|| {
        newer_first();
        blocks(7);
        // Due, but behind.
        assert_eq!(state(0), State::Queued);
        assert_eq!(state(1), State::Deferred);
        assert!(Pushed::get().is_empty());
        blocks(4);
        assert_eq!(pushed_slashes(), [1]);
        // Until Ethereum has executed the older one.
        settle();
        blocks(3);
        assert_eq!(state(0), State::Queued);
        assert_ok!(Slashing::note_outcome(1, Outcome::Executed));
        blocks(1);
        assert_eq!(pushed_slashes(), [1, 0]);
    });
}

#[test]
fn others_do_not_wait() {
    run(|| {
        newer_first();
        assert_ok!(offend(4, 2, 3, 10).map_err(|_| ()));
        blocks(11);
        assert!(pushed_slashes().contains(&2));
        assert_eq!(state(0), State::Queued);
    });
}

#[test]
fn a_cancelled_one_holds_nobody() {
    run(|| {
        newer_first();
        blocks(7);
        assert_ok!(cancel(1));
        blocks(1);
        assert_eq!(pushed_slashes(), [0]);
    });
}

#[test]
fn nor_does_one_whose_cancellation_is_on_its_way() {
    run(|| {
        newer_first();
        blocks(11);
        assert_eq!(pushed_slashes(), [1]);
        assert_ok!(cancel(1));
        blocks(1);
        assert_eq!(pushed_slashes(), [1, 0]);
    });
}

#[test]
fn without_news_from_ethereum_it_leaves_before_it_is_late() {
    run(|| {
        newer_first();
        blocks(11);
        assert_eq!(pushed_slashes(), [1]);
        // The older one is never settled.
        let last_call = slash(0).deadline - rules().relay;
        while seconds() <= last_call {
            assert_eq!(state(0), State::Queued);
            next_block();
        }
        assert_eq!(pushed_slashes(), [1, 0]);
    });
}

#[test]
fn one_that_waits_for_approval_holds_a_newer_one_until_its_deadline() {
    run(|| {
        newer_first();
        Slashes::<Test>::mutate_extant(1, |slash| slash.approved = false);
        while seconds() <= slash(1).deadline {
            assert!(Pushed::get().is_empty());
            next_block();
        }
        assert_eq!(state(1), State::Expired(Expiry::HeldTooLong));
        assert_eq!(pushed_slashes(), [0]);
    });
}

#[test]
fn what_vaults_have_overtaken_does_not_go() {
    run(|| {
        to_era(2);
        assert_ok!(offend(3, 2, 1, 10).map_err(|_| ()));
        blocks(11);
        assert_eq!(pushed_slashes(), [0]);
        assert_ok!(offend(3, 1, 2, 10).map_err(|_| ()));
        assert_eq!(state(1), State::Deferred);
        assert_ok!(Slashing::note_outcome(0, Outcome::Executed));
        blocks(1);
        assert_eq!(state(1), State::Expired(Expiry::Overtaken));
        // And if it is known from the beginning:
        assert_ok!(offend(3, 1, 3, 20).map_err(|_| ()));
        assert_eq!(state(2), State::Expired(Expiry::Overtaken));
        assert_eq!(pushed_slashes(), [0]);
    });
}

#[test]
fn slashes_of_one_capture_leave_together() {
    run(|| {
        assert_ok!(offend(3, 1, 1, 10).map_err(|_| ()));
        assert_ok!(offend(3, 1, 2, 20).map_err(|_| ()));
        assert_ok!(offend(3, 1, 3, 30).map_err(|_| ()));
        blocks(11);
        assert_eq!(pushed_slashes(), [0, 1, 2]);
    });
}

#[test]
fn every_operator_has_its_turn() {
    run(|| {
        for who in 1..VALIDATORS {
            assert_ok!(offend(who, 1, who, 10).map_err(|_| ()));
        }
        // Four per block.
        blocks(13);
        let mut pushed = pushed_slashes();
        pushed.sort_unstable();
        assert_eq!(pushed, (0..9).collect::<Vec<_>>());
    });
}
