//! What calls cost, as the benchmarks of this pallet measured it.
//!
//! By `scripts/weights` on 2026-11-26, in the WASM executor: the fastest quarter of 20 runs of each of up to 20 values of
//! a component, on Intel(R) Xeon(R) Processor, 2 cores, Linux 6.18.44-fc-v657.
//! Time is without the database, whose accesses were counted; the runtime says what one costs.

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

/// What was measured, on a database whose accesses cost `D`.
pub struct Measured<D>(PhantomData<D>);

impl<D: Get<RuntimeDbWeight>> WeightInfo for Measured<D> {
    fn lock() -> Weight {
        Weight::from_parts(99_034_000, 581).saturating_add(D::get().reads_writes(8, 6))
    }

    fn claim() -> Weight {
        Weight::from_parts(112_431_000, 356).saturating_add(D::get().reads_writes(7, 5))
    }

    // f: 1 to 32.
    // o: 0 to 80.
    fn submit_facts(f: u32, o: u32) -> Weight {
        Weight::from_parts(193_949_000, 4_253)
            .saturating_add(D::get().reads_writes(38, 2))
            .saturating_add(
                Weight::from_parts(482_390, 52)
                    .saturating_add(D::get().reads_writes(0, 0))
                    .saturating_mul(f.into()),
            )
            .saturating_add(
                Weight::from_parts(3_239_782, 10)
                    .saturating_add(D::get().reads_writes(1, 0))
                    .saturating_mul(o.into()),
            )
    }

    fn authorize_facts() -> Weight {
        Weight::from_parts(317_848_000, 6_312).saturating_add(D::get().reads_writes(88, 0))
    }

    // d: 0 to 128.
    fn on_initialize(d: u32) -> Weight {
        Weight::from_parts(12_521_789, 382)
            .saturating_add(D::get().reads_writes(2, 2))
            .saturating_add(
                Weight::from_parts(1_096_846, 48)
                    .saturating_add(D::get().reads_writes(1, 1))
                    .saturating_mul(d.into()),
            )
    }

    // v: 1 to 128.
    // f: 0 to 64.
    // a: 0 to 16.
    fn count(v: u32, f: u32, a: u32) -> Weight {
        Weight::from_parts(85_364_000, 44_173)
            .saturating_add(D::get().reads_writes(28, 22))
            .saturating_add(
                Weight::from_parts(45_465_657, 920)
                    .saturating_add(D::get().reads_writes(1, 0))
                    .saturating_mul(v.into()),
            )
            .saturating_add(
                Weight::from_parts(45_124_607, 239)
                    .saturating_add(D::get().reads_writes(0, 0))
                    .saturating_mul(f.into()),
            )
            .saturating_add(
                Weight::from_parts(0, 1_799)
                    .saturating_add(D::get().reads_writes(1, 1))
                    .saturating_mul(a.into()),
            )
    }
}

impl WeightInfo for () {
    fn lock() -> Weight {
        Measured::<RocksDbWeight>::lock()
    }

    fn claim() -> Weight {
        Measured::<RocksDbWeight>::claim()
    }

    fn submit_facts(f: u32, o: u32) -> Weight {
        Measured::<RocksDbWeight>::submit_facts(f, o)
    }

    fn authorize_facts() -> Weight {
        Measured::<RocksDbWeight>::authorize_facts()
    }

    fn on_initialize(d: u32) -> Weight {
        Measured::<RocksDbWeight>::on_initialize(d)
    }

    fn count(v: u32, f: u32, a: u32) -> Weight {
        Measured::<RocksDbWeight>::count(v, f, a)
    }
}
