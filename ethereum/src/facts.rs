//! Facts of contracts that validators vote on: burns of wVARA, as the Router keeps them, what became of slashes, and
//! whether rewards were taken, as the Middleware tells it.

mod rewards;

use crate::{
    abi::{Middleware, Router},
    convert::{address, b256, h256},
};
use alloy::{
    eips::BlockId as At,
    primitives::{Address, TxKind},
    providers::{DynProvider, Provider, ProviderBuilder},
    rpc::types::TransactionRequest,
    sol_types::SolCall,
};
use futures::{StreamExt as _, TryStreamExt as _};
use gear_exe_primitives::{
    H160,
    ethereum::BlockId,
    facts::{Burn, Fact, FactsRequest, MAX_ASKED_SLASHES, MAX_FACTS, SlashFate},
};
use std::time::Duration;

/// Questions that are open at a time.
const AT_A_TIME: usize = 8;

/// States of a slash, as the Middleware numbers them (`SlashState`).
mod slash {
    pub const NONE: u8 = 0;
    pub const REQUESTED: u8 = 1;
    pub const EXECUTED: u8 = 2;
    pub const CANCELLED: u8 = 3;
    pub const COVERED: u8 = 4;
}

/// State of a slash in a vault that has paid (`VaultSlashState`).
const VAULT_EXECUTED: u8 = 1;

/// Why facts could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FactsError {
    /// There is no endpoint.
    #[error("no Ethereum endpoint is configured")]
    NoEndpoint,
    /// The last endpoint that was tried.
    #[error(
        "Ethereum endpoint {endpoint} does not say what was burned, slashed and paid: {reason}"
    )]
    Endpoint {
        /// Its place in the configuration.
        endpoint: usize,
        /// Why.
        reason: String,
    },
}

/// Reads facts from the first endpoint that answers.
#[derive(Clone, Debug)]
pub struct FactReader {
    /// URLs, HTTP or WebSocket.
    pub endpoints: Vec<String>,
    /// The Router, which names the Middleware.
    pub router: H160,
    /// Longest wait for all answers of one endpoint.
    pub timeout: Duration,
}

impl FactReader {
    /// What is true at `block`, a final one that is not below the one of the request. Of a slash that is not over there
    /// is no fact, nor of rewards that may have been taken by what the Router does not name any more.
    ///
    /// # Errors
    ///
    /// [`FactsError`] if no endpoint answers.
    pub async fn read(
        &self,
        block: BlockId,
        request: &FactsRequest,
    ) -> Result<Vec<Fact>, FactsError> {
        let mut failed = FactsError::NoEndpoint;
        for (endpoint, url) in self.endpoints.iter().enumerate() {
            let read = tokio::time::timeout(self.timeout, self.read_at(url, block, request));
            let reason = match read.await {
                Ok(Ok(facts)) => return Ok(facts),
                Ok(Err(error)) => error.to_string(),
                Err(_) => format!("no answer within {:?}", self.timeout),
            };
            failed = FactsError::Endpoint { endpoint, reason };
        }
        Err(failed)
    }

    async fn read_at(
        &self,
        url: &str,
        block: BlockId,
        request: &FactsRequest,
    ) -> Result<Vec<Fact>, Failure> {
        let state = State {
            provider: ProviderBuilder::new()
                .disable_recommended_fillers()
                .connect(url)
                .await?
                .erased(),
            at: At::hash(b256(block.hash)),
        };
        let router = address(self.router);
        let mut facts = state.burns(router, request).await?;
        if request.slashes.is_empty() && request.rewards.is_empty() {
            return Ok(facts);
        }
        let middleware = state.middleware(router).await?;
        if !request.slashes.is_empty() {
            facts.extend(state.slashes(middleware, &request.slashes).await?);
        }
        if !request.rewards.is_empty() {
            facts.extend(state.rewards(router, middleware, request).await?);
        }
        Ok(facts)
    }
}

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// What contracts hold at a block.
struct State {
    provider: DynProvider,
    at: At,
}

impl State {
    async fn burns(&self, router: Address, request: &FactsRequest) -> Result<Vec<Fact>, Failure> {
        let most = u64::from(request.burns_most).min(MAX_FACTS as u64);
        if most == 0 {
            return Ok(Vec::new());
        }
        let question = Router::burnsCall {
            from: request.burns_from,
            to: request.burns_from.saturating_add(most),
        };
        let burns = self.ask(router, &question).await?;
        if burns.len() as u64 > most {
            return Err("more burns than were asked for".into());
        }
        Ok((request.burns_from..)
            .zip(burns)
            .map(|(number, burn)| {
                Fact::Burn(Burn {
                    number,
                    account: h256(burn.account),
                    amount: burn.amount,
                })
            })
            .collect())
    }

    /// The Router's Middleware, if it names one that is there.
    async fn middleware(&self, router: Address) -> Result<Option<Address>, Failure> {
        let middleware = self.ask(router, &Router::middlewareCall {}).await?;
        let code = self.provider.get_code_at(middleware).block_id(self.at);
        let is_there = middleware != Address::ZERO && !code.await?.is_empty();
        Ok(is_there.then_some(middleware))
    }

    async fn slashes(
        &self,
        middleware: Option<Address>,
        ids: &[u64],
    ) -> Result<Vec<Fact>, Failure> {
        let ids = ids.iter().copied().take(MAX_ASKED_SLASHES);
        let Some(middleware) = middleware else {
            // The Router has skipped them.
            let fate = SlashFate::Refused;
            return Ok(ids.map(|id| Fact::Slash { id, fate }).collect());
        };
        let timestamp = self
            .provider
            .get_block(self.at)
            .await?
            .ok_or("the block is not there")?
            .header
            .timestamp;
        futures::stream::iter(ids)
            .map(|id| async move {
                let fate = self.fate(middleware, id, timestamp).await?;
                Ok::<_, Failure>(fate.map(|fate| Fact::Slash { id, fate }))
            })
            .buffered(AT_A_TIME)
            .try_filter_map(|fact| async move { Ok(fact) })
            .try_collect()
            .await
    }

    /// What has become of a slash at `timestamp`; nothing while it can still become something else.
    async fn fate(
        &self,
        middleware: Address,
        id: u64,
        timestamp: u64,
    ) -> Result<Option<SlashFate>, Failure> {
        let info = self
            .ask(middleware, &Middleware::slashInfoCall { id })
            .await?;
        Ok(match info.state {
            slash::NONE => Some(SlashFate::Refused),
            slash::EXECUTED | slash::COVERED => Some(SlashFate::Executed),
            slash::CANCELLED => Some(SlashFate::Vetoed),
            slash::REQUESTED => {
                let capture = info.capture.to::<u64>();
                if !self
                    .is_too_late(middleware, info.operator, capture, timestamp)
                    .await?
                {
                    return Ok(None);
                }
                // The Middleware does not note that time is over: nobody can call it then without a revert.
                let paid = info
                    .vaults
                    .iter()
                    .any(|vault| vault.state == VAULT_EXECUTED);
                Some(if paid {
                    SlashFate::Executed
                } else {
                    SlashFate::Refused
                })
            }
            other => return Err(format!("slash {id} is in a state that is none: {other}").into()),
        })
    }

    /// Whether no vault of the operator pays for the capture any more: each executes until an epoch after it, those too
    /// that were not asked yet.
    async fn is_too_late(
        &self,
        middleware: Address,
        operator: Address,
        capture: u64,
        timestamp: u64,
    ) -> Result<bool, Failure> {
        let vaults = self
            .ask(middleware, &Middleware::vaultsOfCall { operator })
            .await?;
        for vault in vaults {
            let info = self
                .ask(middleware, &Middleware::vaultInfoCall { vault })
                .await?;
            if timestamp <= capture.saturating_add(info.epochDuration.to::<u64>()) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Calls a view of a contract.
    async fn ask<C: SolCall>(&self, contract: Address, question: &C) -> Result<C::Return, Failure> {
        let request = TransactionRequest {
            to: Some(TxKind::Call(contract)),
            input: question.abi_encode().into(),
            ..Default::default()
        };
        let answer = self.provider.call(request).block(self.at).await?;
        Ok(C::abi_decode_returns(&answer)?)
    }
}
