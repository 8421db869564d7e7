//! Which parts of a memory were used: a few ranges that cover all of them, so that closing a program costs what it touched
//! and not how far apart that lies. To the kernel a memory of a GiB is a quarter of a million pages to look at.

use std::ops::Range;

/// Most ranges. Beyond that they are joined, and cover more than was used.
const MOST: usize = 64;
/// Those that lie closer are joined at once: looking at so many pages costs less than another system call.
const GAP: usize = 128;

/// See the module. Pages are numbers; the ranges are in order and do not touch.
pub(super) struct Ranges(Vec<Range<usize>>);

impl Ranges {
    /// None. All memory that it will need is allocated here: adding is safe in a signal handler.
    pub(super) fn new() -> Self {
        Self(Vec::with_capacity(MOST))
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// One of them; an empty range if there are not so many.
    pub(super) fn get(&self, index: usize) -> Range<usize> {
        self.0.get(index).cloned().unwrap_or(0..0)
    }

    /// Adds pages.
    pub(super) fn add(&mut self, new: Range<usize>) {
        if new.is_empty() {
            return;
        }
        let at = self.0.partition_point(|own| own.end + GAP < new.start);
        let is_near = |own: &Range<usize>| own.start <= new.end + GAP;
        let place = match self.0.get(at) {
            Some(own) if is_near(own) => at,
            _ if self.0.len() < MOST => {
                self.0.insert(at, new);
                return;
            }
            right => {
                // The nearer neighbour grows.
                let right = right.map_or(usize::MAX, |own| own.start - new.end);
                let left = at.checked_sub(1).and_then(|left| self.0.get(left));
                let left = left.map_or(usize::MAX, |own| new.start - own.end);
                at - usize::from(left < right)
            }
        };
        let Some(own) = self.0.get_mut(place) else {
            return;
        };
        *own = own.start.min(new.start)..own.end.max(new.end);
        let end = own.end;
        // It may have come close to those behind it.
        let behind = self.0.get(place + 1..).unwrap_or_default();
        let close = behind.partition_point(|next| next.start <= end + GAP);
        let joined = self.0.drain(place + 1..place + 1 + close).next_back();
        if let (Some(last), Some(own)) = (joined, self.0.get_mut(place)) {
            own.end = own.end.max(last.end);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_cover_what_was_added_in_order() {
        let mut random = 0x9e37_79b9_7f4a_7c15u64;
        let mut below = |limit: u64| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            (random % limit) as usize
        };
        for spread in [300, 20_000, 500_000] {
            let mut ranges = Ranges::new();
            let capacity = ranges.0.capacity();
            let mut added: Vec<Range<usize>> = Vec::new();
            for _ in 0..500 {
                let start = below(spread);
                let new = start..start + below(9);
                added.push(new.clone());
                ranges.add(new);
                assert!(ranges.len() <= MOST && ranges.0.capacity() == capacity);
                assert!(ranges.0.windows(2).all(|two| two[0].end < two[1].start));
                for new in added.iter().filter(|new| !new.is_empty()) {
                    let covers = |own: &Range<usize>| own.start <= new.start && new.end <= own.end;
                    assert!(ranges.0.iter().any(covers), "{new:?}");
                }
            }
        }
    }

    #[test]
    fn what_lies_far_apart_stays_apart() {
        let mut ranges = Ranges::new();
        for at in [90_000, 4, 260_000, 8, 4 + GAP] {
            ranges.add(at..at + 4);
        }
        let all: Vec<_> = (0..ranges.len()).map(|index| ranges.get(index)).collect();
        assert_eq!(all, [4..8 + GAP, 90_000..90_004, 260_000..260_004]);
        assert_eq!(ranges.get(3), 0..0);
    }
}
