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
    H160, U256,
    stake_pages::{OperatorStake, VaultAmount},
};
use polkadot_sdk::{frame_support, frame_system};

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

/// What collateral weighs beside other collateral: after its token's haircut, and reduced in proportion where all stake in
/// the token together weighs more than its cap.
pub(crate) struct Scale {
    rules: BTreeMap<H160, AssetRules>,
    /// What all collateral in a token weighs, the cap aside. Wide: each vault may say as much as there can be.
    totals: BTreeMap<H160, U256>,
}

impl Scale {
    /// For all collateral that counts together, by these rules of tokens. What has no rules weighs nothing.
    pub(crate) fn new<'a>(
        rules: BTreeMap<H160, AssetRules>,
        all: impl IntoIterator<Item = &'a VaultAmount>,
    ) -> Self {
        let mut scale = Self {
            rules,
            totals: BTreeMap::new(),
        };
        for vault in all {
            let weight = scale.uncapped(vault);
            let total = scale.totals.entry(vault.collateral).or_default();
            *total = total.saturating_add(weight.into());
        }
        scale
    }

    fn uncapped(&self, vault: &VaultAmount) -> u128 {
        self.rules
            .get(&vault.collateral)
            .map_or(0, |rules| rules.weight(vault.amount))
    }

    /// What this part of all collateral weighs (18 decimals).
    pub(crate) fn weight(&self, vault: &VaultAmount) -> u128 {
        let weight = self.uncapped(vault);
        let total = self.totals.get(&vault.collateral).copied();
        let cap = self
            .rules
            .get(&vault.collateral)
            .map_or(0, |rules| rules.cap);
        let Some(total) = total.filter(|total| *total > cap.into()) else {
            return weight;
        };
        // Less than `weight`, since the cap is less than the total.
        U256::from(weight)
            .saturating_mul(cap.into())
            .checked_div(total)
            .and_then(|capped| u128::try_from(capped).ok())
            .unwrap_or_default()
    }
}

/// Vaults, with what each weighs among those of its operator (18 decimals).
pub type VaultWeights = Vec<(H160, u128)>;

impl<T: Config> Pallet<T> {
    /// What the stored pages of `era` weigh; nothing if they are not what validators' nodes make: operators that were
    /// asked for, each once, in order.
    pub(crate) fn count(era: EraIndex, pages: u32) -> Option<StakesOf<T>> {
        let stakes = Self::stored_stakes(era, pages)?;
        let scale = Self::scale(&stakes);
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
                .fold(0u128, |sum, vault| sum.saturating_add(scale.weight(vault)));
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

    /// By what the collateral in `stakes` is weighed, by the rules that are in force.
    fn scale(stakes: &[OperatorStake]) -> Scale {
        let vaults = stakes.iter().flat_map(|stake| &stake.vaults);
        Scale::new(Assets::<T>::iter().collect(), vaults)
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

    /// What each vault weighs that stands behind an operator (18 decimals), in the snapshot that counts in `era`, by the rules
    /// for tokens that are in force now. It is for shares among an operator's vaults: neither the growth of its weight is
    /// limited here, nor what is used again reduced.
    pub fn vault_weights(era: EraIndex) -> Vec<(T::AccountId, VaultWeights)> {
        let Some(source) = Self::source(era) else {
            return Vec::new();
        };
        let stakes: Vec<OperatorStake> = Pages::<T>::iter_prefix_values(source).flatten().collect();
        let scale = Self::scale(&stakes);
        stakes
            .into_iter()
            .filter_map(|stake| {
                let vaults = stake
                    .vaults
                    .iter()
                    .map(|vault| (vault.vault, scale.weight(vault)))
                    .collect();
                Some((OperatorOf::<T>::get(stake.operator)?, vaults))
            })
            .collect()
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
