//! The embedded store: content by hash, outcomes by block, codes and their artifacts.
//!
//! Everything that belongs together is written in one transaction, and what is there is never changed: content by
//! construction, outcomes because the first one of a block stands. So a crash leaves the last stored round intact.
//!
//! Content is counted: an object is there as long as an outcome, or an object that is there, names it. When an outcome is
//! forgotten, what only it held is removed with it.

use super::links::Linked;
use crate::StoreError;
use codec::{Decode, Encode};
use gear_exe_primitives::hashing::blake2b256;
use parking_lot::Mutex;
use primitive_types::H256;
use redb::{
    Database, ReadTransaction, ReadableDatabase, ReadableTable, ReadableTableMetadata,
    Table as Open, TableDefinition,
};
use std::{
    collections::{BTreeMap, HashMap, HashSet},
    path::Path,
    sync::Arc,
};

/// What a table holds.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Table {
    /// Objects by the hash of their bytes, behind what they name: see [`Object`].
    Content,
    /// By object, how many name it.
    References,
    /// Outcomes by block hash.
    Outcomes,
    /// WASM by code id.
    Codes,
    /// Compiled codes.
    Artifacts,
    /// How all this is written.
    Format,
}

impl Table {
    const ALL: [Self; 6] = [
        Self::Content,
        Self::References,
        Self::Outcomes,
        Self::Codes,
        Self::Artifacts,
        Self::Format,
    ];

    fn definition(self) -> TableDefinition<'static, [u8; 32], &'static [u8]> {
        TableDefinition::new(match self {
            Self::Content => "content",
            Self::References => "references",
            Self::Outcomes => "outcomes",
            Self::Codes => "codes",
            Self::Artifacts => "artifacts",
            Self::Format => "format",
        })
    }
}

/// Changes when the tables are written in another way.
const FORMAT: &[u8] = b"2";

/// Where the format's table names the root that is kept.
const KEPT: H256 = H256::repeat_byte(1);

/// Something to be written that is not content.
pub(crate) struct Entry<'a> {
    pub(crate) table: Table,
    pub(crate) key: H256,
    pub(crate) value: &'a [u8],
}

/// An object and the hashes of those that it names.
pub(crate) struct Object {
    pub(crate) bytes: Vec<u8>,
    links: Vec<H256>,
}

impl Object {
    fn encode(&self) -> Vec<u8> {
        let count = u32::try_from(self.links.len()).unwrap_or(u32::MAX);
        let mut all = Vec::with_capacity(4 + 32 * self.links.len() + self.bytes.len());
        all.extend_from_slice(&count.to_le_bytes());
        self.links
            .iter()
            .for_each(|link| all.extend_from_slice(link.as_bytes()));
        all.extend_from_slice(&self.bytes);
        all
    }

    /// Links and bytes of an encoded object.
    fn split(stored: &[u8]) -> Option<(&[u8], &[u8])> {
        let (count, rest) = stored.split_first_chunk::<4>()?;
        rest.split_at_checked(32usize.checked_mul(u32::from_le_bytes(*count) as usize)?)
    }
}

type Rows<'a> = Open<'a, [u8; 32], &'static [u8]>;

/// How many name an object.
fn references(rows: &Rows<'_>, hash: H256) -> Result<u64, StoreError> {
    let Some(count) = rows.get(hash.0)? else {
        return Ok(0);
    };
    let count = count.value().try_into();
    count
        .map(u64::from_le_bytes)
        .map_err(|_| StoreError::Corrupt(hash))
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
        let format = disk.get(Table::Format, H256::zero())?;
        let fresh = format.is_none() && disk.count(Table::Outcomes)? == 0;
        if fresh {
            disk.write(&[Entry {
                table: Table::Format,
                key: H256::zero(),
                value: FORMAT,
            }])?;
        } else if format.as_deref() != Some(FORMAT) {
            return Err(StoreError::Format);
        }
        Ok(disk)
    }

    /// Rows of a table.
    pub(crate) fn count(&self, table: Table) -> Result<u64, StoreError> {
        Ok(self.0.begin_read()?.open_table(table.definition())?.len()?)
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
                open.insert(entry.key.0, entry.value)?;
            }
        }
        transaction.commit()?;
        Ok(())
    }

    /// Stores a round in one transaction: its outcome and the objects behind `root`, which the outcome names.
    pub(crate) fn write_round(
        &self,
        block: H256,
        outcome: &[u8],
        root: H256,
        objects: &HashMap<H256, Object>,
    ) -> Result<(), StoreError> {
        let transaction = self.0.begin_write()?;
        {
            let mut content = transaction.open_table(Table::Content.definition())?;
            let mut counts = transaction.open_table(Table::References.definition())?;
            let mut more = BTreeMap::from([(root, 1u64)]);
            let (mut open, mut seen) = (vec![root], HashSet::from([root]));
            while let Some(hash) = open.pop() {
                // What was stored before is counted already, and so is all below it.
                let Some(object) = objects.get(&hash) else {
                    continue;
                };
                if content.get(hash.0)?.is_some() {
                    continue;
                }
                content.insert(hash.0, object.encode().as_slice())?;
                for link in &object.links {
                    *more.entry(*link).or_default() += 1;
                    if seen.insert(*link) {
                        open.push(*link);
                    }
                }
            }
            for (hash, count) in more {
                let before = references(&counts, hash)?;
                if before == 0 && content.get(hash.0)?.is_none() {
                    return Err(StoreError::Missing(hash));
                }
                counts.insert(hash.0, (before + count).to_le_bytes().as_slice())?;
            }
            let mut outcomes = transaction.open_table(Table::Outcomes.definition())?;
            outcomes.insert(block.0, outcome)?;
        }
        transaction.commit()?;
        Ok(())
    }

    /// Forgets outcomes, each given by its block and root, with all content that nothing names then, in one transaction. Says
    /// how many there were. `keep` is a root that stays all the same, until another is named here.
    pub(crate) fn forget(
        &self,
        outcomes: &[(H256, H256)],
        keep: Option<H256>,
    ) -> Result<usize, StoreError> {
        let mut forgotten = 0;
        let transaction = self.0.begin_write()?;
        {
            let mut content = transaction.open_table(Table::Content.definition())?;
            let mut counts = transaction.open_table(Table::References.definition())?;
            let mut rows = transaction.open_table(Table::Outcomes.definition())?;
            let mut format = transaction.open_table(Table::Format.definition())?;
            if let Some(root) = keep {
                let count = references(&counts, root)?;
                if count == 0 {
                    return Err(StoreError::Missing(root));
                }
                counts.insert(root.0, (count + 1).to_le_bytes().as_slice())?;
            }
            let mut roots = Vec::new();
            for (block, root) in outcomes {
                if rows.remove(block.0)?.is_some() {
                    roots.push(*root);
                }
            }
            forgotten += roots.len();
            let before = match keep {
                Some(root) => format.insert(KEPT.0, root.as_bytes())?,
                None => format.remove(KEPT.0)?,
            };
            if let Some(before) = before.filter(|before| before.value().len() == 32) {
                roots.push(H256::from_slice(before.value()));
            }
            while let Some(hash) = roots.pop() {
                let left = references(&counts, hash)?.saturating_sub(1);
                if left > 0 {
                    counts.insert(hash.0, left.to_le_bytes().as_slice())?;
                    continue;
                }
                counts.remove(hash.0)?;
                let Some(stored) = content.remove(hash.0)? else {
                    return Err(StoreError::Missing(hash));
                };
                let split = Object::split(stored.value());
                let (links, _) = split.ok_or(StoreError::Corrupt(hash))?;
                roots.extend(links.chunks_exact(32).map(H256::from_slice));
            }
        }
        transaction.commit()?;
        Ok(forgotten)
    }

    fn object(&self, hash: H256) -> Result<Object, StoreError> {
        object(&self.0.begin_read()?, hash)
    }
}

/// An object, with its hash checked.
fn object(transaction: &ReadTransaction, hash: H256) -> Result<Object, StoreError> {
    let table = transaction.open_table(Table::Content.definition())?;
    let stored = table.get(hash.0)?.ok_or(StoreError::Missing(hash))?;
    let (links, bytes) = Object::split(stored.value()).ok_or(StoreError::Corrupt(hash))?;
    if blake2b256([bytes]) != hash {
        return Err(StoreError::Corrupt(hash));
    }
    Ok(Object {
        links: links.chunks_exact(32).map(H256::from_slice).collect(),
        bytes: bytes.to_vec(),
    })
}

/// Content of the disk and what a round, or a query, adds to it.
pub(crate) struct Content {
    disk: Arc<Disk>,
    added: Mutex<HashMap<H256, Object>>,
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
        if let Some(object) = self.added.lock().get(&hash) {
            return Ok(object.bytes.clone());
        }
        Ok(self.disk.object(hash)?.bytes)
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

    /// Adds bytes that name nothing: pages and payloads.
    pub(crate) fn put_bytes(&self, bytes: Vec<u8>) -> H256 {
        self.add(Object {
            bytes,
            links: Vec::new(),
        })
    }

    /// Adds such bytes whose hash is known.
    pub(crate) fn insert(&self, hash: H256, bytes: &[u8]) {
        self.added.lock().entry(hash).or_insert_with(|| Object {
            bytes: bytes.into(),
            links: Vec::new(),
        });
    }

    pub(crate) fn put<T: Encode + Linked>(&self, value: &T) -> H256 {
        let mut links = Vec::new();
        value.links(&mut links);
        self.add(Object {
            bytes: value.encode(),
            links,
        })
    }

    fn add(&self, object: Object) -> H256 {
        let hash = blake2b256([&object.bytes]);
        self.added.lock().insert(hash, object);
        hash
    }

    /// What was added since the last call.
    pub(crate) fn take_added(&self) -> HashMap<H256, Object> {
        std::mem::take(&mut self.added.lock())
    }
}
