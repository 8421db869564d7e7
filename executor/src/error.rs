//! What can go wrong, and what to do about it.

use gear_exe_primitives::{ActorId, CodeId};
use primitive_types::H256;

/// Why a code is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)]
pub enum CodeError {
    #[error("the code has {length} bytes; the limit is {limit}")]
    TooLong { length: usize, limit: usize },
    #[error("not a valid WASM module: {0}")]
    Malformed(String),
    #[error("the code uses {0}, which no program may; build it for wasm32v1-none")]
    Feature(&'static str),
    #[error("the code uses the operator {0}, which no program may")]
    Operator(String),
    #[error("more than {1} {0}")]
    Limit(&'static str, u64),
    #[error("imports come from module `env` only, not from `{0}`")]
    ImportModule(String),
    #[error("there is no system call `{0}`")]
    UnknownImport(String),
    #[error("system call `{0}` is imported with a wrong signature")]
    ImportSignature(String),
    #[error("`{0}` is imported twice")]
    DuplicateImport(String),
    #[error("`{0}`: only functions and the memory can be imported")]
    ImportKind(String),
    #[error("the memory must be imported, not defined; link with --import-memory")]
    OwnMemory,
    #[error("the memory must be imported as `env.memory`")]
    NoMemory,
    #[error("a start section is forbidden; do the work in `init`")]
    StartSection,
    #[error("the exported function `{0}` is no entry point")]
    ExcessExport(String),
    #[error("the export `{0}` is an import")]
    ReexportedImport(String),
    #[error("the exported global `{0}` is mutable")]
    MutableGlobalExport(String),
    #[error("`__gear_stack_end` must be a constant multiple of 64 KiB inside static memory")]
    StackEnd,
    #[error(
        "a data segment is passive, not at a constant, or outside static memory above the stack"
    )]
    DataSegment,
    #[error("an element segment is not at a constant, or reaches beyond its table")]
    ElementSegment,
    #[error("`memory.grow` is forbidden; use the system call `alloc`")]
    MemoryGrow,
    #[error("the code exports neither `init` nor `handle`")]
    NoEntry,
    #[error("the entry point `{0}` must have neither parameters nor results")]
    EntrySignature(String),
    #[error("the code cannot be compiled: {0}")]
    Compiler(String),
    #[error("the code cannot be stored: {0}")]
    Store(String),
}

impl From<StoreError> for CodeError {
    fn from(error: StoreError) -> Self {
        Self::Store(error.to_string())
    }
}

/// The store cannot do what it was asked for.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum StoreError {
    #[error("{0:?} is not stored; sync the state it belongs to")]
    Missing(H256),
    #[error("the stored bytes of {0:?} are damaged; fetch them again from a peer")]
    Corrupt(H256),
    #[error("{0:?} is stored, but it is something else than was asked for")]
    Unexpected(H256),
    #[error("the database failed: {0}")]
    Database(Box<redb::Error>),
    #[error("no memory for a program: {0}")]
    Memory(std::io::Error),
    #[error(
        "the store was written by another version of the executor; remove it, and the rounds are executed again"
    )]
    Format,
}

macro_rules! database {
    ($($kind:ty),*) => {$(
        impl From<$kind> for StoreError {
            fn from(error: $kind) -> Self {
                Self::Database(Box::new(error.into()))
            }
        }
    )*};
}
database!(
    redb::DatabaseError,
    redb::TransactionError,
    redb::TableError,
    redb::StorageError,
    redb::CommitError
);

/// Why an executor cannot be opened.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum OpenError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Code(#[from] CodeError),
    #[error("the threads cannot be started: {0}")]
    Threads(#[from] rayon::ThreadPoolBuildError),
}

/// Why a round cannot be executed.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum RoundError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("code {0:?} is missing; fetch it and add it with `add_code`")]
    MissingCode(CodeId),
    #[error(transparent)]
    Code(#[from] CodeError),
    #[error(
        "block {0:?} was executed already with another base or input; its first outcome stands"
    )]
    Conflict(H256),
    #[error("executor version {0} is not known to this node; update it")]
    Version(u32),
    #[error("a program's host code panicked; this is a fault of the executor")]
    Panicked,
    #[error("an amount left the range of 128 bits")]
    Overflow,
}

/// Why a query has no answer.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum QueryError {
    #[error(transparent)]
    Round(#[from] RoundError),
    #[error("there is no program {0:?} in this state")]
    UnknownProgram(ActorId),
    #[error("program {0:?} is not initialised yet; send its first message")]
    Uninitialized(ActorId),
    #[error("the program did not reply: its message waits for something that no query brings")]
    NoReply,
    #[error("there was no reply after {0} gas")]
    GasLimit(u64),
}

impl From<StoreError> for QueryError {
    fn from(error: StoreError) -> Self {
        Self::Round(error.into())
    }
}
