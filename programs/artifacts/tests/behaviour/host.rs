// SPDX-License-Identifier: GPL-3.0-or-later

//! The smallest host that can run the programs: no gas, no queues, and after a failure only the memory is put back.

use wasmtime::{Caller, Engine, Error, Linker, Memory, MemoryType, Module, Store};

pub(crate) type Id = [u8; 32];

pub(crate) const ALICE: Id = user(0xa1);
pub(crate) const BOB: Id = user(0xb0);
/// Where Sails sends what is to become an Ethereum event.
pub(crate) const ETH_EVENT: Id = {
    let mut id = user(0xff);
    id[11] = 0;
    id
};
const NO_VALUE: u32 = u32::MAX;

const fn user(byte: u8) -> Id {
    let mut id = [byte; 32];
    let mut i = 0;
    while i < 12 {
        id[i] = 0;
        i += 1;
    }
    id
}

/// The id of the n-th message a program sends in these tests.
fn sent_id(n: usize) -> Id {
    [n as u8 + 1; 32]
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Sent {
    pub(crate) to: Id,
    pub(crate) payload: Vec<u8>,
    pub(crate) value: u128,
    pub(crate) delay: u32,
}

/// What the program is told about the message, and what it does with it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Message {
    pub(crate) id: Id,
    pub(crate) source: Id,
    pub(crate) payload: Vec<u8>,
    pub(crate) value: u128,
    pub(crate) reply_to: Id,
    /// Its reply.
    pub(crate) reply: Option<(Vec<u8>, u128)>,
    /// What it woke.
    pub(crate) woken: Vec<Id>,
    /// Why the execution did not simply return.
    pub(crate) stopped: Option<String>,
}

#[derive(Default)]
pub(crate) struct Host {
    memory: Option<Memory>,
    message: Message,
    pub(crate) height: u32,
    /// By all executions so far.
    sent: Vec<Sent>,
}

fn read(caller: &Caller<'_, Host>, at: u32, len: u32) -> Vec<u8> {
    caller.data().memory.unwrap().data(caller)[at as usize..][..len as usize].to_vec()
}

fn array<const N: usize>(caller: &Caller<'_, Host>, at: u32) -> [u8; N] {
    read(caller, at, N as u32).try_into().unwrap()
}

fn value(caller: &Caller<'_, Host>, at: u32) -> u128 {
    if at == NO_VALUE {
        0
    } else {
        u128::from_le_bytes(array(caller, at))
    }
}

fn write(caller: &mut Caller<'_, Host>, at: u32, parts: &[&[u8]]) {
    let memory = caller.data().memory.unwrap();
    let data = parts.concat();
    memory.data_mut(caller)[at as usize..][..data.len()].copy_from_slice(&data);
}

fn stop(caller: &mut Caller<'_, Host>, why: impl Into<String>) -> Error {
    let why = why.into();
    caller.data_mut().message.stopped = Some(why.clone());
    Error::msg(why)
}

fn system_calls(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
    linker.func_wrap("env", "alloc", |mut c: Caller<'_, Host>, pages: u32| {
        c.data()
            .memory
            .unwrap()
            .grow(&mut c, pages.into())
            .map_or(u32::MAX, |page| page as u32)
    })?;
    linker.func_wrap("env", "free_range", |_: u32, _: u32| 0u32)?;
    linker.func_wrap("env", "gr_size", |mut c: Caller<'_, Host>, out: u32| {
        let len = c.data().message.payload.len() as u32;
        write(&mut c, out, &[&len.to_le_bytes()]);
    })?;
    linker.func_wrap(
        "env",
        "gr_read",
        |mut c: Caller<'_, Host>, at: u32, len: u32, out: u32, err: u32| {
            let part = c.data().message.payload[at as usize..][..len as usize].to_vec();
            write(&mut c, out, &[&part]);
            write(&mut c, err, &[&[0; 4]]);
        },
    )?;
    linker.func_wrap(
        "env",
        "gr_message_id",
        |mut c: Caller<'_, Host>, out: u32| {
            let id = c.data().message.id;
            write(&mut c, out, &[&id]);
        },
    )?;
    linker.func_wrap("env", "gr_source", |mut c: Caller<'_, Host>, out: u32| {
        let source = c.data().message.source;
        write(&mut c, out, &[&source]);
    })?;
    linker.func_wrap("env", "gr_value", |mut c: Caller<'_, Host>, out: u32| {
        let value = c.data().message.value;
        write(&mut c, out, &[&value.to_le_bytes()]);
    })?;
    linker.func_wrap(
        "env",
        "gr_block_height",
        |mut c: Caller<'_, Host>, out: u32| {
            let height = c.data().height;
            write(&mut c, out, &[&height.to_le_bytes()]);
        },
    )?;
    linker.func_wrap("env", "gr_reply_to", |mut c: Caller<'_, Host>, out: u32| {
        let id = c.data().message.reply_to;
        write(&mut c, out, &[&[0; 4], &id]);
    })?;
    linker.func_wrap(
        "env",
        "gr_reply_code",
        |mut c: Caller<'_, Host>, out: u32| {
            // No error; Success, Manual.
            write(&mut c, out, &[&[0; 4], &[0, 1, 0, 0]]);
        },
    )?;
    linker.func_wrap(
        "env",
        "gr_reply",
        |mut c: Caller<'_, Host>, at: u32, len: u32, amount: u32, out: u32| {
            let reply = (read(&c, at, len), value(&c, amount));
            let error = if c.data().message.reply.is_some() {
                302u32
            } else {
                0
            };
            if error == 0 {
                c.data_mut().message.reply = Some(reply);
            }
            write(&mut c, out, &[&error.to_le_bytes(), &[0; 32]]);
        },
    )?;
    linker.func_wrap(
        "env",
        "gr_send",
        |mut c: Caller<'_, Host>, to: u32, at: u32, len: u32, delay: u32, out: u32| {
            let sent = Sent {
                to: array(&c, to),
                payload: read(&c, at, len),
                value: value(&c, to + 32),
                delay,
            };
            let id = sent_id(c.data().sent.len());
            c.data_mut().sent.push(sent);
            write(&mut c, out, &[&[0; 4], &id]);
        },
    )?;
    linker.func_wrap(
        "env",
        "gr_wake",
        |mut c: Caller<'_, Host>, id: u32, _: u32, err: u32| {
            let id = array(&c, id);
            c.data_mut().message.woken.push(id);
            write(&mut c, err, &[&[0; 4]]);
        },
    )?;
    linker.func_wrap(
        "env",
        "gr_wait_for",
        |mut c: Caller<'_, Host>, blocks: u32| -> Result<(), Error> {
            Err(stop(&mut c, format!("wait for {blocks}")))
        },
    )?;
    linker.func_wrap(
        "env",
        "gr_wait_up_to",
        |mut c: Caller<'_, Host>, blocks: u32| -> Result<(), Error> {
            Err(stop(&mut c, format!("wait up to {blocks}")))
        },
    )?;
    linker.func_wrap(
        "env",
        "gr_exit",
        |mut c: Caller<'_, Host>, heir: u32| -> Result<(), Error> {
            let heir: Id = array(&c, heir);
            Err(stop(&mut c, format!("exit to {:02x}", heir[31])))
        },
    )?;
    linker.func_wrap(
        "env",
        "gr_panic",
        |mut c: Caller<'_, Host>, at: u32, len: u32| -> Result<(), Error> {
            let text = String::from_utf8(read(&c, at, len)).unwrap();
            Err(stop(&mut c, text))
        },
    )?;
    Ok(())
}

pub(crate) struct Program {
    pub(crate) store: Store<Host>,
    instance: wasmtime::Instance,
    messages: u8,
}

impl Program {
    pub(crate) fn new(wasm: &[u8]) -> Self {
        let engine = Engine::default();
        let module = Module::new(&engine, wasm).unwrap();
        let mut store = Store::new(&engine, Host::default());
        let memory = Memory::new(&mut store, MemoryType::new(17, Some(256))).unwrap();
        store.data_mut().memory = Some(memory);

        let mut linker = Linker::new(&engine);
        linker.define(&store, "env", "memory", memory).unwrap();
        system_calls(&mut linker).unwrap();
        let instance = linker.instantiate(&mut store, &module).unwrap();
        Self {
            store,
            instance,
            messages: 0,
        }
    }

    pub(crate) fn execute(&mut self, entry: &str, message: Message) -> Message {
        let memory = self.store.data().memory.unwrap();
        let before = memory.data(&self.store).to_vec();
        self.store.data_mut().message = message;
        let entry = self
            .instance
            .get_typed_func::<(), ()>(&mut self.store, entry)
            .unwrap();
        let result = entry.call(&mut self.store, ());
        let mut message = std::mem::take(&mut self.store.data_mut().message);
        if let (Err(trap), None) = (result, &message.stopped) {
            message.stopped = Some(format!("{:?}", trap.downcast_ref::<wasmtime::Trap>()));
        }
        if message
            .stopped
            .as_ref()
            .is_some_and(|why| !why.starts_with("wait"))
        {
            memory.data_mut(&mut self.store)[..before.len()].copy_from_slice(&before);
        }
        message
    }

    fn new_message(&mut self, source: Id, payload: &[u8], value: u128) -> Message {
        self.messages += 1;
        Message {
            id: [0x80 + self.messages; 32],
            source,
            payload: payload.to_vec(),
            value,
            ..Default::default()
        }
    }

    pub(crate) fn init(&mut self, payload: &[u8]) -> Message {
        let message = self.new_message(ALICE, payload, 0);
        self.execute("init", message)
    }

    pub(crate) fn handle(&mut self, source: Id, payload: &[u8], value: u128) -> Message {
        let message = self.new_message(source, payload, value);
        self.execute("handle", message)
    }

    /// The payload of the reply; the execution succeeds.
    pub(crate) fn ask(&mut self, source: Id, payload: &[u8]) -> Vec<u8> {
        let message = self.handle(source, payload, 0);
        assert_eq!(message.stopped, None);
        message.reply.expect("a reply").0
    }

    pub(crate) fn deliver_reply(&mut self, to: usize, payload: &[u8]) -> Message {
        let mut message = self.new_message(BOB, payload, 0);
        message.reply_to = sent_id(to);
        self.execute("handle_reply", message)
    }

    pub(crate) fn sent(&self) -> &[Sent] {
        &self.store.data().sent
    }
}
