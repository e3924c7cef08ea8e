//! The tree overlay as pure state machines.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod action;
mod backoff;
pub mod bounded;
mod census;
mod config;
mod event;
pub mod flow;
mod id;
mod node;
mod path;
mod policy;
mod signal;
mod stats;
mod time;
pub mod wire;

pub use action::{
    Action, CloseReason, Delivery, Dial, Notification, Receipt, Scope, Unsent, Violation,
};
pub use census::Census;
pub use config::{Config, ConfigError, MAX_DEGREE};
pub use event::{Event, EventKind};
pub use id::{BootstrapId, ConnectionId, Epoch, JoinId, LinkId, NodeId, ParseNodeIdError};
pub use node::{Neighbour, Node, Standing};
pub use path::{MAX_DEPTH, Path};
pub use policy::Policy;
pub use signal::{Candidate, MAX_CANDIDATE, MAX_SDP, Sdp, Signal};
pub use stats::Stats;
pub use time::Instant;
