//! The crate against Anvil with the real contracts: what is read, what is sent, what is refused.
//!
//! One binary: each that there is compiles the same generic code of providers once more.

#![allow(clippy::unwrap_used)] // a failed unwrap is a failed test

mod anvil;
mod blobs;
mod common;
mod digests;
mod facts;
mod observer;
mod refusals;
mod rewards;
mod settlement;
