//! What the off-chain worker of `pallets/restaking` asks of the node: the stake that vaults on Ethereum held for
//! operators. The worker only looks whether the answer is there; a task of the node reads it.

use crate::{
    ethereum_service::EthereumService,
    metrics::{Alarm, Metrics},
};
use gear_exe_ethereum::stakes::StakeReader;
use gear_exe_primitives::{host::StakesRequest, restaking::VaultStake};
use parking_lot::Mutex;
use std::{sync::Arc, time::Duration};
use tokio::sync::Notify;

/// Pause before a question is asked again that had no answer.
const RETRY: Duration = Duration::from_secs(2);

/// The question that is open, and the last answer.
#[derive(Default)]
struct Asked {
    wanted: Option<StakesRequest>,
    answered: Option<(StakesRequest, Vec<VaultStake>)>,
}

/// Reads stakes when the chain asks for them.
pub struct Stakes {
    asked: Mutex<Asked>,
    wake: Notify,
    ethereum: Arc<EthereumService>,
    reader: StakeReader,
    metrics: Metrics,
}

impl Stakes {
    /// With nothing asked yet.
    pub fn new(ethereum: Arc<EthereumService>, reader: StakeReader, metrics: Metrics) -> Arc<Self> {
        Arc::new(Self {
            asked: Mutex::default(),
            wake: Notify::new(),
            ethereum,
            reader,
            metrics,
        })
    }

    /// The answer, if it is there. Otherwise it will be, once the node itself calls the block final.
    pub fn ask(&self, request: &StakesRequest) -> Option<Vec<VaultStake>> {
        let mut asked = self.asked.lock();
        if let Some((answered, stakes)) = &asked.answered
            && answered == request
        {
            return Some(stakes.clone());
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
            if !self.ethereum.is_final(request.block) {
                self.pause().await;
                continue;
            }
            match self
                .reader
                .read(request.capture, request.block, &request.operators)
                .await
            {
                Ok(stakes) => {
                    self.metrics.clear(Alarm::StakesUnread);
                    tracing::info!(
                        capture = request.capture,
                        block = request.block.number,
                        vaults = stakes.len(),
                        "read what vaults hold for operators"
                    );
                    let mut asked = self.asked.lock();
                    if asked.wanted.as_ref() == Some(&request) {
                        asked.wanted = None;
                    }
                    asked.answered = Some((request, stakes));
                }
                Err(error) => {
                    self.metrics.raise(
                        Alarm::StakesUnread,
                        format!("{error}; this node does not vote on stake until one answers"),
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
