//! What pools earn reaches their members.

use crate::{mock::*, *};
use polkadot_sdk::{
    frame_support::{assert_noop, assert_ok},
    frame_system::RawOrigin,
    sp_runtime::DispatchError,
};

type Refused = Error<Test>;

/// A pool earns this much, all of an era's income, and is paid.
fn earn(pool: PoolId, amount: u128) {
    let era = ActiveEra::get().unwrap();
    Rules::set(rules(0, 100, 0));
    points(era, 2, 1);
    let behind = Behind {
        pages: vec![vec![(POOL + u64::from(pool), 100)]],
        ..Default::default()
    };
    expose(era, 2, behind);
    end_era(amount);
    assert_ok!(pay(2, era, 0));
}

fn left(pool: PoolId) -> u128 {
    PoolShares::<Test>::get(pool).map_or(0, |share| share.left)
}

#[test]
fn members_share_by_points_after_the_commission() {
    run(|| {
        found(1, Some((10, 7)));
        pledge(30, 1, 100);
        pledge(31, 1, 300);
        earn(1, 1_000);
        // Whoever takes the commission has it at once.
        assert_eq!((credit(7), credit(30), left(1)), (100, 0, 900));
        let earned = Event::PoolEarned {
            era: 0,
            pool: 1,
            points: 400,
            amount: 900,
        };
        let commission = Event::Credited {
            era: 0,
            staker: POOL + 1,
            account: 7,
            amount: 100,
        };
        assert!(events().contains(&earned) && events().contains(&commission));
        assert_eq!(Rewards::pool_share(&31), 675);
        assert_ok!(settle(31));
        assert_eq!((credit(31), left(1)), (675, 225));
        let credited = Event::ShareCredited {
            pool: 1,
            member: 31,
            amount: 675,
        };
        assert!(events().contains(&credited));
        assert_noop!(Rewards::claim_pool_share(by(31), 31), Refused::NoPoolShare);
        // Who claims need not ask for it.
        assert_ok!(claim(30, 5));
        assert_eq!((left(1), Claims::<Test>::get()[0].amount), (0, 225));
    });
}

#[test]
fn each_has_what_was_earned_while_it_had_points() {
    run(|| {
        found(1, None);
        pledge(30, 1, 100);
        earn(1, 100);
        pledge(31, 1, 100);
        earn(1, 100);
        pledge(30, 1, 200);
        pledge(32, 1, 100);
        earn(1, 500);
        unbond(30, 1, 250);
        unbond(31, 1, 100);
        earn(1, 300);
        for member in [30, 31, 32] {
            let _ = settle(member);
        }
        assert_eq!(credit(30), 100 + 50 + 300 + 100);
        assert_eq!(credit(31), 50 + 100);
        assert_eq!(credit(32), 100 + 200);
        assert_eq!((left(1), carried()), (0, 0));
        // What is credited stays with who leaves, and where it goes next it begins anew.
        leave(31, 1);
        found(2, None);
        pledge(33, 2, 100);
        earn(2, 70);
        pledge(31, 2, 100);
        assert_noop!(Rewards::claim_pool_share(by(5), 31), Refused::NoPoolShare);
        earn(2, 80);
        assert_ok!(settle(31));
        assert_eq!(credit(31), 150 + 40);
    });
}

#[test]
fn points_that_are_all_unbonded_earn_nothing() {
    run(|| {
        found(1, Some((100, 7)));
        earn(1, 100);
        assert_eq!((credit(7), carried()), (0, 100));
        pledge(30, 1, 100);
        unbond(30, 1, 100);
        earn(1, 100);
        assert_eq!((credit(7), carried(), left(1)), (0, 200, 0));
    });
}

#[test]
fn a_commission_that_nobody_could_take_is_the_members() {
    run(|| {
        for to in [POOL + 2, POOL + 1, NOBODY] {
            found(1, Some((50, to)));
            pledge(30, 1, 1);
            earn(1, 100);
            assert_ok!(settle(30));
            assert_eq!(credit(to), 0);
            unbond(30, 1, 1);
            leave(30, 1);
            dissolve(1);
        }
        assert_eq!((credit(30), carried()), (300, 0));
    });
}

#[test]
fn what_rounding_leaves_returns_when_the_pool_is_gone() {
    run(|| {
        found(1, None);
        for member in 30..33 {
            pledge(member, 1, 1);
        }
        earn(1, 10);
        assert_eq!((left(1), carried()), (10, 0));
        for member in 30..33 {
            unbond(member, 1, 1);
            assert_eq!(credit(member), 3);
            leave(member, 1);
        }
        assert_eq!(left(1), 1);
        dissolve(1);
        assert_eq!(carried(), 1);
        let gone = Event::PoolGone { pool: 1, amount: 1 };
        assert!(events().contains(&gone));
        // Another of the same number knows nothing of it.
        found(1, None);
        pledge(30, 1, 1);
        assert_noop!(Rewards::claim_pool_share(by(30), 30), Refused::NoPoolShare);
        earn(1, 9);
        assert_ok!(settle(30));
        assert_eq!((credit(30), left(1)), (13, 0));
    });
}

#[test]
fn what_is_too_little_for_so_many_points_is_nobodys() {
    run(|| {
        found(1, None);
        pledge(30, 1, 3 * PARTS * PARTS);
        // Less than the smallest part of a base unit for a point.
        earn(1, 2);
        assert_eq!((left(1), carried()), (0, 2));
        // What a point gets is rounded down: the rest is no member's.
        earn(1, 3 * PARTS + 4);
        assert_eq!((left(1), carried()), (3 * PARTS, 6));
    });
}

#[test]
fn numbers_that_are_too_great_are_not_taken() {
    run(|| {
        found(1, None);
        pledge(30, 1, 1);
        let most = u128::MAX / PARTS;
        earn(1, most + 1);
        assert_eq!((left(1), carried()), (0, most + 1));
    });
    run(|| {
        found(1, None);
        pledge(30, 1, 1);
        // Either alone would do.
        let half = u128::MAX / PARTS / 2 + 1;
        earn(1, half);
        earn(1, half);
        assert_eq!((left(1), carried()), (half, half));
        assert_ok!(settle(30));
        assert_eq!(credit(30), half);
    });
}

#[test]
fn a_member_from_before_has_its_part_of_all() {
    run(|| {
        // As if nobody had told of it.
        found(1, None);
        Pools::mutate(|pools| pools.get_mut(&1).unwrap().members.insert(30, 100));
        earn(1, 100);
        assert_eq!(MemberMarks::<Test>::get(30), None);
        pledge(31, 1, 100);
        earn(1, 100);
        unbond(30, 1, 50);
        assert_eq!(credit(30), 150);
    });
}

#[test]
fn an_old_mark_takes_nothing() {
    run(|| {
        found(1, None);
        found(2, None);
        pledge(30, 1, 100);
        pledge(31, 2, 100);
        earn(1, 100);
        earn(2, 300);
        // Nobody has told that it has gone elsewhere.
        let mark = MemberMark {
            pool: 1,
            per_point: 0,
        };
        MemberMarks::<Test>::insert(31, mark);
        assert_eq!(Rewards::pool_share(&31), 0);
        assert_eq!(Rewards::settle_member(&31), 0);
        MemberMarks::<Test>::remove(31);
        assert_ok!(settle(31));
        assert_eq!(credit(31), 300);
    });
}

#[test]
fn only_shares_that_are_there_are_credited() {
    run(|| {
        found(1, None);
        pledge(30, 1, 100);
        for (caller, member) in [(30, 30), (5, 30), (5, 5)] {
            assert_noop!(
                Rewards::claim_pool_share(by(caller), member),
                Refused::NoPoolShare
            );
        }
        assert_noop!(Rewards::claim(by(30), address(1)), Refused::NothingToClaim);
        earn(1, 9);
        // Less than the least: it stays where it is.
        assert_noop!(Rewards::claim(by(30), address(1)), Refused::BelowMinimum);
        assert_eq!((credit(30), left(1)), (0, 9));
        for origin in [RawOrigin::Root, RawOrigin::None] {
            assert_noop!(
                Rewards::claim_pool_share(origin.into(), 30),
                DispatchError::BadOrigin
            );
        }
    });
}

#[test]
fn a_page_costs_by_its_stakers_and_pools() {
    run(|| {
        found(1, None);
        pledge(30, 1, 100);
        points(0, 2, 1);
        let behind = Behind {
            pages: vec![vec![(11, 1), (POOL + 1, 1), (12, 1)]],
            ..Default::default()
        };
        expose(0, 2, behind);
        end_era(1_000);
        let weight = Rewards::pay_stakers(by(5), 2, 0, 0).unwrap().actual_weight;
        assert_eq!(weight, Some(<() as WeightInfo>::pay_stakers(2, 1)));
    });
}
