// SPDX-License-Identifier: GPL-3.0-or-later

//! Programs with much state, of which a message touches little: four pages of 16 KiB, anywhere. Warm, the program is in
//! memory; cold, the executor has just been opened and has to load it.

use super::{Effort, Found};
use crate::{
    Result,
    clock::took,
    native::LAB,
    ours::{Ours, Way},
    plot::Plot,
    samples::{Samples, in_turns},
    table::{Cell, Goal, Table, figure},
};
use gear_exe_executor::ExecutorConfig;
use gear_exe_primitives::ActorId;
use std::{path::Path, time::Instant};

/// Sizes of state in KiB.
const SIZES: [u32; 8] = [
    64,
    256,
    1 << 10,
    4 << 10,
    16 << 10,
    64 << 10,
    256 << 10,
    1 << 20,
];
/// WASM pages that one message fills.
const FILLED: u32 = 256;
const TOUCHED: u32 = 4;
const ROUNDS: usize = 20;

fn config(path: &Path) -> ExecutorConfig {
    ExecutorConfig {
        path: Some(path.to_owned()),
        threads: 1,
        memory_budget: 3 << 30,
    }
}

fn touch(ours: &mut Ours, program: ActorId, seed: u32) -> Result<()> {
    let payload = [&b"T"[..], &TOUCHED.to_le_bytes(), &seed.to_le_bytes()].concat();
    ours.send(Way::Native, program, &payload);
    ours.run(1)?;
    Ok(())
}

pub fn run(effort: Effort) -> Result<Found> {
    let mut table = Table::new(
        "State: a round with one message that writes to 4 pages of 16 KiB, store on disk, one core",
        &[
            "state",
            "warm, processor µs",
            "warm, µs on the wall",
            "cold, ms on the wall",
            "filling it, ms a MiB",
        ],
    );
    let (mut warm_line, mut cold_line) = (Vec::new(), Vec::new());
    for size in SIZES {
        if effort.quick && size > 16 << 10 {
            continue;
        }
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("store");
        let mut ours = Ours::open(config(&path))?;
        let program = ours.program(LAB, b"")?;
        let (filled, filling) = took(|| -> Result<()> {
            let mut left = size / 64;
            while left > 0 {
                let pages = left.min(FILLED);
                left -= pages;
                ours.send(
                    Way::Native,
                    program,
                    &[&b"G"[..], &pages.to_le_bytes()].concat(),
                );
                ours.run(1)?;
            }
            Ok(())
        });
        filled?;
        let mut seed = 0;
        let mut walls = Vec::new();
        let warm = in_turns(
            effort.turns,
            vec![Box::new(|| {
                let (done, took) = took(|| -> Result<()> {
                    for _ in 0..ROUNDS {
                        seed += 1;
                        touch(&mut ours, program, seed)?;
                    }
                    Ok(())
                });
                done?;
                walls.push(took.wall / ROUNDS as f64 * 1e6);
                Ok(took.processor / ROUNDS as f64 * 1e6)
            })],
        )?;
        let mut cold = Vec::new();
        for _ in 0..effort.turns.min(5) {
            ours = ours.reopened(config(&path))?;
            seed += 1;
            let began = Instant::now();
            touch(&mut ours, program, seed)?;
            cold.push(began.elapsed().as_secs_f64() * 1e3);
        }
        let cold = Samples::new(cold);
        let name = if size < 1 << 10 {
            format!("{size} KiB")
        } else {
            format!("{} MiB", size >> 10)
        };
        warm_line.push((f64::from(size) / 1024.0, warm[0].median() / 1e3));
        cold_line.push((f64::from(size) / 1024.0, cold.median()));
        table.row(
            name,
            vec![
                Cell::Measured(warm[0].clone()),
                Cell::Measured(Samples::new(walls)),
                Cell::Measured(cold),
                Cell::Text(figure(filling.processor * 1e3 / (f64::from(size) / 1024.0))),
            ],
        );
    }
    table.note("On the wall the commit's wait for the disk is included. Filling writes one word to each page of 16 KiB.");
    table.note("Cold: the file may still be in the kernel's cache.");
    let times = |at: Option<&(f64, f64)>| at.map_or(f64::NAN, |point| point.1);
    let growth = times(warm_line.last()) / times(warm_line.first());
    Ok(Found {
        tables: vec![table],
        plots: vec![(
            "state".into(),
            Plot::Lines {
                title: "A round that touches four pages, by the size of the state".into(),
                x: "state in MiB".into(),
                y: "milliseconds".into(),
                series: vec![
                    ("warm, processor time".into(), warm_line),
                    ("cold, on the wall".into(), cold_line),
                ],
            },
        )],
        goals: vec![Goal {
            what: "the time of a warm round does not grow with state that is not touched (largest / smallest state, at most 2)"
                .into(),
            measured: growth,
            reached: growth <= 2.0,
        }],
    })
}
