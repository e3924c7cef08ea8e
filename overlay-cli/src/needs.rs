//! What `overlay up` needs of the machine, said before it takes it.

use anyhow::anyhow;

use crate::args::Up;
use crate::hint::WithHint;
use crate::report::say;

/// With 1,000 nodes of degree 10 it is three while links are made, and two later.
const SOCKETS_OF_A_NODE: u64 = 4;

/// What the process opens besides: its runtime, the server, the terminal.
const OTHER_FILES: u64 = 64;

/// With 1,000 nodes of degree 10 it is 504.
const KIB_OF_A_NODE: u64 = 550;

/// Says what the nodes need, and fails if the system does not let a process have that.
pub(crate) fn check(args: &Up) -> anyhow::Result<()> {
    let nodes = args.nodes.get() as u64;
    let files = nodes * SOCKETS_OF_A_NODE + OTHER_FILES;
    let mebibytes = (nodes * KIB_OF_A_NODE).div_ceil(1024);
    if !args.json {
        say(&format!(
            "{nodes} nodes in this process: up to {files} open sockets and about {mebibytes} MiB of memory."
        ));
    }
    match open_files() {
        Some(limit) if limit < files => Err(anyhow!(
            "this shell lets a process open {limit} files, and {nodes} nodes need {files}"
        )
        .hint("raise it with `ulimit -n`, or take fewer with --nodes")),
        _ => Ok(()),
    }
}

/// How many files this process may have open; `None` if that has no limit, or is not known.
#[cfg(unix)]
fn open_files() -> Option<u64> {
    rustix::process::getrlimit(rustix::process::Resource::Nofile).current
}

/// How many files this process may have open; `None` if that has no limit, or is not known.
#[cfg(not(unix))]
const fn open_files() -> Option<u64> {
    None
}
