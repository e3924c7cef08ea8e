//! The one context that every component is lent: what it may read, draw from and bring about.

use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::action::Action;
use crate::config::Config;
use crate::id::NodeId;
use crate::notification::Notification;
use crate::random::Random;
use crate::stats::Stats;
use crate::time::Instant;

/// The node's id, time, configuration, randomness and counters, and the actions of the event in progress.
#[derive(Debug)]
pub(crate) struct Effects {
    pub(crate) id: NodeId,
    /// The latest moment that an event has told.
    pub(crate) now: Instant,
    pub(crate) config: Arc<Config>,
    pub(crate) rng: Random,
    pub(crate) stats: Stats,
    /// The actions of the event in progress; empty between events.
    pub(crate) actions: Vec<Action>,
}

impl Effects {
    /// Adds an action for the embedder, behind those so far.
    pub(crate) fn act(&mut self, action: Action) {
        self.actions.push(action);
    }

    /// Tells the app.
    pub(crate) fn notify(&mut self, notification: Notification) {
        self.act(Action::Notify(notification));
    }
}
