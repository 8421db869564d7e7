//! What becomes of what was sent: the Middleware takes an item as a whole, or the Router skips it.
//!
//! Validators look at what the Middleware holds, and vote. An item that was taken is closed. What vaults did not get returns to
//! the income at once. Claims wait for the end of the era, and only some are sent again then: whatever the reason is for which
//! they were skipped, there may be many of them, and it costs gas on Ethereum to find out that it still stands.

use crate::{
    Again, Config, Emitted, EraIndex, Error, Event, Items, Marks, Outbox as _, Pallet, Sent, Trees,
    Waiting, WeightInfo as _,
};
use alloc::vec::Vec;
use frame_support::{
    ensure,
    pallet_prelude::{DispatchResult, Get, Weight},
};
use gear_exe_primitives::{
    facts::{AskedRewards, RewardsFate, RewardsTrace},
    rewards,
};
use polkadot_sdk::frame_support;

/// Items of claims that are sent again when an era has ended, one in a block. The others come after them.
pub(crate) const AGAIN_PER_ERA: u32 = 8;

impl<T: Config> Pallet<T> {
    /// Whether a final batch has carried the item, and the chain wants to know whether it was taken.
    pub fn is_open(era: EraIndex, item: u64) -> bool {
        Items::<T>::get(era, item).is_some_and(|sent| Self::is_wanted(era, item, sent))
    }

    fn is_wanted(era: EraIndex, item: u64, sent: Sent) -> bool {
        let waiting = || {
            let waiting = Waiting::<T>::get();
            waiting.is_full() || waiting.contains(&(era, item))
        };
        item < T::Outbox::settled_end() && !(matches!(sent, Sent::Claims(_)) && waiting())
    }

    /// All open items, by era and number. For off-chain workers.
    pub fn open_items() -> Vec<(EraIndex, u64)> {
        Items::<T>::iter()
            .filter(|(era, item, sent)| Self::is_wanted(*era, *item, *sent))
            .map(|(era, item, _)| (era, item))
            .collect()
    }

    /// How to see whether an item was taken. For off-chain workers: claims are hashed.
    pub fn question(era: EraIndex, item: u64) -> Option<AskedRewards> {
        let sent = Items::<T>::get(era, item)?;
        let trace = match sent {
            Sent::Claims(_) => {
                let tree = Trees::<T>::get(era)?;
                RewardsTrace::Claims(rewards::root(era, &tree.claims))
            }
            Sent::Vaults(_) => {
                let mark = Marks::<T>::get(era, item)?;
                RewardsTrace::Vault {
                    vault: mark.vault,
                    amount: mark.amount,
                }
            }
        };
        Some(AskedRewards {
            era,
            item,
            amount: sent.amount(),
            trace,
        })
    }

    /// What was sent and is not noted any more, in wVARA base units: the Middleware has got it. For off-chain workers.
    pub fn delivered() -> u128 {
        Items::<T>::iter_values().fold(Emitted::<T>::get(), |left, sent| {
            left.saturating_sub(sent.amount())
        })
    }

    /// Validators say what became of an open item.
    pub fn note_fate(era: EraIndex, item: u64, fate: RewardsFate) {
        let Some(sent) =
            Items::<T>::get(era, item).filter(|sent| Self::is_wanted(era, item, *sent))
        else {
            return;
        };
        match (fate, sent) {
            (RewardsFate::Taken, sent) => {
                Self::drop_item(era, item);
                let amount = sent.amount();
                Self::deposit_event(Event::Taken { era, item, amount });
            }
            (RewardsFate::Skipped, Sent::Vaults(amount)) => Self::take_back(era, item, amount),
            (RewardsFate::Skipped, Sent::Claims(_)) => {
                // There is room: otherwise the item would not be open.
                if Waiting::<T>::try_append((era, item)).is_ok() {
                    Self::deposit_event(Event::ClaimsWait { era, item });
                }
            }
        }
    }

    pub(crate) fn do_note_skipped(era: EraIndex, item: u64) -> DispatchResult {
        let sent = Items::<T>::get(era, item).ok_or(Error::<T>::UnknownItem)?;
        ensure!(item < T::Outbox::settled_end(), Error::<T>::NotSettled);
        match sent {
            Sent::Claims(_) => {
                ensure!(Self::send_again(era, item), Error::<T>::UnknownItem);
                Waiting::<T>::mutate(|waiting| waiting.retain(|one| *one != (era, item)));
            }
            Sent::Vaults(amount) => Self::take_back(era, item, amount),
        }
        Ok(())
    }

    /// An era has begun: some of the claims that wait are sent again, in the blocks that follow.
    pub(crate) fn begin_sending() {
        let waiting = Waiting::<T>::decode_len().unwrap_or_default() as u32;
        Again::<T>::set(waiting.min(AGAIN_PER_ERA));
    }

    /// Sends the claims again that have waited longest, if it is their turn. Returns what that costs.
    pub(crate) fn send_waiting(active: EraIndex) -> Weight {
        let access = T::DbWeight::get();
        let Some(left) = Again::<T>::get().checked_sub(1) else {
            return access.reads(1);
        };
        Again::<T>::set(left);
        let weight = access.reads_writes(2, 2);
        // What is older is about to be forgotten: nobody could prove it any more.
        let oldest = active.saturating_sub(T::ProofDepth::get());
        let mut waiting = Waiting::<T>::get();
        let Some(place) = waiting.iter().position(|(era, _)| *era >= oldest) else {
            return weight;
        };
        let (era, item) = waiting.remove(place);
        Waiting::<T>::put(waiting);
        Self::send_again(era, item);
        weight.saturating_add(T::WeightInfo::note_skipped())
    }

    /// Sends the claims of an era again. `false` if they are not known any more.
    fn send_again(era: EraIndex, item: u64) -> bool {
        let Some(tree) = Trees::<T>::get(era) else {
            return false;
        };
        let again = Some(Self::push_claims(era, &tree));
        Self::drop_item(era, item);
        Self::deposit_event(Event::SkipNoted { era, item, again });
        true
    }

    /// What vaults did not get is income of the next era.
    fn take_back(era: EraIndex, item: u64, amount: u128) {
        Self::not_sent(amount);
        Self::drop_item(era, item);
        Self::deposit_event(Event::SkipNoted {
            era,
            item,
            again: None,
        });
    }

    /// Nothing is asked or noted of an item any more.
    fn drop_item(era: EraIndex, item: u64) {
        Items::<T>::remove(era, item);
        Marks::<T>::remove(era, item);
    }

    /// Counts as not sent, and as income of the next era.
    fn not_sent(amount: u128) {
        Emitted::<T>::mutate(|emitted| *emitted = emitted.saturating_sub(amount));
        Self::carry(amount);
    }

    /// Forgets the items of vaults of an old era. Returns how many.
    pub(crate) fn forget_vaults(era: EraIndex) -> u32 {
        let vaults: Vec<_> = Items::<T>::iter_prefix(era)
            .filter(|(_, sent)| matches!(sent, Sent::Vaults(_)))
            .map(|(item, _)| item)
            .collect();
        for item in &vaults {
            Self::drop_item(era, *item);
        }
        vaults.len() as u32
    }

    /// Forgets the claims of an old era. What has waited in vain until now returns to the income.
    pub(crate) fn forget_claims(era: EraIndex) {
        Trees::<T>::remove(era);
        let items: Vec<_> = Items::<T>::iter_prefix(era).collect();
        for (item, sent) in items {
            Self::drop_item(era, item);
            let mut waiting = Waiting::<T>::get();
            let before = waiting.len();
            waiting.retain(|one| *one != (era, item));
            if waiting.len() < before {
                Waiting::<T>::put(waiting);
                Self::not_sent(sent.amount());
                Self::deposit_event(Event::Returned {
                    era,
                    amount: sent.amount(),
                });
            }
        }
    }
}
