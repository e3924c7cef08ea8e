//! How full a node's tables are, for embedders to watch and for simulations to check.

use super::Node;

/// How full a node's tables are: each can be compared with its limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Load {
    /// Links of any kind: at most one for each of [`max_degree`](crate::Config::max_degree) places, one to the
    /// parent, one towards a parent to be, one to a child that leaves, and four to former parents, which this node has
    /// moved away from or the embedder has closed. Those go when they have what was queued for them, or take nothing
    /// for a [`leave_timeout`](crate::Config::leave_timeout).
    pub links: usize,
    /// Requests that wait for a candidate: at most [`max_parked`](crate::Config::max_parked).
    pub parked: usize,
    /// ICE candidates kept for them: at most
    /// [`max_early_candidates`](crate::Config::max_early_candidates) for each.
    pub early_candidates: usize,
    /// Joins whose route is remembered: at most [`max_routes`](crate::Config::max_routes).
    pub routes: usize,
    /// App messages that wait for a neighbour's credit, on all links, in bytes as
    /// [`message_cost`](crate::flow::message_cost) counts them.
    pub queued: usize,
    /// The most of them on one link: at most [`send_queue`](crate::Config::send_queue) and one message at
    /// the root; elsewhere what a parent may send comes on top, [`window`](crate::Config::window) and
    /// [`MIN_WINDOW`](crate::flow::MIN_WINDOW).
    pub longest_queue: usize,
    /// Broadcasts that the app holds, by their receipts, or a queue. Each takes room in the
    /// [`window`](crate::Config::window) that it came through or, at the root, in the queues.
    pub broadcasts: usize,
}

impl Node {
    /// How full the node's tables are. Costs a look at each link.
    #[must_use]
    pub fn load(&self) -> Load {
        let mut load = Load {
            links: self.links.len(),
            parked: self.parked.len(),
            early_candidates: self.parked.early_candidates(),
            routes: self.routes.len(),
            broadcasts: self.broadcasts.len(),
            ..Load::default()
        };
        for (_, link) in self.links.iter() {
            let queued = link.outbox.queued();
            load.queued += queued;
            load.longest_queue = load.longest_queue.max(queued);
        }
        load
    }
}
