//! See `overlay_fuzz::config`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| overlay_fuzz::config::run(bytes));
