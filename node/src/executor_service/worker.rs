//! Executes the rounds of the best chain, one after the other, each on its base. Synchronous: it runs on a blocking
//! thread, never waits for anything, and says what it lacks.

use super::{
    base::{BaseError, Known, Rounds as RoundsByBlock, find_base},
    chain::{Chain, ChainError, Place},
    joining::{FAR, Joining},
    records::{Records, RoundRecord},
};
use crate::{
    ethereum_service::History,
    metrics::{Alarm, Metrics},
    rounds::ExecutedRound,
    store::StoreError,
};
use gear_exe_executor::{Executor, RoundError, StoreError as ExecutorStoreError};
use gear_exe_primitives::{
    CodeId, H256,
    ethereum::{EthereumBlock, EthereumHeader},
    message::{Receipt, ReplyCode},
    round::{ChainBlock, NativeMessage, RoundInput, RoundOutcome},
    runtime_api::RoundFacts,
};
use parking_lot::Mutex;
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Instant,
};

/// Rounds that one pass executes at most, so that readers and shutdown need not wait for a long backlog.
const ROUNDS_PER_PASS: usize = 64;
/// Blocks between two looks at what can be forgotten.
const FORGET_EVERY: u64 = 256;
/// Records that are forgotten at a time.
const FORGET_AT_ONCE: usize = 2_048;
/// Facts of blocks that wait, kept so that trying again is cheap.
const KEPT_FACTS: usize = 8_192;

/// What a round lacks. It is tried again when that may have come.
#[derive(Debug, thiserror::Error)]
pub enum Lacking {
    /// An Ethereum block with its events.
    #[error("Ethereum block {0:?} with its events is not known to this node yet")]
    Ethereum(H256),
    /// The bytes of a code that the chain has accepted.
    #[error("the bytes of code {0} are missing; they are being fetched")]
    Code(CodeId),
    /// A round that comes before it.
    #[error("the round of block {0:?} has to be executed first")]
    Round(H256),
    /// The executor's version.
    #[error("executor version {0} is not known to this node: update it; until then it abstains")]
    Version(u32),
    /// More rounds than can be executed, or need to be: others have the state after this one.
    #[error(
        "its state is to be taken from other nodes: it is far behind, and others have round {}",
        .0.number
    )]
    Far(ChainBlock),
    /// Something from before this round, with which what this node has begins.
    #[error("what this node has begins with round {}, which is too late", .0.number)]
    Floor(ChainBlock),
    /// An object of the executor's store.
    #[error("{1}")]
    Damaged(H256, String),
    /// Nothing that comes by itself.
    #[error("{1}")]
    Fault(Alarm, String),
}

impl From<BaseError> for Lacking {
    fn from(error: BaseError) -> Self {
        match error {
            BaseError::Round(block) => Self::Round(block),
            BaseError::Ethereum(block) => Self::Ethereum(block),
            BaseError::Floor(block) => Self::Floor(block),
            BaseError::Store(error) => error.into(),
            BaseError::Chain(error) => error.into(),
            BaseError::None { .. } => Self::Fault(Alarm::ExecutorFault, error.to_string()),
        }
    }
}

impl From<StoreError> for Lacking {
    fn from(error: StoreError) -> Self {
        Self::Fault(Alarm::StoreDamaged, error.to_string())
    }
}

impl From<ChainError> for Lacking {
    fn from(error: ChainError) -> Self {
        Self::Fault(Alarm::ChainUnreadable, error.to_string())
    }
}

impl From<RoundError> for Lacking {
    fn from(error: RoundError) -> Self {
        match error {
            RoundError::MissingCode(code) => Self::Code(code),
            RoundError::Version(version) => Self::Version(version),
            RoundError::Store(error) => {
                let says = format!("the executor's store is damaged: {error}");
                match error {
                    ExecutorStoreError::Corrupt(hash) | ExecutorStoreError::Missing(hash) => {
                        Self::Damaged(hash, says)
                    }
                    _ => Self::Fault(Alarm::StoreDamaged, says),
                }
            }
            error => Self::Fault(Alarm::ExecutorFault, error.to_string()),
        }
    }
}

/// How a pass ended.
#[derive(Debug)]
pub enum Pass {
    /// Every round of the best chain is executed.
    Done,
    /// There is more to execute.
    More,
    /// The next round lacks something.
    Blocked(ChainBlock, Lacking),
}

/// What the worker shares with the readers of rounds.
pub trait Readers: Send + Sync {
    /// The newest executed round of the best chain is now this. `fresh` if it was executed just now.
    fn executed(&self, round: ExecutedRound, fresh: bool);
}

/// Executes rounds.
pub struct Worker {
    /// The chain.
    pub chain: Arc<dyn Chain>,
    /// Ethereum.
    pub history: Arc<History>,
    /// The executor.
    pub executor: Arc<Executor>,
    /// Executed rounds.
    pub records: Records,
    /// Gauges and alarms.
    pub metrics: Metrics,
    /// Rounds before the last settled one that stay readable.
    pub keep_rounds: u64,
    /// Facts of blocks that are not executed yet.
    pub facts: Mutex<HashMap<H256, RoundFacts>>,
    /// From where the state can be taken.
    pub joining: Joining,
}

impl RoundsByBlock for Worker {
    fn known(&self, block: H256) -> Result<Known, BaseError> {
        if let Some(record) = self.records.get(block)? {
            return Ok(Known::Executed(record));
        }
        let place = self.chain.place(block)?;
        Ok(Known::Waiting {
            parent: place.parent,
            anchor: self.facts(block)?.anchor.id(),
        })
    }
}

impl Worker {
    /// What a block says of its round.
    ///
    /// # Errors
    ///
    /// [`ChainError`] if its state is not kept.
    pub fn facts(&self, block: H256) -> Result<RoundFacts, ChainError> {
        if let Some(facts) = self.facts.lock().get(&block) {
            return Ok(facts.clone());
        }
        let facts = self.chain.facts(block)?;
        let mut kept = self.facts.lock();
        if kept.len() >= KEPT_FACTS {
            kept.clear();
        }
        kept.insert(block, facts.clone());
        Ok(facts)
    }

    /// Blocks of the best chain without a round, oldest first, with the newest executed one below them.
    fn backlog(&self) -> Result<(Vec<Place>, H256), Lacking> {
        let mut backlog = Vec::new();
        let mut cursor = self.chain.best().hash;
        let mut target = None;
        while !self.records.contains(cursor)? {
            if backlog.len() == 2 {
                target = self.join_target();
            }
            let place = match self.chain.place(cursor) {
                // A node that has joined may not have the headers before.
                Err(ChainError::Unknown(_))
                    if !backlog.is_empty() && self.join_target().is_some() =>
                {
                    let target = self.join_target().unwrap_or_default();
                    return Err(Lacking::Far(target));
                }
                place => place?,
            };
            if let Some(target) = target
                && place.block.number.saturating_add(FAR) < target.number
            {
                return Err(Lacking::Far(target));
            }
            if place.block.number == 0 {
                self.records.keep(&self.genesis(cursor)?)?;
                break;
            }
            cursor = place.parent;
            backlog.push(place);
        }
        backlog.reverse();
        Ok((backlog, cursor))
    }

    fn genesis(&self, hash: H256) -> Result<RoundRecord, Lacking> {
        let facts = self.facts(hash)?;
        let router = self
            .history
            .block(facts.anchor.hash)?
            .ok_or(Lacking::Ethereum(facts.anchor.hash))?
            .router;
        Ok(RoundRecord::genesis(
            hash,
            facts.anchor,
            router,
            facts.parameters,
        ))
    }

    /// Executes what it can of the best chain, and tells `readers`.
    pub fn pass(&self, readers: &dyn Readers) -> Pass {
        let best = self.chain.best();
        let (backlog, below) = match self.backlog() {
            Ok(found) => found,
            Err(lacking) => return Pass::Blocked(best, lacking),
        };
        self.metrics.execution_lag.set(backlog.len() as u64);
        if backlog.is_empty() {
            // Also tells when another fork, executed before, has become the best.
            return match self.round(below) {
                Ok(round) => {
                    if let Some(round) = round {
                        readers.executed(round, false);
                    }
                    Pass::Done
                }
                Err(lacking) => Pass::Blocked(best, lacking),
            };
        }
        let mut left = backlog.len();
        let mut blocked = None;
        let mut done = 0;
        for place in backlog {
            if done == ROUNDS_PER_PASS {
                return Pass::More;
            }
            if blocked.is_some() && !self.leads_away(place.block.hash) {
                left -= 1;
                continue;
            }
            match self.execute(place) {
                Ok(round) => {
                    blocked = None;
                    done += 1;
                    left -= 1;
                    self.metrics.execution_lag.set(left as u64);
                    self.facts.lock().remove(&place.block.hash);
                    readers.executed(round, true);
                    if place.block.number % FORGET_EVERY == 0
                        && let Err(lacking) = self.forget(place.block.hash)
                    {
                        tracing::warn!(%lacking, "old records of rounds are not forgotten");
                    }
                }
                Err(lacking) => {
                    let lacking = self.or_far(place.block, lacking);
                    blocked.get_or_insert((place.block, lacking));
                }
            }
        }
        match blocked {
            Some((block, lacking)) => Pass::Blocked(block, lacking),
            None => Pass::Done,
        }
    }

    /// A round whose events are on a branch that Ethereum has left may never be executable here. The rounds after a
    /// rewind do not need it.
    fn leads_away(&self, block: H256) -> bool {
        self.facts(block).is_ok_and(|facts| facts.rewound)
    }

    /// Forgets rounds that lie [`Self::keep_rounds`] before the last one that the Router holds at the final Ethereum block:
    /// whatever Ethereum does above that block, no round is built on them any more.
    fn forget(&self, at: H256) -> Result<(), Lacking> {
        let finalised = self.chain.ethereum_finalised(at)?;
        let Some(block) = self.history.block(finalised)? else {
            return Ok(());
        };
        if block.router.nonce == 0 {
            return Ok(());
        }
        if let Some(record) = self.records.get(block.router.last_round_hash)? {
            let Some(number) = record.block.number.checked_sub(self.keep_rounds) else {
                return Ok(());
            };
            if let Some(oldest) = self.chain.canonical(number)? {
                let forgotten = self.forget_before(oldest)?;
                tracing::debug!(forgotten, below = number, "settled rounds forgotten");
            }
        }
        Ok(())
    }

    /// Forgets the rounds before `block`, some at once, and keeps its state: its own ancestors, and those of forks that were
    /// left, which only the executor still knows of. What the executor has goes first, so that an interruption leaves
    /// nothing behind that nobody knows of.
    pub(super) fn forget_before(&self, block: H256) -> Result<usize, Lacking> {
        let Some(record) = self.records.get(block)? else {
            return Ok(0);
        };
        let mut old = self.records.down_from(record.parent, FORGET_AT_ONCE)?;
        let below = self
            .executor
            .rounds_below(record.block.number, FORGET_AT_ONCE)
            .map_err(RoundError::Store)?;
        let known: HashSet<H256> = old.iter().copied().collect();
        let forks = below.into_iter().map(|round| round.hash);
        old.extend(forks.filter(|hash| !known.contains(hash)));
        if old.is_empty() {
            return Ok(0);
        }
        let root = record.state_root;
        self.executor
            .forget(&old, (!root.is_zero()).then_some(root))
            .map_err(RoundError::Store)?;
        self.records.forget(&old)?;
        Ok(old.len())
    }

    /// A stored round with its outcome; nothing if it is not executed here.
    pub fn round(&self, block: H256) -> Result<Option<ExecutedRound>, Lacking> {
        let record = self.records.get(block)?;
        let Some(record) = record.filter(|record| !record.is_taken()) else {
            return Ok(None);
        };
        let outcome = outcome_of(&record, &self.executor)?;
        Ok(Some(executed(&record, outcome)))
    }

    fn execute(&self, place: Place) -> Result<ExecutedRound, Lacking> {
        let Place { block, parent } = place;
        let facts = self.facts(block.hash)?;
        let router = self
            .history
            .block(facts.anchor.hash)?
            .ok_or(Lacking::Ethereum(facts.anchor.hash))?
            .router;
        let base = find_base(parent, facts.anchor, router, self, &*self.history)?;
        if base.block.hash != parent {
            tracing::warn!(
                round = block.number,
                base = base.block.number,
                anchor = facts.anchor.number,
                "rounds after the base are executed again on another branch of Ethereum"
            );
        }
        let (codes, native) = self.brought(place, &base, &facts)?;
        let input = RoundInput {
            block,
            anchor: facts.anchor,
            ethereum: self.ethereum(facts.anchor, &base)?,
            codes,
            native,
            parameters: facts.parameters,
        };
        let quiet = is_quiet(&input, &base);
        let mut record = RoundRecord {
            block,
            parent,
            base: base.block,
            anchor: facts.anchor,
            router,
            codes: facts.codes,
            natives: facts.natives,
            parameters: facts.parameters,
            quiet,
            state_root: base.state_root,
            work_left: false,
            starved: base.starved.clone(),
            changes: false,
            ended: Vec::new(),
        };
        let outcome = if quiet {
            record.quiet_outcome()
        } else {
            let began = Instant::now();
            let outcome = self.executor.execute_round(base.state_root, &input)?;
            self.metrics
                .round_seconds
                .observe(began.elapsed().as_secs_f64());
            record.state_root = outcome.state_root;
            record.work_left = outcome.work_left;
            record.starved.clone_from(&outcome.starved);
            record.changes = !outcome.transitions.is_empty();
            let ended = outcome.replies.iter().map(|reply| reply.message_id);
            record.ended = ended.collect();
            outcome
        };
        self.records.keep(&record)?;
        self.metrics.rounds.inc();
        self.tell(&record, &outcome);
        Ok(executed(&record, outcome))
    }

    /// The Ethereum blocks after the base's anchor up to `anchor`, oldest first.
    fn ethereum(
        &self,
        anchor: EthereumHeader,
        base: &RoundRecord,
    ) -> Result<Vec<EthereumBlock>, Lacking> {
        let mut blocks = Vec::new();
        let mut cursor = anchor.hash;
        while cursor != base.anchor.hash {
            let block = self
                .history
                .with_events(cursor)?
                .ok_or(Lacking::Ethereum(cursor))?;
            if block.header.number <= base.anchor.number {
                let says = format!(
                    "Ethereum block {:?} is not an ancestor of {:?}, though it was found to be",
                    base.anchor.hash, anchor.hash
                );
                return Err(Lacking::Fault(Alarm::StoreDamaged, says));
            }
            cursor = block.header.parent;
            blocks.push(block);
        }
        blocks.reverse();
        Ok(blocks)
    }

    /// What the blocks after the base up to this one have brought, in the order of the chain: codes that were accepted, and
    /// native messages. Those of blocks that were executed on another branch of Ethereum are taken in again.
    fn brought(
        &self,
        place: Place,
        base: &RoundRecord,
        facts: &RoundFacts,
    ) -> Result<(Vec<CodeId>, Vec<NativeMessage>), Lacking> {
        let mut blocks = vec![(place.block.hash, facts.codes.clone(), facts.natives.clone())];
        let mut cursor = place.parent;
        while cursor != base.block.hash {
            let (codes, natives, parent) = match self.records.get(cursor)? {
                Some(record) => (record.codes, record.natives, record.parent),
                None => {
                    let facts = self.facts(cursor)?;
                    (facts.codes, facts.natives, self.chain.place(cursor)?.parent)
                }
            };
            blocks.push((cursor, codes, natives));
            cursor = parent;
        }
        let (mut codes, mut natives) = (Vec::new(), Vec::new());
        for (block, accepted, taken) in blocks.into_iter().rev() {
            codes.extend(accepted);
            natives.extend(self.chain.natives(block, &taken)?);
        }
        Ok((codes, natives))
    }

    fn tell(&self, record: &RoundRecord, outcome: &RoundOutcome) {
        let round = record.block.number;
        self.metrics.executed.set(round);
        self.metrics.anchor.set(record.anchor.number);
        self.metrics.gas_burned.inc_by(outcome.gas_burned);
        self.metrics.messages.inc_by(outcome.receipts.len() as u64);
        self.metrics.starved.set(outcome.starved.len() as u64);
        if record.quiet {
            return;
        }
        tracing::debug!(
            round, block = ?record.block.hash, base = record.base.number, anchor = record.anchor.number,
            root = ?outcome.state_root, gas = outcome.gas_burned, messages = outcome.receipts.len(),
            programs = outcome.transitions.len(), work_left = outcome.work_left, "round executed"
        );
        for Receipt {
            message_id,
            program_id,
            code: ReplyCode(code),
            gas_burned,
            ..
        } in &outcome.receipts
        {
            tracing::info!(
                %message_id, program = ?program_id.to_address_lossy(), code = ?code, gas = gas_burned,
                round, anchor = record.anchor.number, "message executed"
            );
        }
        for transition in &outcome.transitions {
            for message in &transition.messages {
                tracing::info!(
                    message_id = %message.id, program = ?transition.actor_id.to_address_lossy(),
                    replies_to = ?message.reply_details.map(|details| details.to),
                    to = ?message.destination, round, "message for Ethereum"
                );
            }
        }
        for program in &outcome.starved {
            tracing::warn!(
                program = ?program.to_address_lossy(), round,
                "a program's messages wait: its executable balance is too small"
            );
        }
    }
}

/// Whether a round with this input can change nothing on this base. Every node must answer alike: it looks at nothing
/// but input and base.
pub fn is_quiet(input: &RoundInput, base: &RoundRecord) -> bool {
    input.ethereum.is_empty()
        && input.codes.is_empty()
        && input.native.is_empty()
        && !base.work_left
        && (base.starved.is_empty() || base.parameters == input.parameters)
        && base.parameters.executor_version == input.parameters.executor_version
}

/// The stored outcome of a recorded round.
///
/// # Errors
///
/// [`Lacking::Fault`] if the executor's store does not have it.
pub fn outcome_of(record: &RoundRecord, executor: &Executor) -> Result<RoundOutcome, Lacking> {
    if record.quiet {
        return Ok(record.quiet_outcome());
    }
    executor
        .outcome(record.block.hash)
        .map_err(RoundError::from)?
        .ok_or_else(|| {
            let says = format!(
                "the executor's store lacks the outcome of round {}, which was executed",
                record.block.number
            );
            Lacking::Fault(Alarm::StoreDamaged, says)
        })
}

fn executed(record: &RoundRecord, outcome: RoundOutcome) -> ExecutedRound {
    ExecutedRound {
        block: record.block,
        parent: record.parent,
        base: record.base,
        anchor: record.anchor,
        outcome: Arc::new(outcome),
    }
}
