//! What of Substrate runs beside network and consensus: notifications of the pool, metrics, telemetry, JSON-RPC and the
//! line about the chain's progress. `sc_service::spawn_tasks` starts the same, but with a JSON-RPC server that has no place
//! for the status page: see [`server`](super::server).

use super::{
    FullBackend, FullClient, FullPool,
    methods::{self, Substrate},
    other, server,
};
use futures::{FutureExt, future::BoxFuture};
use gear_exe_runtime::opaque::Block;
use jsonrpsee::{Methods, RpcModule};
use polkadot_sdk::{
    sc_informant,
    sc_network::{Multiaddr, multiaddr::Protocol, service::traits::NetworkService},
    sc_network_sync::SyncingService,
    sc_rpc::{DenyUnsafe, SubscriptionTaskExecutor, system::SystemInfo},
    sc_rpc_server::{RpcMetrics, RpcSpawnHandle, create_rpc_runtime},
    sc_service::{
        Configuration, Error, MetricsService, RpcHandlers, TaskManager, config::PrometheusConfig,
        init_telemetry,
    },
    sc_sysinfo,
    sc_telemetry::Telemetry,
    sc_transaction_pool,
    sp_blockchain::HeaderBackend,
    sp_keystore::KeystorePtr,
    sp_session,
    substrate_prometheus_endpoint::init_prometheus,
};
use std::{net::SocketAddr, sync::Arc};

/// Group of the pool's tasks in Substrate's metrics.
const POOL: Option<&str> = Some("transaction-pool");

/// What the tasks work with.
pub(super) struct Parts<'a> {
    pub config: Configuration,
    pub client: Arc<FullClient>,
    pub backend: Arc<FullBackend>,
    pub pool: Arc<FullPool>,
    pub keystore: KeystorePtr,
    pub network: Arc<dyn NetworkService>,
    pub sync: Arc<SyncingService<Block>>,
    pub telemetry: Option<&'a mut Telemetry>,
    pub task_manager: &'a mut TaskManager,
    /// Tells the network of transactions that have come into the pool.
    pub transactions: BoxFuture<'static, ()>,
    /// `system_…`, and our own methods.
    pub methods: Vec<Methods>,
}

/// What `system_…` methods say of the node.
pub(super) fn system_info(config: &Configuration) -> SystemInfo {
    SystemInfo {
        impl_name: config.impl_name.clone(),
        impl_version: config.impl_version.clone(),
        chain_name: config.chain_spec.name().into(),
        chain_type: config.chain_spec.chain_type(),
        properties: config.chain_spec.properties(),
    }
}

/// Starts them. Returns RPC without a connection, and where it listens.
///
/// # Errors
///
/// [`Error`] if a port is taken, or telemetry or metrics cannot be set up.
pub(super) fn spawn(parts: Parts<'_>) -> Result<RpcHandlers, Error> {
    let Parts {
        mut config,
        client,
        backend,
        pool,
        keystore,
        network,
        sync,
        telemetry,
        task_manager,
        transactions,
        methods,
    } = parts;
    let tasks = task_manager.spawn_handle();
    sp_session::generate_initial_session_keys(
        client.clone(),
        client.info().best_hash,
        config.dev_key_seed.clone().into_iter().collect(),
        keystore.clone(),
    )
    .map_err(|error| Error::Application(Box::new(error)))?;

    let sysinfo = sc_sysinfo::gather_sysinfo();
    sc_sysinfo::print_sysinfo(&sysinfo);
    let telemetry = telemetry
        .map(|telemetry| {
            init_telemetry(
                config.network.node_name.clone(),
                config.impl_name.clone(),
                config.impl_version.clone(),
                config.chain_spec.name().into(),
                config.role.is_authority(),
                network.clone(),
                client.clone(),
                telemetry,
                Some(sysinfo),
            )
        })
        .transpose()?;

    tasks.spawn(
        "txpool-notifications",
        POOL,
        sc_transaction_pool::notification_future(
            client.clone(),
            pool.clone(),
            config.transaction_pool.use_all_block_notifications(),
        ),
    );
    tasks.spawn("on-transaction-imported", POOL, transactions);

    let metrics = match config.prometheus_config.clone() {
        Some(PrometheusConfig { port, registry }) => {
            let metrics = MetricsService::with_prometheus(
                telemetry,
                &registry,
                config.role,
                &config.network.node_name,
                &config.impl_version,
            )?;
            let served = init_prometheus(port, registry).map(drop);
            tasks.spawn("prometheus-endpoint", None, served);
            metrics
        }
        None => MetricsService::new(telemetry),
    };
    tasks.spawn(
        "telemetry-periodic-send",
        None,
        metrics.run(client.clone(), pool.clone(), network.clone(), sync.clone()),
    );

    // First what may fail: the runtime must not be dropped in an asynchronous context.
    let doors = server::bind(&config.rpc)?;
    let rpc_metrics = RpcMetrics::new(config.prometheus_registry())?;
    let runtime = create_rpc_runtime(config.rpc.max_connections).map_err(other)?;
    let rpc_tasks: SubscriptionTaskExecutor =
        Arc::new(RpcSpawnHandle::new(runtime.handle().clone()));
    let substrate = Substrate {
        client: client.clone(),
        backend,
        pool,
        keystore,
        sync: sync.clone(),
        tasks: rpc_tasks,
        config: &config,
    };
    let module = match methods::all(substrate, methods) {
        Ok(module) => module,
        Err(error) => {
            runtime.shutdown_background();
            return Err(error);
        }
    };
    let served = server::serve(doors, module.clone(), rpc_metrics, &mut config.rpc, runtime)?;
    let handlers = in_this_process(module, served.listen_addrs());
    tasks.spawn(
        "informant",
        None,
        sc_informant::build(client, network, sync),
    );
    task_manager.keep_alive((config.base_path, served));
    Ok(handlers)
}

/// The same methods without a connection, where every call is allowed.
fn in_this_process(mut module: RpcModule<()>, addresses: &[SocketAddr]) -> RpcHandlers {
    module.extensions_mut().insert(DenyUnsafe::No);
    let addresses = addresses.iter().map(|address| {
        let mut listens: Multiaddr = address.ip().into();
        listens.push(Protocol::Tcp(address.port()));
        listens
    });
    RpcHandlers::new(Arc::new(module), addresses.collect())
}
