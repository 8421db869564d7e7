//! What a system call takes for its gas, in the states in which it has the most to do: a unit of gas is about a picosecond
//! everywhere, so a call that takes much more is a way to hold up a round.

#![allow(clippy::unwrap_used)] // a tool for the desk

#[path = "../../../benches/clock/mod.rs"]
mod clock;
#[path = "../../../tests/common/mod.rs"]
mod common;

use common::{ALICE, World, wat};
use gear_exe_executor::{ExecutorConfig, system_calls};

/// Message gas while a call is measured.
const GAS: u64 = 30_000_000_000;

/// What a program does before it makes calls.
const STATES: [(&str, &str); 8] = [
    ("fresh", ""),
    (
        "1020 handles open",
        "(local.set 0 (i32.const 1020))
         (loop (call $gr_send_init (i32.const 600))
           (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))",
    ),
    (
        "120 KiB in a handle",
        "(call $gr_send_init (i32.const 600))
         (call $gr_send_push (i32.const 0) (i32.const 65536) (i32.const 122880) (i32.const 600))",
    ),
    (
        "1000 messages sent",
        "(local.set 0 (i32.const 1000))
         (loop (call $gr_send (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 600))
           (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))",
    ),
    (
        "250 reservations",
        "(local.set 0 (i32.const 250))
         (loop (call $gr_reserve_gas (i64.const 1) (i32.const 9) (i32.const 600))
           (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))",
    ),
    ("fresh, each message", ""),
    ("15000 holes in memory", ""),
    ("15000 holes, each message", ""),
];

fn main() {
    let calls: Vec<_> = system_calls().collect();
    for (state, before) in STATES {
        for (name, parameters, returns) in &calls {
            let mut worst = (0.0, 0, "");
            // Nothing, and as if each number were an address, a length, or what is not there.
            for (kind, number) in [("0", 0), ("1000", 1_000), ("29999", 29_999), ("-1", -1)] {
                let took = measure(state, before, name, parameters, *returns, number);
                if took.0 > worst.0 {
                    worst = (took.0, took.1, kind);
                }
            }
            let (ratio, gas, kind) = worst;
            if ratio > 2.0 || std::env::args().len() > 1 {
                println!("{state:24} {name:28} {ratio:7.2} ps for a unit ({gas} gas, all {kind})");
            }
        }
    }
}

fn measure(
    state: &str,
    before: &str,
    name: &str,
    parameters: &str,
    returns: bool,
    number: i32,
) -> (f64, u64) {
    let imports: String = system_calls()
        .map(|(name, parameters, returns)| {
            let letters = parameters.chars();
            let parameters: String = letters
                .map(|letter| if letter == 'I' { " i64" } else { " i32" })
                .collect();
            let result = if returns { "(result i32)" } else { "" };
            format!(r#"(import "env" "{name}" (func ${name} (param {parameters}) {result}))"#)
        })
        .collect();
    let last = parameters.len();
    let arguments: String = parameters
        .chars()
        .enumerate()
        .map(|(index, letter)| match letter {
            'I' => format!("(i64.const {number})"),
            // Where the error goes is always there.
            _ if index + 1 == last && number == -1 => "(i32.const 700)".into(),
            _ if index == 0 && name == "free_range" => "(i32.const 4)".into(),
            _ => format!("(i32.const {number})"),
        })
        .collect();
    // Called once, then the message fails and all of it is undone.
    let again = if state.contains("each") {
        "unreachable"
    } else {
        "(br 0)"
    };
    let drop = if returns { "drop" } else { "" };
    let text = format!(
        r#"{imports} (import "env" "memory" (memory 4))
        (func (export "init"))
        (func (export "handle") (local i32)
          (call $gr_size (i32.const 500))
          (if (i32.eq (i32.load (i32.const 500)) (i32.const 1))
            (then (drop (call $alloc (i32.const 30000))) (call $gr_leave)))
          (if (i32.eq (i32.load (i32.const 500)) (i32.const 2))
            (then
              (local.set 0 (i32.const 30000))
              (loop
                (drop (call $free (i32.add (local.get 0) (i32.const 3))))
                (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 2)))))
              (call $gr_leave)))
          {before}
          (loop (call ${name} {arguments}) {drop} {again}))"#
    );
    let mut world = World::with(ExecutorConfig {
        path: None,
        threads: 1,
        ..ExecutorConfig::default()
    });
    let program = world.program(&wat(&text), b"");
    if state.contains("holes") {
        world.parameters.message_gas_limit = 1_000_000_000_000;
        for payload in [&b"a"[..], b"bb"] {
            let id = world.send(program, ALICE, payload, 0);
            world.run();
            assert!(world.code(id).is_success());
        }
    }
    world.parameters.message_gas_limit = GAS;
    if state.contains("each") {
        world.parameters.max_round_messages = 1_000_000;
        world.parameters.max_round_bytes = 1 << 30;
    }
    let messages = if state.contains("each") { 2_000 } else { 1 };
    for _ in 0..messages {
        world.send(program, ALICE, b"", 0);
    }
    // The threads of the last world end by then, and are counted no more.
    std::thread::sleep(std::time::Duration::from_millis(5));
    let began = clock::used();
    let outcome = world.round();
    let took = clock::used().saturating_sub(began);
    // A call that ends the run at once says nothing.
    if outcome.gas_burned < GAS / 2 && messages == 1 {
        return (0.0, outcome.gas_burned);
    }
    (
        took as f64 * 1e3 / outcome.gas_burned as f64,
        outcome.gas_burned,
    )
}
