//! Streams that are to become a state: chunks changed, cut, put in another order, from another state, with lengths that
//! nothing stands behind; imports that begin in the middle of another; rounds in between. And states that nobody has
//! computed, whose hashes are right all the way up.
//!
//! A chunk is taken if it is the one that is due, and else changes nothing. Whatever came before, the right chunks make the
//! announced state, on which rounds go on as where it was made, and which leaves nothing behind when it is forgotten.

use crate::{
    common::{ALICE, BOB, World, command, wat},
    source::Source,
    stage::{reach, scale},
};
use codec::{Compact, Decode, Encode};
use gear_exe_executor::{
    CHUNK_BYTES, Executor, ExecutorConfig, Import, MAX_CHUNK_BYTES, MAX_OBJECT_BYTES,
    SnapshotError, named_by,
};
use gear_exe_primitives::{
    H160, H256,
    proof::Kind,
    round::{RoundInput, RoundOutcome},
};
use gear_exe_programs::{COUNTER, ENVOY, PING, STEWARD, TROUBLE};
use std::{
    cell::RefCell,
    collections::{HashMap, HashSet},
};

/// Inputs of one hall.
const INPUTS: usize = 5_000;

thread_local! {
    static HALL: RefCell<Option<Hall>> = const { RefCell::new(None) };
}

/// Plays what `data` stands for.
///
/// # Panics
///
/// If the executor breaks a promise.
pub fn run(data: &[u8]) {
    let mut hall = HALL.take().unwrap_or_else(Hall::new);
    hall.play(&mut Source(data));
    hall.played += 1;
    if hall.played < INPUTS {
        HALL.set(Some(hall));
    }
}

/// A state as it is sent.
struct Sent {
    root: H256,
    chunks: Vec<Vec<u8>>,
    /// How long the objects of all chunks are.
    bytes: u64,
}

/// An object of the first state.
struct Object {
    kind: Kind,
    bytes: Vec<u8>,
    hash: H256,
    /// Where the first is that names it.
    parent: usize,
}

/// Codes and payloads may have one hash.
type Key = (bool, H256);

fn key(kind: Kind, hash: H256) -> Key {
    (kind == Kind::Code, hash)
}

/// Two states, and an executor that is to have them.
struct Hall {
    executor: Executor,
    states: [Sent; 2],
    /// Of the first state, in the order of the stream.
    objects: Vec<Object>,
    /// The rounds that led to it.
    history: Vec<(H256, RoundInput, RoundOutcome)>,
    /// The round after it.
    next: (RoundInput, RoundOutcome),
    forged: u64,
    played: usize,
}

fn open() -> Executor {
    Executor::open(ExecutorConfig {
        path: None,
        threads: 2,
        memory_budget: 1 << 20,
    })
    .unwrap()
}

/// Every kind of object that a state can have.
fn prepare(world: &mut World) {
    let fill = r#"(import "env" "memory" (memory 8))
        (func (export "init"))
        (func (export "handle") (local $at i32)
          (loop $next
            (i32.store (local.get $at) (i32.add (local.get $at) (i32.const 7)))
            (local.set $at (i32.add (local.get $at) (i32.const 16384)))
            (br_if $next (i32.lt_u (local.get $at) (i32.const 524288)))))"#;
    let fill = world.program(&wat(fill), b"");
    world.ask(fill, b"");
    let troubles = [world.program(TROUBLE, b""), world.program(TROUBLE, b"")];
    let steward = world.program(STEWARD, b"");
    world.program(ENVOY, b"");
    let counter = world.program(COUNTER, b"");
    let poor = world.create(PING);
    world.send(poor, BOB, b"PING", 0);
    world.parameters.max_wait = 50;
    for index in 0..24u8 {
        let user = H160::repeat_byte(index);
        let mail = command("MAILBOX", &[&3u128.to_le_bytes()]);
        world.send(troubles[0], user, &mail, 9);
        world.send(troubles[0], user, b"WAIT", 1);
        let delay = 20 + u32::from(index);
        world.send(
            troubles[1],
            user,
            &command("DELAY", &[&delay.to_le_bytes()]),
            0,
        );
        let blocks = 30u32.to_le_bytes();
        let reserve = command("RESERVE", &[&100_000_000u64.to_le_bytes(), &blocks]);
        world.send(steward, user, &reserve, 0);
    }
    world.send(steward, BOB, &command("RANDOM", &[&[7; 32]]), 0);
    world.run();
    world.send(troubles[1], ALICE, &command("EXIT", &[counter.as_ref()]), 0);
    world.run();
    // More than a round takes: in queues, for Ethereum, for others, and from outside.
    world.parameters.max_round_messages = 12;
    world.parameters.round_gas_limit = 3 * world.parameters.message_gas_limit;
    for turn in 0..20u128 {
        let mail = command("MAILBOX", &[&1u128.to_le_bytes()]);
        world.send(troubles[0], BOB, &mail, turn);
        let next = command("SEND", &[counter.as_ref(), &0u128.to_le_bytes(), b"x"]);
        world.send(troubles[0], BOB, &next, 0);
        world.send(fill, ALICE, &[turn as u8; 1_400], 0);
    }
    world.round();
    world.round();
}

fn stream(executor: &Executor, root: H256) -> Sent {
    let chunks = executor.export(root).unwrap();
    let chunks: Vec<Vec<u8>> = chunks.map(Result::unwrap).collect();
    let objects = chunks.iter().flat_map(|chunk| objects(chunk));
    Sent {
        root,
        bytes: objects.map(|object| object.len() as u64).sum(),
        chunks,
    }
}

fn objects(chunk: &[u8]) -> Vec<Vec<u8>> {
    Vec::decode(&mut &chunk[..]).unwrap()
}

/// Chunks of these objects, as an export cuts them.
fn cut(objects: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    let (mut chunks, mut chunk, mut size) = (Vec::new(), Vec::new(), 0);
    for object in objects {
        size += object.len();
        chunk.push(object);
        if size >= CHUNK_BYTES {
            chunks.push(std::mem::take(&mut chunk).encode());
            size = 0;
        }
    }
    if !chunk.is_empty() {
        chunks.push(chunk.encode());
    }
    chunks
}

impl Hall {
    fn new() -> Self {
        let mut world = World::with(ExecutorConfig {
            path: None,
            threads: 2,
            ..ExecutorConfig::default()
        });
        prepare(&mut world);
        let first = stream(&world.executor, world.root);
        let history = world.history.clone();
        for program in world.programs.clone() {
            world.send(program, ALICE, b"BUMP", 0);
        }
        world.round();
        let (_, input, outcome) = world.history.last().unwrap().clone();
        let second = stream(&world.executor, world.root);
        assert!(first.chunks.len() > 2);
        let executor = open();
        for code in history.iter().flat_map(|(_, input, _)| &input.codes) {
            let wasm = world.executor.code(*code).unwrap().unwrap();
            executor.add_code(&wasm).unwrap();
        }
        let mut bytes = first.chunks.iter().flat_map(|chunk| objects(chunk));
        let mut all: Vec<Object> = Vec::new();
        let (mut open, mut seen) = (vec![(Kind::Root, first.root, 0)], HashSet::new());
        while let Some((kind, hash, parent)) = open.pop() {
            if !seen.insert(key(kind, hash)) {
                continue;
            }
            let bytes = bytes.next().unwrap();
            assert_eq!(kind.hash(&bytes), hash);
            let below = named_by(kind, &bytes).unwrap().into_iter().rev();
            open.extend(below.map(|(kind, hash)| (kind, hash, all.len())));
            all.push(Object {
                kind,
                bytes,
                hash,
                parent,
            });
        }
        assert!(bytes.next().is_none());
        drop(bytes);
        Self {
            executor,
            states: [first, second],
            objects: all,
            history,
            next: (input, outcome),
            forged: 0,
            played: 0,
        }
    }

    fn play(&mut self, source: &mut Source<'_>) {
        let (mut executed, mut forgeries) = (0, 0);
        let mut importing = Importing::begin(&self.executor, &self.states[0]);
        for _ in 0..40 {
            if source.is_empty() {
                break;
            }
            match source.below(16) {
                0..5 => importing.push(&importing.due().cloned().unwrap_or_default()),
                5 => {
                    let chunks = &source.pick(&[&self.states[0], &self.states[1]]).chunks;
                    importing.push(&chunks[source.below(chunks.len())]);
                }
                6 | 7 => importing.push(&changed(source, importing.due(), &self.states[1])),
                8 | 9 => importing.push(&arranged(source, importing.due(), &self.states[1])),
                10 => importing.push(&hostile(source)),
                11 => {
                    // Another one takes its place, or it is taken up again.
                    let state = source.pick(&[&self.states[0], &self.states[1]]);
                    let old = importing;
                    importing = Importing::begin(&self.executor, state);
                    old.end_replaced_by(&importing);
                }
                12 => {
                    self.executor.drop_import().unwrap();
                    importing.end_dropped();
                    importing = Importing::begin(&self.executor, &self.states[0]);
                }
                13 => {
                    importing.finish();
                    importing = Importing::begin(&self.executor, &self.states[0]);
                }
                14 => {
                    for _ in 0..=source.below(8) {
                        let Some((base, input, outcome)) = self.history.get(executed) else {
                            break;
                        };
                        let own = self.executor.execute_round(*base, input).unwrap();
                        assert_eq!(own, *outcome);
                        executed += 1;
                    }
                }
                _ if forgeries < 4 => {
                    forgeries += 1;
                    drop(importing);
                    self.forge(source, executed);
                    importing = Importing::begin(&self.executor, &self.states[0]);
                }
                _ => {}
            }
        }
        drop(importing);
        self.end(executed);
    }

    /// After all that, the right chunks make the state.
    fn end(&mut self, executed: usize) {
        let state = &self.states[0];
        let mut importing = Importing::begin(&self.executor, state);
        while let Some(due) = importing.due().cloned() {
            importing.push(&due);
        }
        importing.finish();
        assert_eq!(stream(&self.executor, state.root).chunks, state.chunks);
        let (input, outcome) = &self.next;
        let own = self.executor.execute_round(state.root, input).unwrap();
        assert_eq!(own, *outcome);
        let done = self.history[..executed].iter().map(|(_, input, _)| input);
        let blocks: Vec<H256> = done.chain([input]).map(|input| input.block.hash).collect();
        assert_eq!(self.executor.forget(&blocks, None).unwrap(), blocks.len());
        self.executor.drop_import().unwrap();
        let left = self.executor.stored().unwrap();
        assert_eq!((left.objects, left.rounds), (0, 0), "something is left");
    }

    /// A state that has the hash that it says, but that no round has made: one object is changed, and all that lead to it
    /// name the new ones. It may be refused, and a round on it may fail; nothing else may happen.
    fn forge(&mut self, source: &mut Source<'_>, executed: usize) {
        let mut at = usize::from(source.u16()) % self.objects.len();
        let mut bytes = self.objects[at].bytes.clone();
        for _ in 0..=source.below(3) {
            change(source, &mut bytes, &[]);
        }
        let mut objects: HashMap<Key, &[u8]> = HashMap::new();
        for object in &self.objects {
            objects.insert(key(object.kind, object.hash), &object.bytes);
        }
        let mut new = Vec::new();
        let root = loop {
            let object = &self.objects[at];
            let hash = object.kind.hash(&bytes);
            new.push((key(object.kind, hash), bytes));
            if at == 0 {
                break hash;
            }
            at = object.parent;
            bytes = self.objects[at].bytes.clone();
            let length = bytes.len().saturating_sub(31);
            for from in 0..length {
                if bytes[from..from + 32] == object.hash.0 {
                    bytes[from..from + 32].copy_from_slice(&hash.0);
                }
            }
        };
        objects.extend(new.iter().map(|(key, bytes)| (*key, bytes.as_slice())));
        let chunks = cut(walk(root, &objects));
        // Nothing but the rounds that were executed.
        self.executor.forget(&[], None).unwrap();
        let before = self.executor.stored().unwrap();
        let mut import = self.executor.importer(root).unwrap();
        let mut chunks = chunks.iter();
        while !import.progress().complete {
            let Some(chunk) = chunks.next() else {
                break;
            };
            match import.push(chunk) {
                Ok(_) => {}
                // One that names what there is not ends before it is full.
                Err(
                    SnapshotError::Malformed(_) | SnapshotError::Code(_) | SnapshotError::Chunk,
                ) => {
                    reach(34, 1);
                    break;
                }
                Err(error) => panic!("a forged state: {error}"),
            }
        }
        if !import.progress().complete {
            drop(import);
            self.executor.drop_import().unwrap();
            assert_eq!(self.executor.stored().unwrap(), before);
            return;
        }
        import.finish().unwrap();
        self.use_forged(root);
        // Rounds that the input has executed stay.
        let left = self.executor.stored().unwrap();
        assert_eq!(left.rounds, executed as u64);
        assert_eq!(
            left.objects, before.objects,
            "something is left of a forged state"
        );
    }

    fn use_forged(&mut self, root: H256) {
        let again: usize = self.executor.export(root).unwrap().flatten().count();
        assert!(again > 0);
        let mut read = 0;
        for program in self.executor.program_ids(root).unwrap_or_default() {
            let Ok(Some(record)) = self.executor.program(root, program) else {
                continue;
            };
            let Ok(state) = self.executor.read_state(record.state_hash) else {
                continue;
            };
            let queue = state.canonical_queue.hash;
            read += usize::from(queue.is_some_and(|hash| self.executor.queue(hash).is_ok()));
            let all = state.waitlist_hash;
            read += usize::from(all.is_some_and(|hash| self.executor.waitlist(hash).is_ok()));
            let all = state.stash_hash;
            read += usize::from(all.is_some_and(|hash| self.executor.stash(hash).is_ok()));
            let all = state.mailbox_hash;
            read += usize::from(all.is_some_and(|hash| self.executor.mailbox(hash).is_ok()));
        }
        reach(35, scale(read as u64));
        let mut input = self.next.0.clone();
        self.forged += 1;
        input.block.hash = H256::from_low_u64_be(self.forged);
        let done = self.executor.execute_round(root, &input);
        reach(36, u64::from(done.is_ok()));
        self.executor.forget(&[input.block.hash], None).unwrap();
    }
}

/// The objects below a root, in the order of a stream, as far as there are any.
fn walk(root: H256, objects: &HashMap<Key, &[u8]>) -> Vec<Vec<u8>> {
    let (mut all, mut seen) = (Vec::new(), HashSet::new());
    let mut open = vec![(Kind::Root, root)];
    while let Some((kind, hash)) = open.pop() {
        if !seen.insert(key(kind, hash)) {
            continue;
        }
        let Some(bytes) = objects.get(&key(kind, hash)) else {
            break;
        };
        all.push(bytes.to_vec());
        let Some(below) = named_by(kind, bytes) else {
            break;
        };
        open.extend(below.into_iter().rev());
    }
    all
}

/// An import, and what it is of.
struct Importing<'a> {
    executor: &'a Executor,
    state: &'a Sent,
    import: Import<'a>,
}

impl<'a> Importing<'a> {
    fn begin(executor: &'a Executor, state: &'a Sent) -> Self {
        let import = executor.importer(state.root).unwrap();
        Self {
            executor,
            state,
            import,
        }
    }

    /// The chunk that is due.
    fn due(&self) -> Option<&'a Vec<u8>> {
        let progress = self.import.progress();
        let due = self.state.chunks.get(progress.chunks as usize);
        due.filter(|_| !progress.complete)
    }

    fn push(&mut self, chunk: &[u8]) {
        let (before, stored) = (self.import.progress(), self.executor.stored().unwrap());
        let due = self.due().is_some_and(|due| due == chunk);
        match self.import.push(chunk) {
            Ok(now) => {
                assert!(due, "a chunk was taken that was not due");
                assert_eq!(now.chunks, before.chunks + 1);
                assert!(now.bytes <= self.state.bytes);
                let last = now.chunks == self.state.chunks.len() as u64;
                assert_eq!(now.complete, last);
                reach(30, now.chunks);
            }
            Err(error) => {
                assert!(!due, "the chunk that was due was refused: {error}");
                reach(31, which(&error));
                assert_eq!(self.import.progress(), before);
            }
        }
        assert_eq!(self.executor.stored().unwrap(), stored);
    }

    /// It may be finished if it is whole.
    fn finish(self) {
        let complete = self.import.progress().complete;
        match self.import.finish() {
            Ok(()) => assert!(complete),
            Err(SnapshotError::Incomplete(_)) => assert!(!complete),
            Err(error) => panic!("a snapshot was not finished: {error}"),
        }
        reach(32, u64::from(complete));
        let export = self.executor.export(self.state.root);
        assert!(export.is_ok() || !complete);
    }

    /// Nothing can be added to it any more, unless the other is the same.
    fn end_replaced_by(mut self, other: &Self) {
        let due = self.due().cloned();
        if let Some(due) = due
            && self.state.root != other.state.root
        {
            let refused = self.import.push(&due);
            assert!(matches!(refused, Err(SnapshotError::Unknown(_))));
            reach(33, 1);
        }
    }

    fn end_dropped(mut self) {
        if let Some(due) = self.due().cloned() {
            let refused = self.import.push(&due);
            assert!(matches!(refused, Err(SnapshotError::Unknown(_))));
        } else {
            let refused = self.import.finish();
            assert!(matches!(refused, Err(SnapshotError::Unknown(_))));
        }
    }
}

fn which(error: &SnapshotError) -> u64 {
    match error {
        SnapshotError::Chunk => 1,
        SnapshotError::Wrong(_) => 2,
        SnapshotError::Excess => 3,
        error => panic!("a chunk was refused with: {error}"),
    }
}

/// Changes a few bytes in one place.
fn change(source: &mut Source<'_>, bytes: &mut Vec<u8>, other: &[u8]) {
    let at = match bytes.len() {
        0 => 0,
        length => source.u32() as usize % length,
    };
    match source.below(7) {
        0 | 1 if !bytes.is_empty() => bytes[at] ^= 1 << source.below(8),
        2 if !bytes.is_empty() => bytes[at] = source.byte(),
        3 => bytes.truncate(at),
        4 => {
            let text = source.text(40);
            bytes.splice(at..at, text);
        }
        5 => {
            let end = bytes.len().min(at + 1 + source.below(40));
            bytes.drain(at..end);
        }
        _ => {
            let from = source.u32() as usize % (other.len() + 1);
            let end = other.len().min(from + source.below(256));
            bytes.splice(at.., other[from..end].iter().copied());
        }
    }
}

/// The chunk that is due with some bytes changed.
fn changed(source: &mut Source<'_>, due: Option<&Vec<u8>>, other: &Sent) -> Vec<u8> {
    let mut chunk = due.cloned().unwrap_or_default();
    let other = &other.chunks[source.below(other.chunks.len())];
    for _ in 0..=source.below(3) {
        change(source, &mut chunk, other);
    }
    chunk
}

/// The objects that are due, some left out, twice, in another order, or others.
fn arranged(source: &mut Source<'_>, due: Option<&Vec<u8>>, other: &Sent) -> Vec<u8> {
    let mut all = due.map(|due| objects(due)).unwrap_or_default();
    let other = objects(&other.chunks[source.below(other.chunks.len())]);
    for _ in 0..=source.below(3) {
        if all.is_empty() {
            break;
        }
        let at = usize::from(source.u16()) % all.len();
        let to = usize::from(source.u16());
        match source.below(8) {
            0 => drop(all.remove(at)),
            1 => all.insert(to % all.len(), all[at].clone()),
            2 => {
                let to = to % all.len();
                all.swap(at, to);
            }
            3 => all[at] = other[to % other.len()].clone(),
            4 => all.truncate(at),
            5 => all.extend(other.iter().take(to % 64).cloned()),
            6 => all.push(other[to % other.len()].clone()),
            _ => all[at].clear(),
        }
    }
    all.encode()
}

/// What says that it is long.
fn hostile(source: &mut Source<'_>) -> Vec<u8> {
    let number = |source: &mut Source<'_>| match source.below(4) {
        0 => u32::from(source.byte()),
        1 => source.u32(),
        2 => u32::MAX - u32::from(source.byte()),
        _ => 1 << source.below(32),
    };
    let (count, length) = (number(source), number(source));
    let mut bytes = Compact(count).encode();
    match source.below(6) {
        // Empty objects.
        0 => bytes.resize(bytes.len() + count.min(MAX_CHUNK_BYTES as u32) as usize, 0),
        1 => {
            Compact(length).encode_to(&mut bytes);
            bytes.extend(source.text(200));
        }
        2 => {
            let length = length.min(MAX_OBJECT_BYTES as u32 + 1);
            bytes = vec![vec![source.byte(); length as usize]].encode();
        }
        3 => bytes = vec![source.byte(); length.min(MAX_CHUNK_BYTES as u32 + 100) as usize],
        4 => bytes = source.text(255),
        _ => bytes.extend([0xff; 9]),
    }
    bytes
}
