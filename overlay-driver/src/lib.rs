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
//! - [`Server`], the bootstrap server itself, and [`Service`], its brain with connections.
#![forbid(unsafe_code)]

mod bootstrap;
mod builder;
mod clock;
mod engine;
mod event;
mod handle;
pub mod link;
mod question;
mod queue;
mod runtime;
mod sending;
mod server;
mod server_url;
mod service;
mod tls;
mod websocket;

pub use app::*;
pub use runtime::{Accepted, ByteStream, Runtime};
pub use service::{Service, ServiceError};

/// All that an app needs, whatever its runtime: a runtime's crate re-exports it.
pub mod app {
    pub use overlay_core as core;
    pub use overlay_core::wire::{OverlayName, Token};
    pub use overlay_core::{
        Answers, Census, CloseReason, Combine, Config, NodeId, Notification, Policy, Position,
        Role, SlowPolicy, Start, Unsent, Way,
    };

    pub use crate::bootstrap::BootstrapError;
    pub use crate::builder::{BuildError, Builder, random_token};
    pub use crate::event::{BootstrapLost, Event, Events, Message, Scope};
    pub use crate::handle::{Node, SendError, Status};
    pub use crate::link::{self, Dialer, IceServer, LinkConfig};
    pub use crate::question::Question;
    pub use crate::sending::Sending;
    pub use crate::server::{Server, ServerConfig, ServerError, ServerEvent, StaticFile};
    pub use crate::server_url::{ParseServerUrlError, ServerUrl};
    pub use crate::tls::Tls;
}
