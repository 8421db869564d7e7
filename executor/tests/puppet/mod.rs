//! A program that does what it is told to its memory, and random orders for it.

#![allow(dead_code)] // each test uses a part of it

use crate::common::{World, wat};
use gear_exe_executor::{ExecutorConfig, state::Program};
use gear_exe_primitives::{ActorId, H256, MessageId, message::ReplyCode};

/// Does what its message says: operations of nine bytes, a code and two numbers. It replies a digest of what it saw.
pub const PUPPET: &str = r#"
    (import "env" "memory" (memory 4))
    (import "env" "alloc" (func $alloc (param i32) (result i32)))
    (import "env" "free" (func $free (param i32) (result i32)))
    (import "env" "free_range" (func $free_range (param i32 i32) (result i32)))
    (import "env" "gr_read" (func $read (param i32 i32 i32 i32)))
    (import "env" "gr_size" (func $size (param i32)))
    (import "env" "gr_leave" (func $leave))
    (import "env" "gr_reply" (func $reply (param i32 i32 i32 i32)))
    (import "env" "gr_gas_available" (func $gas (param i32)))
    (import "env" "gr_wait_for" (func $wait (param i32)))
    (global (export "__gear_stack_end") i32 (i32.const 65536))
    (global $digest (mut i32) (i32.const 77))
    (global $deep (mut i64) (i64.const -5))
    (data (i32.const 70000) "what a program begins with")
    (func $see (param $what i32)
      (global.set $digest
        (i32.xor (i32.mul (global.get $digest) (i32.const 31)) (local.get $what))))
    (func (export "init"))
    (func (export "handle")
      (local $at i32) (local $end i32) (local $op i32) (local $a i32) (local $b i32) (local $n i32)
      (call $see (i32.wrap_i64 (global.get $deep)))
      (global.set $deep (i64.const 12345))
      (call $size (i32.const 65536))
      (local.set $end (i32.load (i32.const 65536)))
      (call $read (i32.const 0) (local.get $end) (i32.const 65600) (i32.const 65540))
      (local.set $at (i32.const 65600))
      (local.set $end (i32.add (local.get $at) (local.get $end)))
      (block $done
        (loop $next
          (br_if $done (i32.ge_u (local.get $at) (local.get $end)))
          (local.set $op (i32.load8_u (local.get $at)))
          (local.set $a (i32.load offset=1 (local.get $at)))
          (local.set $b (i32.load offset=5 (local.get $at)))
          (local.set $at (i32.add (local.get $at) (i32.const 9)))
          (block $wait_op (block $gas_op (block $wide (block $leave_op (block $pages (block $fill (block $loop_op (block $trap
            (block $range (block $free_op (block $alloc_op (block $load (block $store
              (br_table $store $load $alloc_op $free_op $range $trap $loop_op $fill $pages $leave_op $wide $gas_op $wait_op
                (local.get $op)))
              (i32.store (local.get $a) (local.get $b)) (br $next))
              (call $see (i32.load (local.get $a))) (br $next))
              (call $see (call $alloc (local.get $a))) (br $next))
              (call $see (call $free (local.get $a))) (br $next))
              (call $see (call $free_range (local.get $a) (local.get $b))) (br $next))
              unreachable)
              (loop $for_ever (br $for_ever)) unreachable)
              (local.set $n (i32.const 0))
              (loop $more
                (i32.store (local.get $a) (local.get $a))
                (local.set $a (i32.add (local.get $a) (i32.const 4096)))
                (local.set $n (i32.add (local.get $n) (i32.const 1)))
                (br_if $more (i32.lt_u (local.get $n) (local.get $b))))
              (br $next))
              (call $see (memory.size)) (br $next))
              (call $leave) (br $next))
              (i64.store (local.get $a) (i64.extend_i32_u (local.get $b))) (br $next))
              (call $gas (i32.const 65552)) (call $see (i32.load (i32.const 65552))) (br $next))
          (call $wait (i32.const 2))))
      (i32.store (i32.const 65560) (global.get $digest))
      (call $reply (i32.const 65560) (i32.const 4) (i32.const -1) (i32.const 65568)))"#;

/// What the puppet can do.
#[derive(Clone, Copy, Debug)]
pub enum Op {
    Store(u32, u32),
    Load(u32),
    Alloc(u32),
    Free(u32),
    FreeRange(u32, u32),
    Trap,
    Loop,
    /// From an address, so many pages of 4 KiB.
    Fill(u32, u32),
    Pages,
    Leave,
    Wide(u32, u32),
    Gas,
    Wait,
}

pub fn payload(ops: &[Op]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for op in ops {
        let (code, a, b) = match *op {
            Op::Store(a, b) => (0, a, b),
            Op::Load(a) => (1, a, 0),
            Op::Alloc(a) => (2, a, 0),
            Op::Free(a) => (3, a, 0),
            Op::FreeRange(a, b) => (4, a, b),
            Op::Trap => (5, 0, 0),
            Op::Loop => (6, 0, 0),
            Op::Fill(a, b) => (7, a, b),
            Op::Pages => (8, 0, 0),
            Op::Leave => (9, 0, 0),
            Op::Wide(a, b) => (10, a, b),
            Op::Gas => (11, 0, 0),
            Op::Wait => (12, 0, 0),
        };
        bytes.push(code);
        bytes.extend(u32::to_le_bytes(a));
        bytes.extend(u32::to_le_bytes(b));
    }
    bytes
}

/// A small generator of its own, so that a failure can be run again.
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }

    /// Mostly where there is memory, on the stack and above it; sometimes at or over its end.
    pub fn address(&mut self) -> u32 {
        let wasm_page = self.below(9) as u32;
        let within = match self.below(4) {
            0 => 65_532,
            1 => 16_382,
            2 => 4_094 + 4_096 * self.below(16) as u32,
            _ => self.below(65_536) as u32,
        };
        // Not where the message lies.
        match (wasm_page << 16) + within {
            address if (65_000..67_500).contains(&address) => address + 2_600,
            address => address,
        }
    }

    pub fn op(&mut self, with_gas: bool) -> Op {
        match self.below(36) {
            0..=9 => Op::Store(self.address(), self.below(1 << 32) as u32),
            10..=17 => Op::Load(self.address()),
            18..=20 => Op::Alloc(self.below(4) as u32),
            21..=22 => Op::Free(4 + self.below(6) as u32),
            23 => Op::FreeRange(4 + self.below(4) as u32, 4 + self.below(8) as u32),
            24 => Op::Trap,
            25 if self.below(8) == 0 => Op::Loop,
            26..=27 => Op::Fill(
                131_072 + self.below(3) as u32 * 65_536,
                1 + self.below(40) as u32,
            ),
            28..=29 => Op::Pages,
            30 if self.below(3) == 0 => Op::Leave,
            31..=33 => Op::Wide(self.address(), self.below(1 << 32) as u32),
            34 if with_gas => Op::Gas,
            35 if with_gas => Op::Wait,
            _ => Op::Pages,
        }
    }

    pub fn message(&mut self, with_gas: bool) -> Vec<u8> {
        let count = 1 + self.below(12);
        let ops: Vec<Op> = (0..count).map(|_| self.op(with_gas)).collect();
        payload(&ops)
    }
}

pub fn puppet() -> Vec<u8> {
    wat(PUPPET)
}

pub fn config(threads: usize, memory_budget: u64) -> ExecutorConfig {
    ExecutorConfig {
        path: None,
        threads,
        memory_budget,
    }
}

/// A world without the limits of Ethereum, in which a message that never ends ends soon.
pub fn world(config: ExecutorConfig) -> World {
    let mut world = World::with(config);
    world.parameters.max_round_messages = 1_000_000;
    world.parameters.max_round_bytes = 1 << 30;
    world.parameters.message_gas_limit = 6_000_000_000;
    world
}

/// Hashes of a program's pages and allocations.
pub fn memory(world: &World, program: ActorId) -> (Option<H256>, Option<H256>) {
    match world.state(program).program {
        Program::Active {
            pages_hash,
            allocations_hash,
            ..
        } => (pages_hash, allocations_hash),
        other => panic!("{other:?}"),
    }
}

/// How a message ended, and what was said.
pub fn ending(world: &World, id: MessageId) -> (ReplyCode, Vec<u8>) {
    (world.code(id), world.reply_to(id).payload)
}
