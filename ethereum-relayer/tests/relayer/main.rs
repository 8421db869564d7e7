//! The relayer against Anvil, as a library and as a process.
//!
//! One binary: each that there is compiles the same generic code of providers once more.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod anvil;
mod batches;
mod common;
mod process;
