//! What a program sets aside of its executable balance: reservations, and what its messages keep for their signals.
//!
//! Whatever happens to a program, what it has and what is set aside add up: a run that succeeds moves from one to the other,
//! a run that fails moves nothing, and the end of a message, a reservation or the program brings it back. What is set aside
//! pays for settlement where the balance does not suffice, or nobody who sets all aside would ever pay for that. The gas of
//! a reservation stays: it is a limit, and the receiver pays.
//!
//! A message that set gas aside for it has its failure told to `handle_signal`, if there is one, by a message of its own
//! that may burn so much. Nobody replies to a signal, it has no receipt, and its own failure is told to nobody.

use super::{
    Round,
    queue::{Effect, Queue},
};
use crate::{
    RoundError,
    run::SetAside,
    state::{
        Answer, ContextStore, Dispatch, DispatchKind, Expiring, GasTerms, MessageDetails,
        MessageType, PayloadLookup, Reservation,
        account::{Account, Life},
        root::Task,
    },
    vm::Entry,
};
use gear_exe_primitives::{ActorId, MessageId, hashing::blake2b256, message::ReplyCode};
use primitive_types::H256;

/// Who sends signals.
const SYSTEM: [u8; 32] = *b"geargeargeargeargeargeargeargear";

/// What a program is told of a failure; nothing if it is none of its own.
fn signal_code(code: ReplyCode) -> Option<u32> {
    Some(match code {
        ReplyCode::USERSPACE_PANIC => 100,
        ReplyCode::RAN_OUT_OF_GAS => 101,
        ReplyCode::BACKEND_ERROR => 102,
        ReplyCode::MEMORY_OVERFLOW => 103,
        ReplyCode::UNREACHABLE => 104,
        ReplyCode::STACK_LIMIT_EXCEEDED => 105,
        ReplyCode::REMOVED_FROM_WAITLIST => 200,
        _ => return None,
    })
}

impl Account {
    fn take_back(&mut self, value: u128) {
        self.executable_balance = self.executable_balance.saturating_add(value);
    }

    /// Pays from the balance, and then from all that is set aside, as far as that goes. Returns what was paid.
    pub(super) fn pay_with_all(&mut self, price: u128) -> u128 {
        let reserved = self.reservations.values_mut();
        let reserved = reserved.map(|own| &mut own.value.value);
        let mut due = price;
        for source in std::iter::once(&mut self.executable_balance)
            .chain(reserved)
            .chain([&mut self.kept_for_signals])
        {
            let part = due.min(*source);
            *source -= part;
            due -= part;
        }
        price - due
    }

    /// Takes a reservation back. Nothing if it is not there.
    fn release(&mut self, id: H256) -> Option<Expiring<Reservation>> {
        let reservation = self.reservations.remove(&id)?;
        self.take_back(reservation.value.value);
        Some(reservation)
    }
}

impl Round<'_> {
    /// The time of a reservation is over.
    pub(super) fn expire(&mut self, actor: ActorId, id: H256) -> Result<(), RoundError> {
        if let Some(work) = self.work(actor)?
            && let Some(reservation) = work.account.release(id)
        {
            tracing::debug!(program = %actor, reservation = ?id, gas = reservation.value.gas, "reservation expired");
        }
        Ok(())
    }
}

impl Queue<'_> {
    /// Takes gas out of the executable balance, and says what that came to.
    pub(super) fn set_aside(&mut self, gas: u64) -> u128 {
        if self.scope.query.is_some() {
            return 0;
        }
        let price = self.price(gas);
        let balance = &mut self.result.work.account.executable_balance;
        // A run cannot reserve more than its program can pay.
        let value = price.min(*balance);
        *balance -= value;
        value
    }

    fn release(&mut self, id: H256) {
        if let Some(reservation) = self.result.work.account.release(id) {
            let task = Task::Reservation(self.actor, id);
            let effect = Effect::Unschedule(reservation.expiry, task);
            self.result.effects.push(effect);
        }
    }

    /// Takes over what a run that succeeded did to the program's reservations.
    pub(super) fn apply_reservations(&mut self, set_aside: &SetAside) {
        for id in &set_aside.released {
            self.release(*id);
        }
        for new in &set_aside.reserved {
            let value = Reservation {
                gas: new.gas,
                value: self.set_aside(new.gas),
            };
            let expiry = self.scope.height().saturating_add(new.duration);
            // Two of the same id cannot be; if they were, nothing would be lost.
            self.release(new.id);
            tracing::debug!(program = %self.actor, reservation = ?new.id, gas = new.gas, until = expiry, "gas reserved");
            let account = &mut self.result.work.account;
            account
                .reservations
                .insert(new.id, Expiring { value, expiry });
            let task = Task::Reservation(self.actor, new.id);
            self.result.effects.push(Effect::Schedule(expiry, task));
        }
    }

    /// A message waits: what it keeps for its signal stays set aside.
    pub(super) fn keep_for_signal(&mut self, context: &mut ContextStore, set_aside: &SetAside) {
        context.gas_set_aside = context.gas_set_aside.saturating_add(set_aside.gas());
        context.signal_gas = context.signal_gas.saturating_add(set_aside.signal_gas);
        let value = self.set_aside(set_aside.signal_gas);
        context.signal_value = context.signal_value.saturating_add(value);
        let kept = &mut self.result.work.account.kept_for_signals;
        *kept = kept.saturating_add(value);
    }

    /// A message ends.
    pub(super) fn take_back_for_signal(&mut self, context: Option<&ContextStore>) {
        let value = context.map_or(0, |context| context.signal_value);
        let account = &mut self.result.work.account;
        // Settlement may have taken of it.
        let value = value.min(account.kept_for_signals);
        account.kept_for_signals -= value;
        account.take_back(value);
    }

    /// Tells the program that one of its messages failed, if it has set aside `gas` for that.
    pub(super) fn signal(&mut self, failed: &Dispatch, code: ReplyCode, gas: u64) {
        let told = matches!(failed.kind, DispatchKind::Handle | DispatchKind::Reply);
        let listens = self.code.facts.entries.contains(Entry::Signal.name());
        let alive = matches!(self.result.work.account.life, Life::Active { .. });
        let Some(code) = signal_code(code).filter(|_| told && listens && alive && gas > 0) else {
            return;
        };
        let from = failed.id;
        let id = MessageId(blake2b256([&b"signal"[..], from.as_ref()]));
        tracing::debug!(message = %id, %from, program = %self.actor, code, gas, "signal queued");
        self.result.work.account.queue.push_back(Dispatch {
            id,
            kind: DispatchKind::Signal,
            source: SYSTEM.into(),
            payload: PayloadLookup::Direct(Vec::new()),
            value: 0,
            details: Some(MessageDetails::Signal { from, code }),
            context: None,
            message_type: MessageType::Canonical,
            answer: Answer::default(),
            gas: GasTerms {
                limit: Some(gas),
                reply: None,
            },
            draw: None,
        });
    }

    /// The program ends: all that it has set aside comes back. What its messages keep comes back when they end.
    pub(super) fn release_all(&mut self) {
        let all: Vec<_> = self
            .result
            .work
            .account
            .reservations
            .keys()
            .copied()
            .collect();
        for id in all {
            self.release(id);
        }
    }
}
