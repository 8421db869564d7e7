// SPDX-License-Identifier: GPL-3.0-or-later

//! Compiles `program/lib.rs` to WASM. It has no dependencies, so the compiler alone does it.

use std::{env, error::Error, fs, path::PathBuf, process::Command};

#[path = "../programs/artifacts/finish.rs"]
mod finish;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=program");
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=../programs/artifacts/finish.rs");
    let output = PathBuf::from(env::var("OUT_DIR")?);
    let raw = output.join("lab.raw.wasm");
    let status = Command::new(env::var("RUSTC")?)
        .args(["--edition=2024", "--crate-type=cdylib", "--crate-name=lab"])
        .args(["--target=wasm32v1-none", "-Copt-level=3", "-Cpanic=abort"])
        .args([
            "-Clto=fat",
            "-Cstrip=debuginfo",
            "-Clink-arg=--import-memory",
        ])
        .arg("-o")
        .arg(&raw)
        .arg("program/lib.rs")
        .status()?;
    if !status.success() {
        return Err("program/lib.rs was not compiled; if the target is missing: rustup target add wasm32v1-none".into());
    }
    fs::write(output.join("lab.wasm"), finish::finish(&fs::read(raw)?)?)?;
    Ok(())
}
