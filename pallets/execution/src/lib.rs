//! # Execution
//!
//! What the chain knows of Ethereum, and what each block's round is made of.
//!
//! Validators report **views** of Ethereum as authorised calls, signed with their Ethereum keys. The chain keeps one
//! view per validator, its latest. A view supports its tip and all ancestors of it. At the end of a block the
//! **anchor** moves to the highest Ethereum block that a quorum supports, if that descends from the anchor; if a
//! quorum's tips conflict with the anchor, it is rewound. Nobody trusts a block's author for Ethereum facts: they are
//! read from headers whose Keccak-256 is the hash that was voted for.
//!
//! A header is kept as long as the anchor, the finalised block or a validator's latest view descends from it, so that
//! storage is bounded however many headers somebody invents.
//!
//! Verdicts on codes are votes of the same kind. A result goes to the outbox; accepted codes enter the round. A request
//! that comes again after the Router has applied the answer is answered again.
//!
//! Native messages are calls that users have signed with Ethereum keys. A block takes each once; the round executes them in
//! the order of the block's body.
//!
//! * `views.rs`: which views are taken, and when they are forgotten.
//! * `headers.rs`: which Ethereum headers are kept.
//! * `anchor.rs`: where anchor and finalised block move, and what the Router holds.
//! * `codes.rs`: verdicts on codes.
//! * `natives.rs`: which native messages are taken.
//! * `offchain.rs`: how a validator's node votes.

#![cfg_attr(not(feature = "std"), no_std)]
// FRAME's macros name in full what is in scope already, and a call is as large as its arguments.
#![allow(unused_qualifications, clippy::large_enum_variant)]

extern crate alloc;

mod anchor;
#[cfg(feature = "runtime-benchmarks")]
mod benchmarking;
mod codes;
mod headers;
#[cfg(test)]
mod mock;
mod natives;
mod offchain;
mod support;
#[cfg(test)]
mod tests;
#[cfg(any(feature = "std", feature = "try-runtime"))]
mod try_state;
mod types;
mod views;
pub mod weights;

pub use gear_exe_primitives::{quorum::Support, voters::ValidatorSet};
pub use pallet::*;
pub use support::highest_supported;
pub use types::*;
pub use views::MAX_VOTES_PER_BLOCK;
pub use weights::WeightInfo;

use polkadot_sdk::{frame_support, frame_system};

/// The pallet.
#[frame_support::pallet]
pub mod pallet {
    use super::*;
    use frame_support::pallet_prelude::*;
    use frame_system::{offchain::CreateAuthorizedTransaction, pallet_prelude::*};
    use gear_exe_primitives::{
        CodeId, H256, MessageId,
        batch::RouterDomain,
        ethereum::{BlockId, EthereumHeader, MAX_HEADER_LENGTH},
        host,
        native::SignedNative,
        report::{NativeId, RoundFacts},
        round::ExecutionParameters,
        signature::CompactSignature,
        vote::{CodeAnswer, CodeVote, Verdict, View},
    };
    use polkadot_sdk::sp_runtime::traits::SaturatedConversion;

    /// Headers that one view may bring.
    pub const MAX_HEADERS: u32 = 32;
    /// Codes that may be accepted in one block.
    pub const MAX_CODES_PER_BLOCK: u32 = 64;
    /// Requests for code validation on which one validator may have an undecided vote.
    pub const MAX_OPEN_VOTES: u32 = 64;
    /// Native messages that one block can take, whatever governance sets.
    pub const MAX_NATIVES_PER_BLOCK: u32 = 4_096;
    /// Branches of Ethereum to whose block of one number messages may refer.
    pub const MAX_SIBLINGS: u32 = 16;

    /// The headers of a view, oldest first, each as RLP.
    pub type HeaderList =
        BoundedVec<BoundedVec<u8, ConstU32<MAX_HEADER_LENGTH>>, ConstU32<MAX_HEADERS>>;

    /// Version of the storage's layout. There is none before it.
    pub const STORAGE_VERSION: StorageVersion = StorageVersion::new(1);

    #[pallet::pallet]
    #[pallet::storage_version(STORAGE_VERSION)]
    pub struct Pallet<T>(_);

    #[pallet::config]
    pub trait Config:
        polkadot_sdk::frame_system::Config<RuntimeEvent: From<Event<Self>>>
        + CreateAuthorizedTransaction<Call<Self>>
    {
        /// The Router that the network settles on; nothing if there is none.
        type Domain: Get<Option<RouterDomain>>;
        /// The validator set that votes.
        type Validators: ValidatorSet;
        /// Where code results go.
        type Outbox: Outbox;
        /// Who learns what the Router holds.
        type OnRouter: OnRouter;
        /// Greatest number of validators.
        #[pallet::constant]
        type MaxValidators: Get<u32>;
        /// What calls cost.
        type WeightInfo: WeightInfo;
    }

    /// The Ethereum block up to which the chain has agreed to take events.
    #[pallet::storage]
    pub type Anchor<T> = StorageValue<_, EthereumHeader, ValueQuery>;

    /// The anchor after the parent block.
    #[pallet::storage]
    pub type PreviousAnchor<T> = StorageValue<_, EthereumHeader, ValueQuery>;

    /// The last Ethereum block that a quorum of validators reported as final. Never goes back.
    #[pallet::storage]
    pub type Finalised<T> = StorageValue<_, EthereumHeader, ValueQuery>;

    /// Known Ethereum headers, by block hash: those from which the anchor, the finalised block or a view descends, down
    /// to the finalised block.
    #[pallet::storage]
    pub type Headers<T> = CountedStorageMap<_, Identity, H256, KeptHeader>;

    /// Where the removal of headers below the finalised block goes on.
    #[pallet::storage]
    pub type PruneNext<T> = StorageValue<_, H256>;

    /// The latest view of each validator, by its index in the current set.
    #[pallet::storage]
    pub type Views<T> = CountedStorageMap<_, Twox64Concat, u32, View>;

    /// The set whose votes are stored. When the current set is another one, they are dropped.
    #[pallet::storage]
    pub type VotingSet<T> = StorageValue<_, u64, ValueQuery>;

    /// Views have changed in this block.
    #[pallet::storage]
    pub type Changed<T> = StorageValue<_, bool, ValueQuery>;

    /// The anchor was rewound in this block.
    #[pallet::storage]
    pub type Rewound<T> = StorageValue<_, bool, ValueQuery>;

    /// Codes accepted as valid in this block: part of the round's input.
    #[pallet::storage]
    pub type AcceptedCodes<T> =
        StorageValue<_, BoundedVec<CodeId, ConstU32<MAX_CODES_PER_BLOCK>>, ValueQuery>;

    /// Codes that programs may be created from.
    #[pallet::storage]
    pub type Codes<T> = StorageMap<_, Identity, CodeId, (), OptionQuery>;

    /// Answers to requests for code validation, by code and request, with the outbox item that carries each.
    #[pallet::storage]
    pub type CodeAnswers<T> =
        StorageDoubleMap<_, Identity, CodeId, Identity, H256, CodeAnswer, OptionQuery>;

    /// Verdicts on requests that are not decided, by code and request.
    #[pallet::storage]
    pub type CodeVotes<T: Config> = StorageDoubleMap<
        _,
        Identity,
        CodeId,
        Identity,
        H256,
        BoundedVec<StoredVerdict, T::MaxValidators>,
        ValueQuery,
    >;

    /// The undecided requests on which a validator has voted, oldest first, by its index in the current set.
    #[pallet::storage]
    pub type OpenVotes<T> = StorageMap<
        _,
        Twox64Concat,
        u32,
        BoundedVec<(CodeId, H256), ConstU32<MAX_OPEN_VOTES>>,
        ValueQuery,
    >;

    /// How many votes each validator has sent in the last block in which it sent any, by its index in the current set.
    #[pallet::storage]
    pub type SpokenIn<T> = StorageMap<_, Twox64Concat, u32, Spoken, ValueQuery>;

    /// The highest number that the anchor has ever had: what the windows of native messages are measured by.
    #[pallet::storage]
    pub type HighestAnchor<T> = StorageValue<_, u64, ValueQuery>;

    /// Ethereum blocks that native messages may refer to, with their numbers: those on which the anchor was, or which it has
    /// passed, as long as their window is open.
    #[pallet::storage]
    pub type References<T> = StorageMap<_, Identity, H256, u64, OptionQuery>;

    /// The same by number.
    #[pallet::storage]
    pub type ReferencesAt<T> =
        StorageMap<_, Twox64Concat, u64, BoundedVec<H256, ConstU32<MAX_SIBLINGS>>, ValueQuery>;

    /// The number below which no reference block is kept.
    #[pallet::storage]
    pub type OldestReference<T> = StorageValue<_, u64, ValueQuery>;

    /// Native messages that were taken, by the number of their reference block, until its window is closed.
    #[pallet::storage]
    pub type Seen<T> = StorageDoubleMap<_, Twox64Concat, u64, Identity, MessageId, (), OptionQuery>;

    /// The number of the reference block below which no message is remembered.
    #[pallet::storage]
    pub type SeenFrom<T> = StorageValue<_, u64, ValueQuery>;

    /// Native messages of the last block that has taken any, in the order of its body.
    #[pallet::storage]
    pub type Natives<T> =
        StorageValue<_, BoundedVec<NativeId, ConstU32<MAX_NATIVES_PER_BLOCK>>, ValueQuery>;

    /// Which block that was, and how many it has taken.
    #[pallet::storage]
    pub type NativesIn<T> = StorageValue<_, NativeCount, ValueQuery>;

    /// How native messages are taken.
    #[pallet::storage]
    pub type NativeRules<T> = StorageValue<_, NativeParameters, ValueQuery>;

    /// Prices and limits of execution.
    #[pallet::storage]
    pub type Parameters<T> = StorageValue<_, ExecutionParameters, ValueQuery>;

    /// How views are taken and forgotten.
    #[pallet::storage]
    pub type ViewRules<T> = StorageValue<_, ViewParameters, ValueQuery>;

    /// Where the chain starts to follow Ethereum.
    #[pallet::genesis_config]
    #[derive(frame_support::DefaultNoBound)]
    pub struct GenesisConfig<T: Config> {
        /// The first anchor: a block at or after the Router's deployment, final on Ethereum.
        pub ethereum: EthereumHeader,
        /// Prices and limits.
        pub parameters: ExecutionParameters,
        /// How views are taken.
        pub views: ViewParameters,
        /// How native messages are taken.
        pub natives: NativeParameters,
        /// Marker.
        #[serde(skip)]
        pub _config: PhantomData<T>,
    }

    #[pallet::genesis_build]
    impl<T: Config> BuildGenesisConfig for GenesisConfig<T> {
        fn build(&self) {
            Parameters::<T>::put(self.parameters);
            ViewRules::<T>::put(self.views);
            NativeRules::<T>::put(self.natives);
            HighestAnchor::<T>::put(self.ethereum.number);
            OldestReference::<T>::put(self.ethereum.number);
            SeenFrom::<T>::put(self.ethereum.number);
            Pallet::<T>::note_reference(self.ethereum);
            Anchor::<T>::put(self.ethereum);
            PreviousAnchor::<T>::put(self.ethereum);
            Finalised::<T>::put(self.ethereum);
            // One reference as anchor, one as finalised block.
            Headers::<T>::insert(
                self.ethereum.hash,
                KeptHeader {
                    header: self.ethereum,
                    references: 2,
                },
            );
        }
    }

    #[pallet::event]
    #[pallet::generate_deposit(pub(super) fn deposit_event)]
    pub enum Event<T: Config> {
        /// Ethereum events up to this block are taken from now on.
        AnchorMoved {
            /// The new anchor.
            anchor: BlockId,
        },
        /// Ethereum has left the branch that was followed. Rounds after `to` are executed again.
        AnchorRewound {
            /// The anchor before.
            from: BlockId,
            /// The new anchor.
            to: BlockId,
        },
        /// A quorum reports this Ethereum block as final.
        EthereumFinalised {
            /// The block.
            block: BlockId,
        },
        /// A code may be used from now on.
        CodeAccepted {
            /// The code.
            code_id: CodeId,
            /// The request that led to it.
            request_id: H256,
        },
        /// A request for code validation was refused.
        CodeRefused {
            /// The code.
            code_id: CodeId,
            /// The request.
            request_id: H256,
            /// Invalid, or unavailable (which can still be revised).
            verdict: Verdict,
        },
        /// Prices or limits of execution have changed.
        ParametersChanged {
            /// The new ones.
            parameters: ExecutionParameters,
        },
        /// The rules for native messages have changed.
        NativeParametersChanged {
            /// The new ones.
            parameters: NativeParameters,
        },
        /// The rules for views have changed.
        ViewParametersChanged {
            /// The new ones.
            parameters: ViewParameters,
        },
    }

    #[pallet::error]
    pub enum Error<T> {
        /// The headers do not lead from a known block to the tip.
        UnknownTip,
        /// The request is decided.
        Decided,
        /// This block has accepted as many codes as it can. Votes come again.
        TooManyCodes,
        /// A parameter is zero that must not be.
        ZeroParameter,
        /// A block has room for 4,096 native messages at most.
        TooManyNatives,
        /// The native message cannot be taken now, though it could when it was authorised.
        NotTaken,
    }

    #[pallet::hooks]
    impl<T: Config> Hooks<BlockNumberFor<T>> for Pallet<T> {
        fn on_initialize(_: BlockNumberFor<T>) -> Weight {
            PreviousAnchor::<T>::put(Anchor::<T>::get());
            AcceptedCodes::<T>::kill();
            Rewound::<T>::kill();
            let set_id = T::Validators::set_id();
            let mut dropped = 0;
            if VotingSet::<T>::get() != set_id {
                dropped = Self::forget_votes();
                VotingSet::<T>::put(set_id);
            }
            let pruned = Self::prune();
            let forgotten = Self::forget_natives();
            T::WeightInfo::on_initialize(pruned)
                .saturating_add(T::WeightInfo::forget_natives(forgotten))
                .saturating_add(T::WeightInfo::on_finalize(Views::<T>::count()))
                .saturating_add(T::DbWeight::get().reads_writes(dropped, dropped))
        }

        fn on_finalize(now: BlockNumberFor<T>) {
            let forgotten = Self::forget_old_views(now.saturated_into());
            if Changed::<T>::take() || forgotten {
                Self::count_views();
            }
        }

        fn offchain_worker(now: BlockNumberFor<T>) {
            host::round();
            if polkadot_sdk::sp_io::offchain::is_validator() {
                Self::vote_offchain(now.saturated_into());
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
        /// Says what a validator sees of Ethereum. Sent by validators' nodes, signed with their Ethereum key; free.
        ///
        /// - `view`: what it sees; replaces the validator's view before.
        /// - `validator`: its index in the current set.
        /// - `headers`: Ethereum headers (RLP, oldest first) that lead from a known block to the tip.
        /// - `signature`: of the view's digest.
        #[pallet::call_index(0)]
        #[pallet::weight((T::WeightInfo::submit_view(headers.len() as u32), DispatchClass::Operational))]
        #[pallet::weight_of_authorize(T::WeightInfo::authorize_view(headers.len() as u32))]
        #[pallet::authorize(Self::authorize_view)]
        pub fn submit_view(
            origin: OriginFor<T>,
            view: View,
            validator: u32,
            headers: HeaderList,
            signature: CompactSignature,
        ) -> DispatchResult {
            ensure_authorized(origin)?;
            // Checked when the call was authorised.
            let _ = signature;
            ensure!(
                Self::take_view(view, validator, &headers),
                Error::<T>::UnknownTip
            );
            Ok(())
        }

        /// Says what a validator found when it validated a code. Sent by validators' nodes; free.
        ///
        /// - `vote`: the code, the request and the verdict.
        /// - `validator`: its index in the current set.
        /// - `signature`: of the vote's digest.
        #[pallet::call_index(1)]
        #[pallet::weight((T::WeightInfo::submit_code_vote(), DispatchClass::Operational))]
        #[pallet::weight_of_authorize(T::WeightInfo::authorize_code_vote())]
        #[pallet::authorize(Self::authorize_code_vote)]
        pub fn submit_code_vote(
            origin: OriginFor<T>,
            vote: CodeVote,
            validator: u32,
            signature: CompactSignature,
        ) -> DispatchResult {
            ensure_authorized(origin)?;
            // Checked when the call was authorised.
            let _ = signature;
            Self::take_code_vote(&vote, validator)
        }

        /// Brings a message to a program, signed by a user with an Ethereum key; free, since the program pays for its
        /// execution. Nodes send it when a client calls `injected_sendTransaction`.
        ///
        /// - `signed`: the message and its signature. It refers to an Ethereum block; it can be included until that lies
        ///   `NativeRules.window` blocks behind, and never twice.
        #[pallet::call_index(2)]
        #[pallet::weight(T::WeightInfo::submit_native(signed.length()))]
        #[pallet::weight_of_authorize(T::WeightInfo::authorize_native(signed.length()))]
        #[pallet::authorize(Self::authorize_native)]
        pub fn submit_native(origin: OriginFor<T>, signed: SignedNative) -> DispatchResult {
            ensure_authorized(origin)?;
            Self::take_native(&signed)
        }
    }

    impl<T: Config> Pallet<T> {
        /// Changes prices and limits of execution, from this block's round on. The runtime does it when an era begins.
        ///
        /// # Errors
        ///
        /// [`Error::ZeroParameter`] if nothing could run with these.
        pub fn apply_parameters(parameters: ExecutionParameters) -> DispatchResult {
            ensure!(
                parameters.round_gas_limit > 0
                    && parameters.message_gas_limit > 0
                    && parameters.max_memory_pages > 0,
                Error::<T>::ZeroParameter
            );
            Parameters::<T>::put(parameters);
            Self::deposit_event(Event::ParametersChanged { parameters });
            Ok(())
        }

        /// Changes how views of Ethereum are taken and forgotten. The runtime does it when an era begins.
        ///
        /// # Errors
        ///
        /// [`Error::ZeroParameter`] if no view would be kept.
        pub fn apply_view_parameters(parameters: ViewParameters) -> DispatchResult {
            ensure!(
                parameters.max_age > 0 && parameters.max_ahead > 0,
                Error::<T>::ZeroParameter
            );
            ViewRules::<T>::put(parameters);
            Self::deposit_event(Event::ViewParametersChanged { parameters });
            Ok(())
        }

        /// Changes how native messages are taken. The runtime does it when an era begins.
        ///
        /// # Errors
        ///
        /// [`Error::ZeroParameter`] if no message would be taken; [`Error::TooManyNatives`] if more than blocks have room for.
        pub fn apply_native_parameters(parameters: NativeParameters) -> DispatchResult {
            ensure!(
                parameters.window > 0 && parameters.max_per_block > 0,
                Error::<T>::ZeroParameter
            );
            ensure!(
                parameters.max_per_block <= MAX_NATIVES_PER_BLOCK,
                Error::<T>::TooManyNatives
            );
            NativeRules::<T>::put(parameters);
            Self::deposit_event(Event::NativeParametersChanged { parameters });
            Ok(())
        }

        /// What the block says of its round, for the node. `seal` is known to settlement.
        pub fn round_facts(seal: bool) -> RoundFacts {
            RoundFacts {
                anchor: Anchor::<T>::get(),
                previous_anchor: PreviousAnchor::<T>::get(),
                rewound: Rewound::<T>::get(),
                codes: AcceptedCodes::<T>::get().into_inner(),
                natives: Self::native_ids(),
                parameters: Parameters::<T>::get(),
                seal,
            }
        }
    }
}
