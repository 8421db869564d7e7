//! One validator's process: how it is started, ended, paused, and started again, on its own ways to the others and to Ethereum.

use super::Validators;
use crate::{
    chain::Chain,
    delay::DelayedLink,
    process::{Process, binary, free_port},
    proxy::Proxy,
    wallet::eventually,
};
use anyhow::{Context, Result};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

/// A validator's process.
#[derive(Debug)]
pub struct Node {
    name: String,
    program: String,
    /// Its arguments, but for the others' addresses.
    arguments: Vec<String>,
    process: Process,
    rpc_port: u16,
    metrics_port: Option<u16>,
    /// Where others reach it, and its name there.
    port: u16,
    peer: String,
    /// Its ways to others, by their numbers, if it does not go straight to them.
    links: BTreeMap<usize, DelayedLink>,
    /// Its door to Ethereum, if it has one of its own.
    ethereum: Option<Proxy>,
    /// The chain as it sees it.
    pub chain: Chain,
}

impl Validators {
    /// Starts one more node on this chain, which knows all others. `arguments` say who it is.
    ///
    /// # Errors
    ///
    /// If it does not come up.
    pub async fn start_node(&mut self, name: &str, arguments: &[&str]) -> Result<()> {
        let command = self.definition.command.clone();
        self.start_binary(&command, name, arguments).await
    }

    /// The same with another program that takes the arguments of `gear-exe run`.
    ///
    /// # Errors
    ///
    /// If it does not come up.
    pub async fn start_binary(
        &mut self,
        program: &str,
        name: &str,
        arguments: &[&str],
    ) -> Result<()> {
        let (rpc_port, port) = (free_port()?, free_port()?);
        let node_key = format!("{:064x}", self.nodes.len() + 1);
        let ethereum = match self.settings.isolated {
            true => Some(Proxy::start(self.anvil.port()).await?),
            false => None,
        };
        let ethereum_port = ethereum.as_ref().map_or(self.anvil.port(), Proxy::port);
        let mut all: Vec<String> = ["run", "--chain"].map(str::to_owned).to_vec();
        all.push(self.spec.display().to_string());
        all.push("--base-path".into());
        all.push(self.folder.path().join(name).display().to_string());
        all.extend(arguments.iter().map(|argument| (*argument).to_owned()));
        all.extend(["--node-key".into(), node_key]);
        all.push(format!("--listen-addr=/ip4/127.0.0.1/tcp/{port}"));
        all.extend(["--rpc-port".into(), rpc_port.to_string()]);
        all.push(format!("--ethereum-rpc=http://127.0.0.1:{ethereum_port}"));
        all.extend(self.definition.arguments.iter().cloned());
        let metrics_port = match self.settings.metrics {
            true => Some(free_port()?),
            false => None,
        };
        match metrics_port {
            Some(port) => all.extend(["--prometheus-port".into(), port.to_string()]),
            None => all.push("--no-prometheus".into()),
        }
        let mut links = BTreeMap::new();
        let ways = self.ways(self.nodes.len(), &mut links).await?;
        let full = [all.clone(), ways].concat();
        let mut process = Process::start(name, &binary(program)?, &full, self.folder.path())?;
        let peer = process.line("Local node identity is: ").await?;
        let url = format!("http://127.0.0.1:{rpc_port}");
        let chain = eventually("a node serves", || async {
            Ok(Some(Chain::connect(&url).await?))
        })
        .await
        .with_context(|| process.tail())?;
        self.nodes.push(Node {
            name: name.into(),
            program: program.into(),
            arguments: all,
            process,
            rpc_port,
            metrics_port,
            port,
            peer,
            links,
            ethereum,
            chain,
        });
        Ok(())
    }

    /// Arguments that tell the node with this number how it reaches all others. Ways that it lacks are made.
    async fn ways(
        &self,
        from: usize,
        links: &mut BTreeMap<usize, DelayedLink>,
    ) -> Result<Vec<String>> {
        let mut arguments = Vec::new();
        for (to, node) in self.nodes.iter().enumerate() {
            if to == from {
                continue;
            }
            let mut door = node.port;
            if self.has_ways() {
                if !links.contains_key(&to) {
                    let link = DelayedLink::start(node.port, self.settings.delay).await?;
                    links.insert(to, link);
                }
                door = links.get(&to).map_or(door, DelayedLink::port);
            }
            let peer = &node.peer;
            arguments.push(format!("--bootnodes=/ip4/127.0.0.1/tcp/{door}/p2p/{peer}"));
        }
        Ok(arguments)
    }

    /// Ends a node if it runs (`SIGKILL`) and starts it again on its folder, with this in its environment. Returns when it serves.
    ///
    /// # Errors
    ///
    /// If there is none with this number, or it does not come up.
    pub async fn restart(&mut self, node: usize, environment: &[(String, String)]) -> Result<()> {
        let mut links = std::mem::take(&mut self.node(node)?.links);
        let ways = self.ways(node, &mut links).await?;
        let folder = self.folder.path().to_owned();
        let node = self.node(node)?;
        node.links = links;
        node.kill()?;
        let full = [node.arguments.clone(), ways].concat();
        let binary = binary(&node.program)?;
        node.process = Process::start_in(&node.name, &binary, &full, &folder, environment)?;
        let Node { process, chain, .. } = node;
        process.line("Local node identity is: ").await?;
        eventually("a node serves again", || async {
            chain.finalised().await.map(Some)
        })
        .await
        .with_context(|| process.tail())?;
        Ok(())
    }

    /// Where a node keeps everything.
    pub fn folder_of(&self, node: &Node) -> PathBuf {
        self.folder.path().join(&node.name)
    }

    fn node(&mut self, node: usize) -> Result<&mut Node> {
        self.nodes.get_mut(node).context("no such node")
    }
}

impl Node {
    /// Its process id.
    ///
    /// # Errors
    ///
    /// See [`Process::pid`].
    pub fn pid(&self) -> Result<u32> {
        self.process.pid()
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its id in the network.
    pub fn peer(&self) -> &str {
        &self.peer
    }

    /// Port of its RPC.
    pub const fn rpc_port(&self) -> u16 {
        self.rpc_port
    }

    /// Where it serves its metrics, if it does ([`super::Settings::metrics`]).
    pub fn metrics_url(&self) -> Option<String> {
        let port = self.metrics_port?;
        Some(format!("http://127.0.0.1:{port}/metrics"))
    }

    /// Its ways to others, by their numbers ([`super::Settings::delay`], [`super::Settings::isolated`]).
    pub const fn links(&self) -> &BTreeMap<usize, DelayedLink> {
        &self.links
    }

    /// Its door to Ethereum.
    ///
    /// # Errors
    ///
    /// If the network was not started [isolated](super::Settings::isolated).
    pub fn ethereum(&self) -> Result<&Proxy> {
        self.ethereum
            .as_ref()
            .context("the nodes have no doors of their own")
    }

    /// `SIGKILL`, if it runs.
    ///
    /// # Errors
    ///
    /// If its end cannot be awaited.
    pub fn kill(&mut self) -> Result<()> {
        match self.process.runs() {
            true => self.process.kill(),
            false => Ok(()),
        }
    }

    /// `SIGSTOP`: it does nothing more.
    ///
    /// # Errors
    ///
    /// If it does not run.
    pub fn pause(&self) -> Result<()> {
        self.process.pause()
    }

    /// `SIGCONT`.
    ///
    /// # Errors
    ///
    /// If it does not run.
    pub fn resume(&self) -> Result<()> {
        self.process.resume()
    }

    /// Waits until a line of its log contains `text`, and returns what follows in it.
    ///
    /// # Errors
    ///
    /// See [`Process::line`].
    pub async fn line(&mut self, text: &str) -> Result<String> {
        self.process.line(text).await
    }

    /// The file of its log.
    pub fn log_file(&self) -> &Path {
        self.process.log()
    }

    /// All of its log, also from before it was started again.
    pub fn log(&self) -> String {
        self.process.output()
    }

    /// The end of its log.
    pub fn tail(&self) -> String {
        self.process.tail()
    }
}
