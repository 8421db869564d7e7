//! What operators take and what they cost: `cargo bench -p gear-exe-executor --bench gas`.
//!
//! Every class of the schedule is run in a long loop by a program, through the executor's whole interface, once in one
//! chain, where each operator waits for the one before it, and once in four chains side by side, which is nearer to
//! compiled code. Time and gas of the empty loop are taken off. "Charged" is what the receipt says, locals and constants
//! included. Where "charged" is below "four chains", the class is too cheap. The second table is the compiler's time. The
//! third, in `fees.rs`, is for all that is charged outside of the program's own code.
//!
//! `-- operators`, `-- compiler` or `-- fees` prints one of them.

#![allow(clippy::unwrap_used)] // a failed unwrap is a failed benchmark

#[path = "clock/mod.rs"]
mod clock;
#[path = "../tests/common/mod.rs"]
mod common;
#[path = "fees/mod.rs"]
mod fees;

use clock::used;
use common::{ALICE, World, wat};
use gear_exe_executor::{
    Executor, ExecutorConfig,
    gas::{self, Class},
};
use gear_exe_programs::ALL;

/// Statements in one round of the loop.
const UNROLLED: usize = 32;
/// Rounds of the loop.
const ROUNDS: u64 = 200_000;
const LOCALS: &str =
    "(local $a i64) (local $b i64) (local $c i64) (local $d i64) (local $k i64) (local $n i32)
    (local $fa f64) (local $fb f64) (local $fc f64) (local $fd f64) (local $fk f64)
    (local $va v128) (local $vb v128) (local $vc v128) (local $vd v128) (local $vk v128)";
const FUNCTIONS: &str = "(type $t (func (param i64) (result i64))) (table funcref (elem $add $twice)) (global $g (mut i64) (i64.const 1))
    (func $add (param i64) (result i64) (i64.add (local.get 0) (i64.const 3)))
    (func $twice (param i64) (result i64) (i64.shl (local.get 0) (i64.const 1)))";
/// Values that the compiler cannot know.
const SETUP: &str = "(local.set $k (i64.load (i32.const 0))) (local.set $k (i64.add (local.get $k) (i64.const 3)))
    (local.set $a (local.get $k)) (local.set $b (local.get $k)) (local.set $c (local.get $k)) (local.set $d (local.get $k))
    (local.set $fk (f64.convert_i64_s (local.get $k))) (local.set $fa (local.get $fk)) (local.set $fb (local.get $fk))
    (local.set $fc (local.get $fk)) (local.set $fd (local.get $fk))
    (local.set $vk (f64x2.splat (local.get $fk))) (local.set $va (local.get $vk)) (local.set $vb (local.get $vk))
    (local.set $vc (local.get $vk)) (local.set $vd (local.get $vk))";

/// A class and a statement that uses it: `X` is the chain's variable, `K` a value that does not change.
const STATEMENTS: &[(Class, &str, &str)] = &[
    (Class::Simple, "i64.add, i64.rotl", "(local.set $X (i64.rotl (i64.add (local.get $X) (local.get $k)) (local.get $k)))"),
    (Class::Simple, "i64.xor, i64.shl", "(local.set $X (i64.shl (i64.xor (local.get $X) (local.get $k)) (local.get $k)))"),
    (Class::Simple, "select", "(local.set $X (select (local.get $X) (local.get $k) (i64.lt_u (local.get $X) (local.get $k))))"),
    (Class::Global, "global", "(global.set $g (i64.add (global.get $g) (local.get $X)))"),
    (Class::Load, "i64.load", "(local.set $X (i64.load (i32.and (i32.wrap_i64 (local.get $X)) (i32.const 0x7ff8))))"),
    (Class::Store, "i64.store", "(i64.store (i32.and (i32.wrap_i64 (local.get $X)) (i32.const 0x7ff8)) (local.get $k))"),
    (Class::Multiply, "i64.mul", "(local.set $X (i64.mul (local.get $X) (local.get $k)))"),
    (Class::Divide, "i64.div_u", "(local.set $X (i64.div_u (local.get $X) (local.get $k)))"),
    (Class::Divide, "i64.div_u, long", "(local.set $X (i64.or (i64.div_u (i64.const -1) (local.get $X)) (local.get $k)))"),
    (Class::Divide, "i64.rem_s", "(local.set $X (i64.or (i64.rem_s (i64.const -1) (local.get $X)) (local.get $k)))"),
    (Class::Bits, "i64.popcnt", "(local.set $X (i64.popcnt (local.get $X)))"),
    (Class::Bits, "i64.clz", "(local.set $X (i64.clz (local.get $X)))"),
    (Class::Branch, "if, foreseen", "(if (i64.eqz (local.get $k)) (then (local.set $X (local.get $k))))"),
    (Class::Branch, "if, not foreseen", "(local.set $X (i64.mul (i64.rotl (local.get $X) (i64.const 7)) (i64.const 0x5851f42d4c957f2d)))
        (if (i64.lt_s (local.get $X) (i64.const 0)) (then (global.set $g (local.get $X))))"),
    (Class::Table, "br_table", "(block (block (br_table 0 1 0 1 (i32.and (i32.wrap_i64 (local.get $k)) (i32.const 3)))) (local.set $X (local.get $k)))"),
    (Class::Call, "call", "(local.set $X (call $add (local.get $X)))"),
    (Class::Indirect, "call_indirect", "(local.set $X (call_indirect (type $t) (local.get $X) (i32.and (i32.wrap_i64 (local.get $k)) (i32.const 1))))"),
    (Class::FloatSimple, "f64.neg, f64.add", "(local.set $fX (f64.neg (f64.add (local.get $fX) (local.get $fk))))"),
    (Class::FloatConvert, "f64.copysign", "(local.set $fX (f64.copysign (local.get $fX) (local.get $fk)))"),
    (Class::Float, "f64.add", "(local.set $fX (f64.add (local.get $fX) (local.get $fk)))"),
    (Class::Float, "f64.mul", "(local.set $fX (f64.mul (local.get $fX) (local.get $fk)))"),
    (Class::FloatDivide, "f64.div", "(local.set $fX (f64.div (local.get $fX) (local.get $fk)))"),
    (Class::FloatRoot, "f64.sqrt", "(local.set $fX (f64.sqrt (local.get $fX)))"),
    (Class::FloatConvert, "f64.min", "(local.set $fX (f64.min (local.get $fX) (local.get $fk)))"),
    (Class::FloatConvert, "f64.nearest", "(local.set $fX (f64.nearest (local.get $fX)))"),
    (Class::FloatConvert, "to i64 and back", "(local.set $fX (f64.convert_i64_s (i64.trunc_sat_f64_s (local.get $fX))))"),
    (Class::FloatConvert, "to u64 and back", "(local.set $fX (f64.convert_i64_u (i64.trunc_sat_f64_u (local.get $fX))))"),
    (Class::Vector, "i32x4.add", "(local.set $vX (i32x4.add (local.get $vX) (local.get $vk)))"),
    (Class::Vector, "i32x4.mul", "(local.set $vX (i32x4.mul (local.get $vX) (local.get $vk)))"),
    (Class::VectorSlow, "i64x2.mul", "(local.set $vX (i64x2.mul (local.get $vX) (local.get $vk)))"),
    (Class::VectorSlow, "i8x16.shr_s", "(local.set $vX (i8x16.shr_s (local.get $vX) (i32.wrap_i64 (local.get $k))))"),
    (Class::VectorSlow, "i8x16.popcnt", "(local.set $vX (i8x16.popcnt (local.get $vX)))"),
    (Class::VectorConvert, "f64x2.min", "(local.set $vX (f64x2.min (local.get $vX) (local.get $vk)))"),
    (Class::VectorConvert, "u32x4 from f32x4", "(local.set $vX (i32x4.trunc_sat_f32x4_u (local.get $vX)))"),
    (Class::VectorFloat, "f64x2.mul", "(local.set $vX (f64x2.mul (local.get $vX) (local.get $vk)))"),
    (Class::VectorFloat, "f32x4.add", "(local.set $vX (f32x4.add (local.get $vX) (local.get $vk)))"),
    (Class::VectorDivide, "f64x2.div", "(local.set $vX (f64x2.div (local.get $vX) (local.get $vk)))"),
    (Class::VectorDivide, "f64x2.sqrt", "(local.set $vX (f64x2.sqrt (local.get $vX)))"),
];

/// Time in picoseconds and gas of a loop with `statements` in it, for one round; a message with one round is taken off.
fn measure(world: &mut World, statements: &str, rounds: u64) -> (f64, f64) {
    let (many, one) = (message(world, statements, rounds), message(world, "", 1));
    let rounds = rounds as f64;
    ((many.0 - one.0) / rounds, (many.1 - one.1) / rounds)
}

/// Time in picoseconds and gas of a message.
fn message(world: &mut World, statements: &str, rounds: u64) -> (f64, f64) {
    let text = format!(
        r#"(import "env" "memory" (memory 65)) {FUNCTIONS}
        (func (export "init"))
        (func (export "handle") {LOCALS} {SETUP} (local.set $n (i32.const {rounds}))
            (loop $next {statements} (br_if $next (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
            (i64.store (i32.const 8) (i64.add (i64.add (local.get $a) (local.get $b)) (i64.add (local.get $c) (local.get $d))))
            (f64.store (i32.const 16) (f64.add (f64.add (local.get $fa) (local.get $fb)) (f64.add (local.get $fc) (local.get $fd))))
            (v128.store (i32.const 32) (v128.or (v128.or (local.get $va) (local.get $vb)) (v128.or (local.get $vc) (local.get $vd)))))"#
    );
    let program = world.program(&wat(&text), b"");
    let (mut best, mut gas) = (f64::MAX, 0);
    for _ in 0..5 {
        let id = world.send(program, ALICE, b"", 0);
        let input = world.input();
        let began = used();
        let outcome = world.executor.execute_round(world.root, &input).unwrap();
        best = best.min((used() - began) as f64 * 1e3);
        world.root = outcome.state_root;
        let mut own = outcome
            .receipts
            .iter()
            .filter(|receipt| receipt.message_id == id);
        let receipt = own.next().unwrap();
        assert!(receipt.code.is_success(), "{:?}", receipt.code);
        gas = receipt.gas_burned;
    }
    (best, gas as f64)
}

/// Statements with their chains filled in.
fn unroll(statement: &str, chains: &[&str]) -> String {
    (0..UNROLLED)
        .map(|index| statement.replace('X', chains[index % chains.len()]))
        .collect()
}

fn operators(world: &mut World) {
    println!(
        "{:<14} {:<18} {:>6} {:>8} {:>10} {:>12} {:>9}",
        "class", "statement", "units", "charged", "one chain", "four chains", "verdict"
    );
    let empty = measure(world, "", ROUNDS * UNROLLED as u64);
    println!(
        "{:<14} {:<18} {:>6} {:>8.0} {:>10.0} ps",
        "Loop",
        "empty",
        Class::Loop.units(),
        empty.1,
        empty.0
    );
    for (class, name, statement) in STATEMENTS {
        let own = |measured: (f64, f64)| {
            let per = UNROLLED as f64;
            ((measured.0 - empty.0) / per, (measured.1 - empty.1) / per)
        };
        let (one, charged) = own(measure(world, &unroll(statement, &["a"]), ROUNDS));
        let (four, _) = own(measure(
            world,
            &unroll(statement, &["a", "b", "c", "d"]),
            ROUNDS,
        ));
        let verdict = if charged < four { "CHEAP" } else { "" };
        println!(
            "{:<14} {name:<18} {:>6} {charged:>8.0} {one:>10.0} {four:>12.0} {verdict:>9}",
            format!("{class:?}"),
            class.units()
        );
    }
    // An address that no cache foresees.
    let miss = "(local.set $X (i64.add (i64.mul (local.get $X) (i64.const 0x5851f42d4c957f2d)) (local.get $k)))
        (local.set $X (i64.xor (local.get $X) (i64.load (i32.and (i32.wrap_i64 (i64.shr_u (local.get $X) (i64.const 30))) (i32.const 0x3ffff8)))))";
    let (time, charged) = measure(world, &unroll(miss, &["a"]), ROUNDS);
    println!(
        "{:<14} {:<18} {:>6} {:>8.0} {:>10.0}",
        "Load",
        "anywhere in 4 MiB",
        Class::Load.units(),
        charged / UNROLLED as f64,
        time / UNROLLED as f64
    );

    println!(
        "\n{:<14} {:>10} {:>12} {:>12}",
        "operator", "bytes", "ps per byte", "gas per byte"
    );
    for name in ["memory.copy", "memory.fill"] {
        for bytes in [0u64, 64, 4_096, 1 << 20, 2 << 20] {
            let second = if name == "memory.copy" { 2 << 20 } else { 7 };
            let statement =
                format!("({name} (i32.const 0) (i32.const {second}) (i32.const {bytes}))");
            let rounds = (1 << 28) / (bytes + 256);
            let (time, charged) = measure(world, &statement, rounds);
            let (time, charged) = (time - empty.0, charged - empty.1);
            let per = bytes.max(1) as f64;
            println!(
                "{name:<14} {bytes:>10} {:>12.1} {:>12.1}",
                time / per,
                charged / per
            );
        }
    }
    println!(
        "\nschedule: {} a started {} bytes of bulk operators; {}",
        gas::PER_BULK,
        gas::BULK_BYTES,
        Class::ALL
            .map(|class| format!("{class:?} {}", class.units()))
            .join(", ")
    );
}

/// Seconds to validate, instrument and compile.
fn compile(wasm: &[u8]) -> Result<f64, String> {
    let executor = Executor::open(ExecutorConfig::default()).unwrap();
    let began = used();
    let result = executor.add_code(wasm);
    let seconds = (used() - began) as f64 / 1e9;
    result.map(|_| seconds).map_err(|error| error.to_string())
}

/// A function body with so many statements.
type Shape<'a> = Box<dyn Fn(usize) -> String + 'a>;

/// Modules of nearly the greatest length that are hard on a compiler, each filled with as many functions as fit.
fn hostile() -> Vec<(String, Vec<u8>)> {
    let module = |locals: &str, function: &str, count: usize| {
        let function = format!("(func (param i32 i64 f64 v128) (result i64) {locals} {function})");
        wat(&format!(
            r#"(import "env" "memory" (memory 1)) (type $t (func (param i64) (result i64))) (table 10 funcref)
            (func $one (param i64) (result i64) (local.get 0)) (global $g (mut i64) (i64.const 0))
            {} (func (export "handle"))"#,
            function.repeat(count)
        ))
    };
    let many =
        |count: usize, text: &dyn Fn(usize) -> String| (0..count).map(text).collect::<String>();
    let locals = &format!("(local {})", "i64 ".repeat(1_000));
    // All locals are needed at the end.
    let kept = || {
        many(1_000, &|at| {
            format!("(i64.store (local.get 0) (local.get {}))", 4 + at)
        }) + "(local.get 1)"
    };
    let shapes: Vec<(&str, Shape<'_>)> = vec![
        (
            "additions",
            Box::new(move |n| {
                many(n, &|_| {
                    "(local.set 1 (i64.add (local.get 1) (i64.extend_i32_u (local.get 0))))".into()
                }) + "(local.get 1)"
            }),
        ),
        (
            "values kept",
            Box::new(move |n| {
                many(n, &|at| {
                    format!("(i64.load offset={} (local.get 0))", at * 8)
                }) + &many(n - 1, &|_| "(i64.add)".into())
            }),
        ),
        (
            "loads and stores",
            Box::new(move |n| {
                many(n, &|at| {
                    format!(
                        "(i64.store offset={at} (local.get 0) (i64.load offset={} (local.get 0)))",
                        at * 3
                    )
                }) + "(local.get 1)"
            }),
        ),
        (
            "calls",
            Box::new(move |n| {
                many(n, &|_| "(local.set 1 (call $one (local.get 1)))".into()) + "(local.get 1)"
            }),
        ),
        (
            "calls by table",
            Box::new(move |n| {
                many(n, &|_| {
                    "(local.set 1 (call_indirect (type $t) (local.get 1) (local.get 0)))".into()
                }) + "(local.get 1)"
            }),
        ),
        (
            "branches",
            Box::new(move |n| {
                many(n, &|at| {
                    format!(
                        "(if (local.get 0) (then (local.set {} (i64.add (local.get 1) (local.get {})))))",
                        4 + at % 16,
                        4 + at * 7 % 16
                    )
                }) + "(local.get 1)"
            }),
        ),
        (
            "branches, one local",
            Box::new(move |n| {
                many(n, &|_| {
                    "(if (local.get 0) (then (local.set 1 (i64.add (local.get 1) (i64.const 1)))))"
                        .into()
                }) + "(local.get 1)"
            }),
        ),
        (
            "loops",
            Box::new(move |n| {
                many(n, &|at| {
                    format!(
                        "(loop (local.set {} (i64.add (local.get 1) (local.get {}))) (br_if 0 (local.get 0)))",
                        4 + at % 16,
                        4 + at * 7 % 16
                    )
                }) + "(local.get 1)"
            }),
        ),
        (
            "vectors",
            Box::new(move |n| {
                many(n, &|_| {
                    "(local.set 3 (i8x16.shr_s (i8x16.popcnt (local.get 3)) (local.get 0)))".into()
                }) + "(v128.store (local.get 0) (local.get 3)) (local.get 1)"
            }),
        ),
        (
            "floats",
            Box::new(move |n| {
                many(n, &|_| {
                    "(local.set 2 (f64.mul (f64.add (local.get 2) (local.get 2)) (local.get 2)))"
                        .into()
                }) + "(f64.store (local.get 0) (local.get 2)) (local.get 1)"
            }),
        ),
        (
            "bulk",
            Box::new(move |n| {
                many(n, &|_| {
                    "(memory.copy (local.get 0) (local.get 0) (local.get 0))".into()
                }) + "(local.get 1)"
            }),
        ),
        (
            "many locals",
            Box::new(move |n| {
                many(n, &|at| {
                    format!(
                        "(local.set {0} (i64.add (local.get {0}) (local.get {1})))",
                        4 + at % 1000,
                        4 + at * 7 % 1000
                    )
                }) + &kept()
            }),
        ),
        (
            "many locals, calls",
            Box::new(move |n| {
                many(n, &|at| {
                    format!(
                        "(local.set {} (call $one (local.get {})))",
                        4 + at % 1000,
                        4 + at * 7 % 1000
                    )
                }) + &kept()
            }),
        ),
        (
            "many locals, branches",
            Box::new(move |n| {
                many(n, &|at| {
                    format!(
                        "(if (local.get 0) (then (local.set {} (local.get {}))))",
                        4 + at % 1000,
                        4 + at * 7 % 1000
                    )
                }) + &kept()
            }),
        ),
        (
            "many locals, loops",
            Box::new(move |n| {
                many(n, &|at| {
                    format!(
                        "(loop (local.set {} (local.get {})) (br_if 0 (local.get 0)))",
                        4 + at % 1000,
                        4 + at * 7 % 1000
                    )
                }) + &kept()
            }),
        ),
        (
            "jumps",
            Box::new(move |n| {
                many(n, &|_| "(br_if 0 (local.get 1) (local.get 0)) drop".into()) + "(local.get 1)"
            }),
        ),
        (
            "tables",
            Box::new(move |n| {
                many(n, &|_| {
                    format!(
                        "(block (block (block (br_table {} (local.get 0)))))",
                        "0 1 2 ".repeat(8)
                    )
                }) + "(local.get 1)"
            }),
        ),
        (
            "globals",
            Box::new(move |n| {
                many(n, &|_| {
                    "(global.set $g (i64.add (global.get $g) (local.get 1)))".into()
                }) + "(local.get 1)"
            }),
        ),
    ];
    let mut out = Vec::new();
    for (name, shape) in shapes {
        for function in [2_000usize, 8_000, 30_000, 120_000] {
            // How many statements make about so many bytes, and what else there is.
            let probe = |count| module(locals, &shape(count), 1).len();
            let statement = (probe(1_064) - probe(1_000)).div_ceil(64);
            let rest = probe(64) - 64 * statement;
            let statements = function.saturating_sub(rest) / statement;
            if statements < 2 {
                continue;
            }
            let count = 460_000 / function;
            let wasm = module(locals, &shape(statements), count);
            out.push((format!("{name}, {count} functions"), wasm));
        }
    }
    out
}

fn compiler() {
    println!(
        "\n{:<32} {:>9} {:>9} {:>12}",
        "compiled", "KiB", "seconds", "ms per KiB"
    );
    let mut worst = 0f64;
    let programs = ALL
        .iter()
        .map(|(name, wasm)| (format!("program {name}"), wasm.to_vec()));
    for (name, wasm) in programs.chain(hostile()) {
        let size = wasm.len() as f64 / 1024.0;
        match compile(&wasm) {
            Ok(seconds) => {
                let per = seconds * 1e3 / size;
                if size > 64.0 {
                    worst = worst.max(per);
                }
                println!("{name:<32} {size:>9.1} {seconds:>9.3} {per:>12.2}");
            }
            Err(error) => println!("{name:<32} {size:>9.1} {:>9} {error}", "refused"),
        }
    }
    println!("\nworst {worst:.2} ms per KiB; the goal is at most 4.88 (5 s per MiB)");
}

fn main() {
    let only = std::env::args()
        .skip(1)
        .find(|argument| !argument.starts_with('-'));
    let part = |name: &str| only.as_deref().is_none_or(|only| only == name);
    if part("operators") {
        let mut world = World::with(ExecutorConfig {
            path: None,
            threads: 1,
            ..ExecutorConfig::default()
        });
        world.parameters.message_gas_limit = 1 << 60;
        world.parameters.round_gas_limit = 1 << 61;
        world.parameters.value_per_gas = 0;
        operators(&mut world);
    }
    if part("compiler") {
        compiler();
    }
    if part("fees") {
        fees::fees();
    }
}
