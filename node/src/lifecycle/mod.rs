//! How far rounds, and the messages in them, are confirmed: one place that turns what the node learns into levels, for all
//! readers.
//!
//! Data flow: [`crate::executor_service`] tells of executed rounds, [`crate::certificates`] of certificates, the client of
//! finality; what the Router holds is asked of the newest executed block. [`Lifecycle::refresh`] brings this together: it
//! follows the executed path ([`path`]), keeps where messages ended ([`index`]) and when levels were reached ([`times`]), tells
//! the readers of rounds ([`Lifecycle::rounds`]), and wakes those who wait for a message ([`Lifecycle::watch`]) when it may have
//! come further. What a message has reached is said by [`Lifecycle::find`] alone, for `gear_messageStatus` as for
//! `gear_subscribeMessage`: they cannot disagree.
//!
//! Everything here is in memory and bounded; after a restart the newest rounds are read again.

pub mod index;
pub mod path;
pub mod times;
mod watchers;

pub use times::Reached;
pub use watchers::{MOST_READERS, Watch, Watchers};

use crate::{
    certificates::CertificateService,
    natives::{Natives, NativesError},
    rounds::{ExecutedRound, Rounds},
    rpc::Chain,
    store::StoreError,
};
use futures::{Stream, StreamExt};
use gear_exe_primitives::{
    H256, MessageId,
    batch::AppliedBatch,
    certificate::Certificate,
    ethereum::BlockId,
    level::Level,
    message::Receipt,
    round::{ChainBlock, RoundOutcome},
};
use index::Index;
use parking_lot::Mutex;
use path::Path;
use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};
use times::Times;
use tokio::sync::broadcast::{self, error::RecvError};

/// Events of rounds that a reader may be behind before it is told that it missed some: three for each round.
pub const EVENTS: usize = 1_024;
/// Rounds that are read at the start, and after the node has jumped.
const READ_BACK: usize = 2_048;
/// Rounds that may be executed between two looks. Beyond, readers are not told of each.
const JUMP: usize = 256;
/// The newest rounds with receipts, kept as they are for all who ask at once.
const RECENT: usize = 16;

/// Batches that are remembered, so that a message is always told the one that has carried it.
const BATCHES: usize = 1_024;

/// A round of the executed path has reached a level: executed, certified or finalized.
#[derive(Clone, Debug)]
pub struct RoundEvent {
    /// Which.
    pub level: Level,
    /// When this node saw it, in milliseconds since 1970.
    pub at: u64,
    /// The round's block.
    pub block: ChainBlock,
    /// Its anchor.
    pub anchor: BlockId,
    /// What validators sign of its outcome.
    pub outcome: H256,
    /// With `Executed`: the messages with a receipt in it, in order.
    pub messages: Arc<[MessageId]>,
}

/// What became of a message that has ended.
#[derive(Clone, Debug)]
pub struct Found {
    /// The round in which it has its receipt.
    pub round: ExecutedRound,
    /// Place of the receipt.
    pub index: usize,
    /// How far it is confirmed.
    pub level: Level,
    /// The quorum's signatures on this very outcome.
    pub certificate: Option<Certificate>,
    /// The batch that has brought its round to the Router, from [`Level::Committed`] on.
    pub batch: Option<AppliedBatch>,
    /// When the levels were reached.
    pub reached: Reached,
}

impl Found {
    /// Its receipt.
    pub fn receipt(&self) -> Option<&Receipt> {
        self.round.outcome.receipts.get(self.index)
    }
}

/// Why it cannot be said what became of a message.
#[derive(Debug, thiserror::Error)]
pub enum LifecycleError {
    /// The node's store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Native messages cannot be looked for.
    #[error(transparent)]
    Natives(#[from] NativesError),
}

/// What it works with.
pub struct Parts {
    /// Executed rounds.
    pub rounds: Arc<dyn Rounds>,
    /// Finality, and what the Router holds.
    pub chain: Arc<dyn Chain>,
    /// Certificates of rounds.
    pub certificates: Arc<CertificateService>,
    /// Native messages.
    pub natives: Arc<dyn Natives>,
}

/// What is kept.
#[derive(Default)]
struct State {
    path: Path,
    index: Index,
    times: Times,
    recent: VecDeque<ExecutedRound>,
    /// Blocks up to this number were looked at for finality.
    finalized: u64,
    /// The batch that the Router holds, and the one that it holds for good, as far as they end on the path.
    held: [Option<AppliedBatch>; 2],
    /// The newest batches that the Router was seen to hold, by nonce.
    batches: BTreeMap<u64, AppliedBatch>,
    /// The newest anchor's number: windows of native messages close with it.
    anchor: u64,
}

/// Knows the level of every message.
pub struct Lifecycle {
    parts: Parts,
    state: Mutex<State>,
    events: broadcast::Sender<RoundEvent>,
    watchers: Arc<Watchers>,
}

impl Lifecycle {
    /// Over what the node has. A reader of rounds may be `events` behind.
    pub fn new(parts: Parts, events: usize) -> Arc<Self> {
        Arc::new(Self {
            parts,
            state: Mutex::default(),
            events: broadcast::channel(events).0,
            watchers: Arc::default(),
        })
    }

    /// Follows its sources until the node ends. `finality` says that more blocks are final.
    pub async fn run(self: Arc<Self>, finality: impl Stream<Item = ()> + Send) {
        let mut rounds = self.parts.rounds.subscribe();
        let mut certificates = self.parts.certificates.subscribe();
        let mut natives = self.parts.natives.news();
        let mut finality = Box::pin(finality.fuse());
        loop {
            let mut fresh = Vec::new();
            let mut certified = Vec::new();
            tokio::select! {
                round = rounds.recv() => match round {
                    Ok(round) => {
                        fresh.push(round);
                        while let Ok(round) = rounds.try_recv() {
                            fresh.push(round);
                        }
                    }
                    Err(RecvError::Lagged(_)) => {}
                    Err(RecvError::Closed) => return,
                },
                certificate = certificates.recv() => match certificate {
                    Ok(certificate) => certified.push(certificate.statement.block_hash),
                    // What was missed is found by the rounds that come.
                    Err(RecvError::Lagged(_)) => {}
                    Err(RecvError::Closed) => return,
                },
                native = natives.recv() => {
                    match native {
                        Ok(id) => self.watchers.wake(id),
                        Err(RecvError::Lagged(_)) => self.watchers.wake_waiting(),
                        Err(RecvError::Closed) => return,
                    }
                    continue;
                }
                Some(()) = finality.next() => {}
            }
            let lifecycle = self.clone();
            let look = move || lifecycle.look(&fresh, &certified);
            if let Err(error) = tokio::task::spawn_blocking(look).await
                && error.is_cancelled()
            {
                return;
            }
        }
    }

    /// Events of rounds from now on. A slow reader is told that it missed some.
    pub fn rounds(&self) -> broadcast::Receiver<RoundEvent> {
        self.events.subscribe()
    }

    /// Waits for a message; nothing if too many do already.
    pub fn watch(&self, id: MessageId) -> Option<Watch> {
        self.watchers.watch(id)
    }

    /// Looks at everything anew.
    pub fn refresh(&self) {
        self.look(&[], &[]);
    }

    fn look(&self, fresh: &[ExecutedRound], certified: &[H256]) {
        let mut state = self.state.lock();
        self.follow(&mut state, fresh);
        for block in certified {
            self.note_certificate(&mut state, *block);
        }
        self.confirm(&mut state);
    }

    /// Brings the path to the newest executed round.
    fn follow(&self, state: &mut State, fresh: &[ExecutedRound]) {
        let Some(best) = self.parts.rounds.best() else {
            return;
        };
        if state.path.tip() == Some(best.block) {
            return;
        }
        if best.anchor.number != state.anchor {
            state.anchor = best.anchor.number;
            self.watchers.wake_waiting();
        }
        let begun = state.path.tip().is_some();
        let mut new = Vec::new();
        let mut cursor = Some(best.clone());
        while begun
            && new.len() < JUMP
            && let Some(round) = cursor
        {
            let (own, base) = (round.block, round.base);
            new.push(round);
            if state.path.stands(base) {
                for cut in state.path.cut(base.number) {
                    state.index.remove(cut.number);
                    self.watchers.wake_in(cut);
                }
                for round in new.into_iter().rev() {
                    self.put(state, round);
                }
                return;
            }
            cursor = if own == base {
                None
            } else {
                let known = fresh.iter().find(|round| round.block.hash == base.hash);
                known
                    .cloned()
                    .or_else(|| self.parts.rounds.round(base.hash))
            };
        }
        self.read_back(state, best);
    }

    /// Begins with the path that there is, of which nobody is told.
    fn read_back(&self, state: &mut State, best: ExecutedRound) {
        *state = State {
            times: std::mem::take(&mut state.times),
            batches: std::mem::take(&mut state.batches),
            anchor: best.anchor.number,
            // Nobody is told of what was final before.
            finalized: self.parts.chain.finalized(),
            ..State::default()
        };
        let mut read = 0;
        let mut cursor = Some(best);
        while let Some(round) = cursor.filter(|_| read < READ_BACK) {
            read += 1;
            state.path.put(round.block, round.anchor.id(), None);
            if !state.index.is_full() {
                state.index.put(round.block.number, &round.outcome);
            }
            cursor = (round.base != round.block)
                .then(|| self.parts.rounds.round(round.base.hash))
                .flatten();
        }
        self.watchers.wake_all();
    }

    /// A round that was executed on the path's tip.
    fn put(&self, state: &mut State, round: ExecutedRound) {
        let block = round.block;
        let (anchor, outcome) = (round.anchor.id(), round.outcome.root());
        for forgotten in state.path.put(block, anchor, Some(outcome)) {
            state.index.remove(forgotten);
        }
        let messages = state.index.put(block.number, &round.outcome);
        for id in messages.iter() {
            self.watchers.wake(*id);
        }
        let at = state.times.note(block.hash, Level::Executed);
        if !messages.is_empty() {
            state.recent.push_back(round);
            while state.recent.len() > RECENT {
                state.recent.pop_front();
            }
        }
        self.tell(RoundEvent {
            level: Level::Executed,
            at,
            block,
            anchor,
            outcome,
            messages,
        });
        // Others may have been faster than this node.
        self.note_certificate(state, block.hash);
        if block.number <= state.finalized {
            self.note_finality(state, block);
        }
    }

    /// There is a certificate for a block, perhaps of the path.
    fn note_certificate(&self, state: &mut State, hash: H256) {
        let Some(certificate) = self.certificate(hash) else {
            return;
        };
        let statement = certificate.statement;
        let block = ChainBlock {
            number: statement.block_number,
            hash,
        };
        let Some(step) = state.path.get(block) else {
            return;
        };
        // An outcome that is not this node's is none of its business here.
        if step.certified || step.outcome.is_some_and(|own| own != statement.outcome) {
            return;
        }
        step.certified = true;
        let live = step.live;
        self.watchers.wake_in(block);
        // Nobody is told of rounds from before the start.
        if !live {
            return;
        }
        let at = state.times.note(hash, Level::Certified);
        self.tell(RoundEvent {
            level: Level::Certified,
            at,
            block,
            anchor: statement.anchor,
            outcome: statement.outcome,
            messages: Arc::default(),
        });
    }

    /// The block of a round may be final.
    fn note_finality(&self, state: &mut State, block: ChainBlock) {
        let Some(step) = state.path.get(block) else {
            return;
        };
        if step.finalized || !self.parts.chain.is_finalized(block) {
            return;
        }
        step.finalized = true;
        let (anchor, live) = (step.anchor, step.live);
        let outcome = step.outcome.unwrap_or_default();
        self.watchers.wake_in(block);
        // Nobody is told of rounds from before the start.
        if !live {
            return;
        }
        let at = state.times.note(block.hash, Level::Finalized);
        self.tell(RoundEvent {
            level: Level::Finalized,
            at,
            block,
            anchor,
            outcome,
            messages: Arc::default(),
        });
    }

    /// Looks at finality, and at what the Router holds.
    fn confirm(&self, state: &mut State) {
        let Some(tip) = state.path.tip() else {
            return;
        };
        let chain = &self.parts.chain;
        let finalized = chain.finalized();
        for block in state.path.between(state.finalized, finalized) {
            self.note_finality(state, block);
        }
        state.finalized = state.finalized.max(finalized);

        let now = chain.router(tip.hash);
        let last = chain.ethereum_final(tip.hash);
        let for_good = last.and_then(|last| chain.held(last.hash));
        for (place, (level, batch)) in [(Level::Committed, now), (Level::Settled, for_good)]
            .into_iter()
            .enumerate()
        {
            let batch = batch.filter(|batch| state.path.holds(batch));
            let before = state.held[place];
            if batch == before {
                continue;
            }
            state.held[place] = batch;
            let Some(batch) = batch else { continue };
            state.batches.insert(batch.nonce, batch);
            if state.batches.len() > BATCHES {
                state.batches.pop_first();
            }
            let first = before.map_or(0, |before| before.last_round);
            for block in state.path.between(first, batch.last_round) {
                state.times.note(block.hash, level);
            }
            self.watchers.wake_up_to(batch.last_round);
        }
    }

    fn tell(&self, event: RoundEvent) {
        // Nobody listening is no fault.
        let _ = self.events.send(event);
    }

    fn certificate(&self, block: H256) -> Option<Certificate> {
        self.parts
            .certificates
            .certificate(block)
            .unwrap_or_else(|error| {
                tracing::error!(%error, "a certificate cannot be read");
                None
            })
    }

    /// What became of a message that has ended, as the newest look has it; nothing if it has not. `known` is where its receipt
    /// was seen before.
    ///
    /// # Errors
    ///
    /// [`LifecycleError`] if a store fails.
    pub fn find(
        &self,
        id: MessageId,
        known: Option<ChainBlock>,
    ) -> Result<Option<Found>, LifecycleError> {
        let mut state = self.state.lock();
        let Some((round, index)) = self.place(&state, id, known)? else {
            self.watchers.is_in(id, None);
            return Ok(None);
        };
        let block = round.block;
        self.watchers.is_in(id, Some(block));
        let own = match state.path.get(block) {
            Some(step) => *step.outcome.get_or_insert_with(|| round.outcome.root()),
            None => round.outcome.root(),
        };
        let certificate = self
            .parts
            .certificates
            .certificate(block.hash)?
            .filter(|found| found.statement.outcome == own);
        // Who looks may be faster than the news: what it sees is seen now.
        let unseen = |step: &mut path::Step| !step.certified;
        if certificate.is_some() && state.path.get(block).is_some_and(unseen) {
            self.note_certificate(&mut state, block.hash);
        }
        self.note_finality(&mut state, block);
        let (level, batch) = self.level(&state, block, certificate.is_some());
        Ok(Some(Found {
            index,
            level,
            certificate,
            batch,
            reached: state.times.of(block.hash),
            round,
        }))
    }

    /// Whether a receipt in this block does not count: the path has come as far, and does not go through it.
    pub fn contradicts(&self, block: ChainBlock) -> bool {
        self.state.lock().path.contradicts(block)
    }

    /// The round of the path in which a message has its receipt, and the receipt's place.
    fn place(
        &self,
        state: &State,
        id: MessageId,
        known: Option<ChainBlock>,
    ) -> Result<Option<(ExecutedRound, usize)>, LifecycleError> {
        let in_round = |round: ExecutedRound| {
            let place = place_of(&round.outcome, id)?;
            Some((round, place))
        };
        let on_path = known.filter(|known| !state.path.contradicts(*known));
        let indexed = || state.path.at(state.index.find(id)?);
        if let Some(found) = on_path
            .or_else(indexed)
            .and_then(|block| self.round(state, block))
            .and_then(in_round)
        {
            return Ok(Some(found));
        }
        let ended = self.parts.natives.ended(id)?;
        Ok(ended.map(|ended| (ended.round, ended.index)))
    }

    fn round(&self, state: &State, block: ChainBlock) -> Option<ExecutedRound> {
        let recent = state.recent.iter().rev();
        let known = recent
            .into_iter()
            .find(|round| round.block == block)
            .cloned();
        known.or_else(|| self.parts.rounds.round(block.hash))
    }

    /// The level of a round on the path, and the batch that makes it so. A block that is final, and of whose round this node
    /// has no certificate, is `executed` until the Router holds it.
    fn level(
        &self,
        state: &State,
        block: ChainBlock,
        certified: bool,
    ) -> (Level, Option<AppliedBatch>) {
        let [now, for_good] = state
            .held
            .map(|batch| batch.filter(|batch| batch.last_round >= block.number));
        let carrier = |held| carrier(state, block).or(held);
        if for_good.is_some() {
            (Level::Settled, carrier(for_good))
        } else if now.is_some() {
            (Level::Committed, carrier(now))
        } else if !certified {
            (Level::Executed, None)
        } else if self.parts.chain.is_finalized(block) {
            (Level::Finalized, None)
        } else {
            (Level::Certified, None)
        }
    }
}

/// The first batch of those that the Router was seen to hold, that has a round.
fn carrier(state: &State, block: ChainBlock) -> Option<AppliedBatch> {
    let newest_first = state.batches.values().rev();
    newest_first
        .take_while(|batch| batch.last_round >= block.number)
        .filter(|batch| state.path.holds(batch))
        .last()
        .copied()
}

fn place_of(outcome: &RoundOutcome, id: MessageId) -> Option<usize> {
    let mut receipts = outcome.receipts.iter();
    receipts.position(|receipt| receipt.message_id == id)
}
