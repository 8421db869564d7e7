// SPDX-License-Identifier: GPL-3.0-or-later

//! The kernels. The executor's benchmark compiles this file a second time, natively; so it uses nothing but `alloc`.
//!
//! On WASM the vector instructions have to be asked for; a native compiler uses those of its base architecture unasked.

use alloc::{vec, vec::Vec};

/// Runs a kernel of the given size so many times and adds up what it gives; nothing if there is no such kernel.
pub fn run(kernel: u8, size: u32, times: u32) -> Option<u64> {
    let kernel: fn(usize, u64) -> u64 = match kernel {
        0 => sha256,
        1 => sort,
        2 => |size, seed| integer_matrix(size, seed),
        3 => |size, seed| float_matrix(size, seed),
        4 => mandelbrot,
        _ => return None,
    };
    let runs = 1..=u64::from(times);
    Some(runs.fold(0, |sum, seed| {
        sum.wrapping_mul(31)
            .wrapping_add(kernel(size as usize, seed))
    }))
}

/// A generator of numbers that look random (xorshift).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

const ROUND: [u32; 64] = [
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
];

/// SHA-256 over `blocks` blocks of 64 bytes, without the padding at the end.
fn sha256(blocks: usize, seed: u64) -> u64 {
    let mut state = [
        0x6a09e667u32,
        0xbb67ae85,
        0x3c6ef372,
        0xa54ff53a,
        0x510e527f,
        0x9b05688c,
        0x1f83d9ab,
        0x5be0cd19,
    ];
    let mut numbers = Numbers(seed);
    let data: Vec<u8> = (0..4096).map(|_| numbers.next() as u8).collect();
    for index in 0..blocks {
        let at = index * 64 % data.len();
        compress(&mut state, &data[at..at + 64]);
    }
    u64::from(state[0]) << 32 | u64::from(state[7])
}

fn compress(state: &mut [u32; 8], block: &[u8]) {
    let mut words = [0u32; 64];
    for (word, bytes) in words.iter_mut().zip(block.chunks_exact(4)) {
        *word = u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
    }
    for i in 16..64 {
        let (a, b) = (words[i - 15], words[i - 2]);
        let low = a.rotate_right(7) ^ a.rotate_right(18) ^ (a >> 3);
        let high = b.rotate_right(17) ^ b.rotate_right(19) ^ (b >> 10);
        words[i] = words[i - 16]
            .wrapping_add(low)
            .wrapping_add(words[i - 7])
            .wrapping_add(high);
    }
    let [mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h] = *state;
    for (word, constant) in words.iter().zip(ROUND) {
        let sum = e.rotate_right(6) ^ e.rotate_right(11) ^ e.rotate_right(25);
        let choice = (e & f) ^ (!e & g);
        let one = h
            .wrapping_add(sum)
            .wrapping_add(choice)
            .wrapping_add(constant)
            .wrapping_add(*word);
        let sum = a.rotate_right(2) ^ a.rotate_right(13) ^ a.rotate_right(22);
        let majority = (a & b) ^ (a & c) ^ (b & c);
        let two = sum.wrapping_add(majority);
        (h, g, f, e, d, c, b, a) = (g, f, e, d.wrapping_add(one), c, b, a, one.wrapping_add(two));
    }
    for (own, word) in state.iter_mut().zip([a, b, c, d, e, f, g, h]) {
        *own = own.wrapping_add(word);
    }
}

/// Sorts `count` numbers.
fn sort(count: usize, seed: u64) -> u64 {
    let mut numbers = Numbers(seed);
    let mut values: Vec<u32> = (0..count).map(|_| numbers.next() as u32).collect();
    values.sort_unstable();
    values.iter().step_by(97).fold(0, |sum: u64, value| {
        sum.wrapping_mul(31).wrapping_add(u64::from(*value))
    })
}

/// The product of two square matrices of integers.
#[cfg_attr(target_arch = "wasm32", target_feature(enable = "simd128"))]
fn integer_matrix(side: usize, seed: u64) -> u64 {
    let mut numbers = Numbers(seed);
    let a: Vec<u32> = (0..side * side).map(|_| numbers.next() as u32).collect();
    let b: Vec<u32> = (0..side * side).map(|_| numbers.next() as u32).collect();
    let mut c = vec![0u32; side * side];
    for (row, out) in a.chunks_exact(side).zip(c.chunks_exact_mut(side)) {
        for (factor, line) in row.iter().zip(b.chunks_exact(side)) {
            for (sum, value) in out.iter_mut().zip(line) {
                *sum = sum.wrapping_add(factor.wrapping_mul(*value));
            }
        }
    }
    c.iter().fold(0, |sum: u64, value| {
        sum.wrapping_mul(31).wrapping_add(u64::from(*value))
    })
}

/// The product of two square matrices of floats.
#[cfg_attr(target_arch = "wasm32", target_feature(enable = "simd128"))]
fn float_matrix(side: usize, seed: u64) -> u64 {
    let mut numbers = Numbers(seed);
    let a: Vec<f64> = (0..side * side)
        .map(|_| (numbers.next() as u32).into())
        .collect();
    let b: Vec<f64> = (0..side * side)
        .map(|_| (numbers.next() as u32).into())
        .collect();
    let mut c = vec![0f64; side * side];
    for (row, out) in a.chunks_exact(side).zip(c.chunks_exact_mut(side)) {
        for (factor, line) in row.iter().zip(b.chunks_exact(side)) {
            for (sum, value) in out.iter_mut().zip(line) {
                *sum += factor * value;
            }
        }
    }
    c.iter().fold(0, |sum: u64, value| {
        sum.wrapping_mul(31).wrapping_add(value.to_bits())
    })
}

/// The Mandelbrot set on a square of points, at most 256 steps for each.
fn mandelbrot(side: usize, seed: u64) -> u64 {
    let mut sum = seed;
    for row in 0..side {
        for column in 0..side {
            let re = column as f64 * 3.0 / side as f64 - 2.25;
            let im = row as f64 * 3.0 / side as f64 - 1.5;
            let (mut x, mut y, mut steps) = (0.0f64, 0.0f64, 0u64);
            while steps < 256 && x * x + y * y <= 4.0 {
                (x, y) = (x * x - y * y + re, 2.0 * x * y + im);
                steps += 1;
            }
            sum = sum.wrapping_mul(31).wrapping_add(steps);
        }
    }
    sum
}
