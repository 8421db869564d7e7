//! Starts and stops a relayer.

use crate::{
    alarms::Alarms,
    backoff::Backoff,
    chain::{Chain, RpcChain},
    driver::{Driver, Parts},
    ethereum::{Ethereum, EthereumError},
    http::{Health, serve},
    intake::Intake,
    metrics::Metrics,
    pipeline::{Alarm, Policy},
    store::{Owner, Store, StoreError},
    wallet::Wallet,
};
use alloy::primitives::Address;
use gear_exe_primitives::{H160, H256, batch::RouterDomain};
use prometheus::Registry;
use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::PathBuf,
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};
use tokio::{
    net::TcpListener,
    sync::{oneshot, watch},
    task::JoinHandle,
};

/// What a relayer needs.
#[derive(Clone, Debug)]
pub struct RelayerConfig {
    /// The chain's node, `ws://…`.
    pub node: String,
    /// The Ethereum nodes, `http://…` or `ws://…`, the preferred one first. One is asked; when it fails or falls
    /// behind, the next.
    pub ethereum: Vec<String>,
    /// The Router.
    pub router: H160,
    /// The account that pays.
    pub wallet: Wallet,
    /// Folder of the log.
    pub data: PathBuf,
    /// Fees and waits.
    pub policy: Policy,
    /// How often to look at both chains.
    pub poll: Duration,
    /// How often to compare the Ethereum node's head with those of the others.
    pub compare: Duration,
    /// How long a node may take to answer.
    pub timeout: Duration,
    /// Warn when a batch waits longer.
    pub max_age: Duration,
    /// Where metrics are registered; a registry of its own if none is given.
    pub registry: Option<Registry>,
    /// Where `/metrics`, `/healthz` and `/readyz` are served, if at all.
    pub prometheus: Option<SocketAddr>,
}

impl RelayerConfig {
    /// With usual waits and no endpoint.
    pub fn new(
        node: impl Into<String>,
        ethereum: impl Into<String>,
        router: H160,
        wallet: Wallet,
        data: impl Into<PathBuf>,
    ) -> Self {
        Self {
            node: node.into(),
            ethereum: vec![ethereum.into()],
            router,
            wallet,
            data: data.into(),
            policy: Policy::default(),
            poll: Duration::from_secs(1),
            compare: Duration::from_secs(30),
            timeout: Duration::from_secs(10),
            max_age: Duration::from_secs(1_800),
            registry: None,
            prometheus: None,
        }
    }
}

/// Why a relayer cannot work. Outages are none of these: they are waited for.
#[derive(Debug, thiserror::Error)]
pub enum RelayerError {
    /// The log cannot be used.
    #[error(transparent)]
    Log(#[from] StoreError),
    /// The metrics cannot be registered.
    #[error("the metrics cannot be registered ({0}): give each relayer a registry of its own")]
    Metrics(#[from] prometheus::Error),
    /// The endpoint cannot be opened.
    #[error(
        "the metrics endpoint {address} cannot be opened: {source}; choose another port (--prometheus-port)"
    )]
    Endpoint {
        /// Its address.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// The chain settles on another Router.
    #[error(
        "the chain settles on Router {on_chain:?}, not on {configured:?}: correct --router, or connect to another node"
    )]
    OtherRouter {
        /// Configured.
        configured: H160,
        /// What the chain says.
        on_chain: H160,
    },
    /// The Ethereum node is on another network.
    #[error(
        "the Ethereum node is on chain {found}, the batches are for chain {expected}: correct --ethereum"
    )]
    WrongNetwork {
        /// What the chain says.
        expected: u64,
        /// What the Ethereum node says.
        found: u64,
    },
    /// The Router takes batches of another chain.
    #[error(
        "the Router takes batches of the chain with genesis {router:?}, the node's chain has {node:?}: correct --router or --node"
    )]
    OtherGenesis {
        /// What the Router says.
        router: H256,
        /// What the node says.
        node: H256,
    },
    /// The task failed.
    #[error("the relayer's task failed: {0}")]
    Task(String),
}

/// A relayer.
#[derive(Clone, Copy, Debug)]
pub struct Relayer;

/// A relayer that runs. Dropping it stops it at once, which loses nothing.
#[derive(Debug)]
pub struct RelayerHandle {
    registry: Registry,
    alarms: Alarms,
    account: H160,
    endpoint: Option<SocketAddr>,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<Result<(), RelayerError>>,
}

impl Drop for RelayerHandle {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl RelayerHandle {
    /// Its metrics.
    pub const fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Conditions that somebody should know of, with their reasons.
    pub fn alarms(&self) -> BTreeMap<Alarm, String> {
        self.alarms.lasting()
    }

    /// The account that pays.
    pub const fn account(&self) -> H160 {
        self.account
    }

    /// Where its metrics are served.
    pub const fn endpoint(&self) -> Option<SocketAddr> {
        self.endpoint
    }

    /// Waits until it ends by itself: only if it is set up for something that does not exist.
    ///
    /// # Errors
    ///
    /// [`RelayerError`].
    pub async fn ended(&mut self) -> Result<(), RelayerError> {
        match (&mut self.task).await {
            Ok(result) => result,
            Err(error) if error.is_cancelled() => Ok(()),
            Err(error) => Err(RelayerError::Task(error.to_string())),
        }
    }

    /// Stops it. What is on its way is in the log, and the next start continues with it.
    ///
    /// # Errors
    ///
    /// [`RelayerError`] if it had ended with one before.
    pub async fn stop(mut self) -> Result<(), RelayerError> {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        self.ended().await
    }

    /// Ends it wherever it is, as if the process were killed.
    pub async fn kill(mut self) {
        self.task.abort();
        let _ = self.ended().await;
    }
}

impl Relayer {
    /// Starts a relayer on the current Tokio runtime, with the node that `config` names.
    ///
    /// # Errors
    ///
    /// [`RelayerError`] for what is wrong on this machine. What is wrong with the configuration beyond it shows when
    /// both nodes have answered: [`RelayerHandle::ended`].
    pub async fn start(config: RelayerConfig) -> Result<RelayerHandle, RelayerError> {
        let chain = RpcChain::new(&config.node, config.timeout);
        Self::start_on(config, chain).await
    }

    /// Starts a relayer that takes its batches from `chain`.
    ///
    /// # Errors
    ///
    /// As [`Self::start`].
    pub async fn start_on(
        config: RelayerConfig,
        chain: impl Chain,
    ) -> Result<RelayerHandle, RelayerError> {
        let account = config.wallet.address();
        let registry = config.registry.clone().unwrap_or_default();
        let metrics = Metrics::register(&registry)?;
        let alarms = Alarms::new(metrics.clone());
        let owner = Owner {
            router: config.router,
            account,
        };
        let store = Store::open(&config.data, owner)?;
        let started = Arc::new(AtomicBool::new(false));
        let listener = match config.prometheus {
            Some(address) => Some(
                TcpListener::bind(address)
                    .await
                    .map_err(|source| RelayerError::Endpoint { address, source })?,
            ),
            None => None,
        };
        let endpoint = listener
            .as_ref()
            .and_then(|listener| listener.local_addr().ok());
        let health = Health {
            registry: registry.clone(),
            alarms: alarms.clone(),
            started: started.clone(),
        };
        let (stop, stopped) = oneshot::channel();
        let work = Work {
            config,
            chain,
            store,
            metrics,
            alarms: alarms.clone(),
            started,
        };
        let task = tokio::spawn(async move {
            let endpoint = async {
                match listener {
                    Some(listener) => serve(listener, health).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                _ = stopped => {
                    tracing::info!("stopping; the next start continues from the log");
                    Ok(())
                }
                result = work.run() => result,
                () = endpoint => Ok(()),
            }
        });
        tracing::info!(?account, "relayer started");
        Ok(RelayerHandle {
            registry,
            alarms,
            account,
            endpoint,
            stop: Some(stop),
            task,
        })
    }
}

struct Work<C> {
    config: RelayerConfig,
    chain: C,
    store: Store,
    metrics: Metrics,
    alarms: Alarms,
    started: Arc<AtomicBool>,
}

impl<C: Chain> Work<C> {
    async fn run(self) -> Result<(), RelayerError> {
        let config = self.config;
        let ethereum = Arc::new(Ethereum::new(
            config.ethereum,
            Address::from(config.router.0),
            Address::from(config.wallet.address().0),
            config.timeout,
        ));
        let setup = Setup {
            chain: &self.chain,
            ethereum: &ethereum,
            metrics: &self.metrics,
            alarms: &self.alarms,
            poll: config.poll,
        };
        let domain = setup.domain(config.router).await?;
        let (out, batches) = watch::channel(Vec::new());
        let intake = Intake {
            chain: self.chain,
            domain,
            poll: config.poll,
            out,
            metrics: self.metrics.clone(),
            alarms: self.alarms.clone(),
        };
        let driver = Driver::new(Parts {
            ethereum: ethereum.clone(),
            wallet: config.wallet,
            store: self.store,
            policy: config.policy,
            domain,
            poll: config.poll,
            max_age: config.max_age,
            metrics: self.metrics,
            alarms: self.alarms,
            started: self.started,
        })?;
        tokio::join!(
            intake.run(),
            driver.run(batches),
            ethereum.watch(config.compare)
        );
        Ok(())
    }
}

/// Before anything is sent: do node, Router and Ethereum belong together?
struct Setup<'a, C> {
    chain: &'a C,
    ethereum: &'a Ethereum,
    metrics: &'a Metrics,
    alarms: &'a Alarms,
    poll: Duration,
}

impl<C: Chain> Setup<'_, C> {
    async fn domain(&self, configured: H160) -> Result<RouterDomain, RelayerError> {
        let (genesis, domain) = self.ask_chain().await;
        if domain.router != configured {
            return Err(RelayerError::OtherRouter {
                configured,
                on_chain: domain.router,
            });
        }
        let (found, router) = self.ask_ethereum(domain.chain_id).await?;
        self.ethereum.require(domain.chain_id);
        if found != domain.chain_id {
            return Err(RelayerError::WrongNetwork {
                expected: domain.chain_id,
                found,
            });
        }
        if router != genesis {
            return Err(RelayerError::OtherGenesis {
                router,
                node: genesis,
            });
        }
        tracing::info!(chain_id = found, router = ?configured, ?genesis, "node, Router and Ethereum belong together");
        Ok(domain)
    }

    async fn ask_chain(&self) -> (H256, RouterDomain) {
        let mut backoff = Backoff::new(self.poll, Duration::from_secs(30));
        let mut failures = 0u32;
        loop {
            let reason = match self.chain.identity().await {
                Ok(identity) => {
                    if let Some(domain) = identity.domain {
                        self.alarms.set(Alarm::ChainDown, None);
                        return (identity.genesis, domain);
                    }
                    "the chain names no Router yet".to_owned()
                }
                Err(error) => {
                    self.metrics.chain_error(error.class());
                    error.to_string()
                }
            };
            // A node that starts with the relayer needs a moment.
            failures = failures.saturating_add(1);
            if failures > 2 {
                self.alarms.set(Alarm::ChainDown, Some(reason));
            }
            tokio::time::sleep(backoff.next()).await;
        }
    }

    async fn ask_ethereum(&self, expected: u64) -> Result<(u64, H256), RelayerError> {
        let mut backoff = Backoff::new(self.poll, Duration::from_secs(30));
        loop {
            match self.ethereum.identity().await {
                Ok(identity) => {
                    self.alarms.set(Alarm::EthereumDown, None);
                    return Ok(identity);
                }
                Err(error) => {
                    // Without a Router, the other network is the likelier reason.
                    if let EthereumError::NoRouter(_) = error
                        && let Ok(found) = self.ethereum.chain_id().await
                        && found != expected
                    {
                        return Err(RelayerError::WrongNetwork { expected, found });
                    }
                    self.metrics.ethereum_error(error.class());
                    self.ethereum.switch(&error).await;
                    self.alarms
                        .set(Alarm::EthereumDown, Some(error.to_string()));
                }
            }
            tokio::time::sleep(backoff.next()).await;
        }
    }
}
