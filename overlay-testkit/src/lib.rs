//! The kit that the tests, the simulator and the fuzz targets share.
//!
//! | module | idea |
//! |---|---|
//! | [`Invariants`] | what holds for one node after every event |
//! | [`Invariant`], [`Violation`] | the name of each invariant, and the report that one does not hold |
#![forbid(unsafe_code)]

mod invariants;
mod violation;

pub use invariants::{Invariants, Scrutiny};
pub use violation::{Invariant, Violation};
