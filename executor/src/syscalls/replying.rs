//! Replying: once for a message, with what was pushed before in front.

use super::{Env, answer, charge, code, input_slice, slice, value_at};
use crate::{gas, run::Host};
use gear_exe_primitives::MessageId;
use wasmtime::{Linker, Result};

pub(super) fn link(linker: &mut Linker<Host>) -> Result<()> {
    linker.func_wrap(
        "env",
        "gr_reply",
        |mut env: Env<'_>, at: u32, length: u32, value: u32, err: u32| -> Result<()> {
            charge(&mut env, gas::SYSCALL + gas::SEND)?;
            let payload = slice(&mut env, at, length)?;
            let value = value_at(&mut env, value)?;
            let replied = env.data_mut().reply(&payload, value);
            answer(&mut env, err, replied, 32)
        },
    )?;
    linker.func_wrap(
        "env",
        "gr_reply_input",
        |mut env: Env<'_>, offset: u32, length: u32, value: u32, err: u32| -> Result<()> {
            charge(&mut env, gas::SYSCALL + gas::SEND)?;
            let payload = input_slice(&mut env, offset, length)?;
            let value = value_at(&mut env, value)?;
            let replied = payload.and_then(|payload| env.data_mut().reply(&payload, value));
            answer(&mut env, err, replied, 32)
        },
    )?;
    linker.func_wrap(
        "env",
        "gr_reply_push",
        |mut env: Env<'_>, at: u32, length: u32, err: u32| -> Result<()> {
            charge(&mut env, gas::SYSCALL)?;
            let bytes = slice(&mut env, at, length)?;
            let pushed = env.data_mut().reply_push(&bytes);
            answer(&mut env, err, pushed, 0)
        },
    )?;
    linker.func_wrap(
        "env",
        "gr_reply_push_input",
        |mut env: Env<'_>, offset: u32, length: u32, err: u32| -> Result<()> {
            charge(&mut env, gas::SYSCALL)?;
            let bytes = input_slice(&mut env, offset, length)?;
            let pushed = bytes.and_then(|bytes| env.data_mut().reply_push(&bytes));
            answer(&mut env, err, pushed, 0)
        },
    )?;
    linker.func_wrap(
        "env",
        "gr_reply_commit",
        |mut env: Env<'_>, value: u32, err: u32| -> Result<()> {
            charge(&mut env, gas::SYSCALL + gas::SEND)?;
            let value = value_at(&mut env, value)?;
            let replied = env.data_mut().reply(&[], value);
            answer(&mut env, err, replied, 32)
        },
    )?;
    Ok(())
}

impl Host {
    fn reply(&mut self, tail: &[u8], value: u128) -> Result<Vec<u8>, u32> {
        if self.input.reply.is_some() {
            return Err(code::INCORRECT_ENTRY);
        }
        if self.input.context.replied {
            return Err(code::DUPLICATE_REPLY);
        }
        let length = self.input.context.reply.len() + tail.len();
        self.fits(length)?;
        if value > self.input.balance {
            return Err(code::NOT_ENOUGH_VALUE);
        }
        self.fits_outward(self.input.source, length)?;
        self.pay(value)?;
        let mut payload = std::mem::take(&mut self.input.context.reply);
        payload.extend_from_slice(tail);
        self.sent_bytes += payload.len() as u64;
        self.input.context.replied = true;
        self.reply = Some((payload, value));
        Ok(MessageId::reply(self.input.id).as_ref().to_vec())
    }

    fn reply_push(&mut self, bytes: &[u8]) -> Result<Vec<u8>, u32> {
        if self.input.reply.is_some() {
            return Err(code::INCORRECT_ENTRY);
        }
        if self.input.context.replied {
            return Err(code::LATE_ACCESS);
        }
        self.fits(self.input.context.reply.len() + bytes.len())?;
        self.input.context.reply.extend_from_slice(bytes);
        Ok(Vec::new())
    }
}
