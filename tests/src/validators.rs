//! A network of several validators, each a process of its own as its operator would start it, with keys, Ethereum and
//! relayer; on request with a Middleware on Symbiotic's own contracts and vaults behind the validators.
//!
//! The chain is the preset `local`: Alice, Bob, Charlie and Dave, with eras of 20 seconds. Its genesis is written by
//! `gear-exe build-spec`, and patched as chain specifications are.

use crate::{
    chain::{Chain, History},
    delay::DelayedLink,
    process::{Process, binary, free_port},
    restaked::Restaked,
    symbiotic::{BURNER, Symbiotic, Windows},
    wallet::{self, eventually},
};
use alloy::{
    consensus::Transaction as _,
    primitives::U256,
    providers::{Provider, ext::AnvilApi},
    signers::local::PrivateKeySigner,
    sol_types::SolCall,
};
use anyhow::{Context, Result, ensure};
use futures::future::try_join_all;
use gear_exe_ethereum::{
    abi::{Middleware, Router},
    client::{Deployer, Deployment, MiddlewareParams, Options, RouterParams, Wallet},
    dev::{AnvilConfig, AnvilNode, KEYS},
};
use gear_exe_primitives::{H160, H256, quorum::Member, signature::CompactSignature};
use pallet_restaking::AssetRules;
use polkadot_sdk::{
    sp_core::{Pair, ecdsa},
    sp_keyring::Sr25519Keyring,
    sp_runtime::Perbill,
};
use serde_json::{Value, json};
use std::{
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// Who validates at first.
pub const VALIDATORS: [Sr25519Keyring; 4] = [
    Sr25519Keyring::Alice,
    Sr25519Keyring::Bob,
    Sr25519Keyring::Charlie,
    Sr25519Keyring::Dave,
];

/// Length of a slot, in milliseconds.
const SLOT_MS: u64 = 250;
/// Eras between a slash of VARA and its execution.
pub const SLASH_DEFERRAL: u32 = 2;
/// Blocks of a session, two of which are an era. Ten seconds: on a machine that is busy with other things a validator may
/// be silent for the five of the preset, which costs stake.
const SESSION: u32 = 40;
/// Seconds for which the Router takes a batch.
const EXPIRY: u64 = 600;
/// The Router's shortest delay for another Middleware, in seconds.
const UPGRADE_DELAY: u32 = 3_600;
/// Seconds before now at which Ethereum begins, beside that delay: each transaction of the set-up takes one.
const SETTING_UP: u64 = 600;
/// wVARA of each account, in base units.
const GIFT: u128 = 1_000_000 * wallet::WVARA;
/// The account that pays for the relayer.
const RELAYER: usize = 9;

/// How a network is set up.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What differs from the preset, as a patch of the genesis.
    pub patch: Value,
    /// Vaults, by whom they stand behind, with the wrapped ETH in them, in wei. Without any there is no Middleware.
    pub vaults: Vec<(Sr25519Keyring, u128)>,
    /// Of the vaults.
    pub windows: Windows,
    /// How much later every byte between two nodes comes; at once if it is zero.
    pub delay: Duration,
    /// Whether nodes serve their metrics: [`Node::metrics_url`].
    pub metrics: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            patch: Value::Null,
            vaults: Vec::new(),
            windows: Windows {
                epoch: 3_600,
                veto: 300,
            },
            delay: Duration::ZERO,
            metrics: false,
        }
    }
}

/// A validator's process.
#[derive(Debug)]
pub struct Node {
    pub(crate) process: Process,
    /// How it was started: its name, its program, and the arguments.
    pub(crate) command: (String, PathBuf, Vec<String>),
    pub(crate) rpc_port: u16,
    metrics_port: Option<u16>,
    /// Where others reach it.
    contact: String,
    /// The way there, if it is a long one.
    link: Option<DelayedLink>,
    /// The chain as it sees it.
    pub chain: Chain,
}

/// A running network. Everything ends when it is dropped; the ends of the logs are shown unless the test has come to its
/// end ([`Validators::done`]).
#[derive(Debug)]
pub struct Validators {
    /// The validators, in the order in which they were started.
    pub nodes: Vec<Node>,
    /// What is deployed.
    pub deployment: Deployment,
    relayer: Option<Process>,
    restaked: Option<Restaked>,
    deployer: Deployer,
    anvil: AnvilNode,
    spec: PathBuf,
    delay: Duration,
    metrics: bool,
    done: bool,
    // Last, so that it is removed when nobody writes to it any more.
    pub(crate) folder: tempfile::TempDir,
}

/// The key by which a development account signs for Ethereum.
///
/// # Errors
///
/// Never: all of them are derived from their names.
pub fn ethereum_key(who: Sr25519Keyring) -> Result<PrivateKeySigner> {
    let pair = ecdsa::Pair::from_string(&format!("//{who}"), None)?;
    Ok(PrivateKeySigner::from_slice(&pair.seed())?)
}

/// Signs a digest with the key by which a development account signs for Ethereum.
///
/// # Errors
///
/// Never: see [`ethereum_key`].
pub fn sign(who: Sr25519Keyring, digest: H256) -> Result<CompactSignature> {
    let key = ethereum_key(who)?.to_bytes();
    CompactSignature::sign(&key.0, digest).map_err(|error| anyhow::anyhow!("{error:?}"))
}

/// A batch that the Router has applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Applied {
    /// Its number.
    pub nonce: u64,
    /// The set that the Router holds after it.
    pub set_id: u64,
    /// How many have signed it, of those that the relayer has carried there.
    pub signers: u32,
}

/// The batches that the Router has applied, in order.
///
/// # Errors
///
/// If Ethereum does not answer.
pub async fn applied(user: &wallet::Wallet) -> Result<Vec<Applied>> {
    let mut batches = Vec::new();
    for (event, log) in user.events::<Router::BatchApplied>(user.router).await? {
        let hash = log
            .transaction_hash
            .context("a log without a transaction")?;
        let transaction = user
            .provider
            .get_transaction_by_hash(hash)
            .await?
            .context("the transaction is gone")?;
        let call = Router::commitBatchCall::abi_decode(transaction.input())?;
        batches.push(Applied {
            nonce: event.nonce,
            set_id: event.setId,
            signers: call.signers.iter().map(|byte| byte.count_ones()).sum(),
        });
    }
    Ok(batches)
}

/// RFC 7396, as chain specifications are merged.
fn merge(into: &mut Value, patch: Value) {
    match (into, patch) {
        (_, Value::Null) => {}
        (Value::Object(into), Value::Object(patch)) => {
            for (key, value) in patch {
                merge(into.entry(key).or_insert(Value::Null), value);
            }
        }
        (into, patch) => *into = patch,
    }
}

fn now() -> Result<u64> {
    Ok(SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs())
}

pub(crate) fn key(index: usize) -> Result<PrivateKeySigner> {
    Ok(KEYS.get(index).context("no such account")?.parse()?)
}

/// What `gear-exe build-spec` says: genesis hash, and the members of the first set.
fn build_spec(arguments: &[&str]) -> Result<(H256, Vec<Member>)> {
    let output = Command::new(binary("gear-exe")?)
        .arg("build-spec")
        .args(arguments)
        .output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "build-spec {arguments:?}: {said}");
    let genesis = said
        .lines()
        .find_map(|line| line.strip_prefix("genesis hash: "))
        .context("no genesis hash")?
        .parse()?;
    let members = said
        .lines()
        .filter_map(|line| line.strip_prefix("validator: "))
        .map(|line| {
            let (address, weight) = line.split_once(' ').context("no weight")?;
            Ok(Member {
                address: address.parse()?,
                weight: weight.parse()?,
            })
        })
        .collect::<Result<_>>()?;
    Ok((genesis, members))
}

impl Validators {
    /// Starts Ethereum with contracts and vaults, four validators, and a relayer. Returns when blocks are final.
    ///
    /// # Errors
    ///
    /// If something does not start; the error has the end of its log.
    pub async fn start(settings: Settings) -> Result<Self> {
        let folder = tempfile::Builder::new()
            .prefix("gear-exe-test-")
            .tempdir()?;
        // Each transaction of the set-up gets a block at once. Where the Router's delay has to pass, Ethereum begins so much
        // before now.
        let mut config = AnvilConfig::default();
        if !settings.vaults.is_empty() {
            let begin = now()?.saturating_sub(u64::from(UPGRADE_DELAY) + SETTING_UP);
            config.args = vec!["--timestamp".into(), begin.to_string()];
        }
        let anvil = AnvilNode::spawn(config).await?;
        let deployer_wallet = connect(&anvil.http(), 0).await?;
        let symbiotic = match settings.vaults.is_empty() {
            true => None,
            false => Some(Symbiotic::deploy(&deployer_wallet, settings.windows).await?),
        };
        let deployer = Deployer::new(deployer_wallet);
        let plan = deployer.plan().await?;
        let spec = folder.path().join("chain-spec.json");
        let (genesis, members) = specify(&anvil, &plan, &settings.patch, &spec)?;
        let mut params = RouterParams::new(genesis, members);
        params.upgrade_delay = UPGRADE_DELAY;
        for index in 0..KEYS.len() {
            params.mint.push((key(index)?.address(), U256::from(GIFT)));
        }
        let deployment = deployer.deploy(plan, params).await?;
        let mut network = Self {
            nodes: Vec::new(),
            deployment,
            relayer: None,
            restaked: None,
            deployer,
            anvil,
            spec,
            delay: settings.delay,
            metrics: settings.metrics,
            done: false,
            folder,
        };
        if let Some(symbiotic) = symbiotic {
            network.restake(symbiotic, &settings).await?;
        }
        let provider = network.ethereum(0).await?;
        provider.provider().anvil_set_interval_mining(1).await?;
        for who in VALIDATORS {
            let flag = format!("--{who}").to_lowercase();
            network.start_node(&who.to_string(), &[&flag]).await?;
        }
        network.start_relayer()?;
        let chain = network.chain().clone();
        eventually("blocks are final", || async {
            Ok((chain.finalised().await?.0 > 0).then_some(()))
        })
        .await?;
        Ok(network)
    }

    /// Middleware, collateral, vaults: before the chain begins.
    async fn restake(&mut self, symbiotic: Symbiotic, settings: &Settings) -> Result<()> {
        let params = MiddlewareParams {
            upgrade_delay: UPGRADE_DELAY,
            min_veto_duration: settings.windows.veto,
            execution_margin: settings.windows.veto,
            slash_window: settings.windows.epoch - 2 * settings.windows.veto,
            ..MiddlewareParams::new(symbiotic.addresses)
        };
        let deployment = self.deployment;
        let middleware = self
            .deployer
            .deploy_middleware(&deployment, &params)
            .await?;
        let collateral = Middleware::setCollateralCall {
            collateral: symbiotic.weth,
            burner: BURNER,
            enabled: true,
        };
        self.deployer
            .govern(
                &deployment,
                "taking wrapped ETH as collateral",
                middleware,
                &collateral,
            )
            .await?;
        let mut vaults = Vec::new();
        for (index, (who, wei)) in settings.vaults.iter().enumerate() {
            let operator = self.ethereum(index + 1).await?;
            let vault = symbiotic.stake(&operator, middleware, *wei).await?;
            vaults.push((*who, vault));
        }
        // The Router's delay passes, and Ethereum's time is the world's from here on.
        let ethereum = self.ethereum(0).await?;
        ethereum.provider().anvil_set_time(now()?).await?;
        ethereum.provider().anvil_mine(Some(1), None).await?;
        self.deployer
            .apply_middleware(&deployment, middleware)
            .await?;
        self.restaked = Some(Restaked {
            middleware,
            symbiotic,
            vaults,
        });
        Ok(())
    }

    /// Starts one more node on this chain, which knows all others. `arguments` say who it is.
    ///
    /// # Errors
    ///
    /// If it does not come up.
    pub async fn start_node(&mut self, name: &str, arguments: &[&str]) -> Result<()> {
        self.start_binary("gear-exe", name, arguments).await
    }

    /// The same with another program that takes the arguments of `gear-exe run`.
    ///
    /// # Errors
    ///
    /// If it does not come up.
    pub async fn start_binary(
        &mut self,
        program: &str,
        name: &str,
        arguments: &[&str],
    ) -> Result<()> {
        let folder = self.folder.path();
        let (rpc_port, port) = (free_port()?, free_port()?);
        let listen = format!("/ip4/127.0.0.1/tcp/{port}");
        let node_key = format!("{:064x}", self.nodes.len() + 1);
        let mut all: Vec<String> = ["run", "--chain"].map(str::to_owned).to_vec();
        all.push(self.spec.display().to_string());
        all.push("--base-path".into());
        all.push(folder.join(name).display().to_string());
        all.extend(arguments.iter().map(|argument| (*argument).to_owned()));
        all.extend(["--node-key".into(), node_key]);
        all.extend(["--listen-addr".into(), listen.clone()]);
        all.extend(["--rpc-port".into(), rpc_port.to_string()]);
        all.extend(["--ethereum-rpc".into(), self.anvil.http()]);
        all.extend(["--executor-threads=1", "--no-telemetry", "--no-mdns"].map(str::to_owned));
        let metrics_port = match self.metrics {
            true => Some(free_port()?),
            false => None,
        };
        match metrics_port {
            Some(port) => all.extend(["--prometheus-port".into(), port.to_string()]),
            None => all.push("--no-prometheus".into()),
        }
        for node in &self.nodes {
            all.extend(["--bootnodes".into(), node.contact.clone()]);
        }
        let program = binary(program)?;
        let mut process = Process::start(name, &program, &all, folder)?;
        let peer = process.line("Local node identity is: ").await?;
        let url = format!("http://127.0.0.1:{rpc_port}");
        let chain = eventually("a node serves", || async {
            Ok(Some(Chain::connect(&url).await?))
        })
        .await
        .with_context(|| process.tail())?;
        let link = match self.delay {
            Duration::ZERO => None,
            delay => Some(DelayedLink::start(port, delay).await?),
        };
        let door = link.as_ref().map_or(port, DelayedLink::port);
        self.nodes.push(Node {
            process,
            command: (name.to_owned(), program, all),
            rpc_port,
            metrics_port,
            contact: format!("/ip4/127.0.0.1/tcp/{door}/p2p/{peer}"),
            link,
            chain,
        });
        Ok(())
    }

    /// Starts the relayer, again on its folder if it ran before. It asks the first node.
    ///
    /// # Errors
    ///
    /// If it cannot be started.
    pub fn start_relayer(&mut self) -> Result<()> {
        let folder = self.folder.path();
        let key_file = folder.join("relayer.key");
        std::fs::write(&key_file, format!("{:#x}\n", key(RELAYER)?.to_bytes()))?;
        let arguments = [
            "run",
            "--node",
            &self.node_url(),
            "--ethereum",
            &self.anvil.http(),
            "--router",
            &format!("{:#x}", self.deployment.router),
            "--key-file",
            &key_file.display().to_string(),
            "--data",
            &folder.join("relayer").display().to_string(),
            "--max-fee-gwei",
            "200",
            "--poll-ms",
            "200",
        ]
        .map(str::to_owned);
        // One that runs still ends first.
        drop(self.relayer.take());
        let binary = binary("gear-exe-relayer")?;
        self.relayer = Some(Process::start("relayer", &binary, &arguments, folder)?);
        Ok(())
    }

    /// `SIGKILL` for the relayer.
    ///
    /// # Errors
    ///
    /// If it does not run.
    pub fn kill_relayer(&mut self) -> Result<()> {
        self.relayer.as_mut().context("no relayer runs")?.kill()
    }

    /// Where the first node answers over WebSocket.
    pub fn node_url(&self) -> String {
        self.url_of(0)
    }

    /// Where a node answers over WebSocket, by the order in which they were started.
    pub fn url_of(&self, node: usize) -> String {
        let port = self.nodes.get(node).map_or(0, |node| node.rpc_port);
        format!("ws://127.0.0.1:{port}")
    }

    /// Where Ethereum answers over HTTP.
    pub fn ethereum_url(&self) -> String {
        self.anvil.http()
    }

    /// The chain as the first node sees it.
    ///
    /// # Panics
    ///
    /// Before a node was started.
    pub fn chain(&self) -> &Chain {
        &self.nodes[0].chain
    }

    /// Follows the chain's events from now on.
    ///
    /// # Errors
    ///
    /// If the first node does not answer.
    pub async fn follow(&self) -> Result<History> {
        self.chain().follow().await
    }

    /// One of Anvil's accounts as an ordinary wallet; 0 to 8, and from 6 on they are nobody's.
    ///
    /// # Errors
    ///
    /// If there is none with this number.
    pub fn user(&self, index: usize) -> Result<wallet::Wallet> {
        wallet::Wallet::new(&self.anvil.http(), key(index)?, self.deployment.router)
    }

    /// The same as the wallet of the client library.
    ///
    /// # Errors
    ///
    /// If there is none with this number, or Ethereum does not answer.
    pub async fn ethereum(&self, index: usize) -> Result<Wallet> {
        connect(&self.anvil.http(), index).await
    }

    /// What stands on Ethereum behind the validators.
    ///
    /// # Errors
    ///
    /// If the network was started without.
    pub fn restaked(&self) -> Result<&Restaked> {
        self.restaked.as_ref().context("no vaults")
    }

    /// What governance and operators do on the chain before ETH counts: wrapped ETH becomes collateral of which `haircut`
    /// does not count, and each operator is bound to its Ethereum address.
    ///
    /// # Errors
    ///
    /// If a call fails.
    pub async fn bind(&self, haircut: Perbill) -> Result<()> {
        let restaked = self.restaked()?;
        let chain = self.chain();
        let asset = pallet_restaking::Call::set_asset {
            token: H160(restaked.symbiotic.weth.into_array()),
            rules: Some(AssetRules {
                decimals: 18,
                haircut,
                cap: u128::MAX,
            }),
        };
        chain.sudo(asset).await?;
        let chain_id = chain.domain().await?.chain_id;
        let bindings = restaked.operators().map(|who| async move {
            let (address, signature) =
                restaked.binding(who, chain.genesis(), self.deployment.router, chain_id)?;
            let call = pallet_restaking::Call::register_operator { address, signature };
            chain.send(who, call).await
        });
        try_join_all(bindings).await.map(drop)
    }

    /// Lets Ethereum's time pass, and waits until that has happened.
    ///
    /// # Errors
    ///
    /// If Anvil refuses.
    pub async fn pass(&self, seconds: u64) -> Result<()> {
        let ethereum = self.ethereum(0).await?;
        let provider = ethereum.provider();
        provider.anvil_increase_time(seconds).await?;
        provider.anvil_mine(Some(1), None).await?;
        Ok(())
    }

    /// The test has come to its end: nobody needs the logs.
    pub fn done(mut self) {
        self.done = true;
    }
}

impl Node {
    /// Its process id.
    ///
    /// # Errors
    ///
    /// See [`Process::pid`].
    pub fn pid(&self) -> Result<u32> {
        self.process.pid()
    }

    /// Where it serves its metrics, if it does ([`Settings::metrics`]).
    pub fn metrics_url(&self) -> Option<String> {
        let port = self.metrics_port?;
        Some(format!("http://127.0.0.1:{port}/metrics"))
    }

    /// The long way to it ([`Settings::delay`]).
    pub const fn link(&self) -> Option<&DelayedLink> {
        self.link.as_ref()
    }

    /// `SIGKILL`.
    ///
    /// # Errors
    ///
    /// If its end cannot be awaited.
    pub fn kill(&mut self) -> Result<()> {
        self.process.kill()
    }
}

impl Drop for Validators {
    fn drop(&mut self) {
        if !self.done {
            let nodes = self.nodes.iter().map(|node| &node.process);
            for process in nodes.chain(&self.relayer) {
                eprintln!("--- end of its log:\n{}", process.tail());
            }
        }
    }
}

/// Writes the chain's specification. Returns genesis hash and first set.
fn specify(
    anvil: &AnvilNode,
    plan: &Deployment,
    patch: &Value,
    file: &Path,
) -> Result<(H256, Vec<Member>)> {
    let plain = file.with_extension("plain.json");
    let (plain_name, name) = (plain.display().to_string(), file.display().to_string());
    build_spec(&[
        "--preset",
        "local",
        "--router",
        &format!("{:#x}", plan.router),
        "--ethereum-rpc",
        &anvil.http(),
        "--slot-duration",
        &SLOT_MS.to_string(),
        "--expiry",
        &EXPIRY.to_string(),
        "--output",
        &plain_name,
    ])?;
    let mut spec: Value = serde_json::from_str(&std::fs::read_to_string(&plain)?)?;
    let genesis = spec
        .pointer_mut("/genesis/runtimeGenesis/patch")
        .context("the specification has no patch")?;
    let durations = json!({
        "session": SESSION, "sessions_per_era": 2, "bonding": 4, "slash_deferral": SLASH_DEFERRAL, "day": 240,
    });
    merge(genesis, json!({ "pace": { "durations": durations } }));
    merge(genesis, patch.clone());
    std::fs::write(&plain, spec.to_string())?;
    build_spec(&["--chain", &plain_name, "--raw", "--output", &name])
}

async fn connect(url: &str, index: usize) -> Result<Wallet> {
    let options = Options {
        poll: Duration::from_millis(20),
        ..Options::default()
    };
    Ok(Wallet::connect(url, key(index)?, options).await?)
}
