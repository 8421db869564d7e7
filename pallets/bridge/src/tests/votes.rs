//! Which votes are taken, what a quorum is, and what liars achieve.

use crate::{BURN_WINDOW, Error, MAX_SAID, NextBurn, Refusal, Votes, mock::*};
use gear_exe_primitives::{
    facts::{MAX_FACTS, SlashFate},
    signature::CompactSignature,
    vote::FactsVote,
};
use polkadot_sdk::{
    frame_support::{assert_noop, assert_ok},
    frame_system::RawOrigin,
    sp_runtime::DispatchError,
};

#[test]
fn a_quorum_of_heads_and_weight_decides() {
    run(|| {
        assert_ok!(lock(0, BOB, 500));
        for validator in 0..2 {
            send(validator, &[burn(0, 1, 5)]).unwrap();
        }
        next_block();
        assert_eq!(free(1), MONEY);
        send(2, &[burn(0, 1, 5)]).unwrap();
        // Counted at the beginning of the next block.
        assert_eq!(free(1), MONEY);
        next_block();
        assert_eq!(free(1), MONEY + 5);
    });
}

#[test]
fn weight_counts_too() {
    run(|| {
        assert_ok!(lock(0, BOB, 500));
        Members::mutate(|members| members[3].weight = 10);
        for validator in 0..3 {
            send(validator, &[burn(0, 1, 5)]).unwrap();
        }
        next_block();
        assert_eq!(free(1), MONEY);
        send(3, &[burn(0, 1, 5)]).unwrap();
        next_block();
        assert_eq!(free(1), MONEY + 5);
    });
}

#[test]
fn a_lying_minority_changes_nothing() {
    run(|| {
        assert_ok!(lock(0, BOB, 500));
        let lies = [burn(0, 3, 500), burn(1, 3, 500), burn(2, 3, 500)];
        send(3, &lies).unwrap();
        for validator in 0..3 {
            send(validator, &[burn(0, 1, 5), burn(1, 2, 6)]).unwrap();
        }
        next_block();
        assert_eq!((free(1), free(2), free(3)), (MONEY + 5, MONEY + 6, MONEY));
        // A burn that the honest do not see is none, for ever.
        for _ in 0..5 {
            next_block();
        }
        assert_eq!((free(3), NextBurn::<Test>::get()), (MONEY, 2));
        assert_eq!(send(3, &[burn(2, 3, 499)]), Err(Refusal::Said.into()));
        // Once it happens it is what the honest see.
        agree(&[burn(2, 4, 7)]);
        assert_eq!((free(3), free(4)), (MONEY, MONEY + 7));
    });
}

#[test]
fn two_that_say_different_things_are_no_quorum() {
    run(|| {
        assert_ok!(lock(0, BOB, 500));
        send(0, &[burn(0, 1, 5)]).unwrap();
        send(1, &[burn(0, 1, 5)]).unwrap();
        send(2, &[burn(0, 1, 6)]).unwrap();
        send(3, &[burn(0, 2, 5)]).unwrap();
        next_block();
        assert_eq!((free(1), free(2)), (MONEY, MONEY));
        assert_eq!(NextBurn::<Test>::get(), 0);
    });
}

#[test]
fn everybody_says_one_thing_on_a_subject() {
    run(|| {
        send(1, &[burn(0, 1, 5)]).unwrap();
        for other in [burn(0, 1, 5), burn(0, 1, 6), burn(0, 2, 5)] {
            assert_eq!(send(1, &[other]), Err(Refusal::Said.into()));
        }
        // What is new in a vote is taken, and nothing else.
        send(1, &[burn(0, 2, 9), burn(1, 1, 7)]).unwrap();
        assert_eq!(
            Votes::<Test>::get(1).into_inner(),
            [burn(0, 1, 5), burn(1, 1, 7)]
        );
    });
}

#[test]
fn only_what_is_asked_is_taken() {
    run(|| {
        let window = u64::from(BURN_WINDOW);
        assert_eq!(send(0, &[burn(window, 1, 5)]), Err(Refusal::Said.into()));
        assert_eq!(send(0, &[burn(u64::MAX, 1, 5)]), Err(Refusal::Said.into()));
        assert_eq!(
            send(0, &[slash(7, SlashFate::Executed)]),
            Err(Refusal::Said.into())
        );
        send(0, &[burn(window - 1, 1, 5)]).unwrap();
        // Beside what is asked, what is not is left out.
        Open::set(vec![7]);
        let facts = [
            burn(0, 1, 5),
            burn(window, 1, 5),
            slash(7, SlashFate::Vetoed),
            slash(8, SlashFate::Vetoed),
        ];
        send(1, &facts).unwrap();
        assert_eq!(Votes::<Test>::get(1).into_inner(), [facts[0], facts[2]]);
        // What is applied is not asked again.
        send(0, &[burn(0, 1, 5)]).unwrap();
        send(2, &[burn(0, 1, 5)]).unwrap();
        next_block();
        assert_eq!(NextBurn::<Test>::get(), 1);
        assert_eq!(send(3, &[burn(0, 1, 5)]), Err(Refusal::Said.into()));
    });
}

#[test]
fn malformed_votes_are_refused() {
    run(|| {
        let many: Vec<_> = (0..=MAX_FACTS as u64).map(|n| burn(n, 1, 5)).collect();
        for facts in [
            &[][..],
            &many,
            &[burn(1, 1, 5), burn(0, 1, 5)],
            &[burn(0, 1, 5), burn(0, 1, 5)],
            &[burn(0, 1, 5), burn(0, 2, 6)],
        ] {
            assert_eq!(send(0, facts), Err(Refusal::Facts.into()));
        }
        send(0, &many[..MAX_FACTS]).unwrap();
        assert_eq!(Votes::<Test>::get(0).len(), BURN_WINDOW as usize);
        let vote = |set_id| FactsVote {
            set_id,
            facts: vec![burn(0, 1, 5)],
        };
        assert_eq!(send_vote(1, 1, vote(0)), Err(Refusal::Set.into()));
        assert_eq!(send_vote(1, 1, vote(2)), Err(Refusal::Set.into()));
        assert_eq!(send_vote(1, 4, vote(1)), Err(Refusal::Index.into()));
        assert_eq!(send_vote(1, u32::MAX, vote(1)), Err(Refusal::Index.into()));
        assert_eq!(send_vote(2, 1, vote(1)), Err(Refusal::Signature.into()));
        send_vote(1, 1, vote(1)).unwrap();
    });
}

#[test]
fn only_authorised_calls_vote() {
    run(|| {
        let vote = FactsVote {
            set_id: 1,
            facts: vec![burn(0, 1, 5)],
        };
        for origin in [
            RawOrigin::Root,
            RawOrigin::None,
            RawOrigin::Signed(account(0)),
        ] {
            let signature = CompactSignature([1; 64]);
            assert_noop!(
                Bridge::submit_facts(origin.into(), vote.clone(), 0, signature)
                    .map_err(|error| error.error),
                DispatchError::BadOrigin
            );
        }
    });
}

#[test]
fn a_vote_that_came_too_late_is_an_error_and_no_change() {
    run(|| {
        send(0, &[burn(0, 1, 5)]).unwrap();
        // Two copies in one block: the pool checked both before either was dispatched.
        let vote = FactsVote {
            set_id: 1,
            facts: vec![burn(0, 1, 5)],
        };
        assert_noop!(
            Bridge::submit_facts(
                RawOrigin::Authorized.into(),
                vote,
                0,
                CompactSignature([1; 64])
            )
            .map_err(|error| error.error),
            Error::<Test>::NotWanted
        );
    });
}

/// A validator that says whatever it may: what is kept of it is bounded, and its votes end.
#[test]
fn one_validator_cannot_flood() {
    run(|| {
        assert_ok!(lock(0, BOB, 500));
        Open::set((0..200).collect());
        let mut sent = 0;
        for round in 0..20u64 {
            let facts: Vec<_> = (0..8)
                .map(|n| burn(2 * n + round % 2, 3, 500))
                .chain((10 * round..10 * round + 10).map(|id| slash(id, SlashFate::Refused)))
                .collect();
            if send(3, &facts).is_ok() {
                sent += 1;
            }
        }
        assert!(sent < 12, "{sent} votes");
        assert!(Votes::<Test>::get(3).len() <= MAX_SAID as usize);
        assert_eq!(
            send(3, &[slash(199, SlashFate::Refused)]),
            Err(Refusal::Said.into())
        );
        assert!(Ended::get().is_empty());
        // The honest go on.
        let most: Vec<_> = (0..200).map(|id| slash(id, SlashFate::Executed)).collect();
        for facts in most.chunks(MAX_FACTS) {
            agree(facts);
            next_block();
        }
        assert_eq!(Ended::get().len(), 200);
        assert!(
            Ended::get()
                .iter()
                .all(|(_, fate)| *fate == SlashFate::Executed)
        );
        // And it may speak again of what comes.
        Open::set(vec![1_000]);
        send(3, &[slash(1_000, SlashFate::Executed)]).unwrap();
        assert_eq!(Votes::<Test>::get(3).len(), BURN_WINDOW as usize + 1);
    });
}

#[test]
fn what_it_costs_is_bounded() {
    run(|| {
        Open::set((0..64).collect());
        let idle = next_block();
        let slashes: Vec<_> = (0..64).map(|id| slash(id, SlashFate::Executed)).collect();
        for chunk in slashes.chunks(MAX_FACTS) {
            for validator in 0..3 {
                send(validator, chunk).unwrap();
            }
        }
        let mut ended = 0;
        while ended < 64 {
            let busy = next_block();
            assert!(Ended::get().len() > ended);
            ended = Ended::get().len();
            assert!(busy.ref_time() > idle.ref_time());
            // A part of the 125 ms that a block has.
            assert!(busy.ref_time() < 30_000_000_000, "{busy}");
        }
        // Nothing to count, nothing to pay for.
        next_block();
        assert_eq!(next_block(), idle);
    });
}
