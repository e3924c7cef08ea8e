//! The policy for nodes that take the root's stream more slowly than the others.

use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Serialize};

/// The consequence of a receiver that takes nothing. The root's word holds in the whole tree.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum SlowPolicy {
    /// Everybody waits for it, however long it takes, and nothing is lost: for files and pipes.
    #[default]
    Wait,
    /// After a [`skip_timeout`](crate::Config::skip_timeout) nobody waits for it. It goes on with what is there when it takes
    /// again, and is told of the gap: for live streams.
    Skip,
    /// After a [`stall_timeout`](crate::Config::stall_timeout) its parent closes the link. It comes back as an orphan does.
    Disconnect,
}

impl SlowPolicy {
    const ALL: [Self; 3] = [Self::Wait, Self::Skip, Self::Disconnect];

    /// The name on command lines: `wait`, `skip` or `disconnect`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Wait => "wait",
            Self::Skip => "skip",
            Self::Disconnect => "disconnect",
        }
    }
}

impl fmt::Display for SlowPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// The text is not the name of a policy for slow receivers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the policy for slow nodes is `wait`, `skip` or `disconnect`")]
pub struct ParseSlowPolicyError;

impl FromStr for SlowPolicy {
    type Err = ParseSlowPolicyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let named = |policy: &Self| policy.name() == text;
        Self::ALL
            .into_iter()
            .find(named)
            .ok_or(ParseSlowPolicyError)
    }
}
