//! Aura and GRANDPA, set for short blocks: GRANDPA votes on the best block itself, with a short gossip duration where
//! all validators are near each other.

use super::{FullBackend, FullClient, FullPool, FullSelectChain};
use crate::natives::authoring::AuthorsPool;
use gear_exe_runtime::opaque::Block;
use polkadot_sdk::{
    sc_basic_authorship::ProposerFactory,
    sc_consensus::DefaultImportQueue,
    sc_consensus_aura::{self, ImportQueueParams, SlotDuration, SlotProportion, StartAuraParams},
    sc_consensus_grandpa::{
        self, GrandpaBlockImport, GrandpaParams, LinkHalf, SharedVoterState, VotingRulesBuilder,
    },
    sc_network::{NotificationService, ProtocolName, service::traits::NetworkService},
    sc_network_sync::SyncingService,
    sc_service::{ChainType, Configuration, Error, Role, TaskManager},
    sc_telemetry::TelemetryHandle,
    sc_transaction_pool_api::OffchainTransactionPoolFactory,
    sp_consensus_aura::sr25519::AuthorityPair as AuraPair,
    sp_keystore::KeystorePtr,
    sp_timestamp,
    substrate_prometheus_endpoint::Registry,
};
use std::{sync::Arc, time::Duration};

/// Blocks after which a justification is kept.
const JUSTIFICATION_PERIOD: u32 = 512;
/// How long a GRANDPA message takes to reach everybody, on one machine or in one data centre.
const NEAR: Duration = Duration::from_millis(100);
/// The same around the world.
const FAR: Duration = Duration::from_millis(333);

type BlockImport = GrandpaBlockImport<FullBackend, Block, FullClient, FullSelectChain>;
type Link = LinkHalf<Block, FullClient, FullSelectChain>;

/// How blocks are imported.
pub(super) struct Import {
    pub queue: DefaultImportQueue<Block>,
    pub block_import: BlockImport,
    pub link: Link,
    pub slot_duration: SlotDuration,
}

pub(super) fn import(
    config: &Configuration,
    client: &Arc<FullClient>,
    select_chain: &FullSelectChain,
    task_manager: &TaskManager,
    telemetry: Option<TelemetryHandle>,
) -> Result<Import, Error> {
    let (block_import, link) = sc_consensus_grandpa::block_import(
        client.clone(),
        JUSTIFICATION_PERIOD,
        client,
        select_chain.clone(),
        telemetry.clone(),
    )?;
    let slot_duration = sc_consensus_aura::slot_duration(&**client)?;
    let queue = sc_consensus_aura::import_queue::<AuraPair, _, _, _, _, _>(ImportQueueParams {
        block_import: block_import.clone(),
        justification_import: Some(Box::new(block_import.clone())),
        client: client.clone(),
        create_inherent_data_providers: move |_, ()| async move {
            let timestamp = sp_timestamp::InherentDataProvider::from_system_time();
            let slot = sc_consensus_aura::InherentDataProvider::from_timestamp_and_slot_duration(
                *timestamp,
                slot_duration,
            );
            Ok((slot, timestamp))
        },
        spawner: &task_manager.spawn_essential_handle(),
        registry: config.prometheus_registry(),
        check_for_equivocation: Default::default(),
        telemetry,
        compatibility_mode: Default::default(),
    })?;
    Ok(Import {
        queue,
        block_import,
        link,
        slot_duration,
    })
}

/// What the configuration says of authoring, kept from before it is given away.
pub(super) struct Authoring {
    role: Role,
    name: String,
    force: bool,
    finality: bool,
    gossip: Duration,
}

impl Authoring {
    pub(super) fn of(config: &Configuration) -> Self {
        let near = matches!(
            config.chain_spec.chain_type(),
            ChainType::Development | ChainType::Local
        );
        Self {
            role: config.role,
            name: config.network.node_name.clone(),
            // A single validator has nobody to wait for.
            force: config.force_authoring
                || config.chain_spec.chain_type() == ChainType::Development,
            finality: !config.disable_grandpa,
            gossip: if near { NEAR } else { FAR },
        }
    }
}

/// What authoring and finality need.
pub(super) struct Start<'a> {
    pub client: Arc<FullClient>,
    pub pool: Arc<FullPool>,
    /// What blocks are filled from.
    pub authors_pool: AuthorsPool<FullPool>,
    pub select_chain: FullSelectChain,
    pub block_import: BlockImport,
    pub link: Link,
    pub slot_duration: SlotDuration,
    pub keystore: KeystorePtr,
    pub network: Arc<dyn NetworkService>,
    pub sync_service: Arc<SyncingService<Block>>,
    pub notifications: Box<dyn NotificationService>,
    pub protocol: ProtocolName,
    pub registry: Option<Registry>,
    pub telemetry: Option<TelemetryHandle>,
    pub task_manager: &'a TaskManager,
}

impl Authoring {
    /// Starts to author, if this node is a validator, and to vote or follow.
    pub(super) fn start(self, parts: Start<'_>) -> Result<(), Error> {
        let slot_duration = parts.slot_duration;
        let keystore = self.role.is_authority().then(|| parts.keystore.clone());
        if self.role.is_authority() {
            let proposer_factory = ProposerFactory::new(
                parts.task_manager.spawn_handle(),
                parts.client.clone(),
                Arc::new(parts.authors_pool),
                parts.registry.as_ref(),
                parts.telemetry.clone(),
            );
            let aura = sc_consensus_aura::start_aura::<AuraPair, _, _, _, _, _, _, _, _, _, _>(
                StartAuraParams {
                    slot_duration,
                    client: parts.client,
                    select_chain: parts.select_chain,
                    block_import: parts.block_import,
                    proposer_factory,
                    create_inherent_data_providers: move |_, ()| async move {
                        let timestamp = sp_timestamp::InherentDataProvider::from_system_time();
                        let slot = sc_consensus_aura::InherentDataProvider::from_timestamp_and_slot_duration(
                            *timestamp,
                            slot_duration,
                        );
                        Ok((slot, timestamp))
                    },
                    force_authoring: self.force,
                    backoff_authoring_blocks: None::<()>,
                    keystore: parts.keystore,
                    sync_oracle: parts.sync_service.clone(),
                    justification_sync_link: parts.sync_service.clone(),
                    block_proposal_slot_portion: SlotProportion::new(2f32 / 3f32),
                    max_block_proposal_slot_portion: None,
                    telemetry: parts.telemetry.clone(),
                    compatibility_mode: Default::default(),
                },
            )?;
            parts.task_manager.spawn_essential_handle().spawn_blocking(
                "aura",
                Some("block-authoring"),
                aura,
            );
        }
        if !self.finality {
            return Ok(());
        }
        let voter = sc_consensus_grandpa::run_grandpa_voter(GrandpaParams {
            config: sc_consensus_grandpa::Config {
                gossip_duration: self.gossip,
                justification_generation_period: JUSTIFICATION_PERIOD,
                name: Some(self.name),
                observer_enabled: false,
                keystore,
                local_role: self.role,
                telemetry: parts.telemetry.clone(),
                protocol_name: parts.protocol,
            },
            link: parts.link,
            network: parts.network,
            sync: parts.sync_service,
            notification_service: parts.notifications,
            // No rules: the best block itself is voted on. It is what halves the time to finality.
            voting_rule: VotingRulesBuilder::new().build(),
            prometheus_registry: parts.registry,
            shared_voter_state: SharedVoterState::empty(),
            telemetry: parts.telemetry,
            offchain_tx_pool_factory: OffchainTransactionPoolFactory::new(parts.pool),
        })?;
        parts
            .task_manager
            .spawn_essential_handle()
            .spawn_blocking("grandpa-voter", None, voter);
        Ok(())
    }
}
