// SPDX-License-Identifier: GPL-3.0-or-later

//! Compiles the workspace one folder up to WASM, and the one in `vara` there, which has other features; finishes each
//! module so that the network accepts it.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

mod finish;

const TARGET: &str = "wasm32v1-none";

/// Folder of each program; its package is called `gear-exe-<folder>`.
const PROGRAMS: &[&str] = &["counter", "fan-out", "kernels", "ping", "trouble", "vft"];
/// The same of those that are built as for Vara.
const VARA: &[&str] = &["envoy", "steward"];

fn main() {
    let manifest_dir = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let out_dir = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
    let workspace = manifest_dir
        .parent()
        .expect("artifacts is inside the programs' workspace");

    for own in ["build.rs", "finish.rs"] {
        rerun_if_changed(&manifest_dir.join(own));
    }
    let vara = workspace.join("vara");
    for (workspace, programs) in [(workspace, PROGRAMS), (&vara, VARA)] {
        for shared in ["Cargo.toml", "Cargo.lock"] {
            rerun_if_changed(&workspace.join(shared));
        }
        for program in programs {
            rerun_if_changed(&workspace.join(program).join("Cargo.toml"));
            rerun_if_changed(&workspace.join(program).join("src"));
        }
    }

    // A target folder of its own: the outer cargo holds the lock of the other one while this script runs. It is
    // <target>/programs, beside the folders of the profiles, so that every kind of build and clippy share it.
    let target_dir = out_dir
        .ancestors()
        .nth(4)
        .unwrap_or(&out_dir)
        .join("programs");
    compile(workspace, &target_dir);
    compile(&vara, &target_dir);

    for program in PROGRAMS.iter().chain(VARA) {
        let file = format!("gear_exe_{}.wasm", program.replace('-', "_"));
        let path = target_dir.join(TARGET).join("release").join(file);
        let raw = fs::read(&path).unwrap_or_else(|e| panic!("cannot read {}: {e}", path.display()));
        let finished = finish::finish(&raw).unwrap_or_else(|e| panic!("{program}: {e}"));
        let path = out_dir.join(format!("{program}.wasm"));
        fs::write(&path, finished)
            .unwrap_or_else(|e| panic!("cannot write {}: {e}", path.display()));
    }
}

fn rerun_if_changed(path: &Path) {
    println!("cargo::rerun-if-changed={}", path.display());
}

fn compile(workspace: &Path, target_dir: &Path) {
    let cargo = env::var_os("CARGO").expect("cargo sets it");
    let mut command = Command::new(cargo);
    forget_outer_build(&mut command);
    command
        .current_dir(workspace)
        .args(["build", "--release", "--locked", "--target", TARGET])
        .env("CARGO_TARGET_DIR", target_dir)
        .env("CARGO_ENCODED_RUSTFLAGS", rustflags(workspace).join("\x1f"));

    let status = command
        .status()
        .unwrap_or_else(|e| panic!("cannot start cargo for the example programs: {e}"));
    assert!(
        status.success(),
        "the example programs were not built ({status}); cargo's own message stands above.\n\
         If it says that the target is missing, run: rustup target add {TARGET}",
    );
}

fn rustflags(workspace: &Path) -> Vec<String> {
    let mut flags = vec![
        // The executor owns a program's memory and hands it in.
        "-Clink-arg=--import-memory".to_string(),
        // Where a program asks for vectors, a round of a loop does four of them, as natively: rounds are metered. It
        // changes no program that does not ask.
        "-Cllvm-args=--force-vector-interleave=4".to_string(),
    ];
    // The same sources give the same bytes, and so the same code id, wherever they are compiled.
    flags.push(format!(
        "--remap-path-prefix={}=programs",
        workspace.display()
    ));
    let cargo_home = env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| env::var_os("HOME").map(|home| PathBuf::from(home).join(".cargo")));
    if let Some(cargo_home) = cargo_home {
        flags.push(format!(
            "--remap-path-prefix={}=cargo",
            cargo_home.display()
        ));
    }
    flags
}

/// Nothing that was said about the outer build (its flags, profile, wrapper, features) may change the bytes of a program.
fn forget_outer_build(command: &mut Command) {
    const EXACT: &[&str] = &[
        "CARGO_ENCODED_RUSTFLAGS",
        "CARGO_MAKEFLAGS",
        "CLIPPY_ARGS",
        "DEBUG",
        "HOST",
        "MAKEFLAGS",
        "MFLAGS",
        "NUM_JOBS",
        "OPT_LEVEL",
        "OUT_DIR",
        "PROFILE",
        "RUSTC",
        "RUSTC_LINKER",
        "RUSTC_WORKSPACE_WRAPPER",
        "RUSTDOC",
        "RUSTDOCFLAGS",
        "RUSTFLAGS",
        "TARGET",
    ];
    const PREFIXES: &[&str] = &[
        "CARGO_BUILD_",
        "CARGO_CFG_",
        "CARGO_FEATURE_",
        "CARGO_MANIFEST_",
        "CARGO_PKG_",
        "CARGO_PROFILE_",
        "CARGO_TARGET_",
        "DEP_",
    ];

    for (name, _) in env::vars_os() {
        let Some(text) = name.to_str() else { continue };
        if EXACT.contains(&text) || PREFIXES.iter().any(|prefix| text.starts_with(prefix)) {
            command.env_remove(&name);
        }
    }
}
