//! ETH: into a program, out of it, through mailboxes, with failures and exits. The world checks after each round that
//! programs have what the contracts hold for them.

#![allow(clippy::unwrap_used)] // a failed unwrap is a failed test

mod common;

use common::{ALICE, BOB, World, actor, command};
use gear_exe_executor::state::Program;
use gear_exe_primitives::{H160, message::ReplyCode};
use gear_exe_programs::{PING, TROUBLE};

#[test]
fn owned_balance_is_topped_up_and_sent() {
    let mut world = World::new();
    let trouble = world.program(TROUBLE, b"");
    world.give(trouble, 1_000);
    world.run();
    assert_eq!(world.state(trouble).balance, 1_000);
    let id = world.send(
        trouble,
        BOB,
        &command("MAILBOX", &[&400u128.to_le_bytes()]),
        0,
    );
    world.run();
    assert!(world.code(id).is_success());
    assert_eq!(world.state(trouble).balance, 600);
    assert_eq!(world.books.custody[&trouble], 400);
    let mail = world.mail(BOB);
    assert_eq!(
        (mail[0].payload.as_slice(), mail[0].value),
        (&b"MAIL"[..], 400)
    );

    // Only its own user can claim it, and once.
    world.claim(trouble, ALICE, mail[0].id);
    world.claim(trouble, BOB, mail[0].id);
    world.claim(trouble, BOB, mail[0].id);
    world.run();
    assert_eq!(world.books.paid.get(&ALICE), None);
    assert_eq!(world.books.paid[&BOB], 400);
    // The claim answers the program.
    assert_eq!(world.ask(trouble, b"REPLIES").payload, 1u64.to_le_bytes());
}

#[test]
fn a_reply_claims_as_well_and_brings_its_own_value() {
    let mut world = World::new();
    let trouble = world.program(TROUBLE, b"");
    world.give(trouble, 50);
    world.send(
        trouble,
        BOB,
        &command("MAILBOX", &[&50u128.to_le_bytes()]),
        0,
    );
    world.run();
    let mail = world.mail(BOB)[0].clone();
    world.reply(trouble, BOB, mail.id, b"thanks", 7);
    world.run();
    assert_eq!(world.books.paid[&BOB], 50);
    assert_eq!(world.state(trouble).balance, 7);
    // Nothing is there any more: the value of the second reply goes back.
    world.reply(trouble, BOB, mail.id, b"again", 9);
    world.run();
    assert_eq!(world.books.paid[&BOB], 59);
}

#[test]
fn a_reply_that_fails_leaves_its_value() {
    let mut world = World::new();
    let trouble = world.program(TROUBLE, b"");
    world.send(
        trouble,
        BOB,
        &command("MAILBOX", &[&0u128.to_le_bytes()]),
        0,
    );
    world.run();
    let mail = world.mail(BOB)[0].clone();
    let replies = world.receipts.len();
    world.reply(trouble, BOB, mail.id, b"PANIC", 7);
    world.run();
    assert_eq!(world.receipts[replies].code, ReplyCode::USERSPACE_PANIC);
    assert_eq!(world.state(trouble).balance, 7);
    assert_eq!(world.ask(trouble, b"REPLIES").payload, 0u64.to_le_bytes());
}

#[test]
fn a_mailbox_expires() {
    let mut world = World::new();
    world.parameters.mailbox_validity = 3;
    let trouble = world.program(TROUBLE, b"");
    world.give(trouble, 5);
    world.send(
        trouble,
        BOB,
        &command("MAILBOX", &[&5u128.to_le_bytes()]),
        0,
    );
    world.run();
    world.pass(2);
    assert_eq!(world.mailbox(trouble, BOB).len(), 1);
    assert_eq!(world.books.paid.get(&BOB), None);
    world.pass(1);
    assert!(world.mailbox(trouble, BOB).is_empty());
    assert_eq!(world.books.paid[&BOB], 5);
    assert_eq!(world.ask(trouble, b"REPLIES").payload, 1u64.to_le_bytes());
}

#[test]
fn failure_returns_the_value_and_undoes_everything_else() {
    let mut world = World::new();
    let trouble = world.program(TROUBLE, b"");
    world.ask(trouble, b"BUMP");
    let before = world.state(trouble);
    let id = world.send(trouble, BOB, b"DIRTY", 11);
    world.run();
    let reply = world.reply_to(id);
    assert_eq!(reply.value, 11);
    assert_eq!(
        reply.reply_details.unwrap().code,
        ReplyCode::USERSPACE_PANIC
    );
    assert!(String::from_utf8_lossy(&reply.payload).contains("all of this is undone"));
    let after = world.state(trouble);
    assert_eq!(
        after.program, before.program,
        "memory and allocations are as before"
    );
    assert_eq!(after.balance, before.balance);
    let price = u128::from(world.receipt(id).gas_burned) * 100;
    assert_eq!(after.executable_balance, before.executable_balance - price);
    assert_eq!(world.ask(trouble, b"COUNT").payload, 1u64.to_le_bytes());
}

#[test]
fn value_goes_from_program_to_program_and_back() {
    let mut world = World::new();
    let (one, two) = (world.program(TROUBLE, b""), world.program(TROUBLE, b""));
    world.give(one, 100);
    let send = |to: &[u8], value: u128, payload: &[u8]| {
        command("SEND", &[to, &value.to_le_bytes(), payload])
    };
    world.ask(one, &send(two.as_ref(), 60, b"BUMP"));
    assert_eq!(
        (world.state(one).balance, world.state(two).balance),
        (40, 60)
    );
    // Fails there: the error reply carries the value back.
    world.ask(one, &send(two.as_ref(), 40, b"PANIC"));
    assert_eq!(
        (world.state(one).balance, world.state(two).balance),
        (40, 60)
    );
    // Comes back with the reply.
    world.ask(one, &send(two.as_ref(), 40, b"REFUND"));
    assert_eq!(
        (world.state(one).balance, world.state(two).balance),
        (40, 60)
    );
    // To somebody who cannot exist.
    world.ask(one, &send(&[9; 32], 40, b"hello"));
    assert_eq!(world.state(one).balance, 40);
    // More than there is.
    let id = world.send(one, ALICE, &send(two.as_ref(), 41, b""), 0);
    world.run();
    assert_eq!(world.code(id), ReplyCode::USERSPACE_PANIC);
    assert_eq!(world.ask(one, b"REPLIES").payload, 4u64.to_le_bytes());
}

#[test]
fn a_failed_init_returns_its_value_and_ends_the_program() {
    let mut world = World::new();
    let trouble = world.create(TROUBLE);
    world.top_up(trouble, common::RICH);
    let init = world.send(trouble, ALICE, b"PANIC", 5);
    let later = world.send(trouble, BOB, b"COUNT", 6);
    world.run();
    assert_eq!(world.code(init), ReplyCode::USERSPACE_PANIC);
    assert_eq!(world.code(later), ReplyCode::INITIALIZATION_FAILURE);
    assert_eq!((world.books.paid[&ALICE], world.books.paid[&BOB]), (5, 6));
    assert_eq!(
        world.state(trouble).program,
        Program::Terminated(actor(ALICE))
    );
    let refused = world.query(trouble, b"COUNT").unwrap();
    assert_eq!(refused.code, ReplyCode::INITIALIZATION_FAILURE);
}

#[test]
fn messages_before_init_are_refused_for_nothing() {
    let mut world = World::new();
    // Without any executable balance.
    let raw = world.create(PING);
    let native = world.native(raw, BOB, b"PING");
    world.run();
    assert_eq!(world.code(native), ReplyCode::UNINITIALIZED);

    // What another program sends is no init either.
    let trouble = world.program(TROUBLE, b"");
    world.give(trouble, 5);
    world.ask(
        trouble,
        &command("SEND", &[raw.as_ref(), &5u128.to_le_bytes(), b"PING"]),
    );
    assert_eq!(world.state(trouble).balance, 5);
    assert!(matches!(
        world.state(raw).program,
        Program::Active {
            initialized: false,
            ..
        }
    ));
    // The first message of its Mirror is.
    world.top_up(raw, common::RICH);
    let init = world.send(raw, ALICE, b"", 0);
    let ping = world.send(raw, ALICE, b"PING", 0);
    world.run();
    assert!(world.code(init).is_success());
    assert_eq!(world.reply_to(ping).payload, b"PONG");
}

#[test]
fn exit_leaves_everything_to_a_user() {
    let mut world = World::new();
    let trouble = world.program(TROUBLE, b"");
    world.give(trouble, 77);
    world.send(
        trouble,
        BOB,
        &command("MAILBOX", &[&7u128.to_le_bytes()]),
        0,
    );
    world.run();
    let mail = world.mail(BOB)[0].clone();
    let id = world.send(trouble, ALICE, &command("EXIT", &[actor(BOB).as_ref()]), 3);
    let late = world.send(trouble, ALICE, b"COUNT", 4);
    world.run();
    assert!(world.code(id).is_success());
    assert_eq!(world.state(trouble).program, Program::Exited(actor(BOB)));
    assert_eq!(world.books.paid[&BOB], 73);
    let reply = world.reply_to(late);
    assert_eq!(reply.reply_details.unwrap().code, ReplyCode::PROGRAM_EXITED);
    assert_eq!(
        (reply.payload.as_slice(), reply.value),
        (actor(BOB).as_ref(), 4)
    );
    // What lies in a mailbox belongs to the user.
    world.claim(trouble, BOB, mail.id);
    world.run();
    assert_eq!(world.books.paid[&BOB], 80);
}

#[test]
fn exit_leaves_everything_to_a_program() {
    let mut world = World::new();
    let (old, new, last) = (
        world.program(TROUBLE, b""),
        world.program(TROUBLE, b""),
        world.program(TROUBLE, b""),
    );
    world.give(old, 77);
    world.ask(old, &command("EXIT", &[new.as_ref()]));
    assert_eq!(world.state(new).balance, 77);
    // A top-up that was on its way goes to the heir, and to the heir's heir.
    world.give(old, 3);
    world.run();
    assert_eq!(world.state(new).balance, 80);
    world.ask(new, &command("EXIT", &[last.as_ref()]));
    world.give(old, 1);
    world.run();
    assert_eq!(world.state(last).balance, 81);
    let refused = world.query(old, b"").unwrap();
    assert_eq!(
        (refused.code, refused.payload.as_slice()),
        (ReplyCode::PROGRAM_EXITED, new.as_ref())
    );
    // Heirs that go round in a circle end the search, not the executor.
    world.ask(last, &command("EXIT", &[old.as_ref()]));
    world.give(new, 5);
    world.run();
}

#[test]
fn a_delayed_message_carries_its_value() {
    let mut world = World::new();
    let trouble = world.program(TROUBLE, b"");
    let id = world.send(trouble, BOB, &command("DELAY", &[&3u32.to_le_bytes()]), 0);
    world.run();
    assert!(world.code(id).is_success());
    assert_eq!(world.stash(trouble).len(), 1);
    world.pass(2);
    assert!(world.mail(BOB).is_empty());
    world.pass(1);
    assert!(world.stash(trouble).is_empty());
    assert_eq!(world.mail(BOB)[0].payload, b"DELAYED");
    assert_eq!(world.mailbox(trouble, BOB).len(), 1);
}

#[test]
fn an_event_of_nobody_is_ignored() {
    let mut world = World::new();
    let nobody = actor(H160::repeat_byte(0x55));
    world.top_up(nobody, 5);
    assert!(world.round().transitions.is_empty());
}
