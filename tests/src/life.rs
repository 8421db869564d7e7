//! The life of a message as a node tells it (`gear_subscribeMessage`), and that of rounds (`gear_subscribeRounds`).

use crate::process::PATIENCE;
use anyhow::{Context, Result, ensure};
use gear_exe_primitives::H256;
use jsonrpsee::{
    core::client::{Subscription, SubscriptionClientT},
    rpc_params,
    ws_client::{WsClient, WsClientBuilder},
};
use serde_json::Value;

/// A reader at a node, on a connection of its own. It leaves when it is dropped.
#[derive(Debug)]
pub struct Life {
    told: Subscription<Value>,
    // Ends with the subscription.
    _client: WsClient,
}

impl Life {
    /// The life of a message, from a cursor on or from the beginning.
    ///
    /// # Errors
    ///
    /// If the node does not answer.
    pub async fn follow(url: &str, id: H256, cursor: Option<&str>) -> Result<Self> {
        let client = connect(url).await?;
        let told = client
            .subscribe(
                "gear_subscribeMessage",
                rpc_params![id, cursor],
                "gear_unsubscribeMessage",
            )
            .await?;
        Ok(Self {
            told,
            _client: client,
        })
    }

    /// All rounds with their messages, from now on.
    ///
    /// # Errors
    ///
    /// If the node does not answer.
    pub async fn rounds(url: &str) -> Result<Self> {
        let client = connect(url).await?;
        let told = client
            .subscribe(
                "gear_subscribeRounds",
                rpc_params![true],
                "gear_unsubscribeRounds",
            )
            .await?;
        Ok(Self {
            told,
            _client: client,
        })
    }

    /// The next notification.
    ///
    /// # Errors
    ///
    /// If there is none in time.
    pub async fn next(&mut self) -> Result<Value> {
        let next = tokio::time::timeout(PATIENCE, self.told.next());
        Ok(next
            .await
            .context("nothing is told any more")?
            .context("the node has ended the subscription")??)
    }

    /// The next notification with this level; others before it are passed over.
    ///
    /// # Errors
    ///
    /// If there is none in time.
    pub async fn until(&mut self, level: &str) -> Result<Value> {
        let mut passed = Vec::new();
        loop {
            let told = self.next().await;
            let told = told.with_context(|| format!("waiting for {level} after {passed:?}"))?;
            if told["level"] == level {
                return Ok(told);
            }
            passed.push(told);
        }
    }

    /// The next notifications, which must have these levels.
    ///
    /// # Errors
    ///
    /// If others come, or none.
    pub async fn levels(&mut self, levels: &[&str]) -> Result<Vec<Value>> {
        let mut all = Vec::new();
        for level in levels {
            let told = self
                .next()
                .await
                .with_context(|| format!("waiting for {level} after {all:?}"))?;
            ensure!(told["level"] == *level, "not {level} but {told}");
            all.push(told);
        }
        Ok(all)
    }
}

/// The cursor of a notification.
///
/// # Errors
///
/// If it has none.
pub fn cursor(told: &Value) -> Result<&str> {
    told["cursor"].as_str().context("no cursor")
}

async fn connect(url: &str) -> Result<WsClient> {
    Ok(WsClientBuilder::default()
        .request_timeout(PATIENCE)
        .build(url)
        .await?)
}
