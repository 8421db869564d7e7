//! What comes in from outside, as far as the round's budget allows; the rest waits in the inbox, in order.
//!
//! A sender on Ethereum pays for every event, and still one Ethereum block can bring in more than a batch can settle. So
//! whoever comes late waits some rounds, and every batch can be mined.

use super::Round;
use crate::{RoundError, state::root::Intake};
use gear_exe_primitives::{
    ActorId,
    ethereum::{EthereumEvent, RouterEvent},
    round::RoundInput,
};

impl Round<'_> {
    /// Takes in what waits, then the round's own events, the tasks due in between, and the native messages.
    pub(super) fn intake(&mut self, input: &RoundInput) -> Result<(), RoundError> {
        let mut waiting = std::mem::take(&mut self.ledger.inbox);
        while let Some(next) = waiting.pop_front(self.scope.content)? {
            if let Some(refused) = self.take_in(next)? {
                waiting.push_front(refused);
                break;
            }
        }
        self.ledger.inbox = waiting;
        for block in &input.ethereum {
            self.keep_seed(&block.header);
            for event in &block.events {
                self.take_in_or_keep(Intake::Event(event.clone()))?;
            }
            self.due_tasks(u32::try_from(block.header.number).unwrap_or(u32::MAX))?;
        }
        for native in &input.native {
            self.take_in_or_keep(Intake::Native(native.clone()))?;
        }
        self.due_tasks(self.scope.height())?;
        if !self.ledger.inbox.is_empty() {
            tracing::debug!(
                waiting = self.ledger.inbox.len(),
                "events wait for a later round: this one is full"
            );
        }
        Ok(())
    }

    /// Whether something from outside, or a task, waits for a later round.
    pub(super) fn is_behind(&mut self) -> Result<bool, RoundError> {
        Ok(!self.ledger.inbox.is_empty() || self.due(self.scope.height())?.is_some())
    }

    /// Tasks wait behind events that came before them.
    fn due_tasks(&mut self, height: u32) -> Result<(), RoundError> {
        if self.ledger.inbox.is_empty() {
            self.tasks(height)?;
        }
        Ok(())
    }

    fn take_in_or_keep(&mut self, item: Intake) -> Result<(), RoundError> {
        let refused = if self.ledger.inbox.is_empty() {
            self.take_in(item)?
        } else {
            Some(item)
        };
        if let Some(item) = refused {
            self.ledger.inbox.push_back(item);
        }
        Ok(())
    }

    /// Gives the item back if the round has no room for it.
    fn take_in(&mut self, item: Intake) -> Result<Option<Intake>, RoundError> {
        if let Some(program) = program(&item)
            && !self.takes_in(program)
        {
            return Ok(Some(item));
        }
        match item {
            Intake::Event(event) => self.event(event)?,
            Intake::Native(native) => self.native(native)?,
        }
        Ok(None)
    }
}

/// The program that an item changes.
fn program(item: &Intake) -> Option<ActorId> {
    match item {
        Intake::Event(EthereumEvent::Mirror { actor_id, .. })
        | Intake::Event(EthereumEvent::Router(RouterEvent::ProgramCreated { actor_id, .. })) => {
            Some(*actor_id)
        }
        Intake::Event(EthereumEvent::Router(_)) => None,
        Intake::Native(native) => Some(native.destination),
    }
}
