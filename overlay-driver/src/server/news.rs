//! What a server tells its operator.

use overlay_core::ConnectionId;
use overlay_core::bootstrap::{Notice, Source};
use overlay_core::wire::Refusal;

use crate::queue::{self, NotQueued, Receiver, Sender};

/// The most events that wait for the operator. Nobody has to listen, and clients bring as many as they like.
const MAX_WAITING: usize = 1024;

/// An event of a server. More may come.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ServerEvent {
    /// A client has connected.
    Connected {
        /// Its connection.
        connection: ConnectionId,
        /// Where it comes from.
        source: Source,
    },
    /// A client was turned away before it was one.
    NotAccepted {
        /// Where it comes from.
        source: Source,
        /// The reason.
        refusal: Refusal,
    },
    /// A client is gone.
    Disconnected {
        /// Its connection.
        connection: ConnectionId,
        /// The reason, if it was the server that ended it.
        refusal: Option<Refusal>,
    },
    /// The server's brain has something to say.
    Notice(Notice),
    /// Nobody listened, and this many events are lost.
    Missed(usize),
}

/// The server's end.
#[derive(Debug)]
pub(crate) struct News {
    queue: Sender<ServerEvent>,
    missed: usize,
}

/// Both ends.
pub(crate) fn channel() -> (News, Receiver<ServerEvent>) {
    let (queue, events) = queue::bounded(MAX_WAITING);
    (News { queue, missed: 0 }, events)
}

impl News {
    /// Queues an event, or counts it as missed.
    pub(crate) fn tell(&mut self, event: ServerEvent) {
        if self.missed > 0
            && self
                .queue
                .try_send(ServerEvent::Missed(self.missed))
                .is_ok()
        {
            self.missed = 0;
        }
        if self.queue.try_send(event) == Err(NotQueued::Full) {
            self.missed += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn an_operator_who_does_not_listen_learns_how_much_was_missed() {
        let (mut news, events) = channel();
        let (source, refusal) = (Source(1), Refusal::RateLimited);
        let next = || events.recv().now_or_never().flatten();
        for _ in 0..MAX_WAITING + 5 {
            news.tell(ServerEvent::NotAccepted { source, refusal });
        }
        assert!(next().is_some() && next().is_some());
        news.tell(ServerEvent::NotAccepted { source, refusal });
        let rest: Vec<_> = std::iter::from_fn(next).collect();
        assert_eq!(rest.len(), MAX_WAITING);
        assert_eq!(rest[MAX_WAITING - 2], ServerEvent::Missed(5));
    }
}
