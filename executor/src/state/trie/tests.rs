//! The map against the standard library's, and its shape against its history.

use super::*;
use crate::state::store::Disk;
use std::{collections::BTreeMap, sync::Arc};

const KEYS: Values = Values::Keys;

fn content() -> Content {
    Content::new(&Arc::new(Disk::open(None).unwrap()))
}

struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }

    fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.below(256) as u8).collect()
    }

    /// Mostly short, some too long for a node.
    fn value(&mut self) -> Vec<u8> {
        let length = match self.below(20) {
            0 => INLINE + 1 + self.below(9_000) as usize,
            1 => INLINE - self.below(2) as usize,
            _ => self.below(90) as usize,
        };
        self.bytes(length)
    }
}

/// Kinds of keys, hostile ones among them.
fn key(kind: u64, random: &mut Random) -> Vec<u8> {
    match kind {
        // Hashes.
        0 => random.bytes(32),
        // Addresses.
        1 => [vec![0; 12], random.bytes(20)].concat(),
        // All with one beginning.
        2 => [vec![7; 30], random.bytes(2)].concat(),
        // One longer way after the other.
        3 => {
            let mut key = vec![0; 32];
            let at = random.below(64) as usize;
            key[at / 2] = if at.is_multiple_of(2) { 0x10 } else { 1 };
            key[31] |= random.below(4) as u8;
            key
        }
        // Of all lengths, some the beginning of others.
        _ => {
            let length = random.below(6) as usize;
            (0..length).map(|_| random.below(3) as u8 * 0x11).collect()
        }
    }
}

fn filled(content: &Content, entries: &BTreeMap<Vec<u8>, Vec<u8>>) -> Option<H256> {
    let mut trie = Trie::new(None);
    for (key, value) in entries {
        trie.insert(content, KEYS, key.clone(), value.clone())
            .unwrap();
    }
    trie.store(content, KEYS).unwrap()
}

fn listed(content: &Content, hash: Option<H256>) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let mut all = Vec::new();
    if let Some(hash) = hash {
        visit(content, hash, &mut |key, value| {
            all.push((key.to_vec(), value));
            Ok(())
        })
        .unwrap();
    }
    assert!(all.is_sorted_by(|one, other| one.0 < other.0));
    all.into_iter().collect()
}

#[test]
fn the_shape_depends_on_the_entries_alone() {
    for kind in 0..5 {
        for seed in 1..=6u64 {
            let content = content();
            let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) + kind);
            let (mut trie, mut model) = (Trie::new(None), BTreeMap::new());
            for turn in 0..600 {
                let grows = turn / 150 % 2 == 0;
                if random.below(10) < if grows { 8 } else { 2 } {
                    let (key, value) = (key(kind, &mut random), random.value());
                    trie.insert(&content, KEYS, key.clone(), value.clone())
                        .unwrap();
                    model.insert(key, value);
                } else {
                    let key = match random.below(4) {
                        0 => key(kind, &mut random),
                        _ => {
                            let from = key(kind, &mut random);
                            let next = model.range(from..).next();
                            next.map(|(key, _)| key.clone()).unwrap_or_default()
                        }
                    };
                    let old = trie.remove(&content, &key).unwrap();
                    assert_eq!(old, model.remove(&key));
                }
                let probe = key(kind, &mut random);
                assert_eq!(
                    trie.get(&content, &probe).unwrap(),
                    model.get(&probe).cloned()
                );
                let next = model.range(probe.clone()..).next();
                let next = next.map(|(key, value)| (key.clone(), value.clone()));
                assert_eq!(trie.seek(&content, &probe).unwrap(), next);
                let last = model.last_key_value();
                let last = last.map(|(key, value)| (key.clone(), value.clone()));
                assert_eq!(trie.last(&content).unwrap(), last);
                assert_eq!(trie.is_empty(), model.is_empty());
                if random.below(10) == 0 {
                    let hash = trie.store(&content, KEYS).unwrap();
                    assert_eq!(hash, filled(&content, &model), "kind {kind}, seed {seed}");
                    assert_eq!(listed(&content, hash), model);
                    if random.below(2) == 0 {
                        trie = Trie::new(hash);
                    }
                }
            }
            let all: Vec<_> = model.keys().cloned().collect();
            for key in all {
                trie.remove(&content, &key).unwrap();
            }
            assert_eq!(trie.store(&content, KEYS).unwrap(), None);
            // No node is larger than it may be.
            for (hash, object) in content.take_added() {
                let mut rest = object.bytes.as_slice();
                if let Ok(Node::Bucket(entries)) = codec::Decode::decode(&mut rest)
                    && rest.is_empty()
                {
                    assert!(
                        entries.len() == 1 || weight(&entries) <= BUCKET,
                        "{hash:?} is too large"
                    );
                    assert!(object.bytes.len() < 2 * BUCKET as usize);
                }
            }
        }
    }
}

#[test]
fn a_change_costs_one_way() {
    let content = content();
    let mut random = Random(7);
    let mut entries = BTreeMap::new();
    for _ in 0..100_000 {
        entries.insert(random.bytes(32), random.bytes(64));
    }
    let hash = filled(&content, &entries);
    let keys: Vec<_> = entries.keys().take(20).cloned().collect();
    content.take_all();
    for key in keys {
        let mut trie = Trie::new(hash);
        trie.insert(&content, KEYS, key.clone(), vec![1]).unwrap();
        trie.store(&content, KEYS).unwrap();
        let added = content.take_added();
        assert!(added.len() <= 6, "{} objects", added.len());
        let bytes: usize = added.values().map(|object| object.bytes.len()).sum();
        assert!(bytes < 12_000, "{bytes} bytes");
        // What is set to what it was changes nothing, nor does what comes and goes.
        let mut trie = Trie::new(hash);
        let same = entries[&key].clone();
        trie.insert(&content, KEYS, key.clone(), same.clone())
            .unwrap();
        assert_eq!(trie.store(&content, KEYS).unwrap(), hash);
        assert!(content.take_added().is_empty());
        trie.remove(&content, &key).unwrap();
        trie.insert(&content, KEYS, key, same).unwrap();
        assert_eq!(trie.store(&content, KEYS).unwrap(), hash);
        content.take_added();
    }
}

#[test]
fn what_is_no_node_is_refused() {
    let content = content();
    let branch = |children: Vec<Child>| {
        let node = Node::Branch(Branch {
            at: 0,
            prefix: Vec::new(),
            children,
        });
        content.add(Object::new(Kind::Node(KEYS), node.encode(), &[]))
    };
    let empty = Node::Bucket(Vec::new()).encode();
    let empty = content.add(Object::new(Kind::Node(KEYS), empty, &[]));
    let lonely = branch(vec![Child {
        digit: 1,
        weight: 9_000,
        hash: empty,
    }]);
    let noise = content.put_bytes(vec![9; 100]);
    for hash in [empty, lonely, branch(Vec::new()), noise] {
        let mut trie = Trie::new(Some(hash));
        for refused in [
            trie.get(&content, &[1]).map(|_| ()),
            trie.seek(&content, &[]).map(|_| ()),
            trie.last(&content).map(|_| ()),
            trie.insert(&content, KEYS, vec![1], vec![]).map(|_| ()),
            trie.remove(&content, &[1]).map(|_| ()),
        ] {
            assert!(matches!(refused, Err(StoreError::Unexpected(found)) if found == hash));
        }
    }
}
