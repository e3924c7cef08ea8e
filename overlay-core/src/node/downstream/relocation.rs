//! Children that go elsewhere: they are invited, ask for another slot, or leave.
//!
//! A parent *invites* its child, and from then on sends it no joins: its intake is closed. The child opens a link
//! and sends a request on the link to the parent, as a newcomer sends it to the server. The request passes
//! as many levels up as the invitation says. The node there places it as it places any other, but not in the
//! subtree that it came from. Answer, ICE candidates, rejection and cancellation travel the same route back and
//! forth. The child parts from the old parent when the new one has welcomed it. If nothing comes of it,
//! it says that it *stays*, and its intake is opened again.
//!
//! There are three reasons. A node that leaves invites its children (`leave`): they ask two levels up. A node is
//! invited up to a free slot (`rebalance`): it asks the node that knows the slot. A child makes room for a
//! larger subtree (`placement`): it asks the root, because its parent knows no other slot for it.
//!
//! # Why no two moves end in a cycle
//!
//! *A subtree moves only out of a slot that takes no joins.* From before its request is sent until it has
//! moved or given up, the slot above it delegates nothing into it: an orphan's slot is closed because
//! its link is gone, an invited child's because its parent has closed the intake before it sent the
//! invitation, a leaving node's because it told its parent before its children asked.
//!
//! Say that M is accepted in Z's subtree and Z in M's. Z's request has passed into M's subtree before M's slot
//! closed, which was before M's request was sent. M's request has passed into Z's subtree before Z's slot
//! closed, which was before Z's request was sent. So each of the requests was sent before the other. The same
//! holds for longer rings. A move that is given up takes its request back, and cannot be welcomed
//! any more, because its link is closed. Besides, both sides look at the path once more when the joiner
//! greets.
//!
//! # What else can happen meanwhile
//!
//! | to a node that moves | what becomes of the move |
//! |---|---|
//! | another invitation | ignored: one move at a time; the parent never invites a child whose intake is closed |
//! | it is told to leave | taken back; its parent learns of the leave |
//! | its parent's link is lost, or closed by the app | it is an orphan; an attempt that has its answer goes on, as that of an orphan, any other is taken back and the next goes through the server |
//! | its parent leaves | its intake stays closed and the move goes on; the goodbye finds it gone, or makes it an orphan |
//! | its parent and the one above leave at once | the request passes further up until it comes to a node that stays |
//! | its parent, or one above, moves | the routes through the old link are gone: the request is rejected, an answered attempt has a little time left; then it stays |
//! | the node that places it leaves or is lost | the same |
//! | the new parent's link is lost before the welcome | it stays |
//! | it takes part in other joins | those below it go on; no new joiner is sent there |
//! | its child moves | the child's request passes through it; it is rejected if it leads to a parent that this node has left |
//! | its request comes to its own parent | that is no slot for it: it has it already, and is sent on |
//! | its parent takes it for lost, and another node asks in its name | a move never replaces a link, only a join that the server vouches for does |

use alloc::vec::Vec;

use super::Downstream;
use crate::census::Census;
use crate::id::{JoinId, LinkId};
use crate::node::ancestry::{Above, Ancestry};
use crate::node::effects::Effects;
use crate::node::link::{Intake, Links};
use crate::node::net::Net;
use crate::node::routing::{NextHop, Peer};
use crate::path::{MAX_DEPTH, Path};
use crate::wire::{
    Invitation, JoinFrame, JoinKind, JoinRequest, LinkFrame, RejectReason, TO_THE_ROOT,
};

/// The requests that come up through one child take one in this many of all routes at the most.
const SHARE: usize = 4;

impl Downstream {
    /// Asks a child to go elsewhere, and sends it no joins until that has come to an end.
    pub(super) fn invite(
        &mut self,
        link: LinkId,
        invitation: Invitation,
        links: &mut Links,
        fx: &mut Effects,
    ) {
        let Some(child) = links.child_mut(link) else {
            return;
        };
        let invited = child.intake.invited();
        let twice = planted!(fx.config, InvitedTwice).then_some(Intake::Invited);
        let Some(invited) = invited.or(twice) else {
            return;
        };
        if invitation.down == 0 {
            child.intake = invited;
        }
        self.report.changed(fx);
        links.transmit(link, &LinkFrame::Invite(invitation), fx);
    }

    /// This node leaves: each child asks the next node above for a slot.
    pub(crate) fn invite_all(&mut self, links: &mut Links, fx: &mut Effects) {
        let children: Vec<LinkId> = self.children(links).map(|(link, _)| link).collect();
        for child in children {
            self.invite(child, Invitation::TO_NEXT_ABOVE, links, fx);
        }
    }

    /// Passes an invitation on towards the deepest leaf.
    pub(crate) fn invite_deeper(
        &mut self,
        invitation: Invitation,
        links: &mut Links,
        fx: &mut Effects,
    ) {
        if let Some((child, deeper)) = self.view(links, fx).invitation_deeper(invitation) {
            self.invite(child, deeper, links, fx);
        }
    }

    /// A child leaves: its children will ask for other slots. It gives its own back at once, so that one of them can
    /// have it, and the others go below that one.
    pub(crate) fn child_leaves(
        &mut self,
        link: LinkId,
        at: &Ancestry,
        net: &mut Net,
        fx: &mut Effects,
    ) {
        let Some(child) = net.links.child_mut(link) else {
            return;
        };
        child.intake = child.intake.left();
        self.report.changed(fx);
        if self.slots.give_back(link) {
            self.place_all_behind(link, at, net, fx);
            self.serve_waiting(at, net, fx);
        }
    }

    /// A child that was invited says that it does not go. False if it was not.
    pub(crate) fn child_stays(
        &mut self,
        link: LinkId,
        at: &Ancestry,
        net: &mut Net,
        fx: &mut Effects,
    ) -> bool {
        let Some(child) = net.links.child_mut(link) else {
            return false;
        };
        let Some(stayed) = child.intake.stayed() else {
            return false;
        };
        child.intake = stayed;
        self.report.changed(fx);
        self.place_all_behind(link, at, net, fx);
        self.settle_overdue(at, net, fx);
        true
    }

    /// A child tells what its subtree looks like, with this many requests in.
    pub(crate) fn child_reported(
        &mut self,
        link: LinkId,
        seen: u32,
        census: Census,
        at: &Ancestry,
        net: &mut Net,
        fx: &mut Effects,
    ) {
        if let Some(child) = net.links.child_mut(link) {
            // With requests under way the prediction knows more than the report.
            if seen == child.requests {
                child.subtree.predicted = census.clone();
            }
            child.subtree.known = census;
            self.report.changed(fx);
        }
        self.settle_overdue(at, net, fx);
    }
}

/// A node below asks for a slot elsewhere. The request if this node is the one that finds it, with all that
/// follows: `admit` it.
pub(crate) fn pass_up(
    from: LinkId,
    mut request: JoinRequest,
    above: Above,
    at: &Ancestry,
    net: &mut Net,
    fx: &mut Effects,
) -> Option<JoinRequest> {
    // A node with a parent has lost none.
    request.lost = Path::default();
    let (join, kind) = (request.join, request.kind);
    let back = Peer::Link(from);
    let JoinKind::Move { up, max_depth } = kind else {
        // Newcomers come from above only.
        net.refuse(back, join, RejectReason::Busy, fx);
        return None;
    };
    if net.routes.get(join).is_some() {
        fx.stats.join_frames_dropped += 1;
        return None;
    }
    if at.includes(join.origin, fx) {
        net.refuse(back, join, RejectReason::Loop, fx);
        return None;
    }
    if !may_ask(from, join, net, fx) {
        net.refuse(back, join, RejectReason::Busy, fx);
        return None;
    }
    let here = match up {
        TO_THE_ROOT => above.is_root,
        // A node that leaves places no joiner, but its parent may.
        up => up <= 1 && !above.leaves,
    };
    if here {
        return Some(request);
    }
    let up = match up {
        TO_THE_ROOT => TO_THE_ROOT,
        up => up.saturating_sub(1).max(1),
    };
    let parent = above
        .parent
        .filter(|_| usize::from(request.hops) < MAX_DEPTH);
    match parent {
        Some(parent) if net.room_for_route(fx) => {
            request.hops += 1;
            request.kind = JoinKind::Move { up, max_depth };
            net.remember(join, back, NextHop::Parent(parent), fx);
            net.send(Peer::Link(parent), JoinFrame::Request(request), fx);
        }
        _ => net.refuse(back, join, RejectReason::Busy, fx),
    }
    None
}

/// Whether the joiner may ask through this child: the child itself once after it was invited. Which nodes further down
/// are invited is not known here; they may take no more than their share of the routes.
fn may_ask(from: LinkId, join: JoinId, net: &mut Net, fx: &Effects) -> bool {
    let share = (fx.config.max_routes / SHARE).max(1);
    let Some(child) = net.links.child_mut(from) else {
        return false;
    };
    if child.node != join.origin {
        return net.routes.count_from(Peer::Link(from)) < share;
    }
    let Some(asked) = child.intake.asked() else {
        return false;
    };
    child.intake = asked;
    true
}

impl Invitation {
    /// To the receiver itself, for wherever the node two levels up finds a slot.
    const TO_NEXT_ABOVE: Self = Self {
        down: 0,
        up: 2,
        max_depth: crate::wire::ANY_DEPTH,
    };
}
