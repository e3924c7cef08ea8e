//! Runs the overlay's state machines on real connections, on any async runtime.
#![forbid(unsafe_code)]

pub mod link;
mod runtime;

pub use runtime::{ByteStream, Runtime};
