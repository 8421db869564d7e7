//! What the pages of an era weigh.
//!
//! No price enters: a token counts by its amount, less a governed haircut, and all stake in one token together by a
//! governed cap at most. Because validators themselves say what vaults hold, an operator's weight may only grow by a
//! governed step from one era to the next.

use crate::{
    AssetRules, Assets, Capture, Config, Eligible, EraIndex, Event, LastAccepted, OperatorOf,
    Operators, Pages, Pallet, Parameters, SeenEra, Snapshot, SnapshotState, Snapshots, Stakes,
};
use alloc::{collections::BTreeMap, vec::Vec};
use frame_support::BoundedVec;
use gear_exe_primitives::{
    H160,
    stake_pages::{OperatorStake, VaultAmount},
};
use polkadot_sdk::{
    frame_support, frame_system,
    sp_runtime::{Rounding, helpers_128bit::multiply_by_rational_with_rounding},
};

/// Operators with what their stake weighs.
pub(crate) type StakesOf<T> =
    BoundedVec<(<T as frame_system::Config>::AccountId, u128), <T as Config>::MaxOperators>;

/// Decimals of weights.
const DECIMALS: u8 = 18;

impl AssetRules {
    /// What `amount` of the token's base units weighs (18 decimals), the cap aside.
    pub fn weight(&self, amount: u128) -> u128 {
        let scaled = match DECIMALS.checked_sub(self.decimals) {
            Some(more) => amount.saturating_mul(power_of_ten(more)),
            None => amount / power_of_ten(self.decimals.saturating_sub(DECIMALS)).max(1),
        };
        scaled.saturating_sub(self.haircut.mul_ceil(scaled))
    }
}

fn power_of_ten(exponent: u8) -> u128 {
    10u128.saturating_pow(exponent.into())
}

/// `weight` of one among all whose weights sum up to `total`, if these together may have `cap`.
fn capped(weight: u128, total: u128, cap: u128) -> u128 {
    if total <= cap {
        return weight;
    }
    multiply_by_rational_with_rounding(weight, cap, total, Rounding::Down).unwrap_or_default()
}

impl<T: Config> Pallet<T> {
    /// What the stored pages of `era` weigh; nothing if they are not what validators' nodes make: operators that were
    /// asked for, each once, in order.
    pub(crate) fn count(era: EraIndex, pages: u32) -> Option<StakesOf<T>> {
        let stakes = Self::stored_stakes(era, pages)?;
        let assets: BTreeMap<H160, AssetRules> = Assets::<T>::iter().collect();
        let weight = |vault: &VaultAmount| {
            assets
                .get(&vault.collateral)
                .map_or(0, |rules| rules.weight(vault.amount))
        };
        let mut totals = BTreeMap::<H160, u128>::new();
        for vault in stakes.iter().flat_map(|stake| &stake.vaults) {
            let total = totals.entry(vault.collateral).or_default();
            *total = total.saturating_add(weight(vault));
        }
        let counts = |vault: &VaultAmount| {
            let total = totals.get(&vault.collateral).copied().unwrap_or_default();
            let cap = assets.get(&vault.collateral).map_or(0, |rules| rules.cap);
            capped(weight(vault), total, cap)
        };

        let before: BTreeMap<T::AccountId, u128> = LastAccepted::<T>::get()
            .and_then(Stakes::<T>::get)
            .map(|stakes| stakes.into_iter().collect())
            .unwrap_or_default();
        let mut weights = Vec::new();
        for stake in &stakes {
            let account = OperatorOf::<T>::get(stake.operator)?;
            let held = stake
                .vaults
                .iter()
                .fold(0u128, |sum, vault| sum.saturating_add(counts(vault)));
            let counted = held.min(Self::growth_limit(before.get(&account).copied()));
            if counted < held {
                Self::deposit_event(Event::GrowthLimited {
                    era,
                    account: account.clone(),
                    held,
                    counted,
                });
            }
            if counted > 0 {
                weights.push((account, counted));
            }
        }
        weights.try_into().ok()
    }

    fn stored_stakes(era: EraIndex, pages: u32) -> Option<Vec<OperatorStake>> {
        let mut stakes = Vec::<OperatorStake>::new();
        for index in 0..pages {
            stakes.extend(Pages::<T>::get(era, index)?);
        }
        let asked = Eligible::<T>::get();
        let in_order = stakes
            .windows(2)
            .all(|pair| matches!(pair, [one, next] if one.operator < next.operator));
        let known = stakes
            .iter()
            .all(|stake| asked.binary_search(&stake.operator).is_ok());
        (in_order && known).then_some(stakes)
    }

    /// What an operator may weigh after it weighed `before`.
    fn growth_limit(before: Option<u128>) -> u128 {
        let rules = Parameters::<T>::get();
        let before = before.unwrap_or_default();
        before
            .saturating_add(rules.max_growth.mul_floor(before))
            .saturating_add(rules.growth_step)
    }

    /// Whether the era has a snapshot of its own.
    fn is_accepted(era: EraIndex) -> bool {
        Snapshots::<T>::get(era)
            .is_some_and(|snapshot| matches!(snapshot.state, SnapshotState::Accepted { .. }))
    }

    /// The era whose snapshot counts in `era`: its own, or that of the era before.
    fn source(era: EraIndex) -> Option<EraIndex> {
        if Self::is_accepted(era) {
            return Some(era);
        }
        let may_reuse = match Snapshots::<T>::get(era).map(|snapshot| snapshot.state) {
            Some(SnapshotState::Reused { .. }) => true,
            _ => SeenEra::<T>::get().is_none_or(|seen| era > seen),
        };
        era.checked_sub(1)
            .filter(|before| may_reuse && Self::is_accepted(*before))
    }

    /// What the stake of each operator weighs in `era` (18 decimals), after haircuts, caps and growth limits. Without a
    /// snapshot of its own it is that of the era before, with another haircut; without that, nobody has any. It does not
    /// change any more once the era is elected.
    pub fn stakes(era: EraIndex) -> Vec<(T::AccountId, u128)> {
        if let Some(stakes) = Stakes::<T>::get(era) {
            return stakes.into_inner();
        }
        Self::source(era).map_or_else(Vec::new, |source| Self::reduced(source, era))
    }

    /// The stake of `source`, reduced for its use in `era`. Who has left does not count again.
    fn reduced(source: EraIndex, era: EraIndex) -> Vec<(T::AccountId, u128)> {
        let haircut = Parameters::<T>::get().reuse_haircut;
        Stakes::<T>::get(source)
            .unwrap_or_default()
            .into_iter()
            .filter(|(account, _)| {
                Operators::<T>::get(account)
                    .is_some_and(|operator| operator.leaving.is_none_or(|last| last >= era))
            })
            .map(|(account, weight)| {
                let less = weight.saturating_sub(haircut.mul_ceil(weight));
                (account, less)
            })
            .filter(|(_, weight)| *weight > 0)
            .collect()
    }

    /// Writes down what the era has begun with, if that is the stake of the era before.
    pub(crate) fn settle(era: EraIndex) {
        let Some(source) = Self::source(era).filter(|source| *source != era) else {
            return;
        };
        let Some(Snapshot { capture, .. }) = Snapshots::<T>::get(source) else {
            return;
        };
        let stakes = BoundedVec::truncate_from(Self::reduced(source, era));
        let total = Self::sum(&stakes);
        Stakes::<T>::insert(era, stakes);
        let state = SnapshotState::Reused { total };
        Snapshots::<T>::insert(era, Snapshot { capture, state });
        Self::deposit_event(Event::SnapshotReused { era, total });
    }

    /// Sum of weights.
    pub(crate) fn sum(stakes: &[(T::AccountId, u128)]) -> u128 {
        stakes
            .iter()
            .fold(0u128, |sum, (_, weight)| sum.saturating_add(*weight))
    }

    /// Unix time in seconds at which the stake was read that counts in `era`. A slash names it to the Middleware.
    pub fn capture(era: EraIndex) -> Option<u64> {
        Self::captured(era).map(|capture| capture.timestamp)
    }

    /// The same with the Ethereum block.
    pub fn captured(era: EraIndex) -> Option<Capture> {
        Self::source(era)
            .and_then(Snapshots::<T>::get)
            .map(|snapshot| snapshot.capture)
    }

    /// What each vault held for an operator, in the stake that counts in `era`.
    pub fn vault_stakes(era: EraIndex, account: &T::AccountId) -> Vec<VaultAmount> {
        let Some((source, address)) = Self::source(era).zip(Self::operator_address(account)) else {
            return Vec::new();
        };
        Pages::<T>::iter_prefix_values(source)
            .flatten()
            .find(|stake| stake.operator == address)
            .map(|stake| stake.vaults.into_inner())
            .unwrap_or_default()
    }
}
