//! The codes of programs.

use super::{Context, error::RpcError, limit::MAX_SECTION_NAME, method, params::Args, types::Hex};
use gear_exe_primitives::CodeId;
use jsonrpsee::{RpcModule, core::RegisterMethodError};
use std::sync::Arc;

pub(super) fn register(module: &mut RpcModule<Context>) -> Result<(), RegisterMethodError> {
    method(module, "code_getOriginal", &["code_id"], original)?;
    method(
        module,
        "code_getInstrumented",
        &["runtime_id", "code_id"],
        instrumented,
    )?;
    method(
        module,
        "code_readWasmCustomSection",
        &["code_id", "section_name"],
        section,
    )
}

fn stored(context: &Context, id: CodeId) -> Result<Vec<u8>, RpcError> {
    context.deps.rounds.executor().code(id)?.ok_or_else(|| {
        RpcError::Database(format!(
            "Failed to get code by supplied id: {id} is not stored"
        ))
    })
}

/// The WASM as it was uploaded, so that its BLAKE2b-256 is the id.
async fn original(args: Args, context: Arc<Context>) -> Result<Hex, RpcError> {
    let id = args.code(0)?;
    context
        .read(move |context| stored(context, id).map(Hex))
        .await
}

/// There is none: this executor compiles the original to machine code, and meters it there. What it keeps of that is
/// bound to its version and its machine, and no client could use it. The answer says so.
async fn instrumented(args: Args, context: Arc<Context>) -> Result<Hex, RpcError> {
    let (_, id) = (args.index(0)?, args.code(1)?);
    context
        .read(move |context| {
            stored(context, id)?;
            Err(RpcError::BadRequest(
                "this node keeps no instrumented code: it compiles the original, which \
                 `code_getOriginal` gives"
                    .into(),
            ))
        })
        .await
}

/// The first custom section with the name; null if there is none, or no such code.
async fn section(args: Args, context: Arc<Context>) -> Result<Option<Hex>, RpcError> {
    let (id, name) = (args.code(0)?, args.name_of(1, MAX_SECTION_NAME)?);
    context
        .read(move |context| {
            let section = context.deps.rounds.executor().custom_section(id, &name)?;
            Ok(section.map(Hex))
        })
        .await
}
