//! The way of join requests through a node, and which children may be sent one.

use std::collections::BTreeMap;

use overlay_core::wire::{
    self, ANY_DEPTH, JoinFrame, JoinKind, JoinRequest, LinkFrame, ServerFrame,
};
use overlay_core::{JoinId, LinkId};

use super::links::{Links, Told};
use crate::violation::{Invariant, Violation};

/// The depths that moves through this node may end at.
#[derive(Debug, Default)]
pub(super) struct Requests {
    /// How deep below this node the joiner of a request may end.
    max_depths: BTreeMap<JoinId, u8>,
}

impl Requests {
    /// A neighbour says something that decides what may be sent later.
    pub(super) fn neighbour_says(&mut self, links: &mut Links, link: LinkId, bytes: &[u8]) {
        let frame = wire::decode::<LinkFrame<'_>>(bytes);
        let Some(entry) = links.find_mut(link) else {
            return;
        };
        let is_child = matches!(entry.told, Told::Child(_));
        match frame {
            Ok(LinkFrame::Stay) => entry.intake_closed = false,
            Ok(LinkFrame::Leaving) if is_child => entry.intake_closed = true,
            Ok(LinkFrame::Join(JoinFrame::Request(request))) => {
                let max_depth = match request.kind {
                    JoinKind::Move { max_depth, .. } => max_depth,
                    JoinKind::Introduced => ANY_DEPTH,
                };
                self.asks(request.join, max_depth);
            }
            _ => {}
        }
    }

    /// A joiner that the server introduces moves nowhere, whatever its request says.
    pub(super) fn server_says(&mut self, bytes: &[u8]) {
        if let Ok(ServerFrame::Join(JoinFrame::Request(request))) = wire::decode(bytes) {
            self.asks(request.join, ANY_DEPTH);
        }
    }

    /// How deep below this node the joiner may end, if it has asked.
    pub(super) fn max_depth(&self, join: JoinId) -> Option<u8> {
        self.max_depths.get(&join).copied()
    }

    /// The node sends a child a frame: no child gets a request that it may not serve.
    pub(super) fn sends(
        &self,
        links: &mut Links,
        link: LinkId,
        bytes: &[u8],
    ) -> Result<(), Violation> {
        let Some(entry) = links.find_mut(link) else {
            return Ok(());
        };
        let Told::Child(child) = entry.told else {
            return Ok(());
        };
        let closed_intakes = Invariant::ClosedIntakesStayClosed;
        match wire::decode(bytes) {
            Ok(LinkFrame::Invite(invitation)) => {
                let open = !entry.intake_closed;
                entry.intake_closed |= invitation.down == 0;
                closed_intakes.holds(open, || format!("{child:?} is invited again"))
            }
            Ok(LinkFrame::Join(JoinFrame::Request(request))) => {
                let join = request.join;
                closed_intakes.holds(!entry.intake_closed, || {
                    format!("{join:?} goes to {child:?}")
                })?;
                Invariant::NoRequestReachesItsJoiner.holds(join.origin != child, || {
                    format!("the request {join:?} goes to its own joiner")
                })?;
                self.rises(&request)
            }
            _ => Ok(()),
        }
    }

    /// A move that is passed on ends at least one level less deep below the child than below this node.
    fn rises(&self, request: &JoinRequest) -> Result<(), Violation> {
        let most = self.max_depth(request.join).unwrap_or(ANY_DEPTH);
        let rises = most == ANY_DEPTH
            || matches!(request.kind, JoinKind::Move { max_depth, .. } if max_depth < most.max(1));
        Invariant::MovesRise.holds(rises, || {
            format!("{:?} is passed on, to depth {most}", request.kind)
        })
    }

    /// Of two requests by one name, the one that may end deeper counts: the other may be a forgery.
    fn asks(&mut self, join: JoinId, max_depth: u8) {
        let most = self.max_depths.entry(join).or_insert(max_depth);
        *most = max_depth.max(*most);
    }
}
