// SPDX-License-Identifier: GPL-3.0-or-later

//! CPU-bound work on request, to compare with the same work compiled natively.
//!
//! | payload | reply |
//! |---|---|
//! | a kernel's number, its size and how often it shall run, as four little-endian bytes each | a check sum, as eight little-endian bytes |
//! | anything else | the automatic empty reply |
//!
//! `init` accepts anything. The kernels keep no state.

#![no_std]

extern crate alloc;

mod kernels;

use gstd::msg;

#[unsafe(no_mangle)]
extern "C" fn init() {}

#[unsafe(no_mangle)]
extern "C" fn handle() {
    let payload = msg::load_bytes().expect("the payload can be read");
    let &[kernel, a, b, c, d, e, f, g, h] = payload.as_slice() else {
        return;
    };
    let (size, times) = (
        u32::from_le_bytes([a, b, c, d]),
        u32::from_le_bytes([e, f, g, h]),
    );
    if let Some(sum) = kernels::run(kernel, size, times) {
        msg::reply_bytes(sum.to_le_bytes(), 0).expect("the first reply is accepted");
    }
}
