//! What the off-chain worker of `pallets/restaking` asks of the node: the stake that vaults on Ethereum held for
//! operators.

use crate::{
    asked::Asked,
    ethereum_service::EthereumService,
    metrics::{Alarm, Metrics},
};
use gear_exe_ethereum::stakes::StakeReader;
use gear_exe_primitives::{host::StakesRequest, restaking::VaultStake};
use std::sync::Arc;

/// Reads stakes when the chain asks for them.
pub struct Stakes {
    asked: Asked<StakesRequest, Vec<VaultStake>>,
    ethereum: Arc<EthereumService>,
    reader: StakeReader,
    metrics: Metrics,
}

impl Stakes {
    /// With nothing asked yet.
    pub fn new(ethereum: Arc<EthereumService>, reader: StakeReader, metrics: Metrics) -> Arc<Self> {
        Arc::new(Self {
            asked: Asked::default(),
            ethereum,
            reader,
            metrics,
        })
    }

    /// The answer, if it is there. Otherwise it will be, once the node itself calls the block final.
    pub fn ask(&self, request: &StakesRequest) -> Option<Vec<VaultStake>> {
        self.asked.ask(request)
    }

    /// Answers what is asked.
    pub async fn run(self: Arc<Self>) {
        self.asked.run(|request| self.read(request)).await;
    }

    async fn read(&self, request: StakesRequest) -> Option<Vec<VaultStake>> {
        let StakesRequest {
            capture,
            block,
            operators,
        } = request;
        if !self.ethereum.is_final(block) {
            return None;
        }
        match self.reader.read(capture, block, &operators).await {
            Ok(stakes) => {
                self.metrics.clear(Alarm::StakesUnread);
                tracing::info!(
                    capture,
                    block = block.number,
                    vaults = stakes.len(),
                    "read what vaults hold for operators"
                );
                Some(stakes)
            }
            Err(error) => {
                self.metrics.raise(
                    Alarm::StakesUnread,
                    format!("{error}; this node does not vote on stake until one answers"),
                );
                None
            }
        }
    }
}
