//! What a query says that a message would cost is what the message then costs.

#![allow(clippy::unwrap_used)] // a failed unwrap is a failed test

mod common;

use common::{ALICE, World, call, command, word};
use gear_exe_primitives::{ActorId, round::ExecutionParameters};
use gear_exe_programs::{COUNTER, FAN_OUT, PING, TROUBLE, VFT};
use std::collections::BTreeMap;

fn world() -> World {
    let mut world = World::new();
    world.parameters = ExecutionParameters::default();
    world
}

fn balances(world: &World) -> BTreeMap<ActorId, u128> {
    let programs = world.programs.iter();
    programs
        .map(|program| (*program, world.state(*program).executable_balance))
        .collect()
}

/// Asks, sends, and compares.
fn confirm(world: &mut World, program: ActorId, payload: &[u8], value: u128) {
    confirm_within(world, program, payload, value, 0);
}

/// The same where the message's id, which a query cannot know, decides on the way through a program's hash tables.
fn confirm_within(world: &mut World, program: ActorId, payload: &[u8], value: u128, percent: u128) {
    let same = |real: u128, estimated: u128| {
        assert!(
            real.abs_diff(estimated) * 100 <= estimated * percent,
            "{real} instead of {estimated}"
        );
    };
    let estimate = world.estimate(program, payload, value);
    let before = balances(world);
    let id = world.send(program, ALICE, payload, value);
    let first = world.receipts.len();
    world.round();
    let reply = world.reply_to(id);
    assert_eq!(reply.payload, estimate.payload);
    assert_eq!(reply.reply_details.unwrap().code, estimate.code);
    let gas: u64 = world.receipts[first..]
        .iter()
        .map(|receipt| receipt.gas_burned)
        .sum();
    same(gas.into(), estimate.gas_burned.into());
    let after = balances(world);
    let paid: BTreeMap<_, _> = before
        .into_iter()
        .map(|(program, balance)| (program, balance - after[&program]))
        .filter(|(_, paid)| *paid > 0)
        .collect();
    let estimated: BTreeMap<_, _> = estimate
        .costs
        .iter()
        .map(|cost| (cost.program, cost.total()))
        .collect();
    assert_eq!(paid.len(), estimated.len());
    for (program, paid) in &paid {
        same(*paid, estimated[program]);
    }
    assert!(paid[&program] > 0);
}

#[test]
fn of_simple_messages() {
    let mut world = world();
    let ping = world.program(PING, b"");
    // The first message finds other pages written than the next ones.
    for payload in [&b"PING"[..], b"PING", b"COUNT", b"something else"] {
        confirm(&mut world, ping, payload, 0);
    }
}

#[test]
fn of_messages_that_fail() {
    let mut world = world();
    let trouble = world.program(TROUBLE, b"");
    for payload in [&b"PANIC"[..], b"TRAP", b"LOOP", b"RECURSE", b"ALLOC"] {
        confirm(&mut world, trouble, payload, 3);
    }
}

#[test]
fn of_value_and_mail() {
    let mut world = world();
    let trouble = world.program(TROUBLE, b"");
    confirm(&mut world, trouble, b"REFUND", 77);
    let mail = command("MAILBOX", &[&5u128.to_le_bytes()]);
    confirm(&mut world, trouble, &mail, 5);
}

#[test]
fn of_calls_between_programs() {
    let mut world = world();
    let pings: Vec<_> = (0..8).map(|_| world.program(PING, b"")).collect();
    let ids: Vec<u8> = pings.iter().flat_map(|id| id.as_ref().to_vec()).collect();
    let fan_out = world.program(FAN_OUT, &ids);
    assert_eq!(world.estimate(fan_out, b"ASK", 0).costs.len(), 9);
    for _ in 0..8 {
        confirm_within(&mut world, fan_out, b"ASK", 0, 5);
    }
}

#[test]
fn of_typed_programs() {
    let mut world = world();
    // It emits an event, which is answered after the reply.
    let counter = world.program(COUNTER, &call("create(bool,uint32)", &[word(0), word(7)]));
    confirm(
        &mut world,
        counter,
        &call("counterAdd(bool,uint32)", &[word(0), word(2)]),
        0,
    );
    let vft = world.program(VFT, &[]);
    confirm(&mut world, vft, b"no method at all", 0);
}
