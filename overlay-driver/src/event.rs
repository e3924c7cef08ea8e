//! What a node tells its app, and how the app hears it.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use async_channel::{Receiver, Sender};
use bytes::Bytes;
use futures_util::Stream;
use overlay_core::wire::{Refusal, RejectReason};
use overlay_core::{Census, CloseReason, Epoch, NodeId, Receipt, Scope};

use crate::bootstrap::BootstrapError;

/// Most events other than messages that wait for the app. A tree that churns under an app that does
/// not listen must not fill its memory; messages are bounded by their senders' windows.
const MAX_WAITING: usize = 1024;

/// What a node tells its app.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event {
    /// The node has a parent: it is in the tree.
    ParentConnected {
        /// The parent.
        node: NodeId,
        /// How many links lie between the root and this node.
        depth: usize,
        /// Which attempt since the node last had a parent, from 1.
        attempt: u32,
    },
    /// The parent is gone. The node keeps its children and looks for another one, unless it is leaving.
    ParentClosed {
        /// The parent.
        node: NodeId,
        /// Why.
        reason: CloseReason,
    },
    /// A node that had lost its parent has one again. Comes after [`ParentConnected`](Self::ParentConnected).
    Reattached {
        /// How long it had none.
        took: Duration,
        /// The new parent.
        new_parent: NodeId,
    },
    /// There is another root. This node joins its tree like anybody else, and is the next root if it is the first
    /// in line when that one is gone.
    Standby {
        /// The other's epoch.
        epoch: Epoch,
    },
    /// This node is the root now.
    Promoted {
        /// The epoch that begins.
        epoch: Epoch,
    },
    /// This node is the root no more: while no server could reach it, another one has taken over. It joins that
    /// one's tree, with all that stands below it.
    SteppedDown {
        /// The other's epoch.
        epoch: Epoch,
    },
    /// The tree that the node is in has another root than before.
    RootChanged {
        /// The new root's epoch.
        epoch: Epoch,
        /// The new root.
        root: NodeId,
    },
    /// The node has another child.
    ChildConnected {
        /// The child.
        node: NodeId,
    },
    /// A child is gone.
    ChildClosed {
        /// The child.
        node: NodeId,
        /// Why.
        reason: CloseReason,
    },
    /// Something above has moved: the node stands elsewhere now, with the same parent.
    PathChanged {
        /// How many links lie between the root and this node.
        depth: usize,
        /// The root's epoch.
        epoch: Epoch,
    },
    /// The nodes below this one have changed. Comes a few times a second at the most.
    SubtreeChanged(Census),
    /// An app message.
    Message(Message),
    /// An attempt to join has failed.
    JoinRejected {
        /// Why.
        reason: RejectReason,
        /// When the node tries again.
        retry_in: Duration,
    },
    /// A bootstrap server has this node registered, as a joiner, a standby or the root;
    /// [`Promoted`](Self::Promoted) tells if it is the root.
    BootstrapReady,
    /// There is no connection to a bootstrap server, though there should be one.
    BootstrapLost {
        /// Why.
        cause: BootstrapLost,
        /// When the node tries again; `None` if another attempt can't succeed.
        retry_in: Option<Duration>,
    },
    /// So many broadcasts of the root have passed while this node, or one above it, was not in the tree. They will
    /// not come any more.
    BroadcastsMissed(u64),
    /// The node has left the tree. It may join again.
    Left,
    /// The app did not listen, and this many events that were not messages are lost.
    EventsMissed(usize),
}

/// An app message that has arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The neighbour that it came from: for a broadcast, the parent.
    pub from: NodeId,
    /// Whether it was for this node alone or for the whole tree.
    pub scope: Scope,
    /// The app's bytes.
    pub payload: Bytes,
}

/// Why there is no connection to a bootstrap server.
#[derive(Debug, thiserror::Error)]
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
/// A message counts as taken when the stream yields it; until then its sender's window stays used. So
/// an app that is slow to listen slows the senders, and nothing is lost. The node itself goes on in any case.
#[derive(Debug)]
pub struct Events {
    queue: Pin<Box<Receiver<Queued>>>,
    receipts: Sender<Receipt>,
    waiting: Arc<AtomicUsize>,
}

/// An event, and what the engine wants back when it is taken.
#[derive(Debug)]
struct Queued {
    event: Event,
    receipt: Option<Receipt>,
}

impl Events {
    /// The next event; `None` when the node is gone.
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
            // The queue has no limit of its own: there are as many receipts as windows have room for.
            Some(receipt) => {
                let _ = self.receipts.try_send(receipt);
            }
            None => {
                self.waiting.fetch_sub(1, Ordering::Relaxed);
            }
        }
        Poll::Ready(Some(event))
    }
}

impl Drop for Events {
    /// What nobody will take any more counts as taken.
    fn drop(&mut self) {
        self.queue.close();
        while let Ok(Queued { receipt, .. }) = self.queue.try_recv() {
            if let Some(receipt) = receipt {
                let _ = self.receipts.try_send(receipt);
            }
        }
    }
}

/// The engine's end of [`Events`].
#[derive(Debug)]
pub(crate) struct EventSender {
    queue: Sender<Queued>,
    waiting: Arc<AtomicUsize>,
    missed: usize,
}

/// The two ends of an event queue. `receipts` takes what comes back for messages.
pub(crate) fn channel(receipts: Sender<Receipt>) -> (EventSender, Events) {
    let (sender, queue) = async_channel::unbounded();
    let waiting = Arc::new(AtomicUsize::new(0));
    let events = Events {
        queue: Box::pin(queue),
        receipts,
        waiting: Arc::clone(&waiting),
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

    /// Queues a message. Returns its receipt if nobody will ever take it.
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
            sender.send(Event::BootstrapReady);
        }
        let first = futures_util::FutureExt::now_or_never(events.next());
        assert!(matches!(first, Some(Some(Event::BootstrapReady))));
        sender.send(Event::Left);
        let rest: Vec<Event> =
            std::iter::from_fn(|| futures_util::FutureExt::now_or_never(events.next()).flatten())
                .collect();
        assert_eq!(rest.len(), MAX_WAITING + 1);
        assert!(matches!(
            rest[MAX_WAITING - 1..],
            [Event::EventsMissed(5), Event::Left]
        ));
    }
}
