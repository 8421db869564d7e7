//! Random numbers: from an Ethereum block that nobody knows when they are asked for, and no second try.

#![allow(clippy::unwrap_used)] // a failed unwrap is a failed test

mod common;

use common::{ALICE, BOB, RICH, World, actor, command};
use gear_exe_primitives::{MessageId, hashing::blake2b256, message::ReplyCode};
use gear_exe_programs::{ENVOY, PING, STEWARD};

/// Blocks from asking to knowing.
const DISTANCE: u64 = 3;

fn expected(world: &World, block: u64, subject: [u8; 32]) -> Vec<u8> {
    let randao = world.header(block).randao;
    let hash = blake2b256([randao.as_bytes(), &subject]);
    [hash.as_bytes(), &(block as u32).to_le_bytes()].concat()
}

/// A subject whose number from that block is odd, or not.
fn subject(world: &World, block: u64, odd: bool) -> [u8; 32] {
    let subjects = (0..=u8::MAX).map(|byte| [byte; 32]);
    let mut fitting =
        subjects.filter(|subject| (expected(world, block, *subject)[0] % 2 == 1) == odd);
    fitting.next().unwrap()
}

#[test]
fn it_comes_from_a_block_that_was_not_known() {
    let mut world = World::new();
    let steward = world.program(STEWARD, b"");
    let id = world.send(steward, ALICE, &command("RANDOM", &[&[5; 32]]), 9);
    world.run();
    let asked = world.height;
    assert!(!world.has_receipt(id));
    // The value has not arrived, and the run has been paid for.
    assert_eq!(world.state(steward).balance, 0);
    let waiting = &world.waitlist(steward)[&id].value;
    assert_eq!(waiting.context, None);
    let undone = waiting.draw.unwrap().gas_burned;
    assert!(undone > 10_000_000);
    world.pass(DISTANCE - 1);
    assert!(!world.has_receipt(id));
    world.pass(1);
    assert_eq!(
        world.reply_to(id).payload,
        expected(&world, asked + DISTANCE, [5; 32])
    );
    assert_eq!(world.state(steward).balance, 9);
    assert!(world.receipt(id).gas_burned > 2 * undone - undone / 2);
    assert_eq!(world.unexplained(steward), 0);
    world.pass(5);
    world.reply_to(id);
}

#[test]
fn native_messages_wait_as_well() {
    let mut world = World::new();
    let steward = world.program(STEWARD, b"");
    let id = world.native(steward, ALICE, &command("RANDOM", &[&[1; 32]]));
    world.quiet_round();
    let asked = world.height;
    for _ in 0..4 {
        // Rounds without a new Ethereum block bring nothing.
        world.quiet_round();
    }
    assert!(!world.has_receipt(id));
    world.pass(DISTANCE);
    assert_eq!(
        world.reply_to(id).payload,
        expected(&world, asked + DISTANCE, [1; 32])
    );
}

#[test]
fn nothing_else_ends_the_wait() {
    let mut world = World::new();
    let steward = world.program(STEWARD, b"");
    let id = world.send(steward, ALICE, &command("RANDOM", &[&[5; 32]]), 9);
    world.run();
    let asked = world.height;
    for blocks in [0u32, 1, 5] {
        let wake = command("WAKE", &[&blocks.to_le_bytes(), id.as_ref()]);
        world.send(steward, BOB, &wake, 0);
    }
    world.quiet_round();
    world.run();
    assert!(!world.has_receipt(id));
    world.pass(DISTANCE - 1);
    assert_eq!(
        world.reply_to(id).payload,
        expected(&world, asked + DISTANCE, [5; 32])
    );
    world.pass(5);
    world.reply_to(id);
}

#[test]
fn the_end_of_the_program_ends_it() {
    let mut world = World::new();
    let steward = world.program(STEWARD, b"");
    let id = world.send(steward, ALICE, &command("RANDOM", &[&[5; 32]]), 9);
    world.run();
    world.send(steward, BOB, &command("EXIT", &[actor(BOB).as_ref()]), 0);
    world.run();
    let reply = world.reply_to(id);
    assert_eq!(reply.reply_details.unwrap().code, ReplyCode::PROGRAM_EXITED);
    assert_eq!(reply.value, 9, "it had never arrived");
    assert!(world.receipt(id).gas_burned > 10_000_000);
    assert_eq!(world.unexplained(steward), 0);
    world.pass(5);
    world.reply_to(id);
}

#[test]
fn starving_before_asking_chooses_nothing() {
    let mut world = World::new();
    let steward = world.program(STEWARD, b"");
    // No gas for anything while the price is high.
    world.parameters.value_per_gas = RICH;
    let id = world.send(steward, ALICE, &command("RANDOM", &[&[5; 32]]), 0);
    world.run();
    world.pass(20);
    assert!(!world.waitlist(steward).contains_key(&id));
    world.parameters.value_per_gas = 100;
    world.run();
    let asked = world.height;
    // Every block that was known while it starved has passed.
    world.pass(DISTANCE);
    assert_eq!(
        world.reply_to(id).payload,
        expected(&world, asked + DISTANCE, [5; 32])
    );
}

#[test]
fn starving_after_drawing_brings_no_other_number() {
    let mut world = World::new();
    world.parameters.message_gas_limit = 2_000_000_000;
    let steward = world.program(STEWARD, b"");
    let unlucky = subject(&world, world.height + 1 + DISTANCE, true);
    let id = world.send(steward, ALICE, &command("GAMBLE", &[&unlucky]), 0);
    world.run();
    // Now it becomes so poor that the loop of the unlucky starves it.
    let balance = world.state(steward).executable_balance;
    world.parameters.value_per_gas = balance / 1_000_000_000;
    world.pass(DISTANCE);
    assert!(!world.has_receipt(id));
    assert_eq!(world.queue(steward)[0].id, id);
    assert!(world.state(steward).required_gas.is_some());
    let drawn = world.queue(steward)[0].draw.unwrap().seed.unwrap();
    // Long enough for every list of blocks to have forgotten that one.
    world.pass(300);
    assert_eq!(world.queue(steward)[0].draw.unwrap().seed, Some(drawn));
    world.parameters.value_per_gas = 100;
    world.run();
    assert_eq!(world.code(id), ReplyCode::RAN_OUT_OF_GAS, "it has lost");
}

#[test]
fn a_message_draws_once_however_often_it_asks() {
    let mut world = World::new();
    let text = r#"(import "env" "memory" (memory 1))
        (import "env" "gr_random" (func $random (param i32 i32)))
        (import "env" "gr_wait_for" (func $wait_for (param i32)))
        (import "env" "gr_reply" (func $reply (param i32 i32 i32 i32)))
        (func (export "init"))
        (func (export "handle") (local $at i32)
          (local.set $at (i32.load (i32.const 0)))
          (call $random (i32.const 100) (i32.add (i32.const 200) (local.get $at)))
          (i32.store (i32.const 0) (i32.add (local.get $at) (i32.const 36)))
          (if (i32.lt_u (local.get $at) (i32.const 72)) (then (call $wait_for (i32.const 300))))
          (call $reply (i32.const 200) (i32.const 108) (i32.const -1) (i32.const 50)))"#;
    let program = world.program(&common::wat(text), b"");
    let id = world.send(program, ALICE, b"", 0);
    world.run();
    let asked = world.height;
    world.pass(610);
    let numbers = world.reply_to(id).payload;
    // The hash stands after the number in memory.
    let one = expected(&world, asked + DISTANCE, [0; 32]);
    let one = [&one[32..], &one[..32]].concat();
    assert_eq!(numbers, one.repeat(3));
}

#[test]
fn it_is_that_block_also_if_rounds_are_full() {
    let mut world = World::new();
    let steward = world.program(STEWARD, b"");
    let others: Vec<_> = (0..12).map(|_| world.program(PING, b"")).collect();
    let id = world.send(steward, ALICE, &command("RANDOM", &[&[5; 32]]), 0);
    world.run();
    let asked = world.height;
    world.parameters.max_round_messages = 8;
    for _ in 0..DISTANCE + 3 {
        for ping in &others {
            world.send(*ping, BOB, b"PING", 0);
        }
        world.round();
    }
    assert!(
        world.height > asked + DISTANCE && !world.has_receipt(id),
        "it is late"
    );
    world.run();
    assert_eq!(
        world.reply_to(id).payload,
        expected(&world, asked + DISTANCE, [5; 32])
    );
}

#[test]
fn several_blocks_in_one_round_are_several_blocks() {
    let mut world = World::new();
    let steward = world.program(STEWARD, b"");
    let id = world.send(steward, ALICE, &command("RANDOM", &[&[5; 32]]), 0);
    world.run();
    let asked = world.height;
    let mut input = world.input();
    for _ in 0..DISTANCE + 4 {
        let mut next = world.input();
        input.ethereum.append(&mut next.ethereum);
        (input.block, input.anchor) = (next.block, next.anchor);
    }
    let outcome = world.executor.execute_round(world.root, &input).unwrap();
    let reply = outcome.transitions[0].messages.last().unwrap();
    assert_eq!(reply.reply_details.unwrap().to, id);
    assert_eq!(reply.payload, expected(&world, asked + DISTANCE, [5; 32]));
}

#[test]
fn a_reply_may_draw_too() {
    let mut world = World::new();
    let ping = world.program(PING, b"");
    let text = r#"(import "env" "memory" (memory 1))
        (import "env" "gr_random" (func $random (param i32 i32)))
        (import "env" "gr_read" (func $read (param i32 i32 i32 i32)))
        (import "env" "gr_send" (func $send (param i32 i32 i32 i32 i32)))
        (func (export "init"))
        (func (export "handle")
          (call $read (i32.const 0) (i32.const 52) (i32.const 0) (i32.const 200))
          (call $send (i32.const 0) (i32.const 48) (i32.const 4) (i32.const 0) (i32.const 200)))
        (func (export "handle_reply") (call $random (i32.const 100) (i32.const 200)))"#;
    let program = world.program(&common::wat(text), b"");
    let payload = [ping.as_ref(), &[0; 16], b"PING"].concat();
    let id = world.send(program, ALICE, &payload, 0);
    world.run();
    let reply = MessageId::reply(MessageId::outgoing(id, 0));
    assert!(world.waitlist(program).contains_key(&reply));
    world.pass(DISTANCE);
    assert!(world.code(reply).is_success());
}

#[test]
fn a_query_takes_its_own_block_and_says_what_it_would_cost() {
    let mut world = World::new();
    let steward = world.program(STEWARD, b"");
    let payload = command("RANDOM", &[&[5; 32]]);
    let reply = world.query(steward, &payload).unwrap();
    assert_eq!(reply.payload, expected(&world, world.height, [5; 32]));
    // What a real message burns, which runs twice.
    let id = world.send(steward, ALICE, &payload, 0);
    world.run();
    world.pass(DISTANCE);
    let real = world.receipt(id).gas_burned;
    assert!(
        reply.gas_burned.abs_diff(real) * 20 < real,
        "{} {real}",
        reply.gas_burned
    );
    // Also for programs that it asks.
    let envoy = world.program(ENVOY, b"");
    let ask = command("ASK", &[steward.as_ref(), &payload]);
    let answer = world.query(envoy, &ask).unwrap();
    assert_eq!(answer.payload, expected(&world, world.height, [5; 32]));
}

#[test]
fn an_init_that_draws_is_the_init() {
    let mut world = World::new();
    let text = r#"(import "env" "memory" (memory 1))
        (import "env" "gr_random" (func $random (param i32 i32)))
        (func (export "init") (call $random (i32.const 100) (i32.const 200)))
        (func (export "handle"))"#;
    let program = world.create(&common::wat(text));
    world.top_up(program, RICH);
    let init = world.send(program, ALICE, b"", 4);
    let early = world.send(program, ALICE, b"", 5);
    world.run();
    assert!(!world.has_receipt(init));
    assert_eq!(world.code(early), ReplyCode::UNINITIALIZED);
    world.pass(DISTANCE);
    assert!(world.code(init).is_success());
    assert_eq!(world.state(program).balance, 4);
    assert!(world.ends(program, b"").is_success());
}
