//! The request to stop: Ctrl-C, and where there are such signals SIGTERM and SIGHUP.

/// Requests to stop, one after the other: the first means goodbye, the second at once.
#[derive(Debug)]
pub(crate) struct Stop {
    #[cfg(unix)]
    signals: Vec<tokio::signal::unix::Signal>,
}

#[cfg(unix)]
impl Stop {
    /// Requests from here on. A signal that can't be caught ends the process, as it would have before.
    pub(crate) fn new() -> Self {
        use tokio::signal::unix::{SignalKind, signal};

        let mut kinds = vec![SignalKind::interrupt(), SignalKind::terminate()];
        // `nohup` wants a closed terminal to mean nothing.
        if !hangup_is_ignored() {
            kinds.push(SignalKind::hangup());
        }
        let signals = kinds.into_iter().filter_map(|kind| signal(kind).ok());
        Self {
            signals: signals.collect(),
        }
    }

    /// Resolves with the next request.
    pub(crate) async fn requested(&mut self) {
        std::future::poll_fn(|cx| {
            let mut signals = self.signals.iter_mut();
            let came = signals.any(|signal| signal.poll_recv(cx).is_ready());
            if came {
                std::task::Poll::Ready(())
            } else {
                std::task::Poll::Pending
            }
        })
        .await;
    }
}

/// Whether the process was started with SIGHUP ignored, as far as the system tells.
#[cfg(unix)]
fn hangup_is_ignored() -> bool {
    const SIGHUP: u32 = 1;
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    ignored.is_some_and(|mask| mask & (1 << (SIGHUP - 1)) != 0)
}

#[cfg(not(unix))]
impl Stop {
    /// Requests from here on.
    pub(crate) fn new() -> Self {
        Self {}
    }

    /// Resolves with the next request.
    pub(crate) async fn requested(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            // Without a handler the system ends the process itself.
            std::future::pending::<()>().await;
        }
    }
}
