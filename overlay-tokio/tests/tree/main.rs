//! Trees of real WebRTC links over loopback, with a real server.

mod growing;
mod harness;
mod hostile_nodes;
mod leaving;
mod messages;
mod rogue;
mod server;
mod tls;
