//! The state of a genesis, made by the runtime that is compiled into this binary.
//!
//! Substrate lets the specification's WASM make it, and compiles that for each question: seconds, three times over, before
//! anything has started. The native runtime is the same code, and answers at once. What another runtime would make is not
//! known here; [`super::genesis_storage`] asks its WASM.

use super::{ChainSpec, ChainSpecError};
use gear_exe_runtime::{RuntimeGenesisConfig, WASM_BINARY, genesis};
use polkadot_sdk::{
    frame_support::genesis_builder_helper::build_state,
    sc_chain_spec::json_patch,
    sp_core::{
        bytes,
        storage::{Storage, well_known_keys::CODE},
    },
    sp_state_machine::BasicExternalities,
};
use serde_json::Value;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// A preset of the runtime, with what the network itself has to say.
pub(super) fn preset(name: &str, patch: Value) -> Result<Value, ChainSpecError> {
    let text = genesis::get_preset(&name.into())
        .ok_or_else(|| ChainSpecError::Genesis(format!("there is no preset {name}")))?;
    let mut preset = serde_json::from_slice(&text)?;
    json_patch::merge(&mut preset, patch);
    Ok(preset)
}

/// The genesis' state, or `None` if the specification has another runtime than this binary, or has its state in it already.
pub(super) fn storage(spec: &ChainSpec) -> Result<Option<Storage>, ChainSpecError> {
    let text = spec.as_json(false).map_err(ChainSpecError::Genesis)?;
    let spec: Value = serde_json::from_str(&text)?;
    let genesis = &spec["genesis"]["runtimeGenesis"];
    let (Some(code), Some(patch)) = (genesis["code"].as_str(), genesis.get("patch")) else {
        return Ok(None);
    };
    let Some(wasm) = WASM_BINARY else {
        return Ok(None);
    };
    if bytes::from_hex(code).ok().as_deref() != Some(wasm) {
        return Ok(None);
    }
    let mut config = serde_json::to_value(RuntimeGenesisConfig::default())?;
    json_patch::merge(&mut config, patch.clone());
    let config = serde_json::to_vec(&config)?;
    let mut state = BasicExternalities::new_empty();
    // The runtime refuses what makes no sense by panicking: in WASM that would be an error, too.
    let built = catch_unwind(AssertUnwindSafe(|| {
        state.execute_with(|| build_state::<RuntimeGenesisConfig>(config))
    }));
    match built {
        Ok(Ok(())) => {}
        Ok(Err(refusal)) => return Err(ChainSpecError::Genesis(refusal)),
        Err(panic) => return Err(ChainSpecError::Genesis(said(&*panic))),
    }
    let mut storage = state.into_storages();
    storage.top.insert(CODE.to_vec(), wasm.to_vec());
    Ok(Some(storage))
}

fn said(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("it panics")
        .to_owned()
}
