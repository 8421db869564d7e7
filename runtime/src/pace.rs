//! How fast the chain's clocks run: slots, sessions, eras, days.
//!
//! Data of the genesis, so that one binary serves networks of different pace: a development network passes a "day" in a
//! minute. Governance changes what may change ([`crate::parameters`]); it takes effect when an era begins.

use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use polkadot_sdk::frame_support;
use scale_info::TypeInfo;

pub use pallet::*;

/// The most blocks of a day of governance: a week, with slots of 250 ms. If days had no end, nothing could be decided that
/// makes them shorter again.
const LONGEST_DAY: u32 = 7 * 345_600;

/// Lengths of sessions, eras and days.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
    serde::Serialize,
    serde::Deserialize,
)]
pub struct Durations {
    /// Blocks of a session: validators and their keys change between sessions only.
    pub session: u32,
    /// Sessions of an era: stakes are counted, rewards paid and parameters changed between eras.
    pub sessions_per_era: u32,
    /// Eras for which stake stays bonded, and can be slashed, after it was unbonded.
    pub bonding: u32,
    /// Eras between a VARA slash and its execution, in which governance may cancel it. Less than `bonding`.
    pub slash_deferral: u32,
    /// Blocks of a day of governance: the tracks of referenda are measured in days.
    pub day: u32,
}

impl Default for Durations {
    /// Slots of 250 ms: sessions of two hours, eras of twelve, unbonding in 14 days, and days of 24 hours.
    fn default() -> Self {
        Self {
            session: 28_800,
            sessions_per_era: 6,
            bonding: 28,
            slash_deferral: 27,
            day: 345_600,
        }
    }
}

impl Durations {
    /// What keeps these from being used.
    ///
    /// # Errors
    ///
    /// A clock that would stand still, or a slash that would come after the stake is gone.
    pub fn check(&self) -> Result<(), &'static str> {
        if self.session == 0 || self.sessions_per_era == 0 {
            return Err("a session has blocks, and an era has sessions");
        }
        if !(24..=LONGEST_DAY).contains(&self.day) {
            return Err("a day of governance has 24 to 2,419,200 blocks");
        }
        if self.bonding == 0 || self.slash_deferral >= self.bonding {
            return Err("slashes are deferred for less than stake stays bonded");
        }
        Ok(())
    }

    /// Seconds of `eras` eras, with slots of so many milliseconds.
    pub const fn seconds(&self, eras: u64, slot_millis: u64) -> u64 {
        (self.session as u64)
            .saturating_mul(self.sessions_per_era as u64)
            .saturating_mul(eras)
            .saturating_mul(slot_millis)
            / 1_000
    }
}

/// The pallet.
#[frame_support::pallet]
pub mod pallet {
    use super::*;
    use frame_support::{pallet_prelude::*, traits::ConstU64};

    /// Version of the storage's layout. There is none before it.
    pub const STORAGE_VERSION: StorageVersion = StorageVersion::new(1);

    #[pallet::pallet]
    #[pallet::storage_version(STORAGE_VERSION)]
    pub struct Pallet<T>(_);

    #[pallet::config]
    pub trait Config: polkadot_sdk::frame_system::Config {}

    /// Length of a slot, and so of a block, in milliseconds. Set at genesis.
    #[pallet::storage]
    pub type SlotDuration<T> = StorageValue<_, u64, ValueQuery, ConstU64<250>>;

    /// Lengths of sessions, eras and days that are in force.
    #[pallet::storage]
    pub type InForce<T> = StorageValue<_, Durations, ValueQuery>;

    /// The pace of the chain.
    #[pallet::genesis_config]
    pub struct GenesisConfig<T: Config> {
        /// Length of a slot in milliseconds.
        pub slot_duration: u64,
        /// Lengths of sessions, eras and days.
        pub durations: Durations,
        /// Marker.
        #[serde(skip)]
        pub _config: PhantomData<T>,
    }

    impl<T: Config> Default for GenesisConfig<T> {
        fn default() -> Self {
            Self {
                slot_duration: 250,
                durations: Durations::default(),
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
            assert_eq!(self.durations.check(), Ok(()));
            SlotDuration::<T>::put(self.slot_duration);
            InForce::<T>::put(self.durations);
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

    /// Blocks of a session.
    pub struct SessionLength<T>(PhantomData<T>);

    impl<T: Config> Get<u32> for SessionLength<T> {
        fn get() -> u32 {
            InForce::<T>::get().session
        }
    }

    /// Sessions of an era.
    pub struct SessionsPerEra<T>(PhantomData<T>);

    impl<T: Config> Get<u32> for SessionsPerEra<T> {
        fn get() -> u32 {
            InForce::<T>::get().sessions_per_era
        }
    }

    /// Eras for which stake stays bonded.
    pub struct Bonding<T>(PhantomData<T>);

    impl<T: Config> Get<u32> for Bonding<T> {
        fn get() -> u32 {
            InForce::<T>::get().bonding
        }
    }

    /// Eras between a slash and its execution.
    pub struct SlashDeferral<T>(PhantomData<T>);

    impl<T: Config> Get<u32> for SlashDeferral<T> {
        fn get() -> u32 {
            InForce::<T>::get().slash_deferral
        }
    }

    /// Blocks for which an offence can be reported by its sessions' keys: as long as the stake stays bonded.
    pub struct ReportLongevity<T>(PhantomData<T>);

    impl<T: Config> Get<u64> for ReportLongevity<T> {
        fn get() -> u64 {
            let durations = InForce::<T>::get();
            u64::from(durations.bonding)
                .saturating_mul(durations.sessions_per_era.into())
                .saturating_mul(durations.session.into())
        }
    }

    /// Sessions for which an offence can be reported.
    pub struct ReportSessions<T>(PhantomData<T>);

    impl<T: Config> Get<u64> for ReportSessions<T> {
        fn get() -> u64 {
            let durations = InForce::<T>::get();
            u64::from(durations.bonding).saturating_mul(durations.sessions_per_era.into())
        }
    }
}
