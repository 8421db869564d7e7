//! What stands behind the host interface in an off-chain worker: answers from memory, and a nudge for the executor.

use crate::{codes::Codes, ethereum_service::EthereumService, facts::Facts, stakes::Stakes};
use gear_exe_primitives::{
    H256,
    facts::{Fact, FactsRequest},
    host::{Backend, BackendExt, CodeVerdict, EthereumView, StakesRequest, ViewRequest},
    restaking::VaultStake,
};
use polkadot_sdk::sp_externalities::Extension;
use std::sync::Arc;
use tokio::sync::Notify;

/// Makes the backend of each off-chain worker.
#[derive(Clone)]
pub struct Backends {
    /// What is seen of Ethereum.
    pub ethereum: Arc<EthereumService>,
    /// Verdicts on codes.
    pub codes: Arc<Codes>,
    /// What vaults hold for operators.
    pub stakes: Arc<Stakes>,
    /// What was burned, slashed and paid.
    pub facts: Arc<Facts>,
    /// Wakes the executor service.
    pub rounds: Arc<Notify>,
}

impl Backends {
    /// The extensions of one off-chain worker.
    pub fn extensions(&self) -> Vec<Box<dyn Extension>> {
        vec![Box::new(BackendExt(Box::new(self.clone())))]
    }
}

impl Backend for Backends {
    fn ethereum_view(&mut self, request: &ViewRequest) -> Option<EthereumView> {
        self.ethereum.view(request)
    }

    fn ethereum_header(&mut self, hash: H256) -> Option<Vec<u8>> {
        self.ethereum.header(hash)
    }

    fn code_verdicts(&mut self) -> Vec<CodeVerdict> {
        let Some(oldest) = self.codes.oldest_open() else {
            return Vec::new();
        };
        let canonical = self.ethereum.canonical(oldest);
        self.codes.verdicts(|block| canonical.contains(block))
    }

    fn vault_stakes(&mut self, request: &StakesRequest) -> Option<Vec<VaultStake>> {
        self.stakes.ask(request)
    }

    fn facts(&mut self, request: &FactsRequest) -> Option<Vec<Fact>> {
        self.facts.ask(request)
    }

    fn round(&mut self) {
        self.rounds.notify_one();
    }
}
