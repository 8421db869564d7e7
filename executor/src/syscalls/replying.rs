//! Replying: once for a message, with what was pushed before in front.

use super::{Env, answer, array, charge, code, input_slice, reserving::GasSource, slice, value_at};
use crate::{
    gas,
    run::{Host, Replied},
    vm::Entry,
};
use gear_exe_primitives::MessageId;
use primitive_types::H256;
use wasmtime::{Linker, Result};

/// Value and gas that go with a reply.
#[derive(Clone, Copy)]
struct Gift {
    value: u128,
    gas: GasSource,
}

/// Reads the id of a reservation, then the value.
fn reserved_gift(env: &mut Env<'_>, at: u32) -> Result<Gift> {
    let bytes: [u8; 48] = array(env, at)?;
    let (mut id, mut value) = ([0; 32], [0; 16]);
    id.copy_from_slice(&bytes[..32]);
    value.copy_from_slice(&bytes[32..]);
    Ok(Gift {
        value: u128::from_le_bytes(value),
        gas: GasSource::Reservation(H256(id)),
    })
}

fn reply(
    env: &mut Env<'_>,
    at: u32,
    length: u32,
    gas: GasSource,
    value: u32,
    err: u32,
) -> Result<()> {
    charge(env, gas::SYSCALL + gas::SEND)?;
    let payload = slice(env, at, length)?;
    let value = value_at(env, value)?;
    let replied = env.data_mut().reply(&payload, Gift { value, gas });
    answer(env, err, replied, 32)
}

fn reply_input(
    env: &mut Env<'_>,
    offset: u32,
    length: u32,
    gas: GasSource,
    value: u32,
    err: u32,
) -> Result<()> {
    charge(env, gas::SYSCALL + gas::SEND)?;
    let payload = input_slice(env, offset, length)?;
    let value = value_at(env, value)?;
    let replied = payload.and_then(|payload| env.data_mut().reply(&payload, Gift { value, gas }));
    answer(env, err, replied, 32)
}

fn commit(env: &mut Env<'_>, gas: GasSource, value: u32, err: u32) -> Result<()> {
    charge(env, gas::SYSCALL + gas::SEND)?;
    let value = value_at(env, value)?;
    let replied = env.data_mut().reply(&[], Gift { value, gas });
    answer(env, err, replied, 32)
}

pub(super) fn link(linker: &mut Linker<Host>) -> Result<()> {
    linker.func_wrap(
        "env",
        "gr_reply",
        |mut env: Env<'_>, at: u32, length: u32, value: u32, err: u32| -> Result<()> {
            reply(&mut env, at, length, GasSource::Open, value, err)
        },
    )?;
    linker.func_wrap(
        "env",
        "gr_reply_wgas",
        |mut env: Env<'_>, at: u32, length: u32, limit: u64, value: u32, err: u32| -> Result<()> {
            reply(&mut env, at, length, GasSource::Given(limit), value, err)
        },
    )?;
    linker.func_wrap(
        "env",
        "gr_reservation_reply",
        |mut env: Env<'_>, gift: u32, at: u32, length: u32, err: u32| -> Result<()> {
            charge(&mut env, gas::SYSCALL + gas::SEND)?;
            let gift = reserved_gift(&mut env, gift)?;
            let payload = slice(&mut env, at, length)?;
            let replied = env.data_mut().reply(&payload, gift);
            answer(&mut env, err, replied, 32)
        },
    )?;
    linker.func_wrap(
        "env",
        "gr_reply_input",
        |mut env: Env<'_>, offset: u32, length: u32, value: u32, err: u32| -> Result<()> {
            reply_input(&mut env, offset, length, GasSource::Open, value, err)
        },
    )?;
    linker.func_wrap(
        "env",
        "gr_reply_input_wgas",
        |mut env: Env<'_>,
         offset: u32,
         length: u32,
         limit: u64,
         value: u32,
         err: u32|
         -> Result<()> {
            reply_input(
                &mut env,
                offset,
                length,
                GasSource::Given(limit),
                value,
                err,
            )
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
            commit(&mut env, GasSource::Open, value, err)
        },
    )?;
    linker.func_wrap(
        "env",
        "gr_reply_commit_wgas",
        |mut env: Env<'_>, limit: u64, value: u32, err: u32| -> Result<()> {
            commit(&mut env, GasSource::Given(limit), value, err)
        },
    )?;
    linker.func_wrap(
        "env",
        "gr_reservation_reply_commit",
        |mut env: Env<'_>, gift: u32, err: u32| -> Result<()> {
            charge(&mut env, gas::SYSCALL + gas::SEND)?;
            let gift = reserved_gift(&mut env, gift)?;
            let replied = env.data_mut().reply(&[], gift);
            answer(&mut env, err, replied, 32)
        },
    )?;
    Ok(())
}

impl Host {
    fn reply(&mut self, tail: &[u8], gift: Gift) -> Result<Vec<u8>, u32> {
        let Gift { value, gas } = gift;
        if matches!(self.input.entry, Entry::Reply | Entry::Signal) {
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
        let gas_limit = self.gas_limit(gas)?;
        self.fits_outward(self.input.source, length)?;
        self.pay(value)?;
        self.use_gas(gas);
        let mut payload = std::mem::take(&mut self.input.context.reply);
        payload.extend_from_slice(tail);
        self.sent_bytes += payload.len() as u64;
        self.input.context.replied = true;
        let id = MessageId::reply(self.input.id);
        self.reply = Some(Replied {
            id: Some(id),
            payload,
            value,
            gas_limit,
        });
        Ok(id.as_ref().to_vec())
    }

    fn reply_push(&mut self, bytes: &[u8]) -> Result<Vec<u8>, u32> {
        if matches!(self.input.entry, Entry::Reply | Entry::Signal) {
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
