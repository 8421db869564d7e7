//! What ends a run before its entry point returns, waking, and debug output.
//!
//! A message that waits with a duration is woken at the end of it. One that waits without (`gr_wait`) may wait as long as
//! any message may, and is then removed with an error. A delayed wake puts the end of a wait forward: it wakes a message
//! that waits when the call is made, or the caller itself in the wait that it begins, and it is void if that wait ends
//! before. A failing run's signal cannot wait.

use super::{Env, answer, array, charge, code, fail, slice};
use crate::{
    gas,
    run::{Host, Stop},
    state::Wait,
    vm,
};
use gear_exe_primitives::{ActorId, MessageId, message::ReplyCode};
use std::collections::btree_map::Entry;
use wasmtime::{Linker, Result};

pub(super) fn link(linker: &mut Linker<Host>) -> Result<()> {
    linker.func_wrap("env", "gr_wait_for", wait_for)?;
    linker.func_wrap("env", "gr_wait_up_to", wait_for)?;
    linker.func_wrap("env", "gr_wait", |env: Env<'_>| -> Result<()> {
        wait(env, u32::MAX, Wait::Untimed)
    })?;
    linker.func_wrap(
        "env",
        "gr_wake",
        |mut env: Env<'_>, id: u32, delay: u32, err: u32| -> Result<()> {
            charge(&mut env, gas::SYSCALL + gas::WAIT)?;
            let id = MessageId::from(array::<32>(&mut env, id)?);
            let woken = match env.data_mut().woken.entry(id) {
                Entry::Occupied(_) => Err(code::DUPLICATE_WAKING),
                Entry::Vacant(vacant) => {
                    vacant.insert(delay);
                    Ok(Vec::new())
                }
            };
            answer(&mut env, err, woken, 0)
        },
    )?;
    linker.func_wrap(
        "env",
        "gr_exit",
        |mut env: Env<'_>, inheritor: u32| -> Result<()> {
            charge(&mut env, gas::SYSCALL)?;
            let inheritor = ActorId::from(array::<32>(&mut env, inheritor)?);
            Err(Stop::Exit(inheritor).into())
        },
    )?;
    linker.func_wrap("env", "gr_leave", |mut env: Env<'_>| -> Result<()> {
        charge(&mut env, gas::SYSCALL)?;
        Err(Stop::Leave.into())
    })?;
    linker.func_wrap("env", "gr_panic", panic)?;
    linker.func_wrap("env", "gr_oom_panic", |mut env: Env<'_>| -> Result<()> {
        charge(&mut env, gas::SYSCALL)?;
        fail(ReplyCode::MEMORY_OVERFLOW)
    })?;
    linker.func_wrap("env", "gr_debug", debug)?;
    Ok(())
}

fn wait_for(env: Env<'_>, blocks: u32) -> Result<()> {
    wait(env, blocks, Wait::Timed)
}

/// A message that has been answered has nothing left to wait for.
fn wait(mut env: Env<'_>, blocks: u32, wait: Wait) -> Result<()> {
    charge(&mut env, gas::SYSCALL + gas::WAIT)?;
    let host = env.data();
    let signal = host.input.entry == vm::Entry::Signal;
    if blocks == 0 || host.input.context.replied || signal {
        return fail(ReplyCode::BACKEND_ERROR);
    }
    Err(Stop::Wait(blocks.min(host.parameters.max_wait.max(1)), wait).into())
}

/// The payload becomes that of the error reply, as much of it as a reply may hold.
fn panic(mut env: Env<'_>, at: u32, length: u32) -> Result<()> {
    charge(&mut env, gas::SYSCALL)?;
    let host = env.data();
    let parameters = host.parameters;
    // A reply to Ethereum must fit into a round; half of one leaves room for the message around it.
    let most = parameters
        .max_payload_bytes
        .min(parameters.max_round_bytes / 2);
    let words = slice(&mut env, at, length.min(most))?;
    Err(Stop::Failed(ReplyCode::USERSPACE_PANIC, words).into())
}

fn debug(mut env: Env<'_>, at: u32, length: u32) -> Result<()> {
    charge(&mut env, gas::SYSCALL)?;
    let words = slice(&mut env, at, length)?;
    let host = env.data();
    tracing::debug!(program = %host.program, message = %host.input.id, "program says: {}", String::from_utf8_lossy(&words));
    Ok(())
}
