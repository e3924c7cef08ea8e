//! What the driver may know of its node.

use overlay_core::Role;
use wasm_bindgen::prelude::*;

use crate::core::Core;
use crate::object::{Fields, double, ids, link_id, link_number, list, position, size};

#[wasm_bindgen]
impl Core {
    /// The time in milliseconds at which the node wants a timeout at the latest; infinity if it wants none.
    #[must_use]
    #[wasm_bindgen(js_name = nextDeadline)]
    pub fn next_deadline(&self) -> f64 {
        // Rounded up: a timer that fires early would only have to be set again.
        let due = self.node.next_deadline();
        due.map_or(f64::INFINITY, |due| double(due.as_micros().div_ceil(1_000)))
    }

    /// The node's id.
    #[must_use]
    pub fn id(&self) -> String {
        self.node.id().to_string()
    }

    /// `detached`, `joining`, `member`, `root` or `leaving`.
    #[must_use]
    pub fn role(&self) -> String {
        let role = match self.node.role() {
            Role::Detached => "detached",
            Role::Joining => "joining",
            Role::Member => "member",
            Role::Root => "root",
            Role::Leaving => "leaving",
        };
        role.to_owned()
    }

    /// The link to a neighbour, if there is one with this id.
    #[must_use]
    #[wasm_bindgen(js_name = linkTo)]
    pub fn link_to(&self, node: &str) -> Option<f64> {
        let node = node.parse().ok()?;
        let mut neighbours = self.node.parent().into_iter().chain(self.node.children());
        let neighbour = neighbours.find(|neighbour| neighbour.node == node)?;
        Some(link_number(neighbour.link))
    }

    /// Whether a message to this neighbour would be taken now.
    #[must_use]
    #[wasm_bindgen(js_name = canSend)]
    pub fn can_send(&self, link: f64) -> bool {
        self.node.can_send(link_id(link))
    }

    /// Whether a message to the root, or a reply, would be taken now.
    #[must_use]
    #[wasm_bindgen(js_name = canSendUp)]
    pub fn can_send_up(&self) -> bool {
        self.node.can_send_up()
    }

    /// Whether a broadcast would be taken now.
    #[must_use]
    #[wasm_bindgen(js_name = canBroadcast)]
    pub fn can_broadcast(&self) -> bool {
        self.node.can_broadcast()
    }

    /// The bytes of messages to this neighbour that have not gone out.
    #[must_use]
    pub fn unsent(&self, link: f64) -> f64 {
        size(self.node.unsent(link_id(link)))
    }

    /// The bytes of messages to the root that have not gone out.
    #[must_use]
    #[wasm_bindgen(js_name = unsentUp)]
    pub fn unsent_up(&self) -> f64 {
        size(self.node.unsent_up())
    }

    /// The bytes of the latest broadcast that are not in the stream yet.
    #[must_use]
    #[wasm_bindgen(js_name = restOfBroadcast)]
    pub fn rest_of_broadcast(&self) -> f64 {
        size(self.node.rest_of_broadcast())
    }

    /// Whether the root's stream has ended here.
    #[must_use]
    #[wasm_bindgen(js_name = hasEnded)]
    pub fn has_ended(&self) -> bool {
        self.node.has_ended()
    }

    /// The number of children.
    #[must_use]
    pub fn children(&self) -> f64 {
        size(self.node.children().count())
    }

    /// The node's present state, as an object.
    #[must_use]
    pub fn status(&self) -> JsValue {
        let children: Vec<_> = self.node.children().map(|child| child.node).collect();
        let parent = self.node.parent().map(|parent| parent.node.to_string());
        let at = self.node.position();
        Fields::of("status")
            .with("role", self.role())
            .with("parent", parent)
            .with("children", ids(&children))
            .with("path", ids(self.node.path().ids()))
            .with("epoch", double(self.node.epoch().0))
            .with("standby", self.node.is_standby())
            .with("subtree", list(self.node.census().nodes()))
            .with("position", at.map_or(JsValue::UNDEFINED, position))
            .done()
    }

    /// The node's counters, as an object: what it has done, and what was done to it.
    #[must_use]
    pub fn stats(&self) -> JsValue {
        let stats = self.node.stats();
        Fields::of("stats")
            .with("joinsAccepted", double(stats.joins_accepted))
            .with("joinsDelegated", double(stats.joins_delegated))
            .with("candidatesFailed", double(stats.candidates_failed))
            .with("protocolErrors", double(stats.protocol_errors))
            .with("messagesDelivered", double(stats.messages_delivered))
            .with("links", size(self.node.load().links))
            .done()
    }
}
