//! Leaving: the tree, or a neighbour.
//!
//! Who leaves sends what it has queued, as far as the neighbour's credit comes in, then a `Goodbye`,
//! and the *neighbour* closes the link. The channel is ordered, so by then it has everything.

use alloc::vec::Vec;

use super::link::{LinkState, Parting};
use super::routing::Hop;
use super::{Node, Role, notify};
use crate::action::{Action, CloseReason, Notification};
use crate::id::LinkId;
use crate::path::Path;
use crate::wire::{Farewell, JoinFrame, LinkFrame, RejectReason};

impl Node {
    pub(super) fn leave(&mut self, out: &mut Vec<Action>) {
        if self.role.is_leaving() {
            return;
        }
        if let Some((link, join, _)) = self.current_dial() {
            self.send_server(JoinFrame::Cancel { join }, out);
            self.drop_link(link, CloseReason::Left, out);
        }
        self.role = Role::Leaving;
        self.reject_all_parked(RejectReason::Busy, out);
        while let Some(candidate) = self
            .links
            .find(|link| matches!(link.state, LinkState::Candidate(_)))
        {
            self.shut(candidate, CloseReason::Left, out);
        }
        while let Some(neighbour) = self.links.find(|link| link.state.neighbour().is_some()) {
            self.part(neighbour, Farewell::Leaving, CloseReason::Left, out);
        }
        self.path = Path::default();
        self.close_bootstrap(out);
        self.finish_leaving(out);
    }

    /// The embedder closes the link to a neighbour.
    pub(super) fn close(&mut self, link: LinkId, out: &mut Vec<Action>) {
        let was_parent = matches!(self.role, Role::Member { parent } if parent == link);
        self.part(link, Farewell::Closing, CloseReason::Closed, out);
        if was_parent {
            self.forget_parked_from(Hop::Link(link));
            self.rejoin();
        }
    }

    /// A frame from a neighbour that this node is parting from.
    pub(super) fn parting_frame(
        &mut self,
        id: LinkId,
        frame: &LinkFrame<'_>,
        out: &mut Vec<Action>,
    ) {
        match frame {
            LinkFrame::Credit { bytes } => {
                let waiting = |node: &Self| node.links.get(id).map(|link| link.outbox.len());
                let before = waiting(self);
                self.credited(id, *bytes, out);
                let taken = waiting(self) < before;
                let deadline = self.now + self.config.leave_timeout;
                if let Some(LinkState::Parting(parting)) = self.state_mut(id)
                    && taken
                {
                    parting.deadline = deadline;
                }
            }
            // Both part at once.
            LinkFrame::Goodbye(_) => self.shut(id, CloseReason::PeerLeft, out),
            // Whatever else it says comes too late.
            _ => {}
        }
    }

    /// Says goodbye on a link that this node is parting from, once nothing waits for credit.
    pub(super) fn say_goodbye(&mut self, id: LinkId, out: &mut Vec<Action>) {
        let Some(link) = self.links.get_mut(id) else {
            return;
        };
        let sent = link.outbox.is_empty();
        #[cfg(planted)]
        let sent = sent || self.config.has_bug(crate::Planted::GoodbyeTooEarly);
        if let LinkState::Parting(parting) = &mut link.state
            && !parting.said
            && sent
        {
            parting.said = true;
            let farewell = parting.farewell;
            self.transmit(id, &LinkFrame::Goodbye(farewell), out);
        }
    }

    pub(super) fn finish_leaving(&mut self, out: &mut Vec<Action>) {
        if self.role.is_leaving() && self.links.is_empty() {
            self.role = Role::Detached;
            notify(Notification::Left, out);
        }
    }

    /// Parts from a neighbour: it is none from here on.
    pub(super) fn part(
        &mut self,
        id: LinkId,
        farewell: Farewell,
        reason: CloseReason,
        out: &mut Vec<Action>,
    ) {
        let deadline = self.now + self.config.leave_timeout;
        let Some(link) = self.links.get_mut(id) else {
            return;
        };
        let Some(node) = link.state.neighbour() else {
            return;
        };
        let parting = Parting {
            slot: link.state.slot(),
            farewell,
            said: false,
            deadline,
        };
        let was_child = parting.slot.is_some();
        link.state = LinkState::Parting(parting);
        let link = id;
        if was_child {
            notify(Notification::ChildClosed { link, node, reason }, out);
            self.reject_routes_to(id, out);
            self.report.changed(self.now, &self.config);
        } else {
            notify(Notification::ParentClosed { link, node, reason }, out);
        }
        self.pump(id, out);
    }
}
