//! What a process takes of the machine, from `/proc`: memory and processor time.

use anyhow::{Context, Result};
use std::time::{Duration, Instant};

/// Clock ticks of `/proc` in a second: the kernel's interface has had this number on all Linux platforms for decades.
pub const TICKS: u64 = 100;

/// What a process had taken at a time.
#[derive(Clone, Copy, Debug)]
pub struct Use {
    /// When.
    pub at: Instant,
    /// Resident memory, in bytes.
    pub memory: u64,
    /// Processor time since it began.
    pub processor: Duration,
    /// Threads.
    pub threads: u64,
    /// Open files and connections.
    pub files: u64,
}

/// Processor time of a line of `/proc/…/stat`.
pub fn processor(stat: &str) -> Option<Duration> {
    // Behind the name, which is in brackets and may hold anything, come the third field and so on.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let used: u64 = fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?;
    Some(Duration::from_millis(used * 1_000 / TICKS))
}

/// A number of `/proc/…/status`, in the unit of its line.
fn field(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

impl Use {
    /// Of a process of this machine.
    ///
    /// # Errors
    ///
    /// If it has ended.
    pub fn of(pid: u32) -> Result<Self> {
        let read = |name: &str| {
            std::fs::read_to_string(format!("/proc/{pid}/{name}"))
                .with_context(|| format!("process {pid} has ended"))
        };
        let (stat, status) = (read("stat")?, read("status")?);
        Ok(Self {
            at: Instant::now(),
            memory: field(&status, "VmRSS:").context("no memory")? << 10,
            processor: processor(&stat).context("no processor time")?,
            threads: field(&status, "Threads:").context("no threads")?,
            files: std::fs::read_dir(format!("/proc/{pid}/fd"))?.count() as u64,
        })
    }

    /// Processor time since an earlier look, in thousandths of one processor.
    pub fn processor_per_mille(&self, before: &Self) -> u64 {
        let busy = self.processor.saturating_sub(before.processor).as_millis();
        let passed = self.at.saturating_duration_since(before.at).as_millis();
        u64::try_from(busy.saturating_mul(1_000) / passed.max(1)).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_is_understood() {
        let stat = "42 (a (strange) name) S 1 42 42 0 -1 4194304 5 0 0 0 150 50 0 0 20 0 1 0 9";
        assert_eq!(processor(stat), Some(Duration::from_secs(2)));
        let before = Use::of(std::process::id()).unwrap();
        assert!(before.memory > 1 << 20 && before.threads > 0 && before.files > 0);
        let after = Use {
            at: before.at + Duration::from_secs(2),
            processor: before.processor + Duration::from_millis(500),
            ..before
        };
        assert_eq!(after.processor_per_mille(&before), 250);
    }
}
