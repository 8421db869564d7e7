//! Both assets on the runtime as it is: collateral on Ethereum that validators agree on, the election that counts it, and
//! a fault that costs both.

use crate::common::{Chain, DOMAIN, index_of, sign, start_with};
use gear_exe_primitives::{
    H160, H256, U256,
    batch::BatchHeader,
    outbox::OutboxItem,
    restaking::{OperatorBinding, VaultStake},
    signature::{CompactSignature, address_of_secret},
    stake_pages,
    vote::SnapshotVote,
};
use gear_exe_runtime::{
    MEAN_WEIGHT, Restaking, Runtime, RuntimeCall, RuntimeOrigin, Settlement, Slashing,
    governance::origins::Origin, parameters::in_force,
};
use pallet_restaking::{AssetRules, SnapshotState};
use polkadot_sdk::{
    frame_support::{assert_noop, assert_ok},
    pallet_staking,
    sp_keyring::Sr25519Keyring,
    sp_runtime::{DispatchError, Perbill},
};
use serde_json::json;

const ETH: u128 = 1_000_000_000_000_000_000;
const TOKEN: H160 = H160::repeat_byte(0xee);
const VAULT: H160 = H160::repeat_byte(0xaa);
const OPERATOR_SECRET: [u8; 32] = [42; 32];

fn operator() -> H160 {
    address_of_secret(&OPERATOR_SECRET).unwrap()
}

fn era() -> u32 {
    pallet_staking::ActiveEra::<Runtime>::get().unwrap().index
}

/// The Router takes every handover at once.
fn router_follows() {
    let current = pallet_settlement::CurrentSet::<Runtime>::get();
    pallet_settlement::Settled::<Runtime>::mutate(|settled| settled.set_id = current);
    pallet_settlement::Router::<Runtime>::mutate(|router| router.batch.set_id = current);
}

fn next_era(chain: &mut Chain) {
    let before = era();
    chain.until(400, || {
        router_follows();
        era() > before
    });
    // What begins with an era is seen in the block after.
    chain.block(Vec::new());
}

/// Alice binds an Ethereum address, for which a vault holds `amount` wei; an era later it counts.
fn collateral(chain: &mut Chain, amount: u128) {
    let alice = Sr25519Keyring::Alice.to_account_id();
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
            account: H256(alice.clone().into()),
            operator: operator(),
            nonce: 0,
        };
        let signature = CompactSignature::sign(&OPERATOR_SECRET, binding.digest(&DOMAIN)).unwrap();
        let origin = RuntimeOrigin::signed(alice);
        assert_ok!(Restaking::register_operator(origin, operator(), signature));
    });
    // As if Ethereum had finalised a block since the capture before.
    pallet_restaking::LastCapture::<Runtime>::kill();
    next_era(chain);
    let wanted = era() + 1;
    let snapshot = pallet_restaking::Snapshots::<Runtime>::get(wanted).unwrap();
    let capture = snapshot.capture.timestamp;
    let stake = VaultStake {
        operator: operator(),
        vault: VAULT,
        collateral: TOKEN,
        amount: U256::from(amount),
    };
    let pages = stake_pages::pages(&[operator()], &[stake]);
    let vote = SnapshotVote {
        set_id: Settlement::validator_set().id,
        era: wanted,
        capture,
        root: stake_pages::root(wanted, capture, &pages),
        pages: 1,
    };
    let digest = vote.digest(Settlement::genesis_hash());
    let vote_of = |name: &str, vote: SnapshotVote, digest| {
        RuntimeCall::Restaking(pallet_restaking::Call::submit_snapshot_vote {
            vote,
            validator: index_of(name),
            signature: sign(name, digest),
        })
    };
    // One validator that lies changes nothing.
    let lie = SnapshotVote {
        root: H256::repeat_byte(1),
        ..vote
    };
    let lied = vote_of("Dave", lie, lie.digest(Settlement::genesis_hash()));
    let votes = ["Alice", "Bob", "Charlie"].map(|name| vote_of(name, vote, digest));
    chain.block([vec![lied], votes.to_vec()].concat());
    chain.block(vec![RuntimeCall::Restaking(
        pallet_restaking::Call::submit_page {
            era: wanted,
            index: 0,
            page: pages[0].clone(),
            proof: stake_pages::proof(wanted, capture, &pages, 0).unwrap(),
        },
    )]);
    let snapshot = pallet_restaking::Snapshots::<Runtime>::get(wanted).unwrap();
    assert!(
        matches!(snapshot.state, SnapshotState::Accepted { total, .. } if total == amount / 10 * 9),
        "{snapshot:?}"
    );
    next_era(chain);
    assert_eq!(era(), wanted);
}

/// Alice signs two batches for the newest seal.
fn sign_twice(chain: &mut Chain) {
    router_follows();
    chain.until(100, || {
        let newest = pallet_settlement::SealNumbers::<Runtime>::get();
        let newest = newest.last().copied().unwrap_or_default();
        pallet_settlement::Seals::<Runtime>::get(newest).is_some_and(|seal| {
            seal.set_id == pallet_settlement::CurrentSet::<Runtime>::get() && !seal.hash.is_zero()
        })
    });
    let number = *pallet_settlement::SealNumbers::<Runtime>::get()
        .last()
        .unwrap();
    let seal = pallet_settlement::Seals::<Runtime>::get(number).unwrap();
    let members = Settlement::validator_set_at(seal.set_id).unwrap().members;
    let validator = members
        .iter()
        .position(|member| member.address == crate::common::address("Alice"))
        .unwrap() as u32;
    let calls = [1, 2].map(|content| {
        let header = BatchHeader {
            genesis: Settlement::genesis_hash(),
            seal_number: number,
            seal_hash: seal.hash,
            last_round: number,
            last_round_hash: seal.hash,
            nonce: seal.router.nonce + 1,
            parent: seal.router.digest,
            anchor_number: seal.anchor.number,
            anchor_hash: seal.anchor.hash,
            set_id: seal.set_id,
            content: H256::repeat_byte(content),
            expiry: seal.expiry,
        };
        RuntimeCall::Settlement(pallet_settlement::Call::submit_batch_signature {
            header,
            validator,
            signature: sign("Alice", header.digest(&DOMAIN)),
        })
    });
    for call in calls {
        chain.block(vec![call]);
    }
    // The report comes with the next block.
    chain.block(Vec::new());
}

fn eth_slashes() -> Vec<OutboxItem> {
    Settlement::outbox(0, 1_000)
        .into_iter()
        .filter(|item| {
            matches!(
                item,
                OutboxItem::Slash { .. } | OutboxItem::SlashCancel { .. }
            )
        })
        .collect()
}

fn vara_slashes() -> usize {
    pallet_staking::UnappliedSlashes::<Runtime>::iter_values()
        .map(|slashes| slashes.len())
        .sum()
}

fn start() -> polkadot_sdk::sp_io::TestExternalities {
    start_with("local", json!({}))
}

#[test]
fn collateral_that_validators_agree_on_gives_weight() {
    start().execute_with(|| {
        let mut chain = Chain::new();
        chain.block(Vec::new());
        let weight = |name: &str| {
            let members = Settlement::validator_set().members;
            members[index_of(name) as usize].weight
        };
        assert_eq!([weight("Alice"), weight("Bob")], [MEAN_WEIGHT; 2]);
        collateral(&mut chain, 5_000 * ETH);
        assert!(weight("Alice") > weight("Bob"));
        assert_eq!(weight("Bob"), weight("Dave"));
        // No more than twice the mean.
        assert!(weight("Alice") <= 2 * MEAN_WEIGHT);
        assert_eq!(
            Restaking::stakes(era()),
            [(Sr25519Keyring::Alice.to_account_id(), 4_500 * ETH)]
        );
        // The Router was told.
        let set = Settlement::validator_set();
        let told = Settlement::outbox(0, 1_000)
            .into_iter()
            .rfind(|item| matches!(item, OutboxItem::SetUpdate { .. }));
        assert_eq!(
            told,
            Some(OutboxItem::SetUpdate {
                set_id: set.id,
                members: set.members
            })
        );
    });
}

#[test]
fn two_signatures_for_one_seal_cost_both_assets() {
    start().execute_with(|| {
        let mut chain = Chain::new();
        chain.block(Vec::new());
        collateral(&mut chain, 5_000 * ETH);
        in_force::Slashing::<Runtime>::mutate(|rules| rules.deferral = 5);
        sign_twice(&mut chain);
        assert_eq!((vara_slashes(), eth_slashes().len()), (1, 0));
        chain.until(12, || !eth_slashes().is_empty());
        let capture = Restaking::capture(era()).unwrap();
        // One of four: (3 / 4)².
        assert_eq!(
            eth_slashes(),
            [OutboxItem::Slash {
                id: 0,
                operator: operator(),
                fraction: 562_500_000,
                capture
            }]
        );
        let bonded =
            || pallet_staking::Ledger::<Runtime>::get(Sr25519Keyring::Alice.to_account_id());
        let before = bonded().unwrap().total;
        (0..5).for_each(|_| next_era(&mut chain));
        // Rewards are not claimed, so nothing else changes the bond.
        assert_eq!(bonded().unwrap().total, before - before / 10_000 * 5_625);
    });
}

#[test]
fn a_slash_that_is_cancelled_in_time_costs_nothing() {
    start().execute_with(|| {
        let mut chain = Chain::new();
        chain.block(Vec::new());
        collateral(&mut chain, 5_000 * ETH);
        in_force::Slashing::<Runtime>::mutate(|rules| rules.deferral = 5);
        sign_twice(&mut chain);
        chain.act(|| {
            for origin in [
                RuntimeOrigin::signed(Sr25519Keyring::Alice.to_account_id()),
                Origin::ParameterAdmin.into(),
            ] {
                assert_noop!(Slashing::cancel(origin, 0), DispatchError::BadOrigin);
            }
            assert_ok!(Slashing::cancel(Origin::SlashCanceller.into(), 0));
        });
        let alice = Sr25519Keyring::Alice.to_account_id();
        let bonded = || {
            pallet_staking::Ledger::<Runtime>::get(&alice)
                .unwrap()
                .total
        };
        let before = bonded();
        (0..5).for_each(|_| next_era(&mut chain));
        assert_eq!((vara_slashes(), eth_slashes().len()), (0, 0));
        assert_eq!(bonded(), before);
    });
}
