// SPDX-License-Identifier: GPL-3.0-or-later

//! How the number of programs counts: the same messages to one of them, to all in turns, or to a few while the others sleep.

use super::{Effort, Found};
use crate::{
    Result,
    clock::took,
    ours::{Ours, Way},
    plot::Plot,
    samples::in_turns,
    table::{Cell, Goal, Table},
};
use gear_exe_programs::PING;

const COUNTS: [usize; 5] = [1, 10, 100, 1_000, 10_000];
const MESSAGES: usize = 20_000;

pub fn run(effort: Effort) -> Result<Found> {
    let mut table = Table::new(
        "Programs: PING, native, rounds of 20,000 messages, one core",
        &[
            "programs",
            "to all in turns, messages / s",
            "to one of them, messages / s",
            "µs a round of one message",
            "µs to create one",
        ],
    );
    let (mut all, mut one, mut rounds) = (Vec::new(), Vec::new(), Vec::new());
    for count in COUNTS {
        if effort.quick && count > 1_000 {
            continue;
        }
        let mut ours = Ours::in_memory(1)?;
        let (programs, creation) = took(|| ours.programs(PING, b"", count));
        let programs = programs?;
        let ours = std::cell::RefCell::new(ours);
        let payloads = [b"PING".to_vec()];
        let rate = |to: usize, messages: usize, per_round: usize| {
            let (ours, payloads, programs) = (&ours, &payloads, &programs[..to]);
            move || -> Result<f64> {
                let (done, took) = took(|| {
                    ours.borrow_mut()
                        .answer(Way::Native, programs, payloads, messages, per_round)
                });
                done?;
                Ok(messages as f64 / took.processor)
            }
        };
        let measured = in_turns(
            effort.turns,
            vec![
                Box::new(rate(count, MESSAGES, MESSAGES)),
                Box::new(rate(1, MESSAGES, MESSAGES)),
                Box::new(rate(1, 100, 1)),
            ],
        )?;
        let [to_all, to_one, alone] = measured.as_slice() else {
            return Err("a peer is missing".into());
        };
        all.push((count as f64, to_all.median()));
        one.push((count as f64, to_one.median()));
        rounds.push(1e6 / alone.median());
        table.row(
            count.to_string(),
            vec![
                Cell::Measured(to_all.clone()),
                Cell::Measured(to_one.clone()),
                Cell::Measured(alone.map(|rate| 1e6 / rate)),
                Cell::Computed(creation.processor / count as f64 * 1e6),
            ],
        );
    }
    table.note("With 10,000 programs each gets two messages a round. The memory budget is 2 GiB, the executor's default.");
    table.note("Creating the first program includes compiling its code.");
    let growth = rounds.last().copied().unwrap_or(f64::NAN) / rounds[0];
    Ok(Found {
        tables: vec![table],
        plots: vec![(
            "programs".into(),
            Plot::Lines {
                title: "PING by the number of programs".into(),
                x: "programs".into(),
                y: "messages a second".into(),
                series: vec![
                    ("to all in turns".into(), all),
                    ("to one of them".into(), one),
                ],
            },
        )],
        goals: vec![Goal {
            what: "the time of a round does not grow with the programs that exist (most programs / one program, at most 1.5)"
                .into(),
            measured: growth,
            reached: growth <= 1.5,
        }],
    })
}
