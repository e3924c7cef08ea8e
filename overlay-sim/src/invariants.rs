//! What must hold: of one node, of the tree, of app messages, and when the faults have stopped.

pub(crate) mod diagnosis;
pub(crate) mod messages;
mod node;
pub(crate) mod recovery;
mod violation;

pub use node::{NodeInvariants, Scrutiny};
pub use violation::{Invariant, Violation};
