//! Which pages of a memory are open, in the eyes of the kernel.
//!
//! To the kernel a memory is as many mappings as there are borders between pages that are open in different ways, and a
//! process may have 65,530 of them. So they are counted, and if they become too many, all pages are closed: those that are
//! needed open again by faults, which is slow and changes no result.

use super::{
    memory::{OS_PAGE, Protection},
    tracker::{HELD, OPEN, READABLE, SAVED, Tracker},
};
use std::ops::Range;

impl Tracker {
    /// Follows the memory's size. What lies behind it is closed and empty from then on.
    pub(crate) fn fit(&mut self) {
        let pages = self.region.size() / OS_PAGE;
        if pages >= self.flags.len() {
            self.flags.resize(pages, 0);
            return;
        }
        let (from, to) = (pages * OS_PAGE, self.flags.len() * OS_PAGE);
        let tail = self.flags.get(pages..).unwrap_or_default();
        if tail.iter().all(|flags| flags & (OPEN | HELD) == 0) {
            return;
        }
        let closed = self.region.protect(from, to, Protection::None);
        self.broken |= !closed || !self.region.discard(from, to);
        for flags in self.flags.iter_mut().skip(pages) {
            self.held -= usize::from(*flags & HELD != 0);
            *flags &= !(OPEN | HELD);
        }
        self.hot.retain(|page| (*page as usize) < pages);
    }

    /// Closes every page: to the kernel the memory is one mapping again. Safe in a signal handler.
    pub(super) fn close_all(&mut self) {
        for index in 0..self.used.len() {
            let pages = self.used_flags(index);
            if !pages.is_empty() {
                let (from, to) = (pages.start * OS_PAGE, pages.end * OS_PAGE);
                self.broken |= !self.region.protect(from, to, Protection::None);
            }
            for flags in self.flags.get_mut(pages).unwrap_or_default() {
                *flags &= !OPEN;
            }
        }
        self.mappings = 0;
    }

    /// Closes every page, between messages.
    pub(super) fn close(&mut self) {
        self.close_all();
        self.hot.clear();
        for page in self.stack.drain(..) {
            if let Some(flags) = self.flags.get_mut(page as usize) {
                *flags &= !SAVED;
            }
        }
    }

    /// Protects `[from, to)`, in pages, as `open` says. If there are too many mappings, all are given back first. Safe in
    /// a signal handler.
    pub(super) fn protect(&mut self, from: usize, to: usize, open: u8) -> bool {
        let protection = match open {
            0 => Protection::None,
            READABLE => Protection::Read,
            _ => Protection::Write,
        };
        if self.mappings > self.most_mappings {
            self.close_all();
        }
        self.used.add(from..to);
        let mut before = self.borders(from, to);
        let mut done = self
            .region
            .protect(from * OS_PAGE, to * OS_PAGE, protection);
        if !done {
            self.close_all();
            before = 0;
            done = self
                .region
                .protect(from * OS_PAGE, to * OS_PAGE, protection);
        }
        self.broken |= !done;
        for flags in self.flags.iter_mut().skip(from).take(to - from) {
            *flags = *flags & !OPEN | open;
        }
        self.mappings = (self.mappings + self.borders(from, to)).saturating_sub(before);
        done
    }

    /// Borders between pages that are open in different ways, in and around `[from, to)`.
    fn borders(&self, from: usize, to: usize) -> usize {
        let open = |page: usize| self.flags.get(page).map_or(0, |flags| flags & OPEN);
        let mut before = from.checked_sub(1).map_or(0, open);
        let mut borders = 0;
        for page in from..=to {
            let here = open(page);
            borders += usize::from(here != before);
            before = here;
        }
        borders
    }

    pub(super) fn close_for_writing(&mut self, pages: Range<usize>) {
        if !pages.is_empty() {
            self.protect(pages.start, pages.end, READABLE);
        }
    }
}
