//! Pages of a program's memory: what they cost, when they are loaded, and how many there may be.

#![allow(clippy::unwrap_used)] // a failed unwrap is a failed test

mod common;
mod puppet;

use common::{ALICE, RICH, World, wat};
use gear_exe_executor::{Executor, ExecutorConfig, gas, state::PAGE_SIZE};
use gear_exe_primitives::{H256, message::ReplyCode};
use puppet::{Op, PUPPET, config, ending, memory, payload, puppet, world};

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
    // Three Gear pages read, two written, two pages of the system written; the second message had them all.
    let pages = 3 * gas::LOAD_PAGE + 2 * gas::STORE_PAGE + 2 * gas::WRITE_PAGE;
    assert_eq!(rounds[0][0] - rounds[0][1], gas::WAKE + pages);
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
    assert!(plain.0 > gas::LOAD_PAGE + gas::STORE_PAGE + gas::WRITE_PAGE);
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

/// One operator fills 512 MiB, or copies them: the message stops at the page for which it cannot pay, long before.
#[test]
fn a_bulk_operation_stops_where_the_gas_does() {
    for operator in ["memory.fill", "memory.copy"] {
        let text = format!(
            r#"(import "env" "memory" (memory 16400))
            (func (export "init"))
            (func (export "handle")
              ({operator} (i32.const 65536) (i32.const 0x20000000) (i32.const 0x20000000)))"#
        );
        let mut world = world(config(1, 2 << 30));
        let program = world.program(&wat(&text), b"");
        let before = memory(&world, program);
        // The bytes cost less than 30 ms, the pages a hundred times as much.
        world.parameters.message_gas_limit = 40_000_000_000;
        assert_eq!(world.ends(program, b""), ReplyCode::RAN_OUT_OF_GAS);
        assert_eq!(memory(&world, program), before);
        let held = world.executor.stats().memory_bytes;
        assert!(held < 32 << 20, "{operator}: {held} bytes");
    }
}

/// Where a message stops that cannot pay for its pages is no matter: in the rest of the round they cost what they cost.
#[test]
fn who_cannot_pay_for_pages_has_paid_for_none() {
    let burned = |first: &[Op]| {
        let mut world = world(config(1, 2 << 30));
        let program = world.program(&puppet(), b"");
        world.ask(program, &payload(&[Op::Alloc(16)]));
        world.parameters.message_gas_limit = 2_000_000_000;
        let failing = world.send(program, ALICE, &payload(first), 0);
        let uses = [Op::Store(262_144, 1), Op::Load(300_000)];
        let id = world.send(program, ALICE, &payload(&uses), 0);
        world.run();
        let code = world.code(failing);
        (code, world.receipt(id).gas_burned)
    };
    let poor = burned(&[Op::Fill(262_144, 256)]);
    assert_eq!(poor.0, ReplyCode::RAN_OUT_OF_GAS);
    let other = burned(&[Op::Trap]);
    assert_eq!(other.0, ReplyCode::UNREACHABLE);
    // The one that trapped paid for where its message lies.
    let own = gas::LOAD_PAGE + gas::STORE_PAGE + gas::WRITE_PAGE;
    assert_eq!(poor.1, other.1 + own);
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

/// With a payload it writes to every page of a GiB, so that each is one of 64. Without, it adds one at two places far
/// apart, and replies what was at the first.
const HEAVY: &str = r#"
    (import "env" "memory" (memory 16400))
    (import "env" "gr_size" (func $size (param i32)))
    (import "env" "gr_reply" (func $reply (param i32 i32 i32 i32)))
    (func (export "init"))
    (func $bump (param $at i32)
      (i32.store (local.get $at) (i32.add (i32.load (local.get $at)) (i32.const 1))))
    (func (export "handle") (local $at i32)
      (call $size (i32.const 4))
      (if (i32.load (i32.const 4)) (then
        (local.set $at (i32.const 65536))
        (loop $more
          (i32.store (local.get $at) (i32.and (i32.shr_u (local.get $at) (i32.const 14)) (i32.const 63)))
          (local.set $at (i32.add (local.get $at) (i32.const 16384)))
          (br_if $more (i32.lt_u (local.get $at) (i32.const 0x40010000)))))
      (else
        (i32.store (i32.const 8) (i32.load (i32.const 0x20004000)))
        (call $bump (i32.const 0x20004000))
        (call $bump (i32.const 0x3ff04000))
        (call $reply (i32.const 8) (i32.const 4) (i32.const -1) (i32.const 16)))))"#;

#[test]
fn a_program_with_a_gibibyte_costs_what_it_touches() {
    let config = |memory_budget| ExecutorConfig {
        memory_budget,
        ..config(2, 0)
    };
    // It never stays.
    let mut cold = world(config(0));
    cold.parameters.message_gas_limit = 1 << 44;
    cold.parameters.round_gas_limit = 1 << 47;
    let program = cold.program(&wat(HEAVY), b"");
    assert!(cold.ends(program, b"fill").is_success());
    let full = cold.root;
    for turn in 0..3u32 {
        let before = cold.executor.stats().pages_loaded;
        assert_eq!(cold.ask(program, b"").payload, (1 + turn).to_le_bytes());
        // The two places, and where the message's length and the reply lie.
        assert_eq!(cold.executor.stats().pages_loaded, before + 3);
    }
    let before = cold.executor.stats().pages_loaded;
    cold.query(program, b"").unwrap();
    assert_eq!(cold.executor.stats().pages_loaded, before + 3);

    // One that stays does the same, and reads nothing when it goes on.
    let warm = Executor::open(config(4 << 30)).unwrap();
    warm.add_code(&wat(HEAVY)).unwrap();
    for (base, input, outcome) in &cold.history {
        assert_eq!(warm.execute_round(*base, input).unwrap(), *outcome);
    }
    assert_eq!(warm.stats().pages_loaded, 0);
    // On another branch it reads what differs there and is touched.
    let (_, input, _) = cold.history.last().unwrap();
    let mut sibling = input.clone();
    sibling.block.hash = H256::repeat_byte(7);
    let ours = warm.execute_round(full, &sibling).unwrap();
    assert_eq!(warm.stats().pages_loaded, 3);
    assert_eq!(cold.executor.execute_round(full, &sibling).unwrap(), ours);
}

/// A message allocates pages that it has freed, which the store still has: they read zero, and if the message fails they
/// are what they were.
#[test]
fn pages_allocated_again_are_zero_before_they_are_loaded() {
    let mut cold = world(config(1, 0));
    let mut warm = world(config(1, 2 << 30));
    let programs = [cold.program(&puppet(), b""), warm.program(&puppet(), b"")];
    let again = [
        Op::FreeRange(5, 6),
        Op::Alloc(2),
        Op::Load(5 << 16),
        Op::Load(6 << 16),
        Op::Store((6 << 16) + 8, 3),
        Op::Load((6 << 16) + 8),
    ];
    let failing = [&again[..], &[Op::Trap]].concat();
    let messages: [&[Op]; 7] = [
        &[Op::Alloc(8), Op::Fill(4 << 16, 128)],
        &failing,
        &[
            Op::Load(5 << 16),
            Op::Load(6 << 16),
            Op::Load((6 << 16) + 8),
        ],
        &again,
        &[
            Op::Load(5 << 16),
            Op::Load(6 << 16),
            Op::Load((6 << 16) + 8),
        ],
        &[Op::FreeRange(8, 11)],
        &[Op::Alloc(4), Op::Load(9 << 16)],
    ];
    for message in messages {
        let replies =
            [(&mut cold, programs[0]), (&mut warm, programs[1])].map(|(world, program)| {
                let id = world.send(program, ALICE, &payload(message), 0);
                world.run();
                (
                    ending(world, id),
                    world.receipt(id).gas_burned,
                    memory(world, program),
                )
            });
        assert_eq!(replies[0], replies[1], "{message:?}");
    }
    assert!(cold.executor.stats().pages_loaded > 0);
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
    world.parameters.message_gas_limit = 1 << 42;
    world.parameters.round_gas_limit = 1 << 45;
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
    for world in [&mut hot, &mut cold] {
        world.parameters.message_gas_limit = 60_000_000_000;
    }
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
    for limit in [300_000_000, 900_000_000, 1_500_000_000, 5_000_000_000] {
        let before = memory(&hot, programs[0]);
        hot.parameters.message_gas_limit = limit;
        let id = hot.send(programs[0], ALICE, b"", 0);
        hot.run();
        assert_eq!(hot.code(id), ReplyCode::RAN_OUT_OF_GAS);
        assert_eq!(hot.receipt(id).gas_burned, limit);
        assert_eq!(memory(&hot, programs[0]), before);
    }
}
