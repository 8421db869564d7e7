//! `cargo fuzz run syscalls`: see `gear_exe_fuzz::syscalls`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| gear_exe_fuzz::syscalls::run(data));
