//! How long a slot is: data of the genesis, so that one binary serves networks of different pace.

use polkadot_sdk::frame_support;

pub use pallet::*;

/// The pallet.
#[frame_support::pallet]
pub mod pallet {
    use super::*;
    use frame_support::{pallet_prelude::*, traits::ConstU64};

    #[pallet::pallet]
    pub struct Pallet<T>(_);

    #[pallet::config]
    pub trait Config: polkadot_sdk::frame_system::Config {}

    /// Length of a slot, and so of a block, in milliseconds. Set at genesis.
    #[pallet::storage]
    pub type SlotDuration<T> = StorageValue<_, u64, ValueQuery, ConstU64<250>>;

    /// The pace of the chain.
    #[pallet::genesis_config]
    pub struct GenesisConfig<T: Config> {
        /// Length of a slot in milliseconds.
        pub slot_duration: u64,
        /// Marker.
        #[serde(skip)]
        pub _config: PhantomData<T>,
    }

    impl<T: Config> Default for GenesisConfig<T> {
        fn default() -> Self {
            Self {
                slot_duration: 250,
                _config: PhantomData,
            }
        }
    }

    #[pallet::genesis_build]
    impl<T: Config> BuildGenesisConfig for GenesisConfig<T> {
        fn build(&self) {
            assert!(
                self.slot_duration >= 2,
                "a slot has at least two milliseconds"
            );
            SlotDuration::<T>::put(self.slot_duration);
        }
    }

    /// Half a slot: the least time between two blocks.
    pub struct HalfSlot<T>(PhantomData<T>);

    impl<T: Config> Get<u64> for HalfSlot<T> {
        fn get() -> u64 {
            SlotDuration::<T>::get() / 2
        }
    }

    impl<T: Config> Get<u64> for Pallet<T> {
        fn get() -> u64 {
            SlotDuration::<T>::get()
        }
    }
}
