// SPDX-License-Identifier: GPL-3.0-or-later

//! Asks other programs, written as one writes for Vara: `gstd` reserves gas for each message's signal by itself, and cleans
//! up after a message that failed.
//!
//! | command | what happens |
//! |---|---|
//! | `ASK` to:id payload | sends that, and replies with the answer, or with `ERROR` and the text of the error |
//! | `HOOK` to:id deposit:u64 payload | asks with that much gas for the answer, and counts it when it comes |
//! | `SLEEP` blocks:u32 | replies `AWAKE` so many blocks later |
//! | `FAIL` to:id payload | asks, then panics; a hook is to run then |
//! | `ROLL` to:id payload | asks, then replies with a random number and its block |
//! | `TOLD` | replies how many answers were counted, how often a hook ran, how many signals came (`u32` each) |

#![no_std]

use core::sync::atomic::{AtomicU32, Ordering::Relaxed};
use gstd::{ActorId, critical, exec, msg, prelude::*};

static ANSWERS: AtomicU32 = AtomicU32::new(0);
static HOOKS: AtomicU32 = AtomicU32::new(0);
static SIGNALS: AtomicU32 = AtomicU32::new(0);

#[unsafe(no_mangle)]
extern "C" fn init() {}

fn count_signal() {
    SIGNALS.fetch_add(1, Relaxed);
}

#[gstd::async_main(handle_signal = count_signal)]
async fn main() {
    let command = msg::load_bytes().expect("the payload can be read");
    if let Some(arguments) = command.strip_prefix(b"ASK") {
        let (to, payload) = target(arguments);
        let answer = msg::send_bytes_for_reply(to, payload, 0, 0)
            .expect("the message is sent")
            .await;
        match answer {
            Ok(answer) => reply(&answer),
            Err(error) => reply(format!("ERROR {error}").as_bytes()),
        }
    } else if let Some(arguments) = command.strip_prefix(b"HOOK") {
        let (to, arguments) = target(arguments);
        let (deposit, payload) = arguments.split_at(8);
        let deposit = u64::from_le_bytes(deposit.try_into().expect("eight bytes"));
        let answer = msg::send_bytes_for_reply(to, payload, 0, deposit)
            .expect("the message is sent")
            .handle_reply(|| {
                ANSWERS.fetch_add(1, Relaxed);
            })
            .expect("there is a deposit")
            .up_to(Some(5))
            .expect("the time is not zero")
            .await;
        match answer {
            Ok(answer) => reply(&answer),
            Err(error) => reply(format!("ERROR {error}").as_bytes()),
        }
    } else if let Some(blocks) = command.strip_prefix(b"SLEEP") {
        exec::sleep_for(u32::from_le_bytes(blocks.try_into().expect("four bytes"))).await;
        reply(b"AWAKE");
    } else if let Some(arguments) = command.strip_prefix(b"FAIL") {
        critical::set_hook(|| {
            HOOKS.fetch_add(1, Relaxed);
        });
        let (to, payload) = target(arguments);
        let _ = msg::send_bytes_for_reply(to, payload, 0, 0)
            .expect("the message is sent")
            .await;
        panic!("asked to fail");
    } else if let Some(arguments) = command.strip_prefix(b"ROLL") {
        let (to, payload) = target(arguments);
        let _ = msg::send_bytes_for_reply(to, payload, 0, 0)
            .expect("the message is sent")
            .await;
        let (hash, block) = exec::random([7; 32]).expect("random never fails");
        reply(&[&hash[..], &block.to_le_bytes()].concat());
    } else if command == b"TOLD" {
        let counts = [&ANSWERS, &HOOKS, &SIGNALS].map(|count| count.load(Relaxed).to_le_bytes());
        reply(&counts.concat());
    } else {
        panic!("unknown command");
    }
}

fn target(arguments: &[u8]) -> (ActorId, &[u8]) {
    let (to, rest) = arguments.split_at(32);
    (ActorId::new(to.try_into().expect("32 bytes")), rest)
}

fn reply(payload: &[u8]) {
    msg::reply_bytes(payload, 0).expect("the reply is accepted");
}
