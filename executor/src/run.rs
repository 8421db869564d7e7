//! One run of one message: what it is given, what system calls see, and how it ended.
//!
//! A program in memory runs it (`vm::resident`). What a run does to others are lists that the round applies if it did not
//! fail. So a failed run leaves no trace but its gas.

use crate::{
    StoreError,
    code::STACK_LIMIT,
    round::Directory,
    state::{Allocations, ContextStore, GasTerms, Reservations, Seed, Wait},
    vm::{Entry, SharedTracker, meter},
};
use gear_exe_primitives::{
    ActorId, MessageId,
    creation::ProgramCreation,
    message::{ReplyCode, ReplyDetails},
    round::ExecutionParameters,
};
use primitive_types::H256;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};
use wasmtime::{Global, Memory, Store, Trap};

/// What a run is given.
#[derive(Default)]
pub(crate) struct RunInput {
    pub(crate) entry: Entry,
    pub(crate) id: MessageId,
    pub(crate) source: ActorId,
    pub(crate) payload: Vec<u8>,
    pub(crate) value: u128,
    /// Set if the message is a reply.
    pub(crate) reply: Option<ReplyDetails>,
    /// Set if it is a signal: which message failed, and how.
    pub(crate) signal: Option<(MessageId, u32)>,
    /// What its random numbers come from; nothing as long as it has not asked for any.
    pub(crate) seed: Option<Seed>,
    /// The program's, given back afterwards.
    pub(crate) reservations: Reservations,
    /// What the program owns, with the message's value.
    pub(crate) balance: u128,
    pub(crate) height: u32,
    pub(crate) timestamp: u64,
    pub(crate) gas_limit: u64,
    /// Gas that it would have beyond that if its program were richer.
    pub(crate) lacking: u64,
    pub(crate) context: ContextStore,
}

/// A message that a run sends.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(crate) id: MessageId,
    pub(crate) destination: ActorId,
    pub(crate) payload: Vec<u8>,
    pub(crate) value: u128,
    pub(crate) delay: u32,
    pub(crate) gas: GasTerms,
    /// Set if the destination is a program that comes into being with the message.
    pub(crate) birth: Option<Box<Birth>>,
}

/// A program that a run creates.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Birth {
    pub(crate) creation: ProgramCreation,
    /// Gas whose price becomes its executable balance.
    pub(crate) gas: u64,
}

/// A reply that a run sends.
#[derive(Clone, Debug, Default)]
pub(crate) struct Replied {
    /// Its id, if it was computed.
    pub(crate) id: Option<MessageId>,
    pub(crate) payload: Vec<u8>,
    pub(crate) value: u128,
    pub(crate) gas_limit: Option<u64>,
}

/// Gas that a run reserves.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reserved {
    pub(crate) id: H256,
    pub(crate) gas: u64,
    /// In Ethereum blocks.
    pub(crate) duration: u32,
}

/// What a run sets aside, and what it takes back of that.
#[derive(Debug, Default)]
pub(crate) struct SetAside {
    pub(crate) reserved: Vec<Reserved>,
    /// Reservations of earlier runs that it gave up or used.
    pub(crate) released: BTreeSet<H256>,
    /// Gas for the signal that tells of the message's failure. It counts also if the run fails.
    pub(crate) signal_gas: u64,
    /// Gas that is given to programs that it creates.
    pub(crate) births: u64,
}

impl SetAside {
    /// Gas that it takes from the message.
    pub(crate) fn gas(&self) -> u64 {
        let reserved = self.reserved.iter().map(|own| own.gas);
        let given = self.signal_gas.saturating_add(self.births);
        reserved.fold(given, u64::saturating_add)
    }
}

/// How a run stopped before its entry point returned.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum Stop {
    #[error("left")]
    Leave,
    #[error("exited")]
    Exit(ActorId),
    #[error("waits for {0} blocks, {1:?}")]
    Wait(u32, Wait),
    #[error("asks for randomness")]
    Draw,
    #[error("failed with {0:?}")]
    Failed(ReplyCode, Vec<u8>),
}

/// How a run ended.
#[derive(Clone, Debug)]
pub(crate) enum Ended {
    Done,
    Wait(u32, Wait),
    /// It asked for randomness that there is not yet, and is undone as if it had failed.
    Draw,
    Exit(ActorId),
    Failed(ReplyCode, Vec<u8>),
}

impl Ended {
    /// Whether nothing of the run stays.
    pub(crate) fn is_undone(&self) -> bool {
        matches!(self, Self::Failed(..) | Self::Draw)
    }
}

/// The memory of a program, for system calls.
#[derive(Clone)]
pub(crate) struct Guest {
    pub(crate) memory: Memory,
    /// Gas left.
    pub(crate) gas: Global,
    pub(crate) tracker: Arc<SharedTracker>,
}

/// What system calls read and write.
#[derive(Default)]
pub(crate) struct Host {
    pub(crate) input: RunInput,
    pub(crate) program: ActorId,
    pub(crate) parameters: ExecutionParameters,
    /// Fees of system calls that are noted and not paid, in gas.
    pub(crate) owed: u64,
    /// What they may come to before they are.
    pub(crate) credit: u64,
    /// Gas that the message was given and has not set aside since.
    pub(crate) granted: u64,
    pub(crate) set_aside: SetAside,
    pub(crate) allocations: Allocations,
    /// What was allocated before the message changed it; nothing as long as it has not.
    before: Option<Allocations>,
    /// Ranges of WASM pages that the message has freed, first to last.
    pub(crate) freed: Vec<(u32, u32)>,
    /// Set while the program has its turn.
    pub(crate) directory: Option<Arc<Directory>>,
    /// Set once the program is instantiated.
    pub(crate) guest: Option<Guest>,
    pub(crate) static_pages: u32,
    /// WASM pages that the program may have.
    pub(crate) max_pages: u32,
    pub(crate) sent: Vec<Sent>,
    pub(crate) sent_bytes: u64,
    /// Bytes in the handles that are open.
    pub(crate) held_bytes: u64,
    pub(crate) reply: Option<Replied>,
    /// Messages to wake, after how many blocks.
    pub(crate) woken: BTreeMap<MessageId, u32>,
    /// The store failed below a system call.
    pub(crate) fault: Option<StoreError>,
}

impl Host {
    /// Begins a message that may burn `gas`.
    pub(crate) fn begin(&mut self, input: RunInput, max_pages: u32, gas: u64) {
        /// A tenth of a millisecond.
        const CREDIT: u64 = 100_000_000;
        self.owed = 0;
        self.granted = gas;
        self.set_aside = SetAside::default();
        self.credit = CREDIT.min(gas / 8);
        let held = input.context.handles.values();
        self.held_bytes = held.map(|held| held.0.len() as u64).sum();
        self.input = input;
        self.max_pages = max_pages;
        self.before = None;
        self.freed.clear();
        self.sent.clear();
        self.sent_bytes = 0;
        self.reply = None;
        self.woken.clear();
        self.fault = None;
    }

    /// The allocations, to be changed.
    pub(crate) fn allocations_mut(&mut self) -> &mut Allocations {
        if self.before.is_none() {
            self.before = Some(self.allocations.clone());
        }
        &mut self.allocations
    }

    /// Intervals of allocated pages that are kept aside when the message first changes them.
    pub(crate) fn intervals_to_keep(&self) -> u64 {
        match self.before {
            Some(_) => 0,
            None => self.allocations.len() as u64,
        }
    }

    /// Takes back what the message did to the allocations.
    pub(crate) fn undo(&mut self) {
        if let Some(before) = self.before.take() {
            self.allocations = before;
        }
    }

    /// Ends a message, and says what it did.
    pub(crate) fn end(&mut self, ended: Ended, gas_burned: u64) -> Result<RunOutput, StoreError> {
        if let Some(fault) = self.fault.take() {
            return Err(fault);
        }
        let payload = std::mem::take(&mut self.input.payload);
        let reservations = std::mem::take(&mut self.input.reservations);
        let set_aside = std::mem::take(&mut self.set_aside);
        if ended.is_undone() {
            let set_aside = SetAside {
                signal_gas: set_aside.signal_gas,
                ..SetAside::default()
            };
            return Ok(RunOutput {
                set_aside,
                ..RunOutput::nothing(ended, gas_burned, payload, reservations)
            });
        }
        Ok(RunOutput {
            ended,
            gas_burned,
            payload,
            reservations,
            set_aside,
            sent: std::mem::take(&mut self.sent),
            reply: self.reply.take(),
            woken: std::mem::take(&mut self.woken),
            balance: self.input.balance,
            context: std::mem::take(&mut self.input.context),
        })
    }
}

/// What a run did. If it failed there is nothing but gas.
pub(crate) struct RunOutput {
    pub(crate) ended: Ended,
    pub(crate) gas_burned: u64,
    /// The message's own, given back.
    pub(crate) payload: Vec<u8>,
    /// The program's, as they were, given back.
    pub(crate) reservations: Reservations,
    pub(crate) set_aside: SetAside,
    pub(crate) sent: Vec<Sent>,
    pub(crate) reply: Option<Replied>,
    pub(crate) woken: BTreeMap<MessageId, u32>,
    pub(crate) balance: u128,
    pub(crate) context: ContextStore,
}

impl RunOutput {
    /// A run that did nothing but burn gas.
    pub(crate) fn nothing(
        ended: Ended,
        gas_burned: u64,
        payload: Vec<u8>,
        reservations: Reservations,
    ) -> Self {
        Self {
            ended,
            gas_burned,
            payload,
            reservations,
            set_aside: SetAside::default(),
            sent: Vec::new(),
            reply: None,
            woken: BTreeMap::new(),
            balance: 0,
            context: ContextStore::default(),
        }
    }
}

/// What the error of a call into a program means for its message.
pub(crate) fn how_stopped(
    error: &wasmtime::Error,
    store: &mut Store<Host>,
    stack: Option<Global>,
) -> Ended {
    if let Some(stop) = error.downcast_ref::<Stop>() {
        return match stop.clone() {
            Stop::Leave => Ended::Done,
            Stop::Exit(inheritor) => Ended::Exit(inheritor),
            Stop::Wait(blocks, wait) => Ended::Wait(blocks, wait),
            Stop::Draw => Ended::Draw,
            Stop::Failed(code, payload) => Ended::Failed(code, payload),
        };
    }
    let code = match error.downcast_ref::<Trap>() {
        Some(_) if meter::ran_out(&mut *store) => ReplyCode::RAN_OUT_OF_GAS,
        Some(Trap::StackOverflow) => ReplyCode::STACK_LIMIT_EXCEEDED,
        Some(_) if is_over_stack(store, stack) => ReplyCode::STACK_LIMIT_EXCEEDED,
        Some(_) => ReplyCode::UNREACHABLE,
        None => {
            tracing::error!(
                program = %store.data().program,
                message = %store.data().input.id,
                error = format!("{error:#}"),
                "a run failed in a way that the executor does not know"
            );
            ReplyCode::BACKEND_ERROR
        }
    };
    Ended::Failed(code, Vec::new())
}

/// Whether it was the count of the stack that trapped: it stands above its limit only then.
fn is_over_stack(store: &mut Store<Host>, stack: Option<Global>) -> bool {
    stack
        .and_then(|stack| stack.get(&mut *store).i32())
        .is_some_and(|bytes| bytes as u32 > STACK_LIMIT)
}
