//! What a node wants done.

use bytes::Bytes;

use crate::ask::{AskId, Asked};
use crate::close::CloseReason;
use crate::id::{BootstrapId, LinkId, NodeId};
use crate::notification::Notification;
use crate::path::Way;
use crate::position::Position;
use crate::signal::{Sdp, Signal};
use crate::wire::Lane;

/// Something for the embedder to do, in the order given.
///
/// Exhaustive on purpose: an embedder that leaves an action out breaks the protocol, and the compiler should say so.
#[derive(Debug, PartialEq, Eq)]
pub enum Action {
    /// Start a WebRTC connection with one ordered, reliable data channel.
    OpenLink(LinkId, Dial),
    /// Give the connection a signal of the other side.
    ApplySignal(LinkId, Signal),
    /// Send one message on the link's data channel.
    Transmit(LinkId, Bytes),
    /// As [`Transmit`](Self::Transmit), of app messages. When the channel has taken all that it was given on this link, hand in
    /// [`LinkDrained`](crate::EventKind::LinkDrained): until then small messages wait, and travel together.
    TransmitData(LinkId, Bytes),
    /// Close the connection, after what was transmitted before. No event about it is expected.
    CloseLink(LinkId, CloseReason),
    /// Connect to a bootstrap server.
    ConnectBootstrap(BootstrapId),
    /// Send one message to the server.
    SendBootstrap(BootstrapId, Bytes),
    /// Close the connection to the server, after what was sent before.
    CloseBootstrap(BootstrapId),
    /// Hand an app message to the app, and its receipt back when the app has taken it.
    Deliver(Delivery),
    /// Ask the app, which answers with [`EventKind::Answer`](crate::EventKind::Answer), or says so that it does not.
    Ask(Asked),
    /// Have the app combine two answers, and hand in what becomes of them with
    /// [`EventKind::Combined`](crate::EventKind::Combined).
    Combine {
        /// The question.
        ask: AskId,
        /// One answer, perhaps combined already.
        left: Bytes,
        /// The other.
        right: Bytes,
    },
    /// Tell the app.
    Notify(Notification),
}

/// Which side of the WebRTC handshake a link is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Dial {
    /// Make an offer.
    Offer,
    /// Answer this offer.
    Answer(Sdp),
}

/// An app message that has arrived.
#[derive(Debug, PartialEq, Eq)]
pub struct Delivery {
    /// The node that sent it: a neighbour, or the root.
    pub from: NodeId,
    /// Whether it was for this node alone or for the whole tree.
    pub scope: Scope,
    /// The app's bytes.
    pub payload: Bytes,
    /// The receipt to hand back.
    pub receipt: Receipt,
}

/// The receivers of an app message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// This node, from its neighbour at the other end of this link.
    Direct(LinkId),
    /// Every node, from the root: the message at this position of its stream.
    Broadcast(Position),
    /// Every node, from the root, which broadcasts nothing after it: the last message of its stream.
    End(Position),
    /// The root: this node. A reply finds its way back to the sender by this.
    Root(Way),
    /// This node, from the root: a reply to a message that it has sent up.
    Reply,
}

/// The right of a delivered message's sender to send as much again. Hand it back with
/// [`EventKind::Consumed`](crate::EventKind::Consumed) when the app has taken the message; a receipt
/// that is dropped shrinks the sender's window for good. Can't be copied, so it can't be used twice.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "the sender may send no more until this comes back"]
pub struct Receipt(pub(crate) Held);

impl Receipt {
    /// Joins the receipt of a later message to this one, so that a single event gives both back: an app that takes many small
    /// messages at once spares its node an event for each. Returns the later one if the two must stay apart, since they are
    /// of different senders, or one is of the last message of a stream.
    pub fn join(&mut self, later: Self) -> Result<(), Self> {
        let (sum, more) = match (&mut self.0, &later.0) {
            (
                Held::Mail { link, lane, cost },
                Held::Mail {
                    link: other,
                    lane: same,
                    cost: more,
                },
            ) if link == other && lane == same => (cost, *more),
            (Held::Reply { cost }, Held::Reply { cost: more })
            | (
                Held::Stream { cost, last: false },
                Held::Stream {
                    cost: more,
                    last: false,
                },
            ) => (cost, *more),
            _ => return Err(later),
        };
        *sum = sum.saturating_add(more);
        Ok(())
    }
}

/// The room that a receipt releases.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Held {
    Mail { link: LinkId, lane: Lane, cost: u32 },
    Reply { cost: u32 },
    Stream { cost: u32, last: bool },
}
