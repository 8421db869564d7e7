//! A network for one test: its own Anvil, node and relayer, on free ports, in a temporary folder.

use crate::{
    process::{Process, binary, free_port},
    proxy::Proxy,
    wallet::{Wallet, eventually},
};
use alloy::{
    eips::BlockNumberOrTag,
    primitives::{Address, B256},
    providers::{Provider, ProviderBuilder, ext::AnvilApi},
    rpc::types::anvil::{ReorgOptions, TransactionData},
    signers::local::PrivateKeySigner,
    transports::http::reqwest,
};
use anyhow::{Context, Result};
use gear_exe_ethereum::dev::{AnvilConfig, AnvilNode};
use gear_exe_primitives::{H160, batch::RouterDomain};
use jsonrpsee::{
    core::{client::ClientT, params::ArrayParams},
    http_client::HttpClientBuilder,
};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// Who runs the relayer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relayer {
    /// The node, in its own process.
    InNode,
    /// A process of its own.
    Process,
    /// Nobody, until [`Network::start_relayer`].
    Nobody,
}

/// How a network is started.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Seconds between Ethereum blocks; nothing mines a block for each transaction.
    pub block_time: Option<u64>,
    /// Half the distance between Ethereum's head and its final block: no reorg may be deeper than twice this.
    pub slots_in_an_epoch: u64,
    /// Who runs the relayer.
    pub relayer: Relayer,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            block_time: Some(1),
            slots_in_an_epoch: 1,
            relayer: Relayer::InNode,
        }
    }
}

/// A batch that the node has signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Signed {
    /// What was signed.
    pub digest: B256,
    /// The batch's number.
    pub nonce: u64,
    /// Number of its seal's block.
    pub seal: u64,
}

/// A running network. Everything ends when it is dropped; the ends of the logs are shown unless the test has come to its
/// end ([`Network::done`]).
#[derive(Debug)]
pub struct Network {
    options: Options,
    /// The first is what the network starts with; others are forks of it.
    anvils: Vec<AnvilNode>,
    ethereum: Proxy,
    node: Option<Process>,
    relayer: Option<Process>,
    rpc_port: u16,
    metrics_port: u16,
    router: Address,
    keys: Vec<PrivateKeySigner>,
    done: bool,
    // Last, so that it is removed when nobody writes to it any more.
    folder: tempfile::TempDir,
}

impl Network {
    /// Starts all of it, and waits until the node serves.
    ///
    /// # Errors
    ///
    /// If something does not start; the error has the end of its log.
    pub async fn start(options: Options) -> Result<Self> {
        let folder = tempfile::Builder::new()
            .prefix("gear-exe-test-")
            .tempdir()?;
        let anvil = spawn_anvil(&options).await?;
        let mut network = Self {
            options,
            ethereum: Proxy::start(anvil.port()).await?,
            anvils: vec![anvil],
            node: None,
            relayer: None,
            rpc_port: free_port()?,
            metrics_port: free_port()?,
            router: Address::ZERO,
            keys: Vec::new(),
            done: false,
            folder,
        };
        network.start_node().await?;
        if options.relayer == Relayer::Process {
            network.start_relayer()?;
        }
        Ok(network)
    }

    /// Where Ethereum answers.
    pub fn ethereum(&self) -> String {
        format!("http://127.0.0.1:{}", self.ethereum.port())
    }

    /// Where the node answers.
    pub fn rpc(&self) -> String {
        format!("http://127.0.0.1:{}", self.rpc_port)
    }

    /// Where the node keeps everything.
    pub fn node_folder(&self) -> PathBuf {
        self.folder.path().join("node")
    }

    /// The Router.
    pub const fn router(&self) -> Address {
        self.router
    }

    /// Starts the node, again on its folder if it ran before, and waits until it serves.
    ///
    /// # Errors
    ///
    /// If it does not come up.
    pub async fn start_node(&mut self) -> Result<()> {
        let mut arguments = [
            "run",
            "--dev",
            "--block-time",
            "1",
            "--ethereum-rpc",
            &self.ethereum(),
            "--rpc-port",
            &self.rpc_port.to_string(),
            "--prometheus-port",
            &self.metrics_port.to_string(),
            "--base-path",
            &self.node_folder().display().to_string(),
        ]
        .map(str::to_owned)
        .to_vec();
        if self.options.relayer != Relayer::InNode {
            arguments.push("--no-relayer".into());
        }
        // One that runs still ends first.
        drop(self.node.take());
        let mut node =
            Process::start("node", &binary("gear-exe")?, &arguments, self.folder.path())?;
        let keys = node.line("Key directory: ").await?;
        let router = node.line("Ethereum router address: ").await?;
        self.router = router.parse()?;
        self.keys = read_keys(Path::new(&keys))?;
        self.node = Some(node);
        Ok(())
    }

    /// `SIGKILL` for the node.
    ///
    /// # Errors
    ///
    /// If it does not run.
    pub fn kill_node(&mut self) -> Result<()> {
        self.node.as_mut().context("no node runs")?.kill()
    }

    /// Starts the relayer, again on its folder if it ran before.
    ///
    /// # Errors
    ///
    /// If it cannot be started.
    pub fn start_relayer(&mut self) -> Result<()> {
        let key = self.keys.last().context("no key")?;
        self.start_relayer_with(&key.clone())
    }

    /// Starts the relayer with another key.
    ///
    /// # Errors
    ///
    /// If it cannot be started.
    pub fn start_relayer_with(&mut self, key: &PrivateKeySigner) -> Result<()> {
        let key_file = self.folder.path().join("relayer.key");
        std::fs::write(&key_file, format!("{:#x}\n", key.to_bytes()))?;
        let arguments = [
            "run",
            "--node",
            &format!("ws://127.0.0.1:{}", self.rpc_port),
            "--ethereum",
            &self.ethereum(),
            "--router",
            &format!("{:#x}", self.router),
            "--key-file",
            &key_file.display().to_string(),
            "--data",
            &self.folder.path().join("relayer").display().to_string(),
            "--max-fee-gwei",
            "200",
            "--poll-ms",
            "200",
        ]
        .map(str::to_owned);
        // One that runs still ends first.
        drop(self.relayer.take());
        self.relayer = Some(Process::start(
            "relayer",
            &binary("gear-exe-relayer")?,
            &arguments,
            self.folder.path(),
        )?);
        Ok(())
    }

    /// `SIGKILL` for the relayer.
    ///
    /// # Errors
    ///
    /// If it does not run.
    pub fn kill_relayer(&mut self) -> Result<()> {
        self.relayer.as_mut().context("no relayer runs")?.kill()
    }

    /// The node's process.
    ///
    /// # Errors
    ///
    /// If it was never started.
    pub fn node(&mut self) -> Result<&mut Process> {
        self.node.as_mut().context("no node runs")
    }

    /// The relayer's process.
    ///
    /// # Errors
    ///
    /// If it was never started.
    pub fn relayer(&mut self) -> Result<&mut Process> {
        self.relayer.as_mut().context("no relayer runs")
    }

    /// Ethereum does not answer any more. It goes on by itself.
    pub fn cut_ethereum(&self) {
        self.ethereum.turn(None);
    }

    /// Makes another Ethereum with the same past and a future of its own, in which nothing is mined until
    /// [`Network::mining`]. Returns its number; the first one has 0.
    ///
    /// # Errors
    ///
    /// If Anvil refuses.
    pub async fn fork_ethereum(&mut self) -> Result<usize> {
        let state = provider(&self.ethereum())?.anvil_dump_state().await?;
        let anvil = spawn_anvil(&Options {
            block_time: None,
            ..self.options
        })
        .await?;
        let fork = provider(&anvil.http())?;
        fork.anvil_load_state(state).await?;
        self.anvils.push(anvil);
        let number = self.anvils.len() - 1;
        self.mining(number, false).await?;
        Ok(number)
    }

    /// Whether an Ethereum mines a block each second, or none by itself: its time stands still then.
    ///
    /// # Errors
    ///
    /// If there is none with this number, or Anvil refuses.
    pub async fn mining(&self, number: usize, mines: bool) -> Result<()> {
        let provider = provider(&self.anvil(number)?.http())?;
        if mines {
            let head = provider
                .get_block_by_number(BlockNumberOrTag::Latest)
                .await?
                .context("no head")?;
            provider.anvil_set_time(head.header.timestamp).await?;
        }
        // Zero stops it.
        Ok(provider.anvil_set_interval_mining(mines.into()).await?)
    }

    fn anvil(&self, number: usize) -> Result<&AnvilNode> {
        self.anvils.get(number).context("no such Ethereum")
    }

    /// From now on everybody sees this Ethereum.
    ///
    /// # Errors
    ///
    /// If there is none with this number.
    pub fn show_ethereum(&self, number: usize) -> Result<()> {
        self.ethereum.turn(Some(self.anvil(number)?.port()));
        Ok(())
    }

    /// Ethereum's next answer about a block's receipts leaves out the logs, once that there are some.
    ///
    /// # Errors
    ///
    /// If there is no Ethereum.
    pub fn hide_logs_once(&self) -> Result<()> {
        self.ethereum.hide_logs_once(self.anvil(0)?.port());
        Ok(())
    }

    /// Whether that has happened.
    pub fn has_hidden_logs(&self) -> bool {
        self.ethereum.has_hidden_logs()
    }

    /// What Router and chain are called in what users sign.
    ///
    /// # Errors
    ///
    /// If Ethereum does not answer.
    pub async fn domain(&self) -> Result<RouterDomain> {
        Ok(RouterDomain {
            chain_id: self.wallet(0)?.provider.get_chain_id().await?,
            router: H160(self.router.into_array()),
        })
    }

    /// The wallet of one of Anvil's accounts: 0 to 8. The last account is the relayer's.
    ///
    /// # Errors
    ///
    /// If there is none with this number.
    pub fn wallet(&self, index: usize) -> Result<Wallet> {
        let key = self.keys.get(index).context("no such account")?;
        Wallet::new(&self.ethereum(), key.clone(), self.router)
    }

    /// The key of one of these accounts, with which its user signs native messages.
    ///
    /// # Errors
    ///
    /// If there is none with this number.
    pub fn secret(&self, index: usize) -> Result<[u8; 32]> {
        let key = self.keys.get(index).context("no such account")?;
        Ok(key.to_bytes().0)
    }

    /// The wallet at an Ethereum that is perhaps not the one that everybody sees.
    ///
    /// # Errors
    ///
    /// If there is no such account or Ethereum.
    pub fn wallet_at(&self, index: usize, number: usize) -> Result<Wallet> {
        let key = self.keys.get(index).context("no such account")?;
        Wallet::new(&self.anvil(number)?.http(), key.clone(), self.router)
    }

    /// Mines so many Ethereum blocks at once.
    ///
    /// # Errors
    ///
    /// If Anvil refuses.
    pub async fn mine(&self, blocks: u64) -> Result<()> {
        Ok(self
            .wallet(0)?
            .provider
            .anvil_mine(Some(blocks), None)
            .await?)
    }

    /// Replaces the Ethereum blocks from `first` on by others, which hold `transactions` (block from the first one,
    /// starting at 0) and nothing else. The new branch is one block longer. Returns how many were replaced.
    ///
    /// # Errors
    ///
    /// If Anvil refuses.
    pub async fn reorg(
        &self,
        first: u64,
        transactions: Vec<(TransactionData, u64)>,
    ) -> Result<u64> {
        let wallet = self.wallet(0)?;
        // So that the head stays where it is meanwhile.
        self.mining(0, false).await?;
        let (head, _) = wallet.head().await?;
        let depth = head + 1 - first;
        wallet
            .provider
            .anvil_reorg(ReorgOptions {
                depth,
                tx_block_pairs: transactions,
            })
            .await?;
        wallet.provider.anvil_mine(Some(1), None).await?;
        self.mining(0, true).await?;
        Ok(depth)
    }

    /// The batches that the node has signed, as its log tells: each signature is there once, when it is made.
    ///
    /// # Errors
    ///
    /// If the log does not read.
    pub fn signed(&self) -> Result<Vec<Signed>> {
        let log = self.node.as_ref().context("no node runs")?.output();
        log.lines()
            .filter(|line| line.contains("batch signed"))
            .map(|line| {
                let field = |name: &str| {
                    let rest = line.split_once(&format!(" {name}="))?.1;
                    rest.split_whitespace().next()
                };
                let number = |name: &str| field(name)?.parse().ok();
                let read = || {
                    Some(Signed {
                        digest: field("digest")?.parse().ok()?,
                        nonce: number("nonce")?,
                        seal: number("seal")?,
                    })
                };
                read().with_context(|| format!("a line of the log does not read: {line}"))
            })
            .collect()
    }

    /// All of the node's metrics, as Prometheus reads them.
    ///
    /// # Errors
    ///
    /// If the node does not answer.
    pub async fn metrics(&self) -> Result<String> {
        let url = format!("http://127.0.0.1:{}/metrics", self.metrics_port);
        Ok(reqwest::get(url).await?.text().await?)
    }

    /// A number of the node's metrics, by its name and one of its labels, which may be empty.
    ///
    /// # Errors
    ///
    /// If the node does not answer, or has no such number.
    pub async fn metric(&self, name: &str, label: &str) -> Result<f64> {
        let text = self.metrics().await?;
        text.lines()
            .filter(|line| line.contains(label))
            .filter_map(|line| line.strip_prefix(name)?.split_once(' '))
            .find_map(|(_, number)| number.trim().parse().ok())
            .with_context(|| format!("no {name} {label} in the metrics"))
    }

    /// The test has come to its end: nobody needs the logs.
    pub fn done(mut self) {
        self.done = true;
    }

    /// Asks the node.
    ///
    /// # Errors
    ///
    /// If it refuses or does not answer.
    pub async fn ask(&self, method: &str, params: ArrayParams) -> Result<Value> {
        ask(&self.rpc(), method, params).await
    }

    /// Waits until the node's anchor is at this Ethereum block, or above.
    ///
    /// # Errors
    ///
    /// If it does not come there.
    pub async fn anchored(&self, number: u64) -> Result<()> {
        eventually("the anchor advances", || async {
            let round = self.ask("gear_round", ArrayParams::new()).await?;
            Ok(round["anchor"]["number"]
                .as_u64()
                .filter(|anchor| *anchor >= number)
                .map(|_| ()))
        })
        .await
    }

    /// Waits until the node agrees with Ethereum's canonical chain: its anchor is on it, and at most a few blocks behind.
    ///
    /// # Errors
    ///
    /// If it does not come there.
    pub async fn agrees(&self) -> Result<()> {
        let wallet = self.wallet(0)?;
        eventually("the node agrees with Ethereum", || async {
            let round = self.ask("gear_round", ArrayParams::new()).await?;
            let (head, _) = wallet.head().await?;
            let (Some(number), Some(hash)) = (
                round["anchor"]["number"].as_u64(),
                round["anchor"]["hash"].as_str(),
            ) else {
                return Ok(None);
            };
            let block = wallet.provider.get_block_by_number(number.into()).await?;
            let same = block.is_some_and(|block| format!("{:#x}", block.header.hash) == hash);
            Ok((same && number + 3 >= head).then_some(()))
        })
        .await
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        if !self.done {
            for process in [&self.node, &self.relayer].into_iter().flatten() {
                eprintln!("--- end of its log:\n{}", process.tail());
            }
        }
    }
}

async fn spawn_anvil(options: &Options) -> Result<AnvilNode> {
    Ok(AnvilNode::spawn(AnvilConfig {
        block_time: options.block_time,
        slots_in_an_epoch: options.slots_in_an_epoch,
        ..Default::default()
    })
    .await?)
}

fn provider(url: &str) -> Result<impl Provider + use<>> {
    Ok(ProviderBuilder::new().connect_http(url.parse()?))
}

/// The keys of a folder, in the order of their addresses.
///
/// # Errors
///
/// If one cannot be read.
pub fn read_keys(folder: &Path) -> Result<Vec<PrivateKeySigner>> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)?
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<_>>()?;
    files.sort();
    files
        .iter()
        .map(|file| Ok(std::fs::read_to_string(file)?.trim().parse()?))
        .collect()
}

/// Asks a node by JSON-RPC.
///
/// # Errors
///
/// If it refuses or does not answer.
pub async fn ask(url: &str, method: &str, params: ArrayParams) -> Result<Value> {
    Ok(HttpClientBuilder::default()
        .build(url)?
        .request(method, params)
        .await?)
}
