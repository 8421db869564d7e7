//! A state on its way to another machine: a stream of chunks that are checked one by one as they arrive.
//!
//! The objects of a state come in one order, which the state alone decides: the root first, below each object what it
//! names, from the first to the last, and nothing twice. So whoever imports knows before each object what its hash must be
//! and what it is; the stream says nothing but bytes, and anything else than what is due is refused before it is stored.
//! All who have the state cut the same chunks, so one may come from here and the next from there; where a chunk ends
//! follows from what is in it, so that nobody can pass off a part of one. The codes of the state's programs are part of
//! the stream; they are validated and compiled when they arrive.

use crate::{
    CodeError, Executor, StoreError,
    state::{
        links::{self, Link},
        staged::{self, Rows, Stage, View},
        store::{Object, Table},
    },
};
use codec::{Compact, Decode, Encode};
use gear_exe_primitives::{H256, proof::Kind};
use std::collections::HashSet;

/// Bytes of objects with which a chunk is full: it ends with the object that brings it there. Only the last may have less.
pub const CHUNK_BYTES: usize = 256 << 10;
/// Longest object.
pub const MAX_OBJECT_BYTES: usize = 8 << 20;
/// Longest chunk. In front of an object stands its length, which has no more bytes than the object, or four.
pub const MAX_CHUNK_BYTES: usize = MAX_OBJECT_BYTES + 2 * CHUNK_BYTES + 64;
/// Objects that may be due at a time. A state, however it was made, is far below.
const MAX_OPEN: usize = 1 << 20;

/// Why a chunk is refused, or a snapshot not finished. What was taken before stays.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum SnapshotError {
    #[error(
        "a chunk of a snapshot is no list of objects, or cut in the wrong place; its sender is faulty: ask another node"
    )]
    Chunk,
    #[error(
        "an object of a snapshot is not the one that is due, {0:?}; its sender is faulty: ask another node"
    )]
    Wrong(H256),
    #[error("a snapshot goes on after its end; its sender is faulty: ask another node")]
    Excess,
    #[error("{0:?} is not of the kind that it has to be: the root is not that of a state")]
    Malformed(H256),
    #[error("a code of the snapshot is refused: {0}")]
    Code(#[from] CodeError),
    #[error("the snapshot is not whole: {0:?} is due next")]
    Incomplete(H256),
    #[error("there is no unfinished snapshot of {0:?}; begin it anew")]
    Unknown(H256),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// How far an import is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Chunks taken. The next one is that of this number in the stream, counted from zero.
    pub chunks: u64,
    /// Objects and codes taken.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Nothing is due any more: [`Import::finish`] can be called.
    pub complete: bool,
}

/// The chunks of a state, in order. They are of the store as it was when the export began.
pub struct Export {
    view: View,
    open: Vec<Link>,
    /// What came and may come again.
    seen: HashSet<H256>,
    failed: bool,
}

impl Export {
    /// The next object.
    fn object(&mut self) -> Result<Option<Vec<u8>>, StoreError> {
        while let Some(link) = self.open.pop() {
            if self.view.is_shared(link)? && !self.seen.insert(staged::key(link)) {
                continue;
            }
            let bytes = self.view.bytes(link)?;
            let below = links::links(link.kind, &bytes);
            let below = below.ok_or(StoreError::Unexpected(link.hash))?;
            self.open.extend(below.into_iter().rev());
            return Ok(Some(bytes));
        }
        Ok(None)
    }

    fn chunk(&mut self) -> Result<Option<Vec<u8>>, StoreError> {
        let (mut count, mut size, mut body) = (0u32, 0, Vec::new());
        while size < CHUNK_BYTES
            && let Some(bytes) = self.object()?
        {
            count += 1;
            size += bytes.len();
            bytes.encode_to(&mut body);
        }
        if count == 0 {
            return Ok(None);
        }
        let mut chunk = Compact(count).encode();
        chunk.append(&mut body);
        Ok(Some(chunk))
    }
}

impl Iterator for Export {
    type Item = Result<Vec<u8>, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let chunk = self.chunk();
        self.failed = chunk.is_err();
        chunk.transpose()
    }
}

/// A state that is being imported. What was taken is on disk: after a restart the import of the same root goes on where it
/// stood.
pub struct Import<'a> {
    pub(crate) executor: &'a Executor,
    pub(crate) stage: Stage,
}

impl Import<'_> {
    /// How far it is.
    pub fn progress(&self) -> Progress {
        Progress {
            chunks: self.stage.chunks,
            objects: self.stage.objects,
            bytes: self.stage.bytes,
            complete: self.stage.open.is_empty(),
        }
    }

    /// Takes the next chunk, whole or not at all.
    ///
    /// # Errors
    ///
    /// [`SnapshotError`]; another sender may have the right chunk. [`SnapshotError::Malformed`] and
    /// [`SnapshotError::Code`] say that the root is none that this executor can work with, [`SnapshotError::Unknown`] that
    /// another import has begun meanwhile and dropped this one.
    pub fn push(&mut self, chunk: &[u8]) -> Result<Progress, SnapshotError> {
        let disk = &self.executor.inner.disk;
        if !disk.is_at(&self.stage)? {
            return Err(SnapshotError::Unknown(self.stage.root));
        }
        let mut objects = Objects::of(chunk)?;
        let (mut stage, mut rows) = (self.stage.clone(), Rows::new());
        while let Some(bytes) = objects.next()? {
            let link = stage.open.pop().ok_or(SnapshotError::Excess)?;
            if link.kind.hash(bytes) != link.hash {
                return Err(SnapshotError::Wrong(link.hash));
            }
            stage.objects += 1;
            stage.bytes += bytes.len() as u64;
            if link.kind == Kind::Code {
                self.executor.add_code(bytes)?;
                rows.insert(staged::key(link), None);
            } else {
                let below = links::links(link.kind, bytes);
                let below = below.ok_or(SnapshotError::Malformed(link.hash))?;
                let object = Object::new(link.kind, bytes.to_vec(), &below);
                rows.insert(link.hash, Some(object));
                stage.open.extend(below.into_iter().rev());
                if stage.open.len() > MAX_OPEN {
                    return Err(SnapshotError::Malformed(stage.root));
                }
            }
            self.skip(&mut stage, &rows)?;
        }
        if !objects.is_full() && !stage.open.is_empty() {
            return Err(SnapshotError::Chunk);
        }
        stage.chunks += 1;
        if !disk.add_to_stage(&self.stage, &stage, &rows)? {
            return Err(SnapshotError::Unknown(stage.root));
        }
        self.stage = stage;
        Ok(self.progress())
    }

    /// What has come already is not due any more.
    fn skip(&self, stage: &mut Stage, rows: &Rows) -> Result<(), StoreError> {
        while let Some(link) = stage.open.last().copied() {
            let is_there = rows.contains_key(&staged::key(link))
                || self.executor.inner.disk.is_staged(link)?;
            if !is_there {
                break;
            }
            stage.open.pop();
        }
        Ok(())
    }

    /// Makes the state one of this store, in one transaction: rounds can be built upon it, and it can be read. It is kept as
    /// [`Executor::forget`] keeps a root, in place of the one that was kept before.
    ///
    /// # Errors
    ///
    /// [`SnapshotError::Incomplete`] if something is still due.
    pub fn finish(self) -> Result<(), SnapshotError> {
        if let Some(next) = self.stage.open.last() {
            return Err(SnapshotError::Incomplete(next.hash));
        }
        let inner = &self.executor.inner;
        let _one_at_a_time = inner.round.lock();
        // Another import may have begun meanwhile, and dropped this one.
        let root = self.stage.root;
        match inner.disk.stage()? {
            Some(stage) if stage.root == root && stage.chunks == self.stage.chunks => {}
            _ => return Err(SnapshotError::Unknown(root)),
        }
        Ok(inner.disk.finish_stage(root)?)
    }
}

/// The objects of a chunk, one by one: what it says of their number and lengths costs nothing before they are there.
struct Objects<'a> {
    left: u32,
    rest: &'a [u8],
    /// Bytes of those that were read.
    size: usize,
}

impl<'a> Objects<'a> {
    fn of(mut chunk: &'a [u8]) -> Result<Self, SnapshotError> {
        let left = length(&mut chunk)?;
        if left == 0 || chunk.len() > MAX_CHUNK_BYTES {
            return Err(SnapshotError::Chunk);
        }
        Ok(Self {
            left,
            rest: chunk,
            size: 0,
        })
    }

    fn is_full(&self) -> bool {
        self.size >= CHUNK_BYTES
    }

    /// The next one; nothing if that was all. What comes after the one that fills the chunk is none of it.
    fn next(&mut self) -> Result<Option<&'a [u8]>, SnapshotError> {
        if self.left == 0 {
            return match self.rest {
                [] => Ok(None),
                _ => Err(SnapshotError::Chunk),
            };
        }
        let length = length(&mut self.rest)? as usize;
        if length > MAX_OBJECT_BYTES || self.is_full() {
            return Err(SnapshotError::Chunk);
        }
        let parts = self.rest.split_at_checked(length);
        let (object, rest) = parts.ok_or(SnapshotError::Chunk)?;
        self.left -= 1;
        self.size += length;
        self.rest = rest;
        Ok(Some(object))
    }
}

fn length(rest: &mut &[u8]) -> Result<u32, SnapshotError> {
    let length = Compact::<u32>::decode(rest);
    length
        .map(|length| length.0)
        .map_err(|_| SnapshotError::Chunk)
}

/// What an object of this kind names, in the order of a stream; nothing if it is no such object.
#[doc(hidden)]
pub fn named_by(kind: Kind, bytes: &[u8]) -> Option<Vec<(Kind, H256)>> {
    let links = links::links(kind, bytes)?.into_iter();
    Some(links.map(|link| (link.kind, link.hash)).collect())
}

impl Executor {
    /// The state behind `root` in chunks of [`CHUNK_BYTES`] and what the last object of each has beyond. It is that of the
    /// store as it is now, whatever is forgotten later; as long as it is held, the file cannot reuse what is forgotten.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the root is not stored.
    pub fn export(&self, root: H256) -> Result<Export, StoreError> {
        let link = Link {
            kind: Kind::Root,
            hash: root,
        };
        let view = self.inner.disk.view()?;
        view.bytes(link)?;
        Ok(Export {
            view,
            open: vec![link],
            seen: HashSet::new(),
            failed: false,
        })
    }

    /// Begins to import the state behind `root`, or goes on with it. There is one import at a time: that of another root is
    /// dropped. A state that is stored already needs no chunks.
    ///
    /// # Errors
    ///
    /// [`SnapshotError::Store`] if the store fails.
    pub fn importer(&self, root: H256) -> Result<Import<'_>, SnapshotError> {
        let disk = &self.inner.disk;
        let stage = match disk.stage()? {
            Some(stage) if stage.root == root => stage,
            _ => {
                let stored = disk.contains(Table::Content, root)?;
                let link = Link {
                    kind: Kind::Root,
                    hash: root,
                };
                let stage = Stage {
                    root,
                    open: if stored { Vec::new() } else { vec![link] },
                    chunks: 0,
                    objects: 0,
                    bytes: 0,
                };
                disk.begin_stage(&stage)?;
                stage
            }
        };
        Ok(Import {
            executor: self,
            stage,
        })
    }

    /// Drops what was taken of a state that is not whole.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the store fails.
    pub fn drop_import(&self) -> Result<(), StoreError> {
        self.inner.disk.drop_stage()
    }
}
