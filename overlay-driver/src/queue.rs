//! Bounded queues that hold no memory while they are empty.
//!
//! `async_channel::bounded` allocates all its slots at once: 4,096 for frames are 160 KiB, for a client that is sent one
//! of them. Here the slots come with the items, a few dozen at a time, and go with them.

use std::sync::Arc;

use async_lock::{Semaphore, SemaphoreGuardArc};
use futures_util::{Stream, stream};

/// Both ends of a queue for at most `limit` items.
pub(crate) fn bounded<T>(limit: usize) -> (Sender<T>, Receiver<T>) {
    let (sender, items) = async_channel::unbounded();
    let sender = Sender {
        items: sender,
        slots: Arc::new(Semaphore::new(limit)),
    };
    (sender, Receiver { items })
}

/// The end of a queue that takes items. Clones are ends of the same queue.
#[derive(Debug)]
pub(crate) struct Sender<T> {
    items: async_channel::Sender<Slot<T>>,
    /// The slots that are free. An item holds its own until it is received.
    slots: Arc<Semaphore>,
}

/// The end of a queue that gives items. Dropping it closes the queue.
#[derive(Debug)]
pub(crate) struct Receiver<T> {
    items: async_channel::Receiver<Slot<T>>,
}

/// An item, and the slot that it holds.
type Slot<T> = (T, SemaphoreGuardArc);

/// The reason why a queue takes no item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotQueued {
    /// Every slot is taken.
    Full,
    /// The queue is closed.
    Closed,
}

impl<T> Sender<T> {
    /// Queues an item, without waiting.
    pub(crate) fn try_send(&self, item: T) -> Result<(), NotQueued> {
        let slot = match self.slots.try_acquire_arc() {
            Some(slot) => slot,
            None if self.items.is_closed() => return Err(NotQueued::Closed),
            None => return Err(NotQueued::Full),
        };
        let sent = self.items.try_send((item, slot));
        sent.map_err(|_| NotQueued::Closed)
    }

    /// Queues an item, once there is a slot for it.
    pub(crate) async fn send(&self, item: T) -> Result<(), NotQueued> {
        let slot = self.slots.acquire_arc().await;
        let sent = self.items.try_send((item, slot));
        sent.map_err(|_| NotQueued::Closed)
    }

    /// Closes the queue. What is in it can still be received.
    pub(crate) fn close(&self) {
        self.items.close();
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        Self {
            items: self.items.clone(),
            slots: Arc::clone(&self.slots),
        }
    }
}

impl<T> Receiver<T> {
    /// The next item. `None` if the queue is closed and empty.
    pub(crate) async fn recv(&self) -> Option<T> {
        let (item, _slot) = self.items.recv().await.ok()?;
        Some(item)
    }

    /// Closes the queue. What is in it can still be received.
    pub(crate) fn close(&self) {
        self.items.close();
    }

    /// The items, as a stream that ends when the queue is closed and empty.
    pub(crate) fn into_stream(self) -> impl Stream<Item = T> {
        stream::unfold(self, async |queue| Some((queue.recv().await?, queue)))
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        self.items.close();
        // Senders that wait for a slot must learn that there is no queue any more.
        while self.items.try_recv().is_ok() {}
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn a_full_queue_takes_an_item_for_each_that_it_gives() {
        let (sender, receiver) = bounded(2);
        assert_eq!(sender.try_send(1), Ok(()));
        assert_eq!(sender.try_send(2), Ok(()));
        assert_eq!(sender.try_send(3), Err(NotQueued::Full));
        assert_eq!(receiver.recv().now_or_never(), Some(Some(1)));
        assert_eq!(sender.try_send(3), Ok(()));
        assert_eq!(sender.try_send(4), Err(NotQueued::Full));
    }

    #[test]
    fn a_sender_waits_for_a_slot() {
        let (sender, receiver) = bounded(1);
        assert_eq!(sender.try_send(1), Ok(()));
        let mut sending = Box::pin(sender.send(2));
        assert_eq!((&mut sending).now_or_never(), None);
        assert_eq!(receiver.recv().now_or_never(), Some(Some(1)));
        assert_eq!(sending.now_or_never(), Some(Ok(())));
        assert_eq!(receiver.recv().now_or_never(), Some(Some(2)));
    }

    #[test]
    fn a_sender_that_waits_learns_that_the_queue_is_gone() {
        let (sender, receiver) = bounded(1);
        assert_eq!(sender.try_send(1), Ok(()));
        let mut sending = Box::pin(sender.send(2));
        assert_eq!((&mut sending).now_or_never(), None);
        drop(receiver);
        assert_eq!(sending.now_or_never(), Some(Err(NotQueued::Closed)));
        assert_eq!(sender.try_send(3), Err(NotQueued::Closed));
    }

    #[test]
    fn a_closed_queue_still_gives_what_is_in_it() {
        let (sender, receiver) = bounded(1);
        assert_eq!(sender.try_send(1), Ok(()));
        sender.close();
        assert_eq!(receiver.recv().now_or_never(), Some(Some(1)));
        assert_eq!(receiver.recv().now_or_never(), Some(None));
    }
}
