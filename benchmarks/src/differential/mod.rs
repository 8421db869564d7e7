// SPDX-License-Identifier: GPL-3.0-or-later

//! The same messages to the same programs, here and in the existing engine, block by block. What leaves the programs and
//! what they own must be the same: replies, their codes and payloads, other messages, their ids and order, value, and the
//! block in which something happens, which tells about waits and wakes. Where the two differ on purpose, `listed` says why
//! ours is right; any other difference is an error.
//!
//! `scenario` makes the messages, `engine` is our side, `compare` finds what differs.

mod compare;
mod engine;
mod listed;
mod scenario;

pub use compare::{Mismatch, What};
pub use listed::{LISTED, Listed};
pub use scenario::{PROGRAMS, Scenario, Step, Text};

use crate::{
    Result,
    existing::{Existing, Failure},
};
use engine::Engine;
use gear_exe_benchmarks_protocol::{Bytes, Id, Message};
use std::collections::BTreeMap;

/// What a scenario came to.
#[derive(Debug, Default)]
pub struct Ran {
    /// Messages that users sent.
    pub sent: usize,
    /// Messages that came back and were the same.
    pub same: usize,
    /// Listed differences by name, and how often each was met.
    pub listed: BTreeMap<&'static str, usize>,
    /// The first differences that are not listed, all of one block.
    pub unlisted: Vec<Mismatch>,
}

/// Two engines side by side.
pub struct Both {
    existing: Existing,
}

impl Both {
    /// Starts the existing engine.
    pub fn start() -> Result<Self> {
        Ok(Self {
            existing: Existing::start()?,
        })
    }

    /// Runs a scenario until its end, or until something differs that is not listed.
    pub fn run(&mut self, scenario: &Scenario) -> Result<Ran> {
        self.existing.reset()?;
        let mut ours = Engine::new()?;
        for (index, program) in PROGRAMS.iter().enumerate() {
            let id = scenario::program(index);
            self.existing.create(id, program.code, scenario::OWNED)?;
            ours.create(id, program.code, scenario::OWNED.into())?;
        }
        let mut ran = Ran::default();
        let mut ids: Vec<Id> = Vec::new();
        for (number, steps) in scenario.blocks.iter().enumerate() {
            let messages: Vec<Message> = steps.iter().map(|step| message(step, &ids)).collect();
            let theirs = match self.existing.block(messages.clone()) {
                Ok(block) => Some(block),
                Err(Failure::Crashed) => None,
                Err(Failure::Other(error)) => return Err(error),
            };
            let mismatches = match &theirs {
                Some(theirs) => {
                    let own = ours.block(theirs.height, &messages, &theirs.ids)?;
                    ids.extend(&theirs.ids);
                    let found = compare::compare(number, theirs, &own);
                    ran.same += found.same;
                    found.mismatches
                }
                None => {
                    // Ours has to manage.
                    ours.block(number as u32 + 1, &messages, &[])?;
                    vec![Mismatch {
                        block: number,
                        what: What::Crashed,
                    }]
                }
            };
            ran.sent += messages.len();
            for mismatch in mismatches {
                match LISTED
                    .iter()
                    .find(|listed| (listed.covers)(&mismatch, scenario, &ids))
                {
                    Some(listed) => *ran.listed.entry(listed.name).or_default() += 1,
                    None => ran.unlisted.push(mismatch),
                }
            }
            if !ran.unlisted.is_empty() || theirs.is_none() {
                break;
            }
        }
        Ok(ran)
    }

    /// The shortest scenario that still shows an unlisted difference: blocks behind it are cut off, then messages are left
    /// out one by one, as long as the difference stays.
    pub fn shrink(&mut self, scenario: &Scenario) -> Result<Scenario> {
        let mut least = scenario.clone();
        let Some(first) = self.run(&least)?.unlisted.first().cloned() else {
            return Ok(least);
        };
        least.blocks.truncate(first.block + 1);
        // The first block initialises the programs.
        for block in (1..least.blocks.len()).rev() {
            for step in (0..least.blocks[block].len()).rev() {
                let mut less = least.clone();
                less.leave_out(block, step);
                if !self.run(&less)?.unlisted.is_empty() {
                    least = less;
                }
            }
        }
        Ok(least)
    }
}

/// A step as a message. What it wakes is one of the messages before.
fn message(step: &Step, ids: &[Id]) -> Message {
    let payload = match &step.text {
        Text::Bytes(bytes) => bytes.clone(),
        Text::Wake(index) => {
            let id = ids.get(*index).copied().unwrap_or_default();
            Bytes([&b"WAKE"[..], &id.0].concat())
        }
    };
    Message {
        to: scenario::program(step.to),
        from: scenario::user(step.from),
        payload,
        value: step.value,
        native: step.native,
    }
}
