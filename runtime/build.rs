//! Builds the runtime to WASM, with the features that it has here.
//!
//! The builder looks for the workspace upwards from its output folder. Where `CARGO_TARGET_DIR` lies elsewhere,
//! `WASM_BUILD_WORKSPACE_HINT` must name it, as `scripts/env` does.

#[cfg(feature = "std")]
fn main() {
    substrate_wasm_builder::WasmBuilder::build_using_defaults();
}

/// The WASM itself: nothing to build.
#[cfg(not(feature = "std"))]
fn main() {}
