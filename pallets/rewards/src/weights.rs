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
    /// Crediting a page of `stakers`, and so many pools beside them.
    fn pay_stakers(stakers: u32, pools: u32) -> Weight;
    /// Turning a credit into a claim, with a share of a pool.
    fn claim() -> Weight;
    /// Crediting a share of a pool.
    fn claim_pool_share() -> Weight;
    /// The same as part of another call: what each call about a member of a pool costs more because of this pallet.
    fn settle_member() -> Weight;
    /// Noting that an item was skipped, whose claims are sent again.
    fn note_skipped() -> Weight;
    /// The beginning of a block in which no era begins.
    fn on_initialize() -> Weight;
    /// The end of an era with so many validators that have points, vaults that earn, and claims.
    fn turn(validators: u32, vaults: u32, claims: u32) -> Weight;
    /// Forgetting an old era, in which so many pots were not paid.
    fn forget(pots: u32) -> Weight;
}

// What follows is written by scripts/weights.

/// What was measured, on a database whose accesses cost `D`.
pub struct Measured<D>(PhantomData<D>);

impl<D: Get<RuntimeDbWeight>> WeightInfo for Measured<D> {
    // s: 0 to 256.
    // p: 0 to 256.
    fn pay_stakers(s: u32, p: u32) -> Weight {
        Weight::from_parts(27_220_011, 1_467)
            .saturating_add(D::get().reads_writes(7, 3))
            .saturating_add(
                Weight::from_parts(5_880_317, 34)
                    .saturating_add(D::get().reads_writes(1, 1))
                    .saturating_mul(s.into()),
            )
            .saturating_add(
                Weight::from_parts(22_763_477, 199)
                    .saturating_add(D::get().reads_writes(3, 2))
                    .saturating_mul(p.into()),
            )
    }

    fn claim() -> Weight {
        Weight::from_parts(272_463_000, 37_915).saturating_add(D::get().reads_writes(7, 4))
    }

    fn claim_pool_share() -> Weight {
        Weight::from_parts(38_061_000, 723).saturating_add(D::get().reads_writes(4, 3))
    }

    fn settle_member() -> Weight {
        Weight::from_parts(32_004_000, 723).saturating_add(D::get().reads_writes(4, 3))
    }

    fn note_skipped() -> Weight {
        Weight::from_parts(2_020_839_000, 37_625).saturating_add(D::get().reads_writes(5, 5))
    }

    fn on_initialize() -> Weight {
        Weight::from_parts(12_214_000, 697).saturating_add(D::get().reads_writes(5, 0))
    }

    // v: 0 to 128.
    // k: 0 to 2048.
    // c: 0 to 1024.
    fn turn(v: u32, k: u32, c: u32) -> Weight {
        Weight::from_parts(2_223_526_000, 43_608)
            .saturating_add(D::get().reads_writes(33, 108))
            .saturating_add(
                Weight::from_parts(20_898_536, 622)
                    .saturating_add(D::get().reads_writes(2, 2))
                    .saturating_mul(v.into()),
            )
            .saturating_add(
                Weight::from_parts(76_221, 27)
                    .saturating_add(D::get().reads_writes(0, 0))
                    .saturating_mul(k.into()),
            )
            .saturating_add(
                Weight::from_parts(763_684, 0)
                    .saturating_add(D::get().reads_writes(0, 0))
                    .saturating_mul(c.into()),
            )
    }

    // p: 0 to 128.
    fn forget(p: u32) -> Weight {
        Weight::from_parts(42_773_135, 774)
            .saturating_add(D::get().reads_writes(8, 3))
            .saturating_add(
                Weight::from_parts(4_434_603, 78)
                    .saturating_add(D::get().reads_writes(1, 1))
                    .saturating_mul(p.into()),
            )
    }
}

impl WeightInfo for () {
    fn pay_stakers(s: u32, p: u32) -> Weight {
        Measured::<RocksDbWeight>::pay_stakers(s, p)
    }

    fn claim() -> Weight {
        Measured::<RocksDbWeight>::claim()
    }

    fn claim_pool_share() -> Weight {
        Measured::<RocksDbWeight>::claim_pool_share()
    }

    fn settle_member() -> Weight {
        Measured::<RocksDbWeight>::settle_member()
    }

    fn note_skipped() -> Weight {
        Measured::<RocksDbWeight>::note_skipped()
    }

    fn on_initialize() -> Weight {
        Measured::<RocksDbWeight>::on_initialize()
    }

    fn turn(v: u32, k: u32, c: u32) -> Weight {
        Measured::<RocksDbWeight>::turn(v, k, c)
    }

    fn forget(p: u32) -> Weight {
        Measured::<RocksDbWeight>::forget(p)
    }
}
