//! How much gas a running program has left: the only place that knows how instructions are counted.
//!
//! An instrumented module that meters itself exports its gas as the global [`GAS`]; below zero means that it ran out.
//! For one that does not, it is wasmtime's fuel.

use crate::run::Host;
use wasmtime::{AsContext, AsContextMut, Global, Trap, Val};

/// Name of the global that a module counts its gas in.
pub(super) const GAS: &str = "gas";
/// Gas of a unit of fuel, one for every operator.
const FUEL: u64 = 400;

fn global(store: &impl AsContext<Data = Host>) -> Option<Global> {
    let guest = store.as_context().data().guest.as_ref()?;
    guest.gas
}

/// Gas left, below zero if it was not enough.
pub(crate) fn left(mut store: impl AsContextMut<Data = Host>) -> i64 {
    match global(&store) {
        Some(gas) => gas.get(&mut store).i64().unwrap_or(-1),
        None => {
            let fuel = store.as_context().get_fuel().unwrap_or(0);
            i64::try_from(fuel.saturating_mul(FUEL)).unwrap_or(i64::MAX)
        }
    }
}

/// Sets what is left, rounded down to what can be counted.
pub(crate) fn set(mut store: impl AsContextMut<Data = Host>, left: i64) -> wasmtime::Result<()> {
    match global(&store) {
        Some(gas) => gas.set(&mut store, Val::I64(left)),
        None => {
            let fuel = u64::try_from(left).unwrap_or(0) / FUEL;
            store.as_context_mut().set_fuel(fuel)
        }
    }
}

/// Whether this trap means that the gas ran out.
pub(crate) fn ran_out(store: impl AsContextMut<Data = Host>, trap: Trap) -> bool {
    trap == Trap::OutOfFuel || left(store) < 0
}
