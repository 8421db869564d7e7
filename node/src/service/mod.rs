//! Puts the node together: Substrate's parts (client, network, pool, Aura, GRANDPA, RPC) and ours (Ethereum, codes,
//! rounds, settlement), as tasks of one task manager.
//!
//! Ours are essential tasks: a node without one of them would look alive and do nothing. An outage of Ethereum ends
//! none of them.

mod consensus;
mod gear;
mod methods;
mod server;
mod tasks;

pub use gear::GearParts;

use crate::{
    certificates::{CertificateService, gossip},
    chain_spec::HostFunctions,
    lifecycle::{self, Lifecycle},
    metrics::Metrics,
    natives::{NativeService, authoring::AuthorsPool},
    rounds::{Batches, Rounds},
    rpc,
};
use futures::{FutureExt, StreamExt};
use gear_exe_ethereum::observer::Observer;
use gear_exe_primitives::{H256, batch::RouterDomain};
use gear_exe_runtime::{RuntimeApi, opaque::Block};
use polkadot_sdk::{
    sc_client_api::BlockchainEvents,
    sc_consensus, sc_consensus_grandpa,
    sc_executor::{DEFAULT_HEAP_ALLOC_STRATEGY, HeapAllocStrategy, WasmExecutor},
    sc_network::{Litep2pNetworkBackend, NetworkBackend, config::FullNetworkConfiguration},
    sc_offchain::{OffchainWorkerOptions, OffchainWorkers},
    sc_rpc::system::{System, SystemApiServer},
    sc_service::{
        self, BuildNetworkParams, Configuration, Error, PruningMode, RpcHandlers, TFullBackend,
        TFullClient, TaskManager, WarpSyncConfig,
    },
    sc_telemetry::{self, TelemetryWorker},
    sc_transaction_pool::{self, TransactionPoolHandle},
    sc_transaction_pool_api::OffchainTransactionPoolFactory,
};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

/// The chain's client.
pub type FullClient = TFullClient<Block, RuntimeApi, WasmExecutor<HostFunctions>>;
/// The chain's database.
pub type FullBackend = TFullBackend<Block>;
/// How the best block is chosen.
pub type FullSelectChain = sc_consensus::LongestChain<FullBackend, Block>;
/// The transaction pool.
pub type FullPool = TransactionPoolHandle<Block, FullClient>;

/// Rounds before the last settled one whose states stay readable, unless another number is given: more than an hour of
/// blocks each half second.
pub const DEFAULT_KEEP_ROUNDS: u64 = 10_000;

/// The folder of compiled runtimes, in a base path.
pub const RUNTIMES: &str = "runtimes";

/// What a node is told besides Substrate's configuration.
#[derive(Clone, Debug)]
pub struct GearOptions {
    /// Ethereum endpoints, HTTP or WebSocket; the first that answers is used.
    pub ethereum_urls: Vec<String>,
    /// Where blobs are read: a beacon node, or Anvil. The first Ethereum endpoint if `None`.
    pub beacon_url: Option<String>,
    /// Threads that run programs; zero takes one for each core.
    pub executor_threads: usize,
    /// Rounds before the last settled one whose states stay readable.
    pub keep_rounds: u64,
    /// Where compiled runtimes are kept; `runtimes` in the base path if `None`.
    pub runtime_cache: Option<PathBuf>,
    /// Pause between two looks at Ethereum's head.
    pub ethereum_poll: Duration,
    /// Longest wait for an answer of an Ethereum endpoint.
    pub ethereum_timeout: Duration,
    /// A head that does not move for so long is an alarm; `None` where blocks come on demand only.
    pub ethereum_stale_after: Option<Duration>,
}

impl GearOptions {
    /// With a look each half second, ten seconds of patience, and an alarm after two minutes without a block.
    pub fn new(ethereum_urls: Vec<String>) -> Self {
        Self {
            ethereum_urls,
            beacon_url: None,
            executor_threads: 0,
            keep_rounds: DEFAULT_KEEP_ROUNDS,
            runtime_cache: None,
            ethereum_poll: Duration::from_millis(500),
            ethereum_timeout: Duration::from_secs(10),
            ethereum_stale_after: Some(Duration::from_secs(120)),
        }
    }
}

/// A running node.
pub struct Node {
    /// Its tasks. They end when it is dropped.
    pub task_manager: TaskManager,
    /// The chain's client.
    pub client: Arc<FullClient>,
    /// The transaction pool.
    pub pool: Arc<FullPool>,
    /// Executed rounds.
    pub rounds: Arc<dyn Rounds>,
    /// Batches that it has built.
    pub batches: Arc<dyn Batches>,
    /// Signed rounds, promises and certificates.
    pub certificates: Arc<CertificateService>,
    /// Ethereum, as it follows it.
    pub ethereum: Observer,
    /// Gauges and alarms.
    pub metrics: Metrics,
    /// The Router.
    pub domain: RouterDomain,
    /// Genesis hash of the chain.
    pub genesis: H256,
    /// RPC without a connection, and where it listens.
    pub rpc: RpcHandlers,
}

fn other(error: impl ToString) -> Error {
    Error::Other(error.to_string())
}

/// As `sc_service::new_wasm_executor` makes it, but it keeps what it has compiled: our runtime takes eleven seconds of a core,
/// which a node that starts again would spend again.
fn wasm_executor(config: &Configuration, cache: Option<&Path>) -> WasmExecutor<HostFunctions> {
    let executor = &config.executor;
    let strategy = executor
        .default_heap_pages
        .map_or(DEFAULT_HEAP_ALLOC_STRATEGY, |pages| {
            HeapAllocStrategy::Static {
                extra_pages: u32::try_from(pages).unwrap_or(u32::MAX),
            }
        });
    let cache = cache.map_or_else(|| config.base_path.path().join(RUNTIMES), Path::to_path_buf);
    // A relative one would not be used, with a warning.
    let cache = std::path::absolute(&cache).unwrap_or(cache);
    WasmExecutor::builder()
        .with_execution_method(executor.wasm_method)
        .with_onchain_heap_alloc_strategy(strategy)
        .with_offchain_heap_alloc_strategy(strategy)
        .with_max_runtime_instances(executor.max_runtime_instances)
        .with_runtime_cache_size(executor.runtime_cache_size)
        .with_cache_path(cache)
        .build()
}

/// Starts a node. Its tasks run on the configuration's tokio runtime.
///
/// # Errors
///
/// [`Error`] if a part cannot be set up; it says what to do.
pub fn run(config: Configuration, options: GearOptions) -> Result<TaskManager, Error> {
    build(config, options).map(|node| node.task_manager)
}

/// Starts a node, and gives its parts to a caller in the same process.
///
/// # Errors
///
/// [`Error`] if a part cannot be set up; it says what to do.
pub fn build(mut config: Configuration, options: GearOptions) -> Result<Node, Error> {
    if options.ethereum_urls.is_empty() {
        return Err(other(
            "no Ethereum endpoint is configured; give at least one with --ethereum-rpc",
        ));
    }
    let handle = config.tokio_handle.clone();
    let _context = handle.enter();
    // The executor asks the runtime at blocks that may be old when it catches up.
    if config.state_pruning.is_none() {
        config.state_pruning = Some(PruningMode::ArchiveCanonical);
    }

    let telemetry = config
        .telemetry_endpoints
        .clone()
        .filter(|endpoints| !endpoints.is_empty())
        .map(|endpoints| -> Result<_, sc_telemetry::Error> {
            let worker = TelemetryWorker::new(16)?;
            let telemetry = worker.handle().new_telemetry(endpoints);
            Ok((worker, telemetry))
        })
        .transpose()?;
    let executor = wasm_executor(&config, options.runtime_cache.as_deref());
    let (client, backend, keystore, mut task_manager) =
        sc_service::new_full_parts::<Block, RuntimeApi, _>(
            &config,
            telemetry.as_ref().map(|(_, telemetry)| telemetry.handle()),
            executor,
            Vec::new(),
        )?;
    let client = Arc::new(client);
    let mut telemetry = telemetry.map(|(worker, telemetry)| {
        task_manager
            .spawn_handle()
            .spawn("telemetry", None, worker.run());
        telemetry
    });
    let pool = Arc::new(
        sc_transaction_pool::Builder::new(
            task_manager.spawn_essential_handle(),
            client.clone(),
            config.role.is_authority().into(),
        )
        .with_options(config.transaction_pool.clone())
        .with_prometheus(config.prometheus_registry())
        .build(),
    );
    let select_chain = sc_consensus::LongestChain::new(backend.clone());
    let consensus = consensus::import(
        &config,
        &client,
        &select_chain,
        &task_manager,
        telemetry.as_ref().map(|telemetry| telemetry.handle()),
    )?;

    let registry = config.prometheus_registry().cloned();
    let metrics = Metrics::new(registry.as_ref())?;
    let parts = GearParts::open(
        &config,
        &options,
        &client,
        &pool,
        keystore.keystore(),
        metrics.clone(),
    )?;

    let mut net_config = FullNetworkConfiguration::<Block, H256, Litep2pNetworkBackend>::new(
        &config.network,
        registry.clone(),
    );
    let network_metrics =
        <Litep2pNetworkBackend as NetworkBackend<Block, H256>>::register_notification_metrics(
            registry.as_ref(),
        );
    let grandpa_protocol =
        sc_consensus_grandpa::protocol_standard_name(&parts.genesis, &config.chain_spec);
    let (grandpa_config, grandpa_notifications) =
        sc_consensus_grandpa::grandpa_peers_set_config::<Block, Litep2pNetworkBackend>(
            grandpa_protocol.clone(),
            network_metrics.clone(),
            net_config.peer_store_handle(),
        );
    net_config.add_notification_protocol(grandpa_config);
    let (rounds_config, rounds_notifications) = gossip::config::<Litep2pNetworkBackend>(
        parts.genesis,
        network_metrics.clone(),
        net_config.peer_store_handle(),
    );
    net_config.add_notification_protocol(rounds_config);
    let warp_sync = Arc::new(sc_consensus_grandpa::warp_proof::NetworkProvider::new(
        backend.clone(),
        consensus.link.shared_authority_set().clone(),
        Vec::new(),
    ));
    let (network, system_rpc_tx, tx_handler_controller, sync_service, _) =
        sc_service::build_network(BuildNetworkParams {
            config: &config,
            net_config,
            client: client.clone(),
            transaction_pool: pool.clone(),
            spawn_handle: task_manager.spawn_handle(),
            spawn_essential_handle: task_manager.spawn_essential_handle(),
            import_queue: consensus.queue,
            block_announce_validator_builder: None,
            warp_sync_config: Some(WarpSyncConfig::WithProvider(warp_sync)),
            block_relay: None,
            metrics: network_metrics,
            gap_sync_body_policy: None,
        })?;

    if config.offchain_worker.enabled || config.role.is_authority() {
        let backends = parts.backends.clone();
        let workers = OffchainWorkers::new(OffchainWorkerOptions {
            runtime_api_provider: client.clone(),
            is_validator: config.role.is_authority(),
            keystore: Some(keystore.keystore()),
            offchain_db: polkadot_sdk::sc_client_api::Backend::offchain_storage(&*backend),
            transaction_pool: Some(OffchainTransactionPoolFactory::new(pool.clone())),
            network_provider: Arc::new(network.clone()),
            enable_http_requests: false,
            custom_extensions: move |_| backends.extensions(),
        })?;
        task_manager.spawn_handle().spawn(
            "offchain-workers-runner",
            "offchain-worker",
            workers.run(client.clone(), task_manager.spawn_handle()),
        );
    }

    let natives = Arc::new(NativeService {
        client: client.clone(),
        pool: pool.clone(),
        rounds: parts.rounds.clone(),
        domain: parts.domain,
        waiting: Default::default(),
    });
    let lifecycle = Lifecycle::new(
        lifecycle::Parts {
            rounds: parts.rounds.clone(),
            chain: Arc::new(rpc::ClientChain {
                client: client.clone(),
                history: parts.history(),
            }),
            certificates: parts.certificates.clone(),
            natives: natives.clone(),
        },
        lifecycle::EVENTS,
    );
    let tasks = task_manager.spawn_essential_handle();
    tasks.spawn("gear-natives", Some("gear-exe"), natives.clone().run());
    let finality = client.finality_notification_stream().map(drop);
    tasks.spawn(
        "gear-lifecycle",
        Some("gear-exe"),
        lifecycle.clone().run(finality),
    );
    let authors_pool = AuthorsPool::new(pool.clone(), natives.clone(), metrics.clone());
    let deps = rpc::RpcDeps {
        client: client.clone(),
        pool: pool.clone(),
        rounds: parts.rounds.clone() as Arc<dyn Rounds>,
        batches: parts.batches.clone(),
        ethereum: parts.observer.clone(),
        history: parts.history(),
        router: parts.domain.router,
        certificates: parts.certificates.clone(),
        natives,
        lifecycle,
        watch: parts.watch.clone(),
    };
    let wires = gossip::Wires {
        network: network.clone(),
        sync: sync_service.clone(),
        notifications: rounds_notifications,
        registry: registry.clone(),
    };
    let authoring = consensus::Authoring::of(&config);
    let own = rpc::create(deps).map_err(Error::Application)?;
    let system = System::new(tasks::system_info(&config), system_rpc_tx).into_rpc();
    let transactions = sc_service::propagate_transaction_notifications(
        pool.clone(),
        tx_handler_controller,
        telemetry.as_ref().map(|telemetry| telemetry.handle()),
    );
    let rpc = tasks::spawn(tasks::Parts {
        config,
        client: client.clone(),
        backend,
        pool: pool.clone(),
        keystore: keystore.keystore(),
        network: network.clone(),
        sync: sync_service.clone(),
        telemetry: telemetry.as_mut(),
        task_manager: &mut task_manager,
        transactions: transactions.boxed(),
        methods: vec![system.into(), own.into()],
    })?;

    authoring.start(consensus::Start {
        client: client.clone(),
        pool: pool.clone(),
        authors_pool,
        select_chain,
        block_import: consensus.block_import,
        link: consensus.link,
        slot_duration: consensus.slot_duration,
        keystore: keystore.keystore(),
        network,
        sync_service,
        notifications: grandpa_notifications,
        protocol: grandpa_protocol,
        registry,
        telemetry: telemetry.as_ref().map(|telemetry| telemetry.handle()),
        task_manager: &task_manager,
    })?;

    let node = Node {
        client,
        pool,
        rounds: parts.rounds.clone(),
        batches: parts.batches.clone(),
        certificates: parts.certificates.clone(),
        ethereum: parts.observer.clone(),
        metrics,
        domain: parts.domain,
        genesis: parts.genesis,
        rpc,
        task_manager,
    };
    parts.spawn(&node.task_manager, wires);
    Ok(node)
}

#[cfg(test)]
mod tests;
