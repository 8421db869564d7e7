//! Memory: `alloc`, `free`, `free_range`.

use super::{Env, charge, fail, guest};
use crate::{allocations, gas, run::Host};
use gear_exe_primitives::message::ReplyCode;
use wasmtime::{Linker, Result};

pub(super) fn link(linker: &mut Linker<Host>) -> Result<()> {
    linker.func_wrap("env", "alloc", alloc)?;
    linker.func_wrap(
        "env",
        "free",
        |mut env: Env<'_>, page: u32| -> Result<u32> {
            charge_release(&mut env)?;
            if !allocations::contains(&env.data().allocations, page) {
                return Ok(1);
            }
            release(&mut env, page, page)?;
            Ok(0)
        },
    )?;
    linker.func_wrap(
        "env",
        "free_range",
        |mut env: Env<'_>, from: u32, to: u32| -> Result<u32> {
            charge_release(&mut env)?;
            let host = env.data();
            if from < host.static_pages || from > to || to >= host.max_pages {
                return Ok(1);
            }
            release(&mut env, from, to)?;
            Ok(0)
        },
    )?;
    Ok(())
}

/// Charges a call that may free pages: what was allocated before is kept until the message has ended well.
fn charge_release(env: &mut Env<'_>) -> Result<()> {
    let kept = env.data().intervals_to_keep();
    charge(env, gas::SYSCALL + gas::INTERVAL * kept)
}

/// Frees pages. The run fails if it cannot pay for that, and with it the release.
fn release(env: &mut Env<'_>, from: u32, to: u32) -> Result<()> {
    let host = env.data_mut();
    let freed = allocations::release(host.allocations_mut(), from, to);
    let count = freed.len() as u64;
    host.freed.extend(freed);
    charge(env, gas::INTERVAL * count)
}

/// New pages are zero, whatever was there before; `u32::MAX` says that there are not so many.
fn alloc(mut env: Env<'_>, count: u32) -> Result<u32> {
    // First fit looks at every interval, also if nothing fits.
    let intervals = env.data().allocations.len() as u64;
    charge(&mut env, gas::SYSCALL + gas::INTERVAL * intervals)?;
    let guest = guest(&env)?.clone();
    let host = env.data_mut();
    let (first, limit) = (host.static_pages, host.max_pages);
    let taken = host.allocations_mut();
    let Some(start) = allocations::allocate(taken, first, limit, count) else {
        return Ok(u32::MAX);
    };
    // The run fails if it cannot pay, and with it the allocation.
    charge(&mut env, gas::ALLOC_PAGE * u64::from(count))?;
    let end = u64::from(start) + u64::from(count);
    let size = guest.memory.size(&env);
    if end > size && guest.memory.grow(&mut env, end - size).is_err() {
        return fail(ReplyCode::MEMORY_OVERFLOW);
    }
    guest.tracker.with(|tracker| {
        tracker.fit();
        tracker.clear((start as usize) << 16, (end as usize) << 16);
    });
    Ok(start)
}
