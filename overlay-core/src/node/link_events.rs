//! All events of links, by what the link is.

use bytes::Bytes;

use super::Node;
use super::ancestry::path_below;
use super::downstream::pass_up;
use super::link::{State, Welcome};
use super::payload::{self, Payload};
use super::routing::Peer;
use super::upstream::Upstream;
use crate::close::{CloseReason, ProtocolError};
use crate::id::{Epoch, LinkId, NodeId};
use crate::notification::Notification;
use crate::path::Path;
use crate::signal::Signal;
use crate::wire::{self, JoinFrame, LinkFrame, VERSION};

impl Node {
    /// The embedder has a signal for the other side of a link's handshake.
    pub(super) fn link_signal(&mut self, link: LinkId, signal: Signal) {
        let (net, fx) = (&mut self.net, &mut self.fx);
        match net.links.state(link) {
            Some(State::Candidate(candidate)) => {
                let join = candidate.join;
                match net.routes.get(join) {
                    Some(route) => net.send(route.back, JoinFrame::Signal { join, signal }, fx),
                    None => fx.stats.join_frames_dropped += 1,
                }
            }
            Some(state) => {
                // ICE candidates that are found after the channel has opened are of no use.
                if let Some(attempt) = state.attempt() {
                    let (join, kind) = (attempt.join, attempt.kind);
                    self.upstream.signal(join, kind, signal, net, fx);
                }
            }
            None => fx.stats.late_events += 1,
        }
    }

    /// A link's channel is open.
    pub(super) fn link_opened(&mut self, id: LinkId) {
        let Some(link) = self.net.links.get_mut(id) else {
            self.fx.stats.late_events += 1;
            return;
        };
        link.heard = self.fx.now;
        match link.state {
            State::Dialing(_) => {
                let (start, window) = self.payload.start(&self.net.links, &self.fx);
                Upstream::opened(id, start, window, &mut self.net, &mut self.fx);
            }
            State::Candidate(_) if !planted!(self.fx.config, OpeningForgotten) => {
                link.change(State::opened);
            }
            State::Candidate(_) | State::Parent(_) | State::Child(_) | State::Closing(_) => {}
        }
    }

    /// A link's channel has brought a message.
    pub(super) fn link_message(&mut self, id: LinkId, bytes: &Bytes) {
        let Some(link) = self.net.links.get_mut(id) else {
            self.fx.stats.late_events += 1;
            return;
        };
        link.heard = self.fx.now;
        let result = match wire::decode::<LinkFrame<'_>>(bytes) {
            Err(error) => Err(CloseReason::Malformed(error)),
            Ok(frame) => match link.state {
                State::Dialing(_) => self.acceptor_frame(id, frame),
                State::Parent(node) => self.parent_frame(id, node, frame),
                State::Candidate(_) => self.candidate_frame(id, &frame),
                State::Child(ref child) => {
                    let node = child.node;
                    self.child_frame(id, node, frame)
                }
                State::Closing(_) => {
                    let (links, fx) = (&mut self.net.links, &mut self.fx);
                    match frame {
                        LinkFrame::Credit { lane, bytes } => {
                            self.payload.credited_late(id, lane, bytes, links, fx);
                        }
                        // Both part at once.
                        LinkFrame::Goodbye(_) => self.shut(id, CloseReason::PeerLeft),
                        // All else that a former neighbour says comes too late.
                        _ => {}
                    }
                    Ok(())
                }
            }
            .map_err(CloseReason::ProtocolError),
        };
        if let Err(reason) = result {
            self.fx.stats.protocol_errors += 1;
            self.shut(id, reason);
        }
    }

    /// From the acceptor of this node's own attempt.
    fn acceptor_frame(&mut self, link: LinkId, frame: LinkFrame<'_>) -> Result<(), ProtocolError> {
        let LinkFrame::Welcome {
            id,
            epoch,
            path,
            window,
            position,
            ended,
            slow,
            ..
        } = frame
        else {
            return Err(ProtocolError::UnexpectedFrame);
        };
        let welcome = Welcome {
            id,
            epoch,
            path,
            window,
            position,
            ended,
            slow,
        };
        let loses = self.payload.would_miss(position);
        let (at, net, fx) = (&self.ancestry, &mut self.net, &mut self.fx);
        if self.upstream.welcomed(link, &welcome, loses, at, net, fx)? {
            self.arrive(link, &welcome)?;
        }
        Ok(())
    }

    /// From a candidate: its greeting makes it a child.
    fn candidate_frame(
        &mut self,
        link: LinkId,
        frame: &LinkFrame<'_>,
    ) -> Result<(), ProtocolError> {
        let LinkFrame::Hello {
            join,
            window,
            stream_window,
            start,
            ..
        } = *frame
        else {
            return Err(ProtocolError::UnexpectedFrame);
        };
        let (at, net, fx) = (&self.ancestry, &mut self.net, &mut self.fx);
        let candidate = net.links.candidate_mut(link);
        if !candidate.is_some_and(|candidate| candidate.may_greet(join)) {
            return Err(ProtocolError::WrongJoin);
        }
        let objection = self
            .downstream
            .objection(link, join.origin, at, &net.links, fx);
        if let Some(reason) = objection {
            self.shut(link, CloseReason::Rejected(reason));
            return Ok(());
        }
        payload::grant(link, window, &mut net.links)?;
        let twin = self.downstream.link_to(join.origin, &net.links);
        if let Some(twin) = twin.filter(|_| !planted!(fx.config, TwinKept)) {
            // The child has lost its link, and this node has not noticed yet.
            self.shut(twin, CloseReason::Replaced);
        }
        let (at, net, fx) = (&self.ancestry, &mut self.net, &mut self.fx);
        if let Some(link) = net.links.get_mut(link) {
            link.change(|state| state.greeted(join));
        }
        let position =
            self.payload
                .admit(link, start, stream_window, at.epoch(), &mut net.links, fx);
        let welcome = LinkFrame::Welcome {
            version: VERSION,
            id: fx.id,
            epoch: at.epoch(),
            path: at.path().clone(),
            window: fx.config.window,
            position,
            ended: self.payload.has_ended(),
            slow: self.payload.slow(),
        };
        self.downstream.adopt(link, join, &welcome, at, net, fx);
        self.payload.flow(&mut net.links, fx);
        Ok(())
    }

    fn parent_frame(
        &mut self,
        id: LinkId,
        node: NodeId,
        frame: LinkFrame<'_>,
    ) -> Result<(), ProtocolError> {
        let (net, fx) = (&mut self.net, &mut self.fx);
        match frame {
            LinkFrame::Join(JoinFrame::Request(request)) => {
                self.downstream.predicted(&request.census);
                self.downstream.changed(fx);
                self.admit(Peer::Link(id), request);
            }
            LinkFrame::Join(frame) if self.upstream.is_own_move(frame.join(), net) => {
                self.upstream.answered(frame, net, fx);
            }
            LinkFrame::Jump(to) => {
                let epoch = self.ancestry.epoch();
                self.payload.jumped(to, epoch, &mut net.links, fx)?;
            }
            LinkFrame::Invite(invitation) => self.invited(invitation),
            LinkFrame::Moved { epoch, path } => self.parent_moved(node, epoch, &path)?,
            LinkFrame::Stream { records } => {
                self.payload.received(id, records, &mut net.links, fx)?;
            }
            LinkFrame::Routed { records } => {
                let routed = &mut self.payload.routed;
                routed.replies(id, records, &mut net.links, fx)?;
            }
            LinkFrame::Gather { records } => {
                let gather = &mut self.payload.gather;
                gather.questions(id, records, &mut net.links, fx)?;
            }
            frame => self.neighbour_frame(id, node, frame)?,
        }
        Ok(())
    }

    fn child_frame(
        &mut self,
        id: LinkId,
        node: NodeId,
        frame: LinkFrame<'_>,
    ) -> Result<(), ProtocolError> {
        let (at, net, fx) = (&self.ancestry, &mut self.net, &mut self.fx);
        match frame {
            LinkFrame::Status { seen, census } => {
                self.downstream
                    .child_reported(id, seen, census, at, net, fx);
            }
            LinkFrame::Join(JoinFrame::Request(request)) => {
                let above = self.upstream.above();
                if let Some(request) = pass_up(id, request, above, at, net, fx) {
                    self.admit(Peer::Link(id), request);
                }
            }
            LinkFrame::Stalled(stall) => {
                let parent = self.upstream.parent();
                Payload::stall_below(id, stall, parent, &mut net.links, fx);
            }
            LinkFrame::Routed { records } => {
                let routed = &mut self.payload.routed;
                routed.ups(id, node, records, &mut net.links, fx)?;
            }
            LinkFrame::Gather { records } => {
                let gather = &mut self.payload.gather;
                gather.answers(id, records, &mut net.links, fx)?;
            }
            LinkFrame::Replied(end) => {
                self.payload.routed.replied(id, end, &mut net.links, fx);
            }
            LinkFrame::Leaving => self.downstream.child_leaves(id, at, net, fx),
            LinkFrame::Stay => {
                if self.downstream.child_stays(id, at, net, fx) {
                    self.go_if_drained();
                }
            }
            frame => self.neighbour_frame(id, node, frame)?,
        }
        Ok(())
    }

    /// A frame that parents and children send alike.
    fn neighbour_frame(
        &mut self,
        id: LinkId,
        node: NodeId,
        frame: LinkFrame<'_>,
    ) -> Result<(), ProtocolError> {
        let (links, fx) = (&mut self.net.links, &mut self.fx);
        match frame {
            LinkFrame::Heartbeat => {}
            LinkFrame::Join(frame) => self.route(Peer::Link(id), frame),
            LinkFrame::Credit { lane, bytes } => {
                self.payload.credited(id, lane, bytes, links, fx);
            }
            LinkFrame::Direct { records } => Payload::direct(id, node, records, links, fx)?,
            LinkFrame::Goodbye(farewell) => self.shut(id, farewell.reason()),
            LinkFrame::Hello { .. }
            | LinkFrame::Welcome { .. }
            | LinkFrame::Status { .. }
            | LinkFrame::Moved { .. }
            | LinkFrame::Jump(_)
            | LinkFrame::Stalled(_)
            | LinkFrame::Invite(_)
            | LinkFrame::Stay
            | LinkFrame::Leaving
            | LinkFrame::Routed { .. }
            | LinkFrame::Gather { .. }
            | LinkFrame::Replied(_)
            | LinkFrame::Stream { .. } => return Err(ProtocolError::UnexpectedFrame),
        }
        Ok(())
    }

    /// The parent has another path: so has this node, and all below it.
    fn parent_moved(
        &mut self,
        parent: NodeId,
        epoch: Epoch,
        path: &Path,
    ) -> Result<(), ProtocolError> {
        let path = path_below(parent, path, &self.fx)?;
        if self.ancestry.is_stale(epoch, &self.fx) {
            return Err(ProtocolError::StaleEpoch);
        }
        let depth = path.depth();
        self.ancestry.set(path, epoch);
        self.fx.notify(Notification::PathChanged { depth, epoch });
        self.ancestry.announce_root(&mut self.fx);
        let (net, fx) = (&mut self.net, &mut self.fx);
        self.downstream.tell_path(&self.ancestry, net, fx);
        Ok(())
    }
}
