//! Randomness: where it comes from, and why nobody can choose it.
//!
//! A message that asks for a random number (`gr_random`) commits to an Ethereum block whose RANDAO nobody knows yet: the
//! one [`DISTANCE`] blocks after the anchor at which it asks. Its run is undone as if it had failed, for its gas; the
//! message waits for that block, and runs again from where this run began. All its random numbers, also in later runs,
//! are `blake2b256(RANDAO ‖ subject)` of that block: a message draws once. That it starves, or that its program is busy,
//! moves the moment at which it asks, and nobody knows more about a later block than about an earlier one; once the block
//! is known, nothing but the end of the message takes its seed away.
//!
//! Others can see the block before the message runs again. A program that plays for something takes the stake in an
//! earlier message, or waits in between.

use super::{Round, queue::Queue};
use crate::{
    RoundError,
    state::{ContextStore, Dispatch, Seed},
};
use gear_exe_primitives::ethereum::EthereumHeader;

/// Ethereum blocks from the anchor at which a message asks to the one that it draws from. A header's RANDAO is known as
/// soon as its parent is, so the next block is known when the anchor is; and the anchor may be a block behind the head. For
/// every block more that it lies behind, this must be one more.
const DISTANCE: u32 = 3;
/// Ethereum blocks whose RANDAO is kept for tasks that are late because rounds are full.
const KEPT: usize = 256;

fn seed(header: &EthereumHeader) -> Seed {
    Seed {
        number: u32::try_from(header.number).unwrap_or(u32::MAX),
        randao: header.randao,
    }
}

impl Round<'_> {
    /// Keeps an Ethereum block for those that draw from it.
    pub(super) fn keep_seed(&mut self, header: &EthereumHeader) {
        let seeds = &mut self.ledger.seeds;
        seeds.push_back(seed(header));
        while seeds.len() > KEPT {
            seeds.pop_front();
        }
    }

    /// What a message draws from that waits for the block `due`: its RANDAO, or that of the first known one after it.
    pub(super) fn seed_of(&self, due: u32) -> Seed {
        let seeds = &self.ledger.seeds;
        let first = seeds.partition_point(|seed| seed.number < due);
        let known = seeds.get(first).copied();
        known.unwrap_or_else(|| seed(self.scope.anchor))
    }
}

impl super::Scope<'_> {
    /// What a query's message draws from.
    fn own_seed(&self) -> Seed {
        seed(self.anchor)
    }
}

impl Queue<'_> {
    /// The message asked for randomness that there is not yet. Nothing of this run stays but its gas.
    pub(super) fn await_seed(
        &mut self,
        mut dispatch: Dispatch,
        context: Option<Box<ContextStore>>,
        burned: u64,
    ) -> Result<(), RoundError> {
        let draw = dispatch.draw.get_or_insert_default();
        draw.gas_burned = draw.gas_burned.saturating_add(burned);
        dispatch.context = context;
        if self.scope.query.is_none() {
            return self.wait(dispatch, DISTANCE);
        }
        // A query waits for nothing. It burns what a message does whose second run is in another round.
        draw.seed = Some(self.scope.own_seed());
        let work = &mut self.result.work;
        work.slot.begin_round();
        work.account.queue.push_front(dispatch);
        Ok(())
    }
}
