//! A node's configuration, with every limit that it keeps.

use core::time::Duration;

use crate::flow::MIN_WINDOW;
use crate::path::MAX_DEPTH;
use crate::policy::Policy;
use crate::position::Start;
use crate::slow::SlowPolicy;
use crate::wire::OverlayName;

/// A node's configuration. Start from [`Config::default`] and change what you need.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The tree to join, among those that a server introduces to. Default: `default`.
    pub overlay: OverlayName,

    /// The number of slots for children, candidates included; at most [`MAX_DEGREE`]. 0 makes a node that is always a
    /// leaf. Default 10: a tree of 1,000 nodes is then three levels deep, and a browser tab bears 11
    /// connections well.
    pub max_degree: u16,

    /// The policy that chooses a child for a joiner for which this node has no slot. Default: `Balanced`.
    pub policy: Policy,

    /// The longest time of a WebRTC handshake, on either side. Default 30 s: ICE over a TURN server in
    /// another continent takes up to 10 s, and a candidate that is given up too early costs a whole join.
    pub request_timeout: Duration,

    /// The time for which a request waits for the candidate that is the best parent for it. Then it settles for
    /// a child that is connected.
    ///
    /// Default 2 s: most handshakes take less, so a flash crowd still
    /// gets the complete tree, and one hanging candidate delays no joiner by more. A leaving node waits as
    /// long for a child that has not even asked for another parent: it may be dead.
    pub settle_timeout: Duration,

    /// The time for which a request waits in all, at this node and those above, before it is rejected as `Busy`.
    /// Default 10 s: the joiner is better off with another attempt than with an answer later than this.
    /// An answer that comes after its `request_timeout` is of no use.
    pub wait_timeout: Duration,

    /// The most requests that wait for a candidate or a slot; the next one is rejected as `Busy`. Default 1024:
    /// a flash crowd of that size, 1–2 KiB each, 16 MiB at the very worst.
    pub max_waiting: usize,

    /// The most ICE candidates kept for a waiting request; later ones are dropped. Default 16: a host
    /// with four interfaces and a STUN server has eight.
    pub max_early_ice_candidates: usize,

    /// The most joins whose route is remembered. When the table is full, a new join takes the place of one whose
    /// answer passed longer than `settle_timeout` ago; if there is none, it is rejected as `Busy`. Default 4096:
    /// with handshakes of a second, more than a thousand joins a second pass through one node.
    pub max_routes: usize,

    /// The silence after which a neighbour is sent a heartbeat. Default 5 s.
    pub heartbeat_interval: Duration,

    /// The silence after which a neighbour is taken for dead; at least twice
    /// `heartbeat_interval`. Default 15 s: two lost heartbeats and some delay.
    pub link_timeout: Duration,

    /// The least time between two reports to the parent. Default 200 ms: a churning subtree costs its
    /// parent five small frames a second at the most.
    pub status_interval: Duration,

    /// The time for which a slot must have been free above a deeper node before a node is invited up to it, and the
    /// least time between two such invitations of one node. Default 2 s: a newcomer, or an orphan at its
    /// first attempt, mostly takes the slot before, and saves the move.
    pub rebalance_interval: Duration,

    /// The first wait before another attempt to join or to reach the server; doubles with each
    /// failure. Default 500 ms.
    pub retry_min: Duration,

    /// The longest such wait, whatever a peer asks for. Default 30 s: a whole tree without its
    /// server brings 44 requests a second for each 1,000 nodes.
    pub retry_max: Duration,

    /// The wait that a rejected joiner is told at least. Default 1 s.
    pub retry_after: Duration,

    /// The bytes that a neighbour may have under way to this node in each lane, until this node has taken or passed them;
    /// at least [`MIN_WINDOW`]. The app may hold as much of the root's stream, and twice that of each neighbour's messages,
    /// besides one message of any length. Default 256 KiB: 256 KiB at 100 ms round trip is 2.5 MB/s.
    pub window: u32,

    /// The bytes of this node's own messages that wait for a neighbour's credit before sends are
    /// refused. Default 256 KiB, as much as the window.
    pub send_queue: usize,

    /// The bytes of the root's stream that a node keeps for those that come later, or come back. It holds more only for
    /// those that are behind: up to two windows. Default 1 MiB: at 1 MB/s an orphan that is back within a second misses
    /// nothing.
    pub history: usize,

    /// The longest app message. Default 16 MiB. A node holds one of that length for each neighbour that sends it one, one for
    /// each that has one for the root, and one for the root's stream.
    pub max_message: usize,

    /// Where this node comes into the root's stream when it joins. Default: live. One that comes back to the tree goes on
    /// where it was.
    pub start: Start,

    /// At the root, the tree's policy for nodes that take nothing. Default: wait.
    pub slow: SlowPolicy,

    /// The time for which a node that takes nothing is waited for if the policy is to skip. Default 1 s: a wireless
    /// network's hiccup leaves no gap, and the others hardly notice.
    pub skip_timeout: Duration,

    /// The time after which a node that takes nothing is told of, and disconnected if that is the policy. Default 10 s.
    pub stall_timeout: Duration,

    /// The most questions of the root that a node remembers at once, until their time is over. It answers no more than these.
    /// Default 64: more would be work that one message should spread.
    pub max_asks: usize,

    /// The time for which a leaving node waits for its children to find other parents, and then for a neighbour that
    /// takes nothing any more. One that takes what is left slowly gets 32 times that.
    ///
    /// Default 10 s: most handshakes take less than two. More than the neighbour's `link_timeout` is of no use, because
    /// there is no heartbeat while nothing is taken.
    pub leave_timeout: Duration,

    /// The time for which a lost subtree counts as one that may come back, so that a root that ends its stream waits for
    /// it. Default 15 s: an orphan notices its loss up to a `heartbeat_interval` after this node, and has an answer
    /// within `wait_timeout`.
    pub orphan_timeout: Duration,

    /// The time that the server may take to accept a connection, and to answer the first frame. Default 10 s.
    pub bootstrap_timeout: Duration,

    /// The bugs that the node has on purpose. Default: none.
    #[cfg(planted)]
    pub planted: Option<crate::Planted>,
}

/// The highest `max_degree`. Each child costs a WebRTC connection, and a process has no use for more than some
/// hundreds.
pub const MAX_DEGREE: u16 = 1024;

/// The number of former parents that a node waits for at once. Moves are seconds apart, and what is left for a parent is mostly
/// gone in one.
pub(crate) const MAX_FORMER_PARENTS: usize = 4;

impl Default for Config {
    fn default() -> Self {
        Self {
            overlay: OverlayName::literal("default"),
            max_degree: 10,
            policy: Policy::Balanced,
            request_timeout: Duration::from_secs(30),
            settle_timeout: Duration::from_secs(2),
            wait_timeout: Duration::from_secs(10),
            max_waiting: 1024,
            max_early_ice_candidates: 16,
            max_routes: 4096,
            heartbeat_interval: Duration::from_secs(5),
            link_timeout: Duration::from_secs(15),
            status_interval: Duration::from_millis(200),
            rebalance_interval: Duration::from_secs(2),
            retry_min: Duration::from_millis(500),
            retry_max: Duration::from_secs(30),
            retry_after: Duration::from_secs(1),
            window: 256 * 1024,
            send_queue: 256 * 1024,
            history: 1024 * 1024,
            max_message: 16 * 1024 * 1024,
            start: Start::Live,
            slow: SlowPolicy::Wait,
            skip_timeout: Duration::from_secs(1),
            stall_timeout: Duration::from_secs(10),
            max_asks: 64,
            leave_timeout: Duration::from_secs(10),
            orphan_timeout: Duration::from_secs(15),
            bootstrap_timeout: Duration::from_secs(10),
            #[cfg(planted)]
            planted: None,
        }
    }
}

/// A configuration that no node can keep. More reasons may come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// `max_degree` is above [`MAX_DEGREE`].
    #[error("max_degree {0} exceeds {MAX_DEGREE}")]
    MaxDegree(u16),
    /// A time that must pass between two events is zero.
    #[error("{0} must not be zero")]
    Zero(&'static str),
    /// `link_timeout` is below twice `heartbeat_interval`, so that one late heartbeat would kill a link.
    #[error("link_timeout must be at least twice heartbeat_interval")]
    LinkTimeout,
    /// `retry_max` is below `retry_min`.
    #[error("retry_max must be at least retry_min")]
    Retry,
    /// `window` is below [`MIN_WINDOW`]: some record would never fit.
    #[error("window must be at least {MIN_WINDOW} bytes")]
    Window,
    /// `max_routes` is below `max_degree` plus one: a node would forget its own candidates.
    #[error("max_routes must exceed max_degree")]
    MaxRoutes,
}

impl Config {
    /// Checks that a node can keep this configuration.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let durations = [
            ("request_timeout", self.request_timeout),
            ("settle_timeout", self.settle_timeout),
            ("wait_timeout", self.wait_timeout),
            ("heartbeat_interval", self.heartbeat_interval),
            ("status_interval", self.status_interval),
            ("rebalance_interval", self.rebalance_interval),
            ("retry_min", self.retry_min),
            ("leave_timeout", self.leave_timeout),
            ("skip_timeout", self.skip_timeout),
            ("stall_timeout", self.stall_timeout),
            ("bootstrap_timeout", self.bootstrap_timeout),
        ];
        if let Some((name, _)) = durations.iter().find(|(_, time)| time.as_micros() == 0) {
            return Err(ConfigError::Zero(name));
        }
        if self.max_degree > MAX_DEGREE {
            return Err(ConfigError::MaxDegree(self.max_degree));
        }
        if self.link_timeout < self.heartbeat_interval.saturating_mul(2) {
            return Err(ConfigError::LinkTimeout);
        }
        if self.retry_max < self.retry_min {
            return Err(ConfigError::Retry);
        }
        if self.window < MIN_WINDOW {
            return Err(ConfigError::Window);
        }
        if self.max_routes <= usize::from(self.max_degree) {
            return Err(ConfigError::MaxRoutes);
        }
        Ok(())
    }

    /// The most links that a node has, of any kind: one for each slot, one to the parent, one to a parent-to-be, one
    /// to a child that leaves and has given its slot back, and four to former parents.
    ///
    /// A former parent is one that the node has moved away from, or that the embedder has closed. Its link goes when the
    /// parent has what was queued for it, or takes nothing for a [`leave_timeout`](Self::leave_timeout).
    #[must_use]
    pub fn max_links(&self) -> usize {
        usize::from(self.max_degree) + 1 + 1 + 1 + MAX_FORMER_PARENTS
    }

    /// The time for which a join's route is remembered: as long as the join can go on, each step at its limit.
    pub(crate) fn route_lifetime(&self) -> Duration {
        self.wait_timeout
            .saturating_add(self.request_timeout.saturating_mul(2))
    }
}

const _: () = assert!(MAX_DEPTH < u8::MAX as usize, "hops are counted in a byte");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_valid() {
        assert_eq!(Config::default().validate(), Ok(()));
    }

    #[test]
    fn a_field_that_no_node_can_keep_is_refused_by_its_name() {
        let refused = |change: fn(&mut Config)| {
            let mut config = Config::default();
            change(&mut config);
            config.validate().unwrap_err()
        };
        assert_eq!(
            refused(|c| c.max_degree = 1025),
            ConfigError::MaxDegree(1025)
        );
        assert_eq!(
            refused(|c| c.settle_timeout = Duration::ZERO),
            ConfigError::Zero("settle_timeout")
        );
        assert_eq!(
            refused(|c| c.link_timeout = c.heartbeat_interval),
            ConfigError::LinkTimeout
        );
        assert_eq!(
            refused(|c| c.retry_max = Duration::ZERO),
            ConfigError::Retry
        );
        assert_eq!(refused(|c| c.window = 1024), ConfigError::Window);
        assert_eq!(refused(|c| c.max_routes = 10), ConfigError::MaxRoutes);
    }
}
