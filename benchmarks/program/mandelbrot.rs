// SPDX-License-Identifier: GPL-3.0-or-later

//! A kernel that an EVM can run too: the Mandelbrot set in fixed-point numbers. Compiled twice, to WASM and natively.

/// Fractional bits of a number.
const BITS: u32 = 28;

/// The set on a square of points, at most 256 steps for each, so many times; the check sums are added up as those of the
/// other kernels are.
pub fn run(side: u32, times: u32) -> u64 {
    (1..=u64::from(times)).fold(0, |sum: u64, seed| {
        sum.wrapping_mul(31)
            .wrapping_add(mandelbrot(i64::from(side), seed))
    })
}

fn mandelbrot(side: i64, seed: u64) -> u64 {
    let one = 1i64 << BITS;
    let mut sum = seed;
    for row in 0..side {
        for column in 0..side {
            let re = column * 3 * one / side - 9 * one / 4;
            let im = row * 3 * one / side - 3 * one / 2;
            let (mut x, mut y, mut steps) = (0i64, 0i64, 0u64);
            // No number exceeds 6.25 in size, so that no product wraps.
            while steps < 256 {
                let (xx, yy) = (x.wrapping_mul(x), y.wrapping_mul(y));
                if xx.wrapping_add(yy) > 4 << (2 * BITS) {
                    break;
                }
                y = (x.wrapping_mul(y) >> (BITS - 1)).wrapping_add(im);
                x = (xx.wrapping_sub(yy) >> BITS).wrapping_add(re);
                steps += 1;
            }
            sum = sum.wrapping_mul(31).wrapping_add(steps);
        }
    }
    sum
}
