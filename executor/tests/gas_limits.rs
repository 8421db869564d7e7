//! Gas that a sender gives with a message, or sets aside for its reply: the most that may be burned at the other end.

#![allow(clippy::unwrap_used)] // a failed unwrap is a failed test

mod common;

use common::{ALICE, World, actor, command};
use gear_exe_primitives::{ActorId, MessageId, message::ReplyCode};
use gear_exe_programs::{PING, STEWARD, TROUBLE};

/// The message that a steward sends on command, once everything has run.
fn sent(
    world: &mut World,
    steward: ActorId,
    name: &str,
    gas: u64,
    to: ActorId,
    payload: &[u8],
) -> MessageId {
    let payload = command(name, &[&gas.to_le_bytes(), to.as_ref(), payload]);
    let id = world.send(steward, ALICE, &payload, 0);
    world.run();
    assert!(world.code(id).is_success());
    MessageId::outgoing(id, 0)
}

#[test]
fn a_message_burns_at_most_what_it_was_given() {
    let mut world = World::new();
    let steward = world.program(STEWARD, b"");
    let ping = world.program(PING, b"");
    let trouble = world.program(TROUBLE, b"");

    let enough = sent(&mut world, steward, "SEND", 1_000_000_000, ping, b"PING");
    assert!(world.code(enough).is_success());
    // More than any message may burn is as much as any may.
    let all = sent(&mut world, steward, "SEND", u64::MAX, ping, b"PING");
    assert!(world.code(all).is_success());
    let endless = sent(&mut world, steward, "SEND", u64::MAX, trouble, b"LOOP");
    let receipt = world.receipt(endless);
    assert_eq!(receipt.code, ReplyCode::RAN_OUT_OF_GAS);
    assert_eq!(receipt.gas_burned, world.parameters.message_gas_limit);

    for gas in [0, 1, 9_999_999, 10_000_000, 50_000_000] {
        let before = world.executable(trouble);
        let id = sent(&mut world, steward, "SEND", gas, trouble, b"LOOP");
        let receipt = world.receipt(id);
        assert_eq!(
            (receipt.code, receipt.gas_burned),
            (ReplyCode::RAN_OUT_OF_GAS, gas)
        );
        // Its receiver pays, and is not held for poverty.
        let price = world.parameters.value_per_gas;
        assert_eq!(before - world.executable(trouble), u128::from(gas) * price);
        assert_eq!(world.state(trouble).required_gas, None);
    }
    let counts = world.ask(steward, b"COUNT").payload;
    assert_eq!(counts[4..], 8u32.to_le_bytes(), "each was answered");
}

#[test]
fn all_runs_of_a_message_share_what_it_was_given() {
    let mut world = World::new();
    let steward = world.program(STEWARD, b"");
    let trouble = world.program(TROUBLE, b"");
    let free = sent(&mut world, steward, "SEND", u64::MAX, trouble, b"WAIT");
    let first = world.waitlist(trouble)[&free]
        .value
        .context
        .clone()
        .unwrap()
        .gas_burned;
    world.pass(5);
    let both = world.receipt(free).gas_burned;
    assert!(first < both);

    // Enough for the first run, not for both.
    let limit = (first + both) / 2;
    let id = sent(&mut world, steward, "SEND", limit, trouble, b"WAIT");
    assert!(!world.has_receipt(id));
    world.pass(5);
    let receipt = world.receipt(id);
    assert_eq!(
        (receipt.code, receipt.gas_burned),
        (ReplyCode::RAN_OUT_OF_GAS, limit)
    );
    assert_eq!(world.unexplained(trouble), 0);
}

#[test]
fn a_poor_receiver_is_starved_all_the_same() {
    let mut world = World::new();
    let steward = world.program(STEWARD, b"");
    let trouble = world.create(TROUBLE);
    world.top_up(trouble, 1_000_000_000 * 100);
    let init = world.send(trouble, ALICE, b"", 0);
    world.run();
    assert!(world.code(init).is_success());
    // More than it has left.
    let left = world.state(trouble).executable_balance / 100;
    let limit = u64::try_from(left).unwrap() + 1;
    let id = sent(&mut world, steward, "SEND", limit, trouble, b"LOOP");
    assert!(!world.has_receipt(id));
    assert!(world.state(trouble).required_gas.is_some());
    world.top_up(trouble, common::RICH);
    world.run();
    let receipt = world.receipt(id);
    assert_eq!(
        (receipt.code, receipt.gas_burned),
        (ReplyCode::RAN_OUT_OF_GAS, limit)
    );
}

#[test]
fn a_user_is_not_concerned() {
    let mut world = World::new();
    let steward = world.program(STEWARD, b"");
    sent(&mut world, steward, "SEND", 0, actor(common::BOB), b"hello");
    assert_eq!(world.mail(common::BOB)[0].payload, b"hello");
}

#[test]
fn a_delayed_message_keeps_what_it_was_given() {
    let mut world = World::new();
    let trouble = world.program(TROUBLE, b"");
    let text = r#"(import "env" "memory" (memory 1))
           (import "env" "gr_read" (func $read (param i32 i32 i32 i32)))
           (import "env" "gr_send_wgas" (func $send (param i32 i32 i32 i64 i32 i32)))
           (func (export "init"))
           (func (export "handle")
             (call $read (i32.const 0) (i32.const 52) (i32.const 0) (i32.const 200))
             (call $send (i32.const 0) (i32.const 48) (i32.const 4) (i64.const 40000000) (i32.const 2) (i32.const 200)))"#;
    let sender = world.program(&common::wat(text), b"");
    let payload = [trouble.as_ref(), &[0; 16], b"LOOP"].concat();
    let id = world.send(sender, ALICE, &payload, 0);
    world.run();
    let id = MessageId::outgoing(id, 0);
    assert_eq!(
        world.stash(trouble)[&id].value.0.gas.limit,
        Some(40_000_000)
    );
    world.pass(2);
    assert_eq!(world.receipt(id).gas_burned, 40_000_000);
}

#[test]
fn a_reply_burns_at_most_what_it_was_given() {
    let mut world = World::new();
    let steward = world.program(STEWARD, b"");
    let trouble = world.program(TROUBLE, b"");
    for (gas, code) in [
        (0, ReplyCode::RAN_OUT_OF_GAS),
        (1_000_000_000, ReplyCode::SUCCESS_AUTO),
    ] {
        let inner = command("REPLY", &[&u64::to_le_bytes(gas)]);
        let payload = command("SEND", &[steward.as_ref(), &[0; 16], &inner]);
        let id = world.send(trouble, ALICE, &payload, 0);
        world.run();
        let asked = MessageId::outgoing(id, 0);
        assert_eq!(world.code(asked), ReplyCode::SUCCESS_MANUAL);
        assert_eq!(world.code(MessageId::reply(asked)), code);
    }
    let count = u64::from_le_bytes(world.ask(trouble, b"REPLIES").payload.try_into().unwrap());
    assert_eq!(count, 1, "the other was not handled");
}

#[test]
fn a_deposit_is_for_whatever_reply_there_is() {
    let mut world = World::new();
    let steward = world.program(STEWARD, b"");
    let ping = world.program(PING, b"");
    let trouble = world.program(TROUBLE, b"");
    let nobody = ActorId::from([9; 32]);
    for (to, payload) in [
        (ping, &b"PING"[..]),
        (trouble, b"PANIC"),
        (trouble, b""),
        (nobody, b""),
    ] {
        let short = sent(&mut world, steward, "DEPOSIT", 5, to, payload);
        let receipt = world.receipt(MessageId::reply(short));
        assert_eq!(
            (receipt.code, receipt.gas_burned),
            (ReplyCode::RAN_OUT_OF_GAS, 5)
        );
        let enough = sent(&mut world, steward, "DEPOSIT", 1_000_000_000, to, payload);
        assert!(world.code(MessageId::reply(enough)).is_success());
    }
    // It goes before what the other side gives with its reply.
    let other = world.program(STEWARD, b"");
    let reply = command("REPLY", &[&u64::MAX.to_le_bytes()]);
    let short = sent(&mut world, steward, "DEPOSIT", 5, other, &reply);
    assert_eq!(world.receipt(MessageId::reply(short)).gas_burned, 5);
}

#[test]
fn a_mailbox_keeps_the_deposit() {
    let mut world = World::new();
    world.parameters.mailbox_validity = 3;
    let steward = world.program(STEWARD, b"");
    let user = actor(common::BOB);
    let replied = sent(&mut world, steward, "DEPOSIT", 5, user, b"first");
    let claimed = sent(&mut world, steward, "DEPOSIT", 6, user, b"second");
    let expired = sent(&mut world, steward, "DEPOSIT", 7, user, b"third");
    world.reply(steward, common::BOB, replied, b"thanks", 0);
    world.claim(steward, common::BOB, claimed);
    world.pass(5);
    for (id, gas) in [(replied, 5), (claimed, 6), (expired, 7)] {
        let receipt = world.receipt(MessageId::reply(id));
        assert_eq!(
            (receipt.code, receipt.gas_burned),
            (ReplyCode::RAN_OUT_OF_GAS, gas)
        );
    }
}
