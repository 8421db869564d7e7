//! The command line: `run` for whoever runs a node, `tx`, `query` and `key` for whoever writes a dApp.
//!
//! Answers go to standard output, as a table or with `--json` as one JSON object; what is waited for and what went wrong
//! goes to standard error. The exit code is 0 exactly if what was asked for has happened.

mod abi;
mod amount;
mod connect;
mod deposit;
mod error;
mod key;
pub mod keys;
mod keystore;
mod mailbox;
mod native;
mod output;
mod progress;
mod query;
mod rpc;
mod run;
mod spec;
mod tx;

pub use error::{CliError, Next};
pub use progress::Progress;
pub use run::{RunArgs, run_node};

use clap::{Parser, Subcommand};
use output::Format;
use std::process::ExitCode;

/// Gear.exe: Gear programs for Ethereum.
#[derive(Debug, Parser)]
#[command(name = "gear-exe", version, propagate_version = true)]
struct Cli {
    /// Print one JSON object instead of a table.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a node. With --dev a whole network: Anvil, contracts, one validator, a relayer.
    Run(Box<RunArgs>),
    /// Send transactions to Ethereum: upload codes, create programs, talk to them.
    Tx(Box<tx::TxArgs>),
    /// Ask a node or the contracts.
    Query(query::QueryArgs),
    /// Keep Ethereum keys.
    Key(key::KeyArgs),
    /// Write a chain specification.
    #[command(alias = "export-chain-spec")]
    BuildSpec(spec::SpecArgs),
}

/// Parses the arguments, does what they say, and tells how it went.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let format = if cli.json {
        Format::Json
    } else {
        Format::Human
    };
    let result = match cli.command {
        Command::Run(args) => run::run(*args),
        Command::Tx(args) => wait_for(tx::run(*args, format)),
        Command::Query(args) => wait_for(query::run(args, format)),
        Command::Key(args) => key::run(args, format),
        Command::BuildSpec(args) => wait_for(spec::run(args)),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            output::print_failure(&error, format);
            ExitCode::FAILURE
        }
    }
}

/// Runs a command that waits for others. Ctrl-C ends it: nothing that it waits for is undone by that.
fn wait_for(command: impl Future<Output = Result<(), CliError>>) -> Result<(), CliError> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .next("threads could not be started", "free some memory")?
        .block_on(async {
            tokio::select! {
                result = command => result,
                _ = tokio::signal::ctrl_c() => Err(CliError::new(
                    "interrupted",
                    "what was sent already stays sent; ask for it with `gear-exe query`",
                )),
            }
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn arguments_are_consistent() {
        Cli::command().debug_assert();
    }
}
