//! Messages that wait: for a wake, for a time, for executable balance, for room.

#![allow(clippy::unwrap_used)] // a failed unwrap is a failed test

mod common;

use common::{ALICE, BOB, RICH, World, actor, command, wat};
use gear_exe_executor::{gas::DISPATCH, state::Program};
use gear_exe_primitives::{ActorId, MessageId, message::ReplyCode};
use gear_exe_programs::{PING, STEWARD, TROUBLE};

#[test]
fn a_wait_ends_with_its_time() {
    let mut world = World::new();
    let trouble = world.program(TROUBLE, b"");
    let id = world.send(trouble, ALICE, b"WAIT", 9);
    world.run();
    assert!(!world.has_receipt(id));
    assert_eq!(world.waitlist(trouble)[&id].expiry, world.height as u32 + 5);
    // The value was taken in by the first run.
    assert_eq!(world.state(trouble).balance, 9);
    let balance = world.state(trouble).executable_balance;
    world.pass(4);
    assert!(!world.has_receipt(id));
    assert_eq!(
        world.state(trouble).executable_balance,
        balance,
        "waiting costs nothing"
    );
    world.pass(1);
    assert_eq!(world.reply_to(id).payload, b"LATE");
    assert!(world.waitlist(trouble).is_empty());
}

#[test]
fn a_wake_ends_a_wait() {
    let mut world = World::new();
    let trouble = world.program(TROUBLE, b"");
    let id = world.send(trouble, ALICE, b"WAIT", 0);
    world.run();
    let waiting = world.waitlist(trouble).remove(&id).unwrap();
    let first = waiting.value.context.unwrap().gas_burned;
    world.ask(trouble, &command("WAKE", &[id.as_ref()]));
    assert_eq!(world.reply_to(id).payload, b"WOKEN");
    // The time that was set is no longer due.
    world.pass(6);
    world.reply_to(id);
    // Gas of both runs is in the receipt.
    assert!(first > DISPATCH);
    assert!(world.receipt(id).gas_burned > first + DISPATCH);
}

#[test]
fn init_may_wait() {
    let mut world = World::new();
    let trouble = world.create(TROUBLE);
    world.top_up(trouble, RICH);
    let init = world.send(trouble, ALICE, b"WAIT", 0);
    let early = world.send(trouble, ALICE, b"BUMP", 0);
    world.run();
    assert_eq!(world.code(early), ReplyCode::UNINITIALIZED);
    assert!(matches!(
        world.state(trouble).program,
        Program::Active {
            initialized: false,
            ..
        }
    ));
    world.pass(5);
    assert_eq!(world.reply_to(init).payload, b"LATE");
    assert!(world.ends(trouble, b"BUMP").is_success());
}

#[test]
fn what_waits_is_answered_when_the_program_exits() {
    let mut world = World::new();
    let trouble = world.program(TROUBLE, b"");
    let id = world.send(trouble, ALICE, b"WAIT", 5);
    world.run();
    world.ask(trouble, &command("EXIT", &[actor(BOB).as_ref()]));
    let reply = world.reply_to(id);
    assert_eq!(reply.reply_details.unwrap().code, ReplyCode::PROGRAM_EXITED);
    // Its value was taken in before: it goes with what the program owned.
    assert_eq!((reply.value, world.books.paid[&BOB]), (0, 5));
    world.pass(6);
    world.reply_to(id);
}

#[test]
fn without_executable_balance_messages_wait() {
    let mut world = World::new();
    let ping = world.create(PING);
    let init = world.send(ping, ALICE, b"", 1);
    let first = world.send(ping, BOB, b"PING", 2);
    let outcome = world.run();
    assert_eq!(outcome.starved, [ping]);
    assert!(!outcome.work_left);
    assert_eq!(world.queue(ping).len(), 2);
    world.pass(3);
    // It is shown as starved in every round, also when nobody touches it.
    assert_eq!(world.quiet_round().starved, [ping]);
    assert!(!world.has_receipt(init));
    // Another program is not concerned.
    world.program(PING, b"");

    world.top_up(ping, RICH);
    let outcome = world.run();
    assert!(outcome.starved.is_empty());
    assert!(world.code(init).is_success());
    assert_eq!(world.reply_to(first).payload, b"PONG");
    assert_eq!(world.state(ping).required_gas, None);
}

#[test]
fn init_is_never_killed_by_poverty() {
    let mut world = World::new();
    let trouble = world.create(TROUBLE);
    // Enough to begin, not to end.
    world.top_up(trouble, 2_000_000_000);
    let init = world.send(trouble, ALICE, b"BUMP", 0);
    let outcome = world.run();
    assert_eq!(outcome.starved, [trouble]);
    assert!(!world.has_receipt(init));
    let state = world.state(trouble);
    assert_eq!(
        state.executable_balance, 2_000_000_000,
        "nothing is charged"
    );
    let required = state.required_gas.unwrap();
    assert!(required > 20_000_000);
    // A little more does not make the network try again.
    world.top_up(trouble, 1);
    let outcome = world.run();
    assert_eq!(
        (outcome.starved.as_slice(), outcome.gas_burned),
        (&[trouble][..], 0)
    );
    world.top_up(trouble, RICH);
    world.run();
    assert!(world.code(init).is_success());
    assert_eq!(world.ask(trouble, b"COUNT").payload, 1u64.to_le_bytes());
}

#[test]
fn a_loop_of_a_poor_program_waits_for_the_price_of_a_whole_message() {
    let mut world = World::new();
    world.parameters.message_gas_limit = 1_000_000_000;
    let trouble = world.program(TROUBLE, b"");
    let rich = world.state(trouble).executable_balance;
    // Spend nearly everything by a cheaper price: governance changes it, and the program is poor.
    world.parameters.value_per_gas = rich / 900_000_000;
    let id = world.send(trouble, ALICE, b"LOOP", 0);
    assert_eq!(world.run().starved, [trouble]);
    assert!(!world.has_receipt(id));
    // A lower price wakes it without a top-up.
    world.parameters.value_per_gas = 100;
    world.run();
    assert_eq!(world.code(id), ReplyCode::RAN_OUT_OF_GAS);
    assert_eq!(world.receipt(id).gas_burned, 1_000_000_000);
}

#[test]
fn a_round_ends_with_its_gas_and_the_next_goes_on() {
    let mut world = World::new();
    let pings: Vec<_> = (0..4).map(|_| world.program(PING, b"")).collect();
    world.parameters.message_gas_limit = 300_000_000;
    world.parameters.round_gas_limit = 2_400_000_000;
    world.parameters.max_round_messages = 10_000;
    world.parameters.max_round_bytes = 10 << 20;
    let ids: Vec<_> = (0..400)
        .map(|number| world.send(pings[number % 4], ALICE, b"PING", 0))
        .collect();
    let outcome = world.round();
    assert!(outcome.work_left);
    assert!(outcome.gas_burned <= 2_400_000_000 && outcome.gas_burned > 1_000_000_000);
    // Everybody had a turn.
    for ping in &pings {
        assert!(
            outcome
                .receipts
                .iter()
                .any(|receipt| receipt.program_id == *ping)
        );
    }
    while world.quiet_round().work_left {}
    ids.iter()
        .for_each(|id| assert_eq!(world.reply_to(*id).payload, b"PONG"));
}

#[test]
fn ethereum_takes_as_much_as_a_round_may_and_the_rest_follows_in_order() {
    let mut world = World::new();
    let ping = world.program(PING, b"");
    world.parameters.max_round_messages = 10;
    let ids: Vec<_> = (0..35)
        .map(|_| world.send(ping, ALICE, b"PING", 0))
        .collect();
    let first = world.messages.len();
    let mut rounds = vec![world.round()];
    while rounds.last().unwrap().work_left {
        rounds.push(world.quiet_round());
    }
    for outcome in &rounds {
        let count: usize = outcome
            .transitions
            .iter()
            .map(|own| own.messages.len())
            .sum();
        assert!(count <= 10);
    }
    let order: Vec<_> = world.messages[first..]
        .iter()
        .map(|(_, message)| message.reply_details.unwrap().to)
        .collect();
    assert_eq!(order, ids);
}

#[test]
fn a_call_back_weighs_more_than_a_message() {
    let mut world = World::new();
    let ping = world.program(PING, b"");
    world.parameters.max_round_messages = 30;
    let ids: Vec<_> = (0..6)
        .map(|_| world.send_with(ping, ALICE, b"PING", 0, true))
        .collect();
    let outcome = world.round();
    assert!(outcome.work_left);
    assert_eq!(outcome.transitions[0].messages.len(), 2);
    while world.quiet_round().work_left {}
    ids.iter().for_each(|id| assert!(world.reply_to(*id).call));
}

#[test]
fn a_flood_to_ethereum_does_not_hold_up_others() {
    let mut world = World::new();
    let flood = wat(r#"(import "env" "memory" (memory 1))
           (import "env" "gr_source" (func $source (param i32)))
           (import "env" "gr_send" (func $send (param i32 i32 i32 i32 i32)))
           (func (export "init"))
           (func (export "handle") (local $n i32)
             (call $source (i32.const 0))
             (loop $next
               (call $send (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 60))
               (local.set $n (i32.add (local.get $n) (i32.const 1)))
               (br_if $next (i32.lt_u (local.get $n) (i32.const 200)))))"#);
    let (flood, ping) = (world.program(&flood, b""), world.program(PING, b""));
    world.parameters.max_round_messages = 20;
    let floods: Vec<_> = (0..3).map(|_| world.send(flood, ALICE, b"", 0)).collect();
    world.round();
    for _ in 0..5 {
        let id = world.send(ping, BOB, b"PING", 0);
        world.round();
        assert_eq!(world.reply_to(id).payload, b"PONG", "in the same round");
    }
    assert!(world.mail(ALICE).len() < 200);
    while world.quiet_round().work_left {}
    assert_eq!(world.mail(ALICE).len(), 600);
    floods
        .iter()
        .for_each(|id| assert!(world.reply_to(*id).reply_details.is_some()));
}

/// Sends a message that waits, and says which.
fn waiting(world: &mut World, program: ActorId, payload: &[u8]) -> MessageId {
    let id = world.send(program, ALICE, payload, 3);
    world.run();
    assert!(!world.has_receipt(id));
    id
}

fn wake_later(world: &mut World, program: ActorId, id: MessageId, blocks: u32) {
    let payload = command("WAKE", &[&blocks.to_le_bytes(), id.as_ref()]);
    assert!(world.ends(program, &payload).is_success());
}

#[test]
fn who_waits_without_end_is_removed() {
    let mut world = World::new();
    world.parameters.max_wait = 4;
    let steward = world.program(STEWARD, b"");
    let id = waiting(&mut world, steward, b"WAIT");
    let burned = world.gas_burned(steward);
    world.pass(3);
    assert!(!world.has_receipt(id));
    world.pass(1);
    let reply = world.reply_to(id);
    let code = reply.reply_details.unwrap().code;
    assert_eq!(code, ReplyCode::REMOVED_FROM_WAITLIST);
    // Its value was taken in by its run, which is all that it pays for.
    assert_eq!((reply.value, world.state(steward).balance), (0, 3));
    assert_eq!(world.gas_burned(steward), burned);
    assert!(world.waitlist(steward).is_empty());

    let id = waiting(&mut world, steward, b"WAIT");
    wake_later(&mut world, steward, id, 0);
    assert_eq!(world.reply_to(id).payload, b"WOKEN");
    world.pass(5);
    world.reply_to(id);
    assert_eq!(world.unexplained(steward), 0);
}

#[test]
fn an_init_that_is_removed_has_failed() {
    let mut world = World::new();
    world.parameters.max_wait = 2;
    let text = r#"(import "env" "memory" (memory 1)) (import "env" "gr_wait" (func $wait))
        (func (export "init") (call $wait))"#;
    let program = world.create(&wat(text));
    world.top_up(program, RICH);
    let init = world.send(program, ALICE, b"", 0);
    world.run();
    assert!(!world.has_receipt(init));
    world.pass(2);
    assert_eq!(world.code(init), ReplyCode::REMOVED_FROM_WAITLIST);
    assert!(matches!(
        world.state(program).program,
        Program::Terminated(_)
    ));
}

#[test]
fn a_wake_may_come_later() {
    let mut world = World::new();
    let steward = world.program(STEWARD, b"");
    let id = waiting(&mut world, steward, b"WAIT");
    wake_later(&mut world, steward, id, 3);
    world.pass(2);
    assert!(!world.has_receipt(id));
    // The first of several counts.
    wake_later(&mut world, steward, id, 90);
    assert_eq!(world.reply_to(id).payload, b"WOKEN");
    world.pass(100);
    world.reply_to(id);
}

#[test]
fn a_later_wake_is_void_when_the_wait_is_over() {
    let mut world = World::new();
    let trouble = world.program(TROUBLE, b"");
    let steward = world.program(STEWARD, b"");
    // Its own time comes first.
    let id = waiting(&mut world, steward, &command("NAP", &[&2u32.to_le_bytes()]));
    wake_later(&mut world, steward, id, 5);
    world.pass(1);
    assert_eq!(world.reply_to(id).payload, b"UP");
    world.pass(6);
    world.reply_to(id);
    // Nobody else's message is woken, nor one that has never waited.
    let other = waiting(&mut world, trouble, b"WAIT");
    wake_later(&mut world, steward, other, 1);
    world.pass(2);
    assert!(!world.has_receipt(other));
    // Woken before: the next wait of the same message is another one.
    let text = r#"(import "env" "memory" (memory 1))
        (import "env" "gr_wait_for" (func $wait_for (param i32)))
        (import "env" "gr_wake" (func $wake (param i32 i32 i32)))
        (import "env" "gr_message_id" (func $id (param i32)))
        (import "env" "gr_size" (func $size (param i32)))
        (func (export "init"))
        (func (export "handle")
          (call $size (i32.const 0))
          (if (i32.eqz (i32.load (i32.const 0)))
            (then
              ;; three times
              (i32.store (i32.const 4) (i32.add (i32.load (i32.const 4)) (i32.const 1)))
              (if (i32.lt_u (i32.load (i32.const 4)) (i32.const 4))
                (then (call $id (i32.const 100)) (call $wait_for (i32.const 10)))))
            (else
              (call $wake (i32.const 100) (i32.sub (i32.load (i32.const 0)) (i32.const 1)) (i32.const 200)))))"#;
    let waiter = world.program(&wat(text), b"");
    let id = waiting(&mut world, waiter, b"");
    // After one block, and before that at once: the second wait lasts its ten blocks.
    world.ask(waiter, b"12");
    world.ask(waiter, b"1");
    let began = world.waitlist(waiter)[&id].expiry;
    assert_eq!(began, world.height as u32 + 10);
    world.pass(9);
    assert!(world.waitlist(waiter)[&id].expiry == began);
    world.pass(1);
    assert_eq!(
        world.waitlist(waiter)[&id].expiry,
        began + 10,
        "its third wait"
    );
}

#[test]
fn a_message_may_set_its_own_alarm() {
    let mut world = World::new();
    let steward = world.program(STEWARD, b"");
    let id = waiting(&mut world, steward, &command("NAP", &[&3u32.to_le_bytes()]));
    assert_eq!(world.waitlist(steward)[&id].expiry, world.height as u32 + 3);
    world.pass(2);
    assert!(!world.has_receipt(id));
    world.pass(1);
    assert_eq!(world.reply_to(id).payload, b"UP");
}
