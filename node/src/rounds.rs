//! What the rest of the node knows of executed rounds: the seam between the executor service, which makes them, and
//! RPC and settlement, which read them.

use gear_exe_executor::Executor;
use gear_exe_primitives::{
    H256,
    batch::Batch,
    ethereum::{BlockId, EthereumHeader},
    round::{ChainBlock, RoundOutcome},
};
use std::sync::Arc;
use tokio::sync::broadcast;

/// A round that was executed and stored.
#[derive(Clone, Debug)]
pub struct ExecutedRound {
    /// The block whose round it is.
    pub block: ChainBlock,
    /// Hash of that block's parent.
    pub parent: H256,
    /// The block whose outcome it was executed on. Not the parent after a rewind.
    pub base: ChainBlock,
    /// The Ethereum block up to which events are in it.
    pub anchor: EthereumHeader,
    /// What it did.
    pub outcome: Arc<RoundOutcome>,
}

/// Executed rounds, as readers see them.
pub trait Rounds: Send + Sync + 'static {
    /// The newest executed round of the best chain; nothing before the first.
    fn best(&self) -> Option<ExecutedRound>;
    /// The round of the chain block with this hash.
    fn round(&self, block: H256) -> Option<ExecutedRound>;
    /// The newest executed round of the best chain whose anchor is this Ethereum block.
    fn at_ethereum(&self, ethereum: H256) -> Option<ExecutedRound>;
    /// Every round that is executed on the best chain from now on. A slow reader is told that it missed some.
    fn subscribe(&self) -> broadcast::Receiver<ExecutedRound>;
    /// The executor, for queries on stored states.
    fn executor(&self) -> &Arc<Executor>;
}

/// Batches that this node has built.
pub trait Batches: Send + Sync + 'static {
    /// The batch with this digest.
    fn batch(&self, digest: H256) -> Option<Batch>;
}

/// The chain's position towards Ethereum, as the best block says it.
#[derive(Clone, Copy, Debug)]
pub struct Position {
    /// The anchor.
    pub anchor: EthereumHeader,
    /// The last Ethereum block that a quorum reported final.
    pub finalised: BlockId,
}
