//! Forwarding of joins between joiners and roots.

use super::joins::{Join, Passage};
use super::session::Client;
use super::{Notice, Server};
use crate::id::{ConnectionId, JoinId};
use crate::signal::Signal;
use crate::wire::{JoinFrame, JoinRequest, Refusal, RejectReason, ServerFrame};

impl Server {
    /// A joiner requests, sends its ICE candidates, and may give up. It speaks of its own joins only, so the origin
    /// that the root reads in a request is true.
    pub(super) fn joiner_frame(
        &mut self,
        id: ConnectionId,
        client: Client,
        frame: JoinFrame,
    ) -> Result<(), Refusal> {
        let join = frame.join();
        if join.origin != client.id {
            return Err(Refusal::Malformed);
        }
        let limit = self.config.max_ice_candidates;
        let joins = self
            .overlays
            .get_mut(client.overlay)
            .and_then(|overlay| overlay.root_mut())
            .map(|(_, joins)| joins);
        let passage = match frame {
            JoinFrame::Request(request) => return self.request(id, client, request),
            JoinFrame::Signal {
                signal: Signal::IceCandidate(_),
                ..
            } => joins.map(|joins| joins.joiner_candidate(join, limit)),
            JoinFrame::Cancel { .. } => joins.map(|joins| joins.cancel(join)),
            JoinFrame::Signal {
                signal: Signal::Answer(_),
                ..
            }
            | JoinFrame::Reject { .. } => return Err(Refusal::Malformed),
        };
        self.forward(client, passage.unwrap_or(Passage::Late), frame);
        Ok(())
    }

    /// A root answers, sends the ICE candidates of its acceptors, and may reject. It reaches only the joins that were
    /// passed to it, and only the connection that asked. A frame about another join is late, not wrong: the join may
    /// have ended while the frame was under way.
    pub(super) fn root_frame(&mut self, client: Client, frame: JoinFrame) -> Result<(), Refusal> {
        let join = frame.join();
        let limit = self.config.max_ice_candidates;
        let overlay = self.overlays.get_mut(client.overlay);
        let Some((_, joins)) = overlay.and_then(|overlay| overlay.root_mut()) else {
            return Ok(());
        };
        let passage = match &frame {
            JoinFrame::Signal { signal, .. } => joins.root_signal(join, signal, limit),
            JoinFrame::Reject { .. } => joins.reject(join),
            // Of its own last attempt as a standby, before it heard that it is the root.
            JoinFrame::Request(_) | JoinFrame::Cancel { .. } if join.origin == client.id => {
                Passage::Late
            }
            JoinFrame::Request(_) | JoinFrame::Cancel { .. } => return Err(Refusal::Malformed),
        };
        self.forward(client, passage, frame);
        Ok(())
    }

    /// A joiner has one join under way: a newer attempt ends the older one. A request that can't be passed on is
    /// rejected at once. No attempt's number is used twice.
    fn request(
        &mut self,
        id: ConnectionId,
        client: Client,
        request: JoinRequest,
    ) -> Result<(), Refusal> {
        let join = request.join;
        let Some(session) = self.sessions.get_mut(id) else {
            return Ok(());
        };
        if request.hops != 0 || !session.begins(join.attempt) {
            return Err(Refusal::Malformed);
        }
        let overlay = self.overlays.get_mut(client.overlay);
        let Some((root, joins)) = overlay.and_then(|overlay| overlay.root_mut()) else {
            self.reject(id, join, RejectReason::NoRoot);
            return Ok(());
        };
        // The older attempt ends first, so that it does not count against the limit.
        if let Some(older) = joins.end_of(client.id) {
            self.outbox.cancel(root, older.id);
        }
        if joins.len() >= self.config.max_pending_joins {
            self.reject(id, join, RejectReason::Busy);
            return Ok(());
        }
        joins.begin(join, id, self.now);
        self.counters.joins_passed += 1;
        self.outbox.notify(Notice::JoinPassed { join });
        let request = JoinFrame::Request(request);
        self.outbox.send(root, &ServerFrame::Join(request));
        Ok(())
    }

    /// Ends the join of a joiner whose connection has ended.
    pub(super) fn joiner_left(&mut self, client: Client) {
        // After the answer, most joiners hang up because they are connected: those are not to be disturbed.
        self.end_join(client, |join| !join.answered);
        self.overlays.leave(client.overlay, client.id);
        self.schedule_next_standby(client.overlay);
    }

    /// Ends the join of a joiner, and tells the root if `cancels` says so.
    pub(super) fn end_join(&mut self, client: Client, cancels: impl Fn(&Join) -> bool) {
        let overlay = self.overlays.get_mut(client.overlay);
        if let Some((root, joins)) = overlay.and_then(|overlay| overlay.root_mut())
            && let Some(join) = joins.end_of(client.id)
            && cancels(&join)
        {
            self.outbox.cancel(root, join.id);
        }
    }

    /// Sends a frame of a client where it belongs.
    fn forward(&mut self, client: Client, passage: Passage, frame: JoinFrame) {
        let overlay = self.overlays.get(client.overlay);
        let to = match passage {
            Passage::ToRoot => overlay.and_then(|overlay| overlay.leadership().root()),
            Passage::ToJoiner(joiner) => Some(joiner),
            Passage::Late => {
                self.counters.frames_late += 1;
                None
            }
            Passage::Surplus => {
                self.counters.frames_surplus += 1;
                None
            }
        };
        let Some(to) = to else {
            return;
        };
        match &frame {
            JoinFrame::Signal {
                signal: Signal::Answer(_),
                ..
            } => self.counters.answers_passed += 1,
            JoinFrame::Reject { join, rejection } => self.outbox.notify(Notice::JoinRejected {
                join: *join,
                reason: rejection.reason,
            }),
            _ => {}
        }
        self.outbox.send(to, &ServerFrame::Join(frame));
        // A rejected joiner no longer waits for an answer.
        self.schedule(to);
    }

    /// Tells a joiner that its join has failed here.
    pub(super) fn reject(&mut self, joiner: ConnectionId, join: JoinId, reason: RejectReason) {
        match reason {
            RejectReason::Busy => self.counters.joins_over_limit += 1,
            _ => self.counters.joins_without_root += 1,
        }
        self.outbox.reject(joiner, join, reason);
    }
}
