//! The invariants of one node, by the names that the simulator knows them by.

pub use overlay_testkit::{Invariants as Rules, Scrutiny};
