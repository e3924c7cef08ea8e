//! What every driver must do, on smol.

use std::process::ExitCode;
use std::sync::Arc;

use overlay_conformance::Driver;

fn main() -> ExitCode {
    overlay_conformance::run(&Driver {
        runtime: Arc::new(overlay_smol::Smol),
        node: overlay_smol::node,
        dialer: overlay_smol::dialer,
        serve: overlay_smol::serve,
    })
}
