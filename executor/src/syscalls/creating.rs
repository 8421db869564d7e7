//! Creating programs: a program comes into being with the message that initialises it.
//!
//! Its id is the address that its Mirror will have (`gear_exe_primitives::creation`), so the creator knows it at once. It
//! pays for itself from the first message on, so the creator gives it executable balance: the price of the gas that it
//! names, or of half of what the message has left, and in any case what its Mirror costs. That gas counts as the creator's
//! message's, like gas that is set aside.

use super::{Env, answer, charge, code, id_and_value, pay, reserving::take_gas, slice};
use crate::{
    gas::{self, Outward},
    run::{Birth, Host, Sent},
    state::GasTerms,
    vm::meter,
};
use gear_exe_primitives::{
    CodeId,
    creation::{MirrorFactory, ProgramCreation},
};
use wasmtime::{Linker, Result};

/// What `gr_create_program` is given.
struct Request {
    /// Pointer to code and value.
    code: u32,
    salt: (u32, u32),
    payload: (u32, u32),
    /// Gas for the new program; nothing leaves it to us.
    gas: Option<u64>,
    delay: u32,
}

pub(super) fn link(linker: &mut Linker<Host>) -> Result<()> {
    linker.func_wrap(
        "env",
        "gr_create_program",
        |mut env: Env<'_>,
         code: u32,
         salt: u32,
         salt_length: u32,
         payload: u32,
         length: u32,
         delay: u32,
         err: u32|
         -> Result<()> {
            let request = Request {
                code,
                salt: (salt, salt_length),
                payload: (payload, length),
                gas: None,
                delay,
            };
            create(&mut env, request, err)
        },
    )?;
    linker.func_wrap(
        "env",
        "gr_create_program_wgas",
        |mut env: Env<'_>,
         code: u32,
         salt: u32,
         salt_length: u32,
         payload: u32,
         length: u32,
         gas: u64,
         delay: u32,
         err: u32|
         -> Result<()> {
            let request = Request {
                code,
                salt: (salt, salt_length),
                payload: (payload, length),
                gas: Some(gas),
                delay,
            };
            create(&mut env, request, err)
        },
    )?;
    Ok(())
}

fn create(env: &mut Env<'_>, request: Request, err: u32) -> Result<()> {
    charge(env, gas::SYSCALL + gas::SEND)?;
    let (code_id, value) = id_and_value(env, request.code)?;
    let salt = slice(env, request.salt.0, request.salt.1)?;
    let payload = slice(env, request.payload.0, request.payload.1)?;
    let host = env.data();
    let created = match host.may_send(payload.len()) {
        Err(error) => Err(error),
        Ok(()) if host.parameters.mirrors == MirrorFactory::default() => Err(code::UNSUPPORTED),
        Ok(()) if value > host.input.balance => Err(code::NOT_ENOUGH_VALUE),
        Ok(()) => endow(env, request.gas)?.and_then(|gas| {
            let host = env.data_mut();
            host.create(code_id.into(), &salt, payload, value, gas, request.delay)
        }),
    };
    answer(env, err, created, 64)
}

/// Takes the gas that a new program gets, and says how much that is.
fn endow(env: &mut Env<'_>, given: Option<u64>) -> Result<Result<u64, u32>> {
    pay(env)?;
    let parameters = env.data().parameters;
    let mirror = Outward::frame().plus(Outward::creation());
    let settlement = mirror.price(&parameters);
    let settlement = match parameters.value_per_gas {
        0 => 0,
        price => u64::try_from(settlement.div_ceil(price)).unwrap_or(u64::MAX),
    };
    let left = meter::left(&mut *env).unsigned_abs();
    let own = given.unwrap_or(left.saturating_sub(settlement) / 2);
    let amount = own.saturating_add(settlement);
    let taken = take_gas(env, amount)?;
    if taken.is_ok() {
        let births = &mut env.data_mut().set_aside.births;
        *births = births.saturating_add(amount);
    }
    Ok(taken.map(|()| amount))
}

impl Host {
    fn create(
        &mut self,
        code_id: CodeId,
        salt: &[u8],
        payload: Vec<u8>,
        value: u128,
        gas: u64,
        delay: u32,
    ) -> Result<Vec<u8>, u32> {
        let (message, nonce) = (self.input.id, self.input.context.nonce);
        let creation = ProgramCreation {
            creator: self.program,
            code_id,
            salt: ProgramCreation::salt(message, nonce, salt),
        };
        let Some(destination) = self.parameters.mirrors.address(&creation) else {
            return Err(code::UNSUPPORTED);
        };
        self.pay(value)?;
        let id = self.next_id();
        self.post(Sent {
            id,
            destination,
            payload,
            value,
            delay,
            gas: GasTerms::default(),
            birth: Some(Box::new(Birth { creation, gas })),
        });
        Ok([id.as_ref(), destination.as_ref()].concat())
    }
}
