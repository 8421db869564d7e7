//! Which pages of a program's memory were touched, and how they were before.
//!
//! A memory begins each round without any access. The first access to a page raises a fault, which the
//! [`signal`](super::signal) handler brings here (system calls come by [`Tracker::touch`] and raise none): the page is
//! opened, the fee for its first use in the round is noted, and before the first write of a message a copy is put aside.
//! So three things come out of one mechanism: gas for memory, what to undo when a message fails, and which pages to hash
//! when the round ends.
//!
//! Fees follow the *first touch in the round*, which is kept apart from what is open at the moment. Everything else here
//! (which pages stay open between messages, when all are closed) is for speed and changes no result.
//!
//! The stack is no state. It is not saved but cleared after every message, so that no message sees what another left.

use super::{
    memory::{OS_PAGE, Protection, Region},
    undo::Undo,
};
use crate::gas;
use std::{io, sync::Arc};

/// Open for reading.
const READABLE: u8 = 1;
/// Open for writing, which includes reading.
const WRITABLE: u8 = 2;
/// Saved for undoing in this message; a page of the stack: known to need clearing.
const SAVED: u8 = 4;
/// Written by a message that succeeded since the memory was last committed.
const DIRTY: u8 = 8;
/// There is memory behind it.
const HELD: u8 = 16;
/// The fee for its Gear page's first use in this round is noted.
const READ_PAID: u8 = 32;
/// The fee for its first write in this round is noted.
const WRITE_PAID: u8 = 64;

const OPEN: u8 = READABLE | WRITABLE;
const PAID: u8 = READ_PAID | WRITE_PAID;

/// Pages of the operating system in a Gear page.
const IN_GEAR_PAGE: usize = crate::state::PAGE_SIZE / OS_PAGE;
/// Pages that stay open between messages: copying one takes a tenth of a microsecond, a fault two. As many of the stack.
const HOT: usize = 16;
/// Every so many messages, pages that stayed open for nothing are closed.
const AGEING: u32 = 64;

/// What a program has paid for in the round: kept if it must leave memory before the round ends.
pub(crate) struct Paid(Vec<u8>);

/// What the fault handler is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Go on: the page is open.
    Resume,
    /// This access is not one that the tracker can allow.
    Refuse,
}

/// See the module.
pub(crate) struct Tracker {
    region: Arc<Region>,
    /// By page of the operating system. Never shrinks; what is behind the memory's size is closed.
    flags: Vec<u8>,
    /// Pages of the stack, which lies in front of everything else.
    stack_pages: usize,
    /// Pages of the stack to be cleared; all its memory is allocated beforehand.
    stack: Vec<u32>,
    /// Pages that are open for writing between messages.
    hot: Vec<u32>,
    /// Set while a message runs.
    undo: Option<Box<Undo>>,
    /// Fees of the running message.
    fees: u64,
    /// What was taken of them.
    taken: u64,
    /// Most that they may come to.
    limit: u64,
    /// The kernel, or the room for undoing, has failed.
    broken: bool,
    held: usize,
    mappings: usize,
    most_mappings: usize,
    messages: u32,
}

impl Tracker {
    /// For a memory as wasmtime has made it, with the program's state loaded, wholly open. Closes it.
    pub(super) fn new(
        region: Arc<Region>,
        stack_bytes: u32,
        most_mappings: usize,
    ) -> io::Result<Self> {
        let stack_pages = stack_bytes as usize / OS_PAGE;
        let mut tracker = Self {
            flags: Vec::new(),
            stack_pages,
            stack: Vec::with_capacity(stack_pages),
            hot: Vec::with_capacity(HOT),
            undo: None,
            fees: 0,
            taken: 0,
            limit: 0,
            broken: false,
            held: 0,
            mappings: 0,
            most_mappings: most_mappings.max(16),
            messages: 0,
            region,
        };
        tracker.fit();
        tracker.close();
        if tracker.broken {
            return Err(io::Error::last_os_error());
        }
        Ok(tracker)
    }

    /// Bytes of memory behind it, estimated: pages, page tables, this.
    pub(super) fn held_bytes(&self) -> u64 {
        (self.held * OS_PAGE + self.held / 64 * OS_PAGE + self.flags.len()) as u64
    }

    /// Kernel mappings that it needs beyond one.
    pub(super) fn mappings(&self) -> usize {
        self.mappings
    }

    /// Says that a Gear page has memory behind it.
    pub(super) fn hold(&mut self, gear_page: u32) {
        let first = gear_page as usize * IN_GEAR_PAGE;
        for page in first..first + IN_GEAR_PAGE {
            self.mark_held(page);
        }
    }

    fn mark_held(&mut self, page: usize) {
        if let Some(flags) = self.flags.get_mut(page)
            && *flags & HELD == 0
        {
            *flags |= HELD;
            self.held += 1;
        }
    }

    fn has(&self, page: usize, bits: u8) -> bool {
        self.flags
            .get(page)
            .is_some_and(|flags| flags & bits == bits)
    }

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
    fn close_all(&mut self) {
        let end = self.flags.len() * OS_PAGE;
        self.broken |= !self.region.protect(0, end, Protection::None);
        for flags in &mut self.flags {
            *flags &= !OPEN;
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

    /// Begins a round: everything is closed and nothing is paid for.
    pub(super) fn begin_round(&mut self) {
        self.close();
        for flags in &mut self.flags {
            *flags &= !PAID;
        }
    }

    /// What was paid for in the round.
    pub(super) fn paid(&self) -> Paid {
        Paid(self.flags.iter().map(|flags| flags & PAID).collect())
    }

    /// Takes over what was paid for before the program left memory.
    pub(super) fn restore_paid(&mut self, paid: &Paid) {
        if self.flags.len() < paid.0.len() {
            self.flags.resize(paid.0.len(), 0);
        }
        for (flags, paid) in self.flags.iter_mut().zip(&paid.0) {
            *flags |= paid & PAID;
        }
    }

    /// Begins a message whose fees for memory may come to `limit`.
    pub(super) fn begin(&mut self, limit: u64) -> io::Result<()> {
        let mut undo = Undo::borrow()?;
        for index in 0..self.hot.len() {
            let page = self.hot.get(index).copied().unwrap_or_default();
            if !self.has(page as usize, WRITABLE) {
                continue;
            }
            self.broken |= !undo.save(&self.region, page);
            if let Some(flags) = self.flags.get_mut(page as usize) {
                *flags |= SAVED;
            }
            // It may have been given back, and no fault will tell when it is written again.
            self.mark_held(page as usize);
        }
        self.undo = Some(undo);
        (self.fees, self.taken, self.limit) = (0, 0, limit);
        self.messages = self.messages.wrapping_add(1);
        Ok(())
    }

    /// Fees noted since they were last taken.
    pub(crate) fn take_fees(&mut self) -> u64 {
        self.fees - std::mem::replace(&mut self.taken, self.fees)
    }

    /// Whether fees alone exceed what the message may burn.
    pub(crate) fn is_over_limit(&self) -> bool {
        self.fees > self.limit
    }

    /// Whether the machine could not do what was asked of it: nothing that the message did means anything then.
    pub(super) fn is_broken(&self) -> bool {
        self.broken
    }

    /// Opens what a system call is about to read or write; the range must lie in the memory. False if the program cannot
    /// pay, or the machine has failed.
    pub(crate) fn touch(&mut self, at: u32, length: usize, write: bool) -> bool {
        if length > 0 {
            let wanted = if write { WRITABLE } else { READABLE };
            let first = at as usize / OS_PAGE;
            let last = (at as usize + length - 1) / OS_PAGE;
            for page in first..=last {
                if !self.has(page, wanted) && !self.open(page, write) {
                    return false;
                }
            }
        }
        !self.broken && !self.is_over_limit()
    }

    /// Handles a fault at an address. `write` says whether it was a write, if that is known. Safe in a signal handler.
    pub(super) fn fault(&mut self, address: usize, write: Option<bool>, in_wasm: bool) -> Verdict {
        let Some(offset) = address.checked_sub(self.region.base() as usize) else {
            return Verdict::Refuse;
        };
        let size = self.region.size();
        if offset >= self.region.mapped() || self.undo.is_none() || self.broken {
            return Verdict::Refuse;
        }
        if offset >= size {
            // An access over the end of the memory: processors differ in which half they look at first, so both halves
            // are always touched.
            if offset == size && size > 0 {
                self.open(size / OS_PAGE - 1, true);
            }
            return Verdict::Refuse;
        }
        let page = offset / OS_PAGE;
        // A fault at a page that can be read is a write.
        let write = write.unwrap_or_else(|| self.has(page, READABLE));
        let open = self.open(page, write);
        // wasmtime turns a refused access of the program into a trap. Its own accesses must not fail: these are let
        // through, and the message ends at the next system call or at its end.
        if !open || (in_wasm && self.is_over_limit()) {
            return Verdict::Refuse;
        }
        Verdict::Resume
    }

    /// Opens a page and notes what that means. False if the kernel fails. Safe in a signal handler.
    fn open(&mut self, page: usize, write: bool) -> bool {
        let first = page - page % IN_GEAR_PAGE;
        if first + IN_GEAR_PAGE > self.flags.len() {
            return false;
        }
        if !self.has(page, READ_PAID) {
            self.fees = self.fees.saturating_add(gas::LOAD_PAGE);
            for flags in self.flags.iter_mut().skip(first).take(IN_GEAR_PAGE) {
                *flags |= READ_PAID;
            }
        }
        if !self.has(page, READABLE) && !self.protect(first, first + IN_GEAR_PAGE, READABLE) {
            return false;
        }
        if !write {
            return true;
        }
        if !self.has(page, WRITE_PAID) {
            self.fees = self.fees.saturating_add(gas::WRITE_PAGE);
            if let Some(flags) = self.flags.get_mut(page) {
                *flags |= WRITE_PAID;
            }
        }
        self.open_saved(page)
    }

    /// Opens a page for writing, saved. Safe in a signal handler.
    fn open_saved(&mut self, page: usize) -> bool {
        if !self.has(page, WRITABLE) && !self.protect(page, page + 1, OPEN) {
            return false;
        }
        if !self.has(page, SAVED) {
            let known = if page < self.stack_pages {
                let room = self.stack.len() < self.stack.capacity();
                if room {
                    self.stack.push(page as u32);
                }
                room
            } else {
                let undo = self.undo.as_mut();
                undo.is_some_and(|undo| undo.save(&self.region, page as u32))
            };
            self.broken |= !known;
            if let Some(flags) = self.flags.get_mut(page) {
                *flags |= SAVED;
            }
            self.mark_held(page);
        }
        !self.broken
    }

    /// Protects `[from, to)`, in pages, as `open` says. If there are too many mappings, all are given back first. Safe in
    /// a signal handler.
    fn protect(&mut self, from: usize, to: usize, open: u8) -> bool {
        let protection = match open {
            0 => Protection::None,
            READABLE => Protection::Read,
            _ => Protection::Write,
        };
        if self.mappings > self.most_mappings {
            self.close_all();
        }
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

    /// Makes pages zero that a program allocates, `[from, to)` in bytes: in the same message it may have written or freed
    /// them. It pays for the allocation, not for touching them.
    pub(crate) fn clear(&mut self, from: usize, to: usize) {
        for page in from / OS_PAGE..to / OS_PAGE {
            if !self.has(page, HELD) {
                continue;
            }
            if self.open_saved(page) {
                self.zero(page);
            }
            let open = match (self.has(page, READ_PAID), self.has(page, WRITE_PAID)) {
                (_, true) => continue,
                (true, false) => READABLE,
                (false, false) => 0,
            };
            self.protect(page, page + 1, open);
        }
    }

    /// Makes a page zero. It must be open for writing.
    #[allow(unsafe_code)]
    fn zero(&self, page: usize) {
        if self.has(page, WRITABLE) {
            // SAFETY: a whole page of the region, open for writing; the program does not run now.
            unsafe { std::ptr::write_bytes(self.region.at(page * OS_PAGE), 0, OS_PAGE) };
        }
    }

    #[allow(unsafe_code)]
    fn is_zero(&self, page: usize) -> bool {
        // SAFETY: a whole page of the region, which the caller knows to be readable; the program does not run now.
        let bytes = unsafe { std::slice::from_raw_parts(self.region.at(page * OS_PAGE), OS_PAGE) };
        bytes.iter().all(|byte| *byte == 0)
    }

    /// Ends a message that failed: every page is as it was.
    pub(super) fn undo(&mut self) {
        let Some(undo) = self.undo.take() else {
            return;
        };
        let pages = undo.pages();
        let all_open = pages.iter().all(|page| self.has(*page as usize, WRITABLE));
        let end = self.flags.len() * OS_PAGE;
        if all_open || self.region.protect(0, end, Protection::Write) {
            for slot in 0..pages.len() {
                undo.restore(&self.region, slot);
            }
        } else {
            self.broken = true;
        }
        if !all_open {
            self.close_all();
        }
        self.settle(undo, false);
    }

    /// Ends a message that succeeded. `is_kept` says which Gear pages belong to the state; the others become zero.
    pub(super) fn keep(&mut self, is_kept: impl Fn(u32) -> bool) {
        let Some(undo) = self.undo.take() else {
            return;
        };
        for page in undo.pages() {
            let page = *page as usize;
            if !is_kept((page / IN_GEAR_PAGE) as u32)
                && (self.has(page, WRITABLE) || self.protect(page, page + 1, OPEN))
            {
                self.zero(page);
            }
            if let Some(flags) = self.flags.get_mut(page) {
                *flags |= DIRTY;
            }
        }
        let ageing = self.messages.is_multiple_of(AGEING);
        self.settle(undo, ageing);
    }

    /// Decides which pages stay open, and clears the stack.
    fn settle(&mut self, undo: Box<Undo>, ageing: bool) {
        self.hot.clear();
        let mut closing = 0..0;
        for (slot, page) in undo.pages().iter().enumerate() {
            let page = *page as usize;
            if let Some(flags) = self.flags.get_mut(page) {
                *flags &= !SAVED;
            }
            if !self.has(page, WRITE_PAID) {
                // Opened by this tracker, not by the program: the first use of the round is still to come.
                let open = if self.has(page, READ_PAID) {
                    READABLE
                } else {
                    0
                };
                self.protect(page, page + 1, open);
                continue;
            }
            if !self.has(page, WRITABLE) {
                continue;
            }
            let idle = ageing && !undo.differs(&self.region, slot);
            if self.hot.len() < HOT && !idle {
                self.hot.push(page as u32);
            } else if closing.end == page {
                closing.end += 1;
            } else {
                self.close_for_writing(closing);
                closing = page..page + 1;
            }
        }
        self.close_for_writing(closing);
        undo.give_back();

        let mut stack = std::mem::take(&mut self.stack);
        let (mut open, mut closing) = (0, 0..0);
        stack.retain(|number| {
            let page = *number as usize;
            if !self.has(page, WRITABLE) {
                self.protect(page, page + 1, OPEN);
            }
            let idle = ageing && self.is_zero(page);
            self.zero(page);
            let stays = open < HOT && !idle;
            if stays {
                open += 1;
            } else {
                if let Some(flags) = self.flags.get_mut(page) {
                    *flags &= !SAVED;
                }
                // A stack grows downwards.
                if closing.start == page + 1 {
                    closing.start = page;
                } else {
                    self.close_for_writing(closing.clone());
                    closing = page..page + 1;
                }
            }
            stays
        });
        self.close_for_writing(closing);
        self.stack = stack;
    }

    fn close_for_writing(&mut self, pages: std::ops::Range<usize>) {
        if !pages.is_empty() {
            self.protect(pages.start, pages.end, READABLE);
        }
    }

    /// Makes pages zero that are no longer the program's, between messages: `[from, to)` in bytes.
    pub(super) fn forget(&mut self, from: usize, to: usize) {
        let pages = from / OS_PAGE..to / OS_PAGE;
        let mut any = false;
        for flags in self.flags.iter_mut().skip(pages.start).take(pages.len()) {
            if *flags & HELD != 0 {
                *flags = *flags & !HELD | DIRTY;
                self.held -= 1;
                any = true;
            }
        }
        if any {
            self.broken |= !self.region.discard(from, to);
        }
    }

    /// Calls `f` with every Gear page that a message has changed since the last time, if all goes well, and closes the
    /// memory.
    #[allow(unsafe_code)]
    pub(super) fn commit(&mut self, mut f: impl FnMut(u32, &[u8])) {
        let size = self.region.size().min(self.flags.len() * OS_PAGE);
        if !self.flags.iter().any(|flags| flags & DIRTY != 0) {
            self.close();
            return;
        }
        if !self.region.protect(0, size, Protection::Read) {
            self.close();
            self.broken |= !self.region.protect(0, size, Protection::Read);
        }
        if self.broken {
            return;
        }
        for gear_page in 0..self.flags.len() / IN_GEAR_PAGE {
            let first = gear_page * IN_GEAR_PAGE;
            let mut dirty = false;
            for flags in self.flags.iter_mut().skip(first).take(IN_GEAR_PAGE) {
                dirty |= *flags & DIRTY != 0;
                *flags &= !DIRTY;
            }
            if !dirty {
                continue;
            }
            let bytes: &[u8] = if (first + IN_GEAR_PAGE) * OS_PAGE <= size {
                // SAFETY: a whole Gear page of the region, open for reading, while the program does not run.
                unsafe {
                    std::slice::from_raw_parts(
                        self.region.at(first * OS_PAGE),
                        crate::state::PAGE_SIZE,
                    )
                }
            } else {
                &[]
            };
            f(gear_page as u32, bytes);
        }
        self.close();
    }
}
