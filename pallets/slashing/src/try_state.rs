//! What must hold after every block.

use crate::{
    Config, EraForgiven, EraSlashes, Forgiven, LastSession, NextId, OldestEra, OldestSession,
    Pallet, Queues, Reached, Reporting, SessionStarts, Signers, Slashes, State,
};
use alloc::collections::BTreeMap;
use frame_support::ensure;
use gear_exe_primitives::H160;
use polkadot_sdk::{frame_support, sp_runtime::TryRuntimeError, sp_staking::EraIndex};

impl<T: Config> Pallet<T> {
    /// Checks the invariants of the pallet's storage.
    ///
    /// # Errors
    ///
    /// The invariant that is broken.
    pub fn do_try_state() -> Result<(), TryRuntimeError> {
        ensure!(
            !Reporting::<T>::exists(),
            "nothing is being reported between calls"
        );
        Self::try_slashes()?;
        Self::try_queues()?;
        Self::try_sessions()
    }

    fn try_slashes() -> Result<(), TryRuntimeError> {
        let next = NextId::<T>::get();
        let mut sums = BTreeMap::<(EraIndex, H160), u64>::new();
        for (id, slash) in Slashes::<T>::iter() {
            ensure!(id < next, "numbers of slashes are given");
            ensure!(
                EraSlashes::<T>::contains_key(slash.era, id),
                "slashes are listed by era"
            );
            ensure!(!slash.fraction.is_zero(), "a slash takes something");
            ensure!(
                slash.deadline <= slash.end,
                "a slash must leave before its end"
            );
            let open = Queues::<T>::get(slash.operator)
                .is_some_and(|queue| queue.open.contains(&(slash.capture, id)));
            let must = slash.state.is_waiting() || matches!(slash.state, State::Committed { .. });
            // A request, or a cancellation, whose time is over is not open any more.
            let may = must || slash.state.is_in_flight();
            ensure!(open || !must, "open slashes are in their operator's queue");
            ensure!(!open || may, "what is over is in no queue");
            ensure!(
                slash.approved
                    || matches!(
                        slash.state,
                        State::Deferred | State::Cancelled | State::Expired(_)
                    ),
                "what is not approved does not leave"
            );
            let sum = sums.entry((slash.era, slash.operator)).or_default();
            *sum = sum.saturating_add(slash.fraction.deconstruct().into());
        }
        ensure!(
            EraSlashes::<T>::iter_keys()
                .all(|(era, id)| Slashes::<T>::get(id).is_some_and(|slash| slash.era == era)),
            "what is listed is a slash"
        );
        ensure!(
            EraForgiven::<T>::iter_keys().all(|(_, key)| Forgiven::<T>::contains_key(key))
                && EraForgiven::<T>::iter_keys().count() >= Forgiven::<T>::iter_keys().count(),
            "what is forgiven is listed by era"
        );
        let forgetting = OldestEra::<T>::get();
        for (era, operator, reached) in Reached::<T>::iter() {
            ensure!(era >= forgetting, "old eras are forgotten");
            let sum = sums.get(&(era, operator)).copied().unwrap_or_default();
            ensure!(
                sum == u64::from(reached.deconstruct()) || era == forgetting,
                "slashes of an era add up to the greatest fraction"
            );
        }
        ensure!(
            sums.keys()
                .all(|(era, operator)| Reached::<T>::contains_key(era, operator)
                    || *era == forgetting),
            "slashes are counted"
        );
        Ok(())
    }

    fn try_queues() -> Result<(), TryRuntimeError> {
        for (operator, queue) in Queues::<T>::iter() {
            ensure!(queue.open.is_sorted(), "slashes leave in capture order");
            for (capture, id) in &queue.open {
                ensure!(
                    Slashes::<T>::get(id).is_some_and(
                        |slash| slash.operator == operator && slash.capture == *capture
                    ),
                    "queues hold their operator's slashes"
                );
            }
        }
        Ok(())
    }

    fn try_sessions() -> Result<(), TryRuntimeError> {
        let Some(last) = LastSession::<T>::get() else {
            return Ok(());
        };
        let oldest = OldestSession::<T>::get();
        let mut before = None;
        for session in oldest..=last {
            let start = SessionStarts::<T>::get(session);
            ensure!(start.is_some(), "kept sessions have no gaps");
            ensure!(
                before.map(|start: crate::SessionStart| start.block)
                    <= start.map(|start| start.block),
                "sessions begin one after the other"
            );
            before = start;
        }
        ensure!(
            SessionStarts::<T>::iter_keys().count() as u64
                == u64::from(last.saturating_sub(oldest)).saturating_add(1),
            "old sessions are forgotten"
        );
        ensure!(
            Signers::<T>::iter_values().all(|set| set.first <= set.last && set.last <= last),
            "sets are of known sessions"
        );
        Ok(())
    }
}
