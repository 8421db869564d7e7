//! What must hold after every block.

use crate::{
    Carried, Claims, Config, Credits, Divisions, Emitted, FirstKept, FirstTree, Items, LastSpent,
    Pallet, Pots, SeenEra, Taken, Trees, claims::total,
};
use frame_support::ensure;
use gear_exe_primitives::rewards::RewardClaim;
use polkadot_sdk::{frame_support, sp_runtime::TryRuntimeError};

impl<T: Config> Pallet<T> {
    /// Checks the invariants of the pallet's storage.
    ///
    /// # Errors
    ///
    /// The invariant that is broken.
    pub fn do_try_state() -> Result<(), TryRuntimeError> {
        Self::try_sums()?;
        Self::try_history()
    }

    fn try_sums() -> Result<(), TryRuntimeError> {
        ensure!(
            Taken::<T>::get() <= LastSpent::<T>::get(),
            "no more is income than programs have paid"
        );
        let parts = Credits::<T>::iter_values()
            .chain(Pots::<T>::iter_values().map(|pot| pot.left))
            .chain([
                Carried::<T>::get(),
                Emitted::<T>::get(),
                total(&Claims::<T>::get()),
            ]);
        let sum = parts
            .map(Some)
            .try_fold(0u128, |sum, part| sum.checked_add(part?));
        ensure!(
            sum == Some(Taken::<T>::get()),
            "all income is carried, credited, claimed, set aside, or sent"
        );
        ensure!(
            Credits::<T>::iter_values().all(|credit| credit > 0),
            "there are no empty credits"
        );
        Ok(())
    }

    fn try_history() -> Result<(), TryRuntimeError> {
        let seen = SeenEra::<T>::get().unwrap_or_default();
        let kept = FirstKept::<T>::get()..seen.max(1);
        for (era, _, pot) in Pots::<T>::iter() {
            ensure!(kept.contains(&era), "pots are of past eras that are kept");
            ensure!(
                pot.left <= pot.total && (pot.paid > 0 || pot.left == pot.total),
                "no more is paid than was set aside"
            );
        }
        for (era, _, sent) in Items::<T>::iter() {
            ensure!(kept.contains(&era), "items are of past eras that are kept");
            ensure!(sent.amount() > 0, "each item pays something");
        }
        ensure!(
            Divisions::<T>::iter_keys().all(|era| kept.contains(&era)),
            "divisions are of past eras that are kept"
        );
        ensure!(is_sound(&Claims::<T>::get()), "claims are in order");
        for (era, tree) in Trees::<T>::iter() {
            ensure!(
                era >= FirstTree::<T>::get() && era < seen,
                "trees are of past eras that are kept"
            );
            ensure!(
                is_sound(&tree.claims) && !tree.claims.is_empty() && tree.capture > 0,
                "trees are in order"
            );
        }
        Ok(())
    }
}

/// Each address once, ascending, with something.
fn is_sound(claims: &[RewardClaim]) -> bool {
    let in_order = claims
        .windows(2)
        .all(|pair| matches!(pair, [one, next] if one.to < next.to));
    in_order && claims.iter().all(|claim| claim.amount > 0)
}
