//! A node without a parent tries again and again, until it has one.
//!
//! It has itself introduced by the server, and makes an attempt (`attempt`). Whatever goes wrong ends the attempt, and
//! the next one comes after a jittered, doubling wait. An orphan keeps its children through all of this and brings
//! them along.

use super::{Membership, Upstream};
use crate::backoff;
use crate::close::CloseReason;
use crate::id::LinkId;
use crate::node::ancestry::Ancestry;
use crate::node::effects::Effects;
use crate::node::link::{Stage, State};
use crate::node::net::Net;
use crate::notification::Notification;
use crate::path::Path;
use crate::time::Instant;
use crate::wire::{JoinKind, RejectReason, Rejection};

/// A node without a parent that wants one.
#[derive(Debug)]
pub(crate) struct Joining {
    pub(crate) step: Step,
    /// Attempts that have failed since the node last had a parent.
    failures: u32,
    /// Since when it has no parent, if it has had one.
    orphaned: Option<Instant>,
    /// The path of the parent that it has lost, if it is an orphan.
    lost: Path,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    /// Until the next attempt.
    Waiting { until: Instant },
    /// Until the server is ready.
    Introducing,
    /// An attempt is under way, on this link.
    Attempting(LinkId),
}

impl Joining {
    /// A node that comes from outside the tree.
    pub(crate) fn newcomer() -> Self {
        Self {
            step: Step::Introducing,
            failures: 0,
            orphaned: None,
            lost: Path::default(),
        }
    }

    /// The path of the lost parent, as a hint for the first attempt: by the next one the hole may be filled.
    pub(super) fn hint(&self) -> Path {
        if self.failures == 0 {
            self.lost.clone()
        } else {
            Path::default()
        }
    }

    /// Which attempt is under way, from 1, and since when the node is an orphan.
    pub(crate) const fn history(&self) -> (u32, Option<Instant>) {
        (self.failures.saturating_add(1), self.orphaned)
    }

    pub(super) const fn attempt(&self) -> Option<LinkId> {
        match self.step {
            Step::Attempting(link) => Some(link),
            Step::Waiting { .. } | Step::Introducing => None,
        }
    }

    /// Whether it is time for the next attempt.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.next_deadline().is_some_and(|due| due <= now)
    }

    pub(super) const fn next_deadline(&self) -> Option<Instant> {
        match self.step {
            Step::Waiting { until } => Some(until),
            Step::Introducing | Step::Attempting(_) => None,
        }
    }
}

impl Upstream {
    /// Has itself introduced, and makes an attempt as soon as it is.
    pub(crate) fn seek(&mut self, at: &mut Ancestry, net: &mut Net, fx: &mut Effects) {
        self.set_step(Step::Introducing);
        if net.server.is_registered() {
            trust_server(at, net);
            self.begin(net, fx);
        } else {
            net.server.seek_introduction(fx);
        }
    }

    /// The server is ready to pass requests on.
    pub(crate) fn introduced(&mut self, at: &mut Ancestry, net: &mut Net, fx: &mut Effects) {
        trust_server(at, net);
        if let Membership::Joining(Joining {
            step: Step::Introducing,
            ..
        }) = self.membership
        {
            self.begin(net, fx);
        }
    }

    /// The server's connection is gone: an attempt that has no answer yet will never get one.
    pub(crate) fn introduction_lost(&mut self, net: &mut Net, fx: &mut Effects) {
        if let Membership::Joining(joining) = &mut self.membership
            && let Some(link) = joining.attempt()
            && let Some(State::Dialing(dialing)) = net.links.state(link)
            && dialing.stage < Stage::Answered
        {
            net.links.close(link, CloseReason::Cancelled, fx);
            joining.step = Step::Introducing;
        }
    }

    /// The tree has a root again: waits no longer than it takes not to come with all the others.
    pub(crate) fn root_ready(&mut self, at: &mut Ancestry, net: &Net, fx: &mut Effects) {
        let soon = fx.now + backoff::up_to(fx.config.retry_min, &mut fx.rng);
        if let Membership::Joining(Joining { step, .. }) = &mut self.membership {
            if let Step::Waiting { until } = step {
                *until = soon.min(*until);
            }
            trust_server(at, net);
        }
    }

    /// The parent is gone: joins again after a short random wait, so that siblings that lost the same
    /// parent do not all come at once.
    pub(crate) fn rejoin(&mut self, at: &mut Ancestry, fx: &mut Effects) {
        let wait = backoff::up_to(fx.config.retry_min, &mut fx.rng);
        let until = fx.now + wait;
        self.orphan(Step::Waiting { until }, at, fx);
    }

    /// The parent is gone, and this is what the node does first.
    pub(crate) fn orphan(&mut self, step: Step, at: &mut Ancestry, fx: &Effects) {
        self.membership = Membership::Joining(Joining {
            step,
            failures: 0,
            orphaned: Some(fx.now),
            lost: at.clear_path(),
        });
    }

    /// An attempt to join has failed. The next one comes after a wait.
    pub(super) fn failed(&mut self, rejection: Rejection, net: &mut Net, fx: &mut Effects) {
        let Membership::Joining(joining) = &mut self.membership else {
            return;
        };
        joining.failures = joining.failures.saturating_add(1);
        let reason = rejection.reason;
        let wait = backoff::after_failures(joining.failures, &fx.config, &mut fx.rng);
        let retry_in = wait.max(rejection.retry_after().min(fx.config.retry_max));
        let forgotten = reason == RejectReason::Timeout && planted!(fx.config, RetryForgotten);
        joining.step = if forgotten {
            Step::Introducing
        } else {
            let until = fx.now + retry_in;
            Step::Waiting { until }
        };
        fx.notify(Notification::JoinRejected { reason, retry_in });
        if reason == RejectReason::NoRoot {
            net.server.ask_again_to_lead(fx);
        }
    }

    fn begin(&mut self, net: &mut Net, fx: &mut Effects) {
        let link = self.dial(JoinKind::Introduced, net, fx);
        self.set_step(Step::Attempting(link));
    }

    fn set_step(&mut self, step: Step) {
        if let Membership::Joining(joining) = &mut self.membership {
            joining.step = step;
        }
    }
}

/// The server knows the present epoch best.
fn trust_server(at: &mut Ancestry, net: &Net) {
    if let Some(epoch) = net.server.told() {
        at.trust(epoch);
    }
}
