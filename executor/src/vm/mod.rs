//! Programs in memory: their instances stay between messages and rounds, and their memory *is* their state.
//!
//! `memory` gives wasmtime its linear memories, `tracker` knows which pages were touched and how they were (`signal` and
//! system calls tell it, through `shared`), `opening` is how they are opened and closed, `loading` brings them in from the
//! store when they are first touched, `undo` holds the copies, `meter` reads the gas. A [`resident`] is one program with
//! its instance; it runs messages one after the other and, at the end of a round, hashes the pages that changed. A
//! round has a [`Slot`] for each of its programs; between rounds [`Residents`] keeps the programs that were used last,
//! within a budget. Nothing in a result shows what was in memory.

mod loading;
mod memory;
pub(crate) mod meter;
mod opening;
mod ranges;
mod resident;
mod residents;
mod shared;
mod signal;
mod tracker;
mod undo;

pub(crate) use resident::Entry;
pub(crate) use residents::{Residents, Slot, Waking};
pub(crate) use shared::Shared as SharedTracker;

use std::sync::Arc;

/// WASM pages that any program can have: two GiB.
pub(crate) const MAX_PAGES: u32 = 32_768;

/// Makes wasmtime use this module's memories.
pub(crate) fn configure(config: &mut wasmtime::Config) {
    config
        .with_host_memory(Arc::new(memory::Creator))
        // Every address that 32 bits and a usual offset can reach is reserved: no access needs a comparison.
        .memory_reservation(4 << 30)
        .memory_init_cow(false);
}
