//! Where things go: to programs at once, to Ethereum through a queue that lets each round take as much as it may
//! ([`drain`](super::drain)).

use super::{Round, budget::Most, events::Incoming, queue::Effect};
use crate::{
    RoundError,
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
};

impl Round<'_> {
    pub(super) fn route(&mut self, actor: ActorId, effect: Effect) -> Result<(), RoundError> {
        match effect {
            Effect::Schedule(height, task) => self.schedule(height, task),
            Effect::Unschedule(height, task) => self.unschedule(height, task),
            Effect::Keep { value } => self.give(actor, value),
            Effect::Refund { account, value } => {
                self.pass_on(actor, Held::Deposit { account, value })
            }
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
            Effect::Reply(reply) => {
                if self.scope.query == Some(reply.to) {
                    self.answer = Some(super::Answer {
                        code: reply.code,
                        payload: reply.payload,
                        value: reply.value,
                    });
                    return Ok(());
                }
                if self.find(reply.source)? {
                    let held = Held::Reply {
                        destination: reply.source,
                        details: ReplyDetails {
                            to: reply.to,
                            code: reply.code,
                        },
                        payload: reply.payload,
                        value: reply.value,
                        gas_limit: reply.gas_limit,
                    };
                    return self.pass_on(actor, held);
                }
                let (told, message) = reply.for_user();
                self.replies.extend(told);
                match message {
                    Some(message) => self.outgoing(actor, Outgoing::Reply(message)),
                    None => Ok(()),
                }
            }
            Effect::Send(sent, endowment) => match sent.birth.as_deref().copied() {
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
    pub(super) fn deliver(&mut self, actor: ActorId, held: Held) -> Result<(), RoundError> {
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
            Held::Deposit { account, value } => self.refund(actor, account, value),
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

    /// A message to a user: its value stays in custody until the user claims it. An event is answered at once.
    pub(super) fn mail(
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
