//! The nodes that get the load: a network of this process, or nodes that run already.

use crate::plan::Plan;
use alloy::{primitives::Address, providers::Provider, signers::local::PrivateKeySigner};
use anyhow::{Context, Result, ensure};
use futures::future::LocalBoxFuture;
use gear_exe_client::{Client, Options};
use gear_exe_primitives::{H160, batch::RouterDomain};
use gear_exe_tests::{
    delay::DelayedLink,
    validators::{Settings, Validators},
    wallet::Wallet,
};
use std::time::Duration;

/// Calls that may be unanswered at one node at one time.
const CONCURRENT: usize = 8_192;
/// Anvil's accounts that are nobody's: one makes the programs, one sends through Ethereum.
const OWN_ACCOUNTS: [usize; 2] = [6, 7];

/// Nodes, and who pays on Ethereum.
#[derive(Debug)]
pub struct Target {
    /// The nodes, over connections for messages.
    pub nodes: Vec<Client>,
    /// The nodes, over connections for rounds.
    pub watched: Vec<Client>,
    /// Where programs are.
    pub domain: RouterDomain,
    /// Who makes the programs and owns the tokens.
    pub owner: Wallet,
    /// The secret key of the owner, which also signs native messages.
    pub owner_key: [u8; 32],
    /// Who sends through Ethereum.
    pub ethereum: Wallet,
    /// Process ids of the nodes, if they run on this machine.
    pub pids: Vec<u32>,
    /// Where the nodes serve their metrics.
    pub metrics: Vec<String>,
    /// The network, if it is this process's own.
    pub network: Option<Validators>,
}

/// Where nodes are that run already, and who pays.
#[derive(Clone, Debug)]
pub struct Running {
    /// Where the nodes answer over WebSocket.
    pub nodes: Vec<String>,
    /// An Ethereum node.
    pub ethereum: String,
    /// A key with ETH and wVARA.
    pub key: PrivateKeySigner,
    /// Where the nodes serve their metrics, if they do.
    pub metrics: Vec<String>,
    /// Their process ids, if they run here.
    pub pids: Vec<u32>,
}

async fn connect(url: &str, plan: &Plan) -> Result<Client> {
    let options = Options {
        concurrent_requests: CONCURRENT,
        patience: plan.patience,
        ..Options::default()
    };
    Ok(Client::connect_with(url, options).await?)
}

async fn connect_all(urls: &[String], plan: &Plan) -> Result<Vec<Client>> {
    let mut nodes = Vec::new();
    for url in urls {
        nodes.push(connect(url, plan).await?);
    }
    Ok(nodes)
}

impl Target {
    /// Starts four validators with Ethereum and a relayer, each message between two of them under way for `delay`.
    ///
    /// # Errors
    ///
    /// If something does not start.
    pub fn own(plan: &Plan, delay: Duration) -> LocalBoxFuture<'_, Result<Self>> {
        Box::pin(Self::start(plan, delay))
    }

    async fn start(plan: &Plan, delay: Duration) -> Result<Self> {
        let network = Validators::start(Settings {
            delay,
            metrics: true,
            ..Settings::default()
        })
        .await?;
        let urls: Vec<_> = (0..network.nodes.len())
            .map(|node| network.url_of(node))
            .collect();
        let [owner, sender] = OWN_ACCOUNTS;
        let key = network.ethereum(owner).await?.signer().to_bytes().0;
        Ok(Self {
            nodes: connect_all(&urls, plan).await?,
            watched: connect_all(&urls, plan).await?,
            domain: network.chain().domain().await?,
            owner: network.user(owner)?,
            owner_key: key,
            ethereum: network.user(sender)?,
            pids: network
                .nodes
                .iter()
                .map(gear_exe_tests::validators::Node::pid)
                .collect::<Result<_>>()?,
            metrics: network
                .nodes
                .iter()
                .filter_map(gear_exe_tests::validators::Node::metrics_url)
                .collect(),
            network: Some(network),
        })
    }

    /// Nodes that run already.
    ///
    /// # Errors
    ///
    /// If one of them does not answer, or they settle at different Routers.
    pub fn running<'a>(plan: &'a Plan, running: &'a Running) -> LocalBoxFuture<'a, Result<Self>> {
        Box::pin(Self::find(plan, running))
    }

    async fn find(plan: &Plan, running: &Running) -> Result<Self> {
        let nodes = connect_all(&running.nodes, plan).await?;
        let mut router: Option<H160> = None;
        for node in &nodes {
            let its = node.router().await?;
            let first = *router.get_or_insert(its);
            ensure!(its == first, "{} settles at another Router", node.url());
        }
        let router = router.context("at least one node is needed: --node ws://…")?;
        let at = Address::from(router.0);
        let owner = Wallet::new(&running.ethereum, running.key.clone(), at)?;
        let chain_id = owner.provider.get_chain_id().await?;
        Ok(Self {
            watched: connect_all(&running.nodes, plan).await?,
            nodes,
            domain: RouterDomain { chain_id, router },
            ethereum: owner.clone(),
            owner,
            owner_key: running.key.to_bytes().0,
            pids: running.pids.clone(),
            metrics: running.metrics.clone(),
            network: None,
        })
    }

    /// Connections between nodes that went around the delay; nothing without one.
    ///
    /// # Errors
    ///
    /// If the operating system does not say.
    pub fn strangers(&self) -> Result<Option<usize>> {
        let Some(network) = &self.network else {
            return Ok(None);
        };
        let links = || {
            let nodes = network.nodes.iter();
            nodes.filter_map(gear_exe_tests::validators::Node::link)
        };
        let doors: Vec<_> = links().map(DelayedLink::port).collect();
        let mut sum = None;
        for link in links() {
            sum = Some(sum.unwrap_or(0) + link.strangers(&doors)?);
        }
        Ok(sum)
    }
}
