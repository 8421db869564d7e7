//! A clock that is wrong for one process: by `libfaketime`, Debian's package `faketime`, which stands between the process and the C
//! library. Time that only passes (`CLOCK_MONOTONIC`) stays as it is.

use anyhow::{Context, Result};
use std::path::PathBuf;

/// The environment in which a process sees a clock that is so many seconds fast, or slow if they are negative.
///
/// # Errors
///
/// If the library is not installed: `scripts/setup` does that.
pub fn off_by(seconds: i64) -> Result<Vec<(String, String)>> {
    let library = std::fs::read_dir("/usr/lib")?
        .filter_map(|entry| Some(entry.ok()?.path().join("faketime/libfaketimeMT.so.1")))
        .chain([PathBuf::from("/usr/lib/faketime/libfaketimeMT.so.1")])
        .find(|path| path.is_file())
        .context("libfaketime is not installed: run scripts/setup")?;
    Ok([
        ("LD_PRELOAD", library.display().to_string()),
        ("FAKETIME", format!("{seconds:+}s")),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1".into()),
        // Files keep their times.
        ("NO_FAKE_STAT", "1".into()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .to_vec())
}
