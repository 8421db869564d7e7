//! Random interleavings of calls, eras, elections, validator sets and Ethereum's delays. After every step the state holds
//! together, and what was elected stays as it was.

use crate::{HoldReason, MAX_DECIMALS, OpenEra, Operators, Parameters, SeenEra, Stakes, mock::*};
use gear_exe_primitives::{
    H256, restaking::VaultStake, signature::CompactSignature, vote::SnapshotVote,
};
use polkadot_sdk::{
    frame_support::traits::fungible::{Inspect, InspectHold},
    frame_system::RawOrigin,
    sp_runtime::Perbill,
};
use proptest::prelude::*;
use std::collections::BTreeMap;

const ACCOUNTS: u64 = 10;

#[derive(Clone, Copy, Debug)]
enum Action {
    Register(u64),
    /// With the signature of another account.
    RegisterAs(u64, u64),
    Deregister(u64),
    Withdraw(u64),
    /// A validator tells the truth.
    Vote(u32),
    /// The last validator tells something else.
    Lie(u8),
    /// A page of the truth.
    Page(u32),
    /// The next era is elected.
    Elect,
    /// The next era begins; Ethereum may stand still.
    Era(bool),
    /// Another validator set of the same validators.
    Set,
    /// Governance.
    Asset(u8, u8),
    Growth(u32, u64),
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        2 => (0..ACCOUNTS).prop_map(Action::Register),
        1 => (0..ACCOUNTS, 0..ACCOUNTS).prop_map(|(one, other)| Action::RegisterAs(one, other)),
        1 => (0..ACCOUNTS).prop_map(Action::Deregister),
        1 => (0..ACCOUNTS).prop_map(Action::Withdraw),
        8 => (0..3u32).prop_map(Action::Vote),
        1 => any::<u8>().prop_map(Action::Lie),
        6 => (0..2u32).prop_map(Action::Page),
        1 => Just(Action::Elect),
        2 => any::<bool>().prop_map(Action::Era),
        1 => Just(Action::Set),
        1 => (0..=MAX_DECIMALS + 1, 0..=100u8).prop_map(|(one, other)| Action::Asset(one, other)),
        1 => (any::<u32>(), any::<u64>()).prop_map(|(one, other)| Action::Growth(one, other)),
    ]
}

/// What the vaults hold at a capture: something else each time, now and then absurdly much.
fn truth(capture: u64) -> Vec<VaultStake> {
    (0..ACCOUNTS)
        .map(|account| {
            let noise = (capture / 60 * 31 + account * 17) % 23;
            let amount = if noise == 22 {
                u128::MAX
            } else {
                ETH * u128::from(noise)
            };
            vault(
                account,
                1,
                if noise.is_multiple_of(2) { WETH } else { COIN },
                amount,
            )
        })
        .collect()
}

fn apply(action: Action) {
    let signed = |account| RawOrigin::Signed(account).into();
    let honest = || {
        let (_, capture) = open();
        pages(&truth(capture.timestamp))
    };
    let is_open = OpenEra::<Test>::get().is_some();
    match action {
        Action::Register(account) => {
            let _ = register(account);
        }
        Action::RegisterAs(account, other) => {
            let result =
                Restaking::register_operator(signed(account), address(other), consent(other));
            assert!(account == other || result.is_err());
        }
        Action::Deregister(account) => {
            let _ = Restaking::deregister_operator(signed(account));
        }
        Action::Withdraw(account) => {
            let _ = Restaking::withdraw_operator(signed(account));
        }
        Action::Vote(validator) if is_open => {
            let _ = send_vote(validator, vote(&honest()));
        }
        Action::Lie(salt) if is_open => {
            let lie = SnapshotVote {
                root: H256::repeat_byte(salt),
                ..vote(&honest())
            };
            let _ = send_vote(3, lie);
        }
        Action::Page(index) if is_open && (index as usize) < honest().len() => {
            let _ = send_page(&honest(), index);
        }
        Action::Elect => plan(),
        Action::Era(true) => {
            next_era();
        }
        Action::Era(false) => {
            next_era_without_ethereum();
        }
        Action::Set => {
            SetId::mutate(|id| *id += 1);
            next_block();
        }
        Action::Asset(decimals, haircut) => {
            let rules = crate::AssetRules {
                decimals,
                haircut: Perbill::from_percent(haircut.into()),
                cap: 50 * ETH,
            };
            let _ = Restaking::set_asset(RawOrigin::Root.into(), COIN, Some(rules));
        }
        Action::Growth(part, step) => Parameters::<Test>::mutate(|rules| {
            rules.max_growth = Perbill::from_parts(part % 1_000_000_001);
            rules.growth_step = step.into();
        }),
        _ => {}
    }
    Restaking::do_try_state().unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn the_state_holds_together(actions in proptest::collection::vec(action(), 1..80)) {
        let mut elected = BTreeMap::<u32, Vec<(u64, u128)>>::new();
        run(|| {
            for action in actions {
                let before = SeenEra::<Test>::get().and_then(|seen| Stakes::<Test>::get(seen + 1));
                let grown = Parameters::<Test>::get();
                let newest = crate::LastAccepted::<Test>::get().and_then(Stakes::<Test>::get);
                apply(action);

                // What has been elected does not change any more, but for the haircut that governance sets.
                let planned = PlannedEra::get().unwrap();
                let kept = ActiveEra::get().unwrap().saturating_sub(HISTORY) + 1;
                elected.retain(|era, _| *era >= kept);
                for (era, stakes) in &elected {
                    assert_eq!(&Restaking::stakes(*era), stakes, "era {era} after {action:?}");
                }
                if planned >= kept {
                    elected.entry(planned).or_insert_with(|| Restaking::stakes(planned));
                }

                // Stake that has just been counted has not grown faster than it may.
                if before.is_none()
                    && let Some(now) = SeenEra::<Test>::get().and_then(|seen| Stakes::<Test>::get(seen + 1))
                    && OpenEra::<Test>::get().is_none()
                {
                    let newest: BTreeMap<u64, u128> = newest.unwrap_or_default().into_iter().collect();
                    for (account, weight) in now {
                        let then = newest.get(&account).copied().unwrap_or_default();
                        let most = then
                            .saturating_add(grown.max_growth.mul_floor(then))
                            .saturating_add(grown.growth_step);
                        assert!(weight <= most, "{account} grew from {then} to {weight}");
                    }
                }

                // Money is held for operators and for nobody else.
                for account in 0..ACCOUNTS {
                    let held = Balances::balance_on_hold(&HoldReason::OperatorDeposit.into(), &account);
                    let due = Operators::<Test>::get(account).map_or(0, |operator| operator.deposit);
                    assert_eq!(held, due);
                    assert_eq!(Balances::total_balance(&account), 1_000);
                }
            }
        });
    }

    /// Whatever bytes somebody signs with, nobody is bound.
    #[test]
    fn nonsense_binds_nobody(bytes in proptest::collection::vec(any::<u8>(), 64), account in 0..ACCOUNTS) {
        run(|| {
            let signature = CompactSignature(bytes.try_into().unwrap());
            let result = Restaking::register_operator(
                RawOrigin::Signed(account).into(),
                address(account),
                signature,
            );
            assert!(result.is_err());
            assert_eq!(Operators::<Test>::count(), 0);
        });
    }
}
