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
    /// Evidence that proves a fault, with what it leads to.
    fn report() -> Weight;
    /// Checking it.
    fn authorize_report() -> Weight;
    /// Checking a certificate of the largest set, beside a signature.
    fn check_certificate() -> Weight;
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

/// What forgetting costs besides, in a block in which as much is too old as can be forgotten at once: no benchmark makes that.
pub fn forgetting_part(db: RuntimeDbWeight) -> Weight {
    Weight::from_parts(100_000_000, 8_000).saturating_add(db.reads_writes(14, 25))
}

/// What checking a report costs besides: a historical proof, whose trie is built anew for 128 validators. Taken high.
pub fn proof_part(db: RuntimeDbWeight) -> Weight {
    Weight::from_parts(3_000_000_000, 75_000).saturating_add(db.reads(150))
}

// What follows is written by scripts/weights.

/// What was measured, on a database whose accesses cost `D`.
pub struct Measured<D>(PhantomData<D>);

impl<D: Get<RuntimeDbWeight>> WeightInfo for Measured<D> {
    fn report() -> Weight {
        Weight::from_parts(905_428_000, 45_235).saturating_add(D::get().reads_writes(92, 9))
    }

    fn authorize_report() -> Weight {
        Weight::from_parts(258_855_000, 8_050).saturating_add(D::get().reads_writes(9, 0))
    }

    fn check_certificate() -> Weight {
        Weight::from_parts(5_698_351_000, 11_371).saturating_add(D::get().reads_writes(9, 0))
    }

    fn cancel() -> Weight {
        Weight::from_parts(58_512_000, 3_093).saturating_add(D::get().reads_writes(6, 4))
    }

    fn approve() -> Weight {
        Weight::from_parts(22_650_000, 996).saturating_add(D::get().reads_writes(2, 1))
    }

    // s: 0 to 64.
    fn on_initialize(s: u32) -> Weight {
        Weight::from_parts(43_155_600, 1_806)
            .saturating_add(D::get().reads_writes(14, 3))
            .saturating_add(
                Weight::from_parts(13_420_828, 185)
                    .saturating_add(D::get().reads_writes(1, 2))
                    .saturating_mul(s.into()),
            )
    }
}

impl WeightInfo for () {
    fn report() -> Weight {
        Measured::<RocksDbWeight>::report()
    }

    fn authorize_report() -> Weight {
        Measured::<RocksDbWeight>::authorize_report()
    }

    fn check_certificate() -> Weight {
        Measured::<RocksDbWeight>::check_certificate()
    }

    fn cancel() -> Weight {
        Measured::<RocksDbWeight>::cancel()
    }

    fn approve() -> Weight {
        Measured::<RocksDbWeight>::approve()
    }

    fn on_initialize(s: u32) -> Weight {
        Measured::<RocksDbWeight>::on_initialize(s)
    }
}
