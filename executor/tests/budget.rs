//! However much comes in at once, each round fits half a batch, nothing is lost, the order is kept; and who uses a batch
//! pays for it.

#![allow(clippy::unwrap_used)] // a failed unwrap is a failed test

mod common;

use common::{ALICE, BOB, RICH, World, call, command, word};
use gear_exe_primitives::{
    MessageId,
    message::{Receipt, ReplyCode},
    round::{ExecutionParameters, RoundOutcome},
};
use gear_exe_programs::{COUNTER, PING, TROUBLE};

/// Runs until nothing is left, and checks that every round fits half a batch.
fn run_within_budget(world: &mut World) -> Vec<RoundOutcome> {
    let mut rounds = vec![world.round()];
    while rounds.last().unwrap().work_left {
        assert!(rounds.len() < 1_000, "the work has no end");
        rounds.push(world.quiet_round());
    }
    for outcome in &rounds {
        let frames = 2 * outcome.transitions.len() as u32;
        let sent: usize = outcome
            .transitions
            .iter()
            .map(|own| own.messages.len() + own.value_claims.len())
            .sum();
        assert!(
            frames + sent as u32 <= world.parameters.max_round_messages,
            "{frames} and {sent}"
        );
    }
    rounds
}

fn order(receipts: &[Receipt], ids: &[MessageId]) -> Vec<MessageId> {
    receipts
        .iter()
        .map(|receipt| receipt.message_id)
        .filter(|id| ids.contains(id))
        .collect()
}

#[test]
fn an_ethereum_block_that_touches_hundreds_of_programs_is_taken_in_over_several_rounds() {
    let mut world = World::new();
    let programs: Vec<_> = (0..400).map(|_| world.create(PING)).collect();
    for program in &programs {
        world.top_up(*program, RICH);
        world.send(*program, ALICE, b"", 0);
    }
    let first = run_within_budget(&mut world);
    assert!(first.len() > 5);
    let ids: Vec<_> = programs
        .iter()
        .map(|program| world.send(*program, ALICE, b"PING", 7))
        .collect();
    let rounds = run_within_budget(&mut world);
    assert!(rounds.len() > 5);
    for id in &ids {
        assert_eq!(world.reply_to(*id).payload, b"PONG");
    }
}

#[test]
fn messages_of_one_program_stay_in_order_while_they_wait() {
    let mut world = World::new();
    world.parameters.max_round_messages = 20;
    let programs: Vec<_> = (0..40).map(|_| world.create(TROUBLE)).collect();
    let mut ids = Vec::new();
    for program in &programs {
        world.top_up(*program, RICH);
        world.send(*program, ALICE, b"", 0);
    }
    for _ in 0..3 {
        ids.extend(
            programs
                .iter()
                .map(|program| world.send(*program, BOB, b"BUMP", 0)),
        );
    }
    run_within_budget(&mut world);
    for program in programs {
        let own: Vec<_> = ids
            .iter()
            .copied()
            .filter(|id| world.receipt(*id).program_id == program)
            .collect();
        assert_eq!(own.len(), 3);
        assert_eq!(order(&world.receipts, &own), own);
        assert_eq!(world.ask(program, b"COUNT").payload, 3u64.to_le_bytes());
    }
}

#[test]
fn one_message_that_fans_out_to_hundreds_of_programs_is_delivered_over_several_rounds() {
    let mut world = World::new();
    let asked: Vec<_> = (0..200).map(|_| world.create(PING)).collect();
    for program in &asked {
        world.top_up(*program, RICH);
        world.send(*program, ALICE, b"", 0);
    }
    run_within_budget(&mut world);
    let list: Vec<u8> = asked.iter().flat_map(|actor| actor.0.0).collect();
    let fan_out = world.program(gear_exe_programs::FAN_OUT, &list);
    let id = world.send(fan_out, ALICE, b"ASK", 0);
    let rounds = run_within_budget(&mut world);
    assert!(rounds.len() > 3);
    assert!(world.code(id).is_success());
    let reply = world.reply_to(id);
    assert!(reply.reply_details.unwrap().code.is_success());
}

#[test]
fn a_flood_of_events_does_not_keep_programs_from_running() {
    let mut world = World::new();
    world.parameters.max_round_messages = 40;
    let ping = world.program(PING, b"");
    let programs: Vec<_> = (0..100).map(|_| world.create(PING)).collect();
    world.run();
    let id = world.send(ping, ALICE, b"PING", 0);
    for program in &programs {
        world.give(*program, 1);
    }
    world.round();
    assert_eq!(world.reply_to(id).payload, b"PONG", "in the first round");
    while world.quiet_round().work_left {}
    for program in programs {
        assert_eq!(world.state(program).balance, 1);
    }
}

#[test]
fn tasks_that_are_due_together_are_done_over_several_rounds() {
    let mut world = World::new();
    world.parameters.max_round_messages = 24;
    let programs: Vec<_> = (0..30).map(|_| world.program(TROUBLE, b"")).collect();
    let ids: Vec<_> = programs
        .iter()
        .map(|program| world.send(*program, ALICE, b"WAIT", 0))
        .collect();
    run_within_budget(&mut world);
    for _ in 0..6 {
        run_within_budget(&mut world);
    }
    for id in ids {
        assert_eq!(world.reply_to(id).payload, b"LATE");
    }
}

#[test]
fn value_that_goes_to_an_heir_waits_for_room_as_well() {
    let mut world = World::new();
    let programs: Vec<_> = (0..12).map(|_| world.program(TROUBLE, b"")).collect();
    for pair in programs.windows(2) {
        world.send(pair[0], ALICE, &command("EXIT", &[pair[1].as_ref()]), 0);
    }
    world.run();
    world.parameters.max_round_messages = 6;
    world.give(programs[0], 1_000);
    run_within_budget(&mut world);
    assert_eq!(world.state(programs[11]).balance, 1_000);
}

#[test]
fn who_uses_a_batch_pays_for_it_as_far_as_it_can() {
    let mut world = World::new();
    world.parameters = ExecutionParameters {
        value_per_settled_message: 1_000_000_000,
        value_per_settled_byte: 1_000_000,
        ..world.parameters
    };
    let create = call("create(bool,uint32)", &[word(0), word(5)]);
    let counter = world.program(COUNTER, &create);
    let before = world.state(counter).executable_balance;
    let id = world.send(
        counter,
        ALICE,
        &call("counterAdd(bool,uint32)", &[word(0), word(1)]),
        0,
    );
    let outcome = world.run();
    let transition = &outcome.transitions[0];
    // The frame of the transition counts as two messages and 384 bytes; each message has 288 bytes and its payload.
    let bytes: u128 = transition
        .messages
        .iter()
        .map(|message| 288 + message.payload.len().next_multiple_of(32) as u128)
        .sum();
    let settled =
        (2 + transition.messages.len() as u128) * 1_000_000_000 + (384 + bytes) * 1_000_000;
    let receipts: u128 = outcome
        .receipts
        .iter()
        .map(|receipt| u128::from(receipt.gas_burned) * 100)
        .sum();
    assert!(world.has_receipt(id));
    let after = world.state(counter).executable_balance;
    assert_eq!(before - after, settled + receipts);
    assert_eq!(outcome.spent, settled + receipts);

    // One that has less pays what it has, and what is due to Ethereum still goes there.
    let poor = world.create(PING);
    world.top_up(poor, 5);
    let refused = world.send(poor, ALICE, b"", 0);
    let outcome = world.round();
    assert_eq!(outcome.starved, [poor]);
    assert_eq!(world.state(poor).executable_balance, 0);
    world.top_up(poor, RICH);
    world.run();
    assert_eq!(world.code(refused), ReplyCode::SUCCESS_AUTO);
}
