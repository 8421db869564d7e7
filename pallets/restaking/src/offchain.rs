//! The off-chain worker: votes for what the validator's node has read on Ethereum, and brings the pages of what was
//! agreed.
//!
//! It only reads what the node has ready. A node that does not know is silent; so is one that knows something else than
//! was agreed.

use crate::{
    Call, Capture, Config, Eligible, EraIndex, Pallet, Snapshot, SnapshotState, ValidatorSet as _,
};
use alloc::vec::Vec;
use frame_system::offchain::SubmitTransaction;
use gear_exe_primitives::{
    host::{self, StakesRequest},
    stake_pages::{self, StakePage},
    vote::SnapshotVote,
};
use polkadot_sdk::frame_system;

/// Pages that a worker brings at a time.
const PAGES_PER_BLOCK: usize = 4;

impl<T: Config> Pallet<T> {
    /// Votes with the keys of the keystore that belong to the current set, or brings pages.
    pub(crate) fn work_offchain() {
        let Some((era, snapshot)) = Self::open_snapshot() else {
            return;
        };
        let keys = host::own_keys(&T::Validators::members());
        if keys.is_empty() {
            return;
        }
        match snapshot.state {
            SnapshotState::Voting => Self::vote_offchain(era, snapshot, keys),
            SnapshotState::Agreed { root, stored, .. } => {
                let Some(pages) = Self::read(snapshot.capture) else {
                    return;
                };
                if stake_pages::root(era, snapshot.capture.timestamp, &pages) == root {
                    Self::bring_pages(era, snapshot.capture, &pages, stored);
                }
            }
            SnapshotState::Accepted { .. }
            | SnapshotState::Missed
            | SnapshotState::Reused { .. } => {}
        }
    }

    /// What the node knows of the open snapshot.
    fn read(capture: Capture) -> Option<Vec<StakePage>> {
        let operators = Eligible::<T>::get().into_inner();
        let stakes = host::vault_stakes(&StakesRequest {
            capture: capture.timestamp,
            block: capture.block,
            operators: operators.clone(),
        })?;
        Some(stake_pages::pages(&operators, &stakes))
    }

    fn vote_offchain(era: EraIndex, snapshot: Snapshot, mut keys: Vec<(u32, host::AuthorityId)>) {
        keys.retain(|(validator, _)| !Self::has_voted(*validator));
        if keys.is_empty() {
            return;
        }
        let capture = snapshot.capture.timestamp;
        let Some(pages) = Self::read(snapshot.capture) else {
            return;
        };
        let vote = SnapshotVote {
            set_id: T::Validators::set_id(),
            era,
            capture,
            root: stake_pages::root(era, capture, &pages),
            pages: pages.len() as u32,
        };
        let digest = vote.digest(T::Validators::genesis_hash());
        for (validator, key) in keys {
            if let Some(signature) = host::sign(&key, digest) {
                Self::submit(Call::submit_snapshot_vote {
                    vote,
                    validator,
                    signature,
                });
            }
        }
    }

    fn bring_pages(era: EraIndex, capture: Capture, pages: &[StakePage], stored: u64) {
        let missing = (0u32..)
            .zip(pages)
            .filter(|(index, _)| stored.checked_shr(*index).is_some_and(|bits| bits & 1 == 0));
        for (index, page) in missing.take(PAGES_PER_BLOCK) {
            if let Some(proof) = stake_pages::proof(era, capture.timestamp, pages, index) {
                Self::submit(Call::submit_page {
                    era,
                    index,
                    page: page.clone(),
                    proof,
                });
            }
        }
    }

    fn submit(call: Call<T>) {
        let transaction = T::create_authorized_transaction(call.into());
        // The pool refuses what it has already; there is nobody to tell.
        let _ = SubmitTransaction::<T, Call<T>>::submit_transaction(transaction);
    }
}
