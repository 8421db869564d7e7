//! Views of Ethereum: which are taken, and when they are forgotten.

use crate::{
    Anchor, Changed, CodeVotes, Config, HeaderList, Headers, OpenVotes, Pallet, Refusal, Spoken,
    SpokenIn, ViewRules, Views,
};
use alloc::vec::Vec;
use frame_support::{ensure, pallet_prelude::*};
use gear_exe_primitives::{signature::CompactSignature, vote::View, voters};
use polkadot_sdk::{frame_support, frame_system, sp_runtime::traits::SaturatedConversion};

/// Votes of one validator that a block takes. What is above waits for a later block.
pub const MAX_VOTES_PER_BLOCK: u32 = 32;
/// Blocks for which a view may wait for its inclusion.
const LONGEVITY: u64 = 64;
/// How often (in blocks) views are looked at for their age.
const FORGET_EVERY: u64 = 16;

impl<T: Config> Pallet<T> {
    /// Number of the block that is being built.
    pub(crate) fn now() -> u64 {
        frame_system::Pallet::<T>::block_number().saturated_into()
    }

    /// Cheap checks first, then the signature, then the headers.
    pub(crate) fn authorize_view(
        _: TransactionSource,
        view: &View,
        validator: &u32,
        headers: &HeaderList,
        signature: &CompactSignature,
    ) -> TransactionValidityWithRefund {
        let member = voters::voter::<T::Validators>(view, *validator).map_err(Refusal::from)?;
        let now = Self::now();
        let rules = ViewRules::<T>::get();
        let last = Views::<T>::get(validator).map(|view| view.seq);
        let oldest = now.saturating_sub(LONGEVITY.min(rules.max_age.into()));
        let fresh = last.is_none_or(|last| view.seq > last)
            && view.seq <= now.saturating_add(1)
            && view.seq >= oldest;
        ensure!(fresh, Refusal::Seq);
        let highest = Anchor::<T>::get()
            .number
            .saturating_add(rules.max_ahead.into());
        ensure!(
            view.finalised.number <= view.tip.number && view.tip.number <= highest,
            Refusal::Range
        );
        ensure!(
            !headers.is_empty() || Headers::<T>::contains_key(view.tip.hash),
            Refusal::Headers
        );
        Self::ensure_may_speak(*validator)?;
        voters::ensure_signed::<T::Validators>(view, &member, signature).map_err(Refusal::from)?;
        Self::new_headers(&view.tip, headers).ok_or(Refusal::Headers)?;
        ValidTransaction::with_tag_prefix("gear-exe-view")
            .priority(view.seq)
            .and_provides((view.set_id, validator, view.seq))
            .longevity(LONGEVITY)
            .propagate(true)
            .build()
            .map(|valid| (valid, Weight::zero()))
    }

    /// A validator that has said too much in this block waits for the next one.
    pub(crate) fn ensure_may_speak(validator: u32) -> Result<(), TransactionValidityError> {
        let spoken = SpokenIn::<T>::get(validator);
        let full = spoken.block == Self::now() && spoken.votes >= MAX_VOTES_PER_BLOCK;
        ensure!(!full, InvalidTransaction::ExhaustsResources);
        Ok(())
    }

    /// Counts a vote of `validator` in this block.
    pub(crate) fn note_spoken(validator: u32) {
        let block = Self::now();
        SpokenIn::<T>::mutate(validator, |spoken| {
            let votes = if spoken.block == block {
                spoken.votes.saturating_add(1)
            } else {
                1
            };
            *spoken = Spoken { block, votes };
        });
    }

    /// Replaces a validator's view. `false` if the headers do not lead to its tip.
    pub(crate) fn take_view(view: View, validator: u32, headers: &HeaderList) -> bool {
        let Some(new) = Self::new_headers(&view.tip, headers) else {
            return false;
        };
        new.into_iter().for_each(Self::insert_header);
        // The new reason comes before the old one goes, lest what both need be dropped.
        Self::hold(view.tip.hash);
        if let Some(old) = Views::<T>::get(validator) {
            Self::release(old.tip.hash);
        }
        Views::<T>::insert(validator, view);
        Changed::<T>::put(true);
        Self::note_spoken(validator);
        true
    }

    /// Drops what another set has voted. Returns how many entries that were.
    pub(crate) fn forget_votes() -> u64 {
        let mut dropped = 0u64;
        let views: Vec<_> = Views::<T>::drain().collect();
        for (_, view) in views {
            Self::release(view.tip.hash);
            dropped = dropped.saturating_add(2);
        }
        // Bounded by validators and by MAX_OPEN_VOTES for each.
        let open: Vec<_> = OpenVotes::<T>::drain().collect();
        for (code_id, request_id) in open.into_iter().flat_map(|(_, open)| open) {
            CodeVotes::<T>::remove(code_id, request_id);
            dropped = dropped.saturating_add(1);
        }
        let spoken = SpokenIn::<T>::clear(T::MaxValidators::get(), None);
        dropped.saturating_add(spoken.unique.into())
    }

    /// Drops views that were not renewed. Looking once in a while is enough: age bounds storage, it is no deadline.
    pub(crate) fn forget_old_views(now: u64) -> bool {
        if !now.is_multiple_of(FORGET_EVERY) {
            return false;
        }
        let oldest = now.saturating_sub(ViewRules::<T>::get().max_age.into());
        let old: Vec<_> = Views::<T>::iter()
            .filter(|(_, view)| view.seq < oldest)
            .collect();
        for (validator, view) in &old {
            Views::<T>::remove(validator);
            Self::release(view.tip.hash);
        }
        !old.is_empty()
    }
}
