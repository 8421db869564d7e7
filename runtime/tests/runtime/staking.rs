//! Staking on the runtime as it is: what polkadot.js' Staking pages do, over era changes, and how stakes become the
//! validators that Ethereum knows.

use crate::common::{Chain, start_with};
use gear_exe_primitives::{host, outbox::OutboxItem};
use gear_exe_runtime::{
    Balances, NominationPools, Runtime, RuntimeOrigin, Session, SessionKeys, Settlement, Staking,
    UNITS, VoterList,
};
use polkadot_sdk::{
    frame_election_provider_support::SortedListProvider,
    frame_support::{
        assert_noop, assert_ok,
        traits::{Currency, tokens::fungible::InspectHold},
    },
    pallet_nomination_pools::{BondExtra, PoolState},
    pallet_staking::{self, RewardDestination, ValidatorPrefs},
    pallet_treasury::TreasuryAccountId,
    sp_core::Encode,
    sp_keyring::Sr25519Keyring::{self, Alice, Bob, Charlie, Dave, Eve},
    sp_keystore::{KeystoreExt, testing::MemoryKeystore},
    sp_runtime::{MultiAddress, Perbill, traits::TypedGet},
};
use serde_json::json;

type Target = MultiAddress<gear_exe_runtime::AccountId, ()>;

fn by(who: Sr25519Keyring) -> RuntimeOrigin {
    RuntimeOrigin::signed(who.to_account_id())
}

fn target(who: Sr25519Keyring) -> Target {
    MultiAddress::Id(who.to_account_id())
}

fn era() -> u32 {
    pallet_staking::ActiveEra::<Runtime>::get().unwrap().index
}

fn next_era(chain: &mut Chain) {
    let before = era();
    chain.until(400, || {
        // A handover that Ethereum has taken holds no session.
        let current = pallet_settlement::CurrentSet::<Runtime>::get();
        pallet_settlement::Settled::<Runtime>::mutate(|settled| settled.set_id = current);
        era() > before
    });
}

fn free(who: Sr25519Keyring) -> u128 {
    Balances::free_balance(who.to_account_id())
}

fn bonded(who: Sr25519Keyring) -> u128 {
    Balances::total_balance_on_hold(&who.to_account_id())
}

#[test]
fn an_era_pays_validator_nominator_and_treasury() {
    start_with("development", json!({})).execute_with(|| {
        let mut chain = Chain::new();
        chain.act(|| {
            assert_ok!(Staking::bond(
                by(Bob),
                50_000 * UNITS,
                RewardDestination::Stash
            ));
            assert_ok!(Staking::nominate(by(Bob), vec![target(Alice)]));
            assert_ok!(Staking::validate(
                by(Alice),
                ValidatorPrefs {
                    commission: Perbill::from_percent(10),
                    blocked: false
                }
            ));
        });
        // Bob's nomination counts from the era that is elected next.
        next_era(&mut chain);
        next_era(&mut chain);
        let paid = era();
        let issued = Balances::total_issuance();
        let treasury = TreasuryAccountId::<Runtime>::get();
        let before = (
            Balances::total_balance(&treasury),
            Balances::total_balance(&Alice.to_account_id()),
            Balances::total_balance(&Bob.to_account_id()),
        );
        next_era(&mut chain);
        let payout = pallet_staking::ErasValidatorReward::<Runtime>::get(paid).unwrap();
        let remainder = Balances::total_balance(&treasury) - before.0;
        assert!(payout > 0 && remainder > 0);
        // Only the treasury's part exists so far.
        assert_eq!(Balances::total_issuance(), issued + remainder);

        let alice = Alice.to_account_id();
        assert!(Staking::api_pending_rewards(paid, alice.clone()));
        chain.act(|| {
            assert_ok!(Staking::payout_stakers(by(Eve), alice.clone(), paid));
            assert!(Staking::payout_stakers(by(Eve), alice.clone(), paid).is_err());
        });
        let alice = Balances::total_balance(&alice) - before.1;
        let bob = Balances::total_balance(&Bob.to_account_id()) - before.2;
        // Shares are billionths: rounding leaves that little unpaid.
        let unpaid = payout - alice - bob;
        assert!(unpaid <= payout / 100_000_000, "{unpaid} of {payout}");
        // A tenth is commission; of the rest, Bob's third.
        let expected = payout / 10 * 9 / 3;
        assert!(
            bob.abs_diff(expected) < expected / 1_000,
            "{bob} {expected}"
        );
        assert_eq!(Balances::total_issuance(), issued + remainder + alice + bob);
    });
}

#[test]
fn unbonded_stake_can_be_taken_out_after_the_bonding_time() {
    start_with("development", json!({})).execute_with(|| {
        let mut chain = Chain::new();
        let before = free(Bob);
        chain.act(|| {
            assert_ok!(Staking::bond(
                by(Bob),
                1_000 * UNITS,
                RewardDestination::Staked
            ));
            assert_ok!(Staking::bond_extra(by(Bob), 500 * UNITS));
            assert_ok!(Staking::nominate(by(Bob), vec![target(Alice)]));
            assert_eq!(bonded(Bob), 1_500 * UNITS);
            assert!(VoterList::contains(&Bob.to_account_id()));
            assert_ok!(Staking::unbond(by(Bob), 700 * UNITS));
            assert_ok!(Staking::rebond(by(Bob), 200 * UNITS));
            // All of it, only after chilling.
            assert!(Staking::unbond(by(Bob), 1_000 * UNITS).is_err());
            assert_ok!(Staking::chill(by(Bob)));
            assert!(!VoterList::contains(&Bob.to_account_id()));
            assert_ok!(Staking::unbond(by(Bob), 1_000 * UNITS));
        });
        for _ in 0..3 {
            next_era(&mut chain);
            chain.act(|| Staking::withdraw_unbonded(by(Bob), 0).unwrap());
            assert_eq!(bonded(Bob), 1_500 * UNITS);
        }
        next_era(&mut chain);
        chain.act(|| Staking::withdraw_unbonded(by(Bob), 0).unwrap());
        assert_eq!((free(Bob), bonded(Bob)), (before, 0));
    });
}

#[test]
fn who_has_more_stake_becomes_the_validator_that_ethereum_knows() {
    let mut externalities = start_with("development", json!({}));
    externalities.register_extension(KeystoreExt::new(MemoryKeystore::new()));
    externalities.execute_with(|| {
        let mut chain = Chain::new();
        let bob = Bob.to_account_id();
        let keys = SessionKeys::generate(&bob.encode(), None);
        chain.act(|| {
            assert_ok!(Session::set_keys(
                by(Bob),
                keys.keys.clone(),
                keys.proof.encode()
            ));
            assert_ok!(Staking::bond(
                by(Bob),
                200_000 * UNITS,
                RewardDestination::Staked
            ));
            assert_ok!(Staking::validate(by(Bob), ValidatorPrefs::default()));
        });
        assert_eq!(Session::validators(), [Alice.to_account_id()]);
        next_era(&mut chain);
        assert_eq!(Session::validators(), [bob]);
        let set = Settlement::validator_set();
        assert_eq!(
            Some(set.members[0].address),
            host::address_of(&keys.keys.ethereum)
        );
        let told = Settlement::outbox(0, 9);
        assert!(
            matches!(&told[..], [OutboxItem::SetUpdate { members, .. }] if *members == set.members)
        );
    });
}

#[test]
fn a_pool_stakes_for_many() {
    start_with("development", json!({})).execute_with(|| {
        let mut chain = Chain::new();
        let before = free(Dave);
        chain.act(|| {
            assert_ok!(NominationPools::create(
                by(Charlie),
                20 * UNITS,
                target(Charlie),
                target(Charlie),
                target(Charlie)
            ));
            assert_ok!(NominationPools::nominate(
                by(Charlie),
                1,
                vec![Alice.to_account_id()]
            ));
            assert_ok!(NominationPools::join(by(Dave), 100_000 * UNITS, 1));
            assert_ok!(NominationPools::set_state(
                by(Charlie),
                1,
                PoolState::Blocked
            ));
            assert!(NominationPools::join(by(Eve), 10 * UNITS, 1).is_err());
        });
        next_era(&mut chain);
        next_era(&mut chain);
        let paid = era();
        next_era(&mut chain);
        chain.act(|| {
            assert_ok!(Staking::payout_stakers(
                by(Eve),
                Alice.to_account_id(),
                paid
            ));
            assert!(NominationPools::api_pending_rewards(Dave.to_account_id()).unwrap() > 0);
            assert_ok!(NominationPools::claim_payout(by(Dave)));
            assert_ok!(NominationPools::bond_extra(
                by(Charlie),
                BondExtra::FreeBalance(UNITS)
            ));
            assert_ok!(NominationPools::unbond(
                by(Dave),
                target(Dave),
                100_000 * UNITS
            ));
            assert!(NominationPools::withdraw_unbonded(by(Dave), target(Dave), 0).is_err());
        });
        (0..4).for_each(|_| next_era(&mut chain));
        chain.act(|| {
            assert_ok!(NominationPools::withdraw_unbonded(
                by(Dave),
                target(Dave),
                0
            ));
        });
        // All back, with what the pool earned.
        assert!(free(Dave) > before);
        assert_eq!(bonded(Dave), 0);
    });
}

#[test]
fn staked_vara_votes_too() {
    use polkadot_sdk::pallet_conviction_voting::{AccountVote, Conviction, Vote};
    start_with("development", json!({})).execute_with(|| {
        let mut chain = Chain::new();
        chain.act(|| {
            assert_ok!(Staking::bond(
                by(Bob),
                999_000 * UNITS,
                RewardDestination::Staked
            ));
            let call = gear_exe_runtime::RuntimeCall::System(
                polkadot_sdk::frame_system::Call::remark { remark: vec![1] },
            );
            let proposal =
                <gear_exe_runtime::Preimage as polkadot_sdk::frame_support::traits::StorePreimage>::bound(call)
                    .unwrap();
            assert_ok!(gear_exe_runtime::Referenda::submit(
                by(Alice),
                Box::new(gear_exe_runtime::governance::origins::Origin::ParameterAdmin.into()),
                proposal,
                polkadot_sdk::frame_support::traits::schedule::DispatchTime::After(0)
            ));
            // More than is free: what is bonded counts.
            let vote = AccountVote::Standard {
                vote: Vote {
                    aye: true,
                    conviction: Conviction::Locked1x,
                },
                balance: 999_500 * UNITS,
            };
            assert_ok!(gear_exe_runtime::ConvictionVoting::vote(by(Bob), 0, vote));
        });
    });
}

#[test]
fn inflation_is_bounded_however_long_an_era_took() {
    use gear_exe_runtime::inflation::EraPayout;
    use polkadot_sdk::sp_staking::EraPayout as _;
    start_with("development", json!({})).execute_with(|| {
        let all = 10_000_000_000 * UNITS;
        let day = 24 * 3_600_000;
        let year = |staked: u128| {
            let (stakers, rest) = EraPayout::era_payout(staked, all, day);
            (stakers + rest) * 36_525 / 100
        };
        // 6 % a year in all, whatever is staked.
        for staked in [0, all / 3, all * 6 / 10, all] {
            let sum = year(staked);
            assert!(sum.abs_diff(all * 6 / 100) < all / 100_000, "{sum}");
        }
        let stakers = |staked| EraPayout::era_payout(staked, all, day).0;
        assert!(stakers(all * 6 / 10) > stakers(all / 3));
        assert!(stakers(all * 6 / 10) > stakers(all * 9 / 10));
        let month = EraPayout::era_payout(all / 2, all, 30 * day);
        assert_eq!(month, EraPayout::era_payout(all / 2, all, 2 * day));
        // Nothing staked, nothing there: no division by zero.
        assert_eq!(EraPayout::era_payout(0, 0, day), (0, 0));
    });
}

#[test]
fn a_bond_that_is_too_small_is_refused() {
    start_with("development", json!({})).execute_with(|| {
        let mut chain = Chain::new();
        chain.act(|| {
            assert_ok!(Staking::bond(by(Bob), UNITS / 2, RewardDestination::Staked));
            assert_noop!(
                Staking::nominate(by(Bob), vec![target(Alice)]),
                pallet_staking::Error::<Runtime>::InsufficientBond
            );
            assert_noop!(
                Staking::validate(by(Bob), ValidatorPrefs::default()),
                pallet_staking::Error::<Runtime>::InsufficientBond
            );
        });
    });
}

#[test]
fn what_stakers_call_fits_a_block() {
    use gear_exe_runtime::{RuntimeCall, configs::BlockWeights};
    use polkadot_sdk::frame_support::dispatch::{DispatchClass, GetDispatchInfo};
    start_with("development", json!({})).execute_with(|| {
        let validator_stash = Alice.to_account_id();
        let calls = [
            RuntimeCall::Staking(pallet_staking::Call::payout_stakers {
                validator_stash,
                era: 0,
            }),
            RuntimeCall::Staking(pallet_staking::Call::withdraw_unbonded {
                num_slashing_spans: 32,
            }),
            RuntimeCall::Staking(pallet_staking::Call::nominate {
                targets: vec![target(Alice); 16],
            }),
            RuntimeCall::NominationPools(
                polkadot_sdk::pallet_nomination_pools::Call::withdraw_unbonded {
                    member_account: target(Alice),
                    num_slashing_spans: 32,
                },
            ),
        ];
        let limits = BlockWeights::get();
        let most = limits.get(DispatchClass::Normal).max_extrinsic.unwrap();
        for call in calls {
            let weight = call.get_dispatch_info().total_weight();
            assert!(weight.all_lte(most), "{call:?}: {weight:?} of {most:?}");
        }
    });
}
