//! A snapshot on its way into the store. Its objects lie apart until all are there: nothing takes a state for whole before
//! it is. Then they become content, counted and kept, in one transaction.

use super::{
    links::Link,
    store::{Disk, Object, Table, keep, object, refer, references},
};
use crate::StoreError;
use codec::{Decode, Encode};
use gear_exe_primitives::{CodeId, proof::Kind};
use primitive_types::H256;
use redb::{ReadTransaction, ReadableDatabase, ReadableTable};
use std::collections::HashMap;

/// Where the format's table has how far the snapshot is.
const STAGE: H256 = H256::repeat_byte(2);

/// How far a snapshot is.
#[derive(Clone, Debug, Encode, Decode)]
pub(crate) struct Stage {
    /// What it is of.
    pub(crate) root: H256,
    /// What is still to come, the next one last. Some of it may be there already.
    pub(crate) open: Vec<Link>,
    pub(crate) chunks: u64,
    pub(crate) objects: u64,
    pub(crate) bytes: u64,
}

/// Codes have the same hashes as payloads with the same bytes, but are kept apart.
pub(crate) fn key(link: Link) -> H256 {
    match link.kind {
        Kind::Code => Kind::Code.hash(&[b"code", link.hash.as_bytes()].concat()),
        _ => link.hash,
    }
}

/// What is staged: an object, or nothing in place of a code.
pub(crate) type Rows = HashMap<H256, Option<Object>>;

impl Disk {
    /// How far the snapshot is that was begun, if one was.
    pub(crate) fn stage(&self) -> Result<Option<Stage>, StoreError> {
        let Some(bytes) = self.get(Table::Format, STAGE)? else {
            return Ok(None);
        };
        let stage = Stage::decode(&mut bytes.as_slice());
        stage.map(Some).map_err(|_| StoreError::Corrupt(STAGE))
    }

    pub(crate) fn is_staged(&self, link: Link) -> Result<bool, StoreError> {
        self.contains(Table::Staged, key(link))
    }

    /// Whether an object or code is part of the store, with everything that it names.
    pub(crate) fn has(&self, link: Link) -> Result<bool, StoreError> {
        match link.kind {
            Kind::Code => self.contains(Table::Codes, link.hash),
            _ => self.contains(Table::Content, link.hash),
        }
    }

    /// Begins a snapshot, and drops what there was of another.
    pub(crate) fn begin_stage(&self, stage: &Stage) -> Result<(), StoreError> {
        let transaction = self.database.begin_write()?;
        transaction.delete_table(Table::Staged.definition())?;
        {
            transaction.open_table(Table::Staged.definition())?;
            let mut format = transaction.open_table(Table::Format.definition())?;
            format.insert(STAGE.0, stage.encode().as_slice())?;
        }
        transaction.commit()?;
        Ok(())
    }

    /// Whether the snapshot is still as far as this.
    pub(crate) fn is_at(&self, stage: &Stage) -> Result<bool, StoreError> {
        let there = self.get(Table::Format, STAGE)?;
        Ok(there.is_some_and(|there| there == stage.encode()))
    }

    /// Adds objects to a snapshot that is as far as `before`. False, and nothing is added, if it is not: another has begun
    /// meanwhile.
    pub(crate) fn add_to_stage(
        &self,
        before: &Stage,
        stage: &Stage,
        rows: &Rows,
    ) -> Result<bool, StoreError> {
        let transaction = self.database.begin_write()?;
        {
            let mut format = transaction.open_table(Table::Format.definition())?;
            let there = format.get(STAGE.0)?;
            if there.is_none_or(|there| there.value() != before.encode()) {
                return Ok(false);
            }
            let mut staged = transaction.open_table(Table::Staged.definition())?;
            for (key, object) in rows {
                let bytes = object.as_ref().map(Object::encode).unwrap_or_default();
                staged.insert(key.0, bytes.as_slice())?;
            }
            format.insert(STAGE.0, stage.encode().as_slice())?;
        }
        transaction.commit()?;
        Ok(true)
    }

    /// Drops what there is of a snapshot.
    pub(crate) fn drop_stage(&self) -> Result<(), StoreError> {
        let transaction = self.database.begin_write()?;
        transaction.delete_table(Table::Staged.definition())?;
        {
            transaction.open_table(Table::Staged.definition())?;
            let mut format = transaction.open_table(Table::Format.definition())?;
            format.remove(STAGE.0)?;
        }
        transaction.commit()?;
        Ok(())
    }

    /// Makes a whole snapshot part of the content, and keeps its root in place of the one that was kept before.
    pub(crate) fn finish_stage(&self, root: H256) -> Result<(), StoreError> {
        let transaction = self.database.begin_write()?;
        {
            let mut content = transaction.open_table(Table::Content.definition())?;
            let mut counts = transaction.open_table(Table::References.definition())?;
            let mut format = transaction.open_table(Table::Format.definition())?;
            let staged = transaction.open_table(Table::Staged.definition())?;
            let mut named = Vec::new();
            for row in staged.iter()? {
                let (key, value) = row?;
                let key = H256(key.value());
                if value.value().is_empty() || content.get(key.0)?.is_some() {
                    continue;
                }
                let links = Object::links_of(value.value()).ok_or(StoreError::Corrupt(key))?;
                for link in links {
                    refer(&mut counts, link, 1)?;
                    if content.get(link.0)?.is_none() {
                        named.push(link);
                    }
                }
                content.insert(key.0, value.value())?;
            }
            // What was stored already when it was due may have been forgotten since.
            for link in named {
                if content.get(link.0)?.is_none() {
                    return Err(StoreError::Missing(link));
                }
            }
            if content.get(root.0)?.is_none() {
                return Err(StoreError::Missing(root));
            }
            // As if an outcome named it, until it is kept.
            refer(&mut counts, root, 1)?;
            keep(&mut content, &mut counts, &mut format, Some(root))?;
            let count = references(&counts, root)?.saturating_sub(1);
            counts.insert(root.0, count.to_le_bytes().as_slice())?;
            format.remove(STAGE.0)?;
        }
        transaction.delete_table(Table::Staged.definition())?;
        transaction.open_table(Table::Staged.definition())?;
        transaction.commit()?;
        Ok(())
    }

    /// The store as it is now, whatever is written later.
    pub(crate) fn view(&self) -> Result<View, StoreError> {
        Ok(View(self.database.begin_read()?))
    }
}

/// The store as it was at one moment.
pub(crate) struct View(ReadTransaction);

impl View {
    /// The bytes of an object or code.
    pub(crate) fn bytes(&self, link: Link) -> Result<Vec<u8>, StoreError> {
        if link.kind != Kind::Code {
            return Ok(object(&self.0, link.hash)?.bytes);
        }
        let codes = self.0.open_table(Table::Codes.definition())?;
        let wasm = codes.get(link.hash.0)?;
        let wasm = wasm.ok_or(StoreError::Missing(link.hash))?.value().to_vec();
        match CodeId::of(&wasm).0 == link.hash {
            true => Ok(wasm),
            false => Err(StoreError::Corrupt(link.hash)),
        }
    }

    /// Whether a walk through a state can come to this more than once.
    pub(crate) fn is_shared(&self, link: Link) -> Result<bool, StoreError> {
        if link.kind == Kind::Code {
            return Ok(true);
        }
        let counts = self.0.open_table(Table::References.definition())?;
        Ok(references(&counts, link.hash)? > 1)
    }
}
