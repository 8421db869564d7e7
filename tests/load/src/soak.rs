//! A long run: whether anything of a node grows without bound under steady load.
//!
//! Every node is looked at every few seconds ([`Sampler`]), and judged afterwards ([`judge`]) by what it needed in the second quarter
//! of the run, when caches are filled, and in the last one:
//!
//! * **memory** must be level: the last quarter's median is at most a quarter and 64 MiB above the second one's;
//! * **disk** grows with the chain, whose blocks are kept; it must not grow faster and faster: the slope of the last third is at most
//!   one and a half times that of the middle one, and 1 MiB a minute more;
//! * **lag**, of finality and of execution behind the best block, must be level: the last quarter's worst is at most twice the second
//!   one's, and eight blocks more;
//! * **errors** in the log and raised alarms: at the end there must be no alarm, and no line of level `ERROR`;
//! * **threads** and **open files** must be level: at most a quarter and 32 more.

use crate::target::Target;
use anyhow::{Context, Result};
use gear_exe_client::Client;
use gear_exe_tests::machine::Use;
use jsonrpsee::rpc_params;
use serde_json::Value;
use std::{
    fmt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};
use tokio::task::JoinHandle;

/// Pause between two looks.
const PAUSE: Duration = Duration::from_secs(5);
const MIB: f64 = 1_048_576.0;

/// A node at a time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// Seconds since the run began.
    pub at: f64,
    /// Resident memory, in bytes.
    pub memory: u64,
    /// What its folder takes, in bytes.
    pub disk: u64,
    /// Threads.
    pub threads: u64,
    /// Open files and connections.
    pub files: u64,
    /// Blocks from the last final one to the best one.
    pub finality_lag: u64,
    /// Blocks from the last executed one to the best one.
    pub execution_lag: u64,
    /// Lines of level `ERROR` and `WARN` in its log.
    pub complaints: (u64, u64),
}

/// What belongs to a node.
#[derive(Clone, Debug)]
struct Watched {
    name: String,
    pid: u32,
    folder: PathBuf,
    log: PathBuf,
    client: Client,
}

/// All that was seen of a node.
#[derive(Clone, Debug)]
pub struct Course {
    /// Its name.
    pub name: String,
    /// In the order of time.
    pub samples: Vec<Sample>,
    /// Alarms that were raised at the end.
    pub alarms: Vec<String>,
}

/// Bytes of all files in a folder. What goes away meanwhile does not count.
fn bytes_in(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let sizes = entries.map(|entry| match entry.metadata() {
        Ok(data) if data.is_dir() => bytes_in(&entry.path()),
        Ok(data) => data.len(),
        Err(_) => 0,
    });
    sizes.sum()
}

/// Lines of a log by level: errors and warnings.
fn complaints(log: &str) -> (u64, u64) {
    let count = |level: &str| log.lines().filter(|line| line.contains(level)).count() as u64;
    (count(" ERROR "), count(" WARN "))
}

/// What a node says of the network.
async fn network(client: &Client) -> Result<Value> {
    Ok(client.ask("gear_network", rpc_params![1]).await?)
}

async fn look(node: &Watched, began: Instant) -> Result<Sample> {
    let used = Use::of(node.pid)?;
    let network = network(&node.client).await?;
    let number = |block: &str| network[block]["number"].as_u64();
    let best = number("best").context("no best block")?;
    let behind = |block: &str| best.saturating_sub(number(block).unwrap_or(0));
    Ok(Sample {
        at: began.elapsed().as_secs_f64(),
        memory: used.memory,
        disk: bytes_in(&node.folder),
        threads: used.threads,
        files: used.files,
        finality_lag: behind("finalized"),
        execution_lag: behind("executed"),
        complaints: complaints(&std::fs::read_to_string(&node.log).unwrap_or_default()),
    })
}

/// Looks at all nodes of a network until it is asked for what it has seen.
#[derive(Debug)]
pub struct Sampler {
    nodes: Vec<Watched>,
    seen: Arc<Mutex<Vec<Vec<Sample>>>>,
    task: JoinHandle<Result<()>>,
}

impl Sampler {
    /// Begins with the nodes of a network of this process.
    ///
    /// # Errors
    ///
    /// If the network is not this process's.
    pub fn start(target: &Target) -> Result<Self> {
        let network = target
            .network
            .as_ref()
            .context("a soak has a network of its own")?;
        let mut nodes = Vec::new();
        for (node, client) in network.nodes.iter().zip(&target.nodes) {
            nodes.push(Watched {
                name: node.name().to_owned(),
                pid: node.pid()?,
                folder: network.folder_of(node),
                log: node.log_file().to_owned(),
                client: client.clone(),
            });
        }
        let seen = Arc::new(Mutex::new(vec![Vec::new(); nodes.len()]));
        let (watched, shared) = (nodes.clone(), seen.clone());
        let task = tokio::spawn(async move {
            let began = Instant::now();
            loop {
                for (place, node) in watched.iter().enumerate() {
                    let sample = look(node, began).await?;
                    let mut seen = shared.lock().unwrap_or_else(PoisonError::into_inner);
                    if let Some(seen) = seen.get_mut(place) {
                        seen.push(sample);
                    }
                }
                tokio::time::sleep(PAUSE).await;
            }
        });
        Ok(Self { nodes, seen, task })
    }

    /// Ends, and says what was seen.
    ///
    /// # Errors
    ///
    /// If a node has ended, or did not answer.
    pub async fn stop(self) -> Result<Vec<Course>> {
        if self.task.is_finished() {
            self.task.await?.context("a node could not be looked at")?;
            anyhow::bail!("nobody has looked at the nodes to the end");
        }
        self.task.abort();
        let seen = std::mem::take(&mut *self.seen.lock().unwrap_or_else(PoisonError::into_inner));
        let mut courses = Vec::new();
        for (node, samples) in self.nodes.into_iter().zip(seen) {
            let network = network(&node.client).await?;
            let alarms = network["alarms"].as_array().into_iter().flatten();
            courses.push(Course {
                name: node.name,
                samples,
                alarms: alarms.map(ToString::to_string).collect(),
            });
        }
        Ok(courses)
    }
}

/// The middle of some numbers.
fn median(mut numbers: Vec<u64>) -> u64 {
    numbers.sort_unstable();
    numbers.get(numbers.len() / 2).copied().unwrap_or(0)
}

/// By how much something grows in a minute, between the first and the last of these samples.
fn slope(samples: &[Sample], of: impl Fn(&Sample) -> u64) -> f64 {
    match (samples.first(), samples.last()) {
        (Some(first), Some(last)) if last.at > first.at => {
            (of(last) as f64 - of(first) as f64) * 60.0 / (last.at - first.at)
        }
        _ => 0.0,
    }
}

impl Course {
    fn part(&self, from: usize, to: usize, of: usize) -> &[Sample] {
        let length = self.samples.len();
        self.samples
            .get(from * length / of..to * length / of)
            .unwrap_or_default()
    }

    /// What grows without bound, as far as this run can tell.
    pub fn complaints(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        let (early, late) = (self.part(1, 2, 4), self.part(3, 4, 4));
        if early.len() < 2 || late.len() < 2 {
            return vec![format!("{}: the run was too short to tell", self.name)];
        }
        let mut level = |what: &str, of: fn(&Sample) -> u64, slack: u64| {
            let middle = |part: &[Sample]| median(part.iter().map(of).collect());
            let (before, after) = (middle(early), middle(late));
            if after > before + before / 4 + slack {
                wrong.push(format!(
                    "{}: {what} grows, from {before} to {after}",
                    self.name
                ));
            }
        };
        level("memory", |sample| sample.memory, 64 << 20);
        level("the number of threads", |sample| sample.threads, 32);
        level("the number of open files", |sample| sample.files, 32);
        let worst =
            |part: &[Sample], of: fn(&Sample) -> u64| part.iter().map(of).max().unwrap_or(0);
        let lags: [(&str, fn(&Sample) -> u64); 2] = [
            ("finality", |sample| sample.finality_lag),
            ("execution", |sample| sample.execution_lag),
        ];
        for (what, of) in lags {
            let (before, after) = (worst(early, of), worst(late, of));
            if after > 2 * before + 8 {
                wrong.push(format!(
                    "{}: {what} falls behind, from {before} to {after} blocks",
                    self.name
                ));
            }
        }
        let (middle, last) = (self.part(1, 2, 3), self.part(2, 3, 3));
        let (before, after) = (slope(middle, |one| one.disk), slope(last, |one| one.disk));
        if after > 1.5 * before + MIB {
            wrong.push(format!(
                "{}: the disk fills faster and faster, from {:.1} to {:.1} MiB a minute",
                self.name,
                before / MIB,
                after / MIB
            ));
        }
        let errors = late.last().map_or(0, |sample| sample.complaints.0);
        if errors > 0 {
            wrong.push(format!("{}: {errors} errors in the log", self.name));
        }
        for alarm in &self.alarms {
            wrong.push(format!("{}: {alarm}", self.name));
        }
        wrong
    }
}

/// What grows without bound on any node.
pub fn judge(courses: &[Course]) -> Vec<String> {
    courses.iter().flat_map(Course::complaints).collect()
}

/// A table of the first and the last samples.
#[derive(Debug)]
pub struct Table<'a>(pub &'a [Course]);

impl fmt::Display for Table<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "| node | second | memory, MiB | disk, MiB | threads | files | finality, blocks behind | execution | errors | warnings |\n\
             |---|---|---|---|---|---|---|---|---|---|"
        )?;
        for course in self.0 {
            for one in [course.samples.first(), course.samples.last()]
                .into_iter()
                .flatten()
            {
                writeln!(
                    f,
                    "| {} | {:.0} | {:.0} | {:.1} | {} | {} | {} | {} | {} | {} |",
                    course.name,
                    one.at,
                    one.memory as f64 / MIB,
                    one.disk as f64 / MIB,
                    one.threads,
                    one.files,
                    one.finality_lag,
                    one.execution_lag,
                    one.complaints.0,
                    one.complaints.1,
                )?;
            }
            let disk = slope(course.part(1, 4, 4), |one| one.disk) / MIB;
            writeln!(f, "| | | | {disk:+.1} a minute | | | | | | |")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn course(of: impl Fn(u64) -> Sample) -> Course {
        Course {
            name: "Alice".into(),
            samples: (0..120).map(of).collect(),
            alarms: Vec::new(),
        }
    }

    fn sample(second: u64) -> Sample {
        Sample {
            at: second as f64 * 5.0,
            memory: (300 << 20) + (second % 7) * (10 << 20),
            disk: (50 << 20) + second * (1 << 18),
            threads: 40 + second % 3,
            files: 200 + second % 9,
            finality_lag: 2 + second % 4,
            execution_lag: second % 2,
            complaints: (0, second / 50),
        }
    }

    #[test]
    fn what_is_level_is_good_and_what_grows_is_named() {
        assert_eq!(judge(&[course(sample)]), Vec::<String>::new());
        let growing: [(&str, fn(u64) -> Sample); 6] = [
            ("memory grows", |second| Sample {
                memory: (300 + 4 * second) << 20,
                ..sample(second)
            }),
            ("fills faster", |second| Sample {
                disk: second * second << 14,
                ..sample(second)
            }),
            ("finality falls behind", |second| Sample {
                finality_lag: second,
                ..sample(second)
            }),
            ("execution falls behind", |second| Sample {
                execution_lag: second,
                ..sample(second)
            }),
            ("open files grows", |second| Sample {
                files: 200 + 5 * second,
                ..sample(second)
            }),
            ("errors in the log", |second| Sample {
                complaints: (second / 60, 0),
                ..sample(second)
            }),
        ];
        for (what, of) in growing {
            let said = judge(&[course(of)]);
            assert!(
                said.len() == 1 && said[0].contains(what),
                "{what}: {said:?}"
            );
        }
        let short = Course {
            samples: vec![sample(0)],
            ..course(sample)
        };
        assert!(judge(&[short])[0].contains("too short"));
        let alarm = Course {
            alarms: vec!["ethereum_faulty".into()],
            ..course(sample)
        };
        assert_eq!(judge(&[alarm]), ["Alice: ethereum_faulty"]);
    }

    #[test]
    fn a_log_is_counted_by_level() {
        let log = "2026-01-01 00:00:00 a\n2026-01-01 00:00:00  WARN b: c\n2026-01-01 00:00:00 ERROR b: d\n";
        assert_eq!(complaints(log), (1, 1));
    }
}
