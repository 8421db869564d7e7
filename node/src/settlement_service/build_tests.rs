use super::*;
use crate::{
    ethereum_service::history::tests::header,
    executor_service::base::{
        Known,
        tests::{World, block, ending, hash},
    },
};
use gear_exe_primitives::{ActorId, CodeId, batch::AppliedBatch, settlement::BatchLimits};
use std::cell::RefCell;

fn seal(number: u64, anchor: u64, router: AppliedBatch) -> SealFacts {
    SealFacts {
        genesis: H256::repeat_byte(1),
        seal: block(number),
        anchor: header(anchor, 1, 1).id(),
        set_id: 0,
        router,
        expiry: 9_999,
        limits: BatchLimits::default(),
    }
}

fn change(record: &RoundRecord) -> Result<Changes, Lacking> {
    let program = ActorId::from([1; 32]);
    let spent = record.block.number.into();
    Ok((
        vec![StateTransition::new(program, record.block.hash)],
        spent,
    ))
}

fn world() -> World {
    let mut world = World::new();
    for number in 1..=5 {
        world.execute(number, header(number / 2, 1, 1), AppliedBatch::default());
    }
    world
}

#[test]
fn a_batch_holds_the_rounds_after_the_routers_up_to_the_seal() {
    let mut world = world();
    let router = ending(1, 2, 2);
    world.execute(6, header(3, 1, 1), router);
    let item = OutboxItem::CodeResult {
        code_id: CodeId::from([1; 32]),
        request_id: H256::zero(),
        valid: true,
    };
    let read = RefCell::new(Vec::new());
    let changes = |record: &RoundRecord| {
        read.borrow_mut().push(record.block.number);
        change(record)
    };
    let batch = build_seal(&seal(6, 3, router), &world, &changes, &[item]).unwrap();
    assert!(batch.is_consistent());
    assert_eq!(*read.borrow(), [3, 4, 5, 6]);
    assert_eq!(
        (batch.header.nonce, batch.header.parent),
        (2, router.digest)
    );
    assert_eq!(
        (batch.header.last_round, batch.header.last_round_hash),
        (6, hash(6))
    );
    assert_eq!(batch.transitions[0].new_state_hash, hash(6));
    assert_eq!(batch.spent, 3 + 4 + 5 + 6);
    assert_eq!(batch.outbox_end, 1);
    // Everybody builds the same.
    let again = build_seal(&seal(6, 3, router), &world, &change, &batch.outbox).unwrap();
    assert_eq!(again, batch);
}

#[test]
fn quiet_rounds_are_not_read_and_make_an_empty_batch() {
    let mut world = world();
    for known in world.rounds.values_mut() {
        if let Known::Executed(record) = known {
            record.changes = false;
        }
    }
    let changes = |_: &RoundRecord| -> Result<Changes, Lacking> {
        panic!("a quiet round has no stored outcome")
    };
    let seal = seal(5, 2, AppliedBatch::default());
    assert!(build_seal(&seal, &world, &changes, &[]).unwrap().is_empty());
}

#[test]
fn what_contradicts_the_seal_is_not_built() {
    let world = world();
    let contradicts = |seal: SealFacts| {
        matches!(
            build_seal(&seal, &world, &change, &[]),
            Err(CannotBuild::Contradiction { .. })
        )
    };
    assert!(!contradicts(seal(5, 2, AppliedBatch::default())));
    assert!(contradicts(seal(5, 3, AppliedBatch::default())));
    assert!(contradicts(seal(5, 2, ending(1, 2, 2))));
}

#[test]
fn a_seal_waits_for_its_round_and_stops_at_damage() {
    let world = world();
    assert!(matches!(
        build_seal(&seal(6, 3, AppliedBatch::default()), &world, &change, &[]),
        Err(CannotBuild::Waiting(round)) if round == hash(6)
    ));
    let damaged = |record: &RoundRecord| {
        if record.block.number == 3 {
            Err(Lacking::Round(record.block.hash))
        } else {
            change(record)
        }
    };
    let built = build_seal(&seal(5, 2, AppliedBatch::default()), &world, &damaged, &[]);
    assert!(matches!(built, Err(CannotBuild::Lacking(_))));
}
