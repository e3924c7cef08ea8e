//! One WebRTC connection of this node, and what it is in the tree.
//!
//! | a link is | to | and becomes |
//! |---|---|---|
//! | [`Dialing`] | a parent-to-be | the parent, by the welcome |
//! | parent | the parent | closing |
//! | [`Candidate`] | a child-to-be | a child, by its greeting |
//! | [`Child`] | a child | closing |
//! | [`Closing`] | a former parent or child | |
//!
//! From each of these it may be gone at once. A link changes by the transitions of [`State`] alone: each takes the old
//! state and gives the new one, or the old one back where there is no such transition.

mod child;
mod closing;
mod dialing;
mod feed;
mod table;
#[cfg(test)]
mod tests;

use alloc::boxed::Box;
use core::time::Duration;

use crate::config::Config;
use crate::flow::Mail;
use crate::id::{JoinId, NodeId};
use crate::time::Instant;
use crate::wire::{GoodbyeReason, Lane, MAX_FRAME, MAX_RECORDS};

pub(crate) use child::{Candidate, Channel, Child, Forecast, Intake};
pub(crate) use closing::Closing;
pub(crate) use dialing::{Attempt, Dialing, Stage, Welcome};
pub(crate) use feed::{Feed, Portion};
pub(crate) use table::Links;

/// A WebRTC connection.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) state: State,
    /// When the peer was last heard.
    pub(crate) heard: Instant,
    /// When the peer was last sent something.
    pub(crate) sent: Instant,
    /// Messages between the two neighbours.
    pub(crate) direct: Mail,
    /// Messages that pass: up to the root, or from it.
    pub(crate) routed: Mail,
    /// Questions and answers.
    pub(crate) gather: Mail,
    /// The root's stream, on a link to a child.
    pub(crate) feed: Option<Box<Feed>>,
    /// The bytes of app messages that the channel was given since it was last empty.
    undrained: usize,
}

/// The most bytes of app messages that the channel is given before it says that it has taken them: four frames, so that
/// the next one is there when one is sent, and a control frame waits behind little.
const MOST_UNDRAINED: usize = 4 * MAX_FRAME;

/// The state of a link.
#[derive(Debug)]
pub(crate) enum State {
    Dialing(Dialing),
    /// To the parent with this id.
    Parent(NodeId),
    Candidate(Candidate),
    Child(Child),
    Closing(Closing),
}

/// The new state, or the old one where the transition does not apply.
pub(crate) type Transition = Result<State, State>;

impl State {
    /// The acceptor with this id is the parent from here on.
    pub(crate) fn arrived(self, parent: NodeId) -> Transition {
        match self {
            Self::Dialing(dialing) if dialing.stage == Stage::Greeted => Ok(Self::Parent(parent)),
            other => Err(other),
        }
    }

    /// The candidate's channel is open.
    pub(crate) fn opened(self) -> Transition {
        match self {
            Self::Candidate(candidate) => Ok(Self::Candidate(Candidate {
                channel: Channel::Open,
                ..candidate
            })),
            other => Err(other),
        }
    }

    /// The candidate has greeted, in the name of its own join: it is a child.
    pub(crate) fn greeted(self, join: JoinId) -> Transition {
        match self {
            Self::Candidate(candidate) if candidate.may_greet(join) => {
                Ok(Self::Child(candidate.greeted()))
            }
            other => Err(other),
        }
    }

    /// This node parts from a neighbour.
    pub(crate) fn parted(
        self,
        farewell: GoodbyeReason,
        now: Instant,
        timeout: Duration,
    ) -> Transition {
        match self {
            Self::Parent(_) | Self::Child(_) => {
                Ok(Self::Closing(Closing::new(farewell, now, timeout)))
            }
            other => Err(other),
        }
    }

    /// The neighbour in the tree at the link's other end.
    pub(crate) const fn neighbour(&self) -> Option<NodeId> {
        match self {
            Self::Parent(node) => Some(*node),
            Self::Child(child) => Some(child.node),
            Self::Dialing(_) | Self::Candidate(_) | Self::Closing(_) => None,
        }
    }

    /// This node's own attempt, if that is what the link is for.
    pub(crate) fn attempt(&self) -> Option<&Attempt> {
        match self {
            Self::Dialing(dialing) => Some(&dialing.attempt),
            Self::Parent(_) | Self::Candidate(_) | Self::Child(_) | Self::Closing(_) => None,
        }
    }

    /// The attempt has at most until then, in view of bad news.
    pub(crate) fn hurry(&mut self, latest: Instant) {
        match self {
            Self::Dialing(dialing) => dialing.deadline = dialing.deadline.min(latest),
            Self::Parent(_) | Self::Candidate(_) | Self::Child(_) | Self::Closing(_) => {}
        }
    }

    /// Whether this node's own attempt has been answered by an acceptor.
    pub(crate) fn is_answered(&self) -> bool {
        match self {
            Self::Dialing(dialing) => dialing.stage >= Stage::Answered,
            Self::Parent(_) | Self::Candidate(_) | Self::Child(_) | Self::Closing(_) => false,
        }
    }

    /// When the link's handshake or goodbye has taken too long.
    fn deadline(&self) -> Option<Instant> {
        match self {
            Self::Dialing(dialing) => Some(dialing.deadline),
            Self::Candidate(candidate) => Some(candidate.deadline),
            Self::Closing(closing) => Some(closing.deadline),
            Self::Parent(_) | Self::Child(_) => None,
        }
    }

    /// Whether the peer takes this node for its neighbour, and expects to hear from it.
    const fn expects_heartbeats(&self) -> bool {
        matches!(self, Self::Parent(_) | Self::Child(_))
    }
}

impl Link {
    pub(crate) fn new(state: State, now: Instant) -> Self {
        Self {
            state,
            heard: now,
            sent: now,
            direct: Mail::default(),
            routed: Mail::default(),
            gather: Mail::default(),
            feed: None,
            undrained: 0,
        }
    }

    /// A lane of whole messages; that of the root's stream is none.
    pub(crate) const fn mail(&self, lane: Lane) -> Option<&Mail> {
        match lane {
            Lane::Direct => Some(&self.direct),
            Lane::Routed => Some(&self.routed),
            Lane::Gather => Some(&self.gather),
            Lane::Stream => None,
        }
    }

    /// As [`mail`](Self::mail).
    pub(crate) const fn mail_mut(&mut self, lane: Lane) -> Option<&mut Mail> {
        match lane {
            Lane::Direct => Some(&mut self.direct),
            Lane::Routed => Some(&mut self.routed),
            Lane::Gather => Some(&mut self.gather),
            Lane::Stream => None,
        }
    }

    /// All lanes of whole messages.
    pub(crate) fn mails_mut(&mut self) -> impl Iterator<Item = &mut Mail> {
        [&mut self.gather, &mut self.routed, &mut self.direct].into_iter()
    }

    /// The same, to look at.
    pub(crate) fn mails(&self) -> impl Iterator<Item = &Mail> {
        [&self.gather, &self.routed, &self.direct].into_iter()
    }

    /// Changes the state by a transition. False, and nothing has changed, if it does not apply.
    pub(crate) fn change(&mut self, transition: impl FnOnce(State) -> Transition) -> bool {
        // The state moves out by way of a placeholder that nothing sees.
        let placeholder = State::Parent(NodeId::from_u128(0));
        let changed = transition(core::mem::replace(&mut self.state, placeholder));
        let applies = changed.is_ok();
        self.state = changed.unwrap_or_else(|same| same);
        applies
    }

    /// When something is due on this link: its deadline, a heartbeat, or giving the neighbour up.
    pub(crate) fn next_deadline(&self, config: &Config) -> Instant {
        let heartbeat = self
            .state
            .expects_heartbeats()
            .then(|| self.sent + config.heartbeat_interval);
        let end = self.state.deadline();
        let end = end.unwrap_or_else(|| self.heard + config.link_timeout);
        heartbeat.map_or(end, |heartbeat| heartbeat.min(end))
    }

    /// Whether the channel is to be given a frame of so many bytes now. Small ones wait until it is empty: the more they are,
    /// the fewer frames they need.
    pub(crate) const fn takes(&self, bytes: usize) -> bool {
        let large = bytes >= MAX_RECORDS / 2;
        self.undrained == 0 || large && self.undrained < MOST_UNDRAINED
    }

    /// The channel is given a frame of app messages.
    pub(crate) const fn given(&mut self, bytes: usize, now: Instant) {
        self.undrained += bytes;
        self.sent = now;
    }

    /// The channel has taken everything.
    pub(crate) const fn drained(&mut self) {
        self.undrained = 0;
    }

    /// Whether the channel has taken all that it was given.
    pub(crate) const fn is_drained(&self) -> bool {
        self.undrained == 0
    }

    /// Whether it only brings what is left, and a goodbye.
    pub(crate) const fn is_closing(&self) -> bool {
        matches!(self.state, State::Closing(_))
    }

    /// Whether the neighbour has said nothing for `link_timeout`.
    pub(crate) fn is_silent(&self, now: Instant, config: &Config) -> bool {
        self.heard + config.link_timeout <= now
    }
}
