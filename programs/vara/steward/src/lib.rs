// SPDX-License-Identifier: GPL-3.0-or-later

//! Sets gas aside, waits and draws lots on command, by the system calls that Vara has and the first Gear.exe had not.
//!
//! The payload of `handle` is a command: a name, then its arguments without separator (numbers little-endian, ids 32 bytes).
//! Calls that fail panic with their error.
//!
//! | command | what happens |
//! |---|---|
//! | (empty) | nothing |
//! | `WAIT` | waits without end; replies `WOKEN` if it is woken |
//! | `NAP` blocks:u32 | has itself woken so many blocks later, waits without end, and replies `UP` |
//! | `WAKE` blocks:u32 message:id | wakes a message so many blocks later |
//! | `RESERVE` gas:u64 blocks:u32 | reserves gas, and replies with the id of the reservation |
//! | `FORGET` gas:u64 blocks:u32 | reserves gas and gives it up again at once |
//! | `RETURN` | gives up the last reservation, and replies how much it was |
//! | `SPEND` to:id payload | sends that with the gas of the last reservation |
//! | `ANSWER` | replies `RESERVED` with the gas of the last reservation |
//! | `SEND` gas:u64 to:id payload | sends that with this much gas |
//! | `REPLY` gas:u64 | replies `LIMITED` with this much gas |
//! | `DEPOSIT` gas:u64 to:id payload | sends that, with this much gas for the answer |
//! | `GUARD` gas:u64 command | sets gas aside for a signal, then obeys |
//! | `SPAWN` blocks:u32 value:u128 code:id payload | creates a program whose first message is that, so many blocks later, and replies with its id |
//! | `BREED` gas:u64 code:id payload | the same with this much gas |
//! | `LITTER` count:u32 gas:u64 code:id | creates many, each with this much gas |
//! | `MISCARRY` code:id | creates one, and panics |
//! | `RANDOM` subject:[u8; 32] | replies with a random number and its block |
//! | `GAMBLE` subject:[u8; 32] | as above, but loops for ever if the number is odd |
//! | `BUMP` | adds one to the count |
//! | `COUNT` | replies how many `BUMP`s and answers were kept (`u32` each) |
//! | `PANIC` | panics |
//! | `LOOP` | loops for ever |
//! | `TRAP` | executes `unreachable` |
//! | `EXIT` inheritor:id | exits |
//! | `SIGNALS` | replies with every signal: the message that failed, the code (`u32`) |
//! | `DEAF` | from now on `handle_signal` panics |

#![no_std]

use core::{
    cell::RefCell,
    hint::black_box,
    sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed},
};
use gstd::{
    ActorId, CodeId, MessageId, ReservationId, collections::BTreeSet, exec, msg, prelude::*, prog,
};

static BUMPS: AtomicU32 = AtomicU32::new(0);
static ANSWERS: AtomicU32 = AtomicU32::new(0);
static DEAF: AtomicBool = AtomicBool::new(false);
static KEPT: Kept = Kept(RefCell::new(Book {
    waiting: BTreeSet::new(),
    reservations: Vec::new(),
    signals: Vec::new(),
}));

struct Book {
    waiting: BTreeSet<MessageId>,
    reservations: Vec<ReservationId>,
    signals: Vec<u8>,
}

struct Kept(RefCell<Book>);

// A program runs on one thread: nothing is ever shared.
unsafe impl Sync for Kept {}

#[unsafe(no_mangle)]
extern "C" fn init() {}

#[unsafe(no_mangle)]
extern "C" fn handle() {
    obey(&msg::load_bytes().expect("the payload can be read"));
}

#[unsafe(no_mangle)]
extern "C" fn handle_reply() {
    ANSWERS.fetch_add(1, Relaxed);
}

#[unsafe(no_mangle)]
extern "C" fn handle_signal() {
    assert!(!DEAF.load(Relaxed), "deaf");
    let from = msg::signal_from().expect("this is a signal");
    let code = msg::signal_code().expect("this is a signal");
    let code = code.expect("the code is known").to_u32();
    let signals = &mut KEPT.0.borrow_mut().signals;
    signals.extend(from.into_bytes());
    signals.extend(code.to_le_bytes());
}

fn obey(command: &[u8]) {
    match command {
        b"" => {}
        b"WAIT" => {
            if KEPT.0.borrow_mut().waiting.insert(msg::id()) {
                exec::wait();
            }
            reply(b"WOKEN");
        }
        b"RETURN" => {
            let gas = last().unreserve().expect("it is there");
            reply(&gas.to_le_bytes());
        }
        b"ANSWER" => {
            msg::reply_bytes_from_reservation(last(), b"RESERVED", 0).expect("it is there");
        }
        b"BUMP" => {
            BUMPS.fetch_add(1, Relaxed);
        }
        b"COUNT" => reply(
            &[&BUMPS, &ANSWERS]
                .map(|count| count.load(Relaxed).to_le_bytes())
                .concat(),
        ),
        b"PANIC" => panic!("asked to panic"),
        b"LOOP" => loop_for_ever(),
        b"TRAP" => trap(),
        b"SIGNALS" => reply(&KEPT.0.borrow().signals),
        b"DEAF" => DEAF.store(true, Relaxed),
        _ => obey_with_arguments(command),
    }
}

fn obey_with_arguments(command: &[u8]) {
    if let Some(blocks) = command.strip_prefix(b"NAP") {
        if KEPT.0.borrow_mut().waiting.insert(msg::id()) {
            let blocks = u32::from_le_bytes(exactly(blocks));
            exec::wake_delayed(msg::id(), blocks).expect("it is not woken twice");
            exec::wait();
        }
        reply(b"UP");
    } else if let Some(arguments) = command.strip_prefix(b"WAKE") {
        let (blocks, message) = arguments.split_at(4);
        let blocks = u32::from_le_bytes(exactly(blocks));
        exec::wake_delayed(MessageId::new(exactly(message)), blocks)
            .expect("it is not woken twice");
    } else if let Some(arguments) = command.strip_prefix(b"RESERVE") {
        let reservation = reserve(arguments);
        KEPT.0.borrow_mut().reservations.push(reservation);
        reply(&reservation.into_bytes());
    } else if let Some(arguments) = command.strip_prefix(b"FORGET") {
        let before = exec::gas_available();
        let reservation = reserve(arguments);
        let between = exec::gas_available();
        let gas = reservation.unreserve().expect("it is there");
        assert!(exec::gas_available() > between && between + gas <= before);
    } else if let Some(arguments) = command.strip_prefix(b"SPEND") {
        let (to, payload) = target(arguments);
        msg::send_bytes_from_reservation(last(), to, payload, 0).expect("it is there");
    } else if let Some(arguments) = command.strip_prefix(b"SEND") {
        let (gas, arguments) = number(arguments);
        let (to, payload) = target(arguments);
        msg::send_bytes_with_gas(to, payload, gas, 0).expect("the message is sent");
    } else if let Some(arguments) = command.strip_prefix(b"REPLY") {
        msg::reply_bytes_with_gas(b"LIMITED", number(arguments).0, 0)
            .expect("the reply is accepted");
    } else if let Some(arguments) = command.strip_prefix(b"DEPOSIT") {
        let (gas, arguments) = number(arguments);
        let (to, payload) = target(arguments);
        let message = msg::send_bytes(to, payload, 0).expect("the message is sent");
        exec::reply_deposit(message, gas).expect("it was sent by this run");
    } else if let Some(arguments) = command.strip_prefix(b"GUARD") {
        let (gas, inner) = number(arguments);
        exec::system_reserve_gas(gas).expect("there is so much gas");
        obey(inner);
    } else if let Some(arguments) = command.strip_prefix(b"SPAWN") {
        let (blocks, arguments) = arguments.split_at(4);
        let (value, arguments) = arguments.split_at(16);
        let (code, payload) = target(arguments);
        let (blocks, value) = (exactly(blocks), exactly(value));
        let (blocks, value) = (u32::from_le_bytes(blocks), u128::from_le_bytes(value));
        let code = CodeId::new(code.into_bytes());
        let (_, child) = prog::create_program_bytes_delayed(code, b"", payload, value, blocks)
            .unwrap_or_else(|error| panic!("not created: {error}"));
        reply(&child.into_bytes());
    } else if let Some(arguments) = command.strip_prefix(b"BREED") {
        let (gas, arguments) = number(arguments);
        let (code, payload) = target(arguments);
        reply(&breed(code, payload, gas).into_bytes());
    } else if let Some(arguments) = command.strip_prefix(b"LITTER") {
        let (count, arguments) = arguments.split_at(4);
        let (gas, code) = number(arguments);
        for _ in 0..u32::from_le_bytes(exactly(count)) {
            breed(target(code).0, b"", gas);
        }
    } else if let Some(code) = command.strip_prefix(b"MISCARRY") {
        breed(target(code).0, b"", 0);
        panic!("asked to panic");
    } else if let Some(subject) = command.strip_prefix(b"RANDOM") {
        reply(&random(subject));
    } else if let Some(subject) = command.strip_prefix(b"GAMBLE") {
        let number = random(subject);
        if number[0] % 2 == 1 {
            loop_for_ever();
        }
        reply(&number);
    } else if let Some(inheritor) = command.strip_prefix(b"EXIT") {
        exec::exit(ActorId::new(exactly(inheritor)));
    } else {
        panic!("unknown command");
    }
}

fn breed(code: ActorId, payload: &[u8], gas: u64) -> ActorId {
    let code = CodeId::new(code.into_bytes());
    let created = prog::create_program_bytes_with_gas(code, b"", payload, gas, 0);
    created
        .unwrap_or_else(|error| panic!("not created: {error}"))
        .1
}

fn reserve(arguments: &[u8]) -> ReservationId {
    let (gas, blocks) = number(arguments);
    let blocks = u32::from_le_bytes(exactly(blocks));
    ReservationId::reserve(gas, blocks).unwrap_or_else(|error| panic!("not reserved: {error}"))
}

fn last() -> ReservationId {
    let last = KEPT.0.borrow_mut().reservations.pop();
    last.expect("there is no reservation")
}

fn random(subject: &[u8]) -> Vec<u8> {
    let (hash, block) = exec::random(exactly(subject)).expect("random never fails");
    [&hash[..], &block.to_le_bytes()].concat()
}

fn number(arguments: &[u8]) -> (u64, &[u8]) {
    let (number, rest) = arguments.split_at(8);
    (u64::from_le_bytes(exactly(number)), rest)
}

fn target(arguments: &[u8]) -> (ActorId, &[u8]) {
    let (to, rest) = arguments.split_at(32);
    (ActorId::new(exactly(to)), rest)
}

fn exactly<const N: usize>(argument: &[u8]) -> [u8; N] {
    argument.try_into().expect("an argument has another length")
}

fn reply(payload: &[u8]) {
    msg::reply_bytes(payload, 0).expect("the reply is accepted");
}

fn trap() -> ! {
    #[cfg(target_arch = "wasm32")]
    core::arch::wasm32::unreachable();
    #[cfg(not(target_arch = "wasm32"))]
    unreachable!()
}

fn loop_for_ever() -> ! {
    let mut turns = 0u64;
    loop {
        turns = black_box(turns.wrapping_add(1));
    }
}
