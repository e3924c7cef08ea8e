//! The kit that the tests, the simulator and the fuzz targets share.
//!
//! | module | idea |
//! |---|---|
//! | [`Invariants`] | what holds for one node after every event |
//! | [`Invariant`], [`Violation`] | the name of each invariant, and the report that one does not hold |
//! | [`Solo`] | one node, driven by hand |
//! | [`frames`] | frames and their parts, as short as tests can read them |
//! | [`actions`] | the actions of one kind among all that a node asks for |
//! | [`fuzz`] | the bodies of the fuzz targets, and their corpus as a test |
//! | [`net`] | WebRTC connections and the bootstrap server, for a simulated world |
//! | [`Rng`] | randomness that is the same everywhere |
#![forbid(unsafe_code)]

#[allow(
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    reason = "for tests alone"
)]
pub mod actions;
#[allow(
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    reason = "for tests alone"
)]
pub mod frames;
#[allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::missing_panics_doc,
    reason = "for tests alone"
)]
pub mod fuzz;
mod invariants;
pub mod net;
mod rng;
#[allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::missing_panics_doc,
    reason = "for tests alone"
)]
mod solo;
mod violation;

pub use invariants::{Invariants, Scrutiny};
pub use rng::Rng;
pub use solo::Solo;
pub use violation::{Invariant, Violation};
