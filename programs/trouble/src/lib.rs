// SPDX-License-Identifier: GPL-3.0-or-later

//! Does what a well-behaved program never does, so that an executor can show that it copes.
//!
//! The payload of `init` or `handle` is a command: a name, then its arguments without separator (numbers little-endian, ids 32 bytes).
//!
//! | command | what happens |
//! |---|---|
//! | (empty) | nothing |
//! | `COUNT` | replies how many `BUMP`s were kept (`u64`) |
//! | `BUMP` | adds one to the count |
//! | `DIRTY` | adds one to the count, writes 1 MiB of fresh memory, then panics: nothing of it may stay |
//! | `PANIC` | panics; the error reply carries the message |
//! | `TRAP` | executes `unreachable` |
//! | `WILD` | writes behind the end of its memory |
//! | `LOOP` | loops for ever |
//! | `RECURSE` | calls itself for ever |
//! | `ALLOC` | allocates and fills memory until there is none left |
//! | `FLOOD` | sends messages to the source for ever |
//! | `BIG` len:u32 | replies with that many bytes |
//! | `TWICE` | replies twice; panics if the second reply is accepted |
//! | `REFUND` | replies with the value that came with the message |
//! | `MAILBOX` value:u128 | sends `MAIL` with this value to the source, then an automatic reply |
//! | `SEND` to:id value:u128 payload | sends that message |
//! | `DELAY` blocks:u32 | sends `DELAYED` to the source that many blocks later |
//! | `WAIT` | waits up to five blocks, then replies `LATE` after a timeout, or `WOKEN` after a `WAKE` |
//! | `WAKE` message:id | wakes a message that waits |
//! | `EXIT` inheritor:id | exits, leaving everything to the inheritor |
//! | `REPLIES` | replies how many replies to its own messages arrived (`u64`) |
//!
//! An unknown command panics. A reply whose payload is `PANIC` makes `handle_reply` panic.

#![no_std]

use core::{
    cell::RefCell,
    hint::black_box,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};
use gstd::{ActorId, MessageId, collections::BTreeMap, exec, msg, prelude::*};

static COUNT: AtomicU64 = AtomicU64::new(0);
static REPLIES: AtomicU64 = AtomicU64::new(0);
static WAITING: Waiting = Waiting(RefCell::new(BTreeMap::new()));

/// For each waiting message, whether it was woken.
struct Waiting(RefCell<BTreeMap<MessageId, bool>>);

// A program runs on one thread: nothing is ever shared.
unsafe impl Sync for Waiting {}

#[unsafe(no_mangle)]
extern "C" fn init() {
    obey(&msg::load_bytes().expect("the payload can be read"));
}

#[unsafe(no_mangle)]
extern "C" fn handle() {
    obey(&msg::load_bytes().expect("the payload can be read"));
}

#[unsafe(no_mangle)]
extern "C" fn handle_reply() {
    REPLIES.fetch_add(1, Relaxed);
    let payload = msg::load_bytes().expect("the payload can be read");
    assert_ne!(payload, b"PANIC", "the reply says so");
}

fn obey(command: &[u8]) {
    match command {
        b"" => {}
        b"COUNT" => reply(&COUNT.load(Relaxed).to_le_bytes()),
        b"BUMP" => bump(),
        b"DIRTY" => {
            bump();
            fill_a_mebibyte();
            panic!("all of this is undone");
        }
        b"PANIC" => panic!("asked to panic"),
        b"TRAP" => trap(),
        b"WILD" => write_outside_memory(),
        b"LOOP" => loop_for_ever(),
        b"RECURSE" => {
            recurse(0);
        }
        b"ALLOC" => loop {
            fill_a_mebibyte();
        },
        b"FLOOD" => loop {
            send(msg::source(), b"FLOOD", 0);
        },
        b"TWICE" => {
            reply(b"FIRST");
            assert!(
                msg::reply_bytes(b"SECOND", 0).is_err(),
                "a second reply was accepted"
            );
        }
        b"REFUND" => {
            msg::reply_bytes(b"", msg::value()).expect("the value came with the message");
        }
        b"WAIT" => wait(),
        b"REPLIES" => reply(&REPLIES.load(Relaxed).to_le_bytes()),
        _ => obey_with_arguments(command),
    }
}

fn obey_with_arguments(command: &[u8]) {
    if let Some(len) = command.strip_prefix(b"BIG") {
        reply(&vec![b'x'; u32::from_le_bytes(exactly(len)) as usize]);
    } else if let Some(value) = command.strip_prefix(b"MAILBOX") {
        send(msg::source(), b"MAIL", u128::from_le_bytes(exactly(value)));
    } else if let Some(arguments) = command.strip_prefix(b"SEND") {
        let (to, arguments) = arguments.split_at(32);
        let (value, payload) = arguments.split_at(16);
        send(
            ActorId::new(exactly(to)),
            payload,
            u128::from_le_bytes(exactly(value)),
        );
    } else if let Some(blocks) = command.strip_prefix(b"DELAY") {
        msg::send_bytes_delayed(
            msg::source(),
            b"DELAYED",
            0,
            u32::from_le_bytes(exactly(blocks)),
        )
        .expect("the message is sent");
    } else if let Some(message) = command.strip_prefix(b"WAKE") {
        wake(MessageId::new(exactly(message)));
    } else if let Some(inheritor) = command.strip_prefix(b"EXIT") {
        exec::exit(ActorId::new(exactly(inheritor)));
    } else {
        panic!("unknown command");
    }
}

fn exactly<const N: usize>(argument: &[u8]) -> [u8; N] {
    argument.try_into().expect("an argument has another length")
}

fn reply(payload: &[u8]) {
    msg::reply_bytes(payload, 0).expect("the reply is accepted");
}

fn send(to: ActorId, payload: &[u8], value: u128) {
    msg::send_bytes(to, payload, value).expect("the message is sent");
}

fn bump() {
    COUNT.fetch_add(1, Relaxed);
}

fn fill_a_mebibyte() {
    // Never freed, so that the next call gets new memory.
    black_box(vec![0xa5u8; 1 << 20].leak());
}

fn trap() -> ! {
    #[cfg(target_arch = "wasm32")]
    core::arch::wasm32::unreachable();
    #[cfg(not(target_arch = "wasm32"))]
    unreachable!()
}

fn write_outside_memory() {
    // The last word a 32-bit address can reach: no program owns that much.
    let address = black_box(u32::MAX - 7) as usize as *mut u32;
    // Sound for the host: the WASM engine traps. Nothing of the program is at that address.
    unsafe { address.write_volatile(0xdead_beef) };
}

fn loop_for_ever() -> ! {
    let mut turns = 0u64;
    loop {
        turns = black_box(turns.wrapping_add(1));
    }
}

#[allow(unconditional_recursion)]
fn recurse(depth: u64) -> u64 {
    // The addition comes after the call, which therefore is not a tail call.
    recurse(black_box(depth.wrapping_add(1))).wrapping_add(black_box(1))
}

/// After the timeout or a `WAKE` the same message is executed again from its beginning.
fn wait() {
    let known = WAITING.0.borrow_mut().remove(&msg::id());
    match known {
        Some(true) => reply(b"WOKEN"),
        Some(false) => reply(b"LATE"),
        None => {
            WAITING.0.borrow_mut().insert(msg::id(), false);
            exec::wait_up_to(5);
        }
    }
}

fn wake(message: MessageId) {
    if let Some(woken) = WAITING.0.borrow_mut().get_mut(&message) {
        *woken = true;
    }
    exec::wake(message).expect("the message is woken");
}
