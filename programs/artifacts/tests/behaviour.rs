// SPDX-License-Identifier: GPL-3.0-or-later

//! The programs do what their descriptions say. The host here is the smallest that can run them: no gas, no queues, and
//! after a failure only the memory is put back. What an executor adds is tested there.

#![allow(clippy::unwrap_used)] // a failed unwrap is a failed test

use gear_exe_programs::{COUNTER, FAN_OUT, PING, TROUBLE, VFT};
use sha3::{Digest, Keccak256};
use wasmtime::{Caller, Engine, Error, Linker, Memory, MemoryType, Module, Store};

type Id = [u8; 32];

const ALICE: Id = user(0xa1);
const BOB: Id = user(0xb0);
/// Where Sails sends what is to become an Ethereum event.
const ETH_EVENT: Id = {
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
struct Sent {
    to: Id,
    payload: Vec<u8>,
    value: u128,
    delay: u32,
}

/// What the program is told about the message, and what it does with it.
#[derive(Clone, Debug, Default)]
struct Message {
    id: Id,
    source: Id,
    payload: Vec<u8>,
    value: u128,
    reply_to: Id,
    /// Its reply.
    reply: Option<(Vec<u8>, u128)>,
    /// What it woke.
    woken: Vec<Id>,
    /// Why the execution did not simply return.
    stopped: Option<String>,
}

#[derive(Default)]
struct Host {
    memory: Option<Memory>,
    message: Message,
    height: u32,
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

struct Program {
    store: Store<Host>,
    instance: wasmtime::Instance,
    messages: u8,
}

impl Program {
    fn new(wasm: &[u8]) -> Self {
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

    fn execute(&mut self, entry: &str, message: Message) -> Message {
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

    fn init(&mut self, payload: &[u8]) -> Message {
        let message = self.new_message(ALICE, payload, 0);
        self.execute("init", message)
    }

    fn handle(&mut self, source: Id, payload: &[u8], value: u128) -> Message {
        let message = self.new_message(source, payload, value);
        self.execute("handle", message)
    }

    /// The payload of the reply; the execution succeeds.
    fn ask(&mut self, source: Id, payload: &[u8]) -> Vec<u8> {
        let message = self.handle(source, payload, 0);
        assert_eq!(message.stopped, None);
        message.reply.expect("a reply").0
    }

    fn deliver_reply(&mut self, to: usize, payload: &[u8]) -> Message {
        let mut message = self.new_message(BOB, payload, 0);
        message.reply_to = sent_id(to);
        self.execute("handle_reply", message)
    }

    fn sent(&self) -> &[Sent] {
        &self.store.data().sent
    }
}

fn keccak(text: &str) -> Id {
    Keccak256::digest(text.as_bytes()).into()
}

fn word(number: u128) -> Id {
    let mut word = [0; 32];
    word[16..].copy_from_slice(&number.to_be_bytes());
    word
}

/// Calldata of a function whose arguments all have one word.
fn call(signature: &str, arguments: &[Id]) -> Vec<u8> {
    [&keccak(signature)[..4], &arguments.concat()].concat()
}

const NO_CALL_REPLY: Id = [0; 32];

fn call_reply() -> Id {
    word(1)
}

/// The message that the Mirror turns into an Ethereum event.
fn event(topics: &[Id], data: &[u8]) -> Sent {
    let payload = [&[topics.len() as u8], topics.concat().as_slice(), data].concat();
    Sent {
        to: ETH_EVENT,
        payload,
        value: 0,
        delay: 0,
    }
}

#[test]
fn ping_answers_and_counts() {
    let mut ping = Program::new(PING);
    assert_eq!(ping.init(b"anything").stopped, None);
    assert_eq!(ping.ask(ALICE, b"PING"), b"PONG");
    assert_eq!(ping.ask(BOB, b"PING"), b"PONG");
    assert!(ping.handle(BOB, b"PONG", 0).reply.is_none());
    assert_eq!(ping.ask(ALICE, b"COUNT"), 2u64.to_le_bytes());
}

#[test]
fn fan_out_joins_in_the_order_of_the_ids() {
    let mut fan_out = Program::new(FAN_OUT);
    assert_eq!(fan_out.init(&ALICE).stopped, None);
    assert_eq!(
        fan_out
            .handle(ALICE, &[b"SET".as_slice(), &ALICE, &BOB].concat(), 0)
            .stopped,
        None
    );

    let asked = fan_out.handle(ALICE, b"ASK", 0);
    assert_eq!(asked.stopped.as_deref(), Some("wait up to 100"));
    let question = |to| Sent {
        to,
        payload: b"PING".into(),
        value: 0,
        delay: 0,
    };
    assert_eq!(fan_out.sent(), [question(ALICE), question(BOB)]);

    // The second one answers first. Each answer wakes the message.
    assert_eq!(fan_out.deliver_reply(1, b"two").woken, [asked.id]);
    let again = fan_out.execute(
        "handle",
        Message {
            stopped: None,
            ..asked.clone()
        },
    );
    assert!(again.stopped.unwrap().starts_with("wait up to"));
    assert_eq!(fan_out.deliver_reply(0, b"one").woken, [asked.id]);
    let answered = fan_out.execute(
        "handle",
        Message {
            stopped: None,
            ..asked
        },
    );
    assert_eq!(answered.reply.unwrap().0, b"\x02\0\0\0onetwo");
}

#[test]
fn fan_out_does_not_wait_for_ever() {
    let mut fan_out = Program::new(FAN_OUT);
    assert_eq!(fan_out.init(&BOB).stopped, None);
    let asked = fan_out.handle(ALICE, b"ASKhow are you", 0);
    assert_eq!(fan_out.sent()[0].payload, b"how are you");
    fan_out.store.data_mut().height = 100;
    let answered = fan_out.execute(
        "handle",
        Message {
            stopped: None,
            ..asked
        },
    );
    assert_eq!(answered.reply.unwrap().0, [0; 4]);
}

#[test]
fn counter_speaks_solidity() {
    let mut counter = Program::new(COUNTER);
    let created = counter.init(&call("create(bool,uint32)", &[call_reply(), word(40)]));
    assert_eq!(created.stopped, None);
    assert_eq!(
        created.reply.unwrap().0,
        call("replyOn_create(bytes32)", &[created.id])
    );

    assert_eq!(
        counter.ask(
            ALICE,
            &call("counterAdd(bool,uint32)", &[NO_CALL_REPLY, word(2)])
        ),
        word(42)
    );
    assert_eq!(
        counter.sent(),
        [event(
            &[keccak("Changed(address,uint32)"), ALICE],
            &word(42)
        )]
    );

    let message = counter.handle(
        BOB,
        &call("counterSub(bool,uint32)", &[call_reply(), word(2)]),
        0,
    );
    assert_eq!(
        message.reply.unwrap().0,
        call(
            "replyOn_counterSub(bytes32,uint32)",
            &[message.id, word(40)]
        )
    );
    assert_eq!(
        counter.sent()[1],
        event(&[keccak("Changed(address,uint32)"), BOB], &word(40))
    );

    let message = counter.handle(
        BOB,
        &call("counterSub(bool,uint32)", &[NO_CALL_REPLY, word(41)]),
        0,
    );
    assert_eq!(
        message.stopped.unwrap(),
        "panicked with 'the counter would be negative'"
    );
    assert_eq!(
        counter.ask(BOB, &call("counterValue(bool)", &[NO_CALL_REPLY])),
        word(40)
    );
}

#[test]
fn counter_keeps_eth_and_gives_it_back() {
    let mut counter = Program::new(COUNTER);
    assert_eq!(
        counter
            .init(&call("create(bool,uint32)", &[NO_CALL_REPLY, word(0)]))
            .stopped,
        None
    );

    let message = counter.handle(ALICE, &call("counterDeposit(bool)", &[NO_CALL_REPLY]), 100);
    assert_eq!(message.reply, Some((word(100).into(), 0)));
    let message = counter.handle(
        ALICE,
        &call("counterWithdraw(bool,uint128)", &[NO_CALL_REPLY, word(30)]),
        0,
    );
    assert_eq!(message.reply, Some((word(70).into(), 30)));
    assert_eq!(
        counter.ask(
            BOB,
            &call("counterDepositOf(bool,address)", &[NO_CALL_REPLY, ALICE])
        ),
        word(70)
    );

    let message = counter.handle(
        BOB,
        &call("counterWithdraw(bool,uint128)", &[NO_CALL_REPLY, word(1)]),
        0,
    );
    assert_eq!(
        message.stopped.unwrap(),
        "panicked with 'the sender has less here'"
    );
    let message = counter.handle(
        BOB,
        &call("counterAdd(bool,uint32)", &[NO_CALL_REPLY, word(1)]),
        5,
    );
    assert!(message.stopped.unwrap().contains("accepts no value"));
}

#[test]
fn vft_is_an_erc20() {
    let mut vft = Program::new(VFT);
    let text = |text: &str| {
        let mut padded = [0; 32];
        padded[..text.len()].copy_from_slice(text.as_bytes());
        [word(text.len() as u128), padded]
    };
    let [name, symbol] = [text("Gold"), text("GLD")];
    let arguments = [
        NO_CALL_REPLY,
        word(128),
        word(192),
        word(18),
        name[0],
        name[1],
        symbol[0],
        symbol[1],
    ];
    assert_eq!(
        vft.init(&call("create(bool,string,string,uint16)", &arguments))
            .stopped,
        None
    );
    assert_eq!(
        vft.ask(BOB, &call("vftName(bool)", &[NO_CALL_REPLY])),
        [word(32), name[0], name[1]].concat()
    );
    assert_eq!(
        vft.ask(BOB, &call("vftDecimals(bool)", &[NO_CALL_REPLY])),
        word(18)
    );

    // More than fits into 128 bits.
    let large = [1; 32];
    assert_eq!(
        vft.ask(
            ALICE,
            &call(
                "vftMint(bool,address,uint256)",
                &[NO_CALL_REPLY, ALICE, large]
            )
        ),
        word(1)
    );
    let transfer = keccak("Transfer(address,address,uint256)");
    assert_eq!(vft.sent(), [event(&[transfer, [0; 32], ALICE], &large)]);
    let message = vft.handle(
        BOB,
        &call(
            "vftMint(bool,address,uint256)",
            &[NO_CALL_REPLY, BOB, word(1)],
        ),
        0,
    );
    assert_eq!(
        message.stopped.unwrap(),
        "panicked with 'only the owner mints'"
    );

    vft.ask(
        ALICE,
        &call(
            "vftTransfer(bool,address,uint256)",
            &[NO_CALL_REPLY, BOB, word(10)],
        ),
    );
    vft.ask(
        BOB,
        &call(
            "vftApprove(bool,address,uint256)",
            &[NO_CALL_REPLY, ALICE, word(4)],
        ),
    );
    vft.ask(
        ALICE,
        &call(
            "vftTransferFrom(bool,address,address,uint256)",
            &[NO_CALL_REPLY, BOB, ALICE, word(3)],
        ),
    );
    // To oneself: nothing is created.
    vft.ask(
        BOB,
        &call(
            "vftTransfer(bool,address,uint256)",
            &[NO_CALL_REPLY, BOB, word(7)],
        ),
    );
    assert_eq!(
        vft.sent()[1..],
        [
            event(&[transfer, ALICE, BOB], &word(10)),
            event(
                &[keccak("Approval(address,address,uint256)"), BOB, ALICE],
                &word(4)
            ),
            event(&[transfer, BOB, ALICE], &word(3)),
            event(&[transfer, BOB, BOB], &word(7)),
        ]
    );
    assert_eq!(
        vft.ask(
            BOB,
            &call("vftBalanceOf(bool,address)", &[NO_CALL_REPLY, BOB])
        ),
        word(7)
    );
    assert_eq!(
        vft.ask(
            BOB,
            &call(
                "vftAllowance(bool,address,address)",
                &[NO_CALL_REPLY, BOB, ALICE]
            )
        ),
        word(1)
    );
    assert_eq!(
        vft.ask(BOB, &call("vftTotalSupply(bool)", &[NO_CALL_REPLY])),
        large
    );

    let message = vft.handle(
        BOB,
        &call(
            "vftTransfer(bool,address,uint256)",
            &[NO_CALL_REPLY, ALICE, word(8)],
        ),
        0,
    );
    assert_eq!(
        message.stopped.unwrap(),
        "panicked with 'the balance is too small'"
    );
}

#[test]
fn trouble_obeys() {
    let mut trouble = Program::new(TROUBLE);
    assert_eq!(trouble.init(b"").stopped, None);
    let command = |name: &str, arguments: &[&[u8]]| [name.as_bytes(), &arguments.concat()].concat();

    assert_eq!(trouble.handle(BOB, b"BUMP", 0).stopped, None);
    assert_eq!(trouble.ask(BOB, b"COUNT"), 1u64.to_le_bytes());
    assert_eq!(trouble.ask(BOB, b"TWICE"), b"FIRST");
    assert_eq!(
        trouble.ask(BOB, &command("BIG", &[&5u32.to_le_bytes()])),
        b"xxxxx"
    );
    assert_eq!(trouble.handle(BOB, b"REFUND", 9).reply, Some((vec![], 9)));

    trouble.handle(BOB, &command("MAILBOX", &[&7u128.to_le_bytes()]), 7);
    trouble.handle(
        BOB,
        &command("SEND", &[&ALICE, &1u128.to_le_bytes(), b"hello"]),
        1,
    );
    trouble.handle(BOB, &command("DELAY", &[&3u32.to_le_bytes()]), 0);
    assert_eq!(
        trouble.sent(),
        [
            Sent {
                to: BOB,
                payload: b"MAIL".into(),
                value: 7,
                delay: 0
            },
            Sent {
                to: ALICE,
                payload: b"hello".into(),
                value: 1,
                delay: 0
            },
            Sent {
                to: BOB,
                payload: b"DELAYED".into(),
                value: 0,
                delay: 3
            },
        ]
    );

    assert_eq!(trouble.deliver_reply(0, b"").stopped, None);
    assert!(trouble.deliver_reply(1, b"PANIC").stopped.is_some());
    // The one that made it panic is forgotten.
    assert_eq!(trouble.ask(BOB, b"REPLIES"), 1u64.to_le_bytes());

    for (woken, expected) in [(false, b"LATE".as_slice()), (true, b"WOKEN")] {
        let waiting = trouble.handle(BOB, b"WAIT", 0);
        assert_eq!(waiting.stopped.as_deref(), Some("wait up to 5"));
        if woken {
            assert_eq!(
                trouble
                    .handle(ALICE, &command("WAKE", &[&waiting.id]), 0)
                    .woken,
                [waiting.id]
            );
        }
        let again = trouble.execute(
            "handle",
            Message {
                stopped: None,
                ..waiting
            },
        );
        assert_eq!(again.reply.unwrap().0, expected);
    }
}

#[test]
fn trouble_fails_in_the_way_it_is_told() {
    for (command, end) in [
        ("PANIC", "panicked with 'asked to panic'"),
        ("DIRTY", "panicked with 'all of this is undone'"),
        ("TRAP", "Some(UnreachableCodeReached)"),
        ("WILD", "Some(MemoryOutOfBounds)"),
        ("RECURSE", "Some(StackOverflow)"),
        ("EXIT for whoever has this id: letter", "exit to 72"),
        ("NOSUCH", "panicked with 'unknown command'"),
    ] {
        let mut trouble = Program::new(TROUBLE);
        trouble.init(b"");
        assert_eq!(
            trouble
                .handle(BOB, command.as_bytes(), 0)
                .stopped
                .as_deref(),
            Some(end),
            "{command}"
        );
    }
    // Without memory to be had, an allocation panics.
    let end = Program::new(TROUBLE)
        .handle(BOB, b"ALLOC", 0)
        .stopped
        .unwrap();
    assert!(end.contains("memory allocation"), "{end}");
}
