//! Sending messages: in one call, or streamed by handle.
//!
//! The receiver pays for what it does. Gas that is given with a message (`*_wgas`), or comes from a reservation, is the
//! most that all runs of the message may burn there together; running out of it is a failure, whatever the receiver has.
//! None at all is allowed, and fails. A user is not concerned.

use super::{
    Env, answer, array, charge, code, id_and_value, input_slice, is_event_destination,
    reserving::GasSource, slice,
};
use crate::{
    gas,
    run::{Host, Sent},
    state::{Bytes, GasTerms},
};
use gear_exe_primitives::{ActorId, MessageId};
use primitive_types::H256;
use wasmtime::{Linker, Result};

/// Who gets a message, and what goes with it.
#[derive(Clone, Copy)]
struct Target {
    destination: ActorId,
    value: u128,
    gas: GasSource,
    delay: u32,
}

/// Reads id and value.
fn target(env: &mut Env<'_>, at: u32, gas: GasSource, delay: u32) -> Result<Target> {
    let (id, value) = id_and_value(env, at)?;
    Ok(Target {
        destination: id.into(),
        value,
        gas,
        delay,
    })
}

/// Reads the id of a reservation, then id and value.
fn reserved_target(env: &mut Env<'_>, at: u32, delay: u32) -> Result<Target> {
    let reservation = GasSource::Reservation(H256(array(env, at)?));
    // Past the end of memory for one at its end, which fails.
    target(env, at.saturating_add(32), reservation, delay)
}

fn send(env: &mut Env<'_>, to: Target, at: u32, length: u32, err: u32) -> Result<()> {
    let payload = slice(env, at, length)?;
    let sent = env.data_mut().send(to, payload);
    answer(env, err, sent, 32)
}

fn send_input(env: &mut Env<'_>, to: Target, offset: u32, length: u32, err: u32) -> Result<()> {
    let payload = input_slice(env, offset, length)?;
    let sent = payload.and_then(|payload| env.data_mut().send(to, payload));
    answer(env, err, sent, 32)
}

fn commit(env: &mut Env<'_>, handle: u32, to: Target, err: u32) -> Result<()> {
    let sent = env.data_mut().commit(handle, to);
    answer(env, err, sent, 32)
}

pub(super) fn link(linker: &mut Linker<Host>) -> Result<()> {
    linker.func_wrap(
        "env",
        "gr_send",
        |mut env: Env<'_>, to: u32, at: u32, length: u32, delay: u32, err: u32| -> Result<()> {
            charge(&mut env, gas::SYSCALL + gas::SEND)?;
            let to = target(&mut env, to, GasSource::Open, delay)?;
            send(&mut env, to, at, length, err)
        },
    )?;
    linker.func_wrap(
        "env",
        "gr_send_wgas",
        |mut env: Env<'_>,
         to: u32,
         at: u32,
         length: u32,
         limit: u64,
         delay: u32,
         err: u32|
         -> Result<()> {
            charge(&mut env, gas::SYSCALL + gas::SEND)?;
            let to = target(&mut env, to, GasSource::Given(limit), delay)?;
            send(&mut env, to, at, length, err)
        },
    )?;
    linker.func_wrap(
        "env",
        "gr_reservation_send",
        |mut env: Env<'_>, to: u32, at: u32, length: u32, delay: u32, err: u32| -> Result<()> {
            charge(&mut env, gas::SYSCALL + gas::SEND)?;
            let to = reserved_target(&mut env, to, delay)?;
            send(&mut env, to, at, length, err)
        },
    )?;
    linker.func_wrap(
        "env",
        "gr_send_input",
        |mut env: Env<'_>, to: u32, offset: u32, length: u32, delay: u32, err: u32| -> Result<()> {
            charge(&mut env, gas::SYSCALL + gas::SEND)?;
            let to = target(&mut env, to, GasSource::Open, delay)?;
            send_input(&mut env, to, offset, length, err)
        },
    )?;
    linker.func_wrap(
        "env",
        "gr_send_input_wgas",
        |mut env: Env<'_>,
         to: u32,
         offset: u32,
         length: u32,
         limit: u64,
         delay: u32,
         err: u32|
         -> Result<()> {
            charge(&mut env, gas::SYSCALL + gas::SEND)?;
            let to = target(&mut env, to, GasSource::Given(limit), delay)?;
            send_input(&mut env, to, offset, length, err)
        },
    )?;
    linker.func_wrap(
        "env",
        "gr_send_init",
        |mut env: Env<'_>, err: u32| -> Result<()> {
            charge(&mut env, gas::SYSCALL)?;
            let handle = env.data_mut().open_message();
            answer(&mut env, err, handle, 4)
        },
    )?;
    linker.func_wrap(
        "env",
        "gr_send_push",
        |mut env: Env<'_>, handle: u32, at: u32, length: u32, err: u32| -> Result<()> {
            charge(&mut env, gas::SYSCALL)?;
            let bytes = slice(&mut env, at, length)?;
            let pushed = env.data_mut().push(handle, &bytes);
            answer(&mut env, err, pushed, 0)
        },
    )?;
    linker.func_wrap(
        "env",
        "gr_send_push_input",
        |mut env: Env<'_>, handle: u32, offset: u32, length: u32, err: u32| -> Result<()> {
            charge(&mut env, gas::SYSCALL)?;
            let bytes = input_slice(&mut env, offset, length)?;
            let pushed = bytes.and_then(|bytes| env.data_mut().push(handle, &bytes));
            answer(&mut env, err, pushed, 0)
        },
    )?;
    linker.func_wrap(
        "env",
        "gr_send_commit",
        |mut env: Env<'_>, handle: u32, to: u32, delay: u32, err: u32| -> Result<()> {
            charge(&mut env, gas::SYSCALL + gas::SEND)?;
            let to = target(&mut env, to, GasSource::Open, delay)?;
            commit(&mut env, handle, to, err)
        },
    )?;
    linker.func_wrap(
        "env",
        "gr_send_commit_wgas",
        |mut env: Env<'_>, handle: u32, to: u32, limit: u64, delay: u32, err: u32| -> Result<()> {
            charge(&mut env, gas::SYSCALL + gas::SEND)?;
            let to = target(&mut env, to, GasSource::Given(limit), delay)?;
            commit(&mut env, handle, to, err)
        },
    )?;
    linker.func_wrap(
        "env",
        "gr_reservation_send_commit",
        |mut env: Env<'_>, handle: u32, to: u32, delay: u32, err: u32| -> Result<()> {
            charge(&mut env, gas::SYSCALL + gas::SEND)?;
            let to = reserved_target(&mut env, to, delay)?;
            commit(&mut env, handle, to, err)
        },
    )?;
    Ok(())
}

impl Host {
    fn send(&mut self, to: Target, payload: Vec<u8>) -> Result<Vec<u8>, u32> {
        let Target {
            destination,
            value,
            gas,
            delay,
        } = to;
        self.may_send(payload.len())?;
        // Nobody could ever take it out there.
        if value > 0 && is_event_destination(destination) {
            return Err(code::INSUFFICIENT_VALUE);
        }
        if value > self.input.balance {
            return Err(code::NOT_ENOUGH_VALUE);
        }
        let limit = self.gas_limit(gas)?;
        self.fits_outward(destination, payload.len())?;
        self.pay(value)?;
        self.use_gas(gas);
        let id = self.next_id();
        self.post(Sent {
            id,
            destination,
            payload,
            value,
            delay,
            gas: GasTerms { limit, reply: None },
            birth: None,
        });
        Ok(id.as_ref().to_vec())
    }

    /// Whether the program may send another message of this length.
    pub(super) fn may_send(&self, length: usize) -> Result<(), u32> {
        self.fits(length)?;
        if self.sent.len() >= self.parameters.max_outgoing_messages as usize {
            return Err(code::TOO_MANY_MESSAGES);
        }
        Ok(())
    }

    /// The id of the next message.
    pub(super) fn next_id(&mut self) -> MessageId {
        let context = &mut self.input.context;
        let id = MessageId::outgoing(self.input.id, context.nonce);
        context.nonce = context.nonce.wrapping_add(1);
        id
    }

    /// Takes a message that has been paid for.
    pub(super) fn post(&mut self, sent: Sent) {
        self.sent_bytes += sent.payload.len() as u64;
        self.sent.push(sent);
    }

    fn open_message(&mut self) -> Result<Vec<u8>, u32> {
        let limit = self.parameters.max_outgoing_messages as usize;
        let context = &mut self.input.context;
        if context.handles.len() + self.sent.len() >= limit {
            return Err(code::TOO_MANY_MESSAGES);
        }
        let handle = context.next_handle;
        context.next_handle = handle.wrapping_add(1);
        context.handles.insert(handle, Bytes::default());
        Ok(handle.to_le_bytes().to_vec())
    }

    /// What it means that there is no such handle: the message was sent already, or never begun.
    fn no_handle(&self, handle: u32) -> u32 {
        if handle < self.input.context.next_handle {
            code::LATE_ACCESS
        } else {
            code::OUT_OF_BOUNDS
        }
    }

    fn push(&mut self, handle: u32, bytes: &[u8]) -> Result<Vec<u8>, u32> {
        let Some(held) = self.input.context.handles.get(&handle) else {
            return Err(self.no_handle(handle));
        };
        if held.0.len() + bytes.len() > self.parameters.max_payload_bytes as usize {
            return Err(code::TOO_BIG_MESSAGE);
        }
        self.fits(bytes.len())?;
        if let Some(buffer) = self.input.context.handles.get_mut(&handle) {
            buffer.0.extend_from_slice(bytes);
            self.held_bytes += bytes.len() as u64;
        }
        Ok(Vec::new())
    }

    fn commit(&mut self, handle: u32, to: Target) -> Result<Vec<u8>, u32> {
        let Some(payload) = self.input.context.handles.remove(&handle) else {
            return Err(self.no_handle(handle));
        };
        let held = payload.0.len() as u64;
        self.held_bytes -= held;
        let sent = self.send(to, payload.0.clone());
        if sent.is_err() {
            self.held_bytes += held;
            self.input.context.handles.insert(handle, payload);
        }
        sent
    }
}
