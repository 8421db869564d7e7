//! Runs the benchmarks of our pallets, and writes what they measure into the pallets' `weights.rs`.
//!
//! `scripts/weights` builds the runtime with its benchmarks and starts this. The benchmarks run where the chain's blocks run: in
//! the same WASM executor, on a state of the genesis `development`; each database access is counted once, time is measured apart
//! from that, and the database's own time comes from the runtime's constants.

mod chain;
mod measure;
mod write;

use anyhow::{Context, Result, bail, ensure};
use chain::Chain;
use std::path::PathBuf;

/// What is measured, and how often.
#[derive(Clone, Copy, Debug)]
struct Effort {
    /// Values of each component.
    steps: u32,
    /// Runs of each value.
    repeats: u32,
}

/// What the command line says.
struct Arguments {
    runtime: PathBuf,
    pallets: PathBuf,
    header: write::Header,
    effort: Effort,
    only: Vec<String>,
}

impl Arguments {
    /// `--runtime WASM --pallets FOLDER --date DATE --machine TEXT [--steps N] [--repeats N] [PALLET…]`
    fn parse(mut words: impl Iterator<Item = String>) -> Result<Self> {
        let mut arguments = Self {
            runtime: PathBuf::new(),
            pallets: PathBuf::new(),
            header: write::Header::default(),
            effort: Effort {
                steps: 20,
                repeats: 20,
            },
            only: Vec::new(),
        };
        while let Some(word) = words.next() {
            let mut value = || {
                words
                    .next()
                    .with_context(|| format!("{word} needs a value"))
            };
            match word.as_str() {
                "--runtime" => arguments.runtime = value()?.into(),
                "--pallets" => arguments.pallets = value()?.into(),
                "--date" => arguments.header.date = value()?,
                "--machine" => arguments.header.machine = value()?,
                "--steps" => arguments.effort.steps = value()?.parse()?,
                "--repeats" => arguments.effort.repeats = value()?.parse()?,
                option if option.starts_with('-') => bail!("unknown option {option}"),
                _ => arguments.only.push(word),
            }
        }
        ensure!(
            arguments.effort.steps >= 2 && arguments.effort.repeats >= 1,
            "a line needs two points: --steps is 2 at least, --repeats 1"
        );
        Ok(arguments)
    }
}

fn main() -> Result<()> {
    let arguments = Arguments::parse(std::env::args().skip(1))?;
    let chain = Chain::new(&arguments.runtime)?;
    let mut pallets = chain.benchmarks()?;
    for name in &arguments.only {
        ensure!(
            pallets.iter().any(|pallet| pallet.name() == *name),
            "the runtime has no benchmarks of {name}"
        );
    }
    if !arguments.only.is_empty() {
        pallets.retain(|pallet| arguments.only.contains(&pallet.name()));
    }
    for pallet in pallets {
        let costs = measure::pallet(&chain, &pallet, arguments.effort)?;
        let file = arguments
            .pallets
            .join(pallet.folder())
            .join("src/weights.rs");
        write::file(&file, &arguments.header, arguments.effort, &costs)?;
        println!("{} is written", file.display());
    }
    Ok(())
}
