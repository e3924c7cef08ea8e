//! The nodes that a root sends to: how many there are, and how much of the stream reached none of them.

use std::collections::BTreeMap;

use overlay_tokio::{Census, CloseReason, NodeId};

/// The nodes below a root.
#[derive(Debug, Default)]
pub(crate) struct Audience {
    /// The root's children, each with the length of the stream when it came.
    children: BTreeMap<NodeId, u64>,
    census: Census,
    /// How many bytes have been sent.
    sent: u64,
    /// At most how many of them reached nobody.
    unheard: u64,
}

impl Audience {
    /// The number of nodes besides the root.
    pub(crate) fn nodes(&self) -> usize {
        // The census is a moment late; a child that is gone is known at once.
        let counted = self.census.size().saturating_sub(1) as usize;
        if self.children.is_empty() { 0 } else { counted }
    }

    /// Whether there are nodes enough to send to. A node that was lost is waited for while it may come back; one that has
    /// left is not. Without any node there is nothing to go on with.
    pub(crate) fn suffices(&self, wanted: usize) -> bool {
        let nodes = self.nodes();
        nodes >= wanted || nodes > 0 && self.census.is_settled()
    }

    /// The nodes as the root has counted them, itself included.
    pub(crate) const fn census(&self) -> &Census {
        &self.census
    }

    pub(crate) const fn sent(&self) -> u64 {
        self.sent
    }

    /// At most how many bytes reached nobody: the nodes that they were sent to have gone with them.
    pub(crate) const fn unheard(&self) -> u64 {
        self.unheard
    }

    /// The number of nodes that have not confirmed the end.
    pub(crate) fn unconfirmed(&self) -> u32 {
        self.census.size().saturating_sub(self.census.finished())
    }

    pub(crate) fn counted(&mut self, census: Census) {
        self.census = census;
    }

    /// This many more bytes are sent.
    pub(crate) const fn send(&mut self, bytes: usize) {
        self.sent += bytes as u64;
    }

    pub(crate) fn connected(&mut self, child: NodeId) {
        self.children.insert(child, self.sent);
    }

    /// A child is gone, and may not have had the last `unconfirmed` bytes. They count if nobody else had them: no other
    /// child, and no node below this one, which would come back and tell what it lacks.
    pub(crate) fn closed(&mut self, child: NodeId, reason: CloseReason, unconfirmed: usize) {
        let Some(from) = self.children.remove(&child) else {
            return;
        };
        let only_children = self.census.nodes().len() <= 2;
        if reason == CloseReason::Moved || !only_children {
            return;
        }
        let lost = from.max(self.sent.saturating_sub(unconfirmed as u64));
        let heard_elsewhere = self.children.values().min().copied();
        let until = heard_elsewhere.unwrap_or(self.sent).min(self.sent);
        self.unheard += until.saturating_sub(lost);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u128) -> NodeId {
        NodeId::from_u128(number)
    }

    fn audience(children: &[u128]) -> Audience {
        let mut audience = Audience::default();
        for child in children {
            audience.connected(id(*child));
        }
        audience
    }

    #[test]
    fn what_the_only_node_had_not_confirmed_reached_nobody() {
        let mut audience = audience(&[1]);
        audience.send(1_000);
        audience.closed(id(1), CloseReason::Lost, 300);
        assert_eq!((audience.unheard(), audience.nodes()), (300, 0));
    }

    #[test]
    fn what_another_node_was_sent_as_well_is_not_lost() {
        let mut audience = audience(&[1, 2]);
        audience.send(1_000);
        audience.closed(id(1), CloseReason::Lost, 300);
        assert_eq!(audience.unheard(), 0);
    }

    #[test]
    fn a_node_that_came_later_has_not_heard_what_was_sent_before() {
        let mut audience = audience(&[1]);
        audience.send(1_000);
        audience.connected(id(2));
        audience.send(100);
        audience.closed(id(1), CloseReason::Lost, 300);
        assert_eq!(audience.unheard(), 200);
    }

    #[test]
    fn a_node_loses_no_more_than_it_was_sent() {
        let mut audience = audience(&[]);
        audience.send(1_000);
        audience.connected(id(1));
        audience.send(10);
        audience.closed(id(1), CloseReason::PeerLeft, 300);
        assert_eq!(audience.unheard(), 10);
    }

    #[test]
    fn a_node_that_moves_loses_nothing() {
        let mut audience = audience(&[1]);
        audience.send(1_000);
        audience.closed(id(1), CloseReason::Moved, 300);
        assert_eq!(audience.unheard(), 0);
    }
}
