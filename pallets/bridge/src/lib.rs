//! # Bridge
//!
//! What the chain itself takes from contracts on Ethereum, and VARA as wVARA and back.
//!
//! **Facts.** Validators read in final Ethereum blocks what the chain asks for: burns of wVARA, in the order of their
//! numbers, what became of slashes, and whether the Middleware has taken rewards. Each fact is voted for by itself, by
//! calls that are signed with the validators' Ethereum keys. With a quorum behind it a fact is applied, once, at the
//! beginning of the next block.
//!
//! **VARA and wVARA.** `lock` takes VARA into the bridge's account and tells the Router to mint as much wVARA. wVARA that
//! is burned on Ethereum unlocks as much VARA. What is on hold in the bridge's account is what was locked and not
//! unlocked; nothing else can enter or leave there.
//!
//! * `votes.rs`: which votes are taken, and when facts are agreed.
//! * `vara.rs`: locking, unlocking, claims.
//! * `offchain.rs`: how a validator's node votes.

#![cfg_attr(not(feature = "std"), no_std)]
// FRAME's macros name in full what is in scope already.
#![allow(unused_qualifications)]

extern crate alloc;

#[cfg(feature = "runtime-benchmarks")]
mod benchmarking;
#[cfg(test)]
mod mock;
mod offchain;
#[cfg(test)]
mod tests;
#[cfg(any(feature = "std", feature = "try-runtime"))]
mod try_state;
mod types;
mod vara;
mod votes;
pub mod weights;

pub use gear_exe_primitives::voters::ValidatorSet;
pub use pallet::*;
pub use types::*;
pub use weights::WeightInfo;

use polkadot_sdk::{frame_support, frame_system};

/// The pallet.
#[frame_support::pallet]
pub mod pallet {
    use super::*;
    use frame_support::{
        PalletId,
        pallet_prelude::*,
        traits::{StorageVersion, fungible},
    };
    use frame_system::{offchain::CreateAuthorizedTransaction, pallet_prelude::*};
    use gear_exe_primitives::{
        H160,
        facts::{Fact, MAX_FACTS, RewardsFate, SlashFate},
        signature::CompactSignature,
        vote::FactsVote,
    };

    /// Burns that are asked for at a time, and the most that are paid in a block.
    pub const BURN_WINDOW: u32 = 16;

    /// Facts of one validator that are kept at a time.
    pub const MAX_SAID: u32 = 80;

    /// Version of the storage's layout. There is none before it.
    pub const STORAGE_VERSION: StorageVersion = StorageVersion::new(1);

    #[pallet::pallet]
    #[pallet::storage_version(STORAGE_VERSION)]
    pub struct Pallet<T>(_);

    #[pallet::config]
    pub trait Config:
        polkadot_sdk::frame_system::Config<
            RuntimeEvent: From<Event<Self>>,
            AccountId: From<[u8; 32]>,
        > + CreateAuthorizedTransaction<Call<Self>>
    {
        /// VARA.
        type Currency: fungible::Mutate<Self::AccountId, Balance = Balance>
            + fungible::MutateHold<Self::AccountId, Reason = Self::RuntimeHoldReason>;
        /// What the chain knows of Ethereum.
        type Ethereum: Ethereum;
        /// Greatest number of validators.
        #[pallet::constant]
        type MaxValidators: Get<u32>;
        /// Who is told whether rewards were taken.
        type OnRewardsFate: OnRewardsFate;
        /// Who is told how slashes end.
        type OnSlashFate: OnSlashFate;
        /// Rewards of which it is asked whether they were taken.
        type OpenRewards: OpenRewards;
        /// Slashes whose end is asked for.
        type OpenSlashes: OpenSlashes;
        /// Where mints go.
        type Outbox: Outbox;
        /// The bridge's account holds what is locked.
        #[pallet::constant]
        type PalletId: Get<PalletId>;
        /// What governance sets.
        type Parameters: Get<BridgeParameters>;
        /// Why balances are held.
        type RuntimeHoldReason: From<HoldReason>;
        /// The validator set that votes.
        type Validators: ValidatorSet;
        /// What calls cost.
        type WeightInfo: WeightInfo;
    }

    /// Why balances are held.
    #[pallet::composite_enum]
    pub enum HoldReason {
        /// VARA that stands behind wVARA on Ethereum. Only in the bridge's account.
        Locked,
    }

    /// VARA that was ever locked, in base units, with what stood behind wVARA from the start.
    #[pallet::storage]
    pub type Locked<T> = StorageValue<_, Balance, ValueQuery>;

    /// VARA that was ever unlocked and paid, in base units.
    #[pallet::storage]
    pub type Unlocked<T> = StorageValue<_, Balance, ValueQuery>;

    /// wVARA that was burned on Ethereum as far as the chain knows, in base units.
    #[pallet::storage]
    pub type Burned<T> = StorageValue<_, Balance, ValueQuery>;

    /// Number that the next mint gets.
    #[pallet::storage]
    pub type NextMint<T> = StorageValue<_, u64, ValueQuery>;

    /// Number of the first burn that the chain does not know.
    #[pallet::storage]
    pub type NextBurn<T> = StorageValue<_, u64, ValueQuery>;

    /// VARA that burns have unlocked and that could not be paid, in base units. `claim` pays it once that is possible.
    #[pallet::storage]
    pub type Claimable<T: Config> =
        StorageMap<_, Blake2_128Concat, T::AccountId, Balance, ValueQuery>;

    /// The set whose votes are stored. When the current set is another one, they are dropped.
    #[pallet::storage]
    pub type VotingSet<T> = StorageValue<_, u64, ValueQuery>;

    /// What each validator of the set has said, by its index, ascending by what it is about.
    #[pallet::storage]
    pub type Votes<T> =
        StorageMap<_, Twox64Concat, u32, BoundedVec<Fact, ConstU32<MAX_SAID>>, ValueQuery>;

    /// There may be a fact that is agreed and not applied.
    #[pallet::storage]
    pub type Uncounted<T> = StorageValue<_, bool, ValueQuery>;

    /// What stands behind wVARA from the first block on.
    #[pallet::genesis_config]
    #[derive(frame_support::DefaultNoBound)]
    pub struct GenesisConfig<T: Config> {
        /// VARA in base units that is made and locked for the wVARA that exists before the chain does: the token's initial
        /// supply.
        pub backing: Balance,
        /// Marker.
        #[serde(skip)]
        pub _config: PhantomData<T>,
    }

    #[pallet::genesis_build]
    impl<T: Config> BuildGenesisConfig for GenesisConfig<T> {
        fn build(&self) {
            let backed = Pallet::<T>::back(self.backing);
            assert!(
                backed.is_ok(),
                "bridge.backing cannot be locked: {backed:?}"
            );
        }
    }

    #[pallet::event]
    #[pallet::generate_deposit(pub(super) fn deposit_event)]
    pub enum Event<T: Config> {
        /// VARA is locked. The batch that carries the outbox item makes as much wVARA on Ethereum.
        VaraLocked {
            /// Number of the mint: `id` in the Router's event `MintedFromVara`.
            id: u64,
            /// Who has locked it.
            account: T::AccountId,
            /// Who gets wVARA on Ethereum.
            to: H160,
            /// How much, in base units.
            amount: Balance,
            /// Number of the outbox item.
            item: u64,
        },
        /// wVARA was burned on Ethereum, and as much VARA is paid.
        VaraUnlocked {
            /// Number of the burn: `number` in the Router's event `BurnedToVara`.
            number: u64,
            /// Who gets it.
            account: T::AccountId,
            /// How much was burned, in base units.
            amount: Balance,
        },
        /// wVARA was burned on Ethereum, but as much VARA cannot be paid: the account does not exist and the amount is
        /// less than an account must have, or there is less VARA locked. `claim` pays once that is possible.
        VaraUnpaid {
            /// Number of the burn.
            number: u64,
            /// Who may claim.
            account: T::AccountId,
            /// How much was burned, in base units.
            amount: Balance,
        },
        /// What burns had unlocked before is paid.
        VaraClaimed {
            /// Who gets it.
            account: T::AccountId,
            /// How much, in base units.
            amount: Balance,
        },
        /// Ethereum says what became of a slash.
        SlashEnded {
            /// Number of the slash.
            id: u64,
            /// How it ended.
            fate: SlashFate,
        },
        /// Ethereum says whether the Middleware has taken rewards.
        RewardsEnded {
            /// The era of the rewards.
            era: u32,
            /// Number of the outbox item.
            item: u64,
            /// Whether it was taken.
            fate: RewardsFate,
        },
    }

    #[pallet::error]
    pub enum Error<T> {
        /// Governance has paused the bridge.
        Paused,
        /// The chain is bound to no Router, so there is no wVARA.
        NoRouter,
        /// Nobody can use wVARA there: the zero address, or the Router.
        BadAddress,
        /// Less than `parameters.bridge.MinLock`, or than an account must have.
        TooLittle,
        /// Nothing is owed to the account.
        NothingToClaim,
        /// The account does not exist, and what it would get is less than an account must have.
        BelowMinimum,
        /// More wVARA was burned than VARA is locked.
        NotBacked,
        /// The bridge pays nothing to itself.
        OwnAccount,
        /// Nothing in the vote is asked for any more, or the validator has said it already.
        NotWanted,
    }

    #[pallet::hooks]
    impl<T: Config> Hooks<BlockNumberFor<T>> for Pallet<T> {
        fn on_initialize(_: BlockNumberFor<T>) -> Weight {
            let dropped = Self::follow_set();
            let before = T::WeightInfo::on_initialize(dropped);
            if !Uncounted::<T>::take() {
                return before;
            }
            let (looked, facts, applied) = Self::count();
            before.saturating_add(T::WeightInfo::count(looked, facts, applied))
        }

        fn offchain_worker(_: BlockNumberFor<T>) {
            if polkadot_sdk::sp_io::offchain::is_validator() {
                Self::work_offchain();
            }
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
        /// Locks VARA of this account. As much wVARA is made on Ethereum with one of the next batches: watch the Router's
        /// event `MintedFromVara` with the `id` of the event `VaraLocked`. The account must keep its existential deposit;
        /// what is held, staked or otherwise locked in it cannot be used.
        ///
        /// - `to`: who gets wVARA on Ethereum.
        /// - `amount`: how much, in base units: 1,000,000,000,000 are one VARA. At least `parameters.bridge.MinLock`.
        #[pallet::call_index(0)]
        #[pallet::weight(T::WeightInfo::lock())]
        pub fn lock(
            origin: OriginFor<T>,
            to: H160,
            #[pallet::compact] amount: Balance,
        ) -> DispatchResult {
            let account = ensure_signed(origin)?;
            Self::do_lock(account, to, amount)
        }

        /// Pays VARA that a burn on Ethereum has unlocked and that could not be paid then: see the event `VaraUnpaid`.
        /// Anybody may call it for any account.
        ///
        /// - `account`: who gets it.
        #[pallet::call_index(1)]
        #[pallet::weight(T::WeightInfo::claim())]
        pub fn claim(origin: OriginFor<T>, account: T::AccountId) -> DispatchResult {
            ensure_signed(origin)?;
            Self::do_claim(account)
        }

        /// Says what a validator has read in a final Ethereum block. Sent by validators' nodes; free.
        ///
        /// - `vote`: the facts.
        /// - `validator`: its index in the current set.
        /// - `signature`: of the vote's digest, by the validator's Ethereum key.
        #[pallet::call_index(2)]
        #[pallet::weight((
            T::WeightInfo::submit_facts(vote.facts.len().min(MAX_FACTS) as u32, MAX_SAID),
            DispatchClass::Operational
        ))]
        #[pallet::weight_of_authorize(T::WeightInfo::authorize_facts())]
        #[pallet::authorize(Self::authorize_facts)]
        pub fn submit_facts(
            origin: OriginFor<T>,
            vote: FactsVote,
            validator: u32,
            signature: CompactSignature,
        ) -> DispatchResultWithPostInfo {
            ensure_authorized(origin)?;
            // Checked when the call was authorised.
            let _ = signature;
            let dropped = Self::take_facts(&vote, validator)?;
            Ok(Some(T::WeightInfo::submit_facts(
                vote.facts.len() as u32,
                dropped,
            ))
            .into())
        }
    }
}
