//! `gear-exe build-spec`: writes a chain specification: of a new network, or an existing one in another form.
//!
//! A public network names its validators and owners in a file; without one none is made.

use super::{CliError, Next};
use crate::{
    chain_spec::{self, ChainSpec, NetworkFacts, Preset},
    dev,
    founders::Founders,
};
use alloy::primitives::Address;
use clap::{Args, ValueEnum};
use gear_exe_primitives::H160;
use std::{io::Write, path::PathBuf};

/// Arguments of `gear-exe build-spec`.
#[derive(Debug, Args)]
pub struct SpecArgs {
    /// A specification to write again.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["preset", "founders", "router", "ethereum_rpc"])]
    chain: Option<PathBuf>,
    /// The validators of a new network.
    #[arg(long, value_enum, default_value_t = PresetArg::Local)]
    preset: PresetArg,
    /// The validators and owners of a public network, as JSON: docs/guides/validating.md shows one.
    #[arg(long, value_name = "FILE", required_if_eq("preset", "testnet"))]
    founders: Option<PathBuf>,
    /// The Router of a new network. It is initialised with the genesis hash, so it may be an address that is still
    /// empty.
    #[arg(long, value_name = "ADDRESS", required_unless_present = "chain")]
    router: Option<Address>,
    /// The Ethereum of a new network. Its head becomes the first anchor.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8545")]
    ethereum_rpc: String,
    /// Length of a slot of a new network, in milliseconds.
    #[arg(long, value_name = "MS", default_value_t = 500)]
    slot_duration: u64,
    /// Seconds after its anchor until which the Router of a new network takes a batch: a few tens of Ethereum blocks.
    #[arg(long, value_name = "SECONDS", default_value_t = 600)]
    expiry: u64,
    /// With the whole genesis state instead of what it is made of.
    #[arg(long)]
    raw: bool,
    /// File to write [default: standard output].
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Who validates a new network.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum PresetArg {
    /// Alice.
    Dev,
    /// Alice, Bob, Charlie and Dave.
    Local,
    /// Those that --founders names.
    Testnet,
}

/// Writes it, and says its genesis hash and its first validator set on standard error: what the Router is initialised
/// with.
///
/// # Errors
///
/// [`CliError`] says what to do.
pub async fn run(args: SpecArgs) -> Result<(), CliError> {
    let spec = match &args.chain {
        Some(file) => chain_spec::from_file(file.clone()).next(
            "the specification does not read",
            "give the file of one by --chain",
        )?,
        None => new(&args).await?,
    };
    let unmade = "the genesis cannot be made";
    // Before it is written, and before it is asked: each would make it again.
    let spec = match args.raw {
        true => chain_spec::raw(&spec).next(unmade, "report this")?,
        false => spec,
    };
    let genesis = chain_spec::genesis_hash(&spec).next(unmade, "report this")?;
    let set = chain_spec::first_set(&spec).next(
        "the genesis has no validators",
        "put some into its session.keys and staking.stakers",
    )?;
    let text = spec
        .as_json(args.raw)
        .next("the specification cannot be written", "report this")?;
    match &args.output {
        Some(file) => std::fs::write(file, text),
        None => std::io::stdout().write_all(text.as_bytes()),
    }
    .next(
        "the specification could not be written",
        "give a file that you may write by --output",
    )?;
    eprintln!("genesis hash: {genesis:?}");
    for member in set {
        eprintln!("validator: {:?} {}", member.address, member.weight);
    }
    Ok(())
}

async fn new(args: &SpecArgs) -> Result<ChainSpec, CliError> {
    let router = args
        .router
        .ok_or_else(|| CliError::new("a network has a Router", "give its address by --router"))?;
    let preset = match (args.preset, &args.founders) {
        (PresetArg::Dev, None) => Preset::Dev,
        (PresetArg::Local, None) => Preset::Local,
        (PresetArg::Testnet, Some(file)) => {
            let founders = Founders::read(file).next(
                "the founders do not read",
                "write the file as docs/guides/validating.md shows it",
            )?;
            Preset::Testnet(founders)
        }
        (PresetArg::Testnet, None) => {
            return Err(CliError::new(
                "a public network has validators of its own",
                "name them in a file, and give it by --founders",
            ));
        }
        (PresetArg::Dev | PresetArg::Local, Some(_)) => {
            return Err(CliError::new(
                "this preset has validators that everybody knows",
                "leave --founders out, or give --preset testnet",
            ));
        }
    };
    let (chain_id, ethereum) = dev::head_of(&args.ethereum_rpc).await?;
    let facts = NetworkFacts {
        chain_id,
        router: H160(router.into_array()),
        ethereum,
        slot_duration_ms: args.slot_duration,
        expiry_seconds: args.expiry,
    };
    chain_spec::network(preset, &facts).next(
        "the specification cannot be made",
        "mend the file of --founders if it is at fault, else report this",
    )
}
