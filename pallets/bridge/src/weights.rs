//! What calls cost.
//!
//! Time: taken high, from what the work of each call is made of (a signature check 60 µs, a transfer 50 µs, a fact that is
//! counted 1 µs) and four times that for WASM and slower machines; `scripts/weights` replaces it by what the benchmarks of this
//! pallet measure. Database: accesses counted by hand; the runtime says what one costs.

use core::marker::PhantomData;
use polkadot_sdk::frame_support::{
    traits::Get,
    weights::{RuntimeDbWeight, Weight, constants::RocksDbWeight},
};

/// What each call costs.
pub trait WeightInfo {
    /// Locking VARA.
    fn lock() -> Weight;
    /// Paying what is owed.
    fn claim() -> Weight;
    /// A vote with so many facts, for which it is looked up whether so many older ones are still wanted.
    fn submit_facts(facts: u32, older: u32) -> Weight;
    /// Checking the largest.
    fn authorize_facts() -> Weight;
    /// The beginning of a block, in which the votes of so many validators are dropped.
    fn on_initialize(dropped: u32) -> Weight;
    /// Counting so many facts, looking at so many validators and slashes, and applying some.
    fn count(looked: u32, facts: u32, applied: u32) -> Weight;
}

// What follows is written by scripts/weights.

/// What was counted, on a database whose accesses cost `D`.
pub struct Measured<D>(PhantomData<D>);

/// Microseconds, with the database accesses that go with them.
fn cost<D: Get<RuntimeDbWeight>>(micros: u64, reads: u64, writes: u64) -> Weight {
    Weight::from_parts(micros.saturating_mul(1_000_000), reads.saturating_mul(512))
        .saturating_add(D::get().reads_writes(reads, writes))
}

impl<D: Get<RuntimeDbWeight>> WeightInfo for Measured<D> {
    fn lock() -> Weight {
        cost::<D>(400, 9, 7)
    }

    fn claim() -> Weight {
        cost::<D>(300, 6, 5)
    }

    fn submit_facts(facts: u32, older: u32) -> Weight {
        let looked = facts.saturating_add(older);
        cost::<D>(120, 8, 3).saturating_add(cost::<D>(8, 1, 0).saturating_mul(looked.into()))
    }

    fn authorize_facts() -> Weight {
        cost::<D>(600, 40, 0)
    }

    fn on_initialize(dropped: u32) -> Weight {
        cost::<D>(15, 3, 2).saturating_add(cost::<D>(4, 1, 1).saturating_mul(dropped.into()))
    }

    fn count(looked: u32, facts: u32, applied: u32) -> Weight {
        cost::<D>(60, 4, 3)
            .saturating_add(cost::<D>(8, 1, 0).saturating_mul(looked.into()))
            .saturating_add(cost::<D>(4, 0, 0).saturating_mul(facts.into()))
            .saturating_add(cost::<D>(300, 8, 7).saturating_mul(applied.into()))
    }
}

impl WeightInfo for () {
    fn lock() -> Weight {
        Measured::<RocksDbWeight>::lock()
    }

    fn claim() -> Weight {
        Measured::<RocksDbWeight>::claim()
    }

    fn submit_facts(facts: u32, older: u32) -> Weight {
        Measured::<RocksDbWeight>::submit_facts(facts, older)
    }

    fn authorize_facts() -> Weight {
        Measured::<RocksDbWeight>::authorize_facts()
    }

    fn on_initialize(dropped: u32) -> Weight {
        Measured::<RocksDbWeight>::on_initialize(dropped)
    }

    fn count(looked: u32, facts: u32, applied: u32) -> Weight {
        Measured::<RocksDbWeight>::count(looked, facts, applied)
    }
}
