//! What ETH counts beside VARA, and what a validator may weigh: plain arithmetic, rounded against whoever has more.

use crate::{ElectionParameters, ValidatorExposure};
use alloc::vec::Vec;
use polkadot_sdk::sp_runtime::{
    PerThing, Perbill, Rounding, helpers_128bit::multiply_by_rational_with_rounding, traits::Zero,
};

/// What a validator of mean stake weighs in a quorum. Weights are numbers of this size, so that they and their sum fit
/// whatever holds them: the Router stores each in 64 bits.
pub const MEAN_WEIGHT: u64 = 1_000_000;

/// `value · numerator / denominator`, rounded down; zero if the denominator is, or the result does not fit.
fn part(value: u128, numerator: u128, denominator: u128) -> u128 {
    multiply_by_rational_with_rounding(value, numerator, denominator, Rounding::Down)
        .unwrap_or_default()
}

/// The most votes that ETH may have beside `vara` votes.
pub fn most_votes(vara: u128, vara_share: Perbill) -> u128 {
    let vara_parts = u128::from(vara_share.deconstruct());
    let eth_parts = u128::from(vara_share.left_from_one().deconstruct());
    part(vara, eth_parts, vara_parts)
}

/// The votes that the collateral of each candidate has beside `vara` votes: in proportion, all together at most ETH's
/// share, and less while there is little collateral. What a candidate has above its own share counts for nobody.
///
/// While there is less than the full weight, the votes of one do not depend on what the others have.
pub fn votes(vara: u128, stakes: &[u128], rules: &ElectionParameters) -> Vec<u64> {
    let most = most_votes(vara, rules.vara_share);
    let stakes = summable(stakes);
    let eth = sum(&stakes);
    let most_of_one = rules.max_operator_share.mul_floor(eth);
    stakes
        .iter()
        .map(|stake| part(most, (*stake).min(most_of_one), eth.max(rules.full_weight)))
        .map(|votes| u64::try_from(votes).unwrap_or(u64::MAX))
        .collect()
}

/// Reduces what ETH adds to the weights of the elected to its share: part of VARA's votes may have gone to candidates
/// that were not elected.
pub fn limit_eth<A>(exposures: &mut [ValidatorExposure<A>], vara_share: Perbill) {
    let vara = exposures
        .iter()
        .fold(0u128, |sum, exposure| sum.saturating_add(exposure.vara));
    let votes = exposures.iter().fold(0u128, |sum, exposure| {
        sum.saturating_add(exposure.eth_votes)
    });
    let most = most_votes(vara, vara_share);
    if votes > most {
        for exposure in exposures {
            exposure.eth_votes = part(exposure.eth_votes, most, votes);
        }
    }
}

/// The numbers, each reduced to what so many of can be summed up. Only absurd ones change.
fn summable(numbers: &[u128]) -> Vec<u128> {
    let most = u128::MAX
        .checked_div(numbers.len() as u128)
        .unwrap_or(u128::MAX);
    numbers.iter().map(|number| *number.min(&most)).collect()
}

/// The sum, as far as it fits.
pub fn sum(numbers: &[u128]) -> u128 {
    numbers
        .iter()
        .fold(0u128, |sum, number| sum.saturating_add(*number))
}

/// The greatest weight such that, when nobody weighs more, it is at most `percent` of the mean. With `percent` of 200
/// nobody of seven or more validators can block a quorum.
fn cap(stakes: &[u128], percent: u32) -> u128 {
    let mut descending = stakes.to_vec();
    descending.sort_unstable_by(|one, other| other.cmp(one));
    let whole = (stakes.len() as u128).saturating_mul(100);
    let percent = u128::from(percent);
    let mut rest = sum(stakes);
    for (number, largest) in (0u128..).zip(descending) {
        // With `number` validators at the cap c and the others at `rest`: c · 100 · n = percent · (number · c + rest).
        let free = whole.saturating_sub(percent.saturating_mul(number));
        let cap = multiply_by_rational_with_rounding(rest, percent, free, Rounding::Down)
            .unwrap_or(u128::MAX);
        if largest <= cap {
            return cap;
        }
        rest = rest.saturating_sub(largest);
    }
    0
}

/// What each of these stakes weighs in a quorum: in proportion, but nobody more than `percent` of the mean, and everybody
/// something.
pub fn weights(stakes: &[u128], percent: u32) -> Vec<u64> {
    let stakes = summable(stakes);
    let cap = cap(&stakes, percent);
    let limited: Vec<_> = stakes.iter().map(|stake| *stake.min(&cap)).collect();
    let total = sum(&limited);
    if total.is_zero() {
        return limited.iter().map(|_| MEAN_WEIGHT).collect();
    }
    let unit = u128::from(MEAN_WEIGHT).saturating_mul(limited.len() as u128);
    limited
        .iter()
        .map(|stake| {
            u64::try_from(part(*stake, unit, total))
                .unwrap_or(u64::MAX)
                .max(1)
        })
        .collect()
}
