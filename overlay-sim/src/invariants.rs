//! What must hold: of one node (in `overlay-testkit`), of the tree, of app messages, and when the faults have stopped.

pub(crate) mod arrival;
pub(crate) mod diagnosis;
pub(crate) mod messages;
pub(crate) mod passing;
pub(crate) mod recovery;
pub(crate) mod streams;

pub use overlay_testkit::{Invariant, Invariants, Scrutiny, Violation};
