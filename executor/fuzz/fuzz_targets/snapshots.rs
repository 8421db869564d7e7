//! `cargo fuzz run snapshots`: see `gear_exe_fuzz::snapshots`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| gear_exe_fuzz::snapshots::run(data));
