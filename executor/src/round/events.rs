//! What comes in: events of Router and Mirrors, and native messages. Their value is in the program's custody.

use super::{Round, Work, budget::Most};
use crate::{
    RoundError,
    gas::Outward,
    state::{
        Answer, Dispatch, DispatchKind, GasTerms, MailboxMessage, MessageDetails, MessageType,
        account::{Account, Life, put_payload},
        root::{Held, Outgoing, Task},
        store::Content,
    },
};
use gear_exe_primitives::{
    ActorId, MessageId,
    ethereum::{EthereumEvent, MirrorEvent, RouterEvent},
    hashing::keccak256,
    message::{Receipt, ReplyCode, ReplyDetails},
    round::{NativeMessage, NativeReply},
    transition::ValueClaim,
};
use primitive_types::{H160, H256};

/// A message that is put into a queue.
pub(crate) struct Incoming {
    pub(crate) id: MessageId,
    pub(crate) source: ActorId,
    pub(crate) payload: Vec<u8>,
    pub(crate) value: u128,
    pub(crate) answer: Answer,
    pub(crate) message_type: MessageType,
    pub(crate) gas: GasTerms,
}

impl Incoming {
    /// From Ethereum.
    pub(super) fn event(
        id: MessageId,
        source: H160,
        payload: Vec<u8>,
        value: u128,
        call_reply: bool,
    ) -> Self {
        Self {
            id,
            source: source.into(),
            payload,
            value,
            answer: if call_reply {
                Answer::Call
            } else {
                Answer::Event
            },
            message_type: MessageType::Canonical,
            gas: GasTerms::default(),
        }
    }

    pub(super) fn native(native: NativeMessage) -> Self {
        Self {
            id: native.id,
            source: native.source.into(),
            payload: native.payload,
            value: native.value,
            answer: if native.receipt_only {
                Answer::Receipt
            } else {
                Answer::Event
            },
            message_type: MessageType::Injected,
            gas: GasTerms::default(),
        }
    }

    /// For the queue of `program`.
    pub(super) fn into_dispatch(
        self,
        content: &Content,
        program: ActorId,
        kind: DispatchKind,
    ) -> Dispatch {
        let Self {
            id,
            source,
            payload,
            value,
            answer,
            message_type,
            gas,
        } = self;
        tracing::debug!(message = %id, %program, %source, ?kind, value, bytes = payload.len(), "message queued");
        Dispatch {
            id,
            kind,
            source,
            payload: put_payload(content, payload),
            value,
            details: None,
            context: None,
            message_type,
            answer,
            gas,
            draw: None,
        }
    }
}

/// What the reply says to whom the code [`ReplyCode::INSUFFICIENT_DEPOSIT`] says nothing.
const DEPOSIT_TOO_SMALL: &str = "the sender's deposit is less than the message's value";

/// Longest way from heir to heir of programs that have exited.
const MAX_HEIRS: usize = 16;

impl Round<'_> {
    pub(super) fn event(&mut self, event: EthereumEvent) -> Result<(), RoundError> {
        let (actor, event) = match event {
            EthereumEvent::Router(RouterEvent::ProgramCreated { actor_id, code_id }) => {
                if !self.find(actor_id)? {
                    self.absent.remove(&actor_id);
                    self.budget.touch(actor_id);
                    let account = Account::new(code_id);
                    self.programs
                        .insert(actor_id, Work::new(account, actor_id, H256::zero()));
                    tracing::info!(program = %actor_id, code = %code_id, "program created");
                }
                return Ok(());
            }
            EthereumEvent::Router(RouterEvent::Deposited { account, value }) => {
                return self.credit(account, value);
            }
            EthereumEvent::Router(RouterEvent::WithdrawalRequested {
                account,
                amount,
                id,
            }) => return self.withdraw(account, amount, id),
            EthereumEvent::Router(
                RouterEvent::CodeValidationRequested { .. } | RouterEvent::BatchApplied(_),
            ) => return Ok(()),
            EthereumEvent::Mirror { actor_id, event } => (actor_id, event),
        };
        if !self.find(actor)? {
            tracing::warn!(program = %actor, "an event of an unknown program is ignored");
            return Ok(());
        }
        self.mirror_event(actor, event)
    }

    fn mirror_event(&mut self, actor: ActorId, event: MirrorEvent) -> Result<(), RoundError> {
        match event {
            MirrorEvent::OwnedBalanceTopUpRequested { value } => self.give(actor, value),
            MirrorEvent::ExecutableBalanceTopUpRequested { value } => {
                if let Some(work) = self.work(actor)? {
                    let balance = &mut work.account.executable_balance;
                    *balance = balance.saturating_add(value);
                    tracing::debug!(program = %actor, value, balance = *balance, "executable balance topped up");
                }
                Ok(())
            }
            MirrorEvent::MessageQueueingRequested {
                id,
                source,
                payload,
                value,
                call_reply,
            } => {
                let kind = match self.programs.get_mut(&actor) {
                    Some(work) if awaits_init(&work.account) => {
                        work.account.init_sent = true;
                        DispatchKind::Init
                    }
                    _ => DispatchKind::Handle,
                };
                let incoming = Incoming::event(id, source, payload, value, call_reply);
                self.enqueue(actor, kind, incoming)
            }
            MirrorEvent::ReplyQueueingRequested {
                replied_to,
                source,
                payload,
                value,
            } => {
                if let Some(message) = self.claim(actor, source.into(), replied_to)? {
                    let details = ReplyDetails {
                        to: replied_to,
                        code: ReplyCode::SUCCESS_MANUAL,
                    };
                    let said = (payload, value, message.reply_gas);
                    return self.enqueue_reply(actor, source.into(), details, said);
                }
                tracing::debug!(program = %actor, message = %replied_to, "a reply to nothing is ignored");
                if value > 0 {
                    // The message is gone: what came with the reply goes back.
                    self.pay_back(actor, replied_to, source, value)?;
                }
                Ok(())
            }
            MirrorEvent::ValueClaimingRequested { claimed_id, source } => {
                if let Some(message) = self.claim(actor, source.into(), claimed_id)? {
                    let gas = message.reply_gas;
                    return self.auto_reply(actor, source.into(), claimed_id, gas);
                }
                tracing::debug!(program = %actor, message = %claimed_id, "a claim of nothing is ignored");
                Ok(())
            }
        }
    }

    /// A native message. One that no program can take is answered by its receipt alone.
    pub(super) fn native(&mut self, native: NativeMessage) -> Result<(), RoundError> {
        let refusal = if !self.find(native.destination)? {
            Some((ReplyCode::PROGRAM_NOT_CREATED, ""))
        } else if !self.spend(&native)? {
            Some((ReplyCode::INSUFFICIENT_DEPOSIT, DEPOSIT_TOO_SMALL))
        } else {
            None
        };
        if let Some((code, reason)) = refusal {
            tracing::warn!(message = %native.id, program = %native.destination, ?code, "native message refused");
            self.receipts.push(Receipt {
                message_id: native.id,
                program_id: native.destination,
                code,
                payload_hash: keccak256([reason]),
                value: 0,
                gas_burned: 0,
                round: self.scope.block.number,
            });
            self.replies.push(NativeReply {
                message_id: native.id,
                payload: reason.into(),
            });
            return Ok(());
        }
        let program = native.destination;
        self.enqueue(program, DispatchKind::Handle, Incoming::native(native))
    }

    pub(crate) fn enqueue(
        &mut self,
        actor: ActorId,
        kind: DispatchKind,
        incoming: Incoming,
    ) -> Result<(), RoundError> {
        let dispatch = incoming.into_dispatch(self.scope.content, actor, kind);
        if let Some(work) = self.work(actor)? {
            work.account.queue.push_back(dispatch);
        }
        Ok(())
    }

    /// A reply: its payload, value, and the gas that it may burn.
    pub(super) fn enqueue_reply(
        &mut self,
        actor: ActorId,
        source: ActorId,
        details: ReplyDetails,
        said: (Vec<u8>, u128, Option<u64>),
    ) -> Result<(), RoundError> {
        let (payload, value, gas_limit) = said;
        let id = MessageId::reply(details.to);
        tracing::debug!(message = %id, to = %details.to, program = %actor, code = ?details.code, value, "reply queued");
        let payload = put_payload(self.scope.content, payload);
        if let Some(work) = self.work(actor)? {
            work.account.queue.push_back(Dispatch {
                id,
                kind: DispatchKind::Reply,
                source,
                payload,
                value,
                details: Some(MessageDetails::Reply(details)),
                context: None,
                message_type: MessageType::Canonical,
                answer: Answer::default(),
                gas: GasTerms {
                    limit: gas_limit,
                    reply: None,
                },
                draw: None,
            });
        }
        Ok(())
    }

    /// The reply that nobody wrote.
    pub(super) fn auto_reply(
        &mut self,
        actor: ActorId,
        from: ActorId,
        to: MessageId,
        gas_limit: Option<u64>,
    ) -> Result<(), RoundError> {
        let details = ReplyDetails {
            to,
            code: ReplyCode::SUCCESS_AUTO,
        };
        self.enqueue_reply(actor, from, details, (Vec::new(), 0, gas_limit))
    }

    /// Pays a user out of the program's custody.
    pub(super) fn pay_back(
        &mut self,
        actor: ActorId,
        message_id: MessageId,
        destination: H160,
        value: u128,
    ) -> Result<(), RoundError> {
        let claim = ValueClaim {
            message_id,
            destination,
            value,
        };
        self.outgoing(actor, Outgoing::Claim(claim))
    }

    /// Takes a message out of a mailbox and pays its value to the user. Nothing if it is not there.
    pub(super) fn claim(
        &mut self,
        actor: ActorId,
        user: ActorId,
        id: MessageId,
    ) -> Result<Option<MailboxMessage>, RoundError> {
        let content = self.scope.content;
        let Some(work) = self.work(actor)? else {
            return Ok(None);
        };
        let mailbox = &mut work.account.mailbox;
        let own = mailbox.take(content, user, |own| own.remove(content, &id))?;
        let Some(message) = own else {
            return Ok(None);
        };
        if message.value.value > 0 {
            self.pay_back(actor, id, user.to_address_lossy(), message.value.value)?;
        }
        self.unschedule(message.expiry, Task::Mailbox(actor, user, id))?;
        Ok(Some(message.value))
    }

    /// Makes value in a program's custody its own, or its heir's if it has exited.
    pub(super) fn give(&mut self, actor: ActorId, value: u128) -> Result<(), RoundError> {
        let mut owner = actor;
        for _ in 0..MAX_HEIRS {
            let heir = match self.work(owner)?.map(|work| &work.account.life) {
                Some(Life::Exited(heir)) => *heir,
                _ => break,
            };
            if heir == owner || !self.find(heir)? {
                break;
            }
            if !self.admits(Most::Whole, Outward::default(), &[owner, heir]) {
                return self.hold(owner, Held::Value { heir, value });
            }
            self.transfer(owner, heir, value)?;
            owner = heir;
        }
        let Some(work) = self.work(owner)? else {
            return Ok(());
        };
        match work.account.life {
            // The Mirror passes on what it has to an heir that is no program.
            Life::Exited(_) => work.move_to_mirror(value),
            _ => work.receive(value),
        }
    }
}

/// Whether a program has neither run nor been sent its first message.
pub(super) fn awaits_init(account: &Account) -> bool {
    !account.init_sent
        && matches!(
            account.life,
            Life::Active {
                initialized: false,
                ..
            }
        )
}
