//! What is due at an Ethereum block: waits that end, delayed messages, mailboxes and reservations that expire. What a round
//! has no room for stays in the schedule.

use super::Round;
use crate::{
    RoundError,
    state::{
        Wait,
        account::get_payload,
        root::{Outgoing, Task},
    },
};
use gear_exe_primitives::message::OutgoingMessage;

impl Round<'_> {
    pub(super) fn schedule(&mut self, height: u32, task: Task) {
        self.ledger.schedule.entry(height).or_default().insert(task);
    }

    pub(super) fn unschedule(&mut self, height: u32, task: Task) {
        if let Some(tasks) = self.ledger.schedule.get_mut(&height) {
            tasks.remove(&task);
            if tasks.is_empty() {
                self.ledger.schedule.remove(&height);
            }
        }
    }

    /// Does what is due up to `height`, as far as the round has room.
    pub(super) fn tasks(&mut self, height: u32) -> Result<(), RoundError> {
        while let Some((due, task)) = self.due(height) {
            if !self.takes_in(task.program()) {
                break;
            }
            self.unschedule(due, task);
            self.task(due, task)?;
        }
        Ok(())
    }

    /// The first task that is due at `height`, with the height at which it was.
    pub(super) fn due(&self, height: u32) -> Option<(u32, Task)> {
        let (due, tasks) = self.ledger.schedule.first_key_value()?;
        let task = tasks.first()?;
        (*due <= height).then_some((*due, *task))
    }

    fn task(&mut self, due: u32, task: Task) -> Result<(), RoundError> {
        match task {
            Task::Wake(actor, id) => {
                let seed = self.seed_of(due);
                if let Some(work) = self.work(actor)?
                    && let Some(waiting) = work.account.waitlist.remove(&id)
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
                let Some(stashed) = work.account.stash.remove(&id) else {
                    return Ok(());
                };
                tracing::debug!(message = %id, program = %actor, "delayed message due");
                let (dispatch, user) = stashed.value;
                match user {
                    None => work.account.queue.push_back(dispatch),
                    Some(user) => {
                        let payload = get_payload(self.scope.content, &dispatch.payload)?;
                        let message = OutgoingMessage {
                            id,
                            destination: user.to_address_lossy(),
                            payload,
                            value: dispatch.value,
                            reply_details: None,
                            call: false,
                        };
                        self.outgoing(actor, Outgoing::Mail(user, message, dispatch.gas.reply));
                    }
                }
            }
        }
        Ok(())
    }
}
