//! Copies of pages as they were when a message began, for putting them back if it fails.
//!
//! One message runs on a thread at a time, so a thread has one such store, which programs borrow. It can take every page
//! that a program can have, but holds memory only for what a message really writes.

#![allow(unsafe_code)] // this is the memory code

use super::memory::{OS_PAGE, Protection, Region};
use std::{cell::RefCell, io};

/// Pages that it can take: all of the largest memory.
const CAPACITY: usize = super::MAX_PAGES as usize * (1 << 16) / OS_PAGE;
/// Pages whose copies stay in memory between messages.
const KEPT: usize = 256;

/// Saved pages.
pub(super) struct Undo {
    copies: Region,
    pages: Vec<u32>,
    /// What the message was noted to pay for in its round, and on which page: at most twice for each page.
    paid: Vec<(u32, u8)>,
}

thread_local! {
    static IDLE: RefCell<Option<Box<Undo>>> = const { RefCell::new(None) };
}

impl Undo {
    fn new() -> io::Result<Box<Self>> {
        let length = CAPACITY * OS_PAGE;
        let copies = Region::reserve(length)?;
        if !copies.protect(0, length, Protection::Write) {
            return Err(io::Error::last_os_error());
        }
        Ok(Box::new(Self {
            copies,
            // All of it, so that nothing is allocated in a signal handler. Memory comes with the pages that are used.
            pages: Vec::with_capacity(CAPACITY),
            paid: Vec::with_capacity(2 * CAPACITY),
        }))
    }

    /// This thread's, empty.
    pub(super) fn borrow() -> io::Result<Box<Self>> {
        match IDLE.with(|idle| idle.borrow_mut().take()) {
            Some(undo) => Ok(undo),
            None => Self::new(),
        }
    }

    /// Gives it back to the thread.
    pub(super) fn give_back(mut self: Box<Self>) {
        if self.pages.len() > KEPT {
            self.copies
                .discard(KEPT * OS_PAGE, self.pages.len() * OS_PAGE);
        }
        self.pages.clear();
        self.paid.clear();
        IDLE.with(|idle| *idle.borrow_mut() = Some(self));
    }

    /// Notes what the message pays for. Safe in a signal handler.
    pub(super) fn note_paid(&mut self, page: u32, what: u8) {
        // There is room: it does not allocate.
        self.paid.push((page, what));
    }

    pub(super) fn paid(&self) -> &[(u32, u8)] {
        &self.paid
    }

    /// Numbers of the saved pages, in the order in which they were saved.
    pub(super) fn pages(&self) -> &[u32] {
        &self.pages
    }

    /// Copies a page of `memory`, which must be readable. False if there is no room. Safe in a signal handler.
    pub(super) fn save(&mut self, memory: &Region, page: u32) -> bool {
        let slot = self.pages.len();
        if slot >= CAPACITY {
            return false;
        }
        let (from, to) = (memory.at(page as usize * OS_PAGE), self.copy(slot));
        // SAFETY: both are whole pages of mappings that do not overlap; the copies are writable and the caller says that
        // the page is readable. The memory belongs to a program that runs on this thread only.
        unsafe { std::ptr::copy_nonoverlapping(from, to, OS_PAGE) };
        // There is room: it does not allocate.
        self.pages.push(page);
        true
    }

    fn copy(&self, slot: usize) -> *mut u8 {
        self.copies.at(slot * OS_PAGE)
    }

    /// Whether the page saved in `slot`, which must be readable in `memory`, is no longer as it was.
    pub(super) fn differs(&self, memory: &Region, slot: usize) -> bool {
        let Some(page) = self.pages.get(slot) else {
            return false;
        };
        let now = memory.at(*page as usize * OS_PAGE);
        // SAFETY: both are whole readable pages, and nobody writes them now: the program does not run.
        unsafe {
            std::slice::from_raw_parts(now, OS_PAGE)
                != std::slice::from_raw_parts(self.copy(slot), OS_PAGE)
        }
    }

    /// Puts the page saved in `slot` back into `memory`, where it must be writable.
    pub(super) fn restore(&self, memory: &Region, slot: usize) {
        if let Some(page) = self.pages.get(slot) {
            let to = memory.at(*page as usize * OS_PAGE);
            // SAFETY: as in `save`, the other way round.
            unsafe { std::ptr::copy_nonoverlapping(self.copy(slot), to, OS_PAGE) };
        }
    }
}
