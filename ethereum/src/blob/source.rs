//! Where blobs are fetched: the REST API of a beacon node, or Anvil's small part of it.

use super::{BlobError, verify};
use crate::convert::b256;
use alloy::{eips::eip4844::Blob, primitives::hex, transports::http::reqwest};
use gear_exe_primitives::{CodeId, H256, ethereum::EthereumHeader};
use serde_json::Value;
use std::{collections::BTreeSet, sync::Arc, time::Duration};
use tokio::sync::OnceCell;

/// Longest answer that is read, in bytes: a block's blobs in hex, several times over.
const MAX_ANSWER: usize = 32 << 20;

/// An endpoint that serves blobs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BlobEndpoint {
    /// A beacon node: blocks are named by slot, which follows from a block's time.
    Beacon(String),
    /// Anvil: blocks are named by the hash of the execution block.
    Anvil(String),
}

impl BlobEndpoint {
    fn url(&self) -> &str {
        match self {
            Self::Beacon(url) | Self::Anvil(url) => url.trim_end_matches('/'),
        }
    }
}

/// When slots are: seconds of the genesis and of a slot.
#[derive(Clone, Copy, Debug)]
struct SlotClock {
    genesis: u64,
    slot: u64,
}

impl SlotClock {
    fn slot_of(self, timestamp: u64) -> Option<u64> {
        timestamp.checked_sub(self.genesis)?.checked_div(self.slot)
    }
}

/// Fetches blobs, from the first endpoint that has them.
#[derive(Clone, Debug)]
pub struct BlobSource {
    http: reqwest::Client,
    endpoints: Arc<[(BlobEndpoint, OnceCell<SlotClock>)]>,
    timeout: Duration,
}

fn unavailable(error: impl std::fmt::Display) -> BlobError {
    BlobError::NotAvailable(error.to_string())
}

impl BlobSource {
    /// A source over `endpoints`, with `timeout` for each answer. Nothing is asked yet.
    pub fn new(endpoints: Vec<BlobEndpoint>, timeout: Duration) -> Self {
        Self {
            http: reqwest::Client::new(),
            endpoints: endpoints
                .into_iter()
                .map(|endpoint| (endpoint, OnceCell::new()))
                .collect(),
            timeout,
        }
    }

    /// The code `code_id` that was announced in `block` with the versioned hashes `hashes`.
    ///
    /// # Errors
    ///
    /// [`BlobError::NotAvailable`] if no endpoint has the blobs now: try again, or ask other validators.
    /// [`BlobError::Invalid`] if the blobs are there and are not that code.
    pub async fn code(
        &self,
        block: &EthereumHeader,
        code_id: CodeId,
        hashes: &[H256],
    ) -> Result<Vec<u8>, BlobError> {
        let mut last = unavailable("no endpoint is configured");
        for (endpoint, clock) in self.endpoints.iter() {
            let fetched =
                tokio::time::timeout(self.timeout, self.fetch(endpoint, clock, block, hashes))
                    .await
                    .unwrap_or_else(|_| Err(unavailable("no answer in time")));
            match fetched.and_then(|blobs| verify(code_id, hashes, blobs)) {
                Err(BlobError::NotAvailable(reason)) => {
                    tracing::debug!(url = endpoint.url(), %reason, "blobs are not available");
                    last = BlobError::NotAvailable(format!("{}: {reason}", endpoint.url()));
                }
                answer => return answer,
            }
        }
        Err(last)
    }

    async fn fetch(
        &self,
        endpoint: &BlobEndpoint,
        clock: &OnceCell<SlotClock>,
        block: &EthereumHeader,
        hashes: &[H256],
    ) -> Result<Vec<Blob>, BlobError> {
        let url = endpoint.url();
        let id = match endpoint {
            BlobEndpoint::Anvil(_) => format!("{:?}", block.hash),
            BlobEndpoint::Beacon(_) => clock
                .get_or_try_init(|| self.slot_clock(url))
                .await?
                .slot_of(block.timestamp)
                .ok_or_else(|| unavailable("the block is older than the beacon chain"))?
                .to_string(),
        };
        let filter: BTreeSet<_> = hashes.iter().map(|hash| b256(*hash).to_string()).collect();
        let wanted = filter.len();
        let filter: Vec<_> = filter.into_iter().collect();
        let plain = format!("{url}/eth/v1/beacon/blobs/{id}");
        let filtered = format!("{plain}?versioned_hashes={}", filter.join(","));
        let found = match self.get(&filtered).await {
            Ok(answer) => read_blobs(&answer, |item| item.as_str()),
            Err(error) => Err(error),
        };
        if let Ok(blobs) = &found
            && blobs.len() >= wanted
        {
            return found;
        }
        // Nodes differ in how they read a list of hashes: all blobs of the block, then.
        if found.is_ok() {
            let answer = self.get(&plain).await?;
            return read_blobs(&answer, |item| item.as_str());
        }
        // A node of before Fulu knows only the sidecars.
        let sidecars = format!("{url}/eth/v1/beacon/blob_sidecars/{id}");
        match self.get(&sidecars).await {
            Ok(answer) => read_blobs(&answer, |item| item.get("blob")?.as_str()),
            Err(_) => found,
        }
    }

    async fn slot_clock(&self, url: &str) -> Result<SlotClock, BlobError> {
        let genesis = self.get(&format!("{url}/eth/v1/beacon/genesis")).await?;
        let spec = self.get(&format!("{url}/eth/v1/config/spec")).await?;
        let number = |answer: &Value, name: &str| {
            let text = answer["data"][name].as_str()?;
            text.parse::<u64>().ok().filter(|number| *number > 0)
        };
        let silent = |name| unavailable(format!("the beacon node does not say its {name}"));
        Ok(SlotClock {
            genesis: number(&genesis, "genesis_time").ok_or_else(|| silent("genesis_time"))?,
            // The second is the name of the future.
            slot: number(&spec, "SECONDS_PER_SLOT")
                .or_else(|| Some(number(&spec, "SLOT_DURATION_MS")? / 1_000))
                .filter(|slot| *slot > 0)
                .ok_or_else(|| silent("SECONDS_PER_SLOT"))?,
        })
    }

    async fn get(&self, url: &str) -> Result<Value, BlobError> {
        let mut response = self.http.get(url).send().await.map_err(unavailable)?;
        if !response.status().is_success() {
            return Err(unavailable(format!(
                "the node answers {}",
                response.status()
            )));
        }
        let mut body = Vec::new();
        while let Some(part) = response.chunk().await.map_err(unavailable)? {
            body.extend_from_slice(&part);
            if body.len() > MAX_ANSWER {
                return Err(unavailable("the answer is too long"));
            }
        }
        serde_json::from_slice(&body).map_err(unavailable)
    }
}

fn read_blobs(
    answer: &Value,
    text: impl Fn(&Value) -> Option<&str>,
) -> Result<Vec<Blob>, BlobError> {
    let list = answer["data"]
        .as_array()
        .ok_or_else(|| unavailable("the answer has no list of blobs"))?;
    list.iter()
        .map(|item| {
            let bytes = text(item).and_then(|text| hex::decode(text).ok());
            bytes
                .and_then(|bytes| Blob::try_from(bytes.as_slice()).ok())
                .ok_or_else(|| unavailable("the answer holds something else than blobs"))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_follow_from_time() {
        let clock = SlotClock {
            genesis: 1_606_824_023,
            slot: 12,
        };
        assert_eq!(clock.slot_of(1_606_824_023), Some(0));
        assert_eq!(clock.slot_of(1_606_824_046), Some(1));
        assert_eq!(clock.slot_of(1_606_824_022), None);
    }

    #[test]
    fn answers_of_both_kinds() {
        let blob = format!("0x{}", "00".repeat(131_072));
        let plain = serde_json::json!({ "data": [blob] });
        assert_eq!(
            read_blobs(&plain, |item| item.as_str()),
            Ok(vec![Blob::ZERO])
        );
        let sidecars = serde_json::json!({ "data": [{ "index": "0", "blob": blob }] });
        assert_eq!(
            read_blobs(&sidecars, |item| item.get("blob")?.as_str()),
            Ok(vec![Blob::ZERO])
        );
        assert!(read_blobs(&sidecars, |item| item.as_str()).is_err());
        assert!(read_blobs(&serde_json::json!({}), |item| item.as_str()).is_err());
    }
}
