// SPDX-License-Identifier: GPL-3.0-or-later

//! Asks many programs at the same time and joins their answers.
//!
//! | payload | effect | reply |
//! |---|---|---|
//! | `init`: ids | these programs will be asked | automatic |
//! | `SET` ‖ ids | from now on these are | automatic |
//! | `ASK` | sends `PING` to all of them, then waits for all | see below |
//! | `ASK` ‖ text | sends the text instead of `PING` | see below |
//!
//! Ids are concatenated, 32 bytes each. The reply to `ASK` is the number of successful answers (`u32`, little-endian) followed
//! by those answers, joined in the order of the ids and not in the order of arrival. An error reply, or no reply within 100
//! blocks, is not counted.

#![no_std]

use core::cell::RefCell;
use gstd::{ActorId, msg, prelude::*};

struct Targets(RefCell<Vec<ActorId>>);

// A program runs on one thread: nothing is ever shared.
unsafe impl Sync for Targets {}

static TARGETS: Targets = Targets(RefCell::new(Vec::new()));

fn set_targets(ids: &[u8]) {
    let (ids, rest) = ids.as_chunks::<32>();
    assert!(rest.is_empty(), "ids have 32 bytes each");
    *TARGETS.0.borrow_mut() = ids.iter().map(|id| ActorId::new(*id)).collect();
}

async fn ask(question: &[u8]) -> Vec<u8> {
    let targets = TARGETS.0.borrow().clone();
    // Everything is sent before anything is awaited: the programs asked run in parallel.
    let pending: Vec<_> = targets
        .into_iter()
        .map(|id| msg::send_bytes_for_reply(id, question, 0).expect("the question is sent"))
        .collect();

    let mut count = 0u32;
    let mut joined = vec![0; 4];
    for answer in pending {
        if let Ok(answer) = answer.await {
            count += 1;
            joined.extend(answer);
        }
    }
    joined[..4].copy_from_slice(&count.to_le_bytes());
    joined
}

#[unsafe(no_mangle)]
extern "C" fn init() {
    set_targets(&msg::load_bytes().expect("the payload can be read"));
}

#[gstd::async_main]
async fn main() {
    let payload = msg::load_bytes().expect("the payload can be read");
    if let Some(ids) = payload.strip_prefix(b"SET") {
        set_targets(ids);
    } else if let Some(text) = payload.strip_prefix(b"ASK") {
        let answers = ask(if text.is_empty() { b"PING" } else { text }).await;
        msg::reply_bytes(answers, 0).expect("the first reply is accepted");
    } else {
        panic!("unknown command");
    }
}
