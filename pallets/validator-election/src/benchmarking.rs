//! What calls cost, measured: `cargo test --release -p pallet-validator-election --features runtime-benchmarks` runs each
//! once, `scripts/weights` measures.

use crate::*;
use frame_support::traits::EnsureOrigin;
use polkadot_sdk::{frame_benchmarking::v2::*, frame_support};

#[benchmarks]
mod benchmarks {
    use super::*;

    #[benchmark]
    fn force_vara_only() -> Result<(), BenchmarkError> {
        let origin = T::GovernanceOrigin::try_successful_origin().map_err(|()| "origin")?;

        #[extrinsic_call]
        _(origin as T::RuntimeOrigin, 7);
        assert!(VaraOnlyUntil::<T>::get() >= 7);
        Ok(())
    }

    impl_benchmark_test_suite!(Pallet, mock::new_test_ext(), mock::Test);
}
