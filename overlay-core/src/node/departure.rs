//! Leaving: the tree, or a neighbour.
//!
//! Who leaves sends what it has queued, as far as the neighbour's credit comes in, then a `Goodbye`,
//! and the *neighbour* closes the link. The channel is ordered, so by then it has everything.
//!
//! A member with children finds other parents for them first: it tells its parent that it leaves, so that
//! nobody is sent here any more, and invites each child to ask, by way of it, the parent's parent. When all
//! have gone, said that they stay, or not even asked after `patience`, or when `leave_timeout` is over, it says
//! goodbye. Until then it passes broadcasts and signals on. A root has nobody above whom its children could ask.

use alloc::vec::Vec;

use super::link::{Door, Link, LinkState, Parting};
use super::routing::{Hop, Towards};
use super::{Node, Role, notify};
use crate::action::{Action, CloseReason, Notification};
use crate::id::LinkId;
use crate::path::Path;
use crate::time::Instant;
use crate::wire::{Farewell, LinkFrame, RejectReason};

/// After so many times `leave_timeout` a neighbour has had its time, however slowly it takes what is left for it. With the
/// default of 10 s, a queue of 512 KiB comes through at 1.6 KiB a second.
const MOST_PUT_OFF: u32 = 32;

/// How many former parents are waited for at once. Moves are seconds apart, and what is left for a parent is mostly
/// gone in one.
const MOST_FAREWELLS: usize = 4;

impl Node {
    pub(super) fn leave(&mut self, out: &mut Vec<Action>) {
        match self.role {
            Role::Leaving => return,
            // Told twice, it waits no longer.
            Role::Rehoming { .. } => return self.part_from_all(out),
            _ => {}
        }
        self.cancel_dial(CloseReason::Left, out);
        // Before it waits for its children: each candidate that goes is a look at whether there are any to wait for.
        self.turn_joiners_away(out);
        match self.role {
            Role::Member { parent } if self.children().next().is_some() => {
                self.role = Role::Rehoming {
                    parent,
                    asked_by: Some(self.now + self.config.patience),
                    until: self.now + self.config.leave_timeout,
                };
                self.close_bootstrap(out);
                self.transmit(parent, &LinkFrame::Leaving, out);
                self.invite_children(out);
                self.go_if_rehomed(out);
            }
            _ => {
                self.role = Role::Leaving;
                self.part_from_all(out);
            }
        }
    }

    pub(super) fn rehoming_deadline(&self) -> Option<Instant> {
        match self.role {
            Role::Rehoming {
                asked_by, until, ..
            } => Some(asked_by.map_or(until, |asked_by| asked_by.min(until))),
            _ => None,
        }
    }

    pub(super) fn expire_rehoming(&mut self, out: &mut Vec<Action>) {
        let Role::Rehoming {
            asked_by, until, ..
        } = &mut self.role
        else {
            return;
        };
        if *until <= self.now {
            self.part_from_all(out);
        } else if asked_by.take_if(|asked_by| *asked_by <= self.now).is_some() {
            self.go_if_rehomed(out);
        }
    }

    /// Goes, if this node only waits for its children and none of them is on its way any more. One that has
    /// not even asked after `patience` may be dead.
    pub(super) fn go_if_rehomed(&mut self, out: &mut Vec<Action>) {
        let Role::Rehoming { asked_by, .. } = self.role else {
            return;
        };
        let waited_for = |door| match door {
            Door::Open => false,
            Door::Invited => asked_by.is_some(),
            Door::Asking | Door::Leaving => true,
        };
        let on_its_way =
            |link: &Link| matches!(&link.state, LinkState::Child(child) if waited_for(child.door));
        if self.links.find(on_its_way).is_none() {
            self.part_from_all(out);
        }
    }

    /// Nobody becomes a child any more.
    fn turn_joiners_away(&mut self, out: &mut Vec<Action>) {
        self.reject_all_parked(RejectReason::Busy, out);
        while let Some(candidate) = self
            .links
            .find(|link| matches!(link.state, LinkState::Candidate(_)))
        {
            self.shut(candidate, CloseReason::Left, out);
        }
    }

    /// Says goodbye to everybody.
    pub(super) fn part_from_all(&mut self, out: &mut Vec<Action>) {
        self.role = Role::Leaving;
        while let Some(neighbour) = self.links.find(|link| link.state.neighbour().is_some()) {
            self.part(neighbour, Farewell::Leaving, CloseReason::Left, out);
        }
        self.path = Path::default();
        self.close_bootstrap(out);
        self.finish_leaving(out);
    }

    /// The embedder closes the link to a neighbour.
    pub(super) fn close(&mut self, link: LinkId, out: &mut Vec<Action>) {
        let was_parent = self.parent_link() == Some(link);
        self.part(link, Farewell::Closing, CloseReason::Closed, out);
        if was_parent {
            self.lost_parent(link, out);
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
                    parting.deadline = deadline.min(parting.latest);
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
        let timeout = self.config.leave_timeout;
        let Some(link) = self.links.get_mut(id) else {
            return;
        };
        let Some(node) = link.state.neighbour() else {
            return;
        };
        let was_child = matches!(link.state, LinkState::Child(_));
        let parting = Parting {
            slot: link.state.slot(),
            farewell,
            said: false,
            deadline: self.now + timeout,
            latest: self.now + timeout.saturating_mul(MOST_PUT_OFF),
        };
        link.state = LinkState::Parting(parting);
        let link = id;
        if was_child {
            notify(Notification::ChildClosed { link, node, reason }, out);
            self.reject_routes(Towards::Child(id), out);
            self.forget_parked_from(Hop::Link(id));
            self.report.changed(self.now, &self.config);
        } else {
            notify(Notification::ParentClosed { link, node, reason }, out);
            self.drop_oldest_farewell(out);
        }
        self.pump(id, out);
    }

    /// Former parents may be many, and slow: there is an end to how many are waited for.
    fn drop_oldest_farewell(&mut self, out: &mut Vec<Action>) {
        let farewells = || {
            self.links
                .iter()
                .filter_map(|(id, link)| match &link.state {
                    LinkState::Parting(parting) if parting.slot.is_none() => {
                        Some((parting.latest, id))
                    }
                    _ => None,
                })
        };
        if farewells().count() > MOST_FAREWELLS
            && let Some((_, link)) = farewells().min()
        {
            self.shut(link, CloseReason::Left, out);
        }
    }
}
