//! Stakers of VARA are credited, page by page.

use crate::{
    Config, EraIndex, Error, Event, Exposure, MAX_PAGES, Pallet, Pot, Pots, Staking as _,
    types::portion,
};
use frame_support::{ensure, pallet_prelude::DispatchError};
use polkadot_sdk::frame_support;

impl Exposure {
    /// The part of `pot` that the validator takes before all others.
    fn commission_of(&self, pot: u128) -> u128 {
        self.commission.mul_floor(pot)
    }

    /// The part of `pot` that belongs to `stake`.
    fn share_of(&self, pot: u128, stake: u128) -> u128 {
        let rest = pot.saturating_sub(self.commission_of(pot));
        portion(rest, stake.min(self.total), self.total.into())
    }

    /// A validator without nominators has a page, too: there its own stake is paid.
    fn page_count(&self) -> u32 {
        self.pages.clamp(1, MAX_PAGES)
    }
}

impl<T: Config> Pallet<T> {
    /// Credits a page. Returns how many stakers it had, and how many pools beside them.
    pub(crate) fn do_pay(
        validator: T::AccountId,
        era: EraIndex,
        page: u32,
    ) -> Result<(u32, u32), DispatchError> {
        let mut pot = Pots::<T>::get(era, &validator).ok_or(Error::<T>::NothingToPay)?;
        let exposure = T::Staking::exposure(era, &validator).ok_or(Error::<T>::NothingToPay)?;
        ensure!(page < exposure.page_count(), Error::<T>::NoSuchPage);
        ensure!(pot.paid >> page & 1 == 0, Error::<T>::AlreadyPaid);
        let before = pot.left;
        if pot.paid == 0 {
            let commission = exposure.commission_of(pot.total);
            let own = exposure.share_of(pot.total, exposure.own);
            let amount = commission.saturating_add(own);
            Self::credit_from(&mut pot, era, &validator, amount);
        }
        let stakers = T::Staking::page(era, &validator, page);
        let mut pools = 0u32;
        for (staker, stake) in &stakers {
            let amount = exposure.share_of(pot.total, *stake);
            if Self::credit_from(&mut pot, era, staker, amount) {
                pools = pools.saturating_add(1);
            }
        }
        pot.paid |= 1 << page;
        let amount = before.saturating_sub(pot.left);
        if pot.paid.count_ones() >= exposure.page_count() {
            // What rounding has left.
            Self::carry(pot.left);
            Pots::<T>::remove(era, &validator);
        } else {
            Pots::<T>::insert(era, &validator, pot);
        }
        Self::deposit_event(Event::PagePaid {
            era,
            validator,
            page,
            amount,
        });
        Ok(((stakers.len() as u32).saturating_sub(pools), pools))
    }

    /// Credits what the pot still has at most. Returns whether the staker is a pool.
    fn credit_from(pot: &mut Pot, era: EraIndex, staker: &T::AccountId, amount: u128) -> bool {
        let credited = Self::credit(era, staker, amount.min(pot.left));
        pot.left = pot.left.saturating_sub(credited.taken);
        credited.is_pool
    }
}
