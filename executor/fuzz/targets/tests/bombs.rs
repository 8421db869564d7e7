//! Programs that make work without end: replies to replies, messages that double, messages for later, waits that end at
//! once. Each round stays within its gas, others are served in the same round, and what pays for it comes to an end.

#![allow(clippy::unwrap_used)] // a failed unwrap is a failed test

#[path = "../../../tests/common/mod.rs"]
mod common;

use common::{ALICE, BOB, RICH, World, wat};
use gear_exe_executor::gas;
use gear_exe_primitives::ActorId;
use gear_exe_programs::PING;

/// A program that runs `body` for each message, `answered` for each reply to its own, and knows its peer's id at 0, with a
/// value of zero behind it.
fn bomber(world: &mut World, body: &str, answered: &str) -> ActorId {
    let text = format!(
        r#"(import "env" "memory" (memory 1))
        (import "env" "gr_send" (func $send (param i32 i32 i32 i32 i32)))
        (import "env" "gr_read" (func $read (param i32 i32 i32 i32)))
        (import "env" "gr_size" (func $size (param i32)))
        (import "env" "gr_message_id" (func $id (param i32)))
        (import "env" "gr_wake" (func $wake (param i32 i32 i32)))
        (import "env" "gr_wait_for" (func $wait_for (param i32)))
        (func (export "init"))
        (func (export "handle")
          (call $size (i32.const 100))
          (if (i32.load (i32.const 100))
            (then (call $read (i32.const 0) (i32.const 32) (i32.const 0) (i32.const 104))))
          {body})
        (func (export "handle_reply") {answered})"#
    );
    world.program(&wat(&text), b"")
}

/// Sends nothing to the peer.
const SEND: &str =
    "(call $send (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 200))";
const SEND_LATER: &str =
    "(call $send (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 200))";

/// Lets a bomb go off in a world where it can burn a quarter of a round's gas many times, and pay for twenty rounds.
fn explode(body: &str, answered: &str) {
    let mut world = World::new();
    let ping = world.program(PING, b"");
    let bombers = [(); 2].map(|()| bomber(&mut world, body, answered));
    let before: u128 = bombers.iter().map(|own| world.gas_burned(*own)).sum();
    world.parameters.round_gas_limit = 8_000_000_000;
    world.parameters.message_gas_limit = 1_000_000_000;
    // What was given at first goes out of reach.
    world.parameters.value_per_gas = RICH / 80_000_000_000;
    for (own, peer) in bombers.iter().zip(bombers.iter().rev()) {
        world.send(*own, ALICE, peer.as_ref(), 0);
    }
    let mut busy = 0;
    for _ in 0..60 {
        let question = world.send(ping, BOB, b"PING", 0);
        let outcome = world.round();
        assert!(outcome.gas_burned <= world.parameters.round_gas_limit);
        assert_eq!(world.reply_to(question).payload, b"PONG", "it was held up");
        busy += usize::from(outcome.gas_burned > 100_000_000);
        for own in bombers {
            // Each message that is there was paid for.
            let paid = world.gas_burned(own) + u128::from(world.parameters.round_gas_limit);
            let there = world.pending(own).len() + world.stash(own).len();
            assert!(
                there as u128 * u128::from(gas::SEND) <= 2 * paid,
                "{there} messages"
            );
        }
    }
    assert!(busy > 10, "the bomb was a dud: {busy}");
    let left = bombers.map(|own| world.executable(own));
    let burned = bombers.map(|own| world.gas_burned(own));
    assert!(
        burned.iter().sum::<u128>() <= before + 2 * 80_000_000_000,
        "{burned:?} {left:?}"
    );
}

#[test]
fn replies_to_replies() {
    explode(SEND, SEND);
}

#[test]
fn messages_that_double() {
    explode(&SEND.repeat(2), "");
}

#[test]
fn messages_for_later() {
    explode(&SEND_LATER.repeat(2), SEND);
}

#[test]
fn waits_that_end_at_once() {
    explode(
        "(call $id (i32.const 300)) (call $wake (i32.const 300) (i32.const 0) (i32.const 400))
         (call $wait_for (i32.const 1))",
        "",
    );
}
