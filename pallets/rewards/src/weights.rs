//! What calls cost.
//!
//! Time: timed natively over this pallet's mock (the least of 10 runs, one core of the development machine) and taken four
//! times and more, for WASM and slower machines: the end of an era with 128 validators, 2,048 vaults and 1,023 claims 1.2 ms, a
//! page of 256 stakers 0.65 ms, 1,023 claims that are sent again 0.63 ms, a claim among as many 0.02 ms. Database: accesses
//! counted by hand, the runtime says what one costs. Counted, not measured: `scripts/weights` replaces it.

use core::marker::PhantomData;
use gear_exe_primitives::outbox::MAX_REWARDED_VAULTS;
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

/// What was counted, on a database whose accesses cost `D`.
pub struct Measured<D>(PhantomData<D>);

/// Microseconds, with the database accesses that go with them.
fn cost<D: Get<RuntimeDbWeight>>(micros: u64, reads: u64, writes: u64) -> Weight {
    Weight::from_parts(micros.saturating_mul(1_000_000), reads.saturating_mul(512))
        .saturating_add(D::get().reads_writes(reads, writes))
}

impl<D: Get<RuntimeDbWeight>> WeightInfo for Measured<D> {
    fn pay_stakers(stakers: u32, pools: u32) -> Weight {
        // Pot, exposure, page, preferences, what is carried, the validator's credit, the greatest commission; each staker's
        // credit; each pool, its share, and the credit of whom it pays its commission.
        cost::<D>(100, 11, 4)
            .saturating_add(cost::<D>(10, 1, 1).saturating_mul(stakers.into()))
            .saturating_add(cost::<D>(25, 3, 2).saturating_mul(pools.into()))
    }

    fn claim() -> Weight {
        // The claims of an era are one value.
        cost::<D>(200, 7, 4)
    }

    fn claim_pool_share() -> Weight {
        cost::<D>(20, 4, 3)
    }

    fn settle_member() -> Weight {
        // Member, mark, what is kept for the pool's members, credit.
        cost::<D>(20, 4, 3)
    }

    fn note_skipped() -> Weight {
        // The claims are hashed again.
        cost::<D>(4_000, 8, 5)
    }

    fn on_initialize() -> Weight {
        cost::<D>(10, 4, 0)
    }

    fn turn(validators: u32, vaults: u32, claims: u32) -> Weight {
        let items = u64::from(vaults)
            .div_ceil(MAX_REWARDED_VAULTS as u64)
            .saturating_add(1);
        // Once: points, exposures, 64 pages of vaults, 32 tokens, the rest. Each validator: credit, pot, operator. Each
        // item: the outbox with its end, what is noted.
        cost::<D>(300, 120, 14)
            .saturating_add(cost::<D>(20, 3, 2).saturating_mul(validators.into()))
            .saturating_add(cost::<D>(2, 0, 0).saturating_mul(vaults.into()))
            .saturating_add(cost::<D>(30, 1, 3).saturating_mul(items))
            .saturating_add(cost::<D>(4, 0, 0).saturating_mul(claims.into()))
    }

    fn forget(pots: u32) -> Weight {
        // With as many items as an era can have.
        cost::<D>(100, 4, 40).saturating_add(cost::<D>(10, 1, 1).saturating_mul(pots.into()))
    }
}

impl WeightInfo for () {
    fn pay_stakers(stakers: u32, pools: u32) -> Weight {
        Measured::<RocksDbWeight>::pay_stakers(stakers, pools)
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

    fn turn(validators: u32, vaults: u32, claims: u32) -> Weight {
        Measured::<RocksDbWeight>::turn(validators, vaults, claims)
    }

    fn forget(pots: u32) -> Weight {
        Measured::<RocksDbWeight>::forget(pots)
    }
}
