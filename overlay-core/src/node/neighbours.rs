//! Frames of neighbours, and what becomes of a closed link.

use alloc::vec::Vec;

use bytes::Bytes;

use super::broadcasts::Broadcast;
use super::dial::Welcome;
use super::link::LinkState;
use super::routing::{Hop, Towards};
use super::{Node, Role, notify};
use crate::action::{Action, CloseReason, Notification, Violation};
use crate::id::{Epoch, LinkId, NodeId};
use crate::path::Path;
use crate::wire::{self, JoinFrame, LinkFrame, WireError};

impl Node {
    /// A link's channel is open.
    pub(super) fn link_opened(&mut self, id: LinkId, out: &mut Vec<Action>) {
        let now = self.now;
        let Some(link) = self.links.get_mut(id) else {
            self.stats.late_events += 1;
            return;
        };
        link.heard = now;
        match link.state {
            LinkState::Dialing(_) => self.dial_opened(id, out),
            LinkState::Candidate(_) => self.candidate_opened(id),
            LinkState::Parent(_) | LinkState::Child(_) | LinkState::Parting(_) => {}
        }
    }

    /// A link's channel has brought a message.
    pub(super) fn link_message(&mut self, id: LinkId, bytes: &Bytes, out: &mut Vec<Action>) {
        let now = self.now;
        let Some(link) = self.links.get_mut(id) else {
            self.stats.late_events += 1;
            return;
        };
        link.heard = now;
        let frame = match wire::decode::<LinkFrame<'_>>(bytes) {
            Ok(frame) => frame,
            Err(error) => return self.malformed(id, error, out),
        };
        let result = match &link.state {
            LinkState::Dialing(dialing) if dialing.held.is_some() => {
                self.hold(id, &frame, bytes, out)
            }
            LinkState::Dialing(_) => self.acceptor_frame(id, frame, out),
            LinkState::Candidate(_) => match frame {
                LinkFrame::Hello { join, window, .. } => self.greeted(id, join, window, out),
                _ => Err(Violation::UnexpectedFrame),
            },
            LinkState::Parent(node) => {
                let node = *node;
                self.parent_frame(id, node, frame, bytes, out)
            }
            LinkState::Child(child) => {
                let node = child.node;
                self.child_frame(id, node, frame, bytes, out)
            }
            LinkState::Parting(_) => {
                self.parting_frame(id, &frame, out);
                Ok(())
            }
        };
        if let Err(violation) = result {
            self.stats.violations += 1;
            self.shut(id, CloseReason::Violation(violation), out);
        }
    }

    /// The embedder tells that a link is closed.
    pub(super) fn link_closed(&mut self, id: LinkId, out: &mut Vec<Action>) {
        #[cfg(planted)]
        let id = if self.config.has_bug(crate::Planted::LateEventTaken) {
            self.links.in_place_of(id)
        } else {
            id
        };
        self.gone(id, CloseReason::Lost, out);
    }

    /// Closes a link and draws the consequences.
    pub(super) fn shut(&mut self, id: LinkId, reason: CloseReason, out: &mut Vec<Action>) {
        if self.links.get(id).is_some() {
            out.push(Action::CloseLink(id, reason));
            self.gone(id, reason, out);
        }
    }

    /// Closes a link whose consequences the caller draws.
    pub(super) fn drop_link(&mut self, id: LinkId, reason: CloseReason, out: &mut Vec<Action>) {
        if self.links.remove(id).is_some() {
            out.push(Action::CloseLink(id, reason));
        }
    }

    /// Sends a control frame to the peer of a link.
    pub(super) fn transmit(&mut self, id: LinkId, frame: &LinkFrame<'_>, out: &mut Vec<Action>) {
        if let Some(link) = self.links.get_mut(id) {
            link.sent = self.now;
            out.push(Action::Transmit(id, wire::encode(frame)));
        }
    }

    /// Tells the children where this node stands now.
    pub(super) fn tell_children_path(&mut self, out: &mut Vec<Action>) {
        #[cfg(planted)]
        if self.config.has_bug(crate::Planted::PathNotPassedOn) {
            return;
        }
        let children: Vec<LinkId> = self.children().map(|child| child.link).collect();
        if children.is_empty() {
            return;
        }
        let frame = LinkFrame::Moved {
            epoch: self.epoch,
            path: self.path.clone(),
        };
        for child in children {
            self.transmit(child, &frame, out);
        }
    }

    pub(super) fn state_mut(&mut self, id: LinkId) -> Option<&mut LinkState> {
        self.links.get_mut(id).map(|link| &mut link.state)
    }

    /// A link is gone: draws the consequences.
    fn gone(&mut self, id: LinkId, reason: CloseReason, out: &mut Vec<Action>) {
        let Some(link) = self.links.remove(id) else {
            self.stats.late_events += 1;
            return;
        };
        let slot = link.state.slot();
        if self.leaver.take_if(|leaver| *leaver == id).is_some() {
            self.report.changed(self.now, &self.config);
        }
        if let Some(slot) = slot {
            self.slots[slot] = None;
            #[cfg(planted)]
            if self.config.has_bug(crate::Planted::SlotNotFreed)
                && matches!(link.state, LinkState::Candidate(_))
            {
                self.slots[slot] = Some(id);
            }
            self.report.changed(self.now, &self.config);
        }
        self.release_unsent(link.outbox, out);
        match link.state {
            LinkState::Dialing(dialing) => self.dial_failed(&dialing, reason, out),
            LinkState::Parent(node) => {
                notify(
                    Notification::ParentClosed {
                        link: id,
                        node,
                        reason,
                    },
                    out,
                );
                self.lost_parent(id, out);
            }
            LinkState::Candidate(candidate) => self.candidate_failed(id, &candidate, reason, out),
            LinkState::Child(child) => {
                let node = child.node;
                let rehomed = reason == CloseReason::Moved && self.role.is_rehoming();
                self.stats.children_rehomed += u64::from(rehomed);
                notify(
                    Notification::ChildClosed {
                        link: id,
                        node,
                        reason,
                    },
                    out,
                );
                self.reject_routes(Towards::Child(id), out);
                self.forget_parked_from(Hop::Link(id));
                self.place_all_behind(id, out);
            }
            LinkState::Parting(_) => self.finish_leaving(out),
        }
        if slot.is_some() {
            self.serve_parked(out);
        }
        self.go_if_rehomed(out);
    }

    fn malformed(&mut self, id: LinkId, error: WireError, out: &mut Vec<Action>) {
        self.stats.violations += 1;
        self.shut(id, CloseReason::Malformed(error), out);
    }

    fn acceptor_frame(
        &mut self,
        id: LinkId,
        frame: LinkFrame<'_>,
        out: &mut Vec<Action>,
    ) -> Result<(), Violation> {
        match frame {
            LinkFrame::Welcome {
                id: node,
                epoch,
                path,
                window,
                count,
                ..
            } => {
                let welcome = Welcome {
                    id: node,
                    epoch,
                    path,
                    window,
                    count,
                };
                self.welcomed(id, welcome, out)
            }
            _ => Err(Violation::UnexpectedFrame),
        }
    }

    fn parent_frame(
        &mut self,
        id: LinkId,
        node: NodeId,
        frame: LinkFrame<'_>,
        bytes: &Bytes,
        out: &mut Vec<Action>,
    ) -> Result<(), Violation> {
        match frame {
            LinkFrame::Join(JoinFrame::Request(request)) => {
                self.report.expect(&request.census);
                self.report.changed(self.now, &self.config);
                self.admit(Hop::Link(id), request, out);
                Ok(())
            }
            LinkFrame::Join(frame) if self.is_own_move(frame.join()) => {
                self.own_join_frame(frame, out);
                Ok(())
            }
            LinkFrame::Counts(count) => {
                self.count_from(count, out);
                self.hand_over_if_caught_up(out);
                Ok(())
            }
            LinkFrame::Invite(invitation) => {
                self.invited(invitation, out);
                Ok(())
            }
            LinkFrame::Moved { epoch, path } => self.parent_moved(node, epoch, &path, out),
            LinkFrame::Broadcast { number, payload } => {
                let message = Broadcast {
                    number,
                    payload: bytes.slice_ref(payload),
                    frame: bytes.clone(),
                };
                self.broadcast_from(id, node, message, out)?;
                self.hand_over_if_caught_up(out);
                Ok(())
            }
            frame => self.neighbour_frame(id, node, frame, bytes, out),
        }
    }

    fn child_frame(
        &mut self,
        id: LinkId,
        node: NodeId,
        frame: LinkFrame<'_>,
        bytes: &Bytes,
        out: &mut Vec<Action>,
    ) -> Result<(), Violation> {
        match frame {
            LinkFrame::Status { seen, census } => {
                self.child_reported(id, seen, census, out);
                Ok(())
            }
            LinkFrame::Join(JoinFrame::Request(request)) => {
                self.climb(id, request, out);
                Ok(())
            }
            LinkFrame::Leaving => {
                self.child_leaves(id, out);
                Ok(())
            }
            LinkFrame::Stay => {
                self.child_stays(id, out);
                Ok(())
            }
            frame => self.neighbour_frame(id, node, frame, bytes, out),
        }
    }

    /// A frame that parents and children send alike.
    fn neighbour_frame(
        &mut self,
        id: LinkId,
        node: NodeId,
        frame: LinkFrame<'_>,
        bytes: &Bytes,
        out: &mut Vec<Action>,
    ) -> Result<(), Violation> {
        match frame {
            LinkFrame::Heartbeat => Ok(()),
            LinkFrame::Join(frame) => {
                self.route(Hop::Link(id), frame, out);
                Ok(())
            }
            LinkFrame::Credit { bytes } => {
                self.credited(id, bytes, out);
                Ok(())
            }
            LinkFrame::Direct { payload } => {
                let payload = bytes.slice_ref(payload);
                self.direct_from(id, node, payload, out)
            }
            LinkFrame::Goodbye(farewell) => {
                self.shut(id, farewell.reason(), out);
                Ok(())
            }
            LinkFrame::Hello { .. }
            | LinkFrame::Welcome { .. }
            | LinkFrame::Status { .. }
            | LinkFrame::Moved { .. }
            | LinkFrame::Counts(_)
            | LinkFrame::Invite(_)
            | LinkFrame::Stay
            | LinkFrame::Leaving
            | LinkFrame::Broadcast { .. } => Err(Violation::UnexpectedFrame),
        }
    }

    fn parent_moved(
        &mut self,
        parent: NodeId,
        epoch: Epoch,
        path: &Path,
        out: &mut Vec<Action>,
    ) -> Result<(), Violation> {
        let path = self.path_below(path, parent)?;
        if self.is_stale(epoch) {
            return Err(Violation::StaleEpoch);
        }
        self.path = path;
        self.epoch = epoch;
        let depth = self.path.depth();
        notify(Notification::PathChanged { depth, epoch }, out);
        self.note_reign(out);
        self.tell_children_path(out);
        Ok(())
    }
}

impl Role {
    pub(super) const fn is_leaving(&self) -> bool {
        matches!(self, Self::Leaving)
    }

    pub(super) const fn is_rehoming(&self) -> bool {
        matches!(self, Self::Rehoming { .. })
    }
}
