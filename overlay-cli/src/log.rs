//! The log on stderr.

use std::io::{self, IsTerminal, Write};

use tracing_subscriber::EnvFilter;

/// Logs to stderr: as `RUST_LOG` says, or by the number of `-v`.
pub(crate) fn begin(verbose: u8) {
    let default = match verbose {
        0 => "off",
        // The WebRTC stack warns of what it can't do on this machine.
        1 => "warn,overlay_driver=info",
        2 => "info,overlay_driver=debug",
        _ => "debug",
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default));
    // https://no-color.org
    let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(io::stderr().is_terminal() && !plain)
        .with_writer(|| Stderr)
        .init();
}

/// Stderr, or nothing once it is closed: no log is worth the end of a server.
struct Stderr;

impl Write for Stderr {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        let _ = io::stderr().write_all(text);
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
