//! Writes the seeds of the corpus: `cargo run --no-default-features --example seeds`, from `fuzz/`.
//!
//! The bytes of a story depend on the vocabulary that it is told in: write the seeds anew when that changes.

mod events;
mod frames;
mod pairs;
mod servers;
mod settings;

use std::path::Path;
use std::{fs, io};

/// A name and the bytes.
type Seed = (&'static str, Vec<u8>);

/// Stories of chance. With short ones alone, libFuzzer takes hours to try long ones.
fn long() -> Vec<Seed> {
    let names = ["a-long-story-of-chance", "another-long-story-of-chance"];
    let mut state = 0_u64;
    let mut byte = || {
        // Knuth's MMIX generator; its high bits are the good ones.
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        state.to_be_bytes()[0]
    };
    names
        .map(|name| (name, (0..1_024).map(|_| byte()).collect()))
        .into()
}

fn main() -> io::Result<()> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    for (target, seeds) in [
        ("join_request", frames::seeds()),
        ("node_events", [events::seeds(), long()].concat()),
        ("server_frames", [servers::seeds(), long()].concat()),
        ("two_nodes_model", [pairs::seeds(), long()].concat()),
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
