//! See `overlay_testkit::fuzz::server_frames`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| overlay_testkit::fuzz::server_frames::run(bytes));
