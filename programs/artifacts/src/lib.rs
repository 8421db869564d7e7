// SPDX-License-Identifier: GPL-3.0-or-later

//! The example Gear programs, compiled and ready to upload.
//!
//! The programs are in the folders beside this crate; building it builds them. Each constant is one WASM module as the network
//! accepts it: memory and system calls imported from `env`, entry points and `__gear_stack_end` exported, nothing else.

/// A counter with Ethereum events that also keeps ETH for its callers; Sails, so callable from Solidity.
pub const COUNTER: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/counter.wasm"));

/// Asks many programs at the same time and joins their answers.
pub const FAN_OUT: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/fan-out.wasm"));

/// CPU-bound work on request, with floats and vectors: for benchmarks.
pub const KERNELS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/kernels.wasm"));

/// Answers `PING` with `PONG`, and counts.
pub const PING: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/ping.wasm"));

/// Does what a well-behaved program never does, for tests of an executor.
pub const TROUBLE: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/trouble.wasm"));

/// A fungible token with the functions and events of ERC-20; Sails, so callable from Solidity.
pub const VFT: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/vft.wasm"));

/// Asks other programs, built for Vara: `gstd` without its feature `ethexe`.
pub const ENVOY: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/envoy.wasm"));

/// Sets gas aside, waits and draws lots, built for Vara.
pub const STEWARD: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/steward.wasm"));

/// Every program built for Vara, with the name of its folder below `vara`, in alphabetical order.
pub const VARA: &[(&str, &[u8])] = &[("envoy", ENVOY), ("steward", STEWARD)];

/// Every other program with the name of its folder, in alphabetical order.
pub const ALL: &[(&str, &[u8])] = &[
    ("counter", COUNTER),
    ("fan-out", FAN_OUT),
    ("kernels", KERNELS),
    ("ping", PING),
    ("trouble", TROUBLE),
    ("vft", VFT),
];
