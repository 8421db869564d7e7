//! The pallet's view of `pallet-staking`: the only file that knows how that one keeps eras and slashes.

use crate::{Eras, VaraQueue};
use alloc::{vec, vec::Vec};
use codec::Encode;
use core::marker::PhantomData;
use frame_support::traits::Get;
use gear_exe_primitives::H256;
use polkadot_sdk::{
    frame_support, pallet_session, pallet_staking,
    sp_io::hashing::blake2_256,
    sp_staking::{EraIndex, SessionIndex},
};

/// `pallet-staking` of the runtime `T`, with its session.
pub struct OverStaking<T>(PhantomData<T>);

impl<T: pallet_staking::Config + pallet_session::Config> Eras for OverStaking<T> {
    fn session() -> SessionIndex {
        pallet_session::Pallet::<T>::current_index()
    }

    fn era_of(session: SessionIndex) -> Option<EraIndex> {
        // The eras are in order, the active one is the last.
        pallet_staking::BondedEras::<T>::get()
            .into_iter()
            .rev()
            .find(|(_, first)| *first <= session)
            .map(|(era, _)| era)
    }

    fn oldest() -> (EraIndex, SessionIndex) {
        pallet_staking::BondedEras::<T>::get()
            .first()
            .copied()
            .unwrap_or_default()
    }
}

/// Staking's own name for what waits for an offence of `era`: the era in which it is taken.
fn taken_in<T: pallet_staking::Config>(era: EraIndex) -> EraIndex {
    era.saturating_add(T::SlashDeferDuration::get())
        .saturating_add(1)
}

/// A record by the era in which it is taken and its content: what is taken for two eras is often the same.
fn record_of(taken: EraIndex, slash: &impl Encode) -> H256 {
    H256((taken, slash).using_encoded(blake2_256))
}

impl<T: pallet_staking::Config> VaraQueue<T::AccountId> for OverStaking<T> {
    fn len(era: EraIndex) -> u32 {
        pallet_staking::UnappliedSlashes::<T>::decode_len(taken_in::<T>(era)).unwrap_or_default()
            as u32
    }

    fn since(era: EraIndex, from: u32) -> Vec<(T::AccountId, H256)> {
        let due = taken_in::<T>(era);
        // What is late goes there at once.
        let taken = due.max(next_era::<T>());
        pallet_staking::UnappliedSlashes::<T>::get(due)
            .into_iter()
            .skip(from as usize)
            .map(|slash| {
                let record = record_of(taken, &slash);
                (slash.validator, record)
            })
            .collect()
    }

    // Staking keeps a slash for the era in which it is due. One that is reported after that era has begun would never be
    // taken: it goes to the next era.
    fn keep(era: EraIndex) {
        let due = taken_in::<T>(era);
        let next = next_era::<T>();
        if due < next && pallet_staking::UnappliedSlashes::<T>::contains_key(due) {
            let late = pallet_staking::UnappliedSlashes::<T>::take(due);
            pallet_staking::UnappliedSlashes::<T>::mutate(next, |slashes| slashes.extend(late));
        }
    }

    // What `cancel_deferred_slash` does, but the list's order changes with each cancellation: so not by index.
    fn cancel(era: EraIndex, records: &[H256]) -> u32 {
        let mut records = records.to_vec();
        let mut cancelled = 0u32;
        // What was late is in the next era's list, or was taken with this one.
        let mut lists = vec![taken_in::<T>(era), next_era::<T>()];
        lists.dedup();
        for list in lists {
            if records.is_empty() || !pallet_staking::UnappliedSlashes::<T>::contains_key(list) {
                continue;
            }
            pallet_staking::UnappliedSlashes::<T>::mutate(list, |slashes| {
                slashes.retain(|slash| {
                    let record = record_of(list, slash);
                    let found = records.iter().position(|other| *other == record);
                    if let Some(place) = found {
                        records.swap_remove(place);
                        cancelled = cancelled.saturating_add(1);
                    }
                    found.is_none()
                });
            });
        }
        cancelled
    }
}

/// The era after the active one.
fn next_era<T: pallet_staking::Config>() -> EraIndex {
    pallet_staking::ActiveEra::<T>::get()
        .map_or(0, |era| era.index)
        .saturating_add(1)
}
