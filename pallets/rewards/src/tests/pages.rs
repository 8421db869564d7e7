//! Stakers of VARA are credited by pages.

use crate::{mock::*, *};
use polkadot_sdk::{
    frame_support::{assert_noop, assert_ok},
    frame_system::RawOrigin,
    sp_runtime::{DispatchError, Perbill},
};

type Refused = Error<Test>;

#[test]
fn commission_first_then_by_stake() {
    run(|| {
        one_validator(0);
        end_era(10_000);
        assert_eq!(credit(1), 2_000);
        assert_ok!(pay(1, 0, 0));
        // Of 8,000 a tenth is commission; the rest is shared 6 to 3 to 1.
        assert_eq!(credit(1), 2_000 + 800 + 4_320);
        assert_eq!((credit(11), credit(12)), (2_160, 720));
        assert_eq!(carried(), 0);
        assert!(Pots::<Test>::get(0, 1).is_none());
        let paid = Event::PagePaid {
            era: 0,
            validator: 1,
            page: 0,
            amount: 8_000,
        };
        assert!(events().contains(&paid));
        let credited = Event::Credited {
            era: 0,
            staker: 12,
            account: 12,
            amount: 720,
        };
        assert!(events().contains(&credited));
        assert_noop!(Rewards::pay_stakers(by(5), 1, 0, 0), Refused::NothingToPay);
    });
}

#[test]
fn pages_come_in_any_order_each_once() {
    run(|| {
        points(0, 1, 1);
        let pages = vec![
            vec![(11, 100), (12, 100)],
            vec![(13, 100)],
            vec![(14, 100), (11, 100)],
        ];
        let behind = Behind {
            commission: Perbill::from_percent(50),
            own: 100,
            pages,
        };
        expose(0, 1, behind);
        end_era(1_000);
        assert_eq!(credit(1), 200);
        assert_ok!(pay(1, 0, 2));
        // The validator is paid with the first page: half of 800, and a sixth of the rest.
        assert_eq!((credit(1), credit(11), credit(14)), (666, 66, 66));
        assert_noop!(Rewards::pay_stakers(by(5), 1, 0, 2), Refused::AlreadyPaid);
        assert_noop!(Rewards::pay_stakers(by(5), 1, 0, 3), Refused::NoSuchPage);
        assert_noop!(
            Rewards::pay_stakers(by(5), 1, 0, u32::MAX),
            Refused::NoSuchPage
        );
        assert_ok!(pay(1, 0, 0));
        assert_eq!((credit(1), credit(11), credit(12)), (666, 132, 66));
        assert_eq!(carried(), 0);
        assert_ok!(pay(1, 0, 1));
        assert_eq!(credit(13), 66);
        // 400 by sixths leave 4.
        assert_eq!(carried(), 4);
    });
}

#[test]
fn a_validator_without_nominators_has_a_page() {
    run(|| {
        points(0, 1, 1);
        points(0, 2, 1);
        expose(
            0,
            1,
            Behind {
                own: 5,
                ..Default::default()
            },
        );
        // Nothing behind it at all.
        expose(0, 2, Behind::default());
        end_era(1_000);
        assert_noop!(Rewards::pay_stakers(by(5), 1, 0, 1), Refused::NoSuchPage);
        assert_ok!(pay(1, 0, 0));
        assert_eq!((credit(1), carried()), (500, 0));
        assert_ok!(pay(2, 0, 0));
        assert_eq!((credit(2), carried()), (100, 400));
    });
}

#[test]
fn what_nobody_can_take_returns_to_the_income() {
    run(|| {
        points(0, 2, 1);
        let behind = Behind {
            pages: vec![vec![(11, 300), (GONE, 100), (NOBODY, 100)]],
            ..Default::default()
        };
        expose(0, 2, behind);
        end_era(1_000);
        assert_ok!(pay(2, 0, 0));
        assert_eq!((credit(11), credit(GONE), credit(NOBODY)), (480, 0, 0));
        assert_eq!(carried(), 320);
    });
}

#[test]
fn what_is_not_there_is_not_paid() {
    run(|| {
        one_validator(0);
        // Not over.
        assert_noop!(Rewards::pay_stakers(by(5), 1, 0, 0), Refused::NothingToPay);
        points(0, 2, 1);
        end_era(1_000);
        // Nobody; a validator of whom staking knows nothing.
        for validator in [2, 3] {
            assert_noop!(
                Rewards::pay_stakers(by(5), validator, 0, 0),
                Refused::NothingToPay
            );
        }
        for origin in [RawOrigin::Root, RawOrigin::None] {
            assert_noop!(
                Rewards::pay_stakers(origin.into(), 1, 0, 0),
                DispatchError::BadOrigin
            );
        }
    });
}

#[test]
fn more_stake_in_pages_than_in_all_pays_no_more_than_the_pot() {
    run(|| {
        points(0, 1, 1);
        let behind = Behind {
            own: 10,
            pages: vec![vec![(11, 10)], vec![(12, 10)]],
            ..Default::default()
        };
        expose(0, 1, behind.clone());
        end_era(1_000);
        assert_ok!(pay(1, 0, 0));
        // As staking would never do: the same with less behind it.
        expose(
            0,
            1,
            Behind {
                own: 0,
                pages: vec![vec![], vec![(12, 10)]],
                ..behind
            },
        );
        assert_ok!(pay(1, 0, 1));
        assert_eq!(credit(1) + credit(11) + credit(12), 1_000 - carried());
        assert_eq!(carried(), 0);
    });
}
