// SPDX-License-Identifier: GPL-3.0-or-later

//! One thread and two, 64 programs that have nothing to do with each other. By the clock on the wall: on a machine whose
//! processors also do other work, two threads cannot show what they are worth.

use super::{Effort, Found};
use crate::{
    Result,
    clock::{Took, took},
    ours::{Ours, Way},
    plot::Plot,
    samples::{Peer, in_turns},
    table::{Cell, Goal, Table},
};
use gear_exe_primitives::ActorId;
use gear_exe_programs::{KERNELS, PING};
use std::cell::Cell as Slot;

const PROGRAMS: usize = 64;

/// Work for all programs, in one round.
struct Work {
    name: &'static str,
    code: &'static [u8],
    payload: Vec<u8>,
    /// Messages to each program.
    each: usize,
}

struct World {
    ours: Ours,
    programs: Vec<ActorId>,
}

impl World {
    fn new(threads: usize, work: &Work) -> Result<Self> {
        let mut ours = Ours::in_memory(threads)?;
        let programs = ours.programs(work.code, b"", PROGRAMS)?;
        Ok(Self { ours, programs })
    }

    fn round(&mut self, work: &Work) -> Result<Took> {
        let count = PROGRAMS * work.each;
        let payloads = std::slice::from_ref(&work.payload);
        let (done, took) = took(|| {
            self.ours
                .answer(Way::Native, &self.programs, payloads, count, count)
        });
        done?;
        Ok(took)
    }
}

pub fn run(effort: Effort) -> Result<Found> {
    let sha = [&[0][..], &100u32.to_le_bytes(), &20u32.to_le_bytes()].concat();
    let each = if effort.quick { 1 } else { 4 };
    let works = [
        Work {
            name: "SHA-256, 125 KiB a message",
            code: KERNELS,
            payload: sha,
            each: 4 * each,
        },
        Work {
            name: "PING",
            code: PING,
            payload: b"PING".to_vec(),
            each: 250 * each,
        },
    ];
    let mut table = Table::new(
        "Threads: 64 independent programs, messages a second by the clock on the wall",
        &[
            "work",
            "1 thread",
            "2 threads",
            "speed-up",
            "processors that 2 threads got",
            "processor time of 2 / of 1",
        ],
    );
    let mut found = Found::default();
    let mut rows = Vec::new();
    for work in &works {
        let (mut one, mut two) = (World::new(1, work)?, World::new(2, work)?);
        let used = [Slot::new(0.0), Slot::new(0.0)];
        let got = Slot::new(0.0);
        let (used, got) = (&used, &got);
        let peers: Vec<Peer<'_>> = vec![
            Box::new(move || {
                let took = one.round(work)?;
                used[0].set(used[0].get() + took.processor);
                Ok(took.wall)
            }),
            Box::new(move || {
                let took = two.round(work)?;
                used[1].set(used[1].get() + took.processor);
                got.set(got.get() + took.wall);
                Ok(took.wall)
            }),
        ];
        let measured = in_turns(effort.turns, peers)?;
        let [one, two] = measured.as_slice() else {
            return Err("a peer is missing".into());
        };
        let count = PROGRAMS * work.each;
        let speed_up = one.median() / two.median();
        table.row(
            work.name,
            vec![
                Cell::Measured(one.rate(count)),
                Cell::Measured(two.rate(count)),
                Cell::Ratio(speed_up),
                Cell::Computed(used[1].get() / got.get()),
                Cell::Computed(used[1].get() / used[0].get()),
            ],
        );
        rows.push((
            work.name.to_owned(),
            vec![
                Some(one.rate(count).median()),
                Some(two.rate(count).median()),
            ],
        ));
        found.goals.push(Goal {
            what: format!("{}: at least 1.9 times as fast with 2 threads", work.name),
            measured: speed_up,
            reached: speed_up >= 1.9,
        });
    }
    table.note("Where two threads did not get two processors, the speed-up says what others left over, not what the executor does.");
    found.tables.push(table);
    found.plots.push((
        "threads".into(),
        Plot::Bars {
            title: "64 independent programs".into(),
            unit: "messages a second".into(),
            series: ["1 thread", "2 threads"].map(String::from).into(),
            rows,
        },
    ));
    Ok(found)
}
