//! What a node tells its app, as plain objects.

use overlay_core::{Answers, CloseReason, Notification, Unsent};
use wasm_bindgen::JsValue;

use crate::object::{Fields, bytes, double, ids, list, milliseconds, position, size};

/// The object that says this. `None` of what this version does not know.
#[must_use]
#[allow(clippy::too_many_lines, reason = "one arm for each kind")]
pub fn object(notification: Notification) -> Option<JsValue> {
    let fields = match notification {
        Notification::ParentConnected {
            node,
            depth,
            attempt,
            ..
        } => Fields::of("parent")
            .with("node", node.to_string())
            .with("depth", size(depth))
            .with("attempt", attempt),
        Notification::ParentClosed { node, reason, .. } => {
            closed("parentLost", reason).with("node", node.to_string())
        }
        Notification::Reattached { took, new_parent } => Fields::of("reattached")
            .with("node", new_parent.to_string())
            .with("took", milliseconds(took)),
        Notification::Standby { epoch } => Fields::of("standby").with("epoch", double(epoch.0)),
        Notification::Promoted { epoch } => Fields::of("promoted").with("epoch", double(epoch.0)),
        Notification::SteppedDown { epoch } => {
            Fields::of("steppedDown").with("epoch", double(epoch.0))
        }
        Notification::RootChanged { epoch, root } => Fields::of("rootChanged")
            .with("epoch", double(epoch.0))
            .with("root", root.to_string()),
        Notification::ChildConnected { node, .. } => {
            Fields::of("child").with("node", node.to_string())
        }
        Notification::ChildClosed {
            node,
            reason,
            unconfirmed,
            ..
        } => closed("childLost", reason)
            .with("node", node.to_string())
            .with("unconfirmed", size(unconfirmed)),
        Notification::PathChanged { depth, epoch } => Fields::of("depth")
            .with("depth", size(depth))
            .with("epoch", double(epoch.0)),
        Notification::SubtreeChanged(census) => Fields::of("tree")
            .with("nodes", list(census.nodes()))
            .with("finished", census.finished())
            .with("gapped", census.gapped())
            .with("settled", census.is_settled()),
        Notification::JoinRejected { reason, retry_in } => Fields::of("rejected")
            .with("reason", reason.to_string())
            .with("retryIn", milliseconds(retry_in)),
        Notification::BootstrapReady => Fields::of("registered"),
        Notification::BootstrapLost { refusal, retry_in } => Fields::of("bootstrapLost")
            .with("refusal", refusal.map(|refusal| refusal.to_string()))
            .with("retryIn", retry_in.map(milliseconds)),
        Notification::Unsent { reason, .. } => Fields::of("unsent")
            .with("reason", unsent(reason))
            .with("text", reason.to_string()),
        Notification::Gap { from, to } => Fields::of("gap")
            .with("from", position(from))
            .with("to", position(to)),
        Notification::BehindTheEnd { from } => {
            Fields::of("behindTheEnd").with("from", position(from))
        }
        Notification::Stalled {
            node,
            behind,
            lasting,
        } => Fields::of("stalled")
            .with("node", node.to_string())
            .with("behind", double(behind))
            .with("lasting", milliseconds(lasting)),
        Notification::StreamEnded { missed, last } => Fields::of("streamEnded")
            .with("missed", double(missed))
            .with("last", bytes(&last)),
        Notification::Replied { tag, arrived, .. } => Fields::of("replied")
            .with("tag", double(tag))
            .with("arrived", arrived),
        Notification::Answers { number, answers } => answered(number, &answers),
        Notification::Left => Fields::of("left"),
        // The driver asks before it sends, and looks again after each event.
        Notification::Writable(_)
        | Notification::RoomToBroadcast
        | Notification::RoomToSendUp
        | _ => return None,
    };
    Some(fields.done())
}

fn closed(kind: &str, reason: CloseReason) -> Fields {
    Fields::of(kind).with("reason", reason.to_string())
}

fn answered(tag: u64, answers: &Answers) -> Fields {
    let each: Vec<_> = answers.each().collect();
    let nodes: Vec<_> = each.iter().map(|(node, _)| *node).collect();
    let values = each.iter().map(|(_, answer)| JsValue::from(bytes(answer)));
    Fields::of("answers")
        .with("tag", double(tag))
        .with("answered", answers.answered)
        .with("omitted", answers.omitted)
        .with("asked", answers.asked)
        .with("value", bytes(&answers.value))
        .with("nodes", ids(&nodes))
        .with("each", values.collect::<js_sys::Array>())
}

/// The code of a reason why a message was not sent.
#[must_use]
pub const fn unsent(reason: Unsent) -> &'static str {
    match reason {
        Unsent::NotConnected => "not-connected",
        Unsent::NotRoot => "not-root",
        Unsent::IsRoot => "is-root",
        Unsent::TooLong => "too-long",
        Unsent::Ended => "ended",
        Unsent::Backlog => "backlog",
        _ => "unsent",
    }
}
