//! Deterministic simulation of the tree overlay.
#![forbid(unsafe_code)]

mod act;
mod agenda;
mod breach;
mod chronicle;
mod coverage;
mod dice;
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
pub use draw::schedule;
pub use growth::{Growing, Grown, Growth, GrowthError};
pub use profile::Profile;
pub use rules::{Rules, Scrutiny};
pub use schedule::{ParseScheduleError, Schedule, Setup, Step, policy, policy_name};
pub use server::Limits;
pub use shrink::{Shrunk, shrink};
pub use swarm::{Sweep, sweep};
pub use trial::{Verdict, replay, run};
pub use turnover::{Stood, Turnover, Way, churn};
pub use verbs::UnknownName;
pub use world::{Failure, SetupError, World};
