//! Follows an Ethereum node: canonical heads, reorgs of any depth, gaps, outages.
//!
//! [`chain`] holds the canonical chain and is pure; [`source`] asks a node and checks its answers; here they are put
//! together into a task that never ends by itself: whatever fails is an [`Alarm`], and is tried again. After downtime it
//! is started at a block that it had reported before, and reports everything from there on, in pieces.

pub mod chain;
pub mod source;

pub use chain::{CanonicalChain, HeadChange};
pub use source::{ProvenHeader, RpcSource, Source, SourceError, Which};

use crate::convert;
use gear_exe_primitives::{
    H160, H256,
    ethereum::{BlockId, EthereumBlock, EthereumHeader},
};
use rand::Rng;
use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::sync::{mpsc, watch};

/// Canonical blocks kept below the final one.
const KEPT_BELOW_FINAL: u64 = 64;
/// Blocks that are asked for at once when many are missing.
const BACK_FILL: u64 = 32;
/// Longest pause between two attempts to reach a node.
const MAX_BACKOFF: Duration = Duration::from_secs(30);

/// What is followed, and how.
#[derive(Clone, Debug)]
pub struct ObserverConfig {
    /// URLs, HTTP or WebSocket. The first that answers is used; the next one when it fails.
    pub endpoints: Vec<String>,
    /// EIP-155 id that every endpoint must have.
    pub chain_id: u64,
    /// The Router, whose events are read.
    pub router: H160,
    /// Number of the first block to report; the head at start if `None`.
    pub start: Option<u64>,
    /// Pause between two looks at the head.
    pub poll: Duration,
    /// Longest wait for an answer.
    pub timeout: Duration,
    /// Blocks with events that are kept by hash.
    pub cache: usize,
}

impl ObserverConfig {
    /// With a look at the head each half second, ten seconds of patience, and a cache of 1,024 blocks.
    pub fn new(endpoints: Vec<String>, chain_id: u64, router: H160) -> Self {
        Self {
            endpoints,
            chain_id,
            router,
            start: None,
            poll: Duration::from_millis(500),
            timeout: Duration::from_secs(10),
            cache: 1024,
        }
    }
}

/// Something that an operator should know. The observer goes on by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Alarm {
    /// An endpoint failed. The first failure after success is reported, and each change of the reason.
    Failing {
        /// Its place in the configuration.
        endpoint: usize,
        /// Why.
        error: SourceError,
    },
    /// It works again.
    Recovered {
        /// Its place in the configuration.
        endpoint: usize,
    },
}

/// What an observer reports, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ObserverEvent {
    /// The canonical chain changed.
    Head(HeadChange),
    /// A later block is final.
    Finalized(BlockId),
    /// Something is wrong, or right again.
    Alarm(Alarm),
}

/// Asks `source` for the head and walks down to the canonical chain. `None` if the head is known.
///
/// A head that is an ancestor of the known one is a node that lags; it changes nothing. If many blocks are missing, a
/// piece of them is taken: call it again.
///
/// # Errors
///
/// [`SourceError`]; the chain is unchanged then.
pub async fn advance<S: Source>(
    source: &S,
    chain: &mut CanonicalChain,
) -> Result<Option<HeadChange>, SourceError> {
    let head = source
        .header(Which::Latest)
        .await?
        .ok_or_else(|| SourceError::Missing("latest".into()))?
        .header;
    if chain.contains(head.id()) {
        return Ok(None);
    }
    if let Some(known) = chain.head().copied()
        && head.number > known.number + BACK_FILL
    {
        let piece = back_fill(source, known.id()).await?;
        if !piece.is_empty() {
            return Ok(Some(chain.switch(piece)));
        }
    }
    let mut lowest = head;
    let mut branch = vec![head];
    while !chain.joins(&lowest) {
        lowest = source
            .header(Which::Hash(lowest.parent))
            .await?
            .ok_or_else(|| SourceError::Missing(format!("{:?}", lowest.parent)))?
            .header;
        branch.push(lowest);
    }
    branch.reverse();
    Ok(Some(chain.switch(branch)))
}

/// The next canonical blocks after `known`, asked for by number and all at once. None if `known` is canonical no more.
async fn back_fill<S: Source>(
    source: &S,
    known: BlockId,
) -> Result<Vec<EthereumHeader>, SourceError> {
    let numbers = known.number + 1..=known.number + BACK_FILL;
    let answers =
        futures::future::try_join_all(numbers.map(|number| source.header(Which::Number(number))))
            .await?;
    let mut parent = known.hash;
    Ok(answers
        .into_iter()
        .map_while(|answer| answer.map(|proven| proven.header))
        // A reorg between two answers ends the piece.
        .take_while(|header| std::mem::replace(&mut parent, header.hash) == header.parent)
        .collect())
}

/// Blocks and header bytes by hash, the newest `capacity` of each.
#[derive(Debug)]
struct Cache<T> {
    capacity: usize,
    order: VecDeque<H256>,
    items: HashMap<H256, T>,
}

impl<T: Clone> Cache<T> {
    fn new(capacity: usize) -> Self {
        Self {
            capacity: capacity.max(1),
            order: VecDeque::new(),
            items: HashMap::new(),
        }
    }

    fn get(&self, hash: &H256) -> Option<T> {
        self.items.get(hash).cloned()
    }

    fn insert(&mut self, hash: H256, item: T) {
        if self.items.insert(hash, item).is_none() {
            self.order.push_back(hash);
        }
        while self.order.len() > self.capacity {
            if let Some(oldest) = self.order.pop_front() {
                self.items.remove(&oldest);
            }
        }
    }
}

/// A handle to a running observer. It stops when the last handle and the receiver are dropped.
#[derive(Clone, Debug)]
pub struct Observer {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    config: ObserverConfig,
    events: mpsc::Sender<ObserverEvent>,
    source: watch::Receiver<Option<(usize, RpcSource)>>,
    head: watch::Receiver<Option<BlockId>>,
    finalized: watch::Receiver<Option<BlockId>>,
    blocks: Mutex<Cache<EthereumBlock>>,
    headers: Mutex<Cache<ProvenHeader>>,
    blamed: Mutex<Option<(usize, SourceError)>>,
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Observer {
    /// Starts to follow, in a task on the current tokio runtime. Reports come in order; a slow reader slows the
    /// observer down and loses nothing.
    pub fn start(config: ObserverConfig) -> (Self, mpsc::Receiver<ObserverEvent>) {
        let (events, receiver) = mpsc::channel(64);
        let (source, source_receiver) = watch::channel(None);
        let (head, head_receiver) = watch::channel(None);
        let (finalized, finalized_receiver) = watch::channel(None);
        let observer = Self {
            shared: Arc::new(Shared {
                config: config.clone(),
                events: events.clone(),
                source: source_receiver,
                head: head_receiver,
                finalized: finalized_receiver,
                blocks: Mutex::new(Cache::new(config.cache)),
                headers: Mutex::new(Cache::new(config.cache)),
                blamed: Mutex::new(None),
            }),
        };
        let follower = Follower {
            config,
            events,
            source,
            head,
            finalized,
            chain: CanonicalChain::default(),
            failing: None,
        };
        tokio::spawn(follower.run());
        (observer, receiver)
    }

    /// The canonical head, once one is known.
    pub fn head(&self) -> Option<BlockId> {
        *self.shared.head.borrow()
    }

    /// The last final block, once one is known.
    pub fn finalized(&self) -> Option<BlockId> {
        *self.shared.finalized.borrow()
    }

    /// Asks the endpoint that is followed, and the others if it has no usable answer.
    async fn ask<T, F>(&self, question: impl Fn(RpcSource) -> F) -> Result<T, SourceError>
    where
        F: Future<Output = Result<T, SourceError>>,
    {
        let config = &self.shared.config;
        let current = self.shared.source.borrow().clone();
        let mut error = SourceError::Unreachable("no endpoint answers".into());
        if let Some((endpoint, source)) = &current {
            match question(source.clone()).await {
                Ok(answer) => return Ok(answer),
                Err(found) => {
                    self.blame(*endpoint, &found);
                    error = found;
                }
            }
        }
        for (endpoint, url) in config.endpoints.iter().enumerate() {
            if current
                .as_ref()
                .is_some_and(|(index, _)| *index == endpoint)
            {
                continue;
            }
            let router = convert::address(config.router);
            let connected = RpcSource::connect(url, config.chain_id, router, config.timeout).await;
            let Ok(source) = connected else { continue };
            match question(source).await {
                Ok(answer) => return Ok(answer),
                Err(found) => self.blame(endpoint, &found),
            }
        }
        Err(error)
    }

    /// An answer that contradicts itself is worth an alarm, once.
    fn blame(&self, endpoint: usize, error: &SourceError) {
        if !error.is_contradiction() {
            return;
        }
        let blame = Some((endpoint, error.clone()));
        let before = std::mem::replace(&mut *lock(&self.shared.blamed), blame.clone());
        if before == blame {
            return;
        }
        tracing::error!(endpoint, %error, "the Ethereum node's answer is wrong");
        let alarm = Alarm::Failing {
            endpoint,
            error: error.clone(),
        };
        // A reader that is behind has it in the log.
        let _ = self.shared.events.try_send(ObserverEvent::Alarm(alarm));
    }

    async fn proven(&self, hash: H256) -> Result<ProvenHeader, SourceError> {
        if let Some(header) = lock(&self.shared.headers).get(&hash) {
            return Ok(header);
        }
        let header = self
            .ask(|source| async move {
                source
                    .header(Which::Hash(hash))
                    .await?
                    .ok_or_else(|| SourceError::Missing(format!("{hash:?}")))
            })
            .await?;
        lock(&self.shared.headers).insert(hash, header.clone());
        Ok(header)
    }

    /// RLP of the header whose Keccak-256 is `hash`.
    ///
    /// # Errors
    ///
    /// [`SourceError`] if no endpoint has it now.
    pub async fn header_rlp(&self, hash: H256) -> Result<Vec<u8>, SourceError> {
        Ok(self.proven(hash).await?.rlp)
    }

    /// The block with this hash, with the events that its receipts prove. It need not be canonical.
    ///
    /// # Errors
    ///
    /// [`SourceError`] if no endpoint has it now, or its receipts are not those of the block. Try again.
    pub async fn block(&self, hash: H256) -> Result<EthereumBlock, SourceError> {
        if let Some(block) = lock(&self.shared.blocks).get(&hash) {
            return Ok(block);
        }
        let header = self.proven(hash).await?.header;
        let block = self
            .ask(|source| async move { source.block(&header).await })
            .await?;
        lock(&self.shared.blocks).insert(hash, block.clone());
        Ok(block)
    }
}

struct Follower {
    config: ObserverConfig,
    events: mpsc::Sender<ObserverEvent>,
    source: watch::Sender<Option<(usize, RpcSource)>>,
    head: watch::Sender<Option<BlockId>>,
    finalized: watch::Sender<Option<BlockId>>,
    chain: CanonicalChain,
    failing: Option<SourceError>,
}

/// The receiver is gone.
struct Closed;

/// What a look at the head found.
enum Looked {
    Same,
    Changed,
}

impl Follower {
    async fn run(mut self) {
        let mut endpoint = 0;
        let mut failures = 0u32;
        loop {
            let result = match self.config.endpoints.get(endpoint).cloned() {
                Some(url) => self.follow(endpoint, &url, &mut failures).await,
                None => return,
            };
            let Err(error) = result else { return };
            self.source.send_replace(None);
            if self.fail(endpoint, error).await.is_err() {
                return;
            }
            endpoint = (endpoint + 1) % self.config.endpoints.len();
            failures = failures.saturating_add(1);
            let pause = self
                .config
                .poll
                .saturating_mul(1 << failures.min(10))
                .min(MAX_BACKOFF);
            let pause = pause.mul_f64(rand::rng().random_range(0.5..1.0));
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = self.events.closed() => return,
            }
        }
    }

    /// Follows one endpoint until it fails (`Err`) or nobody listens any more (`Ok`).
    async fn follow(
        &mut self,
        endpoint: usize,
        url: &str,
        failures: &mut u32,
    ) -> Result<(), SourceError> {
        let router = convert::address(self.config.router);
        let source =
            RpcSource::connect(url, self.config.chain_id, router, self.config.timeout).await?;
        self.source.send_replace(Some((endpoint, source.clone())));
        loop {
            let looked = self.look(&source).await?;
            *failures = 0;
            if self.failing.take().is_some() {
                tracing::info!(endpoint, "the Ethereum node answers again");
                let recovered = ObserverEvent::Alarm(Alarm::Recovered { endpoint });
                if self.events.send(recovered).await.is_err() {
                    return Ok(());
                }
            }
            match looked {
                Err(Closed) => return Ok(()),
                // There may be more.
                Ok(Looked::Changed) => continue,
                Ok(Looked::Same) => {}
            }
            tokio::select! {
                () = tokio::time::sleep(self.config.poll) => {}
                () = self.events.closed() => return Ok(()),
            }
        }
    }

    async fn look<S: Source>(&mut self, source: &S) -> Result<Result<Looked, Closed>, SourceError> {
        if let (None, Some(start)) = (self.chain.head(), self.config.start) {
            let first = source
                .header(Which::Number(start))
                .await?
                .ok_or_else(|| SourceError::Missing(start.to_string()))?;
            let change = self.chain.switch(vec![first.header]);
            if self.report(change).await.is_err() {
                return Ok(Err(Closed));
            }
        }
        let mut looked = Looked::Same;
        if let Some(change) = advance(source, &mut self.chain).await? {
            if self.report(change).await.is_err() {
                return Ok(Err(Closed));
            }
            looked = Looked::Changed;
        }
        // A young chain has no final block: some nodes answer with an error then, others with nothing.
        if let Ok(Some(finalized)) = source.header(Which::Finalized).await {
            let id = finalized.header.id();
            let later = self
                .finalized
                .borrow()
                .is_none_or(|before| before.number < id.number);
            // While blocks are filled in, the final one may not have been reported yet.
            let reported = self.chain.contains(id)
                || self
                    .chain
                    .first_number()
                    .is_some_and(|first| id.number < first);
            if later && reported {
                self.finalized.send_replace(Some(id));
                self.chain.prune(id.number.saturating_sub(KEPT_BELOW_FINAL));
                let event = ObserverEvent::Finalized(id);
                if self.events.send(event).await.is_err() {
                    return Ok(Err(Closed));
                }
            }
        }
        Ok(Ok(looked))
    }

    async fn report(&mut self, change: HeadChange) -> Result<(), Closed> {
        if !change.reverted.is_empty() {
            tracing::warn!(depth = change.reverted.len(), "Ethereum reorganised");
        }
        self.head
            .send_replace(change.added.last().map(|header| header.id()));
        self.events
            .send(ObserverEvent::Head(change))
            .await
            .map_err(|_| Closed)
    }

    async fn fail(&mut self, endpoint: usize, error: SourceError) -> Result<(), Closed> {
        if self.failing.as_ref() == Some(&error) {
            return Ok(());
        }
        tracing::error!(endpoint, %error, "the Ethereum node fails");
        self.failing = Some(error.clone());
        self.events
            .send(ObserverEvent::Alarm(Alarm::Failing { endpoint, error }))
            .await
            .map_err(|_| Closed)
    }
}

#[cfg(test)]
mod tests;
