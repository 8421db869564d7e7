//! Credits become leaves.

use crate::{mock::*, *};
use gear_exe_primitives::{H160, H256, outbox::OutboxItem, rewards::RewardClaim};
use polkadot_sdk::{
    frame_support::{assert_noop, assert_ok},
    frame_system::RawOrigin,
    sp_runtime::DispatchError,
};

type Refused = Error<Test>;

/// Validators 1 to `count` have a credit of 100 each.
fn credits(count: u64) {
    let era = ActiveEra::get().unwrap();
    for validator in 1..=count {
        points(era, validator, 1);
    }
    end_era(500 * u128::from(count));
    assert_eq!(credit(count), 100);
}

#[test]
fn a_claim_becomes_a_leaf_with_a_proof() {
    run(|| {
        credits(3);
        assert_ok!(claim(1, 7));
        assert_ok!(claim(2, 5));
        assert_eq!((credit(1), credit(2), credit(3)), (0, 0, 100));
        let claimed = Event::Claimed {
            account: 2,
            to: address(5),
            amount: 100,
            era: 1,
        };
        assert!(events().contains(&claimed));
        assert_eq!(Rewards::proof(1, address(5)), None);
        assert_eq!(end_era(0), 1);
        let [
            OutboxItem::Rewards {
                era: 1,
                capture: 1_700_000_000,
                operators_root: root,
                operators_total: 200,
                vaults,
            },
        ] = &Pushed::get()[..]
        else {
            panic!("{:?}", Pushed::get());
        };
        assert!(vaults.is_empty());
        for to in [5, 7] {
            let proof = Rewards::proof(1, address(to)).unwrap();
            assert_eq!((proof.amount, proof.count), (100, 2));
            assert!(proof.verifies(*root, 1, address(to)));
        }
        assert_eq!(Rewards::proof(1, address(6)), None);
        assert_eq!(Rewards::proof(0, address(5)), None);
        let sent = Event::ClaimsSent {
            era: 1,
            item: FIRST_ITEM,
            root: *root,
            count: 2,
            amount: 200,
        };
        assert!(events().contains(&sent));
        assert_eq!(Emitted::<Test>::get(), 200);
        // Nothing is claimed in the next one, and nothing sent.
        end_era(0);
        assert_eq!(Pushed::get().len(), 1);
    });
}

#[test]
fn an_address_has_one_leaf_in_an_era() {
    run(|| {
        credits(3);
        for account in 1..=3 {
            assert_ok!(claim(account, 7));
        }
        let leaf = RewardClaim {
            to: address(7),
            amount: 300,
        };
        assert_eq!(Claims::<Test>::get().into_inner(), [leaf]);
        end_era(0);
        credits(1);
        assert_ok!(claim(1, 7));
        end_era(0);
        assert_eq!(Rewards::proof(1, address(7)).unwrap().amount, 300);
        assert_eq!(Rewards::proof(3, address(7)).unwrap().amount, 100);
    });
}

#[test]
fn claims_that_can_not_be_are_refused() {
    run(|| {
        assert_noop!(claim_only(1, address(7)), Refused::NothingToClaim);
        credits(1);
        assert_noop!(claim_only(1, H160::zero()), Refused::ZeroAddress);
        Rules::mutate(|rules| rules.min_claim = 101);
        assert_noop!(claim_only(1, address(7)), Refused::BelowMinimum);
        Rules::mutate(|rules| rules.min_claim = 100);
        assert_ok!(claim(1, 7));
        assert_noop!(claim_only(1, address(7)), Refused::NothingToClaim);
        for origin in [RawOrigin::Root, RawOrigin::None] {
            assert_noop!(
                Rewards::claim(origin.into(), address(7)),
                DispatchError::BadOrigin
            );
        }
    });
}

fn claim_only(account: AccountId, to: H160) -> polkadot_sdk::sp_runtime::DispatchResult {
    Rewards::claim(by(account), to)
}

#[test]
fn a_full_era_takes_no_new_address() {
    run(|| {
        let most = u64::from(MAX_CLAIMS);
        credits(most + 2);
        for account in 1..=most {
            assert_ok!(claim(account, account));
        }
        assert_noop!(
            claim_only(most + 1, address(most + 1)),
            Refused::TooManyClaims
        );
        // One that is there already is no new one.
        assert_ok!(claim(most + 2, 1));
        end_era(0);
        assert_ok!(claim(most + 1, most + 1));
    });
}

#[test]
fn roots_differ_by_era() {
    run(|| {
        let mut roots: Vec<H256> = Vec::new();
        for _ in 0..2 {
            credits(1);
            assert_ok!(claim(1, 7));
            end_era(0);
        }
        for item in Pushed::get() {
            if let OutboxItem::Rewards { operators_root, .. } = item {
                assert!(!roots.contains(&operators_root));
                roots.push(operators_root);
            }
        }
        assert_eq!(roots.len(), 2);
    });
}
