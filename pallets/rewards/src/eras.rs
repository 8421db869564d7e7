//! What happens when an era ends: its income is divided, claims and vaults' parts are sent. In the blocks after that, what
//! is too old goes.

use crate::{
    Carried, Collateral as _, Config, Credits, Division, Divisions, EraIndex, Ethereum as _, Event,
    FirstKept, FirstTree, Income as _, LastSpent, Pallet, Payee, Payees as _, Pot, Pots, SeenEra,
    Staking as _, Taken, WeightInfo as _, types::portion,
};
use alloc::{collections::BTreeMap, vec::Vec};
use frame_support::{traits::Get, weights::Weight};
use gear_exe_primitives::{
    H160, U256,
    outbox::{MAX_REWARDED_VAULTS, VaultReward},
};
use polkadot_sdk::{frame_support, sp_runtime::Perbill};

/// Times on Ethereum have 48 bits.
const MAX_TIME: u64 = (1 << 48) - 1;

/// What an era's division has come to.
struct Divided {
    division: Division,
    vaults: Vec<VaultReward>,
    validators: u32,
}

/// What became of a staker's reward.
pub(crate) struct Credited {
    /// How much of it was credited.
    pub taken: u128,
    /// Whether it was for the members of a pool.
    pub is_pool: bool,
}

/// A validator's place in the division of the ETH share.
struct Vaults {
    /// Stake times points.
    weight: u128,
    /// Its vaults, with what each weighs.
    vaults: Vec<(H160, u128)>,
}

impl<T: Config> Pallet<T> {
    /// `active` has begun: the era that was seen before is over. Returns what that costs.
    pub(crate) fn turn(active: EraIndex) -> Weight {
        let Some(ended) = SeenEra::<T>::get() else {
            SeenEra::<T>::put(active);
            return T::WeightInfo::on_initialize();
        };
        SeenEra::<T>::put(active);
        Self::take_income();
        let capture = Self::capture(ended);
        let Divided {
            division,
            vaults,
            validators,
        } = Self::divide(ended, capture);
        Divisions::<T>::insert(ended, division);
        Self::deposit_event(Event::EraDivided {
            era: ended,
            division,
        });
        let claims = match capture {
            Some(capture) => {
                let claims = Self::send_claims(ended, capture);
                Self::send_vaults(ended, capture, &vaults);
                claims
            }
            None => 0,
        };
        Self::begin_sending();
        let marks = vaults.len().div_ceil(MAX_REWARDED_VAULTS) as u64;
        T::WeightInfo::turn(validators, vaults.len() as u32, claims)
            .saturating_add(T::DbWeight::get().reads_writes(1, marks.saturating_add(1)))
    }

    /// Moves what programs have paid since the last time into what is carried.
    fn take_income() {
        let spent = T::Income::spent();
        let new = spent.saturating_sub(LastSpent::<T>::get());
        // It never falls; if it did, nothing would be taken until it has risen above what it was.
        LastSpent::<T>::mutate(|last| *last = spent.max(*last));
        Taken::<T>::mutate(|taken| *taken = taken.saturating_add(new));
        Self::carry(new);
    }

    /// Adds to the income of the next era.
    pub(crate) fn carry(amount: u128) {
        Carried::<T>::mutate(|carried| *carried = carried.saturating_add(amount));
    }

    /// The time under which an era stands on Ethereum: that at which its stake was read, or the last final block's.
    fn capture(era: EraIndex) -> Option<u64> {
        T::Collateral::capture(era)
            .or_else(|| Some(T::Ethereum::finalised()))
            .filter(|time| (1..=MAX_TIME).contains(time))
    }

    /// Divides what is carried, and carries what is left.
    fn divide(era: EraIndex, capture: Option<u64>) -> Divided {
        let income = Carried::<T>::take();
        let rules = T::Parameters::get();
        let points: BTreeMap<_, _> = T::Staking::points(era)
            .into_iter()
            .filter(|(_, points)| *points > 0)
            .collect();
        let all_points = sum(points.values().copied().map(u128::from));

        let mut rest = income;
        let mut share = |part: Perbill| {
            let amount = part.mul_floor(income).min(rest);
            rest = rest.saturating_sub(amount);
            amount
        };
        let for_validators = share(rules.validators);
        let mut for_vara = share(rules.vara_stakers);
        let mut for_eth = share(rules.eth_stakers);
        let stakes = match capture {
            Some(_) => Self::eth_stakes(era, &points),
            None => Vec::new(),
        };
        if stakes.is_empty() {
            for_vara = for_vara.saturating_add(for_eth);
            for_eth = 0;
        }

        let mut division = Division {
            income,
            capture,
            ..Default::default()
        };
        let validators = points.len() as u32;
        for (validator, points) in points {
            let own = portion(for_validators, points.into(), all_points);
            let own = Self::credit(era, &validator, own).taken;
            division.validators = division.validators.saturating_add(own);
            let pot = portion(for_vara, points.into(), all_points);
            if pot > 0 {
                let pot = Pot {
                    total: pot,
                    left: pot,
                    paid: 0,
                };
                Pots::<T>::insert(era, validator, pot);
                division.vara_stakers = division.vara_stakers.saturating_add(pot.total);
            }
        }
        let vaults = vault_rewards(for_eth, &stakes);
        division.eth_stakers = vaults
            .iter()
            .fold(0, |sum: u128, reward| sum.saturating_add(reward.amount));
        division.left = income
            .saturating_sub(division.validators)
            .saturating_sub(division.vara_stakers)
            .saturating_sub(division.eth_stakers);
        Self::carry(division.left);
        Divided {
            division,
            vaults,
            validators,
        }
    }

    /// The stake on Ethereum that counts, of validators that have earned points.
    fn eth_stakes(era: EraIndex, points: &BTreeMap<T::AccountId, u32>) -> Vec<Vaults> {
        T::Collateral::stakes(era)
            .into_iter()
            .filter_map(|stake| {
                let points = points.get(&stake.validator)?;
                let weight = stake.weight.saturating_mul(u128::from(*points));
                let counts = weight > 0 && stake.vaults.iter().any(|(_, weight)| *weight > 0);
                counts.then_some(Vaults {
                    weight,
                    vaults: stake.vaults,
                })
            })
            .collect()
    }

    /// Gives a staker, or the members of a pool, what it has earned. Returns how much of it there is somebody to take.
    pub(crate) fn credit(era: EraIndex, staker: &T::AccountId, amount: u128) -> Credited {
        let (taken, is_pool) = match T::Payees::payee(staker) {
            Payee::Itself => (Self::credit_to(era, staker, staker, amount), false),
            Payee::Pool(pool) => (Self::credit_pool(era, staker, pool, amount), true),
            Payee::Nobody => (0, false),
        };
        Credited { taken, is_pool }
    }

    /// Credits an account for a staker. Returns `amount`.
    pub(crate) fn credit_to(
        era: EraIndex,
        staker: &T::AccountId,
        account: &T::AccountId,
        amount: u128,
    ) -> u128 {
        if amount > 0 {
            Credits::<T>::mutate(account, |credit| *credit = credit.saturating_add(amount));
            Self::deposit_event(Event::Credited {
                era,
                staker: staker.clone(),
                account: account.clone(),
                amount,
            });
        }
        amount
    }

    /// Drops an era that is older than is kept; what is not paid of it returns to the income. Returns what that costs.
    pub(crate) fn forget(active: EraIndex) -> Weight {
        let mut weight = T::WeightInfo::on_initialize();
        let old = FirstKept::<T>::get();
        if old < active.saturating_sub(T::HistoryDepth::get()) {
            let (mut pots, mut returned) = (0u32, 0u128);
            for (_, pot) in Pots::<T>::drain_prefix(old) {
                pots = pots.saturating_add(1);
                returned = returned.saturating_add(pot.left);
            }
            if returned > 0 {
                Self::carry(returned);
                Self::deposit_event(Event::Returned {
                    era: old,
                    amount: returned,
                });
            }
            // As many as the items of an era. That of its claims stays with them.
            let items = u64::from(Self::forget_vaults(old));
            let access = T::DbWeight::get();
            weight = weight.saturating_add(access.reads_writes(items, items.saturating_mul(2)));
            Divisions::<T>::remove(old);
            FirstKept::<T>::put(old.saturating_add(1));
            weight = weight.saturating_add(T::WeightInfo::forget(pots));
        }
        let old = FirstTree::<T>::get();
        if old < active.saturating_sub(T::ProofDepth::get()) {
            Self::forget_claims(old);
            FirstTree::<T>::put(old.saturating_add(1));
            weight = weight.saturating_add(T::WeightInfo::forget(0));
        }
        weight
    }
}

fn sum(parts: impl Iterator<Item = u128>) -> U256 {
    parts.fold(U256::zero(), |sum, part| {
        sum.saturating_add(U256::from(part))
    })
}

/// What each vault gets of `amount`: each once, in the order in which they come first.
fn vault_rewards(amount: u128, stakes: &[Vaults]) -> Vec<VaultReward> {
    let all = sum(stakes.iter().map(|stake| stake.weight));
    let mut rewards = Vec::<VaultReward>::new();
    let mut places = BTreeMap::new();
    for stake in stakes {
        let amount = portion(amount, stake.weight, all);
        let whole = sum(stake.vaults.iter().map(|(_, weight)| *weight));
        for (vault, weight) in &stake.vaults {
            let amount = portion(amount, *weight, whole);
            if amount == 0 {
                continue;
            }
            let place = *places.entry(*vault).or_insert(rewards.len());
            match rewards.get_mut(place) {
                Some(reward) => reward.amount = reward.amount.saturating_add(amount),
                None => rewards.push(VaultReward {
                    vault: *vault,
                    amount,
                }),
            }
        }
    }
    rewards
}
