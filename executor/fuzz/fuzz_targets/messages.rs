//! `cargo fuzz run messages`: see `gear_exe_fuzz::messages`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| gear_exe_fuzz::messages::run(data));
