//! Follows Ethereum and answers from memory and disk what chain and executor ask of it.
//!
//! The observer reports heads; each new head is taken into the [`History`] with all blocks that lead to it. The
//! off-chain worker asks [`EthereumService::view`] and [`EthereumService::header`], which never wait. The executor
//! service asks [`EthereumService::want`] for blocks that it misses and is told when the history has grown.
//! Whatever fails is an alarm and is tried again: an outage of Ethereum never ends the node.

pub mod history;

pub use history::{FoldError, History, SeenBlock};

use crate::metrics::{Alarm, Metrics};
use gear_exe_ethereum::observer::{Alarm as ObserverAlarm, Observer, ObserverEvent, SourceError};
use gear_exe_primitives::{
    H256,
    ethereum::{BlockId, EthereumHeader},
    host::{EthereumView, ViewRequest},
    vote::RouterAt,
};
use parking_lot::RwLock;
use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use tokio::sync::{Notify, mpsc};

/// Pause before something that failed is tried again.
const RETRY: Duration = Duration::from_millis(500);
/// Canonical blocks that are read at a time.
const MAX_CANONICAL: usize = 4_096;
/// Blocks that may be wanted at a time.
const MAX_WANTED: usize = 1_024;

#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    /// The highest canonical block that the history holds.
    tip: Option<EthereumHeader>,
    /// The canonical head.
    head: Option<EthereumHeader>,
    finalised: Option<BlockId>,
    down: bool,
    /// Unix time in seconds at which the head changed last.
    moved: u64,
}

/// Some canonical blocks.
pub struct Canonical(BTreeSet<H256>);

impl Canonical {
    /// Whether the block is one of them.
    pub fn contains(&self, block: BlockId) -> bool {
        self.0.contains(&block.hash)
    }
}

/// What the node sees of Ethereum.
pub struct EthereumService {
    history: Arc<History>,
    metrics: Metrics,
    seen: RwLock<Seen>,
    wanted: RwLock<BTreeSet<H256>>,
    wake: Notify,
}

/// Why a block could not be fetched.
#[derive(Debug, thiserror::Error)]
enum FetchError {
    #[error(transparent)]
    Source(#[from] SourceError),
    #[error(transparent)]
    Fold(#[from] FoldError),
    #[error(
        "Ethereum block {0:?} does not descend from the chain's first anchor; is the node on another network?"
    )]
    OffBranch(H256),
    #[error("Ethereum header {0:?} does not read")]
    Header(H256),
}

fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

impl EthereumService {
    /// With nothing seen yet.
    pub fn new(history: Arc<History>, metrics: Metrics) -> Arc<Self> {
        Arc::new(Self {
            history,
            metrics,
            seen: RwLock::default(),
            wanted: RwLock::default(),
            wake: Notify::new(),
        })
    }

    /// Everything that was seen.
    pub const fn history(&self) -> &Arc<History> {
        &self.history
    }

    /// The canonical head; nothing before the first.
    pub fn head(&self) -> Option<EthereumHeader> {
        self.seen.read().head
    }

    /// What a validator reports; nothing while the Ethereum node is down, or behind the first anchor.
    pub fn view(&self, request: &ViewRequest) -> Option<EthereumView> {
        let seen = *self.seen.read();
        if seen.down {
            return None;
        }
        let known = |result: Result<Option<EthereumHeader>, _>| match result {
            Ok(header) => header,
            Err(error) => {
                self.metrics.raise(Alarm::StoreDamaged, error);
                None
            }
        };
        let tip = known(self.history.ancestor(seen.tip?.hash, request.depth))?;
        let router = match self.history.block(request.anchor.hash) {
            Ok(block) => block.map(|block| RouterAt {
                block: request.anchor,
                batch: block.router,
            }),
            Err(error) => {
                self.metrics.raise(Alarm::StoreDamaged, error);
                None
            }
        };
        if router.is_none() {
            self.want(request.anchor.hash);
        }
        let first = self.history.first().id();
        Some(EthereumView {
            tip: tip.id(),
            finalised: seen
                .finalised
                .filter(|finalised| finalised.number > first.number)
                .unwrap_or(first),
            router,
        })
    }

    /// Whether this node, too, calls the block final.
    pub fn is_final(&self, block: BlockId) -> bool {
        let final_here = self.seen.read().finalised;
        final_here.is_some_and(|last| {
            last == block
                || last.number >= block.number && self.canonical(block.number).contains(block)
        })
    }

    /// The last block that this node calls final, if `block` is final here, too.
    pub fn finalised_from(&self, block: BlockId) -> Option<BlockId> {
        if !self.is_final(block) {
            return None;
        }
        self.seen.read().finalised
    }

    /// The canonical blocks from the head down to `lowest`.
    pub fn canonical(&self, lowest: u64) -> Canonical {
        let mut hashes = BTreeSet::new();
        let mut cursor = self.seen.read().tip;
        while let Some(header) = cursor {
            if header.number < lowest || hashes.len() >= MAX_CANONICAL {
                break;
            }
            hashes.insert(header.hash);
            cursor = match self.history.block(header.parent) {
                Ok(block) => block.map(|block| block.header),
                Err(error) => {
                    self.metrics.raise(Alarm::StoreDamaged, error);
                    None
                }
            };
            if header.hash == self.history.first().hash {
                break;
            }
        }
        Canonical(hashes)
    }

    /// RLP of a header that was seen.
    pub fn header(&self, hash: H256) -> Option<Vec<u8>> {
        match self.history.rlp(hash) {
            Ok(rlp) => rlp,
            Err(error) => {
                self.metrics.raise(Alarm::StoreDamaged, error);
                None
            }
        }
    }

    /// Asks for a block and all that leads to it, canonical or not. [`History::grown`] tells when it is there.
    pub fn want(&self, hash: H256) {
        let mut wanted = self.wanted.write();
        if wanted.len() < MAX_WANTED && wanted.insert(hash) {
            self.wake.notify_one();
        }
    }

    /// Follows the observer until it is dropped, which it is not while the node runs.
    pub async fn run(
        self: Arc<Self>,
        observer: Observer,
        mut events: mpsc::Receiver<ObserverEvent>,
        stale_after: Option<Duration>,
    ) {
        let mut retry = false;
        let mut tick = tokio::time::interval(Duration::from_secs(5));
        loop {
            tokio::select! {
                biased;
                event = events.recv() => match event {
                    Some(event) => self.take(event),
                    None => return,
                },
                () = self.wake.notified() => {}
                () = tokio::time::sleep(RETRY), if retry => {}
                _ = tick.tick() => {
                    self.watch(stale_after);
                    continue;
                }
            }
            retry = !self.catch_up(&observer).await;
        }
    }

    fn take(&self, event: ObserverEvent) {
        let mut seen = self.seen.write();
        match event {
            ObserverEvent::Head(change) => {
                // The lowest block that was left has the parent from which on the branches differ.
                if let Some(lowest) = change.reverted.last()
                    && let Some(tip) = seen.tip
                    && tip.number >= lowest.number
                {
                    seen.tip = match self.history.block(lowest.parent) {
                        Ok(block) => block.map(|block| block.header),
                        Err(error) => {
                            self.metrics.raise(Alarm::StoreDamaged, error);
                            None
                        }
                    };
                }
                if let Some(head) = change.added.last() {
                    tracing::debug!(number = head.number, hash = ?head.hash, "Ethereum head");
                    self.metrics.ethereum_head.set(head.number);
                    self.metrics.ethereum_head_time.set(head.timestamp);
                    seen.head = Some(*head);
                    seen.moved = now();
                }
            }
            ObserverEvent::Finalized(block) => {
                self.metrics.ethereum_finalised.set(block.number);
                seen.finalised = Some(block);
            }
            // One answer was wrong. It is asked for again, and nobody tells when it is right.
            ObserverEvent::Alarm(ObserverAlarm::Failing { endpoint, error })
                if error.is_contradiction() =>
            {
                self.metrics.raise(
                    Alarm::EthereumFaulty,
                    format!("Ethereum endpoint {endpoint} gives a wrong answer: {error}"),
                );
            }
            ObserverEvent::Alarm(ObserverAlarm::Failing { endpoint, error }) => {
                seen.down = true;
                self.metrics.raise(
                    Alarm::EthereumDown,
                    format!(
                        "Ethereum endpoint {endpoint} fails: {error}; this node abstains until one answers"
                    ),
                );
            }
            ObserverEvent::Alarm(ObserverAlarm::Recovered { .. }) => {
                seen.down = false;
                self.metrics.clear(Alarm::EthereumDown);
            }
        }
    }

    fn watch(&self, stale_after: Option<Duration>) {
        let (Some(limit), seen) = (stale_after, *self.seen.read()) else {
            return;
        };
        let age = now().saturating_sub(seen.moved);
        if seen.head.is_some() && age > limit.as_secs() {
            self.metrics.raise(
                Alarm::EthereumStale,
                format!(
                    "Ethereum's head has not moved for more than {} s; is the Ethereum node in sync?",
                    limit.as_secs()
                ),
            );
        } else {
            self.metrics.clear(Alarm::EthereumStale);
        }
    }

    /// Takes in the head and what is wanted. Returns whether everything is there.
    async fn catch_up(&self, observer: &Observer) -> bool {
        if self.history.is_held() {
            return false;
        }
        let mut done = true;
        let head = self.seen.read().head;
        if let Some(head) = head {
            match self.fetch(observer, head.hash).await {
                Ok(()) => {
                    let mut seen = self.seen.write();
                    // An event may have come meanwhile; it brings its own catching up.
                    if seen.head == Some(head) {
                        seen.tip = Some(head);
                    }
                    self.metrics.clear(Alarm::EthereumFaulty);
                    if let Ok(Some(block)) = self.history.block(head.hash) {
                        self.metrics.router_nonce.set(block.router.nonce);
                    }
                }
                Err(error) => {
                    done = false;
                    self.failed(head.hash, &error);
                }
            }
        }
        let wanted: Vec<_> = self.wanted.read().iter().copied().collect();
        for hash in wanted {
            if let Err(error) = self.fetch(observer, hash).await {
                tracing::debug!(?hash, %error, "an Ethereum block that is wanted is not fetched yet");
            }
            // Who wants it still asks again.
            self.wanted.write().remove(&hash);
        }
        done
    }

    fn failed(&self, hash: H256, error: &FetchError) {
        match error {
            // The observer says so itself and tries again; a head that is missing has been left for another.
            FetchError::Source(
                SourceError::Unreachable(_) | SourceError::Timeout | SourceError::Missing(_),
            ) => tracing::debug!(?hash, %error, "Ethereum's head is not taken in yet"),
            FetchError::Fold(FoldError::Store(error)) => {
                self.metrics.raise(Alarm::StoreDamaged, error);
            }
            error => self.metrics.raise(
                Alarm::EthereumFaulty,
                format!("Ethereum block {hash:?} is not taken in: {error}"),
            ),
        }
    }

    /// Takes in the block and all blocks between it and what is known.
    async fn fetch(&self, observer: &Observer, hash: H256) -> Result<(), FetchError> {
        let first = self.history.first();
        let mut branch = Vec::new();
        let mut cursor = hash;
        while self
            .history
            .block(cursor)
            .map_err(FoldError::from)?
            .is_none()
        {
            let rlp = observer.header_rlp(cursor).await?;
            let header =
                EthereumHeader::decode_rlp(&rlp).map_err(|_| FetchError::Header(cursor))?;
            if header.number <= first.number {
                // A node that has not reached the first anchor yet is behind, not on another network.
                return if cursor == hash && header.number < first.number {
                    Ok(())
                } else {
                    Err(FetchError::OffBranch(hash))
                };
            }
            branch.push((header, rlp));
            cursor = header.parent;
        }
        for (header, rlp) in branch.into_iter().rev() {
            let block = observer.block(header.hash).await?;
            self.history.fold(block, &rlp)?;
        }
        Ok(())
    }
}
