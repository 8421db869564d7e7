//! Sending messages: in one call, or streamed by handle.

use super::{Env, answer, array, charge, code, input_slice, is_event_destination, slice};
use crate::{
    gas,
    run::{Host, Sent},
    state::Bytes,
};
use gear_exe_primitives::{ActorId, MessageId};
use wasmtime::{Linker, Result};

/// Who gets a message, and how much with it.
fn target(env: &mut Env<'_>, at: u32) -> Result<(ActorId, u128)> {
    let bytes: [u8; 48] = array(env, at)?;
    let (mut id, mut value) = ([0; 32], [0; 16]);
    id.copy_from_slice(&bytes[..32]);
    value.copy_from_slice(&bytes[32..]);
    Ok((id.into(), u128::from_le_bytes(value)))
}

pub(super) fn link(linker: &mut Linker<Host>) -> Result<()> {
    linker.func_wrap(
        "env",
        "gr_send",
        |mut env: Env<'_>, to: u32, at: u32, length: u32, delay: u32, err: u32| -> Result<()> {
            charge(&mut env, gas::SYSCALL + gas::SEND)?;
            let to = target(&mut env, to)?;
            let payload = slice(&mut env, at, length)?;
            let sent = env.data_mut().send(to, payload, delay);
            answer(&mut env, err, sent, 32)
        },
    )?;
    linker.func_wrap(
        "env",
        "gr_send_input",
        |mut env: Env<'_>, to: u32, offset: u32, length: u32, delay: u32, err: u32| -> Result<()> {
            charge(&mut env, gas::SYSCALL + gas::SEND)?;
            let to = target(&mut env, to)?;
            let payload = input_slice(&mut env, offset, length)?;
            let sent = payload.and_then(|payload| env.data_mut().send(to, payload, delay));
            answer(&mut env, err, sent, 32)
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
            let to = target(&mut env, to)?;
            let sent = env.data_mut().commit(handle, to, delay);
            answer(&mut env, err, sent, 32)
        },
    )?;
    Ok(())
}

impl Host {
    fn send(&mut self, to: (ActorId, u128), payload: Vec<u8>, delay: u32) -> Result<Vec<u8>, u32> {
        let (destination, value) = to;
        self.fits(payload.len())?;
        if self.sent.len() >= self.parameters.max_outgoing_messages as usize {
            return Err(code::TOO_MANY_MESSAGES);
        }
        // Nobody could ever take it out there.
        if value > 0 && is_event_destination(destination) {
            return Err(code::INSUFFICIENT_VALUE);
        }
        if value > self.input.balance {
            return Err(code::NOT_ENOUGH_VALUE);
        }
        self.fits_outward(destination, payload.len())?;
        self.pay(value)?;
        let context = &mut self.input.context;
        let id = MessageId::outgoing(self.input.id, context.nonce);
        context.nonce = context.nonce.wrapping_add(1);
        self.sent_bytes += payload.len() as u64;
        self.sent.push(Sent {
            id,
            destination,
            payload,
            value,
            delay,
        });
        Ok(id.as_ref().to_vec())
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
        }
        Ok(Vec::new())
    }

    fn commit(&mut self, handle: u32, to: (ActorId, u128), delay: u32) -> Result<Vec<u8>, u32> {
        let Some(payload) = self.input.context.handles.remove(&handle) else {
            return Err(self.no_handle(handle));
        };
        let sent = self.send(to, payload.0.clone(), delay);
        if sent.is_err() {
            self.input.context.handles.insert(handle, payload);
        }
        sent
    }
}
