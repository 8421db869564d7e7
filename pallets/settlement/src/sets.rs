//! Validator sets as Ethereum knows them, and how one hands over to the next.
//!
//! The session decides who is in the current set, which votes on views and codes at once. Seals are signed by the set
//! that the Router holds at their anchor, so a new set signs only after the old one has signed the update. While the
//! Router has not applied it, a newer set replaces the content of the item: there is one handover, to the newest set.
//!
//! The same validators become a new set when the stake behind them was read anew, since Ethereum keeps operators by set,
//! and after some time in any case, since the Router takes nothing from a set that was not renewed for long.

use crate::{
    Config, CurrentSet, Domain, Event, Handover, Handovers, KeyOf, Operators, OutboxItems, Pallet,
    Parameters, Router, SetSince, Sets, Settled, ToldCapture, Weights,
};
use alloc::{collections::BTreeSet, vec::Vec};
use frame_support::{
    BoundedVec,
    traits::{Get, OneSessionHandler},
};
use gear_exe_primitives::{
    H160, evidence::OnFault as _, host, outbox::OutboxItem, quorum::Member, report::ValidatorSet,
};
use polkadot_sdk::{frame_support, frame_system, sp_runtime::BoundToRuntimeAppPublic};

/// The accounts of a set, and its members.
type SetOf<T> = (
    Vec<<T as frame_system::Config>::AccountId>,
    BoundedVec<Member, <T as Config>::MaxValidators>,
);

impl<T: Config> Pallet<T> {
    /// The set that votes now.
    pub fn validator_set() -> ValidatorSet {
        let id = CurrentSet::<T>::get();
        Self::validator_set_at(id).unwrap_or(ValidatorSet {
            id,
            members: Vec::new(),
        })
    }

    /// A set by its id.
    pub fn validator_set_at(id: u64) -> Option<ValidatorSet> {
        let members = Sets::<T>::get(id)?.into_inner();
        Some(ValidatorSet { id, members })
    }

    /// Whether the session should wait: the set before the current one still has its duty, because the update is not in
    /// a final Ethereum block, and waiting for it has not taken longer than governance allows.
    pub fn is_handing_over() -> bool {
        let current = CurrentSet::<T>::get();
        if !Domain::<T>::exists() || Settled::<T>::get().set_id == current {
            return false;
        }
        let patience = Parameters::<T>::get().handover_patience;
        Handovers::<T>::get()
            .iter()
            .any(|handover| handover.since.saturating_add(patience.into()) > Self::now())
    }

    /// The members of a set with their accounts, in the order of the session. Who could never sign, or would make the Router refuse the
    /// whole set, is left out: no point of the curve, a key that occurred before, no weight.
    fn members_of(keys: Vec<KeyOf<T::AccountId>>) -> SetOf<T> {
        let (accounts, keys): (Vec<_>, Vec<_>) = keys.into_iter().unzip();
        let mut seen = BTreeSet::<H160>::new();
        let weights = T::Weights::weights(&accounts);
        let members = accounts.into_iter().zip(keys).zip(weights);
        let (accounts, members): (Vec<_>, Vec<_>) = members
            .filter_map(|((account, key), weight)| {
                let address = host::address_of(&key)?;
                let counts = weight > 0 && seen.insert(address);
                counts.then_some((account, Member { address, weight }))
            })
            .take(T::MaxValidators::get() as usize)
            .unzip();
        (accounts, BoundedVec::truncate_from(members))
    }

    /// Says who stands behind the addresses of the current set.
    fn tell_signers(keys: &[KeyOf<T::AccountId>]) {
        let signers = keys
            .iter()
            .filter_map(|(account, key)| Some((account.clone(), host::address_of(key)?)))
            .collect();
        T::OnFault::on_session(CurrentSet::<T>::get(), signers);
    }

    /// Makes these the current set, if they differ from it or it is to be renewed, and tells the Router.
    pub(crate) fn change_set(keys: Vec<KeyOf<T::AccountId>>) {
        let (accounts, members) = Self::members_of(keys);
        if members.is_empty() {
            return;
        }
        let current = CurrentSet::<T>::get();
        let operators = T::Operators::operators(&accounts)
            .filter(|(capture, _)| ToldCapture::<T>::get() != Some(*capture));
        let age = Self::now().saturating_sub(SetSince::<T>::get());
        let same = Sets::<T>::get(current).as_ref() == Some(&members);
        if same && operators.is_none() && age < Parameters::<T>::get().renewal.into() {
            return;
        }
        let set_id = current.saturating_add(1);
        // Before the update, so that nobody of the set signs while nobody stands behind it.
        if let Some((capture, operators)) = operators {
            ToldCapture::<T>::put(capture);
            Self::push(OutboxItem::OperatorSet {
                set_id,
                capture,
                signers: members.iter().map(|member| member.address).collect(),
                operators,
            });
        }
        Sets::<T>::insert(set_id, members);
        CurrentSet::<T>::put(set_id);
        SetSince::<T>::put(Self::now());
        Self::deposit_event(Event::SetChanged { set_id });
        Self::hand_over();
    }

    /// Sees to it that the Router will learn of the current set: by the items that it has not applied, or by a new one.
    pub(crate) fn hand_over() {
        let router = Router::<T>::get().batch;
        let set_id = CurrentSet::<T>::get();
        let Some(members) = Sets::<T>::get(set_id) else {
            return;
        };
        if router.set_id == set_id {
            return;
        }
        let update = || OutboxItem::SetUpdate {
            set_id,
            members: members.clone().into_inner(),
        };
        let now = Self::now();
        let mut handovers = Handovers::<T>::get();
        let mut pending = false;
        for handover in handovers
            .iter_mut()
            .filter(|handover| handover.item >= router.outbox_end)
        {
            pending = true;
            if handover.set_id != set_id {
                OutboxItems::<T>::insert(handover.item, update());
                handover.set_id = set_id;
                handover.since = now;
            }
        }
        if !pending {
            // If the batch that the Router holds carried this very update, the Router has refused it. Saying it again
            // changes nothing.
            let refused = handovers
                .last()
                .is_some_and(|last| last.set_id == set_id && router.seal_number >= last.since);
            if refused {
                Self::deposit_event(Event::SetRefused { set_id });
                return;
            }
            if handovers.is_full() {
                handovers.remove(0);
            }
            let _ = handovers.try_push(Handover {
                item: Self::push(update()),
                set_id,
                since: now,
            });
        }
        Handovers::<T>::put(handovers);
    }

    /// Drops handovers whose item is settled, but for the last one.
    pub(crate) fn forget_handovers(settled: u64) {
        Handovers::<T>::mutate(|handovers| {
            let last = handovers.last().map(|last| last.item);
            handovers.retain(|handover| handover.item >= settled || Some(handover.item) == last);
        });
    }
}

impl<T: Config> BoundToRuntimeAppPublic for Pallet<T> {
    type Public = host::AuthorityId;
}

impl<T: Config> OneSessionHandler<T::AccountId> for Pallet<T> {
    type Key = host::AuthorityId;

    fn on_genesis_session<'a, I>(validators: I)
    where
        I: Iterator<Item = (&'a T::AccountId, Self::Key)> + 'a,
    {
        let keys: Vec<_> = validators
            .map(|(account, key)| (account.clone(), key))
            .collect();
        let (_, members) = Self::members_of(keys.clone());
        Sets::<T>::insert(CurrentSet::<T>::get(), members);
        Self::tell_signers(&keys);
    }

    // Whether the validators are others does not matter: their weights may be.
    fn on_new_session<'a, I>(_changed: bool, validators: I, _queued: I)
    where
        I: Iterator<Item = (&'a T::AccountId, Self::Key)> + 'a,
    {
        let keys: Vec<_> = validators
            .map(|(account, key)| (account.clone(), key))
            .collect();
        Self::change_set(keys.clone());
        Self::tell_signers(&keys);
    }

    fn on_before_session_ending() {
        Self::close_attendance();
    }

    fn on_disabled(_: u32) {}
}
