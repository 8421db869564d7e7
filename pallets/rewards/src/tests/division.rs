//! An era's income, and who gets what of it.

use crate::{mock::*, *};
use gear_exe_primitives::outbox::{OutboxItem, VaultReward};

fn division(era: u32) -> Division {
    Divisions::<Test>::get(era).unwrap()
}

fn vaults() -> Vec<VaultReward> {
    Pushed::get()
        .into_iter()
        .flat_map(|item| match item {
            OutboxItem::Rewards { vaults, .. } => vaults,
            other => panic!("{other:?}"),
        })
        .collect()
}

#[test]
fn what_was_paid_before_the_chain_is_no_income() {
    run(|| {
        one_validator(0);
        end_era(0);
        assert_eq!(division(0).income, 0);
        assert_eq!(Taken::<Test>::get(), 0);
        assert!(Pots::<Test>::iter().next().is_none());
        assert_eq!(credit(1), 0);
    });
}

#[test]
fn validators_share_by_points() {
    run(|| {
        points(0, 1, 20);
        points(0, 2, 60);
        points(0, 3, 0);
        end_era(10_000);
        assert_eq!((credit(1), credit(2), credit(3)), (500, 1_500, 0));
        // No ETH has counted: 50 % and 30 % are set aside for VARA.
        let pot = |validator| Pots::<Test>::get(0, validator).map(|pot| pot.total);
        assert_eq!(pot(1), Some(2_000));
        assert_eq!(pot(2), Some(6_000));
        assert_eq!(pot(3), None);
        let expected = Division {
            income: 10_000,
            validators: 2_000,
            vara_stakers: 8_000,
            eth_stakers: 0,
            left: 0,
            capture: Some(1_700_000_000),
        };
        assert_eq!(division(0), expected);
        let divided = Event::EraDivided {
            era: 0,
            division: expected,
        };
        assert!(events().contains(&divided));
        assert!(Pushed::get().is_empty());
    });
}

#[test]
fn vaults_share_by_stake_and_points() {
    run(|| {
        points(0, 1, 10);
        points(0, 2, 20);
        points(0, 3, 0);
        Captures::mutate(|all| all.insert(0, 1_600_000_000));
        stake(
            0,
            vec![
                eth(1, 400, &[(1, 30), (2, 10)]),
                eth(2, 100, &[(3, 7)]),
                // Nobody's work, nobody's stake, nobody's vault.
                eth(3, 5_000, &[(4, 1)]),
                eth(9, 5_000, &[(5, 1)]),
                eth(2, 0, &[(6, 1)]),
                eth(2, 50, &[(7, 0)]),
            ],
        );
        end_era(20_000);
        // 6,000 are shared 4,000 to 2,000.
        let reward = |vault, amount| VaultReward {
            vault: address(vault),
            amount,
        };
        assert_eq!(
            vaults(),
            [reward(1, 3_000), reward(2, 1_000), reward(3, 2_000)]
        );
        let division = division(0);
        assert_eq!(division.eth_stakers, 6_000);
        assert_eq!(division.vara_stakers, 9_999);
        assert_eq!(division.capture, Some(1_600_000_000));
    });
}

#[test]
fn rounding_is_income_of_the_next_era() {
    run(|| {
        for validator in 1..=3 {
            points(0, validator, 1);
        }
        end_era(101);
        // 20 of 101: 6 each; 50 and 30: 26 each.
        assert_eq!((credit(1), credit(2), credit(3)), (6, 6, 6));
        assert_eq!(Pots::<Test>::get(0, 1).unwrap().total, 26);
        assert_eq!(division(0).left, 101 - 18 - 78);
        assert_eq!(carried(), 5);
        points(1, 1, 1);
        end_era(95);
        assert_eq!(division(1).income, 100);
        assert_eq!(carried(), 0);
    });
}

#[test]
fn an_era_without_points_leaves_all_to_the_next() {
    run(|| {
        stake(0, vec![eth(1, 100, &[(1, 1)])]);
        end_era(1_000);
        assert_eq!(division(0).left, 1_000);
        points(1, 1, 0);
        end_era(1_000);
        assert_eq!(carried(), 2_000);
        points(2, 1, 1);
        end_era(0);
        assert_eq!(division(2).income, 2_000);
        assert_eq!((credit(1), carried()), (400, 0));
    });
}

#[test]
fn what_shares_leave_is_income_of_the_next_era() {
    run(|| {
        Rules::set(rules(10, 10, 10));
        points(0, 1, 1);
        end_era(1_000);
        assert_eq!((credit(1), carried()), (100, 700));
        // No more than there is, whatever the rules say.
        Rules::set(rules(90, 90, 90));
        points(1, 1, 1);
        end_era(300);
        assert_eq!((credit(1), carried()), (1_000, 0));
        assert_eq!(Pots::<Test>::get(1, 1).unwrap().total, 100);
    });
}

#[test]
fn without_a_time_of_ethereum_nothing_is_sent_and_vara_gets_it() {
    run(|| {
        for time in [0, 1 << 48] {
            Finalised::set(time);
            let era = ActiveEra::get().unwrap();
            points(era, 1, 1);
            stake(era, vec![eth(1, 100, &[(1, 1)])]);
            end_era(1_000);
            assert_eq!(division(era).capture, None);
            assert_eq!(division(era).vara_stakers, 800);
        }
        assert_eq!(credit(1), 400);
        claim(1, 7).unwrap();
        end_era(0);
        assert!(Pushed::get().is_empty());
        assert_eq!(Claims::<Test>::get().len(), 1);
        Finalised::set(5);
        let era = end_era(0);
        assert!(Claims::<Test>::get().is_empty());
        assert_eq!(Rewards::proof(era, address(7)).unwrap().amount, 400);
    });
}

#[test]
fn what_programs_have_paid_never_falls() {
    run(|| {
        points(0, 1, 1);
        end_era(1_000);
        Spent::mutate(|spent| *spent -= 600);
        points(1, 1, 1);
        end_era(0);
        assert_eq!(division(1).income, 0);
        end_era(500);
        assert_eq!(Taken::<Test>::get(), 1_000);
        end_era(500);
        assert_eq!(Taken::<Test>::get(), 1_400);
    });
}

#[test]
fn extreme_numbers_are_divided_too() {
    run(|| {
        points(0, 1, u32::MAX);
        points(0, 2, u32::MAX);
        stake(
            0,
            vec![
                eth(1, u128::MAX, &[(1, u128::MAX), (2, u128::MAX)]),
                eth(2, u128::MAX, &[(3, 1)]),
            ],
        );
        end_era(u128::MAX - BEFORE);
        let all = division(0);
        assert_eq!(all.income, u128::MAX - BEFORE);
        assert!(all.left < 16);
        let vaults = vaults();
        let half = vaults[2].amount;
        assert!(half / 2 - vaults[0].amount <= 1);
        assert_eq!(vaults[0].amount, vaults[1].amount);
    });
}

#[test]
fn each_item_has_as_many_vaults_as_the_middleware_takes() {
    run(|| {
        points(0, 1, 1);
        let list: Vec<_> = (1..=130).map(|vault| (vault, 1)).collect();
        stake(0, vec![eth(1, 1, &list)]);
        end_era(1_000_000);
        let counts: Vec<_> = Pushed::get()
            .iter()
            .map(|item| match item {
                OutboxItem::Rewards {
                    era: 0,
                    capture: 1_700_000_000,
                    operators_total: 0,
                    vaults,
                    ..
                } => vaults.len(),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(counts, [64, 64, 2]);
        assert_eq!(Items::<Test>::iter_prefix(0).count(), 3);
    });
}
