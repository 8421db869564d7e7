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
            charge(&mut env, gas::SYSCALL)?;
            if !allocations::contains(&env.data().allocations, page) {
                return Ok(1);
            }
            release(env.data_mut(), page, page);
            Ok(0)
        },
    )?;
    linker.func_wrap(
        "env",
        "free_range",
        |mut env: Env<'_>, from: u32, to: u32| -> Result<u32> {
            charge(&mut env, gas::SYSCALL)?;
            let host = env.data_mut();
            if from < host.static_pages || from > to || to >= host.max_pages {
                return Ok(1);
            }
            release(host, from, to);
            Ok(0)
        },
    )?;
    Ok(())
}

fn release(host: &mut Host, from: u32, to: u32) {
    let freed = allocations::release(host.allocations_mut(), from, to);
    host.freed.extend(freed);
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
