//! Unlocking: burns that are paid, and those that wait.

use crate::{Burned, Claimable, Error, Event, NextBurn, Unlocked, mock::*};
use polkadot_sdk::frame_support::{assert_noop, assert_ok};

#[test]
fn a_burn_unlocks_as_much() {
    run(|| {
        assert_ok!(lock(0, BOB, 500));
        events();
        agree(&[burn(0, 1, 120)]);
        assert_eq!((free(1), held()), (MONEY + 120, 380));
        assert_eq!(
            events(),
            [Event::VaraUnlocked {
                number: 0,
                account: account(1),
                amount: 120
            }]
        );
        assert_eq!(
            (
                NextBurn::<Test>::get(),
                Burned::<Test>::get(),
                Unlocked::<Test>::get()
            ),
            (1, 120, 120)
        );
    });
}

#[test]
fn all_that_is_locked_can_be_unlocked() {
    run(|| {
        assert_ok!(lock(0, BOB, 500));
        // What stays is less than an account must have, and is kept all the same.
        agree(&[burn(0, 1, 497)]);
        assert_eq!(held(), 3);
        agree(&[burn(1, 1, 3)]);
        assert_eq!((held(), free(1)), (0, MONEY + 500));
        assert_ok!(lock(1, BOB, 500));
        assert_eq!(held(), 500);
        assert_eq!(Balances::total_issuance(), 10 * MONEY);
    });
}

#[test]
fn a_new_account_is_made() {
    run(|| {
        assert_ok!(lock(0, BOB, 500));
        agree(&[burn(0, 77, ED)]);
        assert_eq!(free(77), ED);
    });
}

#[test]
fn too_little_for_a_new_account_adds_up() {
    run(|| {
        assert_ok!(lock(0, BOB, 500));
        events();
        agree(&[burn(0, 77, ED - 1)]);
        assert_eq!((free(77), held()), (0, 500));
        assert_eq!(
            events(),
            [Event::VaraUnpaid {
                number: 0,
                account: account(77),
                amount: ED - 1
            }]
        );
        assert_noop!(claim(77), Error::<Test>::BelowMinimum);
        agree(&[burn(1, 77, 1)]);
        assert_eq!((free(77), held()), (ED, 490));
        assert_eq!(
            events(),
            [
                Event::VaraClaimed {
                    account: account(77),
                    amount: ED - 1
                },
                Event::VaraUnlocked {
                    number: 1,
                    account: account(77),
                    amount: 1
                }
            ]
        );
        assert_noop!(claim(77), Error::<Test>::NothingToClaim);
    });
}

#[test]
fn what_could_not_be_paid_is_claimed_once() {
    run(|| {
        assert_ok!(lock(0, BOB, 500));
        agree(&[burn(0, 77, 3)]);
        let to = account(77);
        assert_ok!(Balances::transfer_allow_death(
            polkadot_sdk::frame_system::RawOrigin::Signed(account(1)).into(),
            to.clone(),
            ED
        ));
        events();
        assert_ok!(claim(77));
        assert_eq!((free(77), held()), (ED + 3, 497));
        assert_eq!(
            events(),
            [Event::VaraClaimed {
                account: to.clone(),
                amount: 3
            }]
        );
        assert!(!Claimable::<Test>::contains_key(&to));
        assert_noop!(claim(77), Error::<Test>::NothingToClaim);
    });
}

#[test]
fn more_than_is_locked_waits_and_holds_nobody_up() {
    run(|| {
        assert_ok!(lock(0, BOB, 100));
        agree(&[burn(0, 1, 101), burn(1, 2, 40)]);
        assert_eq!((free(1), free(2), held()), (MONEY, MONEY + 40, 60));
        assert_noop!(claim(1), Error::<Test>::NotBacked);
        assert_ok!(lock(0, BOB, 41));
        assert_ok!(claim(1));
        assert_eq!((free(1), held()), (MONEY + 101, 0));
    });
}

#[test]
fn absurd_amounts_do_no_harm() {
    run(|| {
        assert_ok!(lock(0, BOB, 100));
        agree(&[burn(0, 1, u128::MAX / 2), burn(1, 2, 0), burn(2, 3, 7)]);
        assert_eq!(
            (free(1), free(2), free(3), held()),
            (MONEY, MONEY, MONEY + 7, 93)
        );
        assert_eq!(NextBurn::<Test>::get(), 3);
    });
}

#[test]
fn the_bridge_does_not_pay_itself() {
    run(|| {
        assert_ok!(lock(0, BOB, 100));
        let own: [u8; 32] = Bridge::account().into();
        let fact = gear_exe_primitives::facts::Fact::Burn(gear_exe_primitives::facts::Burn {
            number: 0,
            account: own.into(),
            amount: 50,
        });
        agree(&[fact]);
        assert_eq!(held(), 100);
        let origin = polkadot_sdk::frame_system::RawOrigin::Signed(account(1)).into();
        assert_noop!(
            Bridge::claim(origin, Bridge::account()),
            Error::<Test>::OwnAccount
        );
    });
}

#[test]
fn burns_wait_while_paused() {
    run(|| {
        assert_ok!(lock(0, BOB, 500));
        agree(&[burn(0, 77, 3)]);
        for validator in 0..3 {
            send(validator, &[burn(1, 1, 50)]).unwrap();
        }
        Rules::mutate(|rules| rules.paused = true);
        for _ in 0..3 {
            next_block();
        }
        assert_eq!((free(1), NextBurn::<Test>::get()), (MONEY, 1));
        assert_noop!(claim(77), Error::<Test>::Paused);
        Rules::mutate(|rules| rules.paused = false);
        next_block();
        assert_eq!((free(1), NextBurn::<Test>::get()), (MONEY + 50, 2));
    });
}
