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
    /// A native message with so many bytes.
    fn submit_native(bytes: u32) -> Weight;
    /// Checking it.
    fn authorize_native(bytes: u32) -> Weight;
    /// Forgetting so many native messages and reference blocks at the beginning of a block.
    fn forget_natives(entries: u32) -> Weight;
}

// What follows is written by scripts/weights.

/// What was measured, on a database whose accesses cost `D`.
pub struct Measured<D>(PhantomData<D>);

impl<D: Get<RuntimeDbWeight>> WeightInfo for Measured<D> {
    // n: 0 to 32.
    fn submit_view(n: u32) -> Weight {
        Weight::from_parts(49_384_320, 1_005)
            .saturating_add(D::get().reads_writes(5, 5))
            .saturating_add(
                Weight::from_parts(31_491_063, 189)
                    .saturating_add(D::get().reads_writes(2, 2))
                    .saturating_mul(n.into()),
            )
    }

    // n: 0 to 32.
    fn authorize_view(n: u32) -> Weight {
        Weight::from_parts(86_280_569, 4_755)
            .saturating_add(D::get().reads_writes(9, 0))
            .saturating_add(
                Weight::from_parts(12_425_841, 0)
                    .saturating_add(D::get().reads_writes(1, 0))
                    .saturating_mul(n.into()),
            )
    }

    fn submit_code_vote() -> Weight {
        Weight::from_parts(2_384_427_000, 13_717).saturating_add(D::get().reads_writes(94, 93))
    }

    fn authorize_code_vote() -> Weight {
        Weight::from_parts(94_963_000, 5_653).saturating_add(D::get().reads_writes(7, 0))
    }

    // v: 1 to 128.
    fn on_finalize(v: u32) -> Weight {
        Weight::from_parts(38_873_000, 5_356)
            .saturating_add(D::get().reads_writes(19, 69))
            .saturating_add(
                Weight::from_parts(8_072_150, 113)
                    .saturating_add(D::get().reads_writes(2, 0))
                    .saturating_mul(v.into()),
            )
    }

    // n: 0 to 64.
    fn on_initialize(n: u32) -> Weight {
        Weight::from_parts(32_994_320, 1_136)
            .saturating_add(D::get().reads_writes(10, 5))
            .saturating_add(
                Weight::from_parts(5_053_855, 188)
                    .saturating_add(D::get().reads_writes(1, 1))
                    .saturating_mul(n.into()),
            )
    }

    // n: 0 to 129024.
    fn submit_native(n: u32) -> Weight {
        Weight::from_parts(92_853_380, 213_866)
            .saturating_add(D::get().reads_writes(7, 3))
            .saturating_add(
                Weight::from_parts(5_657, 0)
                    .saturating_add(D::get().reads_writes(0, 0))
                    .saturating_mul(n.into()),
            )
    }

    // n: 0 to 129024.
    fn authorize_native(n: u32) -> Weight {
        Weight::from_parts(83_083_711, 861)
            .saturating_add(D::get().reads_writes(6, 0))
            .saturating_add(
                Weight::from_parts(9_989, 0)
                    .saturating_add(D::get().reads_writes(0, 0))
                    .saturating_mul(n.into()),
            )
    }

    // n: 0 to 8190.
    fn forget_natives(n: u32) -> Weight {
        Weight::from_parts(22_286_000, 2_769)
            .saturating_add(D::get().reads_writes(5, 4))
            .saturating_add(
                Weight::from_parts(854_889, 0)
                    .saturating_add(D::get().reads_writes(1, 1))
                    .saturating_mul(n.into()),
            )
    }
}

impl WeightInfo for () {
    fn submit_view(n: u32) -> Weight {
        Measured::<RocksDbWeight>::submit_view(n)
    }

    fn authorize_view(n: u32) -> Weight {
        Measured::<RocksDbWeight>::authorize_view(n)
    }

    fn submit_code_vote() -> Weight {
        Measured::<RocksDbWeight>::submit_code_vote()
    }

    fn authorize_code_vote() -> Weight {
        Measured::<RocksDbWeight>::authorize_code_vote()
    }

    fn on_finalize(v: u32) -> Weight {
        Measured::<RocksDbWeight>::on_finalize(v)
    }

    fn on_initialize(n: u32) -> Weight {
        Measured::<RocksDbWeight>::on_initialize(n)
    }

    fn submit_native(n: u32) -> Weight {
        Measured::<RocksDbWeight>::submit_native(n)
    }

    fn authorize_native(n: u32) -> Weight {
        Measured::<RocksDbWeight>::authorize_native(n)
    }

    fn forget_natives(n: u32) -> Weight {
        Measured::<RocksDbWeight>::forget_natives(n)
    }
}
