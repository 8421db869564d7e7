//! A program in memory: its instance, and the state that its memory holds.

use super::{
    MAX_PAGES,
    loading::Source,
    memory, meter,
    residents::Totals,
    shared::Shared,
    signal,
    tracker::{Paid, Tracker},
};
use crate::{
    StoreError, allocations,
    code::{Code, GAS, MEMORY, RESET, STACK},
    gas,
    round::Directory,
    run::{Ended, Guest, Host, RunInput, RunOutput, how_stopped},
    state::{Allocations, PAGE_SIZE, store::Content},
};
use gear_exe_primitives::{ActorId, CodeId, message::ReplyCode, round::ExecutionParameters};
use primitive_types::H256;
use std::{io, sync::Arc};
use wasmtime::{Global, Store, TypedFunc};

/// Gas for [`RESET`], which nobody pays.
const RESET_GAS: i64 = 1 << 30;
/// Bytes of a resident beside its memory: instance, store, page tables.
const OVERHEAD: u64 = 64 << 10;

type Call = TypedFunc<(), ()>;

/// An entry point of a program.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Entry {
    Init,
    #[default]
    Handle,
    Reply,
    Signal,
}

impl Entry {
    /// Its name as an export.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Init => "init",
            Self::Handle => "handle",
            Self::Reply => "handle_reply",
            Self::Signal => "handle_signal",
        }
    }
}

/// See the module.
pub(crate) struct Resident {
    store: Store<Host>,
    memory: wasmtime::Memory,
    entries: [Option<Call>; 4],
    reset: Call,
    stack: Option<Global>,
    tracker: Arc<Shared>,
    region: Arc<memory::Region>,
    code: Arc<Code>,
    code_id: CodeId,
    /// What the memory was when it was brought here or last committed.
    root: Option<H256>,
    /// A message has run since the globals had their first values.
    used: bool,
    totals: Arc<Totals>,
    /// What `totals` counts of this program.
    counted: (u64, usize),
}

impl Drop for Resident {
    fn drop(&mut self) {
        self.totals.change(self.counted, (0, 0));
    }
}

fn memory_error(error: io::Error) -> StoreError {
    StoreError::Memory(error)
}

fn engine_error(error: wasmtime::Error) -> StoreError {
    StoreError::Memory(io::Error::other(format!("{error:#}")))
}

fn lacking(what: &str) -> StoreError {
    StoreError::Memory(io::Error::other(format!(
        "an instrumented module has no {what}"
    )))
}

/// WASM pages that a program with these allocations has.
fn pages_of(code: &Code, allocations: &Allocations) -> u32 {
    let highest = allocations
        .last_key_value()
        .map_or(0, |(_, end)| end.saturating_add(1));
    code.facts.static_pages.max(highest)
}

/// Whether a Gear page belongs to the state: static or allocated, and not of the stack.
fn is_kept(code: &Code, allocations: &Allocations, page: u32) -> bool {
    let wasm_page = page / 4;
    page >= code.facts.stack_end / PAGE_SIZE as u32
        && (wasm_page < code.facts.static_pages || allocations::contains(allocations, wasm_page))
}

impl Resident {
    /// A program whose memory is stored as `root`. Nothing of that is loaded yet.
    pub(super) fn load(
        content: &Content,
        code: &Arc<Code>,
        code_id: CodeId,
        root: Option<H256>,
        totals: &Arc<Totals>,
    ) -> Result<Self, StoreError> {
        let mut resident = Self::new(content, code, code_id, totals)?;
        resident.become_root(content, root)?;
        Ok(resident)
    }

    /// A program as it is created.
    fn new(
        content: &Content,
        code: &Arc<Code>,
        code_id: CodeId,
        totals: &Arc<Totals>,
    ) -> Result<Self, StoreError> {
        let module = code.instance.module();
        let mut store = Store::new(module.engine(), Host::default());
        let instance = code
            .instance
            .instantiate(&mut store)
            .map_err(engine_error)?;
        let region = memory::take_created().ok_or_else(|| lacking("memory"))?;
        let memory = instance
            .get_memory(&mut store, MEMORY)
            .ok_or_else(|| lacking("memory"))?;
        let mut tracker = Tracker::new(
            region.clone(),
            Source::new(code.clone(), content, totals.clone())?,
            code.facts.stack_end,
            totals.most_mappings(),
        )
        .map_err(memory_error)?;
        for page in code.facts.image.keys() {
            tracker.hold(*page);
        }
        let tracker = Shared::new(tracker);
        let text = module.text().as_ptr_range();
        signal::install(
            &mut store,
            tracker.clone(),
            text.start as usize..text.end as usize,
        );
        let gas = instance.get_global(&mut store, GAS);
        let gas = gas.ok_or_else(|| lacking("gas"))?;
        let host = store.data_mut();
        host.static_pages = code.facts.static_pages;
        host.guest = Some(Guest {
            memory,
            gas,
            tracker: tracker.clone(),
        });
        let mut call = |name: &str| instance.get_typed_func(&mut store, name).ok();
        let entries = [Entry::Init, Entry::Handle, Entry::Reply, Entry::Signal]
            .map(|entry| call(entry.name()));
        let reset = call(RESET).ok_or_else(|| lacking("way to reset it"))?;
        let stack = instance.get_global(&mut store, STACK);
        let mut resident = Self {
            store,
            memory,
            entries,
            reset,
            stack,
            tracker,
            region,
            code: code.clone(),
            code_id,
            root: None,
            used: false,
            totals: totals.clone(),
            counted: (0, 0),
        };
        resident.recount();
        Ok(resident)
    }

    /// Whether it runs this code.
    pub(super) fn has_code(&self, code_id: CodeId) -> bool {
        self.code_id == code_id
    }

    /// Makes its memory the one stored as `root`: another branch of the chain may have left it in another state. Pages
    /// that differ are loaded when they are touched. After an error it holds nothing of use.
    pub(super) fn become_root(
        &mut self,
        content: &Content,
        root: Option<H256>,
    ) -> Result<(), StoreError> {
        if self.root == root {
            return Ok(());
        }
        self.tracker
            .with(|tracker| tracker.become_root(content, root))?;
        self.root = root;
        self.recount();
        Ok(())
    }

    /// Begins a round: no page has been touched in it.
    pub(super) fn begin_round(&mut self) {
        self.tracker.with(Tracker::begin_round);
    }

    pub(super) fn paid(&self) -> Paid {
        self.tracker.with(|tracker| tracker.paid())
    }

    pub(super) fn restore_paid(&mut self, paid: &Paid) {
        self.tracker.with(|tracker| tracker.restore_paid(paid));
    }

    /// Gives it what it needs beside its memory to run messages.
    pub(super) fn start(
        &mut self,
        program: ActorId,
        allocations: Allocations,
        content: &Arc<Content>,
        directory: &Arc<Directory>,
        parameters: &ExecutionParameters,
    ) -> Result<(), StoreError> {
        let host = self.store.data_mut();
        host.program = program;
        host.parameters = *parameters;
        host.allocations = allocations;
        host.directory = Some(directory.clone());
        self.tracker
            .with(|tracker| tracker.read_from(Some(content)));
        self.fit()
    }

    /// Takes back what [`Self::start`] gave, and says what it holds now. If there are many mappings in use, its memory
    /// is closed.
    pub(super) fn stop(&mut self) -> Allocations {
        let host = self.store.data_mut();
        host.directory = None;
        let allocations = std::mem::take(&mut host.allocations);
        self.tracker.with(|tracker| tracker.read_from(None));
        self.recount();
        if self.totals.is_short_of_mappings() {
            self.tracker.with(Tracker::close);
            self.recount();
        }
        allocations
    }

    fn recount(&mut self) {
        let now = self
            .tracker
            .with(|tracker| (tracker.held_bytes() + OVERHEAD, tracker.mappings() + 1));
        self.totals.change(self.counted, now);
        self.counted = now;
    }

    /// Makes the memory as large as the allocations say, and lets wasmtime know.
    fn fit(&mut self) -> Result<(), StoreError> {
        let pages = pages_of(&self.code, &self.store.data().allocations).min(MAX_PAGES);
        self.resize((pages as usize) << 16)
    }

    fn resize(&mut self, size: usize) -> Result<(), StoreError> {
        if self.region.size() != size {
            self.region.set_size(size);
            self.memory.grow(&mut self.store, 0).map_err(engine_error)?;
            self.tracker.with(Tracker::fit);
        }
        Ok(())
    }

    /// Runs a message. Only store and machine can fail; whatever the program does is in the output. What failed leaves
    /// nothing behind.
    pub(crate) fn run(&mut self, input: RunInput) -> Result<RunOutput, StoreError> {
        let limit = input.gas_limit;
        let most = self.store.data().parameters.max_memory_pages.min(MAX_PAGES);
        let has = pages_of(&self.code, &self.store.data().allocations);
        let refusal = match gas::DISPATCH {
            fee if fee > limit => Some((ReplyCode::RAN_OUT_OF_GAS, limit)),
            fee if has > most => Some((ReplyCode::MEMORY_OVERFLOW, fee)),
            _ => None,
        };
        if let Some((code, burned)) = refusal {
            let ended = Ended::Failed(code, Vec::new());
            let RunInput {
                payload,
                reservations,
                ..
            } = input;
            return Ok(RunOutput::nothing(ended, burned, payload, reservations));
        }
        let entry = self.entries.get(input.entry as usize);
        let entry = entry
            .and_then(Option::as_ref)
            .ok_or_else(|| lacking("entry point"))?;
        if std::mem::replace(&mut self.used, true) {
            meter::set(&mut self.store, RESET_GAS).map_err(engine_error)?;
            self.reset.call(&mut self.store, ()).map_err(engine_error)?;
        }
        let given = i64::try_from(limit - gas::DISPATCH).unwrap_or(i64::MAX);
        meter::set(&mut self.store, given).map_err(engine_error)?;
        let granted = meter::left(&mut self.store);
        let own = self.code.facts.max_pages;
        self.store.data_mut().begin(
            input,
            own.map_or(most, |own| own.min(most)),
            granted.unsigned_abs(),
        );
        self.tracker
            .with(|tracker| tracker.begin(granted.unsigned_abs()))
            .map_err(memory_error)?;
        let result = entry.call(&mut self.store, ());

        let (pending, broken) = self
            .tracker
            .with(|tracker| (tracker.take_fees(), tracker.is_broken()));
        let left = meter::left(&mut self.store);
        // What it set aside is neither burned nor left to burn.
        let granted = self.store.data().granted;
        let limit = gas::DISPATCH.saturating_add(granted);
        let spent = granted.saturating_sub(left.max(0).unsigned_abs());
        let mut burned = gas::DISPATCH
            .saturating_add(spent)
            .saturating_add(pending)
            .saturating_add(self.store.data().owed);
        let mut ended = match result {
            Ok(()) => Ended::Done,
            Err(error) => how_stopped(&error, &mut self.store, self.stack),
        };
        if burned > limit || left < 0 {
            ended = Ended::Failed(ReplyCode::RAN_OUT_OF_GAS, Vec::new());
        }
        if matches!(&ended, Ended::Failed(code, _) if *code == ReplyCode::RAN_OUT_OF_GAS) {
            burned = limit;
        }
        if ended.is_undone() {
            self.tracker.with(Tracker::undo);
            self.store.data_mut().undo();
        } else {
            self.keep();
        }
        self.fit()?;
        if let Some(failure) = self.tracker.with(Tracker::take_failure) {
            return Err(failure);
        }
        if broken || self.tracker.with(|tracker| tracker.is_broken()) {
            return Err(memory_error(io::Error::other(
                "the kernel refused to protect a program's memory; raise vm.max_map_count",
            )));
        }
        self.store.data_mut().end(ended, burned)
    }

    /// Keeps what a message did to the memory. What is not the program's, or no longer, becomes zero.
    fn keep(&mut self) {
        let code = &self.code;
        let host = self.store.data();
        let allocations = &host.allocations;
        self.tracker.with(|tracker| {
            tracker.keep(|page| is_kept(code, allocations, page));
            for (from, to) in &host.freed {
                for (from, to) in allocations::missing(allocations, *from, *to) {
                    tracker.forget((from as usize) << 16, (to as usize + 1) << 16);
                }
            }
        });
    }

    /// Hashes and stores the pages that have changed since the last time, and names the memory.
    pub(super) fn commit(
        &mut self,
        content: &Content,
        allocations: &Allocations,
    ) -> Result<Option<H256>, StoreError> {
        let code = &self.code;
        self.root = self
            .tracker
            .with(|tracker| tracker.commit(content, |page| is_kept(code, allocations, page)))?;
        self.recount();
        Ok(self.root)
    }
}
