//! Views, anchor and finality (protocol.md §2), with one Byzantine validator of four.
//!
//! The three honest validators follow nodes that may lag and be on different branches: a node may be at any block that
//! Ethereum has, as long as it never leaves what it has called final. What the Byzantine validator says is chosen anew
//! at every block of the chain: anything, blocks that it has invented included, or nothing. Honest seats are alike, so
//! states are kept with their seats sorted.

mod properties;
mod rule;

use crate::{
    clause::Clause,
    ethereum::{Block, ROOT, Tree},
};
use rule::Votes;
use stateright::{Model, Property};

/// What a validator says of Ethereum.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct View {
    /// Its node's canonical head.
    pub tip: Block,
    /// What its node calls final.
    pub finalised: Block,
}

/// An honest validator's place in the set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Seat {
    /// The view that the chain keeps.
    pub on_chain: Option<View>,
    /// The newest one that the validator has signed. The chain has it at once; what lags are the nodes.
    pub newest: Option<View>,
    /// The first one that the validator has signed, which somebody has kept to send it again. Only if
    /// [`Anchors::replays`].
    pub first: Option<View>,
}

/// What must never happen when views are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Breach {
    /// The anchor went elsewhere than to a descendant though fewer than two honest validators' newest views conflicted
    /// with it.
    Rewound,
    /// The anchor is not at or above what all honest validators see, although that is not on a branch which the chain
    /// knows to be lost.
    Behind,
    /// Chain and anchor left what the chain had called final.
    FinalLeft,
}

/// A state of [`Anchors`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct State {
    /// What Ethereum has finalised.
    pub ethereum_final: Block,
    /// The honest validators.
    pub seats: [Seat; 3],
    /// The chain's anchor.
    pub anchor: Block,
    /// What the chain calls final.
    pub finalised: Block,
    /// How often the set may still change.
    pub set_changes: u8,
    /// What went wrong.
    pub breach: Option<Breach>,
}

/// What may happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Ethereum finalises a block.
    Finalise(Block),
    /// An honest validator's node sees something, and its view is in the chain.
    Look(usize, View),
    /// Somebody sends an honest validator's first view again.
    Replay(usize),
    /// A block of the chain ends: views are counted, with this one of the Byzantine validator.
    Count(Option<View>),
    /// The validators change, and another seat is the Byzantine one. The view is the last of the one who leaves.
    ChangeSet(Option<View>),
}

/// The model.
#[derive(Clone, Debug)]
pub struct Anchors {
    /// All blocks that Ethereum may come to have, and the invented ones.
    pub tree: Tree,
    /// Blocks that only the Byzantine validator speaks of.
    pub invented: Vec<Block>,
    /// Whether old views are sent again.
    pub replays: bool,
    /// How often the set changes.
    pub set_changes: u8,
    /// The clause that is left out.
    pub without: Option<Clause>,
}

impl Anchors {
    pub(crate) fn has(&self, clause: Clause) -> bool {
        self.without != Some(clause)
    }

    fn real(&self) -> impl Iterator<Item = Block> + '_ {
        self.tree
            .blocks()
            .filter(|block| !self.invented.contains(block))
    }

    /// What a node may say, after it has said `before`.
    fn looks(&self, ethereum_final: Block, before: Option<View>) -> Vec<View> {
        let known = before.map_or(ROOT, |view| view.finalised);
        let finals = self
            .tree
            .line(ethereum_final)
            .filter(|finalised| self.tree.is_ancestor_or_same(known, *finalised));
        finals
            .flat_map(|finalised| {
                self.real()
                    .filter(move |tip| self.tree.is_ancestor_or_same(finalised, *tip))
                    .map(move |tip| View { tip, finalised })
            })
            .filter(|view| before != Some(*view))
            .collect()
    }

    /// What a Byzantine validator may say. What it calls final is counted apart from its tip: enough to vary one while
    /// the other is at the root, and both together at each block.
    fn lies(&self) -> Vec<Option<View>> {
        let view = |tip, finalised| Some(View { tip, finalised });
        let blocks = || self.tree.blocks();
        let mut lies = vec![None];
        lies.extend(blocks().map(|tip| view(tip, ROOT)));
        lies.extend(blocks().skip(1).map(|finalised| view(ROOT, finalised)));
        lies.extend(blocks().skip(1).map(|block| view(block, block)));
        lies
    }

    fn votes(&self, state: &State, lie: Option<View>) -> Votes {
        Votes::new(
            self,
            state
                .seats
                .iter()
                .filter_map(|seat| seat.on_chain)
                .chain(lie),
        )
    }

    /// The state after views were counted.
    fn count(&self, state: &State, lie: Option<View>) -> State {
        let mut next = state.clone();
        let votes = self.votes(state, lie);
        next.anchor = votes.anchor(self, state.anchor, state.finalised);
        next.finalised = votes.finalised(self, next.anchor, state.finalised);
        next.breach = self.breach(state, &next);
        next
    }

    fn breach(&self, before: &State, after: &State) -> Option<Breach> {
        let tree = &self.tree;
        let against = before
            .seats
            .iter()
            .filter_map(|seat| seat.newest)
            .filter(|view| tree.conflict(view.tip, before.anchor))
            .count();
        if !tree.is_ancestor_or_same(before.anchor, after.anchor) && against < 2 {
            return Some(Breach::Rewound);
        }
        let stays = tree.is_ancestor_or_same(before.finalised, after.finalised)
            && tree.is_ancestor_or_same(after.finalised, after.anchor);
        if !stays {
            return Some(Breach::FinalLeft);
        }
        let seen: Option<Vec<_>> = before
            .seats
            .iter()
            .map(|seat| seat.on_chain.map(|view| view.tip))
            .collect();
        let common = seen.and_then(|tips| tips.into_iter().reduce(|a, b| tree.fork(a, b)));
        let behind = common.is_some_and(|common| {
            tree.is_ancestor_or_same(before.finalised, common)
                && !tree.is_ancestor_or_same(common, after.anchor)
        });
        behind.then_some(Breach::Behind)
    }
}

impl Model for Anchors {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![State {
            ethereum_final: ROOT,
            seats: [Seat::default(); 3],
            anchor: ROOT,
            finalised: ROOT,
            set_changes: self.set_changes,
            breach: None,
        }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        if state.breach.is_some() {
            return;
        }
        let finals = self
            .real()
            .filter(|block| *block != state.ethereum_final)
            .filter(|block| self.tree.is_ancestor_or_same(state.ethereum_final, *block));
        actions.extend(finals.map(Action::Finalise));
        for (index, seat) in state.seats.iter().enumerate() {
            if index > 0 && *seat == state.seats[index - 1] {
                continue;
            }
            let looks = self.looks(state.ethereum_final, seat.newest);
            actions.extend(looks.into_iter().map(|view| Action::Look(index, view)));
            if seat.first.is_some() {
                actions.push(Action::Replay(index));
            }
        }
        actions.extend(self.lies().into_iter().map(Action::Count));
        if state.set_changes > 0 {
            actions.extend(self.lies().into_iter().map(Action::ChangeSet));
        }
    }

    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        let mut next = state.clone();
        match action {
            Action::Finalise(block) => next.ethereum_final = block,
            Action::Look(index, view) => {
                let seat = &mut next.seats[index];
                seat.newest = Some(view);
                seat.on_chain = Some(view);
                if self.replays {
                    seat.first.get_or_insert(view);
                }
            }
            Action::Replay(index) => {
                if self.has(Clause::Sequence) {
                    // Its `seq` is not greater than that of the view which the chain has.
                    return None;
                }
                let seat = &mut next.seats[index];
                seat.on_chain = seat.first;
            }
            Action::Count(lie) => next = self.count(state, lie),
            Action::ChangeSet(left) => {
                next.set_changes -= 1;
                let mut kept = next.seats.map(|seat| seat.on_chain);
                kept[0] = left;
                for (seat, old) in next.seats.iter_mut().zip(kept) {
                    *seat = Seat {
                        on_chain: old.filter(|_| !self.has(Clause::VotesOfOldSetsAreVoid)),
                        ..Seat::default()
                    };
                }
            }
        }
        next.seats.sort_unstable();
        (next != *state).then_some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        properties::all()
    }
}
