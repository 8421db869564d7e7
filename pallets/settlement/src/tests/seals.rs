//! When a seal is set.

use crate::{
    Domain, Event, Fate, MAX_SEALS, Parameters, Proposals, Router, SealNumbers, SealResult, Seals,
    SettlementParameters, Votes, mock::*,
};
use gear_exe_primitives::{CodeId, H256, outbox::OutboxItem, settlement::BatchLimits};
use polkadot_sdk::{
    frame_support::{assert_noop, assert_ok, traits::Hooks},
    frame_system::RawOrigin,
    sp_runtime::DispatchError,
};

fn seal_numbers() -> Vec<u64> {
    SealNumbers::<Test>::get().into_inner()
}

fn push() {
    Settlement::push(OutboxItem::CodeResult {
        code_id: CodeId::zero(),
        request_id: H256::zero(),
        valid: true,
    });
}

#[test]
fn the_first_block_that_knows_the_router_is_one() {
    run(|| {
        next_block();
        assert_eq!(seal_numbers(), [1]);
        let sealed = seal(1);
        assert_eq!(sealed.hash, block_hash(1));
        assert_eq!(sealed.anchor, root().id());
        assert_eq!(sealed.expiry, root().timestamp + 600);
        assert_eq!(sealed.set_id, 0);
        assert_eq!(sealed.limits, BatchLimits::default());
    });
}

#[test]
fn the_seal_block_says_so_itself() {
    run(|| {
        Settlement::on_finalize(1);
        let facts = Settlement::seal().unwrap();
        assert_eq!((facts.seal.number, facts.seal.hash), (1, H256::zero()));
        assert_eq!(facts.anchor, root().id());
        assert_eq!(facts.genesis, Settlement::genesis_hash());
        next_block();
        assert_eq!(Settlement::seal(), None);
    });
}

#[test]
fn none_without_a_router_or_before_its_state_at_the_anchor_is_agreed() {
    run(|| {
        Domain::<Test>::kill();
        next_block();
        assert!(seal_numbers().is_empty());
        Domain::<Test>::put(DOMAIN);
        Anchor::set(mine(root()));
        blocks(5);
        assert!(seal_numbers().is_empty());
        follow(Anchor::get());
        // In the very block that learns it.
        assert_eq!(seal_numbers(), [System::block_number() - 1]);
    });
}

#[test]
fn an_idle_chain_is_silent() {
    run(|| {
        next_block();
        nothing(1);
        blocks(100);
        assert_eq!(seal_numbers(), [1]);
        // The anchor moves.
        follow(mine(root()));
        assert_eq!(seal_numbers().len(), 2);
        nothing(newest());
        blocks(100);
        assert_eq!(seal_numbers().len(), 2);
        // The outbox grows.
        push();
        next_block();
        assert_eq!(seal_numbers().len(), 3);
        nothing(newest());
        blocks(100);
        assert_eq!(seal_numbers().len(), 3);
    });
}

#[test]
fn votes_on_one_are_waited_for() {
    run(|| {
        next_block();
        let mut tip = root();
        for _ in 0..4 {
            tip = mine(tip);
            follow(tip);
            push();
        }
        assert_eq!(seal_numbers(), [1]);
        nothing(1);
        next_block();
        assert_eq!(seal_numbers().len(), 2);
    });
}

#[test]
fn a_seal_without_quorum_is_set_again_ever_more_slowly() {
    run(|| {
        blocks(70);
        // Ten blocks, twenty, thirty.
        assert_eq!(seal_numbers(), [1, 11, 31, 61]);
        // A quorum in the end: the newest batch is under way.
        ready(newest());
        blocks(100);
        assert_eq!(seal_numbers().len(), 4);
    });
}

#[test]
fn as_many_signed_batches_wait_for_ethereum_as_governance_says() {
    run(|| {
        next_block();
        ready(1);
        let mut tip = root();
        for _ in 0..5 {
            tip = mine(tip);
            follow(tip);
        }
        assert_eq!(seal_numbers(), [1]);
        Parameters::<Test>::mutate(|parameters| parameters.max_in_flight = 2);
        next_block();
        assert_eq!(seal_numbers().len(), 2);
        ready(newest());
        follow(mine(tip));
        assert_eq!(seal_numbers().len(), 2);
    });
}

#[test]
fn what_expires_is_not_waited_for() {
    run(|| {
        next_block();
        ready(1);
        let mut tip = root();
        for _ in 0..49 {
            tip = mine(tip);
            follow(tip);
        }
        assert_eq!(seal_numbers(), [1]);
        assert_eq!(Settlement::seals().len(), 1);
        // 600 seconds after the seal's anchor.
        tip = mine(tip);
        follow(tip);
        assert_eq!(seal_numbers().len(), 2);
        let open: Vec<_> = Settlement::seals().iter().map(|seal| seal.number).collect();
        assert_eq!(open, [newest()]);
        assert_eq!(seal(newest()).expiry, tip.timestamp + 600);
    });
}

#[test]
fn the_rest_follows_in_the_block_that_sees_a_batch_applied() {
    run(|| {
        next_block();
        let mut tip = root();
        // Ten batches one after the other, as long as work is left over.
        for round in 1..=10u64 {
            let header = ready(newest());
            assert_eq!(header.nonce, round);
            tip = mine_with(tip, applied(&header, &tip, 0));
            let now = System::block_number();
            follow(tip);
            assert_eq!(newest(), now);
            assert_eq!(seal(newest()).router, held_at(&tip));
        }
        nothing(newest());
        blocks(50);
        assert_eq!(seal_numbers().len(), 11);
    });
}

#[test]
fn a_batch_that_was_applied_frees_the_same_anchor() {
    run(|| {
        next_block();
        let header = ready(1);
        // The Router's state at the anchor becomes known only after a seal was set on it with what was known before.
        let tip = mine_with(root(), applied(&header, &root(), 0));
        follow(tip);
        let second = newest();
        let third = ready(second);
        Router::<Test>::mutate(|router| router.batch = applied(&third, &tip, 0));
        next_block();
        assert_eq!(newest(), System::block_number() - 1);
        assert_eq!(seal(newest()).anchor, tip.id());
    });
}

#[test]
fn a_rewound_seal_is_not_waited_for_and_counts_again_when_its_branch_is_back() {
    run(|| {
        let a = mine(root());
        let b = mine(root());
        follow(a);
        ready(newest());
        let on_a = newest();
        let a2 = mine(a);
        follow(a2);
        assert_eq!(newest(), on_a);
        // Ethereum leaves the branch.
        follow(b);
        assert_ne!(newest(), on_a);
        nothing(newest());
        assert!(Settlement::seals().is_empty());
        // And comes back: the batch is still signed.
        let count = seal_numbers().len();
        follow(mine(a2));
        assert_eq!(seal_numbers().len(), count);
        assert_eq!(Settlement::seals().len(), 1);
        assert_eq!(Settlement::ready_batches().len(), 1);
    });
}

#[test]
fn a_seal_below_the_finalised_block_is_still_under_way() {
    run(|| {
        let a = mine(root());
        let b = mine(root());
        follow(b);
        ready(newest());
        follow(a);
        let on_a = newest();
        ready(on_a);
        let mut tip = a;
        for _ in 0..5 {
            tip = mine(tip);
            follow(tip);
            // The headers at the seals' anchors are dropped.
            finalise(tip);
        }
        assert_eq!(newest(), on_a);
        assert_eq!(seal(on_a).fate, Fate::Final);
        assert_eq!(
            Seals::<Test>::iter_values()
                .filter(|seal| seal.fate == Fate::Lost)
                .map(|seal| seal.anchor)
                .collect::<Vec<_>>(),
            [b.id()]
        );
        assert_eq!(Settlement::seals().len(), 1);
    });
}

#[test]
fn old_seals_are_dropped_with_their_votes() {
    run(|| {
        let mut tip = root();
        for _ in 0..MAX_SEALS + 10 {
            follow(tip);
            sign(3, &batch_of(newest(), 1)).unwrap();
            nothing(newest());
            tip = mine(tip);
        }
        assert_eq!(seal_numbers().len() as u32, MAX_SEALS);
        assert_eq!(Seals::<Test>::iter().count() as u32, MAX_SEALS);
        assert_eq!(Votes::<Test>::iter().count() as u32, MAX_SEALS * 4);
        assert_eq!(Proposals::<Test>::iter().count() as u32, MAX_SEALS);
    });
}

#[test]
fn no_seal_that_nobody_could_sign() {
    run(|| {
        Router::<Test>::mutate(|router| router.batch.set_id = 9);
        blocks(3);
        assert!(seal_numbers().is_empty());
    });
}

#[test]
fn parameters_are_those_of_the_seal() {
    run(|| {
        next_block();
        let before = seal(1);
        Parameters::<Test>::put(SettlementParameters {
            expiry_seconds: 60,
            ..Default::default()
        });
        next_block();
        assert_eq!(seal(1), before);
        nothing(1);
        let tip = mine(root());
        follow(tip);
        assert_eq!(seal(newest()).expiry, tip.timestamp + 60);
    });
}

#[test]
fn governance_alone_pauses_and_resumes() {
    run(|| {
        let anybody = || RawOrigin::Signed(1).into();
        let root = || RawOrigin::Root.into();
        assert_noop!(Settlement::pause(anybody()), DispatchError::BadOrigin);
        assert_noop!(Settlement::resume(root()), crate::Error::<Test>::NotPaused);
        assert_ok!(Settlement::pause(root()));
        assert_noop!(Settlement::pause(root()), crate::Error::<Test>::Paused);
        push();
        next_block();
        assert!(seal_numbers().is_empty());
        assert_noop!(Settlement::resume(anybody()), DispatchError::BadOrigin);
        assert_ok!(Settlement::resume(root()));
        next_block();
        // What came up while it was paused goes now.
        assert_eq!(seal_numbers(), [2]);
        assert_eq!(seal(2).outbox_end, 1);
        assert_eq!(
            events(),
            [Event::Paused, Event::Resumed, Event::Sealed { number: 2 }]
        );
    });
}

#[test]
fn events_tell_it() {
    run(|| {
        next_block();
        let header = ready(1);
        let digest = header.digest(&DOMAIN);
        follow(mine_with(root(), applied(&header, &root(), 0)));
        let router = Router::<Test>::get();
        assert_eq!(
            events(),
            [
                Event::Sealed { number: 1 },
                Event::BatchReady {
                    seal: 1,
                    nonce: 1,
                    digest
                },
                Event::RouterChanged { router },
                Event::Sealed { number: 2 },
            ]
        );
        assert_eq!(seal(1).result, Some(SealResult::Ready(digest)));
    });
}
