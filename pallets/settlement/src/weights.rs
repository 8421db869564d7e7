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

/// What was measured, on a database whose accesses cost `D`.
pub struct Measured<D>(PhantomData<D>);

impl<D: Get<RuntimeDbWeight>> WeightInfo for Measured<D> {
    fn submit_batch_signature() -> Weight {
        Weight::from_parts(80_848_000, 5_607).saturating_add(D::get().reads_writes(6, 5))
    }

    fn submit_empty() -> Weight {
        Weight::from_parts(70_529_000, 5_646).saturating_add(D::get().reads_writes(7, 5))
    }

    fn authorize_vote() -> Weight {
        Weight::from_parts(79_224_000, 4_378).saturating_add(D::get().reads_writes(5, 0))
    }

    fn pause() -> Weight {
        Weight::from_parts(10_257_000, 260).saturating_add(D::get().reads_writes(1, 1))
    }

    fn resume() -> Weight {
        Weight::from_parts(11_827_000, 283).saturating_add(D::get().reads_writes(1, 1))
    }

    // v: 0 to 128.
    fn on_finalize(v: u32) -> Weight {
        Weight::from_parts(259_521_962, 9_320)
            .saturating_add(D::get().reads_writes(19, 69))
            .saturating_add(
                Weight::from_parts(3_077_256, 57)
                    .saturating_add(D::get().reads_writes(3, 3))
                    .saturating_mul(v.into()),
            )
    }
}

impl WeightInfo for () {
    fn submit_batch_signature() -> Weight {
        Measured::<RocksDbWeight>::submit_batch_signature()
    }

    fn submit_empty() -> Weight {
        Measured::<RocksDbWeight>::submit_empty()
    }

    fn authorize_vote() -> Weight {
        Measured::<RocksDbWeight>::authorize_vote()
    }

    fn pause() -> Weight {
        Measured::<RocksDbWeight>::pause()
    }

    fn resume() -> Weight {
        Measured::<RocksDbWeight>::resume()
    }

    fn on_finalize(v: u32) -> Weight {
        Measured::<RocksDbWeight>::on_finalize(v)
    }
}
