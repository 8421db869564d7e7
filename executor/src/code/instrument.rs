//! Makes a validated module safe to run: its stack is bounded by a count that depends on the code alone.
//!
//! Each function adds its cost to a global when it starts and takes it off when it ends; one that would take the count
//! over [`STACK_LIMIT`] traps. A function costs [`FRAME`] and [`SLOT`] bytes for every parameter, local and operator: more than any compiler
//! needs for its frame, since no operator leaves more than one value of eight bytes. So the native stack, which differs
//! between processors, is never what ends a program.
//!
//! The memory, which programs import, becomes the module's own: then one linked module serves every message.

use super::{MEMORY, STACK, STACK_LIMIT};
use crate::CodeError;
use wasm_encoder::{
    BlockType, CodeSection, ConstExpr, ExportKind, ExportSection, Function, GlobalSection,
    GlobalType, ImportSection, Instruction, MemorySection, MemoryType, Module, RawSection,
    SectionId, ValType,
    reencode::{Reencode, RoundtripReencoder},
};
use wasmparser::{ExternalKind, FunctionBody, Operator, Parser, Payload, TypeRef};

/// Accounted bytes of every frame.
const FRAME: u32 = 256;
/// Accounted bytes of everything that may need a place in a frame.
const SLOT: u32 = 8;

fn broken(error: impl std::fmt::Display) -> CodeError {
    CodeError::Malformed(error.to_string())
}

/// Rewrites a module that `validate` accepted.
pub(super) fn bound_stack(wasm: &[u8]) -> Result<Vec<u8>, CodeError> {
    let mut encoder = RoundtripReencoder;
    let mut module = Module::new();
    let mut results = Vec::new();
    let mut functions = Vec::new();
    let mut code = CodeSection::new();
    let (mut globals, mut counter) = (GlobalSection::new(), 0u32);
    let mut memory = None;
    let mut exports = ExportSection::new();
    // Sections come in a fixed order; what stands between them is written when the next one is met.
    let mut written = Written::default();

    for payload in Parser::new(0).parse_all(wasm) {
        let payload = payload.map_err(broken)?;
        match payload {
            Payload::TypeSection(reader) => {
                raw(&mut module, SectionId::Type, wasm, reader.range());
                for ty in reader.into_iter_err_on_gc_types() {
                    results.push(ty.map_err(broken)?.results().first().copied());
                }
            }
            Payload::ImportSection(reader) => {
                let mut imports = ImportSection::new();
                for import in reader {
                    let import = import.map_err(broken)?;
                    match import.ty {
                        TypeRef::Memory(ty) => memory = Some(ty.initial),
                        ty => {
                            let ty = encoder.entity_type(ty).map_err(broken)?;
                            imports.import(import.module, import.name, ty);
                        }
                    }
                }
                module.section(&imports);
            }
            Payload::FunctionSection(reader) => {
                raw(&mut module, SectionId::Function, wasm, reader.range());
                for index in reader {
                    functions.push(index.map_err(broken)?);
                }
            }
            Payload::TableSection(reader) => {
                raw(&mut module, SectionId::Table, wasm, reader.range());
            }
            Payload::GlobalSection(reader) => {
                counter = reader.count();
                encoder
                    .parse_global_section(&mut globals, reader)
                    .map_err(broken)?;
            }
            Payload::ExportSection(reader) => {
                for export in reader {
                    let export = export.map_err(broken)?;
                    if export.kind == ExternalKind::Func {
                        exports.export(export.name, ExportKind::Func, export.index);
                    }
                }
            }
            Payload::ElementSection(reader) => {
                written.middle(&mut module, memory, &mut globals, counter, &mut exports);
                raw(&mut module, SectionId::Element, wasm, reader.range());
            }
            Payload::CodeSectionEntry(body) => {
                let index = code.len() as usize;
                let result = functions
                    .get(index)
                    .and_then(|ty| results.get(*ty as usize))
                    .ok_or_else(|| broken("a function has no type"))?;
                code.function(&function(&mut encoder, &body, *result, counter)?);
            }
            Payload::DataSection(reader) => {
                written.middle(&mut module, memory, &mut globals, counter, &mut exports);
                written.code(&mut module, &code);
                raw(&mut module, SectionId::Data, wasm, reader.range());
            }
            _ => {}
        }
    }
    written.middle(&mut module, memory, &mut globals, counter, &mut exports);
    written.code(&mut module, &code);
    Ok(module.finish())
}

fn raw(module: &mut Module, id: SectionId, wasm: &[u8], range: std::ops::Range<usize>) {
    module.section(&RawSection {
        id: id as u8,
        data: wasm.get(range).unwrap_or_default(),
    });
}

/// Which of the sections that this module makes itself are there already.
#[derive(Default)]
struct Written {
    middle: bool,
    code: bool,
}

impl Written {
    /// Memory, globals and exports, which stand between tables and elements.
    fn middle(
        &mut self,
        module: &mut Module,
        memory: Option<u64>,
        globals: &mut GlobalSection,
        counter: u32,
        exports: &mut ExportSection,
    ) {
        if std::mem::replace(&mut self.middle, true) {
            return;
        }
        let mut memories = MemorySection::new();
        memories.memory(MemoryType {
            minimum: memory.unwrap_or(0),
            // Nothing but `alloc` makes it grow, and that knows the limit.
            maximum: None,
            memory64: false,
            shared: false,
            page_size_log2: None,
        });
        globals.global(
            GlobalType {
                val_type: ValType::I32,
                mutable: true,
                shared: false,
            },
            &ConstExpr::i32_const(0),
        );
        exports.export(MEMORY, ExportKind::Memory, 0);
        exports.export(STACK, ExportKind::Global, counter);
        module.section(&memories).section(globals).section(exports);
    }

    fn code(&mut self, module: &mut Module, code: &CodeSection) {
        if !std::mem::replace(&mut self.code, true) {
            module.section(code);
        }
    }
}

/// The function with its count around it. The body becomes a block, so that every way out of it leads to the end.
fn function(
    encoder: &mut RoundtripReencoder,
    body: &FunctionBody<'_>,
    result: Option<wasmparser::ValType>,
    counter: u32,
) -> Result<Function, CodeError> {
    let mut locals = Vec::new();
    let mut slots = 0u32;
    for local in body.get_locals_reader().map_err(broken)? {
        let (count, ty) = local.map_err(broken)?;
        slots = slots.saturating_add(count);
        locals.push((count, encoder.val_type(ty).map_err(broken)?));
    }
    for operator in body.get_operators_reader().map_err(broken)? {
        operator.map_err(broken)?;
        slots = slots.saturating_add(1);
    }
    let cost = FRAME.saturating_add(slots.saturating_mul(SLOT)) as i32;
    let block = match result {
        Some(ty) => BlockType::Result(encoder.val_type(ty).map_err(broken)?),
        None => BlockType::Empty,
    };

    let mut function = Function::new(locals);
    function
        .instruction(&Instruction::GlobalGet(counter))
        .instruction(&Instruction::I32Const(cost))
        .instruction(&Instruction::I32Add)
        .instruction(&Instruction::GlobalSet(counter))
        .instruction(&Instruction::GlobalGet(counter))
        .instruction(&Instruction::I32Const(STACK_LIMIT as i32))
        .instruction(&Instruction::I32GtU)
        .instruction(&Instruction::If(BlockType::Empty))
        .instruction(&Instruction::Unreachable)
        .instruction(&Instruction::End)
        .instruction(&Instruction::Block(block));
    let mut nesting = 0u32;
    for operator in body.get_operators_reader().map_err(broken)? {
        let operator = operator.map_err(broken)?;
        match operator {
            Operator::Return => {
                function.instruction(&Instruction::Br(nesting));
                continue;
            }
            Operator::Block { .. } | Operator::Loop { .. } | Operator::If { .. } => nesting += 1,
            // The last one ends the block that the body has become.
            Operator::End => nesting = nesting.saturating_sub(1),
            _ => {}
        }
        function.instruction(&encoder.instruction(operator).map_err(broken)?);
    }
    function
        .instruction(&Instruction::GlobalGet(counter))
        .instruction(&Instruction::I32Const(cost))
        .instruction(&Instruction::I32Sub)
        .instruction(&Instruction::GlobalSet(counter))
        .instruction(&Instruction::End);
    Ok(function)
}
