//! What an operator loses in ETH: the greatest fraction of each era, once, up to the maximum.

use crate::{mock::*, *};
use frame_support::assert_ok;
use polkadot_sdk::{frame_support, sp_runtime::Perbill};

fn percent(id: u64) -> u32 {
    slash(id).fraction.deconstruct() / 10_000_000
}

#[test]
fn only_the_difference_is_taken_again() {
    run(|| {
        assert_ok!(offend(3, 1, 1, 10).map_err(|_| ()));
        assert_ok!(offend(3, 1, 2, 8).map_err(|_| ()));
        assert_eq!(NextId::<Test>::get(), 1);
        assert_ok!(offend(3, 1, 3, 30).map_err(|_| ()));
        assert_eq!((percent(0), percent(1)), (10, 20));
        assert_eq!(Slashing::lost(1, operator(3)), Perbill::from_percent(30));
        // Another era counts anew.
        to_era(2);
        assert_ok!(offend(3, 2, 4, 30).map_err(|_| ()));
        assert_eq!(percent(2), 30);
        assert_eq!(slash(2).capture, capture(2));
    });
}

#[test]
fn never_more_than_the_maximum_of_an_era() {
    run(|| {
        assert_ok!(offend(3, 1, 1, 40).map_err(|_| ()));
        assert_ok!(offend(3, 1, 2, 90).map_err(|_| ()));
        assert_ok!(offend(3, 1, 3, 100).map_err(|_| ()));
        assert_eq!((percent(0), percent(1)), (40, 10));
        assert_eq!(NextId::<Test>::get(), 2);
        // A lower maximum takes nothing back, and nothing more.
        Rules::set(SlashingParameters {
            maximum_per_era: Perbill::from_percent(20),
            ..rules()
        });
        assert_ok!(offend(3, 1, 4, 100).map_err(|_| ()));
        assert_eq!(NextId::<Test>::get(), 2);
        assert_ok!(offend(4, 1, 4, 100).map_err(|_| ()));
        assert_eq!(percent(2), 20);
    });
}

#[test]
fn the_commitment_says_what_ethereum_must_know() {
    run(|| {
        assert_ok!(offend(3, 1, 1, 10).map_err(|_| ()));
        blocks(12);
        assert_eq!(
            Pushed::get(),
            [Commitment::Slash {
                id: 0,
                operator: operator(3),
                fraction: 100_000_000,
                capture: capture(1),
            }]
        );
        assert_eq!(state(0), State::Committed { item: 0 });
    });
}

#[test]
fn the_chain_learns_what_ethereum_has() {
    run(|| {
        assert_ok!(offend(3, 1, 1, 10).map_err(|_| ()));
        blocks(12);
        settle();
        blocks(2);
        assert!(matches!(state(0), State::Requested { .. }));
        // Nobody says more: in time it is over.
        assert!(!Slashing::is_clear(operator(3)));
        blocks(25);
        assert!(Slashing::is_clear(operator(3)));
        assert!(matches!(state(0), State::Requested { .. }));
        assert_eq!(
            Queues::<Test>::get(operator(3)).map(|queue| queue.executed),
            Some(capture(1))
        );
    });
}

#[test]
fn the_middleware_may_say_more() {
    run(|| {
        for who in [3, 4, 5] {
            assert_ok!(offend(who, 1, who, 10).map_err(|_| ()));
        }
        let unknown = Slashing::note_outcome(9, Outcome::Executed);
        assert_eq!(unknown, Err(Error::<Test>::UnknownSlash.into()));
        let early = Slashing::note_outcome(0, Outcome::Executed);
        assert_eq!(early, Err(Error::<Test>::WrongState.into()));
        blocks(12);
        settle();
        blocks(2);
        assert_ok!(Slashing::note_outcome(0, Outcome::Executed));
        assert_ok!(Slashing::note_outcome(1, Outcome::Vetoed));
        assert_ok!(Slashing::note_outcome(2, Outcome::Refused));
        assert_eq!(state(0), State::Executed);
        assert_eq!(state(1), State::Vetoed);
        assert_eq!(state(2), State::Expired(Expiry::Refused));
        assert!(events().contains(&Event::SlashExecuted { id: 0 }));
        assert!((3..6).all(|who| Slashing::is_clear(operator(who))));
        let again = Slashing::note_outcome(0, Outcome::Refused);
        assert_eq!(again, Err(Error::<Test>::WrongState.into()));
        // What has failed on Ethereum is not lost there.
        assert_eq!(Slashing::lost(1, operator(3)), Perbill::from_percent(10));
        assert_eq!(Slashing::lost(1, operator(5)), Perbill::zero());
    });
}

#[test]
fn old_eras_are_forgotten() {
    run(|| {
        assert_ok!(offend(3, 1, 1, 10).map_err(|_| ()));
        to_era(9);
        assert_eq!(OldestEra::<Test>::get(), 3);
        assert_eq!(Slashes::<Test>::iter().count(), 0);
        assert_eq!(EraSlashes::<Test>::iter().count(), 0);
        assert_eq!(Reached::<Test>::iter().count(), 0);
        // The executed capture matters no longer than the window.
        to_era(12);
        assert_eq!(Queues::<Test>::iter().count(), 0);
        assert!(Signers::<Test>::iter().count() < 12);
        assert!(SessionStarts::<Test>::iter().count() <= 24);
    });
}
