// SPDX-License-Identifier: GPL-3.0-or-later

//! A program for benchmarks: fixed-point work, a state of any size, and messages that are passed on. It uses the system
//! calls themselves, so that nothing but them is measured. `build.rs` compiles it.
//!
//! | payload (numbers little-endian) | what happens |
//! |---|---|
//! | `M` side:u32 times:u32 | the kernel of `mandelbrot.rs`; replies the check sum as eight bytes |
//! | `G` pages:u32 | allocates that many WASM pages and writes to each Gear page of them |
//! | `T` count:u32 seed:u32 | writes to so many of the allocated Gear pages, chosen by the seed |
//! | `N` program:id | from now on messages are passed on to that program |
//! | `R` hops:u32 | passes the message on with one hop less, until there are none |
//! | anything else | nothing |

#![no_std]
#![allow(unsafe_code)]

mod mandelbrot;

use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// Bytes of a Gear page: the unit in which state is kept.
const GEAR_PAGE: u32 = 16 << 10;
const WASM_PAGE: u32 = 64 << 10;
const LONGEST: usize = 64;

#[link(wasm_import_module = "env")]
unsafe extern "C" {
    fn alloc(pages: u32) -> u32;
    fn gr_size(length: *mut u32);
    fn gr_read(at: u32, length: u32, buffer: *mut u8, error: *mut u32);
    fn gr_reply(payload: *const u8, length: u32, value: *const u8, error: *mut [u8; 36]);
    fn gr_send(
        destination: *const [u8; 48],
        payload: *const u8,
        length: u32,
        delay: u32,
        error: *mut [u8; 36],
    );
}

/// First WASM page that was allocated, and how many there are.
static FIRST: AtomicU32 = AtomicU32::new(0);
static PAGES: AtomicU32 = AtomicU32::new(0);
/// Where messages are passed on to.
static NEXT: [AtomicU32; 8] = [const { AtomicU32::new(0) }; 8];

#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    core::arch::wasm32::unreachable()
}

#[unsafe(no_mangle)]
extern "C" fn init() {
    obey();
}

#[unsafe(no_mangle)]
extern "C" fn handle() {
    obey();
}

fn obey() {
    let mut buffer = [0; LONGEST];
    let (mut length, mut error) = (0, 0);
    // Sound: the pointers are to locals that are large enough.
    unsafe { gr_size(&mut length) };
    if length as usize > LONGEST {
        fail();
    }
    unsafe { gr_read(0, length, buffer.as_mut_ptr(), &mut error) };
    check(error);
    let number = |index: usize| {
        let at = 1 + 4 * index;
        u32::from_le_bytes([buffer[at], buffer[at + 1], buffer[at + 2], buffer[at + 3]])
    };
    match (buffer[0], length) {
        (b'M', 9) => reply(&mandelbrot::run(number(0), number(1)).to_le_bytes()),
        (b'G', 5) => grow(number(0)),
        (b'T', 9) => touch(number(0), number(1)),
        (b'N', 33) => {
            for (index, word) in NEXT.iter().enumerate() {
                word.store(number(index), Relaxed);
            }
        }
        (b'R', 5) => pass_on(number(0)),
        _ => {}
    }
}

fn grow(pages: u32) {
    // Sound: it only takes a number.
    let first = unsafe { alloc(pages) };
    if first == u32::MAX {
        fail();
    }
    let known = PAGES.load(Relaxed);
    if known == 0 {
        FIRST.store(first, Relaxed);
    } else if first != FIRST.load(Relaxed) + known {
        fail();
    }
    PAGES.store(known + pages, Relaxed);
    let begin = first * (WASM_PAGE / GEAR_PAGE);
    for page in begin..begin + pages * (WASM_PAGE / GEAR_PAGE) {
        write(page, page);
    }
}

fn touch(count: u32, seed: u32) {
    let there = PAGES.load(Relaxed) * (WASM_PAGE / GEAR_PAGE);
    let first = FIRST.load(Relaxed) * (WASM_PAGE / GEAR_PAGE);
    let mut chosen = seed;
    for _ in 0..count {
        chosen = chosen.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        // The high bits are the random ones.
        let page = ((u64::from(chosen) * u64::from(there)) >> 32) as u32;
        write(first + page, chosen);
    }
}

/// Writes a word to a Gear page.
fn write(page: u32, word: u32) {
    let address = (page * GEAR_PAGE + 64) as usize as *mut u32;
    // Sound: the page was allocated, and nothing else uses it.
    unsafe { address.write_volatile(word) };
}

fn pass_on(hops: u32) {
    if hops == 0 {
        return;
    }
    let mut destination = [0; 48];
    for (word, bytes) in NEXT.iter().zip(destination.chunks_exact_mut(4)) {
        bytes.copy_from_slice(&word.load(Relaxed).to_le_bytes());
    }
    let mut payload = [b'R', 0, 0, 0, 0];
    payload[1..].copy_from_slice(&(hops - 1).to_le_bytes());
    let mut result = [0; 36];
    // Sound: the pointers are to locals that are large enough.
    unsafe { gr_send(&destination, payload.as_ptr(), 5, 0, &mut result) };
    check(u32::from_le_bytes([
        result[0], result[1], result[2], result[3],
    ]));
}

fn reply(payload: &[u8]) {
    let mut result = [0; 36];
    // Sound: as above; the largest address stands for no value.
    unsafe {
        gr_reply(
            payload.as_ptr(),
            payload.len() as u32,
            u32::MAX as usize as *const u8,
            &mut result,
        );
    }
    check(u32::from_le_bytes([
        result[0], result[1], result[2], result[3],
    ]));
}

fn check(error: u32) {
    if error != 0 {
        fail();
    }
}

fn fail() -> ! {
    core::arch::wasm32::unreachable()
}
