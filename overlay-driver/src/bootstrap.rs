//! The connection to a bootstrap server: one WebSocket, carried by one task.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use async_tungstenite::tungstenite::error::ProtocolError;
use async_tungstenite::tungstenite::{self, Message};
use async_tungstenite::{WebSocketStream, client_async_with_config};
use bytes::Bytes;
use futures_util::{FutureExt, StreamExt, select_biased};
use overlay_core::BootstrapId;
use webrtc::runtime::timeout;

use crate::queue::{self, NotQueued, Receiver, Sender};
use crate::runtime::{ByteStream, Runtime};
use crate::server_url::ServerUrl;
use crate::tls::Tls;
use crate::websocket;

/// Most frames that wait to be sent. The root answers for the whole tree, up to 40 frames a join. A server that lets
/// more than this pile up has stopped reading.
const MAX_QUEUED: usize = 4096;

/// The time that a closing connection has to send what is queued.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(2);

/// News from a connection.
#[derive(Debug)]
pub(crate) enum BootstrapEvent {
    /// The server has accepted the WebSocket.
    Opened,
    /// The server has sent a frame.
    Message(Bytes),
    /// The connection is over, and not because this side has closed it.
    Closed(BootstrapError),
    /// The task has ended, and has sent what it could. The last event, and it always comes.
    Finished,
}

/// The reason why there is no connection to a bootstrap server.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BootstrapError {
    /// Nothing listens there, or the name is unknown.
    #[error("cannot reach {server}: {cause}")]
    Unreachable {
        /// The server.
        server: ServerUrl,
        /// The system's error.
        cause: io::Error,
    },
    /// TLS failed: most often, the certificate is not trusted.
    #[error("no encrypted connection to {server}: {cause}")]
    Tls {
        /// The server.
        server: ServerUrl,
        /// The error of TLS.
        cause: io::Error,
    },
    /// Something listens there, but it is no bootstrap server, or it broke off.
    #[error("{server} broke off: {cause}")]
    WebSocket {
        /// The server.
        server: ServerUrl,
        /// The error of the WebSocket.
        cause: Box<tungstenite::Error>,
    },
    /// The server has closed the connection.
    #[error("{server} closed the connection")]
    Closed {
        /// The server.
        server: ServerUrl,
    },
    /// The server sent a text message; this protocol has only binary ones.
    #[error("{server} is no bootstrap server of this protocol")]
    NotOurs {
        /// The server.
        server: ServerUrl,
    },
}

/// A connection, or the attempt at one. Dropping it closes it, after what was sent before.
#[derive(Debug)]
pub(crate) struct Connection {
    frames: Sender<Bytes>,
    /// Dropped with the connection, which closes it.
    _open: Sender<Infallible>,
}

/// The error of a server that takes nothing any more.
#[derive(Debug)]
pub(crate) struct Stalled;

impl Connection {
    /// Connects to `server`. Its events go to `events`, each with `id`.
    pub(crate) fn open(
        runtime: &Arc<dyn Runtime>,
        tls: &Tls,
        server: ServerUrl,
        id: BootstrapId,
        events: Sender<(BootstrapId, BootstrapEvent)>,
    ) -> Self {
        let (frames, queue) = queue::bounded(MAX_QUEUED);
        let (open, closing) = queue::bounded(1);
        let session = Session {
            runtime: Arc::clone(runtime),
            tls: tls.clone(),
            server,
            id,
            queue,
            closing,
            events,
        };
        runtime.webrtc().spawn(Box::pin(session.run())).detach();
        Self {
            frames,
            _open: open,
        }
    }

    /// Queues a frame, without blocking.
    pub(crate) fn send(&self, frame: Bytes) -> Result<(), Stalled> {
        match self.frames.try_send(frame) {
            Ok(()) | Err(NotQueued::Closed) => Ok(()),
            Err(NotQueued::Full) => Err(Stalled),
        }
    }
}

/// The task of a connection.
struct Session {
    runtime: Arc<dyn Runtime>,
    tls: Tls,
    server: ServerUrl,
    id: BootstrapId,
    queue: Receiver<Bytes>,
    /// Ends when the connection is dropped.
    closing: Receiver<Infallible>,
    events: Sender<(BootstrapId, BootstrapEvent)>,
}

impl Session {
    async fn run(self) {
        let closing = self.closing.recv().fuse();
        let living = self.live().fuse();
        futures_util::pin_mut!(closing, living);
        let outcome = select_biased! {
            outcome = living => outcome,
            _ = closing => {
                // What was sent before the end still goes out, if the server takes it.
                let webrtc = self.runtime.webrtc();
                let _ = timeout(&*webrtc, FLUSH_TIMEOUT, living).await;
                Ok(())
            }
        };
        if let Err(error) = outcome {
            self.tell(BootstrapEvent::Closed(error)).await;
        }
        self.tell(BootstrapEvent::Finished).await;
    }

    /// Connects, and carries frames in both directions. `Ok` when this side has closed.
    async fn live(&self) -> Result<(), BootstrapError> {
        let connecting = connect(&*self.runtime, &self.tls, &self.server).fuse();
        let closing = self.closing.recv().fuse();
        futures_util::pin_mut!(connecting, closing);
        let socket = select_biased! {
            connected = connecting => connected?,
            _ = closing => return Ok(()),
        };
        self.tell(BootstrapEvent::Opened).await;
        self.converse(socket).await
    }

    async fn converse(
        &self,
        socket: WebSocketStream<Box<dyn ByteStream>>,
    ) -> Result<(), BootstrapError> {
        let (mut sink, mut stream) = socket.split();
        let sending = async {
            while let Some(frame) = self.queue.recv().await {
                sink.send(Message::Binary(frame)).await?;
            }
            sink.close(None).await
        };
        let receiving = async {
            loop {
                match stream.next().await {
                    Some(Ok(Message::Binary(frame))) => {
                        self.tell(BootstrapEvent::Message(frame)).await;
                    }
                    Some(Ok(Message::Text(_))) => {
                        let server = self.server.clone();
                        return BootstrapError::NotOurs { server };
                    }
                    Some(Ok(Message::Close(_))) | None => {
                        let server = self.server.clone();
                        return BootstrapError::Closed { server };
                    }
                    Some(Ok(_)) => {}
                    Some(Err(cause)) => return websocket_error(&self.server, cause),
                }
            }
        };
        let (sending, receiving) = (sending.fuse(), receiving.fuse());
        futures_util::pin_mut!(sending, receiving);
        select_biased! {
            error = receiving => Err(error),
            sent = sending => sent.map_err(|cause| websocket_error(&self.server, cause)),
        }
    }

    async fn tell(&self, event: BootstrapEvent) {
        // When the node is gone there is no listener any more, and none is needed.
        let _ = self.events.send((self.id, event)).await;
    }
}

async fn connect(
    runtime: &dyn Runtime,
    tls: &Tls,
    server: &ServerUrl,
) -> Result<WebSocketStream<Box<dyn ByteStream>>, BootstrapError> {
    let stream = runtime
        .connect(server.host().to_owned(), server.port())
        .await
        .map_err(|cause| BootstrapError::Unreachable {
            server: server.clone(),
            cause,
        })?;
    let stream = if server.is_secure() {
        let secured = tls.connect(server.host(), stream).await;
        secured.map_err(|cause| BootstrapError::Tls {
            server: server.clone(),
            cause,
        })?
    } else {
        stream
    };
    let config = Some(websocket::config());
    let (socket, _) = client_async_with_config(server.to_string(), stream, config)
        .await
        .map_err(|cause| websocket_error(server, cause))?;
    Ok(socket)
}

fn websocket_error(server: &ServerUrl, cause: tungstenite::Error) -> BootstrapError {
    let server = server.clone();
    match cause {
        // A server that is killed has no time for a closing handshake.
        tungstenite::Error::ConnectionClosed
        | tungstenite::Error::AlreadyClosed
        | tungstenite::Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => {
            BootstrapError::Closed { server }
        }
        tungstenite::Error::Io(cause) => BootstrapError::Unreachable { server, cause },
        cause => BootstrapError::WebSocket {
            server,
            cause: Box::new(cause),
        },
    }
}
