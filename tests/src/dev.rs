//! A network as people start it, `gear-exe run --dev`, and the command line against it.

use crate::{
    network::read_keys,
    process::{Process, binary, free_port},
    wallet::{Wallet, eventually},
};
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::{
    path::Path,
    process::{Command, Output},
};

/// A running development network.
#[derive(Debug)]
pub struct Dev {
    /// Its only process.
    pub node: Process,
    /// Port of the node's RPC.
    pub rpc: u16,
    /// Port of Ethereum.
    pub ethereum: u16,
    /// Folder of keys, as the node says.
    pub keys: String,
    /// The Router, as the node says.
    pub router: String,
}

/// Starts one, on free ports unless they are given, and waits until it serves.
///
/// # Errors
///
/// If it does not come up.
pub async fn start(folder: &Path, more: &[&str], ports: Option<(u16, u16)>) -> Result<Dev> {
    let (rpc, ethereum) = match ports {
        Some(ports) => ports,
        None => (free_port()?, free_port()?),
    };
    let mut arguments: Vec<String> = ["run", "--dev", "--block-time", "1"]
        .map(str::to_owned)
        .to_vec();
    arguments.extend(["--rpc-port".into(), rpc.to_string()]);
    arguments.extend(["--ethereum-port".into(), ethereum.to_string()]);
    arguments.extend(more.iter().map(|text| (*text).to_owned()));
    let mut node = Process::start("dev", &binary("gear-exe")?, &arguments, folder)?;
    let keys = node.line("Key directory: ").await?;
    let router = node.line("Ethereum router address: ").await?;
    Ok(Dev {
        node,
        rpc,
        ethereum,
        keys,
        router,
    })
}

/// Whether somebody listens there.
pub fn listens(port: u16) -> bool {
    std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()
}

/// Waits until nobody listens there.
///
/// # Errors
///
/// If somebody goes on to.
pub async fn silent(port: u16) -> Result<()> {
    eventually("nobody listens any more", || async {
        Ok((!listens(port)).then_some(()))
    })
    .await
}

impl Dev {
    /// Where the node answers.
    pub fn node_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.rpc)
    }

    /// The wallet of one of Anvil's accounts.
    ///
    /// # Errors
    ///
    /// If there is none with this number.
    pub fn wallet(&self, index: usize) -> Result<Wallet> {
        let key = read_keys(Path::new(&self.keys))?
            .into_iter()
            .nth(index)
            .context("no such account")?;
        let url = format!("http://127.0.0.1:{}", self.ethereum);
        Wallet::new(&url, key, self.router.parse()?)
    }

    /// Runs a command of `gear-exe` against this network.
    ///
    /// # Errors
    ///
    /// If it cannot be started.
    pub fn run(&self, arguments: &[&str]) -> Result<Output> {
        let output = Command::new(binary("gear-exe")?)
            .args(arguments)
            .env("GEAR_EXE_NODE", format!("ws://127.0.0.1:{}", self.rpc))
            .env(
                "GEAR_EXE_ETHEREUM_RPC",
                format!("http://127.0.0.1:{}", self.ethereum),
            )
            .env("GEAR_EXE_KEY_DIRECTORY", &self.keys)
            .output()?;
        Ok(output)
    }

    /// What a command prints for scripts, as JSON, and whether it succeeded.
    ///
    /// # Errors
    ///
    /// If it prints no JSON.
    pub fn command(&self, arguments: &[&str]) -> Result<(Value, bool)> {
        let output = self.run(&[arguments, &["--json"]].concat())?;
        let text = String::from_utf8_lossy(&output.stdout);
        let answer = serde_json::from_str(&text).with_context(|| {
            format!(
                "{arguments:?} answers `{text}`: {}",
                String::from_utf8_lossy(&output.stderr)
            )
        })?;
        Ok((answer, output.status.success()))
    }

    /// The same of a command that succeeds.
    ///
    /// # Errors
    ///
    /// If it does not.
    pub fn succeed(&self, arguments: &[&str]) -> Result<Value> {
        let (answer, success) = self.command(arguments)?;
        ensure!(success, "{arguments:?}: {answer}");
        Ok(answer)
    }

    /// What went wrong with a command that fails. It also says what to do next.
    ///
    /// # Errors
    ///
    /// If it succeeds, or does not say so.
    pub fn fail(&self, arguments: &[&str]) -> Result<String> {
        let (answer, success) = self.command(arguments)?;
        ensure!(!success, "{arguments:?} succeeded: {answer}");
        ensure!(!text(&answer, "next")?.is_empty(), "{answer}");
        Ok(text(&answer, "error")?.to_owned())
    }

    /// What a command prints for people, that is its table and what it says meanwhile, and whether it succeeded.
    ///
    /// # Errors
    ///
    /// If it cannot be started.
    pub fn human(&self, arguments: &[&str]) -> Result<(String, String, bool)> {
        let output = self.run(arguments)?;
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        Ok((
            text(&output.stdout),
            text(&output.stderr),
            output.status.success(),
        ))
    }
}

/// A text of an answer.
///
/// # Errors
///
/// If it is not there.
pub fn text<'a>(answer: &'a Value, field: &str) -> Result<&'a str> {
    answer[field]
        .as_str()
        .with_context(|| format!("no {field} in {answer}"))
}
