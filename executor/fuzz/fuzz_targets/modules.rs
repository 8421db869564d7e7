//! `cargo fuzz run modules`: see `gear_exe_fuzz::modules`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| gear_exe_fuzz::modules::run(data));
