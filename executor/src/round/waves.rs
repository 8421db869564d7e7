//! The waves of a round: which programs run, for how much gas, and what stops the round.

use super::{
    Directory, Round, Work,
    answers::Users,
    budget::Most,
    parallel::in_parallel,
    queue::{self, Effect},
    route::after,
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
        self.wake_starved()?;
        self.load_busy()?;
        let directory = Arc::new(Directory::new(
            self.scope.content,
            self.records.clone(),
            self.programs.keys().copied().collect(),
        ));
        let mut full = false;
        loop {
            let mut runnable = self.runnable()?;
            let done = runnable.is_empty() || self.is_answered();
            let remaining = gas.saturating_sub(self.gas_burned);
            let by_gas = match remaining / whole {
                0 => 0,
                places => (places / 2).max(1),
            };
            let places = by_gas.min(self.room_for_programs(&runnable));
            if done || full || places == 0 {
                self.drain(Most::Whole)?;
                // An event that has gone out is answered at once.
                if done && !self.is_answered() && !self.runnable()?.is_empty() {
                    continue;
                }
                let left = self.unloaded.is_some() || self.is_full() || self.is_behind()?;
                return Ok(!done || left);
            }
            runnable.truncate(usize::try_from(places).unwrap_or(usize::MAX));
            let count = runnable.len() as u64;
            let share = (remaining - whole.saturating_mul(count).min(remaining)) / count;
            self.wave(&directory, runnable, share)?;
            self.drain(Most::Whole)?;
            full = self.is_full();
        }
    }

    /// How many programs a round takes of those that have messages from earlier rounds: as many as can run at all.
    fn most_programs(&self) -> u32 {
        self.scope.parameters.max_round_messages.max(1)
    }

    /// Those that starved at a higher price can run again.
    fn wake_starved(&mut self) -> Result<(), RoundError> {
        let content = self.scope.content;
        let payable = (self.scope.parameters.value_per_gas, ActorId::zero());
        for _ in 0..self.most_programs() {
            let next = self.ledger.starved_by_price.seek(content, &payable)?;
            let Some(((_, actor), ())) = next else {
                break;
            };
            self.ledger.starve(content, actor, None)?;
            self.ledger.occupy(content, actor, true)?;
        }
        Ok(())
    }

    /// Loads programs that have messages from earlier rounds, from the one on whose turn it is.
    fn load_busy(&mut self) -> Result<(), RoundError> {
        let content = self.scope.content;
        let turn = self.ledger.turns.busy;
        let mut left = self.most_programs();
        for (first, end) in [(turn, None), (ActorId::zero(), Some(turn))] {
            let mut from = first;
            while let Some((actor, ())) = self.ledger.busy.seek(content, &from)? {
                if end.is_some_and(|end| actor >= end) {
                    break;
                }
                if left == 0 {
                    self.unloaded = Some(actor);
                    return Ok(());
                }
                left -= 1;
                self.find(actor)?;
                from = after(actor);
                if from <= actor {
                    break;
                }
            }
        }
        Ok(())
    }

    /// Those that can run: first who has run in the fewest waves, and among these the one whose turn it is.
    fn runnable(&mut self) -> Result<Vec<ActorId>, RoundError> {
        let mut runnable: Vec<ActorId> = self
            .programs
            .iter()
            .filter(|(_, work)| !work.starved && !work.account.queue.is_empty())
            .map(|(actor, _)| *actor)
            .collect();
        if self.is_full() {
            // Who has more to send than a round takes waits until it is gone.
            let mut free = Vec::new();
            for actor in runnable {
                if !self.has_backlog(actor)? {
                    free.push(actor);
                }
            }
            runnable = free;
        }
        let turn = self.ledger.turns.busy;
        runnable.sort_by_key(|actor| {
            let waves = self.programs.get(actor).map_or(0, |work| work.waves);
            (waves, *actor < turn, *actor)
        });
        Ok(runnable)
    }

    /// Whose turn it is in the next round: of those that had to wait, the first.
    pub(super) fn next_turn(&mut self) -> Result<ActorId, RoundError> {
        let turn = self.ledger.turns.busy;
        let mut waiting = self.unloaded.into_iter().collect::<Vec<_>>();
        let all = self.runnable()?;
        waiting.extend(
            all.into_iter()
                .filter(|actor| self.programs.get(actor).is_some_and(|work| work.waves == 0)),
        );
        let next = waiting
            .into_iter()
            .min_by_key(|actor| (*actor < turn, *actor));
        Ok(next.unwrap_or_default())
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
        let users = match self.born || scope.query.is_some() {
            true => Users::Unknown,
            false => Users::Known,
        };
        // Who has the most messages begins first, so that the wave does not end with one program that all wait for.
        let length = |job: &(_, _, Work)| job.2.account.queue.len();
        let results = in_parallel(jobs, length, |(actor, code, work)| {
            let job = || queue::run_queue(scope, directory, actor, &code, work, (share, users));
            let result = catch_unwind(AssertUnwindSafe(job));
            (actor, result.unwrap_or(Err(RoundError::Panicked)))
        });
        let mut effects: Vec<(ActorId, Vec<Effect>)> = Vec::with_capacity(results.len());
        let receipts = results
            .iter()
            .filter_map(|(_, result)| result.as_ref().ok());
        let receipts = receipts.map(|result| result.receipts.len()).sum();
        if results.len() > 1 {
            self.receipts.reserve(receipts);
        }
        for (actor, result) in results {
            let result = result?;
            self.gas_burned = self.gas_burned.saturating_add(result.spent);
            if self.receipts.capacity() == 0 {
                self.receipts = result.receipts;
            } else {
                self.receipts.extend(result.receipts);
            }
            self.programs.insert(actor, result.work);
            effects.push((actor, result.effects));
            self.replies.extend(result.answers.native);
            if !result.answers.outgoing.is_empty() {
                let backlog = &mut self.ledger.outgoing;
                backlog.put(scope.content, actor, |line| {
                    line.append(result.answers.outgoing);
                    Ok(())
                })?;
            }
        }
        for (actor, effects) in effects {
            for effect in effects {
                self.route(actor, effect)?;
            }
        }
        Ok(())
    }
}
