//! The core of the tree overlay, as WebAssembly for a driver in TypeScript.
//!
//! The driver owns what a browser has: peer connections, WebSockets, timers. Here is only the way to [`overlay_core::Node`] and
//! back, with no rule of the protocol in it:
//!
//! - [`Core`] has one method for each kind of event ([`events`]), and some for questions about the node ([`queries`]).
//! - What the node answers goes to a [`Sink`] while the method runs, one call for each action ([`actions`]). The sink writes them
//!   down and does nothing else. Called back from here, an app that asks the node something would find it borrowed, and
//!   the node would be dead from then on.
//! - News and other rare things are plain objects ([`object`], [`news`]).
//! - A panic throws a JavaScript error with its text out of the method in which it happens. The driver then calls no method of
//!   that node again.
//!
//! Names in here are those of JavaScript, because its documentation is made of them.
#![deny(unsafe_code)]

pub mod actions;
pub mod core;
pub mod events;
pub mod news;
pub mod object;
mod options;
pub mod queries;

pub use actions::Sink;
pub use core::Core;
