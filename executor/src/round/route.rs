//! Where things go: to programs at once, to Ethereum through a queue that lets each round take as much as it may.

use super::{Answer, Round, events::Incoming, queue::Effect};
use crate::{
    RoundError,
    gas::Outward,
    run::Sent,
    state::{
        Dispatch, DispatchKind, Expiring, MailboxMessage, MessageType,
        account::put_payload,
        root::{Outgoing, Task},
    },
    syscalls::is_event_destination,
};
use gear_exe_primitives::{
    ActorId, MessageId,
    message::{OutgoingMessage, ReplyCode, ReplyDetails},
    round::ExecutionParameters,
};
use std::{collections::btree_map::Entry, sync::atomic::Ordering::Relaxed};

/// How much of a round's room for Ethereum may be taken.
#[derive(Clone, Copy)]
pub(super) enum Most {
    /// What earlier rounds left over gets half, so that it does not keep others from running.
    Half,
    Whole,
}

impl Round<'_> {
    pub(super) fn route(&mut self, actor: ActorId, effect: Effect) -> Result<(), RoundError> {
        match effect {
            Effect::Schedule(height, task) => {
                self.schedule(height, task);
                Ok(())
            }
            Effect::Unschedule(height, task) => {
                self.unschedule(height, task);
                Ok(())
            }
            Effect::Keep { value } => self.give(actor, value),
            Effect::Inherit { heir, value } => {
                // What goes to an heir that is no program, its Mirror sends when it is told of the exit.
                if heir == actor || !self.find(heir)? {
                    return Ok(());
                }
                if let Some(work) = self.work(actor)? {
                    work.move_to_custody(value)?;
                }
                self.transfer(actor, heir, value)?;
                self.give(heir, value)
            }
            Effect::Reply {
                to,
                source,
                code,
                payload,
                value,
                call,
            } => {
                if self.scope.query == Some(to) {
                    self.answer = Some(Answer {
                        code,
                        payload,
                        value,
                    });
                    return Ok(());
                }
                let details = ReplyDetails { to, code };
                if self.find(source)? {
                    self.transfer(actor, source, value)?;
                    return self.enqueue_reply(source, actor, details, payload, value);
                }
                let message = OutgoingMessage {
                    id: MessageId::reply(to),
                    destination: source.to_address_lossy(),
                    payload,
                    value,
                    reply_details: Some(details),
                    call,
                };
                self.outgoing(actor, Outgoing::Reply(message));
                Ok(())
            }
            Effect::Send(sent) => self.send(actor, sent),
        }
    }

    fn send(&mut self, actor: ActorId, sent: Sent) -> Result<(), RoundError> {
        let Sent {
            id,
            destination,
            payload,
            value,
            delay,
        } = sent;
        if let Some(work) = self.work(actor)? {
            work.move_to_custody(value)?;
        }
        let program = self.find(destination)?;
        if !program && destination.to_address().is_none() {
            let details = ReplyDetails {
                to: id,
                code: ReplyCode::PROGRAM_NOT_CREATED,
            };
            return self.enqueue_reply(actor, destination, details, Vec::new(), value);
        }
        if program {
            self.transfer(actor, destination, value)?;
        }
        if delay > 0 {
            return self.stash(
                actor,
                program,
                Sent {
                    id,
                    destination,
                    payload,
                    value,
                    delay,
                },
            );
        }
        if program {
            let incoming = Incoming {
                id,
                source: actor,
                payload,
                value,
                call: false,
                message_type: MessageType::Canonical,
            };
            return self.enqueue(destination, DispatchKind::Handle, incoming);
        }
        let message = OutgoingMessage {
            id,
            destination: destination.to_address_lossy(),
            payload,
            value,
            reply_details: None,
            call: false,
        };
        self.outgoing(actor, Outgoing::Mail(destination, message));
        Ok(())
    }

    /// Keeps a delayed message with its destination, or with its sender if that is a user.
    fn stash(&mut self, actor: ActorId, program: bool, sent: Sent) -> Result<(), RoundError> {
        let (holder, user) = if program {
            (sent.destination, None)
        } else {
            (actor, Some(sent.destination))
        };
        let expiry = self.scope.height().saturating_add(sent.delay);
        tracing::debug!(message = %sent.id, program = %holder, until = expiry, "message delayed");
        let dispatch = Dispatch {
            id: sent.id,
            kind: DispatchKind::Handle,
            source: actor,
            payload: put_payload(self.scope.content, sent.payload),
            value: sent.value,
            details: None,
            context: None,
            message_type: MessageType::Canonical,
            call: false,
        };
        if let Some(work) = self.work(holder)? {
            let value = (dispatch, user);
            work.account
                .stash
                .insert(sent.id, Expiring { value, expiry });
        }
        self.schedule(expiry, Task::Unstash(holder, sent.id));
        Ok(())
    }

    /// Puts something behind what its program has to send to Ethereum.
    pub(super) fn outgoing(&mut self, actor: ActorId, outgoing: Outgoing) {
        self.ledger
            .outgoing
            .entry(actor)
            .or_default()
            .push_back(outgoing);
    }

    /// Hands over what waits for Ethereum, as far as `most` of a round's limits allow: one of each program in turn, each
    /// program's own in order. The first of a round always goes: nothing can block the others for ever.
    pub(super) fn drain(&mut self, most: Most) -> Result<(), RoundError> {
        let limits = match most {
            Most::Whole => *self.scope.parameters,
            Most::Half => ExecutionParameters {
                max_round_messages: self.scope.parameters.max_round_messages / 2,
                max_round_bytes: self.scope.parameters.max_round_bytes / 2,
                ..*self.scope.parameters
            },
        };
        while !self.ledger.outgoing.is_empty() {
            let mut actors: Vec<ActorId> = self.ledger.outgoing.keys().copied().collect();
            // Who comes first turns with the block.
            let turn = self.scope.block.number % actors.len() as u64;
            actors.rotate_left(turn as usize);
            for actor in actors {
                if !self.drain_one(actor, &limits)? {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Hands over the next thing that a program has to send. False if the round has no room for it.
    fn drain_one(
        &mut self,
        actor: ActorId,
        limits: &ExecutionParameters,
    ) -> Result<bool, RoundError> {
        let Entry::Occupied(mut entry) = self.ledger.outgoing.entry(actor) else {
            return Ok(true);
        };
        let Some(next) = entry.get_mut().pop_front() else {
            entry.remove();
            return Ok(true);
        };
        let size = match &next {
            Outgoing::Reply(message) | Outgoing::Mail(_, message) => {
                Outward::message(message.payload.len(), message.call)
            }
            Outgoing::Claim(_) => Outward::claim(),
        };
        let all = self.outward.plus(size);
        let first = self.outward == Outward::default();
        if self.scope.query.is_none() && !first && !all.fits(limits) {
            entry.get_mut().push_front(next);
            return Ok(false);
        }
        if entry.get().is_empty() {
            entry.remove();
        }
        self.outward = all;
        if self.scope.query.is_none() {
            let stats = self.scope.stats;
            stats.messages_to_ethereum.fetch_add(1, Relaxed);
        }
        self.hand_over(actor, next)?;
        Ok(true)
    }

    fn hand_over(&mut self, actor: ActorId, outgoing: Outgoing) -> Result<(), RoundError> {
        match outgoing {
            Outgoing::Reply(message) => {
                let details = message
                    .reply_details
                    .map(|details| (details.to, details.code));
                tracing::debug!(program = %actor, user = ?message.destination, reply = ?details, value = message.value, "reply goes to Ethereum");
                if let Some(work) = self.work(actor)? {
                    work.move_to_mirror(message.value)?;
                    work.change.messages.push(message);
                }
            }
            Outgoing::Claim(claim) => {
                if let Some(work) = self.work(actor)? {
                    work.move_to_mirror(claim.value)?;
                    work.change.value_claims.push(claim);
                }
            }
            Outgoing::Mail(user, message) => self.mail(actor, user, message)?,
        }
        Ok(())
    }

    /// A message to a user: its value stays in custody until the user claims it. An event is answered at once.
    fn mail(
        &mut self,
        actor: ActorId,
        user: ActorId,
        message: OutgoingMessage,
    ) -> Result<(), RoundError> {
        let (id, value) = (message.id, message.value);
        tracing::debug!(message = %id, program = %actor, %user, value, "message goes to Ethereum");
        let event = is_event_destination(user);
        let payload = (!event).then(|| put_payload(self.scope.content, message.payload.clone()));
        let validity = self.scope.parameters.mailbox_validity.max(1);
        let expiry = self.scope.height().saturating_add(validity);
        let Some(work) = self.work(actor)? else {
            return Ok(());
        };
        work.change.messages.push(message);
        let Some(payload) = payload else {
            return self.auto_reply(actor, user, id);
        };
        let message = MailboxMessage {
            payload,
            value,
            message_type: MessageType::Canonical,
        };
        work.account.mailbox.entry(user).or_default().insert(
            id,
            Expiring {
                value: message,
                expiry,
            },
        );
        self.schedule(expiry, Task::Mailbox(actor, user, id));
        Ok(())
    }
}
