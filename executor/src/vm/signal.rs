//! The handler of faults that a program's accesses raise.
//!
//! wasmtime installs one handler for the process. On a fault on a thread that runs a program it first asks the program's
//! store, which asks here. What the tracker does not allow, wasmtime turns into a trap.

#![allow(unsafe_code)] // this is the signal code

use super::{shared::Shared, tracker::Verdict};
use std::{ops::Range, sync::Arc};
use wasmtime::{Store, unix::StoreExt};

/// Whether the fault was a write, where the processor's report says so in a way that we can read.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
fn is_write(context: *const libc::c_void) -> Option<bool> {
    /// The bit of the page fault's error code that is set for writes.
    const WRITE: i64 = 2;
    // SAFETY: the kernel passes a `ucontext_t` to every handler installed with `SA_SIGINFO`, as wasmtime's is.
    let context = unsafe { context.cast::<libc::ucontext_t>().as_ref() }?;
    let code = context.uc_mcontext.gregs.get(libc::REG_ERR as usize)?;
    Some(code & WRITE != 0)
}

#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
fn is_write(_context: *const libc::c_void) -> Option<bool> {
    None
}

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
fn instruction(context: *const libc::c_void) -> Option<usize> {
    // SAFETY: as in `is_write`.
    let context = unsafe { context.cast::<libc::ucontext_t>().as_ref() }?;
    let at = context.uc_mcontext.gregs.get(libc::REG_RIP as usize)?;
    Some(*at as usize)
}

#[cfg(all(target_os = "linux", target_arch = "aarch64"))]
fn instruction(context: *const libc::c_void) -> Option<usize> {
    // SAFETY: as in `is_write`.
    let context = unsafe { context.cast::<libc::ucontext_t>().as_ref() }?;
    Some(context.uc_mcontext.pc as usize)
}

#[cfg(not(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64")
)))]
fn instruction(_context: *const libc::c_void) -> Option<usize> {
    None
}

/// Has the tracker handle the faults of this store. `text` is where the program's compiled code lies.
pub(super) fn install<T: 'static>(store: &mut Store<T>, tracker: Arc<Shared>, text: Range<usize>) {
    let handler = move |signal: libc::c_int,
                        info: *const libc::siginfo_t,
                        context: *const libc::c_void| {
        if signal != libc::SIGSEGV || info.is_null() {
            return false;
        }
        // SAFETY: the kernel fills `siginfo_t` for every handler installed with `SA_SIGINFO`, and for this signal it holds
        // the address.
        let address = unsafe { (*info).si_addr() } as usize;
        let in_wasm = instruction(context).is_some_and(|at| text.contains(&at));
        let verdict = tracker.with(|tracker| tracker.fault(address, is_write(context), in_wasm));
        verdict == Verdict::Resume
    };
    // SAFETY: the handler is safe in a signal: it works on memory that was allocated before and makes system calls that
    // are safe there (`mprotect`). Where it loads a page it also allocates, locks and reads files, and panics are caught:
    // `loading` says why that is sound.
    unsafe { store.set_signal_handler(handler) };
}
