//! What calls cost. The election itself registers its weight while it runs.
//!
//! Taken high: a read or two and a write. To be replaced by what the benchmarks of this pallet measure.

use polkadot_sdk::frame_support::weights::{Weight, constants::RocksDbWeight};

/// What each call costs.
pub trait WeightInfo {
    /// Elections without ETH.
    fn force_vara_only() -> Weight;
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
    fn force_vara_only() -> Weight {
        cost(10, 1, 1)
    }
}
