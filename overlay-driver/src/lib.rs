//! Runs the overlay's state machines on real connections, on any async runtime.
//!
//! Apps use it through the crate of their runtime, `overlay-tokio` or `overlay-smol`. A runtime's crate has to
//! provide a [`Runtime`]; all else lives here, once:
//!
//! - [`Builder`], [`Node`] and [`Events`]: what an app sees;
//! - the engine: one task a node, which turns what happens into the core's events and does what the core
//!   answers;
//! - [`link`]: WebRTC connections;
//! - the WebSocket connection to a bootstrap server;
//! - [`Server`], the bootstrap server itself, and [`Hub`], its brain with connections.
#![forbid(unsafe_code)]

mod bootstrap;
mod builder;
mod clock;
mod engine;
mod event;
mod handle;
mod hub;
pub mod link;
mod runtime;
mod server;
mod server_url;
mod tls;
mod websocket;

pub use bootstrap::BootstrapError;
pub use builder::{BuildError, Builder, random_token};
pub use event::{BootstrapLost, Event, Events, Message};
pub use handle::{Node, SendError, Status};
pub use hub::{Hub, HubError};
pub use runtime::{Accepted, ByteStream, Runtime};
pub use server::{Server, ServerConfig, ServerError};
pub use server_url::{ParseServerUrlError, ServerUrl};
pub use tls::Tls;
