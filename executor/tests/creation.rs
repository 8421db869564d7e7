//! Programs that programs create.

#![allow(clippy::unwrap_used)] // a failed unwrap is a failed test

mod common;

use common::{ALICE, BOB, World, command};
use gear_exe_executor::{Executor, ExecutorConfig};
use gear_exe_primitives::{
    ActorId, CodeId, H160, H256,
    creation::{MirrorFactory, ProgramCreation},
    message::ReplyCode,
    round::RoundOutcome,
};
use gear_exe_programs::{PING, STEWARD, TROUBLE};

const MIRRORS: MirrorFactory = MirrorFactory {
    router: H160::repeat_byte(0x42),
    proxy_code_hash: H256::repeat_byte(7),
};

/// A world with a steward, and with the code of a program that is nowhere yet.
fn world(code: &[u8]) -> (World, ActorId, CodeId) {
    let mut world = World::new();
    world.parameters.mirrors = MIRRORS;
    let code = world.executor.add_code(code).unwrap();
    world.codes.push(code);
    let steward = world.program(STEWARD, b"");
    (world, steward, code)
}

fn spawn(blocks: u32, value: u128, code: CodeId, payload: &[u8]) -> Vec<u8> {
    let (blocks, value) = (blocks.to_le_bytes(), value.to_le_bytes());
    command("SPAWN", &[&blocks, &value, code.as_ref(), payload])
}

fn breed(gas: u64, code: CodeId, payload: &[u8]) -> Vec<u8> {
    command("BREED", &[&gas.to_le_bytes(), code.as_ref(), payload])
}

/// Has a program created, and says which one.
fn child(world: &mut World, steward: ActorId, payload: &[u8]) -> ActorId {
    let reply = world.ask(steward, payload);
    assert!(reply.reply_details.unwrap().code.is_success(), "{reply:?}");
    let child = ActorId::from(<[u8; 32]>::try_from(&reply.payload[..]).unwrap());
    world.programs.push(child);
    child
}

/// How many of a steward's messages were answered.
fn answers(world: &mut World, steward: ActorId) -> u32 {
    let counts = world.ask(steward, b"COUNT").payload;
    u32::from_le_bytes(counts[4..].try_into().unwrap())
}

fn creations(outcome: &RoundOutcome) -> Vec<ProgramCreation> {
    let all = outcome.transitions.iter();
    all.filter_map(|transition| transition.creation).collect()
}

#[test]
fn a_new_program_is_there_at_once() {
    let (mut world, steward, code) = world(PING);
    let before = world.executable(steward);
    let burned = world.gas_burned(steward);
    let ping = child(&mut world, steward, &spawn(0, 0, code, b"PING"));
    let told: Vec<_> = world
        .history
        .iter()
        .flat_map(|(_, _, outcome)| outcome.transitions.iter())
        .filter_map(|transition| Some((transition.actor_id, transition.creation?)))
        .collect();
    assert_eq!(told.len(), 1, "a batch is told once");
    let (told_of, creation) = told[0];
    assert_eq!(
        (told_of, creation.creator, creation.code_id),
        (ping, steward, code)
    );
    assert_eq!(MIRRORS.address(&creation), Some(ping));

    // It has what its creator gave, and pays for itself.
    assert_eq!(world.ask(ping, b"PING").payload, b"PONG");
    assert_eq!(world.ask(ping, b"COUNT").payload, 1u64.to_le_bytes());
    assert_eq!(answers(&mut world, steward), 1, "its init was answered");
    let burned = world.gas_burned(ping) + world.gas_burned(steward) - burned;
    let price = world.parameters.value_per_gas;
    assert_eq!(
        world.executable(ping) + world.executable(steward) + burned * price,
        before
    );
    // Half of what the message might still burn.
    let given = world.executable(ping) + world.gas_burned(ping) * price;
    let most = u128::from(world.parameters.message_gas_limit) * price / 2;
    assert!(given > most / 10 * 9 && given < most, "{given} of {most}");
}

#[test]
fn a_program_gets_the_gas_that_is_named() {
    let (mut world, steward, code) = world(PING);
    let gas = 1_000_000_000;
    let ping = child(&mut world, steward, &breed(gas, code, b""));
    let price = world.parameters.value_per_gas;
    assert_eq!(
        world.executable(ping) + world.gas_burned(ping) * price,
        u128::from(gas) * price
    );
    // More than the message may burn.
    let all = breed(u64::MAX, code, b"");
    assert_eq!(world.ends(steward, &all), ReplyCode::USERSPACE_PANIC);
}

#[test]
fn a_program_that_got_nothing_waits_for_a_top_up() {
    let (mut world, steward, code) = world(PING);
    let ping = child(&mut world, steward, &breed(0, code, b""));
    assert_eq!(world.queue(ping).len(), 1);
    assert_eq!(answers(&mut world, steward), 0);
    world.top_up(ping, common::RICH);
    world.run();
    assert_eq!(answers(&mut world, steward), 1);
    assert_eq!(world.ask(ping, b"PING").payload, b"PONG");
}

#[test]
fn its_mirror_is_paid_for() {
    let (mut world, steward, code) = world(PING);
    world.parameters.value_per_settled_message = 1_000_000_000;
    world.parameters.value_per_settled_byte = 1_000_000;
    let ping = child(&mut world, steward, &breed(0, code, b""));
    // Two messages for a change, five for the Mirror, and their bytes.
    assert_eq!(world.executable(ping), 0);
    let spent = world.unexplained(steward);
    assert!(spent >= 7_000_000_000 + (384 + 96) * 1_000_000);
    world.assert_spent_is_counted(&[steward, ping]);
}

#[test]
fn codes_that_the_chain_does_not_know() {
    let (mut world, steward, _) = world(PING);
    // The node has it, but the chain has not accepted it.
    let own = world.executor.add_code(TROUBLE).unwrap();
    world.give(steward, 50);
    world.run();
    let before = world.executable(steward);
    let burned = world.gas_burned(steward);
    for code in [own, CodeId(H256::repeat_byte(9))] {
        let reply = world.ask(steward, &spawn(0, 50, code, b""));
        let child = ActorId::from(<[u8; 32]>::try_from(&reply.payload[..]).unwrap());
        assert_eq!(world.executor.program(world.root, child).unwrap(), None);
    }
    assert_eq!(world.state(steward).balance, 50, "its value came back");
    assert_eq!(answers(&mut world, steward), 2);
    let paid = (world.gas_burned(steward) - burned) * world.parameters.value_per_gas;
    assert_eq!(
        before - world.executable(steward),
        paid,
        "so did its balance"
    );
}

#[test]
fn value_goes_along() {
    let (mut world, steward, code) = world(TROUBLE);
    world.give(steward, 70);
    world.run();
    let trouble = child(&mut world, steward, &spawn(0, 60, code, b""));
    assert_eq!(world.state(trouble).balance, 60);
    assert_eq!(world.state(steward).balance, 10);
    assert_eq!(world.books.owned[&trouble], 60);
    assert_eq!(
        world.ends(steward, &spawn(0, 11, code, b"")),
        ReplyCode::USERSPACE_PANIC
    );
}

#[test]
fn a_failed_run_creates_nothing() {
    let (mut world, steward, code) = world(PING);
    let id = world.send(steward, ALICE, &command("MISCARRY", &[code.as_ref()]), 0);
    let outcome = world.run();
    assert_eq!(world.code(id), ReplyCode::USERSPACE_PANIC);
    assert!(creations(&outcome).is_empty());
    assert_eq!(world.executor.program_ids(world.root).unwrap(), [steward]);
    assert_eq!(world.unexplained(steward), 0);
}

#[test]
fn a_first_message_that_is_late_is_still_the_first() {
    let (mut world, steward, code) = world(PING);
    let ping = child(&mut world, steward, &spawn(5, 0, code, b"PING"));
    let early = world.send(ping, BOB, b"PING", 0);
    world.run();
    assert_eq!(world.code(early), ReplyCode::UNINITIALIZED);
    world.pass(5);
    assert_eq!(answers(&mut world, steward), 1);
    assert_eq!(world.ask(ping, b"PING").payload, b"PONG");
}

#[test]
fn an_init_that_fails_ends_the_program() {
    let (mut world, steward, code) = world(TROUBLE);
    let trouble = child(&mut world, steward, &spawn(0, 0, code, b"PANIC"));
    assert_eq!(world.ends(trouble, b""), ReplyCode::INITIALIZATION_FAILURE);
}

#[test]
fn many_are_spread_over_rounds() {
    let (mut world, steward, code) = world(PING);
    let litter = |count: u32, gas: u64| {
        let (count, gas) = (count.to_le_bytes(), gas.to_le_bytes());
        command("LITTER", &[&count, &gas, code.as_ref()])
    };
    let first = world.history.len();
    world.send(steward, ALICE, &litter(100, 200_000_000), 0);
    world.run();
    let born: Vec<usize> = world.history[first..]
        .iter()
        .map(|(_, _, outcome)| creations(outcome).len())
        .collect();
    assert_eq!(born.iter().sum::<usize>(), 100);
    // Seven messages each, of the hundred and fifty of a round.
    assert!(born.iter().all(|count| *count <= 150 / 7), "{born:?}");
    assert_eq!(answers(&mut world, steward), 100);

    // The same with other threads.
    let other = Executor::open(ExecutorConfig {
        path: None,
        threads: 7,
        ..ExecutorConfig::default()
    })
    .unwrap();
    for wasm in [STEWARD, PING] {
        other.add_code(wasm).unwrap();
    }
    for (base, input, outcome) in &world.history {
        assert_eq!(&other.execute_round(*base, input).unwrap(), outcome);
    }
}

#[test]
fn where_there_is_no_router() {
    let (mut world, steward, code) = world(PING);
    world.parameters.mirrors = MirrorFactory::default();
    let reply = world.ask(steward, &spawn(0, 0, code, b""));
    assert_eq!(
        reply.reply_details.unwrap().code,
        ReplyCode::USERSPACE_PANIC
    );
    assert!(String::from_utf8_lossy(&reply.payload).contains("not created"));
}

#[test]
fn a_query_creates_nothing() {
    let (mut world, steward, code) = world(PING);
    let command = spawn(0, 0, code, b"");
    let estimate = world.estimate(steward, &command, 0);
    assert_eq!(world.executor.program_ids(world.root).unwrap(), [steward]);
    let before = world.executable(steward);
    child(&mut world, steward, &command);
    let own = estimate.costs.iter().find(|cost| cost.program == steward);
    let (own, real) = (own.unwrap().total(), before - world.executable(steward));
    assert!(own.abs_diff(real) * 20 <= real, "{own} for {real}");
}
