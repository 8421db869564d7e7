//! The embedded store: content by hash, outcomes by block, codes and their artifacts.
//!
//! Everything that belongs together is written in one transaction, and what is there is never changed: content by
//! construction, outcomes because the first one of a block stands. So a crash leaves the last stored round intact.
//!
//! Content is counted: an object is there as long as an outcome, or an object that is there, names it. When an outcome is
//! forgotten, what only it held is removed with it.

use super::links::{Link, Whole};
use crate::StoreError;
use codec::{Decode, Encode};
use gear_exe_primitives::{
    proof::{Kind, hash},
    round::ChainBlock,
};
use parking_lot::Mutex;
use primitive_types::H256;
use redb::{
    Database, ReadTransaction, ReadableDatabase, ReadableTable, ReadableTableMetadata,
    Table as Open, TableDefinition,
};
use std::{
    collections::{BTreeMap, HashMap, HashSet},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
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
    /// Block hashes by number: see [`round_key`].
    Rounds,
    /// WASM by code id.
    Codes,
    /// Compiled codes.
    Artifacts,
    /// Objects of a snapshot that is not whole yet.
    Staged,
    /// How all this is written.
    Format,
}

impl Table {
    const ALL: [Self; 8] = [
        Self::Content,
        Self::References,
        Self::Outcomes,
        Self::Rounds,
        Self::Codes,
        Self::Artifacts,
        Self::Staged,
        Self::Format,
    ];

    pub(super) fn definition(self) -> TableDefinition<'static, [u8; 32], &'static [u8]> {
        TableDefinition::new(match self {
            Self::Content => "content",
            Self::References => "references",
            Self::Outcomes => "outcomes",
            Self::Rounds => "rounds",
            Self::Codes => "codes",
            Self::Artifacts => "artifacts",
            Self::Staged => "staged",
            Self::Format => "format",
        })
    }
}

/// Changes when the tables are written in another way.
const FORMAT: &[u8] = b"5";

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
    /// What [kind](Kind::tag) it is.
    tag: u8,
    pub(crate) bytes: Vec<u8>,
    pub(crate) links: Vec<H256>,
}

/// An object as it is stored, taken apart.
struct Parts<'a> {
    tag: u8,
    links: &'a [u8],
    bytes: &'a [u8],
}

impl Object {
    /// An object with what it names.
    pub(crate) fn new(kind: Kind, bytes: Vec<u8>, links: &[Link]) -> Self {
        let counted = links.iter().filter(|link| link.kind != Kind::Code);
        Self {
            tag: kind.tag(),
            bytes,
            links: counted.map(|link| link.hash).collect(),
        }
    }

    /// What [kind](Kind::tag) it is.
    pub(crate) const fn tag(&self) -> u8 {
        self.tag
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let count = u32::try_from(self.links.len()).unwrap_or(u32::MAX);
        let mut all = Vec::with_capacity(5 + 32 * self.links.len() + self.bytes.len());
        all.push(self.tag);
        all.extend_from_slice(&count.to_le_bytes());
        self.links
            .iter()
            .for_each(|link| all.extend_from_slice(link.as_bytes()));
        all.extend_from_slice(&self.bytes);
        all
    }

    /// What a stored object names.
    pub(super) fn links_of(stored: &[u8]) -> Option<Vec<H256>> {
        let parts = Self::split(stored)?;
        let links = parts.links.chunks_exact(32);
        Some(links.map(H256::from_slice).collect())
    }

    fn split(stored: &[u8]) -> Option<Parts<'_>> {
        let (tag, rest) = stored.split_first()?;
        let (count, rest) = rest.split_first_chunk::<4>()?;
        let length = 32usize.checked_mul(u32::from_le_bytes(*count) as usize)?;
        let (links, bytes) = rest.split_at_checked(length)?;
        Some(Parts {
            tag: *tag,
            links,
            bytes,
        })
    }
}

pub(super) type Rows<'a> = Open<'a, [u8; 32], &'static [u8]>;

/// Rows are ordered by number, then by hash.
fn round_key(block: ChainBlock) -> [u8; 32] {
    let mut key = block.hash.0;
    key.copy_within(0..24, 8);
    key[..8].copy_from_slice(&block.number.to_be_bytes());
    key
}

/// How many name an object.
pub(super) fn references(
    rows: &impl ReadableTable<[u8; 32], &'static [u8]>,
    hash: H256,
) -> Result<u64, StoreError> {
    let Some(count) = rows.get(hash.0)? else {
        return Ok(0);
    };
    let count = count.value().try_into();
    count
        .map(u64::from_le_bytes)
        .map_err(|_| StoreError::Corrupt(hash))
}

/// Adds to the number of those that name an object.
pub(super) fn refer(rows: &mut Rows<'_>, hash: H256, more: u64) -> Result<(), StoreError> {
    let count = references(rows, hash)?.saturating_add(more);
    rows.insert(hash.0, count.to_le_bytes().as_slice())?;
    Ok(())
}

/// Takes one from the number of those that name each of `roots`, and removes what nobody names then.
fn release(
    content: &mut Rows<'_>,
    counts: &mut Rows<'_>,
    mut roots: Vec<H256>,
) -> Result<(), StoreError> {
    while let Some(hash) = roots.pop() {
        let left = references(counts, hash)?.saturating_sub(1);
        if left > 0 {
            counts.insert(hash.0, left.to_le_bytes().as_slice())?;
            continue;
        }
        counts.remove(hash.0)?;
        let Some(stored) = content.remove(hash.0)? else {
            return Err(StoreError::Missing(hash));
        };
        let parts = Object::split(stored.value()).ok_or(StoreError::Corrupt(hash))?;
        roots.extend(parts.links.chunks_exact(32).map(H256::from_slice));
    }
    Ok(())
}

/// Keeps a root, which is stored, in place of the one that was kept before.
pub(super) fn keep(
    content: &mut Rows<'_>,
    counts: &mut Rows<'_>,
    format: &mut Rows<'_>,
    root: Option<H256>,
) -> Result<(), StoreError> {
    if let Some(root) = root {
        if references(counts, root)? == 0 {
            return Err(StoreError::Missing(root));
        }
        refer(counts, root, 1)?;
    }
    let before = match root {
        Some(root) => format.insert(KEPT.0, root.as_bytes())?,
        None => format.remove(KEPT.0)?,
    };
    let before = before.filter(|before| before.value().len() == 32);
    let before = before.map(|before| H256::from_slice(before.value()));
    release(content, counts, before.into_iter().collect())
}

/// The database.
pub(crate) struct Disk {
    pub(super) database: Database,
    read: AtomicU64,
}

impl Disk {
    pub(crate) fn open(path: Option<&Path>) -> Result<Self, StoreError> {
        let database = match path {
            Some(path) => Database::create(path)?,
            None => {
                Database::builder().create_with_backend(redb::backends::InMemoryBackend::new())?
            }
        };
        let disk = Self {
            database,
            read: AtomicU64::new(0),
        };
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
        Ok(self
            .database
            .begin_read()?
            .open_table(table.definition())?
            .len()?)
    }

    pub(crate) fn get(&self, table: Table, key: H256) -> Result<Option<Vec<u8>>, StoreError> {
        let transaction = self.database.begin_read()?;
        let table = transaction.open_table(table.definition())?;
        Ok(table.get(key.0)?.map(|value| value.value().to_vec()))
    }

    pub(crate) fn contains(&self, table: Table, key: H256) -> Result<bool, StoreError> {
        let transaction = self.database.begin_read()?;
        let table = transaction.open_table(table.definition())?;
        Ok(table.get(key.0)?.is_some())
    }

    /// Writes everything in one transaction.
    pub(crate) fn write(&self, entries: &[Entry<'_>]) -> Result<(), StoreError> {
        let transaction = self.database.begin_write()?;
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
        block: ChainBlock,
        outcome: &[u8],
        root: H256,
        objects: &HashMap<H256, Object>,
    ) -> Result<(), StoreError> {
        let transaction = self.database.begin_write()?;
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
                if references(&counts, hash)? == 0 && content.get(hash.0)?.is_none() {
                    return Err(StoreError::Missing(hash));
                }
                refer(&mut counts, hash, count)?;
            }
            let mut outcomes = transaction.open_table(Table::Outcomes.definition())?;
            outcomes.insert(block.hash.0, outcome)?;
            let mut rounds = transaction.open_table(Table::Rounds.definition())?;
            rounds.insert(round_key(block), block.hash.as_bytes())?;
        }
        transaction.commit()?;
        Ok(())
    }

    /// Forgets outcomes, each given by its block and root, with all content that nothing names then, in one transaction. Says
    /// how many there were. `kept` is a root that stays all the same, until another is named here.
    pub(crate) fn forget(
        &self,
        outcomes: &[(ChainBlock, H256)],
        kept: Option<H256>,
    ) -> Result<usize, StoreError> {
        let mut forgotten = 0;
        let transaction = self.database.begin_write()?;
        {
            let mut content = transaction.open_table(Table::Content.definition())?;
            let mut counts = transaction.open_table(Table::References.definition())?;
            let mut rows = transaction.open_table(Table::Outcomes.definition())?;
            let mut rounds = transaction.open_table(Table::Rounds.definition())?;
            let mut format = transaction.open_table(Table::Format.definition())?;
            let mut roots = Vec::new();
            for (block, root) in outcomes {
                rounds.remove(round_key(*block))?;
                if rows.remove(block.hash.0)?.is_some() {
                    roots.push(*root);
                }
            }
            forgotten += roots.len();
            keep(&mut content, &mut counts, &mut format, kept)?;
            release(&mut content, &mut counts, roots)?;
        }
        transaction.commit()?;
        Ok(forgotten)
    }

    /// Rounds with a number below this one, forks included: the lowest first, no more than `most`.
    pub(crate) fn rounds_below(
        &self,
        number: u64,
        most: usize,
    ) -> Result<Vec<ChainBlock>, StoreError> {
        let transaction = self.database.begin_read()?;
        let rounds = transaction.open_table(Table::Rounds.definition())?;
        let end = round_key(ChainBlock {
            number,
            hash: H256::zero(),
        });
        rounds
            .range([0; 32]..end)?
            .take(most)
            .map(|row| {
                let (key, hash) = row?;
                let key = key.value();
                let wrong = || StoreError::Corrupt(H256(key));
                let (number, _) = key.split_first_chunk().ok_or_else(wrong)?;
                let hash: [u8; 32] = hash.value().try_into().map_err(|_| wrong())?;
                Ok(ChainBlock {
                    number: u64::from_be_bytes(*number),
                    hash: H256(hash),
                })
            })
            .collect()
    }

    pub(crate) fn object(&self, hash: H256) -> Result<Object, StoreError> {
        self.read.fetch_add(1, Relaxed);
        object(&self.database.begin_read()?, hash)
    }

    /// Objects read so far.
    pub(crate) fn objects_read(&self) -> u64 {
        self.read.load(Relaxed)
    }
}

/// An object, with its hash checked.
pub(super) fn object(transaction: &ReadTransaction, name: H256) -> Result<Object, StoreError> {
    let table = transaction.open_table(Table::Content.definition())?;
    let stored = table.get(name.0)?.ok_or(StoreError::Missing(name))?;
    let parts = Object::split(stored.value()).ok_or(StoreError::Corrupt(name))?;
    if hash(parts.tag, parts.bytes) != name {
        return Err(StoreError::Corrupt(name));
    }
    Ok(Object {
        tag: parts.tag,
        links: parts.links.chunks_exact(32).map(H256::from_slice).collect(),
        bytes: parts.bytes.to_vec(),
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
        self.add(Object::new(Kind::Bytes, bytes, &[]))
    }

    /// Adds such bytes whose hash is known.
    pub(crate) fn insert(&self, hash: H256, bytes: &[u8]) {
        self.added
            .lock()
            .entry(hash)
            .or_insert_with(|| Object::new(Kind::Bytes, bytes.into(), &[]));
    }

    pub(crate) fn put<T: Encode + Whole>(&self, value: &T) -> H256 {
        let mut links = Vec::new();
        value.links(&mut links);
        self.add(Object::new(T::KIND, value.encode(), &links))
    }

    pub(crate) fn add(&self, object: Object) -> H256 {
        let hash = hash(object.tag, &object.bytes);
        self.added.lock().insert(hash, object);
        hash
    }

    /// Keeps what was added as if it were on disk, so that tests see what comes after.
    #[cfg(test)]
    pub(crate) fn take_all(&self) {
        let added = self.take_added();
        let entries: Vec<_> = added
            .iter()
            .map(|(hash, object)| (*hash, object.encode()))
            .collect();
        let entries: Vec<_> = entries
            .iter()
            .map(|(key, value)| Entry {
                table: Table::Content,
                key: *key,
                value,
            })
            .collect();
        self.disk.write(&entries).unwrap();
    }

    /// What was added since the last call.
    pub(crate) fn take_added(&self) -> HashMap<H256, Object> {
        std::mem::take(&mut self.added.lock())
    }
}
