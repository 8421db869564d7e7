//! Memory: `alloc`, `free`, `free_range`.

use super::{Env, charge, fail, memory};
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
            let taken = &mut env.data_mut().input.allocations;
            if !allocations::contains(taken, page) {
                return Ok(1);
            }
            allocations::release(taken, page, page);
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
            allocations::release(&mut host.input.allocations, from, to);
            Ok(0)
        },
    )?;
    Ok(())
}

/// New pages are zero, whatever was there before; `u32::MAX` says that there are not so many.
fn alloc(mut env: Env<'_>, count: u32) -> Result<u32> {
    // First fit looks at every interval, also if nothing fits.
    let intervals = env.data().input.allocations.len() as u64;
    charge(&mut env, gas::SYSCALL + gas::INTERVAL * intervals)?;
    let memory = memory(&env)?;
    let host = env.data_mut();
    let (first, limit) = (host.static_pages, host.max_pages);
    let taken = &mut host.input.allocations;
    let Some(start) = allocations::allocate(taken, first, limit, count) else {
        return Ok(u32::MAX);
    };
    // The run fails if it cannot pay, and with it the allocation.
    charge(&mut env, gas::ALLOC_PAGE * u64::from(count))?;
    let (end, size) = (u64::from(start) + u64::from(count), memory.size(&env));
    if end > size && memory.grow(&mut env, end - size).is_err() {
        return fail(ReplyCode::MEMORY_OVERFLOW);
    }
    let used = (start as usize) << 16..(end.min(size) as usize) << 16;
    if let Some(bytes) = memory.data_mut(&mut env).get_mut(used) {
        bytes.fill(0);
    }
    Ok(start)
}
