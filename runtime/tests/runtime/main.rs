//! The runtime as it is, through what the node calls: its genesis, its blocks, its parameters, and what people do with it.
//!
//! One binary: each that there is compiles the whole runtime's generic code once more, for a minute and a half.

#![allow(clippy::unwrap_used)] // a failed unwrap is a failed test

mod assets;
mod bridge;
mod chain;
mod common;
mod governance;
mod interleavings;
mod parameters;
mod pools;
mod rewards;
mod staking;
mod versions;
