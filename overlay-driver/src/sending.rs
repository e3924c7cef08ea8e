//! The outcome of a send: one end for the app, the other for the engine.

use std::pin::Pin;
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
pub struct Sending(oneshot::Receiver<Result<usize, SendError>>);

impl Future for Sending {
    type Output = Result<usize, SendError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let outcome = Pin::new(&mut self.0).poll(cx);
        outcome.map(|outcome| outcome.unwrap_or(Err(SendError::Gone)))
    }
}

/// The engine's end of a [`Sending`].
#[derive(Debug)]
pub(crate) struct Outcome {
    sending: Option<oneshot::Sender<Result<usize, SendError>>>,
    /// Whether the message is worth nothing without its caller.
    revocable: bool,
    /// The message's place among those that wait. It is free again when the outcome is known.
    _place: SemaphoreGuardArc,
}

/// Both ends of a send that has a place. If it is `revocable`, dropping the [`Sending`] takes the message back, if it is
/// not sent yet.
pub(crate) fn pair(place: SemaphoreGuardArc, revocable: bool) -> (Outcome, Sending) {
    let (sender, receiver) = oneshot::channel();
    let outcome = Outcome {
        sending: Some(sender),
        revocable,
        _place: place,
    };
    (outcome, Sending(receiver))
}

impl Outcome {
    /// An outcome that nobody waits for.
    pub(crate) const fn unheard(place: SemaphoreGuardArc) -> Self {
        Self {
            sending: None,
            revocable: false,
            _place: place,
        }
    }

    /// Whether the caller is gone and has taken the message back.
    pub(crate) fn is_revoked(&self) -> bool {
        let canceled = |sending: &oneshot::Sender<_>| sending.is_canceled();
        self.revocable && self.sending.as_ref().is_some_and(canceled)
    }

    /// Tells the caller, if it still listens.
    pub(crate) fn tell(self, outcome: Result<usize, SendError>) {
        if let Some(sending) = self.sending {
            let _ = sending.send(outcome);
        }
    }
}
