//! The core's time, by the runtime's clock.

use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::{self, BoxFuture, Fuse};
use overlay_core::Instant;

use crate::runtime::Runtime;

/// A clock that counts the core's time from the moment of its making.
#[derive(Debug)]
pub(crate) struct Clock {
    runtime: Arc<dyn webrtc::runtime::Runtime>,
    origin: std::time::Instant,
}

impl Clock {
    pub(crate) fn new(runtime: &dyn Runtime) -> Self {
        let runtime = runtime.webrtc();
        let origin = runtime.now();
        Self { runtime, origin }
    }

    pub(crate) fn now(&self) -> Instant {
        Instant::ZERO + self.runtime.now().saturating_duration_since(self.origin)
    }

    /// Resolves at `deadline`; without one, never.
    pub(crate) fn sleep_until(&self, deadline: Option<Instant>) -> Fuse<BoxFuture<'static, ()>> {
        match deadline {
            Some(deadline) => self.runtime.sleep(deadline.since(self.now())).fuse(),
            None => future::pending().boxed().fuse(),
        }
    }
}
