//! Deterministic simulation of the tree overlay.
#![forbid(unsafe_code)]

mod breach;
mod rules;

pub use breach::{Breach, Claim};
pub use rules::{Rules, Scrutiny};
