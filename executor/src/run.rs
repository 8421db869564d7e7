//! One run of one message: an instance, its memory, and how it ended.
//!
//! A run is given everything by value and gives everything back by value: what it does to others are lists that the
//! round applies if the run did not fail. So a failed run leaves no trace but its gas.

use crate::{
    StoreError, allocations,
    code::{Code, GAS, MEMORY, STACK, STACK_LIMIT},
    gas,
    round::Directory,
    state::{Allocations, ContextStore, PAGE_SIZE, store::Content},
};
use gear_exe_primitives::{
    ActorId, MessageId,
    message::{ReplyCode, ReplyDetails},
    round::ExecutionParameters,
};
use primitive_types::H256;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};
use wasmtime::{Global, Instance, Memory, Store, Trap, Val};

/// What a run is given.
pub(crate) struct RunInput {
    pub(crate) entry: &'static str,
    pub(crate) id: MessageId,
    pub(crate) program: ActorId,
    pub(crate) source: ActorId,
    pub(crate) payload: Vec<u8>,
    pub(crate) value: u128,
    /// Set if the message is a reply.
    pub(crate) reply: Option<ReplyDetails>,
    /// What the program owns, with the message's value.
    pub(crate) balance: u128,
    pub(crate) height: u32,
    pub(crate) timestamp: u64,
    pub(crate) parameters: ExecutionParameters,
    pub(crate) gas_limit: u64,
    pub(crate) context: ContextStore,
    pub(crate) allocations: Allocations,
    pub(crate) directory: Arc<Directory>,
}

/// A message that a run sends.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(crate) id: MessageId,
    pub(crate) destination: ActorId,
    pub(crate) payload: Vec<u8>,
    pub(crate) value: u128,
    pub(crate) delay: u32,
}

/// How a run stopped before its entry point returned.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum Stop {
    #[error("left")]
    Leave,
    #[error("exited")]
    Exit(ActorId),
    #[error("waits for {0} blocks")]
    Wait(u32),
    #[error("failed with {0:?}")]
    Failed(ReplyCode, Vec<u8>),
}

/// How a run ended.
#[derive(Clone, Debug)]
pub(crate) enum Ended {
    Done,
    Wait(u32),
    Exit(ActorId),
    Failed(ReplyCode, Vec<u8>),
}

/// What system calls read and write.
pub(crate) struct Host {
    pub(crate) input: RunInput,
    /// Set once the program is instantiated.
    pub(crate) memory: Option<Memory>,
    /// Gas left, below zero if it was not enough. Set once the program is instantiated.
    pub(crate) gas: Option<Global>,
    pub(crate) static_pages: u32,
    /// WASM pages that the program may have.
    pub(crate) max_pages: u32,
    pub(crate) sent: Vec<Sent>,
    pub(crate) sent_bytes: u64,
    pub(crate) reply: Option<(Vec<u8>, u128)>,
    pub(crate) woken: BTreeSet<MessageId>,
    /// The store failed below a system call.
    pub(crate) fault: Option<StoreError>,
}

/// What a run did. If it failed there is nothing but gas.
pub(crate) struct RunOutput {
    pub(crate) ended: Ended,
    pub(crate) gas_burned: u64,
    pub(crate) sent: Vec<Sent>,
    pub(crate) reply: Option<(Vec<u8>, u128)>,
    pub(crate) woken: BTreeSet<MessageId>,
    pub(crate) balance: u128,
    pub(crate) context: ContextStore,
    pub(crate) allocations: Allocations,
    pub(crate) pages: BTreeMap<u32, H256>,
}

impl RunOutput {
    pub(crate) fn failed(code: ReplyCode, payload: Vec<u8>, gas_burned: u64) -> Self {
        Self {
            ended: Ended::Failed(code, payload),
            gas_burned,
            sent: Vec::new(),
            reply: None,
            woken: BTreeSet::new(),
            balance: 0,
            context: ContextStore::default(),
            allocations: Allocations::new(),
            pages: BTreeMap::new(),
        }
    }
}

/// Runs a message. Only the store can fail; whatever the program does is in the output.
pub(crate) fn run(
    code: &Code,
    content: &Content,
    stored: &BTreeMap<u32, H256>,
    input: RunInput,
) -> Result<RunOutput, StoreError> {
    let limit = input.gas_limit;
    let static_pages = code.facts.static_pages;
    let allocated: u64 = input
        .allocations
        .iter()
        .map(|(from, to)| u64::from(to - from) + 1)
        .sum();
    let mut burned = gas::DISPATCH
        + gas::MEMORY_PAGE * (u64::from(static_pages) + allocated)
        + gas::LOAD_PAGE * stored.len() as u64;
    if burned > limit {
        return Ok(RunOutput::failed(
            ReplyCode::RAN_OUT_OF_GAS,
            Vec::new(),
            limit,
        ));
    }
    let highest = input
        .allocations
        .last_key_value()
        .map_or(0, |(_, end)| end.saturating_add(1));
    let pages = static_pages.max(highest);
    let most = input.parameters.max_memory_pages;
    if pages > most {
        return Ok(RunOutput::failed(
            ReplyCode::MEMORY_OVERFLOW,
            Vec::new(),
            burned,
        ));
    }
    let mut loaded = BTreeMap::new();
    for (page, hash) in stored {
        loaded.insert(*page, content.bytes(*hash)?);
    }

    let entry = input.entry;
    let host = Host {
        input,
        memory: None,
        gas: None,
        static_pages,
        max_pages: code.facts.max_pages.map_or(most, |own| own.min(most)),
        sent: Vec::new(),
        sent_bytes: 0,
        reply: None,
        woken: BTreeSet::new(),
        fault: None,
    };
    let mut store = Store::new(code.instance.module().engine(), host);
    let given = i64::try_from(limit - burned).unwrap_or(i64::MAX);
    let (instance, result) = start(&mut store, code, &loaded, pages, entry, given);
    let left = gas_left(&mut store, given);
    burned += given.abs_diff(left.clamp(0, given));
    if let Some(fault) = store.data_mut().fault.take() {
        return Err(fault);
    }
    let mut ended = match result {
        Ok(()) => Ended::Done,
        Err(error) => how_stopped(&error, &mut store, instance),
    };
    if left < 0 {
        ended = Ended::Failed(ReplyCode::RAN_OUT_OF_GAS, Vec::new());
    }

    let mut changed = Vec::new();
    if let (Some(memory), Ended::Done | Ended::Wait(_)) = (store.data().memory, &ended) {
        changed = changed_pages(code, &store, memory, &loaded);
        burned = burned.saturating_add(gas::WRITE_PAGE.saturating_mul(changed.len() as u64));
        if burned > limit {
            ended = Ended::Failed(ReplyCode::RAN_OUT_OF_GAS, Vec::new());
        }
    }
    let host = store.into_data();
    if let Ended::Failed(code, payload) = ended {
        if code == ReplyCode::RAN_OUT_OF_GAS {
            burned = limit;
        }
        return Ok(RunOutput::failed(code, payload, burned));
    }
    let mut pages = stored.clone();
    pages.retain(|page, _| is_kept(code, &host.input.allocations, *page));
    for (number, bytes) in changed {
        pages.insert(number, content.put_bytes(bytes));
    }
    Ok(RunOutput {
        ended,
        gas_burned: burned,
        sent: host.sent,
        reply: host.reply,
        woken: host.woken,
        balance: host.input.balance,
        context: host.input.context,
        allocations: host.input.allocations,
        pages,
    })
}

/// Makes the instance with its memory as it was left, and calls the entry point.
fn start(
    store: &mut Store<Host>,
    code: &Code,
    loaded: &BTreeMap<u32, Vec<u8>>,
    pages: u32,
    entry: &str,
    gas: i64,
) -> (Option<Instance>, wasmtime::Result<()>) {
    let mut made = None;
    let mut call = || {
        let instance = code.instance.instantiate(&mut *store)?;
        made = Some(instance);
        let memory = instance
            .get_memory(&mut *store, MEMORY)
            .ok_or_else(|| wasmtime::Error::msg("an instrumented module has a memory"))?;
        memory.grow(&mut *store, u64::from(pages - code.facts.static_pages))?;
        let data = memory.data_mut(&mut *store);
        for (page, bytes) in loaded {
            let at = *page as usize * PAGE_SIZE;
            if let Some(place) = data.get_mut(at..at + PAGE_SIZE)
                && bytes.len() == PAGE_SIZE
            {
                place.copy_from_slice(bytes);
            }
        }
        store.data_mut().memory = Some(memory);
        let left = instance
            .get_global(&mut *store, GAS)
            .ok_or_else(|| wasmtime::Error::msg("an instrumented module counts its gas"))?;
        left.set(&mut *store, Val::I64(gas))?;
        store.data_mut().gas = Some(left);
        instance
            .get_typed_func::<(), ()>(&mut *store, entry)?
            .call(&mut *store, ())
    };
    let result = call();
    (made, result)
}

/// What is left of the gas that a run was given. All of it, if the run did not get as far as to have any.
fn gas_left(store: &mut Store<Host>, given: i64) -> i64 {
    let gas = store.data().gas;
    gas.and_then(|gas| gas.get(store).i64()).unwrap_or(given)
}

/// Whether a Gear page belongs to the state: static or allocated, and not of the stack.
fn is_kept(code: &Code, allocations: &Allocations, page: u32) -> bool {
    let wasm_page = page / 4;
    page >= code.facts.stack_end / PAGE_SIZE as u32
        && (wasm_page < code.facts.static_pages || allocations::contains(allocations, wasm_page))
}

/// The pages that differ from what the run started with.
fn changed_pages(
    code: &Code,
    store: &Store<Host>,
    memory: Memory,
    loaded: &BTreeMap<u32, Vec<u8>>,
) -> Vec<(u32, Vec<u8>)> {
    const ZERO: [u8; PAGE_SIZE] = [0; PAGE_SIZE];
    let allocations = &store.data().input.allocations;
    let first = code.facts.stack_end as usize / PAGE_SIZE;
    memory
        .data(store)
        .chunks_exact(PAGE_SIZE)
        .enumerate()
        .skip(first)
        .filter_map(|(number, bytes)| {
            let page = u32::try_from(number).ok()?;
            let before = loaded
                .get(&page)
                .map(Vec::as_slice)
                .or_else(|| code.facts.image.get(&page).map(AsRef::as_ref))
                .unwrap_or(&ZERO);
            (is_kept(code, allocations, page) && before != bytes).then(|| (page, bytes.to_vec()))
        })
        .collect()
}

fn how_stopped(
    error: &wasmtime::Error,
    store: &mut Store<Host>,
    instance: Option<Instance>,
) -> Ended {
    if let Some(stop) = error.downcast_ref::<Stop>() {
        return match stop.clone() {
            Stop::Leave => Ended::Done,
            Stop::Exit(inheritor) => Ended::Exit(inheritor),
            Stop::Wait(blocks) => Ended::Wait(blocks),
            Stop::Failed(code, payload) => Ended::Failed(code, payload),
        };
    }
    let code = match error.downcast_ref::<Trap>() {
        Some(Trap::StackOverflow) => ReplyCode::STACK_LIMIT_EXCEEDED,
        Some(_) if is_over_stack(store, instance) => ReplyCode::STACK_LIMIT_EXCEEDED,
        Some(_) => ReplyCode::UNREACHABLE,
        None => {
            tracing::error!(
                program = %store.data().input.program,
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
fn is_over_stack(store: &mut Store<Host>, instance: Option<Instance>) -> bool {
    instance
        .and_then(|instance| instance.get_global(&mut *store, STACK))
        .and_then(|global| global.get(&mut *store).i32())
        .is_some_and(|bytes| bytes as u32 > STACK_LIMIT)
}
