//! Which pages of a program's memory were touched, and how they were before.
//!
//! A memory begins each round without any access. The first access to a page raises a fault, which the
//! [`signal`](super::signal) handler brings here (system calls come by [`Tracker::touch`] and raise none): the page is
//! opened, the fee for its first use in the round is noted, and before the first write of a message a copy is put aside.
//! So three things come out of one mechanism: gas for memory, what to undo when a message fails, and which pages to hash
//! when the round ends.
//!
//! Fees follow the *first touch in the round*, which is kept apart from what is open at the moment. Everything else here
//! (which pages stay open between messages, when all are closed, which are in memory at all) is for speed and changes no
//! result. Pages that are not in memory yet are brought in when they are opened: see [`loading`](super::loading). What is
//! open in the eyes of the kernel is the business of [`opening`](super::opening).
//!
//! The stack is no state. It is not saved but cleared after every message, so that no message sees what another left.

use super::{
    loading::Source,
    memory::{OS_PAGE, Protection, Region},
    ranges::Ranges,
    undo::Undo,
};
use crate::gas;
use std::{io, ops::Range, sync::Arc};

/// Open for reading.
pub(super) const READABLE: u8 = 1;
/// Open for writing, which includes reading.
pub(super) const WRITABLE: u8 = 2;
/// Saved for undoing in this message; a page of the stack: known to need clearing.
pub(super) const SAVED: u8 = 4;
/// Written by a message that succeeded since the memory was last committed.
pub(super) const DIRTY: u8 = 8;
/// There is memory behind it.
pub(super) const HELD: u8 = 16;
/// The fee for its Gear page's first use in this round is noted.
const READ_PAID: u8 = 32;
/// The fee for its first write in this round is noted.
const WRITE_PAID: u8 = 64;
/// What is in memory is what the page holds; without it, that is still in the store. One for all of a Gear page.
pub(super) const LOADED: u8 = 128;

pub(super) const OPEN: u8 = READABLE | WRITABLE;
const PAID: u8 = READ_PAID | WRITE_PAID;

/// Pages of the operating system in a Gear page.
pub(super) const IN_GEAR_PAGE: usize = crate::state::PAGE_SIZE / OS_PAGE;
/// Pages that stay open between messages: copying one takes a tenth of a microsecond, a fault two. As many of the stack.
const HOT: usize = 16;
/// Every so many messages, pages that stayed open for nothing are closed.
const AGEING: u32 = 64;

/// What a program has paid for in the round: kept if it must leave memory before the round ends. Flags of pages, from a
/// first one on.
pub(crate) struct Paid(Vec<(usize, Vec<u8>)>);

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
    pub(super) region: Arc<Region>,
    /// Where pages come from that are not in memory.
    pub(super) source: Source,
    /// By page of the operating system. Never shrinks; what is behind the memory's size is closed.
    pub(super) flags: Vec<u8>,
    /// The pages that were opened or paid for since the round began are in here.
    pub(super) used: Ranges,
    /// Pages of the stack, which lies in front of everything else.
    stack_pages: usize,
    /// Pages of the stack to be cleared; all its memory is allocated beforehand.
    pub(super) stack: Vec<u32>,
    /// Pages that are open for writing between messages.
    pub(super) hot: Vec<u32>,
    /// Pages that are dirty, once each.
    pub(super) dirty: Vec<u32>,
    /// Gear pages that the running message has allocated and that were not loaded before.
    pub(super) fresh: Vec<Range<u32>>,
    /// Gear pages that were given back since the memory was last committed: nothing stored is left of them.
    pub(super) gone: Vec<Range<u32>>,
    /// Set while a message runs.
    undo: Option<Box<Undo>>,
    /// Fee that the next message owes, be it touching memory or not.
    due: u64,
    /// Fees of the running message.
    fees: u64,
    /// What was taken of them.
    taken: u64,
    /// Most that they may come to.
    limit: u64,
    /// The kernel, or the room for undoing, has failed.
    pub(super) broken: bool,
    pub(super) held: usize,
    pub(super) mappings: usize,
    pub(super) most_mappings: usize,
    messages: u32,
}

impl Tracker {
    /// For a memory as wasmtime has made it, wholly open. Closes it.
    pub(super) fn new(
        region: Arc<Region>,
        source: Source,
        stack_bytes: u32,
        most_mappings: usize,
    ) -> io::Result<Self> {
        let stack_pages = stack_bytes as usize / OS_PAGE;
        if !region.protect(0, region.size(), Protection::None) {
            return Err(io::Error::last_os_error());
        }
        Ok(Self {
            source,
            // Zero without being touched: a large memory must not cost more to bring here than a small one.
            flags: vec![0; region.size() / OS_PAGE],
            used: Ranges::new(),
            stack_pages,
            stack: Vec::with_capacity(stack_pages),
            hot: Vec::with_capacity(HOT),
            dirty: Vec::new(),
            fresh: Vec::new(),
            gone: Vec::new(),
            undo: None,
            due: gas::WAKE,
            fees: 0,
            taken: 0,
            limit: 0,
            broken: false,
            held: 0,
            mappings: 0,
            most_mappings: most_mappings.max(16),
            messages: 0,
            region,
        })
    }

    /// Bytes of memory behind it, estimated: pages, page tables and hashes, this.
    pub(super) fn held_bytes(&self) -> u64 {
        (self.held * OS_PAGE + self.held / 16 * OS_PAGE + self.flags.len()) as u64
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

    pub(super) fn mark_held(&mut self, page: usize) {
        if let Some(flags) = self.flags.get_mut(page)
            && *flags & HELD == 0
        {
            *flags |= HELD;
            self.held += 1;
        }
    }

    pub(super) fn has(&self, page: usize, bits: u8) -> bool {
        self.flags
            .get(page)
            .is_some_and(|flags| flags & bits == bits)
    }

    /// Begins a round: everything is closed and nothing is paid for.
    pub(super) fn begin_round(&mut self) {
        self.close();
        for index in 0..self.used.len() {
            let used = self.used_flags(index);
            for flags in self.flags.get_mut(used).unwrap_or_default() {
                *flags &= !PAID;
            }
        }
        self.used.clear();
        self.due = gas::WAKE;
    }

    /// One of the ranges that were used, as far as there are flags.
    pub(super) fn used_flags(&self, index: usize) -> Range<usize> {
        let used = self.used.get(index);
        used.start.min(self.flags.len())..used.end.min(self.flags.len())
    }

    /// What was paid for in the round.
    pub(super) fn paid(&self) -> Paid {
        let all = (0..self.used.len()).map(|index| {
            let used = self.used_flags(index);
            let first = used.start;
            let flags = self.flags.get(used).unwrap_or_default();
            (first, flags.iter().map(|flags| flags & PAID).collect())
        });
        Paid(all.collect())
    }

    /// Takes over what was paid for before the program left memory.
    pub(super) fn restore_paid(&mut self, paid: &Paid) {
        for (first, paid) in &paid.0 {
            let end = first + paid.len();
            if self.flags.len() < end {
                self.flags.resize(end, 0);
            }
            let own = self.flags.iter_mut().skip(*first);
            for (flags, paid) in own.zip(paid) {
                *flags |= paid;
            }
            self.used.add(*first..end);
        }
        self.due = 0;
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
        self.fees = std::mem::take(&mut self.due);
        (self.taken, self.limit) = (0, limit);
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
        // through, and the message ends at the next system call or at its end. If it was the store that failed, all that
        // comes after it is thrown away.
        let open = open || (!in_wasm && self.source.has_failed() && self.open_anyway(page, write));
        if !open || (in_wasm && self.is_over_limit()) {
            return Verdict::Refuse;
        }
        Verdict::Resume
    }

    /// Opens a page that could not be loaded.
    fn open_anyway(&mut self, page: usize, write: bool) -> bool {
        let open = if write { OPEN } else { READABLE };
        self.protect(page, page + 1, open)
    }

    /// Opens a page and notes what that means. False if the kernel fails. Safe in a signal handler.
    fn open(&mut self, page: usize, write: bool) -> bool {
        let first = page - page % IN_GEAR_PAGE;
        if first + IN_GEAR_PAGE > self.flags.len() {
            return false;
        }
        if !self.has(page, READ_PAID) {
            let fee = if self.is_stack(first) {
                gas::WRITE_PAGE
            } else {
                gas::LOAD_PAGE
            };
            self.fees = self.fees.saturating_add(fee);
            for flags in self.flags.iter_mut().skip(first).take(IN_GEAR_PAGE) {
                *flags |= READ_PAID;
            }
            self.used.add(first..first + IN_GEAR_PAGE);
            self.note_paid(first, READ_PAID);
        }
        if !self.has(page, LOADED) && !self.load(first) {
            return false;
        }
        if !self.has(page, READABLE) && !self.protect(first, first + IN_GEAR_PAGE, READABLE) {
            return false;
        }
        if !write {
            return true;
        }
        if !self.has(page, WRITE_PAID) {
            // Of the Gear page, what is no stack.
            let mut state = first.max(self.stack_pages)..first + IN_GEAR_PAGE;
            let first_write =
                state.contains(&page) && !state.any(|page| self.has(page, WRITE_PAID));
            let store = if first_write { gas::STORE_PAGE } else { 0 };
            self.fees = self.fees.saturating_add(gas::WRITE_PAGE + store);
            if let Some(flags) = self.flags.get_mut(page) {
                *flags |= WRITE_PAID;
            }
            self.note_paid(page, WRITE_PAID);
        }
        self.open_saved(page)
    }

    /// Whether the Gear page that begins with page `first` lies wholly in the stack.
    pub(super) fn is_stack(&self, first: usize) -> bool {
        first + IN_GEAR_PAGE <= self.stack_pages
    }

    fn note_paid(&mut self, page: usize, what: u8) {
        if let Some(undo) = &mut self.undo {
            undo.note_paid(page as u32, what);
        }
    }

    /// Takes back what the running message has been noted to pay for.
    fn take_back_paid(&mut self, undo: &Undo) {
        for (page, what) in undo.paid() {
            let pages = if *what == READ_PAID { IN_GEAR_PAGE } else { 1 };
            for flags in self.flags.iter_mut().skip(*page as usize).take(pages) {
                *flags &= !what;
            }
        }
    }

    /// Opens a page for writing, saved. Safe in a signal handler.
    pub(super) fn open_saved(&mut self, page: usize) -> bool {
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

    /// Makes a loaded page zero for [`Self::clear`].
    pub(super) fn clear_page(&mut self, page: usize) {
        if !self.has(page, HELD) {
            return;
        }
        if self.open_saved(page) {
            self.zero(page);
        }
        let open = match (self.has(page, READ_PAID), self.has(page, WRITE_PAID)) {
            (_, true) => return,
            (true, false) => READABLE,
            (false, false) => 0,
        };
        self.protect(page, page + 1, open);
    }

    /// Makes a page zero. It must be open for writing.
    #[allow(unsafe_code)]
    pub(super) fn zero(&self, page: usize) {
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

    /// Ends a message that failed: every page is as it was. If the fees for memory alone were too much, it has paid for
    /// none: where exactly it stopped, processors may see differently (an access can lie in two pages).
    pub(super) fn undo(&mut self) {
        let Some(undo) = self.undo.take() else {
            return;
        };
        let over = self.is_over_limit();
        if over {
            self.take_back_paid(&undo);
        }
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
            self.used.add(0..self.flags.len());
        }
        if !all_open || over {
            self.close_all();
        }
        self.settle(undo, false);
        if over {
            self.close();
        }
        for pages in std::mem::take(&mut self.fresh) {
            self.unload(pages);
        }
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
                if *flags & DIRTY == 0 {
                    self.dirty.push(page as u32);
                }
                *flags |= DIRTY;
            }
        }
        self.gone.append(&mut self.fresh);
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
}
