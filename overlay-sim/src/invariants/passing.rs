//! The reference model of messages that pass through nodes: up to the root, its replies, its questions and their answers.
//!
//! It is naive: a set of what was sent, and of what has come of each. What arrives must have been sent by that node, and not
//! have arrived before. Of each reply the root hears once; of each question it has an answer, in which no node counts twice.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use overlay_core::{Answers, AskId, Combine, NodeId};

use super::messages::{MessageNumber, is_whole, number};
use crate::invariants::{Invariant, Violation};
use crate::world::machine::Ix;

#[derive(Debug, Default)]
pub(crate) struct Passing {
    ups: BTreeMap<MessageNumber, Up>,
    replies: BTreeMap<MessageNumber, Reply>,
    asks: BTreeMap<u64, Ask>,
}

#[derive(Debug)]
struct Up {
    from: NodeId,
    arrived: bool,
}

#[derive(Debug)]
struct Reply {
    by: Ix,
    to: NodeId,
    arrived: bool,
    told: bool,
}

#[derive(Debug)]
struct Ask {
    by: Ix,
    combine: Combine,
    /// The nodes whose apps have answered.
    answered: BTreeSet<NodeId>,
    answers: Option<Answers>,
}

/// The answer of each node: one, so that sums count.
pub(crate) const ONE: [u8; 8] = 1_i64.to_le_bytes();

impl Passing {
    /// A node sends a message to the root.
    pub(crate) fn up(&mut self, from: NodeId, number: MessageNumber) {
        let arrived = false;
        self.ups.insert(number, Up { from, arrived });
    }

    /// A message or reply was refused, or taken back.
    pub(crate) fn retract(&mut self, payload: &[u8]) {
        self.ups.remove(&number(payload));
        self.replies.remove(&number(payload));
    }

    /// A root has a message from this node. True if it replies.
    pub(crate) fn at_root(&mut self, from: NodeId, payload: &[u8]) -> Result<bool, Violation> {
        let number = number(payload);
        let fresh = self.ups.get_mut(&number).is_some_and(|up| {
            let fresh = !up.arrived && up.from == from && is_whole(payload);
            up.arrived = true;
            fresh
        });
        Invariant::UpsAreTrue.holds(fresh, || format!("message {number} comes from {from:?}"))?;
        Ok(number.is_multiple_of(2))
    }

    /// A root replies.
    pub(crate) fn reply(&mut self, by: Ix, to: NodeId, number: MessageNumber) {
        let (arrived, told) = (false, false);
        let reply = Reply {
            by,
            to,
            arrived,
            told,
        };
        self.replies.insert(number, reply);
    }

    /// A node has a reply.
    pub(crate) fn at_node(&mut self, node: NodeId, payload: &[u8]) -> Result<(), Violation> {
        let number = number(payload);
        let fresh = self.replies.get_mut(&number).is_some_and(|reply| {
            let fresh = !reply.arrived && reply.to == node && is_whole(payload);
            reply.arrived = true;
            fresh
        });
        Invariant::RepliesAreTrue.holds(fresh, || format!("reply {number} comes to {node:?}"))
    }

    /// A root is told what has become of a reply.
    pub(crate) fn replied(
        &mut self,
        by: Ix,
        number: MessageNumber,
        arrived: bool,
    ) -> Result<(), Violation> {
        let agrees = self.replies.get_mut(&number).is_some_and(|reply| {
            let agrees = !reply.told && reply.by == by && (reply.arrived || !arrived);
            reply.told = true;
            agrees
        });
        Invariant::RepliesAreTrue.holds(agrees, || {
            format!("of reply {number} is said that it has arrived: {arrived}")
        })
    }

    /// A way to combine the answers to this question: each as often.
    pub(crate) fn any_way(number: u64) -> Combine {
        Combine::ALL[usize::try_from(number).unwrap_or(0) % Combine::ALL.len()]
    }

    /// A root asks.
    pub(crate) fn ask(&mut self, by: Ix, number: u64, combine: Combine) {
        let ask = Ask {
            by,
            combine,
            answered: BTreeSet::new(),
            answers: None,
        };
        self.asks.insert(number, ask);
    }

    /// A node's app answers.
    pub(crate) fn answer(&mut self, node: NodeId, ask: AskId) {
        if let Some(ask) = self.asks.get_mut(&ask.number) {
            ask.answered.insert(node);
        }
    }

    /// A question was refused.
    pub(crate) fn unasked(&mut self, number: u64) {
        self.asks.remove(&number);
    }

    /// A root has its answers.
    pub(crate) fn answers(
        &mut self,
        by: Ix,
        number: u64,
        answers: &Answers,
    ) -> Result<(), Violation> {
        let is_true = self.asks.get_mut(&number).is_some_and(|ask| {
            let fresh = ask.by == by && ask.answers.is_none();
            ask.answers = Some(answers.clone());
            fresh && ask.is_true(answers)
        });
        Invariant::AnswersAreTrue.holds(is_true, || {
            format!("{answers:?} to {:?}", self.asks.get(&number))
        })
    }

    /// The answers to a question, when they are there.
    pub(crate) fn answers_to(&self, number: u64) -> Option<&Answers> {
        self.asks.get(&number)?.answers.as_ref()
    }

    /// Whether a message has arrived at the root.
    pub(crate) fn has_arrived(&self, number: MessageNumber) -> bool {
        self.ups.get(&number).is_some_and(|up| up.arrived)
    }

    /// The messages that have not arrived.
    pub(crate) fn missing(&self) -> impl Iterator<Item = MessageNumber> {
        self.ups
            .iter()
            .filter(|(_, up)| !up.arrived)
            .map(|(number, _)| *number)
    }

    /// The replies and questions of this machine's app of which it has not heard.
    pub(crate) fn unheard(&self, by: Ix) -> usize {
        let replies = self
            .replies
            .values()
            .filter(|reply| reply.by == by && !reply.told);
        let asks = self
            .asks
            .values()
            .filter(|ask| ask.by == by && ask.answers.is_none());
        replies.count() + asks.count()
    }
}

impl Ask {
    /// Whether these answers can come of those that were given.
    fn is_true(&self, answers: &Answers) -> bool {
        let counted = answers.answered as usize;
        let one = (counted > 0).then_some(1);
        let sum = (counted > 0).then_some(i64::from(answers.answered));
        let value = match self.combine {
            Combine::Concat => {
                let each: BTreeSet<NodeId> = answers.each().map(|(node, _)| node).collect();
                each.len() == counted && each.is_subset(&self.answered)
            }
            Combine::Count => answers.value.is_empty(),
            Combine::Sum | Combine::App => answers.number() == sum,
            Combine::Min | Combine::Max => answers.number() == one,
        };
        value
            && counted + answers.omitted as usize <= self.answered.len()
            && answers.answered <= answers.asked
    }
}

/// Combines two answers as an app does: it adds them.
pub(crate) fn combine(left: &[u8], right: &[u8]) -> Bytes {
    let number = |value: &[u8]| {
        value
            .first_chunk()
            .map_or(0, |value| i64::from_le_bytes(*value))
    };
    Bytes::copy_from_slice(&(number(left).saturating_add(number(right))).to_le_bytes())
}
