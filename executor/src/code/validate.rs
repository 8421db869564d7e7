//! The rules for code, checked before anything is compiled: what is refused is refused with its reason.
//!
//! Accepted is WebAssembly 1.0 with what Rust's targets make of it: sign extension, several values, mutable globals,
//! saturating conversions, `memory.copy` and `memory.fill`, table indexes in their long encoding, floats, and fixed-width
//! vectors; the memory and system calls imported from `env`, entry points exported. Everything whose cost would not be
//! proportional to its gas, and everything whose result could differ between machines, is refused.
//!
//! Floats give the same bits everywhere. WebAssembly leaves one thing open, the sign and payload of a NaN that an
//! operator makes; no program can see it, since `floats` makes every NaN canonical before its bits can be seen. Products
//! and sums are rounded one by one: the compiler never contracts them to a fused operation, and the relaxed operators,
//! which allow that, are refused. Vector operators are the scalar ones side by side.

use super::{classes::class, complexity::Complexity, metering::name_of};
use crate::{CodeError, state::PAGE_SIZE};
use std::collections::{BTreeMap, BTreeSet};
use wasmparser::{
    BinaryReaderError, ConstExpr, DataKind, Element, ElementItems, ElementKind, ExternalKind,
    FuncType, FuncValidatorAllocations, FunctionBody, GlobalSectionReader, Import, Operator,
    Parser, Payload, TypeRef, ValType, ValidPayload, Validator, WasmFeatures,
};

/// Longest code in bytes.
pub const MAX_CODE_LENGTH: usize = 524_288;
/// Longest function in bytes: the time that a compiler needs grows faster than a function.
pub const MAX_FUNCTION_LENGTH: usize = 131_072;
/// Most WASM pages of static memory.
pub const MAX_STATIC_PAGES: u32 = 32_768;
const MAX_DATA_SEGMENTS: u32 = 1024;
const MAX_GLOBALS: u32 = 256;
const MAX_LOCALS: u32 = 1024;
/// Values on the operand stack: see [`super::complexity`].
const MAX_OPERANDS: u32 = 400;
const MAX_TABLE: u64 = 4096;
const MAX_BR_TABLE: u32 = 256;
const MAX_PARAMETERS: usize = 128;
const MAX_TYPE_SECTION: usize = 20_480;
const ENTRIES: [&str; 6] = [
    "init",
    "handle",
    "handle_reply",
    "handle_signal",
    "state",
    "metahash",
];

/// Name and parameters of every system call, `i` for `i32`, `I` for `i64`; those of [`RETURNING`] return an `i32`.
const SYSCALLS: &[(&str, &str)] = &[
    ("alloc", "i"),
    ("free", "i"),
    ("free_range", "ii"),
    ("gr_env_vars", "ii"),
    ("gr_block_height", "i"),
    ("gr_block_timestamp", "i"),
    ("gr_gas_available", "i"),
    ("gr_message_id", "i"),
    ("gr_program_id", "i"),
    ("gr_source", "i"),
    ("gr_value", "i"),
    ("gr_value_available", "i"),
    ("gr_size", "i"),
    ("gr_read", "iiii"),
    ("gr_reply_to", "i"),
    ("gr_reply_code", "i"),
    ("gr_send", "iiiii"),
    ("gr_send_input", "iiiii"),
    ("gr_send_init", "i"),
    ("gr_send_push", "iiii"),
    ("gr_send_push_input", "iiii"),
    ("gr_send_commit", "iiii"),
    ("gr_reply", "iiii"),
    ("gr_reply_input", "iiii"),
    ("gr_reply_push", "iii"),
    ("gr_reply_push_input", "iii"),
    ("gr_reply_commit", "ii"),
    ("gr_wait_for", "i"),
    ("gr_wait_up_to", "i"),
    ("gr_wake", "iii"),
    ("gr_exit", "i"),
    ("gr_leave", ""),
    ("gr_panic", "ii"),
    ("gr_oom_panic", ""),
    ("gr_debug", "ii"),
    ("gr_wait", ""),
    ("gr_send_wgas", "iiiIii"),
    ("gr_send_input_wgas", "iiiIii"),
    ("gr_send_commit_wgas", "iiIii"),
    ("gr_reply_wgas", "iiIii"),
    ("gr_reply_input_wgas", "iiIii"),
    ("gr_reply_commit_wgas", "Iii"),
    ("gr_reply_deposit", "iIi"),
    ("gr_random", "ii"),
    ("gr_reserve_gas", "Iii"),
    ("gr_unreserve_gas", "ii"),
    ("gr_system_reserve_gas", "Ii"),
    ("gr_reservation_send", "iiiii"),
    ("gr_reservation_send_commit", "iiii"),
    ("gr_reservation_reply", "iiii"),
    ("gr_reservation_reply_commit", "ii"),
    ("gr_signal_code", "i"),
    ("gr_signal_from", "i"),
    ("gr_create_program", "iiiiiii"),
    ("gr_create_program_wgas", "iiiiiIii"),
];

/// Whether a parameter is what [`SYSCALLS`] says.
fn is_type((param, letter): (&ValType, char)) -> bool {
    *param
        == match letter {
            'I' => ValType::I64,
            _ => ValType::I32,
        }
}

const RETURNING: [&str; 3] = ["alloc", "free", "free_range"];

/// Name and parameters of every system call, `i` for `i32`, `I` for `i64`, and whether it returns an `i32`: for tests that
/// call them all.
#[doc(hidden)]
pub fn system_calls() -> impl Iterator<Item = (&'static str, &'static str, bool)> {
    let all = SYSCALLS.iter();
    all.map(|(name, parameters)| (*name, *parameters, RETURNING.contains(name)))
}

/// What programs may use of WebAssembly.
const ACCEPTED: WasmFeatures = WasmFeatures::WASM1
    .union(WasmFeatures::SIGN_EXTENSION)
    .union(WasmFeatures::SATURATING_FLOAT_TO_INT)
    .union(WasmFeatures::MULTI_VALUE)
    .union(WasmFeatures::BULK_MEMORY_OPT)
    .union(WasmFeatures::CALL_INDIRECT_OVERLONG)
    .union(WasmFeatures::SIMD);

/// What they may not use, by the name that its refusal gives it. What includes another stands before it.
const REFUSED: &[(&str, WasmFeatures)] = &[
    ("garbage collection", WasmFeatures::GC),
    (
        "typed function references",
        WasmFeatures::FUNCTION_REFERENCES,
    ),
    (
        "exceptions",
        WasmFeatures::EXCEPTIONS.union(WasmFeatures::LEGACY_EXCEPTIONS),
    ),
    ("tail calls", WasmFeatures::TAIL_CALL),
    (
        "threads and atomics",
        WasmFeatures::THREADS.union(WasmFeatures::SHARED_EVERYTHING_THREADS),
    ),
    ("relaxed SIMD", WasmFeatures::RELAXED_SIMD),
    ("64-bit memory", WasmFeatures::MEMORY64),
    ("several memories", WasmFeatures::MULTI_MEMORY),
    (
        "constant expressions with operators",
        WasmFeatures::EXTENDED_CONST,
    ),
    ("wide arithmetic", WasmFeatures::WIDE_ARITHMETIC),
    ("pages of another size", WasmFeatures::CUSTOM_PAGE_SIZES),
    ("stack switching", WasmFeatures::STACK_SWITCHING),
    ("memory control", WasmFeatures::MEMORY_CONTROL),
    ("reference types", WasmFeatures::REFERENCE_TYPES),
    (
        "passive segments and bulk operators on tables",
        WasmFeatures::BULK_MEMORY,
    ),
];

/// Checks a module against [`ACCEPTED`]. The outer error is that of a function that keeps too many operands.
fn accepted(wasm: &[u8]) -> Result<Result<(), BinaryReaderError>, CodeError> {
    let mut validator = Validator::new_with_features(ACCEPTED);
    let mut high = false;
    let mut check = || {
        let mut held = FuncValidatorAllocations::default();
        for payload in Parser::new(0).parse_all(wasm) {
            let ValidPayload::Func(function, body) = validator.payload(&payload?)? else {
                continue;
            };
            let mut function = function.into_validator(held);
            let mut reader = body.get_binary_reader();
            function.read_locals(&mut reader)?;
            reader.set_features(ACCEPTED);
            while !reader.eof() {
                let at = reader.original_position();
                reader.visit_operator(&mut function.visitor(at))??;
                high |= function.operand_stack_height() > MAX_OPERANDS;
            }
            reader.finish_expression(&function.visitor(reader.original_position()))?;
            held = function.into_allocations();
        }
        Ok(())
    };
    let result = check();
    if high && result.is_ok() {
        let limit = MAX_OPERANDS.into();
        return Err(CodeError::Limit("operands kept by a function", limit));
    }
    Ok(result)
}

/// Checks a module against the standard, and names what it uses beyond [`ACCEPTED`].
fn standard(wasm: &[u8]) -> Result<(), CodeError> {
    let check = |features| Validator::new_with_features(features).validate_all(wasm);
    let error = match accepted(wasm)? {
        Ok(()) => return Ok(()),
        Err(error) => error,
    };
    if wasm.get(..8) == Some(b"\0asm\x0d\0\x01\0") {
        return Err(CodeError::Feature("the component model"));
    }
    let everything = REFUSED
        .iter()
        .fold(ACCEPTED, |all, (_, feature)| all.union(*feature));
    if check(everything).is_ok() {
        let without = |feature: WasmFeatures| check(everything.difference(feature).union(ACCEPTED));
        let used = REFUSED
            .iter()
            .find(|(_, feature)| without(*feature).is_err());
        if let Some((name, _)) = used {
            return Err(CodeError::Feature(name));
        }
    }
    Err(malformed(error))
}

/// What execution needs to know of a code.
#[derive(Clone, Debug, Default)]
pub(crate) struct Facts {
    /// WASM pages that a program starts with.
    pub(crate) static_pages: u32,
    /// WASM pages that the module itself declares as its most.
    pub(crate) max_pages: Option<u32>,
    /// Where the stack ends and what is kept begins, in bytes.
    pub(crate) stack_end: u32,
    /// The entry points there are.
    pub(crate) entries: BTreeSet<String>,
    /// The Gear pages that data segments reach, as they are when a program starts.
    pub(crate) image: BTreeMap<u32, Box<[u8]>>,
}

pub(super) fn malformed(error: impl std::fmt::Display) -> CodeError {
    CodeError::Malformed(error.to_string())
}

/// The value of `i32.const`, if the expression is just that.
fn constant(expression: &ConstExpr<'_>) -> Option<u32> {
    let mut reader = expression.get_operators_reader();
    match (reader.read(), reader.read()) {
        (Ok(Operator::I32Const { value }), Ok(Operator::End)) => Some(value as u32),
        _ => None,
    }
}

/// The contents of a custom section of `wasm`.
pub(crate) fn custom_section(wasm: &[u8], name: &str) -> Option<Vec<u8>> {
    Parser::new(0)
        .parse_all(wasm)
        .filter_map(Result::ok)
        .find_map(|payload| match payload {
            Payload::CustomSection(section) if section.name() == name => {
                Some(section.data().to_vec())
            }
            _ => None,
        })
}

/// Checks every rule for code.
pub(crate) fn validate(wasm: &[u8]) -> Result<Facts, CodeError> {
    if wasm.len() > MAX_CODE_LENGTH {
        return Err(CodeError::TooLong {
            length: wasm.len(),
            limit: MAX_CODE_LENGTH,
        });
    }
    standard(wasm)?;
    let mut checks = Checks::new(wasm.len());
    for payload in Parser::new(0).parse_all(wasm) {
        checks.payload(payload.map_err(malformed)?)?;
    }
    checks.finish()
}

/// What has been seen of a module.
struct Checks<'a> {
    facts: Facts,
    types: Vec<FuncType>,
    /// Types of the functions, imported ones first.
    functions: Vec<u32>,
    imported_functions: u32,
    memory: bool,
    seen: BTreeSet<String>,
    /// Whether each global is mutable, and its constant.
    globals: Vec<(bool, Option<u32>)>,
    stack_end: Option<u32>,
    /// Entries of the tables.
    tables: Vec<u64>,
    segments: Vec<(u32, &'a [u8])>,
    complexity: Complexity,
}

impl<'a> Checks<'a> {
    fn new(length: usize) -> Self {
        Self {
            facts: Facts::default(),
            types: Vec::new(),
            functions: Vec::new(),
            imported_functions: 0,
            memory: false,
            seen: BTreeSet::new(),
            globals: Vec::new(),
            stack_end: None,
            tables: Vec::new(),
            segments: Vec::new(),
            complexity: Complexity::new(length),
        }
    }

    fn payload(&mut self, payload: Payload<'a>) -> Result<(), CodeError> {
        match payload {
            Payload::TypeSection(reader) => {
                if reader.range().len() > MAX_TYPE_SECTION {
                    let limit = MAX_TYPE_SECTION as u64;
                    return Err(CodeError::Limit("bytes of the type section", limit));
                }
                for ty in reader.into_iter_err_on_gc_types() {
                    let ty = ty.map_err(malformed)?;
                    if ty.params().len() + ty.results().len() > MAX_PARAMETERS {
                        let limit = MAX_PARAMETERS as u64;
                        return Err(CodeError::Limit("parameters of a function", limit));
                    }
                    self.types.push(ty);
                }
            }
            Payload::ImportSection(reader) => {
                for import in reader {
                    self.import(&import.map_err(malformed)?)?;
                }
            }
            Payload::FunctionSection(reader) => {
                for index in reader {
                    self.functions.push(index.map_err(malformed)?);
                }
            }
            Payload::MemorySection(reader) if reader.count() > 0 => {
                return Err(CodeError::OwnMemory);
            }
            Payload::StartSection { .. } => return Err(CodeError::StartSection),
            Payload::GlobalSection(reader) => self.globals(reader)?,
            Payload::TableSection(reader) => {
                for table in reader {
                    let entries = table.map_err(malformed)?.ty.initial;
                    if entries > MAX_TABLE {
                        return Err(CodeError::Limit("entries of a table", MAX_TABLE));
                    }
                    self.tables.push(entries);
                }
            }
            Payload::ElementSection(reader) => {
                for segment in reader {
                    self.elements(&segment.map_err(malformed)?)?;
                }
            }
            Payload::ExportSection(reader) => {
                for export in reader {
                    let export = export.map_err(malformed)?;
                    self.export(export.name, export.kind, export.index)?;
                }
            }
            Payload::DataSection(reader) => {
                if reader.count() > MAX_DATA_SEGMENTS {
                    return Err(CodeError::Limit("data segments", MAX_DATA_SEGMENTS.into()));
                }
                for segment in reader {
                    let segment = segment.map_err(malformed)?;
                    let DataKind::Active { offset_expr, .. } = segment.kind else {
                        return Err(CodeError::DataSegment);
                    };
                    let offset = constant(&offset_expr).ok_or(CodeError::DataSegment)?;
                    self.segments.push((offset, segment.data));
                }
            }
            Payload::CodeSectionEntry(body) => {
                function(&body)?;
                self.complexity.add(&body)?;
            }
            _ => {}
        }
        Ok(())
    }

    fn import(&mut self, import: &Import<'_>) -> Result<(), CodeError> {
        let name = import.name;
        if import.module != "env" {
            return Err(CodeError::ImportModule(import.module.into()));
        }
        match import.ty {
            TypeRef::Memory(ty) => {
                self.memory = true;
                self.facts.static_pages = u32::try_from(ty.initial).unwrap_or(u32::MAX);
                self.facts.max_pages = ty.maximum.and_then(|most| u32::try_from(most).ok());
                if self.facts.static_pages > MAX_STATIC_PAGES {
                    let limit = MAX_STATIC_PAGES.into();
                    return Err(CodeError::Limit("pages of static memory", limit));
                }
            }
            TypeRef::Func(index) => {
                self.imported_functions += 1;
                self.functions.push(index);
                let Some((_, params)) = SYSCALLS.iter().find(|(known, _)| *known == name) else {
                    return Err(CodeError::UnknownImport(name.into()));
                };
                let results: &[ValType] = if RETURNING.contains(&name) {
                    &[ValType::I32]
                } else {
                    &[]
                };
                let fits = self.types.get(index as usize).is_some_and(|ty| {
                    ty.params().len() == params.len()
                        && ty.params().iter().zip(params.chars()).all(is_type)
                        && ty.results() == results
                });
                if !fits {
                    return Err(CodeError::ImportSignature(name.into()));
                }
                if !self.seen.insert(name.into()) {
                    return Err(CodeError::DuplicateImport(name.into()));
                }
            }
            _ => return Err(CodeError::ImportKind(name.into())),
        }
        Ok(())
    }

    fn globals(&mut self, reader: GlobalSectionReader<'_>) -> Result<(), CodeError> {
        if reader.count() > MAX_GLOBALS {
            return Err(CodeError::Limit("globals", MAX_GLOBALS.into()));
        }
        for global in reader {
            let global = global.map_err(malformed)?;
            self.globals
                .push((global.ty.mutable, constant(&global.init_expr)));
        }
        Ok(())
    }

    /// A segment that did not fit would be found out only when the program is made, by which time its code is accepted.
    fn elements(&self, segment: &Element<'_>) -> Result<(), CodeError> {
        let ElementKind::Active {
            table_index,
            offset_expr,
        } = &segment.kind
        else {
            return Err(CodeError::ElementSegment);
        };
        let entries = match &segment.items {
            ElementItems::Functions(items) => items.count(),
            ElementItems::Expressions(_, items) => items.count(),
        };
        let table = self.tables.get(table_index.unwrap_or(0) as usize);
        let end = constant(offset_expr).map(|offset| u64::from(offset) + u64::from(entries));
        match (end, table) {
            (Some(end), Some(table)) if end <= *table => Ok(()),
            _ => Err(CodeError::ElementSegment),
        }
    }

    fn export(&mut self, name: &str, kind: ExternalKind, index: u32) -> Result<(), CodeError> {
        match kind {
            ExternalKind::Func => {
                if !ENTRIES.contains(&name) {
                    return Err(CodeError::ExcessExport(name.into()));
                }
                if index < self.imported_functions {
                    return Err(CodeError::ReexportedImport(name.into()));
                }
                let ty = self.functions.get(index as usize);
                let fits = ty
                    .and_then(|ty| self.types.get(*ty as usize))
                    .is_some_and(|ty| ty.params().is_empty() && ty.results().is_empty());
                if !fits {
                    return Err(CodeError::EntrySignature(name.into()));
                }
                self.facts.entries.insert(name.into());
            }
            ExternalKind::Global => match self.globals.get(index as usize) {
                Some((true, _)) => return Err(CodeError::MutableGlobalExport(name.into())),
                Some((_, value)) if name == "__gear_stack_end" => {
                    self.stack_end = Some(value.ok_or(CodeError::StackEnd)?);
                }
                _ => {}
            },
            // Dropped when the module is instrumented.
            _ => {}
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Facts, CodeError> {
        if !self.memory {
            return Err(CodeError::NoMemory);
        }
        if !self.facts.entries.contains("init") && !self.facts.entries.contains("handle") {
            return Err(CodeError::NoEntry);
        }
        let static_bytes = u64::from(self.facts.static_pages) << 16;
        let stack_end = self.stack_end.unwrap_or(0);
        if !stack_end.is_multiple_of(65_536) || u64::from(stack_end) > static_bytes {
            return Err(CodeError::StackEnd);
        }
        self.facts.stack_end = stack_end;
        for (offset, data) in &self.segments {
            let end = u64::from(*offset) + data.len() as u64;
            if *offset < stack_end || end > static_bytes {
                return Err(CodeError::DataSegment);
            }
            paint(&mut self.facts.image, *offset as usize, data);
        }
        Ok(self.facts)
    }
}

/// Writes a data segment into the pages that it reaches.
fn paint(image: &mut BTreeMap<u32, Box<[u8]>>, mut offset: usize, mut data: &[u8]) {
    while !data.is_empty() {
        let (page, from) = (offset / PAGE_SIZE, offset % PAGE_SIZE);
        let (here, rest) = data.split_at(data.len().min(PAGE_SIZE - from));
        let bytes = image
            .entry(page as u32)
            .or_insert_with(|| vec![0; PAGE_SIZE].into());
        bytes[from..from + here.len()].copy_from_slice(here);
        offset += here.len();
        data = rest;
    }
}

fn function(body: &FunctionBody<'_>) -> Result<(), CodeError> {
    if body.range().len() > MAX_FUNCTION_LENGTH {
        let limit = MAX_FUNCTION_LENGTH as u64;
        return Err(CodeError::Limit("bytes of a function", limit));
    }
    let mut locals = 0u32;
    for local in body.get_locals_reader().map_err(malformed)? {
        locals = locals.saturating_add(local.map_err(malformed)?.0);
    }
    if locals > MAX_LOCALS {
        return Err(CodeError::Limit("locals of a function", MAX_LOCALS.into()));
    }
    for operator in body.get_operators_reader().map_err(malformed)? {
        match operator.map_err(malformed)? {
            Operator::MemoryGrow { .. } => return Err(CodeError::MemoryGrow),
            Operator::BrTable { targets } if targets.len() > MAX_BR_TABLE => {
                return Err(CodeError::Limit("targets of br_table", MAX_BR_TABLE.into()));
            }
            operator if class(&operator).is_none() => {
                return Err(CodeError::Operator(name_of(&operator)));
            }
            _ => {}
        }
    }
    Ok(())
}
