//! The gas schedule: what each thing costs. One unit is about a picosecond of the reference machine.
//!
//! Instructions are counted by wasmtime's fuel, one per operator, which depends on the code alone. Everything else is
//! charged where it happens, by the fees below. Nothing depends on time, caches or threads.

/// Gas of one WASM operator.
pub const PER_OPERATOR: u64 = 400;
/// Gas of taking a message from the queue.
pub const DISPATCH: u64 = 10_000_000;
/// Gas of every system call.
pub const SYSCALL: u64 = 200_000;
/// Gas of every byte that a system call copies.
pub const PER_BYTE: u64 = 1_000;
/// Gas of sending a message, above [`SYSCALL`].
pub const SEND: u64 = 20_000_000;
/// Gas of waiting or waking, above [`SYSCALL`].
pub const WAIT: u64 = 20_000_000;
/// Gas of every interval of allocated pages that `alloc` may have to look at.
pub const INTERVAL: u64 = 20_000;
/// Gas of every WASM page that is allocated.
pub const ALLOC_PAGE: u64 = 20_000_000;
/// Gas of a Gear page that a program uses for the first time in a round: it may have to be loaded and checked.
pub const LOAD_PAGE: u64 = 20_000_000;
/// Gas of 4 KiB that a program writes for the first time in a round: they are saved, hashed and stored.
pub const WRITE_PAGE: u64 = 5_000_000;

/// What goes to Ethereum, counted in messages and bytes as a round's limits count it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Outward {
    pub(crate) messages: u64,
    pub(crate) bytes: u64,
}

/// How many messages a call-back stands for: its stipend on Ethereum is worth that many.
const CALLBACK_WEIGHT: u64 = 14;
/// Bytes of a message beside its payload, as it is encoded for Ethereum.
const MESSAGE_BYTES: u64 = 288;
/// Bytes of a claim.
const CLAIM_BYTES: u64 = 96;

impl Outward {
    /// A message or reply with a payload of this length.
    pub(crate) fn message(payload: usize, call: bool) -> Self {
        Self {
            messages: if call { CALLBACK_WEIGHT } else { 1 },
            bytes: MESSAGE_BYTES + (payload as u64).next_multiple_of(32),
        }
    }

    /// A claim.
    pub(crate) fn claim() -> Self {
        Self {
            messages: 1,
            bytes: CLAIM_BYTES,
        }
    }

    pub(crate) fn plus(self, other: Self) -> Self {
        Self {
            messages: self.messages.saturating_add(other.messages),
            bytes: self.bytes.saturating_add(other.bytes),
        }
    }

    /// Whether it is within a round's limits.
    pub(crate) fn fits(self, parameters: &gear_exe_primitives::round::ExecutionParameters) -> bool {
        self.messages <= parameters.max_round_messages.into()
            && self.bytes <= parameters.max_round_bytes.into()
    }
}
