//! Links over real sockets on loopback.

mod handshake;
mod harness;
mod messages;
