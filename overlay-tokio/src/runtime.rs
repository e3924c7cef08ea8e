//! tokio, as the driver needs it.

use std::io;
use std::sync::Arc;

use futures_util::future::{BoxFuture, FutureExt};
use futures_util::stream::{self, BoxStream, StreamExt};
use overlay_driver::{Accepted, ByteStream, Runtime};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::compat::TokioAsyncReadCompatExt;

/// The tokio runtime that the caller is in.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tokio;

impl Runtime for Tokio {
    fn webrtc(&self) -> Arc<dyn webrtc::runtime::Runtime> {
        Arc::new(webrtc::runtime::TokioRuntime)
    }

    fn connect(
        &self,
        host: String,
        port: u16,
    ) -> BoxFuture<'static, io::Result<Box<dyn ByteStream>>> {
        async move {
            let connected = TcpStream::connect((host, port)).await;
            connected.map(prompt)
        }
        .boxed()
    }

    fn listen(
        &self,
        socket: std::net::TcpListener,
    ) -> io::Result<BoxStream<'static, io::Result<Accepted>>> {
        let listener = TcpListener::from_std(socket)?;
        let accepting = stream::unfold(listener, |listener| async {
            let accepted = listener.accept().await;
            let accepted = accepted.map(|(stream, peer)| (prompt(stream), peer));
            Some((accepted, listener))
        });
        Ok(accepting.boxed())
    }
}

/// The connection as a stream that sends small writes at once.
fn prompt(stream: TcpStream) -> Box<dyn ByteStream> {
    // Without the option it works as well, only slower.
    let _ = stream.set_nodelay(true);
    Box::new(stream.compat())
}
