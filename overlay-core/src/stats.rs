//! Counters: what a node has done and what was done to it.

/// Counts since the node was made. Each only grows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Join requests that were accepted: each made a candidate.
    pub joins_accepted: u64,
    /// Join requests that were passed on to a child.
    pub joins_delegated: u64,
    /// Join requests that had to wait for a candidate or a slot.
    pub joins_queued: u64,
    /// Join requests that this node rejected.
    pub joins_rejected: u64,
    /// Requests among them that a root rejected because its lease was over.
    pub lease_over: u64,
    /// Candidates that never became children.
    pub candidates_failed: u64,
    /// Signals, rejections and cancellations of a join that this node does not (or no longer)
    /// remember, or that came from a peer that has no right to them.
    pub join_frames_dropped: u64,
    /// Events about links and server connections that were already gone.
    pub late_events: u64,
    /// Links closed because the neighbour sent garbage or broke the protocol.
    pub protocol_errors: u64,
    /// Links closed because the neighbour fell silent.
    pub silent_neighbours: u64,
    /// App messages delivered to the app.
    pub messages_delivered: u64,
    /// Frames of the root's stream sent to children, one for each child.
    pub stream_frames_sent: u64,
    /// Invitations to move that this node has followed up.
    pub moves_begun: u64,
    /// Moves that ended below another parent.
    pub moves_done: u64,
    /// Moves that came to nothing, with the old parent still there.
    pub moves_given_up: u64,
    /// Children that went to another parent because this node left.
    pub children_rehomed: u64,
    /// Children that were asked to make room for a joiner with a larger subtree.
    pub children_displaced: u64,
    /// Orphans that were led to the slot of their lost parent.
    pub hints_followed: u64,
    /// Frames of the root's stream that came a second time, through another parent, and were dropped.
    pub records_repeated: u64,
    /// Moves given up because the new parent no longer had what this node needs of the root's stream.
    pub moves_without_loss: u64,
    /// Messages for the root that were dropped: those of a former child for which there was no room without its link.
    pub upward_dropped: u64,
    /// Messages of the server that were no frames of this protocol.
    pub server_garbage: u64,
}
