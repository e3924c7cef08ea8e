//! Deterministic simulation of the tree overlay: thousands of the [`Node`](overlay_core::Node)s and the
//! [`bootstrap::Server`](overlay_core::bootstrap::Server) that ship, in virtual time, with faults.
//!
//! For those that change the protocol, or want to know what a tree of thousands does under faults; an app needs none
//! of it.
//!
//! | module | idea |
//! |---|---|
//! | [`schedule`](mod@schedule) | what is done to a simulated overlay: a text that a person can read and edit |
//! | `world` | the simulated overlay: machines, a server, a network, an event queue |
//! | `invariants` | what must hold, after every event and in the end |
//! | `record` | what happened: transcript, fingerprint, coverage |
//! | `search` | running a schedule, many of them, and making one that fails small |
//! | [`experiments`] | trees that grow, churn, or lose many nodes at once, with figures |
//!
//! A [`World`] holds machines, a bootstrap server and the network between them; its time jumps to whatever
//! happens next. What is done to it, by apps and by faults, is a [`Schedule`]. [`schedule`](fn@schedule) draws one for
//! each seed, [`run`] carries it out and checks every [`Invariant`], [`sweep`] does so for many seeds, [`shrink`] makes one
//! that fails small, and [`replay`] gives its transcript.
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
//! let outcome = run(&schedule)?;
//! assert_eq!(outcome.failure, None);
//! assert_eq!(outcome.coverage.of("kill"), 1);
//! # Ok(())
//! # }
//! ```
//!
//! # What is checked
//!
//! - After every event: the [`Invariants`] of one node, which the core's tests and the fuzzers check, too; that
//!   no node descends from itself; that app messages come out as a naive tree of queues says they must.
//! - When the faults have stopped: that every node that lives and wants to is in the tree within a bounded
//!   time, that neighbours agree, that no link closes any more, that the root's census is true, and that a
//!   broadcast reaches every node once. A failure says which node waits for which.
//! - Over a sweep: that each fault struck and each state of the protocol was reached ([`Coverage`]).
//!
//! # Experiments
//!
//! [`Growing`] lets a tree grow without faults, as large as memory permits; [`churn`] lets nodes come and
//! go, [`survive`] takes many away at one instant. The command `overlay-sim` runs all of it; the README has its results.
#![forbid(unsafe_code)]

pub mod experiments;
mod invariants;
mod record;
pub mod schedule;
mod search;
mod world;

pub use experiments::{
    AskResult, ChurnPlan, ChurnResult, Disaster, DisasterResult, Exit, Growing, Growth,
    GrowthError, GrowthResult, ask, churn, survive,
};
pub use invariants::{Invariant, Invariants, Scrutiny, Violation};
pub use overlay_testkit::Rng;
pub use record::Coverage;
pub use schedule::{
    Fault, Impairment, Message, Number, Outage, ParseScheduleError, Partition, Profile, Schedule,
    Setup, Step, TimedStep, UnknownName, Wish, schedule,
};
pub use search::{Outcome, Shrunk, Sweep, replay, run, shrink, sweep};
pub use world::{Failure, Limits, SetupError, Told, World};
