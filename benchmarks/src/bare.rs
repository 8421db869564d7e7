// SPDX-License-Identifier: GPL-3.0-or-later

//! The floor: a bare call into a resident instance, with wasmtime's fuel. No queue, no undoing, no receipts, no state root.

use crate::Result;
use wasmtime::{
    Caller, Config, Engine, Extern, Func, Instance, Memory, MemoryType, Module, Store, TypedFunc,
    ValType,
};

/// What the system calls of the bare instance work on.
#[derive(Default)]
struct Host {
    payload: Vec<u8>,
    reply: Vec<u8>,
}

/// A resident instance.
pub struct Bare {
    store: Store<Host>,
    handle: TypedFunc<(), ()>,
    #[expect(dead_code, reason = "the instance lives as long as this does")]
    instance: Instance,
}

impl Bare {
    /// An instance whose `init` has run.
    pub fn new(code: &[u8]) -> Result<Self> {
        let mut config = Config::new();
        config.consume_fuel(true);
        let engine = Engine::new(&config)?;
        let module = Module::new(&engine, code)?;
        let mut store = Store::new(&engine, Host::default());
        let pages = module
            .imports()
            .find_map(|import| import.ty().memory().map(MemoryType::minimum))
            .ok_or("no memory")?;
        let memory = Memory::new(&mut store, MemoryType::new(u32::try_from(pages)?, None))?;
        let imports = module
            .imports()
            .map(|import| match import.name() {
                "memory" => Ok(memory.into()),
                name => system_call(&mut store, memory, name, &import).map(Extern::from),
            })
            .collect::<Result<Vec<_>>>()?;
        let instance = Instance::new(&mut store, &module, &imports)?;
        store.set_fuel(u64::MAX / 4)?;
        instance
            .get_typed_func::<(), ()>(&mut store, "init")?
            .call(&mut store, ())?;
        let handle = instance.get_typed_func(&mut store, "handle")?;
        Ok(Self {
            store,
            handle,
            instance,
        })
    }

    /// Calls `handle` so many times; gives the last reply.
    pub fn answer(&mut self, payload: &[u8], count: usize) -> Result<Vec<u8>> {
        self.store.data_mut().payload = payload.to_vec();
        for _ in 0..count {
            // What one message may burn.
            self.store.set_fuel(1 << 40)?;
            self.store.data_mut().reply.clear();
            self.handle.call(&mut self.store, ())?;
        }
        Ok(self.store.data().reply.clone())
    }
}

fn system_call(
    store: &mut Store<Host>,
    memory: Memory,
    name: &str,
    import: &wasmtime::ImportType<'_>,
) -> Result<Func> {
    let function = match name {
        "gr_size" => Func::wrap(
            store,
            move |mut caller: Caller<'_, Host>, at: u32| -> wasmtime::Result<()> {
                let length = u32::try_from(caller.data().payload.len())?;
                memory.write(&mut caller, at as usize, &length.to_le_bytes())?;
                Ok(())
            },
        ),
        "gr_read" => Func::wrap(
            store,
            move |mut caller: Caller<'_, Host>,
                  from: u32,
                  length: u32,
                  to: u32,
                  error: u32|
                  -> wasmtime::Result<()> {
                let (bytes, host) = memory.data_and_store_mut(&mut caller);
                let (from, length, to) = (from as usize, length as usize, to as usize);
                let read = host.payload.get(from..from + length);
                let there = bytes.get_mut(to..to + length);
                let (Some(read), Some(there)) = (read, there) else {
                    return Err(wasmtime::Error::msg("out of bounds"));
                };
                there.copy_from_slice(read);
                memory.write(&mut caller, error as usize, &[0; 4])?;
                Ok(())
            },
        ),
        "gr_reply" => Func::wrap(
            store,
            move |mut caller: Caller<'_, Host>,
                  from: u32,
                  length: u32,
                  _value: u32,
                  result: u32|
                  -> wasmtime::Result<()> {
                let (bytes, host) = memory.data_and_store_mut(&mut caller);
                let (from, length) = (from as usize, length as usize);
                let reply = bytes
                    .get(from..from + length)
                    .ok_or_else(|| wasmtime::Error::msg("out of bounds"))?;
                host.reply.extend_from_slice(reply);
                memory.write(&mut caller, result as usize, &[0; 36])?;
                Ok(())
            },
        ),
        "alloc" => Func::wrap(
            store,
            move |mut caller: Caller<'_, Host>, pages: u32| -> wasmtime::Result<u32> {
                Ok(u32::try_from(memory.grow(&mut caller, pages.into())?)?)
            },
        ),
        _ => {
            let kind = import.ty().unwrap_func().clone();
            if kind
                .params()
                .any(|kind| !matches!(kind, ValType::I32 | ValType::I64))
            {
                return Err(format!("{name} is unknown").into());
            }
            let name = name.to_owned();
            Func::new(store, kind, move |_, _, _| {
                Err(wasmtime::Error::msg(format!("{name} is not there")))
            })
        }
    };
    Ok(function)
}
