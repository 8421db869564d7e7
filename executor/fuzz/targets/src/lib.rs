//! What a fuzzer does with the executor, and what the executor promises for any input.
//!
//! Each module is a target: it makes hostile input of a fuzzer's bytes, has an executor on a stage (`stage.rs`) take it, and panics
//! only if a promise is broken: nothing panics in the host, no wei and no gas is made or lost, a second executor with other
//! threads and no memory of its own does the same, no state comes in but the announced one, and what is forgotten leaves
//! nothing behind. The bytes come from
//! libFuzzer (`executor/fuzz`), from [`mutate`] (the short run in `tests`, the long one in `examples`), or from `corpus`.

#![allow(clippy::unwrap_used)] // a failed unwrap is a broken promise

#[path = "../../../tests/common/mod.rs"]
mod common;

pub mod messages;
pub mod modules;
pub mod mutate;
pub mod snapshots;
mod source;
mod stage;
pub mod syscalls;

pub use stage::reached;

/// A target by its name, which is also that of its folder in `corpus`.
pub type Target = (&'static str, fn(&[u8]));

/// Every target.
pub const TARGETS: [Target; 4] = [
    ("modules", modules::run),
    ("syscalls", syscalls::run),
    ("messages", messages::run),
    ("snapshots", snapshots::run),
];
