//! What the driver needs of an async runtime.

use std::fmt::Debug;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use futures_util::future::BoxFuture;
use futures_util::io::{AsyncRead, AsyncWrite};
use futures_util::stream::BoxStream;

/// A two-way stream of bytes: a TCP connection, with or without TLS.
pub trait ByteStream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin + ?Sized> ByteStream for T {}

/// A connection that was accepted, and where it comes from.
pub type Accepted = (Box<dyn ByteStream>, SocketAddr);

/// An async runtime.
///
/// Tasks, timers, the clock and UDP are what `webrtc` has abstracted already; this adds what it
/// lacks.
pub trait Runtime: Debug + Send + Sync + 'static {
    /// The runtime as `webrtc` sees it. Its `spawn` must work wherever the driver is called from.
    fn webrtc(&self) -> Arc<dyn webrtc::runtime::Runtime>;

    /// Connects to `host`, a name or an address, on a TCP port. Small writes go out at once.
    fn connect(
        &self,
        host: String,
        port: u16,
    ) -> BoxFuture<'static, io::Result<Box<dyn ByteStream>>>;

    /// Accepts TCP connections on `socket`, which does not block, for as long as the stream is polled.
    /// After an error it may go on. Small writes go out at once.
    fn listen(&self, socket: TcpListener) -> io::Result<BoxStream<'static, io::Result<Accepted>>>;
}
