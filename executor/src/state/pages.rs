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
//!
//! Nodes are read from the store when somebody asks for what is below them, so that a program costs what it touches and
//! not what it has.

use super::{
    MemoryPages, MemoryPagesRegion, PAGES_PER_REGION,
    links::{Link, Linked, Whole, whole},
    store::Content,
};
use crate::StoreError;
use codec::{Decode, Encode};
use gear_exe_primitives::proof::Kind;
use primitive_types::H256;
use std::ops::Range;

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
    /// A node that nobody has asked for yet.
    Stored(H256),
}

impl Child {
    /// Reads the node from the store, if it is one that was not read yet.
    fn open(&mut self, content: &Content, level: usize, first: u32) -> Result<(), StoreError> {
        if let Self::Stored(hash) = *self {
            *self = Self::Node(Box::new(Node::load(content, hash, level, first)?));
        }
        Ok(())
    }

    /// What it is stored as; nothing since it was changed.
    fn hash(&self) -> Option<H256> {
        match self {
            Self::Node(node) => node.hash,
            Self::Page(hash) | Self::Stored(hash) => Some(*hash),
        }
    }
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
        let child = if level + 1 == WIDTHS.len() {
            Child::Page
        } else {
            Child::Stored
        };
        Ok(Self {
            children: hashes.into_iter().map(|hash| hash.map(child)).collect(),
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
                Some(Child::Page(hash) | Child::Stored(hash)) => Some(*hash),
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

    /// The child below which `page` is, of the node whose first page is `first`, with that child's first page.
    fn below(&mut self, level: usize, first: u32, page: u32) -> Option<(&mut Option<Child>, u32)> {
        let span = SPANS.get(level).copied()?;
        let index = page.checked_sub(first)? / span;
        let place = self.children.get_mut(index as usize)?;
        Some((place, first + index * span))
    }

    fn get(
        &mut self,
        content: &Content,
        level: usize,
        first: u32,
        page: u32,
    ) -> Result<Option<H256>, StoreError> {
        let Some((Some(child), at)) = self.below(level, first, page) else {
            return Ok(None);
        };
        child.open(content, level + 1, at)?;
        match child {
            Child::Page(hash) | Child::Stored(hash) => Ok(Some(*hash)),
            Child::Node(node) => node.get(content, level + 1, at, page),
        }
    }

    fn set(
        &mut self,
        content: &Content,
        level: usize,
        first: u32,
        page: u32,
        hash: Option<H256>,
    ) -> Result<(), StoreError> {
        self.hash = None;
        let Some((place, at)) = self.below(level, first, page) else {
            return Ok(());
        };
        if level + 1 == WIDTHS.len() {
            *place = hash.map(Child::Page);
            return Ok(());
        }
        let child = place.get_or_insert_with(|| Child::Node(Box::new(Self::new(level + 1))));
        child.open(content, level + 1, at)?;
        match child {
            Child::Node(node) => node.set(content, level + 1, at, page, hash),
            Child::Page(_) | Child::Stored(_) => Ok(()),
        }
    }

    /// Removes every page in `pages`. What is wholly in there is not even read.
    fn clear(
        &mut self,
        content: &Content,
        level: usize,
        first: u32,
        pages: &Range<u32>,
    ) -> Result<(), StoreError> {
        let span = SPANS.get(level).copied().unwrap_or(1);
        for (index, place) in (0u32..).zip(&mut self.children) {
            let at = first + index * span;
            let Some(child) = place.as_mut() else {
                continue;
            };
            if at >= pages.end || at + span <= pages.start {
                continue;
            }
            self.hash = None;
            if pages.start <= at && at + span <= pages.end {
                *place = None;
                continue;
            }
            child.open(content, level + 1, at)?;
            if let Child::Node(node) = child {
                node.clear(content, level + 1, at, pages)?;
            }
        }
        Ok(())
    }

    /// See [`Pages::differing`].
    fn differing(
        &self,
        other: &mut Self,
        content: &Content,
        level: usize,
        first: u32,
        wanted: &impl Fn(Range<u32>) -> bool,
        into: &mut Vec<Range<u32>>,
    ) -> Result<(), StoreError> {
        let span = SPANS.get(level).copied().unwrap_or(1);
        let both = self.children.iter().zip(&mut other.children);
        for (index, (ours, theirs)) in (0u32..).zip(both) {
            let at = first + index * span;
            let pages = at..at + span;
            match (ours, theirs) {
                (None, None) => {}
                (Some(ours), Some(theirs))
                    if ours.hash().is_some() && ours.hash() == theirs.hash() => {}
                _ if !wanted(pages.clone()) => {}
                (Some(Child::Node(ours)), Some(theirs)) => {
                    theirs.open(content, level + 1, at)?;
                    match theirs {
                        Child::Node(theirs) => {
                            ours.differing(theirs, content, level + 1, at, wanted, into)?;
                        }
                        Child::Page(_) | Child::Stored(_) => into.push(pages),
                    }
                }
                _ => into.push(pages),
            }
        }
        Ok(())
    }

    fn list(
        &mut self,
        content: &Content,
        level: usize,
        first: u32,
        into: &mut Vec<(u32, H256)>,
    ) -> Result<(), StoreError> {
        let span = SPANS.get(level).copied().unwrap_or(1);
        for (index, place) in (0u32..).zip(&mut self.children) {
            let (Some(child), at) = (place, first + index * span) else {
                continue;
            };
            child.open(content, level + 1, at)?;
            match child {
                Child::Page(hash) | Child::Stored(hash) => into.push((at, *hash)),
                Child::Node(node) => node.list(content, level + 1, at, into)?,
            }
        }
        Ok(())
    }
}

/// Hashes of a program's pages, in memory.
pub(crate) struct Pages(Node);

impl Pages {
    /// Most pages that there can be.
    pub(crate) const MOST: u32 = 16 * PAGES_PER_REGION;

    /// The tree behind a hash; the empty one for none.
    pub(crate) fn load(content: &Content, hash: Option<H256>) -> Result<Self, StoreError> {
        let node = hash.map_or_else(|| Ok(Node::new(0)), |hash| Node::load(content, hash, 0, 0))?;
        Ok(Self(node))
    }

    /// Stores what has changed, and names the tree.
    pub(crate) fn store(&mut self, content: &Content) -> Option<H256> {
        self.0.store(content, 0, 0)
    }

    pub(crate) fn get(&mut self, content: &Content, page: u32) -> Result<Option<H256>, StoreError> {
        self.0.get(content, 0, 0, page)
    }

    /// Sets or removes a page's hash.
    pub(crate) fn set(
        &mut self,
        content: &Content,
        page: u32,
        hash: Option<H256>,
    ) -> Result<(), StoreError> {
        if page < Self::MOST && self.get(content, page)? != hash {
            self.0.set(content, 0, 0, page, hash)?;
        }
        Ok(())
    }

    /// Removes all of these pages.
    pub(crate) fn clear(&mut self, content: &Content, pages: Range<u32>) -> Result<(), StoreError> {
        self.0.clear(content, 0, 0, &pages)
    }

    /// Ranges of pages that may not be the same in `other`. Only what `wanted` says to be of interest is looked at, and
    /// nothing of this tree is read from the store: a part that is not in memory counts as not the same.
    pub(crate) fn differing(
        &self,
        other: &mut Self,
        content: &Content,
        wanted: impl Fn(Range<u32>) -> bool,
    ) -> Result<Vec<Range<u32>>, StoreError> {
        let mut all = Vec::new();
        self.0
            .differing(&mut other.0, content, 0, 0, &wanted, &mut all)?;
        Ok(all)
    }

    /// All pages, by number.
    #[cfg(test)]
    fn list(&mut self, content: &Content) -> Result<Vec<(u32, H256)>, StoreError> {
        let mut all = Vec::new();
        self.0.list(content, 0, 0, &mut all)?;
        Ok(all)
    }
}

/// The pages of a region, as clients read them.
pub(crate) fn region(content: &Content, hash: H256) -> Result<MemoryPagesRegion, StoreError> {
    let region: Region = content.get(hash)?;
    let mut all = Vec::new();
    Node::load(content, hash, 1, region.first)?.list(content, 1, region.first, &mut all)?;
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
            pages.set(&content, page, Some(hash(page))).unwrap();
        }
        let root = pages.store(&content).unwrap();
        let mut again = Pages::load(&content, Some(root)).unwrap();
        let expected: Vec<_> = EDGES.iter().map(|page| (*page, hash(*page))).collect();
        assert_eq!(again.list(&content).unwrap(), expected);
        for page in EDGES {
            assert_eq!(again.get(&content, page).unwrap(), Some(hash(page)));
        }
        assert_eq!(again.get(&content, 1).unwrap(), None);
        assert_eq!(again.get(&content, u32::MAX).unwrap(), None);
    }

    #[test]
    fn the_tree_depends_on_the_pages_alone() {
        let content = content();
        let mut one = Pages::load(&content, None).unwrap();
        let mut other = Pages::load(&content, None).unwrap();
        for page in EDGES {
            one.set(&content, page, Some(hash(page))).unwrap();
        }
        one.store(&content);
        for page in EDGES.iter().rev() {
            other.set(&content, *page, Some(hash(7))).unwrap();
            other.store(&content);
            other.set(&content, *page, Some(hash(*page))).unwrap();
        }
        other.set(&content, 77, Some(hash(77))).unwrap();
        other.store(&content);
        other.set(&content, 77, None).unwrap();
        assert_eq!(one.store(&content), other.store(&content));
        for page in EDGES {
            other.set(&content, page, None).unwrap();
        }
        assert_eq!(other.store(&content), None);
        assert_eq!(other.list(&content).unwrap(), []);
        // Outside of the tree there is nothing.
        other.set(&content, Pages::MOST, Some(hash(1))).unwrap();
        assert_eq!(other.store(&content), None);
    }

    #[test]
    fn a_changed_page_costs_one_path() {
        let content = content();
        let mut pages = Pages::load(&content, None).unwrap();
        for page in 0..10_000 {
            pages.set(&content, page, Some(hash(page))).unwrap();
        }
        pages.store(&content);
        content.take_added();
        pages.set(&content, 5_000, Some(hash(1))).unwrap();
        pages.store(&content);
        assert_eq!(content.take_added().len(), WIDTHS.len());
        pages.set(&content, 5_000, Some(hash(1))).unwrap();
        pages.store(&content);
        assert_eq!(content.take_added().len(), 0);
    }

    /// What was stored as `root` and is not to be read: its parts are taken out of the store.
    fn only(content: &Content, wanted: &[H256]) -> Content {
        let kept = self::content();
        for hash in wanted {
            kept.insert(*hash, &content.bytes(*hash).unwrap());
        }
        kept
    }

    #[test]
    fn only_what_is_asked_for_is_read() {
        let content = content();
        let mut pages = Pages::load(&content, None).unwrap();
        for page in 0..70_000 {
            pages.set(&content, page, Some(hash(page))).unwrap();
        }
        let root = pages.store(&content).unwrap();
        let regions: MemoryPages = content.get(root).unwrap();
        let region: Region = content.get(regions[2].unwrap()).unwrap();
        let part: Few = content.get(region.parts.hashes[3]).unwrap();
        let path = [
            root,
            regions[2].unwrap(),
            region.parts.hashes[3],
            part.hashes[0],
        ];
        let page = 2 * 8192 + 3 * 256 + 5;

        let few = only(&content, &path);
        let mut lazy = Pages::load(&few, Some(root)).unwrap();
        assert_eq!(lazy.get(&few, page).unwrap(), Some(hash(page)));
        assert!(matches!(lazy.get(&few, 0), Err(StoreError::Missing(_))));
        lazy.set(&few, page, Some(hash(7))).unwrap();
        pages.set(&content, page, Some(hash(7))).unwrap();
        assert_eq!(lazy.store(&few), pages.store(&content));

        // Nor is what is removed, except at the edges.
        let mut lazy = Pages::load(&few, Some(root)).unwrap();
        lazy.clear(&few, 0..page).unwrap();
        for page in 0..page {
            pages.set(&content, page, None).unwrap();
        }
        pages.set(&content, page, Some(hash(page))).unwrap();
        assert_eq!(lazy.store(&few), pages.store(&content));
    }

    #[test]
    fn trees_are_compared_where_it_matters() {
        let content = content();
        let mut one = Pages::load(&content, None).unwrap();
        for page in 0..20_000 {
            one.set(&content, page, Some(hash(page))).unwrap();
        }
        let root = one.store(&content);
        let mut two = Pages::load(&content, root).unwrap();
        for page in [3, 300, 10_000, 30_000] {
            two.set(&content, page, Some(hash(1 << 20))).unwrap();
        }
        two.clear(&content, 15_000..15_002).unwrap();
        two.store(&content);
        let all = one.differing(&mut two, &content, |_| true).unwrap();
        for page in [3, 300, 10_000, 15_000, 15_001, 30_000] {
            assert!(all.iter().any(|range| range.contains(&page)), "{page}");
        }
        for page in [4, 301, 10_001, 14_999, 15_002] {
            assert!(!all.iter().any(|range| range.contains(&page)), "{page}");
        }
        let wanted = |range: Range<u32>| range.contains(&300);
        let few = one.differing(&mut two, &content, wanted).unwrap();
        assert!(few.len() == 1 && few[0] == (300..301), "{few:?}");
        let mut same = Pages::load(&content, root).unwrap();
        let all = one.differing(&mut same, &content, |_| true).unwrap();
        assert_eq!(all, []);
    }

    #[test]
    fn regions_are_read_by_their_hash() {
        let content = content();
        let mut pages = Pages::load(&content, None).unwrap();
        for page in EDGES {
            pages.set(&content, page, Some(hash(page))).unwrap();
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
        let mut pages = Pages::load(&content, Some(root)).unwrap();
        assert!(matches!(
            pages.get(&content, 5),
            Err(StoreError::Unexpected(_))
        ));
        assert_eq!(pages.get(&content, 8192).unwrap(), None);
    }
}
