//! What must hold after every block.

use crate::{
    Again, Carried, Claims, Config, Credits, Divisions, Emitted, EraIndex, FirstKept, FirstTree,
    Items, LastSpent, Marks, MemberMarks, Outbox as _, Pallet, Payees as _, PoolId, PoolShares,
    Pots, SeenEra, Sent, Taken, Trees, Waiting, claims::total, fates::AGAIN_PER_ERA,
};
use alloc::collections::BTreeMap;
use core::ops::Range;
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
        Self::try_pools()?;
        Self::try_history()
    }

    fn try_sums() -> Result<(), TryRuntimeError> {
        ensure!(
            Taken::<T>::get() <= LastSpent::<T>::get(),
            "no more is income than programs have paid"
        );
        let parts = Credits::<T>::iter_values()
            .chain(Pots::<T>::iter_values().map(|pot| pot.left))
            .chain(PoolShares::<T>::iter_values().map(|share| share.left))
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
            "all income is carried, credited, kept for members of pools, claimed, set aside, or sent"
        );
        ensure!(
            Credits::<T>::iter_values().all(|credit| credit > 0),
            "there are no empty credits"
        );
        Ok(())
    }

    fn try_pools() -> Result<(), TryRuntimeError> {
        let mut owed = BTreeMap::<PoolId, Option<u128>>::new();
        for (who, member) in T::Payees::members() {
            let Some((_, due)) = Self::due(&who, member) else {
                continue;
            };
            let sum = owed.entry(member.pool).or_insert(Some(0));
            *sum = sum.and_then(|sum| sum.checked_add(due));
        }
        for (pool, share) in PoolShares::<T>::iter() {
            ensure!(
                T::Payees::pool(pool).is_some() && share.per_point > 0,
                "shares are of pools that there are and that have earned something"
            );
            ensure!(
                owed.remove(&pool)
                    .unwrap_or(Some(0))
                    .is_some_and(|owed| owed <= share.left),
                "a pool keeps what its members are owed"
            );
        }
        for (who, mark) in MemberMarks::<T>::iter() {
            let is_sound = T::Payees::member(&who).is_some_and(|member| member.pool == mark.pool)
                && PoolShares::<T>::get(mark.pool)
                    .is_some_and(|share| mark.per_point <= share.per_point);
            ensure!(is_sound, "marks are of members, and of what was earned");
        }
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
        Self::try_items(&kept)?;
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

    fn try_items(kept: &Range<EraIndex>) -> Result<(), TryRuntimeError> {
        for (era, _, sent) in Items::<T>::iter() {
            let is_kept = match sent {
                Sent::Claims(amount) => {
                    Trees::<T>::get(era).is_some_and(|tree| amount == total(&tree.claims))
                }
                Sent::Vaults(_) => kept.contains(&era),
            };
            ensure!(is_kept, "items are of past eras that are kept");
            ensure!(sent.amount() > 0, "each item pays something");
        }
        for (era, item, mark) in Marks::<T>::iter() {
            let pays = matches!(
                Items::<T>::get(era, item),
                Some(Sent::Vaults(amount)) if (1..=amount).contains(&mark.amount)
            );
            ensure!(pays, "marks are of vaults' items");
        }
        let waiting = Waiting::<T>::get();
        for (place, (era, item)) in waiting.iter().enumerate() {
            ensure!(
                matches!(Items::<T>::get(era, item), Some(Sent::Claims(_)))
                    && *item < T::Outbox::settled_end()
                    && !waiting[..place].contains(&(*era, *item)),
                "what waits are claims that were skipped, each once"
            );
        }
        ensure!(
            Again::<T>::get() <= AGAIN_PER_ERA,
            "some claims at a time are sent again"
        );
        let noted = Items::<T>::iter_values()
            .map(Sent::amount)
            .try_fold(0u128, u128::checked_add);
        ensure!(
            noted.is_some_and(|noted| noted <= Emitted::<T>::get()),
            "no more is noted than was sent"
        );
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
