//! `gear-exe-load`: the load generator's command line. It ends with 1 if a message was lost or executed twice, or if nodes
//! disagree, and with 2 if it could not run.

use alloy::signers::local::PrivateKeySigner;
use anyhow::{Context, Result, ensure};
use clap::Parser;
use gear_exe_load::{
    plan::{Mix, Plan},
    plot,
    run::run,
    target::{Running, Target},
};
use std::{path::PathBuf, process::ExitCode, time::Duration};

/// Sends messages at a given rate and says how long each level of confirmation took, what was lost, and what limits.
#[derive(Debug, Parser)]
#[command(name = "gear-exe-load", version)]
struct Options {
    /// Users that sign.
    #[arg(long, default_value_t = 100)]
    senders: usize,
    /// Messages a second, of all senders together.
    #[arg(long, default_value_t = 100.0)]
    rate: f64,
    /// Seconds for which messages are sent.
    #[arg(long, default_value_t = 30)]
    duration: u64,
    /// Kinds with their weights, of ping, counter, token, cpu.
    #[arg(long, default_value = "ping=6,token=3,cpu=1")]
    mix: Mix,
    /// Programs of each kind.
    #[arg(long, default_value_t = 4)]
    programs: usize,
    /// Of a hundred messages, so many go through Ethereum.
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u8).range(..=100))]
    ethereum_percent: u8,
    /// Milliseconds for which everything between two nodes is under way. Only with nodes of its own.
    #[arg(long, default_value_t = 0, conflicts_with = "node")]
    delay: u64,
    /// What is random follows from this.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Threads that sign.
    #[arg(long, default_value_t = 1)]
    threads: usize,
    /// Seconds that what was accepted may take until it is final, after the last was sent.
    #[arg(long, default_value_t = 60)]
    patience: u64,
    /// wVARA with which each program starts.
    #[arg(long, default_value_t = 50_000)]
    wvara: u128,
    /// A node that runs already (ws://…), as often as there are some; without it four validators are started.
    #[arg(
        long,
        value_name = "URL",
        requires = "ethereum_rpc",
        requires = "key_file"
    )]
    node: Vec<String>,
    /// An Ethereum node, for nodes that run already.
    #[arg(long, value_name = "URL", requires = "node")]
    ethereum_rpc: Option<String>,
    /// A file with a secret key in hex that has ETH and wVARA, for nodes that run already.
    #[arg(long, value_name = "FILE", requires = "node")]
    key_file: Option<PathBuf>,
    /// Where a node that runs already serves its metrics, as often as there are some.
    #[arg(long, value_name = "URL", requires = "node")]
    metrics: Vec<String>,
    /// Process id of a node that runs already, on this machine, as often as there are some.
    #[arg(long, requires = "node")]
    pid: Vec<u32>,
    /// Write a plot here, as SVG.
    #[arg(long, value_name = "FILE")]
    plot: Option<PathBuf>,
}

impl Options {
    fn plan(&self) -> Result<Plan> {
        ensure!(
            self.rate.is_finite() && self.rate > 0.0,
            "--rate must be above 0"
        );
        ensure!(self.senders > 0, "--senders must be above 0");
        ensure!(self.programs > 0, "--programs must be above 0");
        Ok(Plan {
            senders: self.senders,
            rate: self.rate,
            duration: Duration::from_secs(self.duration),
            mix: self.mix.clone(),
            programs: self.programs,
            ethereum_percent: self.ethereum_percent,
            wvara: self.wvara,
            threads: self.threads,
            patience: Duration::from_secs(self.patience),
            seed: self.seed,
        })
    }

    async fn target(&self, plan: &Plan) -> Result<Target> {
        if self.node.is_empty() {
            return Target::own(plan, Duration::from_millis(self.delay)).await;
        }
        let file = self.key_file.as_ref().context("--key-file says who pays")?;
        let key = std::fs::read_to_string(file)
            .with_context(|| format!("{} cannot be read", file.display()))?;
        let key: PrivateKeySigner = key.trim().parse().context("the file has no secret key")?;
        let running = Running {
            nodes: self.node.clone(),
            ethereum: self
                .ethereum_rpc
                .clone()
                .context("--ethereum-rpc is needed")?,
            key,
            metrics: self.metrics.clone(),
            pids: self.pid.clone(),
        };
        Target::running(plan, &running).await
    }

    async fn load(&self) -> Result<bool> {
        let plan = self.plan()?;
        eprintln!("the network is started, or found");
        let target = self.target(&plan).await?;
        let report = run(&plan, &target, &|now| eprintln!("{now}")).await?;
        println!("{report}");
        if let Some(file) = &self.plot {
            std::fs::write(file, plot::svg(&report))?;
            println!("plot: {}", file.display());
        }
        let good = report.is_good();
        if let Some(network) = target.network
            && good
        {
            network.done();
        }
        Ok(good)
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    match Options::parse().load().await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => {
            eprintln!("messages were lost or executed twice, or nodes disagree: see the table");
            ExitCode::from(1)
        }
        Err(error) => {
            eprintln!("error: {error:?}");
            ExitCode::from(2)
        }
    }
}
