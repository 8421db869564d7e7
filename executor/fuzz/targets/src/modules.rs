//! Bytes as a program: raw ones, real programs with some bytes changed, and random modules by wasm-smith that import every
//! system call. What is accepted is created, initialised and called over several rounds.

use crate::{
    common::{ALICE, BOB, RICH, actor},
    source::Source,
    stage::{Actor, Stage, reach, scale},
};
use arbitrary::Unstructured;
use gear_exe_executor::{CodeError, MAX_CODE_LENGTH, system_calls};
use gear_exe_primitives::ActorId;
use gear_exe_programs::{COUNTER, ENVOY, FAN_OUT, PING, STEWARD, TROUBLE};
use std::cell::RefCell;
use wasm_encoder::{
    Instruction,
    reencode::{self, Reencode},
};
use wasmparser::{Operator, Parser, Payload};

/// Modules whose codes one stage keeps.
const CODES: usize = 200;
/// The longest code that the twin compiles too.
const REPEATED: usize = 16_384;

thread_local! {
    static STAGE: RefCell<Option<Stage>> = const { RefCell::new(None) };
}

/// Offers a module made of `data` to an executor.
///
/// # Panics
///
/// If the executor breaks a promise.
pub fn run(data: &[u8]) {
    let mut source = Source(data);
    let Some(wasm) = module(&mut source) else {
        return;
    };
    let mut stage = STAGE.take().unwrap_or_else(|| Stage::new(|_| {}));
    offer(&mut stage, &wasm, data);
    if stage.played < CODES {
        STAGE.set(Some(stage));
    }
}

/// The module that `data` stands for; the first byte says how.
fn module(source: &mut Source<'_>) -> Option<Vec<u8>> {
    match source.below(8) {
        0 => Some(source.0.to_vec()),
        1 => Some(changed(source)),
        2 => random(source, false),
        _ => random(source, true),
    }
}

/// A real program with bytes of its own put in other places, changed, or cut off.
fn changed(source: &mut Source<'_>) -> Vec<u8> {
    let mut wasm = source
        .pick(&[PING, PING, PING, TROUBLE, STEWARD, FAN_OUT, COUNTER, ENVOY])
        .to_vec();
    while !source.is_empty() {
        let at = source.u32() as usize % wasm.len();
        match source.below(8) {
            0..5 => wasm[at] = source.byte(),
            5 => wasm[at] = wasm[at].wrapping_add(1),
            6 => {
                let end = wasm.len().min(at + source.below(64));
                let part = wasm[at..end].to_vec();
                let to = source.u32() as usize % wasm.len();
                let end = wasm.len().min(to + part.len());
                wasm[to..end].copy_from_slice(&part[..end - to]);
            }
            _ if source.once_in(16) => wasm.truncate(at.max(1)),
            _ => {}
        }
    }
    wasm
}

/// What a program must have, as a module.
fn shape(pages: u32) -> Vec<u8> {
    let imports: String = system_calls()
        .map(|(name, parameters, returns)| {
            let letters = parameters.chars();
            let parameters: String = letters
                .map(|letter| if letter == 'I' { " i64" } else { " i32" })
                .collect();
            let result = if returns { "(result i32)" } else { "" };
            format!(r#"(import "env" "{name}" (func (param {parameters}) {result}))"#)
        })
        .collect();
    let entries: String = ["init", "handle", "handle_reply", "handle_signal"]
        .map(|name| format!(r#"(func (export "{name}"))"#))
        .concat();
    let text = format!(r#"(module {imports} (import "env" "memory" (memory {pages})) {entries})"#);
    wat::parse_str(text).unwrap()
}

/// A random module: one with the shape of a program and only what programs may use, or any.
fn random(source: &mut Source<'_>, fitting: bool) -> Option<Vec<u8>> {
    let kind = source.byte();
    let mut config = wasm_smith::Config {
        max_instructions: 1 + usize::from(source.byte()) * 8,
        max_funcs: 1 + source.below(64),
        max_nesting_depth: 1 + source.below(100),
        disallow_traps: kind & 1 != 0,
        allow_floats: kind & 2 == 0,
        simd_enabled: kind & 4 == 0,
        multi_value_enabled: kind & 8 == 0,
        max_data_segments: if kind & 16 == 0 { 0 } else { 8 },
        min_funcs: usize::from(kind & 1),
        max_table_elements: 64,
        ..wasm_smith::Config::default()
    };
    if fitting {
        config = wasm_smith::Config {
            module_shape: Some(shape(if kind & 32 == 0 { 2 } else { 1_000 })),
            allow_start_export: false,
            bulk_memory_enabled: false,
            exceptions_enabled: false,
            extended_const_enabled: false,
            gc_enabled: false,
            memory64_enabled: false,
            reference_types_enabled: false,
            relaxed_simd_enabled: false,
            tail_call_enabled: false,
            threads_enabled: false,
            ..config
        };
    }
    let mut bytes = Unstructured::new(source.0);
    let module = wasm_smith::Module::new(config, &mut bytes).ok()?;
    let wasm = module.to_bytes();
    if !fitting {
        return Some(wasm);
    }
    without_growth(&wasm)
}

/// Replaces `memory.grow`, which programs may not use, by an operator of the same type.
struct Adapter;

impl Reencode for Adapter {
    type Error = std::convert::Infallible;

    fn instruction<'a>(
        &mut self,
        operator: Operator<'a>,
    ) -> Result<Instruction<'a>, reencode::Error<Self::Error>> {
        match operator {
            Operator::MemoryGrow { .. } => Ok(Instruction::I32Eqz),
            operator => reencode::utils::instruction(self, operator),
        }
    }
}

fn without_growth(wasm: &[u8]) -> Option<Vec<u8>> {
    let mut module = wasm_encoder::Module::new();
    let mut code = wasm_encoder::CodeSection::new();
    let mut left = 0;
    for payload in Parser::new(0).parse_all(wasm) {
        match payload.ok()? {
            Payload::CodeSectionStart { count, .. } => left = count,
            Payload::CodeSectionEntry(body) => {
                Adapter.parse_function_body(&mut code, body).ok()?;
                left -= 1;
                if left == 0 {
                    module.section(&code);
                }
            }
            payload => {
                if let Some((id, range)) = payload.as_section() {
                    let data = &wasm[range];
                    module.section(&wasm_encoder::RawSection { id, data });
                }
            }
        }
    }
    Some(module.finish())
}

fn offer(stage: &mut Stage, wasm: &[u8], data: &[u8]) {
    let executor = &stage.world.executor;
    let compiled = executor.stats().codes_compiled;
    let id = match executor.add_code(wasm) {
        Ok(id) => id,
        Err(error) => {
            let kind = format!("{error:?}");
            let kind = kind.split('(').next().unwrap_or_default();
            let sum = |sum: u64, byte| sum.wrapping_mul(31).wrapping_add(u64::from(byte));
            reach(20, kind.bytes().fold(0, sum));
            match error {
                CodeError::TooLong { .. } => assert!(wasm.len() > MAX_CODE_LENGTH),
                // Everything that is refused is refused before it is compiled.
                CodeError::Compiler(_) | CodeError::Store(_) => panic!("{error}"),
                _ => assert_eq!(executor.stats().codes_compiled, compiled),
            }
            return;
        }
    };
    assert!(wasm.len() <= MAX_CODE_LENGTH);
    assert_eq!(executor.code(id).unwrap().as_deref(), Some(wasm));
    reach(21, scale(wasm.len() as u64));
    if wasm.len() <= REPEATED {
        stage.play(|world| call(world, wasm, data));
    } else {
        stage.play_alone(|world| call(world, wasm, data));
    }
}

fn call(act: &mut Actor<'_>, wasm: &[u8], data: &[u8]) {
    let programs: Vec<ActorId> = (0..2).map(|_| act.world.create(wasm)).collect();
    for program in &programs {
        act.world.top_up(*program, RICH);
        act.send(
            *program,
            ALICE,
            data[..data.len().min(64)].to_vec(),
            7,
            false,
        );
    }
    act.world.round();
    for round in 0..3u8 {
        for (program, user) in programs.iter().zip([ALICE, BOB]) {
            act.send(
                *program,
                user,
                vec![round; 40],
                u128::from(round),
                round == 1,
            );
            act.native(*program, user, programs[0].as_ref().to_vec(), round == 2);
        }
        if let Some((owner, mail)) = act.world.messages.last().cloned()
            && mail.reply_details.is_none()
            && mail.destination == ALICE
        {
            act.world.reply(owner, ALICE, mail.id, b"well", 1);
        }
        act.world.round();
    }
    act.query(programs[0], BOB, actor(ALICE).as_ref(), 3);
    act.world.quiet_round();
}
