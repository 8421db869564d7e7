//! Substrate's JSON-RPC methods and ours in one module: what `sc_service::gen_rpc_module` puts together, which only
//! `sc_service::spawn_tasks` can call.

use super::{FullBackend, FullClient, FullPool};
use gear_exe_runtime::opaque::Block;
use jsonrpsee::{Methods, RpcModule};
use polkadot_sdk::{
    sc_client_api::Backend as _,
    sc_network_sync::SyncingService,
    sc_rpc::{
        SubscriptionTaskExecutor,
        author::{Author, AuthorApiServer},
        chain::{self, ChainApiServer},
        offchain::{Offchain, OffchainApiServer},
        state::{self, ChildStateApiServer, StateApiServer},
    },
    sc_rpc_spec_v2::{
        archive::{Archive, ArchiveApiServer},
        bitswap::{Bitswap, BitswapApiServer},
        chain_head::{ChainHead, ChainHeadApiServer, ChainHeadConfig},
        chain_spec::{ChainSpec, ChainSpecApiServer},
        transaction::{
            Transaction, TransactionApiServer, TransactionBroadcast, TransactionBroadcastApiServer,
            TransactionMetrics,
        },
    },
    sc_service::{Configuration, Error, PruningMode},
    sp_blockchain::HeaderBackend,
    sp_keystore::KeystorePtr,
};
use std::sync::Arc;

/// Transactions that one connection may have broadcast at a time.
const BROADCASTS: usize = 16;

/// What Substrate's methods work with.
pub(super) struct Substrate<'a> {
    pub client: Arc<FullClient>,
    pub backend: Arc<FullBackend>,
    pub pool: Arc<FullPool>,
    pub keystore: KeystorePtr,
    pub sync: Arc<SyncingService<Block>>,
    /// Where what they start runs.
    pub tasks: SubscriptionTaskExecutor,
    pub config: &'a Configuration,
}

/// All methods: Substrate's, and `more`.
///
/// # Errors
///
/// [`Error`] if two have one name, or the registry has their metrics already.
pub(super) fn all(
    substrate: Substrate<'_>,
    more: impl IntoIterator<Item = Methods>,
) -> Result<RpcModule<()>, Error> {
    let Substrate {
        client,
        backend,
        pool,
        keystore,
        sync,
        tasks,
        config,
    } = substrate;
    let spec = &config.chain_spec;
    let genesis = client.info().genesis_hash;
    let metrics = config
        .prometheus_registry()
        .map(TransactionMetrics::new)
        .transpose()?;
    let (state, child_state) =
        state::new_full::<FullBackend, Block, _>(client.clone(), tasks.clone(), None);
    let mut modules: Vec<Methods> = vec![
        Transaction::new(client.clone(), pool.clone(), tasks.clone(), metrics)
            .into_rpc()
            .into(),
        TransactionBroadcast::new(client.clone(), pool.clone(), tasks.clone(), BROADCASTS)
            .into_rpc()
            .into(),
        ChainHead::<FullBackend, Block, _>::new(
            client.clone(),
            backend.clone(),
            tasks.clone(),
            ChainHeadConfig::default(),
        )
        .into_rpc()
        .into(),
        ChainSpec::new(spec.name().into(), genesis, spec.properties())
            .into_rpc()
            .into(),
        Bitswap::<Block, _>::new(client.clone(), sync)
            .into_rpc()
            .into(),
        chain::new_full::<Block, _>(client.clone(), tasks.clone())
            .into_rpc()
            .into(),
        state.into_rpc().into(),
        child_state.into_rpc().into(),
        Author::new(client.clone(), pool, keystore, tasks.clone())
            .into_rpc()
            .into(),
    ];
    if let Some(storage) = backend.offchain_storage() {
        modules.push(Offchain::new(storage).into_rpc().into());
    }
    let keeps_states = config
        .state_pruning
        .as_ref()
        .is_some_and(PruningMode::is_archive);
    if keeps_states && config.blocks_pruning.is_archive() {
        modules.push(
            Archive::<FullBackend, Block, _>::new(client, backend, genesis, tasks)
                .into_rpc()
                .into(),
        );
    }
    let mut all = RpcModule::new(());
    for methods in modules.into_iter().chain(more) {
        all.merge(methods)
            .map_err(|error| Error::Application(error.into()))?;
    }
    Ok(all)
}
