// SPDX-License-Identifier: GPL-3.0-or-later

//! Messages between programs on one core: chains, where each message causes the next, and fan-outs, where one message asks
//! many programs and waits for all answers.

use super::{Effort, Found};
use crate::{
    Result,
    clock::took,
    existing::Existing,
    native::LAB,
    ours::{Ours, Way},
    plot::Plot,
    samples::{Peer, in_turns},
    table::{Cell, Table},
};
use gear_exe_benchmarks_protocol::Id;
use gear_exe_primitives::ActorId;
use gear_exe_programs::{FAN_OUT, PING};
use std::cell::RefCell;

/// Programs in the ring that a chain goes around.
const RING: usize = 10;
const HOPS: [u32; 4] = [1, 10, 100, 1_000];
const TARGETS: [usize; 7] = [1, 3, 10, 30, 100, 300, 1_000];
/// More than that one message may not send in the existing engine.
const EXISTING_TARGETS: usize = 3;

pub fn run(effort: Effort) -> Result<Found> {
    let mut found = Found::default();
    chains(effort, &mut found)?;
    fan_outs(effort, &mut found)?;
    Ok(found)
}

fn next(program: &[u8]) -> Vec<u8> {
    [b"N", program].concat()
}

fn theirs(index: usize) -> Id {
    let mut id = [0; 32];
    id[30] = 0x42;
    id[31] = index as u8;
    Id(id)
}

fn chains(effort: Effort, found: &mut Found) -> Result<()> {
    let mut ours = Ours::in_memory(1)?;
    let ring = ours.programs(LAB, b"", RING)?;
    let mut existing = Existing::start()?;
    for index in 0..RING {
        let (own, other) = (theirs(index), theirs((index + 1) % RING));
        existing.create(own, LAB, 0)?;
        existing.answer(false, &[own], &[Vec::new(), next(&other.0)], 2, 2)?;
        ours.send(
            Way::Native,
            ring[index],
            &next(ring[(index + 1) % RING].as_ref()),
        );
    }
    ours.run(RING)?;
    let (ours, existing) = (RefCell::new(ours), RefCell::new(existing));

    let mut table = Table::new(
        "Chains: each message causes the next, messages a second of one core",
        &[
            "messages after the first",
            "existing engine",
            "this executor",
            "ratio",
        ],
    );
    let (mut their_line, mut our_line) = (Vec::new(), Vec::new());
    for hops in HOPS {
        let payload = [&b"R"[..], &hops.to_le_bytes()].concat();
        let messages = hops as usize + 1;
        // So many chains, one after the other, that the time can be measured.
        let repeat = (2_000 / messages).max(1);
        let peers: Vec<Peer<'_>> = vec![
            Box::new(|| {
                let repeat = repeat.div_ceil(10);
                let payloads = std::slice::from_ref(&payload);
                let took = existing
                    .borrow_mut()
                    .answer(true, &[theirs(0)], payloads, repeat, 1)?;
                Ok((repeat * messages) as f64 / took.processor)
            }),
            Box::new(|| {
                let (done, took) = took(|| -> Result<()> {
                    let mut ours = ours.borrow_mut();
                    for _ in 0..repeat {
                        ours.send(Way::Native, ring[0], &payload);
                        ours.run(messages)?;
                    }
                    Ok(())
                });
                done?;
                Ok((repeat * messages) as f64 / took.processor)
            }),
        ];
        let measured = in_turns(effort.turns, peers)?;
        let [existing, ours] = measured.as_slice() else {
            return Err("a peer is missing".into());
        };
        their_line.push((f64::from(hops), existing.median()));
        our_line.push((f64::from(hops), ours.median()));
        table.row(
            hops.to_string(),
            vec![
                Cell::Measured(existing.clone()),
                Cell::Measured(ours.clone()),
                Cell::Ratio(ours.median() / existing.median()),
            ],
        );
    }
    table.note(format!(
        "A ring of {RING} programs; one chain at a time, each in a round (block) of its own, so a short chain mostly pays for the round."
    ));
    found.tables.push(table);
    found.plots.push((
        "chains".into(),
        Plot::Lines {
            title: "Chains of messages on one core".into(),
            x: "messages after the first".into(),
            y: "messages a second".into(),
            series: vec![
                ("this executor".into(), our_line),
                ("existing engine".into(), their_line),
            ],
        },
    ));
    Ok(())
}

/// What the fan-out program has to answer when each target says PONG.
fn expected(targets: usize) -> Vec<u8> {
    let mut expected = (targets as u32).to_le_bytes().to_vec();
    (0..targets).for_each(|_| expected.extend(b"PONG"));
    expected
}

fn fan_outs(effort: Effort, found: &mut Found) -> Result<()> {
    let most = if effort.quick { 100 } else { 1_000 };
    let mut ours = Ours::in_memory(1)?;
    let asker = ours.program(FAN_OUT, b"")?;
    let mut existing = Existing::start()?;
    let their_asker = theirs(100);
    existing.create(their_asker, FAN_OUT, 0)?;
    existing.answer(false, &[their_asker], &[Vec::new()], 1, 1)?;
    for index in 0..EXISTING_TARGETS {
        existing.create(theirs(index), PING, 0)?;
        existing.answer(false, &[theirs(index)], &[Vec::new()], 1, 1)?;
    }
    let (ours, existing) = (RefCell::new(ours), RefCell::new(existing));
    let mut table = Table::new(
        "Fan-outs: one message asks programs and waits for all, µs of one core",
        &[
            "programs asked",
            "existing engine",
            "this executor",
            "for each program asked",
            "ratio",
        ],
    );
    let mut line = Vec::new();
    let mut targets = Vec::new();
    for count in TARGETS.into_iter().filter(|count| *count <= most) {
        let set = |ids: &[[u8; 32]]| [&b"SET"[..], &ids.concat()].concat();
        let new = count - targets.len();
        targets.extend(ours.borrow_mut().programs(PING, b"", new)?);
        let ids: Vec<[u8; 32]> = targets.iter().map(|id| id_of(*id)).collect();
        ours.borrow_mut().send(Way::Native, asker, &set(&ids));
        ours.borrow_mut().run(1)?;
        let repeat = (500 / count).max(1);
        let mut peers: Vec<Peer<'_>> = vec![Box::new(|| {
            let (done, took) = took(|| -> Result<()> {
                let mut ours = ours.borrow_mut();
                for _ in 0..repeat {
                    if ours.ask(asker, b"ASK")? != expected(count) {
                        return Err("the answers are wrong".into());
                    }
                }
                Ok(())
            });
            done?;
            Ok(took.processor / repeat as f64)
        })];
        if count <= EXISTING_TARGETS {
            let ids: Vec<[u8; 32]> = (0..count).map(|index| theirs(index).0).collect();
            let mut existing_now = existing.borrow_mut();
            existing_now.answer(true, &[their_asker], &[set(&ids)], 1, 1)?;
            drop(existing_now);
            peers.push(Box::new(|| {
                let repeat = repeat.div_ceil(10);
                let took = existing.borrow_mut().answer(
                    true,
                    &[their_asker],
                    &[b"ASK".to_vec()],
                    repeat,
                    1,
                )?;
                Ok(took.processor / repeat as f64)
            }));
        }
        let measured = in_turns(effort.turns, peers)?;
        let mut measured = measured
            .iter()
            .map(|samples| samples.map(|seconds| seconds * 1e6));
        let ours = measured.next().ok_or("a peer is missing")?;
        let (existing, ratio) = match measured.next() {
            Some(existing) => {
                let ratio = existing.median() / ours.median();
                (Cell::Measured(existing), Cell::Ratio(ratio))
            }
            None => (
                Cell::none("it sends at most 4 messages"),
                Cell::Text("".into()),
            ),
        };
        line.push((count as f64, ours.median()));
        table.row(
            count.to_string(),
            vec![
                existing,
                Cell::Measured(ours.clone()),
                Cell::Computed(ours.median() / count as f64),
                ratio,
            ],
        );
    }
    table.note("For each program asked: a question, its run, a reply, and a run of the asker that takes the reply.");
    found.tables.push(table);
    found.plots.push((
        "fan-outs".into(),
        Plot::Lines {
            title: "Fan-outs on one core".into(),
            x: "programs asked".into(),
            y: "µs from question to joined answer".into(),
            series: vec![("this executor".into(), line)],
        },
    ));
    Ok(())
}

fn id_of(actor: ActorId) -> [u8; 32] {
    let mut id = [0; 32];
    id.copy_from_slice(actor.as_ref());
    id
}
