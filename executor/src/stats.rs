//! Counters that a node exports. They say what this process has done; nothing in a result depends on them.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// What an executor has done since it was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExecutorStats {
    /// Compiled codes that are in memory.
    pub codes_in_memory: u64,
    /// Programs that are in memory between rounds, ready to run.
    pub programs_in_memory: u64,
    /// Bytes that they take, estimated.
    pub memory_bytes: u64,
    /// Pages (16 KiB) that programs touched and that were read from the store for that.
    pub pages_loaded: u64,
    /// Codes compiled; those revived from disk are not counted.
    pub codes_compiled: u64,
    /// Rounds executed and stored.
    pub rounds: u64,
    /// Runs of messages in rounds.
    pub messages: u64,
    /// Gas that those runs burned.
    pub gas_burned: u64,
    /// Messages held because their programs could not pay.
    pub messages_held: u64,
    /// Replies and other messages handed over for Ethereum.
    pub messages_to_ethereum: u64,
    /// Queries answered, or refused while they ran.
    pub queries: u64,
    /// Nanoseconds spent executing rounds.
    pub round_nanoseconds: u64,
    /// Objects of states read from the store.
    pub objects_read: u64,
}

#[derive(Default)]
pub(crate) struct Counters {
    pub(crate) codes_compiled: AtomicU64,
    pub(crate) rounds: AtomicU64,
    pub(crate) messages: AtomicU64,
    pub(crate) gas_burned: AtomicU64,
    pub(crate) messages_held: AtomicU64,
    pub(crate) messages_to_ethereum: AtomicU64,
    pub(crate) queries: AtomicU64,
    pub(crate) round_nanoseconds: AtomicU64,
}

impl Counters {
    pub(crate) fn read(&self, codes_in_memory: usize) -> ExecutorStats {
        ExecutorStats {
            codes_in_memory: codes_in_memory as u64,
            programs_in_memory: 0,
            memory_bytes: 0,
            pages_loaded: 0,
            codes_compiled: self.codes_compiled.load(Relaxed),
            rounds: self.rounds.load(Relaxed),
            messages: self.messages.load(Relaxed),
            gas_burned: self.gas_burned.load(Relaxed),
            messages_held: self.messages_held.load(Relaxed),
            messages_to_ethereum: self.messages_to_ethereum.load(Relaxed),
            queries: self.queries.load(Relaxed),
            round_nanoseconds: self.round_nanoseconds.load(Relaxed),
            objects_read: 0,
        }
    }
}
