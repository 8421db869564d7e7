//! What a nomination pool earns in wVARA reaches its members, on the runtime as it is: by points, whatever members do in between,
//! and in every call of pools that changes points.

use crate::common::{Chain, start_with};
use gear_exe_primitives::H160;
use gear_exe_runtime::{
    AccountId, NominationPools, Rewards, Runtime, RuntimeCall, RuntimeEvent, RuntimeOrigin,
    Staking, System, UNITS,
};
use pallet_rewards::{Carried, Claims, Event, MemberMarks, PoolShares, WeightInfo as _};
use polkadot_sdk::{
    frame_support::{assert_noop, assert_ok, dispatch::GetDispatchInfo},
    pallet_nomination_pools::{
        BondExtra, BondedPools, Call as PoolsCall, ClaimPermission, ConfigOp, PoolMembers,
        PoolState,
        weights::{SubstrateWeight, WeightInfo as _},
    },
    pallet_staking,
    sp_core::{Decode, Encode},
    sp_io::TestExternalities,
    sp_keyring::Sr25519Keyring::{self, Alice, Bob, Charlie, Dave, Eve, Ferdie},
    sp_runtime::{MultiAddress, Perbill},
};
use serde_json::json;

type Refused = pallet_rewards::Error<Runtime>;

fn start() -> TestExternalities {
    start_with("development", json!({}))
}

fn by(who: Sr25519Keyring) -> RuntimeOrigin {
    RuntimeOrigin::signed(who.to_account_id())
}

fn target(who: Sr25519Keyring) -> MultiAddress<AccountId, ()> {
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
    // What begins with an era is seen in the block after.
    chain.block(Vec::new());
}

fn credit(who: Sr25519Keyring) -> u128 {
    pallet_rewards::Credits::<Runtime>::get(who.to_account_id())
}

fn due(who: Sr25519Keyring) -> u128 {
    Rewards::pool_share(&who.to_account_id())
}

fn points(who: Sr25519Keyring) -> u128 {
    PoolMembers::<Runtime>::get(who.to_account_id()).map_or(0, |member| member.points)
}

/// A pool of Charlie's, with 1,000 VARA of his own and 3,000 of Dave's, that nominates Alice; and eras in which it has
/// earned, of which nobody has paid any. Returns them.
fn pool(chain: &mut Chain, eras: usize) -> Vec<u32> {
    chain.act(|| {
        assert_ok!(NominationPools::create(
            by(Charlie),
            1_000 * UNITS,
            target(Charlie),
            target(Charlie),
            target(Charlie)
        ));
        assert_ok!(NominationPools::nominate(
            by(Charlie),
            1,
            vec![Alice.to_account_id()]
        ));
        assert_ok!(NominationPools::join(by(Dave), 3_000 * UNITS, 1));
    });
    next_era(chain);
    next_era(chain);
    let mut earned = Vec::new();
    for _ in 0..eras {
        let paid = 1_000 * UNITS;
        pallet_settlement::Settled::<Runtime>::mutate(|settled| settled.spent += paid);
        earned.push(era());
        next_era(chain);
    }
    earned
}

/// Pays an era's page. Returns what the pool's members have got together.
fn pay(chain: &mut Chain, era: u32) -> u128 {
    chain.act(|| {
        assert_ok!(Rewards::pay_stakers(by(Eve), Alice.to_account_id(), era, 0));
        let events = System::events().into_iter().rev();
        let mut earned = events.filter_map(|record| match record.event {
            RuntimeEvent::Rewards(Event::PoolEarned { amount, .. }) => Some(amount),
            _ => None,
        });
        earned.next().unwrap_or_default()
    })
}

/// But for the last base units, which rounding takes.
#[track_caller]
fn assert_near(is: u128, wanted: u128) {
    assert!(wanted.abs_diff(is) <= 10, "{is} is not {wanted}");
}

#[test]
fn three_members_who_come_and_go_get_each_its_part() {
    start().execute_with(|| {
        let mut chain = Chain::new();
        let eras = pool(&mut chain, 3);
        // The pool's part of what is for stakers: there is no commission, and no ETH.
        let first = pay(&mut chain, eras[0]);
        assert_near(first, 800 * UNITS * 4_000 / 104_000);
        assert_eq!((credit(Charlie), credit(Dave)), (0, 0));
        assert_near(due(Dave), first * 3 / 4);

        // Who joins now has no part in what was paid before.
        assert_ok!(chain.act(|| NominationPools::join(by(Ferdie), 6_000 * UNITS, 1)));
        assert_eq!(due(Ferdie), 0);
        let second = pay(&mut chain, eras[1]);
        assert_near(due(Ferdie), second * 6 / 10);

        // Dave unbonds two thirds before the next one is paid: what he had earned is his.
        chain.act(|| {
            assert_ok!(NominationPools::unbond(
                by(Dave),
                target(Dave),
                2_000 * UNITS
            ));
        });
        let of_dave = first * 3 / 4 + second * 3 / 10;
        assert_near(credit(Dave), of_dave);
        assert_eq!(due(Dave), 0);
        let third = pay(&mut chain, eras[2]);

        // Anybody may ask for anybody.
        let ask = || Rewards::claim_pool_share(by(Eve), Charlie.to_account_id());
        assert_ok!(chain.act(ask));
        assert_near(credit(Charlie), first / 4 + second / 10 + third / 8);
        chain.act(|| {
            assert_noop!(ask(), Refused::NoPoolShare);
            assert_noop!(
                Rewards::claim_pool_share(by(Eve), Eve.to_account_id()),
                Refused::NoPoolShare
            );
        });
        // Who claims has it with it.
        let to = H160::repeat_byte(0xda);
        assert_ok!(chain.act(|| Rewards::claim(by(Dave), to)));
        assert_near(Claims::<Runtime>::get()[0].amount, of_dave + third / 8);
        let api = gear_exe_runtime::api::dispatch(
            "RewardsApi_pool_share",
            &Ferdie.to_account_id().encode(),
        );
        let share = u128::decode(&mut &api.unwrap()[..]).unwrap();
        assert_near(share, second * 6 / 10 + third * 6 / 8);
        assert_eq!(share, due(Ferdie));
        let kept = PoolShares::<Runtime>::get(1).unwrap().left;
        assert_near(kept, share);
    });
}

#[test]
fn every_call_that_changes_points_credits_before() {
    start().execute_with(|| {
        let mut chain = Chain::new();
        let eras = pool(&mut chain, 6);
        let mut eras = eras.into_iter();
        let mut earn = |chain: &mut Chain| pay(chain, eras.next().unwrap());

        // Bonding more.
        let mut earned = earn(&mut chain) * 3 / 4;
        chain.act(|| {
            assert_ok!(NominationPools::bond_extra(
                by(Dave),
                BondExtra::FreeBalance(1_000 * UNITS)
            ));
        });
        assert_near(credit(Dave), earned);
        assert_eq!((due(Dave), points(Dave)), (0, 4_000 * UNITS));

        // Others that bond what the pool has earned in VARA.
        earned += earn(&mut chain) * 4 / 5;
        chain.act(|| {
            assert_ok!(NominationPools::set_claim_permission(
                by(Dave),
                ClaimPermission::PermissionlessAll
            ));
        });
        assert_near(credit(Dave), earned);
        let part = earn(&mut chain);
        earned += part * 4 / 5;
        chain.act(|| {
            let era = era() - 2;
            assert_ok!(Staking::payout_stakers(by(Eve), Alice.to_account_id(), era));
            assert_ok!(NominationPools::bond_extra_other(
                by(Eve),
                target(Dave),
                BondExtra::Rewards
            ));
        });
        let grown = points(Dave);
        assert!(grown > 4_000 * UNITS);
        assert_near(credit(Dave), earned);

        // Claiming what it has earned in VARA changes no points, and credits too.
        let part = earn(&mut chain);
        assert_ok!(chain.act(|| NominationPools::claim_payout(by(Charlie))));
        assert_eq!(due(Charlie), 0);
        assert!(credit(Charlie) > 0);

        // Members that others send away.
        earned += part * grown / (grown + 1_000 * UNITS);
        let part = earn(&mut chain);
        earned += part * grown / (grown + 1_000 * UNITS);
        chain.act(|| {
            assert_ok!(NominationPools::set_state(
                by(Charlie),
                1,
                PoolState::Blocked
            ));
            assert_ok!(NominationPools::unbond(by(Charlie), target(Dave), grown));
        });
        assert_near(credit(Dave), earned);
        assert_eq!(points(Dave), 0);

        // Now it is Charlie's alone.
        let before = credit(Charlie);
        let part_of_charlie = due(Charlie);
        let last = earn(&mut chain);
        assert_ok!(chain.act(|| Rewards::claim_pool_share(by(Bob), Charlie.to_account_id())));
        assert_near(credit(Charlie), before + part_of_charlie + last);
        assert_near(credit(Dave), earned);
        assert_eq!(due(Dave), 0);
    });
}

#[test]
fn a_pool_takes_its_commission_first() {
    start().execute_with(|| {
        let mut chain = Chain::new();
        let eras = pool(&mut chain, 3);
        let whole = pay(&mut chain, eras[0]);
        let set = |percent: u32, to: AccountId| {
            assert_ok!(NominationPools::set_commission(
                by(Charlie),
                1,
                Some((Perbill::from_percent(percent), to))
            ));
        };
        chain.act(|| set(10, Bob.to_account_id()));
        let members = pay(&mut chain, eras[1]);
        assert_near(credit(Bob), whole / 10);
        assert_near(members, whole - whole / 10);
        // No more than the greatest that all pools may take.
        chain.act(|| {
            assert_ok!(NominationPools::set_configs(
                RuntimeOrigin::root(),
                ConfigOp::Noop,
                ConfigOp::Noop,
                ConfigOp::Noop,
                ConfigOp::Noop,
                ConfigOp::Noop,
                ConfigOp::Set(Perbill::from_percent(5)),
            ));
        });
        let members = pay(&mut chain, eras[2]);
        assert_near(credit(Bob), whole / 10 + whole / 20);
        assert_near(members, whole - whole / 20);
    });
}

#[test]
fn a_pool_that_is_gone_leaves_nothing_behind() {
    start().execute_with(|| {
        let mut chain = Chain::new();
        let eras = pool(&mut chain, 3);
        let first = pay(&mut chain, eras[0]);
        chain.act(|| {
            assert_ok!(NominationPools::set_state(
                by(Charlie),
                1,
                PoolState::Destroying
            ));
            let all = points(Dave);
            assert_ok!(NominationPools::unbond(by(Eve), target(Dave), all));
        });
        assert!(MemberMarks::<Runtime>::contains_key(Dave.to_account_id()));
        (0..5).for_each(|_| next_era(&mut chain));
        chain.act(|| {
            assert_ok!(NominationPools::withdraw_unbonded(by(Eve), target(Dave), 0));
            assert!(!MemberMarks::<Runtime>::contains_key(Dave.to_account_id()));
            let all = points(Charlie);
            assert_ok!(NominationPools::unbond(by(Charlie), target(Charlie), all));
        });
        assert_near(credit(Dave), first * 3 / 4);
        assert_near(credit(Charlie), first / 4);

        // Nobody has points any more.
        let carried = Carried::<Runtime>::get();
        assert_eq!(pay(&mut chain, eras[1]), 0);
        assert_near(Carried::<Runtime>::get() - carried, first);

        (0..5).for_each(|_| next_era(&mut chain));
        chain.act(|| {
            assert_ok!(NominationPools::withdraw_unbonded(
                by(Charlie),
                target(Charlie),
                0
            ));
        });
        assert!(!BondedPools::<Runtime>::contains_key(1));
        assert!(PoolShares::<Runtime>::iter().next().is_none());
        assert!(MemberMarks::<Runtime>::iter().next().is_none());
        let carried = Carried::<Runtime>::get();
        assert_eq!(pay(&mut chain, eras[2]), 0);
        assert_near(Carried::<Runtime>::get() - carried, first);
        // What they had earned waits for them.
        let claim = || Rewards::claim(by(Dave), H160::repeat_byte(1));
        assert_ok!(chain.act(claim));
        assert_eq!(credit(Dave), 0);
    });
}

#[test]
fn calls_of_pools_cost_what_they_do() {
    start().execute_with(|| {
        type Upstream = SubstrateWeight<Runtime>;
        let credits = <Runtime as pallet_rewards::Config>::WeightInfo::settle_member();
        let calls = [
            (
                PoolsCall::join {
                    amount: 1,
                    pool_id: 1,
                },
                Upstream::join(),
                1,
            ),
            (
                PoolsCall::unbond {
                    member_account: target(Dave),
                    unbonding_points: 1,
                },
                Upstream::unbond(),
                1,
            ),
            (
                PoolsCall::withdraw_unbonded {
                    member_account: target(Dave),
                    num_slashing_spans: 7,
                },
                Upstream::withdraw_unbonded_kill(7),
                2,
            ),
            (PoolsCall::chill { pool_id: 1 }, Upstream::chill(), 0),
        ];
        for (call, upstream, times) in calls {
            let call = RuntimeCall::NominationPools(call);
            assert_eq!(
                call.get_dispatch_info().call_weight,
                upstream + credits * times,
                "{call:?}"
            );
        }
    });
}
