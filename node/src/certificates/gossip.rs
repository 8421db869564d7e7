//! How statements on rounds and authors' promises go from node to node: one notification protocol,
//! `/<genesis>/gear-exe/rounds/2`.
//!
//! What is malformed or signed by nobody of the set costs the sender reputation and goes no further, and so does a promise by
//! another than its block's author; a peer that says more than there can be is not listened to (`limits`). What counts is
//! passed on to every peer that has not sent it, once; a promise that comes before its block waits for that. A peer that has
//! just come is told of the newest blocks: more would fill the channel to it, and the network closes a connection whose channel
//! is full.

use super::{CertificateService, Judged, Said, limits::Limits};
use codec::DecodeAll;
use futures::{FutureExt, StreamExt};
use gear_exe_primitives::H256;
use gear_exe_runtime::opaque::Block;
use polkadot_sdk::{
    sc_network::{
        NetworkBackend, NotificationMetrics, NotificationService, ProtocolName, ReputationChange,
        config::{NonReservedPeerMode, SetConfig},
        peer_store::PeerStoreProvider,
        service::traits::NetworkService,
    },
    sc_network_common::role::ObservedRole,
    sc_network_gossip::{
        GossipEngine, MessageIntent, ValidationResult, Validator, ValidatorContext,
    },
    sc_network_sync::SyncingService,
    sc_network_types::PeerId,
    substrate_prometheus_endpoint::Registry,
};
use std::{sync::Arc, time::Instant};
use tokio::sync::mpsc;

/// The longest message, in bytes. A statement has fewer than 256.
const MAX_LENGTH: u64 = 1_024;
/// Peers of this protocol that a node accepts, and that it looks for.
const PEERS: u32 = 50;
/// Blocks or slots below the newest executed one whose statements are passed on to a peer that has just come.
const PASSED_ON: u64 = 8;
/// Reports on peers that wait at a time; more are dropped.
const REPORTS: usize = 1_024;

/// Not a statement.
const MALFORMED: ReputationChange =
    ReputationChange::new(-(1 << 12), "gear-exe: malformed statement");
/// More than a peer may say.
const FLOODING: ReputationChange =
    ReputationChange::new(-(1 << 12), "gear-exe: too many statements");
/// A statement that its signer has not signed.
const FORGED: ReputationChange = ReputationChange::new(-(1 << 16), "gear-exe: forged statement");

/// The protocol's name on the chain with this genesis.
pub fn protocol_name(genesis: H256) -> ProtocolName {
    format!("/{}/gear-exe/rounds/2", hex::encode(genesis)).into()
}

/// The protocol, for the network, and its handle, for [`run`].
pub fn config<N: NetworkBackend<Block, H256>>(
    genesis: H256,
    metrics: NotificationMetrics,
    peers: Arc<dyn PeerStoreProvider>,
) -> (N::NotificationProtocolConfig, Box<dyn NotificationService>) {
    let set = SetConfig {
        in_peers: PEERS,
        out_peers: PEERS,
        reserved_nodes: Vec::new(),
        non_reserved_mode: NonReservedPeerMode::Accept,
    };
    N::notification_config(
        protocol_name(genesis),
        Vec::new(),
        MAX_LENGTH,
        None,
        set,
        metrics,
        peers,
    )
}

/// All statements go under one topic.
fn topic() -> H256 {
    H256::zero()
}

/// Judges what comes in.
struct Judge {
    service: Arc<CertificateService>,
    reports: mpsc::Sender<(PeerId, ReputationChange)>,
    limits: Limits<PeerId>,
}

impl Judge {
    fn report(&self, peer: &PeerId, change: ReputationChange) {
        // So many faults wait already that this one makes no difference.
        let _ = self.reports.try_send((*peer, change));
    }
}

impl Validator<Block> for Judge {
    fn new_peer(&self, context: &mut dyn ValidatorContext<Block>, peer: &PeerId, _: ObservedRole) {
        context.send_topic(peer, topic(), false);
    }

    fn peer_disconnected(&self, _: &mut dyn ValidatorContext<Block>, peer: &PeerId) {
        self.limits.forget(peer);
    }

    fn validate(
        &self,
        context: &mut dyn ValidatorContext<Block>,
        sender: &PeerId,
        data: &[u8],
    ) -> ValidationResult<H256> {
        if !self.limits.take(*sender, Instant::now()) {
            self.report(sender, FLOODING);
            return ValidationResult::Discard;
        }
        let Ok(said) = Said::decode_all(&mut &data[..]) else {
            self.report(sender, MALFORMED);
            return ValidationResult::Discard;
        };
        match self.service.judge(said) {
            Judged::Counts => {
                context.broadcast_message(topic(), data.to_vec(), false);
                ValidationResult::ProcessAndKeep(topic())
            }
            Judged::Forged => {
                self.report(sender, FORGED);
                ValidationResult::Discard
            }
            Judged::Early | Judged::Known | Judged::Unknown => ValidationResult::Discard,
        }
    }

    fn message_expired<'a>(&'a self) -> Box<dyn FnMut(H256, &[u8]) -> bool + 'a> {
        Box::new(|_, data| {
            Said::decode_all(&mut &data[..]).map_or(true, |said| {
                let (position, newest) = match said {
                    Said::Round(signed) => (signed.statement.block_number, self.service.newest()),
                    Said::Promise(promise) => (promise.statement.slot, self.service.newest_slot()),
                };
                position.saturating_add(PASSED_ON) < newest
            })
        })
    }

    fn message_allowed<'a>(
        &'a self,
    ) -> Box<dyn FnMut(&PeerId, MessageIntent, &H256, &[u8]) -> bool + 'a> {
        // Otherwise everything that is kept is sent again and again.
        Box::new(|_, intent, _, _| !matches!(intent, MessageIntent::PeriodicRebroadcast))
    }
}

/// The node's network.
pub struct Wires {
    /// The network.
    pub network: Arc<dyn NetworkService>,
    /// Who is connected.
    pub sync: Arc<SyncingService<Block>>,
    /// Of the protocol.
    pub notifications: Box<dyn NotificationService>,
    /// For metrics.
    pub registry: Option<Registry>,
}

/// Passes statements on until the node ends: own ones from `outgoing`, and those of others.
pub async fn run(
    service: Arc<CertificateService>,
    mut outgoing: mpsc::UnboundedReceiver<Vec<u8>>,
    wires: Wires,
) {
    let (_, genesis) = service.domain();
    let (reports, mut reported) = mpsc::channel(REPORTS);
    let judge = Arc::new(Judge {
        service,
        reports,
        limits: Limits::default(),
    });
    let mut engine = GossipEngine::new(
        wires.network,
        wires.sync,
        wires.notifications,
        protocol_name(genesis),
        judge,
        wires.registry.as_ref(),
    );
    // What comes in was counted when it was judged; nobody else needs it, but somebody has to take it.
    let mut taken = engine.messages_for(topic());
    loop {
        tokio::select! {
            said = outgoing.recv() => match said {
                Some(said) => engine.gossip_message(topic(), said, false),
                None => return,
            },
            report = reported.recv() => if let Some((peer, change)) = report {
                engine.report(peer, change);
            },
            _ = taken.next() => {}
            () = (&mut engine).fuse() => {
                tracing::error!("the network's part for statements on rounds has ended");
                return;
            }
        }
    }
}
