//! See `overlay_fuzz::join_request`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| overlay_fuzz::join_request::run(bytes));
