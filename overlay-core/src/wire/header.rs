//! Headers of messages that pass through nodes: what stands before the app's bytes.
//!
//! A message for the root has the way that it has come, as a [`Path`]: each node that passes it on appends the child that
//! it has it from. Nobody writes their own id, so the first is the sender's if the nodes behind it are honest; and the way back
//! is true as far as they are.

use alloc::vec::Vec;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::ask::{AskId, Combine};
use crate::path::{MAX_DEPTH, Path};

/// Longest header, in bytes: a way through the deepest tree, and two numbers.
pub const MAX_HEADER: usize = 16 * (MAX_DEPTH + 1) + 16;

/// The header of a reply of the root.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply {
    /// The ids from the receiver of the reply up to the child that it goes to next.
    pub way: Path,
    /// The root's name for it.
    pub tag: u64,
}

/// The header of a question, from the parent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Question {
    /// Its name.
    pub ask: AskId,
    /// The time in which the parent wants the answer, in milliseconds.
    pub left_ms: u32,
    /// How much less each node gives its children, in milliseconds.
    pub step_ms: u32,
    /// The time that the root waits, in milliseconds: for so long a node answers a question once.
    pub total_ms: u32,
    /// How answers are combined.
    pub combine: Combine,
    /// The longest combined answer, in bytes.
    pub limit: u32,
}

/// The header of the combined answer of a subtree, from a child.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// The question's name.
    pub ask: AskId,
    /// The number of nodes whose answers are in it.
    pub answered: u32,
    /// The number of nodes whose answers there was no room for.
    pub omitted: u32,
    /// The number of nodes that were asked.
    pub asked: u32,
}

/// The app's bytes behind a header.
///
/// # Panics
///
/// Never: headers are all representable, and memory is the only sink.
pub fn behind<H: Serialize>(header: &H, payload: &[u8]) -> Bytes {
    let bytes = postcard::to_extend(header, Vec::with_capacity(payload.len() + 64));
    debug_assert!(bytes.is_ok(), "every header is representable");
    let mut bytes = bytes.unwrap_or_default();
    bytes.extend_from_slice(payload);
    bytes.into()
}

/// A header, and the app's bytes behind it. `None` if the message does not begin with one.
#[must_use]
pub fn split<H: for<'a> Deserialize<'a>>(message: &Bytes) -> Option<(H, Bytes)> {
    let (header, payload) = postcard::take_from_bytes::<H>(message).ok()?;
    Some((header, message.slice(message.len() - payload.len()..)))
}
