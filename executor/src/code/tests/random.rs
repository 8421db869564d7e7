//! Random modules compute what they did before they were instrumented, for the same gas each time.

use super::{CALL, ENOUGH, Metered};
use crate::code::{MEMORY, config, validate};
use wasm_encoder::{
    Instruction,
    reencode::{self, Reencode},
};
use wasmparser::{FuncType, Operator, Parser, Payload, ValType};
use wasmtime::{Engine, Linker, Module, Store, Trap};

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

/// What the functions of a random module are called by.
const ENTRIES: [&str; 6] = [
    "init",
    "handle",
    "handle_reply",
    "handle_signal",
    "state",
    "metahash",
];

/// Makes a program of a module without imports: imports the memory, and adds entry points that call its first functions
/// and keep their results.
fn adapt(wasm: &[u8]) -> Vec<u8> {
    let (mut module, mut code) = (
        wasm_encoder::Module::new(),
        wasm_encoder::CodeSection::new(),
    );
    let (mut types, mut functions) = (Vec::new(), Vec::new());
    let mut left = 0;
    for payload in Parser::new(0).parse_all(wasm) {
        match payload.unwrap() {
            Payload::MemorySection(_) | Payload::CustomSection(_) => {}
            Payload::TypeSection(reader) => {
                let mut section = wasm_encoder::TypeSection::new();
                Adapter
                    .parse_type_section(&mut section, reader.clone())
                    .unwrap();
                section.ty().function([], []);
                module.section(&section);
                types.extend(reader.into_iter_err_on_gc_types().map(Result::unwrap));
                let mut imports = wasm_encoder::ImportSection::new();
                let memory = wasm_encoder::MemoryType {
                    minimum: 2,
                    maximum: None,
                    memory64: false,
                    shared: false,
                    page_size_log2: None,
                };
                imports.import("env", "memory", memory);
                module.section(&imports);
            }
            Payload::FunctionSection(reader) => {
                functions.extend(reader.into_iter().map(Result::unwrap));
                let mut section = wasm_encoder::FunctionSection::new();
                for ty in functions
                    .iter()
                    .copied()
                    .chain([types.len() as u32; ENTRIES.len()])
                {
                    section.function(ty);
                }
                module.section(&section);
            }
            Payload::ExportSection(_) => {
                let mut exports = wasm_encoder::ExportSection::new();
                let kind = wasm_encoder::ExportKind::Func;
                for (index, name) in (functions.len() as u32..).zip(ENTRIES) {
                    exports.export(name, kind, index);
                }
                module.section(&exports);
            }
            Payload::CodeSectionStart { count, .. } => left = count,
            Payload::CodeSectionEntry(body) => {
                Adapter.parse_function_body(&mut code, body).unwrap();
                left -= 1;
                if left == 0 {
                    for index in 0..ENTRIES.len() {
                        code.function(&caller(&types, &functions, index));
                    }
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
    module.finish()
}

/// Calls a function with some arguments, and stores what it returns.
fn caller(types: &[FuncType], functions: &[u32], index: usize) -> wasm_encoder::Function {
    use wasm_encoder::ValType as V;
    let kinds = [V::I32, V::I64, V::F32, V::F64, V::V128];
    let mut body = wasm_encoder::Function::new(kinds.map(|kind| (1, kind)));
    let ty = &types[functions[index] as usize];
    for parameter in ty.params() {
        body.instruction(&match parameter {
            ValType::I32 => Instruction::I32Const(7),
            ValType::I64 => Instruction::I64Const(-5),
            ValType::F32 => Instruction::F32Const(1.5.into()),
            ValType::F64 => Instruction::F64Const(2.5.into()),
            _ => Instruction::V128Const(0x1234_5678_9abc_def0),
        });
    }
    body.instruction(&Instruction::Call(index as u32));
    for (result, place) in ty.results().iter().rev().zip(0..) {
        let at = wasm_encoder::MemArg {
            offset: (index as u64 * 64 + place) * 16,
            align: 0,
            memory_index: 0,
        };
        let (local, store) = match result {
            ValType::I32 => (0, Instruction::I32Store(at)),
            ValType::I64 => (1, Instruction::I64Store(at)),
            ValType::F32 => (2, Instruction::F32Store(at)),
            ValType::F64 => (3, Instruction::F64Store(at)),
            _ => (4, Instruction::V128Store(at)),
        };
        body.instruction(&Instruction::LocalSet(local))
            .instruction(&Instruction::I32Const(0x8000))
            .instruction(&Instruction::LocalGet(local))
            .instruction(&store);
    }
    body.instruction(&Instruction::End);
    body
}

/// A random module that ends by itself; nothing if it is one that is refused.
fn random_module(seed: u64, traps: bool) -> Option<Vec<u8>> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let bytes: Vec<u8> = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    })
    .take(8_192)
    .collect();
    let config = wasm_smith::Config {
        canonicalize_nans: true,
        max_imports: 0,
        min_exports: 1,
        min_funcs: 6,
        max_funcs: 12,
        max_instructions: 300,
        min_globals: 3,
        min_types: 4,
        min_memories: 1,
        min_tables: 1,
        max_table_elements: 16,
        min_element_segments: 1,
        max_data_segments: 0,
        allow_start_export: false,
        bulk_memory_enabled: false,
        disallow_traps: !traps,
        exceptions_enabled: false,
        extended_const_enabled: false,
        gc_enabled: false,
        memory64_enabled: false,
        reference_types_enabled: false,
        relaxed_simd_enabled: false,
        tail_call_enabled: false,
        threads_enabled: false,
        ..wasm_smith::Config::default()
    };
    let mut source = arbitrary::Unstructured::new(&bytes);
    let mut module = wasm_smith::Module::new(config, &mut source).ok()?;
    module.ensure_termination(2_000).ok()?;
    let wasm = adapt(&module.to_bytes());
    validate::validate(&wasm).ok()?;
    Some(wasm)
}

/// How a call ended, and the memory after it.
fn ending(result: wasmtime::Result<()>, memory: &[u8]) -> (Option<Trap>, Vec<u8>) {
    let trap = result
        .err()
        .map(|error| *error.downcast_ref::<Trap>().unwrap());
    (trap, memory.to_vec())
}

/// A call of each entry point in a module as it was before; nothing if its tables cannot be filled.
fn plain(wasm: &[u8]) -> Option<[(Option<Trap>, Vec<u8>); ENTRIES.len()]> {
    let engine = Engine::new(&config()).unwrap();
    let module = Module::new(&engine, wasm).unwrap();
    let mut linker = Linker::new(&engine);
    let mut store = Store::new(&engine, ());
    let memory = wasmtime::Memory::new(&mut store, wasmtime::MemoryType::new(2, None)).unwrap();
    linker.define(&mut store, "env", "memory", memory).unwrap();
    linker.instantiate(&mut store, &module).ok()?;
    Some(ENTRIES.map(|entry| {
        // A new instance on the same memory: the globals start again.
        let instance = linker.instantiate(&mut store, &module).unwrap();
        let result = instance
            .get_typed_func::<(), ()>(&mut store, entry)
            .unwrap()
            .call(&mut store, ());
        ending(result, memory.data(&store))
    }))
}

/// Whether the first difference is a NaN that was moved through a result or parameter, and so became canonical.
fn only_a_nan(actual: &[u8], expected: &[u8]) -> bool {
    let at = actual
        .iter()
        .zip(expected)
        .position(|(a, b)| a != b)
        .unwrap();
    let single =
        |bytes: &[u8], from: usize| u32::from_le_bytes(bytes[from..from + 4].try_into().unwrap());
    let double =
        |bytes: &[u8], from: usize| u64::from_le_bytes(bytes[from..from + 8].try_into().unwrap());
    (at.saturating_sub(3)..=at).any(|from| {
        single(actual, from) == 0x7fc0_0000 && f32::from_bits(single(expected, from)).is_nan()
    }) || (at.saturating_sub(7)..=at).any(|from| {
        double(actual, from) == 0x7ff8 << 48 && f64::from_bits(double(expected, from)).is_nan()
    })
}

#[test]
fn random_modules_compute_what_they_did_before() {
    let (mut accepted, mut returned, mut trapped, mut wrote, mut canonical) = (0, 0, 0, 0, 0);
    'modules: for seed in 0..500 {
        let Some(wasm) = random_module(seed, seed % 2 == 0) else {
            continue;
        };
        let Some(expected) = plain(&wasm) else {
            continue;
        };
        accepted += 1;
        let mut runs = Vec::new();
        for _ in 0..2 {
            let mut metered = Metered::of(&wasm);
            let mut run = Vec::new();
            for (entry, expected) in ENTRIES.into_iter().zip(&expected) {
                let result = metered.call(entry, ENOUGH);
                let memory = metered
                    .instance
                    .get_memory(&mut metered.store, MEMORY)
                    .unwrap();
                let actual = ending(result, memory.data(&metered.store));
                assert_eq!(actual.0, expected.0, "seed {seed}");
                if actual.1 != expected.1 {
                    assert!(
                        only_a_nan(&actual.1, &expected.1),
                        "seed {seed}: the memories differ"
                    );
                    canonical += 1;
                    continue 'modules;
                }
                let burned = ENOUGH - metered.left();
                assert!(burned >= CALL, "seed {seed}");
                if actual.0.is_none() {
                    returned += 1;
                    assert_eq!(metered.stack(), 0, "seed {seed}");
                } else {
                    trapped += 1;
                }
                wrote += usize::from(actual.1.iter().any(|byte| *byte != 0));
                run.push(burned);
                metered.reset();
            }
            // With less than that it ends by the gas, and never runs on for long.
            for part in [1, 2, 7] {
                metered.again();
                let _ = metered.call(ENTRIES[0], run[0] / (part + 1));
                let left = metered.left();
                assert!(left < 0 && left > -4_000_000, "seed {seed}: {left}");
            }
            runs.push(run);
        }
        assert_eq!(runs[0], runs[1], "seed {seed}: the gas differs");
    }
    println!(
        "{accepted} modules: {returned} returned, {trapped} trapped, {wrote} wrote, {canonical} moved a NaN"
    );
    assert!(accepted > 200 && returned > 200 && trapped > 100 && wrote > 500 && canonical < 40);
}
