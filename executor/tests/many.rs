//! Ten thousand programs in two GiB of memory. Alone in its process, so that this can be looked at from outside.

#![allow(clippy::unwrap_used)] // a failed unwrap is a failed test

mod common;

use common::{ALICE, RICH, World};
use gear_exe_executor::{Executor, ExecutorConfig};
use gear_exe_primitives::ActorId;
use gear_exe_programs::PING;
use std::fs;

const PROGRAMS: usize = 10_000;
const BUDGET: u64 = 2 << 30;
/// Memory of the process beside its programs: the store, which is in memory here, histories, the compiler.
const BESIDE: u64 = 2 << 30;

/// Bytes of memory that this process has in use.
fn resident_bytes() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let kib: u64 = line
        .unwrap()
        .split_whitespace()
        .nth(1)
        .unwrap()
        .parse()
        .unwrap();
    kib << 10
}

fn mappings() -> usize {
    fs::read_to_string("/proc/self/maps")
        .unwrap()
        .lines()
        .count()
}

#[test]
fn ten_thousand_programs_come_and_go() {
    let config = |memory_budget| ExecutorConfig {
        path: None,
        threads: 2,
        memory_budget,
    };
    let mut world = World::with(config(BUDGET));
    world.parameters.max_round_messages = 1 << 30;
    world.parameters.max_round_bytes = 1 << 30;
    world.parameters.message_gas_limit = 1 << 30;
    world.parameters.round_gas_limit = 1 << 50;
    // Most leave again and again.
    let small = Executor::open(config(BUDGET / 32)).unwrap();
    small.add_code(PING).unwrap();

    let programs: Vec<ActorId> = (0..PROGRAMS).map(|_| world.create(PING)).collect();
    world.codes.truncate(1);
    for program in &programs {
        world.top_up(*program, RICH);
        world.send(*program, ALICE, b"", 0);
    }
    let mut state = 1u64;
    for turn in 0..5 {
        // All of them, or a quarter, in an order that looks random.
        let mut called = programs.clone();
        for at in (1..called.len()).rev() {
            state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
            called.swap(at, (state >> 33) as usize % (at + 1));
        }
        called.truncate(if turn < 2 { PROGRAMS } else { PROGRAMS / 4 });
        for program in &called {
            world.native(*program, ALICE, b"PING");
            world.natives.last_mut().unwrap().receipt_only = true;
        }
        let (base, input) = (world.root, world.input());
        let outcome = world.executor.execute_round(base, &input).unwrap();
        assert!(!outcome.work_left);
        let inits = if turn == 0 { PROGRAMS } else { 0 };
        assert_eq!(outcome.receipts.len(), called.len() + inits);
        assert!(
            outcome
                .receipts
                .iter()
                .all(|receipt| receipt.code.is_success())
        );
        assert_eq!(small.execute_round(base, &input).unwrap(), outcome);
        world.root = outcome.state_root;

        let stats = world.executor.stats();
        assert!(stats.memory_bytes <= BUDGET, "{stats:?}");
        assert!(stats.programs_in_memory > 5_000, "{stats:?}");
        let stats = small.stats();
        assert!(stats.memory_bytes <= BUDGET / 32, "{stats:?}");
        assert!(stats.programs_in_memory > 50, "{stats:?}");
        let bytes = resident_bytes();
        assert!(bytes < BUDGET + BUDGET / 32 + BESIDE, "{bytes} bytes");
        let mappings = mappings();
        assert!(mappings < 60_000, "{mappings} mappings");
        println!(
            "{} messages: {} MiB in use, {mappings} mappings, {} and {} programs in memory",
            called.len(),
            bytes >> 20,
            world.executor.stats().programs_in_memory,
            small.stats().programs_in_memory
        );
    }
}
