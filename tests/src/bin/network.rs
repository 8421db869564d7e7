//! Starts a network of `zombienet/`, says where everything is, and ends it when it is told to (Ctrl-C), or killed.

use anyhow::Result;
use clap::Parser;
use gear_exe_ethereum::dev::KEYS;
use gear_exe_tests::{
    definition::Definition,
    validators::{Settings, Validators},
};
use std::{path::PathBuf, process::ExitCode, time::Duration};

/// Starts the validators, the Ethereum and the relayers that a file defines, all on this machine.
#[derive(Debug, Parser)]
#[command(name = "gear-exe-network", version)]
struct Options {
    /// The definition: zombienet/four.toml, zombienet/seven.toml, or one like them.
    definition: PathBuf,
    /// Milliseconds for which everything between two validators is under way.
    #[arg(long, default_value_t = 0)]
    delay: u64,
}

async fn run(options: Options) -> Result<()> {
    let settings = Settings {
        definition: Some(Definition::read(&options.definition)?),
        delay: Duration::from_millis(options.delay),
        metrics: true,
        ..Settings::default()
    };
    let network = Validators::start(settings).await?;
    for (number, node) in network.nodes.iter().enumerate() {
        println!("validator {}: {}", node.name(), network.url_of(number));
        println!(
            "metrics {}: {}",
            node.name(),
            node.metrics_url().unwrap_or_default()
        );
    }
    println!("Ethereum: {}", network.ethereum_url());
    println!("Router: {}", network.deployment.router);
    println!("relayers: {}", network.definition().relayers.len());
    println!(
        "a key with ETH and wVARA, which everybody knows: 0x{}",
        KEYS[6]
    );
    println!("It runs until Ctrl-C.");
    tokio::signal::ctrl_c().await?;
    network.done();
    Ok(())
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Options::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:?}");
            ExitCode::FAILURE
        }
    }
}
