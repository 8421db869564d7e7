//! Our parts of the node, opened and wired.

use super::{FullClient, FullPool, GearOptions, other};
use crate::{
    backend::Backends,
    blobs,
    certificates::{
        CertificateService, FullChain, Outlets, Parts as CertificateParts, faults::Reporter,
        gossip, journal::RoundJournal,
    },
    codes::Codes,
    equivocations::Equivocations,
    ethereum_service::{EthereumService, History},
    executor_service::{
        ExecutorService, chain::ClientChain, finality::Finality, joining::Joining,
        records::Records, worker::Worker,
    },
    facts::Facts,
    metrics::Metrics,
    rounds::Batches,
    settlement_service::{BuiltBatches, SettlementService, journal::Journal},
    stakes::Stakes,
    status::{Sources, Watch},
    stores::Stores,
    sync::{
        self,
        client::Client,
        demands::Demands,
        join::{self, Joiner, ReadyBatches},
        server::Server,
    },
};
use gear_exe_ethereum::{
    facts::FactReader,
    observer::{Observer, ObserverConfig, ObserverEvent},
    stakes::StakeReader,
};
use gear_exe_primitives::{
    H256,
    batch::RouterDomain,
    runtime_api::{ExecutionApi, SettlementApi},
};
use polkadot_sdk::{
    sc_network::config::IncomingRequest,
    sc_network_common::sync::SyncMode,
    sc_service::{ChainType, Configuration, Error, TaskManager},
    sp_api::ProvideRuntimeApi,
    sp_blockchain::HeaderBackend,
    sp_keystore::KeystorePtr,
};
use std::{fs, sync::Arc, time::Duration};
use tokio::sync::{Notify, mpsc};

/// Group of our tasks in Substrate's metrics.
const GROUP: Option<&str> = Some("gear-exe");

/// Batches that relayers may ask this node for.
fn ready_batches(client: Arc<FullClient>) -> ReadyBatches {
    Arc::new(move || {
        let at = client.info().finalized_hash;
        let ready = client.runtime_api().ready_batches(at).unwrap_or_default();
        ready.into_iter().map(|batch| batch.digest).collect()
    })
}

/// Our parts, before their tasks run.
pub struct GearParts {
    /// Genesis hash of the chain.
    pub genesis: H256,
    /// Chain id and Router.
    pub domain: RouterDomain,
    /// Follows Ethereum.
    pub observer: Observer,
    /// Executed rounds.
    pub rounds: Arc<ExecutorService>,
    /// Batches that were built.
    pub batches: Arc<dyn Batches>,
    pub(super) backends: Backends,
    ethereum: Arc<EthereumService>,
    codes: Arc<Codes>,
    stakes: Arc<Stakes>,
    facts: Arc<Facts>,
    settlement: Arc<SettlementService<FullClient, FullPool>>,
    /// Signed rounds and certificates.
    pub certificates: Arc<CertificateService>,
    outlets: Outlets,
    reporter: Reporter<FullClient, FullPool>,
    /// What the node sees of the network.
    pub watch: Arc<Watch>,
    watched: Sources<FullClient>,
    equivocations: Equivocations<FullClient, FullPool>,
    joining: join::Parts,
    events: mpsc::Receiver<ObserverEvent>,
    stale_after: Option<Duration>,
}

impl GearParts {
    /// Ethereum blocks that the node has taken in.
    pub(super) fn history(&self) -> Arc<History> {
        self.ethereum.history().clone()
    }

    /// Opens the stores below the chain's folder and puts the parts together.
    pub(super) fn open(
        config: &Configuration,
        options: &GearOptions,
        client: &Arc<FullClient>,
        pool: &Arc<FullPool>,
        keystore: KeystorePtr,
        metrics: Metrics,
    ) -> Result<Self, Error> {
        let info = client.info();
        let genesis = info.genesis_hash;
        // What the genesis says is not changed later; a node that warp-synced does not have its state.
        let at = [genesis, info.finalized_hash, info.best_hash];
        let domain = at
            .iter()
            .find_map(|at| client.runtime_api().domain(*at).ok())
            .ok_or_else(|| other("the runtime does not say where the Router is"))?
            .ok_or_else(|| {
                other(
                    "the chain specification names no Router: set settlement.domain and execution.ethereum in its genesis",
                )
            })?;
        // A node that has joined later cannot read them any more.
        let first = client.runtime_api().anchor(genesis);
        let router = client.runtime_api().router(genesis);
        let first = first.ok().zip(router.ok());
        let first = first.map(|(first, router)| (first, router.batch));

        let folder = config
            .base_path
            .config_dir(config.chain_spec.id())
            .join("gear-exe");
        fs::create_dir_all(&folder)
            .map_err(|error| other(format!("cannot make {}: {error}", folder.display())))?;
        let Stores {
            node: store,
            signing,
            executor,
        } = Stores::open(&folder, options.executor_threads, &metrics).map_err(other)?;

        // A development network has nobody to ask.
        let alone = config.chain_spec.chain_type() == ChainType::Development;
        let history = Arc::new(History::begin(store.clone(), first).map_err(other)?);
        if !alone && info.best_number == 0 && matches!(config.network.sync_mode, SyncMode::Warp) {
            // Where it begins follows from the round whose state is taken.
            history.hold();
        }
        let ethereum = EthereumService::new(history.clone(), metrics.clone());
        let (observer, events) = Observer::start(ObserverConfig {
            poll: options.ethereum_poll,
            timeout: options.ethereum_timeout,
            ..ObserverConfig::new(
                options.ethereum_urls.clone(),
                domain.chain_id,
                domain.router,
            )
        });
        let asked = client.clone();
        let codes = Codes::new(
            store.clone(),
            executor.clone(),
            blobs::fetch(options),
            Arc::new(move |code, request| {
                let at = asked.info().finalized_hash;
                asked
                    .runtime_api()
                    .code_answer(at, code, request)
                    .ok()
                    .flatten()
            }),
            metrics.clone(),
        )
        .map_err(other)?;
        let wake = Arc::new(Notify::new());
        let demands = Demands::new();
        let chain = Arc::new(ClientChain {
            client: client.clone(),
            domain,
        });
        let rounds = ExecutorService::new(
            Worker {
                chain: chain.clone(),
                history,
                executor,
                records: Records::new(store.clone()),
                metrics: metrics.clone(),
                keep_rounds: options.keep_rounds,
                facts: Default::default(),
                joining: Joining {
                    finality: (!alone).then(|| chain.clone() as Arc<dyn Finality>),
                    ..Joining::default()
                },
            },
            ethereum.clone(),
            codes.clone(),
            wake.clone(),
            demands.clone(),
        );
        let stakes = Stakes::new(
            ethereum.clone(),
            StakeReader {
                endpoints: options.ethereum_urls.clone(),
                router: domain.router,
                timeout: options.ethereum_timeout,
            },
            metrics.clone(),
        );
        let facts = Facts::new(
            ethereum.clone(),
            FactReader {
                endpoints: options.ethereum_urls.clone(),
                router: domain.router,
                timeout: options.ethereum_timeout,
            },
            metrics.clone(),
        );
        let (certificates, outlets) = CertificateService::new(CertificateParts {
            client: Arc::new(FullChain(client.clone())),
            rounds: rounds.clone(),
            keystore: config.role.is_authority().then(|| keystore.clone()),
            journal: RoundJournal::open(signing.clone()).map_err(other)?,
            store: store.clone(),
            metrics: metrics.clone(),
            domain,
            genesis,
        });
        let reporter = Reporter {
            client: client.clone(),
            pool: pool.clone(),
            store: store.clone(),
        };
        let batches = Arc::new(BuiltBatches::new(store.clone(), metrics.clone()));
        let watch = Watch::new(config.chain_spec.name(), metrics.clone());
        let watched = Sources {
            client: client.clone(),
            rounds: rounds.clone(),
            certificates: certificates.clone(),
            batches: batches.clone(),
            history: ethereum.history().clone(),
            store: store.clone(),
            domain,
        };
        let settlement = Arc::new(SettlementService {
            client: client.clone(),
            pool: pool.clone(),
            keystore,
            rounds: rounds.clone(),
            store: store.clone(),
            journal: Journal::new(signing),
            metrics,
            domain,
            genesis,
            halted: certificates.halt(),
            submitted: Default::default(),
            unsettled: Default::default(),
        });
        Ok(Self {
            genesis,
            domain,
            observer,
            rounds: rounds.clone(),
            batches,
            backends: Backends {
                ethereum: ethereum.clone(),
                codes: codes.clone(),
                stakes: stakes.clone(),
                facts: facts.clone(),
                rounds: wake.clone(),
            },
            joining: join::Parts {
                worker: rounds.worker().clone(),
                finality: chain,
                ethereum: ethereum.clone(),
                codes: codes.clone(),
                store,
                demands,
                wake,
                domain,
                genesis,
                ready: ready_batches(client.clone()),
            },
            ethereum,
            codes,
            stakes,
            facts,
            settlement,
            certificates,
            outlets,
            reporter,
            watch,
            watched,
            equivocations: Equivocations {
                client: client.clone(),
                pool: pool.clone(),
            },
            events,
            stale_after: options.ethereum_stale_after,
        })
    }

    /// Starts our tasks. The node ends if one of them does. `questions` are those of other nodes.
    pub(super) fn spawn(
        self,
        task_manager: &TaskManager,
        wires: gossip::Wires,
        questions: async_channel::Receiver<IncomingRequest>,
    ) {
        let server = Server::new(
            self.joining.worker.clone(),
            self.joining.store.clone(),
            self.joining.worker.metrics.clone(),
        );
        let network = sync::Wires::new(wires.network.clone(), wires.sync.clone(), self.genesis);
        let joiner = Joiner::new(self.joining, Client::new(network));
        let tasks = task_manager.spawn_essential_handle();
        tasks.spawn(
            "gear-ethereum",
            GROUP,
            self.ethereum
                .clone()
                .run(self.observer, self.events, self.stale_after),
        );
        tasks.spawn(
            "gear-codes",
            GROUP,
            self.codes.run(self.ethereum.history().grown()),
        );
        tasks.spawn("gear-stakes", GROUP, self.stakes.run());
        tasks.spawn("gear-facts", GROUP, self.facts.run());
        tasks.spawn("gear-rounds", GROUP, self.rounds.run());
        tasks.spawn("gear-state-server", GROUP, server.run(questions));
        tasks.spawn("gear-joining", GROUP, joiner.run());
        let certificates = self.certificates.clone();
        tasks.spawn("gear-certificates", GROUP, certificates.run());
        tasks.spawn(
            "gear-gossip",
            GROUP,
            gossip::run(self.certificates, self.outlets.said, wires),
        );
        tasks.spawn(
            "gear-faults",
            GROUP,
            self.reporter.run(self.outlets.evidence),
        );
        tasks.spawn("gear-watch", GROUP, self.watch.run(self.watched));
        tasks.spawn("gear-settlement", GROUP, self.settlement.run());
        tasks.spawn("gear-equivocations", GROUP, self.equivocations.run());
    }
}
