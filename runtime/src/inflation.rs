//! How much VARA an era makes, and where it goes.
//!
//! The formula is the one of pallet-staking-reward-fn: inflation rises with the staked share up to the ideal share, and
//! falls exponentially beyond it. Stakers get their part; what is missing to the most that there can be goes to the
//! treasury.

use crate::{Balance, parameters::values::inflation};
use polkadot_sdk::{
    frame_support::traits::Get, pallet_staking_reward_fn, sp_runtime::Perquintill, sp_staking,
};

/// Milliseconds of a Julian year.
const YEAR: u64 = 31_557_600_000;

/// What staking asks at the end of an era.
pub struct EraPayout;

fn perquintill(part: polkadot_sdk::sp_runtime::Perbill) -> Perquintill {
    Perquintill::from_rational(u64::from(part.deconstruct()), 1_000_000_000)
}

/// Inflation of a year, as a share of the issuance, if `staked` of it is staked.
fn of_a_year(staked: Perquintill) -> (Perquintill, Perquintill) {
    let most = perquintill(inflation::Most::get());
    let least = perquintill(inflation::Least::get()).min(most);
    let ideal = perquintill(inflation::IdealStake::get());
    let falloff = perquintill(inflation::Falloff::get()).max(Perquintill::from_percent(1));
    let share = pallet_staking_reward_fn::compute_inflation(staked, ideal, falloff);
    (least + (most - least) * share, most)
}

impl sp_staking::EraPayout<Balance> for EraPayout {
    fn era_payout(staked: Balance, issuance: Balance, milliseconds: u64) -> (Balance, Balance) {
        let longest = inflation::LongestEra::get().saturating_mul(1_000);
        let part_of_year = Perquintill::from_rational(milliseconds.min(longest), YEAR);
        let (stakers, most) = of_a_year(Perquintill::from_rational(staked, issuance));
        let paid = part_of_year * (stakers * issuance);
        let all = part_of_year * (most * issuance);
        (paid, all.saturating_sub(paid))
    }
}
