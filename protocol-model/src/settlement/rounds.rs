//! Rounds: a pure function of base, the anchor's path and the chain's natives (protocol.md §3). The counterpart of
//! `node/src/executor_service/base.rs` and `worker.rs`.

use super::{Outcome, Router, Settlement, State};
use crate::{clause::Clause, ethereum::Block, log::Entry};

/// Ethereum blocks after its reference block in which a native message may be taken in.
const WINDOW: u8 = 1;

impl Settlement {
    /// What a validator finds that executes block `number` of the best chain at once.
    pub(super) fn outcome(&self, state: &State, number: usize) -> Outcome {
        self.execute(state, number, state.chain[number].anchor)
    }

    /// What one finds that executes it now, for whatever reason: because it was away, or has lost its store.
    pub(super) fn outcome_now(&self, state: &State, number: usize) -> Outcome {
        let (own, newest) = (state.chain[number].anchor, state.tip().anchor);
        let left = !self.has(Clause::OutcomesStay) && state.tree.conflict(own, newest);
        self.execute(state, number, if left { newest } else { own })
    }

    fn execute(&self, state: &State, number: usize, anchor: Block) -> Outcome {
        let Some(base) = self.base(state, number, anchor) else {
            return Outcome::default();
        };
        let Outcome {
            mut log, cursor, ..
        } = state.chain[base].outcome;
        for block in state.tree.path(state.chain[base].anchor, anchor) {
            log.push(Entry::Event(block));
        }
        let mut cursor = if self.has(Clause::NativesAreTakenAgain) {
            usize::from(cursor)
        } else {
            number
        };
        let mut left = self.allowance;
        while cursor <= number {
            let block = &state.chain[cursor];
            if let Some(native) = block.native {
                if left == 0 {
                    break;
                }
                if self.is_still_accepted(state, block.anchor, anchor) {
                    left -= 1;
                    log.push(Entry::Native(native));
                }
            }
            cursor += 1;
        }
        Outcome {
            base: u8::try_from(base).ok(),
            log,
            cursor: u8::try_from(cursor).unwrap_or(u8::MAX),
        }
    }

    /// What the next block may have as its native message, if its anchor is `anchor`: none, a new one, or one that was
    /// there before and is accepted once more. None is, by the rule; the check is made nevertheless.
    pub(super) fn natives(&self, state: &State, anchor: Block, sent: usize) -> Vec<Option<u8>> {
        let mut natives = vec![None];
        if sent < self.natives {
            let old = state.chain.iter().filter_map(|block| block.native);
            let new = old.max().map_or(0, |newest| newest + 1);
            let all = (0..=new).filter(|native| self.is_accepted(state, anchor, *native));
            natives.extend(all.map(Some));
        }
        natives
    }

    /// Whether a block with this anchor may have the native message: its window is open, and it is not among those that
    /// count as seen, which it leaves when its window closes. Both are measured against the highest number that an anchor
    /// ever had.
    fn is_accepted(&self, state: &State, anchor: Block, native: u8) -> bool {
        let Some(first) = state
            .chain
            .iter()
            .position(|block| block.native == Some(native))
        else {
            return true;
        };
        let closes = state.tree.number(state.chain[first].anchor) + WINDOW;
        let mut seen = false;
        let mut highest = 0;
        let anchors = state.chain.iter().map(|block| (block.anchor, block.native));
        for (at, has) in anchors.chain([(anchor, None)]) {
            let number = state.tree.number(at);
            highest = if self.has(Clause::HighestAnchorEver) {
                number.max(highest)
            } else {
                number
            };
            seen = (seen || has == Some(native)) && highest <= closes;
        }
        !seen && highest <= closes
    }

    /// Always, because it was when its block was built; unless its window is measured again.
    fn is_still_accepted(&self, state: &State, built_at: Block, anchor: Block) -> bool {
        self.has(Clause::CheckedOnce)
            || state.tree.number(anchor) <= state.tree.number(built_at) + WINDOW
    }

    /// The newest earlier round whose anchor is `anchor` or below, and on whose path the batch ends that the Router holds
    /// there.
    fn base(&self, state: &State, number: usize, anchor: Block) -> Option<usize> {
        let router = state.router(anchor);
        (0..number).rev().find(|round| {
            let block = &state.chain[*round];
            state.tree.is_ancestor_or_same(block.anchor, anchor)
                && (!self.has(Clause::BaseHoldsTheRoutersBatch) || state.leads_to(*round, router))
        })
    }
}

impl State {
    /// A round, its base, the base's base, down to genesis.
    pub(super) fn path(&self, round: usize) -> impl Iterator<Item = usize> + '_ {
        std::iter::successors(Some(round), |round| {
            let base = usize::from(self.chain[*round].outcome.base?);
            (base < *round).then_some(base)
        })
    }

    /// Whether the Router's batch ends on the path of `round`.
    fn leads_to(&self, round: usize, router: &Router) -> bool {
        router.last.is_none()
            || self
                .path(round)
                .any(|round| self.id(round) == router.last_round)
    }
}
