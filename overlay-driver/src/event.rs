//! The events of a node, as its app receives them.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use async_channel::{Receiver, Sender};
use bytes::Bytes;
use futures_util::Stream;
use overlay_core::flow::message_cost;
use overlay_core::wire::Refusal;
use overlay_core::{EventKind, NodeId, Notification, Position, Receipt, Way};

use crate::bootstrap::BootstrapError;
use crate::question::Question;

/// Most events other than messages that wait for the app. If the app does not listen while the tree changes, its memory
/// must not fill. Messages are bounded by their senders' windows.
const MAX_WAITING: usize = 1024;

/// The cost of messages that the app has taken and whose receipts wait to be joined, while a next one is there. Far less than
/// the smallest window, so that no sender waits for them.
const JOINED: u32 = 4 * 1024;

/// An event that a node tells its app. More may come.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event {
    /// News of the tree and of the node's part in it.
    ///
    /// Not [`BootstrapLost`](Notification::BootstrapLost), which comes as [`Event::BootstrapLost`]; nor what the methods of the
    /// [`Node`](crate::Node) wait for and tell: [`Unsent`](Notification::Unsent), [`Writable`](Notification::Writable),
    /// [`RoomToBroadcast`](Notification::RoomToBroadcast), [`RoomToSendUp`](Notification::RoomToSendUp),
    /// [`Replied`](Notification::Replied) and [`Answers`](Notification::Answers).
    Node(Notification),
    /// An app message.
    Message(Message),
    /// A question of the root.
    Question(Question),
    /// There is no connection to a bootstrap server, though there should be one.
    BootstrapLost {
        /// The reason.
        cause: BootstrapLost,
        /// The time until the node tries again; `None` if another attempt can't succeed.
        retry_in: Option<Duration>,
    },
    /// The app did not listen, and this many events that were not messages are lost.
    EventsMissed(usize),
}

/// An app message that has arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The node that sent it: a neighbour, or the root.
    pub from: NodeId,
    /// The nodes that it is for: this one, or the whole tree.
    pub scope: Scope,
    /// The app's bytes.
    pub payload: Bytes,
}

/// The receivers of an app message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// This node, from its neighbour.
    Direct,
    /// Every node, from the root: the message at this position of its stream.
    Broadcast(Position),
    /// Every node, from the root, which broadcasts nothing after it: the last message of its stream.
    End(Position),
    /// The root: this node. It can [reply](crate::Node::reply) by this way.
    Root(Way),
    /// This node, from the root: a reply to what it has sent up.
    Reply,
}

impl From<overlay_core::Scope> for Scope {
    fn from(scope: overlay_core::Scope) -> Self {
        match scope {
            overlay_core::Scope::Direct(_) => Self::Direct,
            overlay_core::Scope::Broadcast(position) => Self::Broadcast(position),
            overlay_core::Scope::End(position) => Self::End(position),
            overlay_core::Scope::Root(way) => Self::Root(way),
            overlay_core::Scope::Reply => Self::Reply,
        }
    }
}

/// The reason why a node has no bootstrap server.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BootstrapLost {
    /// The server refused this node.
    #[error("the bootstrap server refused: {0}")]
    Refused(Refusal),
    /// The connection failed.
    #[error(transparent)]
    Failed(#[from] BootstrapError),
    /// The server accepted the connection and then said nothing.
    #[error("the bootstrap server does not answer")]
    Silent,
    /// The node was given no server's address.
    #[error("no bootstrap server is configured")]
    NoServer,
}

/// The events of a node, as a [`Stream`]. It ends when the node is gone.
///
/// A message counts as taken when the stream yields it. Until then its sender's window stays used, so an app that is
/// slow to listen slows the senders, and no message is lost. The node itself goes on in any case.
///
/// Don't await a send in the task that takes events: while it waits, nothing is taken here, and the neighbours may wait
/// for just that. [`Node::try_send`](crate::Node::try_send) never waits; or send from a task of its own.
#[derive(Debug)]
pub struct Events {
    queue: Pin<Box<Receiver<Queued>>>,
    returns: Sender<EventKind>,
    waiting: Arc<AtomicUsize>,
    taken: Taken,
}

/// The receipts of messages that the app has taken, as one, and the cost of those messages.
#[derive(Debug, Default)]
struct Taken {
    receipt: Option<Receipt>,
    cost: u32,
}

/// An event, and what the engine wants back when it is taken.
#[derive(Debug)]
struct Queued {
    event: Event,
    receipt: Option<Receipt>,
}

impl Events {
    /// The next event. `None` when the node is gone.
    pub async fn next(&mut self) -> Option<Event> {
        std::future::poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }
}

impl Stream for Events {
    type Item = Event;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        let Some(Queued { event, receipt }) = ready!(self.queue.as_mut().poll_next(cx)) else {
            return Poll::Ready(None);
        };
        match receipt {
            Some(receipt) => self.taken(receipt, &event),
            None => {
                self.waiting.fetch_sub(1, Ordering::Relaxed);
            }
        }
        if self.taken.cost >= JOINED || self.queue.is_empty() {
            self.give_back();
        }
        Poll::Ready(Some(event))
    }
}

impl Events {
    /// The app has taken a message.
    fn taken(&mut self, receipt: Receipt, event: &Event) {
        let apart = match &mut self.taken.receipt {
            Some(joined) => joined.join(receipt).err(),
            None => Some(receipt),
        };
        if apart.is_some() {
            self.give_back();
            self.taken.receipt = apart;
        }
        if let Event::Message(message) = event {
            self.taken.cost += message_cost(message.payload.len());
        }
    }

    /// Gives the receipts of what the app has taken back.
    fn give_back(&mut self) {
        let Taken { receipt, .. } = std::mem::take(&mut self.taken);
        if let Some(receipt) = receipt {
            // The queue has no limit of its own: there are as many receipts as windows have room for.
            let _ = self.returns.try_send(EventKind::Consumed(receipt));
        }
    }
}

impl Drop for Events {
    /// A message that the app will not take any more counts as taken.
    fn drop(&mut self) {
        self.queue.close();
        while let Ok(Queued { event, receipt }) = self.queue.try_recv() {
            if let Some(receipt) = receipt {
                self.taken(receipt, &event);
            }
        }
        self.give_back();
    }
}

/// The engine's end of [`Events`].
#[derive(Debug)]
pub(crate) struct EventSender {
    queue: Sender<Queued>,
    waiting: Arc<AtomicUsize>,
    missed: usize,
}

/// The two ends of an event queue. `returns` takes what comes back for messages.
pub(crate) fn channel(returns: Sender<EventKind>) -> (EventSender, Events) {
    let (sender, queue) = async_channel::unbounded();
    let waiting = Arc::new(AtomicUsize::new(0));
    let events = Events {
        queue: Box::pin(queue),
        returns,
        waiting: Arc::clone(&waiting),
        taken: Taken::default(),
    };
    let sender = EventSender {
        queue: sender,
        waiting,
        missed: 0,
    };
    (sender, events)
}

impl EventSender {
    /// Queues an event that is no message, or counts it as missed.
    pub(crate) fn send(&mut self, event: Event) {
        if self.waiting.load(Ordering::Relaxed) >= MAX_WAITING {
            self.missed += 1;
            return;
        }
        if self.missed > 0 {
            let missed = std::mem::take(&mut self.missed);
            self.queue(Event::EventsMissed(missed), None);
        }
        self.queue(event, None);
    }

    /// Queues a message. Returns its receipt if the app will never take it.
    pub(crate) fn deliver(&mut self, message: Message, receipt: Receipt) -> Option<Receipt> {
        self.queue(Event::Message(message), Some(receipt))
    }

    fn queue(&mut self, event: Event, receipt: Option<Receipt>) -> Option<Receipt> {
        if receipt.is_none() {
            self.waiting.fetch_add(1, Ordering::Relaxed);
        }
        match self.queue.try_send(Queued { event, receipt }) {
            Ok(()) => None,
            Err(unsent) => unsent.into_inner().receipt,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_app_that_does_not_listen_learns_how_much_it_missed() {
        let (receipts, _taken) = async_channel::unbounded();
        let (mut sender, mut events) = channel(receipts);
        for _ in 0..MAX_WAITING + 5 {
            sender.send(Event::Node(Notification::BootstrapReady));
        }
        let first = futures_util::FutureExt::now_or_never(events.next());
        assert!(matches!(
            first,
            Some(Some(Event::Node(Notification::BootstrapReady)))
        ));
        sender.send(Event::Node(Notification::Left));
        let rest: Vec<Event> =
            std::iter::from_fn(|| futures_util::FutureExt::now_or_never(events.next()).flatten())
                .collect();
        assert_eq!(rest.len(), MAX_WAITING + 1);
        assert!(matches!(
            rest[MAX_WAITING - 1..],
            [Event::EventsMissed(5), Event::Node(Notification::Left)]
        ));
    }
}
