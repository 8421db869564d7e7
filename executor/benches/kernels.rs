//! CPU-bound programs against the same Rust compiled natively: `cargo bench -p gear-exe-executor --bench kernels`.
//!
//! Each kernel of `programs/kernels` runs as a message to a program, through the executor's whole interface, with gas; and
//! as a function of this binary. Both are repeated in turns, and the least processor time of each counts.
//! `GEAR_BENCH_ROUNDS` sets how many turns.

#![allow(clippy::unwrap_used)] // a failed unwrap is a failed benchmark

extern crate alloc;

#[path = "clock/mod.rs"]
mod clock;
#[path = "../tests/common/mod.rs"]
mod common;
#[path = "../../programs/kernels/src/kernels.rs"]
mod kernels;

use clock::used;
use common::{ALICE, World};
use gear_exe_executor::ExecutorConfig;
use gear_exe_programs::KERNELS;
use std::hint::black_box;

/// Kernel, what it is, its size, and how many times it runs for one message: so often that taking the message in and
/// keeping the state do not matter.
const CASES: [(u8, &str, u32, u32); 5] = [
    (0, "SHA-256, 64 KiB", 1_000, 100),
    (1, "sort, 10,000 integers", 10_000, 60),
    (2, "matrix product, u32, 64 x 64", 64, 500),
    (3, "matrix product, f64, 64 x 64", 64, 500),
    (4, "Mandelbrot, f64, 64 x 64", 64, 40),
];

fn main() {
    let rounds = std::env::var("GEAR_BENCH_ROUNDS")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(20);
    let mut world = World::with(ExecutorConfig {
        path: None,
        threads: 1,
        ..ExecutorConfig::default()
    });
    world.parameters.message_gas_limit = 1 << 60;
    world.parameters.round_gas_limit = 1 << 61;
    world.parameters.value_per_gas = 0;
    let program = world.program(KERNELS, b"");

    println!(
        "{:<32} {:>10} {:>10} {:>7} {:>9}",
        "kernel", "native ms", "WASM ms", "ratio", "gas / ns"
    );
    let mut worst = 0f64;
    for (kernel, name, size, times) in CASES {
        let (mut native, mut wasm, mut gas) = (u64::MAX, u64::MAX, 0);
        for _ in 0..rounds {
            let began = used();
            let expected = black_box(kernels::run(kernel, black_box(size), times)).unwrap();
            native = native.min(used() - began);

            let payload = [&[kernel], &size.to_le_bytes()[..], &times.to_le_bytes()].concat();
            let id = world.send(program, ALICE, &payload, 0);
            let input = world.input();
            let began = used();
            let outcome = world.executor.execute_round(world.root, &input).unwrap();
            wasm = wasm.min(used() - began);
            world.root = outcome.state_root;
            let mut receipts = outcome.receipts.iter();
            let receipt = receipts.find(|receipt| receipt.message_id == id).unwrap();
            assert!(receipt.code.is_success(), "{name}: {:?}", receipt.code);
            gas = receipt.gas_burned;
            let reply = outcome.transitions[0].messages.last().unwrap();
            assert_eq!(reply.payload, expected.to_le_bytes(), "{name}");
        }
        let ratio = wasm as f64 / native as f64;
        worst = worst.max(ratio);
        println!(
            "{name:<32} {:>10.2} {:>10.2} {ratio:>7.2} {:>9.0}",
            native as f64 / 1e6,
            wasm as f64 / 1e6,
            gas as f64 / wasm as f64,
        );
    }
    println!("\nworst ratio {worst:.2}; the goal is at most 1.50, metering included");
}
