//! The tree overlay over WebRTC, on smol: the crate for an app that runs there.
//!
//! A [`Node`] joins a tree, or becomes its root, and says what happens as a stream of [`Event`]s:
//!
//! ```no_run
//! use overlay_smol::{Event, node};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! smol::block_on(async {
//!     let (node, mut events) = node().server("ws://localhost:8080".parse()?).max_degree(5).spawn()?;
//!     node.join().await;
//!     while let Some(event) = events.next().await {
//!         match event {
//!             Event::ParentConnected { depth, .. } => println!("in the tree, at depth {depth}"),
//!             Event::Message(message) => println!("{} bytes from {}", message.payload.len(), message.from),
//!             _ => {}
//!         }
//!     }
//!     Ok(())
//! })
//! # }
//! ```
//!
//! [`Events`] is a [`Stream`](smol::stream::Stream), for whoever wants to combine it with others.
//! Nodes run on smol's global executor, as `smol::spawn` does: on one thread, or as many as the
//! environment variable `SMOL_THREADS` says.
//!
//! A bootstrap server, which [`serve`] starts, introduces newcomers to the root.
//!
//! `overlay-tokio` has the same for tokio, and both meet in one tree. What is not smol's own is in `overlay-driver`, and the
//! protocol in `overlay-core`: its [`Notification`](overlay_core::Notification)s are the [`Event`]s here, with the same names.
#![forbid(unsafe_code)]

mod runtime;

pub use overlay_core as core;
pub use overlay_core::wire::{OverlayName, Token};
pub use overlay_core::{Census, CloseReason, Config, NodeId, Policy, Role, Scope};
pub use overlay_driver::link::{self, Dialer, IceServer, LinkConfig};
pub use overlay_driver::{
    BootstrapError, BootstrapLost, BuildError, Builder, Event, Events, Message, Node,
    ParseServerUrlError, SendError, Server, ServerConfig, ServerError, ServerUrl, Status, Tls,
    random_token,
};
pub use runtime::Smol;

use std::net::SocketAddr;
use std::sync::Arc;

/// Puts a node together that runs on smol.
#[must_use]
pub fn node() -> Builder {
    Builder::new(Arc::new(Smol))
}

/// Makes links for several nodes of one process, which then share its limits.
pub fn dialer(config: LinkConfig) -> Result<Dialer, link::ConfigError> {
    Dialer::new(&Smol, config)
}

/// Starts a bootstrap server, which introduces newcomers to the root. Call it within the runtime.
pub fn serve(address: SocketAddr, config: ServerConfig) -> Result<Server, ServerError> {
    Server::start(Arc::new(Smol), address, config)
}
