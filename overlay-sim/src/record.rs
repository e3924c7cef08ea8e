//! What happened in a run: in words, as a fingerprint, and which states of the protocol it reached.

pub(crate) mod coverage;
pub(crate) mod trace;
pub(crate) mod transcript;

pub use coverage::Coverage;
