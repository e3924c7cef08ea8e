//! The tree overlay as pure state machines.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod bounded;
mod census;
mod flow;
mod id;
mod path;
pub mod relay;
mod signal;
mod time;
pub mod wire;

pub use census::Census;
pub use id::{BootstrapId, ConnectionId, Epoch, JoinId, LinkId, NodeId, ParseNodeIdError};
pub use path::{MAX_DEPTH, Path};
pub use signal::{Candidate, MAX_CANDIDATE, MAX_SDP, Sdp, Signal};
pub use time::Instant;
