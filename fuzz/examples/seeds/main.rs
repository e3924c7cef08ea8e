//! Writes the seeds of the corpus: `cargo run --no-default-features --example seeds`, from `fuzz/`.
//!
//! The bytes of a story depend on the vocabulary that it is told in: write the seeds anew when that changes.

mod events;
mod frames;
mod pairs;
mod relays;
mod settings;

use std::path::Path;
use std::{fs, io};

/// A name and the bytes.
type Seed = (&'static str, Vec<u8>);

fn main() -> io::Result<()> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    for (target, seeds) in [
        ("join_request", frames::seeds()),
        ("node_events", events::seeds()),
        ("relay_frames", relays::seeds()),
        ("two_nodes_model", pairs::seeds()),
        ("config", settings::seeds()),
    ] {
        let folder = corpus.join(target);
        fs::create_dir_all(&folder)?;
        for (name, bytes) in seeds {
            fs::write(folder.join(name), bytes)?;
        }
    }
    Ok(())
}
