//! What the exit status says, besides 0 for all of it, 1 for an error, and 2 for a wrong command line.

use std::process::ExitCode;

/// Something is missing: stderr says how much.
pub(crate) fn lacking() -> ExitCode {
    ExitCode::from(3)
}

/// The reader of stdout has closed it before the end: as if SIGPIPE had stopped the process, as it stops other tools.
pub(crate) fn unread() -> ExitCode {
    ExitCode::from(141)
}

/// Stopped by a signal.
pub(crate) fn stopped() -> ExitCode {
    ExitCode::from(130)
}
