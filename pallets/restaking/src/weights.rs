//! What calls cost.
//!
//! Time: taken high, from what the work of each call is made of (a signature check 60 µs, a kilobyte of Keccak 5 µs) and
//! four times that for WASM and slower machines; to be replaced by what the benchmarks of this pallet measure. Database:
//! accesses counted by hand, at RocksDB's weights.

use polkadot_sdk::frame_support::weights::{Weight, constants::RocksDbWeight};

/// What each call costs.
pub trait WeightInfo {
    /// A new operator.
    fn register_operator() -> Weight;
    /// An operator that wants to leave.
    fn deregister_operator() -> Weight;
    /// An operator that leaves.
    fn withdraw_operator() -> Weight;
    /// Rules for a token.
    fn set_asset() -> Weight;
    /// The vote that decides.
    fn submit_snapshot_vote() -> Weight;
    /// Checking it.
    fn authorize_snapshot_vote() -> Weight;
    /// The last page, in an era with so many.
    fn submit_page(pages: u32) -> Weight;
    /// Checking a page.
    fn authorize_page() -> Weight;
    /// The beginning of a block.
    fn on_initialize() -> Weight;
    /// The beginning of an era, with so many operators.
    fn begin_era(operators: u32) -> Weight;
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
    fn register_operator() -> Weight {
        cost(500, 9, 6)
    }

    fn deregister_operator() -> Weight {
        cost(40, 3, 1)
    }

    fn withdraw_operator() -> Weight {
        cost(100, 5, 5)
    }

    fn set_asset() -> Weight {
        cost(20, 2, 2)
    }

    fn submit_snapshot_vote() -> Weight {
        cost(200, 6, 4)
    }

    fn authorize_snapshot_vote() -> Weight {
        cost(300, 7, 0)
    }

    fn submit_page(pages: u32) -> Weight {
        // Storing it, and in the end reading all pages (6 KiB each) and looking up their operators.
        cost(400, 12, 6).saturating_add(cost(100, 9, 0).saturating_mul(pages.into()))
    }

    fn authorize_page() -> Weight {
        cost(200, 6, 0)
    }

    fn on_initialize() -> Weight {
        cost(10, 4, 0)
    }

    fn begin_era(operators: u32) -> Weight {
        // Two eras' pages may go: those of a missed snapshot, and those of the oldest.
        cost(400, 12, 140).saturating_add(cost(8, 1, 0).saturating_mul(operators.into()))
    }
}
