//! Rounds of the best chain as this node has seen them, and when they reached their levels. Bounded.

use super::programs;
use crate::rounds::ExecutedRound;
use gear_exe_primitives::{H256, ethereum::BlockId, round::ChainBlock};
use std::collections::VecDeque;

/// Rounds that are remembered, the newest ones.
pub const KEPT: usize = 128;
/// Certificates that are remembered until this node has executed their rounds.
const EARLY: usize = 256;

/// A round of the best chain and when this node saw it reach its levels, in milliseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RoundSeen {
    /// The block whose round it is.
    pub block: ChainBlock,
    /// The Ethereum block up to which events are in it.
    pub anchor: BlockId,
    /// Gas that it burned.
    pub gas: u64,
    /// Messages that ended in it.
    pub messages: u64,
    /// Programs that it changed.
    pub programs: u64,
    /// When this node had executed it.
    pub executed: u64,
    /// When it had a certificate.
    pub certified: Option<u64>,
    /// When GRANDPA had finalised it.
    pub finalized: Option<u64>,
}

/// What is seen of rounds.
#[derive(Default)]
pub(super) struct Levels {
    /// The best chain, oldest first.
    pub(super) rounds: VecDeque<RoundSeen>,
    /// Certificates of rounds that this node has not executed yet.
    early: VecDeque<H256>,
    finalized: u64,
}

impl Levels {
    /// A round was executed.
    pub(super) fn executed(&mut self, round: &ExecutedRound, now: u64) {
        let block = round.block;
        // What a fork has taken the place of has left the best chain.
        while self.rounds.back().is_some_and(|last| {
            last.block.number >= block.number
                || (last.block.number + 1 == block.number && last.block.hash != round.parent)
        }) {
            self.rounds.pop_back();
        }
        let early = self.early.iter().position(|hash| *hash == block.hash);
        if let Some(place) = early {
            self.early.remove(place);
        }
        let outcome = &round.outcome;
        self.rounds.push_back(RoundSeen {
            block,
            anchor: round.anchor.id(),
            gas: outcome.gas_burned,
            messages: outcome.receipts.len() as u64,
            programs: programs(&outcome.transitions),
            executed: now,
            certified: early.map(|_| now),
            finalized: (block.number <= self.finalized).then_some(now),
        });
        while self.rounds.len() > KEPT {
            self.rounds.pop_front();
        }
    }

    /// How long it took since it was executed, if it was.
    pub(super) fn certified(&mut self, block: H256, now: u64) -> Option<u64> {
        let known = self
            .rounds
            .iter_mut()
            .rev()
            .find(|round| round.block.hash == block);
        match known {
            Some(round) if round.certified.is_none() => {
                round.certified = Some(now);
                Some(now.saturating_sub(round.executed))
            }
            Some(_) => None,
            None => {
                self.early.push_back(block);
                if self.early.len() > EARLY {
                    self.early.pop_front();
                }
                None
            }
        }
    }

    /// How long it took for each round that is final now and was not before.
    pub(super) fn finalized(&mut self, number: u64, now: u64) -> Vec<u64> {
        self.finalized = self.finalized.max(number);
        let mut took = Vec::new();
        for round in self.rounds.iter_mut().rev() {
            if round.block.number > number {
                continue;
            }
            if round.finalized.is_some() {
                break;
            }
            round.finalized = Some(now);
            took.push(now.saturating_sub(round.executed));
        }
        took
    }
}
