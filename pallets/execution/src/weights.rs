//! What calls cost.
//!
//! Time: the benchmarks of this pallet, timed natively (the least of 15 runs, release build, one core of the development
//! machine, 128 validators) and taken four times, for WASM and slower machines. Database: accesses counted by hand, at
//! RocksDB's weights. To be replaced by what `benchmark pallet` measures on the machines that validators will have.

use polkadot_sdk::frame_support::weights::{Weight, constants::RocksDbWeight};

/// What each call costs.
pub trait WeightInfo {
    /// A view with `headers` new headers.
    fn submit_view(headers: u32) -> Weight;
    /// Checking it.
    fn authorize_view(headers: u32) -> Weight;
    /// A verdict.
    fn submit_code_vote() -> Weight;
    /// Checking it.
    fn authorize_code_vote() -> Weight;
    /// The beginning of a block in which `headers` old headers are dropped.
    fn on_initialize(headers: u32) -> Weight;
    /// The end of a block, with the views of so many validators.
    fn on_finalize(validators: u32) -> Weight;
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
    fn submit_view(headers: u32) -> Weight {
        // A header is written once and removed once.
        cost(40, 9, 6).saturating_add(cost(32, 2, 2).saturating_mul(headers.into()))
    }

    fn authorize_view(headers: u32) -> Weight {
        cost(300, 7, 0).saturating_add(cost(16, 1, 0).saturating_mul(headers.into()))
    }

    fn submit_code_vote() -> Weight {
        // If it decides, the lists of all who voted change.
        cost(1_400, 94, 94)
    }

    fn authorize_code_vote() -> Weight {
        cost(160, 6, 0)
    }

    fn on_initialize(headers: u32) -> Weight {
        cost(20, 7, 6).saturating_add(cost(3, 1, 1).saturating_mul(headers.into()))
    }

    fn on_finalize(validators: u32) -> Weight {
        cost(50, 48, 8).saturating_add(cost(7, 1, 0).saturating_mul(validators.into()))
    }
}
