//! The embedded store: content by hash, outcomes by block, codes and their artifacts.
//!
//! Everything that belongs together is written in one transaction, and what is there is never changed: content by
//! construction, outcomes because the first one of a block stands. So a crash leaves the last stored round intact.

use crate::StoreError;
use codec::{Decode, Encode};
use gear_exe_primitives::hashing::blake2b256;
use parking_lot::Mutex;
use primitive_types::H256;
use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};
use std::{collections::HashMap, path::Path, sync::Arc};

/// What a table holds.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Table {
    /// Objects by the hash of their bytes.
    Content,
    /// Outcomes by block hash.
    Outcomes,
    /// WASM by code id.
    Codes,
    /// Compiled codes.
    Artifacts,
}

impl Table {
    const ALL: [Self; 4] = [Self::Content, Self::Outcomes, Self::Codes, Self::Artifacts];

    fn definition(self) -> TableDefinition<'static, [u8; 32], &'static [u8]> {
        TableDefinition::new(match self {
            Self::Content => "content",
            Self::Outcomes => "outcomes",
            Self::Codes => "codes",
            Self::Artifacts => "artifacts",
        })
    }
}

/// Something to be written.
pub(crate) struct Entry<'a> {
    pub(crate) table: Table,
    pub(crate) key: H256,
    pub(crate) value: &'a [u8],
}

/// The database.
pub(crate) struct Disk(Database);

impl Disk {
    pub(crate) fn open(path: Option<&Path>) -> Result<Self, StoreError> {
        let database = match path {
            Some(path) => Database::create(path)?,
            None => {
                Database::builder().create_with_backend(redb::backends::InMemoryBackend::new())?
            }
        };
        let disk = Self(database);
        // Makes the tables.
        disk.write(&[])?;
        Ok(disk)
    }

    pub(crate) fn get(&self, table: Table, key: H256) -> Result<Option<Vec<u8>>, StoreError> {
        let transaction = self.0.begin_read()?;
        let table = transaction.open_table(table.definition())?;
        Ok(table.get(key.0)?.map(|value| value.value().to_vec()))
    }

    pub(crate) fn contains(&self, table: Table, key: H256) -> Result<bool, StoreError> {
        let transaction = self.0.begin_read()?;
        let table = transaction.open_table(table.definition())?;
        Ok(table.get(key.0)?.is_some())
    }

    /// Writes everything in one transaction.
    pub(crate) fn write(&self, entries: &[Entry<'_>]) -> Result<(), StoreError> {
        let transaction = self.0.begin_write()?;
        for table in Table::ALL {
            let mut open = transaction.open_table(table.definition())?;
            for entry in entries.iter().filter(|entry| entry.table == table) {
                let known = table == Table::Content && open.get(entry.key.0)?.is_some();
                if !known {
                    open.insert(entry.key.0, entry.value)?;
                }
            }
        }
        transaction.commit()?;
        Ok(())
    }
}

/// Content of the disk and what a round, or a query, adds to it.
pub(crate) struct Content {
    disk: Arc<Disk>,
    added: Mutex<HashMap<H256, Vec<u8>>>,
}

impl Content {
    pub(crate) fn new(disk: &Arc<Disk>) -> Self {
        Self {
            disk: disk.clone(),
            added: Mutex::default(),
        }
    }

    /// The bytes with this hash.
    ///
    /// # Errors
    ///
    /// [`StoreError::Missing`], or [`StoreError::Corrupt`] if the disk has other bytes.
    pub(crate) fn bytes(&self, hash: H256) -> Result<Vec<u8>, StoreError> {
        if let Some(bytes) = self.added.lock().get(&hash) {
            return Ok(bytes.clone());
        }
        let bytes = self
            .disk
            .get(Table::Content, hash)?
            .ok_or(StoreError::Missing(hash))?;
        if blake2b256([&bytes]) != hash {
            return Err(StoreError::Corrupt(hash));
        }
        Ok(bytes)
    }

    pub(crate) fn get<T: Decode>(&self, hash: H256) -> Result<T, StoreError> {
        let bytes = self.bytes(hash)?;
        let mut rest = bytes.as_slice();
        match T::decode(&mut rest) {
            Ok(value) if rest.is_empty() => Ok(value),
            _ => Err(StoreError::Unexpected(hash)),
        }
    }

    pub(crate) fn get_or_default<T: Decode + Default>(
        &self,
        hash: Option<H256>,
    ) -> Result<T, StoreError> {
        hash.map_or_else(|| Ok(T::default()), |hash| self.get(hash))
    }

    pub(crate) fn put_bytes(&self, bytes: Vec<u8>) -> H256 {
        let hash = blake2b256([&bytes]);
        self.added.lock().insert(hash, bytes);
        hash
    }

    /// Puts bytes whose hash is known.
    pub(crate) fn insert(&self, hash: H256, bytes: &[u8]) {
        self.added
            .lock()
            .entry(hash)
            .or_insert_with(|| bytes.into());
    }

    pub(crate) fn put<T: Encode>(&self, value: &T) -> H256 {
        self.put_bytes(value.encode())
    }

    /// What was added since the last call.
    pub(crate) fn take_added(&self) -> HashMap<H256, Vec<u8>> {
        std::mem::take(&mut self.added.lock())
    }
}
