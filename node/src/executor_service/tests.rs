use super::*;
use crate::{
    ethereum_service::{
        History,
        history::tests::{header, holding},
    },
    executor_service::{
        base::tests::{block, ending, hash},
        chain::{Chain, ChainError, Place},
        joining::Joining,
        records::Records,
    },
    store::Store,
};
use gear_exe_executor::ExecutorConfig;
use gear_exe_primitives::{
    ActorId, CodeId, H160, MessageId,
    batch::AppliedBatch,
    ethereum::{EthereumBlock, EthereumEvent, EthereumHeader, MirrorEvent, RouterEvent},
    message::ReplyCode,
    report::NativeId,
    round::{ExecutionParameters, NativeMessage, RoundInput},
    runtime_api::RoundFacts,
};
use parking_lot::Mutex;
use std::{collections::BTreeMap, path::Path};

#[derive(Default)]
pub(crate) struct TestChain {
    blocks: Mutex<BTreeMap<H256, (Place, RoundFacts)>>,
    pub(crate) best: Mutex<ChainBlock>,
    finalised: Mutex<H256>,
    natives: Mutex<BTreeMap<MessageId, NativeMessage>>,
}

impl Chain for TestChain {
    fn best(&self) -> ChainBlock {
        *self.best.lock()
    }

    fn place(&self, block: H256) -> Result<Place, ChainError> {
        let blocks = self.blocks.lock();
        blocks
            .get(&block)
            .map(|(place, _)| *place)
            .ok_or(ChainError::Unknown(block))
    }

    fn canonical(&self, number: u64) -> Result<Option<H256>, ChainError> {
        let mut cursor = self.best();
        while cursor.number > number {
            let parent = self.place(cursor.hash)?.parent;
            cursor = self.place(parent)?.block;
        }
        Ok((cursor.number == number).then_some(cursor.hash))
    }

    fn facts(&self, block: H256) -> Result<RoundFacts, ChainError> {
        let blocks = self.blocks.lock();
        blocks
            .get(&block)
            .map(|(_, facts)| facts.clone())
            .ok_or(ChainError::Unknown(block))
    }

    fn natives(&self, block: H256, ids: &[NativeId]) -> Result<Vec<NativeMessage>, ChainError> {
        let natives = self.natives.lock();
        ids.iter()
            .map(|wanted| natives.get(&wanted.id).cloned())
            .collect::<Option<_>>()
            .ok_or(ChainError::Natives(block))
    }

    fn ethereum_finalised(&self, _: H256) -> Result<H256, ChainError> {
        Ok(*self.finalised.lock())
    }
}

impl TestChain {
    /// Puts a block on `parent` and makes it the best.
    pub(crate) fn push(
        &self,
        block: ChainBlock,
        parent: H256,
        anchor: EthereumHeader,
        rewound: bool,
        codes: &[CodeId],
    ) {
        let facts = RoundFacts {
            anchor,
            previous_anchor: anchor,
            rewound,
            codes: codes.to_vec(),
            natives: Vec::new(),
            parameters: ExecutionParameters::default(),
            seal: false,
        };
        self.blocks
            .lock()
            .insert(block.hash, (Place { block, parent }, facts));
        *self.best.lock() = block;
    }

    pub(crate) fn extend(&self, anchor: EthereumHeader, codes: &[CodeId]) {
        let best = self.best();
        self.push(block(best.number + 1), best.hash, anchor, false, codes);
    }
}

pub(crate) const PROGRAM: H160 = H160::repeat_byte(0x11);

pub(crate) fn code() -> Vec<u8> {
    wat::parse_str(
        r#"(module (import "env" "memory" (memory 1)) (func (export "init")) (func (export "handle")))"#,
    )
    .unwrap()
}

pub(crate) fn mirror(event: MirrorEvent) -> EthereumEvent {
    EthereumEvent::Mirror {
        actor_id: PROGRAM.into(),
        event,
    }
}

pub(crate) fn message(number: u8) -> EthereumEvent {
    mirror(MirrorEvent::MessageQueueingRequested {
        id: MessageId::from([number; 32]),
        source: H160::repeat_byte(0x22),
        payload: Vec::new(),
        value: 0,
        call_reply: false,
    })
}

/// Ethereum block 1: a program is created, paid for, and sent a message.
pub(crate) fn first_events() -> EthereumBlock {
    EthereumBlock {
        header: header(1, 1, 1),
        events: vec![
            EthereumEvent::Router(RouterEvent::ProgramCreated {
                actor_id: PROGRAM.into(),
                code_id: CodeId::of(&code()),
            }),
            mirror(MirrorEvent::ExecutableBalanceTopUpRequested {
                value: u128::MAX / 4,
            }),
            message(1),
        ],
    }
}

pub(crate) struct World {
    pub(crate) chain: Arc<TestChain>,
    pub(crate) store: Arc<Store>,
    pub(crate) worker: Arc<Worker>,
    published: Published,
}

impl World {
    fn open(folder: &Path, chain: Arc<TestChain>) -> Self {
        Self::joining(folder, chain, Joining::default())
    }

    pub(crate) fn joining(folder: &Path, chain: Arc<TestChain>, joining: Joining) -> Self {
        let store = Arc::new(Store::open(&folder.join("node.redb")).unwrap());
        let executor = Executor::open(ExecutorConfig {
            path: Some(folder.join("executor.redb")),
            threads: 1,
            ..ExecutorConfig::default()
        });
        let history =
            History::open(store.clone(), header(0, 1, 1), AppliedBatch::default()).unwrap();
        Self {
            worker: Arc::new(Worker {
                chain: chain.clone(),
                history: Arc::new(history),
                executor: Arc::new(executor.unwrap()),
                records: Records::new(store.clone()),
                metrics: Metrics::new(None).unwrap(),
                keep_rounds: 0,
                facts: Default::default(),
                joining,
            }),
            published: Published {
                best: RwLock::new(None),
                sender: broadcast::channel(64).0,
            },
            store,
            chain,
        }
    }

    pub(crate) fn new(folder: &Path) -> Self {
        let chain = Arc::new(TestChain::default());
        chain.push(block(0), H256::zero(), header(0, 1, 1), false, &[]);
        Self::open(folder, chain)
    }

    pub(crate) fn pass(&self) -> Pass {
        self.worker.pass(&self.published)
    }

    pub(crate) fn done(&self) {
        assert!(matches!(self.pass(), Pass::Done));
    }

    pub(crate) fn best(&self) -> ExecutedRound {
        self.published.best.read().clone().unwrap()
    }

    fn receipts(&self) -> Vec<(MessageId, ReplyCode)> {
        self.best()
            .outcome
            .receipts
            .iter()
            .map(|receipt| (receipt.message_id, receipt.code))
            .collect()
    }
}

#[test]
fn messages_are_executed_once_and_quiet_blocks_cost_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::new(folder.path());
    let code_id = world.worker.executor.add_code(&code()).unwrap();
    world.worker.history.fold(first_events(), &[]).unwrap();
    let mut seen = world.published.sender.subscribe();

    world.chain.extend(header(0, 1, 1), &[code_id]);
    world.chain.extend(header(1, 1, 1), &[]);
    world.done();
    assert_eq!(
        world.receipts(),
        [(MessageId::from([1; 32]), ReplyCode::SUCCESS_AUTO)]
    );
    assert_eq!(world.best().outcome.transitions.len(), 1);
    let root = world.best().outcome.state_root;

    world.chain.extend(header(1, 1, 1), &[]);
    world.done();
    let quiet = world.best();
    assert_eq!((quiet.block, quiet.base), (block(3), block(2)));
    assert_eq!(quiet.outcome.state_root, root);
    assert!(quiet.outcome.receipts.is_empty());
    assert!(world.worker.executor.outcome(hash(3)).unwrap().is_none());

    let published: Vec<_> = std::iter::from_fn(|| seen.try_recv().ok())
        .map(|round| round.block.number)
        .collect();
    assert_eq!(published, [1, 2, 3]);
    // Nothing new: nothing is published again.
    world.done();
    assert!(seen.try_recv().is_err());
}

#[test]
fn a_restart_goes_on_and_lost_records_are_made_again_alike() {
    let folder = tempfile::tempdir().unwrap();
    let first = {
        let world = World::new(folder.path());
        let code_id = world.worker.executor.add_code(&code()).unwrap();
        world.worker.history.fold(first_events(), &[]).unwrap();
        world.chain.extend(header(0, 1, 1), &[code_id]);
        world.chain.extend(header(1, 1, 1), &[]);
        world.done();
        (world.chain.clone(), world.best())
    };
    let (chain, before) = first;
    let again = {
        let world = World::open(folder.path(), chain.clone());
        world.done();
        assert_eq!(world.best().outcome, before.outcome);
        chain.extend(header(1, 1, 1), &[]);
        world.done();
        world.best()
    };
    // The node's database is lost, the executor's is not: everything is computed again, to the same result.
    std::fs::remove_file(folder.path().join("node.redb")).unwrap();
    let world = World::open(folder.path(), chain);
    assert!(matches!(
        world.pass(),
        Pass::Blocked(blocked, Lacking::Ethereum(_)) if blocked == block(2)
    ));
    world.worker.history.fold(first_events(), &[]).unwrap();
    world.done();
    assert_eq!(world.best().outcome, again.outcome);
}

#[test]
fn rounds_wait_for_events_and_for_codes() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::new(folder.path());
    let code_id = CodeId::of(&code());
    world.chain.extend(header(0, 1, 1), &[]);
    world.chain.extend(header(1, 1, 1), &[code_id]);
    world.chain.extend(header(1, 1, 1), &[]);
    let missing = header(1, 1, 1).hash;
    assert!(matches!(
        world.pass(),
        Pass::Blocked(blocked, Lacking::Ethereum(hash)) if blocked == block(2) && hash == missing
    ));
    assert_eq!(world.best().block, block(1));
    world.worker.history.fold(first_events(), &[]).unwrap();
    assert!(matches!(
        world.pass(),
        Pass::Blocked(blocked, Lacking::Code(code)) if blocked == block(2) && code == code_id
    ));
    world.worker.executor.add_code(&code()).unwrap();
    world.done();
    assert_eq!(world.best().block, block(3));
}

#[test]
fn what_is_forgotten_leaves_the_state_of_quiet_rounds() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::new(folder.path());
    let code_id = world.worker.executor.add_code(&code()).unwrap();
    world.worker.history.fold(first_events(), &[]).unwrap();
    world.chain.extend(header(0, 1, 1), &[code_id]);
    world.chain.extend(header(1, 1, 1), &[]);
    for _ in 0..4 {
        world.chain.extend(header(1, 1, 1), &[]);
    }
    world.done();
    let root = world.best().outcome.state_root;
    let stored = || world.worker.executor.stored().unwrap().rounds;
    assert!(stored() > 0);
    // One of a fork that nobody follows.
    let left = ChainBlock {
        number: 2,
        hash: H256::repeat_byte(0xf0),
    };
    let fork = RoundInput {
        block: left,
        anchor: header(1, 1, 1),
        ethereum: Vec::new(),
        codes: vec![code_id],
        native: Vec::new(),
        parameters: Default::default(),
    };
    let executor = &world.worker.executor;
    executor.execute_round(H256::zero(), &fork).unwrap();
    assert!(executor.has_outcome(left.hash).unwrap());
    // Blocks 3 to 6 are quiet: their state is that of round 2, which goes.
    assert!(world.worker.forget_before(hash(4)).unwrap() >= 3);
    assert_eq!(stored(), 0);
    assert!(world.worker.round(hash(3)).unwrap().is_none());
    assert!(!world.worker.executor.program_ids(root).unwrap().is_empty());
    assert_eq!(world.worker.forget_before(hash(4)).unwrap(), 0);
    world.chain.extend(header(1, 1, 1), &[]);
    world.done();
    assert_eq!(world.best().outcome.state_root, root);
}

#[test]
fn forks_are_executed_by_hash_and_the_best_one_is_served() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::new(folder.path());
    let code_id = world.worker.executor.add_code(&code()).unwrap();
    world.worker.history.fold(first_events(), &[]).unwrap();
    world.chain.extend(header(0, 1, 1), &[code_id]);
    world.chain.extend(header(1, 1, 1), &[]);
    world.done();
    let old = world.best();

    let fork = ChainBlock {
        number: 2,
        hash: H256::repeat_byte(0xf0),
    };
    world.chain.push(fork, hash(1), header(0, 1, 1), false, &[]);
    world.done();
    assert_eq!(world.best().block, fork);
    assert!(world.best().outcome.receipts.is_empty());

    // The old one is the best again, and was executed before.
    *world.chain.best.lock() = old.block;
    world.done();
    assert_eq!(world.best().outcome, old.outcome);
}

#[test]
fn a_branch_that_ethereum_left_before_it_was_seen_is_passed_over() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::new(folder.path());
    let code_id = world.worker.executor.add_code(&code()).unwrap();
    world.worker.history.fold(first_events(), &[]).unwrap();
    world.chain.extend(header(1, 1, 1), &[code_id]);
    // Nobody can show this node block 2 of branch 2 any more.
    world.chain.extend(header(2, 2, 1), &[]);
    world.chain.extend(header(2, 2, 1), &[]);
    assert!(matches!(world.pass(), Pass::Blocked(blocked, _) if blocked == block(2)));

    let mut second = holding(header(2, 1, 1), &[]);
    second.events.push(message(2));
    world.worker.history.fold(second, &[]).unwrap();
    world
        .chain
        .push(block(4), hash(3), header(2, 1, 1), true, &[]);
    world.done();
    assert_eq!(
        (world.best().block, world.best().base),
        (block(4), block(1))
    );
    assert_eq!(
        world.receipts(),
        [(MessageId::from([2; 32]), ReplyCode::SUCCESS_AUTO)]
    );
    assert_eq!(
        ActorId::from(PROGRAM),
        world.best().outcome.receipts[0].program_id
    );
}

#[test]
fn settled_rounds_are_forgotten_and_nothing_needs_them() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::new(folder.path());
    for _ in 1..=300 {
        world.chain.extend(header(0, 1, 1), &[]);
    }
    while matches!(world.pass(), Pass::More) {}
    let router = ending(1, 200, 200);
    let settled = holding(header(1, 1, 1), &[router]);
    world.worker.history.fold(settled, &[]).unwrap();
    *world.chain.finalised.lock() = header(1, 1, 1).hash;
    for _ in 301..=520 {
        world.chain.extend(header(1, 1, 1), &[]);
    }
    while matches!(world.pass(), Pass::More) {}
    assert_eq!(world.best().block, block(520));
    let kept = |number| world.worker.records.contains(hash(number)).unwrap();
    assert!(kept(200) && kept(201) && !kept(199) && !kept(1));
    // A reorg down to the final block still finds its base.
    world
        .worker
        .history
        .fold(holding(header(2, 1, 1), &[]), &[])
        .unwrap();
    world.chain.extend(header(2, 1, 1), &[]);
    world.done();
    assert_eq!(world.best().base, block(520));
}

impl TestChain {
    /// Puts a block with native messages on the best one.
    fn extend_with(&self, anchor: EthereumHeader, rewound: bool, natives: &[u8]) {
        let best = self.best();
        let ids = natives.iter().map(|number| {
            let native = NativeMessage {
                id: MessageId::from([*number; 32]),
                source: H160::repeat_byte(0x33),
                destination: PROGRAM.into(),
                payload: Vec::new(),
                value: 0,
                receipt_only: true,
            };
            let id = NativeId {
                id: native.id,
                source: native.source,
            };
            self.natives.lock().insert(native.id, native);
            id
        });
        let ids: Vec<_> = ids.collect();
        let new = block(best.number + 1);
        self.push(new, best.hash, anchor, rewound, &[]);
        if let Some((_, facts)) = self.blocks.lock().get_mut(&new.hash) {
            facts.natives = ids;
        }
    }
}

/// Case 5: natives survive a reorganisation of Ethereum, each once and in order.
#[test]
fn native_messages_are_taken_in_again_where_ethereum_went_back() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::new(folder.path());
    let code_id = world.worker.executor.add_code(&code()).unwrap();
    world.worker.history.fold(first_events(), &[]).unwrap();
    for header in [header(2, 1, 1), header(2, 2, 1)] {
        let block = EthereumBlock {
            header,
            events: Vec::new(),
        };
        world.worker.history.fold(block, &[]).unwrap();
    }
    world.chain.extend(header(0, 1, 1), &[code_id]);
    world.chain.extend(header(1, 1, 1), &[]);
    world.chain.extend_with(header(2, 1, 1), false, &[11, 12]);
    world.chain.extend_with(header(2, 1, 1), false, &[13]);
    world.done();
    let id = |number: u8| MessageId::from([number; 32]);
    assert_eq!(world.receipts(), [(id(13), ReplyCode::SUCCESS_AUTO)]);
    assert_eq!(world.worker.records.taken(id(11)).unwrap(), [block(3)]);
    assert_eq!(world.worker.records.ended(id(11)).unwrap(), [block(3)]);

    // The branch with block 2 of salt 1 is left: what was executed on it is executed again, before what is new.
    world.chain.extend_with(header(2, 2, 1), true, &[14]);
    world.done();
    let round = world.best();
    assert_eq!((round.block, round.base), (block(5), block(2)));
    let ended: Vec<_> = world.receipts().into_iter().map(|(id, _)| id).collect();
    assert_eq!(ended, [11, 12, 13, 14].map(id));
    assert_eq!(
        world.worker.records.ended(id(11)).unwrap(),
        [block(3), block(5)]
    );
    assert_eq!(world.worker.records.taken(id(11)).unwrap(), [block(3)]);
}
