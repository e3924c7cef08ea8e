//! How far a node's own way into the tree is, for embedders to show and for simulations to explain.

use super::joining::{Joining, Stage};
use super::link::DialStage;
use super::{Node, Role};
use crate::id::{JoinId, LinkId};
use crate::time::Instant;

/// How far a node that wants a parent has come, step by step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Until the next attempt: the node has lost its parent, or an attempt has failed.
    Waiting {
        /// When the attempt begins.
        until: Instant,
    },
    /// Until the server is ready.
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

impl Node {
    /// How far the node's own way into the tree is; `None` unless it is
    /// [joining](super::Standing::Joining).
    #[must_use]
    pub fn progress(&self) -> Option<Progress> {
        let Role::Joining(Joining { stage, .. }) = &self.role else {
            return None;
        };
        Some(match stage {
            Stage::Waiting { until } => Progress::Waiting { until: *until },
            Stage::Introducing => Progress::Introducing,
            Stage::Dialing(_) => {
                let (link, join, stage) = self.current_dial()?;
                match stage {
                    DialStage::Offering => Progress::Offering { link, join },
                    DialStage::Requested => Progress::Requested { link, join },
                    DialStage::Answered => Progress::Answered { link, join },
                    DialStage::Greeted | DialStage::Welcomed => Progress::Greeted { link, join },
                }
            }
        })
    }
}
