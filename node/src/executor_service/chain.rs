//! What the executor service asks of the chain.

use gear_exe_primitives::{
    H256,
    round::ChainBlock,
    runtime_api::{ExecutionApi, RoundFacts},
};
use gear_exe_runtime::opaque::Block;
use polkadot_sdk::{
    sp_api::{ApiError, ProvideRuntimeApi},
    sp_blockchain::{self, HeaderBackend},
};
use std::sync::Arc;

/// A block's place in the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The block.
    pub block: ChainBlock,
    /// Its parent.
    pub parent: H256,
}

/// The chain cannot be read. Tried again.
#[derive(Debug, thiserror::Error)]
pub enum ChainError {
    /// The database failed.
    #[error("the chain's database failed: {0}")]
    Database(#[from] sp_blockchain::Error),
    /// The runtime failed, or the block's state is not kept.
    #[error(
        "the runtime cannot be asked at a block: {0}; run validators with --state-pruning archive-canonical"
    )]
    Runtime(#[from] ApiError),
    /// There is no such block.
    #[error("block {0:?} is not in the chain's database")]
    Unknown(H256),
}

/// The chain, for the executor service.
pub trait Chain: Send + Sync + 'static {
    /// The best block.
    fn best(&self) -> ChainBlock;
    /// A block's place.
    ///
    /// # Errors
    ///
    /// [`ChainError`] if there is no such block, or the database fails.
    fn place(&self, block: H256) -> Result<Place, ChainError>;
    /// The block with this number on the best chain.
    ///
    /// # Errors
    ///
    /// [`ChainError`] if the database fails.
    fn canonical(&self, number: u64) -> Result<Option<H256>, ChainError>;
    /// What a block says of its round.
    ///
    /// # Errors
    ///
    /// [`ChainError`] if the runtime cannot be asked there.
    fn facts(&self, block: H256) -> Result<RoundFacts, ChainError>;
    /// The last Ethereum block that a quorum reported final, as a block knows it.
    ///
    /// # Errors
    ///
    /// [`ChainError`] if the runtime cannot be asked there.
    fn ethereum_finalised(&self, block: H256) -> Result<H256, ChainError>;
}

/// The chain through its client.
pub struct ClientChain<C>(pub Arc<C>);

impl<C> Chain for ClientChain<C>
where
    C: ProvideRuntimeApi<Block> + HeaderBackend<Block> + Send + Sync + 'static,
    C::Api: ExecutionApi<Block>,
{
    fn best(&self) -> ChainBlock {
        let info = self.0.info();
        ChainBlock {
            number: info.best_number.into(),
            hash: info.best_hash,
        }
    }

    fn place(&self, block: H256) -> Result<Place, ChainError> {
        let header = self.0.header(block)?.ok_or(ChainError::Unknown(block))?;
        Ok(Place {
            block: ChainBlock {
                number: header.number.into(),
                hash: block,
            },
            parent: header.parent_hash,
        })
    }

    fn canonical(&self, number: u64) -> Result<Option<H256>, ChainError> {
        u32::try_from(number).map_or(Ok(None), |number| Ok(self.0.hash(number)?))
    }

    fn facts(&self, block: H256) -> Result<RoundFacts, ChainError> {
        Ok(self.0.runtime_api().round_facts(block)?)
    }

    fn ethereum_finalised(&self, block: H256) -> Result<H256, ChainError> {
        Ok(self.0.runtime_api().finalised(block)?.hash)
    }
}
