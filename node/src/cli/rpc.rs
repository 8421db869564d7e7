//! Asks a node by JSON-RPC.

use super::CliError;
use jsonrpsee::{
    core::{
        client::{ClientT, Subscription, SubscriptionClientT},
        params::ArrayParams,
    },
    http_client::{HttpClient, HttpClientBuilder},
    ws_client::{WsClient, WsClientBuilder},
};
use serde::de::DeserializeOwned;

/// A connection to a node.
#[derive(Debug)]
pub struct Node {
    url: String,
    client: Client,
}

/// What a node tells, one after the other.
#[derive(Debug)]
pub struct Notifications<T> {
    notifications: Subscription<T>,
    // The connection, which ends with it.
    _client: WsClient,
}

impl<T: DeserializeOwned> Notifications<T> {
    /// The next one; nothing if the node tells no more, or the connection is gone.
    pub async fn next(&mut self) -> Option<T> {
        self.notifications.next().await?.ok()
    }
}

#[derive(Debug)]
enum Client {
    Http(Box<HttpClient>),
    Ws(WsClient),
}

impl Node {
    /// Connects. `http` and `ws` are understood.
    ///
    /// # Errors
    ///
    /// If nobody listens there, or the address is none.
    pub async fn connect(url: &str) -> Result<Self, CliError> {
        let unreachable = |error: jsonrpsee::core::ClientError| Self::unreachable(url, &error);
        let client = if url.starts_with("http") {
            HttpClientBuilder::default()
                .build(url)
                .map(|client| Client::Http(Box::new(client)))
                .map_err(unreachable)?
        } else {
            WsClientBuilder::default()
                .build(url)
                .await
                .map(Client::Ws)
                .map_err(unreachable)?
        };
        Ok(Self {
            url: url.to_owned(),
            client,
        })
    }

    fn unreachable(url: &str, error: &jsonrpsee::core::ClientError) -> CliError {
        CliError::new(
            format!("no node answers at {url}: {error}"),
            "start one with `gear-exe run --dev`, or give another by --node",
        )
    }

    /// Subscribes, on a connection of its own; also at a node that is asked over HTTP, since it serves both on one port.
    ///
    /// # Errors
    ///
    /// What the node answers, or that it does not.
    pub async fn subscribe<T: DeserializeOwned + Send>(
        &self,
        method: &'static str,
        params: ArrayParams,
        unsubscribe: &'static str,
    ) -> Result<Notifications<T>, CliError> {
        // `https` becomes `wss`.
        let url = match self.url.strip_prefix("http") {
            Some(rest) => format!("ws{rest}"),
            None => self.url.clone(),
        };
        let client = WsClientBuilder::default()
            .build(&url)
            .await
            .map_err(|error| Self::unreachable(&url, &error))?;
        let notifications = client
            .subscribe(method, params, unsubscribe)
            .await
            .map_err(|error| self.refused(method, error))?;
        Ok(Notifications {
            notifications,
            _client: client,
        })
    }

    fn refused(&self, method: &str, error: jsonrpsee::core::ClientError) -> CliError {
        match error {
            jsonrpsee::core::ClientError::Call(error) => CliError::new(
                format!(
                    "the node refuses {method}: {}{}",
                    error.message(),
                    error
                        .data()
                        .map(|data| format!(": {}", data.get().trim_matches('"')))
                        .unwrap_or_default()
                ),
                "check the arguments; if they name something new, wait until the node has executed it",
            ),
            error => Self::unreachable(&self.url, &error),
        }
    }

    /// Calls a method.
    ///
    /// # Errors
    ///
    /// What the node answers, or that it does not.
    pub async fn call<T: DeserializeOwned + Send>(
        &self,
        method: &str,
        params: ArrayParams,
    ) -> Result<T, CliError> {
        let answer = match &self.client {
            Client::Http(client) => client.request(method, params).await,
            Client::Ws(client) => client.request(method, params).await,
        };
        answer.map_err(|error| self.refused(method, error))
    }
}
