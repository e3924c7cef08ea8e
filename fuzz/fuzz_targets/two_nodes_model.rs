//! See `overlay_testkit::fuzz::two_nodes_model`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| overlay_testkit::fuzz::two_nodes_model::run(bytes));
