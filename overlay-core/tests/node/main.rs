//! The node's rules, each as a claim: seen from outside, by driving `handle_input`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that meets the unexpected has failed"
)]

mod admission;
mod asking;
mod contract;
mod ending;
mod harness;
mod hostile;
mod introspection;
mod joining;
mod leadership;
mod leaving;
mod liveness;
mod messages;
mod passing;
#[cfg(planted)]
mod planted;
mod positions;
mod properties;
mod queue;
mod rebalance;
mod relocation;
mod routing;
mod server;
mod stalls;
mod stream;
