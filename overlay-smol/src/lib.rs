//! The tree overlay over WebRTC, on smol: the crate for an app that runs there.
//!
//! A [`Node`] joins a tree, or becomes its root. What happens to it is a stream of [`Event`]s:
//!
//! ```no_run
//! use overlay_smol::{Event, Notification, node};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! smol::block_on(async {
//!     let (node, mut events) = node().server("ws://localhost:8080".parse()?).max_degree(5).spawn()?;
//!     node.join().await;
//!     while let Some(event) = events.next().await {
//!         match event {
//!             Event::Node(Notification::ParentConnected { depth, .. }) => println!("in the tree, at depth {depth}"),
//!             Event::Message(message) => println!("{} bytes from {}", message.payload.len(), message.from),
//!             _ => {}
//!         }
//!     }
//!     Ok(())
//! })
//! # }
//! ```
//!
//! [`Events`] is a `smol::stream::Stream`, to be combined with others.
//! Nodes run on smol's global executor, as `smol::spawn` does: on one thread, or as many as the
//! environment variable `SMOL_THREADS` says.
//!
//! # Sending
//!
//! Don't await a send in the task that takes the events. [`Node::send`] and [`Node::broadcast`] wait while a neighbour
//! takes no more. A neighbour takes no more while its own app takes no events. So two nodes that both send from their
//! event loops wait for each other. Either of these helps:
//!
//! - a task that sends and another one that takes events, each with a clone of the [`Node`];
//! - [`Node::try_send`] and [`Node::try_broadcast`], which never wait.
//!
//! The example `smol_chat` shows the first, under floods from both sides. `smol_fan_out` sends a file to all nodes, and
//! `smol_own_server` is a whole tree in one process.
//!
//! # The server
//!
//! A bootstrap server, which [`serve`] starts, introduces joiners to the root.
//!
//! `overlay-tokio` has the same for tokio, and both meet in one tree. What is not smol's own is in `overlay-driver`, and the
//! protocol in `overlay-core`.
#![forbid(unsafe_code)]

mod runtime;

pub use overlay_driver::app::*;
pub use runtime::Smol;

use std::net::SocketAddr;
use std::sync::Arc;

/// Begins a node that runs on smol.
#[must_use]
pub fn node() -> Builder {
    Builder::new(Arc::new(Smol))
}

/// A dialer that several nodes of one process share, and its limits with it.
pub fn dialer(config: LinkConfig) -> Result<Dialer, link::ConfigError> {
    Dialer::new(&Smol, config)
}

/// Starts a bootstrap server, which introduces joiners to the root. Call it within the runtime.
pub fn serve(address: SocketAddr, config: ServerConfig) -> Result<Server, ServerError> {
    Server::start(Arc::new(Smol), address, config)
}
