//! The RPC on a real server over a real executor: what goes over the wire is compared as JSON.

mod calculate;
mod ethereum;
mod injected;
mod lifecycle;
mod network;
mod program;
mod settlement;
mod subscription;

use super::{Chain, GearDeps, gear};
use crate::{
    certificates::{Authored, CertificateService, Client, Parts, journal::RoundJournal},
    lifecycle::{Lifecycle, Parts as LifecycleParts},
    metrics::Metrics,
    natives::{
        Ended, Natives, NativesError, Rejection, Submitting,
        waiting::{Noted, Waiting},
    },
    rounds::{Batches, ExecutedRound, Rounds},
    status::Watch,
    store::Store,
};
use gear_exe_ethereum::observer::{Observer, ObserverConfig};
use gear_exe_executor::{Executor, ExecutorConfig};
use gear_exe_primitives::{
    ActorId, CodeId, H160, H256, MessageId,
    batch::{AppliedBatch, Batch, RouterDomain},
    ethereum::{EthereumBlock, EthereumEvent, EthereumHeader, MirrorEvent, RouterEvent},
    host::KEY_TYPE,
    native::{PurgeReason, SignedNative},
    quorum::Member,
    report::ValidatorSet,
    round::{ChainBlock, ExecutionParameters, RoundInput},
    signature::address_of_secret,
};
use jsonrpsee::{
    client_transport::ws::WsTransportClientBuilder,
    core::client::{ReceivedMessage, TransportReceiverT, TransportSenderT},
    server::{Server, ServerHandle},
};
use parking_lot::Mutex;
use polkadot_sdk::sp_keystore::{Keystore, testing::MemoryKeystore};
use serde_json::{Value, json};
use std::{collections::HashMap, net::SocketAddr, sync::Arc};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::{broadcast, mpsc},
};

/// Who sends the messages of the tests.
const USER: H160 = H160::repeat_byte(0xaa);
/// A program of code `PING`.
const PING: H160 = H160::repeat_byte(0x11);
/// A program of code `TROUBLE`.
const TROUBLE: H160 = H160::repeat_byte(0x22);
const ROUTER: H160 = H160::repeat_byte(0xcd);
const DOMAIN: RouterDomain = RouterDomain {
    chain_id: 31337,
    router: ROUTER,
};
const GENESIS: H256 = H256::repeat_byte(0x69);
/// Of the only validator.
const VALIDATOR: [u8; 32] = [0x77; 32];
/// Enough to pay for everything, and more than a JSON number holds.
const FUNDS: u128 = 10u128.pow(18);

fn hash(kind: u8, number: u64) -> H256 {
    let mut bytes = [kind; 32];
    bytes[24..].copy_from_slice(&number.to_be_bytes());
    H256(bytes)
}

fn anchor(number: u64) -> EthereumHeader {
    EthereumHeader {
        hash: hash(0xe0, number),
        parent: hash(0xe0, number - 1),
        number,
        timestamp: 1_700_000_000 + 12 * number,
        ..Default::default()
    }
}

/// Holds the rounds that a test executes, one for each block, on one branch. Anchor n belongs to block n.
struct Holder {
    executor: Arc<Executor>,
    rounds: Mutex<Vec<ExecutedRound>>,
    news: broadcast::Sender<ExecutedRound>,
    batches: Mutex<HashMap<H256, Batch>>,
    codes: Mutex<Vec<CodeId>>,
    natives: Mutex<Sent>,
    waiting: Waiting,
}

/// Native messages that a test's chain has got.
#[derive(Default)]
struct Sent {
    /// Not in a block yet.
    pool: Vec<SignedNative>,
    taken: Vec<SignedNative>,
    /// Why the next one is refused.
    refused: Option<PurgeReason>,
    /// Why what waits is not included any more.
    closed: Option<PurgeReason>,
}

impl Natives for Holder {
    fn domain(&self) -> &RouterDomain {
        &DOMAIN
    }
    fn submit(&self, signed: SignedNative) -> Submitting<'_> {
        let mut natives = self.natives.lock();
        let id = signed.id(&DOMAIN);
        let answer = match natives.refused.take() {
            Some(reason) => {
                self.waiting.refuse(id, reason);
                Err(Rejection::Purged(reason))
            }
            None => {
                self.waiting.seen(&signed, id, id.0);
                natives.pool.push(signed);
                Ok(())
            }
        };
        Box::pin(async { answer })
    }
    fn taken(&self, id: MessageId) -> Result<Option<SignedNative>, NativesError> {
        let natives = self.natives.lock();
        let mut taken = natives.taken.iter();
        Ok(taken.find(|signed| signed.id(&DOMAIN) == id).cloned())
    }
    fn is_taken(&self, id: MessageId) -> Result<bool, NativesError> {
        Ok(self.taken(id)?.is_some())
    }
    fn ended(&self, id: MessageId) -> Result<Option<Ended>, NativesError> {
        let mut at = self.best();
        while let Some(round) = at {
            let receipts = &round.outcome.receipts;
            let place = receipts.iter().position(|receipt| receipt.message_id == id);
            let mut replies = round.outcome.replies.iter();
            if let Some(index) = place
                && let Some(reply) = replies.find(|reply| reply.message_id == id)
            {
                return Ok(Some(Ended {
                    index,
                    receipt: receipts[index],
                    payload: reply.payload.clone(),
                    round,
                }));
            }
            at = self.round(round.base.hash);
        }
        Ok(None)
    }
    fn waits(&self, _: H256) -> Result<Option<PurgeReason>, NativesError> {
        Ok(self.natives.lock().closed)
    }
    fn noted(&self, id: MessageId) -> Option<Noted> {
        self.waiting.noted(id)
    }
    fn news(&self) -> broadcast::Receiver<MessageId> {
        self.waiting.news()
    }
}

impl Rounds for Holder {
    fn best(&self) -> Option<ExecutedRound> {
        self.rounds.lock().last().cloned()
    }
    fn round(&self, block: H256) -> Option<ExecutedRound> {
        let rounds = self.rounds.lock();
        rounds
            .iter()
            .find(|round| round.block.hash == block)
            .cloned()
    }
    fn at_ethereum(&self, ethereum: H256) -> Option<ExecutedRound> {
        let rounds = self.rounds.lock();
        let mut newest = rounds.iter().rev();
        newest.find(|round| round.anchor.hash == ethereum).cloned()
    }
    fn subscribe(&self) -> broadcast::Receiver<ExecutedRound> {
        self.news.subscribe()
    }
    fn executor(&self) -> &Arc<Executor> {
        &self.executor
    }
}

impl Batches for Holder {
    fn batch(&self, digest: H256) -> Option<Batch> {
        self.batches.lock().get(&digest).cloned()
    }
}

impl Holder {
    fn add_code(&self, wasm: &[u8]) -> CodeId {
        let id = self.executor.add_code(wasm).unwrap();
        self.codes.lock().push(id);
        id
    }

    /// Executes the next block's round with these events, and tells everybody.
    fn execute(&self, events: Vec<EthereumEvent>) -> ExecutedRound {
        let number = self.best().map_or(1, |round| round.block.number + 1);
        self.execute_at(anchor(number), events)
    }

    /// The same with another anchor than the usual one.
    fn execute_at(&self, anchor: EthereumHeader, events: Vec<EthereumEvent>) -> ExecutedRound {
        self.execute_on(self.best(), anchor, events)
    }

    /// The same on another round than the newest one.
    fn execute_on(
        &self,
        base: Option<ExecutedRound>,
        anchor: EthereumHeader,
        events: Vec<EthereumEvent>,
    ) -> ExecutedRound {
        let genesis = ChainBlock {
            number: 0,
            hash: hash(0xc0, 0),
        };
        let parent = self.best().map_or(genesis, |round| round.block);
        let block = ChainBlock {
            number: parent.number + 1,
            hash: hash(0xc0, parent.number + 1),
        };
        let root = base
            .as_ref()
            .map_or(H256::zero(), |round| round.outcome.state_root);
        let base = base.map_or(genesis, |round| round.block);
        let input = RoundInput {
            block,
            anchor,
            ethereum: vec![EthereumBlock {
                header: anchor,
                events,
            }],
            codes: std::mem::take(&mut self.codes.lock()),
            native: {
                let mut natives = self.natives.lock();
                let taken = std::mem::take(&mut natives.pool);
                natives.taken.extend(taken.clone());
                taken
                    .into_iter()
                    .map(|signed| {
                        let id = signed.id(&DOMAIN);
                        signed.into_message(id)
                    })
                    .collect()
            },
            parameters: ExecutionParameters::default(),
        };
        let round = ExecutedRound {
            block,
            parent: parent.hash,
            base,
            anchor,
            outcome: Arc::new(self.executor.execute_round(root, &input).unwrap()),
        };
        self.rounds.lock().push(round.clone());
        let _ = self.news.send(round.clone());
        round
    }

    fn state_hash(&self, program: H160) -> H256 {
        let root = self.best().unwrap().outcome.state_root;
        let record = self.executor.program(root, program.into()).unwrap();
        record.unwrap().state_hash
    }
}

impl Client for Holder {
    // Block n is the only validator's, in slot n.
    fn author(&self, block: H256) -> Option<Authored> {
        let slot = self.round(block)?.block.number;
        Some(Authored {
            slot,
            set_id: 1,
            address: address_of_secret(&VALIDATOR).unwrap(),
        })
    }

    fn best_number(&self) -> u64 {
        self.best().map_or(0, |round| round.block.number)
    }
    fn set_at(&self, _: H256) -> Option<ValidatorSet> {
        self.set(1)
    }
    fn set(&self, id: u64) -> Option<ValidatorSet> {
        let address = address_of_secret(&VALIDATOR).unwrap();
        let member = Member { address, weight: 1 };
        Some(ValidatorSet {
            id,
            members: vec![member],
        })
    }
}

/// What a test says of the chain.
#[derive(Default)]
struct Said {
    finalized: u64,
    router: AppliedBatch,
    ethereum_final: EthereumHeader,
    held: HashMap<H256, AppliedBatch>,
    seen: HashMap<H256, EthereumHeader>,
}

#[derive(Default)]
struct TestChain(Mutex<Said>);

impl Chain for TestChain {
    fn is_finalized(&self, block: ChainBlock) -> bool {
        block.number <= self.0.lock().finalized
    }
    fn finalized(&self) -> u64 {
        self.0.lock().finalized
    }
    fn parameters(&self, _: H256) -> Option<ExecutionParameters> {
        Some(ExecutionParameters::default())
    }
    fn router(&self, _: H256) -> Option<AppliedBatch> {
        Some(self.0.lock().router)
    }
    fn ethereum_final(&self, _: H256) -> Option<EthereumHeader> {
        Some(self.0.lock().ethereum_final)
    }
    fn held(&self, ethereum: H256) -> Option<AppliedBatch> {
        self.0.lock().held.get(&ethereum).copied()
    }
    fn seen(&self, ethereum: H256) -> Option<EthereumHeader> {
        self.0.lock().seen.get(&ethereum).copied()
    }
}

/// A node's RPC: ends when it is dropped.
struct Node {
    holder: Arc<Holder>,
    chain: Arc<TestChain>,
    lifecycle: Arc<Lifecycle>,
    watch: Arc<Watch>,
    address: SocketAddr,
    _server: ServerHandle,
    _folder: TempDir,
}

impl Node {
    /// One that follows no Ethereum node.
    async fn start() -> Self {
        let (observer, _) = Observer::start(ObserverConfig::new(Vec::new(), 31337, ROUTER));
        Self::with(observer, 64).await
    }

    async fn with(ethereum: Observer, capacity: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let executor = Executor::open(ExecutorConfig {
            path: Some(folder.path().join("store")),
            threads: 2,
            ..ExecutorConfig::default()
        });
        let holder = Arc::new(Holder {
            executor: Arc::new(executor.unwrap()),
            rounds: Mutex::default(),
            news: broadcast::channel(capacity).0,
            batches: Mutex::default(),
            codes: Mutex::default(),
            natives: Mutex::default(),
            waiting: Waiting::default(),
        });
        let keystore = MemoryKeystore::new();
        let seed = format!("0x{}", hex::encode(VALIDATOR));
        keystore.ecdsa_generate_new(KEY_TYPE, Some(&seed)).unwrap();
        let (certificates, _) = CertificateService::new(Parts {
            client: holder.clone(),
            rounds: holder.clone(),
            keystore: Some(Arc::new(keystore)),
            journal: RoundJournal::open(Arc::new(Store::in_memory().unwrap())).unwrap(),
            store: Arc::new(Store::in_memory().unwrap()),
            metrics: Metrics::new(None).unwrap(),
            domain: DOMAIN,
            genesis: GENESIS,
        });
        tokio::spawn(certificates.clone().run());
        while holder.news.receiver_count() == 0 {
            tokio::task::yield_now().await;
        }
        let chain = Arc::new(TestChain::default());
        let lifecycle = Lifecycle::new(
            LifecycleParts {
                rounds: holder.clone(),
                chain: chain.clone(),
                certificates: certificates.clone(),
                natives: holder.clone(),
            },
            capacity,
        );
        tokio::spawn(lifecycle.clone().run(futures::stream::pending()));
        while holder.news.receiver_count() == 1 {
            tokio::task::yield_now().await;
        }
        let watch = Watch::new("Test", Metrics::new(None).unwrap());
        let module = gear(GearDeps {
            rounds: holder.clone(),
            batches: holder.clone(),
            chain: chain.clone(),
            ethereum,
            router: ROUTER,
            certificates,
            natives: holder.clone(),
            lifecycle: lifecycle.clone(),
            watch: watch.clone(),
        })
        .unwrap();
        let server = Server::builder().build("127.0.0.1:0").await.unwrap();
        Self {
            address: server.local_addr().unwrap(),
            _server: server.start(module),
            holder,
            chain,
            lifecycle,
            watch,
            _folder: folder,
        }
    }

    /// One with `PING` and `TROUBLE`, created and funded in block 1, initialised in block 2.
    async fn with_programs() -> Self {
        let node = Self::start().await;
        node.add_programs();
        node
    }

    fn add_programs(&self) {
        let ping = self.holder.add_code(gear_exe_programs::PING);
        let trouble = self.holder.add_code(gear_exe_programs::TROUBLE);
        let mut events = vec![created(PING, ping), created(TROUBLE, trouble)];
        events.extend([funded(PING), funded(TROUBLE)]);
        self.holder.execute(events);
        let init = vec![message(PING, 1, b"", 0), message(TROUBLE, 2, b"", 0)];
        self.holder.execute(init);
    }

    /// The answer to a raw request, over HTTP.
    async fn http(&self, request: &Value) -> Value {
        let body = request.to_string();
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let head = format!(
            "POST / HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
             Connection: close\r\n\r\n",
            self.address,
            body.len()
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(body.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        let (_, body) = answer.split_once("\r\n\r\n").unwrap();
        serde_json::from_str(body).unwrap()
    }

    async fn call(&self, method: &str, params: Value) -> Value {
        let request = json!({"jsonrpc": "2.0", "id": 7, "method": method, "params": params});
        let answer = self.http(&request).await;
        assert_eq!(answer["jsonrpc"], "2.0");
        assert_eq!(answer["id"], 7);
        answer
    }

    /// The result of a call.
    async fn ask(&self, method: &str, params: Value) -> Value {
        let mut answer = self.call(method, params).await;
        assert_eq!(answer.get("error"), None, "{method}");
        answer["result"].take()
    }

    /// The error of a call.
    async fn refuse(&self, method: &str, params: Value) -> Value {
        let mut answer = self.call(method, params).await;
        assert_eq!(answer.get("result"), None, "{method}");
        answer["error"].take()
    }

    async fn ws(&self) -> Ws {
        let url = format!("ws://{}", self.address).parse().unwrap();
        let (sender, receiver) = WsTransportClientBuilder::default()
            .build(url)
            .await
            .unwrap();
        Ws::new(sender, receiver)
    }
}

/// A WebSocket with raw JSON.
struct Ws {
    requests: mpsc::UnboundedSender<String>,
    frames: mpsc::UnboundedReceiver<Value>,
}

impl Ws {
    fn new(
        mut sender: impl TransportSenderT + Send,
        mut receiver: impl TransportReceiverT + Send,
    ) -> Self {
        let (requests, mut outgoing) = mpsc::unbounded_channel();
        let (frame, frames) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Some(request) = outgoing.recv().await {
                sender.send(request).await.unwrap();
            }
        });
        tokio::spawn(async move {
            while let Ok(message) = receiver.receive().await {
                let value = match message {
                    ReceivedMessage::Text(text) => serde_json::from_str(&text).unwrap(),
                    ReceivedMessage::Bytes(bytes) => serde_json::from_slice(&bytes).unwrap(),
                    ReceivedMessage::Pong => continue,
                };
                if frame.send(value).is_err() {
                    return;
                }
            }
        });
        Self { requests, frames }
    }

    fn send(&mut self, id: u64, method: &str, params: Value) {
        let request = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
        self.requests.send(request.to_string()).unwrap();
    }

    async fn frame(&mut self) -> Value {
        self.frames.recv().await.unwrap()
    }
}

fn created(program: H160, code_id: CodeId) -> EthereumEvent {
    EthereumEvent::Router(RouterEvent::ProgramCreated {
        actor_id: program.into(),
        code_id,
    })
}

fn mirror(program: H160, event: MirrorEvent) -> EthereumEvent {
    EthereumEvent::Mirror {
        actor_id: ActorId::from(program),
        event,
    }
}

fn funded(program: H160) -> EthereumEvent {
    let value = FUNDS;
    mirror(
        program,
        MirrorEvent::ExecutableBalanceTopUpRequested { value },
    )
}

fn id(number: u8) -> MessageId {
    [number; 32].into()
}

fn message(program: H160, number: u8, payload: &[u8], value: u128) -> EthereumEvent {
    mirror(
        program,
        MirrorEvent::MessageQueueingRequested {
            id: id(number),
            source: USER,
            payload: payload.to_vec(),
            value,
            call_reply: false,
        },
    )
}

/// Bytes in hex.
fn hexed(bytes: impl AsRef<[u8]>) -> String {
    format!("0x{}", hex::encode(bytes))
}

#[tokio::test]
async fn basics() {
    let node = Node::start().await;
    assert_eq!(node.ask("version", json!([])).await, "0.1.0");
    assert_eq!(node.ask("routerAddress", json!([])).await, hexed(ROUTER));
    assert_eq!(node.ask("routerAddress", json!({})).await, hexed(ROUTER));
    // No parameters at all.
    let request = json!({"jsonrpc": "2.0", "id": 1, "method": "version"});
    assert_eq!(
        node.http(&request).await,
        json!({"jsonrpc": "2.0", "id": 1, "result": "0.1.0"})
    );
    // Several at once.
    let both = json!([
        {"jsonrpc": "2.0", "id": 1, "method": "version", "params": []},
        {"jsonrpc": "2.0", "id": 2, "method": "program_ids", "params": []},
    ]);
    assert_eq!(
        node.http(&both).await,
        json!([
            {"jsonrpc": "2.0", "id": 1, "result": "0.1.0"},
            {"jsonrpc": "2.0", "id": 2, "result": []},
        ])
    );
}

#[tokio::test]
async fn before_the_first_round() {
    let node = Node::start().await;
    let program = hexed(PING);
    assert_eq!(
        node.refuse("program_codeId", json!([program])).await,
        json!({
            "code": 8000,
            "message": "Database error",
            "data": "no round is executed yet; wait until the node has synced",
        })
    );
    assert_eq!(node.ask("gear_round", json!([])).await, Value::Null);
    assert_eq!(
        node.ask("gear_programState", json!([program])).await,
        Value::Null
    );
    assert_eq!(
        node.ask("gear_messageStatus", json!([hash(0, 0)])).await,
        Value::Null
    );
    assert_eq!(
        node.refuse("block_header", json!([])).await["message"],
        "Database error"
    );
}
