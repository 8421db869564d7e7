// SPDX-License-Identifier: GPL-3.0-or-later

//! `PING`s to one program on one thread. Every peer runs the same WASM and answers every message.

use super::{Effort, Found};
use crate::{
    Result,
    bare::Bare,
    clock::took,
    existing::Existing,
    ours::{Ours, Way},
    plot::Plot,
    samples::{Peer, Samples, in_turns},
    table::{Cell, Goal, Table, figure},
};
use gear_exe_benchmarks_protocol::Id;
use gear_exe_primitives::ActorId;
use gear_exe_programs::PING;
use std::cell::RefCell;

/// Messages in a round of ours: what comes in while a slot lasts, at the rate that is the goal.
const PER_ROUND: usize = 20_000;
const EXISTING: Id = Id([0x42; 32]);

struct World {
    ours: Ours,
    program: ActorId,
}

impl World {
    fn new(mut ours: Ours) -> Result<RefCell<Self>> {
        let program = ours.program(PING, b"")?;
        // A peer that does other work is no peer.
        if ours.ask(program, b"PING")? != b"PONG" {
            return Err("PING was not answered".into());
        }
        Ok(RefCell::new(Self { ours, program }))
    }

    /// Messages a second of processor time.
    fn rate(&mut self, way: Way, count: usize, per_round: usize) -> Result<f64> {
        let (done, took) = took(|| {
            self.ours
                .answer(way, &[self.program], &[b"PING".to_vec()], count, per_round)
        });
        done?;
        Ok(count as f64 / took.processor)
    }
}

fn ours(world: &RefCell<World>, way: Way) -> Peer<'_> {
    Box::new(move || world.borrow_mut().rate(way, 2 * PER_ROUND, PER_ROUND))
}

pub fn run(effort: Effort) -> Result<Found> {
    let mut found = Found::default();
    peers(effort, &mut found)?;
    rounds(effort, &mut found)?;
    Ok(found)
}

fn peers(effort: Effort, found: &mut Found) -> Result<()> {
    let payloads = [b"PING".to_vec()];
    let existing = RefCell::new(Existing::start()?);
    existing.borrow_mut().create(EXISTING, PING, 0)?;
    let mut best = [0; 2];
    for (native, best) in [false, true].into_iter().zip(&mut best) {
        // The first message is the program's `init`, and it has to come from Ethereum.
        *best = existing
            .borrow_mut()
            .best_block(native, &[EXISTING], &payloads)?;
    }
    let count = if effort.quick { 500 } else { 2_000 };
    let theirs = |native: bool| {
        let (existing, payloads) = (&existing, &payloads);
        move || -> Result<f64> {
            let per_block = best[usize::from(native)];
            let took =
                existing
                    .borrow_mut()
                    .answer(native, &[EXISTING], payloads, count, per_block)?;
            Ok(count as f64 / took.processor)
        }
    };
    let memory = World::new(Ours::in_memory(1)?)?;
    let folder = tempfile::tempdir()?;
    let disk = World::new(Ours::on_disk(1, folder.path().join("store"))?)?;
    let mut bare = Bare::new(PING)?;
    if bare.answer(b"PING", 1)? != b"PONG" {
        return Err("the bare call does not answer".into());
    }
    let peers: Vec<Peer<'_>> = vec![
        Box::new(theirs(false)),
        Box::new(theirs(true)),
        ours(&memory, Way::Ethereum),
        ours(&memory, Way::Native),
        ours(&disk, Way::Native),
        Box::new(|| {
            let (done, took) = took(|| bare.answer(b"PING", 200_000));
            done?;
            Ok(200_000.0 / took.processor)
        }),
    ];
    let measured = in_turns(effort.turns, peers)?;
    let [
        their_ethereum,
        their_native,
        ethereum,
        native,
        stored,
        floor,
    ] = measured.as_slice()
    else {
        return Err("a peer is missing".into());
    };
    let mut table = Table::new(
        "PING, messages a second of one core",
        &[
            "peer",
            "messages / s",
            "× existing engine",
            "of a bare call",
        ],
    );
    let named: [(&str, &Samples, &Samples); 6] = [
        (
            "existing engine, from Ethereum",
            their_ethereum,
            their_ethereum,
        ),
        ("existing engine, native", their_native, their_native),
        ("this executor, from Ethereum", ethereum, their_ethereum),
        ("this executor, native", native, their_native),
        ("this executor, native, store on disk", stored, their_native),
        ("bare wasmtime call, with fuel", floor, their_native),
    ];
    for (name, rate, against) in named {
        table.row(
            name,
            vec![
                Cell::Measured(rate.clone()),
                Cell::Ratio(rate.median() / against.median()),
                Cell::Text(format!("{:.1} %", 100.0 * rate.median() / floor.median())),
            ],
        );
    }
    table.note(format!(
        "Ours: rounds of {} messages, each with intake, gas, undo log, receipts, state root and commit. The existing engine: \
         blocks of {} (Ethereum) and {} (native) messages, which suited it best of 8 to 128; it keeps its state in memory.",
        figure(PER_ROUND as f64),
        best[0],
        best[1]
    ));
    table.note("Replies of Ethereum messages are messages to Ethereum; those of native ones are told by receipts alone.");
    found.tables.push(table);
    found.plots.push((
        "ping".into(),
        Plot::Bars {
            title: "PING on one core".into(),
            unit: "messages a second".into(),
            series: vec!["messages a second".into()],
            rows: named
                .iter()
                .map(|(name, rate, _)| ((*name).into(), vec![Some(rate.median())]))
                .collect(),
        },
    ));
    let ratio = native.median() / their_native.median();
    found.goals.push(Goal {
        what: "PING, native: at least 100 times the existing engine".into(),
        measured: ratio,
        reached: ratio >= 100.0,
    });
    let ratio = ethereum.median() / their_ethereum.median();
    found.goals.push(Goal {
        what: "PING, from Ethereum: at least 100 times the existing engine".into(),
        measured: ratio,
        reached: ratio >= 100.0,
    });
    found.goals.push(Goal {
        what: "PING, native: at least 500,000 messages a second on one core".into(),
        measured: native.median(),
        reached: native.median() >= 500_000.0,
    });
    Ok(())
}

/// What a round costs beside its messages.
fn rounds(effort: Effort, found: &mut Found) -> Result<()> {
    let world = World::new(Ours::in_memory(1)?)?;
    let sizes = [1, 10, 100, 1_000, 10_000, 50_000];
    let peers = sizes
        .iter()
        .map(|size| -> Peer<'_> {
            let world = &world;
            Box::new(move || {
                let count = (*size).max((size * 50).min(20_000));
                world.borrow_mut().rate(Way::Native, count, *size)
            })
        })
        .collect();
    let measured = in_turns(effort.turns, peers)?;
    let mut table = Table::new(
        "PING, native, by the size of a round",
        &["messages in a round", "messages / s", "µs a round"],
    );
    for (size, rate) in sizes.iter().zip(&measured) {
        table.row(
            size.to_string(),
            vec![
                Cell::Measured(rate.clone()),
                Cell::Computed(*size as f64 / rate.median() * 1e6),
            ],
        );
    }
    found.tables.push(table);
    found.plots.push((
        "rounds".into(),
        Plot::Lines {
            title: "PING by the size of a round".into(),
            x: "messages in a round".into(),
            y: "messages a second".into(),
            series: vec![(
                "this executor, native".into(),
                sizes
                    .iter()
                    .zip(&measured)
                    .map(|(size, rate)| (*size as f64, rate.median()))
                    .collect(),
            )],
        },
    ));
    Ok(())
}
