//! What the RPC asks of the chain itself, and of what this node has seen of Ethereum.

use crate::ethereum_service::{History, SeenBlock};
use gear_exe_primitives::{
    H256,
    batch::AppliedBatch,
    ethereum::EthereumHeader,
    round::{ChainBlock, ExecutionParameters},
    runtime_api::{ExecutionApi, SettlementApi},
};
use gear_exe_runtime::opaque::Block;
use polkadot_sdk::{sp_api::ProvideRuntimeApi, sp_blockchain::HeaderBackend};
use std::sync::Arc;

/// Finality, settlement and parameters. What is asked `at` a block is what the chain's state after it says, and `None`
/// where that state is not kept.
pub trait Chain: Send + Sync + 'static {
    /// Whether GRANDPA has finalised the block.
    fn is_finalized(&self, block: ChainBlock) -> bool;
    /// Number of the last block that GRANDPA has finalised.
    fn finalized(&self) -> u64;
    /// Prices and limits.
    fn parameters(&self, at: H256) -> Option<ExecutionParameters>;
    /// The batch that the Router holds, as a quorum says.
    fn router(&self, at: H256) -> Option<AppliedBatch>;
    /// The last Ethereum block that a quorum reported final.
    fn ethereum_final(&self, at: H256) -> Option<EthereumHeader>;
    /// The batch that the Router holds after an Ethereum block, as this node has seen it.
    fn held(&self, ethereum: H256) -> Option<AppliedBatch>;
    /// The header of an Ethereum block, on any branch, that this node has seen since the first anchor.
    fn seen(&self, ethereum: H256) -> Option<EthereumHeader>;
}

/// The chain through its client.
pub struct ClientChain<C> {
    /// The client.
    pub client: Arc<C>,
    /// Ethereum blocks that the node has seen.
    pub history: Arc<History>,
}

impl<C> Chain for ClientChain<C>
where
    C: ProvideRuntimeApi<Block> + HeaderBackend<Block> + Send + Sync + 'static,
    C::Api: ExecutionApi<Block> + SettlementApi<Block>,
{
    fn is_finalized(&self, block: ChainBlock) -> bool {
        let Ok(number) = u32::try_from(block.number) else {
            return false;
        };
        number <= self.client.info().finalized_number
            && self.client.hash(number).ok().flatten() == Some(block.hash)
    }

    fn finalized(&self) -> u64 {
        self.client.info().finalized_number.into()
    }

    fn parameters(&self, at: H256) -> Option<ExecutionParameters> {
        self.client.runtime_api().parameters(at).ok()
    }

    fn router(&self, at: H256) -> Option<AppliedBatch> {
        let router = self.client.runtime_api().router(at).ok()?;
        Some(router.batch)
    }

    fn ethereum_final(&self, at: H256) -> Option<EthereumHeader> {
        self.client.runtime_api().finalised(at).ok()
    }

    fn held(&self, ethereum: H256) -> Option<AppliedBatch> {
        self.block(ethereum).map(|block| block.router)
    }

    fn seen(&self, ethereum: H256) -> Option<EthereumHeader> {
        self.block(ethereum).map(|block| block.header)
    }
}

impl<C> ClientChain<C> {
    fn block(&self, ethereum: H256) -> Option<SeenBlock> {
        self.history.block(ethereum).unwrap_or_else(|error| {
            tracing::error!(%error, "what was seen of Ethereum cannot be read");
            None
        })
    }
}
