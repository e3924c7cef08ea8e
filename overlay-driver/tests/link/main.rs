//! Links over real sockets on loopback.
#![allow(clippy::unwrap_used, clippy::panic)]

mod handshake;
mod harness;
mod hostile;
mod loss;
mod messages;
mod rough;
mod stranger;
