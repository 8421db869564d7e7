//! A key with an Ethereum node: reads, sends, waits.

use super::{ClientError, Heads, LogScan};
use crate::{artifact::Artifact, convert::h256, revert::Revert};
use alloy::{
    consensus::BlobTransactionSidecarEip7594,
    eips::{
        BlockId as RpcBlockId, BlockNumberOrTag, eip2718::Encodable2718,
        eip7594::BlobTransactionSidecarVariant,
    },
    network::{EthereumWallet, NetworkTransactionBuilder},
    primitives::{Address, B256, Bytes, TxKind, U256},
    providers::{DynProvider, Provider, ProviderBuilder},
    rpc::types::{Filter, Log, TransactionInput, TransactionReceipt, TransactionRequest},
    signers::local::PrivateKeySigner,
    sol_types::SolCall,
    transports::{RpcError, TransportErrorKind},
};
use gear_exe_primitives::ethereum::BlockId;
use std::{fmt, sync::Arc, time::Duration};
use tokio::sync::Mutex;

/// Most gas that a transaction may have (EIP-7825).
pub const MAX_GAS: u64 = 16_777_216;

/// Told of each stage: its name, and what it is about.
pub type Progress = Arc<dyn Fn(&'static str, &str) + Send + Sync>;

/// How a wallet waits.
#[derive(Clone)]
pub struct Options {
    /// Pause between two looks at the head.
    pub poll: Duration,
    /// Longest wait for one answer of the node.
    pub timeout: Duration,
    /// Longest wait for anything to happen on Ethereum.
    pub deadline: Duration,
    /// Told of each stage.
    pub progress: Progress,
}

impl Default for Options {
    /// Looks four times a second, has 20 seconds of patience with the node and three minutes with the network.
    fn default() -> Self {
        Self {
            poll: Duration::from_millis(250),
            timeout: Duration::from_secs(20),
            deadline: Duration::from_secs(180),
            progress: Arc::new(|_, _| {}),
        }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("poll", &self.poll)
            .field("timeout", &self.timeout)
            .field("deadline", &self.deadline)
            .finish_non_exhaustive()
    }
}

/// What is to be sent.
#[derive(Clone, Debug, Default)]
pub struct Transaction {
    /// In words, for messages: "creating the program".
    pub action: String,
    /// To whom; nothing deploys a contract.
    pub to: Option<Address>,
    /// Calldata or creation code.
    pub data: Bytes,
    /// In wei.
    pub value: U256,
    /// Blobs that ride along.
    pub sidecar: Option<BlobTransactionSidecarEip7594>,
    /// Gas limit; estimated if `None`.
    pub gas: Option<u64>,
}

impl Transaction {
    /// A call of a contract's method.
    pub fn call<C: SolCall>(action: impl Into<String>, to: Address, call: &C) -> Self {
        Self {
            action: action.into(),
            to: Some(to),
            data: call.abi_encode().into(),
            ..Default::default()
        }
    }

    /// The same with ETH.
    #[must_use]
    pub fn with_value(self, wei: u128) -> Self {
        Self {
            value: U256::from(wei),
            ..self
        }
    }
}

struct Inner {
    provider: DynProvider,
    url: String,
    signer: PrivateKeySigner,
    chain_id: u64,
    // From the choice of a nonce until the node has the transaction.
    sending: Mutex<()>,
}

/// A key with an Ethereum node. Clones share both.
#[derive(Clone)]
pub struct Wallet {
    inner: Arc<Inner>,
    options: Options,
}

impl fmt::Debug for Wallet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wallet")
            .field("address", &self.address())
            .field("url", &self.inner.url)
            .finish_non_exhaustive()
    }
}

impl Wallet {
    /// Connects to `url`, HTTP or WebSocket.
    ///
    /// # Errors
    ///
    /// [`ClientError::Unreachable`] if no Ethereum node answers there.
    pub async fn connect(
        url: &str,
        signer: PrivateKeySigner,
        options: Options,
    ) -> Result<Self, ClientError> {
        let unreachable = |reason: String| ClientError::Unreachable {
            url: url.into(),
            reason,
        };
        let connecting = ProviderBuilder::new()
            .disable_recommended_fillers()
            .connect(url);
        let provider = tokio::time::timeout(options.timeout, connecting)
            .await
            .map_err(|_| unreachable("no answer in time".into()))?
            .map_err(|error| unreachable(error.to_string()))?
            .erased();
        let mut wallet = Self {
            inner: Arc::new(Inner {
                provider,
                url: url.into(),
                signer,
                chain_id: 0,
                sending: Mutex::new(()),
            }),
            options,
        };
        let chain_id = wallet
            .rpc("reading the chain id", |provider| provider.get_chain_id())
            .await?;
        if let Some(inner) = Arc::get_mut(&mut wallet.inner) {
            inner.chain_id = chain_id;
        }
        Ok(wallet)
    }

    /// The same key and node with other options.
    #[must_use]
    pub fn with_options(&self, options: Options) -> Self {
        Self {
            inner: self.inner.clone(),
            options,
        }
    }

    /// How it waits.
    pub const fn options(&self) -> &Options {
        &self.options
    }

    /// Its account.
    pub fn address(&self) -> Address {
        self.inner.signer.address()
    }

    /// Its key.
    pub fn signer(&self) -> &PrivateKeySigner {
        &self.inner.signer
    }

    /// EIP-155 id of the chain.
    pub fn chain_id(&self) -> u64 {
        self.inner.chain_id
    }

    /// The node, for everything that is not here.
    pub fn provider(&self) -> &DynProvider {
        &self.inner.provider
    }

    pub(super) fn report(&self, stage: &'static str, about: &str) {
        (self.options.progress)(stage, about);
    }

    pub(super) fn heads(&self, stage: &'static str, hint: impl Into<String>) -> Heads {
        self.report(stage, "");
        Heads::new(self, stage, hint)
    }

    /// Asks the node, with a limit of time, and reads what went wrong.
    ///
    /// # Errors
    ///
    /// [`ClientError`] as the node's answer says.
    pub async fn rpc<T, F>(
        &self,
        action: &str,
        question: impl FnOnce(DynProvider) -> F,
    ) -> Result<T, ClientError>
    where
        F: IntoFuture<Output = Result<T, RpcError<TransportErrorKind>>>,
    {
        let question = question(self.inner.provider.clone()).into_future();
        tokio::time::timeout(self.options.timeout, question)
            .await
            .map_err(|_| ClientError::Unreachable {
                url: self.inner.url.clone(),
                reason: "no answer in time".into(),
            })?
            .map_err(|error| ClientError::of_rpc(error, &self.inner.url, self.address(), action))
    }

    /// The canonical head.
    ///
    /// # Errors
    ///
    /// [`ClientError`] if the node does not answer.
    pub async fn head(&self) -> Result<BlockId, ClientError> {
        let block = self
            .rpc("reading the head", |provider| {
                provider.get_block(RpcBlockId::Number(BlockNumberOrTag::Latest))
            })
            .await?
            .ok_or_else(|| ClientError::Unexpected("the node has no head".into()))?;
        Ok(BlockId {
            number: block.header.number,
            hash: h256(block.header.hash),
        })
    }

    /// ETH of its account, in wei.
    ///
    /// # Errors
    ///
    /// [`ClientError`] if the node does not answer.
    pub async fn balance(&self) -> Result<U256, ClientError> {
        let address = self.address();
        self.rpc("reading the balance", |provider| {
            provider.get_balance(address)
        })
        .await
    }

    /// Calls a method without sending anything, on the latest block.
    ///
    /// # Errors
    ///
    /// [`ClientError::Refused`] with the contract's words, [`ClientError::NoContract`] if there is none.
    pub async fn call<C: SolCall>(&self, to: Address, call: &C) -> Result<C::Return, ClientError> {
        let request = TransactionRequest {
            from: Some(self.address()),
            to: Some(TxKind::Call(to)),
            input: TransactionInput::both(call.abi_encode().into()),
            ..Default::default()
        };
        let action = format!("calling {}", C::SIGNATURE);
        let answer = self
            .rpc(
                &action,
                // Not alloy's default, which is the pending block: that has what may never be mined.
                |provider| async move { provider.call(request).block(RpcBlockId::latest()).await },
            )
            .await?;
        match C::abi_decode_returns_validate(&answer) {
            Ok(answer) => Ok(answer),
            Err(_) if answer.is_empty() => Err(ClientError::NoContract(to)),
            Err(error) => Err(ClientError::Unexpected(format!(
                "{} of {to} answers {answer}: {error}",
                C::SIGNATURE
            ))),
        }
    }

    /// Sends a transaction and waits until it is mined.
    ///
    /// # Errors
    ///
    /// [`ClientError::Refused`] before anything is sent if it would fail; [`ClientError::Failed`] if it fails all the
    /// same; [`ClientError::Timeout`] if it is not mined before the deadline.
    pub async fn send(&self, transaction: Transaction) -> Result<TransactionReceipt, ClientError> {
        let submitted = self.submit(transaction).await?;
        self.mined(&submitted).await
    }

    /// Signs a transaction and hands it to the node.
    ///
    /// # Errors
    ///
    /// See [`Wallet::send`].
    pub async fn submit(&self, transaction: Transaction) -> Result<Submitted, ClientError> {
        let action = transaction.action.as_str();
        let mut request = TransactionRequest {
            from: Some(self.address()),
            to: Some(transaction.to.map_or(TxKind::Create, TxKind::Call)),
            input: TransactionInput::new(transaction.data.clone()),
            value: Some(transaction.value),
            chain_id: Some(self.inner.chain_id),
            ..Default::default()
        };
        let fees = self
            .rpc(action, |provider| async move {
                provider.estimate_eip1559_fees().await
            })
            .await?;
        request.max_fee_per_gas = Some(fees.max_fee_per_gas);
        request.max_priority_fee_per_gas = Some(fees.max_priority_fee_per_gas);
        if let Some(sidecar) = &transaction.sidecar {
            let price = self
                .rpc(action, |provider| provider.get_blob_base_fee())
                .await?;
            request.max_fee_per_blob_gas = Some(price.max(1).saturating_mul(3));
            request.blob_versioned_hashes = Some(sidecar.versioned_hashes().collect());
        }

        // Two transactions of one wallet must not choose one nonce.
        let _sending = self.inner.sending.lock().await;
        let gas = match transaction.gas {
            Some(gas) => gas,
            None => {
                let request = request.clone();
                let estimate = self
                    .rpc(action, |provider| provider.estimate_gas(request))
                    .await?;
                (estimate + estimate / 4).min(MAX_GAS)
            }
        };
        request.gas = Some(gas);
        let address = self.address();
        let nonce = self
            .rpc(action, |provider| {
                provider.get_transaction_count(address).pending()
            })
            .await?;
        request.nonce = Some(nonce);
        if let Some(sidecar) = transaction.sidecar.clone() {
            request.sidecar = Some(BlobTransactionSidecarVariant::Eip7594(sidecar));
        }
        let signer = EthereumWallet::from(self.inner.signer.clone());
        let signed = request
            .build(&signer)
            .await
            .map_err(|error| ClientError::Unexpected(format!("{action}: {error}")))?;
        let submitted = Submitted {
            hash: *signed.tx_hash(),
            raw: signed.encoded_2718().into(),
            action: transaction.action,
        };
        self.broadcast(&submitted).await?;
        self.report("submitted", &submitted.action);
        Ok(submitted)
    }

    async fn broadcast(&self, submitted: &Submitted) -> Result<(), ClientError> {
        let raw = submitted.raw.clone();
        self.rpc(&submitted.action, |provider| async move {
            provider.send_raw_transaction(&raw).await.map(drop)
        })
        .await
    }

    /// Waits until a transaction is mined. A node that has dropped it gets it again.
    ///
    /// # Errors
    ///
    /// [`ClientError::Failed`] if it failed, [`ClientError::Timeout`] if it is not mined before the deadline.
    pub async fn mined(&self, submitted: &Submitted) -> Result<TransactionReceipt, ClientError> {
        let hash = submitted.hash;
        let mut heads = self.heads(
            "waiting for the transaction to be mined",
            format!(
                "{} is in transaction {hash}, which no block has taken: look at it in an explorer, wait longer, or pay \
                 a higher fee",
                submitted.action
            ),
        );
        let mut looked = false;
        loop {
            heads.next().await?;
            let answer = self
                .rpc(&submitted.action, |provider| {
                    provider.get_transaction_receipt(hash)
                })
                .await;
            let Some(receipt) = heads.outlast(answer)? else {
                // It was sent a moment ago: only from the second head on may a node have lost it.
                if looked && let Err(error) = self.broadcast(submitted).await {
                    tracing::debug!(%hash, %error, "sent again");
                }
                looked = true;
                continue;
            };
            if !receipt.status() {
                return Err(self.failure(submitted, &receipt).await);
            }
            self.report("mined", &submitted.action);
            return Ok(receipt);
        }
    }

    /// Repeats a transaction that failed, to hear why.
    async fn failure(&self, submitted: &Submitted, receipt: &TransactionReceipt) -> ClientError {
        let hash = submitted.hash;
        let again = async {
            let found = self
                .rpc(&submitted.action, |provider| {
                    provider.get_transaction_by_hash(hash)
                })
                .await?;
            let request = found
                .map(|transaction| transaction.into_request())
                .ok_or_else(|| ClientError::Unexpected("the transaction is gone".into()))?;
            let block = RpcBlockId::from(receipt.block_number.unwrap_or_default());
            self.rpc(&submitted.action, |provider| async move {
                provider.call(request).block(block).await
            })
            .await
        };
        let revert = match again.await {
            Err(ClientError::Refused { revert, .. }) => revert,
            _ => Box::new(Revert::decode(&[])),
        };
        ClientError::Failed {
            action: submitted.action.clone(),
            tx: hash,
            revert,
        }
    }

    /// Deploys a contract; `arguments` are its encoded constructor arguments.
    ///
    /// # Errors
    ///
    /// See [`Wallet::send`].
    pub async fn deploy(
        &self,
        name: &str,
        artifact: &Artifact,
        arguments: &[u8],
    ) -> Result<Address, ClientError> {
        let receipt = self
            .send(Transaction {
                action: format!("deploying {name}"),
                data: artifact.creation_code(arguments),
                ..Default::default()
            })
            .await?;
        receipt
            .contract_address
            .ok_or_else(|| ClientError::Unexpected("the receipt names no contract".into()))
    }

    /// Waits for a log from block `from` on that `pick` takes.
    ///
    /// # Errors
    ///
    /// [`ClientError::Timeout`] with `hint` if none comes before the deadline.
    pub async fn wait_for_log<T>(
        &self,
        stage: &'static str,
        hint: impl Into<String> + Send,
        filter: Filter,
        from: u64,
        mut pick: impl FnMut(&Log) -> Option<T> + Send,
    ) -> Result<T, ClientError> {
        let mut heads = self.heads(stage, hint);
        let mut scan = LogScan::new(filter, from);
        loop {
            let head = heads.next().await?;
            let answer = scan.up_to(self, head).await.map(Some);
            let logs = heads.outlast(answer)?.unwrap_or_default();
            if let Some(found) = logs.iter().find_map(&mut pick) {
                return Ok(found);
            }
        }
    }

    /// Waits until Ethereum reports block `number` as final.
    ///
    /// # Errors
    ///
    /// [`ClientError::Timeout`] if it does not before the deadline.
    pub async fn wait_final(&self, number: u64) -> Result<(), ClientError> {
        let mut heads = self.heads(
            "waiting for Ethereum's finality",
            "Ethereum takes about 13 minutes to finalise a block: wait longer",
        );
        loop {
            heads.next().await?;
            let answer = self
                .rpc("reading the final block", |provider| {
                    provider.get_block(RpcBlockId::Number(BlockNumberOrTag::Finalized))
                })
                .await;
            if heads
                .outlast(answer)?
                .is_some_and(|block| block.header.number >= number)
            {
                return Ok(());
            }
        }
    }
}

/// A transaction that the node has.
#[derive(Clone, Debug)]
pub struct Submitted {
    /// Its hash.
    pub hash: B256,
    raw: Bytes,
    action: String,
}
