//! The outcome of a send: one end for the app, the other for the engine.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use async_lock::SemaphoreGuardArc;
use futures_channel::oneshot;

use crate::handle::SendError;

/// The outcome of a message that a node has taken: a future. It resolves with the number of neighbours that the message is
/// sent to, which does not mean that it has arrived, or with the reason why it never will be.
///
/// Dropping it takes nothing back: the message is sent all the same.
#[derive(Debug)]
#[must_use = "without it, an app does not learn of a message that could not be sent"]
pub struct Sending {
    outcome: oneshot::Receiver<Result<usize, SendError>>,
    sent: Arc<AtomicUsize>,
}

impl Sending {
    /// The bytes of a message above 64 KiB that have gone out by now; of a shorter one 0.
    #[must_use]
    pub fn progress(&self) -> usize {
        self.sent.load(Ordering::Relaxed)
    }
}

impl Future for Sending {
    type Output = Result<usize, SendError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let outcome = Pin::new(&mut self.outcome).poll(cx);
        outcome.map(|outcome| outcome.unwrap_or(Err(SendError::Gone)))
    }
}

/// The engine's end of a [`Sending`].
#[derive(Debug)]
pub(crate) struct Outcome {
    sending: Option<oneshot::Sender<Result<usize, SendError>>>,
    /// Whether the message is worth nothing without its caller.
    revocable: bool,
    sent: Option<Arc<AtomicUsize>>,
    /// The message's place among those that wait. It is free again when the outcome is known.
    _place: SemaphoreGuardArc,
}

/// Both ends of a send that has a place. If it is `revocable`, dropping the [`Sending`] takes the message back, if it is
/// not sent yet.
pub(crate) fn pair(place: SemaphoreGuardArc, revocable: bool) -> (Outcome, Sending) {
    let (sender, receiver) = oneshot::channel();
    let sent = Arc::new(AtomicUsize::new(0));
    let sending = Sending {
        outcome: receiver,
        sent: Arc::clone(&sent),
    };
    let outcome = Outcome {
        sending: Some(sender),
        revocable,
        sent: Some(sent),
        _place: place,
    };
    (outcome, sending)
}

impl Outcome {
    /// An outcome that nobody waits for.
    pub(crate) const fn unheard(place: SemaphoreGuardArc) -> Self {
        Self {
            sending: None,
            revocable: false,
            sent: None,
            _place: place,
        }
    }

    /// Whether the message is sent whatever becomes of its caller.
    pub(crate) const fn is_promised(&self) -> bool {
        !self.revocable
    }

    /// Whether the caller is gone and has taken the message back.
    pub(crate) fn is_revoked(&self) -> bool {
        let canceled = |sending: &oneshot::Sender<_>| sending.is_canceled();
        self.revocable && self.sending.as_ref().is_some_and(canceled)
    }

    /// So many bytes have gone out.
    pub(crate) fn progress(&self, bytes: usize) {
        if let Some(sent) = &self.sent {
            sent.store(bytes, Ordering::Relaxed);
        }
    }

    /// Tells the caller, if it still listens.
    pub(crate) fn tell(self, outcome: Result<usize, SendError>) {
        if let Some(sending) = self.sending {
            let _ = sending.send(outcome);
        }
    }
}
