//! A state is taken over object by object, from whoever has it, beside what is there already; and what is damaged is mended.

#![allow(clippy::unwrap_used)] // a failed unwrap is a failed test

mod common;

use common::{ALICE, BOB, RICH, World, command};
use gear_exe_executor::{Executor, ExecutorConfig, Import, RoundError, SnapshotError, StoreError};
use gear_exe_primitives::{CodeId, H256, proof::Kind};
use gear_exe_programs::{COUNTER, PING, TROUBLE};
use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};
use std::path::Path;

fn cold() -> ExecutorConfig {
    ExecutorConfig {
        threads: 2,
        memory_budget: 0,
        ..ExecutorConfig::default()
    }
}

fn stored(folder: &Path) -> ExecutorConfig {
    ExecutorConfig {
        path: Some(folder.join("store")),
        ..cold()
    }
}

fn eventful(world: &mut World) {
    let troubles: Vec<_> = (0..3).map(|_| world.program(TROUBLE, b"")).collect();
    for program in (0..60).map(|_| world.create(PING)).collect::<Vec<_>>() {
        world.top_up(program, RICH);
        world.send(program, BOB, b"", 0);
    }
    for trouble in &troubles {
        world.give(*trouble, 1_000);
        for turn in 0..20u8 {
            world.send(*trouble, ALICE, b"WAIT", 1);
            world.send(*trouble, ALICE, b"DIRTY", 0);
            let mail = command("MAILBOX", &[&3u128.to_le_bytes()]);
            world.send(*trouble, BOB, &mail, 0);
            let long = [b"WAIT".as_slice(), &[turn; 1_500]].concat();
            world.send(*trouble, ALICE, &long, 0);
        }
    }
    world.program(COUNTER, b"");
    world.run();
}

fn get(from: &Executor, kind: Kind, hash: H256) -> Vec<u8> {
    if kind == Kind::Code {
        return from.code(CodeId(hash)).unwrap().unwrap();
    }
    let (tag, bytes) = from.object(hash).unwrap().unwrap();
    assert_eq!(tag, kind.tag());
    bytes
}

/// Takes all of it, `most` objects at a time. Returns how many there were.
fn take_all(import: &mut Import<'_>, from: &Executor, most: usize) -> u64 {
    let before = import.progress().objects;
    loop {
        let due = import.due(most);
        if due.is_empty() {
            break;
        }
        // In the wrong order.
        let objects = due.iter().rev();
        let objects: Vec<_> = objects
            .map(|(kind, hash)| (*kind, *hash, get(from, *kind, *hash)))
            .collect();
        import.take(&objects).unwrap();
    }
    assert!(import.progress().complete);
    import.progress().objects - before
}

fn chunks(executor: &Executor, root: H256) -> Vec<Vec<u8>> {
    executor.export(root).unwrap().map(Result::unwrap).collect()
}

#[test]
fn a_state_is_taken_over_whatever_is_asked_for_at_a_time() {
    let mut world = World::with(cold());
    eventful(&mut world);
    let root = world.root;
    let stream = chunks(&world.executor, root);
    let input = world.input();
    let expected = world.executor.execute_round(root, &input).unwrap();
    let mut counts = Vec::new();
    for most in [1, 7, 512] {
        let other = Executor::open(cold()).unwrap();
        let mut import = other.importer(root).unwrap();
        counts.push(take_all(&mut import, &world.executor, most));
        import.finish().unwrap();
        assert_eq!(chunks(&other, root), stream);
        assert_eq!(other.execute_round(root, &input).unwrap(), expected);
        other.forget(&[input.block.hash], None).unwrap();
        assert_eq!(other.stored().unwrap().objects, 0);
    }
    assert!(counts.iter().all(|count| *count == counts[0]), "{counts:?}");
}

#[test]
fn what_is_there_of_an_earlier_state_is_not_asked_for_again() {
    let mut world = World::with(cold());
    eventful(&mut world);
    let other = Executor::open(cold()).unwrap();
    let mut import = other.importer(world.root).unwrap();
    let all = take_all(&mut import, &world.executor, 64);
    import.finish().unwrap();
    let program = world.programs[0];
    world.send(program, ALICE, b"BUMP", 0);
    world.run();
    let root = world.root;
    let mut import = other.importer(root).unwrap();
    let more = take_all(&mut import, &world.executor, 64);
    assert!(more * 3 < all, "{more} of {all}");
    import.finish().unwrap();
    assert_eq!(chunks(&other, root), chunks(&world.executor, root));
    // The earlier one is not kept any more, and everything is counted right.
    other.forget(&[], None).unwrap();
    assert_eq!(other.stored().unwrap().objects, 0);
}

#[test]
fn what_was_forgotten_meanwhile_is_noticed_and_asked_for() {
    let mut world = World::with(cold());
    eventful(&mut world);
    let other = Executor::open(cold()).unwrap();
    let mut import = other.importer(world.root).unwrap();
    take_all(&mut import, &world.executor, 64);
    import.finish().unwrap();
    world.send(world.programs[0], ALICE, b"BUMP", 0);
    world.run();
    let mut import = other.importer(world.root).unwrap();
    take_all(&mut import, &world.executor, 64);
    other.forget(&[], None).unwrap();
    assert!(matches!(
        import.finish(),
        Err(SnapshotError::Store(StoreError::Missing(_)))
    ));
    other.drop_import().unwrap();
    let mut import = other.importer(world.root).unwrap();
    take_all(&mut import, &world.executor, 64);
    import.finish().unwrap();
    assert_eq!(
        chunks(&other, world.root),
        chunks(&world.executor, world.root)
    );
}

#[test]
fn nothing_wrong_is_taken() {
    let mut world = World::with(cold());
    eventful(&mut world);
    let other = Executor::open(cold()).unwrap();
    let mut import = other.importer(world.root).unwrap();
    let (kind, hash) = import.due(9)[0];
    let right = get(&world.executor, kind, hash);
    let mut wrong = right.clone();
    wrong[0] ^= 1;
    for (kind, hash, bytes) in [
        (kind, hash, wrong),
        (kind, hash, Vec::new()),
        (Kind::Bytes, hash, right.clone()),
        (kind, hash, vec![0; gear_exe_executor::MAX_OBJECT_BYTES + 1]),
    ] {
        let before = import.progress();
        assert!(matches!(
            import.take(&[(kind, hash, bytes)]),
            Err(SnapshotError::Wrong(wrong)) if wrong == hash
        ));
        assert_eq!(import.progress(), before);
    }
    // What nobody has asked for is left aside.
    let foreign = b"not due".to_vec();
    let name = Kind::Bytes.hash(&foreign);
    import
        .take(&[(Kind::Bytes, name, foreign), (kind, hash, right)])
        .unwrap();
    assert_eq!(import.progress().objects, 1);
    take_all(&mut import, &world.executor, 8);
    import.finish().unwrap();
    assert!(other.object(name).unwrap().is_none());
}

/// Changes a byte in the middle of every row that `which` picks. Returns how many there were.
fn damage(path: &Path, table: &'static str, which: impl Fn(&[u8]) -> bool) -> usize {
    let table = TableDefinition::<[u8; 32], &[u8]>::new(table);
    let database = Database::open(path).unwrap();
    let rows: Vec<_> = {
        let transaction = database.begin_read().unwrap();
        let table = transaction.open_table(table).unwrap();
        let rows = table.iter().unwrap().map(Result::unwrap);
        rows.filter(|(_, value)| which(value.value()))
            .map(|(key, value)| (key.value(), value.value().to_vec()))
            .collect()
    };
    let transaction = database.begin_write().unwrap();
    {
        let mut table = transaction.open_table(table).unwrap();
        for (key, mut value) in rows.clone() {
            let middle = value.len() / 2;
            value[middle] ^= 1;
            table.insert(key, value.as_slice()).unwrap();
        }
    }
    transaction.commit().unwrap();
    rows.len()
}

#[test]
fn a_damaged_store_is_mended_object_by_object() {
    let mut whole = World::with(cold());
    let folder = tempfile::tempdir().unwrap();
    let mut world = World::with(stored(folder.path()));
    for world in [&mut whole, &mut world] {
        eventful(world);
        let program = world.programs[0];
        world.send(program, ALICE, b"BUMP", 0);
        world.send(program, ALICE, b"DIRTY", 0);
    }
    let (root, input) = (world.root, world.input());
    let expected = whole.executor.execute_round(root, &input).unwrap();
    drop(world);
    // All states of programs, pages and long payloads.
    let path = folder.path().join("store");
    let damaged = damage(&path, "content", |row| [0, 2].contains(&row[0]));
    assert!(damaged > 10, "{damaged}");
    let executor = Executor::open(stored(folder.path())).unwrap();
    let mut mended = 0;
    let outcome = loop {
        match executor.execute_round(root, &input) {
            Ok(outcome) => break outcome,
            Err(RoundError::Store(StoreError::Corrupt(hash))) => {
                let (tag, bytes) = whole.executor.object(hash).unwrap().unwrap();
                let other = [&bytes[..], &[0]].concat();
                assert!(executor.restore(hash, tag, other).is_err());
                assert!(executor.restore(hash, tag ^ 8, bytes.clone()).is_err());
                executor.restore(hash, tag, bytes).unwrap();
                mended += 1;
            }
            Err(error) => panic!("{error}"),
        }
    };
    assert!(mended >= 2 && mended < damaged, "{mended} of {damaged}");
    assert_eq!(outcome, expected);
}

#[test]
fn a_damaged_code_is_mended() {
    let folder = tempfile::tempdir().unwrap();
    let executor = Executor::open(stored(folder.path())).unwrap();
    let code = executor.add_code(PING).unwrap();
    drop(executor);
    assert_eq!(damage(&folder.path().join("store"), "codes", |_| true), 1);
    let executor = Executor::open(stored(folder.path())).unwrap();
    assert!(matches!(executor.code(code), Err(StoreError::Corrupt(_))));
    assert_eq!(executor.add_code(PING).unwrap(), code);
    assert_eq!(executor.code(code).unwrap().unwrap(), PING);
}
