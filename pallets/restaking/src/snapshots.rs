//! Votes on what vaults hold, and the pages that say it.
//!
//! One snapshot is open at a time: that of the era after the active one, until that is elected. It is read at one
//! capture, newer than the last one, for the operators that there were when it was opened; so the right answer is one,
//! and its size is bounded. A validator votes once. Votes are those of one validator set: another one votes anew.

use crate::{
    Capture, Config, Eligible, EraIndex, Error, Event, FirstKept, LastAccepted, LastCapture,
    MissReason, OpenEra, Operators, Pages, Pallet, Refusal, SeenEra, Snapshot, SnapshotState,
    Snapshots, Stakes, StoredVote, ValidatorSet as _, Votes, VotingSet,
    types::{Eras as _, Ethereum as _},
};
use alloc::vec::Vec;
use frame_support::{BoundedVec, ensure, pallet_prelude::*};
use gear_exe_primitives::{
    H256,
    quorum::{Member, Support},
    signature::CompactSignature,
    stake_pages::{self, MAX_PAGES, OPERATORS_PER_PAGE, PageProof, StakePage},
    vote::SnapshotVote,
    voters,
};
use polkadot_sdk::frame_support;

/// Eras that are forgotten at a time: more than one, so that a longer history than is kept gets shorter.
const FORGET_PER_ERA: u32 = 2;

impl<T: Config> Pallet<T> {
    /// The open snapshot with its era, if the era's election is still to come.
    pub(crate) fn open_snapshot() -> Option<(EraIndex, Snapshot)> {
        let era = OpenEra::<T>::get()?;
        let elected = T::Eras::planned().is_some_and(|planned| planned >= era);
        let snapshot = Snapshots::<T>::get(era)?;
        (!elected).then_some((era, snapshot))
    }

    pub(crate) fn authorize_snapshot_vote(
        _: TransactionSource,
        vote: &SnapshotVote,
        validator: &u32,
        signature: &CompactSignature,
    ) -> TransactionValidityWithRefund {
        voters::ensure_current::<T::Validators>(vote).map_err(Refusal::from)?;
        Self::votable(vote, *validator)?;
        let member = voters::member::<T::Validators>(*validator).map_err(Refusal::from)?;
        voters::ensure_signed::<T::Validators>(vote, &member, signature).map_err(Refusal::from)?;
        ValidTransaction::with_tag_prefix("gear-exe-stake")
            .priority(1)
            .and_provides((vote.set_id, vote.era, validator))
            .longevity(64)
            .propagate(true)
            .build()
            .map(|valid| (valid, Weight::zero()))
    }

    /// Whether such a vote is wanted.
    fn votable(vote: &SnapshotVote, validator: u32) -> Result<(), Refusal> {
        let (era, snapshot) = Self::open_snapshot().ok_or(Refusal::Era)?;
        ensure!(
            vote.era == era && vote.capture == snapshot.capture.timestamp,
            Refusal::Era
        );
        ensure!(snapshot.state == SnapshotState::Voting, Refusal::State);
        let most = Eligible::<T>::decode_len()
            .unwrap_or_default()
            .div_ceil(OPERATORS_PER_PAGE as usize);
        ensure!(
            vote.pages as usize <= most && (vote.pages == 0) == vote.root.is_zero(),
            Refusal::Pages
        );
        ensure!(!Self::has_voted(validator), Refusal::Said);
        Ok(())
    }

    /// Drops the votes of another set than the current one. The set may have changed within this block.
    pub(crate) fn follow_set() {
        let set_id = T::Validators::set_id();
        if VotingSet::<T>::get() != set_id {
            Votes::<T>::kill();
            VotingSet::<T>::put(set_id);
        }
    }

    /// Whether a validator has voted on the open snapshot.
    pub(crate) fn has_voted(validator: u32) -> bool {
        // Votes of another set do not count.
        VotingSet::<T>::get() == T::Validators::set_id()
            && Votes::<T>::get()
                .iter()
                .any(|said| said.validator == validator)
    }

    pub(crate) fn take_snapshot_vote(vote: &SnapshotVote, validator: u32) -> DispatchResult {
        Self::follow_set();
        Self::votable(vote, validator).map_err(|_| Error::<T>::NotWanted)?;
        let mut votes = Votes::<T>::get();
        votes
            .try_push(StoredVote {
                validator,
                root: vote.root,
                pages: vote.pages,
            })
            .map_err(|_| Error::<T>::NotWanted)?;
        let same = votes
            .iter()
            .filter(|said| (said.root, said.pages) == (vote.root, vote.pages))
            .map(|said| said.validator);
        if !Self::is_quorum_of(&T::Validators::members(), same) {
            Votes::<T>::put(votes);
            return Ok(());
        }
        Votes::<T>::kill();
        Self::agree(vote.era, vote.root, vote.pages);
        Ok(())
    }

    fn is_quorum_of(members: &[Member], voters: impl Iterator<Item = u32>) -> bool {
        let voters = voters.filter_map(|validator| members.get(validator as usize));
        Support::sum(voters.map(Support::of)).is_quorum_of(Support::of_all(members))
    }

    fn agree(era: EraIndex, root: H256, pages: u32) {
        Snapshots::<T>::mutate_extant(era, |snapshot| {
            snapshot.state = SnapshotState::Agreed {
                root,
                pages,
                stored: 0,
            };
        });
        Self::deposit_event(Event::SnapshotAgreed { era, root, pages });
        if pages == 0 {
            Self::complete(era, root, 0);
        }
    }

    /// Whether the page is one that is wanted; then the agreed root.
    fn wanted(era: EraIndex, index: u32) -> Result<(Capture, H256, u32, u64), Refusal> {
        let (open, snapshot) = Self::open_snapshot().ok_or(Refusal::Era)?;
        ensure!(era == open, Refusal::Era);
        let SnapshotState::Agreed {
            root,
            pages,
            stored,
        } = snapshot.state
        else {
            return Err(Refusal::State);
        };
        ensure!(index < pages && index < MAX_PAGES, Refusal::Pages);
        ensure!(stored >> index & 1 == 0, Refusal::Said);
        Ok((snapshot.capture, root, pages, stored))
    }

    pub(crate) fn authorize_page(
        _: TransactionSource,
        era: &EraIndex,
        index: &u32,
        page: &StakePage,
        proof: &PageProof,
    ) -> TransactionValidityWithRefund {
        let (capture, root, pages, _) = Self::wanted(*era, *index)?;
        ensure!(
            stake_pages::verify(
                root,
                (*era, capture.timestamp),
                (*index, pages),
                page,
                proof
            ),
            Refusal::Proof
        );
        ValidTransaction::with_tag_prefix("gear-exe-page")
            .priority(1)
            .and_provides((era, index))
            .longevity(64)
            .propagate(true)
            .build()
            .map(|valid| (valid, Weight::zero()))
    }

    /// Stores a page. Returns how many were counted, if it was the last.
    pub(crate) fn take_page(
        era: EraIndex,
        index: u32,
        page: StakePage,
    ) -> Result<u32, DispatchError> {
        let (capture, root, pages, stored) =
            Self::wanted(era, index).map_err(|_| Error::<T>::NotWanted)?;
        Pages::<T>::insert(era, index, page);
        let stored = stored | 1 << index;
        if stored.count_ones() == pages {
            Self::complete(era, root, pages);
            return Ok(pages);
        }
        let state = SnapshotState::Agreed {
            root,
            pages,
            stored,
        };
        Snapshots::<T>::insert(era, Snapshot { capture, state });
        Ok(0)
    }

    /// All pages of the era are there.
    fn complete(era: EraIndex, root: H256, pages: u32) {
        let Some(stakes) = Self::count(era, pages) else {
            Self::miss(era, MissReason::Malformed);
            return;
        };
        let total = Self::sum(&stakes);
        Stakes::<T>::insert(era, stakes);
        LastAccepted::<T>::put(era);
        Self::close(era, SnapshotState::Accepted { root, pages, total });
        Self::deposit_event(Event::SnapshotAccepted { era, total });
    }

    /// The snapshot is open no more.
    fn close(era: EraIndex, state: SnapshotState) {
        Snapshots::<T>::mutate_extant(era, |snapshot| snapshot.state = state);
        OpenEra::<T>::kill();
        Eligible::<T>::kill();
        Votes::<T>::kill();
    }

    fn miss(era: EraIndex, reason: MissReason) {
        Self::forget_pages(era);
        Self::close(era, SnapshotState::Missed);
        Self::deposit_event(Event::SnapshotMissed { era, reason });
    }

    fn forget_pages(era: EraIndex) {
        let _ = Pages::<T>::clear_prefix(era, MAX_PAGES, None);
    }

    /// An era begins: the snapshot of the next one is opened, and what is too old goes.
    pub(crate) fn begin_era(active: EraIndex) {
        if let Some(open) = OpenEra::<T>::get() {
            Self::miss(open, MissReason::Incomplete);
        }
        Self::settle(active);
        SeenEra::<T>::put(active);
        Self::open(active.saturating_add(1));
        Self::forget(active);
    }

    fn open(era: EraIndex) {
        let header = T::Ethereum::finalised();
        if Snapshots::<T>::contains_key(era) {
            // Eras do not come again.
            return;
        }
        if header.timestamp <= LastCapture::<T>::get() {
            // Vaults would be read as they were read before: that is using stake again, and not without a haircut.
            Self::deposit_event(Event::SnapshotMissed {
                era,
                reason: MissReason::NoNewBlock,
            });
            return;
        }
        let capture = Capture {
            timestamp: header.timestamp,
            block: header.id(),
        };
        let mut operators: Vec<_> = Operators::<T>::iter_values()
            .filter(|operator| operator.leaving.is_none())
            .map(|operator| operator.address)
            .collect();
        operators.sort_unstable();
        let nobody = operators.is_empty();
        LastCapture::<T>::put(capture.timestamp);
        Eligible::<T>::put(BoundedVec::truncate_from(operators));
        OpenEra::<T>::put(era);
        let state = SnapshotState::Voting;
        Snapshots::<T>::insert(era, Snapshot { capture, state });
        Self::deposit_event(Event::SnapshotOpened { era, capture });
        if nobody {
            Self::complete(era, H256::zero(), 0);
        }
    }

    /// Drops what is older than the history that is kept.
    fn forget(active: EraIndex) {
        let keep_from = active.saturating_sub(T::HistoryDepth::get());
        let first = FirstKept::<T>::get();
        let until = keep_from.min(first.saturating_add(FORGET_PER_ERA));
        for era in first..until {
            Self::forget_pages(era);
            Stakes::<T>::remove(era);
            Snapshots::<T>::remove(era);
        }
        FirstKept::<T>::put(first.max(until));
    }
}
