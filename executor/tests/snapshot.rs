//! A state goes to another machine and lives on there as it would here; and nothing hostile gets in.

#![allow(clippy::unwrap_used)] // a failed unwrap is a failed test

mod common;

use codec::{Decode, Encode};
use common::{ALICE, BOB, RICH, World, command, waiter, wat};
use gear_exe_executor::{
    CHUNK_BYTES, Executor, ExecutorConfig, MAX_OBJECT_BYTES, RoundError, SnapshotError, StoreError,
};
use gear_exe_primitives::{ActorId, H160, H256};
use gear_exe_programs::{COUNTER, PING, TROUBLE};

fn cold() -> ExecutorConfig {
    ExecutorConfig {
        threads: 2,
        memory_budget: 0,
        ..ExecutorConfig::default()
    }
}

/// Many programs, with messages wherever there can be some.
fn eventful(world: &mut World) {
    world.parameters.max_round_messages = 100_000;
    world.parameters.max_round_bytes = 1 << 30;
    let many: Vec<_> = (0..150).map(|_| world.create(PING)).collect();
    for (index, program) in many.iter().enumerate() {
        // Every third one starves.
        if index % 3 > 0 {
            world.top_up(*program, RICH);
        }
        world.send(*program, BOB, b"", 0);
    }
    let troubles: Vec<_> = (0..4).map(|_| world.program(TROUBLE, b"")).collect();
    let counter = world.program(COUNTER, b"");
    for (turn, trouble) in troubles.iter().enumerate() {
        world.give(*trouble, 5_000);
        for index in 0..50u8 {
            let user = H160::repeat_byte(index);
            let mail = command("MAILBOX", &[&3u128.to_le_bytes()]);
            world.send(*trouble, user, &mail, 0);
            world.send(*trouble, user, b"WAIT", 1);
            let delay = 2 + u32::from(index) % 9;
            world.send(
                *trouble,
                user,
                &command("DELAY", &[&delay.to_le_bytes()]),
                0,
            );
        }
        world.send(*trouble, ALICE, b"DIRTY", 0);
        world.send(
            *trouble,
            ALICE,
            &[b"WAIT".as_slice(), &[turn as u8; 1_500]].concat(),
            0,
        );
    }
    let exit = command("EXIT", &[counter.as_ref()]);
    world.send(troubles[3], ALICE, &exit, 0);
    world.run();
    // More than rounds have room and gas for.
    world.parameters.max_round_messages = 40;
    world.parameters.round_gas_limit = 3 * world.parameters.message_gas_limit;
    for turn in 0..30u128 {
        for trouble in &troubles[..3] {
            let mail = command("MAILBOX", &[&1u128.to_le_bytes()]);
            world.send(*trouble, BOB, &mail, turn);
            let next = command("SEND", &[counter.as_ref(), &0u128.to_le_bytes(), b"x"]);
            world.send(*trouble, BOB, &next, 0);
        }
        world.send(many[1], ALICE, &[turn as u8; 1_400], turn);
    }
    world.round();
    world.round();
    assert!(world.history.last().unwrap().2.work_left);
}

fn chunks(executor: &Executor, root: H256) -> Vec<Vec<u8>> {
    executor.export(root).unwrap().map(Result::unwrap).collect()
}

/// The next rounds.
fn more(world: &mut World) -> usize {
    let from = world.history.len();
    for turn in 0..12u32 {
        for program in world.programs.clone().into_iter().step_by(7) {
            world.send(program, ALICE, b"BUMP", 1);
        }
        if turn == 2 {
            let poor = world.programs[3];
            world.top_up(poor, RICH);
        }
        world.round();
    }
    world.run();
    from
}

fn import(executor: &Executor, root: H256, chunks: &[Vec<u8>]) {
    let mut import = executor.importer(root).unwrap();
    for (number, chunk) in (1..).zip(chunks) {
        assert!(!import.progress().complete);
        assert_eq!(import.push(chunk).unwrap().chunks, number);
    }
    assert!(import.progress().complete);
    import.finish().unwrap();
}

#[test]
fn a_state_lives_on_where_it_was_taken() {
    let mut world = World::with(cold());
    eventful(&mut world);
    let root = world.root;
    let stream = chunks(&world.executor, root);
    assert!(stream.len() > 1);
    for (number, chunk) in stream.iter().enumerate() {
        let objects = Vec::<Vec<u8>>::decode(&mut chunk.as_slice()).unwrap();
        let bytes: usize = objects.iter().map(Vec::len).sum();
        // The last object fills it.
        assert!(bytes - objects.last().unwrap().len() < CHUNK_BYTES);
        assert!(bytes >= CHUNK_BYTES || number + 1 == stream.len());
    }
    let other = Executor::open(cold()).unwrap();
    import(&other, root, &stream);
    // Whoever has the state cuts the same chunks.
    assert_eq!(chunks(&other, root), stream);
    assert_eq!(
        other.program_ids(root).unwrap(),
        world.executor.program_ids(root).unwrap()
    );
    // And goes on with it in the same way.
    let from = more(&mut world);
    for (base, input, outcome) in &world.history[from..] {
        assert_eq!(&other.execute_round(*base, input).unwrap(), outcome);
    }
    // What is kept of it is counted as if it had grown here.
    let all: Vec<_> = world
        .history
        .iter()
        .map(|round| round.1.block.hash)
        .collect();
    let (old, last) = all.split_at(all.len() - 1);
    world.executor.forget(old, None).unwrap();
    other.forget(old, None).unwrap();
    assert_eq!(world.executor.stored().unwrap(), other.stored().unwrap());
    other.forget(last, None).unwrap();
    assert_eq!(other.stored().unwrap().objects, 0);
}

#[test]
fn an_import_goes_on_after_a_restart() {
    let mut world = World::with(cold());
    eventful(&mut world);
    let stream = chunks(&world.executor, world.root);
    let folder = tempfile::tempdir().unwrap();
    let open = || {
        Executor::open(ExecutorConfig {
            path: Some(folder.path().join("store")),
            ..cold()
        })
        .unwrap()
    };
    for (number, chunk) in stream.iter().enumerate() {
        let executor = open();
        let mut import = executor.importer(world.root).unwrap();
        assert_eq!(import.progress().chunks, number as u64);
        import.push(chunk).unwrap();
        // What is not whole is no state.
        assert_eq!(executor.stored().unwrap().objects, 0);
    }
    let executor = open();
    executor.importer(world.root).unwrap().finish().unwrap();
    let from = more(&mut world);
    let (base, input, outcome) = &world.history[from];
    assert_eq!(&executor.execute_round(*base, input).unwrap(), outcome);
    // A state that is there needs nothing.
    let import = executor.importer(outcome.state_root).unwrap();
    assert!(import.progress().complete);
    import.finish().unwrap();
    drop(executor);
    let executor = open();
    let (base, input, outcome) = &world.history[from + 1];
    assert_eq!(&executor.execute_round(*base, input).unwrap(), outcome);
}

#[test]
fn another_import_takes_the_place_of_one_that_is_not_whole() {
    let mut world = World::with(cold());
    eventful(&mut world);
    let (old, stream) = (world.root, chunks(&world.executor, world.root));
    world.round();
    let next = chunks(&world.executor, world.root);
    let executor = Executor::open(cold()).unwrap();
    let mut first = executor.importer(old).unwrap();
    first.push(&stream[0]).unwrap();
    import(&executor, world.root, &next);
    // What the first one had taken is gone.
    assert!(matches!(
        first.push(&stream[1]),
        Err(SnapshotError::Unknown(root)) if root == old
    ));
    assert!(matches!(first.finish(), Err(SnapshotError::Incomplete(_))));
    assert_eq!(executor.importer(old).unwrap().progress().chunks, 0);
    executor.drop_import().unwrap();
    assert!(executor.program_ids(world.root).unwrap().len() > 100);
    // A finished one cannot be finished again.
    let again = executor.importer(world.root).unwrap();
    let twice = executor.importer(world.root).unwrap();
    again.finish().unwrap();
    assert!(matches!(twice.finish(), Err(SnapshotError::Unknown(_))));
}

#[test]
fn rounds_run_while_a_state_arrives() {
    let mut world = World::with(cold());
    eventful(&mut world);
    let stream = chunks(&world.executor, world.root);
    // The same history, and a part of its end by the stream: what is there of it twice is counted right.
    let other = Executor::open(cold()).unwrap();
    for code in [PING, TROUBLE, COUNTER] {
        other.add_code(code).unwrap();
    }
    let mut import = other.importer(world.root).unwrap();
    let mut rounds = world.history.iter();
    for chunk in &stream {
        import.push(chunk).unwrap();
        if let Some((base, input, outcome)) = rounds.next() {
            assert_eq!(&other.execute_round(*base, input).unwrap(), outcome);
        }
    }
    import.finish().unwrap();
    for (base, input, outcome) in rounds {
        assert_eq!(&other.execute_round(*base, input).unwrap(), outcome);
    }
    let all: Vec<_> = world
        .history
        .iter()
        .map(|round| round.1.block.hash)
        .collect();
    other.forget(&all, Some(world.root)).unwrap();
    assert_eq!(chunks(&other, world.root), stream);
    other.forget(&[], None).unwrap();
    assert_eq!(other.stored().unwrap().objects, 0);
}

/// Lists of objects that are no chunk, or not the one that is due, be it by where they are cut.
fn forged(stream: &[Vec<u8>], number: usize, foreign: &[u8]) -> Vec<Vec<u8>> {
    let right = Vec::<Vec<u8>>::decode(&mut stream[number].as_slice()).unwrap();
    let mut all = vec![
        Vec::new(),
        vec![1],
        Vec::<Vec<u8>>::new().encode(),
        foreign.to_vec(),
        [&stream[number][..], &[0]].concat(),
        stream[number][..stream[number].len() - 1].to_vec(),
        vec![vec![0u8; MAX_OBJECT_BYTES + 1]].encode(),
        vec![vec![0u8; CHUNK_BYTES]; 2].encode(),
        vec![0xff; MAX_OBJECT_BYTES + 100],
        vec![0xfe, 0xff, 0xff, 0xff],
        // As many empty ones as there is room for.
        vec![Vec::<u8>::new(); 1 << 20].encode(),
    ];
    if let Some(next) = stream.get(number + 1) {
        let next = Vec::<Vec<u8>>::decode(&mut next.as_slice()).unwrap();
        all.push([&right[..], &next[..1]].concat().encode());
        all.push([right.clone(), next].concat().encode());
    }
    for other in [number.wrapping_sub(1), number + 1] {
        all.extend(stream.get(other).cloned());
    }
    for at in [0, right.len() / 2, right.len() - 1] {
        let mut objects = right.clone();
        let middle = objects[at].len() / 2;
        objects[at][middle] ^= 1;
        all.push(objects.encode());
        let mut objects = right.clone();
        objects.remove(at);
        all.push(objects.encode());
        let mut objects = right.clone();
        objects.insert(at, right[0].clone());
        all.push(objects.encode());
        let mut objects = right.clone();
        objects.push(right[at].clone());
        all.push(objects.encode());
    }
    if right.len() > 1 {
        let mut objects = right.clone();
        objects.swap(0, 1);
        all.push(objects.encode());
    }
    all
}

#[test]
fn what_is_not_due_is_refused() {
    let mut world = World::with(cold());
    eventful(&mut world);
    let mut foreign = World::new();
    foreign.program(PING, b"");
    let foreign = chunks(&foreign.executor, foreign.root);
    let stream = chunks(&world.executor, world.root);
    let executor = Executor::open(cold()).unwrap();
    let mut import = executor.importer(world.root).unwrap();
    for (number, chunk) in stream.iter().enumerate() {
        let before = import.progress();
        for forged in forged(&stream, number, &foreign[0]) {
            let refused = import.push(&forged);
            assert!(
                matches!(
                    refused,
                    Err(SnapshotError::Chunk | SnapshotError::Wrong(_) | SnapshotError::Excess)
                ),
                "{number}: {refused:?}"
            );
            assert_eq!(import.progress(), before);
        }
        import.push(chunk).unwrap();
    }
    assert!(matches!(
        import.push(&stream[0]),
        Err(SnapshotError::Excess)
    ));
    import.finish().unwrap();
    let from = more(&mut world);
    let (base, input, outcome) = &world.history[from];
    assert_eq!(&executor.execute_round(*base, input).unwrap(), outcome);
}

#[test]
fn a_state_that_is_not_whole_is_none() {
    let mut world = World::with(cold());
    eventful(&mut world);
    let stream = chunks(&world.executor, world.root);
    let executor = Executor::open(cold()).unwrap();
    let mut import = executor.importer(world.root).unwrap();
    for chunk in &stream[..stream.len() - 1] {
        import.push(chunk).unwrap();
    }
    assert!(matches!(import.finish(), Err(SnapshotError::Incomplete(_))));
    let from = more(&mut world);
    let (base, input, _) = &world.history[from];
    for code in [PING, TROUBLE, COUNTER] {
        executor.add_code(code).unwrap();
    }
    let refused = executor.execute_round(*base, input);
    assert!(matches!(
        refused,
        Err(RoundError::Store(StoreError::Missing(hash))) if hash == *base
    ));
    assert!(executor.export(*base).is_err());
}

#[test]
fn the_same_page_a_thousand_times_goes_once() {
    let mut world = World::with(cold());
    // Writes the same into every page of 16 MiB.
    let program = world.program(
        &wat(r#"(import "env" "memory" (memory 256))
            (func (export "init"))
            (func (export "handle") (local $at i32)
              (loop $next
                (i32.store (local.get $at) (i32.const 77))
                (local.set $at (i32.add (local.get $at) (i32.const 16384)))
                (br_if $next (i32.lt_u (local.get $at) (i32.const 16777216)))))"#),
        b"",
    );
    assert!(world.ends(program, b"").is_success());
    let stream = chunks(&world.executor, world.root);
    let bytes: usize = stream.iter().map(Vec::len).sum();
    assert!(bytes < 100_000, "{bytes}");
    let other = Executor::open(cold()).unwrap();
    import(&other, world.root, &stream);
    assert!(world.ends(program, b"").is_success());
    let (base, input, outcome) = world.history.last().unwrap();
    assert_eq!(&other.execute_round(*base, input).unwrap(), outcome);
}

/// Messages that wait so that their waitlist is one node, of which every byte can be foretold.
fn waiting(world: &mut World, first: impl FnOnce(&mut World)) -> ActorId {
    let (_, program) = (world.program(PING, b""), world.program(&waiter(), b""));
    first(world);
    for turn in 0..8u8 {
        world.send(program, ALICE, &[turn; 1_300], 0);
    }
    world.round();
    program
}

#[test]
fn a_payload_never_passes_for_an_object() {
    // What the waitlist's node will be.
    let mut first = World::with(cold());
    let program = waiting(&mut first, |world| {
        world.next_id(world.programs[0]);
        world.round();
    });
    let hash = first.state(program).waitlist_hash.unwrap();
    let node = first.executor.read_bytes(hash).unwrap();
    assert!(node.len() >= gear_exe_executor::state::INLINE_PAYLOAD);
    // Somebody knows, and says it before: as long as it is a payload, it names nothing.
    let mut second = World::with(cold());
    let again = waiting(&mut second, |world| {
        world.parameters.round_gas_limit = 0;
        world.send(world.programs[0], BOB, &node, 0);
        world.round();
        world.parameters.round_gas_limit = first.parameters.round_gas_limit;
    });
    assert_eq!(second.state(again).waitlist_hash, Some(hash));
    assert_eq!(second.waitlist(again), first.waitlist(program));
    let stream = chunks(&second.executor, second.root);
    let other = Executor::open(cold()).unwrap();
    import(&other, second.root, &stream);
    second.pass(8);
    for (base, input, outcome) in second.history.iter().rev().take(8).rev() {
        assert_eq!(&other.execute_round(*base, input).unwrap(), outcome);
    }
}
