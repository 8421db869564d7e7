//! # Settlement
//!
//! What the chain tells Ethereum, and when.
//!
//! The **outbox** is a numbered list of everything but transitions that the Router has to know. A **seal** is set in a
//! block when there may be something to send: everything in its batch is a pure function of the seal block. Validators
//! sign the batch's EIP-712 digest; signatures are collected here; with a quorum the batch is ready and any relayer may
//! carry it. What the Router holds is learned from Ethereum by quorum, and an item leaves the outbox only when the batch
//! that carried it is in a final Ethereum block.
//!
//! * `outbox.rs`: the list, what the Router holds, and what Ethereum's finality settles.
//! * `seals.rs`: when a block becomes a seal.
//! * `signatures.rs`: which votes on a seal are taken, when its batch is ready, and what is a fault.
//! * `sets.rs`: validator sets, and how one hands over to the next.
//! * `attendance.rs`: who does not sign.

#![cfg_attr(not(feature = "std"), no_std)]
// FRAME's macros name in full what is in scope already, and a call is as large as its arguments.
#![allow(unused_qualifications, clippy::large_enum_variant)]

extern crate alloc;

mod attendance;
#[cfg(feature = "runtime-benchmarks")]
mod benchmarking;
#[cfg(test)]
mod mock;
mod outbox;
mod seals;
mod sets;
mod signatures;
#[cfg(test)]
mod tests;
#[cfg(any(feature = "std", feature = "try-runtime"))]
mod try_state;
mod types;
pub mod weights;

pub use pallet::*;
pub use types::*;
pub use weights::WeightInfo;

use polkadot_sdk::{frame_support, frame_system};

/// The pallet.
#[frame_support::pallet]
pub mod pallet {
    use super::*;
    use frame_support::pallet_prelude::*;
    use frame_system::pallet_prelude::*;
    use gear_exe_primitives::{
        H256, U256,
        batch::{AppliedBatch, BatchHeader, RouterDomain},
        evidence::OnFault,
        outbox::OutboxItem,
        quorum::Member,
        signature::CompactSignature,
        vote::{EmptyBatch, RouterAt},
    };
    use polkadot_sdk::sp_runtime::traits::SaturatedConversion;

    /// Seals that are kept, with the votes on them.
    pub const MAX_SEALS: u32 = 256;
    /// Reports of the Router's batch that wait for Ethereum's finality.
    pub const MAX_REPORTS: u32 = 256;
    /// Updates of the validator set that wait for Ethereum's finality.
    pub const MAX_HANDOVERS: u32 = 16;

    /// Version of the storage's layout. There is none before it.
    pub const STORAGE_VERSION: StorageVersion = StorageVersion::new(1);

    #[pallet::pallet]
    #[pallet::storage_version(STORAGE_VERSION)]
    #[pallet::without_storage_info]
    pub struct Pallet<T>(_);

    #[pallet::config]
    pub trait Config: polkadot_sdk::frame_system::Config<RuntimeEvent: From<Event<Self>>> {
        /// What the chain knows of Ethereum.
        type Ethereum: Ethereum;
        /// Who is told of faults, of who signs, and of what is settled.
        type OnFault: OnFault<Self::AccountId>;
        /// Who stands behind validators on Ethereum.
        type Operators: Operators<Self::AccountId>;
        /// Who may stop batches to Ethereum, and let them go on.
        type PauseOrigin: EnsureOrigin<Self::RuntimeOrigin>;
        /// Greatest number of validators in a set.
        #[pallet::constant]
        type MaxValidators: Get<u32>;
        /// What each validator weighs in a quorum.
        type Weights: Weights<Self::AccountId>;
        /// What calls cost.
        type WeightInfo: WeightInfo;
    }

    /// Chain id of Ethereum and address of the Router: what signatures towards Ethereum are bound to.
    #[pallet::storage]
    pub type Domain<T> = StorageValue<_, RouterDomain, OptionQuery>;

    /// Rules for batches.
    #[pallet::storage]
    pub type Parameters<T> = StorageValue<_, SettlementParameters, ValueQuery>;

    /// Whether governance has stopped batches to Ethereum.
    #[pallet::storage]
    pub type Paused<T> = StorageValue<_, bool, ValueQuery>;

    /// Id of the set that votes now.
    #[pallet::storage]
    pub type CurrentSet<T> = StorageValue<_, u64, ValueQuery>;

    /// Validator sets by id, from the one that the Router holds at Ethereum's finalised block on.
    #[pallet::storage]
    pub type Sets<T: Config> =
        StorageMap<_, Twox64Concat, u64, BoundedVec<Member, T::MaxValidators>, OptionQuery>;

    /// The block since which the current set has its id.
    #[pallet::storage]
    pub type SetSince<T> = StorageValue<_, u64, ValueQuery>;

    /// Of which time the stake is that stands behind the operators whom Ethereum was last told of, in seconds.
    #[pallet::storage]
    pub type ToldCapture<T> = StorageValue<_, u64, OptionQuery>;

    /// Who has voted on how many seals since the session began.
    #[pallet::storage]
    pub type Attendance<T: Config> = StorageValue<_, Roll<T::MaxValidators>, ValueQuery>;

    /// Items for the Router, by number.
    #[pallet::storage]
    pub type OutboxItems<T> = StorageMap<_, Twox64Concat, u64, OutboxItem, OptionQuery>;

    /// Number of the first outbox item that is kept.
    #[pallet::storage]
    pub type OutboxStart<T> = StorageValue<_, u64, ValueQuery>;

    /// Number that the next outbox item gets.
    #[pallet::storage]
    pub type OutboxEnd<T> = StorageValue<_, u64, ValueQuery>;

    /// The last batch that is in a final Ethereum block. Outbox items below its end are settled for good.
    #[pallet::storage]
    pub type Settled<T> = StorageValue<_, AppliedBatch, ValueQuery>;

    /// Outbox items that tell the Router of a validator set, oldest first: those that are not settled, and the last.
    #[pallet::storage]
    pub type Handovers<T> =
        StorageValue<_, BoundedVec<Handover, ConstU32<MAX_HANDOVERS>>, ValueQuery>;

    /// What the Router holds, and at which Ethereum block, as a quorum last said.
    #[pallet::storage]
    pub type Router<T> = StorageValue<_, RouterAt, ValueQuery>;

    /// Number of the final Ethereum block from which the conclusions are drawn.
    #[pallet::storage]
    pub type FinalisedNumber<T> = StorageValue<_, u64, ValueQuery>;

    /// What a quorum said of the Router at Ethereum blocks that are not final, oldest first, where it changed.
    #[pallet::storage]
    pub type Reports<T> = StorageValue<_, BoundedVec<RouterAt, ConstU32<MAX_REPORTS>>, ValueQuery>;

    /// Seals by the number of their block.
    #[pallet::storage]
    pub type Seals<T> = StorageMap<_, Twox64Concat, u64, Seal, OptionQuery>;

    /// Numbers of the kept seals, ascending.
    #[pallet::storage]
    pub type SealNumbers<T> = StorageValue<_, BoundedVec<u64, ConstU32<MAX_SEALS>>, ValueQuery>;

    /// Numbers of the seals of which something may still come, ascending: not empty, not expired, not on a branch that
    /// Ethereum has left for good.
    #[pallet::storage]
    pub type OpenSeals<T> = StorageValue<_, BoundedVec<u64, ConstU32<MAX_SEALS>>, ValueQuery>;

    /// The first vote of each validator on a seal, by seal and index in the seal's set.
    #[pallet::storage]
    pub type Votes<T> =
        StorageDoubleMap<_, Twox64Concat, u64, Twox64Concat, u32, SealVote, OptionQuery>;

    /// What the votes on a seal add up to, by seal and digest.
    #[pallet::storage]
    pub type Tallies<T> = StorageDoubleMap<_, Twox64Concat, u64, Identity, H256, Tally, ValueQuery>;

    /// Headers of the batches that were signed for a seal, by seal and digest.
    #[pallet::storage]
    pub type Proposals<T> =
        StorageDoubleMap<_, Twox64Concat, u64, Identity, H256, BatchHeader, OptionQuery>;

    /// Where batches go, and by which rules.
    #[pallet::genesis_config]
    #[derive(frame_support::DefaultNoBound)]
    pub struct GenesisConfig<T: Config> {
        /// Chain id of Ethereum and address of the Router. Without it nothing is sealed.
        pub domain: Option<RouterDomain>,
        /// What the Router holds at the first anchor.
        pub router: RouterAt,
        /// Rules for batches.
        pub parameters: SettlementParameters,
        /// Marker.
        #[serde(skip)]
        pub _config: PhantomData<T>,
    }

    #[pallet::genesis_build]
    impl<T: Config> BuildGenesisConfig for GenesisConfig<T> {
        fn build(&self) {
            Domain::<T>::set(self.domain);
            Router::<T>::put(self.router);
            Settled::<T>::put(self.router.batch);
            Parameters::<T>::put(self.parameters);
            OutboxStart::<T>::put(self.router.batch.outbox_end);
            OutboxEnd::<T>::put(self.router.batch.outbox_end);
            // The session stored its validators before as the set that the Router must hold.
            let set_id = self.router.batch.set_id;
            if let Some(members) = Sets::<T>::take(CurrentSet::<T>::get()) {
                Sets::<T>::insert(set_id, members);
            }
            CurrentSet::<T>::put(set_id);
        }
    }

    #[pallet::event]
    #[pallet::generate_deposit(pub(super) fn deposit_event)]
    pub enum Event<T: Config> {
        /// This block closes a batch.
        Sealed {
            /// Number of this block.
            number: u64,
        },
        /// A quorum has signed a batch. Any relayer may carry it to the Router.
        BatchReady {
            /// Number of its seal block.
            seal: u64,
            /// Its nonce.
            nonce: u64,
            /// Its digest.
            digest: H256,
        },
        /// A quorum says that there is nothing to send for a seal.
        BatchEmpty {
            /// Number of the seal block.
            seal: u64,
        },
        /// The Router holds another batch than before.
        RouterChanged {
            /// What it holds, and at which Ethereum block.
            router: RouterAt,
        },
        /// A batch is in a final Ethereum block. The outbox items that it carried are settled for good.
        BatchSettled {
            /// Its nonce.
            nonce: u64,
            /// Its digest.
            digest: H256,
            /// Number after the last outbox item that is settled.
            outbox_end: u64,
        },
        /// A validator has signed two different digests for one seal: a fault that the two signatures prove.
        Equivocation {
            /// Number of the seal block.
            seal: u64,
            /// Index of the validator in the seal's set.
            validator: u32,
            /// The digest that came first, and counts.
            first: H256,
            /// The signature on it.
            first_signature: CompactSignature,
            /// The other digest.
            second: H256,
            /// The signature on that.
            second_signature: CompactSignature,
        },
        /// There is a new validator set, and an item in the outbox that tells the Router.
        SetChanged {
            /// Its id.
            set_id: u64,
        },
        /// The Router did not take the current validator set, although a batch told it. Governance must act.
        SetRefused {
            /// Id of the set.
            set_id: u64,
        },
        /// The Router is told to change a parameter.
        RouterParameterChanged {
            /// Keccak-256 of the parameter's name.
            key: H256,
            /// Its new value, in the parameter's unit.
            value: U256,
            /// Number of the outbox item.
            item: u64,
        },
        /// Rules for batches have changed.
        ParametersChanged {
            /// The new ones.
            parameters: SettlementParameters,
        },
        /// No more batches are made for Ethereum.
        Paused,
        /// Batches for Ethereum are made again.
        Resumed,
    }

    #[pallet::error]
    pub enum Error<T> {
        /// There is no such seal.
        NoSeal,
        /// A parameter is zero that must not be.
        ZeroParameter,
        /// Batches are stopped already.
        Paused,
        /// Batches are not stopped.
        NotPaused,
    }

    #[pallet::hooks]
    impl<T: Config> Hooks<BlockNumberFor<T>> for Pallet<T> {
        fn on_initialize(now: BlockNumberFor<T>) -> Weight {
            // A block's hash is known from its child on.
            let parent = now.saturated_into::<u64>().saturating_sub(1);
            Seals::<T>::mutate_extant(parent, |seal| {
                seal.hash = H256::from_slice(frame_system::Pallet::<T>::parent_hash().as_ref());
            });
            // The oldest seal goes when there are as many as are kept.
            let full =
                SealNumbers::<T>::decode_len().is_some_and(|seals| seals >= MAX_SEALS as usize);
            T::WeightInfo::on_finalize(if full { T::MaxValidators::get() } else { 0 })
        }

        fn on_finalize(now: BlockNumberFor<T>) {
            Self::learn_finality();
            Self::delete_settled();
            Self::seal_if_due(now.saturated_into());
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
        /// A validator's signature on the batch of a seal. Sent by validators' nodes; free.
        ///
        /// - `header`: the batch; its digest is what is signed.
        /// - `validator`: index in the seal's set.
        /// - `signature`: of the digest, by the validator's Ethereum key.
        #[pallet::call_index(0)]
        #[pallet::weight((T::WeightInfo::submit_batch_signature(), DispatchClass::Operational))]
        #[pallet::weight_of_authorize(T::WeightInfo::authorize_vote())]
        #[pallet::authorize(Self::authorize_signature)]
        pub fn submit_batch_signature(
            origin: OriginFor<T>,
            header: BatchHeader,
            validator: u32,
            signature: CompactSignature,
        ) -> DispatchResult {
            ensure_authorized(origin)?;
            let domain = Domain::<T>::get().ok_or(Error::<T>::NoSeal)?;
            let digest = header.digest(&domain);
            Proposals::<T>::insert(header.seal_number, digest, header);
            Self::take_vote(header.seal_number, validator, digest, false, signature)
        }

        /// A validator's statement that the batch of a seal would be empty. Sent by validators' nodes; free.
        ///
        /// - `empty`: the seal and its set.
        /// - `validator`: index in the seal's set.
        /// - `signature`: of the statement's digest, by the validator's Ethereum key.
        #[pallet::call_index(1)]
        #[pallet::weight((T::WeightInfo::submit_empty(), DispatchClass::Operational))]
        #[pallet::weight_of_authorize(T::WeightInfo::authorize_vote())]
        #[pallet::authorize(Self::authorize_empty)]
        pub fn submit_empty(
            origin: OriginFor<T>,
            empty: EmptyBatch,
            validator: u32,
            signature: CompactSignature,
        ) -> DispatchResult {
            ensure_authorized(origin)?;
            let digest = empty.digest(Self::genesis_hash());
            Self::take_vote(empty.seal_number, validator, digest, true, signature)
        }

        /// Stops batches to Ethereum: no block becomes a seal until `resume`. Batches that are signed already can still be
        /// carried until they expire.
        #[pallet::call_index(2)]
        #[pallet::weight((T::WeightInfo::pause(), DispatchClass::Operational))]
        pub fn pause(origin: OriginFor<T>) -> DispatchResult {
            T::PauseOrigin::ensure_origin(origin)?;
            ensure!(!Paused::<T>::get(), Error::<T>::Paused);
            Paused::<T>::put(true);
            Self::deposit_event(Event::Paused);
            Ok(())
        }

        /// Lets batches to Ethereum go on after `pause`. What was executed in between goes with the next one.
        #[pallet::call_index(3)]
        #[pallet::weight((T::WeightInfo::resume(), DispatchClass::Operational))]
        pub fn resume(origin: OriginFor<T>) -> DispatchResult {
            T::PauseOrigin::ensure_origin(origin)?;
            ensure!(Paused::<T>::get(), Error::<T>::NotPaused);
            Paused::<T>::kill();
            Self::deposit_event(Event::Resumed);
            Ok(())
        }
    }

    impl<T: Config> Pallet<T> {
        /// Changes the rules for batches, from the next seal on. The runtime does it when an era begins.
        ///
        /// # Errors
        ///
        /// [`Error::ZeroParameter`] if no batch could be made with these.
        pub fn apply_parameters(parameters: SettlementParameters) -> DispatchResult {
            ensure!(
                parameters.expiry_seconds > 0
                    && parameters.max_in_flight > 0
                    && parameters.patience > 0
                    && parameters.renewal > 0
                    && parameters.limits.max_bytes > 0
                    && parameters.limits.max_gas > 0,
                Error::<T>::ZeroParameter
            );
            Parameters::<T>::put(parameters);
            Self::deposit_event(Event::ParametersChanged { parameters });
            Ok(())
        }

        /// Tells the Router to change one of its parameters, with the next batch. `key` is the Keccak-256 of its name;
        /// the Router skips a value that is out of range.
        pub fn change_router_parameter(key: H256, value: U256) {
            let item = Self::push(OutboxItem::ParameterChange { key, value });
            Self::deposit_event(Event::RouterParameterChanged { key, value, item });
        }

        /// Genesis hash of the chain.
        pub fn genesis_hash() -> H256 {
            let hash = frame_system::Pallet::<T>::block_hash(BlockNumberFor::<T>::default());
            H256::from_slice(hash.as_ref())
        }

        /// Number of the block that is being built.
        pub(crate) fn now() -> u64 {
            frame_system::Pallet::<T>::block_number().saturated_into()
        }
    }
}
