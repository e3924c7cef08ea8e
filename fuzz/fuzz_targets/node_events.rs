//! See `overlay_testkit::fuzz::node_events`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| overlay_testkit::fuzz::node_events::run(bytes));
