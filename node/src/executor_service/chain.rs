//! What the executor service asks of the chain.

use codec::{Decode, Encode};
use gear_exe_primitives::{
    H256,
    batch::RouterDomain,
    native::SignedNative,
    report::NativeId,
    round::{ChainBlock, NativeMessage},
    runtime_api::{ExecutionApi, RoundFacts},
};
use gear_exe_runtime::{Runtime, RuntimeCall, UncheckedExtrinsic, opaque::Block};
use polkadot_sdk::{
    sc_client_api::BlockBackend,
    sp_api::{ApiError, ProvideRuntimeApi},
    sp_blockchain::{self, HeaderBackend},
    sp_runtime::OpaqueExtrinsic,
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
    /// A block has taken native messages that its body does not have.
    #[error("the native messages of block {0:?} are not in its body, as this node has it")]
    Natives(H256),
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
    /// The native messages that a block has taken, which its facts name, in this order.
    ///
    /// # Errors
    ///
    /// [`ChainError`] if the block's body is not kept, or the database fails.
    fn natives(&self, block: H256, ids: &[NativeId]) -> Result<Vec<NativeMessage>, ChainError>;
    /// The last Ethereum block that a quorum reported final, as a block knows it.
    ///
    /// # Errors
    ///
    /// [`ChainError`] if the runtime cannot be asked there.
    fn ethereum_finalised(&self, block: H256) -> Result<H256, ChainError>;
}

/// The chain through its client.
pub struct ClientChain<C> {
    /// The client.
    pub client: Arc<C>,
    /// Where the chain settles: native messages have their ids from it.
    pub domain: RouterDomain,
}

/// The native message that a transaction brings, if it does.
pub fn native_in(extrinsic: &OpaqueExtrinsic) -> Option<SignedNative> {
    let extrinsic = UncheckedExtrinsic::decode(&mut &extrinsic.encode()[..]).ok()?;
    match extrinsic.function {
        RuntimeCall::Execution(pallet_execution::Call::<Runtime>::submit_native { signed }) => {
            Some(signed)
        }
        _ => None,
    }
}

/// The native messages in a block's body, also those that it has not taken.
pub fn natives_in(body: Vec<OpaqueExtrinsic>) -> impl Iterator<Item = SignedNative> {
    body.into_iter()
        .filter_map(|extrinsic| native_in(&extrinsic))
}

impl<C> Chain for ClientChain<C>
where
    C: ProvideRuntimeApi<Block>
        + HeaderBackend<Block>
        + BlockBackend<Block>
        + Send
        + Sync
        + 'static,
    C::Api: ExecutionApi<Block>,
{
    fn best(&self) -> ChainBlock {
        let info = self.client.info();
        ChainBlock {
            number: info.best_number.into(),
            hash: info.best_hash,
        }
    }

    fn place(&self, block: H256) -> Result<Place, ChainError> {
        let header = self
            .client
            .header(block)?
            .ok_or(ChainError::Unknown(block))?;
        Ok(Place {
            block: ChainBlock {
                number: header.number.into(),
                hash: block,
            },
            parent: header.parent_hash,
        })
    }

    fn canonical(&self, number: u64) -> Result<Option<H256>, ChainError> {
        u32::try_from(number).map_or(Ok(None), |number| Ok(self.client.hash(number)?))
    }

    fn facts(&self, block: H256) -> Result<RoundFacts, ChainError> {
        Ok(self.client.runtime_api().round_facts(block)?)
    }

    fn natives(&self, block: H256, ids: &[NativeId]) -> Result<Vec<NativeMessage>, ChainError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let body = self
            .client
            .block_body(block)?
            .ok_or(ChainError::Unknown(block))?;
        let mut wanted = ids.iter().peekable();
        let mut taken = Vec::with_capacity(ids.len());
        for signed in natives_in(body) {
            let Some(next) = wanted.peek() else { break };
            let id = signed.id(&self.domain);
            // A call may have been included and not have been carried out.
            if (id, signed.source) == (next.id, next.source) {
                taken.push(signed.into_message(id));
                wanted.next();
            }
        }
        if wanted.next().is_some() {
            return Err(ChainError::Natives(block));
        }
        Ok(taken)
    }

    fn ethereum_finalised(&self, block: H256) -> Result<H256, ChainError> {
        Ok(self.client.runtime_api().finalised(block)?.hash)
    }
}
