//! `gear-exe-relayer`: the relayer as a process of its own.

use clap::{Args, Parser, Subcommand};
use gear_exe_primitives::H160;
use gear_exe_relayer::{Policy, Relayer, RelayerConfig, Wallet, wallet::KeyError};
use std::{net::IpAddr, path::PathBuf, process::ExitCode, time::Duration};
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

/// Where the key may be instead of a file.
const KEY_VARIABLE: &str = "GEAR_EXE_RELAYER_KEY";

/// Carries signed batches of a Gear.exe chain to its Router on Ethereum.
#[derive(Debug, Parser)]
#[command(version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run until SIGTERM or SIGINT. Outages of either node are waited for.
    Run(Run),
}

#[derive(Debug, Args)]
struct Run {
    /// WebSocket address of a node of the chain.
    #[arg(long, default_value = "ws://127.0.0.1:9944")]
    node: String,
    /// Address of an Ethereum node: http://… or ws://… Given several times (or with commas), the next one takes over
    /// when one fails or falls behind.
    #[arg(
        long,
        visible_alias = "ethereum-rpc",
        env = "GEAR_EXE_RELAYER_ETHEREUM",
        hide_env_values = true,
        required = true,
        value_delimiter = ','
    )]
    ethereum: Vec<String>,
    /// Address of the Router.
    #[arg(long, value_parser = address)]
    router: H160,
    /// File with the secret key (hex) of the account that pays. Without it the key is read from the environment
    /// variable GEAR_EXE_RELAYER_KEY.
    #[arg(long)]
    key_file: Option<PathBuf>,
    /// Folder of the log of what was sent.
    #[arg(long)]
    data: PathBuf,
    /// Never offer more than this per gas.
    #[arg(long, value_parser = gwei)]
    max_fee_gwei: u128,
    /// Replace a transaction by one that offers more after this many Ethereum blocks.
    #[arg(long, default_value_t = Policy::default().bump_blocks, value_parser = clap::value_parser!(u64).range(1..))]
    bump_blocks: u64,
    /// Ethereum blocks to leave to other relayers before sending: 0 for the first, 1 for the second…
    #[arg(long, default_value_t = 0)]
    priority: u64,
    /// Warn when the account holds less ETH than this.
    #[arg(long, default_value = "0.05", value_parser = eth)]
    low_balance_eth: u128,
    /// Warn when a ready batch has not fitted what the Router holds for this many Ethereum blocks.
    #[arg(long, default_value_t = Policy::default().unfit_blocks, value_parser = clap::value_parser!(u64).range(1..))]
    unfit_blocks: u64,
    /// Warn when a batch waits longer than this many seconds.
    #[arg(long, default_value_t = 1_800)]
    max_age_seconds: u64,
    /// Look at both chains every so many milliseconds.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(50..))]
    poll_ms: u64,
    /// How many seconds a node may take to answer.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..))]
    timeout_seconds: u64,
    /// Serve /metrics, /healthz and /readyz on this port.
    #[arg(long)]
    prometheus_port: Option<u16>,
    /// Address to serve them on.
    #[arg(long, default_value = "127.0.0.1")]
    prometheus_address: IpAddr,
}

fn address(text: &str) -> Result<H160, String> {
    let hex = text.strip_prefix("0x").unwrap_or(text);
    let mut bytes = [0; 20];
    hex::decode_to_slice(hex, &mut bytes)
        .map_err(|_| "an address is 0x and 40 hex digits".to_owned())?;
    Ok(H160(bytes))
}

/// A decimal number with up to `decimals` digits behind the point, in units of the last of them.
fn decimal(text: &str, decimals: usize) -> Option<u128> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(part) || part.len() > decimals {
        return None;
    }
    format!("{whole}{part:0<decimals$}").parse().ok()
}

fn gwei(text: &str) -> Result<u128, String> {
    decimal(text, 9)
        .filter(|fee| *fee > 0)
        .ok_or_else(|| "gwei are a positive decimal number, for example 50 or 1.5".to_owned())
}

fn eth(text: &str) -> Result<u128, String> {
    decimal(text, 18).ok_or_else(|| "ETH are a decimal number, for example 0.05".to_owned())
}

fn wallet(file: Option<&PathBuf>) -> Result<Wallet, String> {
    match (file, std::env::var(KEY_VARIABLE)) {
        (Some(file), _) => Wallet::from_file(file).map_err(|error: KeyError| error.to_string()),
        (None, Ok(hex)) => {
            Wallet::from_hex(&hex).map_err(|error| format!("{KEY_VARIABLE}: {error}"))
        }
        (None, Err(_)) => Err(format!(
            "no key: give --key-file <file with the secret key in hex>, or set {KEY_VARIABLE}"
        )),
    }
}

impl Run {
    fn config(self) -> Result<RelayerConfig, String> {
        let wallet = wallet(self.key_file.as_ref())?;
        let policy = Policy {
            max_fee: self.max_fee_gwei,
            bump_blocks: self.bump_blocks,
            stagger_blocks: self.priority,
            unfit_blocks: self.unfit_blocks,
            low_balance: self.low_balance_eth,
            ..Policy::default()
        };
        Ok(RelayerConfig {
            policy,
            poll: Duration::from_millis(self.poll_ms),
            timeout: Duration::from_secs(self.timeout_seconds),
            max_age: Duration::from_secs(self.max_age_seconds),
            prometheus: self
                .prometheus_port
                .map(|port| (self.prometheus_address, port).into()),
            ethereum: self.ethereum,
            ..RelayerConfig::new(self.node, "", self.router, wallet, self.data)
        })
    }
}

async fn run(arguments: Run) -> Result<(), String> {
    let mut terminate = signal(SignalKind::terminate()).map_err(|error| error.to_string())?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(|error| error.to_string())?;
    let mut relayer = Relayer::start(arguments.config()?)
        .await
        .map_err(|error| error.to_string())?;
    if let Some(endpoint) = relayer.endpoint() {
        tracing::info!(%endpoint, "serving /metrics, /healthz and /readyz");
    }
    let result = tokio::select! {
        result = relayer.ended() => result,
        _ = terminate.recv() => relayer.stop().await,
        _ = interrupt.recv() => relayer.stop().await,
    };
    result.map_err(|error| error.to_string())
}

#[tokio::main]
async fn main() -> ExitCode {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();
    let Command::Run(arguments) = Cli::parse().command;
    match run(arguments).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error}");
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_read_and_refuse() {
        assert_eq!(gwei("1.5"), Ok(1_500_000_000));
        assert_eq!(gwei("50"), Ok(50_000_000_000));
        assert_eq!(eth("0.05"), Ok(50_000_000_000_000_000));
        for wrong in ["", "-1", "1e9", ".", "1.0000000001", "0"] {
            assert!(gwei(wrong).is_err(), "{wrong}");
        }
        assert_eq!(
            address("0x0101010101010101010101010101010101010101"),
            Ok(H160::repeat_byte(1))
        );
        assert!(address("0x01").is_err());
        <Cli as clap::CommandFactory>::command().debug_assert();
    }
}
