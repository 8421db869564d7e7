//! Networks as `zombienet/*.toml` define them: who validates, what differs in the genesis, how Ethereum and relayers are run.
//!
//! Data flow: a file in the format of `zombienet-sdk`, as far as it means something to a solo chain, becomes a [`Definition`];
//! [`crate::validators`] starts it. Why not `zombienet-sdk` itself is said in docs/decisions/0020-own-launcher.md.

use anyhow::{Context, Result, bail, ensure};
use polkadot_sdk::sp_keyring::Sr25519Keyring;
use serde::Deserialize;
use serde_json::Value;
use std::path::Path;

/// Four validators and a relayer.
const FOUR: &str = include_str!("../../zombienet/four.toml");
/// Seven validators and three relayers.
const SEVEN: &str = include_str!("../../zombienet/seven.toml");
/// Most relayers of a network: each has an account of Anvil's of its own, and tests need the others.
pub const MOST_RELAYERS: usize = 3;

/// A network that can be started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Definition {
    /// The validators, by the development accounts whose keys they have, in the order in which they are started.
    pub validators: Vec<Sr25519Keyring>,
    /// The command that runs a validator, a binary of the workspace.
    pub command: String,
    /// Arguments of every validator.
    pub arguments: Vec<String>,
    /// Arguments of `gear-exe build-spec`.
    pub specification: Vec<String>,
    /// What differs from the preset, as a patch of the genesis.
    pub genesis: Value,
    /// Seconds between two Ethereum blocks.
    pub block_time: u64,
    /// Half the distance between Ethereum's head and its final block, in blocks.
    pub slots_in_an_epoch: u64,
    /// Arguments of each relayer.
    pub relayers: Vec<Vec<String>>,
}

#[derive(Deserialize)]
struct File {
    relaychain: Relaychain,
    #[serde(default)]
    custom_processes: Vec<CustomProcess>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Relaychain {
    #[serde(rename = "chain")]
    _chain: String,
    default_command: String,
    #[serde(default)]
    default_args: Vec<String>,
    chain_spec_command: String,
    #[serde(default)]
    genesis: Value,
    nodes: Vec<NodeOf>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NodeOf {
    name: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CustomProcess {
    name: String,
    command: String,
    #[serde(default)]
    args: Vec<String>,
}

/// The development account that a node is named after.
fn account(name: &str) -> Result<Sr25519Keyring> {
    Sr25519Keyring::well_known()
        .find(|known| known.to_string().to_lowercase() == name)
        .with_context(|| format!("`{name}` is no development account: alice, bob, charlie, dave, eve, ferdie, one, two"))
}

/// The number of an argument `--name=number`.
fn number(arguments: &[String], name: &str) -> Result<u64> {
    let value = arguments.iter().find_map(|argument| {
        let (its, value) = argument.split_once('=')?;
        (its == name).then_some(value)
    });
    value
        .with_context(|| format!("anvil's arguments have no {name}=…"))?
        .parse()
        .with_context(|| format!("{name} is no number"))
}

impl Definition {
    /// `zombienet/four.toml`, as it was when this was built.
    ///
    /// # Errors
    ///
    /// If it is not understood.
    pub fn four() -> Result<Self> {
        Self::parse(FOUR).context("zombienet/four.toml is not understood")
    }

    /// `zombienet/seven.toml`, as it was when this was built.
    ///
    /// # Errors
    ///
    /// If it is not understood.
    pub fn seven() -> Result<Self> {
        Self::parse(SEVEN).context("zombienet/seven.toml is not understood")
    }

    /// Reads a file.
    ///
    /// # Errors
    ///
    /// If it is missing, or not understood: what does not read is named.
    pub fn read(file: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(file)
            .with_context(|| format!("{} cannot be read", file.display()))?;
        Self::parse(&text).with_context(|| format!("{} is not understood", file.display()))
    }

    /// Reads the text of a file.
    ///
    /// # Errors
    ///
    /// If it is not understood.
    pub fn parse(text: &str) -> Result<Self> {
        let file: File = toml::from_str(text)?;
        let chain = file.relaychain;
        ensure!(
            !chain.nodes.is_empty(),
            "a network has nodes: [[relaychain.nodes]]"
        );
        let mut validators = Vec::new();
        for node in &chain.nodes {
            let who = account(&node.name)?;
            ensure!(!validators.contains(&who), "`{}` is named twice", node.name);
            validators.push(who);
        }
        let mut words = chain.chain_spec_command.split_whitespace();
        ensure!(
            words.next() == Some("gear-exe") && words.next() == Some("build-spec"),
            "chain_spec_command must be `gear-exe build-spec …`"
        );
        let specification = words.map(str::to_owned).collect();
        let (mut ethereum, mut relayers) = (None, Vec::new());
        for process in file.custom_processes {
            match process.command.as_str() {
                "anvil" if ethereum.is_none() => ethereum = Some(process.args),
                "gear-exe-relayer" => relayers.push(process.args),
                other => bail!(
                    "`{}`: `{other}` is not started here, or not twice",
                    process.name
                ),
            }
        }
        ensure!(
            relayers.len() <= MOST_RELAYERS,
            "at most {MOST_RELAYERS} relayers have accounts"
        );
        let ethereum = ethereum
            .context("a network has an Ethereum: [[custom_processes]] with command = \"anvil\"")?;
        Ok(Self {
            validators,
            command: chain.default_command,
            arguments: chain.default_args,
            specification,
            genesis: chain.genesis,
            block_time: number(&ethereum, "--block-time")?,
            slots_in_an_epoch: number(&ethereum, "--slots-in-an-epoch")?,
            relayers,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_networks_of_the_repository_are_understood() {
        let (four, seven) = (Definition::four().unwrap(), Definition::seven().unwrap());
        assert_eq!(four.validators, crate::validators::VALIDATORS);
        assert_eq!(four.relayers.len(), 1);
        assert_eq!((four.block_time, four.slots_in_an_epoch), (1, 1));
        let durations = &four.genesis["pace"]["durations"];
        assert_eq!(
            durations["slash_deferral"],
            crate::validators::SLASH_DEFERRAL
        );
        assert_eq!(
            (seven.validators.len(), seven.relayers.len()),
            (7, MOST_RELAYERS)
        );
        assert!(seven.specification.join(" ").contains("--preset local"));
    }

    #[test]
    fn what_is_not_understood_is_said() {
        for (from, to, said) in [
            (
                "\"dave\"",
                "\"mallory\"",
                "`mallory` is no development account",
            ),
            ("\"dave\"", "\"alice\"", "`alice` is named twice"),
            ("\"anvil\"", "\"geth\"", "`geth` is not started here"),
            ("--block-time=1", "--mixed-mining", "no --block-time"),
            (
                "--block-time=1",
                "--block-time=soon",
                "--block-time is no number",
            ),
            (
                "gear-exe build-spec",
                "polkadot build-spec",
                "chain_spec_command",
            ),
            ("default_args", "extra_args", "unknown field"),
        ] {
            let error = Definition::parse(&FOUR.replace(from, to)).unwrap_err();
            let error = format!("{error:?}");
            assert!(error.contains(said), "{from} → {to}: {error}");
        }
    }
}
