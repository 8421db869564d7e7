//! Fees of transactions, staking's thresholds and rewards, the longest era.

use super::*;
use gear_exe_runtime::{
    TransactionPayment, UNITS,
    inflation::EraPayout,
    parameters::{Fees, StakingRules},
};
use polkadot_sdk::{
    frame_support::{traits::Get, weights::Weight},
    pallet_delegated_staking,
    pallet_staking::{MinimumValidatorCount, SlashRewardFraction},
    sp_staking::EraPayout as _,
};
use values::{fees, inflation, natives, staking};

macro_rules! staking {
    ($name:ident, $value:expr) => {
        parameter!(Staking, staking, $name, $value)
    };
}

macro_rules! fee {
    ($name:ident, $value:expr) => {
        parameter!(Fees, fees, $name, $value)
    };
}

#[test]
fn transactions_cost_what_governance_says_from_the_next_era_on() {
    on_a_new_chain(|chain| {
        let in_force = gear_exe_runtime::parameters::in_force::Fees::<Runtime>::get;
        // A hundred bytes, and a millisecond.
        let costs = || {
            (
                TransactionPayment::length_to_fee(100),
                TransactionPayment::weight_to_fee(Weight::from_parts(1_000_000_000, 7)),
            )
        };
        assert_eq!(in_force(), Fees::default());
        assert_eq!(costs(), (100, 1_000_000_000));
        let rules = Fees {
            per_byte: 30,
            per_microsecond: 7,
        };
        set(
            chain,
            [
                fee!(PerByte, rules.per_byte),
                fee!(PerMicrosecond, rules.per_microsecond),
            ],
        );
        assert_eq!(costs(), (100, 1_000_000_000));
        next_era(chain);
        assert_eq!((in_force(), refused()), (rules, vec![]));
        assert_eq!(costs(), (3_000, 7_000));
        let dear = "a byte, and a microsecond, cost 0.001 VARA at most";
        for (bad, reason) in [
            (
                fee!(PerMicrosecond, 0),
                "transactions that cost nothing would fill every block",
            ),
            (fee!(PerMicrosecond, UNITS / 1_000 + 1), dear),
            (fee!(PerByte, u128::MAX), dear),
        ] {
            set(chain, [fee!(PerMicrosecond, 7), bad.clone()]);
            next_era(chain);
            assert_eq!(refusals(), [(Group::Fees, reason.to_owned())], "{bad:?}");
            assert_eq!(costs(), (3_000, 7_000));
        }
    });
}

#[test]
fn staking_takes_its_rules_when_an_era_begins() {
    // Four validators.
    start_with("local", json!({})).execute_with(|| {
        let chain = &mut Chain::new();
        chain.block(Vec::new());
        let in_force = || StakingRules {
            minimum_validators: MinimumValidatorCount::<Runtime>::get(),
            reporter_reward: SlashRewardFraction::<Runtime>::get(),
            pool_slash_reward:
                <Runtime as pallet_delegated_staking::Config>::SlashRewardFraction::get(),
        };
        let before = StakingRules::default();
        assert_eq!(in_force(), before);
        let rules = StakingRules {
            minimum_validators: 4,
            reporter_reward: Perbill::from_percent(50),
            pool_slash_reward: Perbill::from_percent(2),
        };
        set(
            chain,
            [
                staking!(MinimumValidators, rules.minimum_validators),
                staking!(ReporterReward, rules.reporter_reward),
                staking!(PoolSlashReward, rules.pool_slash_reward),
            ],
        );
        assert_eq!(in_force(), before);
        next_era(chain);
        assert_eq!((in_force(), refused()), (rules, vec![]));
        let many = "no more validators are needed than there are, and at least one";
        let half = "half of a slash, at most, rewards somebody";
        for (bad, reason) in [
            (staking!(MinimumValidators, 5), many),
            (staking!(MinimumValidators, 0), many),
            (staking!(ReporterReward, Perbill::from_percent(51)), half),
            (staking!(PoolSlashReward, Perbill::one()), half),
        ] {
            set(
                chain,
                [
                    staking!(MinimumValidators, rules.minimum_validators),
                    staking!(ReporterReward, rules.reporter_reward),
                    bad.clone(),
                ],
            );
            next_era(chain);
            assert_eq!(refusals(), [(Group::Staking, reason.to_owned())], "{bad:?}");
            assert_eq!(in_force(), rules);
        }
    });
}

#[test]
fn an_era_is_paid_for_no_longer_than_governance_says() {
    on_a_new_chain(|chain| {
        const DAY_MILLIS: u64 = 86_400_000;
        let payout = |days: u64| {
            EraPayout::era_payout(1_000_000 * UNITS, 10_000_000 * UNITS, days * DAY_MILLIS)
        };
        assert_eq!(payout(10), payout(2));
        assert_ne!(payout(2), payout(1));
        set(
            chain,
            [parameter!(Inflation, inflation, LongestEra, 86_400)],
        );
        assert_eq!(payout(10), payout(1));
        assert_ne!(payout(1), (0, 0));
        set(
            chain,
            [parameter!(Inflation, inflation, LongestEra, u64::MAX)],
        );
        assert_ne!(payout(10), payout(9));
    });
}

#[test]
fn native_messages_are_taken_as_governance_says_from_the_next_era_on() {
    on_a_new_chain(|chain| {
        let in_force = pallet_execution::NativeRules::<Runtime>::get;
        let rules = pallet_execution::NativeParameters {
            window: 32,
            max_per_block: 100,
        };
        let before = in_force();
        set(
            chain,
            [
                parameter!(Natives, natives, Window, rules.window),
                parameter!(Natives, natives, MaxPerBlock, rules.max_per_block),
            ],
        );
        assert_eq!(in_force(), before);
        next_era(chain);
        assert_eq!((in_force(), refused()), (rules, vec![]));
        let reason = "Window is not zero, and MaxPerBlock is 1 to 4,096";
        for bad in [
            parameter!(Natives, natives, MaxPerBlock, 4_097),
            parameter!(Natives, natives, MaxPerBlock, 0),
        ] {
            set(chain, [bad.clone()]);
            next_era(chain);
            assert_eq!(refusals(), [(Group::Natives, reason.to_owned())], "{bad:?}");
            assert_eq!(in_force(), rules);
        }
    });
}
