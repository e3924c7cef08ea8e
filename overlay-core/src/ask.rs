//! Questions to every node of the tree, and how the answers become one.

use alloc::vec::Vec;
use core::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::id::NodeId;

/// A question of the root to every node below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// The app's name for it, which it has not used for another question.
    pub number: u64,
    /// The app's bytes, at most [`max_message`](crate::Config::max_message).
    pub question: Bytes,
    /// The time that the root waits for answers. About three quarters of it are the nodes' own.
    pub timeout: Duration,
    /// How answers are combined.
    pub combine: Combine,
    /// The longest combined answer, in bytes; at most [`max_message`](crate::Config::max_message). Answers that it has no
    /// room for are left out, and counted.
    pub limit: usize,
}

/// A question that has come to a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Its name.
    pub ask: AskId,
    /// The root's bytes.
    pub question: Bytes,
    /// How answers are combined.
    pub combine: Combine,
    /// The time in which an answer is of use.
    pub left: Duration,
}

/// The name of a question in the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AskId {
    /// The root that asks.
    pub root: NodeId,
    /// Its app's number for the question.
    pub number: u64,
}

/// How the answers of a subtree become one on their way up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Combine {
    /// All answers, each with its node.
    Concat,
    /// No more than how many there are.
    Count,
    /// The sum of integers, each of 8 bytes, the lowest first; it ends at the highest or lowest there is.
    Sum,
    /// The least of such integers.
    Min,
    /// The greatest of such integers.
    Max,
    /// By the apps: each node is given two at a time ([`Action::Combine`](crate::Action::Combine)).
    App,
}

/// The answers of the tree, or of a subtree.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answers {
    /// The number of nodes whose answers are in the value.
    pub answered: u32,
    /// The number of nodes whose answers there was no room for.
    pub omitted: u32,
    /// The number of nodes that were asked, as far as is known. One that came or moved meanwhile may not be among them.
    pub asked: u32,
    /// The combined answer. If nobody has answered, it is empty.
    pub value: Bytes,
}

impl Answers {
    /// The answers, each with its node, if they were combined by [`Combine::Concat`].
    pub fn each(&self) -> impl Iterator<Item = (NodeId, &[u8])> {
        entries(&self.value)
    }

    /// The number that the answers were combined to by [`Combine::Sum`], `Min` or `Max`. `None` if nobody has answered.
    #[must_use]
    pub fn number(&self) -> Option<i64> {
        number(&self.value)
    }

    /// Whether a subtree can have answered this.
    pub(crate) fn is_possible(&self, combine: Combine, limit: usize) -> bool {
        let counted = u64::from(self.answered) + u64::from(self.omitted) <= self.asked.into();
        let length = self.value.len();
        counted
            && match combine {
                _ if self.answered == 0 => length == 0,
                Combine::Concat => {
                    let each = entries(&self.value);
                    let (count, bytes) = each.fold((0, 0), |(count, bytes), (node, answer)| {
                        (count + 1, bytes + entry(node, answer).len())
                    });
                    count == self.answered && bytes == length && length <= limit
                }
                Combine::Count => length == 0,
                Combine::Sum | Combine::Min | Combine::Max => length == 8,
                Combine::App => length <= limit,
            }
    }

    /// Takes others in, unless they are for the apps to combine. What has no room is counted.
    pub(crate) fn add(&mut self, combine: Combine, other: &Self, limit: usize) {
        self.omitted = self.omitted.saturating_add(other.omitted);
        if other.answered == 0 {
            return;
        }
        let value = match combine {
            Combine::Concat => return self.append(other, limit),
            Combine::Count => Some(Bytes::new()),
            Combine::App if other.value.len() > limit => None,
            _ if self.answered == 0 => Some(other.value.clone()),
            Combine::Sum => self.with(other, i64::saturating_add),
            Combine::Min => self.with(other, i64::min),
            Combine::Max => self.with(other, i64::max),
            Combine::App => None,
        };
        match value {
            Some(value) => {
                self.answered = self.answered.saturating_add(other.answered);
                self.value = value;
            }
            None => self.omitted = self.omitted.saturating_add(other.answered),
        }
    }

    fn append(&mut self, other: &Self, limit: usize) {
        let mut value = Vec::from(core::mem::take(&mut self.value));
        for (node, answer) in other.each() {
            let entry = entry(node, answer);
            if value.len() + entry.len() <= limit {
                value.extend_from_slice(&entry);
                self.answered = self.answered.saturating_add(1);
            } else {
                self.omitted = self.omitted.saturating_add(1);
            }
        }
        self.value = value.into();
    }

    fn with(&self, other: &Self, combine: fn(i64, i64) -> i64) -> Option<Bytes> {
        let combined = combine(self.number()?, other.number()?);
        Some(Bytes::copy_from_slice(&combined.to_le_bytes()))
    }
}

impl Combine {
    /// The ways that there are.
    pub const ALL: [Self; 6] = [
        Self::Concat,
        Self::Count,
        Self::Sum,
        Self::Min,
        Self::Max,
        Self::App,
    ];

    /// The answer of one node. `None` if it can't be combined with others.
    pub(crate) fn answer(self, node: NodeId, answer: Bytes) -> Option<Answers> {
        let value = match self {
            Self::Concat => entry(node, &answer).into(),
            Self::Count => Bytes::new(),
            Self::Sum | Self::Min | Self::Max => number(&answer).map(|_| answer)?,
            Self::App => answer,
        };
        Some(Answers {
            answered: 1,
            value,
            ..Answers::default()
        })
    }
}

fn number(value: &[u8]) -> Option<i64> {
    value.try_into().map(i64::from_le_bytes).ok()
}

fn entry(node: NodeId, answer: &[u8]) -> Vec<u8> {
    let bytes = postcard::to_extend(&(node, answer), Vec::with_capacity(answer.len() + 24));
    bytes.unwrap_or_default()
}

fn entries(mut value: &[u8]) -> impl Iterator<Item = (NodeId, &[u8])> {
    core::iter::from_fn(move || {
        let (entry, rest) = postcard::take_from_bytes(value).ok()?;
        value = rest;
        Some(entry)
    })
}
