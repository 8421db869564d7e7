//! What a pallet's benchmarks cost: a base, and a price for each unit of a component.

use crate::{
    Effort,
    chain::{Chain, PalletBenchmarks, Selected, text},
};
use anyhow::{Context, Result};
use polkadot_sdk::frame_benchmarking::{
    Analysis, BenchmarkBatch, BenchmarkMetadata, BenchmarkParameter, BenchmarkResult,
    BenchmarkSelector,
};

/// A number that grows with components.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Line {
    /// Without any.
    pub base: u64,
    /// For each unit of a component, in their order.
    pub slopes: Vec<u64>,
}

/// What a call costs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cost {
    /// Its name.
    pub name: String,
    /// Its components, with the values that were measured.
    pub components: Vec<(String, u32, u32)>,
    /// Picoseconds, without the database.
    pub time: Line,
    /// Database reads.
    pub reads: Line,
    /// Database writes.
    pub writes: Line,
    /// Bytes of a proof of what was read.
    pub proof: Line,
}

/// Measures all benchmarks of a pallet.
pub fn pallet(chain: &Chain, pallet: &PalletBenchmarks, effort: Effort) -> Result<Vec<Cost>> {
    pallet
        .0
        .benchmarks
        .iter()
        .map(|benchmark| {
            let cost = benchmark_cost(chain, pallet, benchmark, effort)
                .with_context(|| format!("{}::{}", pallet.name(), text(&benchmark.name)))?;
            println!(
                "{}::{}: {} µs, {} reads, {} writes, and for each unit {:?} ps",
                pallet.name(),
                cost.name,
                cost.time.base / 1_000_000,
                cost.reads.base,
                cost.writes.base,
                cost.time.slopes,
            );
            Ok(cost)
        })
        .collect()
}

/// The values to measure: each component from its least to its greatest, with the others at their greatest.
fn points(benchmark: &BenchmarkMetadata, steps: u32) -> Vec<Vec<(BenchmarkParameter, u32)>> {
    if benchmark.components.is_empty() {
        return vec![Vec::new()];
    }
    let mut points = Vec::new();
    for (varied, low, high) in &benchmark.components {
        let mut last = None;
        for step in 0..steps {
            let span = u64::from(high.saturating_sub(*low));
            let value = low + (span * u64::from(step) / u64::from(steps - 1)) as u32;
            // A component with few values has fewer points.
            if last.replace(value) == Some(value) {
                continue;
            }
            let point = benchmark.components.iter().map(|(name, _, high)| {
                let value = if name == varied { value } else { *high };
                (*name, value)
            });
            points.push(point.collect());
        }
    }
    points
}

fn benchmark_cost(
    chain: &Chain,
    pallet: &PalletBenchmarks,
    benchmark: &BenchmarkMetadata,
    effort: Effort,
) -> Result<Cost> {
    let mut counted = Vec::new();
    let mut timed = Vec::new();
    for components in points(benchmark, effort.steps) {
        let selected = Selected {
            pallet: &pallet.0.pallet,
            instance: &pallet.0.instance,
            name: &benchmark.name,
            components: &components,
        };
        chain.verify(&selected)?;
        counted.extend(results(chain.count(&selected)?));
        timed.extend(fastest(results(chain.time(&selected, effort.repeats)?)));
    }
    let count = |selector, of: fn(&BenchmarkResult) -> u32| -> Result<Line> {
        let line = line(&counted, selector)?;
        Ok(above(line, &counted, of))
    };
    Ok(Cost {
        name: text(&benchmark.name),
        components: benchmark
            .components
            .iter()
            .map(|(name, low, high)| (name.to_string(), *low, *high))
            .collect(),
        time: line(&timed, BenchmarkSelector::ExtrinsicTime)?,
        reads: count(BenchmarkSelector::Reads, |result| result.reads)?,
        writes: count(BenchmarkSelector::Writes, |result| result.writes)?,
        proof: count(BenchmarkSelector::ProofSize, |result| result.proof_size)?,
    })
}

fn results(batches: Vec<BenchmarkBatch>) -> Vec<BenchmarkResult> {
    batches
        .into_iter()
        .flat_map(|batch| batch.results)
        .collect()
}

/// The fastest quarter of the runs of a point: what slowed the others was something else on this machine.
fn fastest(mut runs: Vec<BenchmarkResult>) -> Vec<BenchmarkResult> {
    runs.sort_by_key(|run| run.extrinsic_time);
    runs.truncate(runs.len().div_ceil(4));
    runs
}

/// The line through what was measured: least squares, outliers of each point left out.
fn line(results: &Vec<BenchmarkResult>, selector: BenchmarkSelector) -> Result<Line> {
    let analysis = Analysis::min_squares_iqr(results, selector)?;
    let number = |value: u128| u64::try_from(value).context("too much time");
    Ok(Line {
        base: number(analysis.base)?,
        slopes: analysis
            .slopes
            .into_iter()
            .map(number)
            .collect::<Result<_>>()?,
    })
}

/// The line moved up so far that nothing that was counted is above it: slopes are rounded.
fn above(mut line: Line, results: &[BenchmarkResult], of: fn(&BenchmarkResult) -> u32) -> Line {
    for result in results {
        let slopes = line.slopes.iter().zip(&result.components);
        let growth: u64 = slopes
            .map(|(slope, (_, value))| slope.saturating_mul((*value).into()))
            .sum();
        line.base = line.base.max(u64::from(of(result)).saturating_sub(growth));
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn result(value: u32, reads: u32) -> BenchmarkResult {
        BenchmarkResult {
            components: vec![(BenchmarkParameter::n, value)],
            reads,
            ..Default::default()
        }
    }

    #[test]
    fn counts_are_never_below_what_was_counted() {
        // A read for every third unit: the slope rounds to none.
        let results: Vec<_> = (0..10).map(|value| result(value, 4 + value / 3)).collect();
        let line = line(&results, BenchmarkSelector::Reads).unwrap();
        assert_eq!(line.slopes, [0]);
        assert_eq!(above(line, &results, |result| result.reads).base, 7);
    }

    #[test]
    fn what_was_disturbed_does_not_count() {
        let times = [9, 4, 100, 5, 7, 50, 6, 8].map(|extrinsic_time| BenchmarkResult {
            extrinsic_time,
            ..Default::default()
        });
        let kept: Vec<_> = fastest(times.to_vec())
            .into_iter()
            .map(|run| run.extrinsic_time)
            .collect();
        assert_eq!(kept, [4, 5]);
    }

    #[test]
    fn points_cover_a_component_once() {
        let metadata = BenchmarkMetadata {
            components: vec![(BenchmarkParameter::n, 0, 3)],
            ..Default::default()
        };
        let values: Vec<_> = points(&metadata, 20)
            .into_iter()
            .map(|point| point[0].1)
            .collect();
        assert_eq!(values, [0, 1, 2, 3]);
        assert_eq!(points(&BenchmarkMetadata::default(), 20), [vec![]]);
    }
}
