//! A runtime whose sockets lose or garble what they send.

use std::future::Future;
use std::io::{self, IoSliceMut};
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use overlay_driver::{Accepted, ByteStream, Runtime};
use webrtc::runtime::{
    AsyncInterval, AsyncTcpListener, AsyncTcpStream, AsyncUdpSocket, JoinHandle, RecvMeta,
    TokioRuntime, Transmit,
};

#[derive(Clone, Copy, Debug)]
enum Harm {
    Lose,
    Garble,
    Crash,
}

/// A runtime that harms the first datagram of each socket, and then one in `every`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rough {
    harm: Harm,
    every: usize,
}

impl Rough {
    pub(crate) fn losing(every: usize) -> Self {
        Self {
            harm: Harm::Lose,
            every,
        }
    }

    pub(crate) fn garbling(every: usize) -> Self {
        Self {
            harm: Harm::Garble,
            every,
        }
    }

    /// The task that sends panics.
    pub(crate) fn crashing() -> Self {
        Self {
            harm: Harm::Crash,
            every: usize::MAX,
        }
    }
}

impl Runtime for Rough {
    fn webrtc(&self) -> Arc<dyn webrtc::runtime::Runtime> {
        Arc::new(*self)
    }

    fn connect(&self, _: String, _: u16) -> BoxFuture<'static, io::Result<Box<dyn ByteStream>>> {
        unreachable!("links make no TCP connections")
    }

    fn listen(&self, _: TcpListener) -> io::Result<BoxStream<'static, io::Result<Accepted>>> {
        unreachable!("links take no TCP connections")
    }
}

impl webrtc::runtime::Runtime for Rough {
    fn spawn(&self, future: Pin<Box<dyn Future<Output = ()> + Send>>) -> Box<dyn JoinHandle> {
        TokioRuntime.spawn(future)
    }

    fn wrap_udp_socket(&self, socket: UdpSocket) -> io::Result<Arc<dyn AsyncUdpSocket>> {
        Ok(Arc::new(RoughSocket {
            socket: TokioRuntime.wrap_udp_socket(socket)?,
            rough: *self,
            sent: AtomicUsize::new(0),
        }))
    }

    fn wrap_tcp_listener(&self, listener: TcpListener) -> io::Result<Arc<dyn AsyncTcpListener>> {
        TokioRuntime.wrap_tcp_listener(listener)
    }

    fn connect_tcp(&self, to: SocketAddr) -> BoxFuture<'_, io::Result<Arc<dyn AsyncTcpStream>>> {
        TokioRuntime.connect_tcp(to)
    }

    fn resolve_host<'a>(&'a self, host: &'a str) -> BoxFuture<'a, io::Result<Vec<SocketAddr>>> {
        TokioRuntime.resolve_host(host)
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        TokioRuntime.sleep(duration)
    }

    fn interval(&self, period: Duration) -> Box<dyn AsyncInterval> {
        TokioRuntime.interval(period)
    }

    fn block_on(&self, future: Pin<Box<dyn Future<Output = ()> + '_>>) {
        TokioRuntime.block_on(future);
    }
}

#[derive(Debug)]
struct RoughSocket {
    socket: Arc<dyn AsyncUdpSocket>,
    rough: Rough,
    sent: AtomicUsize,
}

impl AsyncUdpSocket for RoughSocket {
    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    fn poll_send(&self, cx: &mut Context<'_>, transmit: &Transmit<'_>) -> Poll<io::Result<usize>> {
        let sent = self.sent.fetch_add(1, Ordering::Relaxed);
        if !sent.is_multiple_of(self.rough.every) {
            return self.socket.poll_send(cx, transmit);
        }
        match self.rough.harm {
            Harm::Crash => panic!("as if the WebRTC stack had a defect"),
            Harm::Lose => Poll::Ready(Ok(transmit.contents.len())),
            Harm::Garble => {
                let mut contents = transmit.contents.to_vec();
                // Somewhere behind what tells STUN from DTLS, and elsewhere every time.
                let at = sent * 7 % contents.len();
                contents[at] ^= 1 << (sent % 8);
                let transmit = Transmit {
                    destination: transmit.destination,
                    ecn: transmit.ecn,
                    contents: &contents,
                    segment_size: transmit.segment_size,
                    src_ip: transmit.src_ip,
                };
                self.socket.poll_send(cx, &transmit)
            }
        }
    }

    fn poll_recv(
        &self,
        cx: &mut Context<'_>,
        buffers: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        self.socket.poll_recv(cx, buffers, meta)
    }
}
