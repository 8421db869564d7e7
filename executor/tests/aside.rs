//! Gas that is set aside: reservations, signals and what they may burn. Nothing of the executable balance is made or lost.

#![allow(clippy::unwrap_used)] // a failed unwrap is a failed test

mod common;

use common::{ALICE, BOB, World, actor, command, wat};
use gear_exe_executor::gas;
use gear_exe_primitives::{ActorId, H256, MessageId, hashing::blake2b256, message::ReplyCode};
use gear_exe_programs::{PING, STEWARD, TROUBLE};

const GAS: u64 = 500_000_000;

fn steward() -> (World, ActorId) {
    let mut world = World::new();
    let steward = world.program(STEWARD, b"");
    (world, steward)
}

/// Has it reserve gas, and says under which id.
fn reserve(world: &mut World, steward: ActorId, blocks: u32) -> H256 {
    let payload = command("RESERVE", &[&GAS.to_le_bytes(), &blocks.to_le_bytes()]);
    let id = world.send(steward, ALICE, &payload, 0);
    world.run();
    assert_eq!(world.code(id), ReplyCode::SUCCESS_MANUAL);
    let reservation = blake2b256([&b"reservation"[..], id.as_ref(), &0u64.to_le_bytes()]);
    assert_eq!(world.reply_to(id).payload, reservation.as_bytes());
    reservation
}

fn value(world: &World, gas: u64) -> u128 {
    u128::from(gas) * world.parameters.value_per_gas
}

/// The balance without what is set aside.
fn free(world: &World, steward: ActorId) -> u128 {
    world.state(steward).executable_balance
}

#[test]
fn a_reservation_is_set_aside_until_its_time() {
    let (mut world, steward) = steward();
    let before = free(&world, steward);
    let burned = world.gas_burned(steward);
    let id = reserve(&mut world, steward, 3);
    let burned = (world.gas_burned(steward) - burned) * world.parameters.value_per_gas;
    assert_eq!(before - free(&world, steward), burned + value(&world, GAS));
    let reservation = &world.reservations(steward)[&id];
    assert_eq!(
        (reservation.value.gas, reservation.value.value),
        (GAS, value(&world, GAS))
    );
    assert_eq!(reservation.expiry, world.height as u32 + 3);
    world.pass(2);
    assert_eq!(world.reservations(steward).len(), 1);
    world.pass(1);
    assert!(world.reservations(steward).is_empty());
    assert_eq!(before - free(&world, steward), burned);
    assert_eq!(world.unexplained(steward), 0);
    // The program does not know, and asks for it in vain.
    assert_eq!(world.ends(steward, b"RETURN"), ReplyCode::USERSPACE_PANIC);
}

#[test]
fn it_can_be_given_up() {
    let (mut world, steward) = steward();
    reserve(&mut world, steward, 100);
    assert_eq!(world.ask(steward, b"RETURN").payload, GAS.to_le_bytes());
    assert!(world.reservations(steward).is_empty());
    assert_eq!(world.unexplained(steward), 0);
    assert_eq!(free(&world, steward), world.executable(steward));
    // Nothing is due any more.
    let quiet = world.executable(steward);
    world.pass(101);
    assert_eq!(world.executable(steward), quiet);

    let forget = command("FORGET", &[&GAS.to_le_bytes(), &9u32.to_le_bytes()]);
    assert!(world.ends(steward, &forget).is_success());
    assert!(world.reservations(steward).is_empty());
    assert_eq!(world.unexplained(steward), 0);
}

#[test]
fn what_is_sent_with_it_may_burn_as_much() {
    let (mut world, steward) = steward();
    let trouble = world.program(TROUBLE, b"");
    reserve(&mut world, steward, 100);
    let own = free(&world, steward);
    let burned = world.gas_burned(steward);
    let id = world.send(
        steward,
        ALICE,
        &command("SPEND", &[trouble.as_ref(), b"LOOP"]),
        0,
    );
    world.run();
    let receipt = world.receipt(MessageId::outgoing(id, 0));
    assert_eq!(
        (receipt.code, receipt.gas_burned),
        (ReplyCode::RAN_OUT_OF_GAS, GAS)
    );
    // The receiver has paid; the sender has it back.
    assert!(world.reservations(steward).is_empty());
    let burned = (world.gas_burned(steward) - burned) * world.parameters.value_per_gas;
    assert_eq!(free(&world, steward), own - burned + value(&world, GAS));
    assert_eq!(
        (world.unexplained(steward), world.unexplained(trouble)),
        (0, 0)
    );

    reserve(&mut world, steward, 100);
    assert_eq!(world.ask(steward, b"ANSWER").payload, b"RESERVED");
    assert!(world.reservations(steward).is_empty());
}

#[test]
fn a_failed_run_leaves_reservations_as_they_were() {
    let (mut world, _) = steward();
    let text = r#"(import "env" "memory" (memory 1))
        (import "env" "gr_reserve_gas" (func $reserve (param i64 i32 i32)))
        (import "env" "gr_unreserve_gas" (func $unreserve (param i32 i32)))
        (import "env" "gr_size" (func $size (param i32)))
        (func (export "init"))
        (func (export "handle")
          (call $size (i32.const 0))
          (if (i32.load (i32.const 0)) (then
            (call $unreserve (i32.const 104) (i32.const 200))
            (if (i32.load (i32.const 200)) (then (call $size (i32.const -1))))
            (call $reserve (i64.const 77) (i32.const 9) (i32.const 100))
            unreachable))
          (call $reserve (i64.const 5000) (i32.const 9) (i32.const 100)))"#;
    let program = world.program(&wat(text), b"");
    world.ask(program, b"");
    let (before, free) = (world.reservations(program), free(&world, program));
    assert_eq!(before.len(), 1);
    let id = world.send(program, ALICE, b"x", 0);
    world.run();
    assert_eq!(world.code(id), ReplyCode::UNREACHABLE);
    assert_eq!(world.reservations(program), before);
    assert_eq!(
        free - self::free(&world, program),
        value(&world, world.receipt(id).gas_burned)
    );
    assert_eq!(world.unexplained(program), 0);
    world.pass(9);
    assert!(world.reservations(program).is_empty());
}

#[test]
fn reserving_is_no_way_around_the_limit_of_a_message() {
    let (mut world, steward) = steward();
    let limit = world.parameters.message_gas_limit;
    let payload = command(
        "RESERVE",
        &[&(limit / 2).to_le_bytes(), &9u32.to_le_bytes()],
    );
    let inner = command(
        "GUARD",
        &[&(limit / 2 - 400_000_000).to_le_bytes(), b"LOOP"],
    );
    world.ask(steward, &payload);
    let id = world.send(steward, ALICE, &inner, 0);
    world.run();
    let receipt = world.receipt(id);
    assert_eq!(receipt.code, ReplyCode::RAN_OUT_OF_GAS);
    // What it set aside for its signal was not left to burn.
    assert_eq!(receipt.gas_burned, limit - (limit / 2 - 400_000_000));
    // A message that was given little cannot reserve more.
    let given = 200_000_000u64;
    let payload = command(
        "SEND",
        &[
            &given.to_le_bytes(),
            steward.as_ref(),
            b"RESERVE",
            &given.to_le_bytes(),
            &9u32.to_le_bytes(),
        ],
    );
    let id = world.send(steward, ALICE, &payload, 0);
    world.run();
    assert_eq!(
        world.code(MessageId::outgoing(id, 0)),
        ReplyCode::USERSPACE_PANIC
    );
}

#[test]
fn a_price_that_changes_makes_and_loses_nothing() {
    let (mut world, steward) = steward();
    let id = reserve(&mut world, steward, 100);
    let before = world.executable(steward);
    let reserved = world.reservations(steward)[&id].value.value;
    world.parameters.value_per_gas = 7;
    let free = free(&world, steward);
    let message = world.send(steward, ALICE, b"RETURN", 0);
    world.run();
    let burned = u128::from(world.receipt(message).gas_burned) * 7;
    assert_eq!(self::free(&world, steward), free + reserved - burned);
    assert_eq!(world.executable(steward), before - burned);
}

#[test]
fn the_end_of_a_program_brings_everything_back() {
    let (mut world, steward) = steward();
    reserve(&mut world, steward, 10);
    reserve(&mut world, steward, 20);
    let guarded = command("GUARD", &[&GAS.to_le_bytes(), b"WAIT"]);
    let waiting = world.send(steward, ALICE, &guarded, 0);
    world.run();
    let kept = world.waitlist(steward)[&waiting]
        .value
        .context
        .clone()
        .unwrap();
    assert_eq!(
        (kept.signal_gas, kept.signal_value),
        (GAS, value(&world, GAS))
    );
    let all = world.executable(steward);
    let burned = world.gas_burned(steward);
    world.send(steward, BOB, &command("EXIT", &[actor(BOB).as_ref()]), 0);
    world.run();
    assert!(world.reservations(steward).is_empty());
    let burned = (world.gas_burned(steward) - burned) * world.parameters.value_per_gas;
    assert_eq!(free(&world, steward), all - burned);
    assert_eq!(world.unexplained(steward), 0);
    world.pass(30);
    assert_eq!(free(&world, steward), all - burned);
}

/// Every signal that a steward has got: which message, and how it failed.
fn signals(world: &mut World, steward: ActorId) -> Vec<(MessageId, u32)> {
    let told = world.ask(steward, b"SIGNALS").payload;
    told.chunks(36)
        .map(|own| {
            let from: [u8; 32] = own[..32].try_into().unwrap();
            (
                from.into(),
                u32::from_le_bytes(own[32..].try_into().unwrap()),
            )
        })
        .collect()
}

#[test]
fn a_failure_is_told_with_its_code() {
    let (mut world, steward) = steward();
    world.parameters.max_wait = 3;
    let mut expected = Vec::new();
    for (inner, code) in [
        (&b"PANIC"[..], 100),
        (b"LOOP", 101),
        (b"TRAP", 104),
        (b"WAIT", 200),
    ] {
        let guarded = command("GUARD", &[&GAS.to_le_bytes(), inner]);
        let id = world.send(steward, ALICE, &guarded, 0);
        world.run();
        world.pass(3);
        assert!(!world.code(id).is_success());
        expected.push((id, code));
        // What does not fail, or has not asked for it, is not told.
        let guarded = command("GUARD", &[&GAS.to_le_bytes(), b"BUMP"]);
        assert!(world.ends(steward, &guarded).is_success());
        let untold = world.send(steward, ALICE, inner, 0);
        world.pass(4);
        assert!(!world.code(untold).is_success());
    }
    assert_eq!(signals(&mut world, steward), expected);
    // It is no message that anybody sent: there is no receipt.
    for (id, _) in expected {
        let signal = MessageId(blake2b256([&b"signal"[..], id.as_ref()]));
        assert!(!world.has_receipt(signal));
    }
    // All that is not accounted for are four signals.
    let spent = world.unexplained(steward);
    assert!(spent > value(&world, 4 * gas::DISPATCH) && spent < value(&world, 4 * GAS));
    assert_eq!(free(&world, steward), world.executable(steward));
}

#[test]
fn a_signal_may_burn_what_was_set_aside_for_it() {
    let mut world = World::new();
    let text = r#"(import "env" "memory" (memory 1))
        (import "env" "gr_system_reserve_gas" (func $reserve (param i64 i32)))
        (import "env" "gr_wait_for" (func $wait_for (param i32)))
        (func (export "init"))
        (func (export "handle")
          (call $reserve (i64.const 300000000) (i32.const 0))
          (if (i32.eqz (i32.load (i32.const 100)))
            (then (i32.store (i32.const 100) (i32.const 1)) (call $wait_for (i32.const 2))))
          unreachable)
        (func (export "handle_signal") (loop $ever (br $ever)))"#;
    let program = world.program(&wat(text), b"");
    let id = world.send(program, ALICE, b"", 0);
    world.run();
    assert_eq!(world.unexplained(program), 0);
    let kept = world.waitlist(program)[&id].value.context.clone().unwrap();
    assert_eq!(kept.gas_set_aside, 300_000_000);
    world.pass(2);
    // Both runs have set aside something. The signal's own failure is told to nobody.
    assert_eq!(world.code(id), ReplyCode::UNREACHABLE);
    assert_eq!(world.unexplained(program), value(&world, 600_000_000));
    assert!(world.queue(program).is_empty());
    let spent = world.unexplained(program);
    world.pass(5);
    assert_eq!(world.unexplained(program), spent);
}

#[test]
fn a_signal_can_neither_wait_nor_reply() {
    for (call, code) in [
        ("(call $wait)", 0u32),
        (
            "(call $reply (i32.const 0) (i32.const 0) (i32.const -1) (i32.const 8))",
            108,
        ),
    ] {
        let mut world = World::new();
        let text = format!(
            r#"(import "env" "memory" (memory 1))
            (import "env" "gr_system_reserve_gas" (func $reserve (param i64 i32)))
            (import "env" "gr_wait" (func $wait))
            (import "env" "gr_reply" (func $reply (param i32 i32 i32 i32)))
            (import "env" "gr_size" (func $size (param i32)))
            (func (export "init"))
            (func (export "handle")
              (call $size (i32.const 0))
              (if (i32.eqz (i32.load (i32.const 0))) (then
                (call $reserve (i64.const 300000000) (i32.const 0)) unreachable))
              (call $reply (i32.const 4) (i32.const 8) (i32.const -1) (i32.const 100)))
            (func (export "handle_signal")
              (i32.store (i32.const 4) (i32.const 1)) {call} (i32.store (i32.const 4) (i32.const 2)))"#
        );
        let program = world.program(&wat(&text), b"");
        world.ask(program, b"");
        assert!(world.waitlist(program).is_empty());
        let told = world.ask(program, b"x").payload;
        // The wait has failed it: nothing of it is left.
        let done = if code == 0 { 0u32 } else { 2 };
        assert_eq!(told, [done.to_le_bytes(), code.to_le_bytes()].concat());
    }
}

#[test]
fn deaf_programs_and_those_without_an_ear() {
    let (mut world, steward) = steward();
    assert!(world.ends(steward, b"DEAF").is_success());
    let guarded = command("GUARD", &[&GAS.to_le_bytes(), b"PANIC"]);
    world.ends(steward, &guarded);
    assert!(signals(&mut world, steward).is_empty());
    assert!(world.ends(steward, b"").is_success());
    assert!(world.queue(steward).is_empty());

    let text = r#"(import "env" "memory" (memory 1))
        (import "env" "gr_system_reserve_gas" (func $reserve (param i64 i32)))
        (func (export "init"))
        (func (export "handle") (call $reserve (i64.const 300000000) (i32.const 0)) unreachable)"#;
    let program = world.program(&wat(text), b"");
    world.ask(program, b"");
    assert!(world.queue(program).is_empty());
    assert_eq!(world.unexplained(program), 0);
}

#[test]
fn a_failed_init_tells_nobody() {
    let mut world = World::new();
    let text = r#"(import "env" "memory" (memory 1))
        (import "env" "gr_system_reserve_gas" (func $system (param i64 i32)))
        (import "env" "gr_reserve_gas" (func $reserve (param i64 i32 i32)))
        (import "env" "gr_wait_for" (func $wait_for (param i32)))
        (func (export "init")
          (if (i32.eqz (i32.load (i32.const 100))) (then
            (i32.store (i32.const 100) (i32.const 1))
            (call $system (i64.const 300000000) (i32.const 0))
            (call $reserve (i64.const 5000) (i32.const 90) (i32.const 0))
            (call $wait_for (i32.const 2))))
          unreachable)
        (func (export "handle_signal"))"#;
    let program = world.create(&wat(text));
    world.top_up(program, common::RICH);
    let init = world.send(program, ALICE, b"", 0);
    world.run();
    assert_eq!(world.reservations(program).len(), 1);
    world.pass(2);
    assert_eq!(world.code(init), ReplyCode::UNREACHABLE);
    assert!(world.reservations(program).is_empty());
    assert_eq!(world.unexplained(program), 0);
    assert_eq!(free(&world, program), world.executable(program));
}

#[test]
fn a_starved_message_is_no_failure() {
    let (mut world, steward) = steward();
    let ping = world.program(PING, b"");
    world.parameters.value_per_gas = free(&world, steward) / 2_000_000_000;
    let guarded = command("GUARD", &[&GAS.to_le_bytes(), b"LOOP"]);
    let id = world.send(steward, ALICE, &guarded, 0);
    world.run();
    assert!(!world.has_receipt(id));
    assert_eq!(world.queue(steward).len(), 1, "no signal");
    assert!(world.ends(ping, b"PING").is_success());
}

#[test]
fn who_sets_everything_aside_pays_for_settlement_all_the_same() {
    for name in ["RESERVE", "GUARD"] {
        let mut world = World::new();
        let steward = world.create(STEWARD);
        world.top_up(steward, value(&world, 20_000_000_000));
        let init = world.send(steward, ALICE, b"", 0);
        world.run();
        assert!(world.code(init).is_success());
        let spent = world.unexplained(steward);
        // Two for the program, one for the reply if there is one.
        let each = value(&world, 1_000_000_000);
        world.parameters.value_per_settled_message = each;
        let most = 19_000_000_000u64.to_le_bytes();
        let (payload, messages) = match name {
            "RESERVE" => (command(name, &[&most, &9u32.to_le_bytes()]), 3),
            _ => (command(name, &[&most, b"WAIT"]), 2),
        };
        let id = world.send(steward, ALICE, &payload, 0);
        world.round();
        assert!(free(&world, steward) < each, "it has nearly nothing left");
        assert_eq!(world.unexplained(steward) - spent, messages * each);
        world.assert_spent_is_counted(&[steward]);
        // What is set aside is there, for less.
        let reserved = world.reservations(steward);
        let kept = world.waitlist(steward);
        match name {
            "RESERVE" => assert_eq!(reserved.values().next().unwrap().value.gas, 19_000_000_000),
            _ => assert_eq!(
                kept[&id].value.context.as_ref().unwrap().signal_gas,
                19_000_000_000
            ),
        }
        world.parameters.value_per_settled_message = 0;
        world.top_up(steward, common::RICH);
        world.send(steward, BOB, &command("EXIT", &[actor(BOB).as_ref()]), 0);
        world.run();
        assert_eq!(free(&world, steward), world.executable(steward));
    }
}

#[test]
fn nothing_is_reserved_for_longer_than_a_message_may_wait() {
    let (mut world, steward) = steward();
    world.parameters.max_wait = 5;
    let id = reserve(&mut world, steward, u32::MAX);
    let expiry = world.reservations(steward)[&id].expiry;
    assert_eq!(expiry, world.height as u32 + 5);
}
