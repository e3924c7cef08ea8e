//! The node: one member of the tree.
//!
//! It consists of components. Each owns its state and its behaviour, and is lent what it needs of the others, from the
//! top of this list to the bottom and never back. They meet in [`Node`] alone, which hands events in and
//! draws the consequences of what comes out.
//!
//! | component | idea |
//! |---|---|
//! | `upstream` | the role in the tree, and this node's own attempts to get a parent |
//! | `downstream` | slots, other nodes' joins, rebalancing, the census of the subtree |
//! | `payload` | app messages: the root's stream, those between neighbours, and those that pass |
//! | `net` | the peers: links, the server, and the routes of joins between them |
//! | `server` | the connection to the bootstrap server, and the lease |
//! | `routing` | which way a join's signals pass |
//! | `liveness` | heartbeats and the deadlines of links |
//! | `link` | one connection, and what it is: a checked state machine |
//! | `ancestry` | the path from the root, and its epoch |
//! | `effects` | what every component is lent: time, configuration, randomness, actions |
//!
//! The consequences are in `node` itself:
//!
//! | file | idea |
//! |---|---|
//! | `link_events` | all events of links, by what the link is |
//! | `joins` | frames of joins: which component they are for |
//! | `server_events` | what the server says, and which node is the root |
//! | `parents` | arriving at a parent, and losing one |
//! | `closing` | a link that is closed, a neighbour that is left, a tree that is left |
//! | `inspect` | what an embedder may know of all this |

mod ancestry;
mod closing;
mod downstream;
mod effects;
mod inspect;
mod joins;
mod link;
mod link_events;
mod liveness;
mod net;
mod parents;
mod payload;
mod routing;
mod server;
mod server_events;
mod upstream;

use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::action::Action;
use crate::close::CloseReason;
use crate::config::{Config, ConfigError};
use crate::event::{Event, EventKind};
use crate::id::NodeId;
use crate::random::Random;
use crate::stats::Stats;
use crate::time::Instant;

use ancestry::Ancestry;
use downstream::Downstream;
use effects::Effects;
use link::Links;
use net::Net;
use payload::Payload;
use routing::Routes;
use server::{Connection, Goal};
use upstream::{Due, Upstream};

pub use inspect::{Load, Neighbour, Progress, Role};

/// One member of the tree, as a state machine. The [crate documentation](crate) has the contract.
#[derive(Debug)]
pub struct Node {
    fx: Effects,
    /// When something is due: the earliest in all of the state, which changes only with an event.
    due: Option<Instant>,
    ancestry: Ancestry,
    net: Net,
    upstream: Upstream,
    downstream: Downstream,
    payload: Payload,
}

impl Node {
    /// A detached node. `seed` is the source of all its randomness, among it the secret that it
    /// resumes its registration at the server with: draw it from the system's generator. Thousands of nodes in
    /// one process can share a configuration.
    pub fn new(
        id: NodeId,
        config: impl Into<Arc<Config>>,
        seed: [u8; 32],
    ) -> Result<Self, ConfigError> {
        let config = config.into();
        config.validate()?;
        Ok(Self {
            due: None,
            ancestry: Ancestry::default(),
            net: Net {
                links: Links::default(),
                server: Connection::new(),
                routes: Routes::default(),
            },
            upstream: Upstream::new(),
            downstream: Downstream::new(config.max_degree),
            payload: Payload::default(),
            fx: Effects {
                id,
                now: Instant::ZERO,
                config,
                rng: Random::from_seed(seed),
                stats: Stats::default(),
                actions: Vec::new(),
            },
        })
    }

    /// The actions that follow from `event`, in order.
    #[must_use = "the protocol stalls when an action is not carried out"]
    pub fn handle_input(&mut self, event: Event) -> Vec<Action> {
        let mut actions = Vec::new();
        self.handle_input_into(event, &mut actions);
        actions
    }

    /// As [`handle_input`](Self::handle_input), appending to a buffer of the caller's.
    pub fn handle_input_into(&mut self, event: Event, actions: &mut Vec<Action>) {
        core::mem::swap(&mut self.fx.actions, actions);
        self.advance(event.now);
        self.dispatch(event.kind);
        let links = &mut self.net.links;
        self.payload
            .settle(self.upstream.above(), links, &mut self.fx);
        // Deadlines are derived from state, so whatever is due is found by looking, and it makes no
        // difference whether it was the timer or another event that came first.
        self.due = self.earliest_deadline();
        if self.due.is_some_and(|due| due <= self.fx.now) {
            self.expire();
            let links = &mut self.net.links;
            self.payload
                .settle(self.upstream.above(), links, &mut self.fx);
            self.due = self.earliest_deadline();
        }
        core::mem::swap(&mut self.fx.actions, actions);
    }

    /// When the node wants a [`Timeout`](EventKind::Timeout) at the latest. Ask again after each event.
    #[must_use]
    pub const fn next_deadline(&self) -> Option<Instant> {
        self.due
    }

    fn dispatch(&mut self, event: EventKind) {
        let is_away = matches!(self.role(), Role::Detached | Role::Leaving);
        let above = self.upstream.above();
        let (payload, links, fx) = (&mut self.payload, &mut self.net.links, &mut self.fx);
        match event {
            EventKind::Join => self.join(Goal::Join),
            EventKind::BecomeRoot(Some(token)) => self.join(Goal::Lead(token)),
            EventKind::BecomeRoot(None) => self.lead_alone(),
            EventKind::Leave => self.leave(),
            EventKind::Send { to, payload } => Payload::send(to, payload, links, fx),
            EventKind::Broadcast(bytes) => {
                payload.broadcast(bytes, false, above, links, fx);
            }
            EventKind::End(bytes) => {
                if payload.broadcast(bytes, true, above, links, fx) {
                    self.downstream.changed(fx);
                }
            }
            EventKind::CancelSend(to) => Payload::cancel_send(to, links, fx),
            EventKind::CancelBroadcast => payload.cancel_broadcast(links, fx),
            EventKind::SendUp(_) | EventKind::Reply { .. } | EventKind::Ask(_) => {
                payload.wish(event, is_away, above, links, fx);
            }
            EventKind::CancelSendUp => payload.routed.cancel(links, fx),
            EventKind::Answer(ask, answer) => payload.gather.app_answers(ask, answer, fx),
            EventKind::Combined(ask, value) => payload.gather.app_combined(ask, value, fx),
            EventKind::Consumed(receipt) => {
                if payload.consumed(receipt, links, fx) {
                    self.downstream.changed(fx);
                }
            }
            EventKind::Close(link) => self.close(link),
            EventKind::BootstrapOpened(id) => {
                let leads = self.upstream.is_root().then(|| self.ancestry.epoch());
                self.net.server.opened(id, leads, fx);
            }
            EventKind::BootstrapMessage(id, bytes) => {
                let heard = self.net.server.message(id, &bytes, fx);
                self.server_heard(heard);
            }
            EventKind::BootstrapClosed(id) => {
                let heard = self.net.server.closed(id, fx);
                self.server_heard(heard);
            }
            EventKind::LinkOffer(link, offer) => {
                let census = self.downstream.census(payload.standing(), links, fx);
                self.upstream
                    .offered(link, offer, census, &mut self.net, fx);
            }
            EventKind::LinkSignal(link, signal) => self.link_signal(link, signal),
            EventKind::LinkOpened(link) => self.link_opened(link),
            EventKind::LinkMessage(link, bytes) => self.link_message(link, &bytes),
            EventKind::LinkDrained(link) => payload.drained(link, links, fx),
            EventKind::LinkClosed(link) => {
                let link = links.ended(link, fx);
                self.gone(link, CloseReason::Lost);
            }
            EventKind::Timeout => {}
        }
    }

    /// Lets time pass.
    fn advance(&mut self, now: Instant) {
        self.fx.now = now.max(self.fx.now);
        let late = self.due.map(|due| self.fx.now.since(due));
        if let Some(late) = late.filter(|late| !late.is_zero())
            && !planted!(self.fx.config, StallBlamedOnOthers)
        {
            liveness::forgive(&mut self.net.links, late, self.fx.now);
            self.net.server.forgive(late, self.fx.now);
        }
    }

    fn earliest_deadline(&self) -> Option<Instant> {
        let config = &self.fx.config;
        let components = [
            self.upstream.next_deadline(),
            self.net.server.next_deadline(),
            self.net.routes.next_deadline(),
            self.downstream.next_deadline(config),
            liveness::next_deadline(&self.net.links, config),
            self.payload.next_deadline(&self.net.links, config),
            self.payload.routed.next_deadline(&self.fx),
            self.payload.gather.next_deadline(),
        ];
        components.into_iter().flatten().min()
    }

    /// Does what is due.
    fn expire(&mut self) {
        match self.upstream.due(self.fx.now) {
            Some(Due::Attempt) => {
                let (net, fx) = (&mut self.net, &mut self.fx);
                self.upstream.seek(&mut self.ancestry, net, fx);
            }
            Some(Due::Look) => self.go_if_drained(),
            Some(Due::Goodbye) => self.say_goodbye_to_all(),
            None => {}
        }
        let heard = self.net.server.expire(&mut self.fx);
        self.server_heard(heard);
        while let Some((link, reason)) = liveness::next_due(&mut self.net.links, &mut self.fx) {
            self.shut(link, reason);
        }
        let parent = self.upstream.parent();
        while let Some(slow) = self
            .payload
            .expire(parent, &mut self.net.links, &mut self.fx)
        {
            self.shut(slow, CloseReason::Slow);
        }
        let (net, fx) = (&mut self.net, &mut self.fx);
        self.downstream.expire_waiting(&self.ancestry, net, fx);
        net.routes.expire(fx.now);
        let (own, above) = (self.payload.standing(), self.upstream.above());
        self.downstream
            .expire_report(own, above, &mut net.links, fx);
        // Behind the report, which looks whether there is something to rebalance at all.
        self.downstream.expire_rebalance(above, &mut net.links, fx);
    }
}
