//! Joins on their way between joiners and roots.

use alloc::vec::Vec;

use super::connection::{Client, Connection, State};
use super::root::Passage;
use super::{Action, Notice, Server, send};
use crate::id::{ConnectionId, JoinId};
use crate::signal::Signal;
use crate::wire::{JoinFrame, JoinRequest, Refusal, RejectReason, Rejection, ServerFrame};

impl Server {
    /// A joiner asks, tells its candidates, and may give up; all of it in its own name, so what the
    /// root is told of a join's origin is true.
    pub(super) fn joiner_frame(
        &mut self,
        id: ConnectionId,
        client: Client,
        frame: JoinFrame,
        out: &mut Vec<Action>,
    ) -> Result<(), Refusal> {
        let join = frame.join();
        if join.origin != client.id {
            return Err(Refusal::Malformed);
        }
        let limit = self.config.max_candidates;
        let root = self.overlays.root_mut(client.overlay);
        let passage = match frame {
            JoinFrame::Request(request) => return self.request(id, client, request, out),
            JoinFrame::Signal {
                signal: Signal::Candidate(_),
                ..
            } => root.map(|root| root.joiner_candidate(join, limit)),
            JoinFrame::Cancel { .. } => root.map(|root| root.cancel(join)),
            JoinFrame::Signal {
                signal: Signal::Answer(_),
                ..
            }
            | JoinFrame::Reject { .. } => return Err(Refusal::Malformed),
        };
        self.pass(passage.unwrap_or(Passage::Late), frame, out);
        Ok(())
    }

    /// A root answers, tells its acceptors' candidates, and may reject; only joins that were passed
    /// to it, and only to the connection that asked. A frame for another join is late, not wrong:
    /// the join may have ended while the frame was on its way.
    pub(super) fn root_frame(
        &mut self,
        client: Client,
        frame: JoinFrame,
        out: &mut Vec<Action>,
    ) -> Result<(), Refusal> {
        let join = frame.join();
        let limit = self.config.max_candidates;
        let Some(root) = self.overlays.root_mut(client.overlay) else {
            return Ok(());
        };
        let passage = match &frame {
            JoinFrame::Signal { signal, .. } => root.signal(join, signal, limit),
            JoinFrame::Reject { .. } => root.reject(join),
            // Of its own last attempt as a standby, before it heard that it is the root.
            JoinFrame::Request(_) | JoinFrame::Cancel { .. } if join.origin == client.id => {
                Passage::Late
            }
            JoinFrame::Request(_) | JoinFrame::Cancel { .. } => return Err(Refusal::Malformed),
        };
        self.pass(passage, frame, out);
        Ok(())
    }

    /// A joiner has one join under way: a newer attempt ends the older. What can't be passed on is
    /// rejected at once. An attempt's number is never used again.
    fn request(
        &mut self,
        id: ConnectionId,
        client: Client,
        request: JoinRequest,
        out: &mut Vec<Action>,
    ) -> Result<(), Refusal> {
        let join = request.join;
        let Some(Connection {
            state: State::Joiner { last_attempt, .. },
            ..
        }) = self.connections.get_mut(id)
        else {
            return Ok(());
        };
        if request.hops != 0 || join.attempt <= *last_attempt {
            return Err(Refusal::Malformed);
        }
        *last_attempt = join.attempt;
        let Some(root) = self.overlays.root_mut(client.overlay) else {
            self.reject(id, join, RejectReason::NoRoot, out);
            return Ok(());
        };
        let to = root.connection;
        if let Some(older) = root.end_join_of(client.id) {
            cancel(out, to, older.join);
        }
        if root.pending_joins() >= self.config.max_pending_joins {
            self.reject(id, join, RejectReason::Busy, out);
            return Ok(());
        }
        root.begin(join, id, self.now);
        self.counters.joins_passed += 1;
        send(out, to, &ServerFrame::Join(JoinFrame::Request(request)));
        Ok(())
    }

    /// The root is told that a joiner is gone, but only while the join has no answer: after that,
    /// the joiner has most likely hung up because it is connected, and is not to be disturbed.
    pub(super) fn joiner_left(&mut self, client: Client, out: &mut Vec<Action>) {
        if let Some(root) = self.overlays.root_mut(client.overlay)
            && let Some(pending) = root.end_join_of(client.id)
            && !pending.answered
        {
            cancel(out, root.connection, pending.join);
        }
        self.overlays.leave(client.overlay, client.id);
        self.arm_heir(client.overlay);
    }

    /// The root is told that a joiner has given up.
    pub(super) fn cancel_join(&mut self, client: Client, out: &mut Vec<Action>) {
        if let Some(root) = self.overlays.root_mut(client.overlay)
            && let Some(pending) = root.end_join_of(client.id)
        {
            cancel(out, root.connection, pending.join);
        }
    }

    /// Joiners that wait for an answer are told that none will come. Those that have theirs are left
    /// to connect, which needs no root; if they can't, their own patience ends the attempt.
    pub(super) fn root_left(
        &mut self,
        client: Client,
        connection: &Connection,
        out: &mut Vec<Action>,
    ) {
        let ends = self.reign_ends(connection);
        let Some((overlay, root)) = self.overlays.take_root(client.overlay, ends) else {
            return;
        };
        self.arm_heir(client.overlay);
        self.overlays.leave(client.overlay, client.id);
        out.push(Action::Notify(Notice::RootLost {
            overlay,
            id: client.id,
        }));
        for pending in root.into_pending() {
            if !pending.answered {
                self.reject(pending.joiner, pending.join, RejectReason::NoRoot, out);
            }
            self.arm(pending.joiner);
        }
    }

    /// A join has taken too long. Its two ends have given it up long ago, so nobody is told.
    pub(super) fn forget_join(&mut self, client: Client) {
        if let Some(root) = self.overlays.root_mut(client.overlay)
            && root.end_join_of(client.id).is_some()
        {
            self.counters.joins_expired += 1;
        }
    }

    fn pass(&mut self, passage: Passage, frame: JoinFrame, out: &mut Vec<Action>) {
        match passage {
            Passage::To(connection) => {
                if let JoinFrame::Signal {
                    signal: Signal::Answer(_),
                    ..
                } = frame
                {
                    self.counters.answers_passed += 1;
                }
                send(out, connection, &ServerFrame::Join(frame));
                // A reject changes what its joiner waits for.
                self.arm(connection);
            }
            Passage::Late => self.counters.frames_late += 1,
            Passage::Surplus => self.counters.frames_surplus += 1,
        }
    }

    fn reject(
        &mut self,
        to: ConnectionId,
        join: JoinId,
        reason: RejectReason,
        out: &mut Vec<Action>,
    ) {
        match reason {
            RejectReason::Busy => self.counters.joins_over_limit += 1,
            _ => self.counters.joins_without_root += 1,
        }
        let rejection = Rejection {
            reason,
            retry_after_ms: self.retry_after(self.config.retry_after),
        };
        let frame = JoinFrame::Reject { join, rejection };
        send(out, to, &ServerFrame::Join(frame));
    }
}

fn cancel(out: &mut Vec<Action>, root: ConnectionId, join: JoinId) {
    send(out, root, &ServerFrame::Join(JoinFrame::Cancel { join }));
}
