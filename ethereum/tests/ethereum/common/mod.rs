//! What the tests share: a network on Anvil, and a proxy that makes a node misbehave.

#![allow(dead_code, clippy::unwrap_used)]

use alloy::{
    primitives::{Address, U256},
    providers::{DynProvider, Provider, ProviderBuilder},
    signers::local::PrivateKeySigner,
    transports::http::reqwest,
};
use gear_exe_ethereum::{
    batch,
    client::{ClientError, Deployer, Options, RouterClient, RouterParams, Transaction, Wallet},
    convert,
    dev::{AnvilConfig, AnvilNode, KEYS},
};
use gear_exe_primitives::{
    H256,
    batch::{Batch, BatchHeader, content_hash},
    hashing::keccak256,
    outbox::OutboxItem,
    quorum::{self, Member},
    signature::{CompactSignature, address_of_secret},
    transition::StateTransition,
};
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

pub const WVARA: u128 = 1_000_000_000_000;

/// What programs pay in each batch, in wVARA base units.
pub const SPENT: u128 = 7;

pub fn signer(index: usize) -> PrivateKeySigner {
    KEYS[index].parse().unwrap()
}

/// Impatient: no test should need more.
pub fn options() -> Options {
    Options {
        poll: Duration::from_millis(20),
        deadline: Duration::from_secs(60),
        ..Options::default()
    }
}

pub async fn wallet(url: &str, index: usize) -> Wallet {
    Wallet::connect(url, signer(index), options())
        .await
        .unwrap()
}

pub async fn provider(url: &str) -> DynProvider {
    ProviderBuilder::new()
        .disable_recommended_fillers()
        .connect(url)
        .await
        .unwrap()
        .erased()
}

pub fn genesis() -> H256 {
    keccak256(["the chain"])
}

/// Anvil with deployed contracts and validators whose keys the test has.
pub struct Network {
    pub anvil: AnvilNode,
    pub deployer: Wallet,
    pub user: Wallet,
    pub router: RouterClient,
    pub secrets: Vec<[u8; 32]>,
}

impl Network {
    /// Validators with these weights. Accounts 0 (the deployer) and 1 (the user) have wVARA.
    pub async fn start(config: AnvilConfig, weights: &[u64]) -> Self {
        let anvil = AnvilNode::spawn(config).await.unwrap();
        let deployer = wallet(&anvil.http(), 0).await;
        let user = wallet(&anvil.http(), 1).await;
        let secrets: Vec<[u8; 32]> = (1..=weights.len() as u8).map(|index| [index; 32]).collect();
        let members = secrets
            .iter()
            .zip(weights)
            .map(|(secret, weight)| Member {
                address: address_of_secret(secret).unwrap(),
                weight: *weight,
            })
            .collect();
        let mut params = RouterParams::new(genesis(), members);
        params.mint = vec![(user.address(), U256::from(10_000 * WVARA))];
        let deploy = Deployer::new(deployer.clone());
        let plan = deploy.plan().await.unwrap();
        let deployment = deploy.deploy(plan, params).await.unwrap();
        assert_eq!(deployment, plan);
        let router = RouterClient::new(user.clone(), deployment.router);
        Self {
            anvil,
            deployer,
            user,
            router,
            secrets,
        }
    }

    /// The next batch, as a chain would build it: on what the Router holds, anchored at the head's parent.
    pub async fn batch(
        &self,
        mut transitions: Vec<StateTransition>,
        outbox: Vec<OutboxItem>,
    ) -> Batch {
        transitions.sort_by_key(|transition| transition.actor_id);
        let last = self.router.last_batch().await.unwrap();
        let head = self
            .user
            .provider()
            .get_block(alloy::eips::BlockId::latest())
            .await
            .unwrap()
            .unwrap();
        let (set_id, _) = self.router.validators().await.unwrap();
        let outbox_end = last.outbox_end + outbox.len() as u64;
        let seal_number = last.seal_number + 2;
        Batch {
            header: BatchHeader {
                genesis: genesis(),
                seal_number,
                seal_hash: H256::from_low_u64_be(seal_number),
                last_round: last.last_round + 1,
                last_round_hash: H256::from_low_u64_be(last.last_round + 1),
                nonce: last.nonce + 1,
                parent: last.digest,
                anchor_number: head.header.number,
                anchor_hash: convert::h256(head.header.hash),
                set_id,
                content: content_hash(&transitions, SPENT, outbox_end, &outbox),
                expiry: head.header.timestamp + 600,
            },
            spent: SPENT,
            outbox_end,
            transitions,
            outbox,
        }
    }

    /// Signed by the validators with these indices, in ascending order.
    pub fn signed(&self, batch: &Batch, signers: &[usize]) -> Vec<u8> {
        let digest = batch.header.digest(&self.router.domain());
        let signatures: Vec<u8> = signers
            .iter()
            .flat_map(|index| {
                CompactSignature::sign(&self.secrets[*index], digest)
                    .unwrap()
                    .0
            })
            .collect();
        batch::calldata(batch, &quorum::bitmap(signers.iter().copied()), &signatures)
    }

    pub async fn submit(&self, calldata: Vec<u8>) -> Result<u64, ClientError> {
        let receipt = self
            .deployer
            .send(Transaction {
                action: "committing the batch".into(),
                to: Some(self.router.address()),
                data: calldata.into(),
                ..Default::default()
            })
            .await?;
        Ok(receipt.block_number.unwrap())
    }

    /// Commits a batch that all validators signed; returns its block.
    pub async fn commit(&self, transitions: Vec<StateTransition>, outbox: Vec<OutboxItem>) -> u64 {
        let batch = self.batch(transitions, outbox).await;
        let all: Vec<_> = (0..self.secrets.len()).collect();
        self.submit(self.signed(&batch, &all)).await.unwrap()
    }

    pub fn token_owner(&self) -> Address {
        self.deployer.address()
    }
}

/// How a proxy treats what passes through it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Pass,
    /// Logs are taken out of receipts.
    DropLogs,
    /// Questions are never answered.
    Stall,
    /// Connections are closed.
    Refuse,
}

/// An HTTP proxy before a node.
pub struct Proxy {
    pub url: String,
    state: Arc<Mutex<(Mode, String)>>,
    task: JoinHandle<()>,
}

impl Proxy {
    pub async fn start(target: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(Mutex::new((Mode::Pass, target)));
        let shared = state.clone();
        let task = tokio::spawn(async move {
            let http = reqwest::Client::new();
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, shared.clone(), http.clone()));
            }
        });
        Self { url, state, task }
    }

    pub fn set(&self, mode: Mode) {
        self.state.lock().unwrap().0 = mode;
    }

    pub fn point_to(&self, target: String) {
        self.state.lock().unwrap().1 = target;
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(
    mut stream: TcpStream,
    state: Arc<Mutex<(Mode, String)>>,
    http: reqwest::Client,
) -> Option<()> {
    let mut buffer = Vec::new();
    loop {
        let (end, length) = loop {
            if let Some(end) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
                let head = String::from_utf8_lossy(&buffer[..end]).to_lowercase();
                let length: usize = head
                    .lines()
                    .find_map(|line| line.strip_prefix("content-length:"))?
                    .trim()
                    .parse()
                    .ok()?;
                if buffer.len() >= end + 4 + length {
                    break (end + 4, length);
                }
            }
            if stream.read_buf(&mut buffer).await.ok()? == 0 {
                return None;
            }
        };
        let body = buffer[end..end + length].to_vec();
        buffer.drain(..end + length);
        let (mode, target) = state.lock().unwrap().clone();
        match mode {
            Mode::Refuse => return None,
            Mode::Stall => std::future::pending::<()>().await,
            Mode::Pass | Mode::DropLogs => {}
        }
        let drop_logs = mode == Mode::DropLogs
            && String::from_utf8_lossy(&body).contains("eth_getBlockReceipts");
        let answer = http
            .post(target)
            .header("content-type", "application/json")
            .body(body)
            .send()
            .await
            .ok()?;
        let mut answer = answer.bytes().await.ok()?.to_vec();
        if drop_logs {
            let mut json: serde_json::Value = serde_json::from_slice(&answer).ok()?;
            for receipt in json["result"].as_array_mut()? {
                receipt["logs"] = serde_json::json!([]);
            }
            answer = serde_json::to_vec(&json).ok()?;
        }
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            answer.len()
        );
        stream.write_all(head.as_bytes()).await.ok()?;
        stream.write_all(&answer).await.ok()?;
    }
}
