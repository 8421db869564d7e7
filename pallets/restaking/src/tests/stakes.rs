//! What stake weighs: haircuts, caps, growth, use of old stake, history.

use crate::{
    AssetRules, Assets, Event, Pages, Parameters, RestakingParameters, Snapshots, Stakes, mock::*,
    stakes::Scale,
};
use gear_exe_primitives::{H160, U256, stake_pages::VaultAmount};
use polkadot_sdk::sp_runtime::Perbill;
use std::collections::BTreeMap;

fn rules(decimals: u8, haircut: u32, cap: u128) -> AssetRules {
    AssetRules {
        decimals,
        haircut: Perbill::from_percent(haircut),
        cap,
    }
}

fn unlimited_growth() {
    Parameters::<Test>::mutate(|rules| rules.growth_step = u128::MAX);
}

#[test]
fn tokens_count_by_their_decimals_less_a_haircut() {
    for (decimals, amount, haircut, expected) in [
        (18, 5 * ETH, 0, 5 * ETH),
        (18, 5 * ETH, 20, 4 * ETH),
        (18, 5 * ETH, 100, 0),
        (6, 5_000_000, 0, 5 * ETH),
        (0, 5, 10, ETH * 9 / 2),
        (24, 5 * ETH * 1_000_000 + 999_999, 0, 5 * ETH),
        (36, u128::MAX, 0, u128::MAX / ETH),
        (0, u128::MAX, 0, u128::MAX),
        (18, u128::MAX, 100, 0),
        // What a haircut takes is rounded up.
        (18, 1, 1, 0),
    ] {
        let rules = rules(decimals, haircut, 0);
        assert_eq!(
            rules.weight(amount),
            expected,
            "{decimals} {amount} {haircut}"
        );
    }
}

#[test]
fn only_governed_tokens_count() {
    run_with_operators(|| {
        unlimited_growth();
        agree(&[
            vault(0, 1, WETH, ETH),
            vault(0, 2, COIN, u128::MAX),
            vault(1, 2, COIN, u128::MAX),
        ]);
        assert_eq!(Restaking::stakes(2), [(0, ETH)]);
        // It is known all the same, for slashes.
        assert_eq!(Restaking::vault_stakes(2, &1).len(), 1);
    });
}

#[test]
fn a_cap_reduces_everybody_in_proportion() {
    run_with_operators(|| {
        unlimited_growth();
        Assets::<Test>::insert(COIN, rules(6, 0, 10 * ETH));
        agree(&[
            vault(0, 1, COIN, 30_000_000),
            vault(1, 1, COIN, 10_000_000),
            vault(1, 2, WETH, 100 * ETH),
        ]);
        let mut stakes = Restaking::stakes(2);
        stakes.sort();
        assert_eq!(
            stakes,
            [
                (0, 7_500_000_000_000_000_000),
                (1, 102_500_000_000_000_000_000)
            ]
        );
    });
}

#[test]
fn vaults_weigh_by_all_that_counts_with_them() {
    run_with_operators(|| {
        unlimited_growth();
        Assets::<Test>::insert(COIN, rules(6, 50, 10 * ETH));
        let other = H160::repeat_byte(0x0d);
        let vault_at = H160::repeat_byte;
        agree(&[
            vault(0, 1, COIN, 60_000_000),
            vault(0, 2, WETH, 2 * ETH),
            vault(0, 3, other, ETH),
            vault(1, 4, COIN, 20_000_000),
        ]);
        let weights = |era| Restaking::vault_weights(era).into_iter().collect();
        let expected = BTreeMap::from([
            (
                0,
                vec![
                    (vault_at(1), ETH * 15 / 2),
                    (vault_at(2), 2 * ETH),
                    (vault_at(3), 0),
                ],
            ),
            (1, vec![(vault_at(4), ETH * 5 / 2)]),
        ]);
        let found: BTreeMap<u64, Vec<(H160, u128)>> = weights(2);
        assert_eq!(found, expected);
        // Together they are what the operator weighs.
        for (account, weight) in Restaking::stakes(2) {
            let sum: u128 = found[&account].iter().map(|(_, weight)| weight).sum();
            assert_eq!(sum, weight);
        }
        // By the rules that are in force.
        Assets::<Test>::insert(COIN, rules(6, 50, 1_000 * ETH));
        assert_eq!(weights(2)[&1], [(vault_at(4), 10 * ETH)]);
        // The same vaults count once more if nobody votes, and then no more.
        next_era();
        next_era();
        assert_eq!(weights(3), weights(2));
        assert!(Restaking::vault_weights(4).is_empty());
    });
}

#[test]
fn all_of_a_token_never_weigh_more_than_its_cap() {
    let most = u128::MAX;
    for decimals in [0, 18, 36] {
        for haircut in [0, 33, 100] {
            for cap in [0, 1, ETH, most - 1, most] {
                for amounts in [
                    [0, 0, 0],
                    [1, 1, 1],
                    [ETH, 7 * ETH, 1],
                    [most; 3],
                    [most, 1, 0],
                ] {
                    let vaults = amounts.map(|amount| VaultAmount {
                        vault: H160::zero(),
                        collateral: COIN,
                        amount,
                    });
                    let rules = rules(decimals, haircut, cap);
                    let scale = Scale::new([(COIN, rules)].into(), &vaults);
                    let mut left = cap;
                    for (vault, amount) in vaults.iter().zip(amounts) {
                        let weight = scale.weight(vault);
                        assert!(weight <= rules.weight(amount), "{rules:?} {amounts:?}");
                        left = left.checked_sub(weight).unwrap();
                    }
                }
            }
        }
    }
}

#[test]
fn extreme_amounts_do_not_overflow() {
    run_with_operators(|| {
        unlimited_growth();
        Assets::<Test>::insert(COIN, rules(0, 0, u128::MAX));
        let stakes: Vec<_> = (0..4)
            .flat_map(|account| {
                (0..20).map(move |number| {
                    let token = if number % 2 == 0 { COIN } else { WETH };
                    vault(account, number, token, U256::MAX)
                })
            })
            .collect();
        agree(&stakes);
        assert_eq!(Restaking::stakes(2).len(), 4);
        next_era();
        agree(&stakes);
        assert_eq!(Restaking::stakes(3).len(), 4);
    });
}

#[test]
fn growth_is_limited_per_operator_and_era() {
    run_with_operators(|| {
        Parameters::<Test>::put(RestakingParameters {
            max_growth: Perbill::from_percent(50),
            growth_step: 10 * ETH,
            reuse_haircut: Perbill::from_percent(20),
        });
        let stakes = weth(&[(0, 100 * ETH), (1, 5 * ETH)]);
        for (era, expected) in [(2, 10), (3, 25), (4, 47), (5, 81), (6, 100), (7, 100)] {
            agree(&stakes);
            let mut counted = Restaking::stakes(era);
            counted.sort();
            assert_eq!(counted[0].1 / ETH, expected, "era {era}");
            assert_eq!(counted[1], (1, 5 * ETH));
            next_era();
        }
        assert!(events().contains(&Event::GrowthLimited {
            era: 2,
            account: 0,
            held: 100 * ETH,
            counted: 10 * ETH
        }));
        // It falls at once, and grows from there.
        agree(&weth(&[(0, ETH)]));
        assert_eq!(Restaking::stakes(8), [(0, ETH)]);
    });
}

#[test]
fn stake_is_used_again_once_and_with_a_haircut() {
    run_with_operators(|| {
        agree(&weth(&[(0, 10 * ETH)]));
        let capture = Restaking::captured(2);
        assert_eq!(capture.unwrap().block, header(2).id());
        assert_eq!(Restaking::stakes(2), [(0, 10 * ETH)]);
        next_era();
        // Nobody votes for the stake of era 3. It counts so at its election, and after.
        assert_eq!(Restaking::stakes(3), [(0, 8 * ETH)]);
        next_era();
        assert!(events().contains(&Event::SnapshotReused {
            era: 3,
            total: 8 * ETH
        }));
        assert_eq!(Restaking::stakes(3), [(0, 8 * ETH)]);
        assert_eq!(Restaking::captured(3), capture);
        assert_eq!(Restaking::vault_stakes(3, &0).len(), 1);
        assert!(Restaking::stakes(4).is_empty());
        next_era();
        assert!(Restaking::stakes(4).is_empty());
        assert_eq!(Restaking::captured(4), None);
        assert!(Restaking::vault_stakes(4, &0).is_empty());
        // Era 5 is read again.
        agree(&weth(&[(0, 10 * ETH)]));
        assert_eq!(Restaking::stakes(5), [(0, 10 * ETH)]);
        // What counted before stays as it was.
        assert_eq!(Restaking::stakes(3), [(0, 8 * ETH)]);
    });
}

#[test]
fn nothing_counts_before_anything_was_read() {
    run_with_operators(|| {
        // When era 1 was prepared there were no operators.
        for era in [0, 1, 2, 3, u32::MAX] {
            assert!(Restaking::stakes(era).is_empty());
            assert!(Restaking::vault_stakes(era, &0).is_empty());
        }
        assert_eq!(Restaking::capture(0), None);
        assert_eq!(Restaking::capture(3), None);
    });
}

#[test]
fn history_is_bounded() {
    run_with_operators(|| {
        for _ in 0..20 {
            agree(&weth(&[(0, ETH)]));
            next_era();
        }
        let active = ActiveEra::get().unwrap();
        let oldest = active - HISTORY;
        let kept = |mut eras: Vec<u32>| {
            eras.sort();
            eras
        };
        assert_eq!(
            kept(Stakes::<Test>::iter_keys().collect()),
            (oldest..=active).collect::<Vec<_>>()
        );
        assert_eq!(
            kept(Snapshots::<Test>::iter_keys().collect()),
            (oldest..=active + 1).collect::<Vec<_>>()
        );
        assert_eq!(Pages::<Test>::iter().count() as u32, HISTORY + 1);
    });
}

/// A chain that did not see eras begin goes on with the one that it sees.
#[test]
fn eras_may_be_skipped() {
    run_with_operators(|| {
        ActiveEra::set(Some(1_000));
        next_era();
        agree(&weth(&[(0, ETH)]));
        assert_eq!(Restaking::stakes(1_002), [(0, ETH)]);
    });
}
