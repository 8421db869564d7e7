//! What certificates need of the chain, and the chain's client that answers it.

use crate::equivocations;
use gear_exe_primitives::{
    H160, H256,
    report::ValidatorSet,
    runtime_api::{SettlementApi, SlashingApi},
};
use gear_exe_runtime::opaque::Block;
use polkadot_sdk::{
    sp_api::ProvideRuntimeApi, sp_blockchain::HeaderBackend, sp_runtime::traits::Header as _,
};
use std::sync::Arc;

/// What certificates need of the chain.
pub trait Client: Send + Sync + 'static {
    /// Number of the best block.
    fn best_number(&self) -> u64;
    /// The validator set of a block.
    fn set_at(&self, block: H256) -> Option<ValidatorSet>;
    /// The validator set with an id, as the best block knows it.
    fn set(&self, id: u64) -> Option<ValidatorSet>;
    /// Who has authored a block; nothing if the block is not known, or its author has no Ethereum key that signs.
    fn author(&self, block: H256) -> Option<Authored>;
}

/// Who has authored a block, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Authored {
    /// The slot.
    pub slot: u64,
    /// The author's set: that after the block's parent.
    pub set_id: u64,
    /// Address of the author's Ethereum key.
    pub address: H160,
}

/// The chain through its client.
pub struct FullChain<C>(pub Arc<C>);

impl<C> Client for FullChain<C>
where
    C: ProvideRuntimeApi<Block> + HeaderBackend<Block> + Send + Sync + 'static,
    C::Api: SettlementApi<Block> + SlashingApi<Block>,
{
    fn best_number(&self) -> u64 {
        self.0.info().best_number.into()
    }

    fn set_at(&self, block: H256) -> Option<ValidatorSet> {
        self.0.runtime_api().validator_set(block).ok()
    }

    fn set(&self, id: u64) -> Option<ValidatorSet> {
        let best = self.0.info().best_hash;
        self.0.runtime_api().validator_set_at(best, id).ok()?
    }

    // Import has checked that the header's slot was its author's.
    fn author(&self, block: H256) -> Option<Authored> {
        let header = self.0.header(block).ok()??;
        let slot = equivocations::slot(&header)?;
        let author = self
            .0
            .runtime_api()
            .slot_author(*header.parent_hash(), slot)
            .ok()??;
        Some(Authored {
            slot,
            set_id: author.set_id,
            address: author.address,
        })
    }
}
