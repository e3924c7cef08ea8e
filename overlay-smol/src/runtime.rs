//! smol, as the driver needs it.

use std::io;
use std::sync::Arc;

use overlay_driver::{Accepted, ByteStream, Runtime};
use smol::future::{self, FutureExt};
use smol::net::{TcpListener, TcpStream};
use smol::stream::{self, StreamExt};

/// smol's global executor.
#[derive(Clone, Copy, Debug, Default)]
pub struct Smol;

impl Runtime for Smol {
    fn webrtc(&self) -> Arc<dyn webrtc::runtime::Runtime> {
        Arc::new(webrtc::runtime::SmolRuntime)
    }

    fn connect(&self, host: String, port: u16) -> future::Boxed<io::Result<Box<dyn ByteStream>>> {
        async move {
            let connected = TcpStream::connect((host, port)).await;
            connected.map(prompt)
        }
        .boxed()
    }

    fn listen(
        &self,
        socket: std::net::TcpListener,
    ) -> io::Result<stream::Boxed<io::Result<Accepted>>> {
        let listener = TcpListener::try_from(socket)?;
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
    Box::new(stream)
}
