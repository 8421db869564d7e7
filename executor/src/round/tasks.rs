//! What is due at an Ethereum block: waits that end, delayed messages, mailboxes and reservations that expire. What a round
//! has no room for stays in the schedule.

use super::Round;
use crate::{
    RoundError,
    state::{
        Wait,
        account::get_payload,
        root::{Due, Outgoing, Task},
    },
};
use gear_exe_primitives::message::OutgoingMessage;

impl Round<'_> {
    pub(super) fn schedule(&mut self, height: u32, task: Task) -> Result<(), RoundError> {
        let due = Due { height, task };
        let schedule = &mut self.ledger.schedule;
        Ok(schedule.insert(self.scope.content, &due, &())?)
    }

    pub(super) fn unschedule(&mut self, height: u32, task: Task) -> Result<(), RoundError> {
        let due = Due { height, task };
        self.ledger.schedule.remove(self.scope.content, &due)?;
        Ok(())
    }

    /// Does what is due up to `height`, as far as the round has room.
    pub(super) fn tasks(&mut self, height: u32) -> Result<(), RoundError> {
        while let Some(due) = self.due(height)? {
            if !self.takes_in(&[due.task.program()]) {
                break;
            }
            self.unschedule(due.height, due.task)?;
            self.task(due.height, due.task)?;
        }
        Ok(())
    }

    /// The first task that is due at `height`, with the height at which it was.
    pub(super) fn due(&mut self, height: u32) -> Result<Option<Due>, RoundError> {
        let first = self.ledger.schedule.first(self.scope.content)?;
        Ok(first
            .map(|(due, ())| due)
            .filter(|due| due.height <= height))
    }

    fn task(&mut self, due: u32, task: Task) -> Result<(), RoundError> {
        let content = self.scope.content;
        match task {
            Task::Wake(actor, id) => {
                let seed = self.seed_of(due);
                if let Some(work) = self.work(actor)?
                    && let Some(waiting) = work.account.waitlist.remove(content, &id)?
                {
                    let mut dispatch = waiting.value;
                    if dispatch.awaits_seed() {
                        tracing::debug!(message = %id, program = %actor, block = seed.number, "message has its randomness");
                        dispatch.draw.get_or_insert_default().seed = Some(seed);
                    } else if let Some(context) = &mut dispatch.context
                        && context.wait == Wait::Untimed
                    {
                        tracing::debug!(message = %id, program = %actor, "message removed: nothing woke it");
                        context.wait = Wait::Removed;
                    } else {
                        tracing::debug!(message = %id, program = %actor, "message woken: its wait ended");
                    }
                    work.account.queue.push_back(dispatch);
                }
            }
            Task::Reservation(actor, id) => self.expire(actor, id)?,
            Task::Mailbox(actor, user, id) => {
                if let Some(message) = self.claim(actor, user, id)? {
                    tracing::debug!(message = %id, program = %actor, %user, "mailbox message expired");
                    self.auto_reply(actor, user, id, message.reply_gas)?;
                }
            }
            Task::Unstash(actor, id) => {
                let Some(work) = self.work(actor)? else {
                    return Ok(());
                };
                let Some(stashed) = work.account.stash.remove(content, &id)? else {
                    return Ok(());
                };
                tracing::debug!(message = %id, program = %actor, "delayed message due");
                let (dispatch, user) = stashed.value;
                match user {
                    None => work.account.queue.push_back(dispatch),
                    Some(user) => {
                        let payload = get_payload(content, &dispatch.payload)?;
                        let message = OutgoingMessage {
                            id,
                            destination: user.to_address_lossy(),
                            payload,
                            value: dispatch.value,
                            reply_details: None,
                            call: false,
                        };
                        let mail = Outgoing::Mail(user, message, dispatch.gas.reply);
                        self.outgoing(actor, mail)?;
                    }
                }
            }
        }
        Ok(())
    }
}
