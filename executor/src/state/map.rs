//! The maps of a state, by what they hold: [`Map`] from keys to values, [`Line`](super::line::Line) in order, [`Forest`]
//! of a map or line for each actor.

use super::{
    links::{Linked, whole},
    store::Content,
    trie::{self, Pair, Trie},
};
use crate::StoreError;
use codec::{Decode, Encode};
use gear_exe_primitives::{ActorId, CodeId, MessageId, proof::Values};
use primitive_types::H256;
use std::{collections::BTreeMap, marker::PhantomData};

/// A key: its bytes are in the order of the keys, and none begins with another.
pub(crate) trait Key: Sized {
    fn to_bytes(&self) -> Vec<u8>;
    fn from_bytes(bytes: &[u8]) -> Option<Self>;
}

macro_rules! id_key {
    ($($id:ty),*) => {$(
        impl Key for $id {
            fn to_bytes(&self) -> Vec<u8> {
                self.0.0.to_vec()
            }

            fn from_bytes(bytes: &[u8]) -> Option<Self> {
                <[u8; 32]>::try_from(bytes).ok().map(Self::from)
            }
        }
    )*};
}
id_key!(ActorId, CodeId, MessageId);

impl Key for u64 {
    fn to_bytes(&self) -> Vec<u8> {
        self.to_be_bytes().to_vec()
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self::from_be_bytes)
    }
}

/// An amount first.
impl Key for (u128, ActorId) {
    fn to_bytes(&self) -> Vec<u8> {
        [&self.0.to_be_bytes()[..], self.1.as_ref()].concat()
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (amount, actor) = bytes.split_first_chunk()?;
        Some((u128::from_be_bytes(*amount), ActorId::from_bytes(actor)?))
    }
}

/// A value of a map.
pub(crate) trait Item: Encode + Decode + Linked {
    /// What the map's nodes are.
    const VALUES: Values;
}

macro_rules! values {
    ($($what:ty: $values:ident),* $(,)?) => {$(
        impl $crate::state::map::Item for $what {
            const VALUES: gear_exe_primitives::proof::Values = gear_exe_primitives::proof::Values::$values;
        }
    )*};
}
pub(crate) use values;

/// A map of which the touched part is in memory.
pub(crate) struct Map<K, V> {
    trie: Trie,
    /// What it was loaded from, for errors.
    origin: H256,
    what: PhantomData<fn() -> (K, V)>,
}

impl<K, V> Default for Map<K, V> {
    fn default() -> Self {
        Self::new(None)
    }
}

impl<K, V> Map<K, V> {
    /// The map behind a hash; the empty one for none. Nothing is read yet.
    pub(crate) fn new(hash: Option<H256>) -> Self {
        Self {
            trie: Trie::new(hash),
            origin: hash.unwrap_or_default(),
            what: PhantomData,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.trie.is_empty()
    }
}

impl<K: Key, V: Item> Map<K, V> {
    fn value(&self, bytes: Vec<u8>) -> Result<V, StoreError> {
        whole(&bytes).ok_or(StoreError::Unexpected(self.origin))
    }

    fn entry(&self, found: Option<Pair>) -> Result<Option<(K, V)>, StoreError> {
        let Some((key, value)) = found else {
            return Ok(None);
        };
        let key = K::from_bytes(&key).ok_or(StoreError::Unexpected(self.origin))?;
        Ok(Some((key, self.value(value)?)))
    }

    pub(crate) fn get(&mut self, content: &Content, key: &K) -> Result<Option<V>, StoreError> {
        if self.is_empty() {
            return Ok(None);
        }
        let found = self.trie.get(content, &key.to_bytes())?;
        found.map(|bytes| self.value(bytes)).transpose()
    }

    pub(crate) fn contains(&mut self, content: &Content, key: &K) -> Result<bool, StoreError> {
        Ok(!self.is_empty() && self.trie.get(content, &key.to_bytes())?.is_some())
    }

    pub(crate) fn insert(
        &mut self,
        content: &Content,
        key: &K,
        value: &V,
    ) -> Result<(), StoreError> {
        self.trie
            .insert(content, V::VALUES, key.to_bytes(), value.encode())
    }

    pub(crate) fn remove(&mut self, content: &Content, key: &K) -> Result<Option<V>, StoreError> {
        if self.is_empty() {
            return Ok(None);
        }
        let old = self.trie.remove(content, &key.to_bytes())?;
        old.map(|bytes| self.value(bytes)).transpose()
    }

    /// Takes all entries, in order.
    pub(crate) fn take(&mut self, content: &Content) -> Result<Vec<(K, V)>, StoreError> {
        let all = self.trie.take(content)?;
        all.into_iter()
            .map(|entry| self.entry(Some(entry)))
            .filter_map(Result::transpose)
            .collect()
    }

    /// The first entry from this key on.
    pub(crate) fn seek(
        &mut self,
        content: &Content,
        from: &K,
    ) -> Result<Option<(K, V)>, StoreError> {
        if self.is_empty() {
            return Ok(None);
        }
        let found = self.trie.seek(content, &from.to_bytes())?;
        self.entry(found)
    }

    pub(crate) fn first(&mut self, content: &Content) -> Result<Option<(K, V)>, StoreError> {
        let found = self.trie.seek(content, &[])?;
        self.entry(found)
    }

    pub(crate) fn last(&mut self, content: &Content) -> Result<Option<(K, V)>, StoreError> {
        let found = self.trie.last(content)?;
        self.entry(found)
    }

    /// Calls `each` with the first `most` entries, in order.
    pub(crate) fn first_few(
        &mut self,
        content: &Content,
        most: usize,
        mut each: impl FnMut(K, V),
    ) -> Result<(), StoreError> {
        let mut from = Vec::new();
        for _ in 0..most {
            let Some((key, value)) = self.trie.seek(content, &from)? else {
                break;
            };
            // The least key that is greater, since none begins with another.
            from.clone_from(&key);
            from.push(0);
            if let Some((key, value)) = self.entry(Some((key, value)))? {
                each(key, value);
            }
        }
        Ok(())
    }

    /// Stores what has changed, and names the map.
    pub(crate) fn store(&mut self, content: &Content) -> Result<Option<H256>, StoreError> {
        self.trie.store(content, V::VALUES)
    }

    /// Calls `each` with all entries behind a hash, in order.
    pub(crate) fn visit(
        content: &Content,
        hash: H256,
        mut each: impl FnMut(K, V) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        trie::visit(content, hash, &mut |key, value| {
            let entry = K::from_bytes(key).zip(whole(&value));
            let (key, value) = entry.ok_or(StoreError::Unexpected(hash))?;
            each(key, value)
        })
    }

    /// All entries behind a hash, in order.
    pub(crate) fn list(content: &Content, hash: H256) -> Result<Vec<(K, V)>, StoreError> {
        let mut all = Vec::new();
        Self::visit(content, hash, |key, value| {
            all.push((key, value));
            Ok(())
        })?;
        Ok(all)
    }
}

/// The hash of a part of a [`Forest`].
#[derive(Clone, Copy, Encode, Decode)]
pub(crate) struct Sub(pub(crate) H256);

/// What a [`Forest`] has for each actor.
pub(crate) trait Part: Default {
    /// What the nodes of the outer map are.
    const OUTER: Values;

    fn load(content: &Content, hash: H256) -> Result<Self, StoreError>;
    fn is_empty(&self) -> bool;
    fn store(&mut self, content: &Content) -> Result<Option<H256>, StoreError>;
}

/// A map or line for each actor that has one, none of them empty.
pub(crate) struct Forest<P> {
    /// By actor, the hash of what it has; out of date for what is loaded.
    outer: Trie,
    /// None is empty.
    loaded: BTreeMap<ActorId, P>,
}

impl<P> Default for Forest<P> {
    fn default() -> Self {
        Self::new(None)
    }
}

impl<P> Forest<P> {
    /// The forest behind a hash; the empty one for none. Nothing is read yet.
    pub(crate) fn new(hash: Option<H256>) -> Self {
        Self {
            outer: Trie::new(hash),
            loaded: BTreeMap::new(),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.outer.is_empty() && self.loaded.is_empty()
    }

    /// All of it, if none of it is stored.
    pub(crate) fn in_memory(&self) -> Option<&BTreeMap<ActorId, P>> {
        self.outer.is_empty().then_some(&self.loaded)
    }

    /// Takes what is in memory out.
    pub(crate) fn take_loaded(&mut self) -> BTreeMap<ActorId, P> {
        std::mem::take(&mut self.loaded)
    }
}

impl<P: Part> Forest<P> {
    pub(crate) fn contains(
        &mut self,
        content: &Content,
        actor: ActorId,
    ) -> Result<bool, StoreError> {
        Ok(self.loaded.contains_key(&actor) || self.outer.get(content, actor.as_ref())?.is_some())
    }

    fn load(&mut self, content: &Content, actor: ActorId) -> Result<(), StoreError> {
        if self.outer.is_empty() || self.loaded.contains_key(&actor) {
            return Ok(());
        }
        if let Some(bytes) = self.outer.get(content, actor.as_ref())? {
            let Sub(hash) = whole(&bytes).ok_or(StoreError::Unexpected(actor.0))?;
            self.loaded.insert(actor, P::load(content, hash)?);
        }
        Ok(())
    }

    /// Changes what an actor has. It has something then.
    pub(crate) fn put(
        &mut self,
        content: &Content,
        actor: ActorId,
        change: impl FnOnce(&mut P) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        self.load(content, actor)?;
        change(self.loaded.entry(actor).or_default())
    }

    /// Takes something of what an actor has; nothing if it has nothing.
    pub(crate) fn take<T>(
        &mut self,
        content: &Content,
        actor: ActorId,
        take: impl FnOnce(&mut P) -> Result<Option<T>, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        self.load(content, actor)?;
        let Some(part) = self.loaded.get_mut(&actor) else {
            return Ok(None);
        };
        let taken = take(part)?;
        if part.is_empty() {
            self.loaded.remove(&actor);
            self.outer.remove(content, actor.as_ref())?;
        }
        Ok(taken)
    }

    /// The first actor from this one on that has something.
    pub(crate) fn seek(
        &mut self,
        content: &Content,
        from: ActorId,
    ) -> Result<Option<ActorId>, StoreError> {
        let loaded = self.loaded.range(from..).next().map(|(actor, _)| *actor);
        let stored = match self.outer.seek(content, from.as_ref())? {
            Some((key, _)) => {
                Some(ActorId::from_bytes(&key).ok_or(StoreError::Unexpected(from.0))?)
            }
            None => None,
        };
        Ok(match (loaded, stored) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        })
    }

    /// Stores what has changed, and names the forest.
    pub(crate) fn store(&mut self, content: &Content) -> Result<Option<H256>, StoreError> {
        for (actor, part) in &mut self.loaded {
            let key = actor.as_ref();
            match part.store(content)? {
                Some(hash) => {
                    let value = Sub(hash).encode();
                    self.outer.insert(content, P::OUTER, key.to_vec(), value)?;
                }
                None => {
                    self.outer.remove(content, key)?;
                }
            }
        }
        self.outer.store(content, P::OUTER)
    }
}

/// Hashes of the parts behind a forest's hash.
pub(crate) fn parts(content: &Content, hash: H256) -> Result<BTreeMap<ActorId, H256>, StoreError> {
    let mut all = BTreeMap::new();
    trie::visit(content, hash, &mut |key, value| {
        let entry = ActorId::from_bytes(key).zip(whole::<Sub>(&value));
        let (actor, sub) = entry.ok_or(StoreError::Unexpected(hash))?;
        all.insert(actor, sub.0);
        Ok(())
    })?;
    Ok(all)
}
