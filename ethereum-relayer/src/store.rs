//! The log: every transaction that was signed, with its bytes and the batch it carries, on disk before it is sent.
//!
//! The contract decides what is done; the log only spares a second transaction where one is already on its way. A
//! commit returns when the disk has it.

use crate::pipeline::Attempt;
use codec::{Decode, Encode};
use gear_exe_primitives::{H160, H256, batch::Batch, report::ReadyBatch};
use redb::{Database, DatabaseError, ReadableDatabase, ReadableTable, TableDefinition};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

const META: TableDefinition<&str, &[u8]> = TableDefinition::new("meta");
/// By account nonce.
const SLOTS: TableDefinition<u64, &[u8]> = TableDefinition::new("slots");
/// Bytes of transactions, by hash.
const RAW: TableDefinition<[u8; 32], &[u8]> = TableDefinition::new("transactions");
/// Signed batches, by digest.
const BATCHES: TableDefinition<[u8; 32], &[u8]> = TableDefinition::new("batches");

/// Since when batches of a nonce have waited, in Unix seconds, by the nonce at the Router.
const WAITING: TableDefinition<u64, u64> = TableDefinition::new("waiting");

const OWNER: &str = "owner";

/// A batch with a quorum's signatures.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct SignedBatch {
    /// Header, digest and signatures, as the chain reports them.
    pub ready: ReadyBatch,
    /// The whole batch.
    pub batch: Batch,
}

/// Whose transactions a folder holds. Of another owner they would only mislead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Owner {
    /// The Router.
    pub router: H160,
    /// The relayer's account.
    pub account: H160,
}

/// Why the log cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The folder cannot be made.
    #[error("the data folder {path} cannot be made: {source}")]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Another process has it.
    #[error(
        "the data folder {0} is in use by another relayer: stop it, or give each a folder of its own (--data)"
    )]
    InUse(PathBuf),
    /// It was written for something else.
    #[error(
        "the data folder {path} belongs to account {:?} at Router {:?}: use another folder (--data)",
        found.account,
        found.router
    )]
    OtherOwner {
        /// The folder.
        path: PathBuf,
        /// Its owner.
        found: Owner,
    },
    /// It failed before and could not be opened again yet.
    #[error(
        "the log is closed after a failure: free the disk, or correct the rights of the data folder"
    )]
    Closed,
    /// It cannot be read or written.
    #[error("the log cannot be read or written: {0}")]
    Storage(Box<redb::Error>),
    /// It holds something else than what this version writes.
    #[error(
        "the log does not read ({0}): remove the data folder; the Router knows what is done, nothing is sent twice"
    )]
    Malformed(codec::Error),
}

impl<E: Into<redb::Error>> From<E> for StoreError {
    fn from(error: E) -> Self {
        Self::Storage(Box::new(error.into()))
    }
}

fn parse<T: Decode>(mut bytes: &[u8]) -> Result<T, StoreError> {
    T::decode(&mut bytes).map_err(StoreError::Malformed)
}

/// What a log holds.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Contents {
    /// Attempts by account nonce.
    pub slots: BTreeMap<u64, Vec<Attempt>>,
    /// The batches that they carry.
    pub batches: Vec<SignedBatch>,
    /// Since when batches of a nonce have waited, in Unix seconds.
    pub waiting: BTreeMap<u64, u64>,
}

/// The log.
#[derive(Debug)]
pub struct Store {
    folder: PathBuf,
    owner: Owner,
    /// Nothing after it failed to open again.
    database: Option<Database>,
}

fn open(folder: &Path, owner: Owner) -> Result<Database, StoreError> {
    std::fs::create_dir_all(folder).map_err(|source| StoreError::Folder {
        path: folder.to_owned(),
        source,
    })?;
    let database = match Database::create(folder.join("relayer.redb")) {
        Err(DatabaseError::DatabaseAlreadyOpen) => {
            return Err(StoreError::InUse(folder.to_owned()));
        }
        database => database?,
    };
    let write = database.begin_write()?;
    {
        let mut meta = write.open_table(META)?;
        let found = meta
            .get(OWNER)?
            .map(|bytes| parse(bytes.value()))
            .transpose()?;
        match found {
            Some(found) if found != owner => {
                return Err(StoreError::OtherOwner {
                    path: folder.to_owned(),
                    found,
                });
            }
            Some(_) => {}
            None => {
                meta.insert(OWNER, owner.encode().as_slice())?;
            }
        }
        write.open_table(SLOTS)?;
        write.open_table(RAW)?;
        write.open_table(BATCHES)?;
        write.open_table(WAITING)?;
    }
    write.commit()?;
    Ok(database)
}

impl Store {
    /// Opens the log in `folder`, or begins one.
    ///
    /// # Errors
    ///
    /// [`StoreError`]: its text says what to do.
    pub fn open(folder: &Path, owner: Owner) -> Result<Self, StoreError> {
        Ok(Self {
            folder: folder.to_owned(),
            owner,
            database: Some(open(folder, owner)?),
        })
    }

    /// Opens it again after a failure, since a database that failed once refuses everything from then on.
    ///
    /// # Errors
    ///
    /// [`StoreError`], as long as the cause lasts.
    pub fn reopen(&mut self) -> Result<(), StoreError> {
        // Closed first: it locks its file.
        self.database = None;
        self.database = Some(open(&self.folder, self.owner)?);
        Ok(())
    }

    fn database(&self) -> Result<&Database, StoreError> {
        self.database.as_ref().ok_or(StoreError::Closed)
    }

    /// Everything that is in it.
    ///
    /// # Errors
    ///
    /// [`StoreError::Storage`], [`StoreError::Malformed`].
    pub fn load(&self) -> Result<Contents, StoreError> {
        let read = self.database()?.begin_read()?;
        let mut contents = Contents::default();
        for entry in read.open_table(SLOTS)?.iter()? {
            let (nonce, attempts) = entry?;
            let attempts = parse(attempts.value())?;
            contents.slots.insert(nonce.value(), attempts);
        }
        for entry in read.open_table(BATCHES)?.iter()? {
            contents.batches.push(parse(entry?.1.value())?);
        }
        for entry in read.open_table(WAITING)?.iter()? {
            let (nonce, since) = entry?;
            contents.waiting.insert(nonce.value(), since.value());
        }
        Ok(contents)
    }

    /// Makes a nonce's attempts durable, with the bytes of the newest and the batch that it carries.
    ///
    /// # Errors
    ///
    /// [`StoreError::Storage`]: nothing of it may be sent.
    pub fn put(
        &self,
        nonce: u64,
        attempts: &[Attempt],
        raw: Option<(H256, &[u8])>,
        batch: Option<&SignedBatch>,
    ) -> Result<(), StoreError> {
        let write = self.database()?.begin_write()?;
        write
            .open_table(SLOTS)?
            .insert(nonce, attempts.encode().as_slice())?;
        if let Some((hash, raw)) = raw {
            write.open_table(RAW)?.insert(hash.0, raw)?;
        }
        if let Some(batch) = batch {
            write
                .open_table(BATCHES)?
                .insert(batch.ready.digest.0, batch.encode().as_slice())?;
        }
        write.commit()?;
        Ok(())
    }

    /// Notes since when batches of each nonce have waited, in Unix seconds, in place of what was noted before.
    ///
    /// # Errors
    ///
    /// [`StoreError::Storage`].
    pub fn note_waiting(&self, waiting: &BTreeMap<u64, u64>) -> Result<(), StoreError> {
        let write = self.database()?.begin_write()?;
        {
            let mut table = write.open_table(WAITING)?;
            table.retain(|nonce, _| waiting.contains_key(&nonce))?;
            for (nonce, since) in waiting {
                table.insert(nonce, since)?;
            }
        }
        write.commit()?;
        Ok(())
    }

    /// The bytes of a transaction.
    ///
    /// # Errors
    ///
    /// [`StoreError::Storage`].
    pub fn raw(&self, hash: H256) -> Result<Option<Vec<u8>>, StoreError> {
        let read = self.database()?.begin_read()?;
        let raw = read.open_table(RAW)?.get(hash.0)?;
        Ok(raw.map(|bytes| bytes.value().to_vec()))
    }

    /// Forgets a nonce, its bytes, and batches that no nonce in `kept` carries.
    ///
    /// # Errors
    ///
    /// [`StoreError::Storage`].
    pub fn forget(&self, nonce: u64, kept: &BTreeSet<H256>) -> Result<(), StoreError> {
        let write = self.database()?.begin_write()?;
        {
            let mut slots = write.open_table(SLOTS)?;
            let attempts: Vec<Attempt> = match slots.remove(nonce)? {
                Some(bytes) => parse(bytes.value())?,
                None => Vec::new(),
            };
            let mut raw = write.open_table(RAW)?;
            for attempt in attempts {
                raw.remove(attempt.hash.0)?;
            }
            write
                .open_table(BATCHES)?
                .retain(|digest, _| kept.contains(&H256(digest)))?;
        }
        write.commit()?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::{Payload, fees::Fees};
    use gear_exe_primitives::batch::BatchHeader;

    fn owner() -> Owner {
        Owner {
            router: H160::repeat_byte(1),
            account: H160::repeat_byte(2),
        }
    }

    fn batch(number: u64) -> SignedBatch {
        let header = BatchHeader {
            genesis: H256::zero(),
            seal_number: number,
            seal_hash: H256::zero(),
            last_round: 0,
            last_round_hash: H256::zero(),
            nonce: number,
            parent: H256::zero(),
            anchor_number: 0,
            anchor_hash: H256::zero(),
            set_id: 0,
            content: H256::zero(),
            expiry: 0,
        };
        SignedBatch {
            ready: ReadyBatch {
                header,
                digest: H256::from_low_u64_be(number),
                signers: vec![1],
                signatures: Vec::new(),
            },
            batch: Batch {
                header,
                spent: 0,
                outbox_end: 0,
                transitions: Vec::new(),
                outbox: Vec::new(),
            },
        }
    }

    fn attempt(number: u64) -> Attempt {
        Attempt {
            hash: H256::from_low_u64_be(100 + number),
            payload: Payload::Batch(H256::from_low_u64_be(number)),
            fees: Fees { max_fee: 2, tip: 1 },
            gas_limit: 3,
            sent_at: 4,
            refused: false,
        }
    }

    #[test]
    fn what_was_put_is_there_after_reopening() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), owner()).unwrap();
        assert_eq!(store.load().unwrap(), Contents::default());
        for number in [1, 2] {
            let attempt = attempt(number);
            store
                .put(
                    number,
                    &[attempt],
                    Some((attempt.hash, &[7, number as u8])),
                    Some(&batch(number)),
                )
                .unwrap();
        }
        store.note_waiting(&[(1, 5), (2, 6)].into()).unwrap();
        store.note_waiting(&[(2, 6), (3, 7)].into()).unwrap();
        drop(store);

        let mut store = Store::open(folder.path(), owner()).unwrap();
        store.reopen().unwrap();
        let contents = store.load().unwrap();
        assert_eq!(contents.slots[&1], [attempt(1)]);
        assert_eq!(contents.slots[&2], [attempt(2)]);
        assert_eq!(contents.batches, [batch(1), batch(2)]);
        assert_eq!(contents.waiting, [(2, 6), (3, 7)].into());
        assert_eq!(store.raw(attempt(2).hash).unwrap(), Some(vec![7, 2]));

        let kept = [H256::from_low_u64_be(2)].into();
        store.forget(1, &kept).unwrap();
        let contents = store.load().unwrap();
        assert_eq!(contents.slots.keys().collect::<Vec<_>>(), [&2]);
        assert_eq!(contents.batches, [batch(2)]);
        assert_eq!(store.raw(attempt(1).hash).unwrap(), None);
    }

    #[test]
    fn a_folder_has_one_owner_and_one_user() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), owner()).unwrap();
        assert!(matches!(
            Store::open(folder.path(), owner()),
            Err(StoreError::InUse(_))
        ));
        drop(store);
        let other = Owner {
            account: H160::zero(),
            ..owner()
        };
        assert!(matches!(
            Store::open(folder.path(), other),
            Err(StoreError::OtherOwner { found, .. }) if found == owner()
        ));
    }
}
