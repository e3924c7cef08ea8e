//! The interface to an async runtime: what the driver needs of one.

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

/// A connection that was accepted, and its client's address.
pub type Accepted = (Box<dyn ByteStream>, SocketAddr);

/// An async runtime.
///
/// Tasks, timers, the clock and UDP are in `webrtc`'s own abstraction already. This adds TCP to it.
pub trait Runtime: Debug + Send + Sync + 'static {
    /// The runtime as `webrtc` sees it. Its `spawn` must work wherever the driver is called from.
    fn webrtc(&self) -> Arc<dyn webrtc::runtime::Runtime>;

    /// Connects to a TCP port of `host`, a name or an address. Small writes go out at once.
    fn connect(
        &self,
        host: String,
        port: u16,
    ) -> BoxFuture<'static, io::Result<Box<dyn ByteStream>>>;

    /// Accepts TCP connections on `socket`, which does not block, for as long as the stream is polled. The stream may
    /// go on after an error. Small writes go out at once.
    fn listen(&self, socket: TcpListener) -> io::Result<BoxStream<'static, io::Result<Accepted>>>;
}
