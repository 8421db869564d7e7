//! Address space of our own under every linear memory.
//!
//! wasmtime asks [`Creator`] for a memory whenever it makes an instance. It gets a [`Region`]: the whole 4 GiB that a
//! program can address and the guard behind them, reserved and inaccessible, so that compiled code needs no bounds
//! checks. Nothing is ever moved: a memory grows and shrinks by its size alone, and which of its pages may be read or
//! written is the business of the [`tracker`](super::tracker).

#![allow(unsafe_code)] // this is the memory code

use std::{
    cell::RefCell,
    io,
    ptr::NonNull,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};
use wasmtime::{LinearMemory, MemoryCreator, MemoryType};

/// Bytes of a page of the operating system: what can be protected and is saved for undoing.
pub(crate) const OS_PAGE: usize = 4096;

/// What may be done with a range of memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protection {
    None,
    Read,
    Write,
}

/// A range of address space, inaccessible at first, unmapped when it is dropped.
pub(crate) struct Region {
    base: NonNull<u8>,
    mapped: usize,
    size: AtomicUsize,
}

// SAFETY: a region is an address range that it alone owns; its only state beside that is atomic. Whoever reads or writes
// the memory itself has to answer for races: see `Tracker`.
unsafe impl Send for Region {}
// SAFETY: as above.
unsafe impl Sync for Region {}

impl Region {
    /// Reserves `length` bytes, without memory behind them.
    pub(super) fn reserve(length: usize) -> io::Result<Self> {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
        // SAFETY: a new mapping, at an address of the kernel's choice, touches nothing that exists.
        let base =
            unsafe { libc::mmap(std::ptr::null_mut(), length, libc::PROT_NONE, flags, -1, 0) };
        if base == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let base = NonNull::new(base.cast::<u8>()).ok_or_else(io::Error::last_os_error)?;
        // Huge pages would hold two MiB for every page that a program touches. Where there are none, it fails, and all
        // is well.
        // SAFETY: advice on the mapping just made.
        unsafe { libc::madvise(base.as_ptr().cast(), length, libc::MADV_NOHUGEPAGE) };
        Ok(Self {
            base,
            mapped: length,
            size: AtomicUsize::new(0),
        })
    }

    pub(super) fn base(&self) -> *mut u8 {
        self.base.as_ptr()
    }

    /// Bytes of address space.
    pub(super) fn mapped(&self) -> usize {
        self.mapped
    }

    /// Bytes that the program has.
    pub(super) fn size(&self) -> usize {
        self.size.load(Relaxed)
    }

    pub(super) fn set_size(&self, size: usize) {
        self.size.store(size.min(self.mapped), Relaxed);
    }

    /// Whether `[from, to)` consists of whole pages of this region.
    fn has(&self, from: usize, to: usize) -> bool {
        from <= to
            && to <= self.mapped
            && from.is_multiple_of(OS_PAGE)
            && to.is_multiple_of(OS_PAGE)
    }

    /// Protects `[from, to)`, in bytes. False if the kernel refuses, which it does if there are too many mappings.
    /// Safe in a signal handler.
    pub(super) fn protect(&self, from: usize, to: usize, protection: Protection) -> bool {
        if !self.has(from, to) {
            return false;
        }
        let bits = match protection {
            Protection::None => libc::PROT_NONE,
            Protection::Read => libc::PROT_READ,
            Protection::Write => libc::PROT_READ | libc::PROT_WRITE,
        };
        // SAFETY: the range lies in this region's own mapping.
        from == to || unsafe { libc::mprotect(self.at(from).cast(), to - from, bits) } == 0
    }

    /// Gives the memory behind `[from, to)`, in bytes, back: it reads zero from then on.
    pub(super) fn discard(&self, from: usize, to: usize) -> bool {
        if !self.has(from, to) {
            return false;
        }
        // SAFETY: the range lies in this region's own mapping, which is private and anonymous: it becomes zero.
        from == to
            || unsafe { libc::madvise(self.at(from).cast(), to - from, libc::MADV_DONTNEED) } == 0
    }

    /// The address of a byte. Its protection is the caller's business.
    pub(super) fn at(&self, offset: usize) -> *mut u8 {
        self.base().wrapping_add(offset.min(self.mapped))
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        // SAFETY: nothing refers to the mapping any more: the memory that wasmtime holds and the tracker share this
        // region by `Arc`, and this is its end.
        unsafe { libc::munmap(self.base().cast(), self.mapped) };
    }
}

thread_local! {
    /// The region that was made last on this thread.
    static CREATED: RefCell<Option<Arc<Region>>> = const { RefCell::new(None) };
}

/// The region of the instance that this thread has just made.
pub(super) fn take_created() -> Option<Arc<Region>> {
    CREATED.with(|created| created.borrow_mut().take())
}

/// Makes linear memories for wasmtime.
pub(super) struct Creator;

// SAFETY: the whole reservation and guard that wasmtime asks for are mapped, never move, and nothing but this crate's
// tracker and wasmtime itself touches them. The memory is zero, as every new anonymous mapping.
unsafe impl MemoryCreator for Creator {
    fn new_memory(
        &self,
        _ty: MemoryType,
        minimum: usize,
        _maximum: Option<usize>,
        reserved: Option<usize>,
        guard: usize,
    ) -> Result<Box<dyn LinearMemory>, String> {
        let capacity = reserved.unwrap_or(minimum).max(minimum);
        let region = Region::reserve(capacity.saturating_add(guard))
            .map_err(|error| format!("no address space for a memory: {error}"))?;
        // wasmtime writes the data segments; the tracker protects the memory afterwards.
        if !region.protect(0, minimum, Protection::Write) {
            return Err(format!("no memory: {}", io::Error::last_os_error()));
        }
        region.set_size(minimum);
        let region = Arc::new(region);
        CREATED.with(|created| *created.borrow_mut() = Some(region.clone()));
        Ok(Box::new(Linear { region, capacity }))
    }
}

/// What wasmtime holds of a region.
struct Linear {
    region: Arc<Region>,
    capacity: usize,
}

// SAFETY: the base never moves and the region lives as long as this. The size may shrink between runs, but never below
// the minimum that compiled code takes for granted, and wasmtime is told by a growth of zero pages before it runs again.
unsafe impl LinearMemory for Linear {
    fn byte_size(&self) -> usize {
        self.region.size()
    }

    fn byte_capacity(&self) -> usize {
        self.capacity
    }

    fn grow_to(&mut self, size: usize) -> wasmtime::Result<()> {
        if size > self.capacity {
            return Err(wasmtime::Error::msg("a memory cannot outgrow 4 GiB"));
        }
        self.region.set_size(size);
        Ok(())
    }

    fn as_ptr(&self) -> *mut u8 {
        self.region.base()
    }
}
