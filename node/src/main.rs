//! `gear-exe`: see [`gear_exe::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    gear_exe::cli::main()
}
