//! The corpus of each target, and some changed inputs, the same in each run.

#![allow(clippy::unwrap_used)] // a failed unwrap is a failed test

use gear_exe_fuzz::{
    TARGETS, messages, modules,
    mutate::{Random, mutated},
    reached, snapshots, syscalls,
};
use std::{
    fs,
    panic::catch_unwind,
    path::{Path, PathBuf},
};

/// The inputs in a target's folder, by name.
fn corpus(target: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../corpus");
    let entries = fs::read_dir(folder.join(target)).unwrap();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let read = |path: PathBuf| {
        let bytes = fs::read(&path).unwrap();
        (path, bytes)
    };
    paths.into_iter().map(read).collect()
}

fn short(target: &str, run: fn(&[u8]), mutations: usize, least: usize) {
    let corpus = corpus(target);
    for (path, input) in &corpus {
        assert!(catch_unwind(|| run(input)).is_ok(), "{}", path.display());
    }
    let things = reached().len();
    assert!(things >= least, "the corpus reaches only {things} things");
    let inputs: Vec<Vec<u8>> = corpus.into_iter().map(|(_, input)| input).collect();
    let mut random = Random::new(1);
    for number in 0..mutations {
        let input = mutated(&mut random, &inputs);
        let kept = catch_unwind(|| run(&input)).is_ok();
        assert!(kept, "changed input {number} of {target}: {input:?}");
    }
}

#[test]
fn no_module_breaks_a_promise() {
    short("modules", modules::run, 400, 35);
}

#[test]
fn no_system_call_breaks_a_promise() {
    short("syscalls", syscalls::run, 400, 35);
}

#[test]
fn no_message_breaks_a_promise() {
    short("messages", messages::run, 400, 45);
}

#[test]
fn no_snapshot_breaks_a_promise() {
    short("snapshots", snapshots::run, 150, 10);
}

#[test]
fn every_target_has_a_corpus() {
    for (target, _) in TARGETS {
        assert!(corpus(target).len() >= 8, "{target}");
    }
}

#[test]
fn inputs_that_mean_nothing() {
    for (_, run) in TARGETS {
        for input in [&b""[..], b"\0", &[0; 5_000], &[0xff; 5_000]] {
            run(input);
        }
    }
}
