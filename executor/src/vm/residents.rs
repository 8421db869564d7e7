//! Which programs are in memory: those of the running round, each in its [`Slot`], and those of earlier rounds, the least
//! recently used of which leave when memory or kernel mappings run short.

use super::{resident::Resident, tracker::Paid};
use crate::{
    StoreError,
    code::Code,
    round::Directory,
    state::{Allocations, store::Content},
};
use gear_exe_primitives::{ActorId, CodeId, round::ExecutionParameters};
use parking_lot::Mutex;
use primitive_types::H256;
use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
};

/// Most programs in memory: each reserves 4 GiB of address space, of which there are 128 TiB.
const MOST_RESIDENTS: usize = 12_288;
/// Kernel mappings for memories whose programs do not run just now. Linux grants a process 65,530 for everything, if
/// nobody has changed it.
const IDLE_MAPPINGS: usize = 24_576;
/// Kernel mappings for those that run, together.
const ACTIVE_MAPPINGS: usize = 8_192;
/// Kernel mappings of all memories of this process, those that were opened since their program began to run left out.
static MAPPINGS: AtomicUsize = AtomicUsize::new(0);

/// What all programs in memory take together.
#[derive(Default)]
pub(super) struct Totals {
    bytes: AtomicU64,
    residents: AtomicUsize,
    most_mappings: usize,
    pages_loaded: AtomicU64,
}

impl Totals {
    /// Counts a program anew. One that was not there before, or is there no longer, has no mappings.
    pub(super) fn change(&self, before: (u64, usize), now: (u64, usize)) {
        self.bytes.fetch_add(now.0, Relaxed);
        self.bytes.fetch_sub(before.0, Relaxed);
        MAPPINGS.fetch_add(now.1, Relaxed);
        MAPPINGS.fetch_sub(before.1, Relaxed);
        self.residents.fetch_add(usize::from(now.1 > 0), Relaxed);
        self.residents.fetch_sub(usize::from(before.1 > 0), Relaxed);
    }

    /// Counts a page that was read from the store.
    pub(super) fn count_page(&self) {
        self.pages_loaded.fetch_add(1, Relaxed);
    }

    /// Mappings that one running program may use.
    pub(super) fn most_mappings(&self) -> usize {
        self.most_mappings
    }

    /// Whether programs that do not run should give their mappings back.
    pub(super) fn is_short_of_mappings(&self) -> bool {
        MAPPINGS.load(Relaxed) > IDLE_MAPPINGS
    }
}

#[derive(Default)]
struct Cache {
    /// With the time of last use.
    programs: HashMap<ActorId, (u64, Box<Resident>)>,
    by_use: BTreeMap<u64, ActorId>,
    clock: u64,
}

impl Cache {
    fn insert(&mut self, actor: ActorId, resident: Box<Resident>) {
        self.clock += 1;
        self.by_use.insert(self.clock, actor);
        if let Some((used, _)) = self.programs.insert(actor, (self.clock, resident)) {
            self.by_use.remove(&used);
        }
    }

    fn take(&mut self, actor: ActorId) -> Option<Box<Resident>> {
        let (used, resident) = self.programs.remove(&actor)?;
        self.by_use.remove(&used);
        Some(resident)
    }

    fn take_oldest(&mut self) -> Option<Box<Resident>> {
        let (_, actor) = self.by_use.pop_first()?;
        self.programs.remove(&actor).map(|(_, resident)| resident)
    }
}

/// Programs in memory, within a budget.
pub(crate) struct Residents {
    budget: u64,
    totals: Arc<Totals>,
    cache: Mutex<Cache>,
    /// Programs of a round that is not stored yet: what they hold may never come to be.
    pending: Mutex<Vec<(ActorId, Box<Resident>)>>,
}

impl Residents {
    /// For rounds, run by so many threads.
    pub(crate) fn for_rounds(budget: u64, threads: usize) -> Self {
        Self::new(budget, threads)
    }

    /// For queries: their programs are loaded for them alone and never kept, so that they need no budget.
    pub(crate) fn for_queries(threads: usize) -> Self {
        Self::new(u64::MAX, threads)
    }

    fn new(budget: u64, threads: usize) -> Self {
        Self {
            budget,
            totals: Arc::new(Totals {
                most_mappings: ACTIVE_MAPPINGS / threads.max(1),
                ..Totals::default()
            }),
            cache: Mutex::default(),
            pending: Mutex::default(),
        }
    }

    /// Programs in memory, and bytes that they take.
    pub(crate) fn usage(&self) -> (u64, u64) {
        let residents = self.totals.residents.load(Relaxed) as u64;
        (residents, self.totals.bytes.load(Relaxed))
    }

    /// Gear pages that were read from the store.
    pub(crate) fn pages_loaded(&self) -> u64 {
        self.totals.pages_loaded.load(Relaxed)
    }

    fn is_full(&self) -> bool {
        self.totals.bytes.load(Relaxed) > self.budget
            || self.totals.residents.load(Relaxed) > MOST_RESIDENTS
    }

    /// Drops programs that were not used for long until the rest fit. False if those that run do not fit by themselves.
    fn make_room(&self) -> bool {
        while self.is_full() {
            // Dropped after the lock: unmapping takes time.
            let oldest = self.cache.lock().take_oldest();
            if oldest.is_none() {
                return false;
            }
        }
        true
    }

    /// Keeps a program that a round has finished with, on condition that the round will be stored.
    pub(crate) fn put(&self, actor: ActorId, resident: Box<Resident>) {
        self.pending.lock().push((actor, resident));
    }

    /// The round is stored: its programs hold what is stored of them.
    pub(crate) fn keep(&self) {
        let pending = std::mem::take(&mut *self.pending.lock());
        {
            let mut cache = self.cache.lock();
            for (actor, resident) in pending {
                cache.insert(actor, resident);
            }
        }
        self.make_room();
    }

    /// The round is not stored: its programs are forgotten.
    pub(crate) fn discard(&self) {
        let pending = std::mem::take(&mut *self.pending.lock());
        drop(pending);
    }
}

/// What is needed to bring a program into memory and let it run.
pub(crate) struct Waking<'a> {
    pub(crate) residents: &'a Residents,
    pub(crate) content: &'a Arc<Content>,
    pub(crate) directory: &'a Arc<Directory>,
    pub(crate) parameters: &'a ExecutionParameters,
    pub(crate) actor: ActorId,
    pub(crate) code: &'a Arc<Code>,
    pub(crate) code_id: CodeId,
}

/// Where a program of a round is.
#[derive(Default)]
pub(crate) enum Slot {
    /// It has not run in this round.
    #[default]
    Away,
    /// It has run, and left memory again.
    Parked(Paid),
    /// It is in memory.
    Here {
        resident: Box<Resident>,
        /// It has been given its allocations.
        started: bool,
    },
}

impl Slot {
    /// Brings the program into memory, if it is not there, and gives it its allocations.
    pub(crate) fn wake(
        &mut self,
        with: &Waking<'_>,
        allocations: &mut Allocations,
        root: &mut Option<H256>,
    ) -> Result<&mut Resident, StoreError> {
        if !matches!(self, Self::Here { .. }) {
            let cached = with.residents.cache.lock().take(with.actor);
            let cached = cached.filter(|resident| resident.has_code(with.code_id));
            let mut resident = match cached {
                Some(mut resident) => {
                    resident.become_root(with.content, *root)?;
                    resident
                }
                None => {
                    with.residents.make_room();
                    let totals = &with.residents.totals;
                    Box::new(Resident::load(
                        with.content,
                        with.code,
                        with.code_id,
                        *root,
                        totals,
                    )?)
                }
            };
            resident.begin_round();
            if let Self::Parked(paid) = self {
                resident.restore_paid(paid);
            }
            *self = Self::Here {
                resident,
                started: false,
            };
        }
        match self {
            Self::Here { resident, started } => {
                if !std::mem::replace(started, true) {
                    let allocations = std::mem::take(allocations);
                    resident.start(
                        with.actor,
                        allocations,
                        with.content,
                        with.directory,
                        with.parameters,
                    )?;
                }
                Ok(resident)
            }
            // It was just put there.
            _ => Err(StoreError::Memory(std::io::Error::other("no program"))),
        }
    }

    /// Forgets what the program has paid for, as if a new round began.
    pub(crate) fn begin_round(&mut self) {
        match self {
            Self::Away => {}
            Self::Parked(_) => *self = Self::Away,
            Self::Here { resident, .. } => resident.begin_round(),
        }
    }

    /// The program's turn is over: it gives its allocations back and, if memory is short, leaves.
    pub(crate) fn rest(
        &mut self,
        residents: &Residents,
        content: &Content,
        allocations: &mut Allocations,
        root: &mut Option<H256>,
    ) -> Result<(), StoreError> {
        self.stop(allocations);
        if matches!(self, Self::Here { .. }) && !residents.make_room() {
            self.park(content, allocations, root)?;
        }
        Ok(())
    }

    fn stop(&mut self, allocations: &mut Allocations) {
        if let Self::Here { resident, started } = self
            && std::mem::replace(started, false)
        {
            *allocations = resident.stop();
        }
    }

    /// Takes the program out of memory. What it holds is in `content` then.
    fn park(
        &mut self,
        content: &Content,
        allocations: &mut Allocations,
        root: &mut Option<H256>,
    ) -> Result<(), StoreError> {
        self.stop(allocations);
        if let Self::Here { resident, .. } = self {
            *root = resident.commit(content, allocations)?;
            *self = Self::Parked(resident.paid());
        }
        Ok(())
    }

    /// The round is over: what the program holds is put into `content`.
    pub(crate) fn commit(
        &mut self,
        content: &Content,
        allocations: &mut Allocations,
        root: &mut Option<H256>,
    ) -> Result<(), StoreError> {
        self.stop(allocations);
        if let Self::Here { resident, .. } = self {
            *root = resident.commit(content, allocations)?;
        }
        Ok(())
    }

    /// The program, if it is in memory.
    pub(crate) fn take(&mut self) -> Option<Box<Resident>> {
        match std::mem::take(self) {
            Self::Here { resident, .. } => Some(resident),
            _ => None,
        }
    }
}
