//! Who is bound to which address, and for how long.

use crate::{Error, Event, HoldReason, Nonces, OperatorOf, Operators, mock::*};
use gear_exe_primitives::{H160, H256, batch::RouterDomain, signature::CompactSignature};
use polkadot_sdk::{
    frame_support::{assert_noop, assert_ok, traits::fungible::InspectHold},
    frame_system::RawOrigin,
    sp_runtime::{DispatchError, TokenError},
};

fn held(account: u64) -> u64 {
    Balances::balance_on_hold(&HoldReason::OperatorDeposit.into(), &account)
}

#[test]
fn an_operator_is_bound_and_leaves_a_deposit() {
    run(|| {
        assert_ok!(register(1));
        assert_eq!(Restaking::operator_address(&1), Some(address(1)));
        assert_eq!(OperatorOf::<Test>::get(address(1)), Some(1));
        assert_eq!(held(1), DEPOSIT);
        assert_eq!(
            events().last(),
            Some(&Event::OperatorRegistered {
                account: 1,
                address: address(1)
            })
        );
    });
}

#[test]
fn each_account_has_one_address_and_each_address_one_account() {
    run(|| {
        assert_ok!(register(1));
        assert_noop!(register(1), Error::<Test>::AlreadyOperator);
        let digest = Restaking::binding(&2, address(1)).digest(&ROUTER);
        let signature = CompactSignature::sign(&secret(1), digest).unwrap();
        let origin = RawOrigin::Signed(2).into();
        assert_noop!(
            Restaking::register_operator(origin, address(1), signature),
            Error::<Test>::AddressTaken
        );
    });
}

#[test]
fn only_signed_accounts_register() {
    run(|| {
        for origin in [RawOrigin::Root, RawOrigin::None, RawOrigin::Authorized] {
            assert_noop!(
                Restaking::register_operator(origin.clone().into(), address(1), consent(1)),
                DispatchError::BadOrigin
            );
            assert_noop!(
                Restaking::deregister_operator(origin.clone().into()),
                DispatchError::BadOrigin
            );
            assert_noop!(
                Restaking::withdraw_operator(origin.into()),
                DispatchError::BadOrigin
            );
        }
    });
}

#[test]
fn foreign_signatures_bind_nobody() {
    run(|| {
        let try_with = |signature| {
            Restaking::register_operator(RawOrigin::Signed(1).into(), address(1), signature)
        };
        let binding = Restaking::binding(&1, address(1));
        let sign = |key: u64, digest: H256| CompactSignature::sign(&secret(key), digest).unwrap();
        let other_chain = RouterDomain {
            chain_id: 1,
            ..ROUTER
        };
        let other_router = RouterDomain {
            router: H160::repeat_byte(8),
            ..ROUTER
        };
        let mut other_genesis = binding;
        other_genesis.genesis = H256::zero();
        let mut later = binding;
        later.nonce = 1;
        for signature in [
            // By another key; for another account; of another chain, Router, genesis, nonce; nonsense.
            sign(2, binding.digest(&ROUTER)),
            consent(2),
            sign(1, Restaking::binding(&2, address(1)).digest(&ROUTER)),
            sign(1, binding.digest(&other_chain)),
            sign(1, binding.digest(&other_router)),
            sign(1, other_genesis.digest(&ROUTER)),
            sign(1, later.digest(&ROUTER)),
            CompactSignature([0; 64]),
            CompactSignature([0xff; 64]),
        ] {
            assert_noop!(try_with(signature), Error::<Test>::BadSignature);
        }
        Domain::set(None);
        assert_noop!(try_with(consent(1)), Error::<Test>::NoRouter);
        Domain::set(Some(ROUTER));
        assert_ok!(try_with(sign(1, binding.digest(&ROUTER))));
    });
}

#[test]
fn a_deposit_must_be_there() {
    run(|| {
        // Account 20 has nothing.
        assert_noop!(register(20), TokenError::FundsUnavailable);
        assert_eq!(Operators::<Test>::count(), 0);
    });
}

#[test]
fn operators_are_bounded() {
    run(|| {
        MaxOperators::set(2);
        assert_ok!(register(1));
        assert_ok!(register(2));
        assert_noop!(register(3), Error::<Test>::TooManyOperators);
    });
}

#[test]
fn an_operator_leaves_when_it_can_be_slashed_no_more() {
    run(|| {
        assert_ok!(register(1));
        // Era 1: the stake of era 2 is being read with it.
        next_era();
        let me = || RawOrigin::Signed(1).into();
        assert_noop!(
            Restaking::withdraw_operator(me()),
            Error::<Test>::NotLeaving
        );
        assert_ok!(Restaking::deregister_operator(me()));
        assert_eq!(
            events().last(),
            Some(&Event::OperatorLeaving {
                account: 1,
                last_era: 2,
                free_in: 2 + SLASH_WINDOW + 1
            })
        );
        assert_noop!(
            Restaking::deregister_operator(me()),
            Error::<Test>::AlreadyLeaving
        );
        assert_noop!(register(1), Error::<Test>::AlreadyOperator);
        agree(&weth(&[(1, ETH)]));
        assert_eq!(Restaking::stakes(2), [(1, ETH)]);
        while ActiveEra::get() < Some(2 + SLASH_WINDOW) {
            next_era();
            assert_noop!(Restaking::withdraw_operator(me()), Error::<Test>::TooEarly);
            assert!(crate::Eligible::<Test>::get().is_empty());
            assert_eq!(Restaking::operator_address(&1), Some(address(1)));
        }
        next_era();
        assert_ok!(Restaking::withdraw_operator(me()));
        assert_eq!(held(1), 0);
        assert_eq!(Restaking::operator_address(&1), None);
        assert_eq!(OperatorOf::<Test>::get(address(1)), None);
        assert_noop!(
            Restaking::withdraw_operator(me()),
            Error::<Test>::NotOperator
        );
        assert_noop!(
            Restaking::deregister_operator(me()),
            Error::<Test>::NotOperator
        );
    });
}

#[test]
fn a_signature_binds_once() {
    run(|| {
        let signature = consent(1);
        assert_ok!(register(1));
        assert_eq!(Nonces::<Test>::get(address(1)), 1);
        assert_ok!(Restaking::deregister_operator(RawOrigin::Signed(1).into()));
        (0..10).for_each(|_| {
            next_era();
        });
        assert_ok!(Restaking::withdraw_operator(RawOrigin::Signed(1).into()));
        let origin = RawOrigin::Signed(1).into();
        assert_noop!(
            Restaking::register_operator(origin, address(1), signature),
            Error::<Test>::BadSignature
        );
        assert_ok!(register(1));
    });
}

/// While it is leaving its stake does not count a second time.
#[test]
fn stake_of_an_operator_that_has_left_is_not_used_again() {
    run_with_operators(|| {
        agree(&weth(&[(1, ETH), (2, ETH)]));
        assert_ok!(Restaking::deregister_operator(RawOrigin::Signed(1).into()));
        next_era();
        // Nobody reads the stake of era 3.
        next_era();
        let again = Restaking::stakes(3);
        assert_eq!(again.len(), 1);
        assert_eq!(again[0].0, 2);
    });
}
