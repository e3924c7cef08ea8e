//! A node that leaves waits until its children have other parents.
//!
//! It tells its parent that it leaves, so that no joiner is sent here any more, and invites each child to ask, through
//! it, the parent's parent. When all have gone, said that they stay, or not even asked after `settle_timeout`, or when
//! `leave_timeout` is over, it says goodbye. Until then it passes broadcasts and signals on. A root has nothing
//! above it that its children could ask.

use super::Due;
use crate::id::LinkId;
use crate::node::effects::Effects;
use crate::node::link::{Intake, Link, State};
use crate::time::Instant;

#[derive(Debug)]
pub(crate) struct Draining {
    pub(crate) parent: LinkId,
    /// When children that have not asked for other slots count as dead; `None` once that time has passed.
    asked_by: Option<Instant>,
    until: Instant,
}

impl Draining {
    pub(crate) fn new(parent: LinkId, fx: &Effects) -> Self {
        Self {
            parent,
            asked_by: Some(fx.now + fx.config.settle_timeout),
            until: fx.now + fx.config.leave_timeout,
        }
    }

    pub(super) fn next_deadline(&self) -> Instant {
        self.asked_by
            .map_or(self.until, |asked_by| asked_by.min(self.until))
    }

    /// The act that is due.
    pub(super) fn due(&mut self, now: Instant) -> Option<Due> {
        if self.until <= now {
            return Some(Due::Goodbye);
        }
        let late = self.asked_by.take_if(|asked_by| *asked_by <= now);
        late.map(|_| Due::Look)
    }

    /// Whether the link leads to a child that is about to go elsewhere. One that has not even asked after `settle_timeout`
    /// may be dead.
    pub(crate) fn waits_for(&self, link: &Link) -> bool {
        let State::Child(child) = &link.state else {
            return false;
        };
        match child.intake {
            Intake::Open => false,
            Intake::Invited => self.asked_by.is_some(),
            Intake::Relocating | Intake::Leaving => true,
        }
    }
}
