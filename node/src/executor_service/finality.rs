//! What joining asks of the chain: what is final, here and on Ethereum, and who has signed it.

use super::chain::{ChainError, ClientChain};
use crate::service::{FullBackend, FullClient};
use codec::Decode;
use gear_exe_primitives::{
    H256, batch::AppliedBatch, report::ValidatorSet, round::ChainBlock, runtime_api::SettlementApi,
    vote::RouterAt,
};
use gear_exe_runtime::{Runtime, opaque::Block};
use polkadot_sdk::{
    sc_client_api::{StorageKey, StorageProvider},
    sp_api::ProvideRuntimeApi,
    sp_blockchain::HeaderBackend,
};

/// What is final.
pub trait Finality: Send + Sync + 'static {
    /// The last block that GRANDPA has finalised.
    fn finalised(&self) -> ChainBlock;
    /// The last round that the Router holds at Ethereum's final block, as the finalised block knows it; nothing before the
    /// first.
    ///
    /// # Errors
    ///
    /// [`ChainError`] if the block's state cannot be read.
    fn settled(&self) -> Result<Option<H256>, ChainError>;
    /// What the Router holds, as a quorum last said before the end of a block.
    ///
    /// # Errors
    ///
    /// [`ChainError`] if the runtime cannot be asked there.
    fn router_at(&self, block: H256) -> Result<RouterAt, ChainError>;
    /// Who certifies the round of a block.
    ///
    /// # Errors
    ///
    /// [`ChainError`] if the runtime cannot be asked there.
    fn set_at(&self, block: H256) -> Result<ValidatorSet, ChainError>;
}

impl Finality for ClientChain<FullClient> {
    fn finalised(&self) -> ChainBlock {
        let info = self.client.info();
        ChainBlock {
            number: info.finalized_number.into(),
            hash: info.finalized_hash,
        }
    }

    fn settled(&self) -> Result<Option<H256>, ChainError> {
        let at = self.client.info().finalized_hash;
        let key = StorageKey(pallet_settlement::Settled::<Runtime>::hashed_key().to_vec());
        let client: &FullClient = &self.client;
        let stored = StorageProvider::<Block, FullBackend>::storage(client, at, &key)?;
        let settled = stored.and_then(|data| AppliedBatch::decode(&mut &data.0[..]).ok());
        Ok(settled
            .filter(|batch| batch.nonce > 0)
            .map(|batch| batch.last_round_hash))
    }

    fn router_at(&self, block: H256) -> Result<RouterAt, ChainError> {
        Ok(self.client.runtime_api().router(block)?)
    }

    fn set_at(&self, block: H256) -> Result<ValidatorSet, ChainError> {
        Ok(self.client.runtime_api().validator_set(block)?)
    }
}
