//! What is kept of each executed round, by block hash: on what it was executed, and what others need of its outcome.

use crate::store::{
    CERTIFICATES, Change, NATIVES_ENDED, NATIVES_TAKEN, ROUNDS, ROUNDS_BY_ANCHOR, Store,
    StoreError, Table, delete, put,
};
use codec::{Decode, Encode};
use gear_exe_primitives::{
    ActorId, CodeId, H256, MessageId,
    batch::AppliedBatch,
    ethereum::EthereumHeader,
    report::NativeId,
    round::{ChainBlock, ExecutionParameters, RoundOutcome},
    runtime_api::RoundFacts,
};
use std::sync::Arc;

/// An executed round.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct RoundRecord {
    /// The block whose round it is.
    pub block: ChainBlock,
    /// That block's parent.
    pub parent: H256,
    /// The block on whose outcome it was executed. The genesis block's is itself, and so is that of a block whose state was
    /// taken from others.
    pub base: ChainBlock,
    /// The block's anchor.
    pub anchor: EthereumHeader,
    /// What the Router holds at the anchor.
    pub router: AppliedBatch,
    /// Codes that the chain accepted in the block.
    pub codes: Vec<CodeId>,
    /// Native messages that the block has taken.
    pub natives: Vec<NativeId>,
    /// Prices and limits of the round.
    pub parameters: ExecutionParameters,
    /// Nothing could change, so nothing was executed: the state is the base's, and the executor has no outcome.
    pub quiet: bool,
    /// The state afterwards.
    pub state_root: H256,
    /// Messages are left that could run.
    pub work_left: bool,
    /// Programs whose messages wait for executable balance.
    pub starved: Vec<ActorId>,
    /// The round changed programs.
    pub changes: bool,
    /// Native messages that ended in the round.
    pub ended: Vec<MessageId>,
}

impl RoundRecord {
    /// The round of the genesis block: no program, no event.
    pub fn genesis(
        hash: H256,
        anchor: EthereumHeader,
        router: AppliedBatch,
        parameters: ExecutionParameters,
    ) -> Self {
        let block = ChainBlock { number: 0, hash };
        Self {
            block,
            parent: H256::zero(),
            base: block,
            anchor,
            router,
            codes: Vec::new(),
            natives: Vec::new(),
            parameters,
            quiet: true,
            state_root: H256::zero(),
            work_left: false,
            starved: Vec::new(),
            changes: false,
            ended: Vec::new(),
        }
    }

    /// A round that others have executed and a quorum has certified, and whose state was taken from them. What else came out
    /// of it is not known. That messages may be left makes sure that the next round is executed: what is quiet comes out the
    /// same.
    pub fn taken(
        block: ChainBlock,
        parent: H256,
        facts: RoundFacts,
        router: AppliedBatch,
        state_root: H256,
    ) -> Self {
        Self {
            block,
            parent,
            base: block,
            anchor: facts.anchor,
            router,
            codes: facts.codes,
            natives: facts.natives,
            parameters: facts.parameters,
            quiet: true,
            state_root,
            work_left: true,
            starved: Vec::new(),
            changes: false,
            ended: Vec::new(),
        }
    }

    /// Whether its state was taken from others. Neither is its outcome known, nor what came before.
    pub fn is_taken(&self) -> bool {
        self.base == self.block && self.block.number > 0
    }

    /// The outcome of a round in which nothing could change.
    pub fn quiet_outcome(&self) -> RoundOutcome {
        RoundOutcome {
            state_root: self.state_root,
            receipts: Vec::new(),
            replies: Vec::new(),
            transitions: Vec::new(),
            gas_burned: 0,
            spent: 0,
            work_left: self.work_left,
            starved: self.starved.clone(),
        }
    }
}

/// Key of a native message in a block.
fn place(id: MessageId, block: H256) -> Vec<u8> {
    [id.as_ref(), block.as_bytes()].concat()
}

/// The records.
#[derive(Clone)]
pub struct Records(Arc<Store>);

impl Records {
    /// In this store.
    pub const fn new(store: Arc<Store>) -> Self {
        Self(store)
    }

    /// The record of a block's round.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the store fails.
    pub fn get(&self, block: H256) -> Result<Option<RoundRecord>, StoreError> {
        self.0.get(ROUNDS, block)
    }

    /// Whether a block's round was executed.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the store fails.
    pub fn contains(&self, block: H256) -> Result<bool, StoreError> {
        self.0.contains(ROUNDS, block)
    }

    /// The block that was executed last with this anchor, on whatever fork.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the store fails.
    pub fn at_anchor(&self, anchor: H256) -> Result<Option<ChainBlock>, StoreError> {
        self.0.get(ROUNDS_BY_ANCHOR, anchor)
    }

    /// Keeps a record, and where to find the native messages that the block has taken and those that have ended in its
    /// round. A quiet one may be lost with the process: it costs nothing to make it again.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the store fails.
    pub fn keep(&self, record: &RoundRecord) -> Result<(), StoreError> {
        let block = record.block;
        let taken = record.natives.iter().map(|native| native.id);
        let taken = taken.map(|id| put(NATIVES_TAKEN, place(id, block.hash), &block.number));
        let ended = record
            .ended
            .iter()
            .map(|id| put(NATIVES_ENDED, place(*id, block.hash), &block.number));
        let changes: Vec<Change> = [
            put(ROUNDS, block.hash, record),
            put(ROUNDS_BY_ANCHOR, record.anchor.hash, &block),
        ]
        .into_iter()
        .chain(taken)
        .chain(ended)
        .collect();
        if record.quiet && !record.is_taken() && !record.block.number.is_multiple_of(64) {
            self.0.apply_soon(changes)
        } else {
            self.0.apply(changes)
        }
    }

    /// The blocks that have taken a native message, on whatever fork.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the store fails.
    pub fn taken(&self, id: MessageId) -> Result<Vec<ChainBlock>, StoreError> {
        self.places(NATIVES_TAKEN, id)
    }

    /// The blocks in whose rounds a native message has ended, on whatever fork, and also before it was executed again.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the store fails.
    pub fn ended(&self, id: MessageId) -> Result<Vec<ChainBlock>, StoreError> {
        self.places(NATIVES_ENDED, id)
    }

    fn places(&self, table: Table, id: MessageId) -> Result<Vec<ChainBlock>, StoreError> {
        let found = self.0.scan::<u64>(table, id.as_ref())?;
        let block = |(key, number): (Vec<u8>, u64)| {
            let hash = key.get(32..64)?;
            Some(ChainBlock {
                number,
                hash: H256::from_slice(hash),
            })
        };
        Ok(found.into_iter().filter_map(block).collect())
    }

    /// Up to `limit` blocks with records, from `block` down its parents.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the store fails.
    pub fn down_from(&self, block: H256, limit: usize) -> Result<Vec<H256>, StoreError> {
        let mut found = Vec::new();
        let mut cursor = block;
        while found.len() < limit
            && let Some(record) = self.get(cursor)?
        {
            found.push(cursor);
            cursor = record.parent;
        }
        Ok(found)
    }

    /// Forgets all records: what they tell of is lost.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the store fails.
    pub fn forget_all(&self) -> Result<(), StoreError> {
        self.0
            .empty(&[ROUNDS, ROUNDS_BY_ANCHOR, NATIVES_TAKEN, NATIVES_ENDED])
    }

    /// Forgets the records of these blocks.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the store fails.
    pub fn forget(&self, blocks: &[H256]) -> Result<(), StoreError> {
        if blocks.is_empty() {
            return Ok(());
        }
        let mut changes = Vec::new();
        for block in blocks {
            if let Some(record) = self.get(*block)? {
                let taken = record.natives.iter().map(|native| native.id);
                changes.extend(taken.map(|id| delete(NATIVES_TAKEN, place(id, *block))));
                let ended = record.ended.iter();
                changes.extend(ended.map(|id| delete(NATIVES_ENDED, place(*id, *block))));
            }
            changes.push(delete(ROUNDS, *block));
            changes.push(delete(CERTIFICATES, *block));
        }
        self.0.apply_soon(changes)
    }
}
