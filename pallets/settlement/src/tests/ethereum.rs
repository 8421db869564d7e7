//! Batches and an Ethereum that reorganises, stalls, and comes back. The invented Router refuses what a real one would:
//! a wrong nonce, parent or set, and what has expired.

use crate::{Event, OutboxEnd, SealNumbers, Settled, mock::*};
use gear_exe_primitives::{CodeId, H256, outbox::OutboxItem};

fn push() {
    Settlement::push(OutboxItem::CodeResult {
        code_id: CodeId::zero(),
        request_id: H256::zero(),
        valid: true,
    });
}

fn ready_nonces() -> Vec<u64> {
    Settlement::ready_batches()
        .iter()
        .map(|batch| batch.header.nonce)
        .collect()
}

/// Case 6.
#[test]
fn after_a_flip_back_the_next_batch_builds_on_what_the_branch_holds() {
    run(|| {
        // Signed and applied on branch a.
        let a0 = mine(root());
        follow(a0);
        let first = ready(newest());
        let a1 = mine_with(a0, applied(&first, &a0, 0));
        follow(a1);
        let on_a = batch_of(newest(), 1);
        assert_eq!((on_a.nonce, on_a.parent), (2, first.digest(&DOMAIN)));
        // Branch b does not have it, and goes on without.
        let b1 = mine(root());
        let b2 = mine(mine(b1));
        follow(b2);
        let on_b = ready(newest());
        assert_eq!((on_b.nonce, on_b.parent), (1, H256::zero()));
        assert_eq!(on_b.anchor_hash, b2.hash);
        let b3 = mine_with(b2, applied(&on_b, &b2, 0));
        follow(b3);
        assert_eq!(batch_of(newest(), 1).parent, on_b.digest(&DOMAIN));
        // Back to a, where the first batch stands.
        let a2 = mine(a1);
        let a3 = mine(a2);
        let a4 = mine(a3);
        follow(a4);
        // The seal that was set there before is live again.
        let next = ready(Settlement::seals().last().unwrap().number);
        assert_eq!((next.nonce, next.parent), (2, first.digest(&DOMAIN)));
        let a5 = mine_with(a4, applied(&next, &a4, 0));
        follow(a5);
        finalise(a5);
        assert_eq!(Settled::<Test>::get(), held_at(&a5));
    });
}

#[test]
fn a_batch_that_a_reorg_took_back_may_be_applied_on_the_other_branch() {
    run(|| {
        next_block();
        let header = ready(1);
        follow(mine_with(root(), applied(&header, &root(), 0)));
        let b = mine(root());
        follow(b);
        assert_eq!(ready_nonces(), [1]);
        follow(mine_with(b, applied(&header, &b, 0)));
        assert!(ready_nonces().is_empty());
        assert_eq!(batch_of(newest(), 1).nonce, 2);
    });
}

/// Case 7.
#[test]
fn of_two_batches_on_one_parent_either_may_come_first() {
    for winner in 0..2 {
        run(|| {
            crate::Parameters::<Test>::mutate(|parameters| parameters.max_in_flight = 2);
            next_block();
            let one = ready(1);
            let tip = mine(root());
            follow(tip);
            let two = ready(newest());
            assert_eq!((one.nonce, one.parent), (two.nonce, two.parent));
            assert_eq!(ready_nonces(), [1, 1]);
            let first = [one, two][winner];
            let next_tip = mine_with(tip, applied(&first, &tip, 0));
            follow(next_tip);
            let next = ready(newest());
            assert_eq!((next.nonce, next.parent), (2, first.digest(&DOMAIN)));
            let last = mine_with(next_tip, applied(&next, &next_tip, 0));
            follow(last);
            assert_eq!(batch_of(newest(), 1).nonce, 3);
        });
    }
}

/// Case 8.
#[test]
fn a_reorg_of_the_inclusion_block_alone_asks_for_no_new_signature() {
    run(|| {
        let anchor = mine(root());
        follow(anchor);
        let header = ready(newest());
        let held = applied(&header, &anchor, 0);
        let included = mine_with(anchor, held);
        follow(included);
        nothing(newest());
        // The block is replaced by one without the batch. The batch is still under way: no seal, no signature.
        let count = SealNumbers::<Test>::get().len();
        let replaced = mine(anchor);
        follow(replaced);
        blocks(5);
        assert_eq!(SealNumbers::<Test>::get().len(), count);
        assert_eq!(ready_nonces(), [1]);
        assert_eq!(
            Settlement::ready_batches()[0].digest,
            header.digest(&DOMAIN)
        );
        // The same digest is mined again.
        let again = mine_with(replaced, held);
        follow(again);
        assert!(ready_nonces().is_empty());
        finalise(again);
        assert_eq!(Settled::<Test>::get(), held);
    });
}

/// Case 11.
#[test]
fn nine_thousand_ethereum_blocks_without_settlement() {
    run(|| {
        next_block();
        let mut tip = root();
        for number in 0..9_000 {
            tip = mine(tip);
            follow_quietly(tip);
            // Somebody signs each new seal; nobody carries the batch.
            let newest = newest();
            if seal(newest).result.is_none() && seal(newest).hash != H256::zero() {
                ready(newest);
            }
            if number % 500 == 0 {
                push();
                Settlement::do_try_state().unwrap();
            }
        }
        assert_eq!(OutboxEnd::<Test>::get(), 18);
        assert!(SealNumbers::<Test>::get().len() <= 9_000 / 50 + 2);
        let header = Settlement::ready_batches()
            .into_iter()
            .rfind(|batch| batch.header.expiry >= tip.timestamp + 12)
            .unwrap()
            .header;
        assert_eq!(header.nonce, 1);
        let next = mine_with(tip, applied(&header, &tip, 18));
        follow(next);
        finalise(next);
        assert_eq!(Settled::<Test>::get().nonce, 1);
        assert_eq!(batch_of(newest(), 1).nonce, 2);
    });
}

/// Case 12, as far as seals go: whatever did not fit follows with the next Ethereum block.
#[test]
fn a_backlog_drains_with_every_ethereum_block() {
    run(|| {
        (0..100).for_each(|_| push());
        next_block();
        let mut tip = root();
        let mut oldest = Vec::new();
        for _ in 0..10 {
            let header = ready(newest());
            let end = held_at(&tip).outbox_end + 10;
            tip = mine_with(tip, applied(&header, &tip, end));
            follow(tip);
            finalise(tip);
            oldest.push(crate::OutboxStart::<Test>::get());
        }
        assert_eq!(oldest, [10, 20, 30, 40, 50, 60, 70, 80, 90, 100]);
    });
}

/// Case 13, as far as the pallet goes: votes may come late, for any of the seals.
#[test]
fn seals_that_were_signed_late_are_as_good() {
    run(|| {
        let mut tip = root();
        for _ in 0..30 {
            tip = mine(tip);
            follow(tip);
            blocks(20);
        }
        let open: Vec<_> = Settlement::seals().iter().map(|seal| seal.number).collect();
        // Each waited longer than the one before.
        assert!(open.len() > 2 && open.len() < 12, "{open:?}");
        for number in &open {
            ready(*number);
        }
        assert_eq!(ready_nonces().len(), open.len());
        let faults = events()
            .into_iter()
            .filter(|event| matches!(event, Event::Equivocation { .. }))
            .count();
        assert_eq!(faults, 0);
    });
}

#[test]
fn a_router_that_is_agreed_on_twice_changes_nothing() {
    run(|| {
        next_block();
        let header = ready(1);
        let tip = mine_with(root(), applied(&header, &root(), 0));
        follow(tip);
        let events_before = events().len();
        follow(tip);
        assert_eq!(events().len(), events_before);
    });
}
