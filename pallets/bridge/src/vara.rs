//! VARA as wVARA and back: what is locked, unlocked, and owed.
//!
//! What is locked is on hold in the bridge's account. Whoever sends VARA there adds to its free balance, which nothing
//! here looks at.

use crate::{
    Balance, BridgeParameters, Burned, Claimable, Config, Error, Ethereum as _, Event, HoldReason,
    Locked, NextBurn, NextMint, Outbox as _, Pallet, Unlocked,
};
use frame_support::{
    ensure,
    pallet_prelude::{DispatchResult, Get},
    storage::with_storage_layer,
    traits::{
        fungible::{Inspect, InspectHold, Mutate, MutateHold},
        tokens::{DepositConsequence, Fortitude, Precision, Preservation, Provenance, Restriction},
    },
};
use gear_exe_primitives::{H160, facts::Burn, outbox::OutboxItem};
use polkadot_sdk::{
    frame_support, frame_system,
    sp_runtime::{ArithmeticError, traits::AccountIdConversion},
};

impl<T: Config> Pallet<T> {
    /// The bridge's account.
    pub fn account() -> T::AccountId {
        T::PalletId::get().into_account_truncating()
    }

    /// VARA that is locked, in base units.
    pub fn held() -> Balance {
        T::Currency::balance_on_hold(&HoldReason::Locked.into(), &Self::account())
    }

    pub(crate) fn is_paused() -> bool {
        T::Parameters::get().paused
    }

    /// The bridge's account, which exists also while nothing is locked in it.
    fn open_account() -> T::AccountId {
        let bridge = Self::account();
        if frame_system::Pallet::<T>::providers(&bridge) == 0 {
            frame_system::Pallet::<T>::inc_providers(&bridge);
        }
        bridge
    }

    /// Makes VARA and locks it.
    pub(crate) fn back(amount: Balance) -> DispatchResult {
        let bridge = Self::open_account();
        if amount > 0 {
            T::Currency::mint_into(&bridge, amount)?;
            T::Currency::hold(&HoldReason::Locked.into(), &bridge, amount)?;
            Locked::<T>::mutate(|sum| *sum = sum.saturating_add(amount));
        }
        Ok(())
    }

    pub(crate) fn do_lock(account: T::AccountId, to: H160, amount: Balance) -> DispatchResult {
        let BridgeParameters { min_lock, paused } = T::Parameters::get();
        ensure!(!paused, Error::<T>::Paused);
        let router = T::Ethereum::router().ok_or(Error::<T>::NoRouter)?;
        ensure!(!to.is_zero() && to != router, Error::<T>::BadAddress);
        ensure!(
            amount >= min_lock.max(T::Currency::minimum_balance()),
            Error::<T>::TooLittle
        );
        let bridge = Self::open_account();
        T::Currency::transfer_and_hold(
            &HoldReason::Locked.into(),
            &account,
            &bridge,
            amount,
            Precision::Exact,
            Preservation::Preserve,
            Fortitude::Polite,
        )?;
        let locked = Locked::<T>::get()
            .checked_add(amount)
            .ok_or(ArithmeticError::Overflow)?;
        let id = NextMint::<T>::get();
        Locked::<T>::put(locked);
        NextMint::<T>::put(id.checked_add(1).ok_or(ArithmeticError::Overflow)?);
        let item = T::Outbox::push(OutboxItem::Mint { id, to, amount });
        Self::deposit_event(Event::VaraLocked {
            id,
            account,
            to,
            amount,
            item,
        });
        Ok(())
    }

    /// Takes the burn with the next number.
    pub(crate) fn apply_burn(burn: Burn) {
        let Burn {
            number,
            account,
            amount,
        } = burn;
        NextBurn::<T>::put(number.saturating_add(1));
        Burned::<T>::mutate(|sum| *sum = sum.saturating_add(amount));
        let account = T::AccountId::from(account.0);
        let due = Claimable::<T>::get(&account).saturating_add(amount);
        let paid = due == 0 || Self::pay(&account, due).is_ok();
        if paid {
            Claimable::<T>::remove(&account);
        } else {
            Claimable::<T>::insert(&account, due);
        }
        let before = due.saturating_sub(amount);
        if paid && before > 0 {
            Self::deposit_event(Event::VaraClaimed {
                account: account.clone(),
                amount: before,
            });
        }
        Self::deposit_event(if paid {
            Event::VaraUnlocked {
                number,
                account,
                amount,
            }
        } else {
            Event::VaraUnpaid {
                number,
                account,
                amount,
            }
        });
    }

    pub(crate) fn do_claim(account: T::AccountId) -> DispatchResult {
        ensure!(!Self::is_paused(), Error::<T>::Paused);
        let amount = Claimable::<T>::get(&account);
        ensure!(amount > 0, Error::<T>::NothingToClaim);
        Self::pay(&account, amount)?;
        Claimable::<T>::remove(&account);
        Self::deposit_event(Event::VaraClaimed { account, amount });
        Ok(())
    }

    /// Pays VARA that was locked; all or nothing.
    fn pay(account: &T::AccountId, amount: Balance) -> DispatchResult {
        let bridge = Self::account();
        ensure!(*account != bridge, Error::<T>::OwnAccount);
        ensure!(amount <= Self::held(), Error::<T>::NotBacked);
        ensure!(
            T::Currency::can_deposit(account, amount, Provenance::Extant)
                == DepositConsequence::Success,
            Error::<T>::BelowMinimum
        );
        with_storage_layer(|| {
            T::Currency::transfer_on_hold(
                &HoldReason::Locked.into(),
                &bridge,
                account,
                amount,
                Precision::Exact,
                Restriction::Free,
                Fortitude::Polite,
            )?;
            let unlocked = Unlocked::<T>::get()
                .checked_add(amount)
                .ok_or(ArithmeticError::Overflow)?;
            Unlocked::<T>::put(unlocked);
            Ok(())
        })
    }
}
