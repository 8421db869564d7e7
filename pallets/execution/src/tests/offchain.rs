//! The off-chain worker against a node that sees an invented Ethereum.

use crate::{Call, MAX_HEADERS, ViewParameters, ViewRules, Views, mock::*};
use codec::Decode;
use gear_exe_primitives::{
    CodeId, H256,
    ethereum::{BlockId, EthereumHeader},
    host::{self, Backend, BackendExt, CodeVerdict, EthereumView, ViewRequest},
    vote::{RouterAt, Verdict},
};
use polkadot_sdk::{
    frame_support::traits::Hooks,
    frame_system::RawOrigin,
    sp_core::offchain::{
        OffchainDbExt, OffchainWorkerExt, TransactionPoolExt,
        testing::{PoolState, TestOffchainExt, TestTransactionPoolExt},
    },
    sp_io::TestExternalities,
    sp_keystore::{Keystore, KeystoreExt, testing::MemoryKeystore},
    sp_runtime::transaction_validity::TransactionSource,
};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

/// What the node has ready.
#[derive(Default)]
struct Node {
    tip: BlockId,
    finalised: BlockId,
    headers: BTreeMap<H256, Vec<u8>>,
    /// At which blocks it knows what the Router holds.
    routers: Vec<RouterAt>,
    verdicts: Vec<CodeVerdict>,
    rounds: usize,
}

#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Node>>);

impl Backend for Shared {
    fn ethereum_view(&mut self, request: &ViewRequest) -> Option<EthereumView> {
        let node = self.0.lock().unwrap();
        Some(EthereumView {
            tip: node.tip,
            finalised: node.finalised,
            router: node
                .routers
                .iter()
                .find(|router| router.block == request.anchor)
                .copied(),
        })
    }

    fn ethereum_header(&mut self, hash: H256) -> Option<Vec<u8>> {
        self.0.lock().unwrap().headers.get(&hash).cloned()
    }

    fn code_verdicts(&mut self) -> Vec<CodeVerdict> {
        self.0.lock().unwrap().verdicts.clone()
    }

    fn round(&mut self) {
        self.0.lock().unwrap().rounds += 1;
    }
}

impl Shared {
    fn sees(&self, blocks: &[(EthereumHeader, Vec<u8>)]) {
        let mut node = self.0.lock().unwrap();
        node.tip = blocks.last().unwrap().0.id();
        node.headers.extend(
            blocks
                .iter()
                .map(|(header, bytes)| (header.hash, bytes.clone())),
        );
    }

    fn knows_router(&self, block: BlockId, nonce: u64) -> RouterAt {
        let mut router = RouterAt {
            block,
            ..Default::default()
        };
        router.batch.nonce = nonce;
        self.0.lock().unwrap().routers.push(router);
        router
    }
}

struct World {
    node: Shared,
    pool: Arc<parking_lot::RwLock<PoolState>>,
}

impl World {
    /// Runs the worker of the block, and takes in what it sent. Returns the calls.
    fn work(&self) -> Vec<Call<Test>> {
        Execution::offchain_worker(System::block_number());
        let sent: Vec<_> = self.pool.write().transactions.drain(..).collect();
        let calls = sent.into_iter().map(|bytes| {
            let RuntimeCall::Execution(call) = Extrinsic::decode(&mut &bytes[..]).unwrap().function
            else {
                panic!("a call of another pallet");
            };
            call
        });
        let calls: Vec<_> = calls.collect();
        next_block();
        for call in &calls {
            apply(call.clone());
        }
        calls
    }
}

fn apply(call: Call<Test>) {
    let source = TransactionSource::Local;
    let origin = RawOrigin::Authorized.into();
    match call {
        Call::submit_view {
            view,
            validator,
            headers,
            signature,
        } => {
            Execution::authorize_view(source, &view, &validator, &headers, &signature).unwrap();
            Execution::submit_view(origin, view, validator, headers, signature).unwrap();
        }
        Call::submit_code_vote {
            vote,
            validator,
            signature,
        } => {
            Execution::authorize_code_vote(source, &vote, &validator, &signature).unwrap();
            Execution::submit_code_vote(origin, vote, validator, signature).unwrap();
        }
        other => panic!("not a vote: {other:?}"),
    }
    Execution::do_try_state().unwrap();
}

/// A node, with the key of validator 0 if it has one.
fn run_node(has_key: bool, test: impl FnOnce(&World)) {
    let mut externalities: TestExternalities = new_test_ext();
    let (offchain, _) = TestOffchainExt::new();
    let (pool, state) = TestTransactionPoolExt::new();
    let keystore = MemoryKeystore::new();
    if has_key {
        let secret = format!("0x{}", hex(&secret(0)));
        keystore
            .ecdsa_generate_new(host::KEY_TYPE, Some(&secret))
            .unwrap();
    }
    let node = Shared::default();
    externalities.register_extension(OffchainDbExt::new(offchain.clone()));
    externalities.register_extension(OffchainWorkerExt::new(offchain));
    externalities.register_extension(TransactionPoolExt::new(pool));
    externalities.register_extension(KeystoreExt::new(keystore));
    externalities.register_extension(BackendExt(Box::new(node.clone())));
    node.0.lock().unwrap().tip = root().id();
    node.0.lock().unwrap().finalised = root().id();
    let world = World { node, pool: state };
    externalities.execute_with(|| test(&world));
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The other three validators repeat what the first has said.
fn others_agree() {
    let view = Views::<Test>::get(0).unwrap();
    for validator in 1..4 {
        send(validator, view, list(&[])).unwrap();
    }
    next_block();
}

#[test]
fn it_reports_news_once() {
    run_node(true, |world| {
        let a = branch(&root(), 1, 2);
        world.node.sees(&a);
        assert_eq!(world.work().len(), 1);
        assert_eq!(Views::<Test>::get(0).unwrap().tip, a[1].0.id());
        assert!(world.work().is_empty());
        world.node.0.lock().unwrap().finalised = a[0].0.id();
        assert_eq!(world.work().len(), 1);
        assert_eq!(world.node.0.lock().unwrap().rounds, 3);
    });
}

#[test]
fn it_renews_a_view_before_that_is_forgotten() {
    run_node(true, |world| {
        ViewRules::<Test>::put(ViewParameters {
            max_age: 20,
            ..Default::default()
        });
        world.node.sees(&branch(&root(), 1, 2));
        let sent: usize = (0..40).map(|_| world.work().len()).sum();
        assert_eq!(sent, 4);
        assert_eq!(Views::<Test>::count(), 1);
    });
}

#[test]
fn a_node_without_a_key_only_hears_of_rounds() {
    run_node(false, |world| {
        world.node.sees(&branch(&root(), 1, 2));
        Execution::offchain_worker(System::block_number());
        assert!(world.pool.read().transactions.is_empty());
        assert_eq!(world.node.0.lock().unwrap().rounds, 1);
    });
}

#[test]
fn a_key_of_another_set_is_silent() {
    run_node(true, |world| {
        Members::mutate(|members| {
            members.remove(0);
        });
        world.node.sees(&branch(&root(), 1, 2));
        assert!(world.work().is_empty());
    });
}

#[test]
fn it_leads_the_chain_up_in_steps() {
    run_node(true, |world| {
        ViewRules::<Test>::put(ViewParameters {
            max_ahead: 50,
            ..Default::default()
        });
        let a = branch(&root(), 1, 120);
        world.node.sees(&a);
        let mut tips = Vec::new();
        for _ in 0..5 {
            world.work();
            tips.push(Views::<Test>::get(0).unwrap().tip.number - root().number);
        }
        // So many headers at a time, and no further than the rules let it: the anchor has not moved.
        assert_eq!(tips, [u64::from(MAX_HEADERS), 50, 50, 50, 50]);
        others_agree();
        world.work();
        world.work();
        assert_eq!(Views::<Test>::get(0).unwrap().tip, a[99].0.id());
    });
}

#[test]
fn headers_that_others_brought_hold_nobody_back() {
    run_node(true, |world| {
        ViewRules::<Test>::put(ViewParameters {
            max_ahead: 40,
            ..Default::default()
        });
        // One validator runs ahead as far as it may.
        let a = branch(&root(), 1, 60);
        see_all(3, &a[..40]);
        world.node.sees(&a);
        world.work();
        assert_eq!(Views::<Test>::get(0).unwrap().tip, a[39].0.id());
    });
}

#[test]
fn it_reports_a_reorg_from_the_fork_on() {
    run_node(true, |world| {
        let a = branch(&root(), 1, 20);
        world.node.sees(&a);
        world.work();
        others_agree();
        let b = branch(&a[9].0, 2, 70);
        world.node.sees(&b);
        world.work();
        assert_eq!(Views::<Test>::get(0).unwrap().tip, b[31].0.id());
        world.work();
        world.work();
        assert_eq!(Views::<Test>::get(0).unwrap().tip, b[69].0.id());
    });
}

#[test]
fn the_router_is_reported_at_the_tip_once_it_is_known_at_the_anchor() {
    run_node(true, |world| {
        let a = branch(&root(), 1, 2);
        let at_root = world.node.knows_router(root().id(), 0);
        let at_tip = world.node.knows_router(a[1].0.id(), 1);
        world.node.sees(&a);
        world.work();
        assert_eq!(Views::<Test>::get(0).unwrap().router, Some(at_tip));
        others_agree();
        assert_eq!(anchor(), a[1].0.id());
        assert_eq!(Agreed::get(), [at_tip]);
        assert!(world.work().is_empty());

        // While the chain asks for its anchor, the answer is about that.
        Agreed::set(vec![RouterAt {
            block: root().id(),
            ..at_root
        }]);
        let more = branch(&a[1].0, 1, 1);
        world.node.knows_router(more[0].0.id(), 1);
        world.node.sees(&more);
        world.work();
        let view = Views::<Test>::get(0).unwrap();
        assert_eq!((view.tip, view.router), (more[0].0.id(), Some(at_tip)));
    });
}

#[test]
fn verdicts_are_sent_until_they_are_on_chain() {
    run_node(true, |world| {
        let verdict = CodeVerdict {
            code_id: CodeId(H256::repeat_byte(1)),
            request_id: H256::repeat_byte(2),
            cursor: 0,
            verdict: Verdict::Valid,
        };
        world.node.0.lock().unwrap().verdicts = vec![verdict];
        let is_verdict = |call: &Call<Test>| matches!(call, Call::submit_code_vote { .. });
        assert_eq!(
            world.work().iter().filter(|call| is_verdict(call)).count(),
            1
        );
        assert_eq!(
            world.work().iter().filter(|call| is_verdict(call)).count(),
            0
        );
    });
}

#[test]
fn without_a_node_behind_it_nothing_happens() {
    run(|| {
        assert_eq!(host::ethereum_view(&ViewRequest::default()), None);
        assert_eq!(host::ethereum_header(H256::zero()), None);
        assert!(host::code_verdicts().is_empty());
        assert!(!host::round());
    });
}
