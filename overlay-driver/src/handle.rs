//! The app's handle to a running node.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_channel::oneshot;
use futures_util::{Sink, sink};
use overlay_core::wire::{MAX_LAST, Token};
use overlay_core::{
    Answers, Ask, Census, Combine, Epoch, NodeId, Position, Role, Stats, Unsent, Way,
};

use crate::engine::AskOutcome;
use crate::queue::{NotQueued, Sender};
use crate::sending::{self, Outcome, Sending};

/// A handle to a running node. Clones are handles to the same node. When the last one is dropped, the node leaves the
/// tree and ends.
#[derive(Clone, Debug)]
pub struct Node {
    id: NodeId,
    max_message: usize,
    commands: Sender<Command>,
    /// Bounds the sends that wait in the engine, whatever the number of tasks that call.
    sends: Arc<async_lock::Semaphore>,
    /// Bounds the large ones.
    large_sends: Arc<async_lock::Semaphore>,
    lead: Arc<Lead>,
}

/// Whether the node may broadcast, as the engine has last said: callers need not ask it each time.
#[derive(Debug, Default)]
pub(crate) struct Lead(AtomicUsize);

impl Lead {
    /// The number of children, if the node may broadcast.
    pub(crate) fn set(&self, children: Option<usize>) {
        let state = children.map_or(0, |children| children + 1);
        self.0.store(state, Ordering::Release);
    }

    fn children(&self) -> Option<usize> {
        self.0.load(Ordering::Acquire).checked_sub(1)
    }
}

/// The most sends that wait for their neighbours at a time; further callers wait before they hand their
/// message over. 256 messages of 16 KiB are 4 MiB.
pub(crate) const MAX_WAITING_SENDS: usize = 256;

/// The most among them whose messages are longer than [`LARGE`]: of the longest, 64 MiB.
const MAX_LARGE_SENDS: usize = 4;

/// Longest message that is not a large one, in bytes.
pub(crate) const LARGE: usize = 64 * 1024;

/// A request of an app to the engine.
#[derive(Debug)]
pub(crate) enum Command {
    Join,
    BecomeRoot(Option<Token>),
    Leave,
    Close(NodeId),
    Send {
        to: Recipient,
        payload: Bytes,
        done: Outcome,
    },
    Ask {
        /// Its number is the engine's to give.
        ask: Ask,
        reply: AskOutcome,
    },
    Status(oneshot::Sender<Status>),
}

/// The receivers of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Recipient {
    Neighbour(NodeId),
    /// Every node; `last`: nothing follows.
    Everyone {
        last: bool,
    },
    /// The root, however many nodes are between.
    Root,
    /// The node at the end of this way.
    Way(Way),
}

/// The status of a node at one moment.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Status {
    /// Its id.
    pub id: NodeId,
    /// Its role in the tree.
    pub role: Role,
    /// Its parent.
    pub parent: Option<NodeId>,
    /// Its children.
    pub children: Vec<NodeId>,
    /// The most children that it takes.
    pub max_degree: usize,
    /// The path from the root to the node. If the node has no parent and is not the root, it is empty.
    pub path: Vec<NodeId>,
    /// The root's epoch.
    pub epoch: Epoch,
    /// Whether it is a standby, which may take over when the root is gone.
    pub is_standby: bool,
    /// Its subtree, as far as its children have reported.
    pub census: Census,
    /// How far it has come with the root's stream. `None` before it is in a tree.
    pub position: Option<Position>,
    /// Its counters.
    pub stats: Stats,
}

/// The reason for which a message was not sent. More may come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// The node did not take it.
    #[error(transparent)]
    Unsent(#[from] Unsent),
    /// The node holds 256 messages already that wait for their neighbours, or four above 64 KiB. It has not taken this one.
    #[error("too many messages wait to be sent")]
    Full,
    /// The reply has not arrived, as far as the root can know: the node is gone, has moved, or takes nothing; or a node on the way is
    /// gone, and what it held.
    #[error("the reply has not arrived")]
    Undelivered,
    /// The node is gone.
    #[error("the node is gone")]
    Gone,
}

impl Node {
    pub(crate) fn new(
        id: NodeId,
        max_message: usize,
        commands: Sender<Command>,
        lead: Arc<Lead>,
    ) -> Self {
        Self {
            lead,
            id,
            max_message,
            commands,
            sends: Arc::new(async_lock::Semaphore::new(MAX_WAITING_SENDS)),
            large_sends: Arc::new(async_lock::Semaphore::new(MAX_LARGE_SENDS)),
        }
    }

    /// The node's id.
    #[must_use]
    pub const fn id(&self) -> NodeId {
        self.id
    }

    /// Joins the tree and stays in it. After a failure or the loss of the parent, the node tries again until it is told
    /// to leave. [`Event`](crate::Event)s tell of each step.
    pub async fn join(&self) {
        self.command(Command::Join).await;
    }

    /// Becomes the root, whose right `token` proves to the bootstrap server. If there is another root, the node
    /// joins its tree as a standby. [`Event`](crate::Event)s tell which.
    pub async fn become_root(&self, token: Token) {
        self.command(Command::BecomeRoot(Some(token))).await;
    }

    /// Becomes the root of a tree that is registered at no server.
    pub async fn become_unlisted_root(&self) {
        self.command(Command::BecomeRoot(None)).await;
    }

    /// Leaves the tree, after all that was sent before. [`Notification::Left`](overlay_core::Notification::Left)
    /// tells when it is done.
    pub async fn leave(&self) {
        self.command(Command::Leave).await;
    }

    /// Closes the link to a neighbour, after all that was sent before. If the neighbour is the parent, the node then
    /// looks for another one.
    pub async fn close(&self, neighbour: NodeId) {
        self.command(Command::Close(neighbour)).await;
    }

    /// Sends a message to a neighbour: the parent or a child. While the neighbour takes no more, this waits. It returns
    /// when the message is sent, which does not mean that it has arrived.
    ///
    /// Don't await it in the task that takes the [`Events`](crate::Events). If the neighbour's app does the same, each
    /// waits for the other to take a message. Dropping the future takes back a message that is not sent yet. One above 64 KiB is
    /// sent when all of it has gone out; if its future is dropped before, the neighbour drops what it has of it.
    pub async fn send(
        &self,
        neighbour: NodeId,
        payload: impl Into<Bytes>,
    ) -> Result<(), SendError> {
        let to = Recipient::Neighbour(neighbour);
        self.send_to(to, payload.into()).await.map(drop)
    }

    /// Sends a message to every node of the tree. Only the root may. While the node takes no more, this waits: by the policy
    /// [`Wait`](crate::SlowPolicy::Wait) the slowest node sets the pace. Returns the number of children when the node has taken the
    /// message: with none, no node gets it. [`try_broadcast`](Self::try_broadcast) tells how many they are when it is sent, and if
    /// that fails because another root has taken over meanwhile.
    ///
    /// Don't await it in the task that takes the [`Events`](crate::Events) if nodes also send to their parents, for the
    /// reason that [`send`](Self::send) gives.
    pub async fn broadcast(&self, payload: impl Into<Bytes>) -> Result<usize, SendError> {
        let (to, payload) = (Recipient::Everyone { last: false }, payload.into());
        // The way of a large message is long enough to be taken back on it.
        let (Some(children), false) = (self.lead.children(), payload.len() > LARGE) else {
            return self.send_to(to, payload).await;
        };
        self.fits(&to, &payload)?;
        let place = self.sends.acquire_arc().await;
        let done = Outcome::unheard(place);
        let send = Command::Send { to, payload, done };
        match self.commands.try_send(send) {
            Ok(()) => Ok(children),
            Err(NotQueued::Full) => Err(SendError::Full),
            Err(NotQueued::Closed) => Err(SendError::Gone),
        }
    }

    /// Ends the root's stream with a last message, of at most [`MAX_LAST`](overlay_core::wire::MAX_LAST) bytes. Only the root
    /// may, and once. Every node gets it with [`Scope::End`](crate::Scope::End), one that comes in later as well. The
    /// root's [`Census`](overlay_core::Census) tells who has it, and when the root has left, the server tells it for a
    /// while to those that come.
    pub async fn end(&self, payload: impl Into<Bytes>) -> Result<(), SendError> {
        let to = Recipient::Everyone { last: true };
        self.send_to(to, payload.into()).await.map(drop)
    }

    /// Hands over a message for a neighbour without waiting, from code that is async or not.
    ///
    /// The node holds up to 256 messages of all its callers while their neighbours take no more, and four above 64 KiB. An error says that it
    /// has not taken this one: with [`SendError::Full`] the app may try again later, or drop the message. What the node
    /// has taken is sent as by [`send`](Self::send), in the same order. The [`Sending`] tells if that fails: if the
    /// neighbour is gone, say.
    pub fn try_send(
        &self,
        neighbour: NodeId,
        payload: impl Into<Bytes>,
    ) -> Result<Sending, SendError> {
        self.hand_over(Recipient::Neighbour(neighbour), payload.into())
    }

    /// Hands over a message for every node of the tree without waiting, as [`try_send`](Self::try_send) does. Only the
    /// root may; for another node the [`Sending`] resolves with an error.
    pub fn try_broadcast(&self, payload: impl Into<Bytes>) -> Result<Sending, SendError> {
        let to = Recipient::Everyone { last: false };
        self.hand_over(to, payload.into())
    }

    /// Sends a message to the root, from any depth. While the nodes on its way take no more, or this one looks for a parent, this
    /// waits. It returns when the message has gone out to the parent, or waits first in line for it.
    ///
    /// The message arrives once, or, if a node or link on its way fails with it, not at all: an app that must know has the root
    /// [reply](Self::reply). Messages of one node arrive in order while no node on their way goes to another parent. Dropping the
    /// future takes the message back, as with [`send`](Self::send).
    pub async fn send_up(&self, payload: impl Into<Bytes>) -> Result<(), SendError> {
        self.send_to(Recipient::Root, payload.into())
            .await
            .map(drop)
    }

    /// Hands over a message for the root without waiting, as [`try_send`](Self::try_send) does.
    pub fn try_send_up(&self, payload: impl Into<Bytes>) -> Result<Sending, SendError> {
        self.hand_over(Recipient::Root, payload.into())
    }

    /// Replies to a node that has sent something up; only the root may. Returns when the node's app has been handed the reply,
    /// or [`SendError::Undelivered`] when it is known that it can't be, or no longer known whether it was.
    ///
    /// Don't await it in the task that takes the [`Events`](crate::Events), for the reason that [`send`](Self::send) gives.
    pub async fn reply(&self, to: &Way, payload: impl Into<Bytes>) -> Result<(), SendError> {
        let to = Recipient::Way(to.clone());
        self.send_to(to, payload.into()).await.map(drop)
    }

    /// Hands over a reply without waiting. The [`Sending`] resolves as [`reply`](Self::reply) returns.
    pub fn try_reply(&self, to: &Way, payload: impl Into<Bytes>) -> Result<Sending, SendError> {
        self.hand_over(Recipient::Way(to.clone()), payload.into())
    }

    /// Asks every node of the tree but this one, the root, and returns the combined answer: before `timeout` if all have answered.
    /// It says how many of how many nodes have.
    ///
    /// A node's app gets an [`Event::Question`](crate::Event::Question). About three quarters of the time are its own, and each
    /// level of the tree has a share of the rest, in which a question has to pass a link, and the answer as well. With
    /// [`Combine::Concat`] at most [`max_message`](overlay_core::Config::max_message) bytes of answers come; others are left
    /// out, and counted.
    pub async fn ask(
        &self,
        question: impl Into<Bytes>,
        timeout: Duration,
        combine: Combine,
    ) -> Result<Answers, SendError> {
        let (reply, answers) = oneshot::channel();
        let ask = Ask {
            number: 0,
            question: question.into(),
            timeout,
            combine,
            limit: self.max_message,
        };
        self.command(Command::Ask { ask, reply }).await;
        answers.await.unwrap_or(Err(SendError::Gone))
    }

    /// The way to every node of the tree as a [`Sink`]: each item is [broadcast](Self::broadcast).
    pub fn broadcasts(&self) -> impl Sink<Bytes, Error = SendError> + Send + use<> {
        sink::unfold(self.clone(), async |node: Self, payload: Bytes| {
            node.broadcast(payload).await?;
            Ok(node)
        })
    }

    /// The way to a neighbour as a [`Sink`]: each item is [sent](Self::send).
    pub fn messages_to(
        &self,
        neighbour: NodeId,
    ) -> impl Sink<Bytes, Error = SendError> + Send + use<> {
        let begin = (self.clone(), neighbour);
        sink::unfold(
            begin,
            async |(node, neighbour): (Self, NodeId), payload: Bytes| {
                node.send(neighbour, payload).await?;
                Ok((node, neighbour))
            },
        )
    }

    /// The node's present status. `None` if the node is gone.
    pub async fn status(&self) -> Option<Status> {
        let (reply, status) = oneshot::channel();
        self.command(Command::Status(reply)).await;
        status.await.ok()
    }

    async fn send_to(&self, to: Recipient, payload: Bytes) -> Result<usize, SendError> {
        self.fits(&to, &payload)?;
        let place = self.places(&payload).acquire_arc().await;
        let (done, sending) = sending::pair(place, true);
        let send = Command::Send { to, payload, done };
        self.command(send).await;
        sending.await
    }

    fn hand_over(&self, to: Recipient, payload: Bytes) -> Result<Sending, SendError> {
        self.fits(&to, &payload)?;
        let place = self.places(&payload).try_acquire_arc();
        let place = place.ok_or(SendError::Full)?;
        let (done, sending) = sending::pair(place, false);
        let send = Command::Send { to, payload, done };
        match self.commands.try_send(send) {
            Ok(()) => Ok(sending),
            Err(NotQueued::Full) => Err(SendError::Full),
            Err(NotQueued::Closed) => Err(SendError::Gone),
        }
    }

    const fn places(&self, payload: &Bytes) -> &Arc<async_lock::Semaphore> {
        if payload.len() > LARGE {
            &self.large_sends
        } else {
            &self.sends
        }
    }

    fn fits(&self, to: &Recipient, payload: &Bytes) -> Result<(), SendError> {
        let most = match to {
            Recipient::Everyone { last: true } => MAX_LAST,
            _ => self.max_message,
        };
        if payload.len() > most {
            return Err(Unsent::TooLong.into());
        }
        Ok(())
    }

    async fn command(&self, command: Command) {
        // The engine outlives its handles, unless its runtime is shut down.
        let _ = self.commands.send(command).await;
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn a_root_does_not_take_a_broadcast_above_its_limit() {
        let (commands, _engine) = crate::queue::bounded(4);
        let lead = Arc::<Lead>::default();
        lead.set(Some(1));
        let node = Node::new(NodeId::from_u128(1), 100, commands, lead);
        let broadcast = |len: usize| node.broadcast(vec![0; len]).now_or_never();
        assert_eq!(broadcast(100), Some(Ok(1)));
        assert_eq!(broadcast(101), Some(Err(Unsent::TooLong.into())));
    }
}
