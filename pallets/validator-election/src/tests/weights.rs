//! What validators weigh in a quorum.

use crate::{
    Parameters,
    mock::*,
    shares::{MEAN_WEIGHT, weights},
    tests::elections::eager,
};

#[test]
fn weights_are_in_proportion() {
    assert_eq!(weights(&[1, 1, 1], 200), [MEAN_WEIGHT; 3]);
    assert_eq!(weights(&[10, 20, 30], 200), [500_000, 1_000_000, 1_500_000]);
    assert_eq!(weights(&[7], 200), [MEAN_WEIGHT]);
    assert!(weights(&[], 200).is_empty());
}

#[test]
fn nobody_weighs_more_than_a_multiple_of_the_mean() {
    let mut stakes = [1_000_000; 7];
    stakes[0] = 1_000_000_000_000;
    let capped = weights(&stakes, 200);
    // Two sevenths: together with no other it blocks a quorum.
    assert_eq!(
        capped,
        [
            2_000_000, 833_333, 833_333, 833_333, 833_333, 833_333, 833_333
        ]
    );
    let two = weights(&[900, 900, 1, 1, 1, 1, 1, 1], 200);
    assert_eq!(two[0], two[1]);
    let sum: u64 = two.iter().sum();
    assert!(two[0] * 8 <= 2 * (sum + 8));
    // A limit of the mean makes all equal.
    assert_eq!(weights(&[5, 10, 100], 100), [MEAN_WEIGHT; 3]);
}

#[test]
fn everybody_weighs_something() {
    assert_eq!(weights(&[0, 0, 0], 200), [MEAN_WEIGHT; 3]);
    // Nobody can be alone: one with all the stake is one with twice the mean of nothing.
    assert_eq!(weights(&[10, 0, 0, 0], 200), [MEAN_WEIGHT; 4]);
    assert_eq!(weights(&[10, 10, 0, 0], 200), [2_000_000, 2_000_000, 1, 1]);
    assert_eq!(weights(&[u128::MAX, 1, 1], 100_000)[1], 1);
}

#[test]
fn the_greatest_stakes_do_not_overflow() {
    assert_eq!(weights(&[u128::MAX; 128], 200), [MEAN_WEIGHT; 128]);
    let mixed: Vec<_> = (0..128).map(|number| u128::MAX >> number).collect();
    assert!(
        weights(&mixed, 200)
            .iter()
            .all(|weight| (1..=2_000_000).contains(weight))
    );
}

/// What settlement gets when a session begins is that of the era that is active then.
#[test]
fn the_settlement_set_joins_vara_and_eth() {
    run(|| {
        Parameters::<Test>::put(eager());
        let accounts = |weights: Vec<(u64, u64)>| -> Vec<u64> {
            let mut accounts: Vec<_> = weights.into_iter().map(|(account, _)| account).collect();
            accounts.sort();
            accounts
        };
        next_era();
        assert_eq!(accounts(SetWeights::get()), [11, 21]);
        Collateral::set([(11, ETH)].into());
        let era = next_era();
        let set = SetWeights::get();
        assert_eq!(accounts(set.clone()), validators());
        let exposures = ValidatorElection::exposures(era).unwrap();
        let stake = |account: u64| {
            let one = exposures
                .iter()
                .find(|one| one.validator == account)
                .unwrap();
            one.vara + one.eth_votes
        };
        let total: u128 = validators().into_iter().map(stake).sum();
        for (account, weight) in set {
            let expected = stake(account) * 2 * u128::from(MEAN_WEIGHT) / total;
            assert_eq!(u128::from(weight), expected);
        }
    });
}

#[test]
fn unknown_eras_and_validators_weigh_alike() {
    run(|| {
        assert_eq!(
            ValidatorElection::weights(999, &[1, 2, 3]),
            [MEAN_WEIGHT; 3]
        );
        assert!(ValidatorElection::weights(0, &[]).is_empty());
        let with_stranger = ValidatorElection::weights(0, &[11, 21, 77]);
        assert_eq!(with_stranger[2], 1);
    });
}
