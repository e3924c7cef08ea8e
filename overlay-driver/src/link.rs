//! Links: one WebRTC data channel between two nodes, and the handshake that leads to it.
//!
//! A [`Dialer`] opens a [`Link`] as the side that offers or the side that answers. A link reports [`LinkEvent`]s, first
//! the signals that must be carried to the peer by other means. The peer's signals are given to the link with
//! [`Link::signal`].
//!
//! A link is one task, and one more of the WebRTC stack. Both end, and all sockets are closed, before
//! [`LinkEvent::Closed`]. That event always comes, and is the last.

mod address;
mod config;
mod confine;
mod dialer;
mod handshake;
mod opening;
mod peer;
mod sdp;
mod session;
mod under_way;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use async_channel::Sender;
use bytes::Bytes;
use overlay_core::wire::MAX_FRAME;
use overlay_core::{Sdp, Signal};
use tracing::debug;

use crate::queue;

pub use config::{ConfigError, IceServer, LinkConfig};
pub use dialer::Dialer;

/// An event of a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkEvent {
    /// The offer for the peer: the first event of the offering side.
    Offer(Sdp),
    /// Another signal for the peer.
    Signal(Signal),
    /// The link is open: frames flow in both directions. Comes before the first message.
    Opened,
    /// A frame from the peer, in the order in which it was sent.
    Message(Bytes),
    /// All that was given to [`Link::send_data`] so far has gone out. Comes once for several.
    Drained,
    /// The link is over. This is the last event, and comes exactly once.
    Closed(LinkError),
}

/// The reason why a link is over.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LinkError {
    /// This side has closed it.
    #[error("closed by this side")]
    ClosedHere,
    /// The peer has closed it.
    #[error("closed by the peer")]
    PeerClosed,
    /// No route to the peer was found in [`LinkConfig::handshake_timeout`].
    #[error("the peer could not be reached")]
    Unreachable,
    /// Nothing was heard from the peer any more.
    #[error("the peer has fallen silent")]
    Lost,
    /// More than [`LinkConfig::max_backlog`] bytes wait for the peer to take them.
    #[error("the peer takes nothing, and too much is waiting for it")]
    Stalled,
    /// A frame of this many bytes was sent, by either side: more than [`MAX_FRAME`].
    #[error("a frame of {0} bytes exceeds the limit of {MAX_FRAME}")]
    TooLong(usize),
    /// The peer's offer or answer cannot be used.
    #[error("the peer's description is unusable: {0}")]
    BadDescription(String),
    /// The peer does what no honest peer does.
    #[error("the peer misbehaves: {0}")]
    Misbehaved(&'static str),
    /// This machine cannot open the connection: no sockets are left, say.
    #[error("cannot open a connection: {0}")]
    Setup(String),
    /// The encryption failed, or the channel broke.
    #[error("the connection has failed")]
    Failed,
    /// A defect of the WebRTC stack ended the connection.
    #[error("the WebRTC stack has crashed")]
    Crashed,
}

/// A frame that waits to be sent.
#[derive(Debug)]
struct Outgoing {
    frame: Bytes,
    /// Whether the owner wants to know when it has gone out.
    tells: bool,
}

/// A link to a peer. Dropping it closes it.
#[derive(Debug)]
pub struct Link {
    frames: Sender<Outgoing>,
    signals: queue::Sender<Signal>,
    backlog: Arc<Backlog>,
}

impl Link {
    /// Takes a signal of the peer: its answer, or an ICE candidate.
    ///
    /// Never blocks. ICE candidates may come before the answer. An answer that cannot be used ends the link; an ICE
    /// candidate that cannot be used is left out.
    pub fn signal(&self, signal: Signal) {
        if self.signals.try_send(signal).is_err() {
            debug!("a signal for a link that is closed or has too many");
        }
    }

    /// Queues a frame of at most [`MAX_FRAME`] bytes for the peer.
    ///
    /// Never blocks. If more than [`LinkConfig::max_backlog`] bytes are queued, the link ends with
    /// [`LinkError::Stalled`]. Once the link is over, frames are dropped.
    pub fn send(&self, frame: Bytes) {
        self.queue(frame, false);
    }

    /// As [`send`](Self::send). [`LinkEvent::Drained`] tells when it has gone out.
    pub fn send_data(&self, frame: Bytes) {
        self.queue(frame, true);
    }

    fn queue(&self, frame: Bytes, tells: bool) {
        if self.frames.is_closed() {
            return;
        }
        if self.backlog.add(&frame) {
            // It fails only if the link has been closed meanwhile.
            let _ = self.frames.try_send(Outgoing { frame, tells });
        } else {
            self.close();
        }
    }

    /// Closes the link. What [`send`](Self::send) has queued is sent first, for [`LinkConfig::flush_timeout`] at
    /// most. If the link is closed already, this does nothing.
    pub fn close(&self) {
        self.frames.close();
        self.signals.close();
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.close();
    }
}

/// The count of bytes that wait in a link's queue.
#[derive(Debug)]
struct Backlog {
    bytes: AtomicUsize,
    limit: usize,
    exceeded: AtomicBool,
}

impl Backlog {
    /// The cost of a frame beside its bytes, so that empty ones are limited as well.
    const OVERHEAD: usize = 64;

    fn new(limit: usize) -> Self {
        Self {
            bytes: AtomicUsize::new(0),
            limit,
            exceeded: AtomicBool::new(false),
        }
    }

    /// Counts a frame in. False if that is too much.
    fn add(&self, frame: &Bytes) -> bool {
        let cost = Self::cost(frame);
        let fits = self.bytes.fetch_add(cost, Ordering::Relaxed) + cost <= self.limit;
        if !fits {
            self.exceeded.store(true, Ordering::Release);
        }
        fits
    }

    /// Counts out a frame of this cost.
    fn remove(&self, cost: usize) {
        self.bytes.fetch_sub(cost, Ordering::Relaxed);
    }

    fn cost(frame: &Bytes) -> usize {
        frame.len() + Self::OVERHEAD
    }

    fn is_exceeded(&self) -> bool {
        self.exceeded.load(Ordering::Acquire)
    }
}
