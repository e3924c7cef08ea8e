//! The bodies of the fuzz targets on stable: over the committed corpus, which is what fuzzing has found worth keeping,
//! and over pseudo-random bytes.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that meets the unexpected has failed"
)]

use std::fs;
use std::path::Path;

use overlay_fuzz::TARGETS;
use overlay_sim::Rng;

/// How many pseudo-random inputs each target gets; half of them are much like one of the corpus.
const INPUTS: u32 = 4_000;

#[test]
fn no_bytes_from_the_wire_upset_a_node_in_any_situation() {
    holds("join_request");
}

#[test]
fn whatever_befalls_a_node_it_keeps_the_rules_and_can_leave() {
    holds("node_events");
}

#[test]
fn whatever_clients_say_a_relay_tells_nobody_what_is_not_for_them() {
    holds("server_frames");
}

#[test]
fn two_nodes_lose_double_and_reorder_nothing_and_agree_in_the_end() {
    holds("two_nodes_model");
}

#[test]
fn a_node_lives_with_every_configuration_that_is_not_refused() {
    holds("config");
}

fn holds(target: &str) {
    let (_, body) = TARGETS
        .into_iter()
        .find(|(name, _)| *name == target)
        .unwrap();
    let corpus = corpus(target);
    assert!(!corpus.is_empty(), "{target} has no corpus");
    for input in &corpus {
        body(input);
    }
    let mut rng = Rng::new(0);
    for _ in 0..INPUTS / 2 {
        body(&bytes(&mut rng));
        let like = rng.pick(&corpus).unwrap();
        body(&bytes_like(like, &mut rng));
    }
}

/// The files with a name. What a fuzzer has added here is named by its hash, and is not part of the repository.
fn corpus(target: &str) -> Vec<Vec<u8>> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus");
    let files = fs::read_dir(corpus.join(target)).unwrap();
    let is_hash = |name: &str| name.len() == 40 && name.bytes().all(|c| c.is_ascii_hexdigit());
    let mut files: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    files.retain(|file| !is_hash(file.file_name().unwrap().to_str().unwrap()));
    files.sort();
    files.iter().map(|file| fs::read(file).unwrap()).collect()
}

/// Up to 1,024 bytes.
fn bytes(rng: &mut Rng) -> Vec<u8> {
    let words = rng.between(1, 128);
    (0..words).flat_map(|_| rng.draw().to_le_bytes()).collect()
}

/// Bytes that differ from these in up to three places.
fn bytes_like(like: &[u8], rng: &mut Rng) -> Vec<u8> {
    let mut bytes = like.to_vec();
    for _ in 0..rng.between(1, 3) {
        let at = usize::try_from(rng.below(bytes.len() as u64)).unwrap();
        if let Some(byte) = bytes.get_mut(at) {
            *byte = rng.draw().to_le_bytes()[0];
        }
    }
    bytes
}
