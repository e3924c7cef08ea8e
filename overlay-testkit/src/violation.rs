//! The invariants of the overlay, and the report that one of them does not hold.

use core::fmt;

/// A property of every run.
///
/// Most hold after every event. The last group, and that the tree is complete, hold some time after the faults have
/// stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
#[non_exhaustive]
pub enum Invariant {
    // ── One node, seen by an embedder that believes every word ──
    /// A link is opened once.
    #[error("a link id is never used twice")]
    LinkIdsAreFresh,
    /// Nothing is wanted of a link that is closed or was never opened.
    #[error("no action concerns a dead link")]
    NoActionForADeadLink,
    /// Messages are transmitted on open channels only.
    #[error("a node transmits on open channels only")]
    TransmitsOnOpenChannels,
    /// What a node sends is a frame of the protocol, within its length.
    #[error("a node sends well-formed frames only")]
    FramesAreWellFormed,
    /// At most one connection to the server, with ids that count up.
    #[error("a node has one server connection at most and uses only that")]
    OneServerConnection,
    /// Taken slots never exceed `max_degree`; one child that leaves may come on top.
    #[error("taken slots never exceed max_degree")]
    MaxDegree,
    /// An event causes a bounded number of actions.
    #[error("the actions for one event are bounded")]
    ActionsAreBounded,
    /// After an event, `next_deadline` lies in the future.
    #[error("after an event the next deadline lies in the future")]
    DeadlinesLieAhead,
    /// A node that waits for anything always has a deadline.
    #[error("a node that waits has a timer running")]
    WaitingHasADeadline,
    /// The notifications tell the same parent and children as the queries.
    #[error("the app is told of the same neighbours that the node has")]
    AppKnowsTheNeighbours,
    /// Deliveries come from neighbours.
    #[error("app messages come from neighbours only")]
    DeliveriesComeFromNeighbours,
    /// A detached node has nothing open.
    #[error("a detached node holds nothing")]
    DetachedHoldsNothing,

    /// Every table and queue is within its limit.
    #[error("every table and queue is within its limit")]
    QueuesAreBounded,
    /// Only joiners, the root and standbys are connected to the server.
    #[error("a member needs no server")]
    MembersNeedNoServer,
    /// No ancestor of a node is accepted below it, and no node is its own ancestor.
    #[error("no node is accepted below itself")]
    NoLoopIsAccepted,
    /// A joiner's request does not go to the link that the joiner has lost.
    #[error("no request is delegated to its own joiner")]
    NoRequestReachesItsJoiner,
    /// A child that is invited to move gets no requests and no second invitation until it says that it stays;
    /// nor does a child that leaves.
    #[error("a child that moves or leaves is sent no joiners")]
    ClosedIntakesStayClosed,
    /// A node that is invited up takes the free slot or stays where it is.
    #[error("a node that moves up ends no deeper than its invitation allows")]
    MovesRise,
    /// No neighbour makes a node obey an epoch before the one that it has seen.
    #[error("no neighbour takes a node back to an earlier epoch")]
    EpochsRise,
    /// A neighbour is given up as silent only if it was.
    #[error("a neighbour that is given up as silent was silent while this node listened")]
    SilenceIsReal,

    /// The core's machines do not panic, whatever they are told; nor does the simulator.
    #[error("nothing panics")]
    NothingPanics,

    // ── The bootstrap server ──
    /// The server answers clients that are connected, with well-formed frames.
    #[error("the server sends well-formed frames to its clients only")]
    ServerKnowsItsClients,

    // ── The tree as a whole ──
    /// No node descends from itself.
    #[error("the graph of parents has no cycle")]
    NoCycle,

    /// No two nodes are ever the root of the same epoch.
    #[error("an epoch has one root")]
    OneRootPerEpoch,
    /// A former root admits no joiner once its lease is over.
    #[error("two roots do not admit joiners at once for longer than a lease")]
    OneRootAdmitsJoiners,

    /// A join ends in a link or a rejection, not in silence. Checked where no fault has struck that may have
    /// swallowed it, and where an answer comes in time even along a chain of all machines.
    #[error("every join has an answer")]
    EveryJoinIsAnswered,
    /// A joiner that gives up gives its slot back.
    #[error("no slot is held for a joiner that has given up")]
    NoSlotIsHeldForNothing,
    /// An answer is applied to the offer that it answers.
    #[error("an answer is applied to the offer that it answers")]
    AnswersMatchOffers,
    /// The tree is the complete one where no node leaves and nothing fails.
    #[error("without churn the tree is complete")]
    TreeIsComplete,
    /// No node has a reason to move where none leaves and nothing fails.
    #[error("without churn no node moves")]
    NoNeedlessMoves,
    /// Nodes move until the tree is the complete one again, once all are attached.
    #[error("the tree becomes complete again")]
    TreeIsBalanced,

    // ── App messages ──
    /// What arrives on a link is what was sent on it, in that order.
    #[error("a link loses, doubles and reorders nothing before it closes")]
    LinksAreFifo,
    /// A link that is closed with a goodbye has delivered everything before.
    #[error("a goodbye comes after everything else that was sent")]
    GoodbyesComeLast,
    /// A broadcast is delivered as it was sent, and with the position that it has in the root's stream. Checked where no node
    /// has lied.
    #[error("a broadcast arrives as it was sent")]
    BroadcastsAreTrue,
    /// Between the first broadcast that a node gets and the last, none is missing and none comes twice, unless a gap is told
    /// before the next one; and its bounds are true. Checked where no node has lied.
    #[error("a broadcast comes once, or is in a gap that is told")]
    GapsAreTold,
    /// No node misses a broadcast without a fault, be it that it moves. Checked where no node is to be skipped.
    #[error("no gap without a fault")]
    GapsHaveACause,
    /// A message comes to the root once, from the node that has sent it. Checked where no node has lied, as those that follow.
    #[error("a message to the root comes once, as it was sent")]
    UpsAreTrue,
    /// A reply comes to the node that it is for, once, and the root is told once what has become of it.
    #[error("a reply comes once, and the root hears of its end once")]
    RepliesAreTrue,
    /// The answers to a question are those that nodes have given, and none counts twice.
    #[error("no answer counts twice")]
    AnswersAreTrue,
    /// Only a node that has lost its link comes back on another one.
    #[error("no link is replaced that both sides still have")]
    NoLivingLinkIsReplaced,

    // ── When the faults have stopped ──
    /// Every node that lives and wants to is in the tree.
    #[error("every node that lives and wants to is in the tree")]
    AllAreAttached,
    /// A root that another one has succeeded steps down.
    #[error("in the end there is one root")]
    OneRootRemains,
    /// Parents and children know each other, and each path is the parent's and one more.
    #[error("parents and children agree, on their link and on their path")]
    NeighboursAgree,
    /// The root has counted every node.
    #[error("the root's census counts every node")]
    CensusIsTrue,
    /// No link closes any more, once all nodes are attached.
    #[error("when all is calm no link closes")]
    CalmIsCalm,
    /// A broadcast reaches every node, once, and with it all that was broadcast before.
    #[error("a broadcast reaches every node, once")]
    BroadcastsReachAll,
    /// Each node's message reaches the root, each reply its node, and each node answers a question.
    #[error("what passes through nodes arrives, and is answered")]
    EverythingPasses,
    /// The end of a stream reaches every node, whatever happened while it was under way, and the root learns that.
    #[error("the end of the stream reaches every node, and the root learns it")]
    EndReachesAll,
}

/// An invariant that does not hold, and what was seen instead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("violated: {invariant}\n  {detail}")]
pub struct Violation {
    /// The invariant that does not hold.
    pub invariant: Invariant,
    /// The observation that contradicts it.
    pub detail: String,
}

impl Invariant {
    /// Checks this invariant. Returns a violation with `detail` if `condition` is false.
    pub fn holds<D: fmt::Display>(
        self,
        condition: bool,
        detail: impl FnOnce() -> D,
    ) -> Result<(), Violation> {
        if condition {
            return Ok(());
        }
        Err(self.broken(detail()))
    }

    /// The report that the invariant does not hold.
    pub fn broken(self, detail: impl fmt::Display) -> Violation {
        Violation {
            invariant: self,
            detail: detail.to_string(),
        }
    }
}
