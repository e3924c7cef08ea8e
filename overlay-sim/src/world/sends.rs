//! What apps send, and what the models are told of it.

use core::time::Duration;

use bytes::Bytes;
use overlay_core::{Ask, Combine, EventKind, Role};

use super::World;
use crate::invariants::Violation;
use crate::invariants::messages::MessageNumber;
use crate::invariants::passing::Passing;
use crate::schedule::Message;
use crate::world::machine::Ix;

impl World {
    pub(super) fn send_to_all(&mut self, ix: Ix, len: u32) -> Result<(), Violation> {
        let (number, payload) = self.messages.compose(len);
        self.coverage.count(Message::Broadcast.name());
        let node = &self.machines[ix].node;
        if let Some(position) = node.position()
            && node.role() == Role::Root
        {
            self.streams.broadcast(position, number);
        }
        let takes = node.can_broadcast() && payload.len() <= node.config().max_message;
        self.tell(ix, EventKind::Broadcast(payload.clone()))?;
        let rest = self.machines[ix].node.rest_of_broadcast();
        if takes && takes_back(len) && rest > 0 {
            self.coverage.count("broadcast taken back");
            if rest < payload.len() {
                self.streams.cancel(&payload);
            } else {
                self.streams.retract(&payload);
            }
            self.tell(ix, EventKind::CancelBroadcast)?;
        }
        Ok(())
    }

    pub(super) fn send_to_neighbour(
        &mut self,
        ix: Ix,
        message: Message,
        len: u32,
    ) -> Result<(), Violation> {
        let (number, payload) = self.messages.compose(len);
        let machine = &mut self.machines[ix];
        let neighbour = if message == Message::Up {
            machine.node.parent()
        } else {
            machine.node.children().last()
        };
        if let Some(neighbour) = neighbour {
            machine.correspondent = Some(neighbour.link);
        }
        let Some(to) = machine.correspondent else {
            return Ok(());
        };
        self.coverage.count(message.name());
        if let Some(peer) = machine.end(to).and_then(|end| self.ends.peer(end)) {
            self.messages.send(peer, number);
        }
        let (back, node) = (payload.clone(), &self.machines[ix].node);
        let takes = node.can_send(to) && payload.len() <= node.config().max_message;
        self.tell(ix, EventKind::Send { to, payload })?;
        if takes && takes_back(len) && self.machines[ix].node.unsent(to) > 0 {
            self.coverage.count("message taken back");
            self.messages.retract(&back);
            self.tell(ix, EventKind::CancelSend(to))?;
        }
        Ok(())
    }

    /// Returns the number of the message.
    pub(crate) fn send_to_root(&mut self, ix: Ix, len: u32) -> Result<MessageNumber, Violation> {
        let (number, payload) = self.messages.compose(len);
        self.coverage.count(Message::ToRoot.name());
        let node = &self.machines[ix].node;
        self.passing.up(node.id(), number);
        let is_in_tree = matches!(node.role(), Role::Joining | Role::Member);
        let takes = is_in_tree && node.can_send_up() && payload.len() <= node.config().max_message;
        self.tell(ix, EventKind::SendUp(payload.clone()))?;
        if takes && takes_back(len) && self.machines[ix].node.unsent_up() > 0 {
            self.coverage.count("message to the root taken back");
            self.passing.retract(&payload);
            self.tell(ix, EventKind::CancelSendUp)?;
        }
        Ok(number)
    }

    /// A root asks, with the answers combined in one of the ways. Returns the number of the question.
    pub(crate) fn ask(&mut self, ix: Ix, timeout: Duration) -> Result<MessageNumber, Violation> {
        let (number, question) = self.messages.compose(100);
        let combine = Passing::any_way(number);
        self.ask_for(ix, number, question, combine, timeout)
    }

    /// A root asks, with the answers combined like this.
    pub(crate) fn ask_to(
        &mut self,
        ix: Ix,
        combine: Combine,
        timeout: Duration,
    ) -> Result<MessageNumber, Violation> {
        let (number, question) = self.messages.compose(100);
        self.ask_for(ix, number, question, combine, timeout)
    }

    fn ask_for(
        &mut self,
        ix: Ix,
        number: MessageNumber,
        question: Bytes,
        combine: Combine,
        timeout: Duration,
    ) -> Result<MessageNumber, Violation> {
        self.coverage.count(Message::Ask.name());
        self.passing.ask(ix, number, combine);
        let ask = Ask {
            number,
            question,
            timeout,
            combine,
            limit: self.setup.config.max_message,
        };
        self.tell(ix, EventKind::Ask(ask))?;
        Ok(number)
    }
}

/// Whether the app changes its mind about a message of this length: about one in eight.
const fn takes_back(len: u32) -> bool {
    len % 8 == 7
}
