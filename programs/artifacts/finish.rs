// SPDX-License-Identifier: GPL-3.0-or-later

//! What a compiled program still lacks before it can be uploaded:
//!
//! * the linker exports more than the entry points; other exports are refused;
//! * `__gear_stack_end` says where the stack ends: what lies below it need not be kept between messages;
//! * names and notes of the compiler only cost Ethereum gas; the interface description of a Sails program stays.

use std::error::Error;
use wasm_encoder::{
    ConstExpr, ExportKind, ExportSection, GlobalSection, GlobalType, Module, RawSection, ValType,
    reencode::{Reencode, RoundtripReencoder},
};
use wasmparser::{ExternalKind, Global, Operator, Parser, Payload, Validator, WasmFeatures};

/// What the network calls.
const ENTRY_POINTS: &[&str] = &[
    "init",
    "handle",
    "handle_reply",
    "handle_signal",
    "state",
    "metahash",
];
const STACK_END: &str = "__gear_stack_end";
const KEPT_CUSTOM_SECTION: &str = "sails:idl";
const PAGE: i32 = 64 * 1024;

pub fn finish(wasm: &[u8]) -> Result<Vec<u8>, Box<dyn Error>> {
    let mut module = Module::new();
    let mut stack_end_global = None;

    for payload in Parser::new(0).parse_all(wasm) {
        match payload? {
            Payload::GlobalSection(reader) => {
                // The linker puts the stack pointer first; the stack grows down from its initial value to address 0.
                let first = reader
                    .clone()
                    .into_iter()
                    .next()
                    .ok_or("no stack pointer")??;
                let stack_end = stack_end(&first)?;
                stack_end_global = Some(reader.count());

                let mut globals = GlobalSection::new();
                RoundtripReencoder.parse_global_section(&mut globals, reader)?;
                let constant = GlobalType {
                    val_type: ValType::I32,
                    mutable: false,
                    shared: false,
                };
                globals.global(constant, &ConstExpr::i32_const(stack_end));
                module.section(&globals);
            }
            Payload::ExportSection(reader) => {
                let mut exports = ExportSection::new();
                for export in reader {
                    let export = export?;
                    if export.kind == ExternalKind::Func && ENTRY_POINTS.contains(&export.name) {
                        exports.export(export.name, ExportKind::Func, export.index);
                    }
                }
                let stack_end_global = stack_end_global.ok_or("exports without globals")?;
                exports.export(STACK_END, ExportKind::Global, stack_end_global);
                module.section(&exports);
            }
            Payload::CustomSection(custom) if custom.name() != KEPT_CUSTOM_SECTION => {}
            payload => {
                if let Some((id, range)) = payload.as_section() {
                    module.section(&RawSection {
                        id,
                        data: &wasm[range],
                    });
                }
            }
        }
    }

    let finished = module.finish();
    let features = WasmFeatures::WASM1 | WasmFeatures::SIGN_EXTENSION | WasmFeatures::SIMD;
    Validator::new_with_features(features).validate_all(&finished)?;
    Ok(finished)
}

fn stack_end(stack_pointer: &Global<'_>) -> Result<i32, Box<dyn Error>> {
    match stack_pointer.init_expr.get_operators_reader().read()? {
        Operator::I32Const { value }
            if stack_pointer.ty.mutable && value > 0 && value % PAGE == 0 =>
        {
            Ok(value)
        }
        other => Err(format!("the first global is not a stack pointer: {other:?}").into()),
    }
}
