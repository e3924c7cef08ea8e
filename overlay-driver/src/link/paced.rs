//! A socket that hands out one datagram at a time while the connection opens.
//!
//! `webrtc` reads up to 64 datagrams before it handles what they have caused. During the handshake that
//! loses some: what a peer sends right behind the last packet of one layer's handshake finds the next layer
//! not set up yet. A handshake packet costs a second then, until it is sent again, and a first message
//! is acknowledged and gone.

use std::io::{self, IoSliceMut};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use webrtc::runtime::{AsyncUdpSocket, RecvMeta, Transmit};

use super::confine::Nudge;

#[derive(Debug)]
pub(super) struct Paced {
    socket: Arc<dyn AsyncUdpSocket>,
    /// Lasts as long as the handshake.
    nudge: Nudge,
    /// Whether the last poll gave a datagram.
    given: AtomicBool,
}

impl Paced {
    pub(super) fn new(socket: Arc<dyn AsyncUdpSocket>, nudge: Nudge) -> Self {
        Self {
            socket,
            nudge,
            given: AtomicBool::new(false),
        }
    }
}

impl AsyncUdpSocket for Paced {
    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    fn poll_send(&self, cx: &mut Context<'_>, transmit: &Transmit<'_>) -> Poll<io::Result<usize>> {
        self.socket.poll_send(cx, transmit)
    }

    fn poll_recv(
        &self,
        cx: &mut Context<'_>,
        buffers: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        if self.nudge.is_finished() {
            return self.socket.poll_recv(cx, buffers, meta);
        }
        if self.given.swap(false, Ordering::Relaxed) {
            // This ends the burst of reads, whose polls nothing wakes; any other poll comes again at once.
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let received = self.socket.poll_recv(cx, buffers, meta);
        self.given.store(received.is_ready(), Ordering::Relaxed);
        received
    }

    fn max_gso_segments(&self) -> usize {
        self.socket.max_gso_segments()
    }

    fn max_gro_segments(&self) -> usize {
        self.socket.max_gro_segments()
    }
}
