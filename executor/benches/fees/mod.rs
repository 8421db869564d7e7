//! The fees that are charged where something happens, beside what that takes.
//!
//! Each row runs rounds in which a thing happens often, and rounds in which it happens seldom, and divides the difference.
//! The store is a file; it was just written, so that reading it takes processor time and no disk. Everything counts that
//! a message causes: taking it in, its receipt, hashing, and writing the round.

use crate::{
    clock::used,
    common::{ALICE, World, wat},
};
use gear_exe_executor::ExecutorConfig;
use gear_exe_primitives::{ActorId, H160};

/// Does one thing many times: `n` times, at an address that grows by `step`.
const PROGRAM: &str = r#"
    (import "env" "memory" (memory 16400))
    (import "env" "alloc" (func $alloc (param i32) (result i32)))
    (import "env" "free" (func $free (param i32) (result i32)))
    (import "env" "gr_read" (func $read (param i32 i32 i32 i32)))
    (import "env" "gr_size" (func $size (param i32)))
    (import "env" "gr_send" (func $send (param i32 i32 i32 i32 i32)))
    (import "env" "gr_reply" (func $reply (param i32 i32 i32 i32)))
    (import "env" "gr_wait_for" (func $wait (param i32)))
    (global (export "__gear_stack_end") i32 (i32.const 65536))
    (func (export "init"))
    (func (export "handle_reply"))
    (func (export "handle") (local $op i32) (local $n i32) (local $at i32) (local $step i32)
      (call $size (i32.const 4))
      (if (i32.eqz (i32.load (i32.const 4))) (then (return)))
      (call $read (i32.const 0) (i32.load (i32.const 4)) (i32.const 16) (i32.const 0))
      (local.set $op (i32.load (i32.const 16)))
      (local.set $n (i32.load (i32.const 20)))
      (local.set $at (i32.load (i32.const 24)))
      (local.set $step (i32.load (i32.const 28)))
      (loop $next
        (if (i32.eqz (local.get $n)) (then (return)))
        (block $done (block $read (block $write (block $send (block $alloc (block $wait (block $reply
          (br_table $read $write $send $alloc $wait $reply (local.get $op)))
          (call $reply (i32.const 16) (i32.const 32) (i32.const -1) (i32.const 128)) (br $done))
          ;; Waits the first time and returns the second.
          (i32.store (local.get $at) (i32.xor (i32.load (local.get $at)) (i32.const 1)))
          (if (i32.load (local.get $at)) (then (call $wait (i32.const 1))))
          (return))
          (drop (call $alloc (i32.const 1))) (br $done))
          (call $send (i32.const 32) (i32.const 256) (i32.const 32) (i32.const 0) (i32.const 128)) (br $done))
          (i32.store (local.get $at) (local.tee $op (i32.add (i32.load (local.get $at)) (local.get $at))))
          (local.set $op (i32.const 1)) (br $done))
          (drop (i32.load (local.get $at))))
        (local.set $at (i32.add (local.get $at) (local.get $step)))
        (local.set $n (i32.sub (local.get $n) (i32.const 1)))
        (br $next)))"#;

const READ: u32 = 0;
const WRITE: u32 = 1;
const SEND: u32 = 2;
const ALLOC: u32 = 3;
const WAIT: u32 = 4;
const REPLY: u32 = 5;
/// Where the program's memory begins that nothing else uses.
const BASE: u32 = 1 << 20;

fn payload(op: u32, n: u32, step: u32, to: ActorId) -> Vec<u8> {
    payload_at(op, n, BASE, step, to)
}

fn payload_at(op: u32, n: u32, at: u32, step: u32, to: ActorId) -> Vec<u8> {
    let numbers = [op, n, at, step].map(u32::to_le_bytes).concat();
    [&numbers[..], to.as_ref(), &[0; 16]].concat()
}

fn world(memory_budget: u64, folder: &tempfile::TempDir, name: &str) -> World {
    let mut world = World::with(ExecutorConfig {
        path: Some(folder.path().join(name)),
        threads: 1,
        memory_budget,
    });
    let parameters = &mut world.parameters;
    parameters.message_gas_limit = 1 << 60;
    parameters.round_gas_limit = 1 << 61;
    parameters.value_per_gas = 0;
    parameters.max_outgoing_messages = 1 << 20;
    parameters.max_outgoing_bytes = 1 << 30;
    parameters.max_round_messages = 1 << 30;
    parameters.max_round_bytes = u32::MAX;
    world
}

/// Nanoseconds and gas of a round with these messages.
fn round(world: &mut World, messages: &[(ActorId, Vec<u8>)]) -> (f64, f64) {
    for (program, payload) in messages {
        world.native(*program, ALICE, payload);
        world.natives.last_mut().unwrap().receipt_only = true;
    }
    let input = world.input();
    let began = used();
    let outcome = world.executor.execute_round(world.root, &input).unwrap();
    let took = used() - began;
    world.root = outcome.state_root;
    for receipt in &outcome.receipts {
        assert!(receipt.code.is_success(), "{:?}", receipt.code);
    }
    (took as f64, outcome.gas_burned as f64)
}

/// Nanoseconds and gas of one thing more, of `few` and `many` in a round. A round without messages comes after
/// each, and counts as well.
fn more(
    world: &mut World,
    few: usize,
    many: usize,
    messages: impl Fn(usize) -> Vec<(ActorId, Vec<u8>)>,
) -> (f64, f64) {
    const TURNS: usize = 5;
    let (mut low, mut high) = ([f64::MAX, 0.0], [f64::MAX, 0.0]);
    for _ in 0..TURNS {
        for (best, count) in [(&mut low, few), (&mut high, many)] {
            let (time, gas) = round(world, &messages(count));
            let (later, more) = round(world, &[]);
            *best = [best[0].min(time + later), gas + more];
        }
    }
    let count = (many - few) as f64;
    ((high[0] - low[0]) / count, (high[1] - low[1]) / count)
}

fn row(what: &str, fees: &str, measured: (f64, f64)) {
    let (time, charged) = (measured.0, measured.1 / 1e3);
    let verdict = match charged / time {
        ratio if ratio < 1.0 => "CHEAP",
        ratio if ratio > 3.0 => "dear",
        _ => "",
    };
    println!(
        "{what:<56} {fees:<28} {time:>10.0} {charged:>10.0} {:>7.2} {verdict}",
        charged / time
    );
}

/// Prints the table.
pub fn fees() {
    let folder = tempfile::tempdir().unwrap();
    let code = wat(PROGRAM);
    let user = ActorId::from(H160::repeat_byte(0xaa));
    println!(
        "\n{:<56} {:<28} {:>10} {:>10} {:>7}",
        "what", "fees", "ns", "gas / 1000", "ratio"
    );

    let mut warm = world(2 << 30, &folder, "warm");
    let program = warm.program(&code, b"");
    let one = |op: u32, n: usize, step: u32, to: ActorId| {
        vec![(program, payload(op, n as u32, step, to))]
    };
    let measured = more(&mut warm, 2_000, 20_000, |n| vec![(program, vec![]); n]);
    row("a message that does nothing", "DISPATCH", measured);
    let measured = more(&mut warm, 2_000, 20_000, |n| {
        vec![(program, payload(REPLY, 1, 0, user)); n]
    });
    row("a message with a reply", "DISPATCH, SEND", measured);
    let measured = more(&mut warm, 100, 5_000, |n| one(SEND, n, 0, user));
    row("a message to a user", "SEND", measured);
    let other = warm.program(&code, b"");
    let measured = more(&mut warm, 100, 5_000, |n| one(SEND, n, 0, other));
    row(
        "a message to a program, and its reply",
        "SEND, 2 DISPATCH",
        measured,
    );
    let measured = more(&mut warm, 100, 3_000, |n| {
        let slots = (0..n as u32).map(|slot| BASE + 4 * slot);
        slots
            .map(|slot| (other, payload_at(WAIT, 1, slot, 0, user)))
            .collect()
    });
    row(
        "a message that waits and goes on",
        "2 DISPATCH, WAIT",
        measured,
    );
    let mut third = world(2 << 30, &folder, "alloc");
    let small = wat(&PROGRAM.replace("16400", "32"));
    let small = third.program(&small, b"");
    let measured = more(&mut third, 10, 500, |n| {
        vec![(small, payload(ALLOC, n as u32, 0, user))]
    });
    row("a WASM page allocated", "ALLOC_PAGE", measured);

    for (what, step, most) in [("in a row", 16_384, 2_000), ("far apart", 4 << 20, 200)] {
        let measured = more(&mut warm, most / 10, most, |n| one(WRITE, n, step, user));
        let what = format!("a page written, {what}");
        row(&what, "LOAD, STORE, WRITE_PAGE", measured);
    }
    let measured = more(&mut warm, 200, 8_000, |n| one(WRITE, n, 4_096, user));
    row(
        "4 KiB written, four in a page",
        "(LOAD + STORE) / 4, WRITE",
        measured,
    );

    let mut cold = world(0, &folder, "cold");
    let program = cold.program(&code, b"");
    for (step, count) in [(16_384, 2_000), (4 << 20, 200)] {
        round(&mut cold, &[(program, payload(WRITE, count, step, user))]);
    }
    let one = |op: u32, n: usize, step: u32| vec![(program, payload(op, n as u32, step, user))];
    for (what, step, most) in [("in a row", 16_384, 2_000), ("far apart", 4 << 20, 200)] {
        for (how, op, fees) in [
            ("loaded", READ, "LOAD_PAGE"),
            ("loaded and written", WRITE, "LOAD, STORE, WRITE_PAGE"),
        ] {
            let measured = more(&mut cold, most / 10, most, |n| one(op, n, step));
            row(&format!("a page {how}, {what}"), fees, measured);
        }
    }
    for (what, budget, pages) in [
        ("warm", 2 << 30, "32"),
        ("cold", 0, "32"),
        ("cold, one GiB", 0, "16400"),
    ] {
        let mut many = world(budget, &folder, &format!("many {what}"));
        let code = wat(&PROGRAM.replace("16400", pages));
        let programs: Vec<ActorId> = (0..200).map(|_| many.program(&code, b"")).collect();
        let measured = more(&mut many, 20, 200, |n| {
            let own = programs.iter().take(n);
            own.map(|program| (*program, vec![])).collect()
        });
        let what = format!("a program's only message of a round, {what}");
        row(&what, "WAKE, DISPATCH", measured);
    }
}
