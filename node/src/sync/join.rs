//! Gets what the executor service lacks: the state after a later round, single objects, codes; and bodies of batches that
//! relayers may ask this node for.
//!
//! A round is taken if a quorum of the validators that the chain names at its block has certified it, and if anchor and
//! parts are those that were signed; its state by its root, object by object, each named by its hash, from several peers at a
//! time. What was taken is on disk: after a restart it goes on where it was. Nothing that a peer says is believed.

use super::{
    client::{Client, Object},
    demands::{Demands, Wants},
    protocol::{MAX_WANTED, Offer},
};
use crate::{
    codes::Codes,
    ethereum_service::EthereumService,
    executor_service::{
        chain::ChainError, finality::Finality, records::RoundRecord, worker::Worker,
    },
    metrics::Alarm,
    store::{BATCHES, Store, StoreError, delete, put},
};
use futures::future::join_all;
use gear_exe_executor::{Progress, SnapshotError};
use gear_exe_primitives::{
    CodeId, H256,
    batch::{AppliedBatch, RouterDomain},
    proof::Kind,
    round::ChainBlock,
    runtime_api::RoundFacts,
};
use parking_lot::Mutex;
use std::{
    collections::VecDeque,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};
use tokio::sync::Notify;

/// Pause before something that nobody had is asked for again.
const PAUSE: Duration = Duration::from_secs(1);
/// How long a state is looked for in vain before what can be executed is.
const PATIENCE: Duration = Duration::from_secs(20);
/// Rounds that are asked for: the best one, and those before it.
const CANDIDATES: usize = 8;
/// Peers that are asked for objects at a time.
const PEERS: usize = 4;
/// Objects that are asked of one peer at a time.
const OBJECTS: usize = 256;
/// Times that a damaged object is asked for in vain before a later state is taken, which does not need it.
const IN_VAIN: u32 = 8;
/// Bodies of batches that are fetched and kept at a time.
const FETCHED: usize = 64;
/// Pause between two lines about the progress.
const TELL: Duration = Duration::from_secs(5);

const _: () = assert!(OBJECTS <= MAX_WANTED);

/// Digests of batches that relayers may ask for.
pub type ReadyBatches = Arc<dyn Fn() -> Vec<H256> + Send + Sync>;

/// What joining works with.
pub struct Parts {
    /// The records, and the executor.
    pub worker: Arc<Worker>,
    /// What is final.
    pub finality: Arc<dyn Finality>,
    /// Ethereum.
    pub ethereum: Arc<EthereumService>,
    /// Whom to tell of codes.
    pub codes: Arc<Codes>,
    /// Bodies of batches.
    pub store: Arc<Store>,
    /// What is wanted.
    pub demands: Arc<Demands>,
    /// Wakes the executor service.
    pub wake: Arc<Notify>,
    /// The Router.
    pub domain: RouterDomain,
    /// Genesis hash of the chain.
    pub genesis: H256,
    /// What relayers may ask for.
    pub ready: ReadyBatches,
}

/// Why a state is not taken now.
#[derive(Debug, thiserror::Error)]
pub enum JoinError {
    /// Nobody has what is needed.
    #[error("no peer offers a certified round with its state")]
    NoOffer,
    /// Ethereum is not as far as the round.
    #[error("what the Router holds at Ethereum block {0:?} is not known to this node yet")]
    Ethereum(H256),
    /// No peer has the objects that are due.
    #[error("no peer has {0:?} of the state")]
    NoObjects(H256),
    /// The executor's store.
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    /// The node's store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The chain.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// The node ends.
    #[error("the node ends")]
    Ends,
}

/// A certified round whose state can be taken.
struct Found {
    block: ChainBlock,
    parent: H256,
    facts: RoundFacts,
    router: AppliedBatch,
    state: H256,
}

/// Gets what is lacking.
pub struct Joiner {
    parts: Parts,
    client: Client,
    /// Since when a state is looked for in vain.
    since: Mutex<Option<Instant>>,
    /// How often an object was asked for in vain.
    vain: Mutex<u32>,
    /// Batches that were fetched, oldest first: nobody else forgets them.
    fetched: Mutex<VecDeque<H256>>,
}

impl Joiner {
    /// By asking with `client`.
    pub fn new(parts: Parts, client: Client) -> Arc<Self> {
        Arc::new(Self {
            parts,
            client,
            since: Mutex::default(),
            vain: Mutex::default(),
            fetched: Mutex::default(),
        })
    }

    /// Gets what is lacking until the node ends.
    pub async fn run(self: Arc<Self>) {
        let mut tick = tokio::time::interval(PAUSE);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                wants = self.parts.demands.take() => {
                    self.serve(wants).await;
                    // What is still lacking is said again.
                    self.parts.wake.notify_one();
                    tick.tick().await;
                }
                _ = tick.tick() => self.fetch_batches().await,
            }
        }
    }

    /// Gets what is wanted, as far as somebody has it.
    pub async fn serve(&self, wants: Wants) {
        let mut floor = wants.floor;
        for hash in wants.objects {
            if self.mend(hash).await {
                *self.vain.lock() = 0;
            } else if !self.client.peers().await.is_empty() {
                let mut vain = self.vain.lock();
                *vain += 1;
                // Nobody keeps a state with it any more.
                if *vain >= IN_VAIN {
                    floor = Some(self.parts.finality.finalised());
                }
            }
        }
        for code in wants.codes {
            self.fetch_code(code).await;
        }
        if !wants.far && floor.is_none() || self.client.is_syncing().await {
            return;
        }
        match self.join(floor).await {
            Ok(block) => {
                *self.since.lock() = None;
                *self.vain.lock() = 0;
                tracing::info!(
                    round = block.number, block = ?block.hash,
                    "the state after a certified round was taken from other nodes"
                );
            }
            Err(JoinError::Ends) => {}
            Err(error) => self.failed(&error, floor.is_some()),
        }
    }

    fn failed(&self, error: &JoinError, floor: bool) {
        tracing::info!(%error, "the state of a later round is not taken yet");
        if let JoinError::Snapshot(SnapshotError::Store(_)) | JoinError::Store(_) = error {
            self.parts.worker.metrics.raise(Alarm::StoreDamaged, error);
        }
        let since = *self.since.lock().get_or_insert_with(Instant::now);
        if since.elapsed() < PATIENCE {
            return;
        }
        self.parts.ethereum.history().release();
        // What lies below a floor, or before a node has joined, cannot be executed however long one waits.
        if !floor && self.parts.worker.can_replay() {
            tracing::warn!(
                "nobody has offered a state: what this node has the blocks for is executed"
            );
            let replay = &self.parts.worker.joining.replay;
            replay.store(true, Ordering::Relaxed);
        }
    }

    /// Takes over the state after a later round; one not before `floor` if that is given.
    async fn join(&self, floor: Option<ChainBlock>) -> Result<ChainBlock, JoinError> {
        let found = self.find(floor).await?;
        let Found { block, state, .. } = found;
        tracing::info!(
            round = block.number,
            ?state,
            "taking the state after a certified round from other nodes"
        );
        if !state.is_zero() {
            self.import(state).await?;
        }
        let record = RoundRecord::taken(block, found.parent, found.facts, found.router, state);
        self.parts.worker.records.keep(&record)?;
        self.parts.worker.metrics.taken_round.set(block.number);
        Ok(block)
    }

    /// A round that a peer offers and that can be built upon.
    async fn find(&self, floor: Option<ChainBlock>) -> Result<Found, JoinError> {
        let worker = &self.parts.worker;
        let first = match floor {
            Some(_) => self.parts.finality.finalised(),
            None => worker.join_target().ok_or(JoinError::NoOffer)?,
        };
        let lowest = floor.map_or(1, |floor| floor.number);
        let (mut cursor, mut lacks) = (first.hash, JoinError::NoOffer);
        for _ in 0..CANDIDATES {
            // Below the oldest block whose state is kept there is nothing to find.
            let (Ok(place), Ok(facts)) = (worker.chain.place(cursor), worker.facts(cursor)) else {
                break;
            };
            if place.block.number < lowest {
                break;
            }
            match self.router(place.block, &facts) {
                Ok(router) => {
                    let judge = |offer: &Offer| self.judge(place.block, &facts, offer);
                    if let Some(offer) = self.client.round(cursor, judge).await {
                        return Ok(Found {
                            block: place.block,
                            parent: place.parent,
                            facts,
                            router,
                            state: offer.state,
                        });
                    }
                }
                Err(error) => lacks = error,
            }
            cursor = place.parent;
        }
        Err(lacks)
    }

    /// What the Router holds at the anchor of a block: as this node has seen it, or as a quorum of views says.
    fn router(&self, block: ChainBlock, facts: &RoundFacts) -> Result<AppliedBatch, JoinError> {
        let history = self.parts.ethereum.history();
        if let Some(seen) = history.block(facts.anchor.hash)? {
            history.release();
            return Ok(seen.router);
        }
        let agreed = self.parts.finality.router_at(block.hash)?;
        if agreed.block == facts.anchor.id() {
            history.adopt(facts.anchor, agreed.batch)?;
            return Ok(agreed.batch);
        }
        self.parts.ethereum.want(facts.anchor.hash);
        Err(JoinError::Ethereum(facts.anchor.hash))
    }

    /// What is wrong with an offer of the round of `block`; false if this node cannot say.
    fn judge(&self, block: ChainBlock, facts: &RoundFacts, offer: &Offer) -> Result<bool, String> {
        let Ok(set) = self.parts.finality.set_at(block.hash) else {
            return Ok(false);
        };
        let statement = offer.certificate.statement;
        // A quorum of another set may have signed before it knew better: that certifies nothing.
        if statement.set_id != set.id {
            return Ok(false);
        }
        if statement.block_number != block.number || statement.anchor != facts.anchor.id() {
            return Err("a certificate is of another number or anchor than its block".into());
        }
        let verified =
            offer
                .certificate
                .verify(self.parts.genesis, &self.parts.domain, &set.members);
        verified
            .map(|()| true)
            .map_err(|error| format!("a certificate does not verify: {error:?}"))
    }

    /// Gets the state behind a root.
    pub async fn import(&self, root: H256) -> Result<(), JoinError> {
        let (mut due, mut told) = (self.take(root, Vec::new()).await?.1, Instant::now());
        let mut failures = 0;
        while !due.is_empty() {
            let peers = self.client.peers().await;
            let parts = due.chunks(OBJECTS).zip(peers.iter().take(PEERS));
            let asked = parts.map(|(part, peer)| self.client.objects(*peer, part));
            let came: Vec<Object> = join_all(asked).await.into_iter().flatten().collect();
            if came.is_empty() {
                failures += 1;
                if failures > PATIENCE.as_secs() {
                    let next = due.first().map(|(_, hash)| *hash);
                    return Err(JoinError::NoObjects(next.unwrap_or_default()));
                }
                tokio::time::sleep(PAUSE).await;
                continue;
            }
            failures = 0;
            let metrics = &self.parts.worker.metrics;
            metrics.objects_taken.inc_by(came.len() as u64);
            let (progress, next) = self.take(root, came).await?;
            due = next;
            if told.elapsed() > TELL {
                told = Instant::now();
                tracing::info!(
                    ?root,
                    objects = progress.objects,
                    bytes = progress.bytes,
                    "a state is being taken from other nodes"
                );
            }
        }
        let executor = self.parts.worker.executor.clone();
        let finished = tokio::task::spawn_blocking(move || {
            let finished = executor.importer(root)?.finish();
            if finished.is_err() {
                // What it counted on is gone: it is begun anew.
                executor.drop_import()?;
            }
            finished
        });
        Ok(finished.await.map_err(|_| JoinError::Ends)??)
    }

    /// Takes objects of a state, and says what is due next.
    async fn take(
        &self,
        root: H256,
        objects: Vec<Object>,
    ) -> Result<(Progress, Vec<(Kind, H256)>), JoinError> {
        let executor = self.parts.worker.executor.clone();
        let taken = tokio::task::spawn_blocking(move || {
            let mut import = executor.importer(root)?;
            if !objects.is_empty() {
                import.take(&objects)?;
            }
            Ok::<_, SnapshotError>((import.progress(), import.due(OBJECTS * PEERS)))
        });
        Ok(taken.await.map_err(|_| JoinError::Ends)??)
    }

    /// Puts an object back that is damaged. Returns whether somebody had it.
    pub async fn mend(&self, hash: H256) -> bool {
        let Some((tag, bytes)) = self.client.object(hash).await else {
            tracing::warn!(object = ?hash, "no peer has an object that is damaged here; it is asked for again");
            return false;
        };
        let executor = self.parts.worker.executor.clone();
        let put = tokio::task::spawn_blocking(move || executor.restore(hash, tag, bytes)).await;
        match put {
            Ok(Ok(())) => {
                self.parts.worker.metrics.objects_mended.inc();
                tracing::info!(object = ?hash, "a damaged object of the store was mended from another node");
                true
            }
            Ok(Err(error)) => {
                self.parts.worker.metrics.raise(Alarm::StoreDamaged, error);
                false
            }
            Err(_) => false,
        }
    }

    /// Gets a code that the chain has accepted, and that a round needs.
    async fn fetch_code(&self, code: CodeId) {
        let Some(wasm) = self.client.code(code).await else {
            return;
        };
        let executor = self.parts.worker.executor.clone();
        let added = tokio::task::spawn_blocking(move || executor.add_code(&wasm)).await;
        match added {
            Ok(Ok(code)) => {
                self.parts.worker.metrics.objects_taken.inc();
                tracing::info!(%code, "a code was taken from another node");
                self.parts.codes.came(code);
            }
            Ok(Err(error)) => {
                tracing::warn!(%code, %error, "a code that the chain has accepted is refused here");
            }
            Err(_) => {}
        }
    }

    /// Bodies of batches that this node has not built: it has joined later, or lags.
    async fn fetch_batches(&self) {
        for digest in (self.parts.ready)() {
            if !matches!(self.parts.store.contains(BATCHES, digest), Ok(false)) {
                continue;
            }
            if let Some(batch) = self.client.batch(digest, &self.parts.domain).await {
                tracing::info!(
                    ?digest,
                    nonce = batch.header.nonce,
                    "the body of a batch was taken from another node"
                );
                let old = {
                    let mut fetched = self.fetched.lock();
                    fetched.push_back(digest);
                    (fetched.len() > FETCHED).then(|| fetched.pop_front())
                };
                let changes = [put(BATCHES, digest, &batch)].into_iter();
                let old = old.flatten().map(|old| delete(BATCHES, old));
                let kept = self.parts.store.apply(changes.chain(old));
                if let Err(error) = kept {
                    self.parts.worker.metrics.raise(Alarm::StoreDamaged, error);
                }
            }
        }
    }
}
