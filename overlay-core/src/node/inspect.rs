//! What an embedder may know of a node, and simulations check: nothing here changes anything.

use super::Node;
use super::link::{Stage, State};
use super::upstream::{Membership, Step};
use crate::census::Census;
use crate::config::Config;
use crate::id::{Epoch, JoinId, LinkId, NodeId};
use crate::path::Path;
use crate::position::Position;
use crate::slow::SlowPolicy;
use crate::stats::Stats;
use crate::time::Instant;

/// The role of a node in the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Not in the tree, and not on its way.
    Detached,
    /// Looking for a parent.
    Joining,
    /// In the tree, below a parent.
    Member,
    /// At the top of the tree.
    Root,
    /// Saying goodbye.
    Leaving,
}

/// A neighbour in the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Neighbour {
    /// The link to it.
    pub link: LinkId,
    /// Its id.
    pub node: NodeId,
}

/// The stage of a node's attempt to find a parent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// The node waits for its next attempt: it has lost its parent, or an attempt has failed.
    Waiting {
        /// When the attempt begins.
        until: Instant,
    },
    /// The node waits for the server to register it.
    Introducing,
    /// An attempt has begun: the embedder makes the offer.
    Offering {
        /// The link to a parent to be.
        link: LinkId,
        /// The attempt's name.
        join: JoinId,
    },
    /// The request is on its way.
    Requested {
        /// The link to a parent to be.
        link: LinkId,
        /// The attempt's name.
        join: JoinId,
    },
    /// An acceptor has answered: the two connect.
    Answered {
        /// The link to a parent to be.
        link: LinkId,
        /// The attempt's name.
        join: JoinId,
    },
    /// The channel is open and the greeting sent; what is missing is the welcome.
    Greeted {
        /// The link to a parent to be.
        link: LinkId,
        /// The attempt's name.
        join: JoinId,
    },
}

/// The fill levels of a node's tables: each can be compared with its limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Load {
    /// Links of any kind: at most [`Config::max_links`].
    pub links: usize,
    /// Requests that wait for a candidate or a slot: at most [`max_waiting`](Config::max_waiting).
    pub parked: usize,
    /// ICE candidates kept for them: at most
    /// [`max_early_ice_candidates`](Config::max_early_ice_candidates) for each.
    pub early_ice_candidates: usize,
    /// Joins whose route is remembered: at most [`max_routes`](Config::max_routes).
    pub routes: usize,
    /// App messages to neighbours that wait for their credit, on all links, in bytes as
    /// [`message_cost`](crate::flow::message_cost) counts them.
    pub queued: usize,
    /// The longest queue of one link, in bytes: at most [`send_queue`](Config::send_queue) and one message.
    pub longest_queue: usize,
    /// Bytes of the root's stream: at most [`history`](Config::history) and two [`window`](Config::window)s.
    pub log: usize,
    /// Bytes of a message of that stream of which the rest is to come: at most [`max_message`](Config::max_message).
    pub assembled: usize,
    /// Bytes of messages to the root and of replies that wait here: at most twice a window and a message for each link, and
    /// as much, or [`send_queue`](Config::send_queue), for this node itself.
    pub routed: usize,
    /// Replies of whose end this node waits for word: at most 4,096.
    pub awaited: usize,
    /// Questions that are remembered: at most [`max_asks`](Config::max_asks).
    pub asks: usize,
}

impl Node {
    /// The node's own id.
    #[must_use]
    pub const fn id(&self) -> NodeId {
        self.fx.id
    }

    /// The node's configuration.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.fx.config
    }

    /// The node's role in the tree.
    #[must_use]
    pub const fn role(&self) -> Role {
        match *self.upstream.membership() {
            Membership::Detached => Role::Detached,
            Membership::Joining(_) => Role::Joining,
            Membership::Member { .. } => Role::Member,
            Membership::Root => Role::Root,
            Membership::Draining(_) | Membership::Leaving => Role::Leaving,
        }
    }

    /// Whether the node would be the root, as far as it is concerned, if the present one were gone.
    #[must_use]
    pub const fn is_standby(&self) -> bool {
        let in_tree = matches!(
            *self.upstream.membership(),
            Membership::Joining(_) | Membership::Member { .. }
        );
        in_tree && self.net.server.wants_to_lead()
    }

    /// The parent, while the node has one.
    #[must_use]
    pub fn parent(&self) -> Option<Neighbour> {
        let link = self.upstream.parent()?;
        let node = self.net.links.neighbour(link)?;
        Some(Neighbour { link, node })
    }

    /// The children, in the order of their slots; behind them one that leaves.
    pub fn children(&self) -> impl Iterator<Item = Neighbour> {
        let children = self.downstream.children(&self.net.links);
        children.map(|(link, node)| Neighbour { link, node })
    }

    /// The join that a link was opened for: this node's own, or that of a candidate. `None` once the link
    /// leads to a neighbour.
    #[must_use]
    pub fn join_of(&self, link: LinkId) -> Option<JoinId> {
        match self.net.links.state(link)? {
            State::Candidate(candidate) => Some(candidate.join),
            state => state.attempt().map(|attempt| attempt.join),
        }
    }

    /// The number of slots that are taken, by children and by candidates that may become one; at most
    /// [`max_degree`](Config::max_degree).
    #[must_use]
    pub fn slots_taken(&self) -> usize {
        self.downstream.slots().taken()
    }

    /// From the root to this node; empty while it has no parent and is not the root.
    #[must_use]
    pub const fn path(&self) -> &Path {
        self.ancestry.path()
    }

    /// The highest epoch that the node has seen since it was last told to join.
    #[must_use]
    pub const fn epoch(&self) -> Epoch {
        self.ancestry.epoch()
    }

    /// The subtree below this node, itself included, as far as its children have told.
    #[must_use]
    pub fn census(&self) -> Census {
        let own = self.payload.standing();
        self.downstream.census(own, &self.net.links, &self.fx)
    }

    /// The counters of what the node has done and seen.
    #[must_use]
    pub const fn stats(&self) -> &Stats {
        &self.fx.stats
    }

    /// The progress of the node's own search for a parent; `None` unless it is [joining](Role::Joining).
    #[must_use]
    pub fn progress(&self) -> Option<Progress> {
        let Membership::Joining(joining) = self.upstream.membership() else {
            return None;
        };
        Some(match joining.step {
            Step::Waiting { until } => Progress::Waiting { until },
            Step::Introducing => Progress::Introducing,
            Step::Attempting(link) => {
                let state = self.net.links.state(link)?;
                let join = state.attempt()?.join;
                match state {
                    State::Dialing(dialing) if dialing.stage == Stage::Offering => {
                        Progress::Offering { link, join }
                    }
                    State::Dialing(dialing) if dialing.stage == Stage::Requested => {
                        Progress::Requested { link, join }
                    }
                    State::Dialing(dialing) if dialing.stage == Stage::Answered => {
                        Progress::Answered { link, join }
                    }
                    _ => Progress::Greeted { link, join },
                }
            }
        })
    }

    /// Whether a message to this neighbour would be taken now.
    #[must_use]
    pub fn can_send(&self, to: LinkId) -> bool {
        self.net.links.get(to).is_some_and(|link| {
            link.state.neighbour().is_some()
                && link.direct.outbox.has_room(self.fx.config.send_queue)
        })
    }

    /// The bytes of messages to this neighbour that have not gone out, as [`message_cost`](crate::flow::message_cost) counts
    /// them. 0 if there is no such neighbour.
    #[must_use]
    pub fn unsent(&self, to: LinkId) -> usize {
        let link = self.net.links.get(to);
        link.map_or(0, |link| link.direct.outbox.queued())
    }

    /// Whether a message to the root, or a reply, would be taken now.
    #[must_use]
    pub fn can_send_up(&self) -> bool {
        self.payload.routed.has_room(&self.fx)
    }

    /// The bytes of this node's messages to the root that have not gone out, as
    /// [`message_cost`](crate::flow::message_cost) counts them.
    #[must_use]
    pub fn unsent_up(&self) -> usize {
        self.payload.routed.unsent(&self.net.links)
    }

    /// The bytes of the latest broadcast that are not in the stream yet.
    #[must_use]
    pub fn rest_of_broadcast(&self) -> usize {
        self.payload.rest_of_broadcast()
    }

    /// Whether the root's stream has ended here: the last message has come, or, at the root, is sent.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.payload.has_ended()
    }

    /// Whether a broadcast would be taken now: this node is the root, its stream has not ended, and no child holds it up.
    #[must_use]
    pub fn can_broadcast(&self) -> bool {
        self.upstream.is_root()
            && !self.has_ended()
            && self.payload.has_room(&self.net.links, &self.fx)
    }

    /// How far this node has come with the root's stream: behind the last byte that it has. At the root, the next broadcast
    /// goes there. `None` before the node is in a tree.
    #[must_use]
    pub fn position(&self) -> Option<Position> {
        self.payload.position()
    }

    /// The tree's policy for slow receivers, as far as this node knows.
    #[must_use]
    pub const fn slow_policy(&self) -> SlowPolicy {
        self.payload.slow()
    }

    /// The fill levels of the node's tables. Costs a look at each link.
    #[must_use]
    pub fn load(&self) -> Load {
        let (parked, early_ice_candidates) = self.downstream.waiting();
        let (log, assembled) = self.payload.held();
        let (routed, awaited) = self.payload.routed.load();
        let mut load = Load {
            links: self.net.links.len(),
            parked,
            early_ice_candidates,
            routes: self.net.routes.len(),
            log,
            assembled,
            routed,
            awaited,
            asks: self.payload.gather.len(),
            ..Load::default()
        };
        for (_, link) in self.net.links.iter() {
            let queued = link.direct.outbox.queued();
            load.queued += queued;
            load.longest_queue = load.longest_queue.max(queued);
        }
        load
    }
}
