//! Code that is refused, and programs that misbehave: bounded, charged, answered, without an effect on others.

#![allow(clippy::unwrap_used)] // a failed unwrap is a failed test

mod common;

use common::{ALICE, World, command, wat};
use gear_exe_executor::{
    CodeError, Executor, ExecutorConfig, MAX_CODE_LENGTH, MAX_FUNCTION_LENGTH, QueryError,
};
use gear_exe_primitives::{ActorId, message::ReplyCode};
use gear_exe_programs::{ALL, PING, TROUBLE};

const MEMORY: &str = r#"(import "env" "memory" (memory 1))"#;
const HANDLE: &str = r#"(func (export "handle"))"#;

fn refusal(wasm: &[u8]) -> CodeError {
    let executor = Executor::open(ExecutorConfig::default()).unwrap();
    let error = executor.add_code(wasm).unwrap_err();
    let id = gear_exe_primitives::CodeId::of(wasm);
    assert_eq!(executor.code(id).unwrap(), None, "nothing is kept of it");
    error
}

/// Why a module with the memory import, a handle, and `text` is refused.
fn with(text: &str) -> CodeError {
    refusal(&wat(&format!("{MEMORY} {text} {HANDLE}")))
}

#[test]
fn the_example_programs_are_accepted() {
    let executor = Executor::open(ExecutorConfig::default()).unwrap();
    for (name, wasm) in ALL {
        let id = executor
            .add_code(wasm)
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(executor.code(id).unwrap().unwrap(), *wasm);
        assert_eq!(executor.add_code(wasm), Ok(id));
    }
    assert_eq!(executor.stats().codes_compiled, ALL.len() as u64);
}

#[test]
fn bytes_that_are_no_module() {
    assert!(matches!(refusal(b""), CodeError::Malformed(_)));
    assert!(matches!(
        refusal(b"\0asm\x02\0\0\0"),
        CodeError::Malformed(_)
    ));
    assert!(matches!(
        refusal(&PING[..PING.len() - 1]),
        CodeError::Malformed(_)
    ));
    let long = vec![0; MAX_CODE_LENGTH + 1];
    assert_eq!(
        refusal(&long),
        CodeError::TooLong {
            length: long.len(),
            limit: MAX_CODE_LENGTH
        }
    );
}

#[test]
fn features_that_no_program_may_use() {
    for (text, feature) in [
        ("(tag)", "exceptions"),
        ("(func return_call 0)", "tail calls"),
        ("(func (param externref))", "reference types"),
        (
            "(table 1 funcref) (func (drop (table.get 0 (i32.const 0))))",
            "reference types",
        ),
        (
            "(table 1 funcref) (func (drop (table.grow 0 (ref.null func) (i32.const 9))))",
            "reference types",
        ),
        ("(table 1 funcref) (table 1 funcref)", "reference types"),
        ("(func atomic.fence)", "threads and atomics"),
        (
            "(func (drop (i32.atomic.load (i32.const 0))))",
            "threads and atomics",
        ),
        (
            "(func (param v128) (drop (i8x16.relaxed_swizzle (local.get 0) (local.get 0))))",
            "relaxed SIMD",
        ),
        ("(memory 1)", "several memories"),
        (
            "(global i32 (i32.add (i32.const 1) (i32.const 2)))",
            "constant expressions with operators",
        ),
        ("(type (struct))", "garbage collection"),
        (
            "(data $d \"a\") (func (memory.init $d (i32.const 0) (i32.const 0) (i32.const 0)))",
            "passive segments and bulk operators on tables",
        ),
        (
            "(table 1 funcref) (elem $e func) (func (table.init $e (i32.const 0) (i32.const 0) (i32.const 0)))",
            "passive segments and bulk operators on tables",
        ),
        (
            "(data $d \"a\") (func (data.drop $d))",
            "passive segments and bulk operators on tables",
        ),
    ] {
        assert_eq!(with(text), CodeError::Feature(feature), "{text}");
    }
    let memory = |ty: &str| {
        refusal(&wat(&format!(
            r#"(import "env" "memory" (memory {ty})) {HANDLE}"#
        )))
    };
    assert_eq!(
        memory("1 2 shared"),
        CodeError::Feature("threads and atomics")
    );
    assert_eq!(memory("i64 1"), CodeError::Feature("64-bit memory"));
    let component = wat::parse_str("(component)").unwrap();
    assert_eq!(
        refusal(&component),
        CodeError::Feature("the component model")
    );
    // Wrong by every standard.
    assert!(matches!(
        with("(func (result i32))"),
        CodeError::Malformed(_)
    ));
}

#[test]
fn features_that_every_program_may_use() {
    let mut world = World::new();
    let functions = r#"(global $g (mut f64) (f64.const 0.5)) (type $t (func (result i32)))
        (table 2 funcref) (elem (i32.const 0) $one $one) (func $one (result i32) i32.const 1)
        (func $two (param i32) (result i32 f64 v128) (local.get 0) (f64.const 2.5) (v128.const i32x4 1 2 3 4))
        (func $swap (param i32 i32) (result i32 i32) (local.get 1) (local.get 0))"#;
    let body = "(local $v v128)
        (i32.store (i32.const 0) (i32.extend8_s (i32.const 0xff)))
        (memory.copy (i32.const 4) (i32.const 0) (i32.const 4))
        (memory.fill (i32.const 8) (i32.const 7) (i32.const 4))
        (call $two (i32.const 3)) (local.set $v) (global.set $g) (drop)
        (i32.const 5) (i32.const 6) (block (param i32 i32) (result i32 i32) (call $swap)) (drop) (drop)
        (i32.store (i32.const 12) (i32.trunc_sat_f64_s (f64.mul (global.get $g) (f64.const 1e300))))
        (i32.store (i32.const 16) (i32x4.extract_lane 3 (i32x4.add (local.get $v) (local.get $v))))
        (drop (call_indirect (type $t) (i32.const 1)))
        (if (i32.ne (i32.load (i32.const 4)) (i32.const -1)) (then unreachable))
        (if (i32.ne (i32.load (i32.const 8)) (i32.const 0x07070707)) (then unreachable))
        (if (i32.ne (i32.load (i32.const 12)) (i32.const 0x7fffffff)) (then unreachable))
        (if (i32.ne (i32.load (i32.const 16)) (i32.const 8)) (then unreachable))";
    let program = program(&mut world, functions, body);
    // Globals start again with each message.
    for _ in 0..2 {
        assert_eq!(world.ends(program, b""), ReplyCode::SUCCESS_AUTO);
    }
}

#[test]
fn imports() {
    let import = |text: &str| refusal(&wat(&format!("{text} {MEMORY} {HANDLE}")));
    assert_eq!(
        import(r#"(import "wasi" "gr_leave" (func))"#),
        CodeError::ImportModule("wasi".into())
    );
    assert_eq!(
        import(r#"(import "env" "gr_system_break" (func (param i32)))"#),
        CodeError::UnknownImport("gr_system_break".into())
    );
    // Gas has 64 bits.
    assert_eq!(
        import(r#"(import "env" "gr_reserve_gas" (func (param i32 i32 i32)))"#),
        CodeError::ImportSignature("gr_reserve_gas".into())
    );
    for signature in ["(param i32)", "(result i32)"] {
        assert_eq!(
            import(&format!(r#"(import "env" "gr_leave" (func {signature}))"#)),
            CodeError::ImportSignature("gr_leave".into())
        );
    }
    assert_eq!(
        import(r#"(import "env" "gr_leave" (func)) (import "env" "gr_leave" (func))"#),
        CodeError::DuplicateImport("gr_leave".into())
    );
    assert_eq!(
        import(r#"(import "env" "global" (global i32))"#),
        CodeError::ImportKind("global".into())
    );
    assert_eq!(
        import(r#"(import "env" "table" (table 1 funcref))"#),
        CodeError::ImportKind("table".into())
    );
    assert_eq!(refusal(&wat(HANDLE)), CodeError::NoMemory);
    assert_eq!(
        refusal(&wat(&format!("(memory 1) {HANDLE}"))),
        CodeError::OwnMemory
    );
}

#[test]
fn exports() {
    assert_eq!(
        with("(func $start) (start $start)"),
        CodeError::StartSection
    );
    assert_eq!(
        with(r#"(func (export "backdoor"))"#),
        CodeError::ExcessExport("backdoor".into())
    );
    assert_eq!(
        with(r#"(func (export "init") (param i32))"#),
        CodeError::EntrySignature("init".into())
    );
    assert_eq!(
        with(r#"(func (export "handle_reply") (result i32) i32.const 0)"#),
        CodeError::EntrySignature("handle_reply".into())
    );
    assert_eq!(
        refusal(&wat(&format!(
            r#"(import "env" "gr_leave" (func)) {MEMORY} (export "handle" (func 0))"#
        ))),
        CodeError::ReexportedImport("handle".into())
    );
    assert_eq!(
        with(r#"(global (export "g") (mut i32) (i32.const 0))"#),
        CodeError::MutableGlobalExport("g".into())
    );
    assert_eq!(
        refusal(&wat(&format!(r#"{MEMORY} (func (export "handle_reply"))"#))),
        CodeError::NoEntry
    );
    for end in ["1", "65535", "131072", "-65536"] {
        assert_eq!(
            with(&format!(
                r#"(global (export "__gear_stack_end") i32 (i32.const {end}))"#
            )),
            CodeError::StackEnd
        );
    }
}

#[test]
fn tables() {
    // Of the length of the table, and none that fits nowhere.
    let fitting = with_table("(table 2 funcref) (elem (i32.const 1) $f) (elem (i32.const 2))");
    assert_eq!(fitting, Ok(()));
    for text in [
        "(table 1 funcref) (elem (i32.const 1) $f)",
        "(table 1 funcref) (elem (i32.const 0) $f $f)",
        "(table 1 funcref) (elem (i32.const -1) $f)",
        "(table 1 funcref) (elem (i32.const 2))",
        "(table 0 4096 funcref) (elem (i32.const 0) $f)",
    ] {
        assert_eq!(with_table(text), Err(CodeError::ElementSegment), "{text}");
    }
}

/// Adds a module with a function `$f`, which a table may have.
fn with_table(text: &str) -> Result<(), CodeError> {
    let executor = Executor::open(ExecutorConfig::default()).unwrap();
    let wasm = wat(&format!("{MEMORY} (func $f) {text} {HANDLE}"));
    executor.add_code(&wasm).map(|_| ())
}

#[test]
fn data_and_memory() {
    assert_eq!(
        with(r#"(data (i32.const 65535) "ab")"#),
        CodeError::DataSegment
    );
    assert_eq!(with(r#"(data (i32.const -1) "a")"#), CodeError::DataSegment);
    assert_eq!(
        refusal(&wat(&format!(
            r#"(import "env" "memory" (memory 2)) {HANDLE}
               (global (export "__gear_stack_end") i32 (i32.const 65536)) (data (i32.const 65535) "ab")"#
        ))),
        CodeError::DataSegment
    );
    assert_eq!(
        with("(func (drop (memory.grow (i32.const 1))))"),
        CodeError::MemoryGrow
    );
    assert_eq!(
        refusal(&wat(&format!(
            r#"(import "env" "memory" (memory 32769)) {HANDLE}"#
        ))),
        CodeError::Limit("pages of static memory", 32_768)
    );
}

#[test]
fn sizes() {
    let many = |count: usize, text: &str| text.repeat(count);
    let limits = [
        (many(257, "(global i32 (i32.const 0))"), "globals"),
        (many(1025, r#"(data (i32.const 0) "a")"#), "data segments"),
        ("(table 4097 funcref)".into(), "entries of a table"),
        (
            format!("(func (local {}))", many(1025, "i32 ")),
            "locals of a function",
        ),
        (
            format!("(func (param {}))", many(129, "i64 ")),
            "parameters of a function",
        ),
        (
            format!("(func (br_table {} 0 (i32.const 0)))", many(257, "0 ")),
            "targets of br_table",
        ),
        (
            format!("(func {})", many(MAX_FUNCTION_LENGTH, "nop ")),
            "bytes of a function",
        ),
        (
            format!(
                "(func {} {})",
                many(401, "i32.const 1 "),
                many(401, "drop ")
            ),
            "operands kept by a function",
        ),
        (
            format!("(func {})", many(8_000, "(if (i32.const 1) (then))")),
            "squares of the numbers of branches of the functions, added up; split the long ones",
        ),
        (
            (0..400)
                .map(|number| format!("(type (func (param {} i64)))", many(number % 127, "i32 ")))
                .chain((0..120).map(|number| {
                    format!(
                        "(type (func (param {} i64 i64) (result i32)))",
                        many(number, "i32 ")
                    )
                }))
                .collect(),
            "bytes of the type section",
        ),
    ];
    for (text, what) in limits {
        match with(&text) {
            CodeError::Limit(name, _) => assert_eq!(name, what),
            other => panic!("{what}: {other}"),
        }
    }
}

#[test]
fn every_misbehaviour_has_its_reply_code_and_others_go_on() {
    let mut world = World::new();
    let (trouble, ping) = (world.program(TROUBLE, b""), world.program(PING, b""));
    let cases = [
        (&b"LOOP"[..], ReplyCode::RAN_OUT_OF_GAS),
        (b"RECURSE", ReplyCode::STACK_LIMIT_EXCEEDED),
        (b"ALLOC", ReplyCode::RAN_OUT_OF_GAS),
        (b"FLOOD", ReplyCode::USERSPACE_PANIC),
        (b"PANIC", ReplyCode::USERSPACE_PANIC),
        (b"TRAP", ReplyCode::UNREACHABLE),
        (b"WILD", ReplyCode::UNREACHABLE),
        (b"TWICE", ReplyCode::SUCCESS_MANUAL),
        (b"BIG\0\x10\0\0", ReplyCode::SUCCESS_MANUAL),
        (b"BIG\0\0\x10\0", ReplyCode::USERSPACE_PANIC),
    ];
    for (payload, code) in cases {
        let name = String::from_utf8_lossy(payload).into_owned();
        let before = world.state(trouble).executable_balance;
        let bad = world.send(trouble, ALICE, payload, 3);
        let good = world.send(ping, ALICE, b"PING", 0);
        world.run();
        assert_eq!(world.code(bad), code, "{name}");
        assert_eq!(world.reply_to(good).payload, b"PONG", "{name}");
        let receipt = world.receipt(bad);
        let charged = before - world.state(trouble).executable_balance;
        assert_eq!(charged, u128::from(receipt.gas_burned) * 100, "{name}");
        assert!(
            receipt.gas_burned <= world.parameters.message_gas_limit,
            "{name}"
        );
        if code == ReplyCode::RAN_OUT_OF_GAS {
            assert_eq!(
                receipt.gas_burned, world.parameters.message_gas_limit,
                "{name}"
            );
        }
        if !code.is_success() {
            assert_eq!(world.reply_to(bad).value, 3, "{name}");
        }
    }
    // Of the flood nothing went out.
    assert!(world.mail(ALICE).is_empty());
    assert!(world.ends(trouble, b"BUMP").is_success());
}

#[test]
fn memory_is_bounded_by_the_parameter() {
    let mut world = World::new();
    world.parameters.max_memory_pages = 64;
    let trouble = world.program(TROUBLE, b"");
    // The allocator is told that there is none left, and the program panics.
    let reply = world.ask(trouble, b"ALLOC");
    assert_eq!(
        reply.reply_details.unwrap().code,
        ReplyCode::USERSPACE_PANIC
    );
    assert!(String::from_utf8_lossy(&reply.payload).contains("memory allocation"));
    // Governance may lower it below what a program has.
    world.parameters.max_memory_pages = 1;
    assert_eq!(world.ends(trouble, b"COUNT"), ReplyCode::MEMORY_OVERFLOW);
}

#[test]
fn a_query_is_bounded_too() {
    let mut world = World::new();
    world.parameters.message_gas_limit = 2_000_000_000;
    let trouble = world.program(TROUBLE, b"");
    let looped = world.query(trouble, b"LOOP").unwrap();
    assert_eq!(looped.code, ReplyCode::RAN_OUT_OF_GAS);
    // Two programs that ask each other for ever.
    let echo = wat(r#"(import "env" "memory" (memory 1))
           (import "env" "gr_source" (func $source (param i32)))
           (import "env" "gr_send" (func $send (param i32 i32 i32 i32 i32)))
           (import "env" "gr_wait_for" (func $wait (param i32)))
           (import "env" "gr_size" (func $size (param i32)))
           (import "env" "gr_read" (func $read (param i32 i32 i32 i32)))
           (func (export "init"))
           (func (export "handle")
             (call $size (i32.const 100))
             (if (i32.load (i32.const 100))
               (then (call $read (i32.const 0) (i32.const 32) (i32.const 0) (i32.const 104)))
               (else (call $source (i32.const 0))))
             (call $send (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 60))
             (if (i32.load (i32.const 100)) (then (call $wait (i32.const 5)))))"#);
    let (one, two) = (world.program(&echo, b""), world.program(&echo, b""));
    match world.query(one, two.as_ref()) {
        Err(QueryError::GasLimit(burned)) => {
            assert!(burned <= 10 * world.parameters.message_gas_limit)
        }
        other => panic!("{other:?}"),
    }
}

/// A program whose `handle` is `body`.
fn program(world: &mut World, functions: &str, body: &str) -> ActorId {
    let text =
        format!(r#"{MEMORY} {functions} (func (export "init")) (func (export "handle") {body})"#);
    world.program(&wat(&text), b"")
}

#[test]
fn recursion_of_every_kind_ends_by_the_count() {
    let mut world = World::new();
    let locals = "i64 ".repeat(1000);
    // All of them are live over the call.
    let keep: String = (0..1000)
        .map(|index| {
            format!(
                "(local.set {index} (i64.add (local.get {index}) (i64.load (i32.const {}))))",
                index * 8
            )
        })
        .collect();
    let sum: String = (0..1000)
        .map(|index| format!("(i64.store (i32.const {}) (local.get {index}))", index * 8))
        .collect();
    let cases = [
        ("plain", "(func $f (call $f))".into()),
        ("mutual", "(func $f (call $g)) (func $g (call $f))".into()),
        (
            "indirect",
            "(type $t (func)) (table funcref (elem $f)) (func $f (call_indirect (type $t) (i32.const 0)))".into(),
        ),
        (
            "with a returned value",
            "(func $f (drop (call $g))) (func $g (result i64) (i64.add (call $g) (i64.const 1)))".into(),
        ),
        (
            "large frames",
            format!("(func $f (local {locals}) {keep} (call $f) {sum})"),
        ),
    ];
    for (name, functions) in cases {
        let functions: String = functions;
        let program = program(&mut world, &functions, "(call $f)");
        let id = world.send(program, ALICE, b"", 0);
        world.run();
        assert_eq!(world.code(id), ReplyCode::STACK_LIMIT_EXCEEDED, "{name}");
        assert!(
            world.receipt(id).gas_burned < world.parameters.message_gas_limit,
            "{name}"
        );
    }
}

#[test]
fn the_count_of_the_stack_comes_back_down() {
    let mut world = World::new();
    // A million calls that return by every way there is, none deeper than two.
    let functions = "
        (func $early (param i32) (result i32)
          (block (loop (br_if 1 (local.get 0)) (return (i32.const 1))))
          (if (result i32) (i32.and (local.get 0) (i32.const 1))
            (then (return (i32.const 1)))
            (else (block (br 2 (i32.const 1))) (unreachable))))
        (func $table (param i32) (result i32)
          (block $a (block $b (br_table $a $b 2 (i32.const 1) (local.get 0))) (return (i32.const 1)))
          (i32.const 1))";
    let functions = functions.replace(
        "(br_table $a $b 2 (i32.const 1) (local.get 0))",
        "(br_table $a $b (local.get 0))",
    );
    let body = "(local $n i32)
        (loop $next
          (if (i32.ne (call $early (i32.and (local.get $n) (i32.const 3))) (i32.const 1)) (then unreachable))
          (if (i32.ne (call $table (i32.and (local.get $n) (i32.const 3))) (i32.const 1)) (then unreachable))
          (local.set $n (i32.add (local.get $n) (i32.const 1)))
          (br_if $next (i32.lt_u (local.get $n) (i32.const 500000))))";
    let program = program(&mut world, &functions, body);
    assert_eq!(world.ends(program, b""), ReplyCode::SUCCESS_AUTO);
}

#[test]
fn a_flood_to_programs_is_bounded() {
    let mut world = World::new();
    world.parameters.round_gas_limit = 100_000_000_000;
    world.parameters.message_gas_limit = 10_000_000_000;
    let trouble = world.program(TROUBLE, b"");
    // It sends to itself, until the message's gas is spent.
    let to_itself = command("SEND", &[trouble.as_ref(), &0u128.to_le_bytes(), b"FLOOD"]);
    let id = world.send(trouble, ALICE, &to_itself, 0);
    let outcome = world.round();
    assert!(outcome.gas_burned <= 100_000_000_000);
    world.run();
    assert!(world.code(id).is_success());
    assert_eq!(world.queue(trouble).len(), 0);
}
