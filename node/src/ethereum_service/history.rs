//! What this node has seen of Ethereum, kept by block hash: headers, the events that receipts prove, and the batch that
//! the Router holds after each block. Reads never wait for an Ethereum node.
//!
//! A block is taken in after its parent only, so what is known is a tree that hangs on the first anchor, and, in a node that
//! has joined later, on the anchor of the round whose state it has taken. Blocks of
//! branches that Ethereum has left stay: rounds of ours may be built on them, and Ethereum may come back.

use crate::{
    codes::CodeRequest,
    store::{
        CODE_REQUESTS, Change, ETHEREUM_BLOCKS, ETHEREUM_EVENTS, ETHEREUM_RLP, META, Store,
        StoreError, put,
    },
};
use codec::{Decode, Encode};
use gear_exe_primitives::{
    H256,
    batch::AppliedBatch,
    ethereum::{BlockId, EthereumBlock, EthereumEvent, EthereumHeader, MirrorEvent, RouterEvent},
};
use parking_lot::RwLock;
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};
use tokio::sync::watch;

/// Where the first anchor is kept: who has joined later cannot read it from the chain again.
const FIRST: &[u8] = b"first-anchor";

/// An Ethereum block as it is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct SeenBlock {
    /// Its header's facts.
    pub header: EthereumHeader,
    /// The last batch that the Router holds after it.
    pub router: AppliedBatch,
    /// It has events.
    pub events: bool,
}

/// Why a block is not taken in.
#[derive(Debug, thiserror::Error)]
pub enum FoldError {
    /// Its parent has to come first.
    #[error("the parent {0:?} of the Ethereum block is not known")]
    UnknownParent(H256),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The tree of known Ethereum blocks.
pub struct History {
    store: Arc<Store>,
    first: RwLock<EthereumHeader>,
    /// Where to begin is not known yet.
    held: AtomicBool,
    grown: watch::Sender<u64>,
}

impl History {
    /// Opens it with the first anchor, at which the Router holds `router`.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the store fails.
    pub fn open(
        store: Arc<Store>,
        first: EthereumHeader,
        router: AppliedBatch,
    ) -> Result<Self, StoreError> {
        Self::begin(store, Some((first, router)))
    }

    /// Opens it with the first anchor, and what the Router holds there, or with the one that is kept. With neither it is
    /// [held](Self::is_held).
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the store fails.
    pub fn begin(
        store: Arc<Store>,
        first: Option<(EthereumHeader, AppliedBatch)>,
    ) -> Result<Self, StoreError> {
        let kept: Option<(EthereumHeader, AppliedBatch)> = store.get(META, FIRST)?;
        let history = Self {
            store,
            first: RwLock::default(),
            held: AtomicBool::new(true),
            grown: watch::Sender::new(0),
        };
        if let Some((first, router)) = kept.or(first) {
            history.hang(first, router, kept.is_none())?;
            *history.first.write() = first;
            history.release();
        }
        Ok(history)
    }

    /// Makes a block one on which others hang.
    fn hang(
        &self,
        header: EthereumHeader,
        router: AppliedBatch,
        first: bool,
    ) -> Result<(), StoreError> {
        let mut changes = Vec::new();
        if self.block(header.hash)?.is_none() {
            let seen = SeenBlock {
                header,
                router,
                events: false,
            };
            changes.push(put(ETHEREUM_BLOCKS, header.hash, &seen));
        }
        if first {
            changes.push(put(META, FIRST, &(header, router)));
        }
        self.store.apply(changes)
    }

    /// Begins anew with this block, which the chain says was an anchor, and where a quorum says that the Router holds
    /// `router`: nothing before it is needed any more.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the store fails.
    pub fn adopt(&self, header: EthereumHeader, router: AppliedBatch) -> Result<(), StoreError> {
        let without = *self.first.read() == EthereumHeader::default();
        self.hang(header, router, without)?;
        if without {
            *self.first.write() = header;
        }
        self.release();
        self.grown.send_modify(|count| *count += 1);
        Ok(())
    }

    /// Nothing is fetched until it is known where to begin.
    pub fn hold(&self) {
        self.held.store(true, Ordering::Relaxed);
    }

    /// Blocks are fetched from now on.
    pub fn release(&self) {
        self.held.store(false, Ordering::Relaxed);
    }

    /// Whether nothing is fetched yet.
    pub fn is_held(&self) -> bool {
        self.held.load(Ordering::Relaxed)
    }

    /// The first anchor.
    pub fn first(&self) -> EthereumHeader {
        *self.first.read()
    }

    /// Changes whenever a block was taken in.
    pub fn grown(&self) -> watch::Receiver<u64> {
        self.grown.subscribe()
    }

    /// The block with this hash, if it was taken in.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the store fails.
    pub fn block(&self, hash: H256) -> Result<Option<SeenBlock>, StoreError> {
        self.store.get(ETHEREUM_BLOCKS, hash)
    }

    /// The block with its events, if it was taken in. The first anchor's events happened before this chain: it has none.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the store fails.
    pub fn with_events(&self, hash: H256) -> Result<Option<EthereumBlock>, StoreError> {
        let Some(seen) = self.block(hash)? else {
            return Ok(None);
        };
        let events = if seen.events {
            self.store
                .get(ETHEREUM_EVENTS, hash)?
                .ok_or_else(|| StoreError::Corrupt("ethereum-events".into()))?
        } else {
            Vec::new()
        };
        Ok(Some(EthereumBlock {
            header: seen.header,
            events,
        }))
    }

    /// RLP of the header with this hash.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the store fails.
    pub fn rlp(&self, hash: H256) -> Result<Option<Vec<u8>>, StoreError> {
        self.store.get(ETHEREUM_RLP, hash)
    }

    /// The block `depth` parents above `from`, or the first anchor if that is nearer.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the store fails.
    pub fn ancestor(&self, from: H256, depth: u32) -> Result<Option<EthereumHeader>, StoreError> {
        let Some(mut header) = self.block(from)?.map(|seen| seen.header) else {
            return Ok(None);
        };
        for _ in 0..depth {
            if header.hash == self.first().hash {
                break;
            }
            let Some(parent) = self.block(header.parent)? else {
                return Ok(None);
            };
            header = parent.header;
        }
        Ok(Some(header))
    }

    /// Takes in a block whose parent is known. Taking it in again does nothing.
    ///
    /// # Errors
    ///
    /// [`FoldError`]; nothing is changed then.
    pub fn fold(&self, block: EthereumBlock, rlp: &[u8]) -> Result<(), FoldError> {
        let hash = block.header.hash;
        if self.block(hash)?.is_some() {
            return Ok(());
        }
        let parent = self
            .block(block.header.parent)?
            .ok_or(FoldError::UnknownParent(block.header.parent))?;
        let seen = SeenBlock {
            header: block.header,
            router: applied(&block.events).unwrap_or(parent.router),
            events: !block.events.is_empty(),
        };
        let mut changes: Vec<Change> = vec![
            put(ETHEREUM_BLOCKS, hash, &seen),
            put(ETHEREUM_RLP, hash, &rlp),
        ];
        if seen.events {
            changes.push(put(ETHEREUM_EVENTS, hash, &block.events));
        }
        changes.extend(
            code_requests(&block, seen.router.outbox_end)
                .map(|request| put(CODE_REQUESTS, request.key(), &request)),
        );
        self.store.apply(changes)?;
        tell(&block);
        self.grown.send_modify(|count| *count += 1);
        Ok(())
    }
}

/// The last batch that the Router applied in a block with these events.
fn applied(events: &[EthereumEvent]) -> Option<AppliedBatch> {
    events.iter().rev().find_map(|event| match event {
        EthereumEvent::Router(RouterEvent::BatchApplied(batch)) => Some(*batch),
        _ => None,
    })
}

fn code_requests(block: &EthereumBlock, cursor: u64) -> impl Iterator<Item = CodeRequest> + '_ {
    block.events.iter().filter_map(move |event| match event {
        EthereumEvent::Router(RouterEvent::CodeValidationRequested {
            code_id,
            request_id,
            blob_hashes,
        }) => Some(CodeRequest {
            code_id: *code_id,
            request_id: *request_id,
            blob_hashes: blob_hashes.clone(),
            block: block.header,
            cursor,
            answered: false,
        }),
        _ => None,
    })
}

/// The first lines of a message's story.
fn tell(block: &EthereumBlock) {
    let BlockId { number, hash } = block.header.id();
    for event in &block.events {
        match event {
            EthereumEvent::Mirror {
                actor_id,
                event: MirrorEvent::MessageQueueingRequested { id, source, .. },
            } => tracing::info!(
                message_id = %id, program = ?actor_id.to_address_lossy(), ?source, ethereum = number, ?hash,
                "message seen on Ethereum"
            ),
            EthereumEvent::Mirror {
                actor_id,
                event:
                    MirrorEvent::ReplyQueueingRequested {
                        replied_to, source, ..
                    },
            } => tracing::info!(
                %replied_to, program = ?actor_id.to_address_lossy(), ?source, ethereum = number, ?hash,
                "reply seen on Ethereum"
            ),
            EthereumEvent::Router(RouterEvent::BatchApplied(batch)) => tracing::info!(
                nonce = batch.nonce, digest = ?batch.digest, seal = batch.seal_number,
                last_round = batch.last_round, ethereum = number, ?hash,
                "batch applied on Ethereum"
            ),
            EthereumEvent::Router(RouterEvent::ProgramCreated { actor_id, code_id }) => {
                tracing::info!(
                    program = ?actor_id.to_address_lossy(), code = %code_id, ethereum = number,
                    "program created on Ethereum"
                );
            }
            event => tracing::debug!(?event, ethereum = number, "event seen on Ethereum"),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use gear_exe_primitives::CodeId;

    /// A header on a branch: its hash and its parent's are made of number and branch.
    pub(crate) fn header(number: u64, branch: u8, parent_branch: u8) -> EthereumHeader {
        let hash = |number: u64, branch: u8| {
            let mut bytes = [branch; 32];
            bytes[..8].copy_from_slice(&number.to_be_bytes());
            H256(bytes)
        };
        EthereumHeader {
            hash: hash(number, branch),
            parent: hash(number.saturating_sub(1), parent_branch),
            number,
            timestamp: 1_000 + number,
            ..Default::default()
        }
    }

    pub(crate) fn history() -> History {
        let store = Arc::new(Store::in_memory().unwrap());
        History::open(store, header(0, 1, 1), AppliedBatch::default()).unwrap()
    }

    pub(crate) fn batch(nonce: u64) -> AppliedBatch {
        AppliedBatch {
            nonce,
            digest: H256::repeat_byte(nonce as u8),
            ..Default::default()
        }
    }

    pub(crate) fn holding(header: EthereumHeader, batches: &[AppliedBatch]) -> EthereumBlock {
        EthereumBlock {
            header,
            events: batches
                .iter()
                .map(|batch| EthereumEvent::Router(RouterEvent::BatchApplied(*batch)))
                .collect(),
        }
    }

    fn router(history: &History, header: EthereumHeader) -> u64 {
        history.block(header.hash).unwrap().unwrap().router.nonce
    }

    #[test]
    fn the_routers_batch_is_folded_along_parents() {
        let history = history();
        let (one, two, three) = (header(1, 1, 1), header(2, 1, 1), header(3, 1, 1));
        history.fold(holding(one, &[]), &[1]).unwrap();
        history
            .fold(holding(two, &[batch(1), batch(2)]), &[2])
            .unwrap();
        history.fold(holding(three, &[]), &[3]).unwrap();
        assert_eq!(router(&history, one), 0);
        assert_eq!(router(&history, two), 2);
        assert_eq!(router(&history, three), 2);
        assert_eq!(history.rlp(two.hash).unwrap(), Some(vec![2]));

        // A branch from below the batch holds none, and another one after its own.
        let (other, further) = (header(2, 2, 1), header(3, 2, 2));
        history.fold(holding(other, &[]), &[]).unwrap();
        history.fold(holding(further, &[batch(9)]), &[]).unwrap();
        assert_eq!(router(&history, other), 0);
        assert_eq!(router(&history, further), 9);
        // The branch that was left is as it was: coming back needs nothing.
        assert_eq!(router(&history, three), 2);
    }

    #[test]
    fn nothing_is_taken_in_before_its_parent() {
        let history = history();
        assert!(matches!(
            history.fold(holding(header(2, 1, 1), &[]), &[]),
            Err(FoldError::UnknownParent(_))
        ));
        assert!(history.block(header(2, 1, 1).hash).unwrap().is_none());
    }

    #[test]
    fn restarts_know_what_was_known_and_keep_requests() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("node.redb");
        let first = header(0, 1, 1);
        let request = EthereumBlock {
            header: header(1, 1, 1),
            events: vec![EthereumEvent::Router(
                RouterEvent::CodeValidationRequested {
                    code_id: CodeId::from([7; 32]),
                    request_id: H256::repeat_byte(8),
                    blob_hashes: vec![H256::repeat_byte(9)],
                },
            )],
        };
        {
            let store = Arc::new(Store::open(&path).unwrap());
            let history = History::open(store, first, batch(3)).unwrap();
            history.fold(request.clone(), &[]).unwrap();
        }
        let store = Arc::new(Store::open(&path).unwrap());
        // What is kept wins over what is given again.
        let history = History::open(store.clone(), first, AppliedBatch::default()).unwrap();
        assert_eq!(router(&history, request.header), 3);
        assert_eq!(
            history.with_events(request.header.hash).unwrap(),
            Some(request)
        );
        let requests = store.scan::<CodeRequest>(CODE_REQUESTS, &[]).unwrap();
        assert_eq!(requests.len(), 1);
        assert_eq!(requests[0].1.blob_hashes, [H256::repeat_byte(9)]);
    }

    #[test]
    fn whoever_joins_later_begins_later_and_remembers_where() {
        let store = Arc::new(Store::in_memory().unwrap());
        let history = History::begin(store.clone(), None).unwrap();
        assert!(history.is_held());
        let anchor = header(7, 1, 1);
        history.adopt(anchor, batch(3)).unwrap();
        assert!(!history.is_held());
        let next = header(8, 1, 1);
        history.fold(holding(next, &[]), &[]).unwrap();
        assert_eq!(router(&history, next), 3);
        let again = History::begin(store, None).unwrap();
        assert!(!again.is_held());
        assert_eq!(again.first(), anchor);
        // One that knows the first anchor keeps it beside.
        let history = self::history();
        history.adopt(anchor, batch(3)).unwrap();
        assert_eq!(history.first(), header(0, 1, 1));
        history.fold(holding(next, &[]), &[]).unwrap();
        assert_eq!(router(&history, next), 3);
    }

    #[test]
    fn depth_ends_at_the_first_anchor() {
        let history = history();
        for number in 1..=3 {
            history
                .fold(holding(header(number, 1, 1), &[]), &[])
                .unwrap();
        }
        let at = |depth| {
            let tip = header(3, 1, 1).hash;
            history.ancestor(tip, depth).unwrap().unwrap().number
        };
        assert_eq!((at(0), at(2), at(9)), (3, 1, 0));
    }
}
