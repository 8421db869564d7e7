//! # Restaking
//!
//! Operators, and the collateral on Ethereum that stands behind them.
//!
//! An **operator** is an account bound to an Ethereum address, under which vaults delegate stake to it. When an era
//! begins, the chain chooses the **capture** of the next one: the time of Ethereum's finalised block. Validators read
//! on Ethereum what the vaults held then for the operators of the chain, and vote for the root over that, cut into
//! pages. With a quorum behind a root, anybody may bring its pages; when all are there they are counted: each token
//! with its haircut and its cap, each operator with a limit to its growth. The election takes the result.
//!
//! Elections do not wait for Ethereum. An era without a complete snapshot uses that of the era before once more, with a
//! haircut; if there is none, ETH has no weight.
//!
//! * `operators.rs`: who is bound to which address, and when a binding ends.
//! * `snapshots.rs`: votes, pages, and when they are opened, closed and forgotten.
//! * `stakes.rs`: what the pages of an era weigh, and what others ask of it.
//! * `offchain.rs`: how a validator's node votes, and brings pages.

#![cfg_attr(not(feature = "std"), no_std)]
// FRAME's macros name in full what is in scope already, and a call is as large as its arguments.
#![allow(unused_qualifications, clippy::large_enum_variant)]

extern crate alloc;

#[cfg(feature = "runtime-benchmarks")]
mod benchmarking;
#[cfg(test)]
mod mock;
mod offchain;
mod operators;
mod snapshots;
mod stakes;
#[cfg(test)]
mod tests;
#[cfg(any(feature = "std", feature = "try-runtime"))]
mod try_state;
mod types;
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
    use alloc::vec::Vec;
    use frame_support::{pallet_prelude::*, traits::fungible};
    use frame_system::{offchain::CreateAuthorizedTransaction, pallet_prelude::*};
    use gear_exe_primitives::{
        H160, H256,
        signature::CompactSignature,
        stake_pages::{MAX_PAGES, OPERATORS_PER_PAGE, PageProof, StakePage},
        vote::SnapshotVote,
    };

    /// Version of the storage's layout. There is none before it.
    pub const STORAGE_VERSION: StorageVersion = StorageVersion::new(1);
    /// Decimals that a token may have.
    pub const MAX_DECIMALS: u8 = 36;

    #[pallet::pallet]
    #[pallet::storage_version(STORAGE_VERSION)]
    pub struct Pallet<T>(_);

    #[pallet::config]
    pub trait Config:
        polkadot_sdk::frame_system::Config<RuntimeEvent: From<Event<Self>>>
        + CreateAuthorizedTransaction<Call<Self>>
    {
        /// The chain's own token, of which operators leave a deposit.
        type Currency: fungible::MutateHold<Self::AccountId, Reason = Self::RuntimeHoldReason>;
        /// Why balances are held.
        type RuntimeHoldReason: From<HoldReason>;
        /// The validator set that votes.
        type Validators: ValidatorSet;
        /// What the chain knows of Ethereum.
        type Ethereum: Ethereum;
        /// The eras of staking.
        type Eras: Eras;
        /// Who may say which tokens count, and how.
        type GovernanceOrigin: EnsureOrigin<Self::RuntimeOrigin>;
        /// What is held of an operator's balance.
        #[pallet::constant]
        type Deposit: Get<BalanceOf<Self>>;
        /// Greatest number of validators.
        #[pallet::constant]
        type MaxValidators: Get<u32>;
        /// Greatest number of operators.
        #[pallet::constant]
        type MaxOperators: Get<u32>;
        /// Greatest number of tokens.
        #[pallet::constant]
        type MaxAssets: Get<u32>;
        /// Eras after its last one for which an operator stays bound, because its stake can still be slashed.
        #[pallet::constant]
        type SlashWindow: Get<EraIndex>;
        /// Eras behind the active one for which stake is kept.
        #[pallet::constant]
        type HistoryDepth: Get<EraIndex>;
        /// What calls cost.
        type WeightInfo: WeightInfo;
    }

    /// Why balances are held.
    #[pallet::composite_enum]
    pub enum HoldReason {
        /// The deposit of an operator.
        OperatorDeposit,
    }

    /// Operators by account.
    #[pallet::storage]
    pub type Operators<T: Config> =
        CountedStorageMap<_, Twox64Concat, T::AccountId, Operator<BalanceOf<T>>, OptionQuery>;

    /// The account that an Ethereum address is bound to.
    #[pallet::storage]
    pub type OperatorOf<T: Config> = StorageMap<_, Identity, H160, T::AccountId, OptionQuery>;

    /// How often an Ethereum address has been bound: the `nonce` that its next signature must carry.
    #[pallet::storage]
    pub type Nonces<T> = StorageMap<_, Identity, H160, u64, ValueQuery>;

    /// Tokens that count as collateral, with their rules.
    #[pallet::storage]
    pub type Assets<T> = CountedStorageMap<_, Identity, H160, AssetRules, OptionQuery>;

    /// Rules for stake.
    #[pallet::storage]
    pub type Parameters<T> = StorageValue<_, RestakingParameters, ValueQuery>;

    /// The newest era that this pallet has seen begin.
    #[pallet::storage]
    pub type SeenEra<T> = StorageValue<_, EraIndex, OptionQuery>;

    /// The era whose stake is being read; nothing if that is done, or cannot be.
    #[pallet::storage]
    pub type OpenEra<T> = StorageValue<_, EraIndex, OptionQuery>;

    /// Addresses of the operators whose stake is being read, ascending.
    #[pallet::storage]
    pub type Eligible<T: Config> = StorageValue<_, BoundedVec<H160, T::MaxOperators>, ValueQuery>;

    /// Time of the newest capture.
    #[pallet::storage]
    pub type LastCapture<T> = StorageValue<_, u64, ValueQuery>;

    /// Snapshots by the era that they are for.
    #[pallet::storage]
    pub type Snapshots<T> = StorageMap<_, Twox64Concat, EraIndex, Snapshot, OptionQuery>;

    /// The set whose votes are stored. When the current set is another one, they are dropped.
    #[pallet::storage]
    pub type VotingSet<T> = StorageValue<_, u64, ValueQuery>;

    /// Votes on the open snapshot, one per validator.
    #[pallet::storage]
    pub type Votes<T: Config> =
        StorageValue<_, BoundedVec<StoredVote, T::MaxValidators>, ValueQuery>;

    /// What vaults hold, page by page, by era.
    #[pallet::storage]
    pub type Pages<T> =
        StorageDoubleMap<_, Twox64Concat, EraIndex, Twox64Concat, u32, StakePage, OptionQuery>;

    /// What each operator's stake weighs in an era (18 decimals), after haircuts, caps and growth limits.
    #[pallet::storage]
    pub type Stakes<T: Config> = StorageMap<
        _,
        Twox64Concat,
        EraIndex,
        BoundedVec<(T::AccountId, u128), T::MaxOperators>,
        OptionQuery,
    >;

    /// The newest era with a snapshot of its own: the growth of stake is measured against it.
    #[pallet::storage]
    pub type LastAccepted<T> = StorageValue<_, EraIndex, OptionQuery>;

    /// The oldest era of which something may be kept.
    #[pallet::storage]
    pub type FirstKept<T> = StorageValue<_, EraIndex, ValueQuery>;

    /// Who and what counts from the first block on.
    #[pallet::genesis_config]
    #[derive(frame_support::DefaultNoBound)]
    pub struct GenesisConfig<T: Config> {
        /// Accounts with the Ethereum addresses that they are bound to. They leave no deposit.
        pub operators: Vec<(T::AccountId, H160)>,
        /// Tokens that count as collateral.
        pub assets: Vec<(H160, AssetRules)>,
        /// Rules for stake.
        pub parameters: RestakingParameters,
    }

    #[pallet::genesis_build]
    impl<T: Config> BuildGenesisConfig for GenesisConfig<T> {
        fn build(&self) {
            assert!(
                self.parameters.is_sound(),
                "with a growth step of zero no operator could ever count"
            );
            Parameters::<T>::put(self.parameters);
            for (token, rules) in &self.assets {
                assert!(
                    rules.decimals <= MAX_DECIMALS,
                    "collateral {token:?} has more than {MAX_DECIMALS} decimals"
                );
                Assets::<T>::insert(token, rules);
            }
            for (account, address) in &self.operators {
                assert!(
                    !Operators::<T>::contains_key(account)
                        && !OperatorOf::<T>::contains_key(address),
                    "operator {account:?} or {address:?} is named twice"
                );
                Pallet::<T>::bind(account, *address, Default::default());
            }
            assert!(
                Operators::<T>::count() <= T::MaxOperators::get()
                    && Assets::<T>::count() <= T::MaxAssets::get(),
                "too many operators or collateral tokens"
            );
        }
    }

    #[pallet::event]
    #[pallet::generate_deposit(pub(super) fn deposit_event)]
    pub enum Event<T: Config> {
        /// An account is bound to an Ethereum address. Its stake counts from the next snapshot on.
        OperatorRegistered {
            /// The account.
            account: T::AccountId,
            /// The Ethereum address.
            address: H160,
        },
        /// An operator wants to leave.
        OperatorLeaving {
            /// The account.
            account: T::AccountId,
            /// The last era for which its stake counts.
            last_era: EraIndex,
            /// The era from which on `withdrawOperator` ends the binding.
            free_in: EraIndex,
        },
        /// An account is not bound any more, and has its deposit back.
        OperatorRemoved {
            /// The account.
            account: T::AccountId,
            /// The Ethereum address.
            address: H160,
        },
        /// A token counts as collateral by these rules, or not any more.
        AssetSet {
            /// The token's address on Ethereum.
            token: H160,
            /// Its rules; nothing if it does not count.
            rules: Option<AssetRules>,
        },
        /// The rules for stake have changed.
        ParametersChanged {
            /// The new ones.
            parameters: RestakingParameters,
        },
        /// Validators read now on Ethereum what vaults hold for the operators.
        SnapshotOpened {
            /// The era that it is for.
            era: EraIndex,
            /// When the vaults are read.
            capture: Capture,
        },
        /// A quorum has read the same. Its pages are wanted.
        SnapshotAgreed {
            /// The era.
            era: EraIndex,
            /// Root over the pages.
            root: H256,
            /// Number of pages.
            pages: u32,
        },
        /// All pages are stored. The election of the era counts them.
        SnapshotAccepted {
            /// The era.
            era: EraIndex,
            /// Sum of the operators' weights (18 decimals).
            total: u128,
        },
        /// There is no snapshot for an era. Its election uses that of the era before with a haircut, if there is one,
        /// and counts no ETH otherwise.
        SnapshotMissed {
            /// The era.
            era: EraIndex,
            /// Why.
            reason: MissReason,
        },
        /// An era without a snapshot of its own has begun with the stake of the era before, less a haircut.
        SnapshotReused {
            /// The era.
            era: EraIndex,
            /// Sum of the operators' weights (18 decimals).
            total: u128,
        },
        /// An operator's stake has grown faster than it may. The rest counts in later eras.
        GrowthLimited {
            /// The era.
            era: EraIndex,
            /// The operator.
            account: T::AccountId,
            /// What its stake would weigh (18 decimals).
            held: u128,
            /// What it weighs.
            counted: u128,
        },
    }

    #[pallet::error]
    pub enum Error<T> {
        /// The chain is bound to no Router, so there is nothing that a signature could be bound to.
        NoRouter,
        /// The account is an operator already.
        AlreadyOperator,
        /// The Ethereum address is bound to an account already.
        AddressTaken,
        /// Not signed by that Ethereum address, or for another account, chain, Router or nonce.
        BadSignature,
        /// There are as many operators as there may be.
        TooManyOperators,
        /// The account is no operator.
        NotOperator,
        /// The operator has said already that it wants to leave.
        AlreadyLeaving,
        /// The operator has to call `deregisterOperator` first.
        NotLeaving,
        /// The operator's stake can still be slashed. The event `OperatorLeaving` said from which era on it is free.
        TooEarly,
        /// There are as many tokens as there may be.
        TooManyAssets,
        /// The token has more decimals than any should.
        TooManyDecimals,
        /// With such rules no new operator could ever count: `growthStep` is not zero.
        OutOfRange,
        /// The snapshot is not open any more, or the vote or page is there already.
        NotWanted,
    }

    #[pallet::hooks]
    impl<T: Config> Hooks<BlockNumberFor<T>> for Pallet<T> {
        fn integrity_test() {
            assert!(
                T::MaxOperators::get() <= MAX_PAGES * OPERATORS_PER_PAGE,
                "all operators must fit into the pages of an era"
            );
            assert!(
                T::HistoryDepth::get() > T::SlashWindow::get(),
                "stake must be known as long as it can be slashed"
            );
        }

        fn on_initialize(_: BlockNumberFor<T>) -> Weight {
            Self::follow_set();
            let active = T::Eras::active();
            match active.filter(|_| active != SeenEra::<T>::get()) {
                Some(era) => {
                    Self::begin_era(era);
                    T::WeightInfo::begin_era(Operators::<T>::count())
                }
                None => T::WeightInfo::on_initialize(),
            }
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
        /// Binds this account to an Ethereum address. What vaults delegate to that address on Ethereum counts for this
        /// account's election as a validator, and can be slashed with it. A deposit is held.
        ///
        /// - `address`: the Ethereum address: the operator in the vaults' eyes.
        /// - `signature`: by that address, of the typed data (EIP-712) `OperatorBinding(bytes32 genesis,bytes32
        ///   account,address operator,uint64 nonce)` in the Router's domain: genesis hash of this chain, this account,
        ///   the address, and `restaking.nonces(address)`. In compact form (EIP-2098, 64 bytes).
        #[pallet::call_index(0)]
        #[pallet::weight(T::WeightInfo::register_operator())]
        pub fn register_operator(
            origin: OriginFor<T>,
            address: H160,
            signature: CompactSignature,
        ) -> DispatchResult {
            let account = ensure_signed(origin)?;
            Self::do_register(account, address, signature)
        }

        /// Says that this account wants to be an operator no more. Its stake counts for the last time in the era that is
        /// being prepared, and can be slashed for some eras after that. Then `withdrawOperator` ends the binding.
        #[pallet::call_index(1)]
        #[pallet::weight(T::WeightInfo::deregister_operator())]
        pub fn deregister_operator(origin: OriginFor<T>) -> DispatchResult {
            let account = ensure_signed(origin)?;
            Self::do_deregister(account)
        }

        /// Ends the binding of an operator that has left, and gives its deposit back.
        #[pallet::call_index(2)]
        #[pallet::weight(T::WeightInfo::withdraw_operator())]
        pub fn withdraw_operator(origin: OriginFor<T>) -> DispatchResult {
            let account = ensure_signed(origin)?;
            Self::do_withdraw(account)
        }

        /// Says how a token counts as collateral, from the next snapshot that is completed on.
        ///
        /// - `token`: its address on Ethereum.
        /// - `rules`: decimals, haircut and cap; nothing if it shall not count.
        #[pallet::call_index(3)]
        #[pallet::weight(T::WeightInfo::set_asset())]
        pub fn set_asset(
            origin: OriginFor<T>,
            token: H160,
            rules: Option<AssetRules>,
        ) -> DispatchResult {
            T::GovernanceOrigin::ensure_origin(origin)?;
            if let Some(rules) = rules {
                ensure!(rules.decimals <= MAX_DECIMALS, Error::<T>::TooManyDecimals);
                ensure!(
                    Assets::<T>::contains_key(token) || Assets::<T>::count() < T::MaxAssets::get(),
                    Error::<T>::TooManyAssets
                );
            }
            Assets::<T>::set(token, rules);
            Self::deposit_event(Event::AssetSet { token, rules });
            Ok(())
        }

        /// Says what a validator has read on Ethereum of the operators' stake. Sent by validators' nodes; free.
        ///
        /// - `vote`: era, capture, and root over the pages.
        /// - `validator`: its index in the current set.
        /// - `signature`: of the vote's digest, by the validator's Ethereum key.
        #[pallet::call_index(5)]
        #[pallet::weight((T::WeightInfo::submit_snapshot_vote(), DispatchClass::Operational))]
        #[pallet::weight_of_authorize(T::WeightInfo::authorize_snapshot_vote())]
        #[pallet::authorize(Self::authorize_snapshot_vote)]
        pub fn submit_snapshot_vote(
            origin: OriginFor<T>,
            vote: SnapshotVote,
            validator: u32,
            signature: CompactSignature,
        ) -> DispatchResult {
            ensure_authorized(origin)?;
            // Checked when the call was authorised.
            let _ = signature;
            Self::take_snapshot_vote(&vote, validator)
        }

        /// Brings a page of the agreed snapshot. Sent by validators' nodes, but anybody may; free: what does not belong
        /// to the agreed root is refused, and each page is stored once.
        ///
        /// - `era`: the era that it is for.
        /// - `index`: the number of the page.
        /// - `page`: operators with their stake.
        /// - `proof`: siblings from the page up to the root.
        #[pallet::call_index(6)]
        #[pallet::weight((
            T::WeightInfo::submit_page(MAX_PAGES.min(T::MaxOperators::get().div_ceil(OPERATORS_PER_PAGE))),
            DispatchClass::Operational
        ))]
        #[pallet::weight_of_authorize(T::WeightInfo::authorize_page())]
        #[pallet::authorize(Self::authorize_page)]
        pub fn submit_page(
            origin: OriginFor<T>,
            era: EraIndex,
            index: u32,
            page: StakePage,
            proof: PageProof,
        ) -> DispatchResultWithPostInfo {
            ensure_authorized(origin)?;
            // Checked when the call was authorised.
            let _ = proof;
            let counted = Self::take_page(era, index, page)?;
            Ok(Some(T::WeightInfo::submit_page(counted)).into())
        }
    }

    impl<T: Config> Pallet<T> {
        /// Changes the rules for stake, from the next snapshot that is completed on. The runtime does it when an era
        /// begins.
        ///
        /// # Errors
        ///
        /// [`Error::OutOfRange`] if no new operator could ever count with these.
        pub fn apply_parameters(parameters: RestakingParameters) -> DispatchResult {
            ensure!(parameters.is_sound(), Error::<T>::OutOfRange);
            Parameters::<T>::put(parameters);
            Self::deposit_event(Event::ParametersChanged { parameters });
            Ok(())
        }
    }
}
