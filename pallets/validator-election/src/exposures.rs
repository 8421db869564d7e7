//! What is kept of each era, and what others ask of it.

use crate::{
    Config, ElectionRecord, Elections, EraIndex, Event, Exposures, FirstKept, Pallet, Parameters,
    ValidatorExposure, VaraOnlyReason, election::EthVoter, shares, types::Eras as _,
};
use alloc::{collections::BTreeMap, vec::Vec};
use frame_support::{BoundedVec, dispatch::DispatchClass, traits::Get};
use polkadot_sdk::{frame_support, frame_system};

/// Eras that are forgotten at a time: more than one, so that a longer history than is kept gets shorter.
const FORGET_PER_ERA: u32 = 2;

/// What an election has come to.
pub(crate) struct Outcome<A> {
    /// All votes of VARA.
    pub vara: u128,
    /// The collateral that has voted.
    pub eth: Vec<EthVoter<A>>,
    /// What each elected validator has of its votes.
    pub votes: BTreeMap<A, u128>,
    /// Why none has voted.
    pub vara_only: Option<VaraOnlyReason>,
    /// Who is elected, with what VARA stands behind it.
    pub elected: Vec<(A, u128)>,
}

impl<T: Config> Pallet<T> {
    /// Keeps what the election of `era` has come to.
    pub(crate) fn record(era: EraIndex, outcome: Outcome<T::AccountId>) {
        let vara_share = Parameters::<T>::get().vara_share;
        let stakes: BTreeMap<_, _> = outcome
            .eth
            .iter()
            .map(|voter| (&voter.operator, voter.stake))
            .collect();
        let mut exposures: Vec<_> = outcome
            .elected
            .into_iter()
            .map(|(validator, vara)| ValidatorExposure {
                vara,
                eth: stakes.get(&validator).copied().unwrap_or_default(),
                eth_votes: outcome.votes.get(&validator).copied().unwrap_or_default(),
                validator,
            })
            .collect();
        shares::limit_eth(&mut exposures, vara_share);
        let amounts: Vec<_> = stakes.values().copied().collect();
        let record = ElectionRecord {
            vara: outcome.vara,
            eth: shares::sum(&amounts),
            eth_votes: outcome
                .eth
                .iter()
                .fold(0u128, |sum, voter| sum.saturating_add(voter.votes.into())),
            vara_share,
            vara_only: outcome.vara_only,
        };
        let validators = exposures.len() as u32;
        Elections::<T>::insert(era, record);
        Exposures::<T>::insert(era, BoundedVec::truncate_from(exposures));
        let forgotten = Self::forget(era);
        frame_system::Pallet::<T>::register_extra_weight_unchecked(
            T::DbWeight::get()
                .reads_writes(6, u64::from(forgotten).saturating_mul(2).saturating_add(4)),
            DispatchClass::Mandatory,
        );
        Self::deposit_event(Event::Elected {
            era,
            validators,
            record,
        });
    }

    /// Drops what is older than the history that is kept. Returns how many eras that were.
    fn forget(era: EraIndex) -> u32 {
        let first = FirstKept::<T>::get();
        let until = era
            .saturating_sub(T::HistoryDepth::get())
            .min(first.saturating_add(FORGET_PER_ERA));
        for old in first..until {
            Elections::<T>::remove(old);
            Exposures::<T>::remove(old);
        }
        FirstKept::<T>::put(first.max(until));
        until.saturating_sub(first)
    }

    /// What stands behind each validator of an era; nothing if that is not known.
    pub fn exposures(era: EraIndex) -> Option<Vec<ValidatorExposure<T::AccountId>>> {
        Exposures::<T>::get(era).map(BoundedVec::into_inner)
    }

    /// What each of `validators` weighs in a quorum in `era`: its stake in VARA and ETH joined, in proportion, but nobody
    /// more than a governed multiple of the mean, and everybody something. If nothing is known of the era, or nobody has
    /// stake, all weigh the same.
    pub fn weights(era: EraIndex, validators: &[T::AccountId]) -> Vec<u64> {
        let exposures: BTreeMap<_, _> = Exposures::<T>::get(era)
            .unwrap_or_default()
            .into_iter()
            .map(|exposure| {
                let stake = exposure.vara.saturating_add(exposure.eth_votes);
                (exposure.validator, stake)
            })
            .collect();
        let stakes: Vec<_> = validators
            .iter()
            .map(|validator| exposures.get(validator).copied().unwrap_or_default())
            .collect();
        shares::weights(&stakes, Parameters::<T>::get().max_weight)
    }

    /// The same in the era that is active: what the settlement set is made of when a session begins.
    pub fn settlement_weights(validators: &[T::AccountId]) -> Vec<u64> {
        Self::weights(T::Eras::active().unwrap_or_default(), validators)
    }
}
