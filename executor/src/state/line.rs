//! Things in a line: a map by place, so that a long one is neither read nor written whole. Those at its front are read a
//! few at a time, those that are added stay in memory until it is stored. An empty one costs nothing.

use super::{
    map::{Item, Map},
    store::Content,
};
use crate::StoreError;
use primitive_types::H256;
use std::{
    collections::{VecDeque, vec_deque},
    ops::Range,
};

/// The first place of a line that was empty. There is room on both sides for ever.
const MIDDLE: u64 = 1 << 63;
/// How many are read at once.
const READ: u64 = 16;

/// A line, whose front and back are in memory.
pub(crate) struct Line<T> {
    /// The first ones.
    front: VecDeque<T>,
    /// Place of the first of all.
    first: u64,
    /// Places behind `front` that are not read yet.
    unread: Range<u64>,
    /// The last ones: none unless there are unread ones.
    back: VecDeque<T>,
    map: Map<u64, T>,
    /// Places that `map` has.
    stored: Range<u64>,
}

impl<T> Default for Line<T> {
    fn default() -> Self {
        Self {
            front: VecDeque::new(),
            first: MIDDLE,
            unread: MIDDLE..MIDDLE,
            back: VecDeque::new(),
            map: Map::default(),
            stored: MIDDLE..MIDDLE,
        }
    }
}

impl<T> Line<T> {
    pub(crate) fn is_empty(&self) -> bool {
        self.front.is_empty() && self.unread.is_empty()
    }

    pub(crate) fn len(&self) -> u64 {
        let unread = self.unread.end - self.unread.start;
        (self.front.len() + self.back.len()) as u64 + unread
    }

    /// All of it, if it is in memory.
    pub(crate) fn in_memory(&self) -> Option<&VecDeque<T>> {
        self.unread.is_empty().then_some(&self.front)
    }

    /// What was read of it.
    pub(crate) fn into_front(self) -> VecDeque<T> {
        self.front
    }

    /// Makes room for so many more.
    pub(crate) fn reserve(&mut self, more: usize) {
        match self.unread.is_empty() {
            true => self.front.reserve(more),
            false => self.back.reserve(more),
        }
    }

    /// Adds all of these.
    pub(crate) fn append(&mut self, mut items: VecDeque<T>) {
        if !self.unread.is_empty() {
            self.back.append(&mut items);
        } else if self.front.is_empty() {
            self.front = items;
        } else {
            self.front.append(&mut items);
        }
    }

    pub(crate) fn push_back(&mut self, item: T) {
        if self.unread.is_empty() {
            self.front.push_back(item);
        } else {
            self.back.push_back(item);
        }
    }

    pub(crate) fn push_front(&mut self, item: T) {
        self.front.push_front(item);
        self.first = self.first.wrapping_sub(1);
    }
}

impl<T: Item> Line<T> {
    /// The line behind a hash; the empty one for none.
    pub(crate) fn load(content: &Content, hash: Option<H256>) -> Result<Self, StoreError> {
        let mut line = Self {
            map: Map::new(hash),
            ..Self::default()
        };
        let ends = line.map.first(content)?.zip(line.map.last(content)?);
        if let (Some(((first, _), (last, _))), Some(hash)) = (ends, hash) {
            let end = last.checked_add(1).ok_or(StoreError::Unexpected(hash))?;
            line.first = first;
            line.unread = first..end;
            line.stored = first..end;
        }
        Ok(line)
    }

    fn read(&mut self, content: &Content) -> Result<(), StoreError> {
        let end = self.unread.end.min(self.unread.start.saturating_add(READ));
        for place in self.unread.start..end {
            let item = self.map.get(content, &place)?;
            let wrong = || StoreError::Unexpected(H256::from_low_u64_be(place));
            self.front.push_back(item.ok_or_else(wrong)?);
        }
        self.unread.start = end;
        if self.unread.is_empty() {
            self.front.append(&mut self.back);
        }
        Ok(())
    }

    /// The first, left where it is.
    pub(crate) fn peek(&mut self, content: &Content) -> Result<Option<&T>, StoreError> {
        if self.front.is_empty() && !self.unread.is_empty() {
            self.read(content)?;
        }
        Ok(self.front.front())
    }

    pub(crate) fn pop_front(&mut self, content: &Content) -> Result<Option<T>, StoreError> {
        if self.front.is_empty() && !self.unread.is_empty() {
            self.read(content)?;
        }
        let item = self.front.pop_front();
        if item.is_some() {
            self.first = self.first.wrapping_add(1);
        }
        Ok(item)
    }

    /// Stores what has changed, and names the line.
    pub(crate) fn store(&mut self, content: &Content) -> Result<Option<H256>, StoreError> {
        if self.is_empty() {
            *self = Self::default();
            return Ok(None);
        }
        if self.stored.is_empty() || self.first >= self.stored.end {
            // Nothing is left of what was stored: it begins anew.
            self.first = MIDDLE;
            self.unread = MIDDLE..MIDDLE;
            self.stored = MIDDLE..MIDDLE;
            self.map = Map::default();
        }
        // What has gone from the front.
        for place in self.stored.start..self.first.min(self.stored.end) {
            self.map.remove(content, &place)?;
        }
        let put = |map: &mut Map<u64, T>, first: u64, items: vec_deque::Iter<'_, T>| {
            (first..)
                .zip(items)
                .try_for_each(|(place, item)| map.insert(content, &place, item))
        };
        put(&mut self.map, self.first, self.front.iter())?;
        put(&mut self.map, self.unread.end, self.back.iter())?;
        self.stored = self.first..self.first.wrapping_add(self.len());
        self.map.store(content)
    }

    /// The place of the first thing of this kind in the line behind a hash.
    pub(crate) fn place(
        content: &Content,
        hash: H256,
        is: impl Fn(&T) -> bool,
    ) -> Result<Option<u64>, StoreError> {
        let mut found = None;
        Map::<u64, T>::visit(content, hash, |place, item| {
            if found.is_none() && is(&item) {
                found = Some(place);
            }
            Ok(())
        })?;
        Ok(found)
    }

    /// All things in the line behind a hash.
    pub(crate) fn list(content: &Content, hash: H256) -> Result<VecDeque<T>, StoreError> {
        let mut all = VecDeque::new();
        Map::<u64, T>::visit(content, hash, |_, item| {
            all.push_back(item);
            Ok(())
        })?;
        Ok(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::{root::Intake, store::Disk};
    use gear_exe_primitives::ethereum::{EthereumEvent, RouterEvent};
    use std::sync::Arc;

    fn content() -> Content {
        Content::new(&Arc::new(Disk::open(None).unwrap()))
    }

    fn item(number: u64) -> Intake {
        Intake::Event(EthereumEvent::Router(RouterEvent::ProgramCreated {
            actor_id: H256::from_low_u64_be(number).into(),
            code_id: H256::zero().into(),
        }))
    }

    #[test]
    fn lines_do_what_queues_do() {
        let content = content();
        let mut random = 88_172_645_463_325_252u64;
        let mut below = |limit: u64| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            random % limit
        };
        let (mut line, mut model) = (Line::default(), VecDeque::new());
        let mut emptied = 0;
        for turn in 0..3_000u64 {
            // Long and short by turns.
            let back = if turn / 300 % 2 == 0 { 20 } else { 4 };
            for _ in 0..below(back) {
                let next = below(u64::MAX);
                line.push_back(item(next));
                model.push_back(next);
            }
            for _ in 0..below(16) {
                assert_eq!(
                    line.peek(&content).unwrap(),
                    model.front().map(|n| item(*n)).as_ref()
                );
                assert_eq!(
                    line.pop_front(&content).unwrap(),
                    model.pop_front().map(item)
                );
            }
            if below(3) == 0 {
                let next = below(u64::MAX);
                line.push_front(item(next));
                model.push_front(next);
            }
            assert_eq!(line.len(), model.len() as u64);
            assert_eq!(line.is_empty(), model.is_empty());
            emptied += u32::from(model.is_empty());
            if below(2) == 0 {
                let hash = line.store(&content).unwrap();
                assert_eq!(hash.is_none(), model.is_empty());
                if let Some(hash) = hash {
                    let list = Line::<Intake>::list(&content, hash).unwrap();
                    assert!(list.into_iter().eq(model.iter().map(|n| item(*n))));
                }
                if below(2) == 0 {
                    line = Line::load(&content, hash).unwrap();
                }
            }
        }
        assert!(emptied > 10);
    }

    #[test]
    fn a_long_line_is_not_written_whole() {
        let content = content();
        let mut line = Line::default();
        (0..100_000).for_each(|number| line.push_back(item(number)));
        let hash = line.store(&content).unwrap();
        let mut line = Line::load(&content, hash).unwrap();
        content.take_all();
        for number in 0..40 {
            assert_eq!(line.pop_front(&content).unwrap(), Some(item(number)));
            line.push_back(item(number));
        }
        line.store(&content).unwrap();
        let added = content.take_added().len();
        assert!((2..20).contains(&added), "{added} objects");
    }
}
