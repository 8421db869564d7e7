//! Programs stay in memory, and nothing shows it: whatever is resident, evicted, undone or loaded again, replies, gas and
//! roots are the same.

#![allow(clippy::unwrap_used)] // a failed unwrap is a failed test

mod common;
mod puppet;

use common::{ALICE, BOB, RICH, World, command};
use gear_exe_executor::{Executor, ExecutorConfig, RoundError};
use gear_exe_primitives::{
    ActorId, CodeId, H160, H256,
    ethereum::{EthereumEvent, RouterEvent},
    round::RoundInput,
};
use gear_exe_programs::{PING, TROUBLE};
use puppet::{Op, Random, config, ending, memory, payload, puppet, world};

#[test]
fn hot_cold_and_spared_agree() {
    for seed in 1..=12u64 {
        let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        let messages: Vec<Vec<u8>> = (0..120).map(|_| random.message(false)).collect();

        // Hot: all in one round.
        let mut hot = world(config(1, 2 << 30));
        let program = hot.program(&puppet(), b"");
        let ids: Vec<_> = messages
            .iter()
            .map(|message| hot.send(program, ALICE, message, 0))
            .collect();
        hot.run();
        let endings: Vec<_> = ids.iter().map(|id| ending(&hot, *id)).collect();

        // Cold: loaded for every message.
        let mut cold = world(config(1, 0));
        let again = cold.program(&puppet(), b"");
        for (message, expected) in messages.iter().zip(&endings) {
            let id = cold.send(again, ALICE, message, 0);
            cold.run();
            assert_eq!(ending(&cold, id), *expected, "seed {seed}: {message:?}");
        }
        assert_eq!(memory(&cold, again), memory(&hot, program), "seed {seed}");

        // Spared: what failed was never sent.
        let mut spared = world(config(1, 2 << 30));
        let twin = spared.program(&puppet(), b"");
        for (message, expected) in messages.iter().zip(&endings) {
            if expected.0.is_success() {
                let id = spared.send(twin, ALICE, message, 0);
                spared.run();
                assert_eq!(ending(&spared, id), *expected, "seed {seed}: {message:?}");
            } else {
                // Ids are written into memory: they must be the same.
                spared.next_id(twin);
            }
        }
        assert_eq!(memory(&spared, twin), memory(&hot, program), "seed {seed}");
        let failed = endings.iter().filter(|ending| !ending.0.is_success());
        assert!(failed.count() > 5, "seed {seed}");
    }
}

/// Random rounds of puppets and troubles.
fn history(seed: u64, config: ExecutorConfig) -> World {
    let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let mut world = world(config);
    let mut programs: Vec<ActorId> = (0..5).map(|_| world.program(&puppet(), b"")).collect();
    let troubles: Vec<ActorId> = (0..3).map(|_| world.program(TROUBLE, b"")).collect();
    world.parameters.round_gas_limit = 60_000_000_000;
    // One that cannot always pay.
    let poor = world.create(&puppet());
    world.top_up(poor, 100_000_000_000);
    world.send(poor, ALICE, b"", 0);
    programs.push(poor);
    for _ in 0..12 {
        for _ in 0..random.below(30) {
            let program = programs[random.below(6) as usize];
            let message = random.message(true);
            world.send(program, ALICE, &message, 0);
        }
        for trouble in &troubles {
            let next = troubles[random.below(3) as usize];
            let inner: &[u8] =
                [&b"BUMP"[..], b"DIRTY", b"PANIC", b"WAIT"][random.below(4) as usize];
            let send = command("SEND", &[next.as_ref(), &0u128.to_le_bytes(), inner]);
            world.send(*trouble, BOB, &send, 0);
            world.send(*trouble, BOB, b"RECURSE", 0);
        }
        if random.below(3) == 0 {
            world.top_up(poor, u128::from(random.below(400_000_000_000)));
        }
        world.round();
    }
    world
}

#[test]
fn neither_threads_nor_memory_matter() {
    for seed in 1..=4 {
        let world = history(seed, config(1, 2 << 30));
        for (threads, budget) in [(2, 2 << 30), (8, 2 << 30), (1, 0), (2, 0), (8, 300_000)] {
            let executor = Executor::open(config(threads, budget)).unwrap();
            executor.add_code(&puppet()).unwrap();
            executor.add_code(TROUBLE).unwrap();
            for (number, (base, input, outcome)) in world.history.iter().enumerate() {
                let ours = executor.execute_round(*base, input).unwrap();
                assert_eq!(
                    ours, *outcome,
                    "seed {seed}, round {number}, {threads} threads, {budget} bytes"
                );
            }
            if budget == 0 {
                assert_eq!(executor.stats().programs_in_memory, 0);
            }
        }
        // Opened anew for every round: nothing is in memory, and every page comes from a file.
        let folder = tempfile::tempdir().unwrap();
        let mut loaded = 0;
        for (number, (base, input, outcome)) in world.history.iter().enumerate() {
            let executor = Executor::open(ExecutorConfig {
                path: Some(folder.path().join("store")),
                ..config(1 + number % 2, 2 << 30)
            })
            .unwrap();
            executor.add_code(&puppet()).unwrap();
            executor.add_code(TROUBLE).unwrap();
            let ours = executor.execute_round(*base, input).unwrap();
            assert_eq!(ours, *outcome, "seed {seed}, round {number}, reopened");
            loaded += executor.stats().pages_loaded;
        }
        assert!(loaded > 50, "{loaded} pages");
    }
}

#[test]
fn forks_of_a_base_take_turns() {
    let world = history(9, config(2, 2 << 30));
    let reference = Executor::open(config(1, 0)).unwrap();
    let executor = Executor::open(config(2, 2 << 30)).unwrap();
    for executor in [&reference, &executor] {
        executor.add_code(&puppet()).unwrap();
        executor.add_code(TROUBLE).unwrap();
    }
    for (number, (base, input, outcome)) in world.history.iter().enumerate() {
        // On each base a sibling with half of the events, before the round itself and after it.
        for turn in 0..2u8 {
            let mut sibling = input.clone();
            sibling.block.hash = H256::from_low_u64_be(2 * number as u64 + u64::from(turn) + 1);
            for block in &mut sibling.ethereum {
                let half = block.events.len() / 2;
                block.events.truncate(half);
            }
            let ours = executor.execute_round(*base, &sibling).unwrap();
            let theirs = reference.execute_round(*base, &sibling).unwrap();
            assert_eq!(ours, theirs, "round {number}");
            if turn == 0 {
                let ours = executor.execute_round(*base, input).unwrap();
                assert_eq!(ours, *outcome, "round {number}");
                reference.execute_round(*base, input).unwrap();
            }
        }
    }
}

/// Programs that are only in part in memory go from one branch to another and back, with room for few of them.
#[test]
fn forks_are_read_as_far_as_they_are_touched() {
    for seed in [21, 22] {
        let world = history(seed, config(2, 2 << 30));
        let reference = Executor::open(config(1, 2 << 30)).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let open = |budget| {
            let executor = Executor::open(ExecutorConfig {
                path: Some(folder.path().join("store")),
                ..config(2, budget)
            })
            .unwrap();
            executor.add_code(&puppet()).unwrap();
            executor.add_code(TROUBLE).unwrap();
            executor
        };
        reference.add_code(&puppet()).unwrap();
        reference.add_code(TROUBLE).unwrap();
        let mut last: Option<(H256, RoundInput)> = None;
        for (number, (base, input, outcome)) in world.history.iter().enumerate() {
            // Nothing is in memory. Then what this branch touches; then the round itself; then, on the base before,
            // another branch once more.
            let executor = open(if number % 3 == 0 { 400_000 } else { 2 << 30 });
            let mut siblings = vec![(*base, input.clone())];
            siblings.extend(last.replace((*base, input.clone())));
            for (turn, (base, mut sibling)) in siblings.into_iter().enumerate() {
                sibling.block.hash = H256::from_low_u64_be(2 * number as u64 + turn as u64 + 1);
                for block in &mut sibling.ethereum {
                    let half = block.events.len() / 2;
                    block.events.truncate(half);
                }
                let ours = executor.execute_round(base, &sibling).unwrap();
                let theirs = reference.execute_round(base, &sibling).unwrap();
                assert_eq!(ours, theirs, "seed {seed}, round {number}, branch {turn}");
                if turn == 0 {
                    let ours = executor.execute_round(base, input).unwrap();
                    assert_eq!(ours, *outcome, "seed {seed}, round {number}");
                    reference.execute_round(base, input).unwrap();
                }
            }
        }
    }
}

#[test]
fn a_round_that_is_not_stored_leaves_nothing() {
    let mut world = world(config(2, 2 << 30));
    let program = world.program(TROUBLE, b"");
    world.ask(program, b"BUMP");
    let before = memory(&world, program);

    // A program whose code is not there, which is found out only when its turn comes, in the second wave.
    let stranger = ActorId::from(H160::repeat_byte(0x66));
    let code_id = CodeId::from([9; 32]);
    world
        .events
        .push(EthereumEvent::Router(RouterEvent::ProgramCreated {
            actor_id: stranger,
            code_id,
        }));
    let send = command("SEND", &[stranger.as_ref(), &0u128.to_le_bytes(), b"hello"]);
    for message in [&b"BUMP"[..], b"DIRTY", b"BUMP", &send, b"BUMP"] {
        world.send(program, ALICE, message, 0);
    }
    let broken = world.input();
    let messages = world.executor.stats().messages;
    assert!(matches!(
        world.executor.execute_round(world.root, &broken),
        Err(RoundError::MissingCode(id)) if id == code_id
    ));
    assert!(world.executor.stats().messages > messages, "it did run");
    assert_eq!(memory(&world, program), before);
    assert_eq!(world.ask(program, b"COUNT").payload, 1u64.to_le_bytes());
}

#[test]
fn a_query_sees_what_is_stored_and_changes_nothing() {
    let mut world = world(config(2, 2 << 30));
    let program = world.program(&puppet(), b"");
    world.ask(program, &payload(&[Op::Store(140_000, 1)]));
    let ask = payload(&[Op::Load(140_000), Op::Store(140_000, 5), Op::Load(140_000)]);
    let first = world.query(program, &ask).unwrap();
    let second = world.query(program, &ask).unwrap();
    assert_eq!(first, second);
    let id = world.send(program, ALICE, &ask, 0);
    world.run();
    assert_eq!(world.reply_to(id).payload, first.payload);
    assert_eq!(world.receipt(id).gas_burned, first.gas_burned);
    assert_ne!(world.query(program, &ask).unwrap().payload, first.payload);
}

#[test]
fn many_programs_live_in_a_small_budget() {
    const BUDGET: u64 = 16 << 20;
    let mut world = world(config(2, BUDGET));
    world.parameters.round_gas_limit = 400_000_000_000_000;
    let programs: Vec<ActorId> = (0..2_500).map(|_| world.create(PING)).collect();
    world.codes.truncate(1);
    for program in &programs {
        world.top_up(*program, RICH);
        world.send(*program, ALICE, b"", 0);
    }
    world.run();
    for turn in 1..=3u64 {
        let mut ids = Vec::new();
        for program in &programs {
            ids.push(world.send(*program, ALICE, b"PING", 0));
        }
        let count = world.send(programs[77], ALICE, b"COUNT", 0);
        world.run();
        assert_eq!(world.reply_to(count).payload, turn.to_le_bytes());
        assert!(world.code(ids[2_499]).is_success());
        let stats = world.executor.stats();
        assert!(stats.memory_bytes <= BUDGET, "{stats:?}");
        assert!(stats.programs_in_memory > 10, "{stats:?}");
    }
    let ample = Executor::open(config(2, 2 << 30)).unwrap();
    ample.add_code(PING).unwrap();
    for (base, input, outcome) in &world.history {
        assert_eq!(ample.execute_round(*base, input).unwrap(), *outcome);
    }
    assert_eq!(ample.stats().programs_in_memory, 2_500);
}
