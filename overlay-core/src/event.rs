//! What happens to a node.

use bytes::Bytes;

use crate::action::Receipt;
use crate::ask::{Ask, AskId};
use crate::id::{BootstrapId, LinkId};
use crate::path::Way;
use crate::signal::{Sdp, Signal};
use crate::time::Instant;
use crate::wire::Token;

/// Something that happened, and when.
#[derive(Debug, PartialEq, Eq)]
pub struct Event {
    /// The embedder's clock. If it is before the latest moment seen, that one is used.
    pub now: Instant,
    /// The kind of event.
    pub kind: EventKind,
}

impl Event {
    /// `kind` at `now`.
    #[must_use]
    pub const fn new(now: Instant, kind: EventKind) -> Self {
        Self { now, kind }
    }
}

/// A kind of event. An event about a link or server connection that the node has already closed is normal, and
/// changes nothing.
///
/// Exhaustive on purpose: an embedder that does not know of an event can't report it, and the compiler should say so.
#[derive(Debug, PartialEq, Eq)]
pub enum EventKind {
    // ── The embedder's wishes ──
    /// Join the tree, and stay in it: after a failure or the loss of the parent the node tries again
    /// until it is told to leave. No effect unless the node is detached.
    Join,
    /// Lead a tree. With a token, ask the server to be its root: if there is another root, the node joins that one's
    /// tree as a standby. Without a token the node is the root at once, and the embedder introduces joiners by other
    /// means, or has none. No effect unless the node is detached.
    BecomeRoot(Option<Token>),
    /// Leave the tree: let the children find other parents, finish sending, say goodbye, close every link. A
    /// node that is told twice does not wait for its children.
    Leave,
    /// Send an app message to a neighbour: the parent or a child.
    Send {
        /// The neighbour's link.
        to: LinkId,
        /// At most [`max_message`](crate::Config::max_message) bytes.
        payload: Bytes,
    },
    /// Send an app message of at most [`max_message`](crate::Config::max_message) bytes to every node of the tree. Only the
    /// root may.
    Broadcast(Bytes),
    /// End the root's stream with a last message, of at most [`MAX_LAST`](crate::wire::MAX_LAST) bytes. A node that comes in
    /// later gets it as well, and when the root has left, the server tells it for a while. Only the root may, and once.
    End(Bytes),
    /// Send an app message of at most [`max_message`](crate::Config::max_message) bytes to the root. It waits while the node
    /// looks for a parent. It comes once, or not at all: what a node on its way holds, or a link carries, is lost when that fails.
    SendUp(Bytes),
    /// Send an app message to a node that has sent one to this node, the root. What becomes of it comes as
    /// [`Notification::Replied`](crate::Notification::Replied).
    Reply {
        /// The way back, as it came with the node's message.
        to: Way,
        /// The app's name for the reply.
        tag: u64,
        /// At most [`max_message`](crate::Config::max_message) bytes.
        payload: Bytes,
    },
    /// Ask every node. The answers come as [`Notification::Answers`](crate::Notification::Answers), before the time is over
    /// if all have answered. Only the root may.
    Ask(Ask),
    /// The app's answer to a question, once; `None` if it has none, so that nobody waits for it.
    Answer(AskId, Option<Bytes>),
    /// The app has combined two answers to one.
    Combined(AskId, Bytes),
    /// Take back the message that this neighbour was last sent, as far as it has not gone out. What has gone out of it, the
    /// neighbour drops. No effect if all of it has.
    CancelSend(LinkId),
    /// Take back the latest broadcast, as far as it is not in the stream. What is, all nodes drop. No effect if all of it is.
    CancelBroadcast,
    /// Take back the latest message to the root, as [`CancelSend`](Self::CancelSend) does. No effect if all of it has gone out.
    CancelSendUp,
    /// The app has taken a delivered message, so its sender may send as much again.
    Consumed(Receipt),
    /// Close the link to a neighbour: finish sending, say goodbye. A node that closes the link to its
    /// parent looks for another one.
    Close(LinkId),

    // ── The connection to the bootstrap server ──
    /// The server has accepted the connection.
    BootstrapOpened(BootstrapId),
    /// The server has sent a message.
    BootstrapMessage(BootstrapId, Bytes),
    /// The connection has failed or was closed by the server.
    BootstrapClosed(BootstrapId),

    // ── The WebRTC links ──
    /// The offer for a link opened with [`Dial::Offer`](crate::Dial::Offer); comes before its ICE candidates.
    LinkOffer(LinkId, Sdp),
    /// The answer for a link opened with [`Dial::Answer`](crate::Dial::Answer), or an ICE candidate of this side.
    LinkSignal(LinkId, Signal),
    /// The link's data channel is open.
    LinkOpened(LinkId),
    /// A message has come through the link's data channel.
    LinkMessage(LinkId, Bytes),
    /// The link's data channel has taken all that it was given: comes after each
    /// [`TransmitData`](crate::Action::TransmitData), once for several. What it then holds itself should be little, so that
    /// nothing urgent waits behind it.
    LinkDrained(LinkId),
    /// The link has failed or was closed by the peer.
    LinkClosed(LinkId),

    // ── Time ──
    /// [`Node::next_deadline`](crate::Node::next_deadline) has come.
    Timeout,
}
