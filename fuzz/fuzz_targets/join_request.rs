//! See `overlay_testkit::fuzz::join_request`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| overlay_testkit::fuzz::join_request::run(bytes));
