//! Votes are those of one validator set.

use crate::{NextBurn, Refusal, Votes, mock::*};
use gear_exe_primitives::vote::FactsVote;
use polkadot_sdk::frame_support::assert_ok;

#[test]
fn another_set_votes_anew() {
    run(|| {
        assert_ok!(lock(0, BOB, 500));
        send(0, &[burn(0, 1, 5)]).unwrap();
        send(1, &[burn(0, 1, 5)]).unwrap();
        next_set();
        // Within the block in which the set has changed, too.
        send(2, &[burn(0, 1, 5)]).unwrap();
        assert_eq!(Votes::<Test>::iter().count(), 1);
        next_block();
        assert_eq!(NextBurn::<Test>::get(), 0);
        send(0, &[burn(0, 1, 5)]).unwrap();
        send(1, &[burn(0, 1, 5)]).unwrap();
        next_block();
        assert_eq!(NextBurn::<Test>::get(), 1);
    });
}

#[test]
fn a_quorum_of_the_set_before_decides_nothing() {
    run(|| {
        assert_ok!(lock(0, BOB, 500));
        for validator in 0..4 {
            send(validator, &[burn(0, 1, 5)]).unwrap();
        }
        next_set();
        next_block();
        assert_eq!((NextBurn::<Test>::get(), free(1)), (0, MONEY));
        assert_eq!(Votes::<Test>::iter().count(), 0);
    });
}

#[test]
fn a_vote_of_the_set_before_is_void() {
    run(|| {
        let vote = FactsVote {
            set_id: SetId::get(),
            facts: vec![burn(0, 1, 5)],
        };
        next_set();
        next_block();
        assert_eq!(send_vote(0, 0, vote), Err(Refusal::Set.into()));
    });
}

#[test]
fn a_smaller_set_needs_its_own_quorum() {
    run(|| {
        assert_ok!(lock(0, BOB, 500));
        send(3, &[burn(0, 1, 5)]).unwrap();
        Members::set(members(1));
        next_set();
        next_block();
        assert_eq!(send(3, &[burn(0, 1, 5)]), Err(Refusal::Index.into()));
        send(0, &[burn(0, 1, 5)]).unwrap();
        next_block();
        assert_eq!(free(1), MONEY + 5);
    });
}
