//! Which WASM pages a program has allocated.

use crate::state::Allocations;

/// Takes the first interval of `count` free pages in `[first, limit)`.
pub(crate) fn allocate(taken: &mut Allocations, first: u32, limit: u32, count: u32) -> Option<u32> {
    if count == 0 {
        return Some(first);
    }
    let mut start = first;
    for (from, to) in taken.iter() {
        if from.checked_sub(start).is_some_and(|gap| gap >= count) {
            break;
        }
        start = start.max(to.saturating_add(1));
    }
    let end = start.checked_add(count)?;
    if end > limit {
        return None;
    }
    insert(taken, start, end - 1);
    Some(start)
}

fn insert(taken: &mut Allocations, mut from: u32, mut to: u32) {
    if let Some((before, end)) = taken.range(..from).next_back().map(|(a, b)| (*a, *b))
        && end + 1 == from
    {
        taken.remove(&before);
        from = before;
    }
    if let Some(end) = taken.remove(&(to + 1)) {
        to = end;
    }
    taken.insert(from, to);
}

/// Frees what is allocated of `[from, to]`, and says what that was.
pub(crate) fn release(taken: &mut Allocations, from: u32, to: u32) -> Vec<(u32, u32)> {
    // No interval before the last that begins there can reach it.
    let first = taken.range(..=from).next_back();
    let first = first.map_or(from, |(start, _)| *start);
    let hit: Vec<_> = taken
        .range(first..=to.max(first))
        .filter(|(_, end)| **end >= from)
        .map(|(a, b)| (*a, *b))
        .collect();
    for (start, end) in &hit {
        let (start, end) = (*start, *end);
        taken.remove(&start);
        if start < from {
            taken.insert(start, from - 1);
        }
        if end > to {
            taken.insert(to + 1, end);
        }
    }
    hit.into_iter()
        .map(|(start, end)| (start.max(from), end.min(to)))
        .collect()
}

/// What is not allocated of `[from, to]`, in order.
pub(crate) fn missing(taken: &Allocations, from: u32, to: u32) -> Vec<(u32, u32)> {
    let mut missing = Vec::new();
    let mut next = from;
    let before = taken.range(..from).next_back();
    for (start, end) in before.into_iter().chain(taken.range(from..=to)) {
        if *start > next {
            missing.push((next, start - 1));
        }
        next = next.max(end.saturating_add(1));
    }
    if next <= to {
        missing.push((next, to));
    }
    missing
}

/// Whether a page is allocated.
pub(crate) fn contains(taken: &Allocations, page: u32) -> bool {
    taken
        .range(..=page)
        .next_back()
        .is_some_and(|(_, end)| *end >= page)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_fit_joins_and_splits() {
        let mut taken = Allocations::new();
        assert_eq!(allocate(&mut taken, 2, 10, 3), Some(2));
        assert_eq!(allocate(&mut taken, 2, 10, 2), Some(5));
        assert_eq!(taken, Allocations::from([(2, 6)]));
        assert_eq!(release(&mut taken, 3, 4), [(3, 4)]);
        assert_eq!(release(&mut taken, 3, 4), []);
        assert_eq!(taken, Allocations::from([(2, 2), (5, 6)]));
        assert_eq!(allocate(&mut taken, 2, 10, 3), Some(7));
        assert_eq!(allocate(&mut taken, 2, 10, 2), Some(3));
        assert_eq!(allocate(&mut taken, 2, 10, 1), None);
        assert_eq!(allocate(&mut taken, 2, 10, 0), Some(2));
        assert_eq!(allocate(&mut taken, 2, 10, u32::MAX), None);
        assert!(contains(&taken, 9) && !contains(&taken, 1));
        release(&mut taken, 4, 4);
        assert_eq!(missing(&taken, 2, 4), [(4, 4)]);
        assert_eq!(missing(&taken, 5, 9), []);
        assert_eq!(missing(&taken, 0, 12), [(0, 1), (4, 4), (10, 12)]);
        assert_eq!(missing(&taken, 20, 22), [(20, 22)]);
        assert_eq!(release(&mut taken, 3, 7), [(3, 3), (5, 7)]);
    }

    #[test]
    fn releases_are_those_of_single_pages() {
        let intervals = [(2, 2), (4, 7), (9, 9), (12, 20)];
        let pages: Vec<u32> = intervals.iter().flat_map(|(a, b)| *a..=*b).collect();
        for from in 0..24 {
            for to in from..24 {
                let mut taken = Allocations::from(intervals);
                let freed = release(&mut taken, from, to);
                let freed: Vec<u32> = freed.iter().flat_map(|(a, b)| *a..=*b).collect();
                let (gone, left): (Vec<u32>, Vec<u32>) =
                    pages.iter().partition(|page| (from..=to).contains(*page));
                assert_eq!(freed, gone, "{from} to {to}");
                let taken: Vec<u32> = taken.iter().flat_map(|(a, b)| *a..=*b).collect();
                assert_eq!(taken, left, "{from} to {to}");
            }
        }
    }
}
