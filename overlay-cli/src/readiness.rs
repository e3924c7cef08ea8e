//! When a root begins: with as many nodes as it was told to wait for, or when no more come.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// Without `--wait-for`, the tree counts as ready when it has not grown for this long …
pub(crate) const QUIET: Duration = Duration::from_secs(2);

/// … or this long after the first node, even if more are about to join.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// A tree that grows.
#[derive(Debug, Default)]
pub(crate) struct Readiness {
    wanted: Option<usize>,
    nodes: usize,
    quiet_until: Option<Instant>,
    ready_by: Option<Instant>,
}

impl Readiness {
    /// Waits for this many nodes, or until the tree has not grown for a while.
    pub(crate) fn new(wanted: Option<usize>) -> Self {
        Self {
            wanted,
            ..Self::default()
        }
    }

    /// The tree has so many nodes now. True if that is enough.
    pub(crate) fn has(&mut self, nodes: usize) -> bool {
        if let Some(wanted) = self.wanted {
            return nodes >= wanted;
        }
        if nodes == 0 {
            (self.quiet_until, self.ready_by) = (None, None);
        } else if nodes > self.nodes {
            let limit = *self.ready_by.get_or_insert(Instant::now() + LONGEST_WAIT);
            self.quiet_until = Some(limit.min(Instant::now() + QUIET));
        }
        self.nodes = nodes;
        false
    }

    /// Resolves when no more nodes are waited for.
    pub(crate) async fn quiet(&self) {
        match self.quiet_until {
            Some(until) => sleep_until(until).await,
            None => std::future::pending().await,
        }
    }
}
