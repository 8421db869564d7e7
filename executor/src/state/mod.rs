//! What is kept of programs, content-addressed: every object is named by a hash of its SCALE encoding and its kind.
//!
//! `types` are the stored objects as readers see them, `account` is a program's state taken apart for a round, `pages`
//! the tree of its memory, `root` what a state root names. Programs, tasks and messages are in maps (`map`, `line`) whose
//! nodes are objects (`trie`). `links` knows what each object names, `store` is the embedded database below.

pub(crate) mod account;
pub(crate) mod line;
pub(crate) mod links;
pub(crate) mod map;
pub(crate) mod pages;
pub(crate) mod root;
pub mod shapes;
pub(crate) mod staged;
pub(crate) mod store;
mod trie;
mod types;

pub use types::*;
