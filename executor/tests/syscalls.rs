//! System calls, one by one, from programs written for the purpose.

#![allow(clippy::unwrap_used)] // a failed unwrap is a failed test

mod common;

use common::{ALICE, World, wat};
use gear_exe_executor::gas::{LOAD_PAGE, RESERVE as RESERVING, STORE_PAGE, SYSCALL, WRITE_PAGE};
use gear_exe_primitives::{ActorId, message::ReplyCode};

const IMPORTS: &str = r#"
    (import "env" "memory" (memory 2))
    (import "env" "alloc" (func $alloc (param i32) (result i32)))
    (import "env" "free" (func $free (param i32) (result i32)))
    (import "env" "free_range" (func $free_range (param i32 i32) (result i32)))
    (import "env" "gr_env_vars" (func $env_vars (param i32 i32)))
    (import "env" "gr_block_height" (func $height (param i32)))
    (import "env" "gr_block_timestamp" (func $timestamp (param i32)))
    (import "env" "gr_gas_available" (func $gas (param i32)))
    (import "env" "gr_message_id" (func $message_id (param i32)))
    (import "env" "gr_program_id" (func $program_id (param i32)))
    (import "env" "gr_source" (func $source (param i32)))
    (import "env" "gr_value" (func $value (param i32)))
    (import "env" "gr_value_available" (func $value_available (param i32)))
    (import "env" "gr_size" (func $size (param i32)))
    (import "env" "gr_read" (func $read (param i32 i32 i32 i32)))
    (import "env" "gr_reply_to" (func $reply_to (param i32)))
    (import "env" "gr_reply_code" (func $reply_code (param i32)))
    (import "env" "gr_send" (func $send (param i32 i32 i32 i32 i32)))
    (import "env" "gr_send_input" (func $send_input (param i32 i32 i32 i32 i32)))
    (import "env" "gr_send_init" (func $send_init (param i32)))
    (import "env" "gr_send_push" (func $send_push (param i32 i32 i32 i32)))
    (import "env" "gr_send_push_input" (func $send_push_input (param i32 i32 i32 i32)))
    (import "env" "gr_send_commit" (func $send_commit (param i32 i32 i32 i32)))
    (import "env" "gr_reply" (func $reply (param i32 i32 i32 i32)))
    (import "env" "gr_reply_input" (func $reply_input (param i32 i32 i32 i32)))
    (import "env" "gr_reply_push" (func $reply_push (param i32 i32 i32)))
    (import "env" "gr_reply_push_input" (func $reply_push_input (param i32 i32 i32)))
    (import "env" "gr_reply_commit" (func $reply_commit (param i32 i32)))
    (import "env" "gr_wait_for" (func $wait_for (param i32)))
    (import "env" "gr_wait_up_to" (func $wait_up_to (param i32)))
    (import "env" "gr_wake" (func $wake (param i32 i32 i32)))
    (import "env" "gr_exit" (func $exit (param i32)))
    (import "env" "gr_leave" (func $leave))
    (import "env" "gr_panic" (func $panic (param i32 i32)))
    (import "env" "gr_oom_panic" (func $oom_panic))
    (import "env" "gr_debug" (func $debug (param i32 i32)))
    (import "env" "gr_wait" (func $wait))
    (import "env" "gr_random" (func $random (param i32 i32)))
    (import "env" "gr_reply_deposit" (func $deposit (param i32 i64 i32)))
    (import "env" "gr_reserve_gas" (func $reserve (param i64 i32 i32)))
    (import "env" "gr_unreserve_gas" (func $unreserve (param i32 i32)))
    (import "env" "gr_system_reserve_gas" (func $system_reserve (param i64 i32)))
    (import "env" "gr_signal_code" (func $signal_code (param i32)))
    (import "env" "gr_signal_from" (func $signal_from (param i32)))
    (import "env" "gr_send_wgas" (func $send_wgas (param i32 i32 i32 i64 i32 i32)))
    (import "env" "gr_send_input_wgas" (func $send_input_wgas (param i32 i32 i32 i64 i32 i32)))
    (import "env" "gr_send_commit_wgas" (func $send_commit_wgas (param i32 i32 i64 i32 i32)))
    (import "env" "gr_reply_wgas" (func $reply_wgas (param i32 i32 i64 i32 i32)))
    (import "env" "gr_reply_input_wgas" (func $reply_input_wgas (param i32 i32 i64 i32 i32)))
    (import "env" "gr_reply_commit_wgas" (func $reply_commit_wgas (param i64 i32 i32)))
    (import "env" "gr_reservation_send" (func $reservation_send (param i32 i32 i32 i32 i32)))
    (import "env" "gr_reservation_send_commit" (func $reservation_send_commit (param i32 i32 i32 i32)))
    (import "env" "gr_reservation_reply" (func $reservation_reply (param i32 i32 i32 i32)))
    (import "env" "gr_reservation_reply_commit" (func $reservation_reply_commit (param i32 i32)))"#;

/// A program whose `handle` is `body`. Convention: what it wants to tell is at address 0; a value of zero is -1; errors
/// that do not matter go to 1000.
fn program(world: &mut World, body: &str) -> ActorId {
    let text = format!(r#"{IMPORTS} (func (export "init")) (func (export "handle") {body})"#);
    world.program(&wat(&text), b"")
}

/// What `body` leaves in the first `length` bytes of memory.
fn told(body: &str, length: usize) -> Vec<u8> {
    let mut world = World::new();
    let body = format!(
        "{body} (call $reply (i32.const 0) (i32.const {length}) (i32.const -1) (i32.const 1000))"
    );
    let program = program(&mut world, &body);
    let reply = world.ask(program, b"input");
    let code = reply.reply_details.unwrap().code;
    assert_eq!(code, ReplyCode::SUCCESS_MANUAL, "{body}");
    reply.payload
}

fn error(body: &str) -> u32 {
    u32::from_le_bytes(told(body, 4).try_into().unwrap())
}

/// How a message ends whose handle is `body`.
fn ends(body: &str) -> ReplyCode {
    let mut world = World::new();
    let program = program(&mut world, body);
    world.ends(program, b"input")
}

#[test]
fn facts() {
    let mut world = World::new();
    let body = "(call $height (i32.const 0)) (call $timestamp (i32.const 4)) (call $message_id (i32.const 12))
        (call $program_id (i32.const 44)) (call $source (i32.const 76)) (call $value (i32.const 108))
        (call $value_available (i32.const 124)) (call $size (i32.const 140)) (call $env_vars (i32.const 1) (i32.const 144))
        (call $reply (i32.const 0) (i32.const 196) (i32.const -1) (i32.const 1000))";
    let program = program(&mut world, body);
    world.give(program, 10);
    let id = world.send(program, ALICE, b"input", 7);
    world.run();
    let header = world.header(world.height);
    let mut expected = (header.number as u32).to_le_bytes().to_vec();
    expected.extend(header.timestamp.to_le_bytes());
    expected.extend(id.as_ref());
    expected.extend(program.as_ref());
    expected.extend(common::actor(ALICE).as_ref());
    expected.extend(7u128.to_le_bytes());
    expected.extend(17u128.to_le_bytes());
    expected.extend(5u32.to_le_bytes());
    expected.extend(100u32.to_le_bytes());
    expected.extend([0; 32]);
    expected.extend(100u128.to_le_bytes());
    assert_eq!(world.reply_to(id).payload, expected);
    assert_eq!(
        ends("(call $env_vars (i32.const 2) (i32.const 0))"),
        ReplyCode::BACKEND_ERROR
    );
}

#[test]
fn gas_goes_down() {
    let gas = told(
        "(call $gas (i32.const 0)) (call $gas (i32.const 8)) (call $gas (i32.const 16))",
        24,
    );
    let [first, second, third] =
        [0, 8, 16].map(|at| u64::from_le_bytes(gas[at..at + 8].try_into().unwrap()));
    // The first answer was the first thing written in this round: its page is paid for before the second.
    let page = LOAD_PAGE + STORE_PAGE + WRITE_PAGE;
    assert!(second + page < first && first - second - page < 1_000_000);
    assert!(third < second && second - third < 1_000_000);
    assert!(first < 250_000_000_000);
}

#[test]
fn reading_the_input() {
    assert_eq!(
        told(
            "(call $read (i32.const 1) (i32.const 3) (i32.const 0) (i32.const 1000))",
            3
        ),
        b"npu"
    );
    let read = |at: i64, length: i64| {
        error(&format!(
            "(call $read (i32.const {at}) (i32.const {length}) (i32.const 8) (i32.const 0))"
        ))
    };
    assert_eq!(read(0, 5), 0);
    assert_eq!(read(5, 0), 0);
    assert_eq!(read(0, 6), 104);
    assert_eq!(read(6, 1), 104);
    assert_eq!(read(-1, 1), 103);
    assert_eq!(error("(call $reply_to (i32.const 0))"), 105);
    assert_eq!(error("(call $reply_code (i32.const 0))"), 107);
}

#[test]
fn replies() {
    let mut world = World::new();
    // Pushed parts come first, whatever commits.
    let body = "(call $reply_push_input (i32.const 0) (i32.const 2) (i32.const 1000))
        (i32.store8 (i32.const 0) (i32.const 33)) (call $reply_push (i32.const 0) (i32.const 1) (i32.const 1000))
        (call $reply_input (i32.const 2) (i32.const 3) (i32.const -1) (i32.const 1000))";
    let streamed = program(&mut world, body);
    assert_eq!(world.ask(streamed, b"input").payload, b"in!put");
    let body = "(call $reply_push_input (i32.const 0) (i32.const 5) (i32.const 1000))
        (call $reply_commit (i32.const -1) (i32.const 1000))";
    let committed = program(&mut world, body);
    assert_eq!(world.ask(committed, b"input").payload, b"input");

    // The error of a second reply goes out as a message.
    let reply = "(call $reply (i32.const 0) (i32.const 0) (i32.const -1) (i32.const 1000))";
    for (again, code) in [
        (
            "(call $reply (i32.const 0) (i32.const 0) (i32.const -1) (i32.const 0))",
            302u32,
        ),
        ("(call $reply_commit (i32.const -1) (i32.const 0))", 302),
        (
            "(call $reply_push (i32.const 0) (i32.const 1) (i32.const 0))",
            304,
        ),
        (
            "(call $reply_push_input (i32.const 0) (i32.const 1) (i32.const 0))",
            304,
        ),
    ] {
        let send = "(call $source (i32.const 100)) (call $send (i32.const 100) (i32.const 0) (i32.const 4) (i32.const 0) (i32.const 1000))";
        let program = program(&mut world, &format!("{reply} {again} {send}"));
        let seen = world.mail(ALICE).len();
        world.ask(program, b"input");
        assert_eq!(
            world.mail(ALICE)[seen].payload,
            code.to_le_bytes(),
            "{again}"
        );
    }
    assert_eq!(
        error("(call $reply_input (i32.const 6) (i32.const 0) (i32.const -1) (i32.const 0))"),
        312
    );
    assert_eq!(
        error("(call $reply_input (i32.const 5) (i32.const 1) (i32.const -1) (i32.const 0))"),
        313
    );
    assert_eq!(
        error(
            "(i64.store (i32.const 16) (i64.const 1)) (call $reply (i32.const 0) (i32.const 0) (i32.const 16) (i32.const 0))"
        ),
        101
    );
}

#[test]
fn a_reply_is_not_replied_to() {
    let mut world = World::new();
    let text = format!(
        r#"{IMPORTS} (global $error (mut i32) (i32.const 0))
        (func (export "init"))
        (func (export "handle")
          (call $source (i32.const 100))
          (if (i32.load (i32.const 200))
            (then (call $reply (i32.const 200) (i32.const 44) (i32.const -1) (i32.const 1000)))
            (else (call $send (i32.const 100) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 1000)))))
        (func (export "handle_reply")
          (call $reply (i32.const 0) (i32.const 0) (i32.const -1) (i32.const 200))
          (call $reply_to (i32.const 204))
          (call $reply_code (i32.const 240)))"#
    );
    let program = world.program(&wat(&text), b"");
    world.ask(program, b"");
    let mail = world.mail(ALICE)[0].id;
    world.reply(program, ALICE, mail, b"", 0);
    world.run();
    let told = world.ask(program, b"").payload;
    assert_eq!(told[..4], 108u32.to_le_bytes());
    assert_eq!(told[4..8], [0; 4]);
    assert_eq!(told[8..40], *mail.as_ref());
    assert_eq!(told[40..44], [0; 4]);
}

#[test]
fn sending() {
    let mut world = World::new();
    let body = "(call $source (i32.const 100))
        (call $send_init (i32.const 0))
        (call $send_push_input (i32.load (i32.const 4)) (i32.const 0) (i32.const 5) (i32.const 1000))
        (i32.store8 (i32.const 50) (i32.const 33))
        (call $send_push (i32.load (i32.const 4)) (i32.const 50) (i32.const 1) (i32.const 1000))
        (call $send_commit (i32.load (i32.const 4)) (i32.const 100) (i32.const 0) (i32.const 1000))
        (call $send_input (i32.const 100) (i32.const 2) (i32.const 3) (i32.const 0) (i32.const 1040))
        (call $reply (i32.const 1000) (i32.const 76) (i32.const -1) (i32.const 2000))";
    let sender = program(&mut world, body);
    let reply = world.ask(sender, b"input").payload;
    let mail = world.mail(ALICE);
    assert_eq!(mail[0].payload, b"input!");
    assert_eq!(mail[1].payload, b"put");
    assert_eq!(reply[4..36], *mail[0].id.as_ref());
    assert_eq!(reply[44..76], *mail[1].id.as_ref());

    let target = "(call $source (i32.const 100))";
    // A handle that nobody gave, and one that was used.
    assert_eq!(
        error("(call $send_push (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))"),
        305
    );
    assert_eq!(
        error("(call $send_commit (i32.const 9) (i32.const 100) (i32.const 0) (i32.const 0))"),
        305
    );
    let used = "(call $send_init (i32.const 1000)) (call $send_commit (i32.const 0) (i32.const 100) (i32.const 0) (i32.const 1000))";
    assert_eq!(
        error(&format!(
            "{target} {used} (call $send_commit (i32.const 0) (i32.const 100) (i32.const 0) (i32.const 0))"
        )),
        304
    );
    assert_eq!(
        error(&format!(
            "{target} {used} (call $send_push (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 0))"
        )),
        304
    );
    // More value than there is; value for an event; too long.
    let one = "(i64.store (i32.const 132) (i64.const 1))";
    let send =
        "(call $send (i32.const 100) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))";
    assert_eq!(error(&format!("{target} {one} {send}")), 101);
    assert_eq!(error(&format!("{one} {send}")), 307);
    assert_eq!(
        error(&format!(
            "{target} (call $send (i32.const 100) (i32.const 0) (i32.const 131072) (i32.const 0) (i32.const 0))"
        )),
        300
    );
    // More messages than a run may send.
    let many = format!(
        "(local $n i32) {target} (loop $next {send}
          (local.set $n (i32.add (local.get $n) (i32.const 1)))
          (br_if $next (i32.eqz (i32.load (i32.const 0)))))
        (i32.store (i32.const 4) (local.get $n))"
    );
    let told = told(&many, 8);
    assert_eq!(told, [301u32.to_le_bytes(), 1025u32.to_le_bytes()].concat());
}

#[test]
fn waking() {
    let id = "(call $message_id (i32.const 100))";
    assert_eq!(
        error(&format!(
            "{id} (call $wake (i32.const 100) (i32.const 0) (i32.const 0))"
        )),
        0
    );
    assert_eq!(
        error(&format!(
            "{id} (call $wake (i32.const 100) (i32.const 1) (i32.const 0))"
        )),
        0
    );
    let twice = "(call $wake (i32.const 100) (i32.const 0) (i32.const 0))".repeat(2);
    assert_eq!(error(&format!("{id} {twice}")), 303);
    let twice = twice.replacen("(i32.const 0)", "(i32.const 9)", 1);
    assert_eq!(error(&format!("{id} {twice}")), 303);
}

#[test]
fn ends_of_a_run() {
    assert_eq!(ends("(call $leave) unreachable"), ReplyCode::SUCCESS_AUTO);
    assert_eq!(
        ends("(call $wait_for (i32.const 0))"),
        ReplyCode::BACKEND_ERROR
    );
    let reply = "(call $reply (i32.const 0) (i32.const 0) (i32.const -1) (i32.const 1000))";
    assert_eq!(
        ends(&format!("{reply} (call $wait_up_to (i32.const 5))")),
        ReplyCode::BACKEND_ERROR
    );
    assert_eq!(ends("(call $oom_panic)"), ReplyCode::MEMORY_OVERFLOW);
    assert_eq!(
        ends("(call $panic (i32.const 0) (i32.const 5))"),
        ReplyCode::USERSPACE_PANIC
    );
    assert_eq!(
        ends("(call $debug (i32.const 0) (i32.const 5))"),
        ReplyCode::SUCCESS_AUTO
    );
    assert_eq!(
        ends("(drop (i32.div_u (i32.const 1) (i32.const 0)))"),
        ReplyCode::UNREACHABLE
    );
    // Pointers outside memory, for every way a call uses them.
    for call in [
        "(call $size (i32.const 131070))",
        "(call $message_id (i32.const -1))",
        "(call $debug (i32.const 131072) (i32.const 1))",
        "(call $read (i32.const 0) (i32.const 5) (i32.const 131070) (i32.const 0))",
        "(call $read (i32.const 0) (i32.const 5) (i32.const 0) (i32.const 131070))",
        "(call $send (i32.const 131040) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))",
        "(call $reply (i32.const -2) (i32.const 1) (i32.const -1) (i32.const 0))",
        "(call $reply (i32.const 0) (i32.const 1) (i32.const 131070) (i32.const 0))",
        "(call $exit (i32.const 131070))",
        "(call $panic (i32.const 131070) (i32.const 5))",
    ] {
        assert_eq!(ends(call), ReplyCode::BACKEND_ERROR, "{call}");
    }
    // A length that nobody could pay for is charged before it is looked at.
    assert_eq!(
        ends("(call $debug (i32.const 0) (i32.const -1))"),
        ReplyCode::RAN_OUT_OF_GAS
    );
}

#[test]
fn memory_is_allocated_first_fit_and_kept() {
    let mut world = World::new();
    world.parameters.max_memory_pages = 10;
    let body = "
        (i32.store (i32.const 0) (call $alloc (i32.const 0)))
        (i32.store (i32.const 4) (call $alloc (i32.const 2)))
        (i32.store (i32.const 8) (call $alloc (i32.const 3)))
        (i32.store (i32.const 12) (call $free_range (i32.const 2) (i32.const 3)))
        (i32.store (i32.const 16) (call $alloc (i32.const 1)))
        (i32.store (i32.const 20) (call $alloc (i32.const 100)))
        (i32.store (i32.const 24) (call $alloc (i32.const -1)))
        (i32.store (i32.const 28) (call $free (i32.const 9)))
        (i32.store (i32.const 32) (call $free (i32.const 1)))
        (i32.store (i32.const 36) (call $free (i32.const 6)))
        (i32.store (i32.const 40) (call $free_range (i32.const 1) (i32.const 3)))
        (i32.store (i32.const 44) (call $free_range (i32.const 3) (i32.const 2)))
        (i32.store (i32.const 48) (call $free_range (i32.const 3) (i32.const 10)))
        (call $reply (i32.const 0) (i32.const 52) (i32.const -1) (i32.const 1000))";
    let program = program(&mut world, body);
    let told: Vec<u32> = world
        .ask(program, b"")
        .payload
        .chunks(4)
        .map(|word| u32::from_le_bytes(word.try_into().unwrap()))
        .collect();
    let none = u32::MAX;
    assert_eq!(told, [2, 2, 4, 0, 2, none, none, 1, 1, 0, 1, 1, 1]);
}

#[test]
fn freed_memory_is_zero_when_it_comes_back_and_the_stack_is_not_kept() {
    let mut world = World::new();
    let text = r#"
        (import "env" "memory" (memory 2))
        (import "env" "alloc" (func $alloc (param i32) (result i32)))
        (import "env" "free" (func $free (param i32) (result i32)))
        (import "env" "gr_reply" (func $reply (param i32 i32 i32 i32)))
        (global (export "__gear_stack_end") i32 (i32.const 65536))
        (data (i32.const 65536) "data")
        (func (export "init"))
        (func (export "handle")
          ;; What is left of the last run: on the stack, in static memory, in the allocated page.
          (i32.store (i32.const 70000) (i32.load (i32.const 16)))
          (i32.store (i32.const 70004) (i32.load (i32.const 65536)))
          (if (i32.eqz (i32.load (i32.const 65540)))
            (then (drop (call $alloc (i32.const 1))) (i32.store (i32.const 65540) (i32.const 1)))
            (else
              (i32.store (i32.const 70008) (i32.load (i32.const 131072)))
              (drop (call $free (i32.const 2)))
              (drop (call $alloc (i32.const 1)))
              (i32.store (i32.const 70012) (i32.load (i32.const 131072)))))
          (i32.store (i32.const 16) (i32.const 7))
          (i32.store (i32.const 65536) (i32.const 8))
          (i32.store (i32.const 131072) (i32.const 9))
          (call $reply (i32.const 70000) (i32.const 16) (i32.const -1) (i32.const 1000)))"#;
    let program = world.program(&wat(text), b"");
    let words = |bytes: Vec<u8>| -> Vec<u32> {
        bytes
            .chunks(4)
            .map(|word| u32::from_le_bytes(word.try_into().unwrap()))
            .collect()
    };
    let first = words(world.ask(program, b"").payload);
    assert_eq!(first, [0, u32::from_le_bytes(*b"data"), 0, 0]);
    for _ in 0..2 {
        assert_eq!(words(world.ask(program, b"").payload), [0, 8, 9, 0]);
    }
}

#[test]
fn looking_for_free_pages_costs_by_what_is_looked_at() {
    let mut world = World::new();
    let body = "(local $n i32)
        (loop $next
          (drop (call $alloc (i32.const 1)))
          (local.set $n (i32.add (local.get $n) (i32.const 1)))
          (br_if $next (i32.lt_u (local.get $n) (i32.const 100))))
        (local.set $n (i32.const 2))
        (loop $next
          (drop (call $free (local.get $n)))
          (local.set $n (i32.add (local.get $n) (i32.const 2)))
          (br_if $next (i32.lt_u (local.get $n) (i32.const 100))))
        (call $gas (i32.const 0))
        (drop (call $alloc (i32.const -1)))
        (call $gas (i32.const 8))
        (call $reply (i32.const 0) (i32.const 16) (i32.const -1) (i32.const 1000))";
    let program = program(&mut world, body);
    let told = world.ask(program, b"").payload;
    let gas = |at: usize| u64::from_le_bytes(told[at..at + 8].try_into().unwrap());
    assert!(gas(0) - gas(8) >= 50 * gear_exe_executor::gas::INTERVAL);
}

/// Reserves a million gas for nine blocks, and puts the reservation's id at 400.
const RESERVE: &str = "(call $reserve (i64.const 1000000) (i32.const 9) (i32.const 396))";

#[test]
fn reserving_gas() {
    let reserve = |gas: &str, blocks: u32| {
        error(&format!(
            "(call $reserve (i64.const {gas}) (i32.const {blocks}) (i32.const 0))"
        ))
    };
    assert_eq!(reserve("1000000", 1), 0);
    assert_eq!(reserve("1000000", 0), 502);
    assert_eq!(reserve("0", 1), 503);
    // More than there is, and more than any counter holds.
    assert_eq!(reserve("250000000000", 1), 100);
    assert_eq!(reserve("-1", 1), 100);

    let given_up = "(call $unreserve (i32.const 400) (i32.const 0))";
    assert_eq!(error(given_up), 500);
    let told = told(&format!("{RESERVE} {given_up}"), 12);
    assert_eq!(told, [&[0; 4][..], &1_000_000u64.to_le_bytes()].concat());
    assert_eq!(error(&format!("{RESERVE} {given_up} {given_up}")), 500);

    let system = |gas: &str| {
        error(&format!(
            "(call $system_reserve (i64.const {gas}) (i32.const 0))"
        ))
    };
    assert_eq!((system("0"), system("5"), system("-1")), (503, 0, 100));
}

#[test]
fn gas_comes_back_in_the_same_run() {
    let gas = told(
        &format!(
            "(i64.store (i32.const 32) (i64.const 1)) (call $gas (i32.const 0)) {RESERVE} (call $gas (i32.const 8))
             (call $unreserve (i32.const 400) (i32.const 440)) (call $gas (i32.const 16))"
        ),
        24,
    );
    let [first, second, third] =
        [0, 8, 16].map(|at| u64::from_le_bytes(gas[at..at + 8].try_into().unwrap()));
    // The calls, and what the program pays for the million in between.
    let calls = 2 * (SYSCALL + RESERVING);
    let fees = first - third;
    assert!((calls..calls + calls / 10).contains(&fees), "{fees}");
    let reserved = first - second;
    let least = 1_000_000 + calls / 2;
    assert!(
        (least..least + calls / 10).contains(&reserved),
        "{reserved}"
    );
}

#[test]
fn there_are_so_many_reservations() {
    let loops = "(local $n i32)
        (loop $next
          (call $reserve (i64.const 1) (i32.const 9) (i32.const 0))
          (local.set $n (i32.add (local.get $n) (i32.const 1)))
          (br_if $next (i32.eqz (i32.load (i32.const 0)))))
        (i32.store (i32.const 4) (local.get $n))";
    let told = told(loops, 8);
    assert_eq!(told, [501u32.to_le_bytes(), 257u32.to_le_bytes()].concat());
}

#[test]
fn sending_with_gas() {
    // To nobody in particular; what matters is the answer of the call.
    let source = "(call $source (i32.const 100))";
    for call in [
        "(call $send_wgas (i32.const 100) (i32.const 0) (i32.const 4) (i64.const 0) (i32.const 0) (i32.const 0))",
        "(call $send_input_wgas (i32.const 100) (i32.const 0) (i32.const 4) (i64.const -1) (i32.const 0) (i32.const 0))",
        "(call $send_init (i32.const 0)) (call $send_commit_wgas (i32.load (i32.const 4)) (i32.const 100) (i64.const 5) (i32.const 0) (i32.const 0))",
    ] {
        assert_eq!(error(&format!("{source} {call}")), 0, "{call}");
    }
    let reserved = format!("{RESERVE} (call $source (i32.const 432))");
    let send = "(call $reservation_send (i32.const 400) (i32.const 0) (i32.const 4) (i32.const 0) (i32.const 0))";
    let commit = "(call $send_init (i32.const 0))
        (call $reservation_send_commit (i32.load (i32.const 4)) (i32.const 400) (i32.const 0) (i32.const 0))";
    assert_eq!(error(&format!("{reserved} {send}")), 0);
    assert_eq!(error(&format!("{reserved} {commit}")), 0);
    // A reservation is used once, and one that is not there not at all.
    assert_eq!(error(&format!("{reserved} {send} {commit}")), 500);
    assert_eq!(error(send), 500);
    assert_eq!(error(commit), 500);
    // What is refused for another reason leaves it.
    let rich = "(i64.store (i32.const 464) (i64.const 1))";
    let poor = "(i64.store (i32.const 464) (i64.const 0))";
    assert_eq!(error(&format!("{reserved} {rich} {send}")), 101);
    assert_eq!(error(&format!("{reserved} {rich} {send} {poor} {send}")), 0);
}

#[test]
fn replying_with_gas() {
    let reply = |call: &str| {
        let mut world = World::new();
        let program = program(
            &mut world,
            &format!("(i32.store (i32.const 0) (i32.const 1717986918)) {RESERVE} {call}"),
        );
        world.ask(program, b"input").payload
    };
    assert_eq!(
        reply(
            "(call $reply_wgas (i32.const 0) (i32.const 4) (i64.const 0) (i32.const -1) (i32.const 1000))"
        ),
        b"ffff"
    );
    assert_eq!(
        reply(
            "(call $reply_input_wgas (i32.const 1) (i32.const 3) (i64.const 0) (i32.const -1) (i32.const 1000))"
        ),
        b"npu"
    );
    let push = "(call $reply_push (i32.const 0) (i32.const 2) (i32.const 1000))";
    assert_eq!(
        reply(&format!(
            "{push} (call $reply_commit_wgas (i64.const 0) (i32.const -1) (i32.const 1000))"
        )),
        b"ff"
    );
    assert_eq!(
        reply(
            "(call $reservation_reply (i32.const 400) (i32.const 0) (i32.const 4) (i32.const 1000))"
        ),
        b"ffff"
    );
    assert_eq!(
        reply(&format!(
            "{push} (call $reservation_reply_commit (i32.const 400) (i32.const 1000))"
        )),
        b"ff"
    );
}

#[test]
fn deposits_for_replies() {
    let source = "(call $source (i32.const 100))";
    let send =
        "(call $send (i32.const 100) (i32.const 0) (i32.const 4) (i32.const 0) (i32.const 200))";
    let deposit = "(call $deposit (i32.const 204) (i64.const 7) (i32.const 0))";
    assert_eq!(error(&format!("{source} {send} {deposit}")), 0);
    assert_eq!(error(&format!("{source} {send} {deposit} {deposit}")), 309);
    assert_eq!(error(deposit), 310);
    // Nor is there one for a reply: a reply is not replied to.
    let replied = "(call $reply (i32.const 0) (i32.const 4) (i32.const -1) (i32.const 200))";
    let mut world = World::new();
    let body = format!(
        "{replied} {deposit} (if (i32.ne (i32.load (i32.const 0)) (i32.const 310)) (then unreachable))"
    );
    let program = program(&mut world, &body);
    assert_eq!(world.ends(program, b""), ReplyCode::SUCCESS_MANUAL);
}

#[test]
fn only_signals_know_of_signals() {
    assert_eq!(error("(call $signal_code (i32.const 0))"), 106);
    assert_eq!(error("(call $signal_from (i32.const 0))"), 106);
}

#[test]
fn no_wait_after_a_reply() {
    let replied = "(call $reply (i32.const 0) (i32.const 4) (i32.const -1) (i32.const 200))";
    assert_eq!(
        ends(&format!("{replied} (call $wait)")),
        ReplyCode::BACKEND_ERROR
    );
}

#[test]
fn pointers_outside_the_memory_fail_the_run_and_nothing_else() {
    // The memory ends at 131072.
    for call in [
        "(call $random (i32.const 131060) (i32.const 0))",
        "(call $random (i32.const -1) (i32.const 0))",
        "(call $reserve (i64.const 5) (i32.const 1) (i32.const 131040))",
        "(call $unreserve (i32.const -32) (i32.const 0))",
        "(call $system_reserve (i64.const 5) (i32.const 131070))",
        "(call $deposit (i32.const 131071) (i64.const 5) (i32.const 0))",
        "(call $signal_code (i32.const -4))",
        "(call $signal_from (i32.const 131050))",
        "(call $send_wgas (i32.const 131040) (i32.const 0) (i32.const 0) (i64.const 5) (i32.const 0) (i32.const 0))",
        "(call $reservation_send (i32.const -40) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))",
        "(call $reservation_send (i32.const 131000) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))",
        "(call $reservation_reply (i32.const 131030) (i32.const 0) (i32.const 0) (i32.const 0))",
        "(call $reservation_reply_commit (i32.const -1) (i32.const 0))",
        "(call $reply_commit_wgas (i64.const 5) (i32.const 131060) (i32.const 0))",
    ] {
        let mut world = World::new();
        let program = program(&mut world, call);
        let before = world.unexplained(program);
        assert_eq!(world.ends(program, b""), ReplyCode::BACKEND_ERROR, "{call}");
        assert_eq!(world.unexplained(program), before, "{call}");
        assert!(world.reservations(program).is_empty() && world.waitlist(program).is_empty());
    }
}
