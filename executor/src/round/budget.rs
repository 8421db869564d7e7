//! A round's budget: what its part of a batch may come to on Ethereum, programs that change included.
//!
//! Nothing is refused when it is spent. What does not fit waits in the state, and later rounds take it: messages to
//! Ethereum and to programs with the program that sends them, everything from outside in the inbox, tasks in the
//! schedule. So every round fits half a batch, however much Ethereum brings in at once.

use super::Round;
use crate::gas::Outward;
use gear_exe_primitives::{ActorId, round::ExecutionParameters};
use std::collections::BTreeSet;

/// How much of a round's budget may be taken.
#[derive(Clone, Copy)]
pub(super) enum Most {
    /// What earlier rounds left over gets half, so that it does not keep out what is new.
    Half,
    /// What comes in leaves room for what it makes programs do.
    ThreeQuarters,
    Whole,
}

impl Most {
    fn of(self, limit: u32) -> u64 {
        let limit = u64::from(limit);
        match self {
            Self::Half => limit / 2,
            Self::ThreeQuarters => limit / 4 * 3,
            Self::Whole => limit,
        }
    }

    fn fits(self, size: Outward, parameters: &ExecutionParameters) -> bool {
        size.messages <= self.of(parameters.max_round_messages)
            && size.bytes <= self.of(parameters.max_round_bytes)
    }
}

/// What a round has used.
#[derive(Default)]
pub(super) struct Budget {
    outward: Outward,
    touched: BTreeSet<ActorId>,
    /// Something from outside was taken in.
    taken_in: bool,
}

impl Budget {
    pub(super) fn touch(&mut self, actor: ActorId) {
        self.touched.insert(actor);
    }

    pub(super) fn is_touched(&self, actor: ActorId) -> bool {
        self.touched.contains(&actor)
    }

    pub(super) fn send(&mut self, size: Outward) {
        self.outward = self.outward.plus(size);
    }

    /// Whether nothing has gone to Ethereum yet.
    pub(super) fn is_first_message(&self) -> bool {
        self.outward == Outward::default()
    }

    fn is_unused(&self) -> bool {
        self.touched.is_empty() && self.outward == Outward::default()
    }

    /// What the round comes to if it sends `size` more and changes `programs`.
    fn with(&self, size: Outward, programs: &[ActorId]) -> Outward {
        let new = programs
            .iter()
            .filter(|actor| !self.is_touched(**actor))
            .collect::<BTreeSet<_>>();
        let frames = self.touched.len() + new.len();
        self.outward
            .plus(size)
            .plus(Outward::frame().times(frames as u64))
    }
}

impl Round<'_> {
    /// Whether the round may send `size` more and change `programs`. The first of a round always may: nothing can block
    /// the others for ever.
    pub(super) fn admits(&self, most: Most, size: Outward, programs: &[ActorId]) -> bool {
        self.scope.query.is_some()
            || self.budget.is_unused()
            || most.fits(self.budget.with(size, programs), self.scope.parameters)
    }

    /// Whether the round has room for this, whatever has gone before.
    pub(super) fn fits(&self, most: Most, size: Outward, programs: &[ActorId]) -> bool {
        self.scope.query.is_some()
            || most.fits(self.budget.with(size, programs), self.scope.parameters)
    }

    /// Whether the round may take in something from outside that changes `programs`.
    pub(super) fn takes_in(&mut self, programs: &[ActorId]) -> bool {
        let first = !self.budget.taken_in;
        let admits = first || self.admits(Most::ThreeQuarters, Outward::default(), programs);
        self.budget.taken_in |= admits;
        admits
    }

    /// How many of `runnable`, from the first on, may run.
    pub(super) fn room_for_programs(&self, runnable: &[ActorId]) -> u64 {
        if self.scope.query.is_some() {
            return runnable.len() as u64;
        }
        let (mut room, mut size) = (0, self.budget.with(Outward::default(), &[]));
        for actor in runnable {
            if !self.budget.is_touched(*actor) {
                size = size.plus(Outward::frame());
            }
            if !Most::Whole.fits(size, self.scope.parameters) {
                break;
            }
            room += 1;
        }
        if room == 0 && self.budget.is_unused() {
            return 1;
        }
        room
    }
}
