//! What must hold after every block.

use crate::{Burned, Claimable, Config, Locked, Pallet, Unlocked, Votes};
use frame_support::{ensure, traits::Get};
use polkadot_sdk::{frame_support, sp_runtime::TryRuntimeError};

impl<T: Config> Pallet<T> {
    /// Checks the invariants of the pallet's storage.
    ///
    /// # Errors
    ///
    /// The invariant that is broken.
    pub fn do_try_state() -> Result<(), TryRuntimeError> {
        ensure!(
            Locked::<T>::get().checked_sub(Unlocked::<T>::get()) == Some(Self::held()),
            "the bridge holds what was locked and not unlocked"
        );
        let mut owed = 0u128;
        for amount in Claimable::<T>::iter_values() {
            ensure!(amount > 0, "nobody is owed nothing");
            owed = owed.saturating_add(amount);
        }
        ensure!(
            Unlocked::<T>::get().checked_add(owed) == Some(Burned::<T>::get()),
            "what was burned is paid or owed"
        );
        for (validator, said) in Votes::<T>::iter() {
            ensure!(
                validator < T::MaxValidators::get(),
                "validators are not too many"
            );
            ensure!(
                said.windows(2)
                    .all(|pair| matches!(pair, [one, next] if one.subject() < next.subject())),
                "a validator says one thing on each subject"
            );
        }
        Ok(())
    }
}
