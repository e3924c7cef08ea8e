//! Trees of real WebRTC links over loopback, with a real server.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that fails panics"
)]

mod growing;
mod harness;
mod hostile_nodes;
mod leaving;
mod messages;
mod rogue;
mod server;
mod tls;
