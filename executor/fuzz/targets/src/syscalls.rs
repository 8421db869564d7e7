//! System calls with hostile arguments: the bytes become a program whose entry points make any calls there are, with
//! pointers at and beyond the ends of memory, overlapping buffers, huge lengths, handles that were never opened, and ids
//! of others' messages; then they become the messages that it gets.

use crate::{
    common::{ALICE, BOB, RICH, actor},
    source::Source,
    stage::{Actor, Stage},
};
use gear_exe_executor::system_calls;
use gear_exe_primitives::{ActorId, H160, MessageId, ids::ETHEREUM_EVENT_ADDRESS};
use gear_exe_programs::{PING, TROUBLE};
use std::cell::RefCell;
use wasm_encoder::{
    BlockType, CodeSection, ConstExpr, DataSection, EntityType, ExportKind, ExportSection,
    Function, FunctionSection, ImportSection, Instruction, MemArg, MemoryType, Module, TypeSection,
    ValType,
};

/// Modules whose codes one stage keeps.
const CODES: usize = 400;
const ENTRIES: [&str; 4] = ["handle", "init", "handle_reply", "handle_signal"];
/// Calls after which nothing comes: they are made less often.
const ENDING: [&str; 7] = [
    "gr_exit",
    "gr_leave",
    "gr_oom_panic",
    "gr_panic",
    "gr_wait",
    "gr_wait_for",
    "gr_wait_up_to",
];
/// WASM pages that the program starts with.
const PAGES: u32 = 2;
const END: u32 = PAGES << 16;
/// Counts the runs, each of its bits a way to take.
const COUNTER: u32 = 64;
/// Where results go, in slots of 128 bytes.
const RESULTS: u32 = 1_024;
/// Where ids and values are, as calls take them: slots of 96 bytes that hold a reservation, an actor, an amount, and the
/// id of a message.
const IDS: u32 = 8_192;
const SLOTS: usize = 16;

thread_local! {
    static STAGE: RefCell<Option<Stage>> = const { RefCell::new(None) };
}

/// Has a program made of `data` run.
///
/// # Panics
///
/// If the executor breaks a promise.
pub fn run(data: &[u8]) {
    let mut stage = STAGE.take().unwrap_or_else(|| {
        Stage::new(|world| {
            world.program(PING, b"");
            world.program(TROUBLE, b"");
        })
    });
    let mut source = Source(data);
    let programs = stage.world.programs.clone();
    let own: Vec<ActorId> = (1..=2)
        .map(|number| address(programs.len() as u64 + number))
        .collect();
    let known = [&programs[..], &own].concat();
    let wasm = module(&mut source, &known);
    stage.play(|act| call(act, &wasm, &known, &mut source));
    if stage.played < CODES {
        STAGE.set(Some(stage));
    }
}

/// Where a world creates its programs.
fn address(number: u64) -> ActorId {
    let mut address = H160::from_low_u64_be(number);
    address.0[0] = 0x77;
    address.into()
}

fn module(source: &mut Source<'_>, known: &[ActorId]) -> Vec<u8> {
    let calls: Vec<(&str, &str, bool)> = system_calls().collect();
    let (mut types, mut imports) = (TypeSection::new(), ImportSection::new());
    let memory = MemoryType {
        minimum: PAGES.into(),
        maximum: None,
        memory64: false,
        shared: false,
        page_size_log2: None,
    };
    imports.import("env", "memory", memory);
    for ((name, parameters, returns), index) in calls.iter().zip(0..) {
        let parameters = parameters.chars().map(|letter| match letter {
            'I' => ValType::I64,
            _ => ValType::I32,
        });
        let parameters: Vec<ValType> = parameters.collect();
        let result = returns.then_some(ValType::I32);
        types.ty().function(parameters, result);
        imports.import("env", name, EntityType::Function(index));
    }
    let plain = calls.len() as u32;
    types.ty().function([], []);
    let (mut functions, mut exports) = (FunctionSection::new(), ExportSection::new());
    let mut code = CodeSection::new();
    for (name, index) in ENTRIES.into_iter().zip(plain..) {
        functions.function(plain);
        exports.export(name, ExportKind::Func, index);
        code.function(&entry(source, &calls));
    }
    let mut data = DataSection::new();
    let table = table(source, known);
    data.active(0, &ConstExpr::i32_const(IDS as i32), table);
    let mut module = Module::new();
    module
        .section(&types)
        .section(&imports)
        .section(&functions)
        .section(&exports)
        .section(&code)
        .section(&data);
    module.finish()
}

/// Ids and values that calls may be given.
fn table(source: &mut Source<'_>, known: &[ActorId]) -> Vec<u8> {
    let mut table = Vec::new();
    for _ in 0..SLOTS {
        let target = match source.below(8) {
            0 => ActorId::zero(),
            1 => actor(ETHEREUM_EVENT_ADDRESS),
            2 => actor(ALICE),
            3 => ActorId::from([source.byte(); 32]),
            _ => source.pick(known),
        };
        let message = Actor::id(source.pick(known), u64::from(source.byte() % 16));
        let message = match source.below(4) {
            0 => message,
            1 => MessageId::outgoing(message, u32::from(source.byte() % 4)),
            2 => MessageId::reply(message),
            _ => MessageId::from([source.byte(); 32]),
        };
        table.extend_from_slice(&[source.byte(); 16]);
        table.extend_from_slice(target.as_ref());
        table.extend_from_slice(&source.value().to_le_bytes());
        table.extend_from_slice(message.as_ref());
    }
    table
}

/// The body of an entry point.
struct Body<'a, 'b> {
    source: &'a mut Source<'b>,
    calls: &'a [(&'a str, &'a str, bool)],
    function: Function,
    /// The last pointer, so that others overlap it.
    last: u32,
}

fn entry(source: &mut Source<'_>, calls: &[(&str, &str, bool)]) -> Function {
    let mut body = Body {
        source,
        calls,
        function: Function::new([(8, ValType::I32)]),
        last: RESULTS,
    };
    // Another way through each time that it runs.
    body.constant(COUNTER);
    body.load(COUNTER);
    body.constant(1);
    body.add(&[Instruction::I32Add, Instruction::I32Store(at(0))]);
    let count = body.source.below(24);
    body.steps(count, 0);
    let mut function = body.function;
    function.instruction(&Instruction::End);
    function
}

fn at(offset: u64) -> MemArg {
    MemArg {
        offset,
        align: 0,
        memory_index: 0,
    }
}

impl Body<'_, '_> {
    fn add(&mut self, instructions: &[Instruction<'_>]) {
        for instruction in instructions {
            self.function.instruction(instruction);
        }
    }

    fn constant(&mut self, number: u32) {
        self.add(&[Instruction::I32Const(number as i32)]);
    }

    fn load(&mut self, from: u32) {
        self.constant(from);
        self.add(&[Instruction::I32Load(at(0))]);
    }

    fn steps(&mut self, count: usize, depth: u32) {
        for _ in 0..count {
            if self.source.is_empty() {
                return;
            }
            self.step(depth);
        }
    }

    fn step(&mut self, depth: u32) {
        match self.source.below(12) {
            // Only in some runs.
            0 if depth < 4 => {
                let (mask, value) = (self.source.below(8), self.source.below(8));
                self.load(COUNTER);
                self.constant(mask as u32);
                self.add(&[Instruction::I32And]);
                self.constant((value & mask) as u32);
                self.add(&[Instruction::I32Eq, Instruction::If(BlockType::Empty)]);
                let count = 1 + self.source.below(6);
                self.steps(count, depth + 1);
                self.add(&[Instruction::End]);
            }
            // Many times.
            1 if depth < 3 => {
                let turns = self.source.pick(&[2, 5, 40, 300, 1_100, 70_000]);
                self.constant(turns);
                self.add(&[
                    Instruction::LocalSet(depth),
                    Instruction::Loop(BlockType::Empty),
                ]);
                let count = 1 + self.source.below(3);
                self.steps(count, depth + 1);
                self.add(&[Instruction::LocalGet(depth)]);
                self.constant(1);
                self.add(&[
                    Instruction::I32Sub,
                    Instruction::LocalTee(depth),
                    Instruction::BrIf(0),
                    Instruction::End,
                ]);
            }
            // What a call gave becomes what another is given.
            2 | 3 => {
                let to = self.slot() + self.source.pick(&[0, 16, 64]);
                let from = self.result() + self.source.pick(&[0, 4, 4, 8, 32]);
                self.copy(to, from);
            }
            4 => {
                let (to, value) = (self.pointer(), self.source.byte());
                let length = self.source.pick_length();
                self.constant(to);
                self.constant(value.into());
                self.constant(length);
                self.add(&[Instruction::MemoryFill(0)]);
            }
            _ => self.call(),
        }
    }

    fn copy(&mut self, to: u32, from: u32) {
        self.constant(to);
        self.constant(from);
        self.constant(32);
        self.add(&[Instruction::MemoryCopy {
            src_mem: 0,
            dst_mem: 0,
        }]);
    }

    fn call(&mut self) {
        let mut index = self.source.below(self.calls.len());
        if ENDING.contains(&self.calls[index].0) && !self.source.once_in(8) {
            index = self.source.below(self.calls.len());
        }
        let (_, parameters, returns) = self.calls[index];
        for letter in parameters.chars() {
            if letter == 'I' {
                let amount = self.amount();
                self.add(&[Instruction::I64Const(amount as i64)]);
            } else {
                self.argument();
            }
        }
        if returns {
            // It may be the start of new memory.
            self.add(&[Instruction::Call(index as u32), Instruction::LocalSet(7)]);
            let to = self.result();
            self.constant(to);
            self.add(&[Instruction::LocalGet(7), Instruction::I32Store(at(0))]);
        } else {
            self.add(&[Instruction::Call(index as u32)]);
        }
    }

    fn amount(&mut self) -> u64 {
        match self.source.below(6) {
            0 => 0,
            1 => u64::from(self.source.byte()),
            2 => u64::from(self.source.u32()),
            3 => 1_000_000 * u64::from(self.source.u16()),
            4 => self
                .source
                .pick(&[u64::MAX, 1 << 63, (1 << 63) - 1, 1 << 62]),
            _ => self.source.u64(),
        }
    }

    fn slot(&mut self) -> u32 {
        IDS + 96 * self.source.below(SLOTS) as u32
    }

    fn result(&mut self) -> u32 {
        RESULTS + 128 * self.source.below(16) as u32
    }

    fn argument(&mut self) {
        match self.source.below(12) {
            // A length, a handle, a delay.
            0..4 => {
                let small = self.source.pick_small();
                self.constant(small);
            }
            4 => {
                let from = self.result() + self.source.pick(&[0, 4, 36]);
                self.load(from);
            }
            5 => {
                // A page of its own, as an address.
                let from = self.result();
                self.load(from);
                self.constant(16);
                self.add(&[Instruction::I32Shl]);
            }
            _ => {
                let pointer = self.pointer();
                self.last = pointer;
                self.constant(pointer);
            }
        }
    }

    /// Mostly one that is as it should be, or nothing would ever come after the first call.
    fn pointer(&mut self) -> u32 {
        match self.source.below(64) {
            0..20 => self.result(),
            20..54 => self.slot() + self.source.pick(&[0, 16, 16, 48, 64]),
            54..57 => self.last.wrapping_add(self.source.u16().into()),
            57..60 => self.last.wrapping_sub(self.source.byte().into()),
            60 => END.wrapping_sub(self.source.below(100) as u32),
            61 => 0u32.wrapping_sub(self.source.below(100) as u32),
            62 => {
                let strange = [0, u32::MAX, END - 4, END - 36, 1 << 31, 16_384 - 2];
                self.source.pick(&strange)
            }
            _ => self.source.u32(),
        }
    }
}

impl Source<'_> {
    /// A length, a handle, a number of blocks.
    fn pick_small(&mut self) -> u32 {
        match self.below(64) {
            0..48 => self.below(5) as u32,
            48..58 => self.byte().into(),
            58..63 => self.pick_length(),
            _ => u32::MAX - u32::from(self.byte()),
        }
    }

    fn pick_length(&mut self) -> u32 {
        match self.below(8) {
            0..4 => self.byte().into(),
            4..6 => self.u16().into(),
            6 => {
                let strange = [126 << 10, (126 << 10) + 1, 24 << 10, 1 << 20, END, u32::MAX];
                self.pick(&strange)
            }
            _ => self.u32() >> 8,
        }
    }
}

fn call(act: &mut Actor<'_>, wasm: &[u8], known: &[ActorId], source: &mut Source<'_>) {
    let own = [act.world.create(wasm), act.world.create(wasm)];
    assert_eq!(own[..], known[known.len() - 2..]);
    for program in own {
        act.world.top_up(program, RICH);
        act.world.give(program, 1_000_000);
        act.send(program, ALICE, source.text(64), 100, false);
    }
    act.world.round();
    for _ in 0..2 + source.below(5) {
        for _ in 0..1 + source.below(3) {
            let (program, user) = (source.pick(&own), source.pick(&[ALICE, BOB]));
            match source.below(8) {
                0 => {
                    act.native(program, user, source.text(200), source.once_in(2));
                }
                1 | 2 => {
                    let mail = act.world.messages.iter().rev();
                    let mail = mail.filter(|(_, own)| own.reply_details.is_none());
                    let mail = mail.map(|(owner, own)| (*owner, own.id, own.destination));
                    if let Some((owner, id, user)) = mail.clone().next() {
                        match source.once_in(3) {
                            true => act.world.claim(owner, user, id),
                            false => act.world.reply(owner, user, id, b"answer", source.value()),
                        }
                    }
                }
                _ => {
                    act.send(
                        program,
                        user,
                        source.text(200),
                        source.value(),
                        source.once_in(8),
                    );
                }
            }
        }
        match source.once_in(4) {
            true => act.world.quiet_round(),
            false => act.world.round(),
        };
    }
    act.query(own[0], BOB, &source.text(64), source.value());
}
