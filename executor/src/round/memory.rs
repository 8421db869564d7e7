//! The memory of the round's programs, when the round is over: what changed is hashed, once, by all threads.

use super::Round;
use crate::{RoundError, state::account::Life};
use rayon::prelude::*;

impl Round<'_> {
    /// Puts what the programs hold into the scope's content, and names it in their accounts. The programs stay in memory
    /// for later rounds, on condition that this one will be stored.
    pub(super) fn commit_memory(&mut self) -> Result<(), RoundError> {
        let content = self.scope.content;
        self.programs.par_iter_mut().try_for_each(|(_, work)| {
            if let Life::Active {
                allocations, pages, ..
            } = &mut work.account.life
            {
                return work.slot.commit(content, allocations, pages);
            }
            // The memory of a program that has ended is no state.
            drop(work.slot.take());
            Ok(())
        })?;
        for (actor, work) in &mut self.programs {
            if let Some(resident) = work.slot.take() {
                self.scope.residents.put(*actor, resident);
            }
        }
        Ok(())
    }
}
