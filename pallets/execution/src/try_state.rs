//! What must hold after every block.

use crate::{
    AcceptedCodes, Anchor, CodeVotes, Codes, Config, Finalised, Headers, HighestAnchor,
    OldestReference, OpenVotes, Pallet, PruneNext, References, ReferencesAt, Seen, SeenFrom, Views,
};
use alloc::collections::BTreeMap;
use frame_support::{ensure, traits::Get};
use gear_exe_primitives::H256;
use polkadot_sdk::{frame_support, sp_runtime::TryRuntimeError};

impl<T: Config> Pallet<T> {
    /// Checks the invariants of the pallet's storage.
    ///
    /// # Errors
    ///
    /// The invariant that is broken.
    pub fn do_try_state() -> Result<(), TryRuntimeError> {
        let anchor = Anchor::<T>::get();
        let finalised = Finalised::<T>::get();
        ensure!(
            Self::header(anchor.hash) == Some(anchor),
            "the anchor is known"
        );
        ensure!(
            Self::is_ancestor_or_same(finalised.id(), anchor),
            "the anchor descends from the finalised block"
        );
        Self::try_references(&[anchor.hash, finalised.hash])?;
        ensure!(
            Views::<T>::count() <= T::MaxValidators::get(),
            "there is one view per validator"
        );
        ensure!(
            AcceptedCodes::<T>::get()
                .iter()
                .all(Codes::<T>::contains_key),
            "accepted codes are codes"
        );
        Self::try_natives()?;
        for (code_id, request_id, votes) in CodeVotes::<T>::iter() {
            ensure!(!votes.is_empty(), "undecided requests have votes");
            ensure!(
                votes.iter().all(
                    |said| OpenVotes::<T>::get(said.validator).contains(&(code_id, request_id))
                ),
                "undecided votes are listed"
            );
        }
        Ok(())
    }

    fn try_natives() -> Result<(), TryRuntimeError> {
        ensure!(
            HighestAnchor::<T>::get() >= Anchor::<T>::get().number,
            "the highest anchor is not below the anchor"
        );
        for (hash, number) in References::<T>::iter() {
            ensure!(
                ReferencesAt::<T>::get(number).contains(&hash),
                "reference blocks are listed by number"
            );
            ensure!(
                number >= OldestReference::<T>::get(),
                "no reference block is older than the oldest"
            );
        }
        let listed: usize = ReferencesAt::<T>::iter_values()
            .map(|hashes| hashes.len())
            .sum();
        ensure!(
            listed == References::<T>::iter().count(),
            "all listed reference blocks are there"
        );
        ensure!(
            Seen::<T>::iter_keys().all(|(number, _)| number >= SeenFrom::<T>::get()),
            "no message is remembered for longer than it must be"
        );
        Ok(())
    }

    fn try_references(held: &[H256]) -> Result<(), TryRuntimeError> {
        let mut reasons = BTreeMap::<H256, u32>::new();
        let views = Views::<T>::iter_values().map(|view| view.tip.hash);
        let children = Headers::<T>::iter_values().map(|kept| kept.header.parent);
        // The header that is pruned next has lost its child already.
        let pruning = PruneNext::<T>::get();
        let all = views.chain(children).chain(pruning);
        for hash in all.chain(held.iter().copied()) {
            let count = reasons.entry(hash).or_default();
            *count = count.saturating_add(1);
        }
        for (hash, kept) in Headers::<T>::iter() {
            ensure!(kept.header.hash == hash, "headers lie under their hash");
            ensure!(
                reasons.get(&hash) == Some(&kept.references),
                "headers are kept for counted reasons"
            );
        }
        Ok(())
    }
}
