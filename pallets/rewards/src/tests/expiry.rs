//! What is old goes; nothing that it was for is lost.

use crate::{mock::*, *};
use polkadot_sdk::{
    frame_support::{assert_noop, assert_ok},
    frame_system::RawOrigin,
};

#[test]
fn unpaid_pots_return_to_the_income() {
    run(|| {
        one_validator(0);
        points(0, 2, 20);
        expose(
            0,
            2,
            Behind {
                own: 1,
                pages: vec![vec![(11, 1)], vec![(12, 1)]],
                ..Default::default()
            },
        );
        end_era(10_000);
        assert_ok!(pay(2, 0, 1));
        let left = Pots::<Test>::get(0, 2).unwrap().left;
        assert_eq!(left, 4_000 - 2 * 1_333);
        // Eras 1 to 4 run: era 0 can still be paid.
        for era in 2..=HISTORY {
            end_era(0);
            assert_eq!(ActiveEra::get(), Some(era));
            assert_eq!(Pots::<Test>::iter_prefix(0).count(), 2);
        }
        end_era(0);
        assert_eq!(Pots::<Test>::iter_prefix(0).count(), 0);
        assert_noop!(
            Rewards::pay_stakers(by(5), 1, 0, 0),
            Error::<Test>::NothingToPay
        );
        let returned = Event::Returned {
            era: 0,
            amount: 4_000 + left,
        };
        assert!(events().contains(&returned));
        assert_eq!(carried(), 4_000 + left);
        assert_eq!(Divisions::<Test>::get(0), None);
        // Credits stay.
        assert_eq!((credit(12), credit(2)), (1_333, 1_000 + 1_333));
    });
}

#[test]
fn items_of_vaults_go_with_their_era_and_claims_later() {
    run(|| {
        points(0, 1, 1);
        end_era(1_000);
        claim(1, 7).unwrap();
        points(1, 1, 1);
        stake(1, vec![eth(1, 1, &[(1, 1)])]);
        end_era(1_000);
        SettledEnd::set(u64::MAX);
        let refused = |item| {
            assert_noop!(
                Rewards::note_skipped(RawOrigin::Root.into(), 1, item),
                Error::<Test>::UnknownItem
            );
        };
        while ActiveEra::get() < Some(1 + HISTORY) {
            end_era(0);
            assert_eq!(Items::<Test>::iter().count(), 2);
        }
        end_era(0);
        assert_eq!(Items::<Test>::iter().count(), 1);
        assert_eq!(Marks::<Test>::iter().count(), 0);
        refused(FIRST_ITEM + 1);
        while ActiveEra::get() < Some(1 + PROOFS) {
            assert!(Rewards::proof(1, address(7)).is_some());
            end_era(0);
        }
        assert!(Rewards::proof(1, address(7)).is_some());
        assert!(Rewards::is_open(1, FIRST_ITEM));
        end_era(0);
        assert!(Rewards::proof(1, address(7)).is_none());
        assert_eq!(Items::<Test>::iter().count(), 0);
        refused(FIRST_ITEM);
    });
}

#[test]
fn eras_that_were_jumped_over_do_no_harm() {
    run(|| {
        one_validator(0);
        Spent::mutate(|spent| *spent += 1_000);
        ActiveEra::set(Some(50));
        next_block();
        assert_eq!(credit(1), 200);
        for _ in 0..60 {
            end_era(1);
        }
        assert!(Pots::<Test>::iter().next().is_none());
    });
}

#[test]
fn before_the_first_era_nothing_happens() {
    run(|| {
        SeenEra::<Test>::kill();
        ActiveEra::set(None);
        Spent::mutate(|spent| *spent += 1_000);
        next_block();
        assert_eq!(Taken::<Test>::get(), 0);
        points(3, 1, 1);
        ActiveEra::set(Some(3));
        next_block();
        assert_eq!(Taken::<Test>::get(), 0);
        end_era(0);
        assert_eq!((Taken::<Test>::get(), credit(1)), (1_000, 200));
    });
}
