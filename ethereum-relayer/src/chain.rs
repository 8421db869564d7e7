//! What the relayer asks of the chain: the batches that a quorum has signed, at finalised blocks only, and their
//! bodies.
//!
//! [`Chain`] is the seam: [`RpcChain`] asks a node over WebSocket and reconnects by itself.

use codec::Decode;
use gear_exe_primitives::{
    H256,
    batch::{Batch, RouterDomain},
    report::ReadyBatch,
};
use jsonrpsee::{
    core::client::{ClientT, Error as RpcError, Subscription, SubscriptionClientT},
    rpc_params,
    ws_client::{PingConfig, WsClient, WsClientBuilder},
};
use serde::de::IgnoredAny;
use std::{future::Future, sync::Arc, time::Duration};
use tokio::sync::Mutex;

/// Room for a batch's body in hex, many times over.
const MAX_RESPONSE: u32 = 16 << 20;

/// Why the chain did not answer. All are retried.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChainError {
    /// The node cannot be reached.
    #[error("the chain's node at {url} does not answer: {reason}")]
    Unreachable {
        /// Its address.
        url: String,
        /// Why.
        reason: String,
    },
    /// It took too long.
    #[error("the chain's node at {0} did not answer in time")]
    Timeout(String),
    /// It refused.
    #[error("the chain's node refuses {method}: {reason}")]
    Refused {
        /// What was asked.
        method: String,
        /// Why.
        reason: String,
    },
    /// Its answer does not read: node and relayer are of different versions.
    #[error(
        "the answer to {method} does not read ({reason}): are node and relayer of one version?"
    )]
    Malformed {
        /// What was asked.
        method: String,
        /// Why.
        reason: String,
    },
}

impl ChainError {
    /// Its class, for metrics.
    pub const fn class(&self) -> &'static str {
        match self {
            Self::Unreachable { .. } => "unreachable",
            Self::Timeout(_) => "timeout",
            Self::Refused { .. } => "refused",
            Self::Malformed { .. } => "malformed",
        }
    }
}

/// Which chain it is, and where it settles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Its genesis hash.
    pub genesis: H256,
    /// The Router that it settles on; nothing if its genesis names none yet.
    pub domain: Option<RouterDomain>,
}

/// Where signed batches come from.
pub trait Chain: Send + Sync + 'static {
    /// Which chain it is, as of the last finalised block.
    fn identity(&self) -> impl Future<Output = Result<Identity, ChainError>> + Send;

    /// Signed batches that the Router does not hold, as of the last finalised block, oldest seal first.
    fn ready(&self) -> impl Future<Output = Result<Vec<ReadyBatch>, ChainError>> + Send;

    /// The batch with this digest; nothing if the node has not built it (yet).
    fn body(&self, digest: H256) -> impl Future<Output = Result<Option<Batch>, ChainError>> + Send;

    /// Returns when another block may be final. May never return; callers ask from time to time anyway.
    fn changed(&self) -> impl Future<Output = ()> + Send;
}

impl<C: Chain> Chain for Arc<C> {
    async fn identity(&self) -> Result<Identity, ChainError> {
        (**self).identity().await
    }

    async fn ready(&self) -> Result<Vec<ReadyBatch>, ChainError> {
        (**self).ready().await
    }

    async fn body(&self, digest: H256) -> Result<Option<Batch>, ChainError> {
        (**self).body(digest).await
    }

    async fn changed(&self) {
        (**self).changed().await;
    }
}

/// A node, over WebSocket.
#[derive(Debug)]
pub struct RpcChain {
    url: String,
    timeout: Duration,
    connection: Mutex<Option<Arc<Connection>>>,
}

#[derive(Debug)]
struct Connection {
    client: WsClient,
    heads: Mutex<Subscription<IgnoredAny>>,
}

impl RpcChain {
    /// A node at `url` (`ws://…` or `wss://…`). Nothing is sent before something is asked.
    pub fn new(url: impl Into<String>, timeout: Duration) -> Self {
        Self {
            url: url.into(),
            timeout,
            connection: Mutex::new(None),
        }
    }

    fn unreachable(&self, error: &impl std::fmt::Display) -> ChainError {
        ChainError::Unreachable {
            url: self.url.clone(),
            reason: error.to_string(),
        }
    }

    async fn connection(&self) -> Result<Arc<Connection>, ChainError> {
        let mut slot = self.connection.lock().await;
        if let Some(connection) = slot.as_ref()
            && connection.client.is_connected()
        {
            return Ok(connection.clone());
        }
        *slot = None;
        let connect = async {
            let client = WsClientBuilder::default()
                .connection_timeout(self.timeout)
                .request_timeout(self.timeout)
                .max_response_size(MAX_RESPONSE)
                .enable_ws_ping(PingConfig::new())
                .build(&self.url)
                .await?;
            let heads = client
                .subscribe(
                    "chain_subscribeFinalizedHeads",
                    rpc_params![],
                    "chain_unsubscribeFinalizedHeads",
                )
                .await?;
            Ok(Connection {
                client,
                heads: Mutex::new(heads),
            })
        };
        let connection = tokio::time::timeout(self.timeout, connect)
            .await
            .map_err(|_| ChainError::Timeout(self.url.clone()))?
            .map_err(|error: RpcError| self.unreachable(&error))?;
        tracing::info!(url = self.url, "connected to the chain's node");
        let connection = Arc::new(connection);
        *slot = Some(connection.clone());
        Ok(connection)
    }

    async fn request<T: serde::de::DeserializeOwned>(
        &self,
        method: &str,
        params: jsonrpsee::core::params::ArrayParams,
    ) -> Result<T, ChainError> {
        let connection = self.connection().await?;
        let answer = connection.client.request(method, params).await;
        answer.map_err(|error| match error {
            RpcError::Call(error) => ChainError::Refused {
                method: method.to_owned(),
                reason: error.to_string(),
            },
            RpcError::RequestTimeout => ChainError::Timeout(self.url.clone()),
            RpcError::ParseError(error) => ChainError::Malformed {
                method: method.to_owned(),
                reason: error.to_string(),
            },
            error => self.unreachable(&error),
        })
    }

    /// The runtime's answer to `function`, at the last finalised block.
    async fn ask_runtime<T: Decode>(&self, function: &str) -> Result<T, ChainError> {
        let at: String = self
            .request("chain_getFinalizedHead", rpc_params![])
            .await?;
        let answer: String = self
            .request("state_call", rpc_params![function, "0x", at])
            .await?;
        decode(function, &answer)
    }
}

fn decode<T: Decode>(method: &str, answer: &str) -> Result<T, ChainError> {
    let malformed = |reason: String| ChainError::Malformed {
        method: method.to_owned(),
        reason,
    };
    let bytes = hex::decode(answer.trim_start_matches("0x"))
        .map_err(|error| malformed(error.to_string()))?;
    let input = &mut bytes.as_slice();
    let value = T::decode(input).map_err(|error| malformed(error.to_string()))?;
    if input.is_empty() {
        Ok(value)
    } else {
        Err(malformed(format!("{} bytes are left over", input.len())))
    }
}

impl Chain for RpcChain {
    async fn identity(&self) -> Result<Identity, ChainError> {
        let genesis: H256 = self.request("chain_getBlockHash", rpc_params![0]).await?;
        let domain = self.ask_runtime("SettlementApi_domain").await?;
        Ok(Identity { genesis, domain })
    }

    async fn ready(&self) -> Result<Vec<ReadyBatch>, ChainError> {
        self.ask_runtime("SettlementApi_ready_batches").await
    }

    async fn body(&self, digest: H256) -> Result<Option<Batch>, ChainError> {
        let method = "gear_batchBody";
        let answer: Option<String> = self.request(method, rpc_params![digest]).await?;
        answer.map(|hex| decode(method, &hex)).transpose()
    }

    async fn changed(&self) {
        if let Ok(connection) = self.connection().await {
            let mut heads = connection.heads.lock().await;
            if let Some(Ok(_)) = heads.next().await {
                return;
            }
        }
        // The connection is gone; the next question makes a new one.
        std::future::pending().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use codec::Encode;

    #[test]
    fn answers_must_read_to_their_end() {
        let domain: Option<RouterDomain> = None;
        let hex = format!("0x{}", hex::encode(domain.encode()));
        assert_eq!(decode("m", &hex), Ok(domain));
        for wrong in ["0x0000", "0x", "0xzz", "0x01"] {
            assert!(
                matches!(
                    decode::<Option<RouterDomain>>("m", wrong),
                    Err(ChainError::Malformed { .. })
                ),
                "{wrong}"
            );
        }
    }
}
