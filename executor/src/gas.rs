//! The gas schedule: what each thing costs. One unit is about a picosecond of the reference machine.
//!
//! Operators are charged by [`Class`], block by block, by code that `code::metering` puts into the program itself: the
//! amount depends on the code and its input alone, never on time, caches, threads or processor. Everything else is
//! charged where it happens, by the fees below.
//!
//! The reference machine is one core of an AMD EPYC of the fifth Zen generation. `cargo bench -p gear-exe-executor
//! --bench gas` measures every class again and prints what it takes beside what it costs; a class must not cost less
//! than it takes there, and code as compilers make it costs a little more than it takes. It does the same for the fees,
//! with a file as the store: none is below what it stands for, and hardly one is above three times that.

/// What an operator counts as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// Structure that leaves no instruction: `block`, `end`, `nop`, `drop`.
    Free,
    /// Locals and constants, most of which become registers and operands.
    Local,
    /// What one cycle does: addition, shifts, logic, comparisons, `select`, integer conversions.
    Simple,
    /// Globals.
    Global,
    /// Reading memory.
    Load,
    /// Writing memory.
    Store,
    /// Integer multiplication.
    Multiply,
    /// Integer division and remainder.
    Divide,
    /// Bit counts.
    Bits,
    /// `if`, `else`, `br`, `br_if`, `return`, with the charge that each leads to.
    Branch,
    /// `br_table`.
    Table,
    /// Each round of a loop: its charge and its check.
    Loop,
    /// A call, with what the callee does to be called: its frame, its count of the stack, its check.
    Call,
    /// A call through a table, above [`Self::Call`]: bounds, signature.
    Indirect,
    /// Float operators that only move bits or compare.
    FloatSimple,
    /// Float addition, multiplication, minimum, and the like, with the check for NaN.
    Float,
    /// Float division.
    FloatDivide,
    /// Square roots.
    FloatRoot,
    /// Rounding, and conversions between floats and integers.
    FloatConvert,
    /// Vector operators that are one instruction.
    Vector,
    /// Vector operators that are several instructions.
    VectorSlow,
    /// Vectors of floats: addition, multiplication, and the like, with the check for NaN.
    VectorFloat,
    /// Vectors of floats: minimum, rounding, and conversions.
    VectorConvert,
    /// Vectors of floats: division and square roots.
    VectorDivide,
    /// `memory.copy` and `memory.fill`, before the bytes: see [`PER_BULK`].
    Bulk,
}

impl Class {
    /// Every class.
    pub const ALL: [Self; 25] = [
        Self::Free,
        Self::Local,
        Self::Simple,
        Self::Global,
        Self::Load,
        Self::Store,
        Self::Multiply,
        Self::Divide,
        Self::Bits,
        Self::Branch,
        Self::Table,
        Self::Loop,
        Self::Call,
        Self::Indirect,
        Self::FloatSimple,
        Self::Float,
        Self::FloatDivide,
        Self::FloatRoot,
        Self::FloatConvert,
        Self::Vector,
        Self::VectorSlow,
        Self::VectorFloat,
        Self::VectorConvert,
        Self::VectorDivide,
        Self::Bulk,
    ];

    /// Gas of one operator.
    pub const fn units(self) -> u64 {
        match self {
            Self::Free => 0,
            Self::Local => 10,
            Self::Simple | Self::Bits => 80,
            Self::Global => 60,
            Self::Loop => 100,
            Self::Store => 100,
            Self::Multiply => 100,
            Self::Load => 130,
            Self::FloatSimple => 150,
            Self::Vector => 170,
            Self::Branch | Self::Float => 200,
            Self::Indirect => 300,
            Self::VectorFloat => 500,
            Self::Table => 500,
            Self::FloatConvert | Self::VectorSlow => 600,
            Self::FloatDivide => 1_100,
            Self::VectorConvert => 1_600,
            Self::FloatRoot => 2_100,
            Self::Divide => 2_000,
            Self::VectorDivide => 2_400,
            Self::Call => 4_300,
            Self::Bulk => 9_000,
        }
    }
}

/// Bytes of memory for which a bulk operator pays at once.
pub const BULK_BYTES: u64 = 64;
/// Gas of every started [`BULK_BYTES`] of `memory.copy` and `memory.fill`, charged before they run.
pub const PER_BULK: u64 = 1_600;
/// Gas of taking a message from the queue, with its receipt.
pub const DISPATCH: u64 = 2_500_000;
/// Gas of a program's first message in a round: it may have to be brought into memory, and its state is stored again.
pub const WAKE: u64 = 40_000_000;
/// Gas of every system call.
pub const SYSCALL: u64 = 200_000;
/// Gas of every byte that a system call copies.
pub const PER_BYTE: u64 = 1_000;
/// Gas of sending a message, above [`SYSCALL`].
pub const SEND: u64 = 1_500_000;
/// Gas of waiting or waking, above [`SYSCALL`].
pub const WAIT: u64 = 8_000_000;
/// Gas of setting gas aside, or of taking it back, above [`SYSCALL`].
pub const RESERVE: u64 = 8_000_000;
/// Gas of every message sent so far, where a system call looks for one of them.
pub const PER_SENT: u64 = 2_000;
/// Gas of every interval of allocated pages that `alloc` or `free` has to look at, to free or to keep.
pub const INTERVAL: u64 = 20_000;
/// Gas of every WASM page that is allocated.
pub const ALLOC_PAGE: u64 = 100_000;
/// Gas of a Gear page that a program uses for the first time in a round: it may have to be loaded and checked. The stack is
/// no state: what lies in it costs a [`WRITE_PAGE`] instead.
pub const LOAD_PAGE: u64 = 50_000_000;
/// Gas of 4 KiB that a program writes for the first time in a round: they are saved.
pub const WRITE_PAGE: u64 = 12_000_000;
/// Gas of a Gear page that a program writes for the first time in a round: it is hashed and stored, with its path to the
/// root. Not for the stack.
pub const STORE_PAGE: u64 = 85_000_000;

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
/// How many messages the frame of a program's transition stands for.
const FRAME_WEIGHT: u64 = 2;
/// Bytes of such a frame.
const FRAME_BYTES: u64 = 384;

/// How many messages the making of a program's Mirror stands for.
const CREATION_WEIGHT: u64 = 5;
/// Bytes of a creation.
const CREATION_BYTES: u64 = 96;

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

    /// A program that changes.
    pub(crate) fn frame() -> Self {
        Self {
            messages: FRAME_WEIGHT,
            bytes: FRAME_BYTES,
        }
    }

    /// A program that a program creates, beside its frame.
    pub(crate) fn creation() -> Self {
        Self {
            messages: CREATION_WEIGHT,
            bytes: CREATION_BYTES,
        }
    }

    pub(crate) fn times(self, count: u64) -> Self {
        Self {
            messages: self.messages.saturating_mul(count),
            bytes: self.bytes.saturating_mul(count),
        }
    }

    /// What a program pays for it, in wVARA base units.
    pub(crate) fn price(
        self,
        parameters: &gear_exe_primitives::round::ExecutionParameters,
    ) -> u128 {
        let by_message = parameters
            .value_per_settled_message
            .saturating_mul(self.messages.into());
        let by_byte = parameters
            .value_per_settled_byte
            .saturating_mul(self.bytes.into());
        by_message.saturating_add(by_byte)
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
