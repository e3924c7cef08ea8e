//! The naive model of messages to the root, its replies and its questions: what was sent, and what has come of each.

use std::collections::BTreeMap;

use bytes::Bytes;
use overlay_core::Answers;

/// The messages of the joiner to the root, by their own bytes; and the root's replies and questions, by number.
#[derive(Debug, Default)]
pub(super) struct Passing {
    ups: BTreeMap<Bytes, bool>,
    replies: BTreeMap<u64, Reply>,
    /// Whether there are answers.
    asks: BTreeMap<u64, bool>,
}

#[derive(Debug, Default)]
struct Reply {
    arrived: bool,
    told: bool,
}

impl Passing {
    pub(super) fn up(&mut self, message: Bytes) {
        self.ups.insert(message, false);
    }

    /// Returns the number of the reply.
    pub(super) fn at_root(&mut self, message: &Bytes) -> u64 {
        let before = self.ups.insert(message.clone(), true);
        assert_eq!(
            before,
            Some(false),
            "a message to the root comes twice, or from nowhere"
        );
        let number = self.replies.len() as u64;
        self.replies.insert(number, Reply::default());
        number
    }

    pub(super) fn refused(&mut self, number: u64) {
        self.replies.entry(number).or_default().told = true;
    }

    pub(super) fn at_joiner(&mut self, payload: &[u8]) {
        let number = payload
            .first_chunk()
            .map(|number| u64::from_be_bytes(*number));
        let reply = number.and_then(|number| self.replies.get_mut(&number));
        let fresh = reply.is_some_and(|reply| !std::mem::replace(&mut reply.arrived, true));
        assert!(fresh, "a reply comes twice, or from nowhere");
    }

    pub(super) fn replied(&mut self, number: u64, arrived: bool) {
        let reply = self.replies.entry(number).or_default();
        assert!(!std::mem::replace(&mut reply.told, true), "told twice");
        assert!(reply.arrived || !arrived, "told that a reply has arrived");
    }

    /// Returns the number of a question.
    pub(super) fn ask(&mut self) -> u64 {
        let number = self.asks.len() as u64;
        self.asks.insert(number, false);
        number
    }

    pub(super) fn answers(&mut self, number: u64, answers: &Answers) {
        let before = self.asks.insert(number, true);
        assert_eq!(before, Some(false), "answers come twice");
        assert!(
            answers.answered <= 1 && answers.answered <= answers.asked,
            "{answers:?}"
        );
    }

    /// The root has heard of each reply.
    pub(super) fn is_complete(&self) {
        let untold = self.replies.values().filter(|reply| !reply.told).count();
        assert_eq!(untold, 0, "replies of which the root has not heard");
    }
}
