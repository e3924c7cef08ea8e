//! Leadership of an overlay: epochs, leases and standbys.
//!
//! A root leads for an *epoch*, and the server gives each epoch to one node. A root that has merely lost its
//! connection gets its epoch back when it returns. A root that stays away is succeeded by the standby that has
//! waited longest, in a higher epoch. That never happens before
//!
//! - the *grace* is over, which is the root's time to come back, and
//! - its *lease* has run out: a root admits joiners only for so long after it sent a ping that the server answered
//!   (Gray and Cheriton, Leases, SOSP 1989). So no two roots admit joiners at once.
//!
//! A server that was restarted has forgotten all this. So a root and its standbys say which epoch they have seen. A
//! root goes on in its own epoch; a standby waits for that root as if it had just left. If two former roots come
//! back, the one with the higher epoch leads, and the other is a standby.

use crate::id::{ConnectionId, Epoch, NodeId};
use crate::time::Instant;

/// The leadership of one overlay. It changes only by the transitions below.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Leadership {
    /// This server has heard of no root.
    Unknown,
    /// A root is connected.
    Held {
        term: Term,
        connection: ConnectionId,
    },
    /// The root is gone. It may come back; from `until` on, a standby is promoted.
    Vacant { term: Term, until: Instant },
}

/// An epoch, and the root that leads in it. The root is unknown if only a standby has told of the epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Term {
    pub(super) root: Option<NodeId>,
    pub(super) epoch: Epoch,
}

/// A claim: the role that a client with the root's token asks for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Claim {
    pub(super) id: NodeId,
    /// The highest epoch that the client has seen.
    pub(super) seen: Epoch,
    /// Whether the client says that it is the root of that epoch.
    pub(super) leads: bool,
}

/// The role that a client with the root's token gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The root, in the epoch that it has led before.
    Continues(Epoch),
    /// The root, in a new epoch.
    Succeeds,
    /// A standby.
    Waits,
}

impl Leadership {
    pub(super) const fn term(&self) -> Option<Term> {
        match self {
            Self::Unknown => None,
            Self::Held { term, .. } | Self::Vacant { term, .. } => Some(*term),
        }
    }

    pub(super) fn epoch(&self) -> Option<Epoch> {
        self.term().map(|term| term.epoch)
    }

    /// The connection of the root.
    pub(super) const fn root(&self) -> Option<ConnectionId> {
        match self {
            Self::Held { connection, .. } => Some(*connection),
            Self::Unknown | Self::Vacant { .. } => None,
        }
    }

    /// When a standby is promoted.
    pub(super) const fn vacant_until(&self) -> Option<Instant> {
        match self {
            Self::Vacant { until, .. } => Some(*until),
            Self::Unknown | Self::Held { .. } => None,
        }
    }

    /// Unknown or Vacant → Held.
    pub(super) fn assume(&mut self, root: NodeId, epoch: Epoch, connection: ConnectionId) {
        debug_assert!(self.root().is_none(), "one root at a time");
        *self = Self::Held {
            term: Term {
                root: Some(root),
                epoch,
            },
            connection,
        };
    }

    /// Held → Vacant. Says whether it was held.
    pub(super) const fn vacate(&mut self, until: Instant) -> bool {
        let Self::Held { term, .. } = *self else {
            return false;
        };
        *self = Self::Vacant { term, until };
        true
    }

    /// Unknown → Vacant: a standby tells of an epoch. Where the leadership is known, that changes nothing.
    pub(super) fn recall(&mut self, seen: Epoch, until: Instant) {
        if *self == Self::Unknown {
            *self = Self::Vacant {
                term: Term {
                    root: None,
                    epoch: seen,
                },
                until,
            };
        }
    }

    /// The verdict on a claim. `own`: the connection that the client's id has here already, which may well be dead.
    pub(super) fn judge(
        &self,
        claim: Claim,
        own: Option<ConnectionId>,
        has_standbys: bool,
        now: Instant,
    ) -> Verdict {
        let continues = claim.leads
            && claim.seen > Epoch::default()
            && self.term().is_none_or(|term| term.yields_to(claim));
        let may_lead = match self {
            Self::Held { connection, .. } => continues || own == Some(*connection),
            Self::Vacant { until, .. } => continues || *until <= now && !has_standbys,
            // A client that has seen an epoch knows of a root that may come back.
            Self::Unknown => continues || claim.seen == Epoch::default() && !has_standbys,
        };
        match (may_lead, continues) {
            (false, _) => Verdict::Waits,
            (true, true) => Verdict::Continues(claim.seen),
            (true, false) => Verdict::Succeeds,
        }
    }
}

impl Term {
    /// Whether a client that says that it leads has this term, or a later one.
    fn yields_to(&self, claim: Claim) -> bool {
        let same_root = self.root.is_none_or(|root| root == claim.id);
        claim.seen > self.epoch || claim.seen == self.epoch && same_root
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arena::Id;

    const NOW: Instant = Instant::from_millis(10);

    fn connection(index: u32) -> ConnectionId {
        ConnectionId::from_parts(index, 1)
    }

    fn node(id: u128) -> NodeId {
        NodeId::from_u128(id)
    }

    /// Node 1 leads in epoch 5, or has done so.
    fn leaderships() -> [Leadership; 4] {
        let term = Term {
            root: Some(node(1)),
            epoch: Epoch(5),
        };
        let vacant = |ms| Leadership::Vacant {
            term,
            until: Instant::from_millis(ms),
        };
        let connection = connection(1);
        [
            Leadership::Unknown,
            Leadership::Held { term, connection },
            vacant(11),
            vacant(10),
        ]
    }

    /// The verdict on the claim in each of the [`leaderships`], without and with standbys.
    fn verdicts(claim: Claim, own: Option<ConnectionId>) -> [[Verdict; 2]; 4] {
        leaderships().map(|leadership| {
            [false, true].map(|has_standbys| leadership.judge(claim, own, has_standbys, NOW))
        })
    }

    #[test]
    fn a_new_claimant_leads_where_no_root_is_awaited_and_no_standby_waits() {
        use Verdict::{Succeeds, Waits};
        let new_claimant = Claim {
            id: node(2),
            seen: Epoch(0),
            leads: false,
        };
        let expected = [
            [Succeeds, Waits],
            [Waits, Waits],
            [Waits, Waits],
            [Succeeds, Waits],
        ];
        assert_eq!(verdicts(new_claimant, None), expected);
        let knows_of_a_root = Claim {
            seen: Epoch(4),
            ..new_claimant
        };
        let expected = [
            [Waits, Waits],
            [Waits, Waits],
            [Waits, Waits],
            [Succeeds, Waits],
        ];
        assert_eq!(verdicts(knows_of_a_root, None), expected);
    }

    #[test]
    fn a_returning_root_continues_whatever_has_happened_since_but_a_later_epoch() {
        let returning = |id, epoch| Claim {
            id: node(id),
            seen: Epoch(epoch),
            leads: true,
        };
        let continues = |epoch| [[Verdict::Continues(Epoch(epoch)); 2]; 4];
        assert_eq!(verdicts(returning(1, 5), None), continues(5));
        assert_eq!(verdicts(returning(2, 6), None), continues(6));
        // Another node's epoch, and an epoch before the present one.
        for claim in [returning(2, 5), returning(2, 4)] {
            assert!(verdicts(claim, None)[1..3] == [[Verdict::Waits; 2]; 2]);
        }
    }

    #[test]
    fn a_root_takes_over_from_its_own_dead_connection() {
        let restarted = Claim {
            id: node(1),
            seen: Epoch(0),
            leads: false,
        };
        let verdicts = verdicts(restarted, Some(connection(1)));
        assert_eq!(verdicts[1], [Verdict::Succeeds; 2]);
    }

    #[test]
    fn leadership_is_held_between_assuming_and_vacating_it() {
        for mut leadership in leaderships() {
            let before = leadership;
            let held = leadership.root().is_some();
            assert_eq!(leadership.vacate(NOW), held);
            assert_eq!(
                leadership.vacant_until() == Some(NOW),
                held || before.vacant_until() == Some(NOW)
            );
            leadership.assume(node(3), Epoch(7), connection(3));
            assert_eq!(leadership.root(), Some(connection(3)));
            assert_eq!(leadership.epoch(), Some(Epoch(7)));
        }
    }

    #[test]
    fn a_standbys_epoch_counts_only_where_no_root_is_known() {
        for before in leaderships() {
            let mut leadership = before;
            leadership.recall(Epoch(9), NOW);
            if before == Leadership::Unknown {
                assert_eq!(leadership.epoch(), Some(Epoch(9)));
                assert_eq!(leadership.vacant_until(), Some(NOW));
            } else {
                assert_eq!(leadership, before);
            }
        }
    }
}
