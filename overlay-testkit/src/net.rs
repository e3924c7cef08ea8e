//! The network below simulated nodes: WebRTC connections and the bootstrap server, without time and without faults.
//!
//! Latency, loss and everything else that befalls a message are the business of the world that uses these.

mod server;
mod webrtc;

pub use server::{Client, Limits, Outgoing, Server, token};
pub use webrtc::{End, EndId, Ends, Heard, Stage};

/// The place of a node in its world.
pub type Ix = usize;
