//! Objects of states, one by one and by their hashes: what a machine asks of others to take a state over, or to mend its
//! own store.
//!
//! Unlike the stream of [`snapshot`](crate::snapshot), whoever imports asks for what it lacks, in any order and of many at a
//! time; what it has already, of whatever state, it does not ask for. Whoever answers keeps nothing in mind.

use crate::{
    Executor, Import, MAX_OBJECT_BYTES, Progress, SnapshotError, StoreError,
    state::{
        links::{self, Link},
        staged::{self, Rows, Stage},
        store::{Entry, Object, Table},
    },
};
use gear_exe_primitives::{
    H256,
    proof::{Kind, Values},
};
use std::collections::{HashMap, HashSet};

/// Objects that may be due at a time. A state, however it was made, is far below.
const MAX_OPEN: usize = 1 << 20;

impl Import<'_> {
    /// What is due next, no more than `most`.
    pub fn due(&self, most: usize) -> Vec<(Kind, H256)> {
        let mut seen = HashSet::new();
        let open = self.stage.open.iter().rev();
        open.filter(|link| seen.insert(staged::key(**link)))
            .take(most)
            .map(|link| (link.kind, link.hash))
            .collect()
    }

    /// Takes objects that are [due](Self::due), in any order: all of them or none. What was not due is left aside.
    ///
    /// # Errors
    ///
    /// [`SnapshotError::Wrong`] if one is not what its hash says: its sender is faulty. [`SnapshotError::Malformed`] and
    /// [`SnapshotError::Code`] say that the root is none that this executor can work with, [`SnapshotError::Unknown`] that
    /// another import has begun meanwhile and dropped this one.
    pub fn take(&mut self, objects: &[(Kind, H256, Vec<u8>)]) -> Result<Progress, SnapshotError> {
        let disk = &self.executor.inner.disk;
        if !disk.is_at(&self.stage)? {
            return Err(SnapshotError::Unknown(self.stage.root));
        }
        let mut given = HashMap::new();
        for (kind, hash, bytes) in objects {
            if bytes.len() > MAX_OBJECT_BYTES || kind.hash(bytes) != *hash {
                return Err(SnapshotError::Wrong(*hash));
            }
            let link = Link {
                kind: *kind,
                hash: *hash,
            };
            given.insert(staged::key(link), bytes);
        }
        let (mut stage, mut rows) = (self.stage.clone(), Rows::new());
        let mut left = Vec::new();
        while !given.is_empty()
            && let Some(link) = stage.open.pop()
        {
            if self.has(link, &rows)? {
                continue;
            }
            match given.remove(&staged::key(link)) {
                Some(bytes) => self.stage_object(link, bytes, &mut stage, &mut rows)?,
                None => left.push(link),
            }
        }
        stage.open.extend(left.into_iter().rev());
        // What has come meanwhile, or is there from another state, is not due any more.
        while let Some(link) = stage.open.last().copied()
            && self.has(link, &rows)?
        {
            stage.open.pop();
        }
        stage.chunks += 1;
        if !disk.add_to_stage(&self.stage, &stage, &rows)? {
            return Err(SnapshotError::Unknown(stage.root));
        }
        self.stage = stage;
        Ok(self.progress())
    }

    fn stage_object(
        &self,
        link: Link,
        bytes: &[u8],
        stage: &mut Stage,
        rows: &mut Rows,
    ) -> Result<(), SnapshotError> {
        stage.objects += 1;
        stage.bytes += bytes.len() as u64;
        if link.kind == Kind::Code {
            self.executor.add_code(bytes)?;
            rows.insert(staged::key(link), None);
            return Ok(());
        }
        let below = links::links(link.kind, bytes);
        let below = below.ok_or(SnapshotError::Malformed(link.hash))?;
        let object = Object::new(link.kind, bytes.to_vec(), &below);
        rows.insert(link.hash, Some(object));
        stage.open.extend(below.into_iter().rev());
        if stage.open.len() > MAX_OPEN {
            return Err(SnapshotError::Malformed(stage.root));
        }
        Ok(())
    }

    fn has(&self, link: Link, rows: &Rows) -> Result<bool, StoreError> {
        let disk = &self.executor.inner.disk;
        Ok(rows.contains_key(&staged::key(link)) || disk.is_staged(link)? || disk.has(link)?)
    }
}

impl Executor {
    /// The bytes of a stored object of whatever state, with the [tag](Kind::tag) of its kind; nothing if there is none.
    /// Codes are apart: [`Self::code`].
    ///
    /// # Errors
    ///
    /// [`StoreError::Corrupt`] if the store has other bytes than it should, or another error if it cannot be read.
    pub fn object(&self, hash: H256) -> Result<Option<(u8, Vec<u8>)>, StoreError> {
        match self.inner.disk.object(hash) {
            Ok(object) => Ok(Some((object.tag(), object.bytes))),
            Err(StoreError::Missing(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Puts an object back that is damaged, or lost though others name it. How many name it stays as it was counted.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unexpected`] if these are not the bytes with this hash; nothing is changed then.
    pub fn restore(&self, hash: H256, tag: u8, bytes: Vec<u8>) -> Result<(), StoreError> {
        let kind = kind_of(tag).ok_or(StoreError::Unexpected(hash))?;
        if kind.hash(&bytes) != hash {
            return Err(StoreError::Unexpected(hash));
        }
        let below = links::links(kind, &bytes).ok_or(StoreError::Unexpected(hash))?;
        let object = Object::new(kind, bytes, &below).encode();
        self.inner.disk.write(&[Entry {
            table: Table::Content,
            key: hash,
            value: &object,
        }])
    }
}

/// A kind with this tag; nothing if there is none. Where several share one, what their objects name is read alike.
fn kind_of(tag: u8) -> Option<Kind> {
    let plain = [Kind::Bytes, Kind::Root, Kind::State, Kind::Allocations];
    let levels = (0..3).map(Kind::Pages);
    let leaves = (0..64).map(Kind::Leaf);
    let values = VALUES
        .into_iter()
        .flat_map(|values| [Kind::Node(values), Kind::Value(values)]);
    let all = plain.into_iter().chain(levels).chain(leaves).chain(values);
    all.into_iter().find(|kind| kind.tag() == tag)
}

/// All that maps may have for values.
const VALUES: [Values; 13] = [
    Values::Programs,
    Values::Keys,
    Values::Queue,
    Values::Waiting,
    Values::Stash,
    Values::Mailbox,
    Values::Mail,
    Values::Outgoing,
    Values::OutgoingLine,
    Values::Held,
    Values::HeldLine,
    Values::Inbox,
    Values::Codes,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_known_by_its_tag() {
        let pages = (0..4).map(Kind::Pages);
        let nodes = VALUES.map(Kind::Node).into_iter();
        let values = VALUES.map(Kind::Value).into_iter();
        let plain = [Kind::Root, Kind::State, Kind::Allocations, Kind::Bytes];
        let plain = plain.into_iter().chain([Kind::Leaf(0), Kind::Leaf(1)]);
        for kind in pages.chain(nodes).chain(values).chain(plain) {
            assert_eq!(kind_of(kind.tag()).map(Kind::tag), Some(kind.tag()));
        }
        assert_eq!(kind_of(8), None);
        assert_eq!(kind_of(255), None);
    }
}
