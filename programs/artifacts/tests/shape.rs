// SPDX-License-Identifier: GPL-3.0-or-later

//! Each finished module is one that the network accepts: by its imports, exports, instructions and size.

#![allow(clippy::unwrap_used)] // a failed unwrap is a failed test

use gear_exe_programs::{ALL, ENVOY, STEWARD, VARA};
use std::collections::BTreeSet;
use wasmparser::{ExternalKind, Operator, Parser, Payload, TypeRef, Validator, WasmFeatures};

/// The system calls that exist for programs of Gear.exe and were accepted before it: what any network of this kind accepts.
const SYSTEM_CALLS: &[&str] = &[
    "alloc",
    "free",
    "free_range",
    "gr_block_height",
    "gr_block_timestamp",
    "gr_debug",
    "gr_env_vars",
    "gr_exit",
    "gr_gas_available",
    "gr_leave",
    "gr_message_id",
    "gr_oom_panic",
    "gr_panic",
    "gr_program_id",
    "gr_read",
    "gr_reply",
    "gr_reply_code",
    "gr_reply_commit",
    "gr_reply_input",
    "gr_reply_push",
    "gr_reply_push_input",
    "gr_reply_to",
    "gr_send",
    "gr_send_commit",
    "gr_send_init",
    "gr_send_input",
    "gr_send_push",
    "gr_send_push_input",
    "gr_size",
    "gr_source",
    "gr_value",
    "gr_value_available",
    "gr_wait_for",
    "gr_wait_up_to",
    "gr_wake",
];
const ENTRY_POINTS: &[&str] = &[
    "init",
    "handle",
    "handle_reply",
    "handle_signal",
    "state",
    "metahash",
];
const MAX_CODE_LEN: usize = 512 * 1024;
const PAGE: i32 = 64 * 1024;

#[derive(Default)]
struct Shape {
    imports: BTreeSet<String>,
    exports: BTreeSet<String>,
    static_pages: Option<u64>,
    stack_end: Option<i32>,
    first_data: Option<i32>,
    custom_sections: Vec<String>,
}

fn shape(wasm: &[u8]) -> Shape {
    let mut shape = Shape::default();
    let mut constants = Vec::new();
    for payload in Parser::new(0).parse_all(wasm) {
        match payload.unwrap() {
            Payload::TypeSection(types) => {
                for ty in types.into_iter_err_on_gc_types() {
                    let ty = ty.unwrap();
                    for value in ty.params().iter().chain(ty.results()) {
                        assert!(!value.is_reference_type(), "{value} in a signature");
                    }
                }
            }
            Payload::ImportSection(imports) => {
                for import in imports {
                    let import = import.unwrap();
                    assert_eq!(import.module, "env");
                    match import.ty {
                        TypeRef::Memory(memory) => {
                            assert_eq!(import.name, "memory");
                            shape.static_pages = Some(memory.initial);
                        }
                        TypeRef::Func(_) => {
                            assert!(
                                SYSTEM_CALLS.contains(&import.name),
                                "imports {}",
                                import.name
                            );
                            assert!(
                                shape.imports.insert(import.name.into()),
                                "imports {} twice",
                                import.name
                            );
                        }
                        other => panic!("imports {other:?}"),
                    }
                }
            }
            Payload::GlobalSection(globals) => {
                for global in globals {
                    let global = global.unwrap();
                    constants.push(
                        match global.init_expr.get_operators_reader().read().unwrap() {
                            Operator::I32Const { value } if !global.ty.mutable => Some(value),
                            _ => None,
                        },
                    );
                }
            }
            Payload::ExportSection(exports) => {
                for export in exports {
                    let export = export.unwrap();
                    if export.name == "__gear_stack_end" {
                        assert_eq!(export.kind, ExternalKind::Global);
                        shape.stack_end =
                            Some(constants[export.index as usize].expect("an immutable constant"));
                    } else {
                        assert_eq!(export.kind, ExternalKind::Func);
                        assert!(
                            ENTRY_POINTS.contains(&export.name),
                            "exports {}",
                            export.name
                        );
                        shape.exports.insert(export.name.into());
                    }
                }
            }
            Payload::StartSection { .. } => panic!("has a start section"),
            Payload::CodeSectionEntry(body) => {
                for operator in body.get_operators_reader().unwrap() {
                    assert!(
                        !matches!(operator.unwrap(), Operator::MemoryGrow { .. }),
                        "grows its memory itself"
                    );
                }
            }
            Payload::DataSection(segments) => {
                for segment in segments {
                    let wasmparser::DataKind::Active { offset_expr, .. } = segment.unwrap().kind
                    else {
                        panic!("a passive data segment");
                    };
                    let Operator::I32Const { value } =
                        offset_expr.get_operators_reader().read().unwrap()
                    else {
                        panic!("a data segment without a constant offset");
                    };
                    shape.first_data =
                        Some(shape.first_data.map_or(value, |first| first.min(value)));
                }
            }
            Payload::CustomSection(custom) => shape.custom_sections.push(custom.name().into()),
            _ => {}
        }
    }
    shape
}

#[test]
fn every_module_is_acceptable() {
    for (name, wasm) in ALL {
        let shape = shape(wasm);
        println!(
            "{name}: {} bytes, {:?} pages",
            wasm.len(),
            shape.static_pages
        );
        println!("  imports {}", Vec::from_iter(shape.imports).join(" "));
        println!(
            "  exports {}",
            Vec::from_iter(shape.exports.clone()).join(" ")
        );

        assert!(wasm.len() <= MAX_CODE_LEN, "{name} is too long");
        let mut features = WasmFeatures::WASM1 | WasmFeatures::SIGN_EXTENSION;
        // The others run on every network of this kind.
        if *name == "kernels" {
            features |= WasmFeatures::SIMD;
        } else {
            features -= WasmFeatures::FLOATS;
        }
        Validator::new_with_features(features)
            .validate_all(wasm)
            .unwrap();
        assert!(shape.exports.contains("handle"), "{name} handles nothing");

        let static_pages = shape.static_pages.expect("imports its memory");
        let stack_end = shape.stack_end.expect("says where its stack ends");
        assert!(static_pages <= 32_768);
        assert_eq!(stack_end % PAGE, 0);
        assert!(stack_end as u64 / PAGE as u64 <= static_pages);
        assert!(
            shape.first_data.is_none_or(|first| first >= stack_end),
            "{name} has data on its stack"
        );
        assert!(
            shape
                .custom_sections
                .iter()
                .all(|section| section == "sails:idl")
        );
    }
}

#[test]
fn each_program_is_listed_once() {
    let names: Vec<_> = ALL.iter().map(|(name, _)| *name).collect();
    assert!(names.is_sorted_by(|a, b| a < b));
    let codes: BTreeSet<_> = ALL.iter().map(|(_, wasm)| *wasm).collect();
    assert_eq!(codes.len(), ALL.len());
    let names: Vec<_> = VARA.iter().map(|(name, _)| *name).collect();
    assert!(names.is_sorted_by(|a, b| a < b));
}

fn imports(wasm: &[u8]) -> BTreeSet<&str> {
    let payloads = Parser::new(0).parse_all(wasm).map(Result::unwrap);
    let sections = payloads.filter_map(|payload| match payload {
        Payload::ImportSection(imports) => Some(imports),
        _ => None,
    });
    sections
        .flatten()
        .map(|import| import.unwrap().name)
        .collect()
}

/// They are built as for Vara: each calls what `gstd` hides behind its feature.
#[test]
fn programs_for_vara_call_what_only_vara_had() {
    let envoy = imports(ENVOY);
    for call in [
        "gr_system_reserve_gas",
        "gr_reply_deposit",
        "gr_signal_from",
        "gr_random",
    ] {
        assert!(envoy.contains(call), "{call}");
    }
    let steward = imports(STEWARD);
    for call in [
        "gr_wait",
        "gr_reserve_gas",
        "gr_unreserve_gas",
        "gr_reservation_send",
        "gr_reservation_reply",
        "gr_send_wgas",
        "gr_reply_wgas",
        "gr_signal_code",
    ] {
        assert!(steward.contains(call), "{call}");
    }
}
