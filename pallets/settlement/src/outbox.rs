//! The outbox: a numbered list of what the Router has to know. What the Router holds is learned from Ethereum, and an
//! item is deleted only when the batch that carried it is in a final Ethereum block.
//!
//! An Ethereum reorganisation therefore needs no care: the Router's cursor goes back, and the items are carried again.
//! No item is caused by an Ethereum block that is not final, but code results, and a verdict depends on the bytes
//! alone: if the request is gone, the Router skips the item; if it comes back later, it is answered again.

use crate::{
    Config, CurrentSet, Ethereum as _, Event, FinalisedNumber, OutboxEnd, OutboxItems, OutboxStart,
    Pallet, Reports, Router, Sets, Settled,
};
use alloc::vec::Vec;
use gear_exe_primitives::{
    batch::AppliedBatch, evidence::OnFault as _, outbox::OutboxItem, vote::RouterAt,
};

/// Outbox items that are deleted per block.
pub(crate) const DELETE_PER_BLOCK: u64 = 64;

impl<T: Config> Pallet<T> {
    /// Appends an item for the Router and returns its number.
    pub fn push(item: OutboxItem) -> u64 {
        let number = OutboxEnd::<T>::get();
        OutboxItems::<T>::insert(number, item);
        OutboxEnd::<T>::put(number.saturating_add(1));
        number
    }

    /// Items `from..to`, cut to what is kept.
    pub fn outbox(from: u64, to: u64) -> Vec<OutboxItem> {
        let from = from.max(OutboxStart::<T>::get());
        let to = to.min(OutboxEnd::<T>::get());
        (from..to).filter_map(OutboxItems::<T>::get).collect()
    }

    /// A quorum says what the Router holds at an Ethereum block.
    pub fn router_agreed(router: RouterAt) {
        let before = Router::<T>::get();
        if before == router {
            return;
        }
        Router::<T>::put(router);
        Self::report(before, router);
        if before.batch != router.batch {
            Self::deposit_event(Event::RouterChanged { router });
            Self::hand_over();
        }
    }

    /// Notes what the Router holds at a block that is not final. Nothing is new if it held the same `before`, at a block
    /// that is still followed.
    fn report(before: RouterAt, router: RouterAt) {
        let anchor = T::Ethereum::anchor();
        let known =
            before.batch == router.batch && T::Ethereum::is_ancestor_or_same(before.block, anchor);
        if known {
            return;
        }
        Reports::<T>::mutate(|reports| {
            if reports.is_full() {
                // The oldest ones become final first.
                reports.pop();
            }
            let _ = reports.try_push(router);
        });
    }

    /// Draws the conclusions from what is final on Ethereum.
    ///
    /// It runs in the block in which the finalised block moves, while the headers below that are still there.
    pub(crate) fn learn_finality() {
        let finalised = T::Ethereum::finalised();
        let reports = Reports::<T>::get();
        let is_final = |report: &RouterAt| report.block.number <= finalised.number;
        if FinalisedNumber::<T>::get() == finalised.number && !reports.iter().any(is_final) {
            return;
        }
        FinalisedNumber::<T>::put(finalised.number);
        Self::learn_fates(finalised);
        let newest = reports
            .iter()
            .filter(|report| T::Ethereum::is_ancestor_or_same(report.block, finalised))
            .max_by_key(|report| report.block.number)
            .copied();
        Reports::<T>::mutate(|reports| reports.retain(|report| !is_final(report)));
        if let Some(newest) = newest {
            Self::settle(newest.batch);
        }
    }

    /// `batch` is in a final Ethereum block.
    fn settle(batch: AppliedBatch) {
        let before = Settled::<T>::get();
        if batch.nonce <= before.nonce {
            return;
        }
        Settled::<T>::put(batch);
        T::OnFault::on_settled(batch.outbox_end);
        Self::deposit_event(Event::BatchSettled {
            nonce: batch.nonce,
            digest: batch.digest,
            outbox_end: batch.outbox_end,
        });
        Self::forget_handovers(batch.outbox_end);
        let old: Vec<_> = Sets::<T>::iter_keys()
            .filter(|id| *id < batch.set_id && *id < CurrentSet::<T>::get())
            .collect();
        old.into_iter().for_each(Sets::<T>::remove);
    }

    /// Deletes some items that are settled.
    pub(crate) fn delete_settled() {
        let start = OutboxStart::<T>::get();
        let end = Settled::<T>::get()
            .outbox_end
            .min(OutboxEnd::<T>::get())
            .min(start.saturating_add(DELETE_PER_BLOCK));
        if start < end {
            (start..end).for_each(OutboxItems::<T>::remove);
            OutboxStart::<T>::put(end);
        }
    }
}
