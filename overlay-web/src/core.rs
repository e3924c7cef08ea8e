//! The node, and what JavaScript can't hold itself.

use std::sync::Once;

use overlay_core::{Action, Event, EventKind, Instant, Node, NodeId, Receipt};
use slab::Slab;
use wasm_bindgen::prelude::*;

use crate::actions::{self, Sink};
use crate::options;

/// A node of the tree, as a state machine for JavaScript.
#[wasm_bindgen]
#[derive(Debug)]
pub struct Core {
    pub(crate) node: Node,
    sink: Sink,
    /// Receipts that JavaScript has the numbers of. A number is given back once, so no window grows by a forged one.
    receipts: Slab<Receipt>,
    actions: Vec<Action>,
}

#[wasm_bindgen]
impl Core {
    /// A detached node. `id` has 16 bytes and `seed` 32, both from the system's random generator. `sink` is called with the
    /// actions of every later call, and does nothing but write them down. `options` has the settings that differ from the
    /// default.
    ///
    /// Throws if an option has a value that no node can keep.
    #[wasm_bindgen(constructor)]
    pub fn new(id: &[u8], seed: &[u8], sink: Sink, options: &JsValue) -> Result<Core, JsError> {
        throw_panics();
        let id = id.try_into().map(NodeId::from_bytes);
        let id = id.map_err(|_| JsError::new("an id has 16 bytes"))?;
        let seed = seed.try_into();
        let seed = seed.map_err(|_| JsError::new("a seed has 32 bytes"))?;
        let node = Node::new(id, options::config(options)?, seed)?;
        Ok(Self {
            node,
            sink,
            receipts: Slab::new(),
            actions: Vec::new(),
        })
    }
}

impl Core {
    /// Hands the node an event at `now`, in milliseconds, and the sink what the node answers.
    pub(crate) fn hand(&mut self, now: f64, kind: EventKind) {
        let event = Event::new(instant(now), kind);
        self.node.handle_input_into(event, &mut self.actions);
        for action in self.actions.drain(..) {
            actions::tell(&self.sink, &mut self.receipts, action);
        }
    }

    /// The receipt with this number, if it was not given back before.
    pub(crate) fn receipt(&mut self, number: u32) -> Option<Receipt> {
        self.receipts.try_remove(number as usize)
    }
}

/// A moment of JavaScript's clock.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a clock that is no number stands still, which the core bears"
)]
fn instant(milliseconds: f64) -> Instant {
    Instant::from_micros((milliseconds * 1_000.0) as u64)
}

/// Makes panics errors of JavaScript, which say what has happened. Without this, all that is thrown is "unreachable".
fn throw_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        std::panic::set_hook(Box::new(|panic| {
            wasm_bindgen::throw_str(&panic.to_string());
        }));
    });
}
