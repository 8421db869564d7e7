//! Each invariant is noticed when it is broken.

use crate::{mock::*, *};
use gear_exe_primitives::rewards::RewardClaim;
use polkadot_sdk::frame_support::{BoundedVec, traits::ConstU32};

fn broken(act: impl FnOnce()) {
    new_test_ext().execute_with(|| {
        one_validator(0);
        end_era(10_000);
        claim(1, 7).unwrap();
        points(1, 1, 1);
        end_era(1_000);
        claim(1, 7).unwrap();
        Rewards::do_try_state().unwrap();
        act();
        assert!(Rewards::do_try_state().is_err());
    });
}

fn claims(list: &[(u64, u128)]) -> BoundedVec<RewardClaim, ConstU32<MAX_CLAIMS>> {
    let claims = list.iter().map(|(to, amount)| RewardClaim {
        to: address(*to),
        amount: *amount,
    });
    BoundedVec::truncate_from(claims.collect())
}

fn waiting(list: &[(EraIndex, u64)]) -> BoundedVec<(EraIndex, u64), ConstU32<MAX_WAITING>> {
    BoundedVec::truncate_from(list.to_vec())
}

#[test]
fn sums_that_do_not_add_up() {
    broken(|| Carried::<Test>::mutate(|carried| *carried += 1));
    broken(|| Emitted::<Test>::put(0));
    broken(|| Credits::<Test>::insert(5, 1));
    broken(|| Credits::<Test>::insert(5, u128::MAX));
    broken(|| Credits::<Test>::insert(5, 0));
    broken(|| Pots::<Test>::remove(0, 1));
    broken(Claims::<Test>::kill);
    broken(|| LastSpent::<Test>::put(10));
}

#[test]
fn shares_of_pools_that_do_not_add_up() {
    let broken = |act: fn()| {
        new_test_ext().execute_with(|| {
            found(1, None);
            pledge(30, 1, 100);
            points(0, 2, 1);
            let behind = Behind {
                pages: vec![vec![(POOL + 1, 1)]],
                ..Default::default()
            };
            expose(0, 2, behind);
            end_era(1_000);
            pay(2, 0, 0).unwrap();
            pledge(31, 1, 100);
            Rewards::do_try_state().unwrap();
            act();
            assert!(Rewards::do_try_state().is_err());
        });
    };
    broken(|| PoolShares::<Test>::mutate(1, |share| share.as_mut().unwrap().left += 1));
    // The same in all, but less than is owed.
    broken(|| {
        PoolShares::<Test>::mutate(1, |share| share.as_mut().unwrap().left -= 1);
        Carried::<Test>::mutate(|carried| *carried += 1);
    });
    broken(|| {
        Pools::mutate(|pools| *pools.get_mut(&1).unwrap().members.get_mut(&30).unwrap() += 1)
    });
    broken(|| MemberMarks::<Test>::remove(31));
    broken(|| {
        Pools::mutate(|pools| pools.remove(&1));
    });
    broken(|| {
        let nothing = PoolShare::default();
        found(2, None);
        PoolShares::<Test>::insert(2, nothing);
    });
    broken(|| {
        Pools::mutate(|pools| pools.get_mut(&1).unwrap().members.remove(&31));
    });
    broken(|| {
        let mark = MemberMark {
            pool: 1,
            per_point: u128::MAX,
        };
        MemberMarks::<Test>::insert(31, mark);
    });
    broken(|| {
        let mark = MemberMark {
            pool: 2,
            per_point: 0,
        };
        MemberMarks::<Test>::insert(31, mark);
    });
}

#[test]
fn history_out_of_order() {
    broken(|| FirstKept::<Test>::put(1));
    broken(|| FirstTree::<Test>::put(2));
    broken(|| {
        Pots::<Test>::mutate(0, 1, |pot| {
            if let Some(pot) = pot {
                pot.total -= 1;
            }
        })
    });
    broken(|| {
        let pot = Pots::<Test>::take(0, 1).unwrap();
        Pots::<Test>::insert(7, 1, pot);
    });
    broken(|| Items::<Test>::insert(0, 1, Sent::Vaults(0)));
    broken(|| Items::<Test>::insert(2, 1, Sent::Vaults(1)));
    broken(|| Items::<Test>::insert(1, FIRST_ITEM, Sent::Claims(201)));
    broken(|| Items::<Test>::insert(0, FIRST_ITEM, Sent::Claims(200)));
    // More than was sent.
    broken(|| Items::<Test>::insert(0, 1, Sent::Vaults(1)));
    let mark = |amount| gear_exe_primitives::outbox::VaultReward {
        vault: address(1),
        amount,
    };
    broken(|| Marks::<Test>::insert(0, 1, mark(1)));
    broken(|| Marks::<Test>::insert(1, FIRST_ITEM, mark(1)));
    broken(|| Waiting::<Test>::put(waiting(&[(1, FIRST_ITEM)])));
    broken(|| {
        SettledEnd::set(u64::MAX);
        Waiting::<Test>::put(waiting(&[(1, FIRST_ITEM), (1, FIRST_ITEM)]));
    });
    broken(|| {
        SettledEnd::set(u64::MAX);
        Waiting::<Test>::put(waiting(&[(0, FIRST_ITEM)]));
    });
    broken(|| Again::<Test>::put(crate::fates::AGAIN_PER_ERA + 1));
    broken(|| Divisions::<Test>::insert(2, Division::default()));
    broken(|| Claims::<Test>::put(claims(&[(8, 100), (7, 100)])));
    broken(|| Claims::<Test>::put(claims(&[(7, 200), (8, 0)])));
    let tree = |capture, list: &[(u64, u128)]| Tree {
        capture,
        claims: claims(list),
    };
    broken(|| Trees::<Test>::insert(1, tree(1, &[])));
    broken(|| Trees::<Test>::insert(1, tree(0, &[(1, 1)])));
    broken(|| Trees::<Test>::insert(1, tree(1, &[(2, 1), (1, 1)])));
    broken(|| Trees::<Test>::insert(2, tree(1, &[(1, 1)])));
}
