//! Nodes that were lost from this subtree, and may come back.
//!
//! A child whose link is gone may be alive, and if it is dead, the nodes below it are. They look for new parents, which
//! takes a while. Until then the subtree is not *settled*: a root that ends its stream waits for them.

use crate::census::Census;
use crate::close::CloseReason;
use crate::node::effects::Effects;
use crate::time::Instant;

/// The time until which nodes that were lost may come back.
#[derive(Debug, Default)]
pub(super) struct Orphans {
    until: Option<Instant>,
}

impl Orphans {
    /// A child is gone, and with it a subtree that it had reported.
    pub(super) fn lost(&mut self, subtree: &Census, reason: CloseReason, fx: &Effects) {
        let comes_back = match reason {
            // It is below another node already, with all of its subtree.
            CloseReason::Moved | CloseReason::Replaced => false,
            CloseReason::PeerLeft => subtree.size() > 1,
            _ => true,
        };
        if comes_back && subtree.finished() < subtree.size() {
            self.until = Some(fx.now + fx.config.orphan_timeout);
        }
    }

    pub(super) const fn next_deadline(&self) -> Option<Instant> {
        self.until
    }

    /// True once when all have had long enough.
    pub(super) fn expire(&mut self, now: Instant) -> bool {
        self.until.take_if(|until| *until <= now).is_some()
    }

    pub(super) const fn are_awaited(&self) -> bool {
        self.until.is_some()
    }
}
