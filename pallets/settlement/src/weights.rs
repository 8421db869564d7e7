//! What calls cost.
//!
//! Time: the benchmarks of this pallet, timed natively (the least of 15 runs, release build, one core of the development
//! machine, 128 validators) and taken four times, for WASM and slower machines. Database: accesses counted by hand, at
//! RocksDB's weights. To be replaced by what `benchmark pallet` measures on the machines that validators will have.

use polkadot_sdk::frame_support::weights::{Weight, constants::RocksDbWeight};

/// What each call costs.
pub trait WeightInfo {
    /// A signature.
    fn submit_batch_signature() -> Weight;
    /// A statement that there is nothing to send.
    fn submit_empty() -> Weight;
    /// Checking either.
    fn authorize_vote() -> Weight;
    /// Stopping batches.
    fn pause() -> Weight;
    /// Letting them go on.
    fn resume() -> Weight;
    /// The end of a block, which may drop a seal with `votes` votes on it.
    fn on_finalize(votes: u32) -> Weight;
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
    fn submit_batch_signature() -> Weight {
        cost(100, 6, 5)
    }

    fn submit_empty() -> Weight {
        cost(100, 6, 5)
    }

    fn authorize_vote() -> Weight {
        cost(240, 5, 0)
    }

    fn pause() -> Weight {
        cost(10, 1, 1)
    }

    fn resume() -> Weight {
        cost(10, 1, 1)
    }

    fn on_finalize(votes: u32) -> Weight {
        // Some items of the outbox may be deleted, too.
        cost(100, 16, 24).saturating_add(cost(2, 3, 3).saturating_mul(votes.into()))
    }
}
