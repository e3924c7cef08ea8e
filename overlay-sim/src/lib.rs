//! Deterministic simulation of the tree overlay: thousands of the [`Node`](overlay_core::Node)s and the
//! [`bootstrap::Server`](overlay_core::bootstrap::Server) that ship, in virtual time, with faults.
//!
//! For whoever changes the protocol, or wants to know what a tree of thousands does under faults; an app needs none
//! of it.
//!
//! A [`World`] holds machines, a bootstrap server and the network between them; its time jumps to whatever
//! happens next. What is done to it, wishes, messages and faults, is a [`Schedule`]: a text that a person
//! can read and edit. [`schedule`] draws one for each seed, [`run`] carries it out and checks every
//! [`Claim`], [`sweep`] does so for many seeds, [`shrink`] makes one that fails small, and [`replay`] tells
//! its story.
//!
//! ```
//! use overlay_sim::{Schedule, run};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let schedule: Schedule = "
//!     overlay-sim schedule 1
//!     seed 1
//!     profile wan
//!     degree 2
//!     0.0 root 0
//!     0.1 join 1
//!     0.1 join 2
//!     0.1 join 3
//!     5.0 kill 1
//! ".parse()?;
//! let verdict = run(&schedule)?;
//! assert_eq!(verdict.failure, None);
//! assert_eq!(verdict.coverage.of("kill"), 1);
//! # Ok(())
//! # }
//! ```
//!
//! # What is checked
//!
//! - After every event: the [`Rules`] of one node, which the core's tests and the fuzzers check, too; that
//!   nobody descends from itself; that app messages come out as a naive tree of queues says they must.
//! - When the faults have stopped: that everybody who lives and wants to is in the tree within a bounded
//!   time, that neighbours agree, that no link closes any more, that the root's census is true, and that a
//!   broadcast reaches everybody once. A failure says who waits for whom.
//! - Over a sweep: that each fault struck and each state of the protocol was reached ([`Coverage`]).
//!
//! # Experiments
//!
//! [`Growing`] lets a tree grow without faults, as large as memory permits; [`churn`] lets nodes come and
//! go, [`survive`] takes many away at one instant. The command `overlay-sim` runs all of it; the README has its results.
#![forbid(unsafe_code)]

mod act;
mod agenda;
mod breach;
mod chronicle;
mod coverage;
mod diagnosis;
mod dice;
mod disaster;
mod draw;
mod growth;
mod liveness;
mod machine;
mod model;
mod network;
mod profile;
mod rules;
mod schedule;
mod server;
pub mod shape;
mod shrink;
mod swarm;
mod trace;
mod trial;
mod turnover;
mod verbs;
mod webrtc;
mod world;

pub use act::{Act, Between, Blow, Message, Number, Outage, Trouble, Wish};
pub use breach::{Breach, Claim};
pub use coverage::Coverage;
pub use dice::Dice;
pub use disaster::{Disaster, Survived, survive};
pub use draw::schedule;
pub use growth::{Growing, Grown, Growth, GrowthError};
pub use profile::Profile;
pub use rules::{Rules, Scrutiny};
pub use schedule::{ParseScheduleError, Schedule, Setup, Step};
pub use server::Limits;
pub use shrink::{Shrunk, shrink};
pub use swarm::{Sweep, sweep};
pub use trial::{Verdict, replay, run};
pub use turnover::{Stood, Turnover, Way, churn};
pub use verbs::UnknownName;
pub use world::{Failure, SetupError, World};
