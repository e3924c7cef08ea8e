//! A client of the server, as the outside knows it.

use std::collections::BTreeMap;

use overlay_core::wire::{JoinFrame, Refusal};
use overlay_core::{ConnectionId, JoinId, NodeId};

use crate::fuzz::vocabulary::pick;
use crate::fuzz::words::JoinWord;

/// The overlay, the id and the role of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) overlay: &'static str,
    pub(super) id: NodeId,
    pub(super) is_root: bool,
}

/// A client.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) is_open: bool,
    /// The identity that it last claimed.
    pub(super) claimed: Option<Identity>,
    /// The identity that it was welcomed with.
    pub(super) identity: Option<Identity>,
    /// The joins that it has asked for, or was told of, with the ICE candidates that it got for each.
    pub(super) joins: BTreeMap<JoinId, u32>,
    /// The other side of each join.
    pub(super) partners: BTreeMap<JoinId, ConnectionId>,
    /// The refusal that it was told.
    pub(super) told: Option<Refusal>,
}

impl Default for Client {
    fn default() -> Self {
        Self {
            is_open: true,
            claimed: None,
            identity: None,
            joins: BTreeMap::new(),
            partners: BTreeMap::new(),
            told: None,
        }
    }
}

impl Client {
    /// What one in its role may say: a joiner about its own last attempt, or the next one; a root about one of those
    /// that it was told of.
    pub(super) fn utter(&self, what: u8, which: u8) -> Option<JoinFrame> {
        let identity = self.identity?;
        let known: Vec<JoinId> = self.joins.keys().copied().collect();
        let word = if identity.is_root {
            match what % 8 {
                0..3 => JoinWord::Answer(0, 0),
                3..7 => JoinWord::Candidate(0, 0),
                _ => JoinWord::Reject(0, 0, 5),
            }
        } else {
            match what % 8 {
                0..3 => JoinWord::Request(0, 0, 1),
                3..7 => JoinWord::Candidate(0, 0),
                _ => JoinWord::Cancel(0, 0),
            }
        };
        let last = || known.last().copied();
        let join = match word {
            JoinWord::Request(..) => JoinId {
                origin: identity.id,
                attempt: last().map_or(0, |join| join.attempt) + 1,
            },
            _ if identity.is_root => *pick(which, &known)?,
            _ => last()?,
        };
        Some(about(join, word.frame()))
    }
}

/// The frame, about this join.
fn about(join: JoinId, mut frame: JoinFrame) -> JoinFrame {
    match &mut frame {
        JoinFrame::Request(request) => request.join = join,
        JoinFrame::Signal { join: of, .. }
        | JoinFrame::Reject { join: of, .. }
        | JoinFrame::Cancel { join: of } => *of = join,
    }
    frame
}
