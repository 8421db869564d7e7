//! What a program may know: the message, itself, the block, prices, chance.
//!
//! Height and time are the anchor's. Time is in seconds, as Ethereum has it, where Vara has milliseconds.

use super::{Env, answer, array, charge, charge_bytes, code, fail, pay, write};
use crate::{
    gas,
    run::{Host, Stop},
    vm::meter,
};
use gear_exe_primitives::{hashing::blake2b256, message::ReplyCode};
use wasmtime::{Linker, Result};

pub(super) fn link(linker: &mut Linker<Host>) -> Result<()> {
    macro_rules! fact {
        ($name:literal, $input:ident => $bytes:expr) => {
            linker.func_wrap("env", $name, |mut env: Env<'_>, at: u32| -> Result<()> {
                charge(&mut env, gas::SYSCALL)?;
                let $input = &env.data().input;
                let bytes = $bytes;
                write(&mut env, at, bytes.as_ref())
            })?;
        };
    }
    fact!("gr_block_height", input => input.height.to_le_bytes());
    fact!("gr_block_timestamp", input => input.timestamp.to_le_bytes());
    fact!("gr_message_id", input => input.id.0.0);
    linker.func_wrap(
        "env",
        "gr_program_id",
        |mut env: Env<'_>, at: u32| -> Result<()> {
            charge(&mut env, gas::SYSCALL)?;
            let id = env.data().program.0.0;
            write(&mut env, at, &id)
        },
    )?;
    fact!("gr_source", input => input.source.0.0);
    fact!("gr_value", input => input.value.to_le_bytes());
    fact!("gr_value_available", input => input.balance.to_le_bytes());
    fact!("gr_size", input => (input.payload.len() as u32).to_le_bytes());
    linker.func_wrap(
        "env",
        "gr_gas_available",
        |mut env: Env<'_>, at: u32| -> Result<()> {
            charge(&mut env, gas::SYSCALL)?;
            pay(&mut env)?;
            let left = meter::left(&mut env);
            write(&mut env, at, &left.to_le_bytes())
        },
    )?;
    linker.func_wrap("env", "gr_env_vars", env_vars)?;
    linker.func_wrap("env", "gr_read", read)?;
    linker.func_wrap(
        "env",
        "gr_reply_to",
        |mut env: Env<'_>, err: u32| -> Result<()> {
            charge(&mut env, gas::SYSCALL)?;
            let reply = env.data().input.reply;
            let to = reply
                .map(|reply| reply.to.as_ref().to_vec())
                .ok_or(code::NO_REPLY_CONTEXT);
            answer(&mut env, err, to, 32)
        },
    )?;
    linker.func_wrap(
        "env",
        "gr_reply_code",
        |mut env: Env<'_>, err: u32| -> Result<()> {
            charge(&mut env, gas::SYSCALL)?;
            let reply = env.data().input.reply;
            let code = reply
                .map(|reply| reply.code.0.to_vec())
                .ok_or(code::NO_STATUS_CONTEXT);
            answer(&mut env, err, code, 4)
        },
    )?;
    linker.func_wrap(
        "env",
        "gr_signal_from",
        |mut env: Env<'_>, err: u32| -> Result<()> {
            charge(&mut env, gas::SYSCALL)?;
            let signal = env.data().input.signal.ok_or(code::NO_SIGNAL_CONTEXT);
            let from = signal.map(|(from, _)| from.as_ref().to_vec());
            answer(&mut env, err, from, 32)
        },
    )?;
    linker.func_wrap(
        "env",
        "gr_signal_code",
        |mut env: Env<'_>, err: u32| -> Result<()> {
            charge(&mut env, gas::SYSCALL)?;
            let signal = env.data().input.signal.ok_or(code::NO_SIGNAL_CONTEXT);
            let code = signal.map(|(_, code)| code.to_le_bytes().to_vec());
            answer(&mut env, err, code, 4)
        },
    )?;
    linker.func_wrap("env", "gr_random", random)?;
    Ok(())
}

/// See `round::random`: what there is depends on the message, so that asking again gives the same.
fn random(mut env: Env<'_>, subject: u32, to: u32) -> Result<()> {
    charge(&mut env, gas::SYSCALL)?;
    let subject: [u8; 32] = array(&mut env, subject)?;
    let Some(seed) = env.data().input.seed else {
        charge(&mut env, gas::WAIT)?;
        return Err(Stop::Draw.into());
    };
    let hash = blake2b256([seed.randao.as_bytes(), &subject]);
    let answer = [&seed.number.to_le_bytes()[..], hash.as_bytes()].concat();
    write(&mut env, to, &answer)
}

/// Version 1: performance multiplier (`u32`, in percent), existential deposit (`u128`), mailbox threshold (`u64`), gas
/// per value (`u64`), value per gas (`u128`).
fn env_vars(mut env: Env<'_>, version: u32, at: u32) -> Result<()> {
    charge(&mut env, gas::SYSCALL)?;
    if version != 1 {
        return fail(ReplyCode::BACKEND_ERROR);
    }
    let mut bytes = 100u32.to_le_bytes().to_vec();
    bytes.extend_from_slice(&[0; 16 + 8 + 8]);
    bytes.extend_from_slice(&env.data().parameters.value_per_gas.to_le_bytes());
    write(&mut env, at, &bytes)
}

fn read(mut env: Env<'_>, from: u32, length: u32, to: u32, err: u32) -> Result<()> {
    charge(&mut env, gas::SYSCALL)?;
    charge_bytes(&mut env, length)?;
    let read = match from.checked_add(length) {
        None => Err(code::TOO_BIG_READ),
        Some(end) => env
            .data()
            .input
            .payload
            .get(from as usize..end as usize)
            .map(<[u8]>::to_vec)
            .ok_or(code::READ_WRONG_RANGE),
    };
    if let Ok(bytes) = &read {
        write(&mut env, to, bytes)?;
    }
    answer(&mut env, err, read.map(|_| Vec::new()), 0)
}
