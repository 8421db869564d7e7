//! The waves of a round: which programs run, for how much gas, and what stops the round.

use super::{
    Directory, Round, Work,
    budget::Most,
    parallel::in_parallel,
    queue::{self, Effect},
};
use crate::RoundError;
use gear_exe_primitives::ActorId;
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

impl Round<'_> {
    /// Runs queues until they are empty or `gas` is spent. True if messages are left that could run.
    ///
    /// The whole stays within `gas`: a program may begin a message while it has burned less than its share, and the
    /// shares leave room for one whole message of each.
    pub(super) fn waves(&mut self, gas: u64) -> Result<bool, RoundError> {
        let parameters = self.scope.parameters;
        let whole = parameters.message_gas_limit.max(1);
        self.load_busy()?;
        let directory = Arc::new(Directory::new(
            self.scope.content,
            self.root.clone(),
            self.programs.keys().copied().collect(),
        ));
        let mut full = false;
        loop {
            let mut runnable = self.runnable();
            let done = runnable.is_empty() || self.answer.is_some();
            let remaining = gas.saturating_sub(self.gas_burned);
            let by_gas = match remaining / whole {
                0 => 0,
                places => (places / 2).max(1),
            };
            let places = by_gas.min(self.room_for_programs(&runnable));
            if done || full || places == 0 {
                self.drain(Most::Whole)?;
                // An event that has gone out is answered at once.
                if done && self.answer.is_none() && !self.runnable().is_empty() {
                    continue;
                }
                return Ok(!done || self.is_full() || self.is_behind());
            }
            runnable.truncate(usize::try_from(places).unwrap_or(usize::MAX));
            let count = runnable.len() as u64;
            let share = (remaining - whole.saturating_mul(count).min(remaining)) / count;
            self.wave(&directory, runnable, share)?;
            self.drain(Most::Whole)?;
            full = self.is_full();
        }
    }

    /// Programs that have messages from earlier rounds, and those that starved at another price.
    fn load_busy(&mut self) -> Result<(), RoundError> {
        let mut wanted = self.ledger.busy.clone();
        if self.ledger.starved_price != self.scope.parameters.value_per_gas {
            wanted.extend(&self.ledger.starved);
        }
        for actor in wanted {
            self.find(actor)?;
        }
        Ok(())
    }

    /// Those that can run: first who has run in the fewest waves, and among these the first one turns with the block.
    fn runnable(&self) -> Vec<ActorId> {
        let mut runnable: Vec<ActorId> = self
            .programs
            .iter()
            .filter(|(_, work)| !work.starved && !work.account.queue.is_empty())
            .map(|(actor, _)| *actor)
            // Who has more to send than a round takes waits until it is gone.
            .filter(|actor| !self.has_backlog(actor))
            .collect();
        if !runnable.is_empty() {
            let turn = self.scope.block.number % runnable.len() as u64;
            runnable.rotate_left(turn as usize);
        }
        runnable.sort_by_key(|actor| self.programs.get(actor).map_or(0, |work| work.waves));
        runnable
    }

    fn wave(
        &mut self,
        directory: &Arc<Directory>,
        mut actors: Vec<ActorId>,
        share: u64,
    ) -> Result<(), RoundError> {
        actors.sort();
        let mut jobs = Vec::new();
        for actor in actors {
            if let Some(mut work) = self.programs.remove(&actor) {
                self.budget.touch(actor);
                work.waves += 1;
                let id = work.account.code_id;
                let code = self.scope.codes.get(id)?;
                jobs.push((actor, code.ok_or(RoundError::MissingCode(id))?, work));
            }
        }
        let scope = self.scope;
        // Who has the most messages begins first, so that the wave does not end with one program that all wait for.
        let length = |job: &(_, _, Work)| job.2.account.queue.len();
        let results = in_parallel(jobs, length, |(actor, code, work)| {
            let job = || queue::run_queue(scope, directory, actor, &code, work, share);
            let result = catch_unwind(AssertUnwindSafe(job));
            (actor, result.unwrap_or(Err(RoundError::Panicked)))
        });
        let mut effects: Vec<(ActorId, Vec<Effect>)> = Vec::with_capacity(results.len());
        let receipts = results
            .iter()
            .filter_map(|(_, result)| result.as_ref().ok());
        let receipts = receipts.map(|result| result.receipts.len()).sum();
        self.receipts.reserve(receipts);
        for (actor, result) in results {
            let result = result?;
            self.gas_burned = self.gas_burned.saturating_add(result.spent);
            self.receipts.extend(result.receipts);
            self.programs.insert(actor, result.work);
            effects.push((actor, result.effects));
        }
        for (actor, effects) in effects {
            for effect in effects {
                self.route(actor, effect)?;
            }
        }
        Ok(())
    }
}
