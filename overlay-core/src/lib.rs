//! The tree overlay as pure state machines: no I/O, no clock, no threads, no allocation that a peer controls.
//!
//! For an event loop of one's own: a game, another transport, another language. A program on tokio or smol is better off
//! with `overlay-tokio` or `overlay-smol`, which bring WebRTC; one on another async runtime with `overlay-driver`.
//!
//! A [`Node`] is one member of the tree; a [`bootstrap::Server`] is the brain of the server that introduces joiners
//! to the root. Both are told what happens and answer with what is to be done. An embedder, be it a driver on an
//! async runtime, a game loop or a simulator, does four things for a node:
//!
//! 1. For everything that happens, hand in an [`Event`] with the present time.
//! 2. Carry out the [`Action`]s, in the order given.
//! 3. When [`Node::next_deadline`] comes, hand in a [`Timeout`](EventKind::Timeout).
//! 4. When the app has taken a delivered message, hand its [`Receipt`] back.
//!
//! ```
//! use overlay_core::{Action, Config, Event, EventKind, Instant, Node, NodeId};
//!
//! # fn main() -> Result<(), overlay_core::ConfigError> {
//! let mut node = Node::new(NodeId::from_u128(1), Config::default(), [7; 32])?;
//! let now = Instant::from_millis(0);
//! let actions = node.handle_input(Event::new(now, EventKind::Join));
//! assert!(matches!(actions[..], [Action::ConnectBootstrap(_)]));
//! assert!(node.next_deadline().is_some_and(|due| due > now));
//! # Ok(())
//! # }
//! ```
//!
//! `examples/two_nodes_one_loop.rs` is a whole tree in one plain loop.
//!
//! # The contract
//!
//! - The same seed and the same events give the same actions, byte for byte, on every platform.
//! - Time enters by [`Event::now`] alone and never runs backwards. After a `Timeout` at some moment,
//!   `next_deadline` is `None` or later than that moment.
//! - A peer can't make a node panic, block, or grow without bound. A peer's fault ends in
//!   [`Action::CloseLink`] and a counter in [`Stats`], never in an error for the embedder.
//! - An id means nothing else before 2³² others were minted: an event about what is gone changes nothing.
//! - Every collection has a limit in [`Config`], with what happens there.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

#[macro_use]
mod planted;

mod action;
pub mod arena;
mod ask;
mod assembly;
mod backoff;
pub mod bootstrap;
pub mod bounded;
mod census;
mod close;
mod config;
mod event;
mod expiring;
pub mod flow;
mod id;
mod log;
mod node;
mod notification;
mod pace;
mod path;
mod policy;
mod position;
mod random;
pub mod shape;
mod signal;
mod slow;
mod stats;
mod time;
pub mod wire;

pub use action::{Action, Delivery, Dial, Receipt, Scope};
pub use ask::{Answers, Ask, AskId, Asked, Combine};
pub use census::Census;
pub use close::{CloseReason, ProtocolError};
pub use config::{Config, ConfigError, MAX_DEGREE};
pub use event::{Event, EventKind};
pub use id::{BootstrapId, ConnectionId, Epoch, JoinId, LinkId, NodeId, ParseNodeIdError};
pub use node::{Load, Neighbour, Node, Progress, Role};
pub use notification::{Notification, Unsent};
pub use path::{MAX_DEPTH, Path, Way};
#[cfg(planted)]
pub use planted::Planted;
pub use policy::{ParsePolicyError, Policy};
pub use position::{Position, Start};
pub use signal::{IceCandidate, MAX_ICE_CANDIDATE, MAX_SDP, Sdp, Signal};
pub use slow::{ParseSlowPolicyError, SlowPolicy};
pub use stats::Stats;
pub use time::Instant;
