//! Runs one target on changed inputs for a time, without libFuzzer: `soak TARGET SECONDS [SEED [FOLDER]]`.
//!
//! Inputs that make something new happen join the corpus of the run; with a folder they are also written there, as is an
//! input that breaks a promise (`crash-…`). At the end stands the slowest input.

use gear_exe_fuzz::{
    TARGETS,
    mutate::{Random, mutated},
    reached,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    panic::catch_unwind,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// Memory that this process has, in MiB.
fn resident() -> usize {
    let pages = fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = pages.split(' ').nth(1).and_then(|own| own.parse().ok());
    pages.unwrap_or(0usize) / 256
}

fn corpus(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../corpus");
    let Ok(entries) = fs::read_dir(folder.join(target)) else {
        return Vec::new();
    };
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    paths.iter().flat_map(fs::read).collect()
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let name = arguments.next().unwrap_or_default();
    let seconds = arguments.next().and_then(|own| own.parse().ok());
    let seed = arguments.next().and_then(|own| own.parse().ok());
    let folder = arguments.next().map(PathBuf::from);
    let target = TARGETS.iter().find(|(own, _)| *own == name);
    let (Some((_, run)), Some(seconds)) = (target, seconds) else {
        eprintln!("soak TARGET SECONDS [SEED [FOLDER]]");
        std::process::exit(2);
    };
    // The first input takes the time that the programs need to be compiled.
    run(&[]);
    let mut random = Random::new(seed.unwrap_or(1));
    let mut inputs = corpus(&name);
    let mut queue = inputs.clone();
    if inputs.is_empty() {
        inputs.push(random.bytes(512));
    }
    let (mut known, mut slowest) = (BTreeSet::new(), (Duration::ZERO, Vec::new()));
    let mut things = BTreeMap::new();
    let (began, mut told, mut count) = (Instant::now(), Instant::now(), 0u64);
    while began.elapsed() < Duration::from_secs(seconds) {
        let input = queue.pop().unwrap_or_else(|| match random.below(16) {
            0 => {
                let length = 1 + random.below(3_000);
                random.bytes(length)
            }
            _ => mutated(&mut random, &inputs),
        });
        let start = Instant::now();
        let broken = catch_unwind(|| run(&input)).is_err();
        let took = start.elapsed();
        count += 1;
        if took > slowest.0 {
            slowest = (took, input.clone());
        }
        let before = known.len();
        let mut new = reached();
        for what in &new {
            *things.entry(*what).or_insert(0u64) += 1;
        }
        known.append(&mut new);
        let kind = match (broken, known.len() > before) {
            (true, _) => "crash",
            (_, true) => "new",
            _ => continue,
        };
        if let Some(folder) = &folder {
            let file = folder.join(format!("{kind}-{name}-{count:06}"));
            fs::write(file, &input).expect("the folder can be written to");
        }
        if !broken {
            inputs.push(input);
        }
        if told.elapsed() > Duration::from_secs(20) {
            told = Instant::now();
            println!(
                "{count} inputs, {} kept, {} things reached, {} MiB",
                inputs.len(),
                known.len(),
                resident()
            );
        }
    }
    println!(
        "{name}: {count} inputs, {} kept, {} things reached, {} MiB; the slowest took {:?}",
        inputs.len(),
        known.len(),
        resident(),
        slowest.0
    );
    let things = things.iter().map(|(what, count)| {
        let (kind, what) = (what >> 24, what & 0xff_ffff);
        format!("{kind}:{what:x}={count}")
    });
    let things: Vec<String> = things.collect();
    println!("how many inputs reached what: {}", things.join(" "));
    if let Some(folder) = &folder {
        let file = folder.join(format!("slow-{name}"));
        fs::write(file, &slowest.1).expect("the folder can be written to");
    }
}
