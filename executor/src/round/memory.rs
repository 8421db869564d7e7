//! The memory of the round's programs, when the round is over: what changed is hashed, once, by all threads.

use super::{Round, Work, parallel::in_parallel};
use crate::{RoundError, StoreError, state::account::Life};

impl Round<'_> {
    /// Puts what the programs hold into the scope's content, and names it in their accounts. The programs stay in memory
    /// for later rounds, on condition that this one will be stored.
    pub(super) fn commit_memory(&mut self) -> Result<(), RoundError> {
        let content = self.scope.content;
        let all: Vec<&mut Work> = self.programs.values_mut().collect();
        // Who ran the most has the most to hash, by and large.
        let waves = |work: &&mut Work| u64::from(work.waves);
        let results = in_parallel(all, waves, |work| {
            if let Life::Active {
                allocations, pages, ..
            } = &mut work.account.life
            {
                return work.slot.commit(content, allocations, pages);
            }
            // The memory of a program that has ended is no state.
            drop(work.slot.take());
            Ok(())
        });
        results.into_iter().collect::<Result<(), StoreError>>()?;
        for (actor, work) in &mut self.programs {
            if let Some(resident) = work.slot.take() {
                self.scope.residents.put(*actor, resident);
            }
        }
        Ok(())
    }
}
