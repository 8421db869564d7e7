//! Addresses of Ethereum nodes: one is asked, and the next one takes over when it fails or falls behind.
//!
//! Everything of one view comes from one node; the driver changes it only between turns. None is trusted with more than
//! liveness: each has to be on the batches' network before it is asked anything else, and the pipeline's state is
//! compared with what the new one says as after a reorg.

use crate::{ethereum::EthereumError, words::shown};
use alloy::providers::{DynProvider, Provider, ProviderBuilder};
use std::{
    sync::atomic::{AtomicU64, AtomicUsize, Ordering},
    time::Duration,
};
use tokio::sync::Mutex;

/// A node is behind if another has so many blocks more: fewer are the way of the news.
const LAG: u64 = 3;

/// Nodes, and which one is asked.
#[derive(Debug)]
pub(crate) struct Endpoints {
    urls: Vec<String>,
    timeout: Duration,
    current: AtomicUsize,
    /// Chain id of the batches' network; 0 as long as it is not known.
    network: AtomicU64,
    /// Number of the head of the one that is asked.
    head: AtomicU64,
    /// One that was found well ahead of it.
    better: AtomicUsize,
    provider: Mutex<Option<DynProvider>>,
}

/// Of [`Endpoints::better`].
const NONE: usize = usize::MAX;

impl Endpoints {
    /// Nothing is sent before something is asked.
    pub(crate) fn new(urls: Vec<String>, timeout: Duration) -> Self {
        Self {
            urls,
            timeout,
            current: AtomicUsize::new(0),
            network: AtomicU64::new(0),
            head: AtomicU64::new(0),
            better: AtomicUsize::new(NONE),
            provider: Mutex::new(None),
        }
    }

    /// From now on only nodes of this network are asked.
    pub(crate) fn require(&self, network: u64) {
        self.network.store(network, Ordering::Relaxed);
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.urls.len()
    }

    /// Place of the one that is asked, from 0.
    pub(crate) fn current(&self) -> usize {
        self.current.load(Ordering::Relaxed)
    }

    fn url(&self, index: usize) -> &str {
        self.urls.get(index).map_or("", String::as_str)
    }

    /// What is wrong with the node that is asked.
    pub(crate) fn unreachable(&self, error: &impl std::fmt::Display) -> EthereumError {
        unreachable(self.url(self.current()), error)
    }

    /// The node that is asked, connected.
    pub(crate) async fn provider(&self) -> Result<DynProvider, EthereumError> {
        let mut slot = self.provider.lock().await;
        if let Some(provider) = slot.as_ref() {
            return Ok(provider.clone());
        }
        let provider = self.connect(self.current()).await?;
        *slot = Some(provider.clone());
        Ok(provider)
    }

    async fn connect(&self, index: usize) -> Result<DynProvider, EthereumError> {
        let url = self.url(index);
        let connect = ProviderBuilder::new()
            .disable_recommended_fillers()
            .connect(url);
        let provider = tokio::time::timeout(self.timeout, connect)
            .await
            .map_err(|_| EthereumError::Timeout("the connection"))?
            .map_err(|error| unreachable(url, &error))?
            .erased();
        let network = self.network.load(Ordering::Relaxed);
        // With one node, the set-up has compared it.
        if network != 0 && self.count() > 1 {
            let found = tokio::time::timeout(self.timeout, provider.get_chain_id())
                .await
                .map_err(|_| EthereumError::Timeout("eth_chainId"))?
                .map_err(|error| unreachable(url, &error))?;
            if found != network {
                return Err(EthereumError::Refused {
                    what: "the batches' network",
                    reason: format!("{} is on chain {found}, not {network}", shown(url)),
                });
            }
        }
        Ok(provider)
    }

    /// Connects anew at the next question: a WebSocket that ended does not come back by itself.
    pub(crate) async fn disconnect(&self) {
        self.provider.lock().await.take();
    }

    /// The next one is asked from now on.
    pub(crate) async fn switch(&self) {
        if self.count() > 1 {
            self.go((self.current() + 1) % self.count()).await;
        }
    }

    async fn go(&self, index: usize) {
        let mut slot = self.provider.lock().await;
        let before = self.current.swap(index, Ordering::Relaxed);
        *slot = None;
        self.better.store(NONE, Ordering::Relaxed);
        tracing::warn!(
            from = shown(self.url(before)),
            to = shown(self.url(index)),
            "another Ethereum node is asked from now on"
        );
    }

    /// The node that is asked has this head.
    pub(crate) fn note_head(&self, number: u64) {
        self.head.store(number, Ordering::Relaxed);
    }

    /// Goes to the node that [`Self::compare`] found well ahead, if it found one.
    pub(crate) async fn take_better(&self) {
        let better = self.better.swap(NONE, Ordering::Relaxed);
        if better < self.count() && better != self.current() {
            self.go(better).await;
        }
    }

    /// Compares the head with those of the other nodes, and notes the one that is furthest if this one is behind.
    pub(crate) async fn compare(&self) {
        let mut best = None;
        for index in (0..self.count()).filter(|index| *index != self.current()) {
            let ask = async {
                let provider = self.connect(index).await?;
                tokio::time::timeout(self.timeout, provider.get_block_number())
                    .await
                    .map_err(|_| EthereumError::Timeout("eth_blockNumber"))?
                    .map_err(|error| unreachable(self.url(index), &error))
            };
            match ask.await {
                Ok(number) if best.is_none_or(|(_, most)| number > most) => {
                    best = Some((index, number));
                }
                Ok(_) => {}
                // Somebody has to correct the list.
                Err(error @ EthereumError::Refused { .. }) => {
                    tracing::warn!(%error, "a node in reserve is of no use");
                }
                Err(error) => tracing::debug!(%error, "a node in reserve does not answer"),
            }
        }
        // Read last: the others took their time to answer.
        let head = self.head.load(Ordering::Relaxed);
        if let Some((index, number)) = best
            && number >= head.saturating_add(LAG)
        {
            tracing::warn!(head, other = number, "the Ethereum node has fallen behind");
            self.better.store(index, Ordering::Relaxed);
        }
    }
}

fn unreachable(url: &str, error: &impl std::fmt::Display) -> EthereumError {
    EthereumError::Unreachable {
        url: shown(url),
        // A transport's error may quote the address.
        reason: error.to_string().replace(url, &shown(url)),
    }
}
