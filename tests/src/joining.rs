//! Nodes of a network that are started again, and what an accident does to their files meanwhile.

use crate::{
    chain::Chain,
    network::ask,
    process::Process,
    validators::{Node, Validators},
    wallet::eventually,
};
use alloy::transports::http::reqwest;
use anyhow::{Context, Result, ensure};
use gear_exe_primitives::{H256, batch::AppliedBatch};
use gear_exe_runtime::Runtime;
use jsonrpsee::rpc_params;
use serde_json::Value;
use std::{
    fs::{self, File},
    io::{Seek, SeekFrom, Write},
    path::PathBuf,
};

impl Validators {
    /// Starts a node again that has ended, as it was started before.
    ///
    /// # Errors
    ///
    /// If it does not come up.
    pub async fn restart(&mut self, node: usize) -> Result<()> {
        let folder = self.folder.path().to_owned();
        let node = self.nodes.get_mut(node).context("no such node")?;
        let (name, program, arguments) = &node.command;
        // One that runs still ends first.
        if node.process.runs() {
            node.process.kill()?;
        }
        node.process = Process::start(name, program, arguments, &folder)?;
        node.process.line("Local node identity is: ").await?;
        let url = format!("http://127.0.0.1:{}", node.rpc_port);
        node.chain = eventually("a node serves", || async {
            Ok(Some(Chain::connect(&url).await?))
        })
        .await
        .with_context(|| node.process.tail())?;
        Ok(())
    }

    /// A file of a node's own stores.
    ///
    /// # Errors
    ///
    /// If there is none with this name.
    pub fn store(&self, node: usize, file: &str) -> Result<PathBuf> {
        let node = self.nodes.get(node).context("no such node")?;
        let chains = self.folder.path().join(&node.command.0).join("chains");
        for chain in fs::read_dir(chains)? {
            let path = chain?.path().join("gear-exe").join(file);
            if path.is_file() {
                return Ok(path);
            }
        }
        anyhow::bail!("{} has no {file}", node.command.0)
    }

    /// Overwrites most of one, but for its head and its end.
    ///
    /// # Errors
    ///
    /// If there is none with this name.
    pub fn damage(&self, node: usize, file: &str) -> Result<()> {
        let path = self.store(node, file)?;
        let length = fs::metadata(&path)?.len();
        let mut file = File::options().write(true).open(path)?;
        file.seek(SeekFrom::Start(length / 64))?;
        Ok(file.write_all(&vec![0xa5; usize::try_from(length / 4 * 3)?])?)
    }

    /// The last round that the Router holds at Ethereum's final block, as the chain knows it.
    ///
    /// # Errors
    ///
    /// If the first node does not answer.
    pub async fn settled(&self) -> Result<u64> {
        let key = pallet_settlement::Settled::<Runtime>::hashed_key();
        let settled: Option<AppliedBatch> = self.chain().get(key).await?;
        Ok(settled.unwrap_or_default().last_round)
    }
}

impl Node {
    /// What it has printed since its first start.
    pub fn log(&self) -> String {
        self.process.output()
    }

    /// A number of its metrics, by the beginning of its name.
    ///
    /// # Errors
    ///
    /// If it does not answer, or has no such number.
    pub async fn metric(&self, name: &str) -> Result<u64> {
        let url = self.metrics_url().context("it serves no metrics")?;
        let text = reqwest::get(url).await?.text().await?;
        let number = text
            .lines()
            .filter_map(|line| line.strip_prefix(name)?.rsplit_once(' '))
            .find_map(|(_, number)| number.trim().parse::<f64>().ok())
            .with_context(|| format!("no {name} in the metrics"))?;
        Ok(number as u64)
    }

    /// What it says of the round of a block, of the best one if none is named: null if it has not executed it.
    ///
    /// # Errors
    ///
    /// If it does not answer.
    pub async fn round(&self, block: Option<H256>) -> Result<Value> {
        let url = format!("http://127.0.0.1:{}", self.rpc_port);
        ask(&url, "gear_round", rpc_params![block]).await
    }

    /// Waits until it has executed the round of a block as another node has. Returns the round.
    ///
    /// # Errors
    ///
    /// If it does not, or gets something else.
    pub async fn agrees(&self, other: &Self, block: H256) -> Result<Value> {
        let expected = eventually("the round is executed", || async {
            let round = other.round(Some(block)).await?;
            Ok((!round.is_null()).then_some(round))
        })
        .await?;
        let own = eventually("the round is executed", || async {
            let round = self.round(Some(block)).await?;
            Ok((!round.is_null()).then_some(round))
        })
        .await?;
        for field in ["outcome_root", "state_root"] {
            ensure!(own[field] == expected[field], "{own} is not {expected}");
        }
        Ok(own)
    }
}
