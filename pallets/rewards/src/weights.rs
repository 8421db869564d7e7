//! What calls cost.
//!
//! Time: timed natively over this pallet's mock (the least of 10 runs, one core of the development machine) and taken four
//! times and more, for WASM and slower machines: the end of an era with 128 validators, 2,048 vaults and 1,023 claims 1.2 ms, a
//! page of 256 stakers 0.65 ms, 1,023 claims that are sent again 0.63 ms, a claim among as many 0.02 ms. Database: accesses
//! counted by hand, at RocksDB's weights. To be replaced by what `benchmark pallet` measures on the machines that validators
//! will have.

use gear_exe_primitives::outbox::MAX_REWARDED_VAULTS;
use polkadot_sdk::frame_support::weights::{Weight, constants::RocksDbWeight};

/// What each call costs.
pub trait WeightInfo {
    /// Crediting a page of `stakers`.
    fn pay_stakers(stakers: u32) -> Weight;
    /// Turning a credit into a claim.
    fn claim() -> Weight;
    /// Noting that an item was skipped, whose claims are sent again.
    fn note_skipped() -> Weight;
    /// The beginning of a block in which no era begins.
    fn on_initialize() -> Weight;
    /// The end of an era with so many validators that have points, vaults that earn, and claims.
    fn turn(validators: u32, vaults: u32, claims: u32) -> Weight;
    /// Forgetting an old era, in which so many pots were not paid.
    fn forget(pots: u32) -> Weight;
}

/// Microseconds, with the database accesses that go with them.
const fn cost(micros: u64, reads: u64, writes: u64) -> Weight {
    Weight::from_parts(micros.saturating_mul(1_000_000), 0).saturating_add(Weight::from_parts(
        RocksDbWeight::get()
            .read
            .saturating_mul(reads)
            .saturating_add(RocksDbWeight::get().write.saturating_mul(writes)),
        reads.saturating_mul(512),
    ))
}

impl WeightInfo for () {
    fn pay_stakers(stakers: u32) -> Weight {
        // Pot, exposure, page, preferences, what is carried, the validator's credit; each staker's payee and credit.
        cost(100, 10, 4).saturating_add(cost(10, 3, 1).saturating_mul(stakers.into()))
    }

    fn claim() -> Weight {
        // The claims of an era are one value.
        cost(200, 4, 2)
    }

    fn note_skipped() -> Weight {
        // The claims are hashed again.
        cost(4_000, 8, 5)
    }

    fn on_initialize() -> Weight {
        cost(10, 4, 0)
    }

    fn turn(validators: u32, vaults: u32, claims: u32) -> Weight {
        let items = u64::from(vaults)
            .div_ceil(MAX_REWARDED_VAULTS as u64)
            .saturating_add(1);
        // Once: points, exposures, 64 pages of vaults, 32 tokens, the rest. Each validator: credit, pot, operator. Each
        // item: the outbox with its end, what is noted.
        cost(300, 120, 14)
            .saturating_add(cost(20, 3, 2).saturating_mul(validators.into()))
            .saturating_add(cost(2, 0, 0).saturating_mul(vaults.into()))
            .saturating_add(cost(30, 1, 3).saturating_mul(items))
            .saturating_add(cost(4, 0, 0).saturating_mul(claims.into()))
    }

    fn forget(pots: u32) -> Weight {
        // With as many items as an era can have.
        cost(100, 4, 40).saturating_add(cost(10, 1, 1).saturating_mul(pots.into()))
    }
}
