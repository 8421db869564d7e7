//! The whole node in this process, on Anvil with the real contracts: a code by blob, a program, a message, and its reply
//! in a batch that the Router accepts. The relayer's part, carrying what is ready, is done by hand here.

mod bridge;

use super::*;
use crate::chain_spec::{self, NetworkFacts, Preset};
use gear_exe_ethereum::{
    batch::calldata,
    client::{
        Approval, Deployer, NewProgram, Options, RouterClient, RouterParams, Transaction, Wallet,
    },
    convert::{address, h160},
    dev::{AnvilConfig, AnvilNode},
    observer::{RpcSource, Source, Which},
};
use gear_exe_primitives::{
    CodeId,
    message::ReplyCode,
    quorum::Member,
    runtime_api::{ReadyBatch, SettlementApi},
    signature::address_of_public,
};
use polkadot_sdk::{
    sc_client_api::BlockchainEvents,
    sc_network::config::NetworkConfiguration,
    sc_service::{
        BasePath, BlocksPruning, DatabaseSource, Role, RpcMethods,
        config::{
            ExecutorConfiguration, KeystoreConfig, OffchainWorkerConfig, RpcBatchRequestConfig,
            RpcConfiguration,
        },
    },
    sc_transaction_pool::{TransactionPoolOptions, TransactionPoolType},
    sp_api::ProvideRuntimeApi,
    sp_blockchain::HeaderBackend,
    sp_core::{Pair, ecdsa},
};
use std::path::Path;

/// The first of Anvil's accounts.
const KEY: &str = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";

fn configuration(spec: chain_spec::ChainSpec, folder: &Path) -> Configuration {
    let base_path = BasePath::new(folder);
    let data_path = base_path.config_dir(spec.id());
    Configuration {
        impl_name: "gear-exe".into(),
        impl_version: "test".into(),
        role: Role::Authority,
        tokio_handle: tokio::runtime::Handle::current(),
        transaction_pool: TransactionPoolOptions::new_with_params(
            8_192,
            20 << 20,
            None,
            TransactionPoolType::ForkAware,
            true,
            false,
        ),
        network: NetworkConfiguration::new_local(),
        keystore: KeystoreConfig::InMemory,
        database: DatabaseSource::ParityDb {
            path: data_path.join("paritydb"),
        },
        trie_cache_maximum_size: Some(64 << 20),
        warm_up_trie_cache: None,
        state_pruning: None,
        blocks_pruning: BlocksPruning::KeepFinalized,
        chain_spec: Box::new(spec),
        executor: ExecutorConfiguration::default(),
        wasm_runtime_overrides: None,
        rpc: RpcConfiguration {
            addr: None,
            max_connections: 10,
            cors: None,
            methods: RpcMethods::Safe,
            max_request_size: 15,
            max_response_size: 15,
            id_provider: None,
            max_subs_per_conn: 64,
            port: 0,
            message_buffer_capacity: 64,
            batch_config: RpcBatchRequestConfig::Unlimited,
            rate_limit: None,
            rate_limit_whitelisted_ips: Vec::new(),
            rate_limit_trust_proxy_headers: false,
            request_logger_limit: 1_024,
        },
        prometheus_config: None,
        telemetry_endpoints: None,
        offchain_worker: OffchainWorkerConfig {
            enabled: true,
            indexing_enabled: false,
        },
        force_authoring: false,
        disable_grandpa: false,
        dev_key_seed: Some("//Alice".into()),
        tracing_targets: None,
        tracing_receiver: Default::default(),
        announce_block: true,
        data_path,
        base_path,
    }
}

struct Network {
    anvil: AnvilNode,
    spec: chain_spec::ChainSpec,
    router: RouterClient,
    folder: tempfile::TempDir,
}

impl Network {
    async fn start() -> Self {
        let anvil = AnvilNode::spawn(AnvilConfig {
            block_time: Some(1),
            ..Default::default()
        })
        .await
        .unwrap();
        let wallet = Wallet::connect(&anvil.http(), KEY.parse().unwrap(), Options::default())
            .await
            .unwrap();
        let deployer = Deployer::new(wallet.clone());
        let plan = deployer.plan().await.unwrap();
        let source = RpcSource::connect(
            &anvil.http(),
            wallet.chain_id(),
            plan.router,
            Duration::from_secs(5),
        )
        .await
        .unwrap();
        let first = source.header(Which::Latest).await.unwrap().unwrap().header;
        let facts = NetworkFacts {
            chain_id: wallet.chain_id(),
            router: h160(plan.router),
            ethereum: first,
            slot_duration_ms: 250,
            expiry_seconds: 600,
        };
        let spec = chain_spec::network(Preset::Dev, &facts).unwrap();
        let spec = chain_spec::raw(&spec).unwrap();
        let genesis = chain_spec::genesis_hash(&spec).unwrap();
        let key = ecdsa::Pair::from_string("//Alice", None).unwrap().public();
        let member = Member {
            address: address_of_public(&key.0).unwrap(),
            weight: 1,
        };
        let mut params = RouterParams::new(genesis, vec![member]);
        params.mint = vec![(wallet.address(), 10u128.pow(24).try_into().unwrap())];
        let deployed = deployer.deploy(plan, params).await.unwrap();
        Self {
            anvil,
            spec,
            router: RouterClient::new(wallet, deployed.router),
            folder: tempfile::tempdir().unwrap(),
        }
    }

    fn node(&self) -> Result<Node, Error> {
        let config = configuration(self.spec.clone(), self.folder.path());
        let options = GearOptions {
            executor_threads: 1,
            keep_rounds: 64,
            // One for all tests.
            runtime_cache: std::env::current_exe()
                .ok()
                .map(|path| path.with_file_name("runtimes")),
            ethereum_poll: Duration::from_millis(100),
            ethereum_stale_after: None,
            ..GearOptions::new(vec![self.anvil.http()])
        };
        build(config, options)
    }

    /// Ends a node and starts another one on its folder. Nothing tells when the last of its tasks has let go of the
    /// databases, so this tries until they can be opened.
    async fn restart(&self, node: Node) -> Node {
        drop(node);
        for _ in 0..1_000 {
            match self.node() {
                Ok(node) => return node,
                Err(error) if error.to_string().contains("in use") => {}
                Err(error) if error.to_string().contains("already open") => {}
                Err(error) => panic!("{error}"),
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("the node does not end");
    }

    /// Does the relayer's work: carries what a quorum has signed, once final, until it is dropped.
    async fn relay(&self, client: Arc<FullClient>, batches: Arc<dyn Batches>) {
        use futures::StreamExt;
        let mut finality = client.finality_notification_stream();
        let wallet = self.router.wallet();
        while let Some(block) = finality.next().await {
            let held = self.router.last_batch().await.unwrap();
            let ready = client.runtime_api().ready_batches(block.hash).unwrap();
            let next = ready
                .into_iter()
                .find(|ready| ready.header.parent == held.digest);
            let Some(ReadyBatch {
                digest,
                signers,
                signatures,
                ..
            }) = next
            else {
                continue;
            };
            let batch = batches.batch(digest).expect("the signer has the body");
            assert!(batch.is_consistent());
            let signatures: Vec<u8> = signatures
                .iter()
                .flat_map(|signature| signature.0)
                .collect();
            let commit = Transaction {
                action: "committing a batch".into(),
                to: Some(self.router.address()),
                data: calldata(&batch, &signers, &signatures).into(),
                ..Default::default()
            };
            wallet.send(commit).await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_message_is_answered_on_ethereum_also_after_a_restart() {
    let network = Network::start().await;
    let node = network.node().unwrap();
    assert_eq!(node.client.info().genesis_hash, node.genesis);
    assert_eq!(address(node.domain.router), network.router.address());

    let first = async {
        let upload = network
            .router
            .upload_code(gear_exe_programs::PING)
            .await
            .unwrap();
        assert_eq!(upload.code_id, CodeId::of(gear_exe_programs::PING));
        network.router.wait_for_code(&upload).await.unwrap();
        let program = network
            .router
            .create_program(NewProgram {
                code_id: upload.code_id,
                ..Default::default()
            })
            .await
            .unwrap();
        let mirror = network.router.mirror(program);
        mirror
            .executable_balance_top_up(10u128.pow(18), Approval::Permit)
            .await
            .unwrap();
        let init = mirror.send_message(Vec::new(), 0, false).await.unwrap();
        let reply = mirror.wait_for_reply(init.id, init.block).await.unwrap();
        assert_eq!(reply.code, ReplyCode::SUCCESS_AUTO);
        program
    };
    let program = tokio::select! {
        program = first => program,
        () = network.relay(node.client.clone(), node.batches.clone()) => unreachable!("finality ended"),
    };
    assert!(node.metrics.raised().is_empty());

    // A node on the same folder goes on where this one stopped.
    let executed = node.rounds.best().unwrap().block.number;
    let node = network.restart(node).await;
    let second = async {
        let mirror = network.router.mirror(program);
        let ping = mirror.send_message("PING", 0, false).await.unwrap();
        mirror.wait_for_reply(ping.id, ping.block).await.unwrap()
    };
    let reply = tokio::select! {
        reply = second => reply,
        () = network.relay(node.client.clone(), node.batches.clone()) => unreachable!("finality ended"),
    };
    assert_eq!(reply.payload.as_ref(), b"PONG");
    assert_eq!(reply.code, ReplyCode::SUCCESS_MANUAL);
    assert!(node.rounds.best().unwrap().block.number > executed);
    assert!(node.metrics.raised().is_empty());
}
