//! A node that is killed at any moment finds its last stored round again, and goes on as if nothing had been.

#![allow(clippy::unwrap_used)] // a failed unwrap is a failed test

mod common;

use codec::{Decode, Encode};
use common::{ALICE, BOB, RICH, World, command};
use gear_exe_executor::{Executor, ExecutorConfig};
use gear_exe_primitives::{H256, round::RoundInput};
use gear_exe_programs::{PING, TROUBLE};
use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

/// The folder in which the child has its store and its inputs. Without it the child does nothing.
const FOLDER: &str = "GEAR_EXE_CRASH_FOLDER";
const STORE: &str = "store";
const INPUTS: &str = "inputs";
const ROUNDS: usize = 1_500;
/// Rounds that are kept: the others are forgotten meanwhile.
const KEPT: usize = 20;

/// Inputs that leave something everywhere. They do not depend on what comes of them.
fn inputs() -> Vec<RoundInput> {
    let mut world = World::new();
    let troubles: Vec<_> = (0..3).map(|_| world.create(TROUBLE)).collect();
    let ping = world.create(PING);
    for program in troubles.iter().chain([&ping]) {
        world.top_up(*program, RICH);
        world.give(*program, 1 << 40);
        world.send(*program, ALICE, b"", 0);
    }
    let mut all = Vec::new();
    for turn in 0..ROUNDS {
        for trouble in &troubles {
            world.send(*trouble, ALICE, b"BUMP", 0);
            world.send(*trouble, ALICE, b"WAIT", 0);
            world.send(*trouble, BOB, b"DIRTY", 0);
            world.send(
                *trouble,
                BOB,
                &command("MAILBOX", &[&1u128.to_le_bytes()]),
                0,
            );
            world.send(*trouble, BOB, &command("DELAY", &[&3u32.to_le_bytes()]), 0);
            let inner = [b"PANIC".as_slice(), &[turn as u8; 1_200]].concat();
            let send = command("SEND", &[ping.as_ref(), &2u128.to_le_bytes(), &inner]);
            world.send(*trouble, ALICE, &send, 0);
        }
        for _ in 0..20 {
            world.native(ping, ALICE, b"PING");
        }
        all.push(world.input());
    }
    all
}

fn open(path: Option<PathBuf>) -> Executor {
    let executor = Executor::open(ExecutorConfig {
        path,
        threads: 1,
        ..ExecutorConfig::default()
    })
    .unwrap();
    executor.add_code(TROUBLE).unwrap();
    executor.add_code(PING).unwrap();
    executor
}

/// The last round that is stored, with its root.
fn last(executor: &Executor, inputs: &[RoundInput]) -> Option<(usize, H256)> {
    let stored = executor.rounds_below(u64::MAX, usize::MAX).unwrap();
    let last = stored.last()?;
    let number = inputs
        .iter()
        .position(|input| input.block == *last)
        .unwrap();
    let outcome = executor.outcome(last.hash).unwrap().unwrap();
    Some((number, outcome.state_root))
}

/// Executes round after round, forgets old ones, and says after each that it is stored. It ends by being killed.
#[test]
fn child() {
    let Some(folder) = std::env::var_os(FOLDER).map(PathBuf::from) else {
        return;
    };
    let inputs = std::fs::read(folder.join(INPUTS)).unwrap();
    let inputs = Vec::<RoundInput>::decode(&mut inputs.as_slice()).unwrap();
    let executor = open(Some(folder.join(STORE)));
    let (next, mut root) = match last(&executor, &inputs) {
        Some((number, root)) => (number + 1, root),
        None => (0, H256::zero()),
    };
    for (number, input) in inputs.iter().enumerate().skip(next) {
        root = executor.execute_round(root, input).unwrap().state_root;
        println!("\nstored {number} {root:?}");
        if number % 7 == 0 {
            let below = input.block.number.saturating_sub(KEPT as u64);
            let old = executor.rounds_below(below, usize::MAX).unwrap();
            let old: Vec<_> = old.iter().map(|block| block.hash).collect();
            executor.forget(&old, None).unwrap();
        }
    }
}

/// Kills what it has begun, also if the test fails.
struct Victim(Child);

impl Drop for Victim {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Lets a child run until it has stored `rounds`, and some work longer. Returns the last round that it told of.
fn killed(folder: &Path, rounds: usize, longer: u64) -> Option<(usize, String)> {
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["child", "--exact", "--nocapture"])
        .env(FOLDER, folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut child = Victim(child);
    let mut lines = BufReader::new(child.0.stdout.take().unwrap()).lines();
    let mut told = None;
    let mut read = |line: String| {
        let mut words = line.split_whitespace();
        if words.next() == Some("stored") {
            let number = words.next().unwrap().parse().unwrap();
            told = Some((number, words.next().unwrap().to_owned()));
            return true;
        }
        false
    };
    let mut left = rounds;
    while left > 0 {
        let line = lines
            .next()
            .expect("the child has ended by itself")
            .unwrap();
        left -= usize::from(read(line));
    }
    // Work that no compiler removes, in place of a clock.
    let mut spun = 1u64;
    for turn in 0..longer {
        spun = std::hint::black_box(spun.rotate_left(5) ^ turn);
    }
    drop(child.0.kill());
    // What it had told before it died.
    for line in lines.map_while(Result::ok) {
        // The last line may be cut.
        if line.len() > 70 {
            read(line);
        }
    }
    told
}

#[test]
fn fifty_kills_lose_nothing() {
    let inputs = inputs();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(STORE);
    std::fs::write(folder.path().join(INPUTS), inputs.encode()).unwrap();
    // What must come out, without a store and without a kill.
    let reference = open(None);
    let (mut root, mut roots) = (H256::zero(), Vec::new());
    let mut expect = |number: usize| {
        while roots.len() <= number {
            let input = &inputs[roots.len()];
            root = reference.execute_round(root, input).unwrap().state_root;
            roots.push(root);
            let old = roots
                .len()
                .checked_sub(2 * KEPT)
                .map(|old| inputs[old].block.hash);
            reference
                .forget(&old.into_iter().collect::<Vec<_>>(), None)
                .unwrap();
        }
        roots[number]
    };
    let mut random = 0x2545_f491_4f6c_dd1du64;
    let mut below = |limit: u64| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random % limit
    };
    let mut between = 0;
    for kill in 0..50 {
        let told = killed(folder.path(), below(12) as usize, below(4_000_000));
        let executor = open(Some(path.clone()));
        let stored = last(&executor, &inputs);
        if let Some((number, told)) = &told {
            assert_eq!(format!("{:?}", expect(*number)), *told, "kill {kill}");
            // What was told of is stored.
            assert!(
                stored.is_some_and(|(last, _)| last >= *number),
                "kill {kill}"
            );
        }
        let Some((number, found)) = stored else {
            continue;
        };
        between += usize::from(told.is_none_or(|(told, _)| told < number));
        assert_eq!(found, expect(number), "kill {kill}");
        // Done again it is the same, and the child goes on with the next.
        let again = executor.execute_round(
            match number.checked_sub(1) {
                Some(before) => expect(before),
                None => H256::zero(),
            },
            &inputs[number],
        );
        assert_eq!(again.unwrap().state_root, found);
        if kill % 10 == 0 {
            // The state is whole.
            let copy = open(None);
            let mut import = copy.importer(found).unwrap();
            for chunk in executor.export(found).unwrap() {
                import.push(&chunk.unwrap()).unwrap();
            }
            import.finish().unwrap();
            let next = copy.execute_round(found, &inputs[number + 1]).unwrap();
            assert_eq!(next.state_root, expect(number + 1), "kill {kill}");
        }
    }
    // In the end nothing has been left behind by those that were killed: all goes when all is forgotten.
    let executor = open(Some(path));
    let (number, _) = last(&executor, &inputs).unwrap();
    assert!(number > 50, "{number} rounds in {between}");
    let all = executor.rounds_below(u64::MAX, usize::MAX).unwrap();
    let all: Vec<_> = all.iter().map(|block| block.hash).collect();
    executor.forget(&all, None).unwrap();
    assert_eq!(executor.stored().unwrap().objects, 0);
}
