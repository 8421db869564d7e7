//! How much gas a running program has left: the module counts it itself, in a global that it exports. Below zero means that
//! it ran out.

use crate::run::Host;
use wasmtime::{AsContext, AsContextMut, Global, Val};

fn global(store: &impl AsContext<Data = Host>) -> Option<Global> {
    let guest = store.as_context().data().guest.as_ref()?;
    Some(guest.gas)
}

/// Gas left, below zero if it was not enough.
pub(crate) fn left(mut store: impl AsContextMut<Data = Host>) -> i64 {
    global(&store).map_or(-1, |gas| gas.get(&mut store).i64().unwrap_or(-1))
}

/// Sets what is left.
pub(crate) fn set(mut store: impl AsContextMut<Data = Host>, left: i64) -> wasmtime::Result<()> {
    match global(&store) {
        Some(gas) => gas.set(&mut store, Val::I64(left)),
        None => Err(wasmtime::Error::msg("no program is there that counts gas")),
    }
}

/// Whether the gas ran out.
pub(crate) fn ran_out(store: impl AsContextMut<Data = Host>) -> bool {
    left(store) < 0
}
