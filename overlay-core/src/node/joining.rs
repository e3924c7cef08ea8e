//! This node's own way into the tree.
//!
//! It has the server's ear, and attempts to come below a parent (`dial`). Whatever goes wrong ends the attempt, and
//! the next one comes after a jittered, doubling wait. An orphan keeps its children through all of this and brings
//! them along.

use alloc::vec::Vec;

use super::dial::Welcome;
use super::link::{DialStage, LinkState};
use super::{Node, Role, notify};
use crate::action::{Action, CloseReason, Notification, Violation};
use crate::backoff;
use crate::id::{Epoch, LinkId, NodeId};
use crate::path::Path;
use crate::time::Instant;
use crate::wire::{RejectReason, Rejection, Way};

/// A node without a parent that wants one.
#[derive(Debug)]
pub(super) struct Joining {
    pub(super) stage: Stage,
    /// Attempts that have failed since the node last had a parent.
    failures: u32,
    /// Since when it has no parent, if it has had one.
    orphaned: Option<Instant>,
    /// The path of the parent that it has lost, if it is an orphan.
    lost: Path,
}

#[derive(Debug)]
pub(super) enum Stage {
    /// Until the next attempt.
    Waiting { until: Instant },
    /// Until the server is ready.
    Introducing,
    /// An attempt is under way.
    Dialing(LinkId),
}

impl Joining {
    /// The path of the lost parent, as a hint for the first attempt: by the next one the hole may be filled.
    pub(super) fn hint(&self) -> Path {
        if self.failures == 0 {
            self.lost.clone()
        } else {
            Path::default()
        }
    }
}

impl Node {
    pub(super) fn join(&mut self, out: &mut Vec<Action>) {
        if matches!(self.role, Role::Detached) {
            self.begin_joining();
            self.seek_introduction(out);
        }
    }

    /// A node that belongs to no tree takes any, also one that is younger than its last.
    pub(super) fn begin_joining(&mut self) {
        self.epoch = Epoch::default();
        self.broadcasts.forget();
        self.told_epoch = None;
        self.role = Role::Joining(Joining {
            stage: Stage::Introducing,
            failures: 0,
            orphaned: None,
            lost: Path::default(),
        });
    }

    /// The parent is gone: joins again, after a short random wait, so that siblings who lost the same
    /// parent do not all come at once.
    pub(super) fn rejoin(&mut self) {
        let wait = backoff::up_to(self.config.retry_min, &mut self.random);
        let until = self.now + wait;
        self.be_orphan(Stage::Waiting { until });
    }

    pub(super) fn be_orphan(&mut self, stage: Stage) {
        let lost = core::mem::take(&mut self.path).above();
        self.role = Role::Joining(Joining {
            stage,
            failures: 0,
            orphaned: Some(self.now),
            lost,
        });
    }

    /// The tree has a root again: does not wait any longer than it takes not to come with everybody else.
    pub(super) fn root_ready(&mut self) {
        let soon = self.now + backoff::up_to(self.config.retry_min, &mut self.random);
        if let Role::Joining(Joining { stage, .. }) = &mut self.role {
            if let Stage::Waiting { until } = stage {
                *until = soon.min(*until);
            }
            self.believe_server();
        }
    }

    pub(super) fn joining_deadline(&self) -> Option<Instant> {
        match &self.role {
            Role::Joining(Joining {
                stage: Stage::Waiting { until },
                ..
            }) => Some(*until),
            _ => None,
        }
    }

    pub(super) fn expire_joining(&mut self, out: &mut Vec<Action>) {
        if self.joining_deadline().is_some_and(|due| due <= self.now) {
            self.seek_introduction(out);
        }
    }

    /// The server is ready to pass requests on.
    pub(super) fn introduced(&mut self, out: &mut Vec<Action>) {
        self.believe_server();
        if let Role::Joining(joining) = &self.role
            && matches!(joining.stage, Stage::Introducing)
        {
            self.dial(out);
        }
    }

    /// The server's connection is gone: an attempt that has no answer yet will never get one.
    pub(super) fn introduction_lost(&mut self, out: &mut Vec<Action>) {
        let Some((link, _, stage)) = self.current_dial() else {
            return;
        };
        if stage < DialStage::Answered && self.moving.is_none() {
            self.drop_link(link, CloseReason::Cancelled, out);
            self.set_joining_stage(Stage::Introducing);
        }
    }

    /// This node stands below a new parent from here on.
    pub(super) fn arrive(
        &mut self,
        link: LinkId,
        welcome: &Welcome,
        out: &mut Vec<Action>,
    ) -> Result<(), Violation> {
        let path = self.path_below(&welcome.path, welcome.id)?;
        if self.is_stale(welcome.epoch) {
            return Err(Violation::StaleEpoch);
        }
        let dialing = self.dialing_mut(link).ok_or(Violation::UnexpectedFrame)?;
        let census = dialing.census.clone();
        let (attempt, orphaned) = match &self.role {
            Role::Joining(joining) => (joining.failures.saturating_add(1), joining.orphaned),
            _ => (1, None),
        };
        #[cfg(planted)]
        let moved = self.moving.is_some();
        if let Role::Member { parent } = self.role {
            self.depart(parent, out);
        }
        self.report.introduce(*census);
        let depth = path.depth();
        self.path = path;
        self.epoch = welcome.epoch;
        self.role = Role::Member { parent: link };
        if let Some(link) = self.links.get_mut(link) {
            link.state = LinkState::Parent(welcome.id);
        }
        self.introduction_over(out);
        let node = welcome.id;
        notify(
            Notification::ParentConnected {
                link,
                node,
                depth,
                attempt,
            },
            out,
        );
        if let Some(since) = orphaned {
            let took = self.now.since(since);
            notify(
                Notification::Reattached {
                    took,
                    new_parent: node,
                },
                out,
            );
        }
        self.note_reign(out);
        #[cfg(planted)]
        if moved && self.config.has_bug(crate::Planted::PathKeptAfterMove) {
            self.count_from(welcome.count, out);
            return Ok(());
        }
        // The path before the count: of a child that moves between the two, the new parent's count is that of an
        // earlier root, and not a new one.
        self.tell_children_path(out);
        self.count_from(welcome.count, out);
        self.report.changed(self.now, &self.config);
        Ok(())
    }

    /// What this node's path is below a parent that stands at `parent`.
    pub(super) fn path_below(&self, parent: &Path, parent_id: NodeId) -> Result<Path, Violation> {
        let below = parent.contains(self.id);
        #[cfg(planted)]
        let below = below && !self.config.has_bug(crate::Planted::LoopWelcomed);
        if parent.last() != Some(parent_id) || below {
            return Err(Violation::BadPath);
        }
        parent.child(self.id).map_err(|_| Violation::BadPath)
    }

    /// Whether a parent that speaks of this epoch has missed the present one.
    pub(super) fn is_stale(&self, epoch: Epoch) -> bool {
        #[cfg(planted)]
        if self.config.has_bug(crate::Planted::StaleEpochAccepted) {
            return false;
        }
        epoch < self.epoch
    }

    fn seek_introduction(&mut self, out: &mut Vec<Action>) {
        self.set_joining_stage(Stage::Introducing);
        if self.bootstrap.is_ready() {
            self.believe_server();
            self.dial(out);
        } else {
            self.seek_server(out);
        }
    }

    fn dial(&mut self, out: &mut Vec<Action>) {
        let link = self.open_dial(Way::Server, out);
        self.set_joining_stage(Stage::Dialing(link));
    }

    pub(super) fn attempt_failed(&mut self, rejection: Rejection, out: &mut Vec<Action>) {
        let Role::Joining(joining) = &mut self.role else {
            return;
        };
        joining.failures = joining.failures.saturating_add(1);
        let reason = rejection.reason;
        let wait = backoff::after_failures(joining.failures, &self.config, &mut self.random);
        let retry_in = wait.max(rejection.retry_after().min(self.config.retry_max));
        joining.stage = Stage::Waiting {
            until: self.now + retry_in,
        };
        #[cfg(planted)]
        if self.config.has_bug(crate::Planted::RetryForgotten) && reason == RejectReason::Timeout {
            joining.stage = Stage::Introducing;
        }
        notify(Notification::JoinRejected { reason, retry_in }, out);
        if reason == RejectReason::NoRoot {
            self.ask_again_for_the_crown(out);
        }
    }

    /// No further attempt can succeed. An orphan must not keep its children to itself: they leave with
    /// a goodbye and look for parents of their own.
    pub(super) fn give_up(&mut self, out: &mut Vec<Action>) {
        if matches!(self.role, Role::Joining(_)) {
            self.leave(out);
        }
    }

    fn set_joining_stage(&mut self, stage: Stage) {
        if let Role::Joining(joining) = &mut self.role {
            joining.stage = stage;
        }
    }
}
