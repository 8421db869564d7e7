//! What the off-chain worker of `pallets/bridge` asks of the node: burns of wVARA on Ethereum, what became of slashes, and
//! whether rewards were taken.

use crate::{
    asked::Asked,
    ethereum_service::EthereumService,
    metrics::{Alarm, Metrics},
};
use gear_exe_ethereum::facts::FactReader;
use gear_exe_primitives::facts::{Fact, FactsRequest};
use std::sync::Arc;

/// Reads facts when the chain asks for them.
pub struct Facts {
    asked: Asked<FactsRequest, Vec<Fact>>,
    ethereum: Arc<EthereumService>,
    reader: FactReader,
    metrics: Metrics,
}

impl Facts {
    /// With nothing asked yet.
    pub fn new(ethereum: Arc<EthereumService>, reader: FactReader, metrics: Metrics) -> Arc<Self> {
        Arc::new(Self {
            asked: Asked::default(),
            ethereum,
            reader,
            metrics,
        })
    }

    /// The answer, if it is there. Otherwise it will be, once the node itself calls the block final.
    ///
    /// When there can be more to say, because Ethereum has finalised another block, the question is another one too.
    pub fn ask(&self, request: &FactsRequest) -> Option<Vec<Fact>> {
        self.asked.ask(request)
    }

    /// Answers what is asked.
    pub async fn run(self: Arc<Self>) {
        self.asked.run(|request| self.read(request)).await;
    }

    async fn read(&self, request: FactsRequest) -> Option<Vec<Fact>> {
        // The node's own final block: it is not below the one asked for, and says as much as there is to say.
        let block = self.ethereum.finalised_from(request.block)?;
        match self.reader.read(block, &request).await {
            Ok(facts) => {
                self.metrics.clear(Alarm::FactsUnread);
                if !facts.is_empty() {
                    tracing::info!(
                        block = block.number,
                        facts = facts.len(),
                        "read what was burned, slashed and paid on Ethereum"
                    );
                }
                Some(facts)
            }
            Err(error) => {
                self.metrics.raise(
                    Alarm::FactsUnread,
                    format!("{error}; this node does not vote on facts until one answers"),
                );
                None
            }
        }
    }
}
