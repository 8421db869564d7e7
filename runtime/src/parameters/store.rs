//! What is in force, as far as no other pallet keeps it; and what was refused, with the reason.

use super::{rules, turn};
use crate::{
    Runtime,
    governance::tracks::{self, TrackId, TrackRules},
    pace,
};
use alloc::{string::String, vec::Vec};
use gear_exe_primitives::{H256, U256};
use pallet_rewards::RewardsParameters;
use pallet_slashing::SlashingParameters;
use polkadot_sdk::{pallet_session, sp_runtime::Perbill};

/// The pallet.
#[polkadot_sdk::frame_support::pallet]
pub mod pallet {
    use super::*;
    use polkadot_sdk::frame_support::pallet_prelude::*;

    /// Version of the storage's layout. There is none before it.
    pub const STORAGE_VERSION: StorageVersion = StorageVersion::new(1);

    #[pallet::pallet]
    #[pallet::storage_version(STORAGE_VERSION)]
    pub struct Pallet<T>(_);

    #[pallet::config]
    pub trait Config: polkadot_sdk::frame_system::Config<RuntimeEvent: From<Event<Self>>> {}

    /// Parameters that are taken or refused together.
    #[derive(
        Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo,
    )]
    pub enum Group {
        /// Prices and limits of execution.
        Execution,
        /// Views of Ethereum.
        Views,
        /// Batches.
        Settlement,
        /// Sessions, eras, windows of staking.
        Pace,
        /// Slashing of ETH: at the chain's pace it must reach the vault within its window.
        Slashing,
        /// Shares of what programs pay: no more is given than there is.
        Rewards,
        /// Collateral on Ethereum.
        Restaking,
        /// VARA and ETH in elections.
        Election,
        /// What is held for what is kept.
        Deposits,
        /// The tracks of referenda.
        Tracks,
        /// Windows of governance, and what spenders may spend.
        Governance,
        /// What transactions cost.
        Fees,
        /// Staking's thresholds and rewards.
        Staking,
        /// Native messages.
        Natives,
    }

    /// What the Router was last told, by Keccak-256 of the parameter's name.
    #[pallet::storage]
    pub type ToldRouter<T> = StorageMap<_, Identity, H256, U256, OptionQuery>;

    /// How much is slashed, and when.
    #[pallet::storage]
    pub type Slashing<T> = StorageValue<_, SlashingParameters, ValueQuery>;

    /// [`Slashing`], for the pallet that slashes.
    pub struct SlashingInForce<T>(PhantomData<T>);

    impl<T: Config> Get<SlashingParameters> for SlashingInForce<T> {
        fn get() -> SlashingParameters {
            Slashing::<T>::get()
        }
    }

    /// Who gets which part of what programs pay.
    #[pallet::storage]
    pub type Rewards<T> = StorageValue<_, RewardsParameters, ValueQuery>;

    /// [`Rewards`], for the pallet that divides it.
    pub struct RewardsInForce<T>(PhantomData<T>);

    impl<T: Config> Get<RewardsParameters> for RewardsInForce<T> {
        fn get() -> RewardsParameters {
            Rewards::<T>::get()
        }
    }

    /// What is held of an account as long as something of it is kept.
    #[pallet::storage]
    pub type Deposits<T> = StorageValue<_, rules::Deposits, ValueQuery>;

    /// Windows of governance, and what spenders may spend.
    #[pallet::storage]
    pub type Governance<T> = StorageValue<_, rules::Governance, ValueQuery>;

    /// What transactions on this chain cost.
    #[pallet::storage]
    pub type Fees<T> = StorageValue<_, rules::Fees, ValueQuery>;

    /// The share of a slash that who applies it to a pool's member gets.
    #[pallet::storage]
    pub type PoolSlashReward<T> = StorageValue<_, Perbill, ValueQuery, FirstPoolSlashReward>;

    /// [`PoolSlashReward`] of a network whose genesis says nothing of it.
    pub struct FirstPoolSlashReward;

    impl Get<Perbill> for FirstPoolSlashReward {
        fn get() -> Perbill {
            rules::StakingRules::default().pool_slash_reward
        }
    }

    /// The rules of the tracks of referenda that are not those with which a network begins.
    #[pallet::storage]
    pub type Tracks<T> = StorageMap<_, Twox64Concat, TrackId, TrackRules, OptionQuery>;

    /// What is in force from the first block on.
    #[pallet::genesis_config]
    pub struct GenesisConfig<T: Config> {
        /// How much is slashed, and when.
        pub slashing: SlashingParameters,
        /// Who gets which part of what programs pay.
        pub rewards: RewardsParameters,
        /// What is held of an account as long as something of it is kept.
        pub deposits: rules::Deposits,
        /// Windows of governance, and what spenders may spend.
        pub governance: rules::Governance,
        /// What transactions on this chain cost.
        pub fees: rules::Fees,
        /// The share of a slash that who applies it to a pool's member gets.
        pub pool_slash_reward: Perbill,
        /// Tracks of referenda, by number, whose rules are not the usual ones.
        pub tracks: Vec<(TrackId, TrackRules)>,
        /// Marker.
        #[serde(skip)]
        pub _config: PhantomData<T>,
    }

    impl<T: Config> Default for GenesisConfig<T> {
        fn default() -> Self {
            Self {
                slashing: Default::default(),
                rewards: Default::default(),
                deposits: Default::default(),
                governance: Default::default(),
                fees: Default::default(),
                pool_slash_reward: FirstPoolSlashReward::get(),
                tracks: Vec::new(),
                _config: PhantomData,
            }
        }
    }

    #[pallet::genesis_build]
    impl<T: Config> BuildGenesisConfig for GenesisConfig<T> {
        fn build(&self) {
            let pace = pace::InForce::<Runtime>::get();
            assert!(
                turn::fits(&self.slashing, &pace),
                "slashes of ETH would come too late: the vaults' window must be longer, or eras, reporting, deferral, \
                 relay or execution shorter: {:?} with {pace:?}",
                self.slashing,
            );
            Slashing::<T>::put(self.slashing);
            assert!(
                self.rewards.is_sound(),
                "the shares of rewards sum up to 100 % at most"
            );
            Rewards::<T>::put(self.rewards);
            assert_eq!(self.deposits.check(), Ok(()));
            Deposits::<T>::put(self.deposits);
            assert_eq!(self.governance.check(), Ok(()));
            Governance::<T>::put(self.governance);
            assert_eq!(self.fees.check(), Ok(()));
            Fees::<T>::put(self.fees);
            PoolSlashReward::<T>::put(self.pool_slash_reward);
            for (id, rules) in &self.tracks {
                assert!(tracks::exists(*id), "there is no track {id}");
                assert_eq!(rules.check(), Ok(()), "track {id}");
                Tracks::<T>::insert(id, rules);
            }
            // Here, because Session's genesis, which is built before, does not mind. A chain without a Router is none.
            assert!(
                !pallet_settlement::Domain::<Runtime>::exists()
                    || pallet_session::Validators::<Runtime>::decode_len()
                        .is_some_and(|count| count > 0),
                "a chain has validators: give `session.keys` and `staking.stakers`, with `balances` for them"
            );
        }
    }

    #[pallet::event]
    #[pallet::generate_deposit(pub(super) fn deposit_event)]
    pub enum Event<T: Config> {
        /// An era has begun, but values that governance has set are not taken: together they would stop something (a
        /// limit of zero, a slash that would reach its vault too late). The values before stay in force.
        ParametersRefused {
            /// Which ones.
            group: Group,
            /// What keeps them from being taken.
            reason: String,
        },
    }

    impl<T: Config> Pallet<T> {
        pub(in crate::parameters) fn refused(group: Group, reason: &str) {
            let reason = reason.into();
            Self::deposit_event(Event::ParametersRefused { group, reason });
        }
    }
}
