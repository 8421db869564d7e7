//! The pages of a program's memory as a Merkle tree: a changed page costs one path, and a page can be proved.
//!
//! | level | children | stored as |
//! |---|---|---|
//! | root | 16 regions | [`MemoryPages`] |
//! | region | 32, of 256 pages | [`Region`] |
//! | below | 16, of 16 pages | [`Few`] |
//! | below | 16 pages | [`Few`] |
//!
//! A page is in the tree if it differs from what it was when the program was created. So the tree depends on the memory
//! alone, not on how it came about, and a tree without pages has no hash at all.

use super::{
    MemoryPages, MemoryPagesRegion, PAGES_PER_REGION,
    links::{Link, Linked, Whole, whole},
    store::Content,
};
use crate::StoreError;
use codec::{Decode, Encode};
use gear_exe_primitives::proof::Kind;
use primitive_types::H256;

/// Children of a node at each level.
const WIDTHS: [usize; 4] = [16, 32, 16, 16];
/// Pages below a child at each level.
const SPANS: [u32; 4] = [PAGES_PER_REGION, 256, 16, 1];

/// Hashes of those children that there are.
#[derive(Encode, Decode)]
struct Few {
    /// Which: the lowest bit stands for the first.
    present: u32,
    hashes: Vec<H256>,
}

impl Few {
    fn pack(hashes: &[Option<H256>]) -> Self {
        let bits = hashes.iter().enumerate();
        Self {
            present: bits.fold(0, |bits, (index, hash)| {
                bits | u32::from(hash.is_some()) << index
            }),
            hashes: hashes.iter().flatten().copied().collect(),
        }
    }

    /// All `width` children; nothing if this is no such node.
    fn unpack(&self, width: usize) -> Option<Vec<Option<H256>>> {
        let mut rest = self.hashes.iter().copied();
        let all: Vec<_> = (0..width)
            .map(|index| (self.present >> index & 1 == 1).then(|| rest.next()))
            .map(|place| place.map_or(Some(None), |hash| hash.map(Some)))
            .collect::<Option<_>>()?;
        let whole =
            rest.next().is_none() && self.present.count_ones() as usize == self.hashes.len();
        whole.then_some(all)
    }
}

/// A region says which pages it has: clients read it by its hash alone.
#[derive(Encode, Decode)]
struct Region {
    /// Number of its first page.
    first: u32,
    parts: Few,
}

impl Linked for Few {
    /// It does not know its level: [`links`] does.
    fn links(&self, to: &mut Vec<Link>) {
        let kind = Kind::Bytes;
        to.extend(self.hashes.iter().map(|hash| Link { kind, hash: *hash }));
    }
}

impl Linked for Region {
    fn links(&self, to: &mut Vec<Link>) {
        self.parts.links(to);
    }
}

impl Whole for Region {
    const KIND: Kind = Kind::Pages(1);
}

impl Whole for Few {
    /// Both of the lower levels have the same hash.
    const KIND: Kind = Kind::Pages(2);
}

/// What a node at this level names. Nothing if it is no such node.
pub(crate) fn links(level: u8, bytes: &[u8]) -> Option<Vec<Link>> {
    let mut all = Vec::new();
    match level {
        0 => whole::<MemoryPages>(bytes)?.links(&mut all),
        1 => whole::<Region>(bytes)?.links(&mut all),
        _ => whole::<Few>(bytes)?.links(&mut all),
    }
    if usize::from(level) + 1 < WIDTHS.len() {
        all.iter_mut()
            .for_each(|link| link.kind = Kind::Pages(level + 1));
    }
    Some(all)
}

/// A node in memory.
struct Node {
    children: Vec<Option<Child>>,
    /// What it is stored as; nothing since it was changed.
    hash: Option<H256>,
}

enum Child {
    Node(Box<Node>),
    Page(H256),
}

impl Node {
    fn new(level: usize) -> Self {
        let width = WIDTHS.get(level).copied().unwrap_or(0);
        Self {
            children: std::iter::repeat_with(|| None).take(width).collect(),
            hash: None,
        }
    }

    fn load(content: &Content, hash: H256, level: usize, first: u32) -> Result<Self, StoreError> {
        let wrong = || StoreError::Unexpected(hash);
        let hashes = match level {
            0 => content.get::<MemoryPages>(hash)?.to_vec(),
            1 => {
                let region: Region = content.get(hash)?;
                if region.first != first {
                    return Err(wrong());
                }
                region.parts.unpack(32).ok_or_else(wrong)?
            }
            _ => content.get::<Few>(hash)?.unpack(16).ok_or_else(wrong)?,
        };
        let span = SPANS.get(level).copied().unwrap_or(1);
        let children = (0u32..)
            .zip(hashes)
            .map(|(index, child)| {
                let Some(child) = child else {
                    return Ok(None);
                };
                if level + 1 == WIDTHS.len() {
                    return Ok(Some(Child::Page(child)));
                }
                let node = Self::load(content, child, level + 1, first + index * span)?;
                Ok(Some(Child::Node(Box::new(node))))
            })
            .collect::<Result<_, StoreError>>()?;
        Ok(Self {
            children,
            hash: Some(hash),
        })
    }

    /// Stores what has changed. Nothing if there are no pages below.
    fn store(&mut self, content: &Content, level: usize, first: u32) -> Option<H256> {
        if self.hash.is_some() {
            return self.hash;
        }
        let span = SPANS.get(level).copied().unwrap_or(1);
        let mut hashes = Vec::with_capacity(self.children.len());
        for (index, place) in (0u32..).zip(&mut self.children) {
            let hash = match place {
                None => None,
                Some(Child::Page(hash)) => Some(*hash),
                Some(Child::Node(node)) => node.store(content, level + 1, first + index * span),
            };
            if hash.is_none() {
                *place = None;
            }
            hashes.push(hash);
        }
        if hashes.iter().all(Option::is_none) {
            return None;
        }
        self.hash = Some(match (level, MemoryPages::try_from(hashes.as_slice())) {
            (0, Ok(regions)) => content.put(&regions),
            (1, _) => content.put(&Region {
                first,
                parts: Few::pack(&hashes),
            }),
            _ => content.put(&Few::pack(&hashes)),
        });
        self.hash
    }

    fn get(&self, level: usize, page: u32) -> Option<H256> {
        let span = SPANS.get(level).copied()?;
        match self.children.get((page / span) as usize)?.as_ref()? {
            Child::Page(hash) => Some(*hash),
            Child::Node(node) => node.get(level + 1, page % span),
        }
    }

    fn set(&mut self, level: usize, page: u32, hash: Option<H256>) {
        let Some(span) = SPANS.get(level).copied() else {
            return;
        };
        let Some(place) = self.children.get_mut((page / span) as usize) else {
            return;
        };
        self.hash = None;
        if level + 1 == WIDTHS.len() {
            *place = hash.map(Child::Page);
            return;
        }
        let child = place.get_or_insert_with(|| Child::Node(Box::new(Self::new(level + 1))));
        if let Child::Node(node) = child {
            node.set(level + 1, page % span, hash);
        }
    }

    fn list(&self, level: usize, first: u32, into: &mut Vec<(u32, H256)>) {
        let span = SPANS.get(level).copied().unwrap_or(1);
        for (index, place) in (0u32..).zip(&self.children) {
            match place {
                None => {}
                Some(Child::Page(hash)) => into.push((first + index, *hash)),
                Some(Child::Node(node)) => node.list(level + 1, first + index * span, into),
            }
        }
    }
}

/// Hashes of a program's pages, in memory.
pub(crate) struct Pages(Node);

impl Pages {
    /// Most pages that there can be.
    pub(crate) const MOST: u32 = 16 * PAGES_PER_REGION;

    /// The tree behind a hash, whole; the empty one for none.
    pub(crate) fn load(content: &Content, hash: Option<H256>) -> Result<Self, StoreError> {
        let node = hash.map_or_else(|| Ok(Node::new(0)), |hash| Node::load(content, hash, 0, 0))?;
        Ok(Self(node))
    }

    /// Stores what has changed, and names the tree.
    pub(crate) fn store(&mut self, content: &Content) -> Option<H256> {
        self.0.store(content, 0, 0)
    }

    pub(crate) fn get(&self, page: u32) -> Option<H256> {
        self.0.get(0, page)
    }

    /// Sets or removes a page's hash.
    pub(crate) fn set(&mut self, page: u32, hash: Option<H256>) {
        if page < Self::MOST && self.get(page) != hash {
            self.0.set(0, page, hash);
        }
    }

    /// All pages, by number.
    pub(crate) fn list(&self) -> Vec<(u32, H256)> {
        let mut all = Vec::new();
        self.0.list(0, 0, &mut all);
        all
    }
}

/// The pages of a region, as clients read them.
pub(crate) fn region(content: &Content, hash: H256) -> Result<MemoryPagesRegion, StoreError> {
    let region: Region = content.get(hash)?;
    let mut all = Vec::new();
    Node::load(content, hash, 1, region.first)?.list(1, region.first, &mut all);
    Ok(all.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::store::Disk;
    use std::{collections::BTreeMap, sync::Arc};

    fn content() -> Content {
        Content::new(&Arc::new(Disk::open(None).unwrap()))
    }

    fn hash(number: u32) -> H256 {
        H256::from_low_u64_be(u64::from(number) + 1)
    }

    /// Pages at the edges of every level.
    const EDGES: [u32; 10] = [
        0,
        15,
        16,
        255,
        256,
        8191,
        8192,
        65_535,
        131_056,
        Pages::MOST - 1,
    ];

    #[test]
    fn what_is_stored_is_loaded() {
        let content = content();
        let mut pages = Pages::load(&content, None).unwrap();
        assert_eq!(pages.store(&content), None);
        for page in EDGES {
            pages.set(page, Some(hash(page)));
        }
        let root = pages.store(&content).unwrap();
        let again = Pages::load(&content, Some(root)).unwrap();
        let expected: Vec<_> = EDGES.iter().map(|page| (*page, hash(*page))).collect();
        assert_eq!(again.list(), expected);
        for page in EDGES {
            assert_eq!(again.get(page), Some(hash(page)));
        }
        assert_eq!(again.get(1), None);
        assert_eq!(again.get(u32::MAX), None);
    }

    #[test]
    fn the_tree_depends_on_the_pages_alone() {
        let content = content();
        let mut one = Pages::load(&content, None).unwrap();
        let mut other = Pages::load(&content, None).unwrap();
        for page in EDGES {
            one.set(page, Some(hash(page)));
        }
        one.store(&content);
        for page in EDGES.iter().rev() {
            other.set(*page, Some(hash(7)));
            other.store(&content);
            other.set(*page, Some(hash(*page)));
        }
        other.set(77, Some(hash(77)));
        other.store(&content);
        other.set(77, None);
        assert_eq!(one.store(&content), other.store(&content));
        for page in EDGES {
            other.set(page, None);
        }
        assert_eq!(other.store(&content), None);
        assert_eq!(other.list(), []);
        // Outside of the tree there is nothing.
        other.set(Pages::MOST, Some(hash(1)));
        assert_eq!(other.store(&content), None);
    }

    #[test]
    fn a_changed_page_costs_one_path() {
        let content = content();
        let mut pages = Pages::load(&content, None).unwrap();
        for page in 0..10_000 {
            pages.set(page, Some(hash(page)));
        }
        pages.store(&content);
        content.take_added();
        pages.set(5_000, Some(hash(1)));
        pages.store(&content);
        assert_eq!(content.take_added().len(), WIDTHS.len());
        pages.set(5_000, Some(hash(1)));
        pages.store(&content);
        assert_eq!(content.take_added().len(), 0);
    }

    #[test]
    fn regions_are_read_by_their_hash() {
        let content = content();
        let mut pages = Pages::load(&content, None).unwrap();
        for page in EDGES {
            pages.set(page, Some(hash(page)));
        }
        let root = pages.store(&content).unwrap();
        let regions: MemoryPages = content.get(root).unwrap();
        let mut all = BTreeMap::new();
        for hash in regions.iter().flatten() {
            all.append(&mut region(&content, *hash).unwrap());
        }
        let expected: BTreeMap<_, _> = EDGES.iter().map(|page| (*page, hash(*page))).collect();
        assert_eq!(all, expected);
        assert!(matches!(
            region(&content, root),
            Err(StoreError::Unexpected(_))
        ));
        assert!(region(&content, hash(1)).is_err());
    }

    #[test]
    fn what_is_no_tree_is_refused() {
        let content = content();
        for (present, count) in [(0b11, 1), (0b1, 2), (1 << 31, 1), (0, 1)] {
            let few = Few {
                present,
                hashes: vec![hash(0); count],
            };
            assert!(few.unpack(16).is_none());
        }
        // A region in a wrong place.
        let region = content.put(&Region {
            first: 8192,
            parts: Few::pack(&[None; 32]),
        });
        let mut regions = MemoryPages::default();
        regions[0] = Some(region);
        let root = content.put(&regions);
        assert!(matches!(
            Pages::load(&content, Some(root)),
            Err(StoreError::Unexpected(_))
        ));
    }
}
