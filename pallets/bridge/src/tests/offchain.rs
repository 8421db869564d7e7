//! The off-chain worker against a node that has read an invented Ethereum.

use crate::{BURN_WINDOW, Call, NextBurn, Votes, mock::*};
use codec::Decode;
use gear_exe_primitives::{
    H256,
    ethereum::BlockId,
    facts::{
        Fact, FactsRequest, MAX_ASKED_REWARDS, MAX_ASKED_SLASHES, MAX_FACTS, RewardsFate, SlashFate,
    },
    hashing::keccak256,
    host::{self, Backend, BackendExt, CodeVerdict, EthereumView, ViewRequest},
};
use polkadot_sdk::{
    frame_support::{assert_ok, traits::Hooks},
    frame_system::RawOrigin,
    sp_core::offchain::{
        OffchainDbExt, OffchainWorkerExt, TransactionPoolExt,
        testing::{PoolState, TestOffchainExt, TestTransactionPoolExt},
    },
    sp_keystore::{Keystore, KeystoreExt, testing::MemoryKeystore},
    sp_runtime::transaction_validity::TransactionSource,
};
use std::sync::{Arc, Mutex};

#[derive(Default)]
struct Knowledge {
    /// What the node has ready.
    facts: Option<Vec<Fact>>,
    /// What it was asked.
    asked: Vec<FactsRequest>,
}

#[derive(Clone, Default)]
struct Node(Arc<Mutex<Knowledge>>);

impl Backend for Node {
    fn ethereum_view(&mut self, _: &ViewRequest) -> Option<EthereumView> {
        None
    }

    fn ethereum_header(&mut self, _: H256) -> Option<Vec<u8>> {
        None
    }

    fn code_verdicts(&mut self) -> Vec<CodeVerdict> {
        Vec::new()
    }

    fn facts(&mut self, request: &FactsRequest) -> Option<Vec<Fact>> {
        let mut node = self.0.lock().unwrap();
        node.asked.push(request.clone());
        node.facts.clone()
    }

    fn round(&mut self) {}
}

impl Node {
    fn knows(&self, facts: Vec<Fact>) {
        self.0.lock().unwrap().facts = Some(facts);
    }

    fn asked(&self) -> Vec<FactsRequest> {
        std::mem::take(&mut self.0.lock().unwrap().asked)
    }
}

struct World {
    node: Node,
    pool: Arc<parking_lot::RwLock<PoolState>>,
}

impl World {
    /// Runs the worker of the block, and takes in what it sent. Returns the facts, vote by vote.
    fn work(&self) -> Vec<Vec<Fact>> {
        Bridge::offchain_worker(System::block_number());
        let sent: Vec<_> = self.pool.write().transactions.drain(..).collect();
        let facts = sent
            .into_iter()
            .map(|bytes| {
                let RuntimeCall::Bridge(Call::submit_facts {
                    vote,
                    validator,
                    signature,
                }) = Extrinsic::decode(&mut &bytes[..]).unwrap().function
                else {
                    panic!("not a vote");
                };
                let source = TransactionSource::Local;
                Bridge::authorize_facts(source, &vote, &validator, &signature).unwrap();
                let origin = RawOrigin::Authorized.into();
                let facts = vote.facts.clone();
                Bridge::submit_facts(origin, vote, validator, signature).unwrap();
                facts
            })
            .collect();
        next_block();
        facts
    }
}

/// A node with these validators' keys.
fn run_node(keys: &[u32], test: impl FnOnce(&World)) {
    let mut externalities = new_test_ext();
    let (offchain, _) = TestOffchainExt::new();
    let (pool, state) = TestTransactionPoolExt::new();
    let keystore = MemoryKeystore::new();
    for key in keys {
        let hex: String = secret(*key)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        keystore
            .ecdsa_generate_new(host::KEY_TYPE, Some(&format!("0x{hex}")))
            .unwrap();
    }
    let node = Node::default();
    externalities.register_extension(OffchainDbExt::new(offchain.clone()));
    externalities.register_extension(OffchainWorkerExt::new(offchain));
    externalities.register_extension(TransactionPoolExt::new(pool));
    externalities.register_extension(KeystoreExt::new(keystore));
    externalities.register_extension(BackendExt(Box::new(node.clone())));
    let world = World { node, pool: state };
    externalities.execute_with(|| {
        assert_ok!(lock(0, BOB, 500));
        test(&world);
    });
}

#[test]
fn it_asks_for_what_the_chain_wants() {
    run_node(&[0], |world| {
        let block = BlockId {
            number: 7,
            hash: H256::repeat_byte(7),
        };
        Finalised::set(block);
        Open::set(vec![4, 2]);
        OpenItems::set(vec![asked(8), asked(3)]);
        Delivered::set(70);
        assert!(world.work().is_empty());
        assert_eq!(
            world.node.asked(),
            [FactsRequest {
                block,
                burns_from: 0,
                burns_most: BURN_WINDOW,
                slashes: vec![2, 4],
                rewards: vec![asked(3), asked(8)],
                delivered: 70,
            }]
        );
    });
}

#[test]
fn it_votes_for_what_is_new_with_each_key() {
    run_node(&[0, 1, 2, 9], |world| {
        Open::set(vec![4]);
        OpenItems::set(vec![asked(6)]);
        // The order is the worker's concern.
        world.node.knows(vec![
            rewards(6, RewardsFate::Skipped),
            slash(4, SlashFate::Vetoed),
            burn(1, 1, 6),
            burn(0, 1, 5),
        ]);
        let facts = [
            burn(0, 1, 5),
            burn(1, 1, 6),
            slash(4, SlashFate::Vetoed),
            rewards(6, RewardsFate::Skipped),
        ];
        assert_eq!(world.work(), [facts, facts, facts]);
        assert_eq!((free(1), Ended::get().len()), (MONEY + 11, 1));
        assert_eq!(Told::get(), [(5, 6, RewardsFate::Skipped)]);
        world.node.asked();
        // What it has said and what is applied it does not say again.
        assert!(world.work().is_empty());
        assert_eq!(world.node.asked()[0].burns_from, 2);
    });
}

#[test]
fn one_of_many_says_each_thing_once() {
    run_node(&[0], |world| {
        world.node.knows(vec![burn(0, 1, 5)]);
        assert_eq!(world.work().len(), 1);
        assert!(world.work().is_empty());
        world.node.knows(vec![burn(0, 1, 5), burn(1, 1, 6)]);
        assert_eq!(world.work(), [[burn(1, 1, 6)]]);
        assert_eq!(
            (NextBurn::<Test>::get(), Votes::<Test>::get(0).len()),
            (0, 2)
        );
    });
}

#[test]
fn more_than_fits_into_a_vote_comes_later() {
    run_node(&[0, 1, 2], |world| {
        Open::set((0..100).collect());
        // More than was asked for is left out.
        let burns = (0..40).map(|number| burn(number, 1, 1));
        let slashes = (0..100).map(|id| slash(id, SlashFate::Executed));
        world.node.knows(burns.chain(slashes).collect());
        let votes = world.work();
        assert_eq!(votes.len(), 3);
        assert!(votes.iter().all(|facts| facts.len() == MAX_FACTS));
        while !world.work().is_empty() {}
        // So many do not end in one block.
        (0..8).for_each(|_| {
            next_block();
        });
        assert_eq!((NextBurn::<Test>::get(), Ended::get().len()), (40, 100));
    });
}

#[test]
fn of_many_slashes_and_rewards_all_are_asked_in_turn() {
    run_node(&[0], |world| {
        Open::set((0..90).rev().collect());
        OpenItems::set((0..40).rev().map(asked).collect());
        let mut slashes = std::collections::BTreeSet::new();
        let mut items = std::collections::BTreeSet::new();
        for epoch in 0..32u64 {
            Finalised::set(BlockId {
                number: 1_024 + 32 * epoch,
                hash: keccak256([epoch.to_be_bytes()]),
            });
            world.work();
            let request = world.node.asked().remove(0);
            assert_eq!(request.slashes.len(), MAX_ASKED_SLASHES);
            slashes.extend(request.slashes);
            assert_eq!(request.rewards.len(), MAX_ASKED_REWARDS);
            items.extend(request.rewards.iter().map(|rewards| rewards.item));
        }
        assert_eq!((slashes.len(), items.len()), (90, 40));
    });
}

#[test]
fn a_node_without_a_key_of_the_set_is_silent() {
    for keys in [&[][..], &[9]] {
        run_node(keys, |world| {
            world.node.knows(vec![burn(0, 1, 5)]);
            assert!(world.work().is_empty());
            assert!(world.node.asked().is_empty());
        });
    }
}

#[test]
fn without_a_router_there_is_nothing_to_ask() {
    run_node(&[0], |world| {
        world.node.knows(vec![burn(0, 1, 5)]);
        Bound::set(None);
        assert!(world.work().is_empty());
        assert!(world.node.asked().is_empty());
    });
}

#[test]
fn another_set_is_told_again() {
    run_node(&[0], |world| {
        world.node.knows(vec![burn(0, 1, 5)]);
        assert_eq!(world.work().len(), 1);
        next_set();
        assert_eq!(world.work().len(), 1);
        assert_eq!(Votes::<Test>::get(0).len(), 1);
    });
}
