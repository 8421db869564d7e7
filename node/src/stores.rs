//! The node's databases, opened; what cannot be opened because it is damaged is set aside and made anew, and what it held is
//! taken from other nodes, or computed again. The one exception is what this node has signed: without it nothing can be
//! signed safely.

use crate::{
    executor_service::records::Records,
    metrics::{Alarm, Metrics},
    store::{Store, StoreError},
};
use gear_exe_executor::{Executor, ExecutorConfig, OpenError, StoreError as ExecutorStoreError};
use std::{
    fs, io,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

/// The node's databases.
pub struct Stores {
    /// What it has seen and done.
    pub node: Arc<Store>,
    /// What it has signed.
    pub signing: Arc<Store>,
    /// States.
    pub executor: Arc<Executor>,
}

/// Why a database is not opened.
#[derive(Debug, thiserror::Error)]
pub enum CannotOpen {
    /// Another process has it open, or the file cannot be read.
    #[error("cannot open {path}: {says}. Is another node running on this folder?")]
    Store {
        /// The file.
        path: String,
        /// What is wrong.
        says: String,
    },
    /// What was signed cannot be read.
    #[error(
        "what this node has signed cannot be read from {path}: {says}. Restore it from a copy of a moment after which nothing was \
         signed; or make new keys (`author_rotateKeysWithOwner`), and then remove it"
    )]
    Signing {
        /// The file.
        path: String,
        /// What is wrong.
        says: String,
    },
    /// The executor.
    #[error("cannot open the executor: {0}")]
    Executor(#[from] OpenError),
    /// A damaged file cannot be moved out of the way.
    #[error("{path} is damaged and cannot be set aside: {error}")]
    SetAside {
        /// The file.
        path: String,
        /// Why not.
        error: io::Error,
    },
    /// What the executor has lost cannot be forgotten.
    #[error(transparent)]
    Records(#[from] StoreError),
}

fn cannot(path: &Path, says: &impl std::fmt::Display) -> CannotOpen {
    CannotOpen::Store {
        path: path.display().to_string(),
        says: says.to_string(),
    }
}

impl Stores {
    /// Opens them in a folder, or makes them.
    ///
    /// # Errors
    ///
    /// [`CannotOpen`] says what to do.
    pub fn open(folder: &Path, threads: usize, metrics: &Metrics) -> Result<Self, CannotOpen> {
        // Apart, so that the rest can be removed and made again without forgetting what was signed.
        let path = folder.join("signing.redb");
        let signing = match attempt(|| Store::open(&path)) {
            Ok(store) => store,
            Err(Failure::Failed(error)) if !error.is_damage() => {
                return Err(cannot(&path, &error));
            }
            Err(failure) => {
                return Err(CannotOpen::Signing {
                    path: path.display().to_string(),
                    says: failure.to_string(),
                });
            }
        };
        let path = folder.join("node.redb");
        let node = match attempt(|| Store::open(&path)) {
            Ok(store) => store,
            Err(Failure::Failed(error)) if !error.is_damage() => {
                return Err(cannot(&path, &error));
            }
            Err(failure) => {
                set_aside(&path, &failure, metrics)?;
                Store::open(&path).map_err(|error| cannot(&path, &error))?
            }
        };
        let node = Arc::new(node);
        let path = folder.join("executor.redb");
        if fs::metadata(&path).map_or(0, |file| file.len()) == 0 {
            // First, so that nobody builds on rounds whose outcomes are lost.
            Records::new(node.clone()).forget_all()?;
        }
        let config = ExecutorConfig {
            path: Some(path.clone()),
            threads,
            ..ExecutorConfig::default()
        };
        let executor = match attempt(|| Executor::open(config.clone())) {
            Ok(executor) => executor,
            Err(Failure::Failed(error)) if !is_damage(&error) => return Err(error.into()),
            Err(failure) => {
                Records::new(node.clone()).forget_all()?;
                set_aside(&path, &failure, metrics)?;
                Executor::open(config)?
            }
        };
        Ok(Self {
            node,
            signing: Arc::new(signing),
            executor: Arc::new(executor),
        })
    }
}

/// Why something was not opened.
#[derive(Debug, thiserror::Error)]
enum Failure<E> {
    /// It said so.
    #[error("{0}")]
    Failed(E),
    /// It found what it holds for impossible.
    #[error("its bytes make no sense")]
    Panicked,
}

/// What a damaged file makes of a database is not always an error.
fn attempt<T, E>(open: impl FnOnce() -> Result<T, E>) -> Result<T, Failure<E>> {
    // Substrate ends the process where a thread panics, unless it is told not to.
    let _unwind = sp_panic_handler::AbortGuard::force_unwind();
    match catch_unwind(AssertUnwindSafe(open)) {
        Ok(opened) => opened.map_err(Failure::Failed),
        Err(_) => Err(Failure::Panicked),
    }
}

/// Whether a file is damaged, and not just in use, or written by another version.
fn is_damage(error: &OpenError) -> bool {
    match error {
        OpenError::Store(ExecutorStoreError::Database(error)) => crate::store::is_damage(error),
        OpenError::Store(
            ExecutorStoreError::Corrupt(_)
            | ExecutorStoreError::Unexpected(_)
            | ExecutorStoreError::Missing(_),
        ) => true,
        _ => false,
    }
}

/// Moves a damaged file out of the way. One that was set aside before makes room: damage must not fill the disk.
fn set_aside(
    path: &Path,
    failure: &impl std::fmt::Display,
    metrics: &Metrics,
) -> Result<(), CannotOpen> {
    let cannot = |error| CannotOpen::SetAside {
        path: path.display().to_string(),
        error,
    };
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let prefix = format!("{name}.damaged-");
    if let Some(folder) = path.parent() {
        for entry in fs::read_dir(folder).map_err(cannot)? {
            let entry = entry.map_err(cannot)?;
            if entry.file_name().to_string_lossy().starts_with(&prefix) {
                fs::remove_file(entry.path()).map_err(cannot)?;
            }
        }
    }
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    let aside = path.with_file_name(format!("{prefix}{now}"));
    fs::rename(path, &aside).map_err(cannot)?;
    metrics.stores_set_aside.inc();
    metrics.raise(
        Alarm::StoreDamaged,
        format!(
            "{} is damaged ({failure}); it was set aside as {}, and what it held is taken from other nodes",
            path.display(),
            aside.display()
        ),
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        executor_service::base::tests::block,
        store::{META, ROUNDS, put},
    };

    fn open(folder: &Path) -> Result<(Stores, Metrics), CannotOpen> {
        let metrics = Metrics::new(None).unwrap();
        Ok((Stores::open(folder, 1, &metrics)?, metrics))
    }

    fn overwrite(path: &Path) {
        let mut bytes = fs::read(path).unwrap();
        // Also the two headers of a database, either of which would do.
        for byte in &mut bytes {
            *byte ^= 0x5a;
        }
        fs::write(path, bytes).unwrap();
    }

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn what_is_damaged_is_set_aside_and_made_anew() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let mark = |stores: &Stores| {
            let node = &stores.node;
            node.apply([put(ROUNDS, block(7).hash, &7u64), put(META, b"x", &1u64)])
                .unwrap();
        };
        mark(&open(folder.path()).unwrap().0);
        // Nothing is wrong: everything is there.
        let (stores, metrics) = open(folder.path()).unwrap();
        assert!(stores.node.contains(ROUNDS, block(7).hash).unwrap());
        assert!(metrics.raised().is_empty());
        // In use by another is no damage.
        assert!(matches!(open(folder.path()), Err(CannotOpen::Store { .. })));
        drop(stores);

        for _ in 0..2 {
            overwrite(&path("executor.redb"));
            let (stores, metrics) = open(folder.path()).unwrap();
            assert_eq!(stores.executor.stored().unwrap().rounds, 0);
            // Rounds whose outcomes are lost are not known any more; the rest is.
            assert!(!stores.node.contains(ROUNDS, block(7).hash).unwrap());
            assert!(stores.node.contains(META, b"x").unwrap());
            assert_eq!(metrics.raised()[0].0, Alarm::StoreDamaged);
            mark(&stores);
            drop(stores);
            // Damage does not fill the disk.
            let aside = names(folder.path());
            let aside = aside.iter().filter(|name| name.contains("damaged"));
            assert_eq!(aside.count(), 1);
        }
        fs::remove_file(path("executor.redb")).unwrap();
        let (stores, _) = open(folder.path()).unwrap();
        assert!(!stores.node.contains(ROUNDS, block(7).hash).unwrap());
        drop(stores);

        overwrite(&path("node.redb"));
        let (stores, metrics) = open(folder.path()).unwrap();
        assert!(!stores.node.contains(META, b"x").unwrap());
        assert_eq!(metrics.stores_set_aside.get(), 1);
        drop(stores);

        // What was signed is never given up.
        overwrite(&path("signing.redb"));
        assert!(matches!(
            open(folder.path()),
            Err(CannotOpen::Signing { .. })
        ));
        assert!(names(folder.path()).contains(&"signing.redb".to_owned()));
    }
}
