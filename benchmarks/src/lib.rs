// SPDX-License-Identifier: GPL-3.0-or-later

//! The executor beside its peers, in one run: the existing engine, a bare wasmtime call, an EVM, native code. Outside the
//! main workspace, because the peers bring much that nothing there needs. `sections` measures, `table` and `plot` show what was
//! found; `differential` feeds the same messages to our executor and to the existing engine and compares what they do.
//! `scripts/bench` runs all of it.

// For the kernels, which know nothing else.
extern crate alloc;

mod bare;
mod clock;
pub mod differential;
mod evm;
mod existing;
pub mod machine;
mod native;
mod ours;
pub mod plot;
mod samples;
pub mod sections;
pub mod table;

/// What goes wrong ends the run, with the reason.
pub type Result<T, E = Box<dyn std::error::Error>> = std::result::Result<T, E>;
