//! See `overlay_fuzz::node_events`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| overlay_fuzz::node_events::run(bytes));
