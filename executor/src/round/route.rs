//! Where things go: to programs at once, to Ethereum through a queue that lets each round take as much as it may.

use super::{Round, budget::Most, events::Incoming, queue::Effect};
use crate::{
    RoundError,
    gas::Outward,
    run::Sent,
    state::{
        Answer, Dispatch, DispatchKind, Expiring, GasTerms, MailboxMessage, MessageType,
        account::put_payload,
        root::{Held, Outgoing, Task},
    },
    syscalls::is_event_destination,
};
use gear_exe_primitives::{
    ActorId, MessageId,
    message::{OutgoingMessage, ReplyCode, ReplyDetails},
    round::NativeReply,
};
use std::sync::atomic::Ordering::Relaxed;

impl Round<'_> {
    pub(super) fn route(&mut self, actor: ActorId, effect: Effect) -> Result<(), RoundError> {
        match effect {
            Effect::Schedule(height, task) => self.schedule(height, task),
            Effect::Unschedule(height, task) => self.unschedule(height, task),
            Effect::Keep { value } => self.give(actor, value),
            Effect::Inherit { heir, value } => {
                // What goes to an heir that is no program, its Mirror sends when it is told of the exit.
                if heir == actor || !self.find(heir)? {
                    return Ok(());
                }
                if let Some(work) = self.work(actor)? {
                    work.move_to_custody(value)?;
                }
                self.pass_on(actor, Held::Value { heir, value })
            }
            Effect::Reply {
                to,
                source,
                code,
                payload,
                value,
                gas_limit,
                answer,
                native,
            } => {
                if self.scope.query == Some(to) {
                    self.answer = Some(super::Answer {
                        code,
                        payload,
                        value,
                    });
                    return Ok(());
                }
                let details = ReplyDetails { to, code };
                if self.find(source)? {
                    let reply = Held::Reply {
                        destination: source,
                        details,
                        payload,
                        value,
                        gas_limit,
                    };
                    return self.pass_on(actor, reply);
                }
                if native {
                    self.replies.push(NativeReply {
                        message_id: to,
                        payload: payload.clone(),
                    });
                    if answer == Answer::Receipt && value == 0 {
                        return Ok(());
                    }
                }
                let message = OutgoingMessage {
                    id: MessageId::reply(to),
                    destination: source.to_address_lossy(),
                    payload,
                    value,
                    reply_details: Some(details),
                    call: answer == Answer::Call,
                };
                self.outgoing(actor, Outgoing::Reply(message))
            }
            Effect::Send(sent, endowment) => match sent.birth {
                Some(birth) => self.create(actor, sent, birth, endowment),
                None => self.send(actor, sent),
            },
        }
    }

    fn send(&mut self, actor: ActorId, sent: Sent) -> Result<(), RoundError> {
        let Sent {
            id,
            destination,
            payload,
            value,
            delay,
            gas,
            birth: _,
        } = sent;
        if let Some(work) = self.work(actor)? {
            work.move_to_custody(value)?;
        }
        let program = self.find(destination)?;
        if !program && destination.to_address().is_none() {
            return self.not_created(actor, destination, (id, value, gas));
        }
        if program {
            let message = Held::Message {
                id,
                destination,
                payload,
                value,
                delay,
                gas,
            };
            return self.pass_on(actor, message);
        }
        if delay > 0 {
            let stashed = Stashed {
                id,
                kind: DispatchKind::Handle,
                source: actor,
                user: Some(destination),
                payload,
                value,
                delay,
                gas,
            };
            return self.stash(actor, stashed);
        }
        let message = OutgoingMessage {
            id,
            destination: destination.to_address_lossy(),
            payload,
            value,
            reply_details: None,
            call: false,
        };
        self.outgoing(actor, Outgoing::Mail(destination, message, gas.reply))
    }

    /// Tells the sender of a message that there is no such program. Its value, in the sender's custody, comes back.
    pub(super) fn not_created(
        &mut self,
        actor: ActorId,
        destination: ActorId,
        message: (MessageId, u128, GasTerms),
    ) -> Result<(), RoundError> {
        let (to, value, gas) = message;
        let details = ReplyDetails {
            to,
            code: ReplyCode::PROGRAM_NOT_CREATED,
        };
        self.enqueue_reply(actor, destination, details, (Vec::new(), value, gas.reply))
    }

    /// Sends to a program, if the round has room for it and nothing of this sender waits before it.
    pub(super) fn pass_on(&mut self, actor: ActorId, held: Held) -> Result<(), RoundError> {
        let both = [actor, held.destination()];
        if self.ledger.held.contains(self.scope.content, actor)?
            || !self.admits(Most::Whole, held.outward(), &both)
        {
            return self.hold(actor, held);
        }
        self.deliver(actor, held)
    }

    /// Keeps something for a later round.
    pub(super) fn hold(&mut self, actor: ActorId, held: Held) -> Result<(), RoundError> {
        tracing::debug!(program = %actor, to = %held.destination(), "a message waits for a later round: this one is full");
        let backlog = &mut self.ledger.held;
        Ok(backlog.put(self.scope.content, actor, |line| {
            line.push_back(held);
            Ok(())
        })?)
    }

    /// Takes what a program sends to another one there. Its value leaves the sender's custody.
    fn deliver(&mut self, actor: ActorId, held: Held) -> Result<(), RoundError> {
        match held {
            Held::Message {
                id,
                destination,
                payload,
                value,
                delay,
                gas,
            } => {
                self.transfer(actor, destination, value)?;
                if delay > 0 {
                    let stashed = Stashed {
                        id,
                        kind: DispatchKind::Handle,
                        source: actor,
                        user: None,
                        payload,
                        value,
                        delay,
                        gas,
                    };
                    return self.stash(destination, stashed);
                }
                let incoming = Incoming {
                    id,
                    source: actor,
                    payload,
                    value,
                    answer: Answer::default(),
                    message_type: MessageType::Canonical,
                    gas,
                };
                self.enqueue(destination, DispatchKind::Handle, incoming)
            }
            Held::Reply {
                destination,
                details,
                payload,
                value,
                gas_limit,
            } => {
                self.transfer(actor, destination, value)?;
                self.enqueue_reply(destination, actor, details, (payload, value, gas_limit))
            }
            Held::Value { heir, value } => {
                self.transfer(actor, heir, value)?;
                self.give(heir, value)
            }
            Held::Program(new) => self.bring_up(actor, *new),
        }
    }

    /// Keeps a delayed message with its destination, or with its sender if that is a user.
    pub(super) fn stash(&mut self, holder: ActorId, stashed: Stashed) -> Result<(), RoundError> {
        let Stashed {
            id,
            kind,
            source,
            user,
            payload,
            value,
            delay,
            gas,
        } = stashed;
        let expiry = self.scope.height().saturating_add(delay);
        tracing::debug!(message = %id, program = %holder, until = expiry, "message delayed");
        let dispatch = Dispatch {
            id,
            kind,
            source,
            payload: put_payload(self.scope.content, payload),
            value,
            details: None,
            context: None,
            message_type: MessageType::Canonical,
            answer: Answer::default(),
            gas,
            draw: None,
        };
        let content = self.scope.content;
        if let Some(work) = self.work(holder)? {
            let value = (dispatch, user);
            let stashed = Expiring { value, expiry };
            work.account.stash.insert(content, &id, &stashed)?;
        }
        self.schedule(expiry, Task::Unstash(holder, id))
    }

    /// Puts something behind what its program has to send to Ethereum.
    pub(super) fn outgoing(&mut self, actor: ActorId, next: Outgoing) -> Result<(), RoundError> {
        let backlog = &mut self.ledger.outgoing;
        Ok(backlog.put(self.scope.content, actor, |line| {
            line.push_back(next);
            Ok(())
        })?)
    }

    /// Whether a program has more to send than rounds could take so far. Then it waits until that is gone.
    pub(super) fn has_backlog(&mut self, actor: ActorId) -> Result<bool, RoundError> {
        let content = self.scope.content;
        Ok(self.ledger.outgoing.contains(content, actor)?
            || self.ledger.held.contains(content, actor)?)
    }

    /// Whether something that programs sent waits for a later round.
    pub(super) fn is_full(&self) -> bool {
        !self.ledger.outgoing.is_empty() || !self.ledger.held.is_empty()
    }

    /// Hands over what waits for Ethereum and for programs, as far as `most` of the round's budget allows: one of each
    /// program in turn, each program's own in order.
    pub(super) fn drain(&mut self, most: Most) -> Result<(), RoundError> {
        // Neither kind can keep the other out for ever.
        let programs_first = self.scope.block.number.is_multiple_of(2);
        if programs_first {
            self.drain_all_held(most)?;
        }
        self.drain_all_outgoing(most)?;
        if !programs_first {
            self.drain_all_held(most)?;
        }
        Ok(())
    }

    /// One of each program in turn, until there is nothing left or no room.
    fn drain_all_outgoing(&mut self, most: Most) -> Result<(), RoundError> {
        let content = self.scope.content;
        loop {
            let backlog = &mut self.ledger.outgoing;
            let next = match backlog.seek(content, self.ledger.turns.outgoing)? {
                None => backlog.seek(content, ActorId::zero())?,
                next => next,
            };
            let Some(actor) = next else {
                return Ok(());
            };
            if !self.drain_outgoing(actor, most)? {
                return Ok(());
            }
            self.ledger.turns.outgoing = after(actor);
        }
    }

    fn drain_all_held(&mut self, most: Most) -> Result<(), RoundError> {
        let content = self.scope.content;
        loop {
            let backlog = &mut self.ledger.held;
            let next = match backlog.seek(content, self.ledger.turns.held)? {
                None => backlog.seek(content, ActorId::zero())?,
                next => next,
            };
            let Some(actor) = next else {
                return Ok(());
            };
            if !self.drain_held(actor, most)? {
                return Ok(());
            }
            self.ledger.turns.held = after(actor);
        }
    }

    /// Hands over the next thing that a program has for Ethereum. False if the round has no room for it.
    fn drain_outgoing(&mut self, actor: ActorId, most: Most) -> Result<bool, RoundError> {
        let content = self.scope.content;
        let size = self.ledger.outgoing.take(content, actor, |line| {
            let next = line.peek(content)?;
            Ok(next.map(|next| match next {
                Outgoing::Reply(message) | Outgoing::Mail(_, message, _) => {
                    Outward::message(message.payload.len(), message.call)
                }
                Outgoing::Claim(_) => Outward::claim(),
            }))
        })?;
        let Some(size) = size else {
            return Ok(true);
        };
        // The first of a round always goes: nothing can block the others for ever.
        if !self.budget.is_first_message() && !self.admits(most, size, &[actor]) {
            return Ok(false);
        }
        let backlog = &mut self.ledger.outgoing;
        let next = backlog.take(content, actor, |line| line.pop_front(content))?;
        let Some(next) = next else {
            return Ok(true);
        };
        self.budget.send(size);
        if self.scope.query.is_none() {
            let stats = self.scope.stats;
            stats.messages_to_ethereum.fetch_add(1, Relaxed);
        }
        self.hand_over(actor, next)?;
        Ok(true)
    }

    /// Delivers the next thing that a program has for another one. False if the round has no room for it.
    fn drain_held(&mut self, actor: ActorId, most: Most) -> Result<bool, RoundError> {
        let content = self.scope.content;
        let next = self.ledger.held.take(content, actor, |line| {
            let next = line.peek(content)?;
            Ok(next.map(|next| (next.destination(), next.outward())))
        })?;
        let Some((destination, outward)) = next else {
            return Ok(true);
        };
        if !self.admits(most, outward, &[actor, destination]) {
            return Ok(false);
        }
        let backlog = &mut self.ledger.held;
        if let Some(next) = backlog.take(content, actor, |line| line.pop_front(content))? {
            self.deliver(actor, next)?;
        }
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
            Outgoing::Mail(user, message, reply_gas) => {
                self.mail(actor, user, message, reply_gas)?;
            }
        }
        Ok(())
    }

    /// A message to a user: its value stays in custody until the user claims it. An event is answered at once.
    fn mail(
        &mut self,
        actor: ActorId,
        user: ActorId,
        message: OutgoingMessage,
        reply_gas: Option<u64>,
    ) -> Result<(), RoundError> {
        let (id, value) = (message.id, message.value);
        tracing::debug!(message = %id, program = %actor, %user, value, "message goes to Ethereum");
        let content = self.scope.content;
        let event = is_event_destination(user);
        let payload = (!event).then(|| put_payload(content, message.payload.clone()));
        let validity = self.scope.parameters.mailbox_validity.max(1);
        let expiry = self.scope.height().saturating_add(validity);
        let Some(work) = self.work(actor)? else {
            return Ok(());
        };
        work.change.messages.push(message);
        let Some(payload) = payload else {
            return self.auto_reply(actor, user, id, reply_gas);
        };
        let message = MailboxMessage {
            payload,
            value,
            message_type: MessageType::Canonical,
            reply_gas,
        };
        let message = Expiring {
            value: message,
            expiry,
        };
        let mailbox = &mut work.account.mailbox;
        mailbox.put(content, user, |own| own.insert(content, &id, &message))?;
        self.schedule(expiry, Task::Mailbox(actor, user, id))
    }
}

/// A delayed message.
pub(super) struct Stashed {
    pub(super) id: MessageId,
    pub(super) kind: DispatchKind,
    pub(super) source: ActorId,
    /// Set if it goes to a user.
    pub(super) user: Option<ActorId>,
    pub(super) payload: Vec<u8>,
    pub(super) value: u128,
    pub(super) delay: u32,
    pub(super) gas: GasTerms,
}

/// The actor that comes next.
pub(super) fn after(actor: ActorId) -> ActorId {
    let mut bytes = actor.0.0;
    for byte in bytes.iter_mut().rev() {
        *byte = byte.wrapping_add(1);
        if *byte != 0 {
            break;
        }
    }
    bytes.into()
}
