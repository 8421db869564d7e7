//! # Slashing
//!
//! What a validator's fault costs, in VARA and in ETH.
//!
//! A fault is proven by what the validator has signed (`evidence.rs`), belongs to one session (`sessions.rs`), and is
//! reported to `pallet-offences` as one of the kinds in `offences.rs`. That pallet calls the handler here (`handler.rs`),
//! which stands in front of Staking: Staking slashes VARA by its own rules, with its own deferral; for operators with an
//! Ethereum address the same fraction is queued for their vaults. The queue (`queue.rs`) defers it, lets governance cancel
//! it in both assets, and hands it to the outbox in the order in which vaults can pay, in time or not at all.
//!
//! * `staking.rs`: all that is known here of `pallet-staking`.

#![cfg_attr(not(feature = "std"), no_std)]
// FRAME's macros name in full what is in scope already, what authorises a call gets its arguments as they are, and
// evidence is as large as what was signed.
#![allow(
    unused_qualifications,
    clippy::borrowed_box,
    clippy::large_enum_variant
)]

extern crate alloc;

#[cfg(feature = "runtime-benchmarks")]
mod benchmarking;
mod evidence;
mod handler;
#[cfg(test)]
mod mock;
pub mod offences;
mod queue;
mod sessions;
mod staking;
#[cfg(test)]
mod tests;
#[cfg(any(feature = "std", feature = "try-runtime"))]
mod try_state;
mod types;
pub mod weights;

pub use evidence::{Evidence, EvidenceOf, MAX_SLOT_EVIDENCE};
pub use handler::UNNAMED;
pub use offences::Noted;
pub use pallet::*;
pub use staking::OverStaking;
pub use types::*;
pub use weights::WeightInfo;

use polkadot_sdk::{frame_support, frame_system};

/// A validator as Offences knows it.
pub type Offender<T> = (
    <T as frame_system::Config>::AccountId,
    <T as Config>::FullIdentification,
);

/// The pallet.
#[frame_support::pallet]
pub mod pallet {
    use super::*;
    use alloc::{boxed::Box, vec, vec::Vec};
    use frame_support::{
        pallet_prelude::*,
        traits::{KeyOwnerProofSystem, UnixTime},
        weights::Weight,
    };
    use frame_system::pallet_prelude::*;
    use gear_exe_primitives::{
        H160, H256,
        faults::{BrokenPromise, TwoPromises, TwoRounds, WrongRound},
    };
    use polkadot_sdk::{
        sp_application_crypto::RuntimeAppPublic,
        sp_runtime::{Perbill, traits::SaturatedConversion},
        sp_session::MembershipProof,
        sp_staking::{
            EraIndex, SessionIndex,
            offence::{Kind, OnOffenceHandler, ReportOffence},
        },
    };

    /// Version of the storage's layout. There is none before it.
    pub const STORAGE_VERSION: StorageVersion = StorageVersion::new(1);

    #[pallet::pallet]
    #[pallet::storage_version(STORAGE_VERSION)]
    pub struct Pallet<T>(_);

    #[pallet::config]
    pub trait Config: polkadot_sdk::frame_system::Config<RuntimeEvent: From<Event<Self>>> {
        /// Who may let slashes leave that are not automatic on Ethereum.
        type ApproveOrigin: EnsureOrigin<Self::RuntimeOrigin>;
        /// Aura's keys.
        type AuraId: Parameter + RuntimeAppPublic;
        /// Who may cancel slashes.
        type CancelOrigin: EnsureOrigin<Self::RuntimeOrigin>;
        /// Aura's slot of this block.
        type CurrentSlot: Get<u64>;
        /// Sessions and eras: [`OverStaking`].
        type Eras: Eras;
        /// What Historical knows of a validator beside its account: `()`.
        type FullIdentification: Parameter + Default;
        /// Whose an Aura key was: Historical.
        type KeyOwners: KeyOwnerProofSystem<
                (polkadot_sdk::sp_core::crypto::KeyTypeId, Self::AuraId),
                Proof = MembershipProof,
                IdentificationTuple = Offender<Self>,
            >;
        /// Greatest number of validators in a set.
        #[pallet::constant]
        type MaxValidators: Get<u32>;
        /// Where offences are reported: [`Noted`] around Staking's filter around Offences.
        type Offences: ReportOffence<
                Self::AccountId,
                Offender<Self>,
                offences::DoubleSignature<Offender<Self>>,
            > + ReportOffence<Self::AccountId, Offender<Self>, offences::AgainstQuorum<Offender<Self>>>
            + ReportOffence<Self::AccountId, Offender<Self>, offences::TwoHeaders<Offender<Self>>>
            + ReportOffence<Self::AccountId, Offender<Self>, offences::Absence<Offender<Self>>>
            + ReportOffence<
                Self::AccountId,
                Offender<Self>,
                offences::Statement<TwoRounds, Offender<Self>>,
            > + ReportOffence<
                Self::AccountId,
                Offender<Self>,
                offences::Statement<TwoPromises, Offender<Self>>,
            > + ReportOffence<
                Self::AccountId,
                Offender<Self>,
                offences::Statement<WrongRound, Offender<Self>>,
            > + ReportOffence<
                Self::AccountId,
                Offender<Self>,
                offences::Statement<BrokenPromise, Offender<Self>>,
            >;
        /// Who stands behind validators on Ethereum.
        type Operators: Operators<Self::AccountId>;
        /// Where commitments for Ethereum go.
        type Outbox: Outbox;
        /// How much is slashed, and when.
        type Parameters: Get<SlashingParameters>;
        /// What the chain knows of seals.
        type Seals: Seals;
        /// The chain's time.
        type Time: UnixTime;
        /// Who slashes VARA: Staking.
        type Vara: OnOffenceHandler<Self::AccountId, Offender<Self>, Weight>;
        /// What that has decided on and not yet taken: [`OverStaking`].
        type VaraQueue: VaraQueue<Self::AccountId>;
        /// What calls cost.
        type WeightInfo: WeightInfo;
    }

    /// ETH slashes by number, those that are over too, until their era is forgotten.
    #[pallet::storage]
    pub type Slashes<T: Config> =
        StorageMap<_, Twox64Concat, u64, Slash<T::AccountId>, OptionQuery>;

    /// Number that the next slash gets.
    #[pallet::storage]
    pub type NextId<T> = StorageValue<_, u64, ValueQuery>;

    /// The numbers of the slashes for an era.
    #[pallet::storage]
    pub type EraSlashes<T> =
        StorageDoubleMap<_, Twox64Concat, EraIndex, Twox64Concat, u64, (), OptionQuery>;

    /// The greatest fraction that was decided against an operator for an era. Cancelling does not lower it.
    #[pallet::storage]
    pub type Reached<T> =
        StorageDoubleMap<_, Twox64Concat, EraIndex, Blake2_128Concat, H160, Perbill, ValueQuery>;

    /// Offences that governance has forgiven a validator, by hash of incident and validator.
    #[pallet::storage]
    pub type Forgiven<T> = StorageMap<_, Identity, H256, (), OptionQuery>;

    /// The offences of an era that are forgiven.
    #[pallet::storage]
    pub type EraForgiven<T> =
        StorageDoubleMap<_, Twox64Concat, EraIndex, Identity, H256, (), OptionQuery>;

    /// What is open against an operator.
    #[pallet::storage]
    pub type Queues<T> = StorageMap<_, Blake2_128Concat, H160, OperatorQueue, OptionQuery>;

    /// The operator that was looked at last.
    #[pallet::storage]
    pub type Cursor<T> = StorageValue<_, H160, OptionQuery>;

    /// Outbox items below this number are settled on Ethereum.
    #[pallet::storage]
    pub type SettledEnd<T> = StorageValue<_, u64, ValueQuery>;

    /// The oldest era of which something is kept.
    #[pallet::storage]
    pub type OldestEra<T> = StorageValue<_, EraIndex, ValueQuery>;

    /// The accounts behind the Ethereum keys of validator sets, by set id.
    #[pallet::storage]
    pub type Signers<T: Config> =
        StorageMap<_, Twox64Concat, u64, SignerSet<T::AccountId, T::MaxValidators>, OptionQuery>;

    /// The oldest set that is kept.
    #[pallet::storage]
    pub type OldestSet<T> = StorageValue<_, u64, ValueQuery>;

    /// Where sessions begin.
    #[pallet::storage]
    pub type SessionStarts<T> =
        StorageMap<_, Twox64Concat, SessionIndex, SessionStart, OptionQuery>;

    /// The oldest session that is kept.
    #[pallet::storage]
    pub type OldestSession<T> = StorageValue<_, SessionIndex, ValueQuery>;

    /// The session that runs.
    #[pallet::storage]
    pub type LastSession<T> = StorageValue<_, SessionIndex, OptionQuery>;

    /// Double signatures that the settlement pallet has seen and that are not reported yet, oldest first.
    #[pallet::storage]
    pub type SeenFaults<T> = StorageValue<_, BoundedVec<Seen, ConstU32<MAX_SEEN>>, ValueQuery>;

    /// What Offences is being told of. Empty between calls.
    #[pallet::storage]
    pub type Reporting<T> = StorageValue<_, Incident, OptionQuery>;

    /// The first validator set.
    #[pallet::genesis_config]
    #[derive(frame_support::DefaultNoBound)]
    pub struct GenesisConfig<T: Config> {
        /// Id of the first validator set: that of the Router's.
        pub set_id: u64,
        /// Marker.
        #[serde(skip)]
        pub _config: PhantomData<T>,
    }

    #[pallet::genesis_build]
    impl<T: Config> BuildGenesisConfig for GenesisConfig<T> {
        fn build(&self) {
            SessionStarts::<T>::insert(0, SessionStart::default());
            LastSession::<T>::put(0);
            // The session told of its validators before their set had its id.
            if let Some(set) = Signers::<T>::take(OldestSet::<T>::get()) {
                Signers::<T>::insert(self.set_id, set);
            }
            OldestSet::<T>::put(self.set_id);
        }
    }

    #[pallet::event]
    #[pallet::generate_deposit(pub(super) fn deposit_event)]
    pub enum Event<T: Config> {
        /// A fault was proven, and is punished.
        FaultProven {
            /// The kind of offence: 16 letters.
            kind: Kind,
            /// Who has committed it.
            validator: T::AccountId,
        },
        /// A double signature was seen that can be assigned to no validator who can be slashed.
        FaultIgnored {
            /// The address that signed.
            signer: H160,
            /// Number of the seal block.
            seal_number: u64,
        },
        /// An operator's ETH stake is to be slashed. Until the block `due` nothing happens, and governance may cancel it.
        SlashDeferred {
            /// Number of the slash.
            id: u64,
            /// The validator that offended.
            validator: T::AccountId,
            /// Who stands behind it on Ethereum.
            operator: H160,
            /// The era of the offence.
            era: EraIndex,
            /// The kind of offence.
            kind: Kind,
            /// The part of the era's stake.
            fraction: Perbill,
            /// The block from which on it may leave the chain.
            due: u64,
            /// It leaves by itself. If not, governance must approve it.
            approved: bool,
        },
        /// More validators have committed the same offence: a deferred slash takes more.
        SlashRaised {
            /// Number of the slash.
            id: u64,
            /// The part of the era's stake that it takes now.
            fraction: Perbill,
        },
        /// There are as many slashes open against the operator as can be. The next offence of that era takes this one
        /// along.
        SlashDropped {
            /// The validator that offended.
            validator: T::AccountId,
            /// Who stands behind it on Ethereum.
            operator: H160,
            /// The era of the offence.
            era: EraIndex,
            /// The part of the era's stake.
            fraction: Perbill,
        },
        /// Governance lets a slash leave that is not automatic.
        SlashApproved {
            /// Number of the slash.
            id: u64,
        },
        /// A slash is in the outbox: the next batch carries it to Ethereum.
        SlashCommitted {
            /// Number of the slash.
            id: u64,
            /// Number of the outbox item.
            item: u64,
        },
        /// A slash is settled on Ethereum. The vaults execute it when the time for a veto is over.
        SlashRequested {
            /// Number of the slash.
            id: u64,
        },
        /// The vaults have paid. If the slash was cancelled, Ethereum had the cancellation too late.
        SlashExecuted {
            /// Number of the slash.
            id: u64,
        },
        /// Ethereum has taken the cancellation of a slash before any vault has paid.
        SlashVetoed {
            /// Number of the slash.
            id: u64,
        },
        /// Governance has cancelled a slash.
        SlashCancelled {
            /// Number of the slash.
            id: u64,
            /// ETH will not be taken, or Ethereum is told not to: `SlashVetoed` says that it has come in time, `SlashExecuted`
            /// that it has not. If not, it was too late for ETH.
            ethereum: bool,
            /// How many of Staking's deferred slashes were cancelled with it. None: VARA was slashed already, or there
            /// was nothing to slash.
            vara: u32,
        },
        /// A slash can have no effect on Ethereum any more.
        SlashExpired {
            /// Number of the slash.
            id: u64,
            /// Why.
            reason: Expiry,
        },
    }

    #[pallet::error]
    pub enum Error<T> {
        /// There is no slash with that number.
        UnknownSlash,
        /// The slash is not in the state for that.
        WrongState,
        /// The slash is cancelled already.
        AlreadyCancelled,
        /// Neither ETH nor VARA can be saved any more, or a slash can not reach its vault any more.
        TooLate,
        /// The chain settles on no Router, so there are no batches to sign.
        NoRouter,
        /// A statement is about another chain.
        ForeignChain,
        /// The statements are about different seals.
        DifferentSeals,
        /// The statements, or headers, do not contradict each other.
        SameDigest,
        /// A signature is malformed, or not by the key.
        MalformedSignature,
        /// The signatures are by different keys, or one is for another Router.
        DifferentSigners,
        /// The key is no validator's of that set or session, or its owner's proof is wrong.
        NotAMember,
        /// The offence is older than the bonds of its session's validators.
        TooOld,
        /// The fault is known already.
        DuplicateEvidence,
        /// No quorum has decided the seal, or it is kept no longer.
        NotDecided,
        /// A header has no slot, or no seal.
        MalformedHeader,
        /// The headers, or promises, are for different slots.
        DifferentSlots,
        /// The owner's proof is for another session than that of the slot.
        WrongSession,
        /// Headers and proof are longer than 64 KiB.
        TooLarge,
        /// The statements are about different blocks.
        DifferentBlocks,
        /// The statement and the certificate are in the names of different sets.
        DifferentSets,
        /// The certificate does not verify: it has no quorum of its set, or signatures of others.
        NoCertificate,
        /// The set of the certificate is not known, or is kept no longer.
        UnknownSet,
    }

    #[pallet::hooks]
    impl<T: Config> Hooks<BlockNumberFor<T>> for Pallet<T> {
        fn on_initialize(now: BlockNumberFor<T>) -> Weight {
            Self::note_session(now.saturated_into());
            let mut weight = weights::forgetting_part(T::DbWeight::get());
            if Self::report_seen() {
                weight = weight.saturating_add(Self::weight_of_report());
            }
            let looked = Self::advance_some();
            Self::forget_era();
            Self::forget_sessions();
            weight.saturating_add(T::WeightInfo::on_initialize(looked))
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
        /// Proves a validator's fault. Anybody may; who is first pays no fee and gets Staking's reward for reporters.
        ///
        /// - `evidence`: what the validator has signed.
        #[pallet::call_index(0)]
        #[pallet::weight((Pallet::<T>::weight_of_reporting(evidence), DispatchClass::Operational))]
        pub fn report(
            origin: OriginFor<T>,
            evidence: Box<EvidenceOf<T>>,
        ) -> DispatchResultWithPostInfo {
            let reporter = ensure_signed(origin)?;
            let fault = Self::prove(&evidence)?;
            Self::punish(vec![reporter], fault)?;
            Ok(Pays::No.into())
        }

        /// Proves a validator's fault. Sent by nodes that have seen it; free, and without reward.
        ///
        /// - `evidence`: what the validator has signed.
        #[pallet::call_index(1)]
        #[pallet::weight((Pallet::<T>::weight_of_reporting(evidence), DispatchClass::Operational))]
        #[pallet::weight_of_authorize(
            T::WeightInfo::authorize_report().saturating_add(Pallet::<T>::weight_of_checking(evidence))
        )]
        #[pallet::authorize(|source: TransactionSource, evidence: &Box<EvidenceOf<T>>| Self::authorize_report(source, evidence))]
        pub fn report_unsigned(
            origin: OriginFor<T>,
            evidence: Box<EvidenceOf<T>>,
        ) -> DispatchResult {
            ensure_authorized(origin)?;
            let fault = Self::prove(&evidence)?;
            Self::punish(Vec::new(), fault)
        }

        /// Cancels a slash in both assets, as far as nothing was taken yet: what waits on this chain is dropped, and of
        /// what has left for Ethereum that is told. The validator is forgiven that offence.
        ///
        /// - `id`: number of the slash.
        #[pallet::call_index(2)]
        #[pallet::weight((T::WeightInfo::cancel(), DispatchClass::Operational))]
        pub fn cancel(origin: OriginFor<T>, id: u64) -> DispatchResult {
            T::CancelOrigin::ensure_origin(origin)?;
            Self::do_cancel(id)
        }

        /// Lets a slash leave for Ethereum that is not automatic: for a digest against the quorum's.
        ///
        /// - `id`: number of the slash.
        #[pallet::call_index(3)]
        #[pallet::weight(T::WeightInfo::approve())]
        pub fn approve(origin: OriginFor<T>, id: u64) -> DispatchResult {
            T::ApproveOrigin::ensure_origin(origin)?;
            Self::do_approve(id)
        }
    }

    impl<T: Config> Pallet<T> {
        /// What a call that reports `evidence` costs.
        fn weight_of_reporting(evidence: &EvidenceOf<T>) -> Weight {
            Self::weight_of_report().saturating_add(Self::weight_of_checking(evidence))
        }

        /// What a report of two signatures costs, with what Staking does.
        fn weight_of_report() -> Weight {
            T::WeightInfo::report().saturating_add(weights::staking_part(T::DbWeight::get()))
        }

        /// Number of the block that is being built.
        pub(crate) fn now() -> u64 {
            frame_system::Pallet::<T>::block_number().saturated_into()
        }
    }
}
