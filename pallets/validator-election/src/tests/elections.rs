//! Elections by VARA and ETH, with the real staking around them.

use crate::{ElectionParameters, Elections, Event, Exposures, Parameters, mock::*};
use polkadot_sdk::{
    frame_support::assert_ok, frame_system::RawOrigin, pallet_staking, sp_runtime::Perbill,
};
use std::collections::BTreeSet;

/// One operator may count for all of ETH, and a little ETH counts in full.
pub fn eager() -> ElectionParameters {
    ElectionParameters {
        vara_share: Perbill::from_percent(60),
        full_weight: ETH,
        max_operator_share: Perbill::one(),
        max_weight: 200,
    }
}

#[test]
fn vara_elects_at_genesis() {
    run(|| {
        assert_eq!(validators(), [11, 21]);
        let record = Elections::<Test>::get(0).unwrap();
        assert_eq!(record.vara, 3_700);
        assert_eq!(record.vara_only, Some(crate::VaraOnlyReason::NoStake));
    });
}

#[test]
fn eth_elects_whom_vara_would_not() {
    run(|| {
        Parameters::<Test>::put(eager());
        Collateral::mutate(|all| all.insert(41, 5 * ETH));
        let era = next_era();
        assert_eq!(validators().len(), 2);
        assert!(validators().contains(&41));
        let record = Elections::<Test>::get(era).unwrap();
        // 40 % of all: two thirds of VARA's.
        assert_eq!(record.vara, 3_700);
        assert_eq!(record.eth_votes, 3_700 * 2 / 3);
        assert_eq!(record.eth, 5 * ETH);
        assert_eq!(record.vara_only, None);
        assert!(events().contains(&Event::Elected {
            era,
            validators: 2,
            record
        }));
        let exposures = ValidatorElection::exposures(era).unwrap();
        let of = |account| {
            *exposures
                .iter()
                .find(|one| one.validator == account)
                .unwrap()
        };
        assert_eq!(of(41).eth, 5 * ETH);
        assert_eq!(of(41).vara, 400);
        assert!(of(41).eth_votes > 0);
    });
}

#[test]
fn the_books_of_staking_stay_in_vara() {
    run(|| {
        Parameters::<Test>::put(eager());
        Collateral::set([(11, ETH), (21, 2 * ETH), (41, 5 * ETH)].into());
        let era = next_era();
        let accounts: BTreeSet<u64> = CANDIDATES
            .iter()
            .map(|(account, _)| *account)
            .chain([NOMINATOR])
            .collect();
        let mut total = 0;
        for validator in validators() {
            let exposure = staking_exposure(validator);
            total += exposure.total;
            let own = CANDIDATES.iter().find(|one| one.0 == validator).unwrap().1;
            assert_eq!(exposure.own, own);
            assert!(exposure.total - exposure.own <= 500);
            let pages = pallet_staking::ErasStakersPaged::<Test>::iter_prefix((era, validator));
            for (_, page) in pages {
                assert!(
                    page.others
                        .iter()
                        .all(|other| accounts.contains(&other.who))
                );
            }
            // It is what this pallet kept, too.
            let kept = ValidatorElection::exposures(era).unwrap();
            let kept = kept.iter().find(|one| one.validator == validator).unwrap();
            assert_eq!(kept.vara, exposure.total);
        }
        assert_eq!(pallet_staking::ErasTotalStake::<Test>::get(era), total);
    });
}

#[test]
fn collateral_of_others_than_candidates_does_not_count() {
    run(|| {
        Parameters::<Test>::put(eager());
        Collateral::set([(NOMINATOR, ETH), (77, ETH), (31, 0)].into());
        let era = next_era();
        let record = Elections::<Test>::get(era).unwrap();
        assert_eq!((record.eth, record.eth_votes), (0, 0));
        assert_eq!(validators(), [11, 21]);
    });
}

#[test]
fn a_little_eth_decides_little() {
    run(|| {
        Parameters::<Test>::put(ElectionParameters {
            full_weight: 100 * ETH,
            ..eager()
        });
        Collateral::set([(51, ETH)].into());
        let era = next_era();
        // A hundredth of two thirds.
        assert_eq!(
            Elections::<Test>::get(era).unwrap().eth_votes,
            3_700 * 2 / 300
        );
        assert_eq!(validators(), [11, 21]);
        // A billion times more is no more than all of it.
        Collateral::set([(51, 1_000_000_000 * ETH)].into());
        let era = next_era();
        assert_eq!(
            Elections::<Test>::get(era).unwrap().eth_votes,
            3_700 * 2 / 3
        );
        assert!(validators().contains(&51));
    });
}

#[test]
fn one_operator_counts_for_its_share_only() {
    run(|| {
        Parameters::<Test>::put(ElectionParameters {
            max_operator_share: Perbill::from_percent(10),
            ..eager()
        });
        Collateral::set([(51, u128::MAX / 2), (41, 1)].into());
        let era = next_era();
        let record = Elections::<Test>::get(era).unwrap();
        assert_eq!(record.eth_votes, 3_700 * 2 / 30);
    });
}

#[test]
fn extreme_collateral_does_not_overflow() {
    run(|| {
        Parameters::<Test>::put(eager());
        Collateral::set(CANDIDATES.iter().map(|one| (one.0, u128::MAX)).collect());
        let era = next_era();
        let record = Elections::<Test>::get(era).unwrap();
        assert_eq!(record.eth, u128::MAX);
        assert!(record.eth_votes <= 3_700 * 2 / 3);
    });
}

#[test]
fn only_the_largest_backers_stay() {
    run(|| {
        MaxBackers::set(1);
        let era = next_era();
        for exposure in ValidatorElection::exposures(era).unwrap() {
            assert_eq!(exposure.vara, 1_000);
            assert_eq!(staking_exposure(exposure.validator).total, 1_000);
        }
    });
}

#[test]
fn history_is_bounded() {
    run(|| {
        for _ in 0..8 {
            next_era();
        }
        let mut eras: Vec<_> = Exposures::<Test>::iter_keys().collect();
        eras.sort();
        // The next era may be elected already.
        let newest = *eras.last().unwrap();
        assert!(newest >= active_era());
        assert_eq!(eras, (newest - 4..=newest).collect::<Vec<_>>());
        assert_eq!(Elections::<Test>::iter_keys().count(), eras.len());
    });
}

/// Staking's own calls lead to the next election as they always do.
#[test]
fn stakers_change_the_set() {
    run(|| {
        Parameters::<Test>::put(eager());
        assert_ok!(Staking::bond_extra(RawOrigin::Signed(31).into(), 5_000));
        assert_ok!(Staking::chill(RawOrigin::Signed(21).into()));
        next_era();
        assert_eq!(validators(), [11, 31]);
        // Collateral of one that stands no more counts no more.
        Collateral::set([(21, ETH)].into());
        let era = next_era();
        assert_eq!(Elections::<Test>::get(era).unwrap().eth, 0);
    });
}
