//! What clients ask a node by JSON-RPC, over HTTP and WebSocket on one port, beside Substrate's own methods.
//!
//! The methods and shapes up to 0.5.2 of the JavaScript client `@vara-eth/api` are served as they are, so that existing
//! dApps work unmodified; `gear_*` are ours. Everything is read from executed rounds ([`crate::rounds::Rounds`]), from
//! the executor's content-addressed store, and from the observer of Ethereum. Nothing here changes anything but `injected_sendTransaction`.
//!
//! | file | methods |
//! |---|---|
//! | `block` | `block_header`, `block_events` (Ethereum blocks) |
//! | `code` | `code_getOriginal`, `code_getInstrumented`, `code_readWasmCustomSection` |
//! | `program` | `program_ids`, `program_codeId`, `program_read…`, `gear_programState` |
//! | `calculate` | `program_calculateReplyForHandle`, `gear_estimateCost` |
//! | `proof` | `gear_stateProof` |
//! | `deposit` | `gear_deposit` |
//! | `injected` | `injected_sendTransaction`, `…AndWatch`, `injected_getTransactionReceipt`, `injected_getTransactions` |
//! | `subscription` | `program_subscribeBestState`, `program_unsubscribeBestState` |
//! | `network` | `gear_network`, `gear_programs` |
//! | `settlement` | `gear_round`, `gear_messageStatus`, `gear_batchBody` |
//! | `lifecycle` | `gear_subscribeMessage`, `gear_unsubscribeMessage` |
//! | `rounds` | `gear_subscribeRounds`, `gear_unsubscribeRounds` |
//! | here | `version`, `routerAddress`, Substrate's `system_accountNextIndex`, `payment_…` |
//!
//! # For the service
//!
//! Build [`RpcDeps`] once and call [`create`] in `SpawnTasksParams::rpc_builder`:
//!
//! ```ignore
//! rpc_builder: Box::new(move |_| rpc::create(deps.clone()).map_err(Into::into)),
//! ```
//!
//! Leave `config.rpc.id_provider` at `None`. Existing clients need numeric subscription ids for our subscription, but
//! Substrate's `chainHead_v1_*` methods take the id back as a string, and break with numeric ones. So our subscription
//! brings its own [`NumericIds`], and Substrate's keep theirs. The server's CORS must allow every origin, and its
//! default ping interval (30 s) is what clients expect.
//!
//! # Limits
//!
//! Work that blocks runs on blocking threads, a bounded number at a time, with a bounded number of calls waiting;
//! beyond that a call is refused at once. See [`limit`].

mod block;
mod calculate;
mod chain;
mod code;
mod deposit;
pub mod error;
mod injected;
mod lifecycle;
pub mod limit;
mod network;
mod params;
mod program;
mod proof;
mod rounds;
mod settlement;
mod subscription;
#[cfg(test)]
mod tests;
pub mod types;

pub use chain::{Chain, ClientChain};
pub use subscription::NumericIds;

use crate::{
    certificates::CertificateService,
    ethereum_service::History,
    lifecycle::Lifecycle,
    natives::Natives,
    rounds::{Batches, ExecutedRound, Rounds},
    status::Watch,
};
use error::RpcError;
use gear_exe_ethereum::observer::Observer;
use gear_exe_primitives::{
    H160,
    runtime_api::{ExecutionApi, SettlementApi},
};
use gear_exe_runtime::{AccountId, Balance, Nonce, opaque::Block};
use jsonrpsee::{RpcModule, core::RegisterMethodError, types::ErrorObjectOwned};
use limit::Limit;
use params::Args;
use polkadot_sdk::{
    pallet_transaction_payment_rpc::{
        TransactionPayment, TransactionPaymentApiServer, TransactionPaymentRuntimeApi,
    },
    sc_transaction_pool_api::TransactionPool,
    sp_api::ProvideRuntimeApi,
    sp_block_builder::BlockBuilder,
    sp_blockchain::HeaderBackend,
    substrate_frame_rpc_system::{AccountNonceApi, System, SystemApiServer},
};
use serde::Serialize;
use std::{error::Error, future::Future, sync::Arc};

/// What the RPC needs of the node.
pub struct RpcDeps<C, P> {
    /// The client of the chain.
    pub client: Arc<C>,
    /// The transaction pool.
    pub pool: Arc<P>,
    /// Executed rounds.
    pub rounds: Arc<dyn Rounds>,
    /// Batches that the node has built.
    pub batches: Arc<dyn Batches>,
    /// Ethereum, as this node follows it.
    pub ethereum: Observer,
    /// Ethereum blocks that the node has taken in.
    pub history: Arc<History>,
    /// The Router's address.
    pub router: H160,
    /// Signed rounds and certificates.
    pub certificates: Arc<CertificateService>,
    /// Native messages.
    pub natives: Arc<dyn Natives>,
    /// Levels of rounds and messages.
    pub lifecycle: Arc<Lifecycle>,
    /// What the node sees of the network.
    pub watch: Arc<Watch>,
}

impl<C, P> Clone for RpcDeps<C, P> {
    fn clone(&self) -> Self {
        Self {
            client: self.client.clone(),
            pool: self.pool.clone(),
            rounds: self.rounds.clone(),
            batches: self.batches.clone(),
            ethereum: self.ethereum.clone(),
            history: self.history.clone(),
            router: self.router,
            certificates: self.certificates.clone(),
            natives: self.natives.clone(),
            lifecycle: self.lifecycle.clone(),
            watch: self.watch.clone(),
        }
    }
}

/// All methods of ours and those of Substrate that its service does not add itself.
///
/// # Errors
///
/// If two methods have one name.
pub fn create<C, P>(
    deps: RpcDeps<C, P>,
) -> Result<RpcModule<()>, Box<dyn Error + Send + Sync + 'static>>
where
    C: ProvideRuntimeApi<Block> + HeaderBackend<Block> + Send + Sync + 'static,
    C::Api: AccountNonceApi<Block, AccountId, Nonce>
        + TransactionPaymentRuntimeApi<Block, Balance>
        + BlockBuilder<Block>
        + ExecutionApi<Block>
        + SettlementApi<Block>,
    P: TransactionPool<Block = Block> + 'static,
{
    let mut all = gear(GearDeps {
        rounds: deps.rounds,
        batches: deps.batches,
        chain: Arc::new(ClientChain {
            client: deps.client.clone(),
            history: deps.history,
        }),
        ethereum: deps.ethereum,
        router: deps.router,
        certificates: deps.certificates,
        natives: deps.natives,
        lifecycle: deps.lifecycle,
        watch: deps.watch,
    })?;
    all.merge(System::new(deps.client.clone(), deps.pool).into_rpc())?;
    all.merge(TransactionPayment::new(deps.client).into_rpc())?;
    Ok(all)
}

/// What our own methods need.
pub struct GearDeps {
    /// Executed rounds.
    pub rounds: Arc<dyn Rounds>,
    /// Batches that the node has built.
    pub batches: Arc<dyn Batches>,
    /// What the chain says of finality, settlement and parameters.
    pub chain: Arc<dyn Chain>,
    /// Ethereum, as this node follows it.
    pub ethereum: Observer,
    /// The Router's address.
    pub router: H160,
    /// Signed rounds and certificates.
    pub certificates: Arc<CertificateService>,
    /// Native messages.
    pub natives: Arc<dyn Natives>,
    /// Levels of rounds and messages.
    pub lifecycle: Arc<Lifecycle>,
    /// What the node sees of the network.
    pub watch: Arc<Watch>,
}

/// Our own methods, without Substrate's.
///
/// # Errors
///
/// If two methods have one name.
pub fn gear(deps: GearDeps) -> Result<RpcModule<()>, RegisterMethodError> {
    let mut module = RpcModule::new(Context {
        deps,
        reads: Limit::reads(),
        calculations: Limit::calculations(),
        lookups: Limit::lookups(),
        watched: Limit::watched(),
    });
    method(&mut module, "version", &[], |_, _| async {
        Ok(env!("CARGO_PKG_VERSION").to_owned())
    })?;
    method(&mut module, "routerAddress", &[], |_, context| async move {
        Ok(context.deps.router)
    })?;
    block::register(&mut module)?;
    code::register(&mut module)?;
    program::register(&mut module)?;
    calculate::register(&mut module)?;
    proof::register(&mut module)?;
    network::register(&mut module)?;
    settlement::register(&mut module)?;
    deposit::register(&mut module)?;
    injected::register(&mut module)?;
    subscription::register(&mut module)?;
    lifecycle::register(&mut module)?;
    rounds::register(&mut module)?;
    Ok(module.remove_context())
}

/// What the methods share.
struct Context {
    deps: GearDeps,
    /// Queries on stored states.
    reads: Limit,
    /// Runs of programs.
    calculations: Limit,
    /// Questions to the Ethereum node.
    lookups: Limit,
    /// Looks at messages that somebody waits for.
    watched: Limit,
}

impl Context {
    /// The newest executed round of the best chain.
    fn best(&self) -> Result<ExecutedRound, RpcError> {
        self.deps.rounds.best().ok_or_else(|| {
            RpcError::Database("no round is executed yet; wait until the node has synced".into())
        })
    }

    /// Runs a query on stored states on a blocking thread.
    async fn read<T: Send + 'static>(
        self: Arc<Self>,
        query: impl FnOnce(&Self) -> Result<T, RpcError> + Send + 'static,
    ) -> Result<T, RpcError> {
        let context = self.clone();
        self.reads.blocking(move || query(&context)).await
    }
}

/// Registers a method with its parameters' names, by which they may also be given.
fn method<T, Call, Answer>(
    module: &mut RpcModule<Context>,
    name: &'static str,
    parameters: &'static [&'static str],
    call: Call,
) -> Result<(), RegisterMethodError>
where
    T: Serialize + Clone + Send + 'static,
    Call: Fn(Args, Arc<Context>) -> Answer + Clone + Send + Sync + 'static,
    Answer: Future<Output = Result<T, RpcError>> + Send + 'static,
{
    module.register_async_method(name, move |params, context, _| {
        let answer = Args::read(&params, parameters).map(|args| call(args, context));
        async move { answer?.await.map_err(ErrorObjectOwned::from) as Result<T, ErrorObjectOwned> }
    })?;
    Ok(())
}
