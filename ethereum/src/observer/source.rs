//! What an Ethereum node is asked, and how its answers are checked.

use crate::events::{self, MalformedLog};
use alloy::{
    consensus::proofs::calculate_receipt_root,
    eips::{BlockId as RpcBlockId, BlockNumberOrTag},
    primitives::{Address, B256},
    providers::{DynProvider, Provider, ProviderBuilder},
    rpc::types::TransactionReceipt,
};
use gear_exe_primitives::{
    H256,
    ethereum::{EthereumBlock, EthereumHeader},
};
use std::{future::Future, time::Duration};

/// Why an Ethereum node's answer cannot be used. All are retried.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    /// It cannot be reached, or it refused.
    #[error("the Ethereum node does not answer: {0}")]
    Unreachable(String),
    /// It took too long.
    #[error("the Ethereum node did not answer in time")]
    Timeout,
    /// It is on another chain.
    #[error("the Ethereum node is on chain {found}, expected {expected}")]
    WrongChain {
        /// Configured.
        expected: u64,
        /// Answered.
        found: u64,
    },
    /// It does not have the block (yet, or any more).
    #[error("the Ethereum node does not have block {0}")]
    Missing(String),
    /// The header's bytes are not those that its hash names: a lie, or fields that this version does not know.
    #[error("the header's bytes hash to {found:?}, expected {expected:?}")]
    HeaderMismatch {
        /// Asked for or claimed.
        expected: H256,
        /// Computed.
        found: H256,
    },
    /// The receipts are not those of the block: some are missing, or changed.
    #[error("receipts root of block {block:?} is {expected:?}, its receipts have {found:?}")]
    ReceiptsRootMismatch {
        /// The block.
        block: H256,
        /// In its header.
        expected: H256,
        /// Computed.
        found: H256,
    },
    /// A log of the Router does not read.
    #[error(transparent)]
    MalformedLog(#[from] MalformedLog),
}

impl SourceError {
    /// Whether the node contradicts itself, or Ethereum: a fault that somebody should look at.
    pub const fn is_contradiction(&self) -> bool {
        matches!(
            self,
            Self::WrongChain { .. }
                | Self::HeaderMismatch { .. }
                | Self::ReceiptsRootMismatch { .. }
                | Self::MalformedLog(_)
        )
    }
}

/// Which block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// The head.
    Latest,
    /// The last final one.
    Finalized,
    /// By hash.
    Hash(H256),
    /// By number, canonical.
    Number(u64),
}

/// A header's facts with the bytes that prove them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProvenHeader {
    /// Read from the bytes.
    pub header: EthereumHeader,
    /// Its RLP; Keccak-256 of it is the hash.
    pub rlp: Vec<u8>,
}

/// Where an observer reads from. Answers are checked by the source, so a wrong one is an error, never a fact.
pub trait Source: Send + Sync + 'static {
    /// A header. `None` if there is no such block.
    fn header(
        &self,
        which: Which,
    ) -> impl Future<Output = Result<Option<ProvenHeader>, SourceError>> + Send;

    /// A block with its events.
    fn block(
        &self,
        header: &EthereumHeader,
    ) -> impl Future<Output = Result<EthereumBlock, SourceError>> + Send;
}

/// One endpoint of an Ethereum node, HTTP or WebSocket.
#[derive(Clone, Debug)]
pub struct RpcSource {
    provider: DynProvider,
    router: Address,
    timeout: Duration,
}

impl RpcSource {
    /// Connects to `url` and checks the chain id.
    ///
    /// # Errors
    ///
    /// [`SourceError`] if it cannot be reached or is on another chain.
    pub async fn connect(
        url: &str,
        chain_id: u64,
        router: Address,
        timeout: Duration,
    ) -> Result<Self, SourceError> {
        let provider = tokio::time::timeout(
            timeout,
            ProviderBuilder::new()
                .disable_recommended_fillers()
                .connect(url),
        )
        .await
        .map_err(|_| SourceError::Timeout)?
        .map_err(|error| SourceError::Unreachable(error.to_string()))?
        .erased();
        let source = Self {
            provider,
            router,
            timeout,
        };
        let found = source.ask(source.provider.get_chain_id()).await?;
        if found != chain_id {
            return Err(SourceError::WrongChain {
                expected: chain_id,
                found,
            });
        }
        Ok(source)
    }

    async fn ask<T, E: std::fmt::Display>(
        &self,
        question: impl IntoFuture<Output = Result<T, E>>,
    ) -> Result<T, SourceError> {
        tokio::time::timeout(self.timeout, question.into_future())
            .await
            .map_err(|_| SourceError::Timeout)?
            .map_err(|error| SourceError::Unreachable(error.to_string()))
    }
}

/// Reads a header's bytes and checks them against the hash that was claimed.
///
/// # Errors
///
/// [`SourceError::HeaderMismatch`] if they differ.
pub fn prove(
    claimed: B256,
    header: &alloy::consensus::Header,
) -> Result<ProvenHeader, SourceError> {
    let rlp = alloy::rlp::encode(header);
    let expected = H256(claimed.0);
    let read = EthereumHeader::decode_rlp(&rlp).map_err(|_| SourceError::HeaderMismatch {
        expected,
        found: H256::zero(),
    })?;
    if read.hash != expected {
        return Err(SourceError::HeaderMismatch {
            expected,
            found: read.hash,
        });
    }
    Ok(ProvenHeader { header: read, rlp })
}

/// Takes the events out of a block's receipts, after checking their root.
///
/// # Errors
///
/// [`SourceError::ReceiptsRootMismatch`] if they are not those of the block; [`SourceError::MalformedLog`].
pub fn events_of(
    router: Address,
    header: &EthereumHeader,
    receipts: Vec<TransactionReceipt>,
) -> Result<EthereumBlock, SourceError> {
    let receipts: Vec<_> = receipts
        .into_iter()
        .map(|receipt| receipt.into_primitives_receipt().inner)
        .collect();
    let found = H256(calculate_receipt_root(&receipts).0);
    if found != header.receipts_root {
        return Err(SourceError::ReceiptsRootMismatch {
            block: header.hash,
            expected: header.receipts_root,
            found,
        });
    }
    let mut events = Vec::new();
    for log in receipts.iter().flat_map(|receipt| receipt.logs()) {
        events.extend(events::event(router, log.address, &log.data)?);
    }
    Ok(EthereumBlock {
        header: *header,
        events,
    })
}

impl Source for RpcSource {
    async fn header(&self, which: Which) -> Result<Option<ProvenHeader>, SourceError> {
        let id = match which {
            Which::Latest => RpcBlockId::Number(BlockNumberOrTag::Latest),
            Which::Finalized => RpcBlockId::Number(BlockNumberOrTag::Finalized),
            Which::Hash(hash) => RpcBlockId::hash(B256::from(hash.0)),
            Which::Number(number) => RpcBlockId::Number(BlockNumberOrTag::Number(number)),
        };
        let Some(block) = self.ask(self.provider.get_block(id)).await? else {
            return Ok(None);
        };
        let proven = prove(block.header.hash, &block.header.inner)?;
        if let Which::Hash(expected) = which
            && proven.header.hash != expected
        {
            return Err(SourceError::HeaderMismatch {
                expected,
                found: proven.header.hash,
            });
        }
        Ok(Some(proven))
    }

    async fn block(&self, header: &EthereumHeader) -> Result<EthereumBlock, SourceError> {
        let receipts = self
            .ask(
                self.provider
                    .get_block_receipts(RpcBlockId::hash(B256::from(header.hash.0))),
            )
            .await?
            .ok_or_else(|| SourceError::Missing(format!("{:?}", header.hash)))?;
        events_of(self.router, header, receipts)
    }
}
