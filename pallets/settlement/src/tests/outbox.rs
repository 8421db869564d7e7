//! The outbox: numbered, kept until it is settled, and carried again after a reorganisation.

use crate::{Event, OutboxEnd, OutboxItems, OutboxStart, Reports, Router, Settled, mock::*};
use gear_exe_primitives::{
    CodeId, H256, U256, batch::AppliedBatch, outbox::OutboxItem, vote::RouterAt,
};

fn item(number: u64) -> OutboxItem {
    OutboxItem::CodeResult {
        code_id: CodeId(H256::from_low_u64_be(number)),
        request_id: H256::zero(),
        valid: true,
    }
}

fn push(numbers: core::ops::Range<u64>) {
    for number in numbers {
        assert_eq!(Settlement::push(item(number)), number);
    }
}

fn kept() -> (u64, u64) {
    (OutboxStart::<Test>::get(), OutboxEnd::<Test>::get())
}

/// What a batch of a seal carries that is built on what the Router holds at `tip`.
fn carried(tip: &gear_exe_primitives::ethereum::EthereumHeader) -> Vec<OutboxItem> {
    let from = held_at(tip).outbox_end;
    let items = Settlement::outbox(from, OutboxEnd::<Test>::get());
    assert_eq!(items.len() as u64, OutboxEnd::<Test>::get() - from);
    items
}

#[test]
fn items_stay_until_their_batch_is_final() {
    run(|| {
        push(0..3);
        next_block();
        let header = ready(1);
        let a = mine_with(root(), applied(&header, &root(), 2));
        follow(a);
        assert_eq!(kept(), (0, 3));
        assert_eq!(Settled::<Test>::get(), AppliedBatch::default());
        let b = mine(a);
        follow(b);
        finalise(root());
        assert_eq!(kept(), (0, 3));
        finalise(a);
        assert_eq!(kept(), (2, 3));
        assert_eq!(Settled::<Test>::get(), held_at(&a));
        assert_eq!(Settlement::outbox(0, 9), [item(2)]);
        assert!(events().contains(&Event::BatchSettled {
            nonce: 1,
            digest: held_at(&a).digest,
            outbox_end: 2
        }));
        // Nothing is left to learn.
        assert!(Reports::<Test>::get().is_empty());
    });
}

/// Case 18, as far as the outbox goes.
#[test]
fn after_a_reorg_each_item_is_carried_once_on_the_branch_that_wins() {
    run(|| {
        push(0..2);
        let a0 = mine(root());
        follow(a0);
        let first = ready(newest());
        // Branch a applies both items, and then one more.
        let a1 = mine_with(a0, applied(&first, &a0, 2));
        follow(a1);
        push(2..3);
        nothing(newest());
        next_block();
        let second = ready(newest());
        let a2 = mine_with(a1, applied(&second, &a1, 3));
        follow(a2);
        assert!(carried(&a2).is_empty());

        // Branch b has neither batch: everything is carried again, in order.
        let b2 = mine(mine(mine(root())));
        follow(b2);
        assert_eq!(carried(&b2), [item(0), item(1), item(2)]);
        let again = ready(newest());
        assert_eq!((again.nonce, again.parent), (1, H256::zero()));
        let b3 = mine_with(b2, applied(&again, &b2, 3));
        follow(b3);
        finalise(b3);
        assert_eq!(kept(), (3, 3));
        assert_eq!(OutboxItems::<Test>::iter().count(), 0);
        // What branch a said of the Router is no longer believed.
        assert_eq!(Settled::<Test>::get(), held_at(&b3));
    });
}

#[test]
fn what_another_branch_held_is_never_settled() {
    run(|| {
        push(0..1);
        next_block();
        let header = ready(1);
        let a = mine_with(root(), applied(&header, &root(), 1));
        follow(a);
        let b = mine(root());
        finalise(b);
        assert_eq!(kept(), (0, 1));
        follow(mine(b));
        finalise(Anchor::get());
        assert_eq!(kept(), (0, 1));
        assert_eq!(Settled::<Test>::get(), AppliedBatch::default());
    });
}

#[test]
fn the_same_batch_on_both_branches_is_settled() {
    run(|| {
        push(0..1);
        next_block();
        let header = ready(1);
        let held = applied(&header, &root(), 1);
        follow(mine_with(root(), held));
        let b = mine_with(root(), held);
        follow(b);
        finalise(b);
        assert_eq!(kept(), (1, 1));
    });
}

#[test]
fn a_long_outbox_is_deleted_in_steps() {
    run(|| {
        push(0..200);
        next_block();
        let header = ready(1);
        let a = mine_with(root(), applied(&header, &root(), 150));
        follow(a);
        finalise(a);
        let mut starts = vec![kept().0];
        for _ in 0..3 {
            next_block();
            starts.push(kept().0);
        }
        assert_eq!(starts, [64, 128, 150, 150]);
    });
}

#[test]
fn reports_are_bounded_while_ethereum_finalises_nothing() {
    run(|| {
        next_block();
        let mut tip = root();
        for _ in 0..400 {
            let header = ready(newest());
            tip = mine_with(tip, applied(&header, &tip, 0));
            follow(tip);
        }
        assert_eq!(Reports::<Test>::get().len(), 256);
        finalise(tip);
        assert_eq!(Settled::<Test>::get(), held_at(&tip));
    });
}

#[test]
fn a_chain_may_start_with_a_router_that_is_in_use() {
    let router = RouterAt {
        block: root().id(),
        batch: AppliedBatch {
            nonce: 5,
            digest: H256::repeat_byte(5),
            outbox_end: 17,
            set_id: 3,
            ..Default::default()
        },
    };
    ext_with(router).execute_with(|| {
        assert_eq!(kept(), (17, 17));
        assert_eq!(Settlement::validator_set().id, 3);
        assert_eq!(Settlement::validator_set().members.len(), 4);
        assert_eq!(Settlement::validator_set_at(0), None);
        next_block();
        let header = ready(1);
        assert_eq!((header.nonce, header.set_id), (6, 3));
        assert_eq!(Settlement::push(item(17)), 17);
        Settlement::do_try_state().unwrap();
    });
}

#[test]
fn the_router_is_told_of_parameters() {
    run(|| {
        let key = H256::repeat_byte(1);
        let value = U256::from(7);
        Settlement::change_router_parameter(key, value);
        assert_eq!(
            Settlement::outbox(0, 1),
            [OutboxItem::ParameterChange { key, value }]
        );
        assert!(Router::<Test>::get().batch == AppliedBatch::default());
    });
}
