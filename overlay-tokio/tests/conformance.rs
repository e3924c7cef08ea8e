//! What every driver must do, on tokio.

use std::process::ExitCode;
use std::sync::Arc;

use overlay_conformance::Driver;

fn main() -> ExitCode {
    overlay_conformance::run(&Driver {
        runtime: Arc::new(overlay_tokio::Tokio),
        node: overlay_tokio::node,
        dialer: overlay_tokio::dialer,
        serve: overlay_tokio::serve,
    })
}
