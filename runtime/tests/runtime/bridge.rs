//! Facts of contracts on the runtime as it is: VARA as wVARA and back, and what became of slashes.

use crate::common::{Chain, DOMAIN, index_of, sign, start, transaction, validate};
use gear_exe_primitives::{
    H160, H256,
    facts::{Burn, Fact, RewardsFate, SlashFate},
    outbox::{OutboxItem, VaultReward},
    rewards::RewardClaim,
    vote::FactsVote,
};
use gear_exe_runtime::{
    AccountId, Balances, Bridge, EXISTENTIAL_DEPOSIT, Parameters, Rewards, Runtime, RuntimeCall,
    RuntimeEvent, RuntimeOrigin, Settlement, Slashing, System, UNITS,
    governance::origins::Origin,
    parameters::{RuntimeParameters, values::bridge as values},
};
use pallet_bridge::Error;
use pallet_rewards::{Items, Marks, Sent, Tree, Trees};
use pallet_slashing::{Expiry, OperatorQueue, Slash, Slashes, State};
use polkadot_sdk::{
    frame_support::{assert_noop, assert_ok, traits::fungible::Inspect},
    frame_system::RawOrigin,
    pallet_staking,
    sp_keyring::Sr25519Keyring,
    sp_runtime::{Perbill, TokenError},
};

const TO: H160 = H160::repeat_byte(0xbb);
/// What the presets lock for wVARA's first supply.
const BACKING: u128 = 1_000_000 * UNITS;

fn alice() -> AccountId {
    Sr25519Keyring::Alice.to_account_id()
}

fn ferdie() -> AccountId {
    Sr25519Keyring::Ferdie.to_account_id()
}

fn burn(number: u64, account: &AccountId, amount: u128) -> Fact {
    Fact::Burn(Burn {
        number,
        account: H256(account.clone().into()),
        amount,
    })
}

fn vote(name: &str, facts: &[Fact]) -> RuntimeCall {
    let vote = FactsVote {
        set_id: Settlement::validator_set().id,
        facts: facts.to_vec(),
    };
    let signature = sign(name, vote.digest(Settlement::genesis_hash()));
    RuntimeCall::Bridge(pallet_bridge::Call::submit_facts {
        vote,
        validator: index_of(name),
        signature,
    })
}

/// Three of four validators say so; the next block applies it.
fn agree(chain: &mut Chain, facts: &[Fact]) {
    chain.block(
        ["Alice", "Bob", "Charlie"]
            .map(|name| vote(name, facts))
            .to_vec(),
    );
    chain.block(Vec::new());
}

fn mints() -> Vec<OutboxItem> {
    Settlement::outbox(0, 1_000)
        .into_iter()
        .filter(|item| matches!(item, OutboxItem::Mint { .. }))
        .collect()
}

fn set(value: RuntimeParameters) {
    assert_ok!(Parameters::set_parameter(
        Origin::ParameterAdmin.into(),
        value
    ));
}

#[test]
fn vara_becomes_wvara_and_comes_back() {
    start("local").execute_with(|| {
        let mut chain = Chain::new();
        chain.block(Vec::new());
        assert_eq!(Bridge::held(), BACKING);
        let issuance = Balances::total_issuance();
        let before = Balances::balance(&alice());
        chain.act(|| {
            let origin = RuntimeOrigin::signed(alice());
            assert_ok!(Bridge::lock(origin, TO, 250 * UNITS));
        });
        assert_eq!(Bridge::held(), BACKING + 250 * UNITS);
        assert_eq!(Balances::balance(&alice()), before - 250 * UNITS);
        assert_eq!(
            mints(),
            [OutboxItem::Mint {
                id: 0,
                to: TO,
                amount: 250 * UNITS
            }]
        );

        let had = Balances::balance(&ferdie());
        let newcomer = AccountId::new([0x77; 32]);
        let facts = [
            burn(0, &ferdie(), 100 * UNITS),
            burn(1, &newcomer, EXISTENTIAL_DEPOSIT - 1),
            burn(2, &newcomer, 1),
        ];
        // One validator that lies changes nothing.
        let lie = [burn(0, &alice(), BACKING)];
        chain.block(vec![vote("Dave", &lie)]);
        agree(&mut chain, &facts[..2]);
        assert_eq!(Balances::balance(&ferdie()), had + 100 * UNITS);
        assert_eq!(Balances::balance(&newcomer), 0);
        assert_noop!(
            Bridge::claim(RuntimeOrigin::signed(alice()), newcomer.clone()),
            Error::<Runtime>::BelowMinimum
        );
        agree(&mut chain, &facts[2..]);
        assert_eq!(Balances::balance(&newcomer), EXISTENTIAL_DEPOSIT);
        assert_eq!(Bridge::held(), BACKING + 150 * UNITS - EXISTENTIAL_DEPOSIT);
        // Nothing came from nowhere.
        assert_eq!(Balances::total_issuance(), issuance);
    });
}

#[test]
fn a_validators_stake_is_not_locked() {
    start("local").execute_with(|| {
        let mut chain = Chain::new();
        chain.block(Vec::new());
        let all = Balances::balance(&alice());
        let origin = RuntimeOrigin::signed(alice());
        assert_noop!(
            Bridge::lock(origin.clone(), TO, all),
            TokenError::FundsUnavailable
        );
        for to in [H160::zero(), DOMAIN.router] {
            assert_noop!(
                Bridge::lock(origin.clone(), to, 100 * UNITS),
                Error::<Runtime>::BadAddress
            );
        }
        assert!(mints().is_empty());
    });
}

#[test]
fn votes_pass_the_pool_once() {
    start("local").execute_with(|| {
        let mut chain = Chain::new();
        chain.block(Vec::new());
        let honest = vote("Alice", &[burn(0, &ferdie(), UNITS)]);
        validate(transaction(honest.clone())).unwrap();
        chain.block(vec![honest.clone()]);
        assert!(validate(transaction(honest)).is_err());
        // For another set, by nobody's key.
        let RuntimeCall::Bridge(pallet_bridge::Call::submit_facts {
            vote,
            validator,
            signature,
        }) = vote("Bob", &[burn(0, &ferdie(), UNITS)])
        else {
            panic!("another call");
        };
        let old = FactsVote {
            set_id: vote.set_id + 1,
            ..vote.clone()
        };
        for (vote, validator) in [(old, validator), (vote, validator ^ 1)] {
            let call = pallet_bridge::Call::submit_facts {
                vote,
                validator,
                signature,
            };
            assert!(validate(transaction(RuntimeCall::Bridge(call))).is_err());
        }
    });
}

#[test]
fn governance_sets_the_least_and_pauses_at_once() {
    start("local").execute_with(|| {
        let mut chain = Chain::new();
        chain.block(Vec::new());
        let lock = |amount| Bridge::lock(RuntimeOrigin::signed(alice()), TO, amount);
        assert_noop!(lock(10 * UNITS - 1), Error::<Runtime>::TooLittle);
        chain.act(|| {
            set(RuntimeParameters::Bridge(values::Parameters::MinLock(
                values::MinLock,
                Some(UNITS),
            )));
            assert_ok!(lock(UNITS));
            set(RuntimeParameters::Bridge(values::Parameters::Paused(
                values::Paused,
                Some(true),
            )));
            assert_noop!(lock(UNITS), Error::<Runtime>::Paused);
        });
        let had = Balances::balance(&ferdie());
        agree(&mut chain, &[burn(0, &ferdie(), UNITS)]);
        assert_eq!(Balances::balance(&ferdie()), had);
        chain.act(|| {
            set(RuntimeParameters::Bridge(values::Parameters::Paused(
                values::Paused,
                Some(false),
            )));
        });
        chain.block(Vec::new());
        assert_eq!(Balances::balance(&ferdie()), had + UNITS);
        assert_eq!(mints().len(), 1);
    });
}

/// A slash of an operator's stake that has left for Ethereum in outbox item `item`.
fn put_slash(id: u64, item: u64) {
    let operator = H160::from_low_u64_be(id + 1);
    let kind = *b"gexe:double-sign";
    let slash = Slash {
        validator: alice(),
        operator,
        era: 0,
        kind,
        incident: H256::from_low_u64_be(id),
        fraction: Perbill::from_percent(10),
        capture: 1_000,
        due: 0,
        deadline: u64::MAX,
        end: u64::MAX,
        approved: true,
        state: State::Committed { item },
        vara: Default::default(),
    };
    Slashes::<Runtime>::insert(id, slash);
    pallet_slashing::EraSlashes::<Runtime>::insert(0, id, ());
    pallet_slashing::Reached::<Runtime>::insert(0, operator, Perbill::from_percent(10));
    pallet_slashing::NextId::<Runtime>::put(id + 1);
    let open = vec![(1_000, id)].try_into().unwrap();
    pallet_slashing::Queues::<Runtime>::insert(operator, OperatorQueue { open, executed: 0 });
}

#[test]
fn the_chain_learns_how_slashes_end() {
    start("local").execute_with(|| {
        let mut chain = Chain::new();
        chain.block(Vec::new());
        chain.act(|| (0..4).for_each(|id| put_slash(id, id)));
        let facts = [
            Fact::Slash {
                id: 0,
                fate: SlashFate::Executed,
            },
            Fact::Slash {
                id: 1,
                fate: SlashFate::Vetoed,
            },
            Fact::Slash {
                id: 2,
                fate: SlashFate::Refused,
            },
        ];
        // Before their batch is final nobody may say anything.
        assert!(validate(transaction(vote("Alice", &facts))).is_err());
        chain.act(|| Slashing::note_settled(3));
        let unsettled = Fact::Slash {
            id: 3,
            fate: SlashFate::Refused,
        };
        assert!(validate(transaction(vote("Alice", &[unsettled]))).is_err());
        agree(&mut chain, &facts);
        let state = |id| Slashes::<Runtime>::get(id).unwrap().state;
        assert_eq!(state(0), State::Executed);
        assert_eq!(state(1), State::Vetoed);
        assert_eq!(state(2), State::Expired(Expiry::Refused));
        assert_eq!(state(3), State::Committed { item: 3 });
        for id in 0..3 {
            assert!(Slashing::is_clear(H160::from_low_u64_be(id + 1)));
        }
        let events: Vec<_> = System::events()
            .into_iter()
            .filter_map(|record| match record.event {
                RuntimeEvent::Slashing(event) => Some(event),
                _ => None,
            })
            .collect();
        assert!(events.contains(&pallet_slashing::Event::SlashExecuted { id: 0 }));
        assert!(events.contains(&pallet_slashing::Event::SlashVetoed { id: 1 }));
        assert!(events.contains(&pallet_slashing::Event::SlashExpired {
            id: 2,
            reason: Expiry::Refused
        }));
        // What is over is not asked for again.
        assert!(validate(transaction(vote("Dave", &facts))).is_err());
    });
}

/// Rewards of era 0 that have left for Ethereum: claims in an outbox item, vaults' in the two after it. Returns its number.
fn put_rewards() -> u64 {
    // Only the numbers count.
    let sent = [0, 1, 2].map(|id| Settlement::push(OutboxItem::SlashCancel { id }));
    let first = sent[0];
    let claim = RewardClaim {
        to: TO,
        amount: 100 * UNITS,
    };
    let tree = Tree {
        capture: 1_000,
        claims: vec![claim].try_into().unwrap(),
    };
    Trees::<Runtime>::insert(0, tree);
    Items::<Runtime>::insert(0, first, Sent::Claims(100 * UNITS));
    for item in first + 1..first + 3 {
        let mark = VaultReward {
            vault: H160::from_low_u64_be(item),
            amount: 9 * UNITS,
        };
        Items::<Runtime>::insert(0, item, Sent::Vaults(10 * UNITS));
        Marks::<Runtime>::insert(0, item, mark);
    }
    pallet_rewards::SeenEra::<Runtime>::put(1);
    pallet_rewards::Emitted::<Runtime>::put(120 * UNITS);
    pallet_rewards::Taken::<Runtime>::put(120 * UNITS);
    pallet_rewards::LastSpent::<Runtime>::put(120 * UNITS);
    pallet_staking::ActiveEra::<Runtime>::mutate(|era| {
        if let Some(era) = era {
            era.index = 1;
        }
    });
    first
}

#[test]
fn the_chain_learns_whether_rewards_were_taken() {
    start("local").execute_with(|| {
        let mut chain = Chain::new();
        chain.block(Vec::new());
        let first = chain.act(put_rewards);
        let fact = |place, fate| Fact::Rewards {
            era: 0,
            item: first + place,
            fate,
        };
        let facts = [
            fact(0, RewardsFate::Taken),
            fact(1, RewardsFate::Skipped),
            fact(2, RewardsFate::Taken),
        ];
        // Before their batch is final nobody may say anything, nor is it asked.
        assert!(validate(transaction(vote("Alice", &facts))).is_err());
        assert!(Rewards::open_items().is_empty());
        pallet_settlement::Settled::<Runtime>::mutate(|settled| settled.outbox_end = first + 2);
        assert_eq!(Rewards::open_items().len(), 2);
        assert!(validate(transaction(vote("Alice", &facts[2..]))).is_err());
        agree(&mut chain, &facts);
        assert_eq!(Rewards::delivered(), 100 * UNITS);
        assert_eq!(pallet_rewards::Carried::<Runtime>::get(), 10 * UNITS);
        assert_eq!(Items::<Runtime>::iter().count(), 1);
        let events: Vec<_> = System::events()
            .into_iter()
            .filter_map(|record| match record.event {
                RuntimeEvent::Rewards(event) => Some(event),
                _ => None,
            })
            .collect();
        assert_eq!(
            events,
            [
                pallet_rewards::Event::Taken {
                    era: 0,
                    item: first,
                    amount: 100 * UNITS
                },
                pallet_rewards::Event::SkipNoted {
                    era: 0,
                    item: first + 1,
                    again: None
                },
            ]
        );
        // What is known is not asked for again.
        assert!(validate(transaction(vote("Dave", &facts))).is_err());
    });
}

#[test]
fn nobody_but_validators_says_what_is_true() {
    start("local").execute_with(|| {
        let mut chain = Chain::new();
        chain.block(Vec::new());
        let RuntimeCall::Bridge(call) = vote("Alice", &[burn(0, &ferdie(), UNITS)]) else {
            panic!("another call");
        };
        for origin in [RawOrigin::Root, RawOrigin::None, RawOrigin::Signed(alice())] {
            use polkadot_sdk::frame_support::traits::UnfilteredDispatchable;
            assert!(call.clone().dispatch_bypass_filter(origin.into()).is_err());
        }
    });
}
