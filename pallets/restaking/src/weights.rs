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

/// What was measured, on a database whose accesses cost `D`.
pub struct Measured<D>(PhantomData<D>);

impl<D: Get<RuntimeDbWeight>> WeightInfo for Measured<D> {
    fn register_operator() -> Weight {
        Weight::from_parts(164_415_000, 991).saturating_add(D::get().reads_writes(8, 5))
    }

    fn deregister_operator() -> Weight {
        Weight::from_parts(32_924_000, 587).saturating_add(D::get().reads_writes(4, 1))
    }

    fn withdraw_operator() -> Weight {
        Weight::from_parts(95_482_000, 718).saturating_add(D::get().reads_writes(5, 4))
    }

    fn set_asset() -> Weight {
        Weight::from_parts(22_407_000, 602).saturating_add(D::get().reads_writes(1, 1))
    }

    fn submit_snapshot_vote() -> Weight {
        Weight::from_parts(68_623_000, 8_564).saturating_add(D::get().reads_writes(8, 2))
    }

    fn authorize_snapshot_vote() -> Weight {
        Weight::from_parts(98_878_000, 8_618).saturating_add(D::get().reads_writes(9, 0))
    }

    // p: 1 to 64.
    fn submit_page(p: u32) -> Weight {
        Weight::from_parts(341_820_726, 5_685)
            .saturating_add(D::get().reads_writes(38, 7))
            .saturating_add(
                Weight::from_parts(114_597_641, 7_629)
                    .saturating_add(D::get().reads_writes(9, 0))
                    .saturating_mul(p.into()),
            )
    }

    fn authorize_page() -> Weight {
        Weight::from_parts(125_072_000, 1_086).saturating_add(D::get().reads_writes(3, 0))
    }

    fn on_initialize() -> Weight {
        Weight::from_parts(19_123_000, 1_233).saturating_add(D::get().reads_writes(4, 0))
    }

    // o: 0 to 512.
    fn begin_era(o: u32) -> Weight {
        Weight::from_parts(133_698_375, 2_260)
            .saturating_add(D::get().reads_writes(140, 136))
            .saturating_add(
                Weight::from_parts(5_679_548, 92)
                    .saturating_add(D::get().reads_writes(1, 0))
                    .saturating_mul(o.into()),
            )
    }
}

impl WeightInfo for () {
    fn register_operator() -> Weight {
        Measured::<RocksDbWeight>::register_operator()
    }

    fn deregister_operator() -> Weight {
        Measured::<RocksDbWeight>::deregister_operator()
    }

    fn withdraw_operator() -> Weight {
        Measured::<RocksDbWeight>::withdraw_operator()
    }

    fn set_asset() -> Weight {
        Measured::<RocksDbWeight>::set_asset()
    }

    fn submit_snapshot_vote() -> Weight {
        Measured::<RocksDbWeight>::submit_snapshot_vote()
    }

    fn authorize_snapshot_vote() -> Weight {
        Measured::<RocksDbWeight>::authorize_snapshot_vote()
    }

    fn submit_page(p: u32) -> Weight {
        Measured::<RocksDbWeight>::submit_page(p)
    }

    fn authorize_page() -> Weight {
        Measured::<RocksDbWeight>::authorize_page()
    }

    fn on_initialize() -> Weight {
        Measured::<RocksDbWeight>::on_initialize()
    }

    fn begin_era(o: u32) -> Weight {
        Measured::<RocksDbWeight>::begin_era(o)
    }
}
