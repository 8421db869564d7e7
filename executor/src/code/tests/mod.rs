//! Instrumented modules: exact gas, bounded loops and stack, canonical NaNs; in `random`, the same results as before.

mod random;

use super::{GAS, MEMORY, RESET, STACK, STACK_LIMIT, config, instrument::instrument, validate};
use crate::gas::{BULK_BYTES, Class, PER_BULK};
use wasmparser::{Validator, WasmFeatures};
use wasmtime::{Engine, Global, Instance, Linker, Module, Store, Trap, Val};

const CALL: i64 = Class::Call.units() as i64;
const LOCAL: i64 = Class::Local.units() as i64;
const SIMPLE: i64 = Class::Simple.units() as i64;
const BRANCH: i64 = Class::Branch.units() as i64;
const LOOP: i64 = Class::Loop.units() as i64;
const ENOUGH: i64 = 1 << 50;

/// An instance of an instrumented module.
struct Metered {
    linker: Linker<()>,
    module: Module,
    store: Store<()>,
    instance: Instance,
}

impl Metered {
    /// From the text of a module, without its memory and an `init`.
    fn new(text: &str) -> Self {
        let text = format!(
            r#"(module (import "env" "memory" (memory 2)) (import "env" "gr_leave" (func $leave)) {text}
            (func (export "init")))"#
        );
        Self::of(&wat::parse_str(text).unwrap())
    }

    fn of(wasm: &[u8]) -> Self {
        validate::validate(wasm).unwrap();
        let metered = instrument(wasm).unwrap();
        let features = WasmFeatures::WASM2 | WasmFeatures::CALL_INDIRECT_OVERLONG;
        Validator::new_with_features(features)
            .validate_all(&metered)
            .unwrap();
        let engine = Engine::new(&config()).unwrap();
        let module = Module::new(&engine, metered).unwrap();
        let mut linker = Linker::new(&engine);
        linker
            .func_wrap("env", "gr_leave", || {
                Err::<(), _>(wasmtime::Error::msg("left"))
            })
            .unwrap();
        let mut store = Store::new(&engine, ());
        let instance = linker.instantiate(&mut store, &module).unwrap();
        Self {
            linker,
            module,
            store,
            instance,
        }
    }

    /// A new instance.
    fn again(&mut self) {
        self.store = Store::new(self.module.engine(), ());
        self.instance = self
            .linker
            .instantiate(&mut self.store, &self.module)
            .unwrap();
    }

    fn global(&mut self, name: &str) -> Global {
        self.instance.get_global(&mut self.store, name).unwrap()
    }

    fn left(&mut self) -> i64 {
        let gas = self.global(GAS);
        gas.get(&mut self.store).i64().unwrap()
    }

    fn stack(&mut self) -> u32 {
        let stack = self.global(STACK);
        stack.get(&mut self.store).i32().unwrap() as u32
    }

    /// Calls an entry point with so much gas.
    fn call(&mut self, name: &str, gas: i64) -> wasmtime::Result<()> {
        let global = self.global(GAS);
        global.set(&mut self.store, Val::I64(gas)).unwrap();
        self.instance
            .get_typed_func::<(), ()>(&mut self.store, name)
            .unwrap()
            .call(&mut self.store, ())
    }

    fn reset(&mut self) {
        self.call(RESET, 0).unwrap();
    }

    /// The gas of `handle`, which does not trap.
    fn burned(&mut self) -> i64 {
        self.call("handle", ENOUGH).unwrap();
        ENOUGH - self.left()
    }

    fn word(&mut self, at: usize) -> i32 {
        let memory = self.instance.get_memory(&mut self.store, MEMORY).unwrap();
        let bytes = &memory.data(&self.store)[at..at + 4];
        i32::from_le_bytes(bytes.try_into().unwrap())
    }
}

/// The gas of a function with this body.
fn burned(body: &str) -> i64 {
    let mut metered = Metered::new(&format!(r#"(func (export "handle") {body})"#));
    let first = metered.burned();
    metered.reset();
    assert_eq!(metered.burned(), first, "{body}");
    first
}

#[test]
fn straight_code_costs_the_sum_of_its_operators() {
    assert_eq!(burned(""), CALL);
    assert_eq!(burned("nop (block nop)"), CALL);
    assert_eq!(burned("(drop (i32.const 1))"), CALL + LOCAL);
    assert_eq!(
        burned("(drop (i32.add (i32.const 1) (i32.const 2)))"),
        CALL + 2 * LOCAL + SIMPLE
    );
    for (text, class) in [
        ("(drop (i32.load (i32.const 0)))", Class::Load),
        ("(drop (i64.popcnt (i64.const 0)))", Class::Bits),
        ("(drop (f64.sqrt (f64.const 2)))", Class::FloatRoot),
        (
            "(drop (i8x16.popcnt (i8x16.splat (i32.const 1))))",
            Class::VectorSlow,
        ),
        ("(drop (i64x2.neg (v128.load (i32.const 1))))", Class::Load),
    ] {
        let extra = if text.contains("x") {
            Class::Vector.units() as i64
        } else {
            0
        };
        assert_eq!(
            burned(text),
            CALL + LOCAL + class.units() as i64 + extra,
            "{text}"
        );
    }
}

#[test]
fn only_the_path_that_is_taken_is_charged() {
    let both = |condition: i32| {
        burned(&format!(
            "(if (i32.const {condition}) (then (drop (i32.const 1)) (drop (i32.const 1))) (else nop (drop (i32.const 1))))"
        ))
    };
    assert_eq!(both(1), CALL + LOCAL + BRANCH + 2 * LOCAL + BRANCH);
    assert_eq!(both(0), CALL + LOCAL + BRANCH + LOCAL);
    let skip = |condition: i32| {
        burned(&format!(
            "(block (br_if 0 (i32.const {condition})) (drop (i32.const 1))) (drop (i32.const 1))"
        ))
    };
    assert_eq!(skip(1), CALL + LOCAL + BRANCH + LOCAL);
    assert_eq!(skip(0), CALL + LOCAL + BRANCH + 2 * LOCAL);
    // What follows a return, a branch or a trap is never reached.
    assert_eq!(burned("(return) (drop (i32.const 1))"), CALL + BRANCH);
    assert_eq!(burned("(block (br 0) (drop (i32.const 1)))"), CALL + BRANCH);
    let table = |index: i32| {
        burned(&format!(
            "(block (block (block (br_table 0 1 2 (i32.const {index}))) (drop (i32.const 1))) (drop (i32.const 1)))"
        ))
    };
    let base = CALL + LOCAL + Class::Table.units() as i64;
    assert_eq!(
        [table(0), table(1), table(2), table(9)],
        [base + 2 * LOCAL, base + LOCAL, base, base]
    );
}

#[test]
fn a_loop_pays_for_each_round() {
    let rounds = |count: i64| {
        burned(&format!(
            "(local $n i64) (local.set $n (i64.const {count}))
            (loop (br_if 0 (i64.ne (local.tee $n (i64.sub (local.get $n) (i64.const 1))) (i64.const 0))))"
        ))
    };
    let round = LOOP + 4 * LOCAL + 2 * SIMPLE + BRANCH;
    for count in [1, 2, 1_000] {
        assert_eq!(rounds(count), CALL + 2 * LOCAL + count * round);
    }
}

#[test]
fn calls_are_paid_by_the_callee_and_imports_by_the_caller() {
    let functions = "(type $t (func (param i32) (result i32))) (table funcref (elem $one $two))
        (func $one (param i32) (result i32) (i32.add (local.get 0) (i32.const 1)))
        (func $two (param i32) (result i32) (call $one (call $one (local.get 0))))";
    let with = |body: &str| {
        Metered::new(&format!(r#"{functions} (func (export "handle") {body})"#)).burned()
    };
    let one = CALL + 2 * LOCAL + SIMPLE;
    let two = CALL + LOCAL + 2 * one;
    assert_eq!(with("(drop (call $one (i32.const 5)))"), CALL + LOCAL + one);
    assert_eq!(with("(drop (call $two (i32.const 5)))"), CALL + LOCAL + two);
    for (index, callee) in [(0, one), (1, two)] {
        let body = format!("(drop (call_indirect (type $t) (i32.const 5) (i32.const {index})))");
        assert_eq!(
            with(&body),
            CALL + 2 * LOCAL + Class::Indirect.units() as i64 + callee
        );
    }
    let mut leaves = Metered::new(r#"(func (export "handle") (call $leave) (drop (i32.const 1)))"#);
    assert!(leaves.call("handle", ENOUGH).is_err());
    assert_eq!(
        ENOUGH - leaves.left(),
        2 * CALL,
        "what follows the call is not charged"
    );
}

#[test]
fn a_trap_leaves_the_gas_exact() {
    let mut metered = Metered::new(
        r#"(func (export "handle") (local $n i64) (local.set $n (i64.const 10))
            (loop (br_if 0 (i64.ne (local.tee $n (i64.sub (local.get $n) (i64.const 1))) (i64.const 0))))
            (drop (i32.load (i32.const -1))))"#,
    );
    assert!(metered.call("handle", ENOUGH).is_err());
    let round = LOOP + 4 * LOCAL + 2 * SIMPLE + BRANCH;
    // The load is in the block behind the branch.
    let load = LOCAL + Class::Load.units() as i64;
    assert_eq!(
        ENOUGH - metered.left(),
        CALL + 2 * LOCAL + 10 * round + load
    );
}

#[test]
fn nothing_runs_for_ever() {
    let endless = [
        ("a loop", "", "(loop (br 0))"),
        (
            "a loop with a condition",
            "",
            "(loop (br_if 0 (i32.const 1)))",
        ),
        ("a loop by table", "", "(loop (br_table 0 0 (i32.const 7)))"),
        (
            "a loop by an outer table",
            "",
            "(loop (block (br_table 1 0 (i32.const 0))))",
        ),
        (
            "a loop in a loop",
            "",
            "(loop (loop (br_if 0 (i32.const 0)) (br 1)))",
        ),
        (
            "a loop out of a branch",
            "",
            "(loop (if (i32.const 1) (then (br 1))))",
        ),
        (
            "a loop with a value",
            "",
            "(i32.const 1) (loop (param i32) (result i32) (br 0)) drop",
        ),
        ("a loop that calls", "(func $f)", "(loop (call $f) (br 0))"),
        (
            "a loop that calls by table",
            "(table funcref (elem $f)) (func $f)",
            "(loop (call_indirect (i32.const 0)) (br 0))",
        ),
        (
            "a loop of copies",
            "",
            "(loop (memory.copy (i32.const 0) (i32.const 9) (i32.const 0)) (br 0))",
        ),
        ("a loop in a callee", "(func $f (loop (br 0)))", "(call $f)"),
    ];
    for (name, functions, body) in endless {
        let mut metered = Metered::new(&format!(r#"{functions} (func (export "handle") {body})"#));
        let mut ends = Vec::new();
        for _ in 0..2 {
            let error = metered.call("handle", 10_000_000).unwrap_err();
            let trap = error.downcast_ref::<Trap>().copied();
            assert_eq!(trap, Some(Trap::UnreachableCodeReached), "{name}");
            assert!(metered.left() < 0, "{name}");
            assert!(metered.left() > -1_000_000, "{name}: {}", metered.left());
            ends.push(metered.left());
            metered.reset();
        }
        assert_eq!(ends[0], ends[1], "{name}");
    }
}

#[test]
fn the_stack_ends_recursion_and_comes_back_down() {
    let recursion = [
        ("(func $f (call $f))", "(call $f)"),
        (
            "(func $f (param i64) (result i64 i64) (call $f (i64.add (local.get 0) (i64.const 1))))",
            "(call $f (i64.const 0)) drop drop",
        ),
        ("(func $f (call $g)) (func $g (call $f))", "(call $f)"),
        (
            "(table funcref (elem $f)) (func $f (call_indirect (i32.const 0)))",
            "(call $f)",
        ),
    ];
    for (functions, body) in recursion {
        let mut metered = Metered::new(&format!(r#"{functions} (func (export "handle") {body})"#));
        let error = metered.call("handle", ENOUGH).unwrap_err();
        assert_eq!(
            error.downcast_ref::<Trap>(),
            Some(&Trap::UnreachableCodeReached),
            "{functions}"
        );
        assert!(
            metered.stack() > STACK_LIMIT && metered.left() > 0,
            "{functions}"
        );
        metered.reset();
        assert_eq!(metered.stack(), 0);
        // With little gas that ends first.
        metered.call("handle", 100 * CALL).unwrap_err();
        assert!(
            metered.stack() < STACK_LIMIT && metered.left() < 0,
            "{functions}"
        );
    }
    let mut metered = Metered::new(
        r#"(func $f (param i32) (result i32) (if (i32.eqz (local.get 0)) (then (return (i32.const 0))))
            (call $f (i32.sub (local.get 0) (i32.const 1))))
        (func (export "handle") (drop (call $f (i32.const 1000))) (drop (call $f (i32.const 1000))))"#,
    );
    metered.burned();
    assert_eq!(metered.stack(), 0);
}

#[test]
fn bulk_operators_pay_for_their_length() {
    let bulk = |name: &str, length: u32| {
        burned(&format!(
            "({name} (i32.const 0) (i32.const 1) (i32.const {length}))"
        ))
    };
    for name in ["memory.copy", "memory.fill"] {
        let base = CALL + 3 * LOCAL + Class::Bulk.units() as i64;
        for length in [0u32, 1, 63, 64, 65, 100_000] {
            let started = u64::from(length).div_ceil(BULK_BYTES);
            assert_eq!(
                bulk(name, length),
                base + (started * PER_BULK) as i64,
                "{name} {length}"
            );
        }
        // The greatest length is charged as what it is, before anything is moved.
        let body = format!(
            "(i32.store8 (i32.const 0) (i32.const 3)) ({name} (i32.const 0) (i32.const 1) (i32.const -1))"
        );
        let mut metered = Metered::new(&format!(r#"(func (export "handle") {body})"#));
        let error = metered.call("handle", 10_000_000).unwrap_err();
        assert_eq!(
            error.downcast_ref::<Trap>(),
            Some(&Trap::UnreachableCodeReached)
        );
        let most = (((1 << 32) / BULK_BYTES - 1) * PER_BULK) as i64;
        assert!(metered.left() < 10_000_000 - most);
        let error = metered.call("handle", ENOUGH).unwrap_err();
        assert_eq!(error.downcast_ref::<Trap>(), Some(&Trap::MemoryOutOfBounds));
    }
}

#[test]
fn reset_puts_globals_back() {
    let mut metered = Metered::new(
        r#"(global $a (mut i32) (i32.const 7)) (global $b i64 (i64.const 5)) (global $c (mut f64) (f64.const 1.5))
        (global $d (mut v128) (v128.const i64x2 1 2))
        (func (export "handle")
            (i32.store (i32.const 0) (global.get $a))
            (i32.store (i32.const 4) (i32.trunc_f64_s (f64.mul (global.get $c) (f64.const 2))))
            (i32.store (i32.const 8) (i32.wrap_i64 (i64x2.extract_lane 1 (global.get $d))))
            (global.set $a (i32.const 8)) (global.set $c (f64.const 9)) (global.set $d (v128.const i64x2 3 4)))"#,
    );
    for (reset, expected) in [(false, [7, 3, 2]), (false, [8, 18, 4]), (true, [7, 3, 2])] {
        if reset {
            metered.reset();
        }
        metered.burned();
        assert_eq!([0, 4, 8].map(|at| metered.word(at)), expected);
    }
}

/// The first 16 bytes of memory after a function with this body, as two numbers.
fn bits(functions: &str, body: &str) -> [u64; 2] {
    let text =
        format!(r#"{functions} (func (export "handle") (local $x f64) (local $v v128) {body})"#);
    let mut metered = Metered::new(&text);
    metered.burned();
    [0, 8].map(|at| {
        let (low, high) = (metered.word(at) as u32, metered.word(at + 4) as u32);
        u64::from(high) << 32 | u64::from(low)
    })
}

#[test]
fn every_nan_that_is_made_is_the_same() {
    // The sign and payload of what goes in would show in what comes out, differently on different processors.
    const DOUBLE: u64 = 0x7ff8 << 48;
    const SINGLE: u64 = 0x7fc0_0000;
    let nan = "(f64.load (i32.const 64))";
    let given = "(i64.store (i32.const 64) (i64.const 0xfff8123400001234)) (i64.store (i32.const 72) (i64.const 0xfff8123400001234))";
    let vector = "(v128.load (i32.const 64))";
    let functions =
        "(global $g (mut f64) (f64.const 0)) (func $same (param f64) (result f64) (local.get 0))";
    for (body, expected) in [
        // Stored, reinterpreted, by way of locals, globals, blocks and functions.
        (format!("(f64.store (i32.const 0) (f64.add {nan} (f64.const 1)))"), [DOUBLE, 0]),
        (format!("(i64.store (i32.const 0) (i64.reinterpret_f64 (f64.mul {nan} {nan})))"), [DOUBLE, 0]),
        (format!("(f64.store (i32.const 0) (f64.neg (f64.add {nan} {nan})))"), [DOUBLE, 0]),
        (format!("(local.set $x (f64.sqrt {nan})) (f64.store (i32.const 0) (local.get $x))"), [DOUBLE, 0]),
        (format!("(global.set $g (f64.sub {nan} {nan})) (f64.store (i32.const 0) (global.get $g))"), [DOUBLE, 0]),
        (format!("(f64.store (i32.const 0) (block (result f64) (f64.div {nan} {nan})))"), [DOUBLE, 0]),
        (format!("(f64.store (i32.const 0) (call $same (f64.min {nan} (f64.const 1))))"), [DOUBLE, 0]),
        (format!("(f32.store (i32.const 0) (f32.demote_f64 {nan}))"), [SINGLE, 0]),
        ("(f64.store (i32.const 0) (f64.sqrt (f64.const -1)))".into(), [DOUBLE, 0]),
        // The sign of a NaN is a bit of it.
        (format!("(f64.store (i32.const 0) (f64.copysign (f64.const 2) (f64.add {nan} {nan})))"), [2f64.to_bits(), 0]),
        // Vectors, alone and in a row.
        (format!("(v128.store (i32.const 0) (f64x2.splat (f64.add {nan} {nan})))"), [DOUBLE; 2]),
        (format!("(v128.store (i32.const 0) (f64x2.add {vector} {vector}))"), [DOUBLE; 2]),
        (format!("(v128.store (i32.const 0) (f64x2.add (f64x2.const 1 1) (f64x2.mul {vector} {vector})))")
            .replace("(f64x2.const 1 1)", "(v128.const f64x2 1 1)"), [DOUBLE; 2]),
        (format!("(v128.store (i32.const 0) (f32x4.demote_f64x2_zero {vector}))"), [SINGLE << 32 | SINGLE, 0]),
        (format!("(v128.store (i32.const 0) (v128.or (v128.const i64x2 0 0) (f64x2.max {vector} {vector})))"), [DOUBLE; 2]),
        (format!("(local.set $v (f64x2.sqrt {vector})) (v128.store (i32.const 0) (local.get $v))"), [DOUBLE; 2]),
    ] {
        assert_eq!(bits(functions, &format!("{given} {body}")), expected, "{body}");
    }
}

#[test]
fn a_nan_that_is_only_moved_keeps_its_bits() {
    let given = 0xfff8_1234_0000_1234;
    let store = format!("(i64.store (i32.const 64) (i64.const {given}))");
    for body in [
        "(f64.store (i32.const 0) (f64.load (i32.const 64)))",
        "(local.set $x (f64.load (i32.const 64))) (f64.store (i32.const 0) (local.get $x))",
        "(f64.store (i32.const 0) (local.tee $x (f64.load (i32.const 64))))",
        "(i64.store (i32.const 0) (i64.reinterpret_f64 (f64.load (i32.const 64))))",
        "(f64.store (i32.const 0) (f64.reinterpret_i64 (i64.load (i32.const 64))))",
        "(f64.store (i32.const 0) (f64x2.extract_lane 0 (f64x2.splat (f64.load (i32.const 64)))))",
    ] {
        assert_eq!(bits("", &format!("{store} {body}")), [given, 0], "{body}");
    }
    // A local that may hold something else as well is like one that does.
    let either = "(if (i32.load (i32.const 100)) (then (local.set $x (f64.sqrt (f64.const -1)))) (else (local.set $x (f64.load (i32.const 64)))))
        (f64.store (i32.const 0) (local.get $x))";
    assert_eq!(bits("", &format!("{store} {either}")), [0x7ff8 << 48, 0]);
}
