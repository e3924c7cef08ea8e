//! The runtime of one peer connection, whose tasks end with it.
//!
//! `webrtc` leaves its driver task running when a connection is dropped, and does not tell when that
//! task panics. Here the task ends with the connection's [`Leash`], and a panic becomes an error of
//! the link.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::panic::AssertUnwindSafe;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_channel::{Receiver, Sender};
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Either, select};
use socket2::SockRef;
use tracing::debug;
use webrtc::runtime::{
    AsyncInterval, AsyncTcpListener, AsyncTcpStream, AsyncUdpSocket, JoinHandle, Runtime,
};

use super::LinkError;
use super::opening::{Opening, Paced};

/// Time in which the name of a STUN or TURN server must resolve. Otherwise the link does without it.
const RESOLVE_TIMEOUT: Duration = Duration::from_secs(2);

/// Ends the connection's tasks when it is dropped.
#[derive(Debug)]
pub(super) struct TaskGuard {
    _held: Sender<Infallible>,
}

#[derive(Debug)]
pub(super) struct Confined {
    runtime: Arc<dyn Runtime>,
    receive_buffer: usize,
    released: Receiver<Infallible>,
    opening: Arc<Opening>,
    faults: Sender<LinkError>,
}

impl Confined {
    /// `runtime`, with tasks that end with the guard and report a panic to `faults`.
    pub(super) fn new(
        runtime: Arc<dyn Runtime>,
        receive_buffer: usize,
        opening: Arc<Opening>,
        faults: Sender<LinkError>,
    ) -> (Self, TaskGuard) {
        let (held, released) = async_channel::bounded(1);
        let confined = Self {
            runtime,
            receive_buffer,
            released,
            opening,
            faults,
        };
        (confined, TaskGuard { _held: held })
    }
}

impl Runtime for Confined {
    fn spawn(&self, future: Pin<Box<dyn Future<Output = ()> + Send>>) -> Box<dyn JoinHandle> {
        let released = self.released.clone();
        let faults = self.faults.clone();
        self.runtime.spawn(Box::pin(async move {
            let task = AssertUnwindSafe(future).catch_unwind();
            if let Either::Left((Err(_), _)) = select(task, pin!(released.recv())).await {
                // Full means that the link ends already, for another reason.
                let _ = faults.try_send(LinkError::Crashed);
            }
        }))
    }

    fn wrap_udp_socket(&self, socket: UdpSocket) -> io::Result<Arc<dyn AsyncUdpSocket>> {
        if let Err(error) = SockRef::from(&socket).set_recv_buffer_size(self.receive_buffer) {
            debug!(%error, "the receive buffer keeps its size");
        }
        let socket = self.runtime.wrap_udp_socket(socket)?;
        Ok(Arc::new(Paced::new(socket, self.opening.clone())))
    }

    fn wrap_tcp_listener(&self, _: TcpListener) -> io::Result<Arc<dyn AsyncTcpListener>> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Refused: a peer must not choose addresses that this machine connects to.
    fn connect_tcp(&self, _: SocketAddr) -> BoxFuture<'_, io::Result<Arc<dyn AsyncTcpStream>>> {
        Box::pin(async { Err(io::ErrorKind::Unsupported.into()) })
    }

    /// Bounded, because the driver does nothing else meanwhile.
    fn resolve_host<'a>(&'a self, host: &'a str) -> BoxFuture<'a, io::Result<Vec<SocketAddr>>> {
        let resolved = self.runtime.resolve_host(host);
        let timeout = self.runtime.sleep(RESOLVE_TIMEOUT);
        Box::pin(async {
            match select(resolved, timeout).await {
                Either::Left((addresses, _)) => addresses,
                Either::Right(_) => Err(io::ErrorKind::TimedOut.into()),
            }
        })
    }

    fn now(&self) -> Instant {
        self.runtime.now()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        self.opening.light(self.runtime.sleep(duration))
    }

    fn interval(&self, period: Duration) -> Box<dyn AsyncInterval> {
        self.runtime.interval(period)
    }

    fn block_on(&self, future: Pin<Box<dyn Future<Output = ()> + '_>>) {
        self.runtime.block_on(future);
    }

    fn yield_now(&self) -> BoxFuture<'static, ()> {
        self.runtime.yield_now()
    }

    fn name(&self) -> &'static str {
        self.runtime.name()
    }
}
