//! What calls cost.
//!
//! Time: the benchmarks of this pallet, timed natively (the least of 15 runs, one core of the development machine, less
//! optimised than a release) and taken four times, for WASM and slower machines. `report` and `authorize_report` are more:
//! not measured are a historical proof whose trie is built anew for 128 validators, and Staking's work for a third of them
//! as concurrent offenders with their nominators, so these are conservative guesses. Database: accesses counted by hand, at
//! RocksDB's weights. To be replaced by what `benchmark pallet` measures on the machines that validators will have.

use polkadot_sdk::frame_support::weights::{RuntimeDbWeight, Weight, constants::RocksDbWeight};

/// What each call costs.
pub trait WeightInfo {
    /// Evidence that proves a fault, with what it leads to.
    fn report() -> Weight;
    /// Checking it.
    fn authorize_report() -> Weight;
    /// Cancelling a slash.
    fn cancel() -> Weight;
    /// Approving a slash.
    fn approve() -> Weight;
    /// The beginning of a block in which `slashes` open slashes are looked at.
    fn on_initialize(slashes: u32) -> Weight;
}

/// What a report costs besides, which no benchmark here can show, since it depends on the runtime: Staking's work for a third of
/// 128 validators as concurrent offenders, with nominators. Taken high.
pub fn staking_part(db: RuntimeDbWeight) -> Weight {
    Weight::from_parts(10_000_000_000, 350_000).saturating_add(db.reads_writes(700, 300))
}

/// What checking a report costs besides: a historical proof, whose trie is built anew for 128 validators. Taken high.
pub fn proof_part(db: RuntimeDbWeight) -> Weight {
    Weight::from_parts(3_000_000_000, 75_000).saturating_add(db.reads(150))
}

// What follows is written by scripts/weights.

/// Microseconds, with the database accesses that go with them.
const fn cost(micros: u64, reads: u64, writes: u64) -> Weight {
    Weight::from_parts(micros.saturating_mul(1_000_000), 0).saturating_add(Weight::from_parts(
        RocksDbWeight::get()
            .read
            .saturating_mul(reads)
            .saturating_add(RocksDbWeight::get().write.saturating_mul(writes)),
        reads.saturating_mul(512),
    ))
}

impl WeightInfo for () {
    fn report() -> Weight {
        cost(1_000, 24, 16)
    }

    fn authorize_report() -> Weight {
        cost(600, 10, 0)
    }

    fn cancel() -> Weight {
        cost(1_000, 8, 7)
    }

    fn approve() -> Weight {
        cost(25, 2, 1)
    }

    fn on_initialize(slashes: u32) -> Weight {
        // Every block: session, cursors, bonded eras; some entries of an old era may be forgotten.
        cost(100, 28, 28).saturating_add(cost(12, 2, 3).saturating_mul(slashes.into()))
    }
}
