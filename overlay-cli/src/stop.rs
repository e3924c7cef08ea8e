//! The request to stop: Ctrl-C, or SIGTERM where there is such a thing.

/// Resolves when the user or the system wants the command to stop.
#[cfg(unix)]
pub(crate) async fn requested() {
    use tokio::signal::unix::{SignalKind, signal};

    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        return interrupted().await;
    };
    tokio::select! {
        () = interrupted() => {}
        _ = terminate.recv() => {}
    }
}

/// Resolves when the user wants the command to stop.
#[cfg(not(unix))]
pub(crate) async fn requested() {
    interrupted().await;
}

async fn interrupted() {
    if tokio::signal::ctrl_c().await.is_err() {
        // Without a handler the system ends the process itself.
        std::future::pending::<()>().await;
    }
}
