//! Programs as they are built for Vara run as they are: `gstd` 2.0 without its feature `ethexe`.

#![allow(clippy::unwrap_used)] // a failed unwrap is a failed test

mod common;

use common::{ALICE, BOB, World, actor, command};
use gear_exe_primitives::{ActorId, hashing::blake2b256, message::ReplyCode};
use gear_exe_programs::{ENVOY, PING, STEWARD, TROUBLE};

/// How many answers an envoy has counted, hooks it has run, and signals it has got.
fn told(world: &mut World, envoy: ActorId) -> [u32; 3] {
    let told = world.ask(envoy, b"TOLD").payload;
    [0, 4, 8].map(|at| u32::from_le_bytes(told[at..at + 4].try_into().unwrap()))
}

#[test]
fn asking_and_waiting_for_the_answer() {
    let mut world = World::new();
    let (envoy, ping) = (world.program(ENVOY, b""), world.program(PING, b""));
    let answer = world.ask(envoy, &command("ASK", &[ping.as_ref(), b"PING"]));
    assert_eq!(answer.payload, b"PONG");
    // Errors arrive as such.
    let trouble = world.program(TROUBLE, b"");
    let answer = world.ask(envoy, &command("ASK", &[trouble.as_ref(), b"TRAP"]));
    assert!(answer.payload.starts_with(b"ERROR"), "{answer:?}");
    // Each message has set gas aside for its signal, and has it back.
    assert_eq!(
        world.state(envoy).executable_balance,
        world.executable(envoy)
    );
    assert_eq!(world.unexplained(envoy), 0);
    assert_eq!(told(&mut world, envoy), [0, 0, 0]);
}

#[test]
fn a_user_is_asked_too_and_may_be_late() {
    let mut world = World::new();
    let envoy = world.program(ENVOY, b"");
    let ask = command(
        "HOOK",
        &[
            actor(BOB).as_ref(),
            &1_000_000_000u64.to_le_bytes(),
            b"well?",
        ],
    );
    let first = world.send(envoy, ALICE, &ask, 0);
    world.run();
    let question = world.mail(BOB)[0].id;
    let kept = world.waitlist(envoy)[&first].value.context.clone().unwrap();
    assert_eq!(
        kept.signal_gas, 10_000_000_000,
        "what gstd sets aside by itself"
    );
    world.reply(envoy, BOB, question, b"yes", 0);
    world.run();
    assert_eq!(world.reply_to(first).payload, b"yes");
    assert_eq!(told(&mut world, envoy), [1, 0, 0]);

    let second = world.send(envoy, ALICE, &ask, 0);
    world.run();
    let question = world.mail(BOB)[1].id;
    world.pass(5);
    assert!(world.reply_to(second).payload.starts_with(b"ERROR"));
    // Its hook runs all the same when the answer comes.
    world.reply(envoy, BOB, question, b"sorry", 0);
    world.run();
    assert_eq!(told(&mut world, envoy), [2, 0, 0]);
    assert_eq!(world.unexplained(envoy), 0);
}

#[test]
fn a_deposit_that_is_too_small_leaves_the_answer_unhandled() {
    let mut world = World::new();
    let (envoy, ping) = (world.program(ENVOY, b""), world.program(PING, b""));
    let ask = command("HOOK", &[ping.as_ref(), &1_000u64.to_le_bytes(), b"PING"]);
    let id = world.send(envoy, ALICE, &ask, 0);
    world.run();
    assert!(!world.has_receipt(id));
    world.pass(5);
    assert!(world.reply_to(id).payload.starts_with(b"ERROR"));
    assert_eq!(told(&mut world, envoy), [0, 0, 0]);
}

#[test]
fn sleeping() {
    let mut world = World::new();
    let envoy = world.program(ENVOY, b"");
    let id = world.send(envoy, ALICE, &command("SLEEP", &[&4u32.to_le_bytes()]), 0);
    world.run();
    world.pass(3);
    assert!(!world.has_receipt(id));
    world.pass(1);
    assert_eq!(world.reply_to(id).payload, b"AWAKE");
}

#[test]
fn a_failure_after_an_answer_runs_the_hook() {
    let mut world = World::new();
    let (envoy, ping) = (world.program(ENVOY, b""), world.program(PING, b""));
    let fail = command("FAIL", &[ping.as_ref(), b"PING"]);
    assert_eq!(world.ends(envoy, &fail), ReplyCode::USERSPACE_PANIC);
    assert_eq!(told(&mut world, envoy), [0, 1, 1]);
    // It goes on, and nothing is left set aside.
    let answer = world.ask(envoy, &command("ASK", &[ping.as_ref(), b"PING"]));
    assert_eq!(answer.payload, b"PONG");
    assert_eq!(
        world.state(envoy).executable_balance,
        world.executable(envoy)
    );
}

#[test]
fn drawing_after_an_answer() {
    let mut world = World::new();
    let (envoy, ping) = (world.program(ENVOY, b""), world.program(PING, b""));
    let roll = command("ROLL", &[ping.as_ref(), b"PING"]);
    let id = world.send(envoy, ALICE, &roll, 0);
    world.run();
    let asked = world.height;
    // The second run was undone, the first was not: it is asked once.
    world.pass(3);
    let randao = world.header(asked + 3).randao;
    let hash = blake2b256([randao.as_bytes(), &[7; 32]]);
    let block = u32::try_from(asked + 3).unwrap().to_le_bytes();
    assert_eq!(
        world.reply_to(id).payload,
        [hash.as_bytes(), &block].concat()
    );
    let asked = world
        .receipts
        .iter()
        .filter(|receipt| receipt.program_id == ping);
    assert_eq!(asked.count(), 2, "init and one question");
    assert_eq!(world.unexplained(envoy), 0);
}

#[test]
fn they_talk_to_programs_of_this_network_and_to_each_other() {
    let mut world = World::new();
    let (envoy, steward) = (world.program(ENVOY, b""), world.program(STEWARD, b""));
    let nap = command("NAP", &[&2u32.to_le_bytes()]);
    let id = world.send(envoy, ALICE, &command("ASK", &[steward.as_ref(), &nap]), 0);
    world.run();
    world.pass(1);
    assert!(!world.has_receipt(id));
    world.pass(1);
    assert_eq!(world.reply_to(id).payload, b"UP");
    // A draw of another program takes its time, too.
    let draw = command("RANDOM", &[&[3; 32]]);
    let id = world.send(envoy, ALICE, &command("ASK", &[steward.as_ref(), &draw]), 0);
    world.run();
    world.pass(3);
    assert_eq!(world.reply_to(id).payload.len(), 36);
}

#[test]
fn an_envoy_that_cannot_set_gas_aside_yet_waits() {
    let mut world = World::new();
    let (envoy, ping) = (world.create(ENVOY), world.program(PING, b""));
    // Enough to run, not for what gstd sets aside.
    world.top_up(envoy, 2_000_000_000 * 100);
    let init = world.send(envoy, ALICE, b"", 0);
    let ask = command("ASK", &[ping.as_ref(), b"PING"]);
    let id = world.send(envoy, ALICE, &ask, 0);
    world.run();
    assert!(world.code(init).is_success() && !world.has_receipt(id));
    assert_eq!(world.run().starved, [envoy]);
    world.top_up(envoy, common::RICH);
    world.run();
    assert_eq!(world.reply_to(id).payload, b"PONG");
}
