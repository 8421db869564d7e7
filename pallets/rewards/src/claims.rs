//! Credits become claims, claims become the root of an era, and what is sent is noted.

use crate::{
    Claims, Config, Credits, Emitted, EraIndex, Error, Event, Items, Marks, Outbox as _, Pallet,
    SeenEra, Sent, Tree, Trees,
};
use alloc::vec::Vec;
use frame_support::{
    ensure,
    pallet_prelude::{DispatchResult, Get},
};
use gear_exe_primitives::{
    H160, H256,
    outbox::{MAX_REWARDED_VAULTS, OutboxItem, VaultReward},
    rewards::{self, RewardClaim, RewardProof},
};
use polkadot_sdk::frame_support;

/// Sum of claims, in wVARA base units. Each is part of the income, so that nothing overflows.
pub(crate) fn total(claims: &[RewardClaim]) -> u128 {
    claims
        .iter()
        .fold(0, |sum, claim| sum.saturating_add(claim.amount))
}

impl<T: Config> Pallet<T> {
    pub(crate) fn do_claim(account: T::AccountId, to: H160) -> DispatchResult {
        ensure!(!to.is_zero(), Error::<T>::ZeroAddress);
        // If the claim is refused, this is undone.
        Self::settle_member(&account);
        let amount = Credits::<T>::get(&account);
        ensure!(amount > 0, Error::<T>::NothingToClaim);
        ensure!(
            amount >= T::Parameters::get().min_claim,
            Error::<T>::BelowMinimum
        );
        let mut claims = Claims::<T>::get();
        match claims.binary_search_by_key(&to, |claim| claim.to) {
            Ok(place) => {
                if let Some(claim) = claims.get_mut(place) {
                    claim.amount = claim.amount.saturating_add(amount);
                }
            }
            Err(place) => claims
                .try_insert(place, RewardClaim { to, amount })
                .map_err(|_| Error::<T>::TooManyClaims)?,
        }
        Claims::<T>::put(claims);
        Credits::<T>::remove(&account);
        Self::deposit_event(Event::Claimed {
            account,
            to,
            amount,
            era: SeenEra::<T>::get().unwrap_or_default(),
        });
        Ok(())
    }

    /// Sends what was claimed in an era. Returns how many claims that are.
    pub(crate) fn send_claims(era: EraIndex, capture: u64) -> u32 {
        let claims = Claims::<T>::take();
        if claims.is_empty() {
            return 0;
        }
        let count = claims.len() as u32;
        let tree = Tree { capture, claims };
        Self::emitted(total(&tree.claims));
        Self::push_claims(era, &tree);
        Trees::<T>::insert(era, tree);
        count
    }

    /// Puts the claims of an era into the outbox. Returns the number of the item.
    pub(crate) fn push_claims(era: EraIndex, tree: &Tree<T::MaxClaims>) -> u64 {
        let amount = total(&tree.claims);
        let root = rewards::root(era, &tree.claims);
        let item = T::Outbox::push(OutboxItem::Rewards {
            era,
            capture: tree.capture,
            operators_root: root,
            operators_total: amount,
            vaults: Vec::new(),
        });
        Items::<T>::insert(era, item, Sent::Claims(amount));
        Self::deposit_event(Event::ClaimsSent {
            era,
            item,
            root,
            count: tree.claims.len() as u32,
            amount,
        });
        item
    }

    /// Sends what vaults have earned in an era: each vault once.
    pub(crate) fn send_vaults(era: EraIndex, capture: u64, vaults: &[VaultReward]) {
        for chunk in vaults.chunks(MAX_REWARDED_VAULTS) {
            let amount = chunk
                .iter()
                .fold(0, |sum: u128, reward| sum.saturating_add(reward.amount));
            let item = T::Outbox::push(OutboxItem::Rewards {
                era,
                capture,
                operators_root: H256::zero(),
                operators_total: 0,
                vaults: chunk.to_vec(),
            });
            Self::emitted(amount);
            Items::<T>::insert(era, item, Sent::Vaults(amount));
            if let Some(first) = chunk.first() {
                Marks::<T>::insert(era, item, *first);
            }
            Self::deposit_event(Event::VaultsSent {
                era,
                item,
                count: chunk.len() as u32,
                amount,
            });
        }
    }

    fn emitted(amount: u128) {
        Emitted::<T>::mutate(|emitted| *emitted = emitted.saturating_add(amount));
    }

    /// What `Middleware.claimOperatorReward(era, to, …)` needs to pay `to`; nothing if nobody has claimed for it in that
    /// era, or the era is not over or too old.
    pub fn proof(era: EraIndex, to: H160) -> Option<RewardProof> {
        rewards::proof(era, &Trees::<T>::get(era)?.claims, to)
    }
}
