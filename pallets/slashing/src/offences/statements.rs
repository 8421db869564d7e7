//! Offences by what a validator has said of rounds and in slots: one shape, four kinds.

use super::correlated;
use alloc::{vec, vec::Vec};
use codec::Codec;
use core::marker::PhantomData;
use gear_exe_primitives::{
    H256,
    faults::{BrokenPromise, TwoPromises, TwoRounds, WrongRound},
};
use polkadot_sdk::{
    sp_runtime::Perbill,
    sp_staking::{
        SessionIndex,
        offence::{Kind, Offence},
    },
};

/// What evidence of this type proves, as a kind of offence.
pub trait Proves {
    /// As which kind it is reported.
    const KIND: Kind;
    /// What the offence is about: concurrent offenders have it in common.
    type Subject: Clone + Codec + Ord;
}

impl Proves for TwoRounds {
    const KIND: Kind = *b"gexe:round-twice";
    /// Hash of the block.
    type Subject = H256;
}

impl Proves for WrongRound {
    const KIND: Kind = *b"gexe:wrong-round";
    /// Hash of the block.
    type Subject = H256;
}

impl Proves for TwoPromises {
    const KIND: Kind = *b"gexe:two-promise";
    /// The slot.
    type Subject = u64;
}

impl Proves for BrokenPromise {
    const KIND: Kind = *b"gexe:bad-promise";
    /// Hash of the block.
    type Subject = H256;
}

/// A key has signed what evidence of the type `E` proves.
pub struct Statement<E: Proves, O> {
    /// The session to which it belongs.
    pub session: SessionIndex,
    /// Members of the set.
    pub validators: u32,
    /// Whose key.
    pub offender: O,
    /// The block or the slot.
    pub subject: E::Subject,
    /// The least fraction.
    pub floor: Perbill,
    /// Marker.
    pub evidence: PhantomData<E>,
}

impl<E: Proves, O: Clone> Offence<O> for Statement<E, O> {
    const ID: Kind = E::KIND;
    type Slot = (SessionIndex, E::Subject);

    fn offenders(&self) -> Vec<O> {
        vec![self.offender.clone()]
    }

    fn session_index(&self) -> SessionIndex {
        self.session
    }

    fn validator_set_count(&self) -> u32 {
        self.validators
    }

    fn slot(&self) -> Self::Slot {
        (self.session, self.subject.clone())
    }

    fn slash_fraction(&self, offenders: u32) -> Perbill {
        correlated(offenders, self.validators).max(self.floor)
    }
}
