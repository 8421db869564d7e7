//! A whole network on one machine: Anvil, the contracts, one validator, the relayer.
//!
//! What is done in which order: Anvil comes up; the Router's future address is computed; the chain specification is made
//! with it; the contracts are deployed with the genesis hash of that specification; the node runs; the relayer runs in
//! its process. Everything is in one folder: a temporary one, or the one that is given, and then a later start goes on
//! with the same network (`network.json` tells where its Router is, `anvil.json` holds Ethereum).
//!
//! The keys are Anvil's well-known ones. Nothing of this is for real money.

mod relay;

use crate::{
    chain_spec::{self, ChainSpec, NetworkFacts, Preset},
    cli::{CliError, Next, keys::KeyDirectory},
    service::Node,
};
use alloy::{
    eips::BlockNumberOrTag,
    primitives::{Address, U256},
    providers::{Provider, ProviderBuilder},
    signers::local::PrivateKeySigner,
};
use gear_exe_ethereum::{
    client::{Deployer, Options, RouterParams, Transaction, Wallet},
    dev::{AnvilConfig, AnvilNode, KEYS},
};
use gear_exe_primitives::{H160, H256, ethereum::EthereumHeader, host, quorum::Member};
use polkadot_sdk::{
    sp_application_crypto::ByteArray,
    sp_core::{Pair, ecdsa},
};
use serde::{Deserialize, Serialize};
use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

/// Length of a slot of the chain, in milliseconds.
const SLOT_MS: u64 = 250;
/// Ethereum blocks for which the Router takes a batch.
const EXPIRY_BLOCKS: u64 = 50;

/// wVARA that each of Anvil's accounts gets, in base units.
const GIFT: u128 = 1_000_000 * 1_000_000_000_000;
/// ETH that the relayer gets, in wei.
const RELAYER_ETH: u128 = 1_000 * 1_000_000_000_000_000_000;

const FIX: &str = "see that --ethereum-rpc is a running Anvil with its own accounts";

/// How a development network is started.
#[derive(Clone, Debug)]
pub struct DevOptions {
    /// Its folder; a temporary one if `None`.
    pub base_path: Option<PathBuf>,
    /// An Anvil that runs already.
    pub ethereum_url: Option<String>,
    /// Port of a new Anvil.
    pub ethereum_port: u16,
    /// Seconds between its blocks.
    pub block_time: u64,
}

/// What a folder remembers of its network.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Remembered {
    router: H160,
    /// The first anchor.
    number: u64,
    hash: H256,
}

/// A development network whose contracts are deployed and whose node does not run yet.
pub struct DevNetwork {
    folder: PathBuf,
    // Removed when this is dropped.
    temporary: Option<tempfile::TempDir>,
    anvil: Option<AnvilNode>,
    ethereum_url: String,
    router: H160,
    spec: ChainSpec,
    keys: KeyDirectory,
}

impl DevNetwork {
    /// Folder of the node and everything else.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The chain's specification.
    pub const fn spec(&self) -> &ChainSpec {
        &self.spec
    }

    /// Where Ethereum answers.
    pub fn ethereum_url(&self) -> &str {
        &self.ethereum_url
    }

    /// Starts the relayer beside a node, and says on standard output where everything is once the node serves.
    ///
    /// # Errors
    ///
    /// If the relayer cannot be set up.
    pub fn serve(&self, node: &Node, rpc_port: u16, relayer: bool) -> Result<(), CliError> {
        if relayer {
            relay::spawn(self, node, rpc_port)?;
        }
        let (rounds, ethereum) = (node.rounds.clone(), node.ethereum.clone());
        let lines = format!(
            "🔑 Key directory: {}\n📡 Ethereum router address: {:?}",
            self.keys.path().display(),
            self.router
        );
        node.task_manager
            .spawn_handle()
            .spawn("gear-dev-ready", Some("gear-exe"), async move {
                while rounds.best().is_none() || ethereum.head().is_none() {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
                println!("{lines}");
            });
        Ok(())
    }

    /// Ends Anvil, which saves its state, and removes the folder if it was a temporary one.
    pub async fn stop(mut self) {
        if let Some(anvil) = self.anvil.take()
            && let Err(error) = anvil.stop().await
        {
            eprintln!("{error}");
        }
        let Some(folder) = self.temporary.take().map(tempfile::TempDir::keep) else {
            return;
        };
        // Databases that are being closed may still write a file.
        for _ in 0..50 {
            match fs::remove_dir_all(&folder) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
                _ => return,
            }
        }
        eprintln!("{} could not be removed", folder.display());
    }
}

/// Brings Anvil up and the contracts onto it, or finds both as an earlier start left them.
///
/// # Errors
///
/// [`CliError`] says what is missing.
pub async fn prepare(options: DevOptions) -> Result<DevNetwork, CliError> {
    let (folder, temporary) = match options.base_path {
        Some(folder) => (folder, None),
        None => {
            let temporary = tempfile::Builder::new()
                .prefix("gear-exe-dev-")
                .tempdir()
                .next("no temporary folder can be made", "give one by --base-path")?;
            (temporary.path().to_owned(), Some(temporary))
        }
    };
    fs::create_dir_all(&folder).next(
        format!("{} cannot be made", folder.display()),
        "give a folder that you may write by --base-path",
    )?;
    // Tools read the folder's path from standard output, wherever they run.
    let folder = folder.canonicalize().next(
        format!("{} has no absolute path", folder.display()),
        "give another folder by --base-path",
    )?;

    let (anvil, ethereum_url) = match options.ethereum_url {
        Some(url) => (None, url),
        None => {
            let anvil = AnvilNode::spawn(AnvilConfig {
                port: options.ethereum_port,
                block_time: (options.block_time > 0).then_some(options.block_time),
                state: temporary.is_none().then(|| folder.join("anvil.json")),
                ..Default::default()
            })
            .await
            .next(
                "Ethereum could not be started",
                "install Anvil with scripts/setup, free the port or give another by --ethereum-port, or use a running \
                 Anvil by --ethereum-rpc",
            )?;
            let url = anvil.http();
            (Some(anvil), url)
        }
    };
    let memory = folder.join("network.json");
    let spec_file = folder.join("chain-spec.json");
    let wallet = connect(&ethereum_url).await?;
    let (router, spec) = if memory.exists() {
        resume(&memory, &spec_file, &wallet).await?
    } else {
        create(
            &memory,
            &spec_file,
            &wallet,
            &ethereum_url,
            options.block_time,
        )
        .await?
    };

    let keys = KeyDirectory::new(folder.join("keys"));
    for index in 0..KEYS.len() {
        keys.store(&key(index)?)?;
    }
    Ok(DevNetwork {
        folder,
        temporary,
        anvil,
        ethereum_url,
        router,
        spec,
        keys,
    })
}

/// One of Anvil's keys.
fn key(index: usize) -> Result<PrivateKeySigner, CliError> {
    KEYS[index]
        .parse()
        .next("a development key does not parse", "report this")
}

async fn connect(url: &str) -> Result<Wallet, CliError> {
    let options = Options {
        poll: Duration::from_millis(50),
        ..Options::default()
    };
    Wallet::connect(url, key(0)?, options)
        .await
        .next("Ethereum does not answer", FIX)
}

/// The network that an earlier start made.
async fn resume(
    memory: &Path,
    spec_file: &Path,
    wallet: &Wallet,
) -> Result<(H160, ChainSpec), CliError> {
    let forget = format!(
        "remove {} for a new network",
        memory.parent().unwrap_or(memory).display()
    );
    let text = fs::read_to_string(memory).next("the network is not remembered", &forget)?;
    let network: Remembered =
        serde_json::from_str(&text).next(format!("{} is damaged", memory.display()), &forget)?;
    let spec = chain_spec::from_file(spec_file.to_owned())
        .next("the chain specification is gone", &forget)?;
    let silent = "Ethereum does not answer";
    let first = wallet
        .provider()
        .get_block_by_number(BlockNumberOrTag::Number(network.number))
        .await
        .next(silent, FIX)?;
    let code = wallet
        .provider()
        .get_code_at(Address::from(network.router.0))
        .await
        .next(silent, FIX)?;
    if first.is_none_or(|block| block.header.hash.0 != network.hash.0) || code.is_empty() {
        return Err(CliError::new(
            "this Ethereum is not the one on which this folder's network was made: its contracts are not there",
            format!("start the Anvil of that time with its state, or {forget}"),
        ));
    }
    Ok((network.router, spec))
}

/// A new network.
async fn create(
    memory: &Path,
    spec_file: &Path,
    wallet: &Wallet,
    url: &str,
    block_time: u64,
) -> Result<(H160, ChainSpec), CliError> {
    let failed = "the contracts could not be deployed";
    let deployer = Deployer::new(wallet.clone());
    let plan = deployer.plan().await.next(failed, FIX)?;
    let router = H160(plan.router.into_array());
    let (chain_id, ethereum) = head_of(url).await?;
    let spec = chain_spec::network(
        Preset::Dev,
        &NetworkFacts {
            chain_id,
            router,
            ethereum,
            slot_duration_ms: SLOT_MS,
            expiry_seconds: EXPIRY_BLOCKS * block_time.max(1),
        },
    )
    .and_then(|spec| chain_spec::raw(&spec))
    .next("the chain specification cannot be made", "report this")?;
    let genesis =
        chain_spec::genesis_hash(&spec).next("the genesis cannot be made", "report this")?;
    let mut params = RouterParams::new(genesis, vec![validator()?]);
    for index in 0..KEYS.len() {
        params.mint.push((key(index)?.address(), U256::from(GIFT)));
    }
    deployer.deploy(plan, params).await.next(failed, FIX)?;
    wallet
        .send(Transaction {
            action: "giving the relayer ETH".into(),
            to: Some(Address::from(relay::account()?.0)),
            value: U256::from(RELAYER_ETH),
            ..Default::default()
        })
        .await
        .next(failed, FIX)?;

    let text = spec
        .as_json(false)
        .next("the chain specification cannot be written", "report this")?;
    write(spec_file, text)?;
    let remembered = serde_json::to_string(&Remembered {
        router,
        number: ethereum.number,
        hash: ethereum.hash,
    })
    .next("the network cannot be remembered", "report this")?;
    write(memory, remembered)?;
    Ok((router, spec))
}

/// Whole or not at all: a start that is killed leaves no half a network behind.
fn write(path: &Path, text: String) -> Result<(), CliError> {
    let half = path.with_extension("new");
    fs::write(&half, text)
        .and_then(|()| fs::rename(&half, path))
        .next(
            format!("{} cannot be written", path.display()),
            "give a folder that you may write by --base-path",
        )
}

/// The validator Alice, as the Router knows it.
fn validator() -> Result<Member, CliError> {
    ecdsa::Pair::from_string("//Alice", None)
        .ok()
        .and_then(|pair| host::AuthorityId::from_slice(pair.public().as_ref()).ok())
        .and_then(|authority| host::address_of(&authority))
        .map(|address| Member {
            address,
            weight: gear_exe_runtime::MEAN_WEIGHT,
        })
        .ok_or_else(|| CliError::new("Alice has no key", "report this"))
}

/// Chain id and head of an Ethereum node, the head read from its header's bytes.
///
/// # Errors
///
/// If it does not answer.
pub async fn head_of(url: &str) -> Result<(u64, EthereumHeader), CliError> {
    let silent = || format!("no Ethereum node answers at {url}");
    let provider = ProviderBuilder::new()
        .connect(url)
        .await
        .next(silent(), FIX)?;
    let chain_id = provider.get_chain_id().await.next(silent(), FIX)?;
    let block = provider
        .get_block_by_number(BlockNumberOrTag::Latest)
        .await
        .next(silent(), FIX)?
        .ok_or_else(|| CliError::new("Ethereum has no block", FIX))?;
    let rlp = alloy::rlp::encode(&block.header.inner);
    let header = EthereumHeader::decode_rlp(&rlp)
        .map_err(|error| format!("{error:?}"))
        .next("Ethereum's head does not read", "report this")?;
    if header.hash.0 != block.header.hash.0 {
        return Err(CliError::new(
            format!("the Ethereum node at {url} gives a header that is not its hash's"),
            FIX,
        ));
    }
    Ok((chain_id, header))
}
