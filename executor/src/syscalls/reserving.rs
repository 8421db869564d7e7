//! Gas that is set aside: reservations, which any later message of the program may give up or send with, and what a message
//! reserves for the signal that tells of its failure.
//!
//! Reserving takes gas from the running message and, if the run succeeds, what it costs from the executable balance, until
//! the reservation is used, given up, or over. A message sent with one may burn as much at its receiver, which pays for it
//! like for any other: the sender's balance gets back what was set aside. Giving up a reservation of the same run gives the
//! message its gas back; the gas of an older one has only ever been the balance's.

use super::{Env, answer, array, charge, code, fail, pay};
use crate::{
    gas,
    run::{Host, Reserved},
    vm::meter,
};
use gear_exe_primitives::{hashing::blake2b256, message::ReplyCode};
use primitive_types::H256;
use wasmtime::{Linker, Result};

/// Reservations that a program may have.
const MAX_RESERVATIONS: usize = 256;

/// How much a message that is sent may burn.
#[derive(Clone, Copy)]
pub(super) enum GasSource {
    /// As much as its receiver lets it.
    Open,
    Given(u64),
    Reservation(H256),
}

pub(super) fn link(linker: &mut Linker<Host>) -> Result<()> {
    linker.func_wrap(
        "env",
        "gr_reserve_gas",
        |mut env: Env<'_>, amount: u64, duration: u32, err: u32| -> Result<()> {
            charge(&mut env, gas::SYSCALL + gas::RESERVE)?;
            let reserved = reserve(&mut env, amount, duration)?;
            answer(&mut env, err, reserved, 32)
        },
    )?;
    linker.func_wrap(
        "env",
        "gr_unreserve_gas",
        |mut env: Env<'_>, id: u32, err: u32| -> Result<()> {
            charge(&mut env, gas::SYSCALL + gas::RESERVE)?;
            let id = H256(array(&mut env, id)?);
            let given_up = unreserve(&mut env, id)?;
            answer(&mut env, err, given_up, 8)
        },
    )?;
    linker.func_wrap(
        "env",
        "gr_system_reserve_gas",
        |mut env: Env<'_>, amount: u64, err: u32| -> Result<()> {
            charge(&mut env, gas::SYSCALL + gas::RESERVE)?;
            let reserved = if amount == 0 {
                Err(code::NO_RESERVATION_AMOUNT)
            } else {
                take_gas(&mut env, amount)?
            };
            if reserved.is_ok() {
                let total = &mut env.data_mut().set_aside.signal_gas;
                *total = total.saturating_add(amount);
            }
            answer(&mut env, err, reserved.map(|()| Vec::new()), 0)
        },
    )?;
    linker.func_wrap(
        "env",
        "gr_reply_deposit",
        |mut env: Env<'_>, id: u32, amount: u64, err: u32| -> Result<()> {
            let sent = env.data().sent.len() as u64;
            charge(&mut env, gas::SYSCALL + gas::PER_SENT * sent)?;
            let id = H256(array(&mut env, id)?);
            let own = env.data_mut().sent.iter_mut().find(|own| own.id.0 == id);
            let deposited = match own.map(|own| &mut own.gas.reply) {
                None => Err(code::NO_MESSAGE_FOR_DEPOSIT),
                Some(Some(_)) => Err(code::DUPLICATE_DEPOSIT),
                Some(limit) => {
                    *limit = Some(amount);
                    Ok(Vec::new())
                }
            };
            answer(&mut env, err, deposited, 0)
        },
    )?;
    Ok(())
}

fn reserve(env: &mut Env<'_>, amount: u64, duration: u32) -> Result<Result<Vec<u8>, u32>> {
    if duration == 0 {
        return Ok(Err(code::NO_RESERVATION_DURATION));
    }
    if amount == 0 {
        return Ok(Err(code::NO_RESERVATION_AMOUNT));
    }
    let host = env.data();
    let own = &host.set_aside;
    let count = host.input.reservations.len() - own.released.len() + own.reserved.len();
    if count >= MAX_RESERVATIONS {
        return Ok(Err(code::TOO_MANY_RESERVATIONS));
    }
    if let Err(error) = take_gas(env, amount)? {
        return Ok(Err(error));
    }
    let host = env.data_mut();
    let nonce = host.input.context.reservations;
    host.input.context.reservations = nonce.wrapping_add(1);
    let id = blake2b256([
        &b"reservation"[..],
        host.input.id.as_ref(),
        &nonce.to_le_bytes(),
    ]);
    host.set_aside.reserved.push(Reserved {
        id,
        gas: amount,
        duration: duration.min(host.parameters.max_wait.max(1)),
    });
    Ok(Ok(id.as_bytes().to_vec()))
}

fn unreserve(env: &mut Env<'_>, id: H256) -> Result<Result<Vec<u8>, u32>> {
    let host = env.data_mut();
    let is_new = host.set_aside.reserved.iter().any(|own| own.id == id);
    let released = host.release(id);
    if let (Ok(amount), true) = (released, is_new) {
        let left = meter::left(&mut *env).saturating_add_unsigned(amount);
        meter::set(&mut *env, left)?;
        let granted = &mut env.data_mut().granted;
        *granted = granted.saturating_add(amount);
    }
    Ok(released.map(|amount| amount.to_le_bytes().to_vec()))
}

/// Takes gas from what the message may still burn. If only the program's poverty is in the way, the message runs out of
/// gas, and waits.
pub(super) fn take_gas(env: &mut Env<'_>, amount: u64) -> Result<Result<(), u32>> {
    pay(env)?;
    let left = meter::left(&mut *env);
    let left = left.unsigned_abs();
    let Some(rest) = left.checked_sub(amount) else {
        let lacking = env.data().input.lacking;
        return match amount - left <= lacking {
            true => fail(ReplyCode::RAN_OUT_OF_GAS),
            false => Ok(Err(code::NOT_ENOUGH_GAS)),
        };
    };
    meter::set(&mut *env, i64::try_from(rest).unwrap_or_default())?;
    let granted = &mut env.data_mut().granted;
    *granted = granted.saturating_sub(amount);
    Ok(Ok(()))
}

impl Host {
    /// The limit that a message gets from `source`.
    pub(super) fn gas_limit(&self, source: GasSource) -> Result<Option<u64>, u32> {
        match source {
            GasSource::Open => Ok(None),
            GasSource::Given(gas) => Ok(Some(gas)),
            GasSource::Reservation(id) => {
                let own = &self.set_aside;
                let new = own.reserved.iter().find(|new| new.id == id);
                let old = self.input.reservations.get(&id);
                let old = old.filter(|_| !own.released.contains(&id));
                new.map(|new| new.gas)
                    .or(old.map(|old| old.value.gas))
                    .map(Some)
                    .ok_or(code::NO_RESERVATION)
            }
        }
    }

    /// A message was sent with `source`.
    pub(super) fn use_gas(&mut self, source: GasSource) {
        if let GasSource::Reservation(id) = source {
            // It is there: the message got its limit from it.
            let _ = self.release(id);
        }
    }

    /// Takes back a reservation, and says how much it was.
    fn release(&mut self, id: H256) -> Result<u64, u32> {
        let limit = self.gas_limit(GasSource::Reservation(id))?;
        let own = &mut self.set_aside;
        let before = own.reserved.len();
        own.reserved.retain(|new| new.id != id);
        if own.reserved.len() == before {
            own.released.insert(id);
        }
        Ok(limit.unwrap_or_default())
    }
}
