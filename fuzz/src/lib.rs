//! What the fuzz targets do with their bytes.
//!
//! Each target has a module with one entry, `run`, which panics if a claim does not hold. The binaries in
//! `fuzz_targets/` hand it what libFuzzer makes up; `overlay-sim/tests/corpus.rs` hands it the committed corpus and
//! some pseudo-random bytes, on stable.
//!
//! | module | idea |
//! |---|---|
//! | [`join_request`] | bytes as they come from the wire, to nodes in every situation |
//! | [`node_events`] | one node, and anything that may befall it |
//! | [`server_frames`] | several clients of one bootstrap server |
//! | [`two_nodes_model`] | two nodes and a wire, against a naive model |
//! | [`config`] | any configuration |
//! | [`vocabulary`] | bytes as stories, and stories as bytes |
//! | [`cast`] | who is who in the stories, and what they say |
//! | [`watched`] | a node that is held to the rules after every event |
#![forbid(unsafe_code)]

pub mod cast;
pub mod config;
pub mod join_request;
pub mod node_events;
pub mod server_frames;
pub mod two_nodes_model;
pub mod vocabulary;
pub mod watched;

/// What a target does with an input.
pub type Body = fn(&[u8]);

/// The targets: the name, which is also that of the corpus, and the body.
pub const TARGETS: [(&str, Body); 5] = [
    ("join_request", join_request::run),
    ("node_events", node_events::run),
    ("server_frames", server_frames::run),
    ("two_nodes_model", two_nodes_model::run),
    ("config", config::run),
];
