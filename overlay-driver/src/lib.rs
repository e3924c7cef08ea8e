//! Runs the overlay's state machines on real connections, on any async runtime.
#![forbid(unsafe_code)]

mod runtime;

pub use runtime::{ByteStream, Runtime};
