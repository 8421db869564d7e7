//! Who is bound to which Ethereum address.
//!
//! Both sides agree to a binding: the account by its transaction, the address by its signature. A binding ends only when
//! the stake that counted for it can be slashed no more, so that whoever has to be slashed can be named.

use crate::{
    BalanceOf, Config, EraIndex, Error, Event, HoldReason, Nonces, OpenEra, Operator, OperatorOf,
    Operators, Pallet, SeenEra, ValidatorSet as _, types::Ethereum as _,
};
use codec::Encode;
use frame_support::{
    ensure,
    pallet_prelude::{DispatchResult, Get},
    traits::{fungible::MutateHold, tokens::Precision},
};
use gear_exe_primitives::{
    H160, H256, host, restaking::OperatorBinding, signature::CompactSignature,
};
use polkadot_sdk::{frame_support, sp_runtime::traits::Zero};

/// The account's bytes as a word. Accounts of the chain have just 32.
fn account_word(account: &impl Encode) -> H256 {
    let bytes = account.encode();
    let mut word = H256::zero();
    let length = bytes.len().min(32);
    word.0[..length].copy_from_slice(&bytes[..length]);
    word
}

impl<T: Config> Pallet<T> {
    /// What the Ethereum address `operator` signs in order to be bound to `account` now.
    pub fn binding(account: &T::AccountId, operator: H160) -> OperatorBinding {
        OperatorBinding {
            genesis: T::Validators::genesis_hash(),
            account: account_word(account),
            operator,
            nonce: Nonces::<T>::get(operator),
        }
    }

    pub(crate) fn do_register(
        account: T::AccountId,
        address: H160,
        signature: CompactSignature,
    ) -> DispatchResult {
        ensure!(
            !Operators::<T>::contains_key(&account),
            Error::<T>::AlreadyOperator
        );
        ensure!(
            !OperatorOf::<T>::contains_key(address),
            Error::<T>::AddressTaken
        );
        ensure!(
            Operators::<T>::count() < T::MaxOperators::get(),
            Error::<T>::TooManyOperators
        );
        let domain = T::Ethereum::domain().ok_or(Error::<T>::NoRouter)?;
        let digest = Self::binding(&account, address).digest(&domain);
        ensure!(
            host::recover(&signature, digest) == Some(address),
            Error::<T>::BadSignature
        );
        let deposit = T::Deposit::get();
        T::Currency::hold(&HoldReason::OperatorDeposit.into(), &account, deposit)?;
        Self::bind(&account, address, deposit);
        Self::deposit_event(Event::OperatorRegistered { account, address });
        Ok(())
    }

    /// Writes the binding down.
    pub(crate) fn bind(account: &T::AccountId, address: H160, deposit: BalanceOf<T>) {
        let operator = Operator {
            address,
            deposit,
            leaving: None,
        };
        Operators::<T>::insert(account, operator);
        OperatorOf::<T>::insert(address, account);
        Nonces::<T>::mutate(address, |nonce| *nonce = nonce.saturating_add(1));
    }

    /// The last era for which the stake of an operator counts that leaves now: the one for which stake is, or was, read
    /// since the active era began.
    fn last_era() -> EraIndex {
        let next = SeenEra::<T>::get().map_or(0, |era| era.saturating_add(1));
        OpenEra::<T>::get().map_or(next, |open| open.max(next))
    }

    pub(crate) fn do_deregister(account: T::AccountId) -> DispatchResult {
        let mut operator = Operators::<T>::get(&account).ok_or(Error::<T>::NotOperator)?;
        ensure!(operator.leaving.is_none(), Error::<T>::AlreadyLeaving);
        let last_era = Self::last_era();
        operator.leaving = Some(last_era);
        Operators::<T>::insert(&account, operator);
        Self::deposit_event(Event::OperatorLeaving {
            account,
            last_era,
            free_in: Self::free_in(last_era),
        });
        Ok(())
    }

    /// The era in which nothing can be slashed any more that counted in `last_era`.
    fn free_in(last_era: EraIndex) -> EraIndex {
        last_era
            .saturating_add(T::SlashWindow::get())
            .saturating_add(1)
    }

    pub(crate) fn do_withdraw(account: T::AccountId) -> DispatchResult {
        let operator = Operators::<T>::get(&account).ok_or(Error::<T>::NotOperator)?;
        let last_era = operator.leaving.ok_or(Error::<T>::NotLeaving)?;
        ensure!(
            SeenEra::<T>::get().is_some_and(|era| era >= Self::free_in(last_era)),
            Error::<T>::TooEarly
        );
        if !operator.deposit.is_zero() {
            // What the balance lacks of it was slashed elsewhere: that must not keep the operator bound.
            T::Currency::release(
                &HoldReason::OperatorDeposit.into(),
                &account,
                operator.deposit,
                Precision::BestEffort,
            )?;
        }
        Operators::<T>::remove(&account);
        OperatorOf::<T>::remove(operator.address);
        Self::deposit_event(Event::OperatorRemoved {
            account,
            address: operator.address,
        });
        Ok(())
    }

    /// The Ethereum address that an account is bound to.
    pub fn operator_address(account: &T::AccountId) -> Option<H160> {
        Operators::<T>::get(account).map(|operator| operator.address)
    }
}
