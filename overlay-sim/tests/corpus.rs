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

/// How many pseudo-random inputs each target gets.
const INPUTS: u64 = 3_000;

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
    holds("relay_frames");
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
    let (_, body) = TARGETS.into_iter().find(|(name, _)| *name == target).unwrap();
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(target);
    let files = fs::read_dir(corpus).unwrap();
    let inputs = files.map(|file| fs::read(file.unwrap().path()).unwrap());
    let mut seeds = 0;
    for input in inputs {
        body(&input);
        seeds += 1;
    }
    assert!(seeds > 0, "{target} has no corpus");
    (0..INPUTS).for_each(|number| body(&pseudo_random(number)));
}

/// Up to 1,024 bytes, the same on every machine (SplitMix64, Steele et al. 2014).
fn pseudo_random(number: u64) -> Vec<u8> {
    let mut state = number;
    let mut draw = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    };
    let words = draw() % 128 + 1;
    (0..words).flat_map(|_| draw().to_le_bytes()).collect()
}
