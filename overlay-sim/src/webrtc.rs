//! WebRTC, as the core's tests simulate it, too.

pub(crate) use overlay_testkit::net::{EndId, Ends, Heard, Stage};
