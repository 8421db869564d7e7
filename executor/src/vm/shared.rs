//! The tracker of one memory in the hands of the three that use it: the resident program, the system calls, and the fault
//! handler.

#![allow(unsafe_code)] // this is the signal code

use super::tracker::Tracker;
use std::{cell::UnsafeCell, sync::Arc};

/// The tracker of one memory, for the thread that runs its program and the signal handler that interrupts it there.
pub(crate) struct Shared(UnsafeCell<Tracker>);

// SAFETY: a tracker is reached by the one who has its program's `Resident` in exclusive use, and by the signal handler on
// the same thread while that program's code runs; see `with`.
unsafe impl Send for Shared {}
// SAFETY: as above.
unsafe impl Sync for Shared {}

impl Shared {
    pub(super) fn new(tracker: Tracker) -> Arc<Self> {
        Arc::new(Self(UnsafeCell::new(tracker)))
    }

    /// Uses the tracker. `f` must neither call this again nor touch pages of the memory that are not open.
    pub(crate) fn with<R>(&self, f: impl FnOnce(&mut Tracker) -> R) -> R {
        // SAFETY: no two of these references exist at once. The tracker is shared by a resident program, the data of its
        // wasmtime store, and the handler of that store; all uses outside of the handler have the resident or the store
        // in exclusive use and end before they return. The handler runs on the thread that runs the program's code,
        // because of an access of that code, or of wasmtime on its behalf, to the program's memory; `f` makes no access
        // that faults, so the handler never interrupts another use.
        f(unsafe { &mut *self.0.get() })
    }
}
