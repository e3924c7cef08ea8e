//! Questions of the root, and combining answers.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_channel::Sender;
use bytes::Bytes;
use overlay_core::{AskId, Asked, Combine, EventKind};

/// A question of the root to every node. An app that drops it has no answer, and nobody waits for one.
#[derive(Debug)]
#[must_use = "a question that is dropped is not answered"]
pub struct Question {
    asked: Asked,
    returns: Option<Sender<EventKind>>,
}

impl Question {
    pub(crate) const fn new(asked: Asked, returns: Sender<EventKind>) -> Self {
        let returns = Some(returns);
        Self { asked, returns }
    }

    /// The root's bytes.
    #[must_use]
    pub const fn payload(&self) -> &Bytes {
        &self.asked.question
    }

    /// The time in which an answer is of use, from when the question came to this node.
    #[must_use]
    pub const fn left(&self) -> Duration {
        self.asked.left
    }

    /// How answers are combined: for [`Combine::Sum`], `Min` and `Max` an answer is an `i64` of 8 bytes, the lowest first.
    #[must_use]
    pub const fn combine(&self) -> Combine {
        self.asked.combine
    }

    /// Answers. An answer that is late, or no number where one is wanted, counts as none.
    pub fn answer(mut self, answer: impl Into<Bytes>) {
        self.give(Some(answer.into()));
    }

    fn give(&mut self, answer: Option<Bytes>) {
        if let Some(returns) = self.returns.take() {
            // The queue has no limit of its own: there are as many answers as questions.
            let _ = returns.try_send(EventKind::Answer(self.name(), answer));
        }
    }

    const fn name(&self) -> AskId {
        self.asked.ask
    }
}

impl Drop for Question {
    fn drop(&mut self) {
        self.give(None);
    }
}

/// An app's function that makes one answer of two.
#[derive(Clone)]
pub(crate) struct Combiner(Arc<Function>);

type Function = dyn Fn(&[u8], &[u8]) -> Bytes + Send + Sync;

impl Combiner {
    pub(crate) fn new(combine: impl Fn(&[u8], &[u8]) -> Bytes + Send + Sync + 'static) -> Self {
        Self(Arc::new(combine))
    }

    pub(crate) fn combine(&self, left: &[u8], right: &[u8]) -> Bytes {
        (self.0)(left, right)
    }
}

impl fmt::Debug for Combiner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Combiner")
    }
}
