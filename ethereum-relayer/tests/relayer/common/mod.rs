//! A world for the relayer: Anvil with the deployed contracts, validators that sign, and a chain that reports what they
//! signed. The chain's side is an input of the relayer, so the tests write it by hand.

#![allow(dead_code, reason = "each test binary uses its part")]

pub mod proxy;

use alloy::{
    eips::BlockId,
    network::TransactionBuilder,
    primitives::{Address, B256, keccak256},
    providers::{DynProvider, Provider, ProviderBuilder},
    rpc::types::{Block, TransactionRequest},
    signers::local::PrivateKeySigner,
    sol_types::SolCall,
};
use gear_exe_ethereum::{
    abi::Router,
    client::{self, Deployer, Options, RouterClient, RouterParams},
    convert::h160,
    dev::{AnvilConfig, AnvilNode},
};
use gear_exe_primitives::{
    H160, H256,
    batch::{Batch, BatchHeader, RouterDomain, content_hash},
    outbox::OutboxItem,
    quorum::{Member, bitmap},
    report::ReadyBatch,
    signature::{CompactSignature, address_of_secret},
};
use gear_exe_relayer::{
    Chain, ChainError, Identity, Policy, Relayer, RelayerConfig, RelayerHandle, Wallet,
};
use std::{
    future::Future,
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::sync::Notify;

pub const GWEI: u128 = 1_000_000_000;
pub const ETH: u128 = 1_000_000_000_000_000_000;

/// Anvil's accounts.
pub const DEPLOYER: &str = "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";
pub const RELAYER: &str = "59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d";
pub const RIVAL: &str = "5de4111afa1a4b94908f83103eb1f1706367c2e68ca870fc3fb9a804cdab365a";

const GENESIS: H256 = H256([7; 32]);
const VALIDATORS: usize = 4;

fn secret(validator: usize) -> [u8; 32] {
    [validator as u8 + 1; 32]
}

/// Polls until the answer is there. The test fails if it does not come.
pub async fn until<T, F: Future<Output = Option<T>>>(what: &str, mut ask: impl FnMut() -> F) -> T {
    let asking = async {
        loop {
            if let Some(answer) = ask().await {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    match tokio::time::timeout(Duration::from_secs(60), asking).await {
        Ok(answer) => answer,
        Err(_) => panic!("it does not happen: {what}"),
    }
}

/// The chain, as far as a relayer sees it.
#[derive(Debug)]
pub struct TestChain {
    pub identity: Mutex<Identity>,
    pub batches: Mutex<Vec<(ReadyBatch, Batch)>>,
    pub news: Notify,
    pub down: Mutex<bool>,
}

impl TestChain {
    fn up(&self) -> Result<(), ChainError> {
        if *self.down.lock().unwrap() {
            return Err(ChainError::Timeout("test".into()));
        }
        Ok(())
    }
}

impl Chain for TestChain {
    async fn identity(&self) -> Result<Identity, ChainError> {
        self.up()?;
        Ok(*self.identity.lock().unwrap())
    }

    async fn ready(&self) -> Result<Vec<ReadyBatch>, ChainError> {
        self.up()?;
        let batches = self.batches.lock().unwrap();
        Ok(batches.iter().map(|(ready, _)| ready.clone()).collect())
    }

    async fn body(&self, digest: H256) -> Result<Option<Batch>, ChainError> {
        self.up()?;
        let batches = self.batches.lock().unwrap();
        Ok(batches
            .iter()
            .find(|(ready, _)| ready.digest == digest)
            .map(|(_, batch)| batch.clone()))
    }

    async fn changed(&self) {
        self.news.notified().await;
    }
}

/// A transaction to the Router, or of the relayer, as it was mined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mined {
    pub hash: B256,
    pub from: Address,
    pub to_router: bool,
    pub success: bool,
    pub block: u64,
}

pub struct World {
    pub anvil: AnvilNode,
    pub provider: DynProvider,
    pub router: RouterClient,
    pub domain: RouterDomain,
    pub chain: Arc<TestChain>,
    pub folder: tempfile::TempDir,
}

impl World {
    /// Contracts deployed; blocks are mined only when a test says so.
    pub async fn new() -> Self {
        let _ = tracing_subscriber::fmt()
            .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
            .with_test_writer()
            .try_init();
        Self::on(AnvilConfig {
            slots_in_an_epoch: 32,
            ..Default::default()
        })
        .await
    }

    /// The same on an Anvil with this configuration.
    pub async fn on(config: AnvilConfig) -> Self {
        let anvil = AnvilNode::spawn(config).await.unwrap();
        let signer: PrivateKeySigner = DEPLOYER.parse().unwrap();
        let options = Options {
            poll: Duration::from_millis(20),
            ..Default::default()
        };
        let wallet = client::Wallet::connect(&anvil.http(), signer, options)
            .await
            .unwrap();
        let members = (0..VALIDATORS)
            .map(|validator| Member {
                address: address_of_secret(&secret(validator)).unwrap(),
                weight: 100,
            })
            .collect();
        let deployer = Deployer::new(wallet.clone());
        let plan = deployer.plan().await.unwrap();
        let deployed = deployer
            .deploy(plan, RouterParams::new(GENESIS, members))
            .await
            .unwrap();
        let provider = ProviderBuilder::new()
            .disable_recommended_fillers()
            .connect(&anvil.http())
            .await
            .unwrap()
            .erased();
        let domain = RouterDomain {
            chain_id: 31337,
            router: h160(deployed.router),
        };
        let world = Self {
            anvil,
            provider,
            router: RouterClient::new(wallet, deployed.router),
            domain,
            chain: Arc::new(TestChain {
                identity: Mutex::new(Identity {
                    genesis: GENESIS,
                    domain: Some(domain),
                }),
                batches: Mutex::default(),
                news: Notify::new(),
                down: Mutex::new(false),
            }),
            folder: tempfile::tempdir().unwrap(),
        };
        world.automine(false).await;
        world.mine(1).await;
        world
    }

    pub async fn rpc(&self, method: &'static str, params: serde_json::Value) -> serde_json::Value {
        self.provider
            .raw_request(method.into(), params)
            .await
            .unwrap_or_else(|error| panic!("{method}: {error}"))
    }

    pub async fn automine(&self, on: bool) {
        self.rpc("evm_setAutomine", serde_json::json!([on])).await;
    }

    pub async fn mine(&self, blocks: u64) {
        self.rpc("anvil_mine", serde_json::json!([blocks])).await;
    }

    pub async fn next_base_fee(&self, wei: u128) {
        let params = serde_json::json!([format!("{wei:#x}")]);
        self.rpc("anvil_setNextBlockBaseFeePerGas", params).await;
    }

    pub async fn set_balance(&self, account: H160, wei: u128) {
        let params = serde_json::json!([format!("{account:?}"), format!("{wei:#x}")]);
        self.rpc("anvil_setBalance", params).await;
    }

    pub async fn block(&self, number: u64) -> Block {
        self.provider
            .get_block_by_number(number.into())
            .full()
            .await
            .unwrap()
            .unwrap()
    }

    pub async fn head(&self) -> u64 {
        self.provider.get_block_number().await.unwrap()
    }

    /// Nonce and digest of the Router's last batch at the head.
    pub async fn applied(&self) -> (u64, H256) {
        let request = TransactionRequest::default()
            .with_to(Address::from(self.domain.router.0))
            .with_input(Router::lastBatchCall {}.abi_encode());
        let answer = self.provider.call(request).block(BlockId::latest()).await;
        let last = Router::lastBatchCall::abi_decode_returns(&answer.unwrap()).unwrap();
        (last.nonce, H256(last.digest.0))
    }

    /// Validators sign the batch after `parent`, with the head as its anchor.
    pub async fn sign_on(&self, parent: (u64, H256), signers: &[usize]) -> (ReadyBatch, Batch) {
        self.sign_changed(parent, signers, |_| ()).await
    }

    /// The same with a header that is changed before it is signed.
    pub async fn sign_changed(
        &self,
        parent: (u64, H256),
        signers: &[usize],
        change: impl FnOnce(&mut BatchHeader),
    ) -> (ReadyBatch, Batch) {
        let (set_id, _) = self.router.validators().await.unwrap();
        let head = self.block(self.head().await).await;
        let nonce = parent.0 + 1;
        let outbox = vec![OutboxItem::ParameterChange {
            key: H256(keccak256("computeThreshold").0),
            value: nonce.into(),
        }];
        let mut header = BatchHeader {
            genesis: GENESIS,
            seal_number: nonce * 10,
            seal_hash: H256::from_low_u64_be(nonce * 10),
            last_round: nonce * 10,
            last_round_hash: H256::from_low_u64_be(nonce * 10),
            nonce,
            parent: parent.1,
            anchor_number: head.header.number,
            anchor_hash: H256(head.header.hash.0),
            set_id,
            content: content_hash(&[], 0, nonce, &outbox),
            expiry: head.header.timestamp + 1_000_000,
        };
        change(&mut header);
        let digest = header.digest(&self.domain);
        let ready = ReadyBatch {
            header,
            digest,
            signers: bitmap(signers.iter().copied()),
            signatures: signers
                .iter()
                .map(|signer| CompactSignature::sign(&secret(*signer), digest).unwrap())
                .collect(),
        };
        let batch = Batch {
            header,
            spent: 0,
            outbox_end: nonce,
            transitions: Vec::new(),
            outbox,
        };
        assert!(batch.is_consistent());
        (ready, batch)
    }

    /// Publishes a signed batch.
    pub fn publish(&self, batch: (ReadyBatch, Batch)) -> H256 {
        let digest = batch.0.digest;
        self.chain.batches.lock().unwrap().push(batch);
        self.chain.news.notify_waiters();
        digest
    }

    /// Signs the batch after the Router's last, and publishes it.
    pub async fn next(&self) -> H256 {
        let batch = self.sign_on(self.applied().await, &[0, 1, 3]).await;
        self.publish(batch)
    }

    pub fn config(&self, key: &str, ethereum: &str) -> RelayerConfig {
        RelayerConfig {
            policy: Policy {
                max_fee: 100 * GWEI,
                bump_blocks: 3,
                low_balance: ETH / 100,
                // These tests mine hundreds of blocks at a time, and their chain never takes a batch back.
                unfit_blocks: 1_000_000,
                ..Policy::default()
            },
            poll: Duration::from_millis(40),
            timeout: Duration::from_secs(2),
            ..RelayerConfig::new(
                "ws://unused",
                ethereum,
                self.domain.router,
                Wallet::from_hex(key).unwrap(),
                self.folder.path().join(&key[..8]),
            )
        }
    }

    pub async fn start(&self) -> RelayerHandle {
        self.start_with(self.config(RELAYER, &self.anvil.http()))
            .await
    }

    pub async fn start_with(&self, config: RelayerConfig) -> RelayerHandle {
        Relayer::start_on(config, self.chain.clone()).await.unwrap()
    }

    /// The one transaction that waits in Anvil's pool.
    pub async fn pooled(&self) -> B256 {
        until("a transaction is in the pool", || async {
            self.pool().await.first().copied()
        })
        .await
    }

    /// Hashes of the transactions that wait.
    pub async fn pool(&self) -> Vec<B256> {
        let content = self.rpc("txpool_content", serde_json::json!([])).await;
        let mut hashes = Vec::new();
        for kind in ["pending", "queued"] {
            for by_nonce in content[kind].as_object().unwrap().values() {
                for transaction in by_nonce.as_object().unwrap().values() {
                    hashes.push(transaction["hash"].as_str().unwrap().parse().unwrap());
                }
            }
        }
        hashes
    }

    /// All mined transactions of anyone but the deployer, oldest first.
    pub async fn mined(&self) -> Vec<Mined> {
        let deployer: PrivateKeySigner = DEPLOYER.parse().unwrap();
        let mut mined = Vec::new();
        for number in 0..=self.head().await {
            for transaction in self.block(number).await.transactions.txns() {
                use alloy::{consensus::Transaction, network::TransactionResponse};
                if transaction.from() == deployer.address() {
                    continue;
                }
                let hash = transaction.tx_hash();
                let receipt = self.provider.get_transaction_receipt(hash).await.unwrap();
                let router = Address::from(self.domain.router.0);
                mined.push(Mined {
                    hash,
                    from: transaction.from(),
                    to_router: Transaction::to(transaction) == Some(router),
                    success: receipt.unwrap().status(),
                    block: number,
                });
            }
        }
        mined
    }

    /// Mines until the Router holds batch `nonce`.
    pub async fn mine_until_applied(&self, nonce: u64) {
        until("the batch is applied", || async {
            self.mine(1).await;
            (self.applied().await.0 >= nonce).then_some(())
        })
        .await;
    }

    /// Mines until the relayer says that this many batches are settled.
    pub async fn mine_until_settled(&self, relayer: &RelayerHandle, count: f64) {
        until("the batch is settled", || async {
            self.mine(8).await;
            (metric(relayer, "settled_total") >= count).then_some(())
        })
        .await;
    }

    /// Exactly one mined transaction per batch, and nothing else.
    pub async fn nothing_wasted(&self, batches: usize) {
        let mined = self.mined().await;
        assert_eq!(mined.len(), batches, "{mined:?}");
        assert!(
            mined.iter().all(|mined| mined.to_router && mined.success),
            "{mined:?}"
        );
    }

    pub fn log(&self, key: &str) -> std::path::PathBuf {
        self.folder.path().join(&key[..8])
    }
}

/// A metric's value by its name without prefix, with labels as Prometheus writes them.
pub fn metric(relayer: &RelayerHandle, name: &str) -> f64 {
    let text = prometheus::TextEncoder::new()
        .encode_to_string(&relayer.registry().gather())
        .unwrap();
    value(&text, name).unwrap_or_else(|| panic!("no metric {name} in {text}"))
}

/// A metric's value in Prometheus' text.
pub fn value(text: &str, name: &str) -> Option<f64> {
    text.lines()
        .find_map(|line| line.strip_prefix(&format!("gear_exe_relayer_{name} ")))
        .and_then(|value| value.parse().ok())
}

pub fn alarm(relayer: &RelayerHandle, name: &str) -> bool {
    metric(relayer, &format!("alarm{{kind=\"{name}\"}}")) > 0.0
}

/// Waits until an alarm is on, or off.
pub async fn until_alarm(relayer: &RelayerHandle, name: &str, on: bool) {
    until(&format!("alarm {name} is {on}"), || async {
        (alarm(relayer, name) == on).then_some(())
    })
    .await;
}

pub async fn until_metric(relayer: &RelayerHandle, name: &str, least: f64) {
    until(&format!("{name} is at least {least}"), || async {
        (metric(relayer, name) >= least).then_some(())
    })
    .await;
}

pub fn account(key: &str) -> H160 {
    Wallet::from_hex(key).unwrap().address()
}

pub fn remove(folder: &Path) {
    std::fs::remove_dir_all(folder).unwrap();
}
