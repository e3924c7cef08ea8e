//! The node's rules, each as a claim: seen from outside, by driving `handle_input`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that meets the unexpected has failed"
)]

mod admission;
mod balance;
mod bootstrap;
mod contract;
mod crown;
mod departure;
mod handover;
mod harness;
mod hostile;
mod introspection;
mod joining;
mod liveness;
mod messages;
mod moving;
#[cfg(planted)]
mod planted;
mod properties;
mod routing;
mod waiting;
