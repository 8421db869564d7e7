//! What is kept of programs, content-addressed: every object is named by the BLAKE2b-256 of its SCALE encoding.
//!
//! `types` are the stored objects as readers see them, `account` is a program's state taken apart for a round, `pages`
//! the tree of its memory, `root` what a state root names, `store` the embedded database below.

pub(crate) mod account;
pub(crate) mod links;
pub(crate) mod pages;
pub(crate) mod root;
pub mod shapes;
pub(crate) mod store;
mod types;

pub use types::*;
