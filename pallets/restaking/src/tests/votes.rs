//! Which votes are taken, and what a quorum is.

use crate::{Error, Event, OpenEra, Refusal, SnapshotState, Snapshots, Votes, mock::*};
use gear_exe_primitives::{
    H256, signature::CompactSignature, stake_pages::OPERATORS_PER_PAGE, vote::SnapshotVote,
};
use polkadot_sdk::{
    frame_support::assert_noop, frame_system::RawOrigin, sp_runtime::DispatchError,
};

fn state() -> SnapshotState {
    Snapshots::<Test>::get(2).unwrap().state
}

#[test]
fn a_quorum_of_heads_and_weight_agrees() {
    run_with_operators(|| {
        let vote = vote(&pages(&weth(&[(0, ETH)])));
        send_vote(0, vote).unwrap();
        send_vote(1, vote).unwrap();
        assert_eq!(state(), SnapshotState::Voting);
        send_vote(2, vote).unwrap();
        assert_eq!(
            state(),
            SnapshotState::Agreed {
                root: vote.root,
                pages: 1,
                stored: 0
            }
        );
        assert_eq!(send_vote(3, vote), Err(Refusal::State.into()));
    });
}

#[test]
fn weight_counts_too() {
    run_with_operators(|| {
        Members::mutate(|members| members[3].weight = 10);
        let vote = vote(&pages(&weth(&[(0, ETH)])));
        for validator in 0..3 {
            send_vote(validator, vote).unwrap();
        }
        assert_eq!(state(), SnapshotState::Voting);
        send_vote(3, vote).unwrap();
        assert_ne!(state(), SnapshotState::Voting);
    });
}

#[test]
fn a_lying_minority_has_no_effect() {
    run_with_operators(|| {
        let truth = vote(&pages(&weth(&[(0, ETH)])));
        let lies = [
            vote(&pages(&weth(&[(0, u128::MAX)]))),
            SnapshotVote {
                root: H256::repeat_byte(1),
                ..truth
            },
            // The right root with the wrong number of pages is another vote.
        ];
        for lie in lies {
            send_vote(3, lie).ok();
        }
        for validator in 0..3 {
            send_vote(validator, truth).unwrap();
        }
        let SnapshotState::Agreed { root, .. } = state() else {
            panic!("not agreed");
        };
        assert_eq!(root, truth.root);
    });
}

#[test]
fn everybody_votes_once() {
    run_with_operators(|| {
        let truth = vote(&pages(&weth(&[(0, ETH)])));
        send_vote(1, truth).unwrap();
        let other = SnapshotVote {
            root: H256::repeat_byte(9),
            ..truth
        };
        assert_eq!(send_vote(1, truth), Err(Refusal::Said.into()));
        assert_eq!(send_vote(1, other), Err(Refusal::Said.into()));
        assert_eq!(Votes::<Test>::get().len(), 1);
    });
}

#[test]
fn only_what_is_asked_is_taken() {
    run_with_operators(|| {
        let good = vote(&pages(&weth(&[(0, ETH)])));
        let most = 4u32.div_ceil(OPERATORS_PER_PAGE);
        for (vote, refusal) in [
            (SnapshotVote { set_id: 1, ..good }, Refusal::Set),
            (SnapshotVote { era: 1, ..good }, Refusal::Era),
            (SnapshotVote { era: 3, ..good }, Refusal::Era),
            (
                SnapshotVote {
                    era: u32::MAX,
                    ..good
                },
                Refusal::Era,
            ),
            (
                SnapshotVote {
                    capture: good.capture + 1,
                    ..good
                },
                Refusal::Era,
            ),
            (
                SnapshotVote {
                    pages: most + 1,
                    ..good
                },
                Refusal::Pages,
            ),
            (
                SnapshotVote {
                    pages: u32::MAX,
                    ..good
                },
                Refusal::Pages,
            ),
            (SnapshotVote { pages: 0, ..good }, Refusal::Pages),
            (
                SnapshotVote {
                    root: H256::zero(),
                    ..good
                },
                Refusal::Pages,
            ),
        ] {
            assert_eq!(send_vote(0, vote), Err(refusal.into()), "{vote:?}");
        }
        assert_eq!(send_vote_as(0, 4, good), Err(Refusal::Index.into()));
        assert_eq!(send_vote_as(0, u32::MAX, good), Err(Refusal::Index.into()));
        assert_eq!(send_vote_as(1, 0, good), Err(Refusal::Signature.into()));
        assert!(Votes::<Test>::get().is_empty());
    });
}

#[test]
fn calls_need_authorisation() {
    run_with_operators(|| {
        let good = vote(&pages(&weth(&[(0, ETH)])));
        for origin in [RawOrigin::Root, RawOrigin::None, RawOrigin::Signed(0)] {
            assert_noop!(
                Restaking::submit_snapshot_vote(
                    origin.clone().into(),
                    good,
                    0,
                    CompactSignature([1; 64])
                ),
                DispatchError::BadOrigin
            );
            let page = pages(&weth(&[(0, ETH)])).remove(0);
            assert!(Restaking::submit_page(origin.into(), 2, 0, page, Default::default()).is_err());
        }
        // Two of the same may be authorised before either is applied.
        assert_noop!(
            Restaking::submit_snapshot_vote(
                RawOrigin::Authorized.into(),
                SnapshotVote { era: 9, ..good },
                0,
                CompactSignature([1; 64])
            ),
            Error::<Test>::NotWanted
        );
    });
}

#[test]
fn another_set_votes_anew() {
    run_with_operators(|| {
        let before = vote(&pages(&weth(&[(0, ETH)])));
        send_vote(0, before).unwrap();
        send_vote(1, before).unwrap();
        SetId::set(1);
        // At once, before the pallet has seen a block with it.
        assert_eq!(send_vote(2, before), Err(Refusal::Set.into()));
        let now = SnapshotVote {
            set_id: 1,
            ..before
        };
        send_vote(2, now).unwrap();
        assert_eq!(Votes::<Test>::get().len(), 1);
        next_block();
        assert_eq!(Votes::<Test>::get().len(), 1);
        send_vote(3, now).unwrap();
        assert_eq!(state(), SnapshotState::Voting);
        send_vote(0, now).unwrap();
        assert_ne!(state(), SnapshotState::Voting);
    });
}

#[test]
fn votes_end_with_the_election() {
    run_with_operators(|| {
        let vote = vote(&pages(&weth(&[(0, ETH)])));
        send_vote(0, vote).unwrap();
        plan();
        assert_eq!(send_vote(1, vote), Err(Refusal::Era.into()));
        next_era();
        assert!(events().iter().any(|event| matches!(
            event,
            Event::SnapshotMissed {
                era: 2,
                reason: crate::MissReason::Incomplete
            }
        )));
        // What there was before counts again; here, nothing.
        assert_eq!(state(), SnapshotState::Reused { total: 0 });
        assert_eq!(OpenEra::<Test>::get(), Some(3));
    });
}

#[test]
fn nobody_has_stake() {
    run_with_operators(|| {
        agree(&[]);
        assert_eq!(
            state(),
            SnapshotState::Accepted {
                root: H256::zero(),
                pages: 0,
                total: 0
            }
        );
        assert!(Restaking::stakes(2).is_empty());
    });
}

/// An era is read at a capture of its own: not again at the last one, and not before it.
#[test]
fn a_capture_is_newer_than_the_last() {
    run_with_operators(|| {
        agree(&weth(&[(0, ETH)]));
        for before in [Finalised::get(), header(0)] {
            Finalised::set(before);
            let era = next_era_without_ethereum();
            assert_eq!(OpenEra::<Test>::get(), None);
            assert!(events().contains(&Event::SnapshotMissed {
                era: era + 1,
                reason: crate::MissReason::NoNewBlock
            }));
        }
        Finalised::set(header(100));
        let era = next_era_without_ethereum();
        assert_eq!(OpenEra::<Test>::get(), Some(era + 1));
        assert_eq!(open().1.block, header(100).id());
    });
}
