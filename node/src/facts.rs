//! What the off-chain worker of `pallets/bridge` asks of the node: burns of wVARA on Ethereum, and what became of slashes.
//! The worker only looks whether the answer is there; a task of the node reads it.

use crate::{
    ethereum_service::EthereumService,
    metrics::{Alarm, Metrics},
};
use gear_exe_ethereum::facts::FactReader;
use gear_exe_primitives::facts::{Fact, FactsRequest};
use parking_lot::Mutex;
use std::{sync::Arc, time::Duration};
use tokio::sync::Notify;

/// Pause before a question is asked again that had no answer.
const RETRY: Duration = Duration::from_secs(2);

/// The question that is open, and the last answer.
#[derive(Default)]
struct Asked {
    wanted: Option<FactsRequest>,
    answered: Option<(FactsRequest, Vec<Fact>)>,
}

/// Reads facts when the chain asks for them.
pub struct Facts {
    asked: Mutex<Asked>,
    wake: Notify,
    ethereum: Arc<EthereumService>,
    reader: FactReader,
    metrics: Metrics,
}

impl Facts {
    /// With nothing asked yet.
    pub fn new(ethereum: Arc<EthereumService>, reader: FactReader, metrics: Metrics) -> Arc<Self> {
        Arc::new(Self {
            asked: Mutex::default(),
            wake: Notify::new(),
            ethereum,
            reader,
            metrics,
        })
    }

    /// The answer, if it is there. Otherwise it will be, once the node itself calls the block final.
    ///
    /// It is read once: when there can be more to say, because Ethereum has finalised another block, the question is
    /// another one too.
    pub fn ask(&self, request: &FactsRequest) -> Option<Vec<Fact>> {
        let mut asked = self.asked.lock();
        if let Some((answered, facts)) = &asked.answered
            && answered == request
        {
            return Some(facts.clone());
        }
        if asked.wanted.as_ref() != Some(request) {
            asked.wanted = Some(request.clone());
            self.wake.notify_one();
        }
        None
    }

    /// Answers, one question at a time: the newest.
    pub async fn run(self: Arc<Self>) {
        loop {
            let wanted = self.asked.lock().wanted.clone();
            let Some(request) = wanted else {
                self.wake.notified().await;
                continue;
            };
            // The node's own final block: it is not below the one asked for, and says as much as there is to say.
            let Some(block) = self.ethereum.finalised_from(request.block) else {
                self.pause().await;
                continue;
            };
            match self.reader.read(block, &request).await {
                Ok(facts) => {
                    self.metrics.clear(Alarm::FactsUnread);
                    if !facts.is_empty() {
                        tracing::info!(
                            block = block.number,
                            facts = facts.len(),
                            "read what was burned and slashed on Ethereum"
                        );
                    }
                    let mut asked = self.asked.lock();
                    if asked.wanted.as_ref() == Some(&request) {
                        asked.wanted = None;
                    }
                    asked.answered = Some((request, facts));
                }
                Err(error) => {
                    self.metrics.raise(
                        Alarm::FactsUnread,
                        format!("{error}; this node does not vote on facts until one answers"),
                    );
                    self.pause().await;
                }
            }
        }
    }

    /// Until something else is asked, or it is time to try again.
    async fn pause(&self) {
        tokio::select! {
            () = self.wake.notified() => {}
            () = tokio::time::sleep(RETRY) => {}
        }
    }
}
