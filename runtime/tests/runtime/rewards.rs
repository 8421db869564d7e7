//! Rewards on the runtime as it is: what programs paid reaches validators, nominators, pools and vaults, and is claimed on
//! Ethereum by a proof.

use crate::common::{Chain, DOMAIN, index_of, sign, start_with};
use gear_exe_primitives::{
    H160, H256, U256,
    outbox::{OutboxItem, VaultReward},
    restaking::{OperatorBinding, VaultStake},
    rewards::RewardProof,
    signature::{CompactSignature, address_of_secret},
    stake_pages,
    vote::SnapshotVote,
};
use gear_exe_runtime::{
    AccountId, NominationPools, Parameters, Restaking, Rewards, Runtime, RuntimeCall, RuntimeEvent,
    RuntimeOrigin, Settlement, Staking, System, UNITS,
    configs::BlockWeights,
    parameters::{
        RuntimeParameters,
        in_force::{self, Group},
        values,
    },
};
use pallet_restaking::AssetRules;
use pallet_rewards::{Division, WeightInfo};
use polkadot_sdk::{
    frame_support::{
        assert_noop, assert_ok,
        dispatch::{DispatchClass, GetDispatchInfo},
    },
    pallet_staking::{self, RewardDestination, ValidatorPrefs},
    sp_core::{Decode, Encode},
    sp_io::TestExternalities,
    sp_keyring::Sr25519Keyring::{self, Alice, Bob, Charlie, Dave, Eve, Ferdie},
    sp_runtime::{DispatchResult, MultiAddress, Perbill},
};
use serde_json::json;

const ETH: u128 = 1_000_000_000_000_000_000;
const TOKEN: H160 = H160::repeat_byte(0xee);
const OPERATOR_SECRET: [u8; 32] = [42; 32];
const VAULTS: [(u8, u128); 2] = [(1, 30 * ETH), (2, 10 * ETH)];

type Target = MultiAddress<AccountId, ()>;

fn start() -> TestExternalities {
    start_with("development", json!({}))
}

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
    // What begins with an era is seen in the block after.
    chain.block(Vec::new());
}

/// Programs pay, as a final batch says.
fn programs_pay(amount: u128) {
    pallet_settlement::Settled::<Runtime>::mutate(|settled| settled.spent += amount);
}

fn credit(who: Sr25519Keyring) -> u128 {
    pallet_rewards::Credits::<Runtime>::get(who.to_account_id())
}

fn division(era: u32) -> Division {
    pallet_rewards::Divisions::<Runtime>::get(era).unwrap()
}

fn pay(page: u32, era: u32) -> DispatchResult {
    Rewards::pay_stakers(by(Eve), Alice.to_account_id(), era, page)
        .map(|_| ())
        .map_err(|refused| refused.error)
}

/// What was sent of rewards, newest last.
fn sent() -> Vec<OutboxItem> {
    Settlement::outbox(0, u64::MAX)
        .into_iter()
        .filter(|item| matches!(item, OutboxItem::Rewards { .. }))
        .collect()
}

/// Alice asks for a tenth; Bob nominates her, and so does a pool of Charlie's that Ferdie directs and Dave is in.
fn stake(chain: &mut Chain) {
    chain.act(|| {
        let preferences = ValidatorPrefs {
            commission: Perbill::from_percent(10),
            blocked: false,
        };
        assert_ok!(Staking::validate(by(Alice), preferences));
        assert_ok!(Staking::bond(
            by(Bob),
            50_000 * UNITS,
            RewardDestination::Stash
        ));
        assert_ok!(Staking::nominate(by(Bob), vec![target(Alice)]));
        assert_ok!(NominationPools::create(
            by(Charlie),
            20 * UNITS,
            target(Ferdie),
            target(Ferdie),
            target(Ferdie)
        ));
        assert_ok!(NominationPools::nominate(
            by(Ferdie),
            1,
            vec![Alice.to_account_id()]
        ));
        assert_ok!(NominationPools::join(by(Dave), 30_000 * UNITS, 1));
    });
}

/// Alice binds an Ethereum address, for which vaults hold collateral; returns the era in which it counts.
fn collateral(chain: &mut Chain) -> u32 {
    let operator = address_of_secret(&OPERATOR_SECRET).unwrap();
    chain.act(|| {
        let rules = AssetRules {
            decimals: 18,
            haircut: Perbill::from_percent(10),
            cap: 1_000_000 * ETH,
        };
        assert_ok!(Restaking::set_asset(
            RuntimeOrigin::root(),
            TOKEN,
            Some(rules)
        ));
        let binding = OperatorBinding {
            genesis: Settlement::genesis_hash(),
            account: H256(Alice.to_account_id().into()),
            operator,
            nonce: 0,
        };
        let signature = CompactSignature::sign(&OPERATOR_SECRET, binding.digest(&DOMAIN)).unwrap();
        assert_ok!(Restaking::register_operator(by(Alice), operator, signature));
    });
    // As if Ethereum had finalised a block since the capture before.
    pallet_restaking::LastCapture::<Runtime>::kill();
    next_era(chain);
    let wanted = era() + 1;
    let snapshot = pallet_restaking::Snapshots::<Runtime>::get(wanted).unwrap();
    let capture = snapshot.capture.timestamp;
    let stakes = VAULTS.map(|(vault, amount)| VaultStake {
        operator,
        vault: H160::repeat_byte(vault),
        collateral: TOKEN,
        amount: U256::from(amount),
    });
    let pages = stake_pages::pages(&[operator], &stakes);
    let vote = SnapshotVote {
        set_id: Settlement::validator_set().id,
        era: wanted,
        capture,
        root: stake_pages::root(wanted, capture, &pages),
        pages: 1,
    };
    chain.block(vec![RuntimeCall::Restaking(
        pallet_restaking::Call::submit_snapshot_vote {
            vote,
            validator: index_of("Alice"),
            signature: sign("Alice", vote.digest(Settlement::genesis_hash())),
        },
    )]);
    chain.block(vec![RuntimeCall::Restaking(
        pallet_restaking::Call::submit_page {
            era: wanted,
            index: 0,
            page: pages[0].clone(),
            proof: stake_pages::proof(wanted, capture, &pages, 0).unwrap(),
        },
    )]);
    next_era(chain);
    assert_eq!(era(), wanted);
    wanted
}

#[test]
fn what_programs_pay_reaches_stakers_of_both_assets() {
    start().execute_with(|| {
        let mut chain = Chain::new();
        stake(&mut chain);
        next_era(&mut chain);
        let earned = collateral(&mut chain);
        let income = 1_000 * UNITS;
        programs_pay(income);
        next_era(&mut chain);

        let parts = division(earned);
        assert_eq!(parts.income, income);
        assert_eq!(parts.validators, income / 5);
        assert_eq!(parts.vara_stakers, income / 2);
        assert_eq!(parts.eth_stakers, income * 3 / 10);
        assert_eq!(parts.capture, Restaking::capture(earned));
        // The vaults hold 3 to 1.
        let share = parts.eth_stakers / 4;
        let reward = |vault, amount| VaultReward {
            vault: H160::repeat_byte(vault),
            amount,
        };
        let vaults = vec![reward(1, parts.eth_stakers * 3 / 4), reward(2, share)];
        assert_eq!(
            sent(),
            [OutboxItem::Rewards {
                era: earned,
                capture: Restaking::capture(earned).unwrap(),
                operators_root: H256::zero(),
                operators_total: 0,
                vaults,
            }]
        );

        // Anybody pays the page: commission first, then by stake.
        let before = [Alice, Bob, Charlie, Dave, Ferdie].map(credit);
        assert_eq!(before, [parts.validators, 0, 0, 0, 0]);
        chain.act(|| {
            assert_noop!(pay(1, earned), pallet_rewards::Error::<Runtime>::NoSuchPage);
            assert_ok!(pay(0, earned));
            assert_noop!(
                pay(0, earned),
                pallet_rewards::Error::<Runtime>::NothingToPay
            );
        });
        let overview =
            pallet_staking::ErasStakersOverview::<Runtime>::get(earned, Alice.to_account_id())
                .unwrap();
        assert_eq!(overview.total, 180_020 * UNITS);
        let commission = parts.vara_stakers / 10;
        let rest = parts.vara_stakers - commission;
        let by_stake = |stake: u128| rest * stake / 180_020;
        assert_eq!(
            credit(Alice),
            parts.validators + commission + by_stake(100_000)
        );
        assert_eq!(credit(Bob), by_stake(50_000));
        // The pool's part is its members', by their points: not of who directs it.
        let of_pool = by_stake(30_020);
        for (member, points) in [(Charlie, 20), (Dave, 30_000)] {
            assert_ok!(chain.act(|| Rewards::claim_pool_share(by(Eve), member.to_account_id())));
            let share = of_pool * points / 30_020;
            assert!(share - credit(member) <= 1, "{share} of {}", credit(member));
        }
        assert_eq!(credit(Ferdie), 0);

        // Bob claims, and proves it to the Middleware when the era is over.
        let to = H160::repeat_byte(0xb0);
        let amount = credit(Bob);
        let claimed = era();
        chain.act(|| Rewards::claim(by(Bob), to)).unwrap();
        assert_eq!(credit(Bob), 0);
        next_era(&mut chain);
        let items = sent();
        let Some(OutboxItem::Rewards {
            era,
            operators_root,
            operators_total,
            capture,
            ..
        }) = items.last()
        else {
            panic!("nothing was sent");
        };
        assert_eq!((items.len(), *era, *operators_total), (2, claimed, amount));
        assert!(*capture > 0);
        let proof = Rewards::proof(claimed, to).unwrap();
        assert_eq!(proof.amount, amount);
        assert!(proof.verifies(*operators_root, claimed, to));
    });
}

#[test]
fn the_node_answers_with_the_proof() {
    start().execute_with(|| {
        let mut chain = Chain::new();
        chain.block(Vec::new());
        programs_pay(100 * UNITS);
        next_era(&mut chain);
        let claimed = era();
        let to = H160::repeat_byte(0xa1);
        chain.act(|| Rewards::claim(by(Alice), to)).unwrap();
        let ask = || {
            let answer =
                gear_exe_runtime::api::dispatch("RewardsApi_proof", &(claimed, to).encode());
            Option::<RewardProof>::decode(&mut &answer.unwrap()[..]).unwrap()
        };
        assert_eq!(ask(), None);
        next_era(&mut chain);
        assert_eq!(ask().unwrap().amount, 20 * UNITS);
        assert_eq!(ask(), Rewards::proof(claimed, to));
    });
}

#[test]
fn governance_sets_the_shares() {
    start().execute_with(|| {
        let mut chain = Chain::new();
        let set = |parameter: values::rewards::Parameters| {
            assert_ok!(Parameters::set_parameter(
                RuntimeOrigin::root(),
                RuntimeParameters::Rewards(parameter)
            ));
        };
        let validators = |percent| {
            values::rewards::Parameters::Validators(
                values::rewards::Validators,
                Some(Perbill::from_percent(percent)),
            )
        };
        chain.act(|| set(validators(21)));
        let began = era();
        chain.until(200, || era() > began);
        // 101 % are refused.
        let refused = RuntimeEvent::ParametersInForce(in_force::Event::ParametersRefused {
            group: Group::Rewards,
            reason: "the shares sum up to 100 % at most".into(),
        });
        assert!(
            System::events()
                .iter()
                .any(|record| record.event == refused)
        );
        let before = in_force::Rewards::<Runtime>::get();
        assert_eq!(before.validators, Perbill::from_percent(20));
        chain.act(|| {
            set(values::rewards::Parameters::EthStakers(
                values::rewards::EthStakers,
                Some(Perbill::from_percent(29)),
            ));
            set(values::rewards::Parameters::MinClaim(
                values::rewards::MinClaim,
                Some(1_000 * UNITS),
            ));
        });
        programs_pay(100 * UNITS);
        let earned = era();
        next_era(&mut chain);
        assert_eq!(division(earned).validators, 21 * UNITS);
        // Nobody has ETH.
        assert_eq!(division(earned).vara_stakers, 79 * UNITS);
        chain.act(|| {
            assert_noop!(
                Rewards::claim(by(Alice), H160::repeat_byte(1)),
                pallet_rewards::Error::<Runtime>::BelowMinimum
            );
        });
    });
}

#[test]
fn nothing_takes_more_than_a_block() {
    start().execute_with(|| {
        let limits = BlockWeights::get();
        let most = limits.get(DispatchClass::Normal).max_extrinsic.unwrap();
        let calls = [
            pallet_rewards::Call::pay_stakers {
                validator: Alice.to_account_id(),
                era: 0,
                page: 0,
            },
            pallet_rewards::Call::claim { to: H160::zero() },
            pallet_rewards::Call::claim_pool_share {
                member: Alice.to_account_id(),
            },
            pallet_rewards::Call::note_skipped { era: 0, item: 0 },
        ];
        for call in calls {
            let call = RuntimeCall::Rewards(call);
            let weight = call.get_dispatch_info().total_weight();
            assert!(weight.all_lte(most), "{call:?}: {weight:?} of {most:?}");
        }
        // What stands at the beginning of a block leaves room for others.
        for weight in [
            <() as WeightInfo>::turn(128, 2_048, 1_024),
            <() as WeightInfo>::forget(128),
        ] {
            assert!(weight.all_lte(limits.max_block / 4 * 3), "{weight:?}");
        }
    });
}
