//! The bootstrap server, as the core's tests simulate it, too.

use core::time::Duration;

pub use overlay_testkit::net::Limits;
pub(crate) use overlay_testkit::net::{Client, Outgoing, Server, token};

/// When the world began, since 1970.
pub(crate) const BORN: Duration = Duration::from_secs(1_000_000_000);
