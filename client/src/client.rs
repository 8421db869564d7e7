//! The connection to a node, and what is asked over it.

use crate::{
    Answer, Cursor, Error, Round, Rounds, Status, Watch, round,
    status::{answer, read},
    wire,
};
use gear_exe_primitives::{
    H160, H256, MessageId, batch::RouterDomain, ethereum::BlockId, native::SignedNative,
};
use jsonrpsee::{
    core::{
        client::{ClientT, Error as RpcError, Subscription, SubscriptionClientT},
        params::ArrayParams,
        traits::ToRpcParams,
    },
    rpc_params,
    types::error::METHOD_NOT_FOUND_CODE,
    ws_client::{WsClient, WsClientBuilder},
};
use serde::Deserialize;
use serde_json::Value;
use std::{sync::Arc, time::Duration};
use tokio::sync::Mutex;

/// How a client talks to its node.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// How long one answer may take.
    pub request_timeout: Duration,
    /// How long a watch looks for a node that is gone before it gives up.
    pub patience: Duration,
    /// Calls that may be unanswered at one time. One more waits in the client.
    pub concurrent_requests: usize,
    /// Notifications of one subscription that may be unread. With more the subscription ends, and a watch begins a new one.
    pub unread: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            request_timeout: Duration::from_secs(60),
            patience: Duration::from_secs(60),
            concurrent_requests: 1_024,
            unread: 4_096,
        }
    }
}

#[derive(Debug)]
struct Shared {
    url: String,
    options: Options,
    connection: Mutex<Arc<WsClient>>,
}

/// A node, over WebSocket. Cheap to clone: all clones use one connection, which is made again when it has broken.
#[derive(Clone, Debug)]
pub struct Client(Arc<Shared>);

async fn open(url: &str, options: Options) -> Result<Arc<WsClient>, Error> {
    WsClientBuilder::default()
        .request_timeout(options.request_timeout)
        .max_concurrent_requests(options.concurrent_requests)
        .max_buffer_capacity_per_subscription(options.unread)
        .build(url)
        .await
        .map(Arc::new)
        .map_err(|error| Error::Unreachable {
            url: url.to_owned(),
            reason: error.to_string(),
        })
}

fn failed(method: &'static str, error: RpcError) -> Error {
    match error {
        RpcError::Call(said) if said.code() == METHOD_NOT_FOUND_CODE => Error::Unknown { method },
        RpcError::Call(said) => Error::Answered {
            method,
            code: said.code(),
            message: said.message().to_owned(),
            data: said.data().map(|data| {
                serde_json::from_str(data.get()).unwrap_or_else(|_| data.get().to_owned())
            }),
        },
        RpcError::ParseError(error) => Error::Malformed {
            method,
            reason: error.to_string(),
        },
        error => Error::Interrupted {
            method,
            reason: error.to_string(),
        },
    }
}

impl Client {
    /// The node at `url` (`ws://…`).
    ///
    /// # Errors
    ///
    /// [`Error::Unreachable`].
    pub async fn connect(url: &str) -> Result<Self, Error> {
        Self::connect_with(url, Options::default()).await
    }

    /// The same with other options.
    ///
    /// # Errors
    ///
    /// [`Error::Unreachable`].
    pub async fn connect_with(url: &str, options: Options) -> Result<Self, Error> {
        let connection = open(url, options).await?;
        Ok(Self(Arc::new(Shared {
            url: url.to_owned(),
            options,
            connection: Mutex::new(connection),
        })))
    }

    /// Where the node is.
    pub fn url(&self) -> &str {
        &self.0.url
    }

    /// How it is talked to.
    pub fn options(&self) -> &Options {
        &self.0.options
    }

    /// The connection; a new one if it has broken.
    async fn connection(&self) -> Result<Arc<WsClient>, Error> {
        let mut connection = self.0.connection.lock().await;
        if !connection.is_connected() {
            *connection = open(&self.0.url, self.0.options).await?;
        }
        Ok(connection.clone())
    }

    /// Asks anything by JSON-RPC, for what has no method here.
    ///
    /// # Errors
    ///
    /// [`Error`], but for [`Error::Refused`] and [`Error::NotSigned`].
    pub async fn ask(&self, method: &'static str, params: ArrayParams) -> Result<Value, Error> {
        let connection = self.connection().await?;
        let answer = connection.request(method, params).await;
        answer.map_err(|error| failed(method, error))
    }

    pub(crate) async fn subscribe(
        &self,
        method: &'static str,
        params: impl ToRpcParams + Send,
        unsubscribe: &'static str,
    ) -> Result<Subscription<Value>, Error> {
        let connection = self.connection().await?;
        let answer = connection.subscribe(method, params, unsubscribe).await;
        answer.map_err(|error| failed(method, error))
    }

    /// Hands a signed message to the node. What it takes will be executed, or purged with a reason: [`Client::watch`] tells.
    /// The same message may be sent again, and to other nodes: it is executed once.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`] if the node does not take it; [`Error::Answered`] if it is malformed or not signed.
    pub async fn send(&self, signed: &SignedNative) -> Result<(), Error> {
        #[derive(Deserialize)]
        enum Acceptance {
            Accept,
            Reject { reason: String },
        }
        const METHOD: &str = "injected_sendTransaction";
        let said = self.ask(METHOD, rpc_params![signed]).await?;
        match serde_json::from_value(said) {
            Ok(Acceptance::Accept) => Ok(()),
            Ok(Acceptance::Reject { reason }) => Err(Error::Refused { reason }),
            Err(error) => Err(Error::Malformed {
                method: METHOD,
                reason: error.to_string(),
            }),
        }
    }

    /// Hands a signed message to the node and waits for what a validator says of it, once a quorum has signed its round.
    ///
    /// # Errors
    ///
    /// [`Error::Interrupted`] if the connection breaks before, [`Error::NotSigned`] if the validator's signature is wrong,
    /// [`Error::Answered`] if the node cannot take the message now, or is no validator.
    pub async fn send_and_wait(
        &self,
        signed: &SignedNative,
        domain: &RouterDomain,
    ) -> Result<Answer, Error> {
        const METHOD: &str = "injected_sendTransactionAndWatch";
        const UNWATCH: &str = "injected_sendTransactionAndWatchUnsubscribe";
        let interrupted = |reason: &str| Error::Interrupted {
            method: METHOD,
            reason: reason.to_owned(),
        };
        let mut receipts = self.subscribe(METHOD, rpc_params![signed], UNWATCH).await?;
        let receipt = receipts
            .next()
            .await
            .ok_or_else(|| interrupted("the subscription has ended"))?
            .map_err(|error| interrupted(&error.to_string()))?;
        answer(METHOD, receipt, signed.id(domain))?
            .ok_or_else(|| interrupted("the receipt is empty"))
    }

    /// What a user has deposited at the Router for the value of native messages, in wei, as the node's newest round has it.
    /// Messages that wait are not taken off it.
    ///
    /// # Errors
    ///
    /// See [`Client::ask`].
    pub async fn deposit(&self, address: H160) -> Result<u128, Error> {
        #[derive(Deserialize)]
        struct Deposit {
            value: wire::Amount,
        }
        let found: Deposit = self.value("gear_deposit", rpc_params![address]).await?;
        Ok(found.value.0)
    }

    /// What a validator says of a message, with the reply; nothing before a quorum has signed its round.
    ///
    /// # Errors
    ///
    /// See [`Client::send_and_wait`].
    pub async fn reply(&self, id: MessageId) -> Result<Option<Answer>, Error> {
        const METHOD: &str = "injected_getTransactionReceipt";
        answer(METHOD, self.ask(METHOD, rpc_params![id.0]).await?, id)
    }

    /// What became of a message, with all that proves it; nothing if the node has not executed it lately.
    ///
    /// # Errors
    ///
    /// See [`Client::ask`].
    pub async fn status(&self, id: MessageId) -> Result<Option<Status>, Error> {
        read(self.ask("gear_messageStatus", rpc_params![id.0]).await?)
    }

    /// The life of a message, from its beginning: also of one that is not sent yet, or was sent through Ethereum.
    ///
    /// # Errors
    ///
    /// [`Error::Unknown`] if the node is too old, [`Error::Answered`] if it cannot take more subscriptions.
    pub async fn watch(&self, id: MessageId) -> Result<Watch, Error> {
        Watch::begin(self.clone(), id, None).await
    }

    /// The same from where an earlier watch, also one of another process, was.
    ///
    /// # Errors
    ///
    /// See [`Client::watch`].
    pub async fn watch_from(&self, id: MessageId, cursor: Cursor) -> Result<Watch, Error> {
        Watch::begin(self.clone(), id, Some(cursor)).await
    }

    /// Every round of the best chain from now on, as it reaches its levels; with `messages` also the ids of what is in it.
    ///
    /// # Errors
    ///
    /// See [`Client::watch`].
    pub async fn rounds(&self, messages: bool) -> Result<Rounds, Error> {
        Rounds::begin(self, messages).await
    }

    /// The round of a block, of the best one without a hash, with up to 1,000 of its receipts from the one at `from` on.
    ///
    /// # Errors
    ///
    /// See [`Client::ask`].
    pub async fn round(&self, block: Option<H256>, from: u64) -> Result<Option<Round>, Error> {
        round::read(self.ask("gear_round", rpc_params![block, from]).await?)
    }

    /// Genesis hash of the chain.
    ///
    /// # Errors
    ///
    /// See [`Client::ask`].
    pub async fn genesis(&self) -> Result<H256, Error> {
        self.value("chain_getBlockHash", rpc_params![0]).await
    }

    /// Where the chain settles.
    ///
    /// # Errors
    ///
    /// See [`Client::ask`].
    pub async fn router(&self) -> Result<H160, Error> {
        self.value("routerAddress", rpc_params![]).await
    }

    /// The Ethereum block that a new message should refer to: so many blocks behind the head as the node sees it, or as far
    /// behind as there are. Three behind, every validator knows it.
    ///
    /// # Errors
    ///
    /// See [`Client::ask`].
    pub async fn reference(&self, behind: u32) -> Result<BlockId, Error> {
        #[derive(Deserialize)]
        struct Header {
            height: u64,
            parent_hash: H256,
        }
        const METHOD: &str = "block_header";
        let (mut hash, mut header): (H256, Header) = self.value(METHOD, rpc_params![]).await?;
        for _ in 0..behind {
            if header.height == 0 {
                break;
            }
            let parent = header.parent_hash;
            (hash, header) = self.value(METHOD, rpc_params![parent]).await?;
        }
        Ok(BlockId {
            number: header.height,
            hash,
        })
    }

    async fn value<T: serde::de::DeserializeOwned>(
        &self,
        method: &'static str,
        params: ArrayParams,
    ) -> Result<T, Error> {
        let value = self.ask(method, params).await?;
        serde_json::from_value(value).map_err(|error| Error::Malformed {
            method,
            reason: error.to_string(),
        })
    }
}
