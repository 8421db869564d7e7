//! A fixed random history, and what every round of it came to, written down: the same on every machine, with any number of
//! threads, warm and cold, and in every build. Compiled without optimisation this test is the proof that a debug build
//! does what a release build does:
//!
//!     cargo test -p gear-exe-executor --test golden
//!
//! Whoever changes gas, state or outcomes on purpose changes what is written here as well; the failure prints it.

#![allow(clippy::unwrap_used)] // a failed unwrap is a failed test

mod common;

use codec::Encode;
use common::{ALICE, BOB, RICH, World, wat};
use gear_exe_executor::{Executor, ExecutorConfig};
use gear_exe_primitives::{ActorId, H256, hashing::blake2b256, message::ReplyCode};
use std::collections::BTreeSet;

/// Does what its message says: operations of nine bytes, a code and two numbers. Its code is written here and nowhere
/// else, so that no compiler of programs has a part in what is expected.
///
/// It has the ids of its peers from 80,000 on. What it saw is a digest that it replies.
const NODE: &str = r#"
    (import "env" "memory" (memory 4))
    (import "env" "alloc" (func $alloc (param i32) (result i32)))
    (import "env" "free" (func $free (param i32) (result i32)))
    (import "env" "gr_read" (func $read (param i32 i32 i32 i32)))
    (import "env" "gr_size" (func $size (param i32)))
    (import "env" "gr_send" (func $send (param i32 i32 i32 i32 i32)))
    (import "env" "gr_reply" (func $reply (param i32 i32 i32 i32)))
    (import "env" "gr_gas_available" (func $gas (param i32)))
    (import "env" "gr_value_available" (func $value (param i32)))
    (import "env" "gr_random" (func $random (param i32 i32)))
    (import "env" "gr_wait_for" (func $wait (param i32)))
    (global (export "__gear_stack_end") i32 (i32.const 65536))
    (global $digest (mut i32) (i32.const 77))
    (data (i32.const 70000) "what a program begins with")
    (func $see (param $what i32)
      (global.set $digest
        (i32.xor (i32.mul (global.get $digest) (i32.const 31)) (local.get $what))))
    (func $see_long (param $what i64)
      (call $see (i32.wrap_i64 (local.get $what)))
      (call $see (i32.wrap_i64 (i64.shr_u (local.get $what) (i64.const 32)))))
    (func $deep (param $depth i32) (result i32)
      (i32.add (call $deep (i32.add (local.get $depth) (i32.const 1))) (local.get $depth)))
    ;; Numbers of all kinds, NaN and infinities among them.
    (func $numbers (param $a f64) (param $times i32)
      (local $b f64) (local $c f32) (local $lanes v128)
      (local.set $b (f64.const 0.1))
      (loop $more
        (local.set $b (f64.div (f64.sqrt (f64.sub (local.get $b) (local.get $a))) (f64.nearest (local.get $b))))
        (local.set $a (f64.add (f64.mul (local.get $a) (f64.const 1.7)) (local.get $b)))
        (local.set $c (f32.demote_f64 (f64.min (local.get $a) (local.get $b))))
        (local.set $lanes (f64x2.mul (f64x2.splat (local.get $a)) (f64x2.add (local.get $lanes) (f64x2.splat (local.get $b)))))
        (call $see_long (i64.reinterpret_f64 (local.get $b)))
        (call $see (i32.reinterpret_f32 (local.get $c)))
        (call $see_long (i64x2.extract_lane 1 (local.get $lanes)))
        (call $see_long (i64.trunc_sat_f64_s (local.get $a)))
        (local.set $times (i32.sub (local.get $times) (i32.const 1)))
        (br_if $more (i32.gt_s (local.get $times) (i32.const 0)))))
    (func (export "init")
      (call $size (i32.const 79996))
      (call $read (i32.const 0) (i32.load (i32.const 79996)) (i32.const 80000) (i32.const 79992)))
    (func (export "handle_reply")
      (i32.store (i32.const 131072) (i32.add (i32.load (i32.const 131072)) (i32.const 1))))
    (func (export "handle")
      (local $at i32) (local $end i32) (local $a i32) (local $b i32) (local $n i32)
      (call $see (i32.load (i32.const 131072)))
      (call $size (i32.const 65536))
      (local.set $end (i32.load (i32.const 65536)))
      (call $read (i32.const 0) (local.get $end) (i32.const 65600) (i32.const 65540))
      (local.set $at (i32.const 65600))
      (local.set $end (i32.add (local.get $at) (local.get $end)))
      (block $done
        (loop $next
          (br_if $done (i32.ge_u (local.get $at) (local.get $end)))
          (local.set $a (i32.load offset=1 (local.get $at)))
          (local.set $b (i32.load offset=5 (local.get $at)))
          (local.set $n (i32.load8_u (local.get $at)))
          (local.set $at (i32.add (local.get $at) (i32.const 9)))
          (block $draw (block $wait_op (block $bulk (block $send_op (block $deep_op (block $numbers_op (block $facts (block $fill
            (block $loop_op (block $trap (block $free_op (block $alloc_op (block $load (block $store
              (br_table $store $load $alloc_op $free_op $trap $loop_op $fill $facts $numbers_op $deep_op $send_op $bulk
                $wait_op $draw (local.get $n)))
              (i32.store (local.get $a) (local.get $b)) (br $next))
              (call $see (i32.load (local.get $a))) (br $next))
              (call $see (call $alloc (local.get $a))) (br $next))
              (call $see (call $free (local.get $a))) (br $next))
              unreachable)
              (loop $for_ever (br $for_ever)) unreachable)
              (local.set $n (i32.const 0))
              (loop $more
                (i32.store (local.get $a) (local.get $b))
                (local.set $a (i32.add (local.get $a) (i32.const 4096)))
                (local.set $n (i32.add (local.get $n) (i32.const 1)))
                (br_if $more (i32.lt_u (local.get $n) (local.get $b))))
              (br $next))
              (call $gas (i32.const 65552)) (call $see_long (i64.load (i32.const 65552)))
              (call $value (i32.const 65552)) (call $see_long (i64.load (i32.const 65552)))
              (call $see (memory.size)) (br $next))
              (call $numbers (f64.convert_i32_s (local.get $a)) (local.get $b)) (br $next))
              (call $see (call $deep (local.get $a))) (br $next))
              ;; The rest of the message goes to that peer.
              (memory.copy (i32.const 90000)
                (i32.add (i32.const 80000) (i32.shl (local.get $a) (i32.const 5))) (i32.const 32))
              (i64.store (i32.const 90032) (i64.extend_i32_u (local.get $b)))
              (i64.store (i32.const 90040) (i64.const 0))
              (call $send (i32.const 90000) (local.get $at) (i32.sub (local.get $end) (local.get $at))
                (i32.const 0) (i32.const 90100))
              (call $see (i32.load (i32.const 90100)))
              (br $done))
              (memory.fill (local.get $a) (local.get $b) (i32.const 5000))
              (memory.copy (i32.add (local.get $a) (i32.const 9000)) (local.get $a) (local.get $b))
              (br $next))
              (call $wait (local.get $b)))
            (call $random (i32.const 70000) (i32.const 65552))
            (call $see_long (i64.load (i32.const 65560)))
            (br $next)))
      (i32.store (i32.const 65560) (global.get $digest))
      (call $reply (i32.const 65560) (i32.const 4) (i32.const -1) (i32.const 65568)))"#;

const NODES: u64 = 9;

/// A small generator.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }

    /// On the stack, where there is memory, and sometimes at or over its end. Not where the message lies.
    fn address(&mut self) -> u64 {
        let within = match self.below(4) {
            0 => 65_532,
            1 => 16_382,
            2 => 4_094 + 4_096 * self.below(16),
            _ => self.below(65_536),
        };
        match (self.below(6) << 16) + within {
            address if (65_000..70_000).contains(&address) => address + 5_000,
            address => address,
        }
    }

    fn op(&mut self) -> (u8, u64, u64) {
        match self.below(32) {
            0..6 => (0, self.address(), self.below(1 << 32)),
            6..11 => (1, self.address(), 0),
            11..13 => (2, self.below(4), 0),
            13 => (3, 4 + self.below(6), 0),
            14 => (4, 0, 0),
            15 if self.below(6) == 0 => (5, 0, 0),
            16..18 => (6, 131_072 + self.below(3) * 32_768, 1 + self.below(12)),
            18..21 => (7, 0, 0),
            21..25 => (8, self.below(9), 1 + self.below(60)),
            25 if self.below(4) == 0 => (9, 0, 0),
            26..28 => (11, 131_072 + self.below(100_000), self.below(30_000)),
            28 => (12, 0, 1 + self.below(3)),
            29 => (13, 0, 0),
            _ => (7, 0, 0),
        }
    }

    /// Operations, and perhaps a message to another one behind them.
    fn payload(&mut self, deep: u32) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut put = |(code, a, b): (u8, u64, u64)| {
            bytes.push(code);
            bytes.extend((a as u32).to_le_bytes());
            bytes.extend((b as u32).to_le_bytes());
        };
        for _ in 0..1 + self.below(8) {
            put(self.op());
        }
        if deep > 0 && self.below(2) == 0 {
            put((10, self.below(NODES + 1), self.below(4)));
            bytes.extend(self.payload(deep - 1));
        }
        bytes
    }
}

fn config(threads: usize, memory_budget: u64) -> ExecutorConfig {
    ExecutorConfig {
        path: None,
        threads,
        memory_budget,
    }
}

/// Nodes that talk to each other, fail in every way, wait, starve, and have more to do than rounds have room for.
fn play(config: ExecutorConfig) -> World {
    let mut random = Random(0x5eed_0000_0000_0013);
    let mut world = World::with(config);
    world.parameters.message_gas_limit = 3_000_000_000;
    world.parameters.round_gas_limit = 40_000_000_000;
    world.parameters.max_round_messages = 24;
    world.parameters.value_per_settled_message = 1_000;
    world.parameters.value_per_settled_byte = 10;
    let nodes: Vec<ActorId> = (0..NODES).map(|_| world.create(&wat(NODE))).collect();
    // The last peer is nobody.
    let mut peers: Vec<u8> = nodes.iter().flat_map(|id| id.as_ref().to_vec()).collect();
    peers.extend([9; 32]);
    for (number, node) in (0u128..).zip(&nodes) {
        // The last ones become poor.
        world.top_up(*node, if number < 7 { RICH } else { 300_000_000_000 });
        world.give(*node, 50 * number);
        world.send(*node, ALICE, &peers, 0);
    }
    for _ in 0..16 {
        for _ in 0..random.below(14) {
            let node = nodes[random.below(NODES) as usize];
            let payload = random.payload(2);
            if random.below(4) == 0 {
                world.native(node, BOB, &payload);
            } else {
                world.send(node, ALICE, &payload, random.below(5).into());
            }
        }
        if random.below(5) == 0 {
            world.top_up(nodes[8], 2_000_000_000);
        }
        match random.below(3) {
            0 => world.quiet_round(),
            _ => world.round(),
        };
    }
    world.top_up(nodes[7], RICH);
    world.top_up(nodes[8], RICH);
    world.run();
    world.pass(5);
    world
}

/// Of each round, the beginning of a hash over everything it came to.
fn digests(world: &World) -> Vec<String> {
    let digest = |hash: H256| {
        hash.0[..4]
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    };
    let rounds = world.history.iter();
    rounds
        .map(|(_, _, outcome)| digest(blake2b256([outcome.encode()])))
        .collect()
}

/// What the rounds came to, in order.
const EXPECTED: &str = "
    6f08b0b8 f8cbfa5f 6fce0557 454a211c 03243dae f730723a dfd9475a dd7c28f1
    977bf1c1 a6a1b62d 278ccbe6 39176e05 c3a25887 6267f2ab c182511b 13d6f546
    0f9dd7a0 92833505 58ca5ad2 9df44613 a35ac7df de4daf1b";

#[test]
fn every_round_came_to_this() {
    for threads in [1, 2, 8] {
        for memory_budget in [2 << 30, 0] {
            let world = play(config(threads, memory_budget));
            let found = digests(&world).join(" ");
            let expected: Vec<&str> = EXPECTED.split_whitespace().collect();
            assert_eq!(
                found,
                expected.join(" "),
                "with {threads} threads and {memory_budget} bytes"
            );
        }
    }
}

#[test]
fn and_so_it_does_cold_and_again() {
    let world = play(config(2, 2 << 30));
    let executor = Executor::open(config(1, 0)).unwrap();
    executor.add_code(&wat(NODE)).unwrap();
    for (base, input, outcome) in &world.history {
        assert_eq!(&executor.execute_round(*base, input).unwrap(), outcome);
    }
    for (base, input, outcome) in &world.history {
        // Another block on the same base is executed, not looked up.
        let mut input = input.clone();
        input.block.hash = blake2b256([input.block.hash.as_bytes()]);
        let again = executor.execute_round(*base, &input).unwrap();
        assert_eq!(again.state_root, outcome.state_root);
        assert_eq!(again.receipts, outcome.receipts);
    }
}

#[test]
fn everything_happens_in_it() {
    let world = play(config(2, 2 << 30));
    let codes: BTreeSet<ReplyCode> = world.receipts.iter().map(|receipt| receipt.code).collect();
    for code in [
        ReplyCode::SUCCESS_MANUAL,
        ReplyCode::RAN_OUT_OF_GAS,
        ReplyCode::UNREACHABLE,
        ReplyCode::STACK_LIMIT_EXCEEDED,
    ] {
        assert!(codes.contains(&code), "{code:?} in {codes:?}");
    }
    let outcomes = || world.history.iter().map(|(_, _, outcome)| outcome);
    assert!(outcomes().any(|outcome| !outcome.starved.is_empty()));
    assert!(outcomes().any(|outcome| outcome.work_left));
    assert!(world.receipts.len() > 100, "{}", world.receipts.len());
}
