//! That a batch can still settle: from any state, on whichever branch Ethereum goes on, if validators, GRANDPA and a
//! relayer do their work for a while, everything is on Ethereum that the state knew of.

use super::{ChainBlock, Item, Outcome, Router, Seal, Seals, Settlement, State, Votes};
use crate::ethereum::{Block, ROOT};

/// Ethereum blocks within which it must be so.
const PATIENCE: usize = 10;

impl Settlement {
    /// Whether a batch settles, with everything that is open, on each branch that may win.
    pub(super) fn can_settle(&self, state: &State) -> bool {
        let tree = &state.tree;
        tree.blocks()
            .filter(|head| tree.is_ancestor_or_same(state.ethereum_final, *head))
            .all(|head| self.settles_on(state.clone(), head))
    }

    fn settles_on(&self, mut state: State, head: Block) -> bool {
        let nonce = state.router(head).nonce;
        let natives = state.natives_below(state.chain.len());
        let events: Vec<_> = state.tree.path(ROOT, head);
        let in_flight = match self.seals {
            Seals::Any => usize::MAX,
            Seals::Few { in_flight, .. } => in_flight,
        };
        let mut tip = head;
        for _ in 0..PATIENCE {
            self.work(&mut state);
            let carried = state
                .batches
                .iter()
                .find(|batch| self.verifies(&state, batch, tip));
            let carried = carried.map(|batch| batch.seal);
            tip = self.grow(&mut state, tip, carried);
            state.ethereum_final = tip;
            let seal = self.in_flight(&state, tip) < in_flight;
            let block = ChainBlock {
                fork: state.fork_after(),
                anchor: tip,
                native: None,
                mint: false,
                elect: false,
                seal: if seal { Seal::Open } else { Seal::No },
                outcome: Outcome::default(),
            };
            self.extend(&mut state, block);
            let router = state.router(tip);
            let outbox = self.outbox(&state, state.chain.len() - 1);
            let settled = router.nonce > nonce
                && router.set == outbox.set
                && usize::from(router.outbox_end) == outbox.items.len()
                && outbox.items.iter().all(|item| router.knows(*item))
                && router.log.natives().count() == natives
                && events
                    .iter()
                    .all(|event| router.log.events().any(|other| other == *event));
            if settled {
                return true;
            }
        }
        false
    }

    /// Validators vote on the seals that may still become something.
    fn work(&self, state: &mut State) {
        for seal in 0..state.chain.len() {
            if state.chain[seal]
                .seal
                .honest_votes()
                .is_some_and(|votes| votes < Votes::HONEST)
            {
                self.vote(state, seal, Votes::HONEST);
            }
        }
    }
}

impl Router {
    fn knows(&self, item: Item) -> bool {
        match item {
            Item::Set(set) => self.set >= set,
            Item::Mint(mint) => self.minted & 1 << mint != 0,
        }
    }
}
