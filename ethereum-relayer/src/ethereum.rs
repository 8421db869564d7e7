//! What the relayer asks of an Ethereum node: one consistent view, a pre-flight, and to send bytes.
//!
//! Everything in a view is read at one block's hash, so that a reorg between two questions cannot mix branches.

use crate::{
    endpoints::Endpoints,
    pipeline::{Answer, Head, RouterState, TxStatus, View, fees::Market},
    words::{answer_of, refusal},
};
use alloy::{
    eips::{BlockId, BlockNumberOrTag},
    network::TransactionBuilder,
    primitives::{Address, B256, Bytes, U256, address},
    providers::{DynProvider, Provider},
    rpc::types::{
        Block, BlockOverrides, TransactionRequest,
        state::{AccountOverride, StateOverride},
    },
    sol_types::SolCall,
    transports::{RpcError, TransportError},
};
use gear_exe_ethereum::{abi::Router, batch::Refusal};
use gear_exe_primitives::H256;
use std::{
    collections::{BTreeMap, BTreeSet},
    future::IntoFuture,
    time::Duration,
};

/// Tips are read from so many blocks,
const FEE_BLOCKS: u64 = 10;
/// at this percentile of each,
const FEE_PERCENTILE: f64 = 20.0;
/// and are at least this much, in wei per gas.
const MIN_TIP: u128 = 1_000_000;

/// EIP-2935's history contract, whose slot `number % 8191` holds the hash of block `number`.
const HISTORY: Address = address!("0x0000F90827F1C53a10cb7A02335B175320002935");
const HISTORY_WINDOW: u64 = 8_191;

/// Why the Ethereum node did not answer. All are retried.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EthereumError {
    /// It cannot be reached.
    #[error("the Ethereum node at {url} does not answer: {reason}")]
    Unreachable {
        /// Its address, without what may be a secret.
        url: String,
        /// Why.
        reason: String,
    },
    /// It took too long.
    #[error("the Ethereum node did not answer {0} in time")]
    Timeout(&'static str),
    /// It refused.
    #[error("the Ethereum node refuses {what}: {reason}")]
    Refused {
        /// What was asked.
        what: &'static str,
        /// Why.
        reason: String,
    },
    /// It does not have a block that it named, or its head is gone: a reorg came between.
    #[error("the Ethereum node does not have {0}")]
    Missing(&'static str),
    /// There is no contract, or another one.
    #[error("there is no Router at {0}: is the address, or the network, another one?")]
    NoRouter(Address),
}

impl EthereumError {
    /// Its class, for metrics.
    pub const fn class(&self) -> &'static str {
        match self {
            Self::Unreachable { .. } => "unreachable",
            Self::Timeout(_) => "timeout",
            Self::Refused { .. } => "refused",
            Self::Missing(_) => "missing",
            Self::NoRouter(_) => "no_router",
        }
    }
}

/// Ethereum nodes, HTTP or WebSocket, of which one is asked.
#[derive(Debug)]
pub struct Ethereum {
    endpoints: Endpoints,
    router: Address,
    account: Address,
    timeout: Duration,
}

impl Ethereum {
    /// Nodes at `urls`, the preferred one first. Nothing is sent before something is asked.
    pub fn new(urls: Vec<String>, router: Address, account: Address, timeout: Duration) -> Self {
        Self {
            endpoints: Endpoints::new(urls, timeout),
            router,
            account,
            timeout,
        }
    }

    /// From now on only nodes of this network are asked.
    pub fn require(&self, chain_id: u64) {
        self.endpoints.require(chain_id);
    }

    /// How many nodes there are.
    pub fn nodes(&self) -> usize {
        self.endpoints.count()
    }

    /// Place in the list of the node that is asked, from 0.
    pub fn node(&self) -> usize {
        self.endpoints.current()
    }

    /// After an error: the next node is asked from now on, if there is one.
    pub async fn switch(&self, error: &EthereumError) {
        // A reorg between two questions is nobody's fault.
        if !matches!(error, EthereumError::Missing(_)) {
            self.endpoints.switch().await;
        }
    }

    /// Compares the last view's head with those of the other nodes, again and again. Runs until it is dropped, or ends
    /// at once if there are no others.
    pub async fn watch(&self, every: Duration) {
        while self.nodes() > 1 {
            tokio::time::sleep(every).await;
            self.endpoints.compare().await;
        }
    }

    /// Between turns: if another node was found well ahead, it is asked from now on.
    pub async fn take_better(&self) {
        self.endpoints.take_better().await;
    }

    async fn provider(&self) -> Result<DynProvider, EthereumError> {
        self.endpoints.provider().await
    }

    /// Asks; an outer error is the node's silence, an inner one its answer.
    async fn ask<T>(
        &self,
        what: &'static str,
        question: impl IntoFuture<Output = Result<T, TransportError>>,
    ) -> Result<Result<T, TransportError>, EthereumError> {
        let answer = tokio::time::timeout(self.timeout, question.into_future())
            .await
            .map_err(|_| EthereumError::Timeout(what))?;
        if let Err(RpcError::Transport(error)) = &answer {
            self.endpoints.disconnect().await;
            return Err(self.endpoints.unreachable(error));
        }
        Ok(answer)
    }

    async fn must<T>(
        &self,
        what: &'static str,
        question: impl IntoFuture<Output = Result<T, TransportError>>,
    ) -> Result<T, EthereumError> {
        self.ask(what, question)
            .await?
            .map_err(|error| EthereumError::Refused {
                what,
                reason: error.to_string(),
            })
    }

    async fn call<C: SolCall>(
        &self,
        provider: &DynProvider,
        what: &'static str,
        call: C,
        at: BlockId,
    ) -> Result<C::Return, EthereumError> {
        let request = TransactionRequest::default()
            .with_to(self.router)
            .with_input(call.abi_encode());
        let bytes = self.must(what, provider.call(request).block(at)).await?;
        C::abi_decode_returns(&bytes).map_err(|_| EthereumError::NoRouter(self.router))
    }

    /// Chain id.
    ///
    /// # Errors
    ///
    /// [`EthereumError`].
    pub async fn chain_id(&self) -> Result<u64, EthereumError> {
        let provider = self.provider().await?;
        self.must("eth_chainId", provider.get_chain_id()).await
    }

    /// Chain id, and the genesis hash of the chain that the Router takes batches of.
    ///
    /// # Errors
    ///
    /// [`EthereumError`].
    pub async fn identity(&self) -> Result<(u64, H256), EthereumError> {
        let provider = self.provider().await?;
        let chain_id = self.chain_id().await?;
        let genesis = self
            .call(
                &provider,
                "chainGenesis",
                Router::chainGenesisCall {},
                BlockId::latest(),
            )
            .await?;
        Ok((chain_id, H256(genesis.0)))
    }

    async fn router_at(
        &self,
        provider: &DynProvider,
        at: BlockId,
    ) -> Result<RouterState, EthereumError> {
        let last = self
            .call(provider, "lastBatch", Router::lastBatchCall {}, at)
            .await?;
        let set_id = self
            .call(provider, "setId", Router::setIdCall {}, at)
            .await?;
        Ok(RouterState {
            nonce: last.nonce,
            digest: H256(last.digest.0),
            set_id,
        })
    }

    async fn block(
        &self,
        provider: &DynProvider,
        at: BlockNumberOrTag,
    ) -> Result<Option<Block>, EthereumError> {
        self.must("eth_getBlockByNumber", provider.get_block_by_number(at))
            .await
    }

    /// Ethereum as it is now. What cannot have changed since `previous` is taken from it.
    ///
    /// # Errors
    ///
    /// [`EthereumError`].
    pub async fn view(
        &self,
        previous: Option<&View>,
        tracked: &[H256],
    ) -> Result<View, EthereumError> {
        let provider = self.provider().await?;
        let block = self
            .block(&provider, BlockNumberOrTag::Latest)
            .await?
            .ok_or(EthereumError::Missing("a head"))?;
        let head = head_of(&block);
        self.endpoints.note_head(head.number);
        let final_block = self
            .ask(
                "eth_getBlockByNumber",
                provider.get_block_by_number(BlockNumberOrTag::Finalized),
            )
            .await?;
        // A network that has finalised nothing yet says so with an error, or with nothing.
        let finalised = final_block.ok().flatten().map(|block| head_of(&block));

        let unchanged = previous.filter(|view| {
            view.head == head && finalised.is_none_or(|finalised| finalised == view.finalised)
        });
        let at_head = BlockId::hash(B256::from(head.hash.0));
        let (router, nonce, settled, settled_nonce, reorged) = match unchanged {
            Some(view) => (
                view.router,
                view.nonce,
                view.settled,
                view.settled_nonce,
                false,
            ),
            None => {
                let router = self.router_at(&provider, at_head).await?;
                let nonce = self
                    .must(
                        "eth_getTransactionCount",
                        provider
                            .get_transaction_count(self.account)
                            .block_id(at_head),
                    )
                    .await?;
                let (settled, settled_nonce) = match finalised {
                    Some(finalised) => self.settled(&provider, finalised, previous).await?,
                    None => Default::default(),
                };
                let reorged = match previous {
                    Some(view) => self.left(&provider, view.head, head, &block).await?,
                    None => false,
                };
                (router, nonce, settled, settled_nonce, reorged)
            }
        };
        let balance = self
            .must("eth_getBalance", provider.get_balance(self.account))
            .await?;
        let market = self.market(&provider).await?;
        let transactions = self
            .transactions(&provider, head, unchanged, tracked)
            .await?;
        Ok(View {
            head,
            timestamp: block.header.timestamp,
            finalised: finalised.unwrap_or_default(),
            router,
            settled,
            nonce,
            settled_nonce,
            balance: u128::try_from(balance).unwrap_or(u128::MAX),
            market,
            reorged,
            transactions,
        })
    }

    /// The Router and our nonce at the last final block.
    async fn settled(
        &self,
        provider: &DynProvider,
        finalised: Head,
        previous: Option<&View>,
    ) -> Result<(RouterState, u64), EthereumError> {
        if let Some(view) = previous
            && view.finalised == finalised
        {
            return Ok((view.settled, view.settled_nonce));
        }
        let at = BlockId::hash(B256::from(finalised.hash.0));
        let read = async {
            let router = self.router_at(provider, at).await?;
            let nonce = self
                .must(
                    "eth_getTransactionCount",
                    provider.get_transaction_count(self.account).block_id(at),
                )
                .await?;
            Ok((router, nonce))
        };
        match read.await {
            // The Router is younger than the last final block, or the node keeps no state as old as that: nothing
            // newer is known to be final. What was final later than that was so on another chain.
            Err(EthereumError::NoRouter(_) | EthereumError::Refused { .. }) => Ok(previous
                .filter(|view| view.finalised.number <= finalised.number)
                .map_or_else(Default::default, |view| (view.settled, view.settled_nonce))),
            answer => answer,
        }
    }

    /// Whether the branch of `head` does not hold `old`.
    async fn left(
        &self,
        provider: &DynProvider,
        old: Head,
        head: Head,
        block: &Block,
    ) -> Result<bool, EthereumError> {
        if old.hash == head.hash || old.hash.0 == block.header.parent_hash.0 {
            return Ok(false);
        }
        let there = self
            .block(provider, BlockNumberOrTag::Number(old.number))
            .await?;
        Ok(there.is_none_or(|block| head_of(&block) != old))
    }

    async fn market(&self, provider: &DynProvider) -> Result<Market, EthereumError> {
        let history = self
            .must(
                "eth_feeHistory",
                provider.get_fee_history(FEE_BLOCKS, BlockNumberOrTag::Latest, &[FEE_PERCENTILE]),
            )
            .await?;
        let base_fee = history
            .base_fee_per_gas
            .last()
            .copied()
            .ok_or(EthereumError::Missing("a base fee"))?;
        let mut tips: Vec<_> = history
            .reward
            .unwrap_or_default()
            .iter()
            .filter_map(|block| block.first().copied())
            .filter(|tip| *tip != 0)
            .collect();
        tips.sort_unstable();
        let tip = tips.get(tips.len() / 2).copied().unwrap_or(0).max(MIN_TIP);
        Ok(Market { base_fee, tip })
    }

    async fn transactions(
        &self,
        provider: &DynProvider,
        head: Head,
        unchanged: Option<&View>,
        tracked: &[H256],
    ) -> Result<BTreeMap<H256, TxStatus>, EthereumError> {
        let mut statuses = BTreeMap::new();
        for hash in tracked.iter().copied().collect::<BTreeSet<_>>() {
            let known = unchanged.and_then(|view| view.transactions.get(&hash));
            let status = match known {
                Some(mined @ TxStatus::Mined { .. }) => *mined,
                _ => self.status(provider, head, hash).await?,
            };
            statuses.insert(hash, status);
        }
        Ok(statuses)
    }

    async fn status(
        &self,
        provider: &DynProvider,
        head: Head,
        hash: H256,
    ) -> Result<TxStatus, EthereumError> {
        let hash = B256::from(hash.0);
        let receipt = self
            .must(
                "eth_getTransactionReceipt",
                provider.get_transaction_receipt(hash),
            )
            .await?;
        if let Some(receipt) = receipt
            && let (Some(number), Some(block)) = (receipt.block_number, receipt.block_hash)
        {
            if number > head.number {
                // Mined after the head of this view.
                return Ok(TxStatus::Pending);
            }
            let block = Head {
                number,
                hash: H256(block.0),
            };
            return Ok(TxStatus::Mined {
                block,
                success: receipt.status(),
                gas_used: receipt.gas_used,
            });
        }
        Ok(if self.knows(provider, hash).await? {
            TxStatus::Pending
        } else {
            TxStatus::Unknown
        })
    }

    async fn knows(&self, provider: &DynProvider, hash: B256) -> Result<bool, EthereumError> {
        let transaction = self
            .must(
                "eth_getTransactionByHash",
                provider.get_transaction_by_hash(hash),
            )
            .await?;
        Ok(transaction.is_some())
    }

    /// Simulates `commitBatch` on top of `view`, as the next block would run it: the gas that it needs, or why the
    /// Router would refuse it. `anchor` is the number of the batch's anchor.
    ///
    /// # Errors
    ///
    /// [`EthereumError`] if the node does not answer.
    pub async fn check(
        &self,
        input: &Bytes,
        anchor: u64,
        view: &View,
        max_gas: u64,
    ) -> Result<Result<u64, Refusal>, EthereumError> {
        let provider = self.provider().await?;
        let next = view.head.number.saturating_add(1);
        let at = BlockId::hash(B256::from(view.head.hash.0));
        let request = TransactionRequest::default()
            .with_from(self.account)
            .with_to(self.router)
            .with_input(input.clone())
            .with_gas_limit(max_gas);
        let overrides = BlockOverrides {
            number: Some(U256::from(next)),
            time: Some(view.timestamp.saturating_add(1)),
            ..Default::default()
        };
        // Before its transactions a block notes its parent's hash in the history contract. Simulations leave that out,
        // and what the slot holds instead is the hash of another block.
        let state = (anchor == view.head.number).then(|| noted(view.head));
        let call = provider
            .call(request.clone())
            .block(at)
            .overrides_opt(state.clone())
            .with_block_overrides(overrides.clone());
        if let Err(error) = self.ask("eth_call", call).await? {
            return refusal(error, next);
        }
        let estimate = provider
            .estimate_gas(request.clone())
            .block(at)
            .overrides_opt(state)
            .with_block_overrides(overrides);
        match self.ask("eth_estimateGas", estimate).await? {
            Ok(gas) => Ok(Ok(gas)),
            Err(_) => {
                // Some nodes do not take a block's overrides here.
                let estimate = provider.estimate_gas(request).block(at);
                match self.ask("eth_estimateGas", estimate).await? {
                    Ok(gas) => Ok(Ok(gas)),
                    Err(error) => refusal(error, next),
                }
            }
        }
    }

    /// Sends a signed transaction. What the node's words mean is only a hint: whether it has the transaction is asked.
    pub async fn send(&self, raw: &[u8], hash: H256) -> Answer {
        let Ok(provider) = self.provider().await else {
            return Answer::Unknown;
        };
        let send = provider.raw_request::<_, B256>(
            "eth_sendRawTransaction".into(),
            (Bytes::from(raw.to_vec()),),
        );
        match self.ask("eth_sendRawTransaction", send).await {
            Ok(Ok(_)) => Answer::Taken,
            Ok(Err(error)) => match self.knows(&provider, B256::from(hash.0)).await {
                Ok(true) => Answer::Taken,
                Ok(false) => answer_of(&error.to_string()),
                Err(_) => Answer::Unknown,
            },
            Err(error) => {
                tracing::debug!(%error, "the node did not answer to a transaction");
                Answer::Unknown
            }
        }
    }
}

/// The history contract as the block after `head` has it.
fn noted(head: Head) -> StateOverride {
    let slot = B256::from(U256::from(head.number % HISTORY_WINDOW));
    let history = AccountOverride::default().with_state_diff([(slot, B256::from(head.hash.0))]);
    std::iter::once((HISTORY, history)).collect()
}

fn head_of(block: &Block) -> Head {
    Head {
        number: block.header.number,
        hash: H256(block.header.hash.0),
    }
}
