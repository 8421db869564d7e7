//! Evidence of faults in what a validator has said of rounds and in slots. Whose the key is, and to which session the fault
//! belongs, is found as for statements on seals (`sessions.rs`).

use super::Fault;
use crate::{
    Config, Eras, Error, Pallet, Seals, SessionStart,
    offences::{Proves, Statement},
    sessions::Member,
};
use core::marker::PhantomData;
use frame_support::{ensure, traits::Get};
use gear_exe_primitives::{
    H160,
    certificate::Certificate,
    faults::{BrokenPromise, RoundCulprit, TwoPromises, TwoRounds, WrongRound},
    host, quorum,
};
use polkadot_sdk::{frame_support, sp_runtime::Perbill};

impl<T: Config> Pallet<T> {
    /// The member that signed in the names of these sets, if its session's bonds are not gone.
    fn speaker(
        address: H160,
        sets: [u64; 2],
        begins: impl Fn(SessionStart) -> bool,
    ) -> Result<Member<T::AccountId>, Error<T>> {
        let member = Self::member_at(address, sets, begins).ok_or(Error::<T>::NotAMember)?;
        ensure!(
            T::Eras::era_of(member.session).is_some(),
            Error::<T>::TooOld
        );
        Ok(member)
    }

    fn speaker_on(culprit: &RoundCulprit) -> Result<Member<T::AccountId>, Error<T>> {
        Self::speaker(culprit.address, culprit.sets, |start| {
            start.block <= culprit.block_number
        })
    }

    /// The offence of a member, unless it is known.
    fn statement<E: Proves>(
        member: Member<T::AccountId>,
        subject: E::Subject,
        floor: Perbill,
    ) -> Statement<E, crate::Offender<T>> {
        Statement {
            session: member.session,
            validators: member.validators,
            offender: Self::offender(member.validator),
            subject,
            floor,
            evidence: PhantomData,
        }
    }

    pub(super) fn prove_two_rounds(evidence: &TwoRounds) -> Result<Fault<T>, Error<T>> {
        let domain = T::Seals::domain().ok_or(Error::<T>::NoRouter)?;
        let culprit = evidence.culprit(T::Seals::genesis(), &domain, host::recover)?;
        let member = Self::speaker_on(&culprit)?;
        let floor = T::Parameters::get().double_sign_floor;
        let offence = Self::statement(member, culprit.block_hash, floor);
        ensure!(!Self::is_known(&offence), Error::<T>::DuplicateEvidence);
        Ok(Fault::TwoRounds(offence))
    }

    pub(super) fn prove_two_promises(evidence: &TwoPromises) -> Result<Fault<T>, Error<T>> {
        let domain = T::Seals::domain().ok_or(Error::<T>::NoRouter)?;
        let culprit = evidence.culprit(T::Seals::genesis(), &domain, host::recover)?;
        // Slots belong to those who authored before a session's first block.
        let member = Self::speaker(culprit.address, culprit.sets, |start| {
            start.begins_before(culprit.slot)
        })?;
        let floor = T::Parameters::get().double_sign_floor;
        let offence = Self::statement(member, culprit.slot, floor);
        ensure!(!Self::is_known(&offence), Error::<T>::DuplicateEvidence);
        Ok(Fault::TwoPromises(offence))
    }

    /// The members of a certificate's set. Nothing is decoded or recovered for a certificate that cannot be one.
    fn certifiers(certificate: &Certificate) -> Result<alloc::vec::Vec<quorum::Member>, Error<T>> {
        let most = T::MaxValidators::get() as usize;
        let fits =
            certificate.signatures.len() <= most && certificate.signers.len() <= most.div_ceil(8);
        ensure!(fits, Error::<T>::NoCertificate);
        T::Seals::members(certificate.statement.set_id).ok_or(Error::<T>::UnknownSet)
    }

    pub(super) fn prove_wrong_round(evidence: &WrongRound) -> Result<Fault<T>, Error<T>> {
        let domain = T::Seals::domain().ok_or(Error::<T>::NoRouter)?;
        let members = Self::certifiers(&evidence.certificate)?;
        let culprit = evidence.culprit(T::Seals::genesis(), &domain, &members, host::recover)?;
        let member = Self::speaker_on(&culprit)?;
        let offence = Self::statement(member, culprit.block_hash, Perbill::zero());
        ensure!(!Self::is_known(&offence), Error::<T>::DuplicateEvidence);
        Ok(Fault::WrongRound(offence))
    }

    pub(super) fn prove_broken_promise(evidence: &BrokenPromise) -> Result<Fault<T>, Error<T>> {
        let domain = T::Seals::domain().ok_or(Error::<T>::NoRouter)?;
        let members = Self::certifiers(&evidence.certificate)?;
        let culprit = evidence.culprit(T::Seals::genesis(), &domain, &members, host::recover)?;
        let member = Self::speaker_on(&culprit)?;
        let offence = Self::statement(member, culprit.block_hash, Perbill::zero());
        ensure!(!Self::is_known(&offence), Error::<T>::DuplicateEvidence);
        Ok(Fault::BrokenPromise(offence))
    }
}
