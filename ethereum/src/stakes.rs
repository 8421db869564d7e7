//! What vaults on Ethereum hold for operators, as the Middleware tells it: what validators vote on when an era's stake is
//! agreed.

use crate::{
    abi::{Middleware, Router},
    convert::{address, b256, h160},
};
use alloy::{
    eips::BlockId as At,
    primitives::{Address, TxKind, U256, aliases::U48},
    providers::{DynProvider, Provider, ProviderBuilder},
    rpc::types::TransactionRequest,
    sol_types::SolCall,
};
use gear_exe_primitives::{H160, ethereum::BlockId, restaking::VaultStake};
use std::{collections::BTreeSet, time::Duration};

/// Operators that one call asks for.
const OPERATORS_PER_CALL: u64 = 16;

/// Why stakes could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StakesError {
    /// There is no endpoint.
    #[error("no Ethereum endpoint is configured")]
    NoEndpoint,
    /// The last endpoint that was tried.
    #[error("Ethereum endpoint {endpoint} does not say what vaults hold: {reason}")]
    Endpoint {
        /// Its place in the configuration.
        endpoint: usize,
        /// Why.
        reason: String,
    },
    /// The time of the capture is no time.
    #[error("{0} is no time on Ethereum")]
    Capture(u64),
}

/// Reads stakes from the first endpoint that answers.
#[derive(Clone, Debug)]
pub struct StakeReader {
    /// URLs, HTTP or WebSocket.
    pub endpoints: Vec<String>,
    /// The Router, which names the Middleware.
    pub router: H160,
    /// Longest wait for an answer.
    pub timeout: Duration,
}

impl StakeReader {
    /// What vaults held at `capture` for `operators`, in the Middleware's order; nothing if the Router names no
    /// Middleware. `block` is the final block whose time `capture` is: its state is asked for or, where a node has not
    /// kept that, the newest final one. The Middleware answers by time, so both say the same.
    ///
    /// # Errors
    ///
    /// [`StakesError`] if no endpoint answers.
    pub async fn read(
        &self,
        capture: u64,
        block: BlockId,
        operators: &[H160],
    ) -> Result<Vec<VaultStake>, StakesError> {
        let time = U48::try_from(capture).map_err(|_| StakesError::Capture(capture))?;
        let wanted: BTreeSet<H160> = operators.iter().copied().collect();
        let mut failed = StakesError::NoEndpoint;
        for (endpoint, url) in self.endpoints.iter().enumerate() {
            for at in [At::hash(b256(block.hash)), At::finalized()] {
                let read = tokio::time::timeout(self.timeout, self.read_at(url, at, time));
                let reason = match read.await {
                    Ok(Ok(mut stakes)) => {
                        stakes.retain(|stake| wanted.contains(&stake.operator));
                        return Ok(stakes);
                    }
                    Ok(Err(error)) => error.to_string(),
                    Err(_) => format!("no answer within {:?}", self.timeout),
                };
                failed = StakesError::Endpoint { endpoint, reason };
            }
        }
        Err(failed)
    }

    async fn read_at(&self, url: &str, at: At, time: U48) -> Result<Vec<VaultStake>, Failure> {
        let provider: DynProvider = ProviderBuilder::new()
            .disable_recommended_fillers()
            .connect(url)
            .await?
            .erased();
        let middleware = ask(
            &provider,
            address(self.router),
            at,
            &Router::middlewareCall {},
        )
        .await?;
        if middleware == Address::ZERO
            || provider
                .get_code_at(middleware)
                .block_id(at)
                .await?
                .is_empty()
        {
            return Ok(Vec::new());
        }
        let count = ask(
            &provider,
            middleware,
            at,
            &Middleware::operatorsCountCall {},
        )
        .await?;
        let count: u64 = count
            .try_into()
            .map_err(|_| "more operators than there can be")?;
        let mut stakes = Vec::new();
        let mut from = 0;
        while from < count {
            let to = count.min(from.saturating_add(OPERATORS_PER_CALL));
            let question = Middleware::stakesAtCall {
                timestamp: time,
                from: U256::from(from),
                to: U256::from(to),
            };
            let page = ask(&provider, middleware, at, &question).await?;
            stakes.extend(page.into_iter().map(|stake| VaultStake {
                operator: h160(stake.operator),
                vault: h160(stake.vault),
                collateral: h160(stake.collateral),
                amount: gear_exe_primitives::U256::from_big_endian(
                    &stake.amount.to_be_bytes::<32>(),
                ),
            }));
            from = to;
        }
        Ok(stakes)
    }
}

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Calls a view of a contract on the state `at` a block.
async fn ask<C: SolCall>(
    provider: &DynProvider,
    contract: Address,
    at: At,
    question: &C,
) -> Result<C::Return, Failure> {
    let request = TransactionRequest {
        to: Some(TxKind::Call(contract)),
        input: question.abi_encode().into(),
        ..Default::default()
    };
    let answer = provider.call(request).block(at).await?;
    Ok(C::abi_decode_returns(&answer)?)
}
