// SPDX-License-Identifier: GPL-3.0-or-later

//! What the figures were measured on: without it they mean nothing.

use serde::Serialize;
use std::{fs, thread};

/// The machine, how busy it was, and what was measured.
#[derive(Clone, Debug, Serialize)]
pub struct Machine {
    /// Processor, as it names itself.
    pub processor: String,
    /// Processors that this process may use.
    pub processors: usize,
    /// Memory in MiB.
    pub memory_mib: u64,
    /// Kernel.
    pub kernel: String,
    /// Load averages of 1, 5 and 15 minutes when the run began. Beyond what the run itself adds, they are others' work.
    pub load_before: String,
    /// The same when it ended.
    pub load_after: String,
    /// Versions of what is compared.
    pub versions: Vec<(String, String)>,
}

fn field(file: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

fn load() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').take(3).collect::<Vec<_>>().join(" ")
}

/// Version of a package in this workspace's lock file; of several, the one that is a direct dependency is named.
fn locked(package: &str, prefix: &str) -> String {
    include_str!("../Cargo.lock")
        .split("[[package]]")
        .filter(|entry| entry.contains(&format!("\nname = \"{package}\"\n")))
        .filter_map(|entry| {
            let line = entry.lines().find(|line| line.starts_with("version"))?;
            Some(line.split('"').nth(1)?.to_owned())
        })
        .find(|version| version.starts_with(prefix))
        .unwrap_or_else(|| "unknown".into())
}

impl Machine {
    /// Looks around, at the beginning of a run.
    pub fn look() -> Self {
        let memory = field("/proc/meminfo", "MemTotal").unwrap_or_default();
        let kibibytes: u64 = memory.trim_end_matches(" kB").parse().unwrap_or_default();
        let solc = crate::evm::compiler().unwrap_or_else(|_| "unknown".into());
        let versions = [
            (
                "gear-exe-executor",
                format!("behaviour {}", gear_exe_executor::EXECUTOR_VERSION),
            ),
            ("gtest (the existing engine)", locked("gtest", "")),
            ("revm", locked("revm", "43.")),
            ("solc", solc),
            ("wasmtime", locked("wasmtime", "36.")),
        ];
        Self {
            processor: field("/proc/cpuinfo", "model name").unwrap_or_else(|| "unknown".into()),
            processors: thread::available_parallelism().map_or(1, usize::from),
            memory_mib: kibibytes / 1024,
            kernel: fs::read_to_string("/proc/sys/kernel/osrelease")
                .unwrap_or_default()
                .trim()
                .into(),
            load_before: load(),
            load_after: String::new(),
            versions: versions
                .map(|(name, version)| (name.into(), version))
                .into(),
        }
    }

    /// Looks again, at the end.
    pub fn done(mut self) -> Self {
        self.load_after = load();
        self
    }

    /// As lines.
    pub fn lines(&self) -> Vec<String> {
        let versions = self.versions.iter();
        let versions: Vec<_> = versions
            .map(|(name, version)| format!("{name} {version}"))
            .collect();
        vec![
            format!(
                "machine: {}, {} processors, {} MiB, Linux {}",
                self.processor, self.processors, self.memory_mib, self.kernel
            ),
            format!(
                "load average before: {}; after: {}",
                self.load_before, self.load_after
            ),
            format!("versions: {}", versions.join(", ")),
        ]
    }
}
