//! Copies of a node's folder, as an operator makes them: while the node does not run.

use crate::network::Network;
use anyhow::{Context, Result, ensure};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// What keeps a key from signing twice: the one file that is never restored.
const JOURNAL: &str = "signing.redb";
/// What can be computed again from the chain and from Ethereum.
const STORES: [&str; 2] = ["node.redb", "executor.redb"];

/// A copy of a node's folder.
#[derive(Debug)]
pub struct Backup {
    folder: PathBuf,
    // Removed with this.
    copy: tempfile::TempDir,
}

impl Backup {
    /// Copies the folder of a node that does not run.
    ///
    /// # Errors
    ///
    /// If it cannot be copied.
    pub fn of(network: &Network) -> Result<Self> {
        let folder = network.node_folder();
        let copy = tempfile::Builder::new()
            .prefix("gear-exe-backup-")
            .tempdir()?;
        copy_all(&folder, copy.path())?;
        Ok(Self { folder, copy })
    }

    /// Puts all of the folder back but the journal, which stays as it is.
    ///
    /// # Errors
    ///
    /// If something is missing, or cannot be written.
    pub fn restore(&self) -> Result<()> {
        let path = self.place(JOURNAL)?;
        let journal = fs::read(&path).context("the node has no journal")?;
        fs::remove_dir_all(&self.folder)?;
        fs::create_dir(&self.folder)?;
        copy_all(self.copy.path(), &self.folder)?;
        Ok(fs::write(path, journal)?)
    }

    /// Puts back what a node has executed and seen. Its chain and its journal stay as they are.
    ///
    /// # Errors
    ///
    /// If something is missing, or cannot be written.
    pub fn restore_stores(&self) -> Result<()> {
        for name in STORES {
            let path = self.place(name)?;
            let old = self.copy.path().join(path.strip_prefix(&self.folder)?);
            fs::copy(old, path)?;
        }
        Ok(())
    }

    /// Where a store lies in the node's folder.
    fn place(&self, name: &str) -> Result<PathBuf> {
        for chain in fs::read_dir(self.folder.join("chains"))? {
            let path = chain?.path().join("gear-exe").join(name);
            if path.is_file() {
                return Ok(path);
            }
        }
        anyhow::bail!("there is no {name} in {}", self.folder.display())
    }
}

fn copy_all(from: &Path, to: &Path) -> Result<()> {
    let status = Command::new("cp")
        .arg("-a")
        .arg(from.join("."))
        .arg(to)
        .status()?;
    ensure!(status.success(), "{} was not copied", from.display());
    Ok(())
}
