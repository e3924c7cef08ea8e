//! Passing the root's broadcasts down.

use alloc::vec::Vec;

use bytes::Bytes;

use super::Node;
use super::payload::{Arrived, Outgoing, Place, unsent};
use crate::close::CloseReason;
use crate::notification::Unsent;
use crate::wire::{self, LinkFrame, StreamPosition};

impl Node {
    /// The app broadcasts. Only the root may, and nothing behind the last one.
    pub(super) fn broadcast(&mut self, payload: Bytes, place: Place) {
        if !self.upstream.is_root() {
            return unsent(payload, Unsent::NotRoot, &mut self.fx);
        }
        let (links, fx) = (&mut self.net.links, &mut self.fx);
        let children: Vec<_> = self.downstream.children(links).collect();
        let children = children.into_iter().map(|(link, _)| link);
        let message = self.payload.broadcast(payload, place, children, links, fx);
        if let Some(message) = message {
            self.pass_down(&message, None);
            if place == Place::Last {
                self.downstream.changed(&self.fx);
            }
        }
    }

    /// The parent's next broadcast is this one, perhaps of another root. The children are told if they
    /// would wait for one before it that never comes, or take another root's for one of this root.
    pub(super) fn follow_stream(&mut self, position: StreamPosition) {
        let (links, fx) = (&mut self.net.links, &mut self.fx);
        let epoch = self.ancestry.epoch();
        if self.payload.follow(position, epoch, fx) {
            let frame = wire::encode(&LinkFrame::Position(position));
            let children: Vec<_> = self.downstream.children(links).collect();
            for (child, _) in children {
                self.payload.mark(child, frame.clone(), links, fx);
            }
        }
    }

    /// Queues a broadcast for every child, and only then hands it to the app: so a slow app delays no child. A child
    /// that is too slow is closed, which may change the slots behind it.
    pub(super) fn pass_down(&mut self, message: &Outgoing, arrived: Option<Arrived>) {
        let slots = self.downstream.slots().len();
        for position in 0..=slots {
            if position + 1 == slots && planted!(self.fx.config, BroadcastSkipsChild) {
                continue;
            }
            let Some(link) = self.downstream.slots().at(position) else {
                continue;
            };
            let (links, fx) = (&mut self.net.links, &mut self.fx);
            if links.neighbour(link).is_some() && !self.payload.pass(link, message, links, fx) {
                self.shut(link, CloseReason::Slow);
            }
        }
        let (links, fx) = (&mut self.net.links, &mut self.fx);
        self.payload.passed(message, arrived, links, fx);
    }
}
