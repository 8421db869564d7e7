//! The kinds of offences that are ours, how much each costs, and what each means for ETH.
//!
//! What is said of rounds and in slots is in `statements.rs`.
//!
//! GRANDPA's equivocations and heartbeats that are missing come from their own pallets. All go through [`Noted`], so
//! that the handler knows of what kind an offence is: `pallet-offences` does not tell it.

mod statements;

pub use statements::{Proves, Statement};

use crate::{Config, Eras as _, Event, Incident, Offender, Pallet, Reporting, Signers};
use alloc::{vec, vec::Vec};
use codec::Encode;
use core::marker::PhantomData;
use gear_exe_primitives::{
    H160, H256,
    faults::{BrokenPromise, WrongRound},
};
use polkadot_sdk::{
    sp_io::hashing::blake2_256,
    sp_runtime::Perbill,
    sp_staking::{
        SessionIndex,
        offence::{Kind, Offence, OffenceError, ReportOffence},
    },
};

/// What an offence means for the operator's ETH.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ethereum {
    /// Nothing.
    Spared,
    /// A slash that leaves the chain by itself once it was deferred.
    Slashed,
    /// A slash that leaves the chain only if governance approves it.
    Approved,
}

/// What an offence of this kind means for the operator's ETH.
///
/// Being away costs VARA only. What is said against a quorum may be the quorum's fault, so it is never automatic.
/// Everything else is proven by what the validator has signed.
pub fn ethereum(kind: &Kind) -> Ethereum {
    const HEARTBEAT: Kind = *b"im-online:offlin";
    match *kind {
        HEARTBEAT | Absence::<()>::KIND => Ethereum::Spared,
        AgainstQuorum::<()>::KIND | WrongRound::KIND | BrokenPromise::KIND => Ethereum::Approved,
        _ => Ethereum::Slashed,
    }
}

/// `min((3k / n)², 1)`: an offence of one costs little, an attack of a third costs everything.
pub fn correlated(offenders: u32, validators: u32) -> Perbill {
    Perbill::from_rational(offenders.saturating_mul(3), validators.max(1)).square()
}

/// A key has signed two different digests for one seal: of two batches, or of a batch and of its being empty.
pub struct DoubleSignature<O> {
    /// The session in which the seal's set signed.
    pub session: SessionIndex,
    /// Members of the set.
    pub validators: u32,
    /// Whose key.
    pub offender: O,
    /// Hash of the seal.
    pub seal: H256,
    /// The least fraction.
    pub floor: Perbill,
}

impl<O> DoubleSignature<O> {
    /// As which kind it is reported.
    pub const KIND: Kind = *b"gexe:double-sign";
}

impl<O: Clone> Offence<O> for DoubleSignature<O> {
    const ID: Kind = Self::KIND;
    type Slot = (SessionIndex, H256);

    fn offenders(&self) -> Vec<O> {
        vec![self.offender.clone()]
    }

    fn session_index(&self) -> SessionIndex {
        self.session
    }

    fn validator_set_count(&self) -> u32 {
        self.validators
    }

    // With the session: who is reported for one seal has offended as a member of one set.
    fn slot(&self) -> Self::Slot {
        (self.session, self.seal)
    }

    fn slash_fraction(&self, offenders: u32) -> Perbill {
        correlated(offenders, self.validators).max(self.floor)
    }
}

/// A key has signed two headers of blocks for one slot of Aura.
pub struct TwoHeaders<O> {
    /// The session of the slot.
    pub session: SessionIndex,
    /// Validators of that session.
    pub validators: u32,
    /// Whose key.
    pub offender: O,
    /// The slot.
    pub slot: u64,
}

impl<O> TwoHeaders<O> {
    /// As which kind it is reported.
    pub const KIND: Kind = *b"gexe:two-headers";
}

impl<O: Clone> Offence<O> for TwoHeaders<O> {
    const ID: Kind = Self::KIND;
    type Slot = u64;

    fn offenders(&self) -> Vec<O> {
        vec![self.offender.clone()]
    }

    fn session_index(&self) -> SessionIndex {
        self.session
    }

    fn validator_set_count(&self) -> u32 {
        self.validators
    }

    fn slot(&self) -> u64 {
        self.slot
    }

    fn slash_fraction(&self, offenders: u32) -> Perbill {
        correlated(offenders, self.validators)
    }
}

/// A key has signed a digest for a seal that is not the quorum's.
pub struct AgainstQuorum<O> {
    /// The session in which the seal's set signed.
    pub session: SessionIndex,
    /// Members of the set.
    pub validators: u32,
    /// Whose key.
    pub offender: O,
    /// Hash of the seal.
    pub seal: H256,
}

impl<O> AgainstQuorum<O> {
    /// As which kind it is reported.
    pub const KIND: Kind = *b"gexe:wrong-batch";
}

impl<O: Clone> Offence<O> for AgainstQuorum<O> {
    const ID: Kind = Self::KIND;
    type Slot = (SessionIndex, H256);

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
        (self.session, self.seal)
    }

    fn slash_fraction(&self, offenders: u32) -> Perbill {
        correlated(offenders, self.validators)
    }
}

/// Members of a set have not signed what the set had to sign in a session.
pub struct Absence<O> {
    /// The session.
    pub session: SessionIndex,
    /// Members of the set.
    pub validators: u32,
    /// Who was away.
    pub offenders: Vec<O>,
    /// The greatest fraction.
    pub maximum: Perbill,
}

impl<O> Absence<O> {
    /// As which kind it is reported.
    pub const KIND: Kind = *b"gexe:not-signing";
}

impl<O: Clone> Offence<O> for Absence<O> {
    const ID: Kind = Self::KIND;
    type Slot = SessionIndex;

    fn offenders(&self) -> Vec<O> {
        self.offenders.clone()
    }

    fn session_index(&self) -> SessionIndex {
        self.session
    }

    fn validator_set_count(&self) -> u32 {
        self.validators
    }

    fn slot(&self) -> SessionIndex {
        self.session
    }

    // The curve of im-online: a tenth may be away for nothing, then it rises, up to the maximum at 13/30.
    fn slash_fraction(&self, offenders: u32) -> Perbill {
        let free = (self.validators / 10).saturating_add(1);
        let counted = offenders.saturating_sub(free);
        let part = Perbill::from_rational(counted.saturating_mul(3), self.validators.max(1));
        part * self.maximum
    }
}

/// Reports offences to `R`, usually `FilterHistoricalOffences<Staking, Offences>`, and tells the handler meanwhile of
/// what kind the offence is. Every pallet that reports offences must do it through this.
pub struct Noted<T, R>(PhantomData<(T, R)>);

impl<T, R, O> ReportOffence<T::AccountId, Offender<T>, O> for Noted<T, R>
where
    T: Config,
    R: ReportOffence<T::AccountId, Offender<T>, O>,
    O: Offence<Offender<T>>,
{
    fn report_offence(reporters: Vec<T::AccountId>, offence: O) -> Result<(), OffenceError> {
        // As Offences counts who offended together.
        let incident = (O::ID, offence.slot());
        Reporting::<T>::put(Incident {
            kind: O::ID,
            hash: H256(incident.using_encoded(blake2_256)),
        });
        let result = R::report_offence(reporters, offence);
        Reporting::<T>::kill();
        result
    }

    fn is_known_offence(offenders: &[Offender<T>], slot: &O::Slot) -> bool {
        R::is_known_offence(offenders, slot)
    }
}

impl<T: Config> Pallet<T> {
    /// The account as Offences knows it.
    pub(crate) fn offender(validator: T::AccountId) -> Offender<T> {
        (validator, Default::default())
    }

    /// Reports members of the set `set_id` that did not vote on its seals in the session that ends.
    pub(crate) fn report_absent_signers(set_id: u64, absent: &[H160]) {
        let Some(set) = Signers::<T>::get(set_id) else {
            return;
        };
        let session = set.last.min(T::Eras::session());
        let validators = set.members.len() as u32;
        let absent: Vec<_> = set
            .members
            .into_iter()
            .filter(|(signer, _)| absent.contains(signer))
            .map(|(_, account)| account)
            .collect();
        for validator in &absent {
            Self::deposit_event(Event::FaultProven {
                kind: Absence::<()>::KIND,
                validator: validator.clone(),
            });
        }
        // Who was reported for this session already is left as it is.
        let _ = Self::report_absence(session, validators, absent);
    }

    /// Reports that these members of a set of `validators` did not sign what they had to in `session`. Costs VARA only.
    ///
    /// # Errors
    ///
    /// All of them are known for that session already.
    pub fn report_absence(
        session: SessionIndex,
        validators: u32,
        absent: Vec<T::AccountId>,
    ) -> Result<(), OffenceError> {
        use polkadot_sdk::frame_support::traits::Get;
        let offence = Absence {
            session,
            validators,
            offenders: absent.into_iter().map(Self::offender).collect(),
            maximum: T::Parameters::get().absence_maximum,
        };
        T::Offences::report_offence(Vec::new(), offence)
    }
}
