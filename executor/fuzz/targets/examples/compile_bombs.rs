//! How long the largest codes take that are accepted, by what they are made of: the worst that a compiler can be given.

#![allow(clippy::unwrap_used)] // a tool for the desk

use gear_exe_executor::{Executor, ExecutorConfig, MAX_CODE_LENGTH, MAX_FUNCTION_LENGTH};
use std::time::Instant;

const MEMORY: &str = r#"(import "env" "memory" (memory 1)) (table 16 funcref) (type $t (func))"#;

/// A module of as many copies of `function`, and in each of as many of `body`, as are accepted.
fn try_bomb(name: &str, locals: &str, body: &str) {
    let executor = Executor::open(ExecutorConfig::default()).unwrap();
    let build = |bodies: usize, functions: usize| {
        let function = format!("(func {locals} {})", body.repeat(bodies));
        let functions = function.repeat(functions);
        let text = format!(r#"(module {MEMORY} (func (export "handle")) {functions})"#);
        wat::parse_str(text).unwrap()
    };
    let one = build(1, 1).len() - build(0, 1).len();
    let mut worst = (0.0, 0, 0, 0);
    for shrink in [1, 2, 4, 8, 16, 32, 64, 128] {
        let bodies = (MAX_FUNCTION_LENGTH - 200) / one / shrink;
        let length = bodies * one + 100;
        let mut functions = MAX_CODE_LENGTH / length;
        while functions > 0 && bodies > 0 {
            let wasm = build(bodies, functions);
            let began = Instant::now();
            if executor.add_code(&wasm).is_ok() {
                let took = began.elapsed().as_secs_f64();
                if took > worst.0 {
                    worst = (took, wasm.len() >> 10, functions, bodies);
                }
                break;
            }
            functions /= 2;
        }
    }
    let (took, length, functions, bodies) = worst;
    println!("{name:24} {took:7.2} s: {length} KiB, {functions} functions of {bodies} parts");
}

fn main() {
    let many = |count: usize, ty: &str| format!("(local {})", format!("{ty} ").repeat(count));
    let integers = many(64, "i64");
    let vectors = many(64, "v128");
    let floats = many(64, "f64");
    // All of them are live over a call, or around a loop.
    let live = |count: usize| {
        let load = |at| format!("(local.set {at} (i64.load (i32.const {})))", at * 8);
        let store = |at| format!("(i64.store (i32.const {}) (local.get {at}))", at * 8);
        let loads: String = (0..count).map(load).collect();
        let stores: String = (0..count).map(store).collect();
        [
            format!("{loads} (call 0) {stores}"),
            format!("(loop {loads} (br_if 0 (i32.load (i32.const 0))) {stores})"),
        ]
    };
    let [few_called, few_looped] = live(60);
    let [many_called, many_looped] = live(1_000);
    let thousand = many(1_000, "i64");
    let cases = [
        ("60 live, calls", integers.as_str(), few_called.as_str()),
        ("60 live, loops", &integers, &few_looped),
        ("1000 live, calls", &thousand, &many_called),
        ("1000 live, loops", &thousand, &many_looped),
        (
            "loads and stores",
            &integers,
            "(i32.store (i32.const 8) (i32.load (i32.const 4)))",
        ),
        (
            "locals",
            &integers,
            "(local.set 3 (i64.add (local.get 5) (local.get 7)))",
        ),
        (
            "multiplications",
            &integers,
            "(local.set 3 (i64.mul (local.get 3) (local.get 7)))",
        ),
        (
            "divisions",
            &integers,
            "(local.set 3 (i64.div_s (local.get 3) (local.get 7)))",
        ),
        (
            "floats",
            &floats,
            "(local.set 3 (f64.mul (local.get 3) (local.get 7)))",
        ),
        (
            "float minima",
            &floats,
            "(local.set 3 (f64.min (local.get 3) (local.get 7)))",
        ),
        (
            "truncations",
            &floats,
            "(local.set 3 (f64.convert_i64_u (i64.trunc_sat_f64_u (local.get 3))))",
        ),
        (
            "vectors",
            &vectors,
            "(local.set 3 (f64x2.mul (local.get 3) (local.get 7)))",
        ),
        (
            "shuffles",
            &vectors,
            "(local.set 3 (i8x16.swizzle (local.get 3) (local.get 7)))",
        ),
        (
            "vector shifts",
            &vectors,
            "(local.set 3 (i8x16.shr_s (local.get 3) (i32.const 3)))",
        ),
        ("calls", "", "(call 0)"),
        (
            "indirect calls",
            "",
            "(call_indirect (type $t) (i32.const 1))",
        ),
        ("branches", "", "(if (i32.const 1) (then))"),
        ("blocks", "", "(block (br 0))"),
        (
            "loops",
            &integers,
            "(loop (local.set 3 (i64.add (local.get 4) (local.get 3))))",
        ),
        (
            "copies",
            "",
            "(memory.copy (i32.const 0) (i32.const 1) (i32.const 2))",
        ),
        (
            "selects",
            &integers,
            "(local.set 3 (select (local.get 4) (local.get 5) (i32.const 1)))",
        ),
    ];
    for (name, locals, body) in cases {
        try_bomb(name, locals, body);
    }
}
