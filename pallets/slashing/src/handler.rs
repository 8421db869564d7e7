//! What happens when an offence is reported: Staking takes its part first, then the operator's ETH part is queued.
//!
//! Offences gives all concurrent offenders again each time one is added, with the fraction that they have reached
//! together. Both assets take only what is new. Per operator and era only the greatest fraction counts, up to the
//! governed maximum. A slash that governance cancels is forgiven: the validator is left out when the same incident
//! comes again, in both assets.

use crate::{
    Config, EraForgiven, EraSlashes, Eras, Event, Expiry, Forgiven, Incident, MAX_RECORDS, NextId,
    Offender, Operators, Pallet, Queues, Reached, Reporting, Slash, Slashes, SlashingParameters,
    State, VaraQueue, offences,
};
use alloc::{collections::BTreeMap, vec::Vec};
use codec::Encode;
use frame_support::{
    BoundedVec,
    traits::{ConstU32, Get},
    weights::Weight,
};
use gear_exe_primitives::{H160, H256};
use polkadot_sdk::{
    frame_support,
    sp_io::hashing::blake2_256,
    sp_runtime::{Perbill, Saturating},
    sp_staking::{
        EraIndex, SessionIndex,
        offence::{OffenceDetails, OnOffenceHandler},
    },
};

/// The kind under which offences go that came past [`crate::Noted`].
pub const UNNAMED: [u8; 16] = *b"gexe:unnamed----";

/// What is to be slashed of an operator's ETH.
struct Charge<AccountId> {
    validator: AccountId,
    operator: H160,
    era: EraIndex,
    capture: u64,
    fraction: Perbill,
    incident: Incident,
    approved: bool,
    /// The record of the VARA slash for the same report.
    vara: Option<H256>,
}

impl<T: Config> OnOffenceHandler<T::AccountId, Offender<T>, Weight> for Pallet<T> {
    fn on_offence(
        offenders: &[OffenceDetails<T::AccountId, Offender<T>>],
        fractions: &[Perbill],
        session: SessionIndex,
    ) -> Weight {
        let Some(era) = T::Eras::era_of(session) else {
            return T::DbWeight::get().reads(2);
        };
        let incident = Reporting::<T>::get().unwrap_or_else(|| Incident {
            kind: UNNAMED,
            hash: H256((UNNAMED, session).using_encoded(blake2_256)),
        });
        let (offenders, fractions): (Vec<_>, Vec<_>) = offenders
            .iter()
            .zip(fractions)
            .filter(|(details, _)| !Self::is_forgiven(incident.hash, &details.offender.0))
            .map(|(details, fraction)| (details.clone(), *fraction))
            .unzip();
        let before = T::VaraQueue::len(era);
        let weight = T::Vara::on_offence(&offenders, &fractions, session);
        let records: BTreeMap<_, _> = T::VaraQueue::since(era, before).into_iter().collect();
        T::VaraQueue::keep(era);
        let policy = offences::ethereum(&incident.kind);
        if policy == offences::Ethereum::Spared {
            return weight;
        }
        // Without a capture ETH did not count in that era, and there is nothing that could be slashed.
        let Some(capture) = T::Operators::capture(era) else {
            return weight;
        };
        for (details, fraction) in offenders.iter().zip(fractions) {
            let (validator, _) = &details.offender;
            let Some(operator) = T::Operators::operator(era, validator) else {
                continue;
            };
            Self::charge(Charge {
                validator: validator.clone(),
                operator,
                era,
                capture,
                fraction,
                incident,
                approved: policy == offences::Ethereum::Slashed,
                vara: records.get(validator).copied(),
            });
        }
        let each = T::DbWeight::get().reads_writes(8, 5);
        weight.saturating_add(each.saturating_mul(offenders.len() as u64))
    }
}

impl<T: Config> Pallet<T> {
    fn forgiven_key(incident: H256, validator: &T::AccountId) -> H256 {
        H256((incident, validator).using_encoded(blake2_256))
    }

    /// Whether governance has cancelled what the validator would lose for this incident.
    pub(crate) fn is_forgiven(incident: H256, validator: &T::AccountId) -> bool {
        Forgiven::<T>::contains_key(Self::forgiven_key(incident, validator))
    }

    pub(crate) fn forgive(slash: &Slash<T::AccountId>) {
        let key = Self::forgiven_key(slash.incident, &slash.validator);
        Forgiven::<T>::insert(key, ());
        EraForgiven::<T>::insert(slash.era, key, ());
    }

    /// Queues what is new of a charge.
    fn charge(charge: Charge<T::AccountId>) {
        let parameters = T::Parameters::get();
        let target = charge.fraction.min(parameters.maximum_per_era);
        let reached = Reached::<T>::get(charge.era, charge.operator);
        let fraction = target.saturating_sub(reached);
        let same = Self::waiting(&charge);
        if fraction.is_zero() && same.is_none() {
            return;
        }
        if let Some((id, mut slash)) = same {
            // The same offence of more validators: one slash, which is cancelled as a whole. It is due when it was:
            // others must not be able to delay it.
            slash.fraction = slash.fraction.saturating_add(fraction);
            slash.approved |= charge.approved;
            if let Some(record) = charge.vara {
                let _ = slash.vara.try_push(record);
            }
            if !fraction.is_zero() {
                Reached::<T>::insert(charge.era, charge.operator, target);
                Self::deposit_event(Event::SlashRaised {
                    id,
                    fraction: slash.fraction,
                });
            }
            Slashes::<T>::insert(id, slash);
            return;
        }
        Self::open(charge, fraction, target, &parameters);
    }

    /// The slash for the same offence that has not left the chain.
    fn waiting(charge: &Charge<T::AccountId>) -> Option<(u64, Slash<T::AccountId>)> {
        let queue = Queues::<T>::get(charge.operator)?;
        queue.open.iter().find_map(|(_, id)| {
            let slash = Slashes::<T>::get(id)?;
            let same = slash.incident == charge.incident.hash
                && slash.validator == charge.validator
                && slash.era == charge.era
                && slash.state.is_waiting();
            same.then_some((*id, slash))
        })
    }

    fn open(
        charge: Charge<T::AccountId>,
        fraction: Perbill,
        target: Perbill,
        parameters: &SlashingParameters,
    ) {
        let mut queue = Queues::<T>::get(charge.operator).unwrap_or_default();
        let now = Self::seconds();
        let deadline = parameters.deadline(charge.capture);
        let state = if now > deadline {
            State::Expired(Expiry::ReportedLate)
        } else if charge.capture < queue.executed {
            State::Expired(Expiry::Overtaken)
        } else {
            State::Deferred
        };
        let id = NextId::<T>::get();
        if state == State::Deferred {
            let entry = (charge.capture, id);
            let place = queue.open.partition_point(|other| *other < entry);
            if queue.open.try_insert(place, entry).is_err() {
                // Reached stays: the next offence takes it along.
                Self::deposit_event(Event::SlashDropped {
                    validator: charge.validator,
                    operator: charge.operator,
                    era: charge.era,
                    fraction,
                });
                return;
            }
            Queues::<T>::insert(charge.operator, queue);
        }
        let records: Vec<_> = charge.vara.into_iter().collect();
        let slash = Slash {
            validator: charge.validator,
            operator: charge.operator,
            era: charge.era,
            kind: charge.incident.kind,
            incident: charge.incident.hash,
            fraction,
            capture: charge.capture,
            due: Self::now().saturating_add(parameters.deferral.into()),
            deadline,
            end: charge.capture.saturating_add(parameters.window),
            approved: charge.approved,
            state,
            vara: BoundedVec::<_, ConstU32<MAX_RECORDS>>::truncate_from(records),
        };
        NextId::<T>::put(id.saturating_add(1));
        Reached::<T>::insert(charge.era, charge.operator, target);
        EraSlashes::<T>::insert(charge.era, id, ());
        Self::deposit_event(Event::SlashDeferred {
            id,
            validator: slash.validator.clone(),
            operator: slash.operator,
            era: slash.era,
            kind: slash.kind,
            fraction,
            due: slash.due,
            approved: slash.approved,
        });
        if let State::Expired(reason) = state {
            Self::deposit_event(Event::SlashExpired { id, reason });
        }
        Slashes::<T>::insert(id, slash);
    }
}
