//! Help for a connection until it is open, because of the order in which `webrtc` works: it reads up to 64 datagrams,
//! sends, handles events, and sleeps.
//!
//! - What an event produces, above all the first packet of the next layer's handshake, waits for a
//!   timer. [`Opening::nudge`] ends the sleep, and so a link opens in 2 ms instead of 600.
//! - A datagram that is read together with the one before it finds that one's events not handled.
//!   If it is a handshake's, it is lost, and a second passes until it is sent again; if it is the
//!   first message, it is acknowledged and lost. [`Paced`] gives one datagram at a time.

use std::future::poll_fn;
use std::io::{self, IoSliceMut};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use futures_util::task::AtomicWaker;
use webrtc::runtime::{AsyncUdpSocket, RecvMeta, Transmit};

/// The time until a connection is open.
#[derive(Debug, Default)]
pub(super) struct Opening {
    nudged: AtomicBool,
    over: AtomicBool,
    sleeper: AtomicWaker,
}

impl Opening {
    /// Ends the driver's sleep, or the next one, as if its time were over.
    pub(super) fn nudge(&self) {
        self.nudged.store(true, Ordering::Release);
        self.sleeper.wake();
    }

    /// The connection is open, or is closed.
    pub(super) fn finish(&self) {
        self.over.store(true, Ordering::Release);
    }

    pub(super) fn is_over(&self) -> bool {
        self.over.load(Ordering::Acquire)
    }

    /// A sleep that a nudge ends. While a connection opens, its driver alone sleeps on its
    /// runtime.
    pub(super) fn light(
        self: &Arc<Self>,
        mut sleep: BoxFuture<'static, ()>,
    ) -> BoxFuture<'static, ()> {
        if self.is_over() {
            return sleep;
        }
        let opening = self.clone();
        Box::pin(poll_fn(move |cx| {
            opening.sleeper.register(cx.waker());
            if opening.nudged.swap(false, Ordering::AcqRel) {
                return Poll::Ready(());
            }
            sleep.poll_unpin(cx)
        }))
    }
}

/// A socket that gives one datagram at a time while the connection opens.
#[derive(Debug)]
pub(super) struct Paced {
    socket: Arc<dyn AsyncUdpSocket>,
    opening: Arc<Opening>,
    /// Whether the last poll gave a datagram.
    gave: AtomicBool,
}

impl Paced {
    pub(super) fn new(socket: Arc<dyn AsyncUdpSocket>, opening: Arc<Opening>) -> Self {
        Self {
            socket,
            opening,
            gave: AtomicBool::new(false),
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
        if self.opening.is_over() {
            return self.socket.poll_recv(cx, buffers, meta);
        }
        if self.gave.swap(false, Ordering::Relaxed) {
            // A burst of reads ends here: its polls have no waker. Any other poll is repeated at
            // once.
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let received = self.socket.poll_recv(cx, buffers, meta);
        self.gave.store(received.is_ready(), Ordering::Relaxed);
        received
    }

    fn max_gso_segments(&self) -> usize {
        self.socket.max_gso_segments()
    }

    fn max_gro_segments(&self) -> usize {
        self.socket.max_gro_segments()
    }
}
