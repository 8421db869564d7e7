//! The off-chain worker against a node that has read an invented Ethereum.

use crate::{Call, SnapshotState, Snapshots, Votes, mock::*};
use codec::Decode;
use gear_exe_primitives::{
    H256,
    host::{self, Backend, BackendExt, CodeVerdict, EthereumView, StakesRequest, ViewRequest},
    restaking::VaultStake,
};
use polkadot_sdk::{
    frame_support::traits::Hooks,
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
    stakes: Option<Vec<VaultStake>>,
    /// What it was asked.
    asked: Vec<StakesRequest>,
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

    fn vault_stakes(&mut self, request: &StakesRequest) -> Option<Vec<VaultStake>> {
        let mut node = self.0.lock().unwrap();
        node.asked.push(request.clone());
        node.stakes.clone()
    }

    fn round(&mut self) {}
}

impl Node {
    fn knows(&self, stakes: Vec<VaultStake>) {
        self.0.lock().unwrap().stakes = Some(stakes);
    }

    fn asked(&self) -> Vec<StakesRequest> {
        std::mem::take(&mut self.0.lock().unwrap().asked)
    }
}

struct World {
    node: Node,
    pool: Arc<parking_lot::RwLock<PoolState>>,
}

impl World {
    /// Runs the worker of the block, and takes in what it sent. Returns the calls.
    fn work(&self) -> Vec<Call<Test>> {
        Restaking::offchain_worker(System::block_number());
        let sent: Vec<_> = self.pool.write().transactions.drain(..).collect();
        let calls: Vec<_> = sent
            .into_iter()
            .map(|bytes| {
                let RuntimeCall::Restaking(call) =
                    Extrinsic::decode(&mut &bytes[..]).unwrap().function
                else {
                    panic!("a call of another pallet");
                };
                call
            })
            .collect();
        next_block();
        calls.iter().cloned().for_each(apply);
        calls
    }
}

fn apply(call: Call<Test>) {
    let source = TransactionSource::Local;
    let origin = RawOrigin::Authorized.into();
    match call {
        Call::submit_snapshot_vote {
            vote,
            validator,
            signature,
        } => {
            Restaking::authorize_snapshot_vote(source, &vote, &validator, &signature).unwrap();
            Restaking::submit_snapshot_vote(origin, vote, validator, signature).unwrap();
        }
        Call::submit_page {
            era,
            index,
            page,
            proof,
        } => {
            Restaking::authorize_page(source, &era, &index, &page, &proof).unwrap();
            Restaking::submit_page(origin, era, index, page, proof).unwrap();
        }
        other => panic!("not sent by nodes: {other:?}"),
    }
    Restaking::do_try_state().unwrap();
}

/// A node with these validators' keys; 60 operators are asked for.
fn run_node(keys: &[u64], test: impl FnOnce(&World)) {
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
        for account in 0..60 {
            crate::Pallet::<Test>::bind(&account, address(account), 0);
        }
        next_era();
        test(&world);
    });
}

fn stakes() -> Vec<VaultStake> {
    weth(&(0..60).map(|account| (account, ETH)).collect::<Vec<_>>())
}

#[test]
fn a_node_that_does_not_know_is_silent_and_asks_again() {
    run_node(&[0], |world| {
        assert!(world.work().is_empty());
        let asked = world.node.asked();
        assert_eq!(asked.len(), 1);
        let (_, capture) = open();
        assert_eq!(asked[0].capture, capture.timestamp);
        assert_eq!(asked[0].block, capture.block);
        assert_eq!(asked[0].operators.len(), 60);
        world.node.knows(stakes());
        assert_eq!(world.work().len(), 1);
        assert_eq!(Votes::<Test>::get()[0].validator, 0);
        // It has voted: nothing is to do until the others have.
        world.node.asked();
        assert!(world.work().is_empty());
        assert!(world.node.asked().is_empty());
    });
}

#[test]
fn it_votes_and_brings_all_pages() {
    run_node(&[0, 1, 2], |world| {
        world.node.knows(stakes());
        assert_eq!(world.work().len(), 3);
        // Eight pages, four at a time.
        assert_eq!(world.work().len(), 4);
        assert!(Restaking::stakes(2).is_empty());
        assert_eq!(world.work().len(), 4);
        assert_eq!(Restaking::stakes(2).len(), 60);
        assert!(world.work().is_empty());
    });
}

#[test]
fn it_brings_no_pages_of_what_it_does_not_know() {
    run_node(&[3], |world| {
        let vote = vote(&pages(&stakes()));
        for validator in 0..3 {
            send_vote(validator, vote).unwrap();
        }
        assert!(world.work().is_empty());
        world.node.knows(weth(&[(0, 7)]));
        assert!(world.work().is_empty());
        assert!(matches!(
            Snapshots::<Test>::get(2).unwrap().state,
            SnapshotState::Agreed { stored: 0, .. }
        ));
        world.node.knows(stakes());
        assert_eq!(world.work().len(), 4);
    });
}

#[test]
fn a_node_without_a_key_of_the_set_is_silent() {
    for keys in [&[][..], &[9]] {
        run_node(keys, |world| {
            world.node.knows(stakes());
            assert!(world.work().is_empty());
            assert!(world.node.asked().is_empty());
        });
    }
}

#[test]
fn it_does_nothing_for_an_era_that_is_elected() {
    run_node(&[0], |world| {
        world.node.knows(stakes());
        plan();
        assert!(world.work().is_empty());
    });
}
