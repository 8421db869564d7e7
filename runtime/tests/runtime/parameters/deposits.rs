//! Deposits change when an era begins. What was held before is given back as it was held: to the last unit, whatever the
//! deposit is by then.

use super::*;
use crate::common::{DOMAIN, address, sign};
use gear_exe_primitives::restaking::OperatorBinding;
use gear_exe_runtime::{
    AccountId, Balances, EXISTENTIAL_DEPOSIT, OriginCaller, Preimage, Referenda, Restaking,
    Session, SessionKeys, Settlement, UNITS, governance::tracks, parameters::Deposits,
};
use polkadot_sdk::{
    frame_support::traits::{StorePreimage, schedule::DispatchTime},
    pallet_referenda,
    sp_core::Encode,
    sp_keyring::Sr25519Keyring::{self, Bob, Charlie},
    sp_keystore::{KeystoreExt, testing::MemoryKeystore},
    sp_runtime::traits::{BlakeTwo256, Hash},
};
use values::deposits;

macro_rules! deposit {
    ($name:ident, $value:expr) => {
        parameter!(Deposits, deposits, $name, $value)
    };
}

fn by(who: Sr25519Keyring) -> RuntimeOrigin {
    RuntimeOrigin::signed(who.to_account_id())
}

fn in_force() -> Deposits {
    gear_exe_runtime::parameters::in_force::Deposits::<Runtime>::get()
}

/// What of an account is held or reserved, for whatever.
fn held(who: Sr25519Keyring) -> u128 {
    Balances::reserved_balance(who.to_account_id())
}

/// Everything for which something is held, by `who`, the `round`th time: a preimage of 100 bytes, a referendum with its
/// decision deposit, an operator, session keys. Returns what is held for each.
fn put_down(who: Sr25519Keyring, round: u8) -> [u128; 5] {
    let account: AccountId = who.to_account_id();
    let mut before = held(who);
    let mut more = || {
        let now = held(who);
        let more = now - before;
        before = now;
        more
    };
    assert_ok!(Preimage::note_preimage(by(who), vec![round; 100]));
    let preimage = more();
    let index = pallet_referenda::ReferendumCount::<Runtime>::get();
    let call = gear_exe_runtime::RuntimeCall::System(polkadot_sdk::frame_system::Call::remark {
        remark: vec![round],
    });
    let origin: OriginCaller = Origin::SmallSpender.into();
    assert_ok!(Referenda::submit(
        by(who),
        Box::new(origin),
        Preimage::bound(call).unwrap(),
        DispatchTime::After(0)
    ));
    let submission = more();
    assert_ok!(Referenda::place_decision_deposit(by(who), index));
    let decision = more();
    let name = <&str>::from(who);
    let nonce = pallet_restaking::Nonces::<Runtime>::get(address(name));
    let binding = OperatorBinding {
        genesis: Settlement::genesis_hash(),
        account: gear_exe_primitives::H256(account.clone().into()),
        operator: address(name),
        nonce,
    };
    let signature = sign(name, binding.digest(&DOMAIN));
    assert_ok!(Restaking::register_operator(
        by(who),
        address(name),
        signature
    ));
    let operator = more();
    let keys = SessionKeys::generate(&account.encode(), None);
    assert_ok!(Session::set_keys(by(who), keys.keys, keys.proof.encode()));
    [preimage, submission, decision, operator, more()]
}

/// Takes everything back, as the account's operator may leave. The referendum is over.
fn take_back(who: Sr25519Keyring, round: u8, referendum: u32) {
    let hash = BlakeTwo256::hash(&[round; 100]);
    assert_ok!(Preimage::unnote_preimage(by(who), hash));
    assert_ok!(Referenda::refund_decision_deposit(by(who), referendum));
    assert_ok!(Referenda::refund_submission_deposit(by(who), referendum));
    assert_ok!(Session::purge_keys(by(who)));
    assert_ok!(Restaking::withdraw_operator(by(who)));
}

#[test]
fn they_count_from_the_next_era_on_and_are_given_back_as_they_were_taken() {
    let mut externalities = start_with("development", json!({}));
    externalities.register_extension(KeystoreExt::new(MemoryKeystore::new()));
    externalities.execute_with(|| {
        let chain = &mut Chain::new();
        chain.block(Vec::new());
        let first = Deposits::default();
        assert_eq!(in_force(), first);
        let paid = chain.act(|| put_down(Bob, 1));
        assert_eq!(
            paid,
            [
                UNITS + UNITS / 10,
                10 * UNITS,
                tracks::SMALL_SPENDER.deposit,
                100 * UNITS,
                UNITS
            ]
        );
        let free = Balances::free_balance(Bob.to_account_id());

        let dearer = Deposits {
            preimage_base: 7 * UNITS,
            preimage_byte: UNITS / 2,
            submission: 33 * UNITS,
            operator: 1_000 * UNITS,
            session_keys: 5 * UNITS,
        };
        set(
            chain,
            [
                deposit!(PreimageBase, dearer.preimage_base),
                deposit!(PreimageByte, dearer.preimage_byte),
                deposit!(Submission, dearer.submission),
                deposit!(Operator, dearer.operator),
                deposit!(SessionKeys, dearer.session_keys),
            ],
        );
        assert_eq!(in_force(), first);
        next_era(chain);
        assert_eq!((in_force(), refused()), (dearer, vec![]));
        let paid = chain.act(|| put_down(Charlie, 2));
        assert_eq!(
            paid,
            [
                57 * UNITS,
                33 * UNITS,
                tracks::SMALL_SPENDER.deposit,
                1_000 * UNITS,
                5 * UNITS
            ]
        );

        // Another change, downwards, and all is taken back: by who has paid little, and by who has paid much.
        set(
            chain,
            [
                deposit!(PreimageBase, EXISTENTIAL_DEPOSIT),
                deposit!(PreimageByte, 0),
                deposit!(Submission, EXISTENTIAL_DEPOSIT),
                deposit!(Operator, EXISTENTIAL_DEPOSIT),
                deposit!(SessionKeys, EXISTENTIAL_DEPOSIT),
            ],
        );
        next_era(chain);
        assert_eq!(in_force().preimage_byte, 0);
        chain.act(|| {
            for who in [Bob, Charlie] {
                assert_ok!(Restaking::deregister_operator(by(who)));
            }
            for index in [0, 1] {
                assert_ok!(Referenda::cancel(RuntimeOrigin::root(), index));
            }
        });
        // As long as what counted then can be slashed.
        for _ in 0..7 {
            next_era(chain);
        }
        let charlies = held(Charlie) + Balances::free_balance(Charlie.to_account_id());
        chain.act(|| {
            take_back(Bob, 1, 0);
            take_back(Charlie, 2, 1);
        });
        for who in [Bob, Charlie] {
            assert_eq!(held(who), 0, "{who}");
        }
        let sum: u128 = [
            UNITS + UNITS / 10,
            10 * UNITS,
            tracks::SMALL_SPENDER.deposit,
            100 * UNITS,
            UNITS,
        ]
        .into_iter()
        .sum();
        assert_eq!(Balances::free_balance(Bob.to_account_id()), free + sum);
        assert_eq!(Balances::free_balance(Charlie.to_account_id()), charlies);
    });
}

#[test]
fn what_cannot_be_held_or_paid_is_refused_and_changes_nothing() {
    on_a_new_chain(|chain| {
        let before = in_force();
        let range = "a deposit is not below the existential deposit, nor above 1,000,000 VARA";
        let none = |name: deposits::Parameters| Set::Deposits(name);
        let cases = [
            (
                deposit!(PreimageBase, EXISTENTIAL_DEPOSIT - 1),
                none(deposits::Parameters::PreimageBase(
                    deposits::PreimageBase,
                    None,
                )),
                range,
            ),
            (
                deposit!(PreimageByte, UNITS + 1),
                none(deposits::Parameters::PreimageByte(
                    deposits::PreimageByte,
                    None,
                )),
                "a byte of a preimage holds one VARA at most",
            ),
            (
                deposit!(Submission, 1_000_000 * UNITS + 1),
                none(deposits::Parameters::Submission(deposits::Submission, None)),
                range,
            ),
            (
                deposit!(Operator, 0),
                none(deposits::Parameters::Operator(deposits::Operator, None)),
                range,
            ),
            (
                deposit!(SessionKeys, u128::MAX),
                none(deposits::Parameters::SessionKeys(
                    deposits::SessionKeys,
                    None,
                )),
                range,
            ),
        ];
        for (bad, as_before, reason) in cases {
            // What stands beside it waits with it.
            set(chain, [bad.clone(), deposit!(Submission, 11 * UNITS)]);
            if matches!(bad, Set::Deposits(deposits::Parameters::Submission(..))) {
                set(chain, [bad.clone()]);
            }
            next_era(chain);
            assert_eq!(
                refusals(),
                [(Group::Deposits, reason.to_owned())],
                "{bad:?}"
            );
            assert_eq!(in_force(), before, "{bad:?}");
            set(chain, [as_before]);
        }
        set(chain, [deposit!(Submission, 11 * UNITS)]);
        next_era(chain);
        assert_eq!((in_force().submission, refused()), (11 * UNITS, vec![]));
    });
}

#[test]
#[should_panic(expected = "a deposit is not below the existential deposit")]
fn a_genesis_without_a_deposit_is_refused() {
    start_with(
        "development",
        json!({ "parametersInForce": { "deposits": { "operator": 0 } } }),
    );
}
