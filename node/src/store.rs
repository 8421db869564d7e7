//! The node's own small database (redb): what it has seen of Ethereum, which rounds it has executed on what, and what
//! it has signed. The chain's database and the executor's are apart.
//!
//! Values are SCALE. Everything that belongs together is written in one transaction, so a node that is killed at any
//! instruction finds all of it or nothing.

use codec::Decode;
use redb::{Database, Durability, ReadableDatabase, TableDefinition};
use std::{ops::Bound, path::Path};

/// A table from bytes to SCALE.
pub type Table = TableDefinition<'static, &'static [u8], &'static [u8]>;

/// Ethereum blocks by hash: header and what the Router holds after them.
pub const ETHEREUM_BLOCKS: Table = Table::new("ethereum-blocks");
/// RLP of Ethereum headers by hash.
pub const ETHEREUM_RLP: Table = Table::new("ethereum-rlp");
/// Events of Ethereum blocks by hash, where there are some.
pub const ETHEREUM_EVENTS: Table = Table::new("ethereum-events");
/// Requests for code validation, by code, request and Ethereum block.
pub const CODE_REQUESTS: Table = Table::new("code-requests");
/// Verdicts of this node, by code and request.
pub const CODE_VERDICTS: Table = Table::new("code-verdicts");
/// What there is one of, by its name.
pub const META: Table = Table::new("meta");
/// Executed rounds by block hash.
pub const ROUNDS: Table = Table::new("rounds");
/// The newest executed block by the hash of its anchor.
pub const ROUNDS_BY_ANCHOR: Table = Table::new("rounds-by-anchor");
/// Numbers of the blocks that have taken native messages, by message and block hash.
pub const NATIVES_TAKEN: Table = Table::new("natives-taken");
/// Numbers of the blocks in whose rounds native messages have ended, by message and block hash.
pub const NATIVES_ENDED: Table = Table::new("natives-ended");
/// Certificates of rounds, by block hash.
pub const CERTIFICATES: Table = Table::new("certificates");
/// What was signed of rounds, by block number, block hash and signer.
pub const ROUNDS_SIGNED: Table = Table::new("rounds-signed");
/// What was promised, by slot and signer.
pub const PROMISES_SIGNED: Table = Table::new("promises-signed");
/// Evidence of faults on its way to the chain, by its hash.
pub const EVIDENCE: Table = Table::new("evidence");
/// What was signed for seals, by seal hash and signer.
pub const STATEMENTS: Table = Table::new("statements");
/// What was built for seals, by seal hash.
pub const BUILT: Table = Table::new("built");
/// Batches that were built, by digest.
pub const BATCHES: Table = Table::new("batches");

const ALL: [Table; 17] = [
    META,
    ETHEREUM_BLOCKS,
    ETHEREUM_RLP,
    ETHEREUM_EVENTS,
    CODE_REQUESTS,
    CODE_VERDICTS,
    ROUNDS,
    ROUNDS_BY_ANCHOR,
    NATIVES_TAKEN,
    NATIVES_ENDED,
    CERTIFICATES,
    ROUNDS_SIGNED,
    PROMISES_SIGNED,
    EVIDENCE,
    STATEMENTS,
    BUILT,
    BATCHES,
];

/// The database failed, or holds something else than it should. Restore it, or remove it and sync again.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database failed.
    #[error("the node's database failed: {0}")]
    Database(Box<redb::Error>),
    /// An entry does not decode.
    #[error("the node's database holds a damaged entry in table `{0}`")]
    Corrupt(String),
}

impl StoreError {
    /// Whether the file is damaged, and not just in use.
    pub fn is_damage(&self) -> bool {
        match self {
            Self::Database(error) => is_damage(error),
            Self::Corrupt(_) => true,
        }
    }
}

/// Whether a database's file is damaged, and not just in use, or written by another version.
pub fn is_damage(error: &redb::Error) -> bool {
    use std::io::ErrorKind::{InvalidData, UnexpectedEof};
    match error {
        redb::Error::Corrupted(_)
        | redb::Error::TableTypeMismatch { .. }
        | redb::Error::TableIsMultimap(_)
        | redb::Error::TypeDefinitionChanged { .. } => true,
        redb::Error::Io(error) => matches!(error.kind(), InvalidData | UnexpectedEof),
        _ => false,
    }
}

macro_rules! database {
    ($($kind:ty),*) => {$(
        impl From<$kind> for StoreError {
            fn from(error: $kind) -> Self {
                Self::Database(Box::new(error.into()))
            }
        }
    )*};
}
database!(
    redb::DatabaseError,
    redb::TransactionError,
    redb::TableError,
    redb::StorageError,
    redb::CommitError,
    redb::SetDurabilityError
);

/// One change of a transaction.
#[derive(Clone)]
pub struct Change {
    table: Table,
    key: Vec<u8>,
    value: Option<Vec<u8>>,
}

/// Puts `value` under `key`.
pub fn put(table: Table, key: impl AsRef<[u8]>, value: &impl codec::Encode) -> Change {
    Change {
        table,
        key: key.as_ref().to_vec(),
        value: Some(value.encode()),
    }
}

/// Removes what is under `key`.
pub fn delete(table: Table, key: impl AsRef<[u8]>) -> Change {
    Change {
        table,
        key: key.as_ref().to_vec(),
        value: None,
    }
}

/// The database.
pub struct Store(Database);

impl Store {
    /// Opens the file, or makes it.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if it cannot be opened, or another process has it open.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        Self::with(Database::create(path)?)
    }

    /// A database that is gone when it is dropped.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if it cannot be made.
    pub fn in_memory() -> Result<Self, StoreError> {
        let backend = redb::backends::InMemoryBackend::new();
        Self::with(Database::builder().create_with_backend(backend)?)
    }

    fn with(database: Database) -> Result<Self, StoreError> {
        let transaction = database.begin_write()?;
        for table in ALL {
            transaction.open_table(table)?;
        }
        transaction.commit()?;
        Ok(Self(database))
    }

    /// The value under `key`.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the database fails or the entry does not decode.
    pub fn get<T: Decode>(
        &self,
        table: Table,
        key: impl AsRef<[u8]>,
    ) -> Result<Option<T>, StoreError> {
        let transaction = self.0.begin_read()?;
        let open = transaction.open_table(table)?;
        let value = open.get(key.as_ref())?;
        value.map(|value| decode(table, value.value())).transpose()
    }

    /// Whether there is a value under `key`.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the database fails.
    pub fn contains(&self, table: Table, key: impl AsRef<[u8]>) -> Result<bool, StoreError> {
        let transaction = self.0.begin_read()?;
        Ok(transaction.open_table(table)?.get(key.as_ref())?.is_some())
    }

    /// All entries whose keys begin with `prefix`, in the order of their keys.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the database fails or an entry does not decode.
    pub fn scan<T: Decode>(
        &self,
        table: Table,
        prefix: &[u8],
    ) -> Result<Vec<(Vec<u8>, T)>, StoreError> {
        let transaction = self.0.begin_read()?;
        let open = transaction.open_table(table)?;
        let from = (Bound::Included(prefix), Bound::Unbounded);
        let mut entries = Vec::new();
        for entry in open.range::<&[u8]>(from)? {
            let (key, value) = entry?;
            if !key.value().starts_with(prefix) {
                break;
            }
            entries.push((key.value().to_vec(), decode(table, value.value())?));
        }
        Ok(entries)
    }

    /// Up to `limit` keys that come before `end`, the least first.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the database fails.
    pub fn keys_below(
        &self,
        table: Table,
        end: &[u8],
        limit: usize,
    ) -> Result<Vec<Vec<u8>>, StoreError> {
        let transaction = self.0.begin_read()?;
        let open = transaction.open_table(table)?;
        let mut keys = Vec::new();
        for entry in open.range::<&[u8]>(..end)?.take(limit) {
            keys.push(entry?.0.value().to_vec());
        }
        Ok(keys)
    }

    /// Applies all changes in one transaction. When this returns, they are on the disk.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the database fails; nothing is changed then.
    pub fn apply(&self, changes: impl IntoIterator<Item = Change>) -> Result<(), StoreError> {
        self.write(changes, Durability::Immediate)
    }

    /// Applies all changes in one transaction, which may be lost if the process ends before the next [`Self::apply`].
    /// For what can be computed again.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the database fails; nothing is changed then.
    pub fn apply_soon(&self, changes: impl IntoIterator<Item = Change>) -> Result<(), StoreError> {
        self.write(changes, Durability::None)
    }

    /// Removes everything that is in these tables.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the database fails; nothing is changed then.
    pub fn empty(&self, tables: &[Table]) -> Result<(), StoreError> {
        let transaction = self.0.begin_write()?;
        for table in tables {
            transaction.delete_table(*table)?;
            transaction.open_table(*table)?;
        }
        transaction.commit()?;
        Ok(())
    }

    fn write(
        &self,
        changes: impl IntoIterator<Item = Change>,
        durability: Durability,
    ) -> Result<(), StoreError> {
        let mut transaction = self.0.begin_write()?;
        transaction.set_durability(durability)?;
        for change in changes {
            let mut open = transaction.open_table(change.table)?;
            match change.value {
                Some(value) => open.insert(change.key.as_slice(), value.as_slice())?,
                None => open.remove(change.key.as_slice())?,
            };
        }
        transaction.commit()?;
        Ok(())
    }
}

fn decode<T: Decode>(table: Table, mut bytes: &[u8]) -> Result<T, StoreError> {
    use redb::TableHandle;
    T::decode(&mut bytes).map_err(|_| StoreError::Corrupt(table.name().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_what_was_written_and_tells_what_is_damaged() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("node.redb");
        {
            let store = Store::open(&path).unwrap();
            store
                .apply([put(ROUNDS, b"ab", &7u64), put(ROUNDS, b"ac", &8u64)])
                .unwrap();
            store.apply_soon([put(ROUNDS, b"b", &9u64)]).unwrap();
            assert!(Store::open(&path).is_err(), "one process at a time");
        }
        let store = Store::open(&path).unwrap();
        assert_eq!(store.get::<u64>(ROUNDS, b"ab").unwrap(), Some(7));
        assert_eq!(
            store.scan::<u64>(ROUNDS, b"a").unwrap(),
            [(b"ab".to_vec(), 7), (b"ac".to_vec(), 8)]
        );
        store
            .apply([delete(ROUNDS, b"ab"), put(ROUNDS, b"ac", &1u8)])
            .unwrap();
        assert!(!store.contains(ROUNDS, b"ab").unwrap());
        store.apply([put(META, b"ab", &1u64)]).unwrap();
        assert!(matches!(
            store.get::<u64>(ROUNDS, b"ac"),
            Err(StoreError::Corrupt(table)) if table == "rounds"
        ));
        store.empty(&[ROUNDS]).unwrap();
        assert!(!store.contains(ROUNDS, b"ac").unwrap());
        assert!(store.contains(META, b"ab").unwrap());
    }
}
