//! Batches: how they are built from their seal, when they are in flight, and what the Router does with them
//! (protocol.md §5). The counterparts of `primitives/src/settlement.rs`, `pallets/settlement/src/seals.rs` and
//! `contracts/src/router/RouterSettlement.sol`.

use super::{Batch, Item, Router, Seal, SealId, Settlement, State, Votes};
use crate::{
    clause::Clause,
    ethereum::{Block, ROOT},
};

/// What a validator votes on a seal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ballot {
    /// There is nothing to send.
    Empty,
    /// This batch.
    Batch(Batch),
}

impl Settlement {
    /// What a validator finds that builds the batch of seal `number` now. `None` if it cannot be built: an alarm.
    pub(super) fn build(&self, state: &State, number: usize) -> Option<Ballot> {
        let anchor = state.chain[number].anchor;
        let at = if self.has(Clause::BuiltOnTheSealsAnchor) {
            anchor
        } else {
            state.newest_applied()
        };
        let router = state.router(at);
        let from = usize::from(router.last_round.number);
        let mut rounds: Vec<_> = state
            .path(number)
            .take_while(|round| *round > from)
            .collect();
        rounds.reverse();
        let below = state.path(number).find(|round| *round <= from)?;
        if state.id(below) != router.last_round {
            return None;
        }
        let before = state.chain[below].outcome.log;
        let mut last = below;
        for round in rounds {
            let messages = state.chain[round].outcome.log.after(before)?.len();
            let so_far = state.chain[last].outcome.log.after(before)?.len();
            if so_far > 0 && messages > self.batch_messages.max(so_far) {
                break;
            }
            last = round;
        }
        let log = state.chain[last].outcome.log;
        let content = log.after(before)?;
        let outbox = self.outbox(state, number);
        let cursor = if self.has(Clause::OutboxCursor) {
            usize::from(router.outbox_end)
        } else {
            outbox.start
        };
        let cursor = cursor.max(outbox.start);
        let items = outbox.items.iter().copied().skip(cursor);
        let items: Vec<_> = items.take(self.batch_items).collect();
        if content.is_empty() && items.is_empty() {
            return Some(Ballot::Empty);
        }
        let set = if self.has(Clause::RoutersSetSigns) {
            router.set
        } else {
            outbox.set
        };
        Some(Ballot::Batch(Batch {
            seal: state.id(number),
            nonce: router.nonce + 1,
            parent: router.last,
            set,
            anchor,
            last_round: state.id(last),
            content,
            paid: log.funds().paid - before.funds().paid,
            outbox_end: u8::try_from(cursor + items.len()).unwrap_or(u8::MAX),
            items,
            expiry: state.tree.number(anchor) + self.expiry,
        }))
    }

    /// This many honest validators vote on a seal, each on what it finds itself. Whether they can.
    pub(super) fn vote(&self, state: &mut State, number: usize, voters: u8) -> bool {
        let Some(ballot) = self.build(state, number) else {
            return false;
        };
        if let Ballot::Batch(batch) = &ballot
            && !self.is_on_duty(state, batch.set)
        {
            return false;
        }
        let mut votes = match state.chain[number].seal {
            Seal::No | Seal::Open => Votes::default(),
            Seal::Empty(votes) => {
                state.contradicted |= ballot != Ballot::Empty;
                votes
            }
            Seal::Signed(votes) => {
                let is_same = |batch: &Batch| ballot == Ballot::Batch(batch.clone());
                state.contradicted |= !state.batches.iter().any(is_same);
                votes
            }
        };
        let is_first = votes.honest == 0;
        votes.honest = Votes::HONEST.min(votes.honest + voters);
        state.chain[number].seal = match ballot {
            Ballot::Empty => Seal::Empty(votes),
            Ballot::Batch(_) => Seal::Signed(votes),
        };
        if let (Ballot::Batch(batch), true) = (ballot, is_first) {
            state.batches.push(batch);
            state.batches.sort_unstable_by_key(|batch| batch.seal);
        }
        true
    }

    /// Whether the members of a set have to sign still: until one after it has signed in a final Ethereum block.
    pub(super) fn is_on_duty(&self, state: &State, set: u8) -> bool {
        let ended_by = if self.has(Clause::DutyUntilFinal) {
            state.router(state.ethereum_final).set
        } else {
            let anchors = state.chain.iter().map(|block| block.anchor);
            anchors
                .map(|anchor| state.router(anchor).set)
                .max()
                .unwrap_or(0)
        };
        set >= ended_by
    }

    /// Seals that are signed, but neither in the Router, nor expired, nor on a branch that `anchor` has left.
    pub(super) fn in_flight(&self, state: &State, anchor: Block) -> usize {
        let router = state.router(anchor);
        let now = state.tree.number(anchor);
        let live = |batch: &&Batch| {
            matches!(state.chain.get(usize::from(batch.seal.number)).map(|block| block.seal),
                Some(Seal::Signed(votes)) if votes.are_ready())
                && state.has(batch.seal)
                && state.tree.is_ancestor_or_same(batch.anchor, anchor)
                && batch.parent == router.last
                && (now < batch.expiry || !self.has(Clause::ExpiredIsNotInFlight))
        };
        state.batches.iter().filter(live).count()
    }

    /// Whether the Router takes the batch in a block above `parent`.
    pub(super) fn verifies(&self, state: &State, batch: &Batch, parent: Block) -> bool {
        let router = state.router(parent);
        let is_next = batch.parent == router.last && batch.nonce == router.nonce + 1;
        let anchored = state.tree.is_ancestor_or_same(batch.anchor, parent);
        state.may_be_carried(batch)
            && (is_next || !self.has(Clause::RouterChecksParent))
            && (anchored || !self.has(Clause::RouterChecksAnchor))
            && batch.set == router.set
            && state.tree.number(parent) < batch.expiry
    }

    /// Adds a block to Ethereum.
    pub(super) fn grow(&self, state: &mut State, parent: Block, batch: Option<SealId>) -> Block {
        let mut router = *state.router(parent);
        let applied = state.batches.iter().find(|other| Some(other.seal) == batch);
        if let Some(batch) = applied {
            router.apply(batch);
        }
        state.carried.push(batch);
        state.routers.push(router);
        state.tree.grow(parent)
    }
}

impl Router {
    fn apply(&mut self, batch: &Batch) {
        self.nonce += 1;
        self.last = Some(batch.seal);
        self.last_round = batch.last_round;
        self.log = self.log.then(batch.content);
        self.paid += batch.paid;
        self.outbox_end = batch.outbox_end;
        for item in &batch.items {
            match *item {
                // An older set, or the same one again, is skipped with an event.
                Item::Set(set) => self.set = self.set.max(set),
                Item::Mint(mint) => {
                    let bit = 1 << mint;
                    self.disorder |= self.minted != bit - 1;
                    self.minted |= bit;
                }
            }
        }
    }
}

impl State {
    /// The Ethereum block at which the Router holds the newest batch.
    fn newest_applied(&self) -> Block {
        let key = |block: &Block| (self.router(*block).nonce, *block);
        self.tree.blocks().max_by_key(key).unwrap_or(ROOT)
    }
}
