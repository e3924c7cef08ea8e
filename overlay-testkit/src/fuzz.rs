//! The bodies of the fuzz targets: what each does with its bytes.
//!
//! Each target has a module with one entry, `run`, which panics if a claim does not hold. The binaries in
//! `fuzz/fuzz_targets/` call it with what libFuzzer makes up. [`check`] calls it on stable with the committed corpus and
//! some pseudo-random bytes; the core's tests do so.
//!
//! | module | idea |
//! |---|---|
//! | [`join_request`] | bytes as they come from the wire, to nodes in every situation |
//! | [`node_events`] | one node, and anything that may befall it |
//! | [`server_frames`] | several clients of one bootstrap server |
//! | [`two_nodes_model`] | two nodes and a wire, against a naive model |
//! | [`config`] | any configuration |
//! | [`vocabulary`] | bytes as stories, and stories as bytes |
//! | [`words`] | the nodes of the stories, and the words that they say |
//! | [`watched`] | a node whose invariants are checked after every event |

pub mod config;
mod corpus;
pub mod join_request;
pub mod node_events;
pub mod server_frames;
pub mod two_nodes_model;
pub mod vocabulary;
pub mod watched;
pub mod words;

pub use corpus::check;
