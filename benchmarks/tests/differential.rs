//! The same messages here and in the existing engine: `scripts/bench differential`.
//!
//! `GEAR_DIFFERENTIAL_SEED` runs one seed, `GEAR_DIFFERENTIAL_RUNS` so many from there on (30), and
//! `GEAR_DIFFERENTIAL_LENGTH` says of how many blocks (30).

#![allow(clippy::unwrap_used)] // a failed unwrap is a failed test

use gear_exe_benchmarks::differential::{Both, LISTED, Scenario, Step};
use std::collections::BTreeMap;

fn setting(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{name} is no number: {text}")),
    )
}

#[test]
fn random_messages_end_alike() {
    let mut both = Both::start().unwrap();
    let seed = setting("GEAR_DIFFERENTIAL_SEED");
    let runs = setting("GEAR_DIFFERENTIAL_RUNS").unwrap_or(if seed.is_some() { 1 } else { 30 });
    let length = setting("GEAR_DIFFERENTIAL_LENGTH").unwrap_or(30) as usize;
    let first = seed.unwrap_or(1);
    let (mut sent, mut same) = (0, 0);
    let mut listed: BTreeMap<&str, usize> = BTreeMap::new();
    for seed in first..first + runs {
        let scenario = Scenario::random(seed, length);
        let ran = both.run(&scenario).unwrap_or_else(|error| {
            panic!("seed {seed}, {length} blocks: {error}");
        });
        if !ran.unlisted.is_empty() {
            let least = both.shrink(&scenario).unwrap();
            let ran = both.run(&least).unwrap();
            let blocks: BTreeMap<_, _> = least.blocks.iter().enumerate().skip(1).collect();
            panic!(
                "GEAR_DIFFERENTIAL_SEED={seed} GEAR_DIFFERENTIAL_LENGTH={}\n{:#?}\nblocks that show it:\n{:#?}",
                least.blocks.len() - 1,
                ran.unlisted,
                blocks,
            );
        }
        sent += ran.sent;
        same += ran.same;
        for (name, count) in ran.listed {
            *listed.entry(name).or_default() += count;
        }
    }
    println!(
        "seeds {first} to {}, {length} blocks each: {sent} messages in, {same} out and the same",
        first + runs - 1
    );
    for (name, count) in listed {
        println!("listed, {count} times: {name}");
    }
    assert!(same > sent / 2, "hardly anything was compared");
}

/// What random messages leave out because it takes long, and what happens before a program is initialised.
#[test]
fn failures_end_alike() {
    let mut both = Both::start().unwrap();
    let trouble = |text: &[u8]| vec![Step::new(4, text)];
    let failures = [
        &b"TRAP"[..],
        b"WILD",
        b"RECURSE",
        b"LOOP",
        b"ALLOC",
        b"FLOOD",
        b"DIRTY",
        b"COUNT",
    ];
    let mut scenarios = vec![Scenario::initialised().then(failures.map(trouble).into())];
    for init in [&b"PANIC"[..], b"TRAP", b"WAIT", b"COUNT"] {
        let mut scenario = Scenario::initialised();
        scenario.blocks[0][4] = Step {
            value: 7,
            ..Step::new(4, init)
        };
        let after = |text: &[u8]| {
            vec![
                Step {
                    value: 5,
                    ..Step::new(4, text)
                },
                // Asks it, too.
                Step::new(3, b"ASK"),
            ]
        };
        let blocks = [
            b"BUMP".as_slice(),
            b"COUNT",
            b"WAIT",
            b"",
            b"BUMP",
            b"",
            b"",
            b"COUNT",
        ];
        scenarios.push(scenario.then(blocks.map(after).into()));
    }
    for scenario in scenarios {
        let ran = both.run(&scenario).unwrap();
        assert!(
            ran.unlisted.is_empty(),
            "{:#?} in {:?}",
            ran.unlisted,
            scenario.blocks
        );
        assert!(ran.same >= scenario.blocks.len(), "{ran:?}");
    }
}

/// Seeds that once showed what nobody had listed, be it two differences at the same time.
#[test]
fn what_was_found_once_is_recognised() {
    let mut both = Both::start().unwrap();
    for (seed, length, name) in [
        (
            1002,
            8,
            "what comes from Ethereum, and what is due, runs before what is native",
        ),
        (1055, 8, "nothing runs in a program that has exited"),
    ] {
        let ran = both.run(&Scenario::random(seed, length)).unwrap();
        assert!(ran.unlisted.is_empty(), "seed {seed}: {:#?}", ran.unlisted);
        assert!(ran.listed.contains_key(name), "seed {seed}: {ran:?}");
    }
}

/// A difference that is no longer there must leave the list.
#[test]
fn each_listed_difference_is_there() {
    let mut both = Both::start().unwrap();
    let mut wrong = Vec::new();
    for listed in LISTED {
        let ran = both.run(&(listed.example)()).unwrap();
        if !ran.listed.contains_key(listed.name) || !ran.unlisted.is_empty() {
            wrong.push((listed.name, ran));
        }
    }
    assert!(
        wrong.is_empty(),
        "not met by their examples alone: {wrong:#?}"
    );
}
