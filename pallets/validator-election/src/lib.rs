//! # Validator election
//!
//! One election over stake in VARA and in ETH.
//!
//! VARA votes as in any staking: by nominators, for several candidates each. The collateral of each operator on Ethereum
//! votes for that operator. There is no price: what ETH counts together is a governed share of what VARA counts, and how
//! it is divided depends on how much collateral each operator has. So VARA decides most of an election, whatever ETH is
//! worth, and ETH that hardly anybody has staked decides hardly anything.
//!
//! The books of staking stay in VARA: the votes of ETH are taken out of the result before staking gets it, and are kept
//! here, era by era. The weight of a validator in a quorum joins both.
//!
//! Elections never stop for ETH: if nothing is known of it, or the election with it fails, VARA elects alone. If that
//! fails too, staking keeps the validators that there are.
//!
//! * `election.rs`: the election provider that staking is given.
//! * `shares.rs`: what ETH counts, and what a validator may weigh: plain arithmetic.
//! * `exposures.rs`: what is kept of each era, and what others ask of it.

#![cfg_attr(not(feature = "std"), no_std)]
// FRAME's macros name in full what is in scope already.
#![allow(unused_qualifications)]

extern crate alloc;

#[cfg(feature = "runtime-benchmarks")]
mod benchmarking;
mod election;
mod exposures;
#[cfg(test)]
mod mock;
mod shares;
#[cfg(test)]
mod tests;
#[cfg(any(feature = "std", feature = "try-runtime"))]
mod try_state;
mod types;
pub mod weights;

pub use election::{DualElection, ElectionError};
pub use pallet::*;
pub use shares::MEAN_WEIGHT;
pub use types::*;
pub use weights::WeightInfo;

use polkadot_sdk::{frame_support, frame_system};

/// The pallet.
#[frame_support::pallet]
pub mod pallet {
    use super::*;
    use frame_support::pallet_prelude::*;
    use frame_system::pallet_prelude::*;
    use polkadot_sdk::{
        frame_election_provider_support::{
            self, ElectionDataProvider, NposSolver, bounds::ElectionBounds,
        },
        sp_npos_elections,
    };

    /// Version of the storage's layout. There is none before it.
    pub const STORAGE_VERSION: StorageVersion = StorageVersion::new(1);

    #[pallet::pallet]
    #[pallet::storage_version(STORAGE_VERSION)]
    pub struct Pallet<T>(_);

    #[pallet::config]
    pub trait Config: polkadot_sdk::frame_system::Config<RuntimeEvent: From<Event<Self>>> {
        /// Candidates and voters in VARA: staking.
        type DataProvider: ElectionDataProvider<AccountId = Self::AccountId, BlockNumber = BlockNumberFor<Self>>;
        /// The election's method.
        type Solver: NposSolver<AccountId = Self::AccountId, Error = sp_npos_elections::Error>;
        /// What it costs.
        type SolverWeightInfo: frame_election_provider_support::WeightInfo;
        /// How many voters and candidates are asked for.
        type Bounds: Get<ElectionBounds>;
        /// Who knows of collateral on Ethereum.
        type Restaking: Restaking<Self::AccountId>;
        /// The eras of staking.
        type Eras: Eras;
        /// Who may let VARA elect alone.
        type GovernanceOrigin: EnsureOrigin<Self::RuntimeOrigin>;
        /// Greatest number of validators.
        #[pallet::constant]
        type MaxWinners: Get<u32>;
        /// Greatest number of voters in VARA behind one validator. The largest stay.
        #[pallet::constant]
        type MaxBackersPerWinner: Get<u32>;
        /// Eras behind the one that is elected for which exposures are kept.
        #[pallet::constant]
        type HistoryDepth: Get<EraIndex>;
        /// What calls cost.
        type WeightInfo: WeightInfo;
    }

    /// How ETH counts beside VARA.
    #[pallet::storage]
    pub type Parameters<T> = StorageValue<_, ElectionParameters, ValueQuery>;

    /// ETH has no say in the elections of eras before this one.
    #[pallet::storage]
    pub type VaraOnlyUntil<T> = StorageValue<_, EraIndex, ValueQuery>;

    /// How the validators of an era were elected.
    #[pallet::storage]
    pub type Elections<T> = StorageMap<_, Twox64Concat, EraIndex, ElectionRecord, OptionQuery>;

    /// What stands behind each validator of an era.
    #[pallet::storage]
    pub type Exposures<T: Config> = StorageMap<
        _,
        Twox64Concat,
        EraIndex,
        BoundedVec<ValidatorExposure<T::AccountId>, T::MaxWinners>,
        OptionQuery,
    >;

    /// The oldest era of which something may be kept.
    #[pallet::storage]
    pub type FirstKept<T> = StorageValue<_, EraIndex, ValueQuery>;

    /// How ETH counts beside VARA.
    #[pallet::genesis_config]
    #[derive(frame_support::DefaultNoBound)]
    pub struct GenesisConfig<T: Config> {
        /// The rules.
        pub parameters: ElectionParameters,
        /// Marker.
        #[serde(skip)]
        pub _config: PhantomData<T>,
    }

    #[pallet::genesis_build]
    impl<T: Config> BuildGenesisConfig for GenesisConfig<T> {
        fn build(&self) {
            assert!(
                self.parameters.is_sound(),
                "the rules for elections are out of range"
            );
            Parameters::<T>::put(self.parameters);
        }
    }

    #[pallet::event]
    #[pallet::generate_deposit(pub(super) fn deposit_event)]
    pub enum Event<T: Config> {
        /// The validators of an era are elected.
        Elected {
            /// The era.
            era: EraIndex,
            /// How many.
            validators: u32,
            /// How.
            record: ElectionRecord,
        },
        /// ETH has no say in the elections of eras before this one.
        VaraOnly {
            /// The first era in which it has again.
            until: EraIndex,
        },
        /// The rules for elections have changed.
        ParametersChanged {
            /// The new ones.
            parameters: ElectionParameters,
        },
    }

    #[pallet::error]
    pub enum Error<T> {
        /// A rule is out of range: VARA decides half of an election at least, an operator may count for something, a
        /// validator may weigh the mean at least, and the full weight is not zero.
        OutOfRange,
    }

    #[pallet::hooks]
    impl<T: Config> Hooks<BlockNumberFor<T>> for Pallet<T> {
        fn integrity_test() {
            assert!(T::MaxWinners::get() > 0, "somebody must be elected");
            assert!(
                <T::DataProvider as ElectionDataProvider>::MaxVotesPerVoter::get() > 0,
                "voters must have a vote"
            );
        }

        #[cfg(feature = "try-runtime")]
        fn try_state(
            _: BlockNumberFor<T>,
        ) -> Result<(), polkadot_sdk::sp_runtime::TryRuntimeError> {
            Self::do_try_state()
        }
    }

    #[pallet::call]
    impl<T: Config> Pallet<T> {
        /// Lets VARA elect alone: in an emergency on Ethereum, or when collateral is not trusted.
        ///
        /// - `eras`: for how many elections from the next one on; 0 gives ETH its say back.
        #[pallet::call_index(1)]
        #[pallet::weight(T::WeightInfo::force_vara_only())]
        pub fn force_vara_only(origin: OriginFor<T>, eras: EraIndex) -> DispatchResult {
            T::GovernanceOrigin::ensure_origin(origin)?;
            let until = T::Eras::electing().saturating_add(eras);
            VaraOnlyUntil::<T>::put(until);
            Self::deposit_event(Event::VaraOnly { until });
            Ok(())
        }
    }

    impl<T: Config> Pallet<T> {
        /// Changes how ETH counts beside VARA, from the next election on; what a validator weighs in a quorum changes with
        /// the next session. The runtime does it when an era begins.
        ///
        /// # Errors
        ///
        /// [`Error::OutOfRange`] if the rules make no sense.
        pub fn apply_parameters(parameters: ElectionParameters) -> DispatchResult {
            ensure!(parameters.is_sound(), Error::<T>::OutOfRange);
            Parameters::<T>::put(parameters);
            Self::deposit_event(Event::ParametersChanged { parameters });
            Ok(())
        }
    }
}
