//! Joining and repair: what a node lacks it takes from others, and nobody has to be believed.
//!
//! Data flow: the [executor service](crate::executor_service) says what stands in its way: it is far behind, the rounds it
//! has begin too late, an object of its store is damaged, a code is missing ([`demands`]). [`join`] takes that from peers by
//! [`client`]: a round that a quorum has certified with the state behind it, or single objects by their hashes; then
//! ordinary rounds go on. [`server`] answers the same questions of others. [`protocol`] is what goes over the wire.

pub mod client;
pub mod demands;
pub mod join;
pub mod protocol;
pub mod server;
#[cfg(test)]
mod tests;

use client::Network;
use futures::future::BoxFuture;
use gear_exe_primitives::H256;
use gear_exe_runtime::opaque::Block;
use polkadot_sdk::{
    sc_network::{
        IfDisconnected, NetworkBackend, ProtocolName, ReputationChange, config::IncomingRequest,
        service::traits::NetworkService,
    },
    sc_network_sync::SyncingService,
    sc_network_types::PeerId,
};
use std::{sync::Arc, time::Duration};

/// How long a peer may take for an answer.
const TIMEOUT: Duration = Duration::from_secs(15);
/// Questions of others that wait at a time; more are refused.
const QUEUE: usize = 64;

/// The protocol, for the network, and what comes in by it, for [`server::Server::run`].
pub fn config<N: NetworkBackend<Block, H256>>(
    genesis: H256,
) -> (
    N::RequestResponseProtocolConfig,
    async_channel::Receiver<IncomingRequest>,
) {
    let (sender, questions) = async_channel::bounded(QUEUE);
    let config = N::request_response_config(
        protocol::name(genesis).into(),
        Vec::new(),
        protocol::MAX_REQUEST as u64,
        protocol::MAX_RESPONSE as u64,
        TIMEOUT,
        Some(sender),
    );
    (config, questions)
}

/// The node's network.
pub struct Wires {
    network: Arc<dyn NetworkService>,
    sync: Arc<SyncingService<Block>>,
    protocol: ProtocolName,
}

impl Wires {
    /// Of the chain with this genesis.
    pub fn new(
        network: Arc<dyn NetworkService>,
        sync: Arc<SyncingService<Block>>,
        genesis: H256,
    ) -> Arc<Self> {
        Arc::new(Self {
            network,
            sync,
            protocol: protocol::name(genesis).into(),
        })
    }
}

impl Network for Wires {
    fn is_syncing(&self) -> BoxFuture<'_, bool> {
        Box::pin(async {
            let status = self.sync.status().await;
            status.is_ok_and(|status| status.state.is_major_syncing())
        })
    }

    fn peers(&self) -> BoxFuture<'_, Vec<PeerId>> {
        Box::pin(async {
            let peers = self.sync.peers_info().await.unwrap_or_default();
            peers.into_iter().map(|(peer, _)| peer).collect()
        })
    }

    fn ask(&self, peer: PeerId, question: Vec<u8>) -> BoxFuture<'_, Option<Vec<u8>>> {
        Box::pin(async move {
            let answer = self.network.request(
                peer,
                self.protocol.clone(),
                question,
                None,
                IfDisconnected::ImmediateError,
            );
            match answer.await {
                Ok((answer, _)) => Some(answer),
                Err(error) => {
                    tracing::debug!(%peer, %error, "a peer does not answer");
                    None
                }
            }
        })
    }

    fn report(&self, peer: PeerId, change: ReputationChange) {
        self.network.report_peer(peer, change);
    }
}
