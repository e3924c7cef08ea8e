//! Moving: this node goes to another parent with all below it, and has one all the while.
//!
//! A parent *invites* its child, and from then on sends it no joins: its door is shut. The child opens a link
//! and sends a request on the link to the parent, as a newcomer sends it to the server. The request *climbs*
//! as many levels as the invitation says; the node there places it as it places any other, but not in the
//! subtree that it came from. Answer, candidates, rejection and cancellation travel the same way back and
//! forth. The child parts from the old parent when the new one has welcomed it; if nothing comes of it,
//! it says that it *stays*, and its door is opened again.
//!
//! Three reasons there are. A node that leaves invites its children (`departure`): they climb two levels. A node is
//! invited up to a free place (`balance`): it climbs to the one who knows the place. A child makes room for a
//! larger subtree (`admission`): it climbs to the root, because its parent knows no other place for it.
//!
//! # Why no two moves end in a cycle
//!
//! *A subtree moves only out of a place that takes no joins.* From before its request is sent until it has
//! moved or given up, the place above it delegates nothing into it: an orphan's place is closed because
//! its link is gone, an invited child's because its parent has shut the door before it sent the
//! invitation, a leaving node's because it told its parent before its children asked.
//!
//! Say that M is accepted in Z's subtree and Z in M's. Z's request has passed into M's subtree before M's place
//! closed, which was before M's request was sent. M's request has passed into Z's subtree before Z's place
//! closed, which was before Z's request was sent. So each of the requests was sent before the other. The same
//! holds for longer rings. A move that is given up takes its request back, and cannot be welcomed
//! any more, because its link is closed. Besides, both sides look at the path once more when the joiner
//! greets.
//!
//! # What else can happen meanwhile
//!
//! | to a node that moves | what becomes of the move |
//! |---|---|
//! | another invitation | ignored: one move at a time; the parent never invites through a shut door |
//! | it is told to leave | taken back; its parent learns of the leave |
//! | its parent's link is lost, or closed by the app | it is an orphan; an attempt that has its answer goes on, as that of an orphan, any other is taken back and the way leads through the server |
//! | its parent leaves | its door stays shut and the move goes on; the goodbye finds it gone, or makes it an orphan |
//! | its parent and the one above leave at once | the request climbs on until it comes to a node that stays |
//! | its parent, or one above, moves | the routes through the old link are gone: the request is rejected, an answered attempt has a little time left; then it stays |
//! | the node that places it leaves or is lost | the same |
//! | the new parent's link is lost before the welcome | it stays |
//! | it takes part in other joins | those below it go on; nobody new is sent there |
//! | its child moves | the child's request climbs through it; it is rejected if it leads to a parent that this node has left |
//! | its request comes to its own parent | that is no place for it: it has it already, and is sent on |
//! | its parent takes it for lost, and another node asks in its name | a move never replaces a link, only a join that the server vouches for does |

use alloc::vec::Vec;

use super::joining::Stage;
use super::link::{DialStage, Door, LinkState};
use super::routing::{Hop, Towards};
use super::{Node, Role};
use crate::action::{Action, CloseReason};
use crate::id::{JoinId, LinkId};
use crate::path::{MAX_DEPTH, Path};
use crate::wire::{
    ANYWHERE, Farewell, Invitation, JoinFrame, JoinRequest, LinkFrame, RejectReason, TO_THE_TOP,
    Way,
};

/// Requests that climb out of one child's subtree take one in so many of all routes at the most.
const SHARE: usize = 4;

impl Node {
    /// Asks a child to go elsewhere, and sends it no joins until that has come to an end.
    pub(super) fn invite(&mut self, child: LinkId, invitation: Invitation, out: &mut Vec<Action>) {
        let open = self.takes_joins(child);
        #[cfg(planted)]
        let open = open || self.config.has_bug(crate::Planted::InvitedTwice);
        if !open {
            return;
        }
        if let Some(LinkState::Child(child)) = self.state_mut(child)
            && invitation.down == 0
        {
            child.door = Door::Invited;
        }
        self.report.changed(self.now, &self.config);
        self.transmit(child, &LinkFrame::Invite(invitation), out);
    }

    /// The parent asks this node to go elsewhere, or to pass that on.
    pub(super) fn invited(&mut self, invitation: Invitation, out: &mut Vec<Action>) {
        if !matches!(self.role, Role::Member { .. }) {
            return;
        }
        let Invitation {
            down,
            climb,
            within,
        } = invitation;
        if down > 0 {
            self.invite_deeper(invitation, out);
        } else if self.moving.is_none() {
            self.stats.moves_begun += 1;
            self.moving = Some(self.open_dial(Way::Move { climb, within }, out));
        }
    }

    /// Whether a join is this node's own, on its way to another parent.
    pub(super) fn is_own_move(&self, join: JoinId) -> bool {
        let own = self.current_dial().is_some_and(|(_, own, _)| own == join);
        own && self.moving.is_some()
    }

    /// A request has come from below: its joiner has been invited to go elsewhere.
    pub(super) fn climb(&mut self, from: LinkId, mut request: JoinRequest, out: &mut Vec<Action>) {
        // Who has a parent has lost none.
        request.lost = Path::default();
        let (join, way) = (request.join, request.way);
        let back = Hop::Link(from);
        let Way::Move { climb, within } = way else {
            // Newcomers come from above only.
            return self.refuse(back, join, RejectReason::Busy, out);
        };
        if self.routes.get(join).is_some() {
            self.stats.join_frames_dropped += 1;
            return;
        }
        if self.stands_below(join.origin) {
            return self.refuse(back, join, RejectReason::Loop, out);
        }
        if !self.let_climb(from, join) {
            self.refuse(back, join, RejectReason::Busy, out);
            return;
        }
        let here = match climb {
            TO_THE_TOP => matches!(self.role, Role::Root),
            // A node that leaves places nobody, but its parent may.
            climb => climb <= 1 && !self.role.is_rehoming(),
        };
        if here {
            return self.admit(back, request, out);
        }
        let climb = match climb {
            TO_THE_TOP => TO_THE_TOP,
            climb => climb.saturating_sub(1).max(1),
        };
        let way = Way::Move { climb, within };
        self.pass_up(back, JoinRequest { way, ..request }, out);
    }

    /// This node leaves: each child asks the next one above for a place.
    pub(super) fn invite_children(&mut self, out: &mut Vec<Action>) {
        let children: Vec<LinkId> = self.children().map(|child| child.link).collect();
        for child in children {
            let invitation = Invitation {
                down: 0,
                climb: 2,
                within: ANYWHERE,
            };
            self.invite(child, invitation, out);
        }
    }

    /// A child leaves: its children will ask for other places. So that one of them can have its own, and the
    /// others go below that one, it gives it back at once; one child at a time, which bounds the links.
    pub(super) fn child_leaves(&mut self, link: LinkId, out: &mut Vec<Action>) {
        let alone = self.leaver.is_none();
        let Some(LinkState::Child(child)) = self.state_mut(link) else {
            return;
        };
        child.door = Door::Leaving;
        let slot = child.slot.take_if(|_| alone);
        self.report.changed(self.now, &self.config);
        if let Some(slot) = slot {
            self.slots[slot] = None;
            self.leaver = Some(link);
            self.place_all_behind(link, out);
            self.serve_parked(out);
        }
    }

    /// Whether the link leads to a child whose door is open.
    pub(super) fn takes_joins(&self, link: LinkId) -> bool {
        let state = self.links.get(link).map(|link| &link.state);
        matches!(state, Some(LinkState::Child(child)) if child.door == Door::Open)
    }

    /// A child that was invited says that it does not go.
    pub(super) fn child_stays(&mut self, link: LinkId, out: &mut Vec<Action>) {
        if let Some(LinkState::Child(child)) = self.state_mut(link)
            && matches!(child.door, Door::Invited | Door::Asking)
        {
            child.door = Door::Open;
            self.report.changed(self.now, &self.config);
            self.place_all_behind(link, out);
            self.settle_impatient(out);
            self.go_if_rehomed(out);
        }
    }

    /// Nothing has come of this node's move.
    pub(super) fn stay(&mut self, out: &mut Vec<Action>) {
        self.moving = None;
        self.stats.moves_given_up += 1;
        if let Some(parent) = self.parent_link() {
            self.transmit(parent, &LinkFrame::Stay, out);
        }
    }

    /// Another parent has welcomed this node: parts from the old one.
    pub(super) fn depart(&mut self, parent: LinkId, out: &mut Vec<Action>) {
        self.moving = None;
        self.stats.moves_done += 1;
        self.forget_ways_by(parent, out);
        self.part(parent, Farewell::Moved, CloseReason::Moved, out);
    }

    /// The link to the parent is gone, or this node parts from it: an orphan, which looks for another.
    pub(super) fn lost_parent(&mut self, parent: LinkId, out: &mut Vec<Action>) {
        self.forget_ways_by(parent, out);
        if let Role::Rehoming { .. } = self.role {
            return self.part_from_all(out);
        }
        match self.current_dial() {
            Some((link, _, stage)) if stage >= DialStage::Answered => {
                self.moving = None;
                self.be_orphan(Stage::Dialing(link));
                if stage == DialStage::Welcomed {
                    self.hand_over(link, out);
                }
            }
            _ => {
                self.cancel_dial(CloseReason::Cancelled, out);
                self.rejoin();
            }
        }
    }

    /// Joins no longer find their way through the link to this parent.
    pub(super) fn forget_ways_by(&mut self, parent: LinkId, out: &mut Vec<Action>) {
        self.forget_parked_from(Hop::Link(parent));
        self.reject_routes(Towards::Parent(parent), out);
    }

    /// Whether the joiner may ask by way of this child: the child itself once after it was invited. Who invites
    /// nodes further down is not known here; they may take no more than their share of the routes.
    fn let_climb(&mut self, from: LinkId, join: JoinId) -> bool {
        let share = (self.config.max_routes / SHARE).max(1);
        let Some(LinkState::Child(child)) = self.state_mut(from) else {
            return false;
        };
        if child.node != join.origin {
            return self.routes.back_to(Hop::Link(from)) < share;
        }
        let invited = child.door == Door::Invited;
        if invited {
            child.door = Door::Asking;
        }
        invited
    }

    fn pass_up(&mut self, back: Hop, mut request: JoinRequest, out: &mut Vec<Action>) {
        let join = request.join;
        let Some(parent) = self.parent_link() else {
            return self.refuse(back, join, RejectReason::Busy, out);
        };
        if usize::from(request.hops) >= MAX_DEPTH || !self.room_for_route() {
            return self.refuse(back, join, RejectReason::Busy, out);
        }
        request.hops += 1;
        self.remember_route(join, back, Towards::Parent(parent));
        self.send_hop(Hop::Link(parent), JoinFrame::Request(request), out);
    }
}
