//! Plain objects of JavaScript, and the numbers in which JavaScript has what Rust has types for.

use std::time::Duration;

use js_sys::{Array, Object, Reflect, Uint8Array};
use overlay_core::{Combine, LinkId, NodeId, Position, Way};
use wasm_bindgen::JsValue;

/// A plain object that is being made.
#[derive(Debug)]
pub struct Fields(Object);

impl Fields {
    /// An object whose field `type` says what it is.
    #[must_use]
    pub fn of(kind: &str) -> Self {
        Self(Object::new()).with("type", kind)
    }

    /// The object with one field more.
    #[must_use]
    pub fn with(self, name: &str, value: impl Into<JsValue>) -> Self {
        // It fails only for objects that can't be changed.
        let _ = Reflect::set(&self.0, &name.into(), &value.into());
        self
    }

    /// The object.
    #[must_use]
    pub fn done(self) -> JsValue {
        self.0.into()
    }
}

/// A link's id as JavaScript has it. A double holds it: a node has far fewer than 2²¹ links at once.
#[must_use]
#[allow(clippy::cast_precision_loss, reason = "below 2^53")]
pub fn link_number(link: LinkId) -> f64 {
    link.to_u64() as f64
}

/// The link's id that JavaScript means.
#[must_use]
pub fn link_id(link: f64) -> LinkId {
    LinkId::from_u64(number(link))
}

/// A count of JavaScript: negative ones, and what is no number, are 0.
#[must_use]
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "it saturates"
)]
pub fn number(double: f64) -> u64 {
    double as u64
}

/// A count as a double, exact up to 2⁵³.
#[must_use]
#[allow(clippy::cast_precision_loss, reason = "exact up to 2^53")]
pub fn double(number: u64) -> f64 {
    number as f64
}

/// A length or count as a double.
#[must_use]
pub fn size(size: usize) -> f64 {
    double(size as u64)
}

/// Milliseconds as a duration; at most a million years.
#[must_use]
pub fn duration(milliseconds: f64) -> Duration {
    Duration::from_millis(number(milliseconds.min(3e16)))
}

/// A duration as milliseconds.
#[must_use]
pub fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1_000.0
}

/// Bytes as JavaScript's own copy.
#[must_use]
pub fn bytes(bytes: &[u8]) -> Uint8Array {
    Uint8Array::from(bytes)
}

/// Numbers as an array.
#[must_use]
pub fn list(numbers: &[u32]) -> Array {
    numbers
        .iter()
        .map(|number| JsValue::from(*number))
        .collect()
}

/// Ids as an array of texts.
#[must_use]
pub fn ids(nodes: &[NodeId]) -> Array {
    nodes
        .iter()
        .map(|node| JsValue::from(node.to_string()))
        .collect()
}

/// A place in the stream, as an object.
#[must_use]
pub fn position(position: Position) -> JsValue {
    let object = Fields(Object::new())
        .with("root", position.root.to_string())
        .with("epoch", double(position.epoch.0))
        .with("offset", double(position.offset));
    object.done()
}

/// The ids on a way, 16 bytes each.
#[must_use]
pub fn way_bytes(way: &Way) -> Uint8Array {
    let ids = way.ids().iter();
    bytes(&ids.flat_map(|node| *node.as_bytes()).collect::<Vec<u8>>())
}

/// The way with these ids. `None` if there are too many, or one is not whole.
#[must_use]
pub fn way(bytes: &[u8]) -> Option<Way> {
    let ids = bytes
        .chunks(16)
        .map(|id| id.try_into().map(NodeId::from_bytes));
    Way::from_ids(ids.collect::<Result<_, _>>().ok()?).ok()
}

/// The name of a way to combine answers.
#[must_use]
pub const fn combine_name(combine: Combine) -> &'static str {
    match combine {
        Combine::Concat => "each",
        Combine::Count => "count",
        Combine::Sum => "sum",
        Combine::Min => "min",
        Combine::Max => "max",
        Combine::App => "app",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_way_of_whole_ids_is_taken_and_no_other() {
        assert_eq!(way(&[7; 32]).map(|way| way.ids().len()), Some(2));
        assert_eq!(way(&[7; 33]), None);
        assert_eq!(way(&[7; 16 * 65]), None);
    }

    #[test]
    fn what_is_no_count_is_zero() {
        assert_eq!([f64::NAN, -1.0, 0.0].map(number), [0; 3]);
        assert_eq!(
            duration(f64::INFINITY),
            Duration::from_mins(500_000_000_000)
        );
    }
}
