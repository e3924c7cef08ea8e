//! The bootstrap server, as its clients see it.

#![allow(clippy::unwrap_used, clippy::panic)] // the harness is as much a test as its callers

mod admission;
mod ending;
mod harness;
mod joins;
mod limits;
mod properties;
mod roots;
mod succession;
mod time;
