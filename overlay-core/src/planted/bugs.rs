//! The bugs.

use core::fmt;

/// Declares the bugs, and the list of them.
macro_rules! bugs {
    ($($(#[$doc:meta])* $bug:ident,)*) => {
        /// What a node with [`Config::planted`](crate::Config::planted) does wrong. It does everything else right.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Planted {
            $($(#[$doc])* $bug,)*
        }

        impl Planted {
            /// All of them.
            pub const ALL: [Self; [$(Self::$bug,)*].len()] = [$(Self::$bug,)*];
        }
    };
}

bugs! {
    // ── Other nodes' joins ──
    /// The slot of a candidate that fails stays taken.
    SlotNotFreed,
    /// A candidate that never connects is given up after ten times the `request_timeout`.
    CandidateNeverTimesOut,
    /// A node from above is accepted below.
    LoopCheckGone,
    /// A child that comes back on another link is a child twice.
    TwinKept,
    /// A joiner is sent to the link that it has lost itself.
    TwinChosen,
    /// Requests that wait for a candidate are lost when it fails, as in the original.
    WaitingForgotten,
    /// `max_waiting` is ignored.
    WaitingWithoutLimit,
    /// ICE candidates that came while a request waited do not follow it to the child.
    EarlyIceCandidatesLost,
    /// A slot promised to a request that waits no more stays promised.
    PromiseKept,

    /// A transition is skipped: that a candidate's channel has opened is not noted.
    OpeningForgotten,

    // ── Moves ──
    /// Joins are sent to a child that is invited to go elsewhere.
    ClosedChildChosen,
    /// A node that has moved does not tell its children its path.
    PathKeptAfterMove,
    /// A transition is skipped: a node whose move has come to nothing still takes itself for one that moves.
    MoveNeverOver,
    /// A child is invited that is invited already.
    InvitedTwice,
    /// The depth that a move must not exceed is ignored.
    MaxDepthIgnored,
    /// A node moves although the new parent no longer has what it needs.
    MoveWithLoss,
    /// What a new parent brings once more is taken for new.
    PositionNotChecked,

    // ── The routes of joins ──
    /// The route of a failed candidate is still remembered: signals go to a link that is closed.
    RouteNotRemoved,
    /// The routes to a child that is gone are kept, and the joiners there are not told.
    RouteKeptTooLong,
    /// A joiner gives up, and no node on its route cares.
    CancelIgnored,

    // ── The census ──
    /// A request sent to a child is not counted: its reports always seem to be old.
    RequestNotCounted,
    /// A subtree that has shrunk is not reported to the parent.
    ReportForgotten,

    // ── This node's own join ──
    /// After an attempt that ended without an answer there is no other, until the server is gone.
    RetryForgotten,
    /// What belongs to an earlier attempt is taken for an answer to the present one.
    StaleAnswerTaken,
    /// The connection to the server is not closed when a parent is found.
    ServerKept,
    /// A node from below is taken as the parent.
    LoopWelcomed,
    /// The children are not told this node's path.
    PathNotPassedOn,

    // ── The root ──
    /// A root takes joiners in although another may have been made the root meanwhile.
    LeaseIgnored,
    /// A standby that is promoted goes on in the epoch of the root before it.
    EpochKept,
    /// An epoch below the one that the node has seen is taken from a parent.
    StaleEpochAccepted,

    // ── Links ──
    /// Children get no heartbeats.
    HeartbeatForgotten,
    /// Neighbours are taken for dead after this node itself was asleep.
    StallBlamedOnOthers,
    /// The end of a link that is gone is taken for the end of the one in its place in the table.
    LateEventTaken,
    /// The goodbye does not wait for what is queued.
    GoodbyeTooEarly,

    // ── App messages ──
    /// When credit comes, the second message in the queue overtakes the first.
    OutboxReordered,
    /// `send_queue` is ignored for messages to a neighbour.
    SendQueueWithoutLimit,
    /// The parent gets no credit for what all have passed.
    CreditForgotten,
    /// A child that is gone still holds the others up.
    SlowKept,
    /// An app is not told of a gap.
    GapNotTold,
    /// A child that had to wait for credit misses a record.
    FeedSkipsOne,
    /// A child that comes back goes on at the head of the log, as if it had had all before.
    ReplayFromTheHead,
    /// The parent gets credit for what a child has not passed.
    CreditForWhatIsHeld,
    /// What a slow child still needs is dropped from the log.
    TrimmedTooEarly,
    /// The last part of a message is put in front of the others.
    PartsReversed,
    /// A child that comes in behind the end of the stream gets nothing of it.
    EndNotRepeated,

    // ── Messages that pass ──
    /// A child's answer to a question is taken twice.
    AnswerCountedTwice,
    /// A reply whose next node is gone is lost, and the root not told.
    ReplyForgotten,
    /// A node that moves sends what its old parent still gets to the new one as well.
    UpRepeated,
}

impl fmt::Display for Planted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}
