//! Pages of a memory that are still in the store, and how they come and go.
//!
//! A program in memory is an instance and the root of its tree of pages. A Gear page is read when it is first opened, be
//! it by a system call or by the fault handler: so a cold program costs what its messages touch, which they pay for, and
//! not what it has. The same flag serves forks of the chain: pages that differ on the other branch are dropped, and read
//! again when they are wanted. Only what was written is looked at when the program is committed or leaves.
//!
//! **Reading the store in a fault handler** is sound here, though it allocates, locks and reads files. What a handler may
//! not do is to enter code that the signal has interrupted half-way. These signals are not asynchronous: they are raised
//! by one instruction that touches the program's memory, and that is an instruction of compiled WASM, or of
//! `ptr::copy` and `ptr::write_bytes` in wasmtime's `memory.copy` and `memory.fill`. At neither does the thread hold a lock
//! of the allocator, the store, or of this crate, so the handler waits for other threads at most. (System calls open what
//! they read by [`Tracker::touch`], outside of any handler.) wasmtime gives its handlers a stack of 256 KiB, of which
//! this takes a few. Nothing unwinds out of it: a panic below is caught and becomes an error.
//!
//! Other ways were weighed. To stop the message, load and begin it again takes back all that a message may do, and fails
//! in `memory.copy`, which cannot be stopped. A thread that reads while the handler waits costs two switches for every
//! page and a second protocol. `userfaultfd` is closed to unprivileged processes in most containers.

use super::{
    memory::OS_PAGE,
    residents::Totals,
    tracker::{DIRTY, HELD, IN_GEAR_PAGE, LOADED, OPEN, READABLE, Tracker},
};
use crate::{
    StoreError,
    code::Code,
    state::{PAGE_SIZE, pages::Pages, store::Content},
};
use gear_exe_primitives::hashing::blake2b256;
use primitive_types::H256;
use rayon::prelude::*;
use std::{
    borrow::Cow,
    io,
    ops::Range,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

/// What the pages of a program are, as far as they are not in memory.
pub(super) struct Source {
    code: Arc<Code>,
    /// The tree of its stored pages. What is in memory of it covers every page that is loaded.
    pages: Pages,
    /// Set while the program has its turn.
    content: Option<Arc<Content>>,
    failed: Option<StoreError>,
    totals: Arc<Totals>,
}

impl Source {
    /// For a program as it is created.
    pub(super) fn new(
        code: Arc<Code>,
        content: &Content,
        totals: Arc<Totals>,
    ) -> Result<Self, StoreError> {
        Ok(Self {
            code,
            pages: Pages::load(content, None)?,
            content: None,
            failed: None,
            totals,
        })
    }

    /// Whether a page could not be read.
    pub(super) fn has_failed(&self) -> bool {
        self.failed.is_some()
    }

    /// What a page holds; nothing if that is what it has without our doing: zero, or what the instance began with, if that
    /// is still there.
    fn find(&mut self, page: u32, held: bool) -> Result<Option<Cow<'_, [u8]>>, StoreError> {
        let Some(content) = &self.content else {
            return Err(StoreError::Memory(io::Error::other(
                "a program runs out of turn",
            )));
        };
        let Some(hash) = self.pages.get(content, page)? else {
            let image = self.code.facts.image.get(&page).filter(|_| !held);
            return Ok(image.map(|image| Cow::Borrowed(image.as_ref())));
        };
        let bytes = content.bytes(hash)?;
        self.totals.count_page();
        if bytes.len() != PAGE_SIZE {
            return Err(StoreError::Unexpected(hash));
        }
        Ok(Some(Cow::Owned(bytes)))
    }
}

impl Tracker {
    /// From where to load pages, until there is another.
    pub(super) fn read_from(&mut self, content: Option<&Arc<Content>>) {
        self.source.content = content.cloned();
    }

    /// What went wrong with the store below the running message.
    pub(super) fn take_failure(&mut self) -> Option<StoreError> {
        self.source.failed.take()
    }

    /// Loads the Gear page that begins with page `first`, and leaves it closed for writing. False if that fails.
    #[allow(unsafe_code)]
    pub(super) fn load(&mut self, first: usize) -> bool {
        let all = first..first + IN_GEAR_PAGE;
        if self.is_stack(first) {
            // It is not stored.
            self.set(all, LOADED);
            return true;
        }
        let held = self.has(first, HELD);
        let page = (first / IN_GEAR_PAGE) as u32;
        let mut place = None;
        let found = catch_unwind(AssertUnwindSafe(|| {
            let found = self.source.find(page, held)?;
            Ok(found.map(Cow::into_owned))
        }));
        match found {
            Ok(Ok(bytes)) => place = bytes,
            Ok(Err(error)) => self.source.failed = Some(error),
            Err(_) => {
                let error = io::Error::other("the store panicked");
                self.source.failed = Some(StoreError::Memory(error));
            }
        }
        if self.source.has_failed() {
            return false;
        }
        if let Some(bytes) = place.filter(|bytes| bytes.len() == PAGE_SIZE) {
            if !self.protect(all.start, all.end, OPEN) {
                return false;
            }
            let to = self.region.at(first * OS_PAGE);
            // SAFETY: a whole Gear page of the region, open for writing; the program does not run now, or waits for the
            // handler of its fault.
            unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), to, PAGE_SIZE) };
            all.clone().for_each(|page| self.mark_held(page));
            if !self.protect(all.start, all.end, READABLE) {
                return false;
            }
        }
        self.set(all, LOADED);
        true
    }

    fn set(&mut self, pages: Range<usize>, bits: u8) {
        for flags in self.flags.iter_mut().take(pages.end).skip(pages.start) {
            *flags |= bits;
        }
    }

    /// Drops Gear pages, which are read again when they are wanted.
    pub(super) fn unload(&mut self, pages: Range<u32>) {
        let (from, to) = system_pages(&pages, self.flags.len());
        let flags = self.flags.get(from..to).unwrap_or_default();
        let any = |bits| flags.iter().any(|flags| flags & bits != 0);
        let (open, held) = (any(OPEN), any(HELD));
        if open {
            self.protect(from, to, 0);
        }
        if held {
            self.broken |= !self.region.discard(from * OS_PAGE, to * OS_PAGE);
        }
        for flags in self.flags.get_mut(from..to).unwrap_or_default() {
            self.held -= usize::from(*flags & HELD != 0);
            *flags &= !(HELD | LOADED);
        }
        self.hot
            .retain(|page| !(from..to).contains(&(*page as usize)));
    }

    /// Makes the memory, committed and at rest, the one that `root` names. Nothing of it is read yet but its tree, where
    /// it differs from what is loaded.
    pub(super) fn become_root(
        &mut self,
        content: &Content,
        root: Option<H256>,
    ) -> Result<(), StoreError> {
        let mut pages = Pages::load(content, root)?;
        let flags = &self.flags;
        let is_loaded = |pages: Range<u32>| {
            let (from, to) = system_pages(&pages, flags.len());
            let flags = flags.get(from..to).unwrap_or_default();
            flags.iter().any(|flags| flags & LOADED != 0)
        };
        let differing = self
            .source
            .pages
            .differing(&mut pages, content, is_loaded)?;
        self.source.pages = pages;
        for pages in differing {
            self.unload(pages);
        }
        Ok(())
    }

    /// Makes pages zero that a program allocates, `[from, to)` in bytes: in the same message it may have written or freed
    /// them. It pays for the allocation, not for touching them.
    pub(crate) fn clear(&mut self, from: usize, to: usize) {
        let (from, to) = (from / OS_PAGE, to / OS_PAGE);
        for first in (from..to).step_by(IN_GEAR_PAGE) {
            if self.has(first, LOADED) {
                for page in first..first + IN_GEAR_PAGE {
                    self.clear_page(page);
                }
                continue;
            }
            // There is nothing behind it, and what is stored is not its content any more.
            self.set(first..first + IN_GEAR_PAGE, LOADED);
            let page = (first / IN_GEAR_PAGE) as u32;
            match self.fresh.last_mut() {
                Some(pages) if pages.end == page => pages.end += 1,
                _ => self.fresh.push(page..page + 1),
            }
        }
    }

    /// Makes pages zero that are no longer the program's, between messages: `[from, to)` in bytes.
    pub(super) fn forget(&mut self, from: usize, to: usize) {
        let gear_pages = (from / PAGE_SIZE) as u32..(to / PAGE_SIZE) as u32;
        let (first, last) = system_pages(&gear_pages, self.flags.len());
        let mut any = false;
        for flags in self.flags.get_mut(first..last).unwrap_or_default() {
            any |= *flags & HELD != 0;
            self.held -= usize::from(*flags & HELD != 0);
            *flags = *flags & !HELD | LOADED;
        }
        if any {
            self.broken |= !self.region.discard(first * OS_PAGE, last * OS_PAGE);
        }
        self.gone.push(gear_pages);
    }

    /// Hashes and stores the Gear pages that were written since the last time, if they are `kept`, names the memory, and
    /// closes it.
    pub(super) fn commit(
        &mut self,
        content: &Content,
        is_kept: impl Fn(u32) -> bool,
    ) -> Result<Option<H256>, StoreError> {
        for pages in joined(std::mem::take(&mut self.gone)) {
            self.source.pages.clear(content, pages)?;
        }
        let mut dirty = std::mem::take(&mut self.dirty);
        for page in &mut dirty {
            if let Some(flags) = self.flags.get_mut(*page as usize) {
                *flags &= !DIRTY;
            }
            *page /= IN_GEAR_PAGE as u32;
        }
        dirty.sort_unstable();
        dirty.dedup();
        let kept: Vec<u32> = dirty
            .iter()
            .copied()
            .filter(|page| is_kept(*page))
            .collect();
        let mut stored = self.store(content, &kept).into_iter().peekable();
        for page in dirty {
            let hash = stored.next_if(|(stored, _)| *stored == page);
            let hash = hash.map(|(_, hash)| hash);
            self.source.pages.set(content, page, hash)?;
        }
        self.close();
        if self.broken {
            return Err(StoreError::Memory(io::Error::last_os_error()));
        }
        Ok(self.source.pages.store(content))
    }

    /// Stores Gear pages, given in order, and says their hashes. Those that are as the instance began are left out. Many
    /// are hashed by several threads.
    fn store(&mut self, content: &Content, pages: &[u32]) -> Vec<(u32, H256)> {
        /// Pages for which it is worth while to ask another thread.
        const MANY: usize = 8;
        if pages.len() >= MANY {
            pages.iter().for_each(|page| {
                self.open_for_reading(*page);
            });
            // Unless the kernel allows so few mappings that some were closed again.
            if pages.iter().all(|page| self.is_readable(*page)) {
                let tracker = &*self;
                let hashed = pages.par_iter().with_min_len(MANY / 2);
                return hashed
                    .filter_map(|page| Some((*page, tracker.store_page(content, *page)?)))
                    .collect();
            }
        }
        let mut stored = Vec::with_capacity(pages.len());
        for page in pages {
            self.open_for_reading(*page);
            if let Some(hash) = self.store_page(content, *page) {
                stored.push((*page, hash));
            }
        }
        stored
    }

    fn is_readable(&self, page: u32) -> bool {
        let first = page as usize * IN_GEAR_PAGE;
        let mut all = first..first + IN_GEAR_PAGE;
        (page as usize + 1) * PAGE_SIZE <= self.region.size()
            && all.all(|page| self.has(page, READABLE))
    }

    /// Opens a Gear page for reading, if it lies in the memory.
    fn open_for_reading(&mut self, page: u32) {
        let first = page as usize * IN_GEAR_PAGE;
        if first + IN_GEAR_PAGE <= self.flags.len() && !self.is_readable(page) {
            self.protect(first, first + IN_GEAR_PAGE, READABLE);
        }
    }

    /// Stores a Gear page and says its hash; nothing if it is as the instance began, or cannot be read.
    #[allow(unsafe_code)]
    fn store_page(&self, content: &Content, page: u32) -> Option<H256> {
        const ZERO: [u8; PAGE_SIZE] = [0; PAGE_SIZE];
        if self.broken || !self.is_readable(page) {
            return None;
        }
        let at = self.region.at(page as usize * PAGE_SIZE);
        // SAFETY: a whole Gear page of the region, open for reading. Nobody writes it: the program does not run, and the
        // threads that share this tracker while pages are hashed only read.
        let bytes = unsafe { std::slice::from_raw_parts(at, PAGE_SIZE) };
        let image = &self.source.code.facts.image;
        if bytes == image.get(&page).map_or(&ZERO[..], AsRef::as_ref) {
            return None;
        }
        let hash = blake2b256([bytes]);
        content.insert(hash, bytes);
        Some(hash)
    }
}

/// Pages of the operating system, of so many, in a range of Gear pages.
fn system_pages(pages: &Range<u32>, of: usize) -> (usize, usize) {
    let from = (pages.start as usize * IN_GEAR_PAGE).min(of);
    (from, (pages.end as usize * IN_GEAR_PAGE).min(of))
}

/// The same ranges in order, without gaps or overlaps between them.
fn joined(mut ranges: Vec<Range<u32>>) -> Vec<Range<u32>> {
    ranges.sort_unstable_by_key(|range| range.start);
    let mut joined: Vec<Range<u32>> = Vec::with_capacity(ranges.len());
    for range in ranges {
        match joined.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            _ => joined.push(range),
        }
    }
    joined
}
