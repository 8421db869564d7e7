//! The parallel Gear executor: it validates and compiles codes, runs the rounds of the chain, and keeps the state of
//! programs. It knows neither Substrate nor Ethereum.
//!
//! A round is a pure function of a base state and an input ([`Executor::execute_round`]): the same input gives the same
//! roots, receipts, gas and order on every machine, with any number of threads, the first time and the tenth. Data flow:
//! `code` takes WASM in; `round` takes events and messages in, has the programs that `vm` holds in memory run them, and
//! makes transitions and receipts; `state` keeps everything by content; `query` answers readers, `proof` convinces them,
//! and `snapshot` and `objects` take a state to another machine, or mend it.

mod allocations;
mod code;
mod error;
pub mod gas;
mod objects;
mod proof;
mod query;
mod request;
mod round;
mod run;
mod snapshot;
pub mod state;
mod stats;
mod stored;
mod syscalls;
mod vm;

#[doc(hidden)]
pub use code::system_calls;
pub use code::{MAX_CODE_LENGTH, MAX_FUNCTION_LENGTH, MAX_STATIC_PAGES};
pub use error::{CodeError, OpenError, QueryError, RoundError, StoreError};
pub use proof::ProveError;
pub use query::{ProgramCost, Query, QueryContext, QueryReply};
#[doc(hidden)]
pub use snapshot::named_by;
pub use snapshot::{
    CHUNK_BYTES, Export, Import, MAX_CHUNK_BYTES, MAX_OBJECT_BYTES, Progress, SnapshotError,
};
pub use stats::ExecutorStats;

use code::Codes;
use codec::Decode;
use gear_exe_primitives::{
    ActorId, CodeId, H256,
    round::{ChainBlock, RoundInput, RoundOutcome},
};
use parking_lot::Mutex;
use request::request_hash;
use state::{
    DispatchStash, Mailbox, MemoryPages, MemoryPagesRegion, MessageQueue, ProgramRecord,
    ProgramState, UserMailbox, Waitlist,
    line::Line,
    map::Map,
    root::Root,
    store::{Content, Disk, Table},
};
use stats::Counters;
use std::{
    path::PathBuf,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Instant,
};
use stored::StoredOutcome;
use vm::Residents;

/// The version of the executor's behaviour that this crate implements: [`ExecutionParameters::executor_version`].
///
/// [`ExecutionParameters::executor_version`]: gear_exe_primitives::round::ExecutionParameters::executor_version
pub const EXECUTOR_VERSION: u32 = 1;

/// How to open an executor.
#[derive(Clone, Debug)]
pub struct ExecutorConfig {
    /// File of the store; nothing keeps it in memory.
    pub path: Option<PathBuf>,
    /// Threads that run programs; zero takes one for each core. The result does not depend on it.
    pub threads: usize,
    /// Bytes that programs may take in memory between their messages. Those that were not used for long leave; a program
    /// is there while it runs, whatever it takes. The result does not depend on it.
    pub memory_budget: u64,
}

impl Default for ExecutorConfig {
    fn default() -> Self {
        Self {
            path: None,
            threads: 0,
            memory_budget: 2 << 30,
        }
    }
}

/// The executor. It may be shared between threads; rounds are executed one at a time.
pub struct Executor {
    inner: Inner,
}

struct Inner {
    disk: Arc<Disk>,
    codes: Codes,
    stats: Arc<Counters>,
    residents: Residents,
    query_residents: Residents,
    /// Held while a round is executed and stored. The outcome is encoded in here: a buffer that stays.
    round: Mutex<Vec<u8>>,
    pool: rayon::ThreadPool,
    /// Readers must not hold up rounds.
    query_pool: rayon::ThreadPool,
}

/// How much an executor has stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Rounds.
    pub rounds: u64,
    /// Objects of states: pages, queues, and the like.
    pub objects: u64,
}

/// Bytes of the buffer for outcomes that are kept from round to round.
const KEPT_BUFFER: usize = 32 << 20;

fn thread_pool(name: &'static str, threads: usize) -> Result<rayon::ThreadPool, OpenError> {
    Ok(rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .stack_size(code::THREAD_STACK)
        .thread_name(move |index| format!("{name}-{index}"))
        .build()?)
}

impl Executor {
    /// Opens the store and starts the threads.
    ///
    /// # Errors
    ///
    /// [`OpenError`] if the store, the compiler or the threads cannot be set up.
    pub fn open(config: ExecutorConfig) -> Result<Self, OpenError> {
        let disk = Arc::new(Disk::open(config.path.as_deref())?);
        let stats = Arc::new(Counters::default());
        let pool = thread_pool("gear-round", config.threads)?;
        let threads = pool.current_num_threads();
        Ok(Self {
            inner: Inner {
                residents: Residents::for_rounds(config.memory_budget, threads),
                query_residents: Residents::for_queries(threads),
                codes: Codes::new(disk.clone(), stats.clone())?,
                disk,
                stats,
                round: Mutex::default(),
                pool,
                query_pool: thread_pool("gear-query", config.threads)?,
            },
        })
    }

    /// Validates, compiles and stores a code. Adding it again does nothing.
    ///
    /// # Errors
    ///
    /// [`CodeError`] says why the code is refused.
    pub fn add_code(&self, wasm: &[u8]) -> Result<CodeId, CodeError> {
        self.inner.codes.add(wasm)
    }

    /// The bytes of an added code.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the store cannot be read.
    pub fn code(&self, id: CodeId) -> Result<Option<Vec<u8>>, StoreError> {
        self.inner.codes.wasm(id)
    }

    /// Executes a round on the state behind `base`, the zero hash for none, and stores what it did in one transaction.
    /// A round that was executed before is not executed again: its stored outcome is the result.
    ///
    /// # Errors
    ///
    /// [`RoundError`]; nothing is stored then.
    pub fn execute_round(
        &self,
        base: H256,
        input: &RoundInput,
    ) -> Result<RoundOutcome, RoundError> {
        let mut one_at_a_time = self.inner.round.lock();
        let block = input.block;
        if let Some(stored) = self.stored_outcome(block.hash)? {
            return if stored.request == request_hash(base, input) {
                Ok(stored.outcome)
            } else {
                Err(RoundError::Conflict(block.hash))
            };
        }
        let outcome = self.execute_and_store(base, input, &mut one_at_a_time);
        if outcome.is_err() {
            // What its programs hold will never be.
            self.inner.residents.discard();
        }
        outcome
    }

    fn execute_and_store(
        &self,
        base: H256,
        input: &RoundInput,
        buffer: &mut Vec<u8>,
    ) -> Result<RoundOutcome, RoundError> {
        let block = input.block;
        let began = Instant::now();
        let content = Arc::new(Content::new(&self.inner.disk));
        let scope = round::Scope {
            codes: &self.inner.codes,
            content: &content,
            stats: &self.inner.stats,
            residents: &self.inner.residents,
            block,
            anchor: &input.anchor,
            parameters: &input.parameters,
            query: None,
        };
        let execute = || round::execute(scope, base, input);
        let request = || request_hash(base, input);
        let (outcome, request) = self.inner.pool.install(|| rayon::join(execute, request));
        let outcome = outcome?;
        let added = content.take_added();
        let stored = StoredOutcome {
            number: block.number,
            request,
            outcome,
        };
        buffer.clear();
        stored.write(buffer);
        let root = stored.outcome.state_root;
        self.inner.disk.write_round(block, buffer, root, &added)?;
        if buffer.capacity() > KEPT_BUFFER {
            *buffer = Vec::new();
        }
        self.inner.residents.keep();

        let outcome = stored.outcome;
        let stats = &self.inner.stats;
        let took = u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX);
        stats.rounds.fetch_add(1, Relaxed);
        stats.round_nanoseconds.fetch_add(took, Relaxed);
        tracing::debug!(
            round = block.number, block = ?block.hash, anchor = input.anchor.number, root = ?outcome.state_root,
            receipts = outcome.receipts.len(), transitions = outcome.transitions.len(), gas = outcome.gas_burned,
            work_left = outcome.work_left, starved = outcome.starved.len(), micros = took / 1_000, "round executed"
        );
        Ok(outcome)
    }

    fn stored_outcome(&self, block: H256) -> Result<Option<StoredOutcome>, StoreError> {
        let stored = self.inner.disk.get(Table::Outcomes, block)?;
        stored
            .map(|bytes| StoredOutcome::read(&bytes).map_err(|_| StoreError::Corrupt(block)))
            .transpose()
    }

    /// Forgets the rounds of these blocks, with every state that no other stored round names, in one transaction. Says how
    /// many there were. What was forgotten can be neither built upon nor read any more.
    ///
    /// `keep` is a state root that stays all the same, until the next call names another: that of the oldest block that
    /// is still needed, since blocks in which nothing happened have no round here, only the state of an earlier one.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the store fails or is damaged; nothing is forgotten then.
    pub fn forget(&self, blocks: &[H256], keep: Option<H256>) -> Result<usize, StoreError> {
        let _one_at_a_time = self.inner.round.lock();
        let mut outcomes = Vec::with_capacity(blocks.len());
        for hash in blocks {
            if let Some(stored) = self.stored_outcome(*hash)? {
                let block = ChainBlock {
                    number: stored.number,
                    hash: *hash,
                };
                outcomes.push((block, stored.outcome.state_root));
            }
        }
        self.inner.disk.forget(&outcomes, keep)
    }

    /// Stored rounds of blocks with a number below this one, whatever fork they are on: the lowest first, no more than
    /// `most`. What of them is not needed any more, [`Self::forget`] forgets: a round of a fork that was left is known to
    /// nobody else.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the store cannot be read.
    pub fn rounds_below(&self, number: u64, most: usize) -> Result<Vec<ChainBlock>, StoreError> {
        self.inner.disk.rounds_below(number, most)
    }

    /// How much is stored.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the store cannot be read.
    pub fn stored(&self) -> Result<Stored, StoreError> {
        Ok(Stored {
            rounds: self.inner.disk.count(Table::Outcomes)?,
            objects: self.inner.disk.count(Table::Content)?,
        })
    }

    /// The stored outcome of a block's round.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the store cannot be read.
    pub fn outcome(&self, block: H256) -> Result<Option<RoundOutcome>, StoreError> {
        Ok(self.stored_outcome(block)?.map(|stored| stored.outcome))
    }

    /// Whether the round of a block was executed.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the store cannot be read.
    pub fn has_outcome(&self, block: H256) -> Result<bool, StoreError> {
        self.inner.disk.contains(Table::Outcomes, block)
    }

    /// The programs behind a state root, ordered by id.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the root is not stored.
    pub fn program_ids(&self, root: H256) -> Result<Vec<ActorId>, StoreError> {
        let content = Content::new(&self.inner.disk);
        let mut all = Vec::new();
        if let Some(hash) = Root::load(&content, root)?.programs {
            Map::<ActorId, ProgramRecord>::visit(&content, hash, |actor, _| {
                all.push(actor);
                Ok(())
            })?;
        }
        Ok(all)
    }

    /// Code and state hash of a program.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the root is not stored.
    pub fn program(&self, root: H256, actor: ActorId) -> Result<Option<ProgramRecord>, StoreError> {
        let content = Content::new(&self.inner.disk);
        Root::load(&content, root)?.records().get(&content, actor)
    }

    /// Whether a program's messages wait for executable balance in the state behind `root`. Outcomes name no more than 1,024
    /// such programs.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the root is not stored.
    pub fn is_starved(&self, root: H256, actor: ActorId) -> Result<bool, StoreError> {
        let content = Content::new(&self.inner.disk);
        let starved = Root::load(&content, root)?.starved;
        Map::<ActorId, u128>::new(starved).contains(&content, &actor)
    }

    /// A program's state by its hash.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if it is not stored.
    pub fn read_state(&self, hash: H256) -> Result<ProgramState, StoreError> {
        self.read(hash)
    }

    /// A single object of [`state`] by its hash. Queues, waitlists, stashes and mailboxes are many objects, which the
    /// methods below read.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if it is not stored or something else.
    pub fn read<T: Decode>(&self, hash: H256) -> Result<T, StoreError> {
        Content::new(&self.inner.disk).get(hash)
    }

    /// The messages of a queue, by the hash in the program's state.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if they are not stored, or the hash is one of something else.
    pub fn queue(&self, hash: H256) -> Result<MessageQueue, StoreError> {
        Line::list(&Content::new(&self.inner.disk), hash)
    }

    /// The messages that wait, by the hash in the program's state.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if they are not stored, or the hash is one of something else.
    pub fn waitlist(&self, hash: H256) -> Result<Waitlist, StoreError> {
        let all = Map::list(&Content::new(&self.inner.disk), hash)?;
        Ok(all.into_iter().collect())
    }

    /// Delayed messages, by the hash in the program's state.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if they are not stored, or the hash is one of something else.
    pub fn stash(&self, hash: H256) -> Result<DispatchStash, StoreError> {
        let all = Map::list(&Content::new(&self.inner.disk), hash)?;
        Ok(all.into_iter().collect())
    }

    /// Hashes of users' mailboxes, by the hash in the program's state.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if they are not stored, or the hash is one of something else.
    pub fn mailbox(&self, hash: H256) -> Result<Mailbox, StoreError> {
        state::map::parts(&Content::new(&self.inner.disk), hash)
    }

    /// A user's messages from one program, by the hash that [`Self::mailbox`] gives.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if they are not stored, or the hash is one of something else.
    pub fn user_mailbox(&self, hash: H256) -> Result<UserMailbox, StoreError> {
        let all = Map::list(&Content::new(&self.inner.disk), hash)?;
        Ok(all.into_iter().collect())
    }

    /// The regions of a program's memory, by the hash in its state.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if they are not stored, or the hash is one of something else.
    pub fn memory_pages(&self, hash: H256) -> Result<MemoryPages, StoreError> {
        self.read(hash)
    }

    /// The pages of a region of memory, by the hash that [`Self::memory_pages`] gives.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if it is not stored, or the hash is one of something else.
    pub fn memory_region(&self, hash: H256) -> Result<MemoryPagesRegion, StoreError> {
        state::pages::region(&Content::new(&self.inner.disk), hash)
    }

    /// Raw bytes by hash: pages and payloads.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if they are not stored.
    pub fn read_bytes(&self, hash: H256) -> Result<Vec<u8>, StoreError> {
        Content::new(&self.inner.disk).bytes(hash)
    }

    /// What this executor has done since it was opened.
    pub fn stats(&self) -> ExecutorStats {
        let (programs, bytes) = self.inner.residents.usage();
        ExecutorStats {
            programs_in_memory: programs,
            memory_bytes: bytes,
            objects_read: self.inner.disk.objects_read(),
            pages_loaded: self.inner.residents.pages_loaded()
                + self.inner.query_residents.pages_loaded(),
            ..self.inner.stats.read(self.inner.codes.cached())
        }
    }
}
