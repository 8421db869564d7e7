//! Evidence of a fault: what is taken, how it is verified, and to whom it is reported.

mod statements;

use crate::{
    Config, Eras, Error, Event, Offender, Pallet, Refusal, Seals, Seen, SeenFaults, WeightInfo,
    offences::{AgainstQuorum, DoubleSignature, Statement, TwoHeaders},
    sessions::Member,
    weights,
};
use alloc::{boxed::Box, vec, vec::Vec};
use codec::{Decode, DecodeWithMemTracking, Encode};
use frame_support::{
    ensure,
    pallet_prelude::{
        DispatchResult, TransactionSource, TransactionValidityWithRefund, ValidTransaction,
    },
    traits::{Get, KeyOwnerProofSystem},
    weights::Weight,
};
use frame_system::pallet_prelude::HeaderFor;
use gear_exe_primitives::{
    H256,
    evidence::{DoubleSign, EvidenceError, SignedStatement, Signer},
    faults::{BrokenPromise, TwoPromises, TwoRounds, WrongRound},
    host,
};
use polkadot_sdk::{
    frame_support, frame_system,
    sp_application_crypto::RuntimeAppPublic,
    sp_consensus_aura::digests::CompatibleDigestItem,
    sp_consensus_slots::{EquivocationProof, Slot},
    sp_io::hashing::blake2_256,
    sp_runtime::{DigestItem, traits::Header},
    sp_session::MembershipProof,
    sp_staking::offence::{Kind, Offence, ReportOffence},
};
use scale_info::TypeInfo;

/// Greatest length of two headers with their owner's proof, in bytes.
pub const MAX_SLOT_EVIDENCE: usize = 64 * 1024;

/// What proves a fault.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub enum Evidence<H, Id> {
    /// Two statements on one seal, signed by one Ethereum key. For two batches it is what the Middleware's
    /// `reportDoubleSign` takes.
    #[codec(index = 0)]
    DoubleSign(DoubleSign),
    /// A statement on a seal that a quorum has contradicted.
    #[codec(index = 1)]
    AgainstQuorum(SignedStatement),
    /// Two headers for one slot of Aura, with the proof of whose the key was in the slot's session.
    #[codec(index = 2)]
    TwoHeaders {
        /// The headers, with their seals.
        equivocation: EquivocationProof<H, Id>,
        /// Proof that the key belonged to a validator: `historical` makes it.
        owner: MembershipProof,
    },
    /// Two statements on the round of one block, signed by one Ethereum key.
    #[codec(index = 3)]
    TwoRounds(TwoRounds),
    /// Two promises for one slot, signed by one Ethereum key.
    #[codec(index = 4)]
    TwoPromises(TwoPromises),
    /// A statement on a round that differs from the block's certificate.
    #[codec(index = 5)]
    WrongRound(WrongRound),
    /// A promise that differs from the block's certificate.
    #[codec(index = 6)]
    BrokenPromise(BrokenPromise),
}

impl<H, Id> Evidence<H, Id> {
    /// Whether it is dear to check: it holds an owner's proof, or a certificate. It is not taken from strangers for nothing.
    const fn is_dear(&self) -> bool {
        matches!(
            self,
            Self::TwoHeaders { .. } | Self::WrongRound(_) | Self::BrokenPromise(_)
        )
    }
}

/// Evidence in the runtime's types.
pub type EvidenceOf<T> = Evidence<HeaderFor<T>, <T as Config>::AuraId>;

/// A fault that is proven and not known.
pub(crate) enum Fault<T: Config> {
    DoubleSign(DoubleSignature<Offender<T>>),
    AgainstQuorum(AgainstQuorum<Offender<T>>),
    TwoHeaders(TwoHeaders<Offender<T>>),
    TwoRounds(Statement<TwoRounds, Offender<T>>),
    TwoPromises(Statement<TwoPromises, Offender<T>>),
    WrongRound(Statement<WrongRound, Offender<T>>),
    BrokenPromise(Statement<BrokenPromise, Offender<T>>),
}

impl<T: Config> Fault<T> {
    /// What one fault has alone: kind and hash of slot and offender.
    pub(crate) fn tag(&self) -> (Kind, [u8; 32]) {
        match self {
            Self::DoubleSign(offence) => tag(offence),
            Self::AgainstQuorum(offence) => tag(offence),
            Self::TwoHeaders(offence) => tag(offence),
            Self::TwoRounds(offence) => tag(offence),
            Self::TwoPromises(offence) => tag(offence),
            Self::WrongRound(offence) => tag(offence),
            Self::BrokenPromise(offence) => tag(offence),
        }
    }

    fn validator(&self) -> T::AccountId {
        let (validator, _) = match self {
            Self::DoubleSign(offence) => &offence.offender,
            Self::AgainstQuorum(offence) => &offence.offender,
            Self::TwoHeaders(offence) => &offence.offender,
            Self::TwoRounds(offence) => &offence.offender,
            Self::TwoPromises(offence) => &offence.offender,
            Self::WrongRound(offence) => &offence.offender,
            Self::BrokenPromise(offence) => &offence.offender,
        };
        validator.clone()
    }
}

fn tag<Offender: Encode, O: Offence<Offender>>(offence: &O) -> (Kind, [u8; 32]) {
    let content = (offence.slot(), offence.offenders());
    (O::ID, content.using_encoded(blake2_256))
}

impl<T: Config> From<EvidenceError> for Error<T> {
    fn from(error: EvidenceError) -> Self {
        match error {
            EvidenceError::ForeignChain => Self::ForeignChain,
            EvidenceError::DifferentSeals => Self::DifferentSeals,
            EvidenceError::SameDigest => Self::SameDigest,
            EvidenceError::MalformedSignature => Self::MalformedSignature,
            EvidenceError::DifferentSigners => Self::DifferentSigners,
            EvidenceError::DifferentBlocks => Self::DifferentBlocks,
            EvidenceError::DifferentSlots => Self::DifferentSlots,
            EvidenceError::DifferentSets => Self::DifferentSets,
            EvidenceError::NoCertificate => Self::NoCertificate,
        }
    }
}

/// The slot of two different headers that `equivocation`'s key has signed.
fn slot_of<T: Config>(
    equivocation: &EquivocationProof<HeaderFor<T>, T::AuraId>,
) -> Result<u64, Error<T>> {
    type SignatureOf<T> = <<T as Config>::AuraId as RuntimeAppPublic>::Signature;
    type HashOf<T> = <HeaderFor<T> as Header>::Hash;
    let key = &equivocation.offender;
    let signed = |header: &HeaderFor<T>| -> Result<(Slot, HashOf<T>), Error<T>> {
        let mut header = header.clone();
        let seal = header.digest_mut().pop();
        let seal: SignatureOf<T> = seal
            .and_then(|seal| {
                <DigestItem as CompatibleDigestItem<SignatureOf<T>>>::as_aura_seal(&seal)
            })
            .ok_or(Error::<T>::MalformedHeader)?;
        let slot = header
            .digest()
            .logs()
            .iter()
            .find_map(|log| {
                <DigestItem as CompatibleDigestItem<SignatureOf<T>>>::as_aura_pre_digest(log)
            })
            .ok_or(Error::<T>::MalformedHeader)?;
        // The hash without the seal is what is signed. Two seals on one header are no fault.
        let hash = header.hash();
        ensure!(
            key.verify(&hash.as_ref(), &seal),
            Error::<T>::MalformedSignature
        );
        Ok((slot, hash))
    };
    let (first, one) = signed(&equivocation.first_header)?;
    let (second, other) = signed(&equivocation.second_header)?;
    ensure!(
        first == second && first == equivocation.slot,
        Error::<T>::DifferentSlots
    );
    ensure!(one != other, Error::<T>::SameDigest);
    Ok(*first)
}

impl<T: Config> Pallet<T> {
    /// The fault that evidence proves.
    pub(crate) fn prove(evidence: &EvidenceOf<T>) -> Result<Fault<T>, Error<T>> {
        match evidence {
            Evidence::DoubleSign(double) => {
                let domain = T::Seals::domain().ok_or(Error::<T>::NoRouter)?;
                let signer = double.signer(T::Seals::genesis(), &domain, host::recover)?;
                Self::prove_double_sign(&signer)
            }
            Evidence::AgainstQuorum(signed) => Self::prove_against_quorum(signed),
            Evidence::TwoHeaders {
                equivocation,
                owner,
            } => Self::prove_two_headers(equivocation, owner),
            Evidence::TwoRounds(evidence) => Self::prove_two_rounds(evidence),
            Evidence::TwoPromises(evidence) => Self::prove_two_promises(evidence),
            Evidence::WrongRound(evidence) => Self::prove_wrong_round(evidence),
            Evidence::BrokenPromise(evidence) => Self::prove_broken_promise(evidence),
        }
    }

    /// What checking evidence costs besides what checking two signatures does.
    pub(crate) fn weight_of_checking(evidence: &EvidenceOf<T>) -> Weight {
        match evidence {
            Evidence::TwoHeaders { .. } => weights::proof_part(T::DbWeight::get()),
            Evidence::WrongRound(_) | Evidence::BrokenPromise(_) => {
                T::WeightInfo::check_certificate()
            }
            _ => Weight::zero(),
        }
    }

    fn signer_in_time(signer: &Signer) -> Result<Member<T::AccountId>, Error<T>> {
        let member = Self::member(signer).ok_or(Error::<T>::NotAMember)?;
        ensure!(
            T::Eras::era_of(member.session).is_some(),
            Error::<T>::TooOld
        );
        Ok(member)
    }

    /// The fault of a key that has signed two digests for one seal.
    pub(crate) fn prove_double_sign(signer: &Signer) -> Result<Fault<T>, Error<T>> {
        let member = Self::signer_in_time(signer)?;
        let offence = DoubleSignature {
            session: member.session,
            validators: member.validators,
            offender: Self::offender(member.validator),
            seal: signer.seal_hash,
            floor: T::Parameters::get().double_sign_floor,
        };
        ensure!(!Self::is_known(&offence), Error::<T>::DuplicateEvidence);
        Ok(Fault::DoubleSign(offence))
    }

    fn prove_against_quorum(signed: &SignedStatement) -> Result<Fault<T>, Error<T>> {
        let domain = T::Seals::domain().ok_or(Error::<T>::NoRouter)?;
        let genesis = T::Seals::genesis();
        let statement = &signed.statement;
        let digest = statement.digest(genesis, &domain)?;
        let decided = T::Seals::decided(statement.seal_number(), statement.seal_hash())
            .ok_or(Error::<T>::NotDecided)?;
        ensure!(digest != decided, Error::<T>::SameDigest);
        let signer = signed.signer(genesis, &domain, host::recover)?;
        let member = Self::signer_in_time(&signer)?;
        let offence = AgainstQuorum {
            session: member.session,
            validators: member.validators,
            offender: Self::offender(member.validator),
            seal: signer.seal_hash,
        };
        ensure!(!Self::is_known(&offence), Error::<T>::DuplicateEvidence);
        Ok(Fault::AgainstQuorum(offence))
    }

    fn prove_two_headers(
        equivocation: &EquivocationProof<HeaderFor<T>, T::AuraId>,
        owner: &MembershipProof,
    ) -> Result<Fault<T>, Error<T>> {
        let length = equivocation
            .encoded_size()
            .saturating_add(owner.encoded_size());
        ensure!(length <= MAX_SLOT_EVIDENCE, Error::<T>::TooLarge);
        let slot = slot_of::<T>(equivocation)?;
        let session = Self::session_of_slot(slot).ok_or(Error::<T>::TooOld)?;
        ensure!(T::Eras::era_of(session).is_some(), Error::<T>::TooOld);
        ensure!(owner.session == session, Error::<T>::WrongSession);
        let key = (T::AuraId::ID, equivocation.offender.clone());
        let offender =
            T::KeyOwners::check_proof(key, owner.clone()).ok_or(Error::<T>::NotAMember)?;
        let offence = TwoHeaders {
            session,
            validators: owner.validator_count,
            offender,
            slot,
        };
        ensure!(!Self::is_known(&offence), Error::<T>::DuplicateEvidence);
        Ok(Fault::TwoHeaders(offence))
    }

    fn is_known<O>(offence: &O) -> bool
    where
        O: Offence<Offender<T>>,
        T::Offences: ReportOffence<T::AccountId, Offender<T>, O>,
    {
        <T::Offences as ReportOffence<T::AccountId, Offender<T>, O>>::is_known_offence(
            &offence.offenders(),
            &offence.slot(),
        )
    }

    /// Reports a fault to Offences, which calls the handler.
    pub(crate) fn punish(reporters: Vec<T::AccountId>, fault: Fault<T>) -> DispatchResult {
        let (kind, _) = fault.tag();
        let validator = fault.validator();
        match fault {
            Fault::DoubleSign(offence) => T::Offences::report_offence(reporters, offence),
            Fault::AgainstQuorum(offence) => T::Offences::report_offence(reporters, offence),
            Fault::TwoHeaders(offence) => T::Offences::report_offence(reporters, offence),
            Fault::TwoRounds(offence) => T::Offences::report_offence(reporters, offence),
            Fault::TwoPromises(offence) => T::Offences::report_offence(reporters, offence),
            Fault::WrongRound(offence) => T::Offences::report_offence(reporters, offence),
            Fault::BrokenPromise(offence) => T::Offences::report_offence(reporters, offence),
        }
        .map_err(|_| Error::<T>::DuplicateEvidence)?;
        Self::deposit_event(Event::FaultProven { kind, validator });
        Ok(())
    }

    pub(crate) fn authorize_report(
        source: TransactionSource,
        evidence: &EvidenceOf<T>,
    ) -> TransactionValidityWithRefund {
        let foreign = matches!(source, TransactionSource::External);
        let dear = evidence.is_dear();
        ensure!(!(foreign && dear), Refusal::NotLocal);
        let fault = Self::prove(evidence).map_err(|error| match error {
            Error::<T>::DuplicateEvidence => Refusal::Duplicate,
            _ => Refusal::Evidence,
        })?;
        ValidTransaction::with_tag_prefix("gear-exe-fault")
            .priority(u64::MAX)
            .and_provides(fault.tag())
            .longevity(1_024)
            .propagate(!dear)
            .build()
            .map(|valid| (valid, Weight::zero()))
    }

    /// Notes a double signature that the settlement pallet has seen, to be reported with the next block.
    pub(crate) fn note_seen(seen: Seen) {
        let noted = SeenFaults::<T>::mutate(|faults| {
            faults.contains(&seen) || faults.try_push(seen).is_ok()
        });
        if !noted {
            Self::deposit_event(Event::FaultIgnored {
                signer: seen.signer,
                seal_number: seen.seal_number,
            });
        }
    }

    /// Reports the oldest fault that was seen. Returns whether there was one.
    pub(crate) fn report_seen() -> bool {
        if !SeenFaults::<T>::exists() {
            return false;
        }
        let seen = SeenFaults::<T>::mutate(|faults| {
            let seen = (!faults.is_empty()).then(|| faults.remove(0))?;
            Some((seen, faults.is_empty()))
        });
        let Some((seen, last)) = seen else {
            return false;
        };
        if last {
            SeenFaults::<T>::kill();
        }
        let signer = Signer {
            address: seen.signer,
            sets: [seen.set_id; 2],
            seal_number: seen.seal_number,
            seal_hash: seen.seal_hash,
        };
        let ignored = match Self::prove_double_sign(&signer) {
            Ok(fault) => Self::punish(vec![], fault).is_err(),
            // Somebody was faster.
            Err(Error::<T>::DuplicateEvidence) => false,
            Err(_) => true,
        };
        if ignored {
            Self::deposit_event(Event::FaultIgnored {
                signer: seen.signer,
                seal_number: seen.seal_number,
            });
        }
        true
    }

    /// A call that reports `evidence` for nothing: for a node that has seen a fault.
    pub fn report_call(evidence: EvidenceOf<T>) -> crate::Call<T> {
        crate::Call::report_unsigned {
            evidence: Box::new(evidence),
        }
    }
}

impl<T: Config> gear_exe_primitives::evidence::OnFault<T::AccountId> for Pallet<T> {
    fn on_session(set_id: u64, signers: Vec<(T::AccountId, gear_exe_primitives::H160)>) {
        Self::note_signers(set_id, signers);
    }

    fn on_double_sign(
        set_id: u64,
        signer: gear_exe_primitives::H160,
        seal_number: u64,
        seal_hash: H256,
    ) {
        Self::note_seen(Seen {
            set_id,
            signer,
            seal_number,
            seal_hash,
        });
    }

    fn on_absence(set_id: u64, absent: Vec<gear_exe_primitives::H160>) {
        Self::report_absent_signers(set_id, &absent);
    }

    fn on_settled(outbox_end: u64) {
        Self::note_settled(outbox_end);
    }
}
