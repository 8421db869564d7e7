// SPDX-License-Identifier: GPL-3.0-or-later

//! The smallest useful program: `PING` is answered with `PONG`.
//!
//! | payload | reply |
//! |---|---|
//! | `PING` | `PONG` |
//! | `COUNT` | the number of `PING`s so far, as eight little-endian bytes |
//! | anything else | the automatic empty reply |
//!
//! `init` accepts anything. The counter lives in static memory, so each `PING` changes the program's state.

#![no_std]

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};
use gstd::msg;

static PINGS: AtomicU64 = AtomicU64::new(0);

#[unsafe(no_mangle)]
extern "C" fn init() {}

#[unsafe(no_mangle)]
extern "C" fn handle() {
    let payload = msg::load_bytes().expect("the payload can be read");
    match payload.as_slice() {
        b"PING" => {
            PINGS.fetch_add(1, Relaxed);
            msg::reply_bytes("PONG", 0).expect("the first reply is accepted");
        }
        b"COUNT" => {
            msg::reply_bytes(PINGS.load(Relaxed).to_le_bytes(), 0)
                .expect("the first reply is accepted");
        }
        _ => {}
    }
}
