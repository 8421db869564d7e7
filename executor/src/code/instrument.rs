//! Makes a validated module safe to run: it meters its own gas and bounds its own stack, by what depends on the code alone.
//!
//! What comes out exports, beside the entry points,
//!
//! * the memory, which programs import, as the module's own: then one linked module serves every message;
//! * the global `gas` (`i64`): gas left. The host sets it before a call and reads it after; a program that is out of gas
//!   leaves it negative and traps;
//! * the global `stack` (`i32`): bytes of stack in use. Each function that calls others adds its frame while it runs; one
//!   that would take it over [`STACK_LIMIT`](super::STACK_LIMIT) leaves it at its highest value and traps. A frame is
//!   counted larger than any compiler needs, since no operator leaves more than one value (see `metering`). So the native
//!   stack, which differs between processors, is never what ends a program;
//! * the function `reset`: puts every mutable global back to its first value and `stack` to zero, so that an instance can
//!   serve another message.
//!
//! Behind `reset` are the functions that touch memory for long bulk operators: see [`bulk`].

use super::{
    GAS, MEMORY, RESET, STACK, bulk,
    metering::{Context, broken, function},
};
use crate::CodeError;
use std::{collections::BTreeMap, ops::Range};
use wasm_encoder::{
    BlockType, CodeSection, ConstExpr, ExportKind, ExportSection, Function, FunctionSection,
    GlobalSection, GlobalType, ImportSection, Instruction, MemorySection, MemoryType, Module,
    RawSection, SectionId, TypeSection, ValType,
    reencode::{Reencode, RoundtripReencoder},
};
use wasmparser::{ExternalKind, FunctionBody, GlobalSectionReader, Parser, Payload, TypeRef};

/// The parts of a module, as far as they are changed.
#[derive(Default)]
struct Parts<'a> {
    types: TypeSection,
    imports: ImportSection,
    tables: Option<Range<usize>>,
    globals: GlobalSection,
    /// What `reset` does.
    resets: Vec<Instruction<'a>>,
    exports: ExportSection,
    elements: Option<Range<usize>>,
    bodies: Vec<FunctionBody<'a>>,
    data: Option<Range<usize>>,
    /// WASM pages of the memory at the start.
    pages: u64,
}

/// Rewrites a module that `validate` accepted.
pub(super) fn instrument(wasm: &[u8]) -> Result<Vec<u8>, CodeError> {
    let mut encoder = RoundtripReencoder;
    let mut parts = Parts::default();
    let mut context = Context {
        types: Vec::new(),
        functions: Vec::new(),
        imported: 0,
        vectors: false,
        stack: 0,
        gas: 1,
    };
    for payload in Parser::new(0).parse_all(wasm) {
        parts.take(&mut encoder, &mut context, payload.map_err(broken)?)?;
    }
    let own_functions = context.functions.clone();
    let own_functions = own_functions
        .get(context.imported as usize..)
        .unwrap_or(&[]);

    let mut functions = FunctionSection::new();
    let mut code = CodeSection::new();
    let mut blocks = Blocks {
        next: context.types.len() as u32,
        known: BTreeMap::new(),
    };
    for (index, body) in (context.imported..).zip(&parts.bodies) {
        let results = context.signature(index)?.results().to_vec();
        let block = blocks.of(&mut parts.types, &mut encoder, &results)?;
        code.function(&function(&context, &mut encoder, index, body, block)?);
    }
    for ty in own_functions {
        functions.function(*ty);
    }
    // `reset` and what follows come last, so that no other index changes.
    let reset = blocks.of_nothing(&mut parts.types);
    functions.function(reset);
    let mut last = Function::new([]);
    for instruction in &parts.resets {
        last.instruction(instruction);
    }
    last.instruction(&Instruction::I32Const(0))
        .instruction(&Instruction::GlobalSet(context.stack))
        .instruction(&Instruction::End);
    code.function(&last);
    let touching = blocks.of_touching(&mut parts.types);
    for write in [false, true] {
        functions.function(touching);
        code.function(&bulk::function(write));
    }
    let exports = &mut parts.exports;
    exports.export(MEMORY, ExportKind::Memory, 0);
    exports.export(STACK, ExportKind::Global, context.stack);
    exports.export(GAS, ExportKind::Global, context.gas);
    exports.export(RESET, ExportKind::Func, context.functions.len() as u32);

    for (ty, zero) in [
        (ValType::I32, ConstExpr::i32_const(0)),
        (ValType::I64, ConstExpr::i64_const(0)),
    ] {
        let ty = GlobalType {
            val_type: ty,
            mutable: true,
            shared: false,
        };
        parts.globals.global(ty, &zero);
    }
    let mut memories = MemorySection::new();
    memories.memory(MemoryType {
        minimum: parts.pages,
        // Nothing but `alloc` makes it grow, and that knows the limit.
        maximum: None,
        memory64: false,
        shared: false,
        page_size_log2: None,
    });

    let mut module = Module::new();
    module
        .section(&parts.types)
        .section(&parts.imports)
        .section(&functions);
    raw(&mut module, SectionId::Table, wasm, parts.tables);
    module
        .section(&memories)
        .section(&parts.globals)
        .section(&parts.exports);
    raw(&mut module, SectionId::Element, wasm, parts.elements);
    module.section(&code);
    raw(&mut module, SectionId::Data, wasm, parts.data);
    Ok(module.finish())
}

impl<'a> Parts<'a> {
    fn take(
        &mut self,
        encoder: &mut RoundtripReencoder,
        context: &mut Context,
        payload: Payload<'a>,
    ) -> Result<(), CodeError> {
        match payload {
            Payload::TypeSection(reader) => {
                for ty in reader.clone().into_iter_err_on_gc_types() {
                    let ty = ty.map_err(broken)?;
                    context.vectors |= ty
                        .params()
                        .iter()
                        .chain(ty.results())
                        .any(|ty| *ty == wasmparser::ValType::V128);
                    context.types.push(ty);
                }
                encoder
                    .parse_type_section(&mut self.types, reader)
                    .map_err(broken)?;
            }
            Payload::ImportSection(reader) => {
                for import in reader {
                    let import = import.map_err(broken)?;
                    match import.ty {
                        TypeRef::Memory(ty) => self.pages = ty.initial,
                        ty => {
                            if let TypeRef::Func(index) = ty {
                                context.functions.push(index);
                                context.imported += 1;
                            }
                            let ty = encoder.entity_type(ty).map_err(broken)?;
                            self.imports.import(import.module, import.name, ty);
                        }
                    }
                }
            }
            Payload::FunctionSection(reader) => {
                for index in reader {
                    context.functions.push(index.map_err(broken)?);
                }
            }
            Payload::TableSection(reader) => self.tables = Some(reader.range()),
            Payload::GlobalSection(reader) => self.globals(encoder, context, reader)?,
            Payload::ExportSection(reader) => {
                for export in reader {
                    let export = export.map_err(broken)?;
                    if export.kind == ExternalKind::Func {
                        self.exports
                            .export(export.name, ExportKind::Func, export.index);
                    }
                }
            }
            Payload::ElementSection(reader) => self.elements = Some(reader.range()),
            Payload::CodeSectionEntry(body) => self.bodies.push(body),
            Payload::DataSection(reader) => self.data = Some(reader.range()),
            _ => {}
        }
        Ok(())
    }

    fn globals(
        &mut self,
        encoder: &mut RoundtripReencoder,
        context: &mut Context,
        reader: GlobalSectionReader<'a>,
    ) -> Result<(), CodeError> {
        context.stack = reader.count();
        context.gas = context.stack + 1;
        for (index, global) in (0..).zip(reader.clone()) {
            let global = global.map_err(broken)?;
            context.vectors |= global.ty.content_type == wasmparser::ValType::V128;
            if !global.ty.mutable {
                continue;
            }
            // The one operator of a constant expression, without its `end`.
            let mut operators = global.init_expr.get_operators_reader();
            while !operators.is_end_then_eof() {
                let operator = operators.read().map_err(broken)?;
                self.resets
                    .push(encoder.instruction(operator).map_err(broken)?);
            }
            self.resets.push(Instruction::GlobalSet(index));
        }
        encoder
            .parse_global_section(&mut self.globals, reader)
            .map_err(broken)
    }
}

/// The types of the blocks that bodies become.
struct Blocks {
    /// Index of the next type.
    next: u32,
    known: BTreeMap<Vec<u8>, u32>,
}

impl Blocks {
    fn of(
        &mut self,
        types: &mut TypeSection,
        encoder: &mut RoundtripReencoder,
        results: &[wasmparser::ValType],
    ) -> Result<BlockType, CodeError> {
        let mut encoded = Vec::with_capacity(results.len());
        for ty in results {
            encoded.push(encoder.val_type(*ty).map_err(broken)?);
        }
        match encoded.as_slice() {
            [] => Ok(BlockType::Empty),
            [one] => Ok(BlockType::Result(*one)),
            many => Ok(BlockType::FunctionType(self.index(types, many))),
        }
    }

    fn of_nothing(&mut self, types: &mut TypeSection) -> u32 {
        self.index(types, &[])
    }

    fn of_touching(&mut self, types: &mut TypeSection) -> u32 {
        types.ty().function(bulk::PARAMETERS, []);
        self.next += 1;
        self.next - 1
    }

    fn index(&mut self, types: &mut TypeSection, results: &[ValType]) -> u32 {
        let mut key = Vec::new();
        for ty in results {
            wasm_encoder::Encode::encode(ty, &mut key);
        }
        *self.known.entry(key).or_insert_with(|| {
            types
                .ty()
                .function(std::iter::empty(), results.iter().copied());
            self.next += 1;
            self.next - 1
        })
    }
}

fn raw(module: &mut Module, id: SectionId, wasm: &[u8], range: Option<Range<usize>>) {
    if let Some(data) = range.and_then(|range| wasm.get(range)) {
        module.section(&RawSection { id: id as u8, data });
    }
}
