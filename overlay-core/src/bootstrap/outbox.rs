//! What goes out to the clients.

use alloc::vec::Vec;
use core::time::Duration;

use bytes::Bytes;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::{Action, Config, Notice};
use crate::id::{ConnectionId, JoinId};
use crate::wire::{self, JoinFrame, Refusal, RejectReason, Rejection, ServerFrame};

/// The actions of the present event, and the waits that clients are told: each a random part longer than another's.
#[derive(Debug)]
pub(super) struct Outbox {
    actions: Vec<Action>,
    rng: ChaCha8Rng,
    retry_after: Duration,
    shutdown_spread: Duration,
}

impl Outbox {
    pub(super) fn new(seed: [u8; 32], config: &Config) -> Self {
        Self {
            actions: Vec::new(),
            rng: ChaCha8Rng::from_seed(seed),
            retry_after: config.retry_after,
            shutdown_spread: config.shutdown_spread,
        }
    }

    /// Exchanges the collected actions for a buffer of the caller.
    pub(super) const fn swap(&mut self, actions: &mut Vec<Action>) {
        core::mem::swap(&mut self.actions, actions);
    }

    pub(super) fn send(&mut self, connection: ConnectionId, frame: &ServerFrame) {
        let bytes = wire::encode(frame);
        self.actions.push(Action::Send { connection, bytes });
    }

    pub(super) fn notify(&mut self, notice: Notice) {
        self.actions.push(Action::Notify(notice));
    }

    /// Tells a root that a join has ended.
    pub(super) fn cancel(&mut self, root: ConnectionId, join: JoinId) {
        self.send(root, &ServerFrame::Join(JoinFrame::Cancel { join }));
    }

    /// Tells a joiner that its join has failed.
    pub(super) fn reject(&mut self, joiner: ConnectionId, join: JoinId, reason: RejectReason) {
        let rejection = Rejection {
            reason,
            retry_after_ms: self.wait(self.retry_after),
        };
        self.notify(Notice::JoinRejected { join, reason });
        let frame = JoinFrame::Reject { join, rejection };
        self.send(joiner, &ServerFrame::Join(frame));
    }

    /// Ends a connection; the last frame says why.
    pub(super) fn close(&mut self, connection: ConnectionId, refusal: Refusal) {
        let bytes = self.farewell(refusal);
        self.actions.push(Action::Send { connection, bytes });
        self.actions.push(Action::Close {
            connection,
            refusal,
        });
    }

    /// The last frame to a client that is refused.
    pub(super) fn farewell(&mut self, refusal: Refusal) -> Bytes {
        let spread = match refusal {
            Refusal::ShuttingDown => self.shutdown_spread,
            _ => self.retry_after,
        };
        wire::encode(&ServerFrame::Refused {
            version: wire::VERSION,
            refusal,
            retry_after_ms: self.wait(spread),
        })
    }

    /// The configured wait and a random part of `spread`, in milliseconds. Clients that are sent away together do not
    /// come back together.
    fn wait(&mut self, spread: Duration) -> u32 {
        let jitter = self.rng.next_u64() % (u64::from(millis(spread)) + 1);
        let wait = u64::from(millis(self.retry_after)).saturating_add(jitter);
        u32::try_from(wait).unwrap_or(u32::MAX)
    }
}

/// A duration in whole milliseconds, as the wire has it; a longer one than fits is the longest that fits.
pub(super) fn millis(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis()).unwrap_or(u32::MAX)
}
