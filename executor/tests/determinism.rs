//! The same input gives the same result: whatever the number of threads, warm or cold, the first time and again, and
//! across restarts and crashes.

#![allow(clippy::unwrap_used)] // a failed unwrap is a failed test

mod common;

use common::{ALICE, BOB, RICH, World, actor, call, command, wat, word};
use gear_exe_executor::{
    Executor, ExecutorConfig, RoundError, StoreError,
    state::{PAGE_SIZE, Program},
};
use gear_exe_primitives::{
    H256, MessageId,
    message::ReplyCode,
    round::{RoundInput, RoundOutcome},
};
use gear_exe_programs::{ALL, COUNTER, ENVOY, FAN_OUT, PING, STEWARD, TROUBLE, VARA};
use redb::{Database, ReadableTable, TableDefinition};
use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

type History = Vec<(H256, RoundInput, RoundOutcome)>;

/// Rounds in which everything happens: many programs at once, calls between them, failures, waits, starvation, limits.
fn busy(config: ExecutorConfig) -> World {
    let mut world = World::with(config);
    let pings: Vec<_> = (0..12).map(|_| world.program(PING, b"")).collect();
    let ids: Vec<u8> = pings.iter().flat_map(|id| id.as_ref().to_vec()).collect();
    let fan_outs: Vec<_> = (0..3).map(|_| world.program(FAN_OUT, &ids)).collect();
    let troubles: Vec<_> = (0..3).map(|_| world.program(TROUBLE, b"")).collect();
    let counter = world.program(COUNTER, &call("create(bool,uint32)", &[word(0), word(5)]));
    let poor = world.create(PING);
    world.top_up(poor, 20_000_000_000);
    world.send(poor, ALICE, b"", 0);
    world.parameters.round_gas_limit = 40_000_000_000;
    world.parameters.message_gas_limit = 4_000_000_000;
    world.parameters.max_round_messages = 40;
    for turn in 0..4u128 {
        // What is put by is spent, not spent, given back and taken back in one round.
        world.deposit(BOB, 100 * turn);
        for (number, payload) in [&b"BUMP"[..], b"PANIC", b"BUMP", b"REFUND"]
            .iter()
            .enumerate()
        {
            let id = world.native_with(troubles[number % 3], BOB, payload, 40);
            world.natives.last_mut().unwrap().receipt_only = id.0.0[0] & 1 == 0;
        }
        world.withdraw(BOB, 7 * turn);
        for fan_out in &fan_outs {
            world.send(*fan_out, ALICE, b"ASK", 0);
        }
        for (number, trouble) in troubles.iter().enumerate() {
            world.give(*trouble, 100);
            for payload in [
                b"LOOP".to_vec(),
                b"RECURSE".to_vec(),
                b"DIRTY".to_vec(),
                b"WAIT".to_vec(),
                b"FLOOD".to_vec(),
                command("MAILBOX", &[&turn.to_le_bytes()]),
                command("DELAY", &[&2u32.to_le_bytes()]),
                command(
                    "SEND",
                    &[
                        troubles[(number + 1) % 3].as_ref(),
                        &3u128.to_le_bytes(),
                        b"BUMP",
                    ],
                ),
            ] {
                world.send(*trouble, BOB, &payload, turn);
            }
        }
        for _ in 0..10 {
            world.send(poor, ALICE, b"PING", 0);
            world.native(pings[3], BOB, b"PING");
            world.send(
                counter,
                ALICE,
                &call("counterAdd(bool,uint32)", &[word(0), word(1)]),
                0,
            );
        }
        world.round();
        world.quiet_round();
    }
    world.top_up(poor, RICH);
    world.run();
    world.ask(troubles[0], &command("EXIT", &[troubles[1].as_ref()]));
    world.pass(6);
    world
}

fn history(threads: usize) -> History {
    busy(ExecutorConfig {
        path: None,
        threads,
        ..ExecutorConfig::default()
    })
    .history
}

#[test]
fn threads_do_not_matter() {
    let one = history(1);
    assert!(one.len() > 20);
    assert!(
        one.iter()
            .any(|(_, _, outcome)| !outcome.starved.is_empty())
    );
    assert!(one.iter().any(|(_, _, outcome)| outcome.work_left));
    let deposits = one
        .iter()
        .flat_map(|(_, _, outcome)| &outcome.transitions)
        .filter(|own| own.is_of_deposits());
    assert!(deposits.count() > 3);
    for threads in [2, 8] {
        let other = history(threads);
        assert_eq!(other.len(), one.len());
        for (ours, theirs) in one.iter().zip(&other) {
            assert_eq!(ours, theirs, "with {threads} threads");
        }
    }
}

/// Random messages to programs that set gas aside, wait, wake, draw and fail, with random top-ups.
fn random_history(seed: u64, threads: usize) -> World {
    let mut state = seed;
    let mut below = |limit: u64| {
        // A linear congruential generator; the high bits are good enough.
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % limit
    };
    let mut world = World::with(ExecutorConfig {
        path: None,
        threads,
        ..ExecutorConfig::default()
    });
    world.parameters.max_wait = 9;
    let mut programs: Vec<_> = (0..5).map(|_| world.program(STEWARD, b"")).collect();
    programs.extend((0..3).map(|_| world.program(ENVOY, b"")));
    programs.extend((0..2).map(|_| world.program(PING, b"")));
    world.parameters.message_gas_limit = 12_000_000_000;
    world.parameters.round_gas_limit = 100_000_000_000;
    world.parameters.max_round_messages = 60;
    let mut sent = vec![MessageId::zero()];
    for _ in 0..20 {
        for _ in 0..below(12) {
            let to = programs[below(10) as usize];
            let gas = below(150_000_000).to_le_bytes();
            let blocks = (below(8) as u32).to_le_bytes();
            let other = sent[below(sent.len() as u64) as usize];
            let asked = command("ASK", &[to.as_ref(), b"PING"]);
            let payload = match below(18) {
                0 => b"WAIT".to_vec(),
                1 => command("NAP", &[&blocks]),
                2 => command("WAKE", &[&blocks, other.as_ref()]),
                3 | 4 => command("RESERVE", &[&gas, &blocks]),
                5 => b"RETURN".to_vec(),
                6 => command("SPEND", &[to.as_ref(), b"RETURN"]),
                7 => b"ANSWER".to_vec(),
                8 => command("SEND", &[&gas, to.as_ref(), b"PING"]),
                9 => command("SEND", &[&gas, to.as_ref(), &asked]),
                10 => command("DEPOSIT", &[&gas, to.as_ref(), b"PING"]),
                11 => command("GUARD", &[&gas, b"PANIC"]),
                12 => command("GUARD", &[&gas, b"WAIT"]),
                13 => command("RANDOM", &[&[9; 32]]),
                14 => command("GAMBLE", &[&[blocks[0]; 32]]),
                15 => command("ROLL", &[to.as_ref(), b"PING"]),
                16 => command("FAIL", &[to.as_ref(), b"PING"]),
                _ => asked,
            };
            let program = programs[below(10) as usize];
            sent.push(world.send(program, BOB, &payload, u128::from(below(5))));
        }
        if below(4) == 0 {
            // Poor for a while: some messages starve.
            world.parameters.value_per_gas = [100, 100_000][below(2) as usize];
        }
        match below(3) {
            0 => world.quiet_round(),
            _ => world.round(),
        };
    }
    world.parameters.value_per_gas = 100;
    world.run();
    world.pass(12);
    world
}

#[test]
fn threads_do_not_matter_for_gas_set_aside_waits_and_draws() {
    let (mut ends, mut starved) = (BTreeSet::new(), false);
    for seed in [3, 1_000_003, 77] {
        let one = random_history(seed, 1);
        ends.extend(one.receipts.iter().map(|own| own.code));
        starved |= one
            .history
            .iter()
            .any(|(_, _, own)| !own.starved.is_empty());
        for threads in [2, 8] {
            let other = random_history(seed, threads);
            assert_eq!(other.history.len(), one.history.len());
            for (ours, theirs) in one.history.iter().zip(&other.history) {
                assert_eq!(ours, theirs, "seed {seed} with {threads} threads");
            }
        }
        // Cold, one after the other.
        let executor = with_codes(ExecutorConfig {
            memory_budget: 0,
            ..ExecutorConfig::default()
        });
        for (base, input, outcome) in &one.history {
            assert_eq!(executor.execute_round(*base, input).unwrap(), *outcome);
        }
    }
    assert!(starved);
    for code in [
        ReplyCode::SUCCESS_MANUAL,
        ReplyCode::RAN_OUT_OF_GAS,
        ReplyCode::USERSPACE_PANIC,
        ReplyCode::REMOVED_FROM_WAITLIST,
    ] {
        assert!(ends.contains(&code), "{code:?}");
    }
}

fn with_codes(config: ExecutorConfig) -> Executor {
    let executor = Executor::open(config).unwrap();
    for (_, wasm) in ALL.iter().chain(VARA) {
        executor.add_code(wasm).unwrap();
    }
    executor
}

#[test]
fn a_new_store_and_a_reopened_one_give_the_same() {
    let history = history(2);
    let folder = tempfile::tempdir().unwrap();
    let config = ExecutorConfig {
        path: Some(folder.path().join("store")),
        threads: 1,
        ..ExecutorConfig::default()
    };
    drop(with_codes(config.clone()));
    for (number, (base, input, outcome)) in history.iter().enumerate() {
        // Cold before every round: nothing in memory, everything from disk.
        let executor = Executor::open(config.clone()).unwrap();
        assert_eq!(
            executor.execute_round(*base, input).unwrap(),
            *outcome,
            "round {number}"
        );
        if number == 0 {
            assert_eq!(
                executor.stats().codes_compiled,
                0,
                "the artifacts are on disk"
            );
        }
    }
}

#[test]
fn a_block_is_executed_once_and_its_first_outcome_stands() {
    let mut world = World::new();
    let ping = world.program(PING, b"");
    world.send(ping, ALICE, b"PING", 0);
    world.run();
    let (base, input, outcome) = world.history.last().unwrap().clone();
    let rounds = world.executor.stats().rounds;
    assert_eq!(world.executor.execute_round(base, &input).unwrap(), outcome);
    assert_eq!(world.executor.stats().rounds, rounds);
    assert!(world.executor.has_outcome(input.block.hash).unwrap());
    assert_eq!(
        world.executor.outcome(input.block.hash).unwrap(),
        Some(outcome.clone())
    );
    assert!(!world.executor.has_outcome(H256::zero()).unwrap());

    let mut other = input.clone();
    other.ethereum.clear();
    assert!(matches!(
        world.executor.execute_round(base, &other),
        Err(RoundError::Conflict(hash)) if hash == input.block.hash
    ));
    assert_eq!(
        world.executor.outcome(input.block.hash).unwrap(),
        Some(outcome)
    );

    // A fork costs its own execution only: another block on the same base.
    other.block.hash = H256::repeat_byte(0xf0);
    let fork = world.executor.execute_round(base, &other).unwrap();
    assert!(fork.receipts.is_empty());
}

#[test]
fn what_cannot_be_executed_stores_nothing() {
    let mut world = World::new();
    let ping = world.program(PING, b"");
    world.send(ping, ALICE, b"PING", 0);
    let input = world.input();
    let unknown = H256::repeat_byte(0xee);
    assert!(matches!(
        world.executor.execute_round(unknown, &input),
        Err(RoundError::Store(StoreError::Missing(hash))) if hash == unknown
    ));
    let mut newer = input.clone();
    newer.parameters.executor_version = 2;
    assert!(matches!(
        world.executor.execute_round(world.root, &newer),
        Err(RoundError::Version(2))
    ));
    let mut missing = input.clone();
    missing.codes.push([7; 32].into());
    assert!(matches!(
        world.executor.execute_round(world.root, &missing),
        Err(RoundError::MissingCode(id)) if id == [7; 32].into()
    ));
    assert!(!world.executor.has_outcome(input.block.hash).unwrap());
    world.executor.execute_round(world.root, &input).unwrap();
}

fn stored(folder: &Path) -> ExecutorConfig {
    ExecutorConfig {
        path: Some(folder.join("store")),
        threads: 1,
        ..ExecutorConfig::default()
    }
}

/// What a crash would leave: the file as it is, while it is in use.
fn crash_image(from: &Path, name: &str) -> PathBuf {
    let to = from.join(name);
    std::fs::copy(from.join("store"), &to).unwrap();
    to
}

#[test]
fn a_crash_leaves_the_last_stored_round() {
    let folder = tempfile::tempdir().unwrap();
    let mut world = World::with(stored(folder.path()));
    let ping = world.program(PING, b"");
    let mut images = Vec::new();
    for number in 0..5u64 {
        world.ask(ping, b"PING");
        let (base, input, outcome) = world.history.last().unwrap().clone();
        let image = crash_image(folder.path(), &format!("image-{number}"));
        images.push((image, world.root, base, input, outcome, number + 1));
    }
    for (image, root, base, input, outcome, count) in images {
        let executor = Executor::open(ExecutorConfig {
            path: Some(image),
            threads: 1,
            ..ExecutorConfig::default()
        })
        .unwrap();
        assert_eq!(
            executor.outcome(input.block.hash).unwrap(),
            Some(outcome.clone())
        );
        assert_eq!(executor.execute_round(base, &input).unwrap(), outcome);
        let next = H256::from_low_u64_be(1);
        assert!(!executor.has_outcome(next).unwrap());
        assert_eq!(executor.program_ids(root).unwrap(), [ping]);
        let mut again = input.clone();
        again.block.hash = next;
        again.ethereum.clear();
        executor.execute_round(root, &again).unwrap();
        assert!(count > 0);
    }
}

fn change(
    path: &Path,
    table: &'static str,
    mut edit: impl FnMut(&[u8]) -> Option<Vec<u8>>,
) -> usize {
    let table: TableDefinition<'static, [u8; 32], &'static [u8]> = TableDefinition::new(table);
    let database = Database::open(path).unwrap();
    let transaction = database.begin_write().unwrap();
    let mut changed = 0;
    {
        let mut open = transaction.open_table(table).unwrap();
        let edits: Vec<_> = open
            .iter()
            .unwrap()
            .filter_map(|entry| {
                let (key, value) = entry.unwrap();
                edit(value.value()).map(|value| (key.value(), value))
            })
            .collect();
        for (key, value) in edits {
            open.insert(key, value.as_slice()).unwrap();
            changed += 1;
        }
    }
    transaction.commit().unwrap();
    changed
}

#[test]
fn damaged_artifacts_are_compiled_anew() {
    let folder = tempfile::tempdir().unwrap();
    let mut world = World::with(stored(folder.path()));
    let ping = world.program(PING, b"");
    world.send(ping, ALICE, b"PING", 0);
    let (base, input) = (world.root, world.input());
    let reference = with_codes(ExecutorConfig::default());
    for (base, input, _) in &world.history {
        reference.execute_round(*base, input).unwrap();
    }
    let expected = reference.execute_round(base, &input).unwrap();
    drop(world);
    let path = folder.path().join("store");
    for (number, damage) in [
        (|bytes: &[u8]| {
            // One bit in the middle of the machine code.
            let mut bytes = bytes.to_vec();
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            Some(bytes)
        }) as fn(&[u8]) -> Option<Vec<u8>>,
        |_| Some(Vec::new()),
        |bytes| Some(bytes[..bytes.len() / 2].to_vec()),
    ]
    .into_iter()
    .enumerate()
    {
        assert_eq!(change(&path, "artifacts", damage), 1);
        let executor = Executor::open(stored(folder.path())).unwrap();
        let mut input = input.clone();
        input.block.hash = H256::from_low_u64_be(number as u64);
        let outcome = executor.execute_round(base, &input).unwrap();
        assert_eq!(outcome.state_root, expected.state_root);
        assert_eq!(outcome.receipts, expected.receipts);
        assert_eq!(executor.stats().codes_compiled, 1);
        drop(executor);
        // It is whole again.
        let executor = Executor::open(stored(folder.path())).unwrap();
        input.block.hash = H256::from_low_u64_be(100 + number as u64);
        executor.execute_round(base, &input).unwrap();
        assert_eq!(executor.stats().codes_compiled, 0);
    }
}

#[test]
fn damaged_content_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let mut world = World::with(stored(folder.path()));
    let ping = world.program(PING, b"");
    world.ask(ping, b"PING");
    world.send(ping, ALICE, b"PING", 0);
    let (root, input) = (world.root, world.input());
    drop(world);
    let damaged = change(&folder.path().join("store"), "content", |bytes| {
        // In front of a page stand its kind and how many objects it names: none.
        (bytes.len() == 5 + PAGE_SIZE).then(|| {
            let mut bytes = bytes.to_vec();
            bytes[77] ^= 1;
            bytes
        })
    });
    assert!(damaged > 0);
    let executor = Executor::open(stored(folder.path())).unwrap();
    assert!(matches!(
        executor.execute_round(root, &input),
        Err(RoundError::Store(StoreError::Corrupt(_)))
    ));
    assert!(!executor.has_outcome(input.block.hash).unwrap());
}

/// The page that cannot be loaded is touched by wasmtime's own code, which must not fail: the round does, and the process
/// goes on.
#[test]
fn damage_below_a_bulk_operator_is_noticed() {
    let text = r#"
        (import "env" "memory" (memory 8))
        (func (export "init") (i32.store (i32.const 140000) (i32.const 7)))
        (func (export "handle")
          (memory.copy (i32.const 70000) (i32.const 140000) (i32.const 3000))
          (memory.copy (i32.const 300000) (i32.const 70000) (i32.const 90000)))"#;
    let folder = tempfile::tempdir().unwrap();
    let mut world = World::with(stored(folder.path()));
    let program = world.program(&wat(text), b"");
    world.send(program, ALICE, b"", 0);
    let (root, input) = (world.root, world.input());
    drop(world);
    let path = folder.path().join("store");
    let flip = |bytes: &[u8]| {
        (bytes.len() == 5 + PAGE_SIZE).then(|| {
            let mut bytes = bytes.to_vec();
            bytes[77] ^= 1;
            bytes
        })
    };
    assert_eq!(change(&path, "content", flip), 1);
    let executor = Executor::open(stored(folder.path())).unwrap();
    for _ in 0..2 {
        assert!(matches!(
            executor.execute_round(root, &input),
            Err(RoundError::Store(StoreError::Corrupt(_)))
        ));
    }
    drop(executor);
    assert_eq!(change(&path, "content", flip), 1);
    let executor = Executor::open(stored(folder.path())).unwrap();
    let outcome = executor.execute_round(root, &input).unwrap();
    assert!(outcome.receipts[0].code.is_success());
}

#[test]
fn a_state_root_names_all_programs() {
    let mut world = World::new();
    let mut programs: Vec<_> = (0..20).map(|_| world.program(PING, b"")).collect();
    programs.sort();
    assert_eq!(world.executor.program_ids(world.root).unwrap(), programs);
    assert_eq!(world.executor.program_ids(H256::zero()).unwrap(), []);
    let record = world
        .executor
        .program(world.root, programs[3])
        .unwrap()
        .unwrap();
    let state = world.executor.read_state(record.state_hash).unwrap();
    let Program::Active {
        pages_hash: Some(pages),
        ..
    } = state.program
    else {
        panic!("{state:?}");
    };
    assert!(matches!(
        world.executor.read_state(pages),
        Err(StoreError::Unexpected(hash)) if hash == pages
    ));
    assert_eq!(
        world.executor.program(world.root, actor(ALICE)).unwrap(),
        None
    );
}
