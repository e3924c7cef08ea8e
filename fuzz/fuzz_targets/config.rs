//! See `overlay_testkit::fuzz::config`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| overlay_testkit::fuzz::config::run(bytes));
