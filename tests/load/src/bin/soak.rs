//! `gear-exe-soak`: mixed load on four validators for a long time. It prints what each node needed at the beginning and at the end,
//! and ends with 1 if something of that grows without bound, or a message was lost or executed twice; with 2 if it could not run.

use anyhow::Result;
use clap::Parser;
use gear_exe_load::{
    plan::{Mix, Plan},
    run::run,
    soak::{Sampler, Table, judge},
    target::Target,
};
use std::{process::ExitCode, time::Duration};

/// Runs mixed load on four validators, and looks whether memory, disk, lag or errors grow without bound.
#[derive(Debug, Parser)]
#[command(name = "gear-exe-soak", version)]
struct Options {
    /// Minutes for which messages are sent.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..))]
    minutes: u64,
    /// Messages a second.
    #[arg(long, default_value_t = 20.0)]
    rate: f64,
    /// Kinds with their weights, of ping, counter, token, cpu.
    #[arg(long, default_value = "ping=5,counter=1,token=3,cpu=1")]
    mix: Mix,
    /// Of a hundred messages, so many go through Ethereum.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u8).range(..=100))]
    ethereum_percent: u8,
}

async fn soak(options: Options) -> Result<bool> {
    let plan = Plan {
        rate: options.rate,
        duration: Duration::from_secs(options.minutes * 60),
        mix: options.mix,
        ethereum_percent: options.ethereum_percent,
        wvara: 100_000,
        patience: Duration::from_secs(120),
        ..Plan::default()
    };
    eprintln!("the network is started");
    let target = Target::own(&plan, Duration::ZERO).await?;
    let sampler = Sampler::start(&target)?;
    let report = run(&plan, &target, |now| eprintln!("{now}")).await?;
    let courses = sampler.stop().await?;
    println!("{report}\n{}", Table(&courses));
    let wrong = judge(&courses);
    for wrong in &wrong {
        println!("{wrong}");
    }
    let good = report.is_good() && wrong.is_empty();
    if let Some(network) = target.network
        && good
    {
        network.done();
    }
    Ok(good)
}

#[tokio::main]
async fn main() -> ExitCode {
    match soak(Options::parse()).await {
        Ok(true) => {
            println!("nothing grows without bound, nothing was lost");
            ExitCode::SUCCESS
        }
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            eprintln!("error: {error:?}");
            ExitCode::from(2)
        }
    }
}
