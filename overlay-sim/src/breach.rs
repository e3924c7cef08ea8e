//! The invariants of the overlay, by the names that the simulator knows them by.

pub use overlay_testkit::{Invariant as Claim, Violation as Breach};
