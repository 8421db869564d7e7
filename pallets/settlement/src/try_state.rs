//! What must hold after every block.

use crate::{
    Config, CurrentSet, Handovers, OpenSeals, OutboxEnd, OutboxItems, OutboxStart, Pallet,
    Proposals, Router, SealNumbers, SealResult, Seals, Sets, Settled, Tallies, Tally, Votes,
};
use alloc::collections::BTreeMap;
use frame_support::ensure;
use gear_exe_primitives::{H256, outbox::OutboxItem};
use polkadot_sdk::{frame_support, sp_runtime::TryRuntimeError};

impl<T: Config> Pallet<T> {
    /// Checks the invariants of the pallet's storage.
    ///
    /// # Errors
    ///
    /// The invariant that is broken.
    pub fn do_try_state() -> Result<(), TryRuntimeError> {
        Self::try_outbox()?;
        Self::try_sets()?;
        Self::try_seals()
    }

    fn try_outbox() -> Result<(), TryRuntimeError> {
        let (start, end) = (OutboxStart::<T>::get(), OutboxEnd::<T>::get());
        ensure!(start <= end, "the outbox starts before its end");
        ensure!(
            OutboxItems::<T>::iter_keys().all(|number| (start..end).contains(&number))
                && OutboxItems::<T>::iter_keys().count() as u64 == end.saturating_sub(start),
            "the outbox has no gaps"
        );
        let settled = Settled::<T>::get();
        ensure!(settled.outbox_end <= end, "only known items are settled");
        ensure!(
            start <= settled.outbox_end,
            "only settled items are deleted"
        );
        Ok(())
    }

    fn try_sets() -> Result<(), TryRuntimeError> {
        let current = CurrentSet::<T>::get();
        ensure!(
            Sets::<T>::iter_keys().all(|id| id <= current),
            "no set is newer than the current one"
        );
        for handover in Handovers::<T>::get() {
            let Some(item) = OutboxItems::<T>::get(handover.item) else {
                ensure!(
                    handover.item < OutboxStart::<T>::get(),
                    "handovers are outbox items"
                );
                continue;
            };
            let expected = handover.set_id;
            ensure!(
                matches!(item, OutboxItem::SetUpdate { set_id, .. } if set_id == expected),
                "handovers tell of their set"
            );
            ensure!(
                handover.item < Router::<T>::get().batch.outbox_end || expected == current,
                "the Router is told of the newest set only"
            );
        }
        Ok(())
    }

    fn try_seals() -> Result<(), TryRuntimeError> {
        let numbers = SealNumbers::<T>::get();
        ensure!(numbers.is_sorted(), "seals are in order");
        ensure!(
            Seals::<T>::iter_keys().all(|number| numbers.contains(&number))
                && Seals::<T>::iter_keys().count() == numbers.len(),
            "seals are listed"
        );
        let open = OpenSeals::<T>::get();
        ensure!(open.is_sorted(), "open seals are in order");
        ensure!(
            open.iter().all(|number| Seals::<T>::get(number)
                .is_some_and(|seal| seal.result != Some(SealResult::Empty))),
            "open seals are seals, and not empty"
        );
        ensure!(
            Votes::<T>::iter_keys().all(|(seal, _)| numbers.contains(&seal))
                && Proposals::<T>::iter_keys().all(|(seal, _)| numbers.contains(&seal)),
            "votes belong to seals"
        );
        let mut tallies = BTreeMap::<(u64, H256), Tally>::new();
        for (seal, validator, vote) in Votes::<T>::iter() {
            let members = Seals::<T>::get(seal).and_then(|seal| Sets::<T>::get(seal.set_id));
            let Some(members) = members else {
                // The set has done its duty and is forgotten.
                continue;
            };
            let weight = members.get(validator as usize).map(|member| member.weight);
            let tally = tallies.entry((seal, vote.digest)).or_default();
            tally.heads = tally.heads.saturating_add(1);
            tally.weight = tally
                .weight
                .saturating_add(weight.unwrap_or_default().into());
        }
        ensure!(
            tallies
                .iter()
                .all(|((seal, digest), tally)| Tallies::<T>::get(seal, digest) == *tally),
            "votes are counted"
        );
        ensure!(
            Tallies::<T>::iter_keys().all(|(seal, _)| numbers.contains(&seal)),
            "counts belong to seals"
        );
        Ok(())
    }
}
