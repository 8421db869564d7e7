//! A network of several validators, each a process of its own as its operator would start it, with keys, Ethereum and
//! relayer; on request with a Middleware on Symbiotic's own contracts and vaults behind the validators.
//!
//! Which validators there are, and at what pace they work, is defined by `zombienet/*.toml` ([`crate::definition`]): unless a
//! test says otherwise Alice, Bob, Charlie and Dave, with eras of 20 seconds. A [`Node`] can be ended, paused, started again, cut
//! off from the others, and given another Ethereum.

mod genesis;
mod node;
mod relayers;

pub use node::Node;

use crate::{
    chain::{Chain, History},
    definition::Definition,
    delay,
    process::Process,
    restaked::Restaked,
    symbiotic::{BURNER, Symbiotic, Windows},
    wallet::{self, eventually},
};
use alloy::{
    consensus::Transaction as _,
    primitives::U256,
    providers::{Provider, ext::AnvilApi},
    rpc::types::anvil::ReorgOptions,
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
use gear_exe_primitives::{H160, H256, signature::CompactSignature};
use pallet_restaking::AssetRules;
use polkadot_sdk::{
    sp_core::{Pair, ecdsa},
    sp_keyring::Sr25519Keyring,
    sp_runtime::Perbill,
};
use serde_json::Value;
use std::{
    path::PathBuf,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// Who validates at first, in a network of four.
pub const VALIDATORS: [Sr25519Keyring; 4] = [
    Sr25519Keyring::Alice,
    Sr25519Keyring::Bob,
    Sr25519Keyring::Charlie,
    Sr25519Keyring::Dave,
];

/// Eras between a slash of VARA and its execution, in a network of four.
pub const SLASH_DEFERRAL: u32 = 2;
/// The Router's shortest delay for another Middleware, in seconds.
const UPGRADE_DELAY: u32 = 3_600;
/// Seconds before now at which Ethereum begins, beside that delay: each transaction of the set-up takes one.
const SETTING_UP: u64 = 600;
/// wVARA of each account, in base units.
const GIFT: u128 = 1_000_000 * wallet::WVARA;
/// How a network is set up.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The network; the one of four validators if there is none.
    pub definition: Option<Definition>,
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
    /// Whether each node has its own ways to the others, and its own door to Ethereum: [`Validators::partition`],
    /// [`Node::ethereum`].
    pub isolated: bool,
    /// Another distance between Ethereum's head and its final block than the definition's: no reorg may be deeper than twice this.
    pub slots_in_an_epoch: Option<u64>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            definition: None,
            patch: Value::Null,
            vaults: Vec::new(),
            windows: Windows {
                epoch: 3_600,
                veto: 300,
            },
            delay: Duration::ZERO,
            metrics: false,
            isolated: false,
            slots_in_an_epoch: None,
        }
    }
}

/// A running network. Everything ends when it is dropped; the ends of the logs are shown unless the test has come to its
/// end ([`Validators::done`]).
#[derive(Debug)]
pub struct Validators {
    /// The validators, in the order in which they were started.
    pub nodes: Vec<Node>,
    /// What is deployed.
    pub deployment: Deployment,
    definition: Definition,
    /// One for each of the definition that was started.
    relayers: Vec<Option<Process>>,
    restaked: Option<Restaked>,
    deployer: Deployer,
    anvil: AnvilNode,
    spec: PathBuf,
    settings: Settings,
    done: bool,
    // Last, so that it is removed when nobody writes to it any more.
    folder: tempfile::TempDir,
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

fn now() -> Result<u64> {
    Ok(SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs())
}

pub(crate) fn key(index: usize) -> Result<PrivateKeySigner> {
    Ok(KEYS.get(index).context("no such account")?.parse()?)
}

impl Validators {
    /// Starts Ethereum with contracts and vaults, the validators, and relayers. Returns when blocks are final.
    ///
    /// # Errors
    ///
    /// If something does not start; the error has the end of its log.
    pub async fn start(settings: Settings) -> Result<Self> {
        let folder = tempfile::Builder::new()
            .prefix("gear-exe-test-")
            .tempdir()?;
        let definition = settings.definition.clone();
        let definition = definition.map_or_else(Definition::four, Ok)?;
        // Each transaction of the set-up gets a block at once. Where the Router's delay has to pass, Ethereum begins so much
        // before now.
        let mut config = AnvilConfig {
            slots_in_an_epoch: settings
                .slots_in_an_epoch
                .unwrap_or(definition.slots_in_an_epoch),
            ..AnvilConfig::default()
        };
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
        let (patch, isolated) = (&settings.patch, settings.isolated);
        let (genesis, members) =
            genesis::specify(&definition, &anvil, &plan, patch, isolated, &spec)?;
        let mut params = RouterParams::new(genesis, members);
        params.upgrade_delay = UPGRADE_DELAY;
        for index in 0..KEYS.len() {
            params.mint.push((key(index)?.address(), U256::from(GIFT)));
        }
        let deployment = deployer.deploy(plan, params).await?;
        let mut network = Self {
            nodes: Vec::new(),
            deployment,
            relayers: Vec::new(),
            restaked: None,
            deployer,
            anvil,
            spec,
            settings,
            done: false,
            folder,
            definition,
        };
        if let Some(symbiotic) = symbiotic {
            network.restake(symbiotic).await?;
        }
        network.mining(true).await?;
        for who in network.definition.validators.clone() {
            let flag = format!("--{who}").to_lowercase();
            network.start_node(&who.to_string(), &[&flag]).await?;
        }
        for relayer in 0..network.definition.relayers.len() {
            network.start_relayer(relayer)?;
        }
        let chain = network.chain().clone();
        eventually("blocks are final", || async {
            Ok((chain.finalised().await?.0 > 0).then_some(()))
        })
        .await?;
        Ok(network)
    }

    /// Middleware, collateral, vaults: before the chain begins.
    async fn restake(&mut self, symbiotic: Symbiotic) -> Result<()> {
        let settings = &self.settings;
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

    /// Whether Ethereum mines a block each second, or as the definition says, or none by itself: its time stands still then.
    ///
    /// # Errors
    ///
    /// If Anvil refuses.
    pub async fn mining(&self, mines: bool) -> Result<()> {
        let ethereum = self.ethereum(0).await?;
        // Zero stops it.
        let seconds = if mines { self.definition.block_time } else { 0 };
        Ok(ethereum
            .provider()
            .anvil_set_interval_mining(seconds)
            .await?)
    }

    /// Mines so many Ethereum blocks at once.
    ///
    /// # Errors
    ///
    /// If Anvil refuses.
    pub async fn mine(&self, blocks: u64) -> Result<()> {
        let ethereum = self.ethereum(0).await?;
        Ok(ethereum.provider().anvil_mine(Some(blocks), None).await?)
    }

    /// Replaces the newest Ethereum blocks, so many, by one more that are empty. Nothing should be mined by itself meanwhile:
    /// [`Validators::mining`].
    ///
    /// # Errors
    ///
    /// If Anvil refuses.
    pub async fn reorg(&self, depth: u64) -> Result<()> {
        let ethereum = self.ethereum(0).await?;
        let options = ReorgOptions {
            depth,
            tx_block_pairs: Vec::new(),
        };
        ethereum.provider().anvil_reorg(options).await?;
        self.mine(1).await
    }

    /// Cuts a node off from all others. Ethereum and clients still reach it.
    ///
    /// # Errors
    ///
    /// If the network was not started [isolated](Settings::isolated), or there is a connection that went around: then it would not
    /// be cut off.
    pub fn partition(&self, node: usize) -> Result<()> {
        ensure!(
            self.settings.isolated,
            "the nodes have no ways of their own"
        );
        let around = self.strangers()?.unwrap_or(0);
        ensure!(around == 0, "{around} connections go around");
        self.ways_of(node).for_each(delay::DelayedLink::cut);
        Ok(())
    }

    /// Ends [`Validators::partition`].
    pub fn heal(&self, node: usize) {
        self.ways_of(node).for_each(delay::DelayedLink::heal);
    }

    /// The ways between a node and all others, in both directions.
    fn ways_of(&self, node: usize) -> impl Iterator<Item = &delay::DelayedLink> {
        let nodes = self.nodes.iter().enumerate();
        nodes.flat_map(move |(from, other)| {
            let links = other.links().iter();
            links
                .filter(move |(to, _)| from == node || **to == node)
                .map(|(_, link)| link)
        })
    }

    /// Connections between nodes that went around the ways that they were given; nothing if they were given none.
    ///
    /// # Errors
    ///
    /// If the operating system does not say.
    pub fn strangers(&self) -> Result<Option<usize>> {
        if !self.has_ways() {
            return Ok(None);
        }
        let links = self.nodes.iter().flat_map(|node| node.links().values());
        delay::strangers(links).map(Some)
    }

    /// Whether nodes reach each other by [`delay::DelayedLink`]s.
    fn has_ways(&self) -> bool {
        self.settings.isolated || !self.settings.delay.is_zero()
    }

    /// Port of Ethereum.
    pub const fn ethereum_port(&self) -> u16 {
        self.anvil.port()
    }

    /// How the network was defined.
    pub const fn definition(&self) -> &Definition {
        &self.definition
    }

    /// Where the first node answers over WebSocket.
    pub fn node_url(&self) -> String {
        self.url_of(0)
    }

    /// Where a node answers over WebSocket, by the order in which they were started.
    pub fn url_of(&self, node: usize) -> String {
        let port = self.nodes.get(node).map_or(0, Node::rpc_port);
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

impl Drop for Validators {
    fn drop(&mut self) {
        if !self.done {
            let relayers = self.relayers.iter().flatten().map(Process::tail);
            for tail in self.nodes.iter().map(Node::tail).chain(relayers) {
                eprintln!("--- end of its log:\n{tail}");
            }
        }
    }
}

async fn connect(url: &str, index: usize) -> Result<Wallet> {
    let options = Options {
        poll: Duration::from_millis(20),
        ..Options::default()
    };
    Ok(Wallet::connect(url, key(index)?, options).await?)
}
