//! A map from keys to bytes as a Merkle tree of stored nodes, of which only those are in memory that somebody asked for.
//!
//! The nodes are those of [`gear_exe_primitives::proof`]: their shape follows from the entries alone, so that two nodes
//! that got to the same entries on different ways agree. A change costs the nodes on the way to its key; they are hashed
//! when the map is stored, once for all changes of a round.

#[cfg(test)]
mod tests;

use super::{
    links::{node_links, value_links},
    store::{Content, Object},
};
use crate::StoreError;
use codec::Encode;
use gear_exe_primitives::proof::{
    BUCKET, Branch, Child, Entry, INLINE, Kind, Node, Value, Values, WIDTH, common, digit, prefix,
};
use primitive_types::H256;

/// A node, in memory or not.
struct Place {
    /// Of all entries below. Zero as long as nobody knows: that is at the top only.
    weight: u64,
    at: At,
}

enum At {
    Stored(H256),
    Memory(Box<Live>),
}

struct Live {
    /// What it is stored as; nothing since it was changed.
    hash: Option<H256>,
    shape: Shape,
}

enum Shape {
    Bucket(Vec<Entry>),
    Branch(Fork),
}

struct Fork {
    /// As in [`Branch`].
    at: usize,
    prefix: Vec<u8>,
    children: Vec<(u8, Place)>,
}

fn weight(entries: &[Entry]) -> u64 {
    entries.iter().map(Entry::weight).sum()
}

impl Fork {
    fn weight(&self) -> u64 {
        let weights = self.children.iter().map(|(_, child)| child.weight);
        weights.fold(0, u64::saturating_add)
    }

    /// How much of its prefix a key has.
    fn shares(&self, key: &[u8]) -> usize {
        common(key, &self.prefix).min(self.at)
    }

    fn child(&mut self, key: &[u8]) -> Option<&mut Place> {
        let digit = digit(key, self.at);
        let index = self.children.binary_search_by_key(&digit, |child| child.0);
        self.children.get_mut(index.ok()?).map(|(_, child)| child)
    }
}

impl Place {
    /// A node of entries in order, changed.
    fn of(entries: Vec<Entry>) -> Self {
        let weight = weight(&entries);
        let shape = match entries.as_slice() {
            [first, .., last] if weight > BUCKET => {
                let at = common(&first.key, &last.key);
                let prefix = prefix(&first.key, at);
                let mut groups: Vec<(u8, Vec<Entry>)> = Vec::new();
                for entry in entries {
                    let digit = digit(&entry.key, at);
                    match groups.last_mut() {
                        Some((last, group)) if *last == digit => group.push(entry),
                        _ => groups.push((digit, vec![entry])),
                    }
                }
                Shape::Branch(Fork {
                    at,
                    prefix,
                    children: groups
                        .into_iter()
                        .map(|(digit, group)| (digit, Self::of(group)))
                        .collect(),
                })
            }
            _ => Shape::Bucket(entries),
        };
        Self {
            weight,
            at: At::Memory(Box::new(Live { hash: None, shape })),
        }
    }

    /// Brings the node into memory.
    fn open(&mut self, content: &Content) -> Result<&mut Live, StoreError> {
        if let At::Stored(hash) = self.at {
            let wrong = StoreError::Unexpected(hash);
            let shape = match content.get::<Node>(hash)? {
                Node::Bucket(entries) if !entries.is_empty() => {
                    self.weight = weight(&entries);
                    Shape::Bucket(entries)
                }
                Node::Branch(branch) if (2..=WIDTH).contains(&branch.children.len()) => {
                    let fork = Fork {
                        at: branch.at as usize,
                        prefix: branch.prefix,
                        children: branch
                            .children
                            .into_iter()
                            .map(|child| {
                                let place = Self {
                                    weight: child.weight,
                                    at: At::Stored(child.hash),
                                };
                                (child.digit, place)
                            })
                            .collect(),
                    };
                    self.weight = fork.weight();
                    Shape::Branch(fork)
                }
                Node::Bucket(_) | Node::Branch(_) => return Err(wrong),
            };
            self.at = At::Memory(Box::new(Live {
                hash: Some(hash),
                shape,
            }));
        }
        match &mut self.at {
            At::Memory(live) => Ok(live),
            At::Stored(hash) => Err(StoreError::Unexpected(*hash)),
        }
    }

    fn get(&mut self, content: &Content, key: &[u8]) -> Result<Option<&Value>, StoreError> {
        match &mut self.open(content)?.shape {
            Shape::Bucket(entries) => {
                let index = entries.binary_search_by(|entry| entry.key.as_slice().cmp(key));
                Ok(index
                    .ok()
                    .and_then(|index| entries.get(index))
                    .map(|entry| &entry.value))
            }
            Shape::Branch(fork) if fork.shares(key) < fork.at => Ok(None),
            Shape::Branch(fork) => match fork.child(key) {
                Some(child) => child.get(content, key),
                None => Ok(None),
            },
        }
    }

    /// Sets a value. False if it was the same before.
    fn insert(&mut self, content: &Content, new: Entry) -> Result<bool, StoreError> {
        self.open(content)?;
        let weight = self.weight;
        let live = self.open(content)?;
        let changed = match &mut live.shape {
            Shape::Bucket(entries) => {
                match entries.binary_search_by(|entry| entry.key.cmp(&new.key)) {
                    Ok(index) => match entries.get_mut(index) {
                        Some(entry) if entry.value != new.value => {
                            entry.value = new.value;
                            true
                        }
                        _ => false,
                    },
                    Err(index) => {
                        entries.insert(index, new);
                        true
                    }
                }
            }
            Shape::Branch(fork) => {
                let shared = fork.shares(&new.key);
                if shared < fork.at {
                    let ours = digit(&fork.prefix, shared);
                    let theirs = digit(&new.key, shared);
                    let above = Fork {
                        at: shared,
                        prefix: prefix(&new.key, shared),
                        children: vec![(theirs, Self::of(vec![new]))],
                    };
                    let below = std::mem::replace(&mut live.shape, Shape::Branch(above));
                    let below = Self {
                        weight,
                        at: At::Memory(Box::new(Live {
                            hash: live.hash.take(),
                            shape: below,
                        })),
                    };
                    if let Shape::Branch(above) = &mut live.shape {
                        let index = usize::from(ours > theirs);
                        above.children.insert(index, (ours, below));
                    }
                    true
                } else {
                    let digit = digit(&new.key, fork.at);
                    match fork.children.binary_search_by_key(&digit, |child| child.0) {
                        Ok(index) => match fork.children.get_mut(index) {
                            Some((_, child)) => child.insert(content, new)?,
                            None => false,
                        },
                        Err(index) => {
                            fork.children.insert(index, (digit, Self::of(vec![new])));
                            true
                        }
                    }
                }
            }
        };
        if changed {
            self.changed(content)?;
        }
        Ok(changed)
    }

    /// Takes a value out. The place may be empty then.
    fn remove(&mut self, content: &Content, key: &[u8]) -> Result<Option<Value>, StoreError> {
        let old = match &mut self.open(content)?.shape {
            Shape::Bucket(entries) => entries
                .binary_search_by(|entry| entry.key.as_slice().cmp(key))
                .ok()
                .map(|index| entries.remove(index).value),
            Shape::Branch(fork) if fork.shares(key) < fork.at => None,
            Shape::Branch(fork) => {
                let digit = digit(key, fork.at);
                match fork.children.binary_search_by_key(&digit, |child| child.0) {
                    Err(_) => None,
                    Ok(index) => {
                        let child = fork.children.get_mut(index);
                        let old = match child {
                            Some((_, child)) => child.remove(content, key)?,
                            None => None,
                        };
                        if fork
                            .children
                            .get(index)
                            .is_some_and(|child| child.1.is_empty())
                        {
                            fork.children.remove(index);
                        }
                        old
                    }
                }
            }
        };
        if old.is_some() {
            self.changed(content)?;
        }
        Ok(old)
    }

    fn is_empty(&self) -> bool {
        match &self.at {
            At::Stored(_) => false,
            At::Memory(live) => matches!(&live.shape, Shape::Bucket(entries) if entries.is_empty()),
        }
    }

    /// Gives the node, which was changed, the shape and weight that it must have.
    fn changed(&mut self, content: &Content) -> Result<(), StoreError> {
        let live = self.open(content)?;
        live.hash = None;
        let (now, right) = match &live.shape {
            Shape::Bucket(entries) => {
                let now = weight(entries);
                (now, now <= BUCKET || entries.len() < 2)
            }
            Shape::Branch(fork) => {
                let now = fork.weight();
                (now, now > BUCKET && fork.children.len() > 1)
            }
        };
        self.weight = now;
        if right {
            return Ok(());
        }
        if let At::Memory(live) = &mut self.at {
            if let Shape::Branch(fork) = &mut live.shape
                && fork.children.len() == 1
            {
                if let Some((_, only)) = fork.children.pop() {
                    *self = only;
                }
                return Ok(());
            }
            let mut entries = Vec::new();
            live.shape.take(content, &mut entries)?;
            *self = Self::of(entries);
        }
        Ok(())
    }

    /// The first entry whose key is not less than `from`.
    fn seek(&mut self, content: &Content, from: &[u8]) -> Result<Option<Entry>, StoreError> {
        match &mut self.open(content)?.shape {
            Shape::Bucket(entries) => {
                let index = entries.partition_point(|entry| entry.key.as_slice() < from);
                Ok(entries.get(index).cloned())
            }
            Shape::Branch(fork) => {
                let shared = fork.shares(from);
                let least = match shared < fork.at {
                    true if digit(from, shared) > digit(&fork.prefix, shared) => return Ok(None),
                    true => 0,
                    false => digit(from, fork.at),
                };
                for (digit, child) in &mut fork.children {
                    if *digit < least {
                        continue;
                    }
                    if let Some(found) = child.seek(content, from)? {
                        return Ok(Some(found));
                    }
                }
                Ok(None)
            }
        }
    }

    fn last(&mut self, content: &Content) -> Result<Option<&Entry>, StoreError> {
        match &mut self.open(content)?.shape {
            Shape::Bucket(entries) => Ok(entries.last()),
            Shape::Branch(fork) => match fork.children.last_mut() {
                Some((_, child)) => child.last(content),
                None => Ok(None),
            },
        }
    }

    /// Stores what has changed, and names the node.
    fn store(&mut self, content: &Content, values: Values) -> Result<H256, StoreError> {
        let live = match &mut self.at {
            At::Stored(hash) => return Ok(*hash),
            At::Memory(live) => live,
        };
        if let Some(hash) = live.hash {
            return Ok(hash);
        }
        let node = match &mut live.shape {
            Shape::Bucket(entries) => Node::Bucket(std::mem::take(entries)),
            Shape::Branch(fork) => Node::Branch(Branch {
                at: u32::try_from(fork.at).unwrap_or(u32::MAX),
                prefix: fork.prefix.clone(),
                children: fork
                    .children
                    .iter_mut()
                    .map(|(digit, child)| {
                        Ok(Child {
                            digit: *digit,
                            hash: child.store(content, values)?,
                            weight: child.weight,
                        })
                    })
                    .collect::<Result<_, StoreError>>()?,
            }),
        };
        let mut links = Vec::new();
        let read = node_links(values, &node, &mut links);
        let hash = content.add(Object::new(Kind::Node(values), node.encode(), &links));
        read.ok_or(StoreError::Unexpected(hash))?;
        if let (Shape::Bucket(entries), Node::Bucket(taken)) = (&mut live.shape, node) {
            *entries = taken;
        }
        live.hash = Some(hash);
        Ok(hash)
    }
}

impl Shape {
    /// Takes all entries, in order.
    fn take(&mut self, content: &Content, to: &mut Vec<Entry>) -> Result<(), StoreError> {
        match self {
            Self::Bucket(entries) => to.append(entries),
            Self::Branch(fork) => {
                for (_, child) in &mut fork.children {
                    child.open(content)?.shape.take(content, to)?;
                }
            }
        }
        Ok(())
    }
}

/// A key and its value.
pub(crate) type Pair = (Vec<u8>, Vec<u8>);

/// What [`visit`] calls.
type Visitor<'a> = dyn FnMut(&[u8], Vec<u8>) -> Result<(), StoreError> + 'a;

/// A map of which the touched part is in memory.
#[derive(Default)]
pub(crate) struct Trie(Option<Place>);

impl Trie {
    /// The map behind a hash; the empty one for none.
    pub(crate) fn new(hash: Option<H256>) -> Self {
        Self(hash.map(|hash| Place {
            weight: 0,
            at: At::Stored(hash),
        }))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    pub(crate) fn get(
        &mut self,
        content: &Content,
        key: &[u8],
    ) -> Result<Option<Vec<u8>>, StoreError> {
        let Some(place) = &mut self.0 else {
            return Ok(None);
        };
        let value = place.get(content, key)?;
        value.map(|value| bytes(content, value)).transpose()
    }

    /// Sets a value; `values` says what it is.
    pub(crate) fn insert(
        &mut self,
        content: &Content,
        values: Values,
        key: Vec<u8>,
        value: Vec<u8>,
    ) -> Result<(), StoreError> {
        let value = if value.len() > INLINE {
            let mut links = Vec::new();
            let read = value_links(values, &value, &mut links);
            let hash = content.add(Object::new(Kind::Value(values), value, &links));
            read.ok_or(StoreError::Unexpected(hash))?;
            Value::Apart(hash)
        } else {
            Value::Here(value)
        };
        let entry = Entry { key, value };
        match &mut self.0 {
            Some(place) => place.insert(content, entry).map(|_| ()),
            None => {
                self.0 = Some(Place::of(vec![entry]));
                Ok(())
            }
        }
    }

    /// Takes a value out.
    pub(crate) fn remove(
        &mut self,
        content: &Content,
        key: &[u8],
    ) -> Result<Option<Vec<u8>>, StoreError> {
        let Some(place) = &mut self.0 else {
            return Ok(None);
        };
        let old = place.remove(content, key)?;
        if place.is_empty() {
            self.0 = None;
        }
        old.map(|value| bytes(content, &value)).transpose()
    }

    /// Takes all entries, in order.
    pub(crate) fn take(&mut self, content: &Content) -> Result<Vec<Pair>, StoreError> {
        let mut entries = Vec::new();
        if let Some(mut place) = self.0.take() {
            place.open(content)?.shape.take(content, &mut entries)?;
        }
        entries.iter().map(|entry| pair(content, entry)).collect()
    }

    /// The first key that is not less than `from`, with its value.
    pub(crate) fn seek(
        &mut self,
        content: &Content,
        from: &[u8],
    ) -> Result<Option<Pair>, StoreError> {
        let Some(place) = &mut self.0 else {
            return Ok(None);
        };
        let entry = place.seek(content, from)?;
        entry.map(|entry| pair(content, &entry)).transpose()
    }

    /// The last key with its value.
    pub(crate) fn last(&mut self, content: &Content) -> Result<Option<Pair>, StoreError> {
        let Some(place) = &mut self.0 else {
            return Ok(None);
        };
        let entry = place.last(content)?;
        entry.map(|entry| pair(content, entry)).transpose()
    }

    /// Stores what has changed, and names the map.
    pub(crate) fn store(
        &mut self,
        content: &Content,
        values: Values,
    ) -> Result<Option<H256>, StoreError> {
        let place = self.0.as_mut();
        place.map(|place| place.store(content, values)).transpose()
    }
}

fn bytes(content: &Content, value: &Value) -> Result<Vec<u8>, StoreError> {
    match value {
        Value::Here(bytes) => Ok(bytes.clone()),
        Value::Apart(hash) => content.bytes(*hash),
    }
}

fn pair(content: &Content, entry: &Entry) -> Result<Pair, StoreError> {
    Ok((entry.key.clone(), bytes(content, &entry.value)?))
}

/// Calls `each` with all entries of the map behind a hash, in the order of their keys. Nothing of it stays in memory.
pub(crate) fn visit(
    content: &Content,
    hash: H256,
    each: &mut Visitor<'_>,
) -> Result<(), StoreError> {
    match content.get::<Node>(hash)? {
        Node::Bucket(entries) => entries
            .iter()
            .try_for_each(|entry| each(&entry.key, bytes(content, &entry.value)?)),
        Node::Branch(branch) => branch
            .children
            .iter()
            .try_for_each(|child| visit(content, child.hash, each)),
    }
}
