//! What calls cost, as the benchmarks of this pallet measured it.
//!
//! By `scripts/weights` on 2026-11-26, in the WASM executor: the fastest quarter of 20 runs of each of up to 10 values of
//! a component, on AMD EPYC, 2 cores, Linux 6.18.44-fc-v669.
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
        Weight::from_parts(152_968_000, 687).saturating_add(D::get().reads_writes(7, 5))
    }

    fn deregister_operator() -> Weight {
        Weight::from_parts(40_361_000, 587).saturating_add(D::get().reads_writes(4, 1))
    }

    fn withdraw_operator() -> Weight {
        Weight::from_parts(75_472_000, 684).saturating_add(D::get().reads_writes(5, 4))
    }

    fn set_asset() -> Weight {
        Weight::from_parts(12_759_000, 602).saturating_add(D::get().reads_writes(1, 1))
    }

    fn submit_snapshot_vote() -> Weight {
        Weight::from_parts(58_948_000, 8_531).saturating_add(D::get().reads_writes(8, 2))
    }

    fn authorize_snapshot_vote() -> Weight {
        Weight::from_parts(84_646_000, 8_585).saturating_add(D::get().reads_writes(9, 0))
    }

    // p: 1 to 64.
    fn submit_page(p: u32) -> Weight {
        Weight::from_parts(220_308_000, 5_268)
            .saturating_add(D::get().reads_writes(38, 7))
            .saturating_add(
                Weight::from_parts(71_846_204, 7_635)
                    .saturating_add(D::get().reads_writes(9, 0))
                    .saturating_mul(p.into()),
            )
    }

    fn authorize_page() -> Weight {
        Weight::from_parts(74_161_000, 1_053).saturating_add(D::get().reads_writes(3, 0))
    }

    fn on_initialize() -> Weight {
        Weight::from_parts(14_602_000, 1_200).saturating_add(D::get().reads_writes(4, 0))
    }

    // o: 0 to 512.
    fn begin_era(o: u32) -> Weight {
        Weight::from_parts(43_647_410, 2_239)
            .saturating_add(D::get().reads_writes(140, 136))
            .saturating_add(
                Weight::from_parts(3_588_278, 91)
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
