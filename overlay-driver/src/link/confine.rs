//! The runtime as one peer connection sees it, which makes up for three habits of `webrtc`:
//!
//! - It leaves its driver task running when a connection is dropped. Here the task ends with its [`Leash`].
//! - When that task panics, nobody is told. Here a panic becomes an error of the link.
//! - The task sends, handles events, and sleeps, in this order. What an event produces, above all the first
//!   packet of the next handshake, waits for a timer: a link takes 600 ms to open, not 4. Here a
//!   [`Nudge`] ends the sleep.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::io;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::panic::AssertUnwindSafe;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::{Duration, Instant};

use async_channel::{Receiver, Sender};
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Either, select};
use futures_util::task::AtomicWaker;
use socket2::SockRef;
use tracing::debug;
use webrtc::runtime::{
    AsyncInterval, AsyncTcpListener, AsyncTcpStream, AsyncUdpSocket, JoinHandle, Runtime,
};

use super::LinkError;
use super::paced::Paced;

/// How long the name of a STUN or TURN server may take to resolve, before the link does without it.
const RESOLVE_TIMEOUT: Duration = Duration::from_secs(2);

/// Ends the connection's tasks when it is dropped.
#[derive(Debug)]
pub(super) struct Leash {
    _held: Sender<Infallible>,
}

/// Ends the driver's sleep, or the next one, as if its time were over.
#[derive(Clone, Debug, Default)]
pub(super) struct Nudge(Arc<NudgeState>);

#[derive(Debug, Default)]
struct NudgeState {
    given: AtomicBool,
    over: AtomicBool,
    sleeper: AtomicWaker,
}

impl Nudge {
    pub(super) fn give(&self) {
        self.0.given.store(true, Ordering::Release);
        self.0.sleeper.wake();
    }

    /// No more nudges. Until then the driver alone sleeps on this runtime; from the first frame on, and
    /// when the connection is closed, others do as well.
    pub(super) fn finish(&self) {
        self.0.over.store(true, Ordering::Release);
    }

    pub(super) fn is_finished(&self) -> bool {
        self.0.over.load(Ordering::Acquire)
    }

    fn interrupt(&self, mut sleep: BoxFuture<'static, ()>) -> BoxFuture<'static, ()> {
        if self.is_finished() {
            return sleep;
        }
        let state = self.0.clone();
        Box::pin(poll_fn(move |cx| {
            state.sleeper.register(cx.waker());
            if state.given.swap(false, Ordering::AcqRel) {
                return Poll::Ready(());
            }
            sleep.poll_unpin(cx)
        }))
    }
}

#[derive(Debug)]
pub(super) struct Confined {
    runtime: Arc<dyn Runtime>,
    receive_buffer: usize,
    released: Receiver<Infallible>,
    nudge: Nudge,
    faults: Sender<LinkError>,
}

impl Confined {
    /// `runtime`, with tasks that end with the leash and report a panic to `faults`.
    pub(super) fn new(
        runtime: Arc<dyn Runtime>,
        receive_buffer: usize,
        nudge: Nudge,
        faults: Sender<LinkError>,
    ) -> (Self, Leash) {
        let (held, released) = async_channel::bounded(1);
        let confined = Self {
            runtime,
            receive_buffer,
            released,
            nudge,
            faults,
        };
        (confined, Leash { _held: held })
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
        Ok(Arc::new(Paced::new(socket, self.nudge.clone())))
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
        self.nudge.interrupt(self.runtime.sleep(duration))
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
