//! Locking VARA.

use crate::{Error, Event, Locked, NextMint, mock::*};
use gear_exe_primitives::{H160, outbox::OutboxItem};
use polkadot_sdk::{
    frame_support::{
        assert_noop, assert_ok,
        traits::{LockableCurrency, WithdrawReasons},
    },
    frame_system::RawOrigin,
    sp_runtime::{AccountId32, DispatchError, TokenError},
};

#[test]
fn what_is_locked_is_minted_on_ethereum() {
    run(|| {
        assert_ok!(lock(0, BOB, 300));
        assert_ok!(lock(1, H160::repeat_byte(2), MIN_LOCK));
        assert_eq!((free(0), free(1), held()), (700, MONEY - MIN_LOCK, 320));
        assert_eq!(
            Items::get(),
            [
                OutboxItem::Mint {
                    id: 0,
                    to: BOB,
                    amount: 300
                },
                OutboxItem::Mint {
                    id: 1,
                    to: H160::repeat_byte(2),
                    amount: MIN_LOCK
                },
            ]
        );
        assert_eq!(
            events()[0],
            Event::VaraLocked {
                id: 0,
                account: account(0),
                to: BOB,
                amount: 300,
                item: 0
            }
        );
        assert_eq!(NextMint::<Test>::get(), 2);
        assert_eq!(Balances::total_issuance(), 10 * MONEY);
    });
}

#[test]
fn only_accounts_lock() {
    run(|| {
        for origin in [
            RawOrigin::<AccountId32>::Root,
            RawOrigin::None,
            RawOrigin::Authorized,
        ] {
            assert_noop!(
                Bridge::lock(origin.clone().into(), BOB, 300),
                DispatchError::BadOrigin
            );
            assert_noop!(
                Bridge::claim(origin.into(), account(0)),
                DispatchError::BadOrigin
            );
        }
    });
}

#[test]
fn nobody_can_use_wvara_at_some_addresses() {
    run(|| {
        for to in [H160::zero(), ROUTER] {
            assert_noop!(lock(0, to, 300), Error::<Test>::BadAddress);
        }
    });
}

#[test]
fn small_amounts_are_refused() {
    run(|| {
        for amount in [0, 1, MIN_LOCK - 1] {
            assert_noop!(lock(0, BOB, amount), Error::<Test>::TooLittle);
        }
        // Whatever governance says, an account's least balance is the least.
        Rules::mutate(|rules| rules.min_lock = 0);
        assert_noop!(lock(0, BOB, ED - 1), Error::<Test>::TooLittle);
        assert_ok!(lock(0, BOB, ED));
    });
}

#[test]
fn an_account_keeps_its_least_balance() {
    run(|| {
        for amount in [MONEY + 1, MONEY, MONEY - ED + 1] {
            assert!(lock(0, BOB, amount).is_err());
        }
        assert_noop!(lock(0, BOB, u128::MAX), TokenError::FundsUnavailable);
        assert_ok!(lock(0, BOB, MONEY - ED));
        assert_eq!(free(0), ED);
    });
}

#[test]
fn what_is_staked_cannot_be_locked() {
    run(|| {
        Balances::set_lock(*b"staking ", &account(0), 900, WithdrawReasons::all());
        assert_noop!(lock(0, BOB, 101), TokenError::FundsUnavailable);
        assert_ok!(lock(0, BOB, 100));
        assert_eq!(free(0), 900);
    });
}

#[test]
fn nothing_is_locked_while_paused_or_without_a_router() {
    run(|| {
        Rules::mutate(|rules| rules.paused = true);
        assert_noop!(lock(0, BOB, 300), Error::<Test>::Paused);
        Rules::mutate(|rules| rules.paused = false);
        Bound::set(None);
        assert_noop!(lock(0, BOB, 300), Error::<Test>::NoRouter);
    });
}

#[test]
fn what_others_send_to_the_bridge_is_not_locked() {
    run(|| {
        assert_ok!(lock(0, BOB, 300));
        let gift = RawOrigin::Signed(account(1)).into();
        assert_ok!(Balances::transfer_allow_death(gift, Bridge::account(), 500));
        assert_eq!((held(), Locked::<Test>::get()), (300, 300));
        agree(&[burn(0, 2, 400)]);
        assert_eq!((held(), free(2)), (300, MONEY));
    });
}

#[test]
fn the_first_wvara_is_backed() {
    run_with(5_000, || {
        assert_eq!(held(), 5_000);
        assert_eq!(Balances::total_issuance(), 10 * MONEY + 5_000);
        assert_eq!(Balances::free_balance(Bridge::account()), 0);
        agree(&[burn(0, 1, 5_000)]);
        assert_eq!((held(), free(1)), (0, MONEY + 5_000));
    });
}
