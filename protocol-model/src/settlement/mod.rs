//! Rounds, batches, reorganisations and handover (protocol.md §§3 to 5).
//!
//! Ethereum's tree grows by any block on any block that may still be built upon, with or without a batch in it: so
//! everybody is a relayer. The anchor of a new block of the chain may be *any* Ethereum block, which is more than
//! [`crate::anchors`] allows. Blocks of the chain that GRANDPA has not finalised may be given up at any time.

mod batch;
mod canonical;
mod fair;
mod outbox;
mod properties;
mod rounds;
mod state;

pub use state::{Batch, ChainBlock, Item, Outcome, Router, Seal, SealId, State, Votes};

use crate::{
    clause::Clause,
    ethereum::{Block, ROOT},
};
use batch::Ballot;
use stateright::{Model, Property};

/// What may happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// A block on Ethereum, perhaps with a batch in it.
    Ethereum {
        /// Its parent.
        parent: Block,
        /// The seal of the batch.
        batch: Option<SealId>,
    },
    /// Ethereum finalises a block.
    Finalise(Block),
    /// A block of the chain.
    Chain {
        /// Its anchor.
        anchor: Block,
        /// The native message in it: a new one, or one that somebody sends again.
        native: Option<u8>,
        /// The outbox gets a mint.
        mint: bool,
        /// Another set is elected.
        elect: bool,
        /// It is a seal.
        seal: bool,
    },
    /// Another fork of the chain is the best one. It has this many blocks in common with the last.
    GiveUp(usize),
    /// GRANDPA finalises a seal if it has not, and an honest validator votes on it, or all do.
    Vote(usize),
    /// The Byzantine validator puts its signature on the chain, where it makes a quorum of two.
    Collude(usize),
}

/// How seals come about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seals {
    /// Every block of the chain may have been one, whatever is in flight: that is found out when its batch is on
    /// Ethereum. Since a batch depends on nothing but its seal, it does not matter when it was signed; the fewest states.
    Any,
    /// Blocks are made seals, and then voted on, in steps of their own.
    Few {
        /// How many.
        most: usize,
        /// How many may be in flight.
        in_flight: usize,
        /// Whether validators vote one by one.
        one_by_one: bool,
    },
}

/// The model: its bounds, and what it does without.
#[derive(Clone, Debug)]
pub struct Settlement {
    /// Ethereum blocks above the root.
    pub ethereum_blocks: usize,
    /// Blocks of the chain after genesis.
    pub chain_blocks: usize,
    /// Native messages.
    pub natives: usize,
    /// How seals come about.
    pub seals: Seals,
    /// Mints.
    pub mints: usize,
    /// Elections.
    pub elections: usize,
    /// Whether Ethereum finalises.
    pub finality: bool,
    /// Messages that a batch holds before it ends after a round.
    pub batch_messages: usize,
    /// Outbox items that a batch holds.
    pub batch_items: usize,
    /// Native messages that a round takes in.
    pub allowance: usize,
    /// Ethereum blocks after its anchor in which a batch may be.
    pub expiry: u8,
    /// Whether Ethereum's blocks may come long before anybody needs them. Otherwise one comes only when it is the next
    /// anchor, or below it: the same runs, but for steps that could as well be taken later.
    pub every_order: bool,
    /// The clause that is left out.
    pub without: Option<Clause>,
}

impl Settlement {
    pub(crate) fn has(&self, clause: Clause) -> bool {
        self.without != Some(clause)
    }

    /// Whether the chain has anything to say in a block with this anchor beside it.
    fn has_news(&self, state: &State, anchor: Block) -> bool {
        let tip = state.tip();
        tip.anchor != anchor || usize::from(tip.outcome.cursor) < state.chain.len()
    }

    fn chain_actions(&self, state: &State, actions: &mut Vec<Action>) {
        let count =
            |what: fn(&ChainBlock) -> bool| state.chain.iter().filter(|block| what(block)).count();
        let allowed = |allowed: bool| {
            if allowed {
                &[false, true][..]
            } else {
                &[false][..]
            }
        };
        let sent = state.natives_below(state.chain.len());
        let mints = allowed(count(|block| block.mint) < self.mints);
        let elections = allowed(count(|block| block.elect) < self.elections);
        let sealed = count(|block| block.seal != Seal::No);
        let pending = self.pending(state);
        let anchors = state.tree.blocks();
        for anchor in anchors.filter(|anchor| pending.is_none_or(|pending| pending == *anchor)) {
            let may_seal = match self.seals {
                Seals::Any => false,
                Seals::Few {
                    most, in_flight, ..
                } => sealed < most && self.in_flight(state, anchor) < in_flight,
            };
            for native in self.natives(state, anchor, sent) {
                for &mint in mints {
                    for &elect in elections {
                        for &seal in allowed(may_seal) {
                            if native.is_some()
                                || mint
                                || elect
                                || seal
                                || self.has_news(state, anchor)
                            {
                                actions.push(Action::Chain {
                                    anchor,
                                    native,
                                    mint,
                                    elect,
                                    seal,
                                });
                            }
                        }
                    }
                }
            }
        }
    }

    /// The last block of the chain that must be final on the chain: the last one whose seal was voted on.
    fn finalised(&self, state: &State) -> usize {
        let voted = |block: &ChainBlock| block.seal.honest_votes().is_some_and(|votes| votes > 0);
        if self.has(Clause::OnlyFinalisedSeals) {
            state.chain.iter().rposition(voted).unwrap_or(0)
        } else {
            0
        }
    }

    /// The Ethereum block that has to become an anchor, or get a child that does, before anything else happens.
    fn pending(&self, state: &State) -> Option<Block> {
        let blocks = state.tree.blocks().rev();
        let mut pending = blocks.filter(|block| !state.is_referenced(*block));
        if self.every_order {
            None
        } else {
            pending.next()
        }
    }

    /// The batches that a relayer may have.
    fn batches(&self, state: &State) -> Vec<Batch> {
        match self.seals {
            Seals::Few { .. } => state.batches.clone(),
            Seals::Any => {
                let mut batches = state.batches.clone();
                for number in 1..state.chain.len() {
                    if state.chain[number].seal == Seal::No
                        && let Some(Ballot::Batch(batch)) = self.build(state, number)
                        && self.is_on_duty(state, batch.set)
                    {
                        batches.push(batch);
                    }
                }
                batches
            }
        }
    }

    /// The state with one more block on the chain.
    fn extend(&self, state: &mut State, block: ChainBlock) {
        state.chain.push(block);
        let last = state.chain.len() - 1;
        state.chain[last].outcome = self.outcome(state, last);
    }
}

impl Model for Settlement {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![State::genesis()]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        let tree = &state.tree;
        let open = || {
            tree.blocks()
                .filter(|block| tree.is_ancestor_or_same(state.ethereum_final, *block))
        };
        let pending = self.pending(state);
        if tree.len() <= self.ethereum_blocks {
            let batches = self.batches(state);
            let parents = open().filter(|block| pending.is_none_or(|pending| pending == *block));
            for parent in parents {
                actions.push(Action::Ethereum {
                    parent,
                    batch: None,
                });
                for batch in &batches {
                    if self.verifies(state, batch, parent) {
                        let batch = Some(batch.seal);
                        actions.push(Action::Ethereum { parent, batch });
                    }
                }
            }
        }
        if self.finality && pending.is_none() {
            let finals = open().filter(|block| *block != state.ethereum_final);
            actions.extend(finals.map(Action::Finalise));
        }
        if state.chain.len() <= self.chain_blocks {
            self.chain_actions(state, actions);
        }
        if pending.is_none() {
            let kept = self.finalised(state) + 1;
            actions.extend((kept..state.chain.len()).map(Action::GiveUp));
            for (number, block) in state.chain.iter().enumerate() {
                if block
                    .seal
                    .honest_votes()
                    .is_some_and(|votes| votes < Votes::HONEST)
                {
                    actions.push(Action::Vote(number));
                }
                if matches!(
                    block.seal,
                    Seal::Signed(Votes {
                        honest: 2,
                        byzantine: false
                    })
                ) {
                    actions.push(Action::Collude(number));
                }
            }
        }
    }

    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        let mut next = state.clone();
        match action {
            Action::Ethereum { parent, batch } => {
                if let (Some(seal), Seals::Any) = (batch, self.seals)
                    && !state.batches.iter().any(|batch| batch.seal == seal)
                {
                    self.vote(&mut next, seal.number.into(), Votes::HONEST);
                }
                self.grow(&mut next, parent, batch);
            }
            Action::Finalise(block) => next.ethereum_final = block,
            Action::Chain {
                anchor,
                native,
                mint,
                elect,
                seal,
            } => {
                let block = ChainBlock {
                    fork: state.fork_after(),
                    anchor,
                    native,
                    mint,
                    elect,
                    seal: if seal { Seal::Open } else { Seal::No },
                    outcome: Outcome::default(),
                };
                self.extend(&mut next, block);
            }
            Action::GiveUp(common) => {
                next.chain.truncate(common);
                if self.has(Clause::OnlyFinalisedSeals) && !self.every_order {
                    next.forget_pending();
                }
            }
            Action::Vote(seal) => {
                let one_by_one = matches!(
                    self.seals,
                    Seals::Few {
                        one_by_one: true,
                        ..
                    }
                );
                let voters = if one_by_one { 1 } else { Votes::HONEST };
                if !self.vote(&mut next, seal, voters) {
                    return None;
                }
            }
            Action::Collude(seal) => {
                next.chain[seal].seal = Seal::Signed(Votes {
                    honest: 2,
                    byzantine: true,
                });
            }
        }
        next.make_canonical();
        (next != *state).then_some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        properties::all(self)
    }
}

impl State {
    fn genesis() -> Self {
        Self {
            tree: crate::ethereum::Tree::new(&[ROOT]),
            carried: vec![None],
            routers: vec![Router::default()],
            ethereum_final: ROOT,
            chain: vec![ChainBlock::genesis()],
            batches: Vec::new(),
            contradicted: false,
        }
    }
}
