//! Programs stay in memory, and nothing shows it: whatever is resident, evicted, undone or loaded again, replies, gas and
//! roots are the same.

#![allow(clippy::unwrap_used)] // a failed unwrap is a failed test

mod common;

use common::{ALICE, BOB, RICH, World, command, wat};
use gear_exe_executor::{
    Executor, ExecutorConfig, RoundError,
    state::{PAGE_SIZE, Program},
};
use gear_exe_primitives::{
    ActorId, CodeId, H160, H256, MessageId,
    ethereum::{EthereumEvent, RouterEvent},
    message::ReplyCode,
};
use gear_exe_programs::{PING, TROUBLE};

/// Does what its message says: operations of nine bytes, a code and two numbers. It replies a digest of what it saw.
const PUPPET: &str = r#"
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
enum Op {
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

fn payload(ops: &[Op]) -> Vec<u8> {
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
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }

    /// Mostly where there is memory, on the stack and above it; sometimes at or over its end.
    fn address(&mut self) -> u32 {
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

    fn op(&mut self, with_gas: bool) -> Op {
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

    fn message(&mut self, with_gas: bool) -> Vec<u8> {
        let count = 1 + self.below(12);
        let ops: Vec<Op> = (0..count).map(|_| self.op(with_gas)).collect();
        payload(&ops)
    }
}

fn puppet() -> Vec<u8> {
    wat(PUPPET)
}

fn config(threads: usize, memory_budget: u64) -> ExecutorConfig {
    ExecutorConfig {
        path: None,
        threads,
        memory_budget,
    }
}

/// A world without the limits of Ethereum, in which a message that never ends ends soon.
fn world(config: ExecutorConfig) -> World {
    let mut world = World::with(config);
    world.parameters.max_round_messages = 1_000_000;
    world.parameters.max_round_bytes = 1 << 30;
    world.parameters.message_gas_limit = 6_000_000_000;
    world
}

/// Hashes of a program's pages and allocations.
fn memory(world: &World, program: ActorId) -> (Option<H256>, Option<H256>) {
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
fn ending(world: &World, id: MessageId) -> (ReplyCode, Vec<u8>) {
    (world.code(id), world.reply_to(id).payload)
}

#[test]
fn hot_cold_and_spared_agree() {
    for seed in 1..=12u64 {
        let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        let messages: Vec<Vec<u8>> = (0..120).map(|_| random.message(false)).collect();

        // Hot: all in one round.
        let mut hot = world(config(1, 2 << 30));
        let program = hot.program(&puppet(), b"");
        let ids: Vec<_> = messages
            .iter()
            .map(|message| hot.send(program, ALICE, message, 0))
            .collect();
        hot.run();
        let endings: Vec<_> = ids.iter().map(|id| ending(&hot, *id)).collect();

        // Cold: loaded for every message.
        let mut cold = world(config(1, 0));
        let again = cold.program(&puppet(), b"");
        for (message, expected) in messages.iter().zip(&endings) {
            let id = cold.send(again, ALICE, message, 0);
            cold.run();
            assert_eq!(ending(&cold, id), *expected, "seed {seed}: {message:?}");
        }
        assert_eq!(memory(&cold, again), memory(&hot, program), "seed {seed}");

        // Spared: what failed was never sent.
        let mut spared = world(config(1, 2 << 30));
        let twin = spared.program(&puppet(), b"");
        for (message, expected) in messages.iter().zip(&endings) {
            if expected.0.is_success() {
                let id = spared.send(twin, ALICE, message, 0);
                spared.run();
                assert_eq!(ending(&spared, id), *expected, "seed {seed}: {message:?}");
            } else {
                // Ids are written into memory: they must be the same.
                spared.next_id(twin);
            }
        }
        assert_eq!(memory(&spared, twin), memory(&hot, program), "seed {seed}");
        let failed = endings.iter().filter(|ending| !ending.0.is_success());
        assert!(failed.count() > 5, "seed {seed}");
    }
}

/// Random rounds of puppets and troubles.
fn history(seed: u64, config: ExecutorConfig) -> World {
    let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let mut world = world(config);
    let mut programs: Vec<ActorId> = (0..5).map(|_| world.program(&puppet(), b"")).collect();
    let troubles: Vec<ActorId> = (0..3).map(|_| world.program(TROUBLE, b"")).collect();
    world.parameters.round_gas_limit = 60_000_000_000;
    // One that cannot always pay.
    let poor = world.create(&puppet());
    world.top_up(poor, 100_000_000_000);
    world.send(poor, ALICE, b"", 0);
    programs.push(poor);
    for _ in 0..12 {
        for _ in 0..random.below(30) {
            let program = programs[random.below(6) as usize];
            let message = random.message(true);
            world.send(program, ALICE, &message, 0);
        }
        for trouble in &troubles {
            let next = troubles[random.below(3) as usize];
            let inner: &[u8] =
                [&b"BUMP"[..], b"DIRTY", b"PANIC", b"WAIT"][random.below(4) as usize];
            let send = command("SEND", &[next.as_ref(), &0u128.to_le_bytes(), inner]);
            world.send(*trouble, BOB, &send, 0);
            world.send(*trouble, BOB, b"RECURSE", 0);
        }
        if random.below(3) == 0 {
            world.top_up(poor, u128::from(random.below(400_000_000_000)));
        }
        world.round();
    }
    world
}

#[test]
fn neither_threads_nor_memory_matter() {
    for seed in 1..=4 {
        let world = history(seed, config(1, 2 << 30));
        for (threads, budget) in [(2, 2 << 30), (8, 2 << 30), (1, 0), (2, 0), (8, 300_000)] {
            let executor = Executor::open(config(threads, budget)).unwrap();
            executor.add_code(&puppet()).unwrap();
            executor.add_code(TROUBLE).unwrap();
            for (number, (base, input, outcome)) in world.history.iter().enumerate() {
                let ours = executor.execute_round(*base, input).unwrap();
                assert_eq!(
                    ours, *outcome,
                    "seed {seed}, round {number}, {threads} threads, {budget} bytes"
                );
            }
            if budget == 0 {
                assert_eq!(executor.stats().programs_in_memory, 0);
            }
        }
    }
}

#[test]
fn forks_of_a_base_take_turns() {
    let world = history(9, config(2, 2 << 30));
    let reference = Executor::open(config(1, 0)).unwrap();
    let executor = Executor::open(config(2, 2 << 30)).unwrap();
    for executor in [&reference, &executor] {
        executor.add_code(&puppet()).unwrap();
        executor.add_code(TROUBLE).unwrap();
    }
    for (number, (base, input, outcome)) in world.history.iter().enumerate() {
        // On each base a sibling with half of the events, before the round itself and after it.
        for turn in 0..2u8 {
            let mut sibling = input.clone();
            sibling.block.hash = H256::from_low_u64_be(2 * number as u64 + u64::from(turn) + 1);
            for block in &mut sibling.ethereum {
                let half = block.events.len() / 2;
                block.events.truncate(half);
            }
            let ours = executor.execute_round(*base, &sibling).unwrap();
            let theirs = reference.execute_round(*base, &sibling).unwrap();
            assert_eq!(ours, theirs, "round {number}");
            if turn == 0 {
                let ours = executor.execute_round(*base, input).unwrap();
                assert_eq!(ours, *outcome, "round {number}");
                reference.execute_round(*base, input).unwrap();
            }
        }
    }
}

#[test]
fn a_round_that_is_not_stored_leaves_nothing() {
    let mut world = world(config(2, 2 << 30));
    let program = world.program(TROUBLE, b"");
    world.ask(program, b"BUMP");
    let before = memory(&world, program);

    // A program whose code is not there, which is found out only when its turn comes, in the second wave.
    let stranger = ActorId::from(H160::repeat_byte(0x66));
    let code_id = CodeId::from([9; 32]);
    world
        .events
        .push(EthereumEvent::Router(RouterEvent::ProgramCreated {
            actor_id: stranger,
            code_id,
        }));
    let send = command("SEND", &[stranger.as_ref(), &0u128.to_le_bytes(), b"hello"]);
    for message in [&b"BUMP"[..], b"DIRTY", b"BUMP", &send, b"BUMP"] {
        world.send(program, ALICE, message, 0);
    }
    let broken = world.input();
    let messages = world.executor.stats().messages;
    assert!(matches!(
        world.executor.execute_round(world.root, &broken),
        Err(RoundError::MissingCode(id)) if id == code_id
    ));
    assert!(world.executor.stats().messages > messages, "it did run");
    assert_eq!(memory(&world, program), before);
    assert_eq!(world.ask(program, b"COUNT").payload, 1u64.to_le_bytes());
}

#[test]
fn a_query_sees_what_is_stored_and_changes_nothing() {
    let mut world = world(config(2, 2 << 30));
    let program = world.program(&puppet(), b"");
    world.ask(program, &payload(&[Op::Store(140_000, 1)]));
    let ask = payload(&[Op::Load(140_000), Op::Store(140_000, 5), Op::Load(140_000)]);
    let first = world.query(program, &ask).unwrap();
    let second = world.query(program, &ask).unwrap();
    assert_eq!(first, second);
    let id = world.send(program, ALICE, &ask, 0);
    world.run();
    assert_eq!(world.reply_to(id).payload, first.payload);
    assert_eq!(world.receipt(id).gas_burned, first.gas_burned);
    assert_ne!(world.query(program, &ask).unwrap().payload, first.payload);
}

#[test]
fn gas_for_memory_is_for_the_first_touch_in_a_round() {
    let mut world = world(config(1, 2 << 30));
    let program = world.program(&puppet(), b"");
    let touch = payload(&[Op::Store(140_000, 1), Op::Load(200_000), Op::Gas]);
    let burned = |world: &World, id| world.receipt(id).gas_burned;
    let mut rounds = Vec::new();
    for _ in 0..3 {
        let ids = [0; 2].map(|_| world.send(program, ALICE, &touch, 0));
        world.run();
        rounds.push(ids.map(|id| burned(&world, id)));
    }
    assert_eq!(rounds[0], rounds[1]);
    assert_eq!(rounds[0], rounds[2]);
    // Three Gear pages read or written, two pages of the system written; the second message had them all.
    let pages = 3 * gear_exe_executor::gas::LOAD_PAGE + 2 * gear_exe_executor::gas::WRITE_PAGE;
    assert_eq!(rounds[0][0] - rounds[0][1], pages);
}

#[test]
fn clearing_pages_for_a_program_is_no_use_of_them() {
    // What the executor itself does to a page, while the program allocates and frees it, is paid as such: the program's
    // own first use of the page in the round costs the same afterwards.
    let burned = |first: &[Op]| {
        let mut world = world(config(1, 2 << 30));
        let program = world.program(&puppet(), b"");
        world.ask(program, &payload(&[Op::Alloc(4), Op::Fill(262_144, 64)]));
        world.send(program, ALICE, &payload(first), 0);
        let uses = [Op::Store(262_144, 1), Op::Load(262_144)];
        let id = world.send(program, ALICE, &payload(&uses), 0);
        world.run();
        (world.receipt(id).gas_burned, world.reply_to(id).payload)
    };
    let plain = burned(&[Op::Free(4)]);
    assert_eq!(burned(&[Op::Free(4), Op::Alloc(1), Op::Free(4)]), plain);
    assert!(plain.0 > gear_exe_executor::gas::LOAD_PAGE + gear_exe_executor::gas::WRITE_PAGE);
}

#[test]
fn fees_for_memory_alone_end_a_message() {
    let mut world = world(config(1, 2 << 30));
    let program = world.program(&puppet(), b"");
    world.ask(program, &payload(&[Op::Alloc(16)]));
    let before = memory(&world, program);
    // Few operators, many pages.
    world.parameters.message_gas_limit = 400_000_000;
    let id = world.send(program, ALICE, &payload(&[Op::Fill(262_144, 256)]), 0);
    world.run();
    assert_eq!(world.code(id), ReplyCode::RAN_OUT_OF_GAS);
    assert_eq!(world.receipt(id).gas_burned, 400_000_000);
    assert_eq!(memory(&world, program), before);
}

/// The puppet with two GiB.
fn giant() -> Vec<u8> {
    wat(&PUPPET.replace("(memory 4)", "(memory 32768)"))
}

#[test]
fn a_program_may_have_two_gibibytes() {
    const LAST: u32 = 0x7fff_fffc;
    let mut world = world(config(2, 64 << 20));
    world.parameters.message_gas_limit = 900_000_000_000;
    let program = world.program(&giant(), b"");
    let far = payload(&[
        Op::Store(LAST, 7),
        Op::Store(0x4000_0000, 8),
        Op::Load(LAST),
        Op::Pages,
    ]);
    let reply = world.ask(program, &far);
    assert!(reply.reply_details.unwrap().code.is_success());
    let before = memory(&world, program);
    // 64 MiB in a row, then every other page of 256 MiB: more than the kernel would map one by one.
    let row = payload(&[Op::Fill(0x1000_0000, 16_384), Op::Trap]);
    assert_eq!(world.ends(program, &row), ReplyCode::UNREACHABLE);
    assert_eq!(memory(&world, program), before);
    let sparse: Vec<Op> = (0..100u32)
        .flat_map(|index| [Op::Store(0x2000_0000 + index * 8192, index), Op::Load(LAST)])
        .collect();
    assert!(world.ends(program, &payload(&sparse)).is_success());
    let over = [Op::Store(LAST + 1, 0), Op::Wide(LAST, 0)];
    for op in over {
        assert_eq!(world.ends(program, &payload(&[op])), ReplyCode::UNREACHABLE);
    }
    // Cold, from what is stored.
    let (base, input, _) = world.history.last().unwrap().clone();
    let mut next = input.clone();
    next.block.hash = H256::repeat_byte(7);
    let warm = world.executor.execute_round(base, &next).unwrap();
    let executor = Executor::open(config(1, 0)).unwrap();
    executor.add_code(&giant()).unwrap();
    for (base, input, outcome) in &world.history {
        assert_eq!(executor.execute_round(*base, input).unwrap(), *outcome);
    }
    assert_eq!(executor.execute_round(base, &next).unwrap(), warm);
}

#[test]
fn more_pages_than_the_kernel_maps_apart() {
    let sparse = r#"
        (import "env" "memory" (memory 8192))
        (import "env" "gr_size" (func $size (param i32)))
        (func (export "init"))
        (func (export "handle") (local $at i32)
          (local.set $at (i32.const 65536))
          (loop $more
            (i32.store (local.get $at) (i32.add (i32.load (local.get $at)) (i32.const 1)))
            (local.set $at (i32.add (local.get $at) (i32.const 8192)))
            (br_if $more (i32.lt_u (local.get $at) (i32.const 0x10000000))))
          (call $size (i32.const 4))
          (if (i32.load (i32.const 4)) (then unreachable)))"#;
    let mut world = world(config(1, 2 << 30));
    world.parameters.message_gas_limit = 900_000_000_000;
    let program = world.program(&wat(sparse), b"");
    world.top_up(program, RICH);
    assert_eq!(world.ends(program, b"fail"), ReplyCode::UNREACHABLE);
    assert_eq!(memory(&world, program), (None, None));
    assert!(world.ends(program, b"").is_success());
    let once = memory(&world, program);
    assert_eq!(world.ends(program, b"fail"), ReplyCode::UNREACHABLE);
    assert_eq!(memory(&world, program), once);
}

#[test]
fn many_programs_live_in_a_small_budget() {
    const BUDGET: u64 = 16 << 20;
    let mut world = world(config(2, BUDGET));
    world.parameters.round_gas_limit = 400_000_000_000_000;
    let programs: Vec<ActorId> = (0..2_500).map(|_| world.create(PING)).collect();
    world.codes.truncate(1);
    for program in &programs {
        world.top_up(*program, RICH);
        world.send(*program, ALICE, b"", 0);
    }
    world.run();
    for turn in 1..=3u64 {
        let mut ids = Vec::new();
        for program in &programs {
            ids.push(world.send(*program, ALICE, b"PING", 0));
        }
        let count = world.send(programs[77], ALICE, b"COUNT", 0);
        world.run();
        assert_eq!(world.reply_to(count).payload, turn.to_le_bytes());
        assert!(world.code(ids[2_499]).is_success());
        let stats = world.executor.stats();
        assert!(stats.memory_bytes <= BUDGET, "{stats:?}");
        assert!(stats.programs_in_memory > 10, "{stats:?}");
    }
    let ample = Executor::open(config(2, 2 << 30)).unwrap();
    ample.add_code(PING).unwrap();
    for (base, input, outcome) in &world.history {
        assert_eq!(ample.execute_round(*base, input).unwrap(), *outcome);
    }
    assert_eq!(ample.stats().programs_in_memory, 2_500);
}

#[test]
fn pages_are_read_by_hash() {
    let mut world = world(config(1, 2 << 30));
    let program = world.program(&puppet(), b"");
    assert_eq!(memory(&world, program), (None, None));
    world.ask(
        program,
        &payload(&[Op::Alloc(2), Op::Store(140_000, 3), Op::Store(262_144, 4)]),
    );
    let pages = world
        .executor
        .memory_pages(memory(&world, program).0.unwrap())
        .unwrap();
    assert!(pages[1..].iter().all(Option::is_none));
    let region = world.executor.memory_region(pages[0].unwrap()).unwrap();
    // Where the message lay, and where it wrote.
    assert_eq!(region.keys().copied().collect::<Vec<_>>(), [4, 8, 16]);
    let page = world.executor.read_bytes(region[&8]).unwrap();
    assert_eq!(page.len(), PAGE_SIZE);
    assert_eq!(page[140_000 % PAGE_SIZE..][..4], [3, 0, 0, 0]);
    // What is as it was is not stored.
    world.ask(
        program,
        &payload(&[Op::Store(140_000, 0), Op::Free(4), Op::Free(5)]),
    );
    let pages = memory(&world, program).0.unwrap();
    let pages = world.executor.memory_pages(pages).unwrap();
    let region = world.executor.memory_region(pages[0].unwrap()).unwrap();
    assert_eq!(region.keys().copied().collect::<Vec<_>>(), [4]);
}

/// Fills and copies many pages at once: wasmtime touches them in its own code, not in the program's.
#[test]
fn bulk_operations_touch_pages_like_others() {
    let text = r#"
        (import "env" "memory" (memory 64))
        (import "env" "gr_size" (func $size (param i32)))
        (import "env" "gr_reply" (func $reply (param i32 i32 i32 i32)))
        (func (export "init"))
        (func (export "handle")
          (call $size (i32.const 4))
          (i32.store (i32.const 65536) (i32.add (i32.load (i32.const 65536)) (i32.const 3)))
          (memory.fill (i32.const 70000) (i32.load (i32.const 65536)) (i32.const 500000))
          (memory.copy (i32.const 1500000) (i32.const 60000) (i32.const 520000))
          (if (i32.eq (i32.load (i32.const 4)) (i32.const 1)) (then unreachable))
          (if (i32.eq (i32.load (i32.const 4)) (i32.const 2))
            (then (memory.copy (i32.const 4100000) (i32.const 0) (i32.const 100000))))
          (i32.store (i32.const 8) (i32.load (i32.const 2000000)))
          (call $reply (i32.const 8) (i32.const 4) (i32.const -1) (i32.const 16)))"#;
    let wasm = wat(text);
    let mut hot = world(config(1, 2 << 30));
    let mut cold = world(config(1, 0));
    let programs = [hot.program(&wasm, b""), cold.program(&wasm, b"")];
    let messages = [&b""[..], b"1", b"", b"12", b"1", b"123"];
    let ids = messages.map(|message| hot.send(programs[0], ALICE, message, 0));
    hot.run();
    for (message, id) in messages.iter().zip(ids) {
        let again = cold.send(programs[1], ALICE, message, 0);
        cold.run();
        assert_eq!(ending(&cold, again), ending(&hot, id), "{message:?}");
        let expected = if message.len() % 3 == 0 {
            ReplyCode::SUCCESS_MANUAL
        } else {
            ReplyCode::UNREACHABLE
        };
        assert_eq!(hot.code(id), expected);
    }
    assert_eq!(memory(&hot, programs[0]), memory(&cold, programs[1]));
    // It runs out of gas inside of wasmtime, which must not fail: the message does.
    for limit in [300_000_000, 900_000_000, 1_500_000_000] {
        let before = memory(&hot, programs[0]);
        hot.parameters.message_gas_limit = limit;
        let id = hot.send(programs[0], ALICE, b"", 0);
        hot.run();
        assert_eq!(hot.code(id), ReplyCode::RAN_OUT_OF_GAS);
        assert_eq!(hot.receipt(id).gas_burned, limit);
        assert_eq!(memory(&hot, programs[0]), before);
    }
}
