//! Nodes with real stores, executors and servers ask each other over a network in memory, on which some of them lie.

mod lies;

use super::{
    client::{Client, Network},
    demands::{Demands, Wants},
    join::{Joiner, Parts},
    protocol::{Few, Found, MAX_RESPONSE, MAX_WANTED, PART, Request, Response, Wanted},
    server::Server,
};
use crate::{
    codes::{Codes, FetchError},
    ethereum_service::{
        EthereumService,
        history::tests::{batch, header, holding},
    },
    executor_service::{
        base::tests::{block, ending, hash},
        chain::ChainError,
        finality::Finality,
        joining::{FAR, Joining},
        tests::{PROGRAM, TestChain, World, code, first_events, message, mirror},
        worker::{Lacking, Pass, outcome_of},
    },
    store::{BATCHES, CERTIFICATES, put},
};
use codec::{Compact, Decode, DecodeAll, Encode};
use futures::future::BoxFuture;
use gear_exe_primitives::{
    ActorId, CodeId, H160, H256, MessageId,
    batch::{AppliedBatch, Batch, RouterDomain},
    certificate::{Certificate, RoundStatement, Tally},
    ethereum::{EthereumBlock, EthereumEvent, MirrorEvent, RouterEvent},
    quorum::Member,
    report::ValidatorSet,
    round::ChainBlock,
    signature::{CompactSignature, address_of_secret},
    vote::RouterAt,
};
use parking_lot::Mutex;
use polkadot_sdk::{sc_network::ReputationChange, sc_network_types::PeerId};
use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};
use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};
use tokio::sync::Notify;

const GENESIS: H256 = H256::repeat_byte(0x69);
const DOMAIN: RouterDomain = RouterDomain {
    chain_id: 1,
    router: H160::repeat_byte(0x70),
};

fn set() -> ValidatorSet {
    let members = (1u8..=4).map(|seed| Member {
        address: address_of_secret(&[seed; 32]).unwrap(),
        weight: 10,
    });
    ValidatorSet {
        id: 1,
        members: members.collect(),
    }
}

/// What is final of a test's chain.
struct TestFinality {
    last: Mutex<ChainBlock>,
    settled: Mutex<Option<H256>>,
    router: Mutex<RouterAt>,
}

impl Finality for TestFinality {
    fn finalised(&self) -> ChainBlock {
        *self.last.lock()
    }

    fn settled(&self) -> Result<Option<H256>, ChainError> {
        Ok(*self.settled.lock())
    }

    fn router_at(&self, _: H256) -> Result<RouterAt, ChainError> {
        Ok(*self.router.lock())
    }

    fn set_at(&self, _: H256) -> Result<ValidatorSet, ChainError> {
        Ok(set())
    }
}

type Answer = Arc<dyn Fn(&[u8]) -> Option<Vec<u8>> + Send + Sync>;

/// Peers that answer at once.
#[derive(Default)]
struct Wire {
    peers: Mutex<Vec<(PeerId, Answer)>>,
    banned: Mutex<Vec<PeerId>>,
    asked: AtomicUsize,
}

impl Wire {
    fn add(&self, answer: Answer) -> PeerId {
        let peer = PeerId::random();
        self.peers.lock().push((peer, answer));
        peer
    }
}

impl Network for Wire {
    fn is_syncing(&self) -> BoxFuture<'_, bool> {
        Box::pin(async { false })
    }

    fn peers(&self) -> BoxFuture<'_, Vec<PeerId>> {
        let peers = self.peers.lock().iter().map(|(peer, _)| *peer).collect();
        Box::pin(async { peers })
    }

    fn ask(&self, peer: PeerId, question: Vec<u8>) -> BoxFuture<'_, Option<Vec<u8>>> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let peers = self.peers.lock();
        let found = peers.iter().find(|(other, _)| *other == peer);
        let answer = found.map(|(_, answer)| answer.clone());
        Box::pin(async move { answer?(&question) })
    }

    fn report(&self, peer: PeerId, change: ReputationChange) {
        assert!(change.value < 0);
        self.banned.lock().push(peer);
    }
}

/// Ethereum block 2: a program that cannot pay gets a message that is longer than an answer.
fn second_events() -> EthereumBlock {
    let poor = ActorId::from(H160::repeat_byte(0x33));
    let mut second = holding(header(2, 1, 1), &[]);
    second.events = vec![
        EthereumEvent::Router(RouterEvent::ProgramCreated {
            actor_id: poor,
            code_id: CodeId::of(&code()),
        }),
        EthereumEvent::Mirror {
            actor_id: poor,
            event: MirrorEvent::MessageQueueingRequested {
                id: MessageId::from([9; 32]),
                source: H160::repeat_byte(0x22),
                payload: vec![5; 3 * PART / 2],
                value: 0,
                call_reply: false,
            },
        },
        message(2),
    ];
    second
}

/// Number of the round that is settled.
const SETTLED: u64 = FAR + 10;

/// A node that has executed everything, and knows certificates.
struct Whole {
    world: World,
    finality: Arc<TestFinality>,
    // Removed with this.
    _folder: tempfile::TempDir,
}

fn certify(world: &World, number: u64) -> Certificate {
    let record = world.worker.records.get(hash(number)).unwrap().unwrap();
    let outcome = outcome_of(&record, &world.worker.executor).unwrap();
    let statement = RoundStatement {
        set_id: 1,
        block_number: number,
        block_hash: hash(number),
        anchor: record.anchor.id(),
        outcome: outcome.root(),
    };
    let members = set().members;
    let mut tally = Tally::new(statement, members.len());
    for place in 0..3 {
        let digest = statement.digest(GENESIS, &DOMAIN);
        let signature = CompactSignature::sign(&[place as u8 + 1; 32], digest).unwrap();
        tally.add(place, &members[place], signature);
    }
    tally.certificate(&members).unwrap()
}

impl Whole {
    /// Its Ethereum is three blocks long; it has some blocks more than are settled.
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let world = World::new(folder.path());
        let code_id = world.worker.executor.add_code(&code()).unwrap();
        world.worker.history.fold(first_events(), &[]).unwrap();
        world.worker.history.fold(second_events(), &[]).unwrap();
        world.chain.extend(header(0, 1, 1), &[code_id]);
        world.chain.extend(header(1, 1, 1), &[]);
        for _ in 3..=SETTLED + 10 {
            world.chain.extend(header(2, 1, 1), &[]);
        }
        while !matches!(world.pass(), Pass::Done) {}
        let whole = Self {
            finality: Arc::new(TestFinality {
                last: Mutex::new(block(SETTLED + 8)),
                settled: Mutex::new(Some(hash(SETTLED))),
                router: Mutex::default(),
            }),
            world,
            _folder: folder,
        };
        for number in 1..=SETTLED + 10 {
            whole.certify(number);
        }
        whole
    }

    fn certify(&self, number: u64) {
        let certificate = certify(&self.world, number);
        let kept = put(CERTIFICATES, hash(number), &certificate);
        self.world.store.apply([kept]).unwrap();
    }

    fn server(&self) -> Answer {
        let metrics = self.world.worker.metrics.clone();
        let server = Server::new(self.world.worker.clone(), self.world.store.clone(), metrics);
        Arc::new(move |question| {
            let answer = server.answer(question)?.encode();
            assert!(answer.len() <= MAX_RESPONSE);
            Some(answer)
        })
    }

    /// A node on the same chain that has nothing.
    fn newcomer(&self) -> Newcomer {
        Newcomer::on(&self.world.chain, &self.finality)
    }
}

struct Newcomer {
    world: World,
    wire: Arc<Wire>,
    joiner: Arc<Joiner>,
    ethereum: Arc<EthereumService>,
    folder: tempfile::TempDir,
}

impl Newcomer {
    fn on(chain: &Arc<TestChain>, finality: &Arc<TestFinality>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self::at(folder, chain, finality)
    }

    fn at(folder: tempfile::TempDir, chain: &Arc<TestChain>, finality: &Arc<TestFinality>) -> Self {
        let joining = Joining {
            finality: Some(finality.clone()),
            ..Joining::default()
        };
        let world = World::joining(folder.path(), chain.clone(), joining);
        let (worker, store) = (world.worker.clone(), world.store.clone());
        let ethereum = EthereumService::new(worker.history.clone(), worker.metrics.clone());
        let codes = Codes::new(
            store.clone(),
            worker.executor.clone(),
            Arc::new(|_| {
                Box::pin(async { Err(FetchError::Unavailable("Ethereum has forgotten it".into())) })
            }),
            Arc::new(|_, _| None),
            worker.metrics.clone(),
        );
        let wire = Arc::new(Wire::default());
        let parts = Parts {
            worker,
            finality: finality.clone(),
            ethereum: ethereum.clone(),
            codes: codes.unwrap(),
            store,
            demands: Demands::new(),
            wake: Arc::new(Notify::new()),
            domain: DOMAIN,
            genesis: GENESIS,
            ready: Arc::new(Vec::new),
        };
        Self {
            joiner: Joiner::new(parts, Client::new(wire.clone())),
            world,
            wire,
            ethereum,
            folder,
        }
    }

    fn sees_ethereum(&self) {
        let history = &self.world.worker.history;
        history.fold(first_events(), &[]).unwrap();
        history.fold(second_events(), &[]).unwrap();
    }

    async fn join(&self) {
        self.joiner
            .serve(Wants {
                far: true,
                ..Wants::default()
            })
            .await;
    }

    fn taken(&self) -> u64 {
        self.world.worker.metrics.taken_round.get()
    }

    fn is_far(&self) -> bool {
        matches!(self.world.pass(), Pass::Blocked(_, Lacking::Far(_)))
    }

    /// Executes what is left, and has the same as the other.
    fn agrees_with(&self, whole: &Whole) {
        self.world.done();
        let (own, other) = (self.world.best(), whole.world.best());
        assert_eq!(own.block, other.block);
        assert_eq!(own.outcome.root(), other.outcome.root());
        let root = own.outcome.state_root;
        let chunks = |world: &World| -> Vec<Vec<u8>> {
            let export = world.worker.executor.export(root).unwrap();
            export.map(Result::unwrap).collect()
        };
        assert_eq!(chunks(&self.world), chunks(&whole.world));
    }
}

#[tokio::test]
async fn a_state_is_taken_and_no_round_of_the_past_is_executed() {
    let whole = Whole::new();
    let newcomer = whole.newcomer();
    newcomer.sees_ethereum();
    newcomer.wire.add(whole.server());
    assert!(newcomer.is_far());
    newcomer.join().await;
    assert_eq!(newcomer.taken(), SETTLED);
    // What was taken is no outcome of this node.
    assert!(
        newcomer
            .world
            .worker
            .round(hash(SETTLED))
            .unwrap()
            .is_none()
    );
    newcomer.agrees_with(&whole);
    let best = whole.world.best().block.number;
    assert_eq!(newcomer.world.worker.metrics.rounds.get(), best - SETTLED);
    assert!(newcomer.wire.banned.lock().is_empty());
    // Events go on.
    for world in [&whole.world, &newcomer.world] {
        let mut third = holding(header(3, 1, 1), &[]);
        third.events.push(message(3));
        world.worker.history.fold(third, &[]).unwrap();
    }
    whole.world.chain.extend(header(3, 1, 1), &[]);
    whole.world.done();
    newcomer.agrees_with(&whole);
    assert_eq!(newcomer.world.best().outcome.receipts.len(), 1);
}

#[tokio::test]
async fn who_begins_in_the_middle_needs_neither_old_blocks_nor_old_ethereum() {
    let whole = Whole::new();
    // As after a warp sync: the last finalised block, what comes after it, and nothing before.
    let last = whole.finality.finalised();
    let chain = Arc::new(TestChain::default());
    for number in last.number..=whole.world.best().block.number {
        let anchor = header(2, 1, 1);
        chain.push(block(number), hash(number - 1), anchor, false, &[]);
    }
    let newcomer = Newcomer::on(&chain, &whole.finality);
    newcomer.ethereum.history().hold();
    newcomer.wire.add(whole.server());
    assert!(newcomer.is_far());
    // Nobody says what the Router holds at that anchor.
    newcomer.join().await;
    assert_eq!(newcomer.taken(), 0);
    *whole.finality.router.lock() = RouterAt {
        block: header(2, 1, 1).id(),
        batch: AppliedBatch::default(),
    };
    newcomer.join().await;
    assert_eq!(newcomer.taken(), last.number);
    assert!(!newcomer.ethereum.history().is_held());
    newcomer.agrees_with(&whole);

    // The Router holds a batch that ends before what this node has: it cannot tell on what to build.
    let early = ending(1, last.number - 3, last.number - 3);
    for world in [&whole.world, &newcomer.world] {
        let mut third = holding(header(3, 1, 1), &[early]);
        third.events.push(message(3));
        world.worker.history.fold(third, &[]).unwrap();
        let best = world.chain.best.lock().number;
        world
            .chain
            .push(block(best + 1), hash(best), header(3, 1, 1), false, &[]);
    }
    whole.world.done();
    let next = whole.world.best().block;
    whole.certify(next.number);
    let Pass::Blocked(blocked, Lacking::Floor(floor)) = newcomer.world.pass() else {
        panic!("it cannot know");
    };
    assert_eq!((blocked, floor), (next, last));
    let want = || Wants {
        floor: Some(blocked),
        ..Wants::default()
    };
    // What is not final is not taken.
    newcomer.joiner.serve(want()).await;
    assert_eq!(newcomer.taken(), last.number);
    *whole.finality.last.lock() = next;
    newcomer.joiner.serve(want()).await;
    assert_eq!(newcomer.taken(), next.number);
    // Neither did most of the state have to come again.
    for world in [&whole.world, &newcomer.world] {
        world.chain.push(
            block(next.number + 1),
            next.hash,
            header(3, 1, 1),
            false,
            &[],
        );
    }
    whole.world.done();
    newcomer.agrees_with(&whole);
}

#[tokio::test(start_paused = true)]
async fn an_import_goes_on_where_it_was() {
    let whole = Whole::new();
    let newcomer = whole.newcomer();
    newcomer.sees_ethereum();
    // This one goes away after some answers.
    let (honest, left) = (whole.server(), Arc::new(AtomicUsize::new(4)));
    let fickle: Answer = Arc::new(move |question| {
        let before = left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
            left.checked_sub(1)
        });
        before.ok().and_then(|_| honest(question))
    });
    newcomer.wire.add(fickle);
    newcomer.join().await;
    assert_eq!(newcomer.taken(), 0);
    let came = newcomer.world.worker.metrics.objects_taken.get();
    assert!(came > 0);
    // After a restart the rest comes from another.
    let Newcomer {
        folder,
        world,
        joiner,
        wire,
        ethereum,
    } = newcomer;
    drop((world, joiner, wire, ethereum));
    let newcomer = Newcomer::at(folder, &whole.world.chain, &whole.finality);
    newcomer.wire.add(whole.server());
    newcomer.join().await;
    assert_eq!(newcomer.taken(), SETTLED);
    let rest = newcomer.world.worker.metrics.objects_taken.get();
    newcomer.agrees_with(&whole);
    let other = whole.newcomer();
    other.sees_ethereum();
    other.wire.add(whole.server());
    other.join().await;
    assert_eq!(came + rest, other.world.worker.metrics.objects_taken.get());
}

fn flip(mut bytes: Vec<u8>) -> Vec<u8> {
    if let Some(byte) = bytes.last_mut() {
        *byte ^= 1;
    }
    bytes
}

/// Changes a byte of every row of a table that `which` picks.
fn damage(folder: &Path, table: &'static str, which: impl Fn(&[u8]) -> bool) -> usize {
    let table = TableDefinition::<[u8; 32], &[u8]>::new(table);
    let database = Database::open(folder.join("executor.redb")).unwrap();
    let rows: Vec<_> = {
        let transaction = database.begin_read().unwrap();
        let table = transaction.open_table(table).unwrap();
        let rows = table.iter().unwrap().map(Result::unwrap);
        rows.filter(|(_, value)| which(value.value()))
            .map(|(key, value)| (key.value(), value.value().to_vec()))
            .collect()
    };
    let transaction = database.begin_write().unwrap();
    {
        let mut table = transaction.open_table(table).unwrap();
        for (key, value) in &rows {
            table.insert(*key, flip(value.clone()).as_slice()).unwrap();
        }
    }
    transaction.commit().unwrap();
    rows.len()
}

#[tokio::test]
async fn what_is_damaged_comes_from_others() {
    let whole = Whole::new();
    let newcomer = whole.newcomer();
    newcomer.sees_ethereum();
    newcomer.wire.add(whole.server());
    newcomer.join().await;
    newcomer.agrees_with(&whole);
    let Newcomer {
        folder,
        world,
        joiner,
        wire,
        ethereum,
    } = newcomer;
    drop((world, joiner, wire, ethereum));
    // All objects, and the code.
    let damaged = damage(folder.path(), "content", |_| true);
    assert!(damaged > 5);
    assert_eq!(damage(folder.path(), "codes", |_| true), 1);
    let mut third = holding(header(3, 1, 1), &[]);
    third.events.push(message(3));
    third
        .events
        .push(mirror(MirrorEvent::ExecutableBalanceTopUpRequested {
            value: 5,
        }));
    whole.world.worker.history.fold(third.clone(), &[]).unwrap();
    whole.world.chain.extend(header(3, 1, 1), &[]);
    whole.world.done();

    let newcomer = Newcomer::at(folder, &whole.world.chain, &whole.finality);
    newcomer.world.worker.history.fold(third, &[]).unwrap();
    // First a liar is asked: nothing wrong comes in.
    let wrong = newcomer
        .wire
        .add(lies::liar(whole.server(), lies::LIES[0].2));
    newcomer.wire.add(whole.server());
    let mut steps = 0;
    loop {
        let mut wants = Wants::default();
        match newcomer.world.pass() {
            Pass::Done => break,
            Pass::More => continue,
            Pass::Blocked(_, Lacking::Damaged(hash, _)) => {
                wants.objects.insert(hash);
            }
            Pass::Blocked(_, Lacking::Code(code)) => {
                wants.codes.insert(code);
            }
            Pass::Blocked(_, lacking) => panic!("{lacking}"),
        }
        newcomer.joiner.serve(wants).await;
        steps += 1;
        assert!(steps <= damaged + 2);
    }
    assert!(steps >= 3, "{steps}");
    assert_eq!(*newcomer.wire.banned.lock(), [wrong]);
    let (own, other) = (newcomer.world.best(), whole.world.best());
    assert_eq!(own.outcome, other.outcome);
    assert_eq!(own.outcome.receipts.len(), 1);
    assert_eq!(own.outcome.receipts[0].program_id, ActorId::from(PROGRAM));
    let metrics = &newcomer.world.worker.metrics;
    assert_eq!(metrics.objects_mended.get() as usize + 1, steps);
}
