//! Votes on seals: a signature on the batch's digest, or the statement that the batch would be empty.

use crate::{
    Config, Domain, Error, Event, OpenSeals, Pallet, Proposals, Refusal, Seal, SealResult,
    SealVote, Seals, Sets, Tallies, Votes,
};
use alloc::vec::Vec;
use frame_support::{ensure, pallet_prelude::*};
use gear_exe_primitives::{
    H256,
    batch::BatchHeader,
    evidence::OnFault as _,
    quorum::{Member, bitmap, is_quorum},
    report::ReadyBatch,
    signature::CompactSignature,
    vote::EmptyBatch,
    voters,
};
use polkadot_sdk::frame_support;

fn weight_of(members: &[Member]) -> u128 {
    members
        .iter()
        .fold(0, |sum, member| sum.saturating_add(member.weight.into()))
}

impl<T: Config> Pallet<T> {
    pub(crate) fn authorize_signature(
        _: TransactionSource,
        header: &BatchHeader,
        validator: &u32,
        signature: &CompactSignature,
    ) -> TransactionValidityWithRefund {
        let seal = Self::known_seal(header.seal_number, header.seal_hash)?;
        ensure!(header.set_id == seal.set_id, Refusal::Set);
        let member = Self::member(&seal, *validator)?;
        let domain = Domain::<T>::get().ok_or(Refusal::Seal)?;
        let expected = BatchHeader {
            genesis: Self::genesis_hash(),
            seal_number: header.seal_number,
            seal_hash: seal.hash,
            last_round: header.last_round,
            last_round_hash: header.last_round_hash,
            nonce: seal.router.nonce.saturating_add(1),
            parent: seal.router.digest,
            anchor_number: seal.anchor.number,
            anchor_hash: seal.anchor.hash,
            set_id: seal.set_id,
            content: header.content,
            expiry: seal.expiry,
        };
        let within = (seal.router.last_round..=header.seal_number).contains(&header.last_round);
        ensure!(*header == expected && within, Refusal::Header);
        let digest = header.digest(&domain);
        Self::authorize_vote(header.seal_number, *validator, member, digest, signature)
    }

    pub(crate) fn authorize_empty(
        _: TransactionSource,
        empty: &EmptyBatch,
        validator: &u32,
        signature: &CompactSignature,
    ) -> TransactionValidityWithRefund {
        let seal = Self::known_seal(empty.seal_number, empty.seal_hash)?;
        ensure!(empty.set_id == seal.set_id, Refusal::Set);
        let member = Self::member(&seal, *validator)?;
        let digest = empty.digest(Self::genesis_hash());
        Self::authorize_vote(empty.seal_number, *validator, member, digest, signature)
    }

    /// The seal at `number`, if its block's hash is known and is `hash`.
    fn known_seal(number: u64, hash: H256) -> Result<Seal, TransactionValidityError> {
        let seal = Seals::<T>::get(number).ok_or(Refusal::Seal)?;
        ensure!(seal.hash == hash && !hash.is_zero(), Refusal::Seal);
        Ok(seal)
    }

    fn member(seal: &Seal, validator: u32) -> Result<Member, TransactionValidityError> {
        let member = Sets::<T>::get(seal.set_id)
            .and_then(|members| members.get(validator as usize).copied())
            .ok_or(Refusal::Index)?;
        Ok(member)
    }

    fn authorize_vote(
        seal: u64,
        validator: u32,
        member: Member,
        digest: H256,
        signature: &CompactSignature,
    ) -> TransactionValidityWithRefund {
        if let Some(vote) = Votes::<T>::get(seal, validator) {
            ensure!(vote.digest != digest && !vote.equivocated, Refusal::Said);
        }
        voters::ensure_signed_digest(digest, &member, signature).map_err(|_| Refusal::Signature)?;
        ValidTransaction::with_tag_prefix("gear-exe-batch")
            .priority(seal)
            .and_provides((seal, validator, digest))
            .longevity(64)
            .propagate(true)
            .build()
            .map(|valid| (valid, Weight::zero()))
    }

    /// Takes a vote: the first one counts, a second one is a fault.
    pub(crate) fn take_vote(
        number: u64,
        validator: u32,
        digest: H256,
        empty: bool,
        signature: CompactSignature,
    ) -> DispatchResult {
        let mut seal = Seals::<T>::get(number).ok_or(Error::<T>::NoSeal)?;
        if let Some(mut before) = Votes::<T>::get(number, validator) {
            if before.digest != digest && !before.equivocated {
                before.equivocated = true;
                Votes::<T>::insert(number, validator, before);
                Self::deposit_event(Event::Equivocation {
                    seal: number,
                    validator,
                    first: before.digest,
                    first_signature: before.signature,
                    second: digest,
                    second_signature: signature,
                });
                let signer = Sets::<T>::get(seal.set_id)
                    .and_then(|set| set.get(validator as usize).copied());
                if let Some(member) = signer {
                    T::OnFault::on_double_sign(seal.set_id, member.address, number, seal.hash);
                }
            }
            return Ok(());
        }
        let vote = SealVote {
            digest,
            empty,
            signature,
            equivocated: false,
        };
        Votes::<T>::insert(number, validator, vote);
        Self::note_vote(seal.set_id, validator);
        let is_quorum = Self::count(number, seal.set_id, validator, digest);
        if seal.result.is_some() || !is_quorum {
            return Ok(());
        }
        Self::note_decision(seal.set_id);
        seal.result = Some(if empty {
            Self::deposit_event(Event::BatchEmpty { seal: number });
            OpenSeals::<T>::mutate(|open| open.retain(|open| *open != number));
            SealResult::Empty
        } else {
            Self::deposit_event(Event::BatchReady {
                seal: number,
                nonce: seal.router.nonce.saturating_add(1),
                digest,
            });
            SealResult::Ready(digest)
        });
        Seals::<T>::insert(number, seal);
        Ok(())
    }

    /// Adds a vote to those for `digest`. Returns whether they are a quorum now.
    fn count(seal: u64, set_id: u64, validator: u32, digest: H256) -> bool {
        let members = Sets::<T>::get(set_id).unwrap_or_default();
        let own = members
            .get(validator as usize)
            .map_or(0, |member| member.weight);
        let tally = Tallies::<T>::mutate(seal, digest, |tally| {
            tally.heads = tally.heads.saturating_add(1);
            tally.weight = tally.weight.saturating_add(own.into());
            *tally
        });
        is_quorum(
            tally.heads,
            members.len() as u32,
            tally.weight,
            weight_of(&members),
        )
    }

    /// As few votes for `digest` as are a quorum of the set, heaviest signers first; nothing if all together are none.
    /// Each signature costs gas on Ethereum.
    fn quorum_for(seal: u64, set_id: u64, digest: H256) -> Option<Vec<(u32, CompactSignature)>> {
        let members = Sets::<T>::get(set_id)?;
        let all = weight_of(&members);
        let mut votes: Vec<_> = Votes::<T>::iter_prefix(seal)
            .filter(|(_, vote)| vote.digest == digest)
            .filter_map(|(validator, vote)| {
                let weight = members.get(validator as usize)?.weight;
                Some((core::cmp::Reverse(weight), validator, vote.signature))
            })
            .collect();
        votes.sort_by_key(|(weight, validator, _)| (*weight, *validator));
        let mut enough = Vec::new();
        let mut signed = 0u128;
        for (weight, validator, signature) in votes {
            enough.push((validator, signature));
            signed = signed.saturating_add(weight.0.into());
            if is_quorum(enough.len() as u32, members.len() as u32, signed, all) {
                enough.sort_by_key(|(validator, _)| *validator);
                return Some(enough);
            }
        }
        None
    }

    /// Signed batches that the Router would take now, oldest seal first.
    pub fn ready_batches() -> Vec<ReadyBatch> {
        Self::live_seals()
            .into_iter()
            .filter_map(|(number, seal)| Self::ready(number, &seal))
            .collect()
    }

    fn ready(number: u64, seal: &Seal) -> Option<ReadyBatch> {
        let Some(SealResult::Ready(digest)) = seal.result else {
            return None;
        };
        let votes = Self::quorum_for(number, seal.set_id, digest)?;
        Some(ReadyBatch {
            header: Proposals::<T>::get(number, digest)?,
            digest,
            signers: bitmap(votes.iter().map(|(validator, _)| *validator as usize)),
            signatures: votes.into_iter().map(|(_, signature)| signature).collect(),
        })
    }
}
