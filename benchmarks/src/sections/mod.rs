// SPDX-License-Identifier: GPL-3.0-or-later

//! What is measured, section by section.

mod apps;
mod chains;
mod kernels;
mod ping;
mod programs;
mod state;
mod threads;
mod upload;

use crate::{
    Result,
    plot::Plot,
    table::{Goal, Table},
};

/// How thorough a run is.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// How many times each peer is measured.
    pub turns: usize,
    /// A look at whether everything works: less work, the largest cases left out.
    pub quick: bool,
}

/// What a section found.
#[derive(Default)]
pub struct Found {
    /// Its tables.
    pub tables: Vec<Table>,
    /// Its plots, with the names of their files.
    pub plots: Vec<(String, Plot)>,
    /// Goals that its figures decide.
    pub goals: Vec<Goal>,
}

/// A section.
pub struct Section {
    /// By what it is asked for, and the name of its files.
    pub name: &'static str,
    /// What it measures.
    pub about: &'static str,
    /// Measures it.
    pub run: fn(Effort) -> Result<Found>,
}

/// All sections, in the order in which they run.
pub const ALL: [Section; 8] = [
    Section {
        name: "ping",
        about: "messages a second: the existing engine, this executor, a bare call",
        run: ping::run,
    },
    Section {
        name: "apps",
        about: "a counter and a token: the existing engine, this executor, an EVM",
        run: apps::run,
    },
    Section {
        name: "kernels",
        about: "CPU-bound work: native Rust, this executor, an EVM, Ethereum's budget",
        run: kernels::run,
    },
    Section {
        name: "threads",
        about: "one and two threads, 64 independent programs",
        run: threads::run,
    },
    Section {
        name: "programs",
        about: "1 to 10,000 programs",
        run: programs::run,
    },
    Section {
        name: "chains",
        about: "chains of messages, and fan-outs",
        run: chains::run,
    },
    Section {
        name: "state",
        about: "states of 64 KiB to 1 GiB of which little is touched",
        run: state::run,
    },
    Section {
        name: "upload",
        about: "what accepting a code costs",
        run: upload::run,
    },
];
