//! Where the time goes: processor time of each node by thread, from `/proc`, and what the nodes say of themselves.

use alloy::transports::http::reqwest;
use anyhow::{Context, Result};
use gear_exe_primitives::{H256, host, signature::CompactSignature};
use gear_exe_tests::machine::{TICKS, processor};
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

/// Signatures that are checked to see what one costs.
const CHECKS: u32 = 200;

/// Processor time of something.
pub type Busy = BTreeMap<String, Duration>;

/// Figures of one moment.
#[derive(Clone, Debug)]
pub struct Snapshot {
    at: Instant,
    /// By process, by group of threads.
    processes: Vec<Busy>,
    own: Duration,
    machine: Duration,
    /// By node, metrics by name with labels.
    metrics: Vec<BTreeMap<String, f64>>,
}

/// `tokio-rt-worker-3` and its like are one group.
fn group(name: &str) -> String {
    name.trim()
        .trim_end_matches(|last: char| last.is_ascii_digit() || matches!(last, '-' | '#' | ' '))
        .to_owned()
}

fn process(pid: u32) -> Result<Busy> {
    let mut busy = Busy::new();
    let whole = std::fs::read_to_string(format!("/proc/{pid}/stat"))
        .with_context(|| format!("process {pid} has ended"))?;
    busy.insert(
        String::new(),
        processor(&whole).context("no processor time")?,
    );
    for task in std::fs::read_dir(format!("/proc/{pid}/task"))? {
        let folder = task?.path();
        // A thread may end at any time.
        let (Ok(name), Ok(stat)) = (
            std::fs::read_to_string(folder.join("comm")),
            std::fs::read_to_string(folder.join("stat")),
        ) else {
            continue;
        };
        if let Some(used) = processor(&stat) {
            *busy.entry(group(&name)).or_default() += used;
        }
    }
    Ok(busy)
}

/// Processor time that all processes of the machine have used.
fn machine() -> Result<Duration> {
    let text = std::fs::read_to_string("/proc/stat")?;
    let line = text.lines().next().context("/proc/stat is empty")?;
    // user, nice, system, then idle and iowait, then irq, softirq, steal.
    let fields = line.split_whitespace().skip(1).take(7).enumerate();
    let used: u64 = fields
        .filter(|(place, _)| !matches!(place, 3 | 4))
        .filter_map(|(_, field)| field.parse::<u64>().ok())
        .sum();
    Ok(Duration::from_millis(used * 1_000 / TICKS))
}

fn parse(text: &str) -> BTreeMap<String, f64> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .filter_map(|line| {
            let (name, value) = line.rsplit_once(' ')?;
            Some((name.to_owned(), value.parse().ok()?))
        })
        .collect()
}

async fn scrape(url: &str) -> Result<BTreeMap<String, f64>> {
    Ok(parse(&reqwest::get(url).await?.text().await?))
}

impl Snapshot {
    /// Of processes and metrics as they are now.
    ///
    /// # Errors
    ///
    /// If a process has ended, or does not serve its metrics.
    pub async fn take(pids: &[u32], metrics: &[String]) -> Result<Self> {
        let mut scraped = Vec::new();
        for url in metrics {
            scraped.push(scrape(url).await?);
        }
        let own = process(std::process::id())?;
        Ok(Self {
            at: Instant::now(),
            processes: pids
                .iter()
                .map(|pid| process(*pid))
                .collect::<Result<_>>()?,
            own: own.get("").copied().unwrap_or_default(),
            machine: machine()?,
            metrics: scraped,
        })
    }
}

/// What was used between two moments.
#[derive(Clone, Debug)]
pub struct Usage {
    /// How long it was.
    pub elapsed: Duration,
    /// Cores of the machine.
    pub cores: usize,
    /// Processor time of all processes of the machine.
    pub machine: Duration,
    /// Processor time of this process.
    pub own: Duration,
    /// Of each node.
    pub nodes: Vec<Duration>,
    /// Of all nodes together, by group of threads, greatest first. What is missing belongs to threads that have ended.
    pub threads: Vec<(String, Duration)>,
    /// What all nodes together say: how long they were at it, and how often.
    pub said: Vec<(String, f64, f64)>,
    /// What checking one signature costs here.
    pub check: Duration,
}

impl Usage {
    /// Between two moments, of the same processes.
    pub fn between(before: &Snapshot, after: &Snapshot) -> Self {
        let used = |before: &Busy, after: &Busy, name: &str| {
            let of = |busy: &Busy| busy.get(name).copied().unwrap_or_default();
            of(after).saturating_sub(of(before))
        };
        let pairs = || before.processes.iter().zip(&after.processes);
        let mut threads: BTreeMap<String, Duration> = BTreeMap::new();
        for (before, after) in pairs() {
            for name in after.keys().filter(|name| !name.is_empty()) {
                *threads.entry(name.clone()).or_default() += used(before, after, name);
            }
        }
        let mut threads: Vec<_> = threads.into_iter().collect();
        threads.sort_by_key(|(_, used)| std::cmp::Reverse(*used));
        Self {
            elapsed: after.at.saturating_duration_since(before.at),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            machine: after.machine.saturating_sub(before.machine),
            own: after.own.saturating_sub(before.own),
            nodes: pairs()
                .map(|(before, after)| used(before, after, ""))
                .collect(),
            threads,
            said: said(before, after),
            check: check(),
        }
    }
}

/// What of the nodes' metrics says how long something took: name, how many of its units are a second, and the label that tells
/// one from another.
const TOLD: [(&str, f64, &str); 5] = [
    ("substrate_tasks_polling_duration", 1.0, "task_name"),
    ("substrate_block_verification_and_import_time", 1.0, ""),
    ("substrate_proposer_block_constructed", 1.0, ""),
    ("substrate_proposer_block_proposal_time", 1.0, ""),
    ("substrate_rpc_calls_time", 1e6, "method"),
];

/// Growth of each of [`TOLD`] with the growth of its count, over all nodes, greatest first.
fn said(before: &Snapshot, after: &Snapshot) -> Vec<(String, f64, f64)> {
    let mut sums: BTreeMap<String, (f64, f64)> = BTreeMap::new();
    for (before, after) in before.metrics.iter().zip(&after.metrics) {
        for (name, value) in after {
            let (plain, labels) = name.split_once('{').unwrap_or((name, ""));
            let told = TOLD
                .iter()
                .find(|(stem, ..)| plain.strip_suffix("_sum") == Some(stem));
            let Some((stem, unit, label)) = told else {
                continue;
            };
            let growth = |name: &str, value: f64| value - before.get(name).copied().unwrap_or(0.0);
            let count = name.replacen("_sum", "_count", 1);
            let counted = after.get(&count).copied().unwrap_or(0.0);
            let label = labels
                .trim_end_matches('}')
                .split(',')
                .find_map(|one| one.split_once('=').filter(|(name, _)| name == label));
            let key = match label {
                Some((_, value)) => format!("{stem} {}", value.trim_matches('"')),
                None => (*stem).to_owned(),
            };
            let sum = sums.entry(key).or_default();
            sum.0 += growth(name, *value) / unit;
            sum.1 += growth(&count, counted);
        }
    }
    let mut said: Vec<_> = sums
        .into_iter()
        .map(|(name, (sum, count))| (name, sum, count))
        .filter(|(_, sum, _)| *sum > 0.0)
        .collect();
    said.sort_by(|left, right| right.1.total_cmp(&left.1));
    said
}

/// Processor time of this thread; time on the wall where the kernel does not say.
fn thread_time(began: Instant) -> Duration {
    std::fs::read_to_string("/proc/thread-self/schedstat")
        .ok()
        .and_then(|text| text.split_whitespace().next()?.parse().ok())
        .map_or_else(|| began.elapsed(), Duration::from_nanos)
}

/// What checking a signature costs on this machine, as the chain does it.
fn check() -> Duration {
    let digest = H256::repeat_byte(7);
    let Ok(signature) = CompactSignature::sign(&[1; 32], digest) else {
        return Duration::ZERO;
    };
    let began = Instant::now();
    let before = thread_time(began);
    let right = (0..CHECKS).filter(|_| host::recover(&signature, digest).is_some());
    let right = u32::try_from(right.count()).unwrap_or(CHECKS);
    thread_time(began).saturating_sub(before) / right.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_of_the_kernel_are_read() {
        assert_eq!(group("tokio-rt-worker-12\n"), "tokio-rt-worker");
        assert_eq!(group("executor#3"), "executor");
        let busy = process(std::process::id()).unwrap();
        assert!(busy.len() > 1);
        assert!(machine().unwrap() > Duration::ZERO);
        assert!(check() > Duration::ZERO);
    }

    #[test]
    fn growth_is_summed_over_nodes() {
        let metrics = |sum: f64| {
            let (imports, polls, calls) = (
                "substrate_block_verification_and_import_time",
                "substrate_tasks_polling_duration",
                "substrate_rpc_calls_time",
            );
            parse(&format!(
                "# HELP x y\n{imports}_sum{{chain=\"a\"}} {sum}\n{imports}_count{{chain=\"a\"}} 7\n\
                 {polls}_sum{{chain=\"a\",task_name=\"b\",kind=\"c\"}} {sum}\n\
                 {calls}_sum{{chain=\"a\",method=\"m\"}} {}\nother_sum 3",
                1e6 * sum
            ))
        };
        let snapshot = |sum| Snapshot {
            at: Instant::now(),
            processes: Vec::new(),
            own: Duration::ZERO,
            machine: Duration::ZERO,
            metrics: vec![metrics(sum), metrics(2.0 * sum)],
        };
        let said = said(&snapshot(1.0), &snapshot(3.0));
        let names: Vec<_> = said.iter().map(|(name, ..)| name.as_str()).collect();
        assert_eq!(
            names,
            [
                "substrate_block_verification_and_import_time",
                "substrate_rpc_calls_time m",
                "substrate_tasks_polling_duration b",
            ]
        );
        assert!(said.iter().all(|(_, sum, _)| *sum == 6.0), "{said:?}");
    }
}
