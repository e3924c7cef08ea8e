//! See `overlay_fuzz::relay_frames`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| overlay_fuzz::relay_frames::run(bytes));
