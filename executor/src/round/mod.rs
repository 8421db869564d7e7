//! A round: what the executor does for one block of the chain.
//!
//! Order: what earlier rounds left over; for each Ethereum block its [`events`], then the [`tasks`] due at its height;
//! native messages ([`intake`]); then the queues in [`waves`] until they are empty, the round's gas is spent, or its
//! [`budget`] for Ethereum; [`finish`] makes the outcome. In a wave every runnable
//! program runs its [`queue`] for a share of the gas that was fixed before; what it does to others is applied by
//! [`route`] when the wave ends, in the order of (program, sending). So threads cannot change the result.
//!
//! A program's ETH is in two places: what it owns in its Mirror, what is on its way in the Router's custody for it. A
//! [`Work`] keeps the account of both; what moves between them becomes the program's transition. What users have put by is in
//! custody too ([`deposits`]).

mod answers;
mod aside;
mod birth;
mod budget;
mod deposits;
mod drain;
pub(crate) mod events;
mod finish;
mod intake;
mod memory;
mod parallel;
mod queue;
mod random;
mod route;
mod tasks;
mod waves;

use budget::{Budget, Most};

use crate::{
    ProgramCost, RoundError, StoreError,
    code::Codes,
    state::{
        account::{Account, Life},
        map::Map,
        root::{Ledger, Records, Root},
        store::Content,
    },
    stats::Counters,
    vm::{Residents, Slot},
};
use gear_exe_primitives::{
    ActorId, MessageId,
    ethereum::EthereumHeader,
    message::{OutgoingMessage, Receipt, ReplyCode},
    round::{ChainBlock, ExecutionParameters, NativeReply, RoundInput, RoundOutcome},
    transition::StateTransition,
};
use parking_lot::RwLock;
use primitive_types::H256;
use std::{
    cell::Cell,
    collections::{BTreeMap, BTreeSet, HashMap, btree_map::Entry},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

/// What a round, or a query, is executed with.
#[derive(Clone, Copy)]
pub(crate) struct Scope<'a> {
    pub(crate) codes: &'a Codes,
    pub(crate) content: &'a Arc<Content>,
    pub(crate) stats: &'a Counters,
    pub(crate) residents: &'a Residents,
    pub(crate) block: ChainBlock,
    pub(crate) anchor: &'a EthereumHeader,
    pub(crate) parameters: &'a ExecutionParameters,
    /// Set in a query: the message whose reply is wanted. Nobody has to pay for one, and nothing is kept of it.
    pub(crate) query: Option<MessageId>,
}

impl Scope<'_> {
    /// The height that programs see.
    fn height(&self) -> u32 {
        u32::try_from(self.anchor.number).unwrap_or(u32::MAX)
    }
}

/// Who is a program: fixed once a round's events are taken.
pub(crate) struct Directory {
    /// No two have the same.
    number: u64,
    content: Arc<Content>,
    records: Arc<Records>,
    created: BTreeSet<ActorId>,
    known: RwLock<HashMap<ActorId, bool>>,
}

thread_local! {
    /// What this thread was asked last, by the number of the directory: programs talk to the same one again and again.
    static LAST: Cell<(u64, ActorId, bool)> = const { Cell::new((0, ActorId(H256::zero()), false)) };
}

impl Directory {
    fn new(content: &Arc<Content>, records: Arc<Records>, created: BTreeSet<ActorId>) -> Self {
        static NUMBER: AtomicU64 = AtomicU64::new(1);
        Self {
            number: NUMBER.fetch_add(1, Relaxed),
            content: content.clone(),
            records,
            created,
            known: RwLock::default(),
        }
    }

    pub(crate) fn is_program(&self, actor: ActorId) -> Result<bool, StoreError> {
        let (number, last, is) = LAST.get();
        if number == self.number && last == actor {
            return Ok(is);
        }
        let is = self.look_up(actor)?;
        LAST.set((self.number, actor, is));
        Ok(is)
    }

    fn look_up(&self, actor: ActorId) -> Result<bool, StoreError> {
        if self.created.contains(&actor) {
            return Ok(true);
        }
        if let Some(known) = self.known.read().get(&actor) {
            return Ok(*known);
        }
        let is = self.records.get(&self.content, actor)?.is_some();
        self.known.write().insert(actor, is);
        Ok(is)
    }
}

/// A program in a round, with what the round did to it.
struct Work {
    account: Account,
    /// Where the program is.
    slot: Slot,
    change: StateTransition,
    before: H256,
    /// Its first message waits for executable balance.
    starved: bool,
    /// It had messages to run when the round began.
    waited: bool,
    /// Waves that it has taken part in.
    waves: u32,
    /// Gas that it has to pay for.
    gas: u64,
    /// What it has paid, in wVARA base units.
    paid: u128,
    /// Gas that it gives to programs that it creates.
    given: u64,
    /// The round's budget knows that it may change.
    touched: bool,
}

impl Work {
    fn new(account: Account, actor: ActorId, before: H256) -> Self {
        Self {
            waited: !account.queue.is_empty(),
            account,
            slot: Slot::Away,
            change: StateTransition::new(actor, before),
            before,
            starved: false,
            waves: 0,
            gas: 0,
            paid: 0,
            given: 0,
            touched: false,
        }
    }

    /// Pays from its executable balance, as far as that goes.
    fn pay(&mut self, price: u128) {
        let part = price.min(self.account.executable_balance);
        self.account.executable_balance -= part;
        self.paid = self.paid.saturating_add(part);
    }

    /// Value in its custody becomes its own.
    fn receive(&mut self, value: u128) -> Result<(), RoundError> {
        let balance = self.account.balance.checked_add(value);
        self.account.balance = balance.ok_or(RoundError::Overflow)?;
        self.move_to_mirror(value)
    }

    /// Custody to Mirror.
    fn move_to_mirror(&mut self, value: u128) -> Result<(), RoundError> {
        to_mirror(&mut self.change, value)
    }

    /// Mirror to custody.
    fn move_to_custody(&mut self, value: u128) -> Result<(), RoundError> {
        let rest = self.change.value_to_receive.checked_sub(signed(value)?);
        self.change.value_to_receive = rest.ok_or(RoundError::Overflow)?;
        Ok(())
    }
}

/// Custody to Mirror.
fn to_mirror(change: &mut StateTransition, value: u128) -> Result<(), RoundError> {
    let sum = change.value_to_receive.checked_add(signed(value)?);
    change.value_to_receive = sum.ok_or(RoundError::Overflow)?;
    Ok(())
}

fn signed(value: u128) -> Result<i128, RoundError> {
    i128::try_from(value).map_err(|_| RoundError::Overflow)
}

/// The answer to a query.
pub(crate) struct Answer {
    pub(crate) code: ReplyCode,
    pub(crate) payload: Vec<u8>,
    pub(crate) value: u128,
}

pub(crate) struct Round<'a> {
    scope: Scope<'a>,
    records: Arc<Records>,
    ledger: Ledger,
    programs: BTreeMap<ActorId, Work>,
    /// What the round does to the deposits of users, as Ethereum is told of it.
    deposits: StateTransition,
    absent: BTreeSet<ActorId>,
    /// The first program with messages from earlier rounds that this one has no room for.
    unloaded: Option<ActorId>,
    receipts: Vec<Receipt>,
    replies: Vec<NativeReply>,
    budget: Budget,
    gas_burned: u64,
    /// A program has been created by one since the round began.
    born: bool,
    answer: Option<Answer>,
    /// A query goes on when its answer is there.
    to_the_end: bool,
}

/// Executes `input` on the state behind `base`. What is to be stored is in the scope's content.
pub(crate) fn execute(
    scope: Scope<'_>,
    base: H256,
    input: &RoundInput,
) -> Result<RoundOutcome, RoundError> {
    for id in &input.codes {
        if scope.codes.get(*id)?.is_none() {
            return Err(RoundError::MissingCode(*id));
        }
    }
    let mut round = Round::new(scope, base)?;
    for code in &input.codes {
        round.ledger.codes.insert(scope.content, code, code)?;
    }
    round.drain(Most::Half)?;
    round.intake(input)?;
    let work_left = round.waves(input.parameters.round_gas_limit)?;
    round.finish(work_left)
}

/// What a query's message led to.
pub(crate) struct QueryOutcome {
    /// Nothing if there was no reply.
    pub(crate) answer: Option<Answer>,
    /// Other messages to Ethereum, in order.
    pub(crate) messages: Vec<OutgoingMessage>,
    pub(crate) gas_burned: u64,
    pub(crate) costs: Vec<ProgramCost>,
    /// There was more to run than the gas allowed.
    pub(crate) work_left: bool,
}

/// Loads a program from the state that the round is based on.
fn load(scope: &Scope<'_>, records: &Records, actor: ActorId) -> Result<Option<Work>, RoundError> {
    let Some(record) = records.get(scope.content, actor)? else {
        return Ok(None);
    };
    let mut account = Account::load(scope.content, record)?;
    if scope.query.is_some() {
        // A query is answered as if it came first.
        account.queue = Default::default();
    }
    Ok(Some(Work::new(account, actor, record.state_hash)))
}

impl<'a> Round<'a> {
    /// A round without input on the state behind `base`.
    pub(crate) fn new(scope: Scope<'a>, base: H256) -> Result<Self, RoundError> {
        if scope.parameters.executor_version != crate::EXECUTOR_VERSION {
            return Err(RoundError::Version(scope.parameters.executor_version));
        }
        let root = Root::load(scope.content, base)?;
        let ledger = if scope.query.is_some() {
            Ledger {
                codes: Map::new(root.codes),
                ..Ledger::default()
            }
        } else {
            root.ledger(scope.content)?
        };
        Ok(Self {
            scope,
            records: Arc::new(root.records()),
            ledger,
            programs: BTreeMap::new(),
            deposits: StateTransition::new(ActorId::DEPOSITS, H256::zero()),
            absent: BTreeSet::new(),
            unloaded: None,
            receipts: Vec::new(),
            replies: Vec::new(),
            budget: Budget::default(),
            gas_burned: 0,
            born: false,
            answer: None,
            to_the_end: false,
        })
    }

    /// Whether a program is past its `init`, be it well or not; nothing if there is no such program.
    pub(crate) fn initialized(&mut self, actor: ActorId) -> Result<Option<bool>, RoundError> {
        let work = self.work(actor)?;
        Ok(work.map(|work| {
            !matches!(
                work.account.life,
                Life::Active {
                    initialized: false,
                    ..
                }
            )
        }))
    }

    /// Runs until the reply that is wanted of `asked` is there or nothing can run; with `to_the_end` until nothing can run.
    pub(crate) fn answer(
        mut self,
        asked: ActorId,
        gas: u64,
        to_the_end: bool,
    ) -> Result<QueryOutcome, RoundError> {
        self.to_the_end = to_the_end;
        let work_left = self.waves(gas)?;
        Ok(QueryOutcome {
            costs: self.costs(asked),
            answer: self.answer,
            messages: self
                .programs
                .into_values()
                .flat_map(|work| work.change.messages)
                .collect(),
            gas_burned: self.gas_burned,
            work_left,
        })
    }

    /// Whether a query has what it wants.
    fn is_answered(&self) -> bool {
        self.answer.is_some() && !self.to_the_end
    }

    /// Loads a program. False if there is none.
    pub(crate) fn find(&mut self, actor: ActorId) -> Result<bool, RoundError> {
        if self.programs.contains_key(&actor) {
            return Ok(true);
        }
        if self.absent.contains(&actor) {
            return Ok(false);
        }
        let Some(work) = load(&self.scope, &self.records, actor)? else {
            self.absent.insert(actor);
            return Ok(false);
        };
        self.programs.insert(actor, work);
        Ok(true)
    }

    /// Loads a program to change it. Every message comes by here: it is looked up once.
    fn work(&mut self, actor: ActorId) -> Result<Option<&mut Work>, RoundError> {
        let work = match self.programs.entry(actor) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => {
                if self.absent.contains(&actor) {
                    return Ok(None);
                }
                match load(&self.scope, &self.records, actor)? {
                    Some(work) => entry.insert(work),
                    None => {
                        self.absent.insert(actor);
                        return Ok(None);
                    }
                }
            }
        };
        if !std::mem::replace(&mut work.touched, true) {
            self.budget.touch(actor);
        }
        Ok(Some(work))
    }
}
