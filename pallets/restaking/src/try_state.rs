//! What must hold after every block.

use crate::{
    Assets, Config, Eligible, HoldReason, LastAccepted, MAX_DECIMALS, Nonces, OpenEra, OperatorOf,
    Operators, Pages, Pallet, SeenEra, Snapshot, SnapshotState, Snapshots, Stakes, Votes,
};
use alloc::vec::Vec;
use frame_support::{
    ensure,
    traits::{Get, fungible::InspectHold},
};
use polkadot_sdk::{frame_support, sp_runtime::TryRuntimeError};

impl<T: Config> Pallet<T> {
    /// Checks the invariants of the pallet's storage.
    ///
    /// # Errors
    ///
    /// The invariant that is broken.
    pub fn do_try_state() -> Result<(), TryRuntimeError> {
        Self::try_operators()?;
        Self::try_open()?;
        Self::try_snapshots()
    }

    fn try_operators() -> Result<(), TryRuntimeError> {
        let mut count = 0u32;
        for (account, operator) in Operators::<T>::iter() {
            count = count.saturating_add(1);
            ensure!(
                OperatorOf::<T>::get(operator.address).as_ref() == Some(&account),
                "each operator's address is bound to it"
            );
            ensure!(
                Nonces::<T>::get(operator.address) > 0,
                "bindings are counted"
            );
            ensure!(
                T::Currency::balance_on_hold(&HoldReason::OperatorDeposit.into(), &account)
                    >= operator.deposit,
                "deposits are held"
            );
        }
        ensure!(
            OperatorOf::<T>::iter_keys().count() as u32 == count
                && Operators::<T>::count() == count,
            "each address is bound to an operator"
        );
        ensure!(
            count <= T::MaxOperators::get(),
            "operators are not too many"
        );
        ensure!(
            Assets::<T>::count() <= T::MaxAssets::get()
                && Assets::<T>::iter_values().all(|rules| rules.decimals <= MAX_DECIMALS),
            "tokens are not too many and have sensible decimals"
        );
        Ok(())
    }

    fn try_open() -> Result<(), TryRuntimeError> {
        let eligible = Eligible::<T>::get();
        ensure!(
            eligible
                .windows(2)
                .all(|pair| matches!(pair, [one, next] if one < next)),
            "operators that are asked for are in order"
        );
        ensure!(
            eligible.iter().all(OperatorOf::<T>::contains_key),
            "nobody leaves while stake is read"
        );
        let votes = Votes::<T>::get();
        let Some(era) = OpenEra::<T>::get() else {
            ensure!(
                eligible.is_empty() && votes.is_empty(),
                "nothing is asked and said when nothing is open"
            );
            return Ok(());
        };
        let state = Snapshots::<T>::get(era).map(|snapshot| snapshot.state);
        ensure!(
            match state {
                Some(SnapshotState::Voting) => true,
                Some(SnapshotState::Agreed { .. }) => votes.is_empty(),
                _ => false,
            },
            "the open snapshot is open, and votes end with agreement"
        );
        let unique = votes.iter().enumerate().all(|(index, vote)| {
            votes
                .iter()
                .skip(index.saturating_add(1))
                .all(|other| other.validator != vote.validator)
        });
        ensure!(unique, "each validator votes once");
        ensure!(
            SeenEra::<T>::get().is_some_and(|seen| era == seen.saturating_add(1)),
            "the snapshot of the next era is open"
        );
        Ok(())
    }

    fn try_snapshots() -> Result<(), TryRuntimeError> {
        for (era, Snapshot { state, .. }) in Snapshots::<T>::iter() {
            let mut pages: Vec<u32> = Pages::<T>::iter_key_prefix(era).collect();
            pages.sort_unstable();
            let expected: Vec<u32> = match state {
                SnapshotState::Voting | SnapshotState::Missed | SnapshotState::Reused { .. } => {
                    Vec::new()
                }
                SnapshotState::Agreed { pages, stored, .. } => {
                    ensure!(
                        stored.count_ones() < pages,
                        "a snapshot with all pages is accepted"
                    );
                    (0..pages)
                        .filter(|index| stored >> index & 1 == 1)
                        .collect()
                }
                SnapshotState::Accepted { pages, .. } => (0..pages).collect(),
            };
            ensure!(pages == expected, "the stored pages are known");
            ensure!(
                OpenEra::<T>::get() == Some(era)
                    || matches!(
                        state,
                        SnapshotState::Accepted { .. }
                            | SnapshotState::Missed
                            | SnapshotState::Reused { .. }
                    ),
                "one snapshot is open"
            );
            let sum = Stakes::<T>::get(era).map(|stakes| Self::sum(&stakes));
            let total = match state {
                SnapshotState::Accepted { total, .. } | SnapshotState::Reused { total } => {
                    Some(total)
                }
                _ => None,
            };
            ensure!(sum == total, "the operators' weights add up to the total");
        }
        ensure!(
            Stakes::<T>::iter_keys()
                .chain(Pages::<T>::iter_keys().map(|(era, _)| era))
                .all(Snapshots::<T>::contains_key),
            "stake belongs to snapshots"
        );
        let newest = Snapshots::<T>::iter()
            .filter(|(_, snapshot)| matches!(snapshot.state, SnapshotState::Accepted { .. }))
            .map(|(era, _)| era)
            .max();
        ensure!(
            newest.is_none() || newest == LastAccepted::<T>::get(),
            "the newest accepted snapshot is known"
        );
        Ok(())
    }
}
