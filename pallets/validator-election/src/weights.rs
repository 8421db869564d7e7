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
    /// Elections without ETH.
    fn force_vara_only() -> Weight;
}

// What follows is written by scripts/weights.

/// What was measured, on a database whose accesses cost `D`.
pub struct Measured<D>(PhantomData<D>);

impl<D: Get<RuntimeDbWeight>> WeightInfo for Measured<D> {
    fn force_vara_only() -> Weight {
        Weight::from_parts(12_376_000, 583).saturating_add(D::get().reads_writes(1, 1))
    }
}

impl WeightInfo for () {
    fn force_vara_only() -> Weight {
        Measured::<RocksDbWeight>::force_vara_only()
    }
}
