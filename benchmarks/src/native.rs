// SPDX-License-Identifier: GPL-3.0-or-later

//! The kernels, compiled natively from the same files as the programs.

#[path = "../../programs/kernels/src/kernels.rs"]
mod kernels;
#[path = "../program/mandelbrot.rs"]
mod mandelbrot;

use crate::Result;

/// `program/lib.rs` as WASM.
pub const LAB: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/lab.wasm"));
/// Number of the fixed-point kernel, which only `program/` has.
pub const FIXED_POINT: u8 = 5;

/// Runs a kernel of the given size so many times; gives its check sum.
pub fn run(kernel: u8, size: u32, times: u32) -> Result<u64> {
    if kernel == FIXED_POINT {
        return Ok(mandelbrot::run(size, times));
    }
    kernels::run(kernel, size, times).ok_or_else(|| "there is no such kernel".into())
}
