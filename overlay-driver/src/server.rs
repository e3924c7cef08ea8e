//! The bootstrap server: introduces joiners to the root of their overlay over WebSockets.
//!
//! - `GET /` with an upgrade: the protocol. Without one: a line that says what this is.
//! - `GET` of a [`StaticFile`]: that. One at `/` takes the place of the line.
//! - `GET /health`: 200 and what the server has done, as JSON, for monitoring.
//!
//! A socket carries one request. TLS is the business of a proxy in front; see
//! [`ServerConfig::behind_proxy`].

mod file;
mod http;
pub(crate) mod news;

use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use async_channel::{Receiver, Sender};
use async_tungstenite::WebSocketStream;
use async_tungstenite::tungstenite::handshake::server::create_response;
use async_tungstenite::tungstenite::protocol::Role;
use async_tungstenite::tungstenite::{self, Message};
use bytes::Bytes;
use futures_util::stream::BoxStream;
use futures_util::{
    AsyncWriteExt, FutureExt, Sink, SinkExt, Stream, StreamExt, future, select_biased,
};
use overlay_core::bootstrap::{self, Source};
use socket2::{Domain, Protocol, Socket, Type};
use tracing::{debug, info, warn};
use webrtc::runtime::timeout;

use crate::runtime::{Accepted, ByteStream, Runtime};
use crate::service::{Service, ServiceError};
use crate::websocket;
use ::http::{HeaderMap, Method, StatusCode};
pub use file::StaticFile;
use http::{Request, Response};
pub use news::ServerEvent;

/// Settings of a [`Server`].
#[derive(Clone, Debug)]
pub struct ServerConfig {
    /// Overlays, tokens, and the limits on clients.
    pub bootstrap: bootstrap::Config,

    /// Time in which a client must have sent the head of its request; otherwise its socket is closed. Default: 10 s.
    pub header_timeout: Duration,

    /// The most open sockets, whatever they are for. Default 11,000: the clients that the server takes
    /// by default, and a thousand that have not said what they want.
    pub max_sockets: usize,

    /// Whether a proxy is in front and tells the client's address in `X-Forwarded-For`. Default: no;
    /// without a proxy a client could write there what it likes.
    pub behind_proxy: bool,

    /// Files that are served beside the protocol. Default: none.
    pub files: Vec<StaticFile>,
}

impl ServerConfig {
    /// The default limits for this configuration.
    #[must_use]
    pub const fn new(bootstrap: bootstrap::Config) -> Self {
        Self {
            bootstrap,
            header_timeout: Duration::from_secs(10),
            max_sockets: 11_000,
            behind_proxy: false,
            files: Vec::new(),
        }
    }
}

/// The server can't be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServerError {
    /// The address can't be listened on.
    #[error("cannot listen on {address}: {cause}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The system's error.
        cause: io::Error,
    },
    /// The server's brain can't be started.
    #[error(transparent)]
    Service(#[from] ServiceError),
}

/// A running bootstrap server. When this is dropped, it accepts no more clients, and serves those that
/// are connected until they go; [`shut_down`](Self::shut_down) sends them away.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    runtime: Arc<dyn Runtime>,
    service: Service,
    /// Dropped: no more clients are accepted.
    open: Sender<Infallible>,
    /// Ends with the last socket.
    sockets: Receiver<Infallible>,
}

/// The time that a shutdown waits for clients to hear of it.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(5);

/// The pause when the system has no sockets left to accept with.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Connections that the system completes before they are accepted. Nodes may all come at once, and
/// a client that finds no permit here tries again only after a second.
const BACKLOG: i32 = 1024;

impl Server {
    /// Listens on `address` and serves in the background. Call it within the runtime.
    pub fn start(
        runtime: Arc<dyn Runtime>,
        address: SocketAddr,
        config: ServerConfig,
    ) -> Result<Self, ServerError> {
        let listen = |cause| ServerError::Listen { address, cause };
        let socket = bind(address).map_err(listen)?;
        let address = socket.local_addr().map_err(listen)?;
        let clients = runtime.listen(socket).map_err(listen)?;
        let service = Service::start(Arc::clone(&runtime), config.bootstrap)?;
        let (open, closing) = async_channel::bounded(1);
        let (permit, sockets) = async_channel::bounded(1);
        let listener = Listener {
            http: Http {
                runtime: Arc::clone(&runtime),
                service: service.clone(),
                header_timeout: config.header_timeout,
                behind_proxy: config.behind_proxy,
                files: config.files,
            },
            permit,
            max_sockets: config.max_sockets,
        };
        let task = listener.run(clients, closing);
        runtime.webrtc().spawn(Box::pin(task)).detach();
        info!(%address, "bootstrap server listens");
        Ok(Self {
            address,
            runtime,
            service,
            open,
            sockets,
        })
    }

    /// Address on which it listens. If port 0 was asked for, this has the real one.
    #[must_use]
    pub const fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Counts of what the server has done so far.
    pub async fn stats(&self) -> Option<bootstrap::Stats> {
        self.service.stats().await
    }

    /// The next event, for one listener. `None` if the server has ended by a defect.
    pub async fn next_event(&self) -> Option<ServerEvent> {
        self.service.next_event().await
    }

    /// Accepts no more clients, tells those that are connected when to come back, and waits until they
    /// have heard it, for a few seconds at most.
    pub async fn shut_down(self) {
        drop(self.open);
        self.service.shut_down().await;
        let webrtc = self.runtime.webrtc();
        let all_closed = timeout(&*webrtc, SHUTDOWN_TIMEOUT, self.sockets.recv());
        if all_closed.await.is_err() {
            debug!("some clients did not close in time");
        }
    }
}

fn bind(address: SocketAddr) -> io::Result<std::net::TcpListener> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    // A server that starts again takes its old port over at once. Elsewhere the option means more.
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// Accepts sockets.
struct Listener {
    http: Http,
    /// Each open socket holds a clone.
    permit: Sender<Infallible>,
    max_sockets: usize,
}

impl Listener {
    async fn run(
        self,
        mut clients: BoxStream<'static, io::Result<Accepted>>,
        closing: Receiver<Infallible>,
    ) {
        loop {
            let accepted = select_biased! {
                _ = closing.recv().fuse() => return,
                accepted = clients.next().fuse() => accepted,
            };
            match accepted {
                Some(Ok((stream, peer))) => self.admit(stream, peer),
                Some(Err(error)) => {
                    // Most often there are no file descriptors left: trying at once would only burn time.
                    warn!(%error, "cannot accept");
                    self.http.runtime.webrtc().sleep(ACCEPT_PAUSE).await;
                }
                None => return,
            }
        }
    }

    fn admit(&self, stream: Box<dyn ByteStream>, peer: SocketAddr) {
        // One of them is the listener's own.
        if self.permit.sender_count() > self.max_sockets {
            debug!(%peer, "too many sockets");
            return;
        }
        let permit = self.permit.clone();
        let http = self.http.clone();
        let serving = async move {
            if let Err(error) = http.receive(stream, peer).await {
                debug!(%peer, %error, "request failed");
            }
            drop(permit);
        };
        let webrtc = self.http.runtime.webrtc();
        webrtc.spawn(Box::pin(serving)).detach();
    }
}

/// Serves sockets: cloned for each of them.
#[derive(Clone)]
struct Http {
    runtime: Arc<dyn Runtime>,
    service: Service,
    header_timeout: Duration,
    behind_proxy: bool,
    files: Vec<StaticFile>,
}

impl Http {
    /// Serves a socket until its end.
    async fn receive(&self, mut stream: Box<dyn ByteStream>, peer: SocketAddr) -> io::Result<()> {
        let (request, rest) = match self.in_time(http::read(&mut stream)).await? {
            Ok(read) => read,
            Err(status) => return self.respond(stream, &http::empty(status), false).await,
        };
        let accepted = match request.uri().path() {
            "/" => create_response(&request).ok(),
            _ => None,
        };
        let Some(accepted) = accepted else {
            let head_only = request.method() == Method::HEAD;
            let response = self.answer(&request).await;
            return self.respond(stream, &response, head_only).await;
        };
        let head = http::upgrade(&accepted)?;
        self.in_time(stream.write_all(&head)).await?;
        let config = Some(websocket::config());
        let websocket =
            WebSocketStream::from_partially_read(stream, rest, Role::Server, config).await;
        let address = if self.behind_proxy {
            forwarded_for(request.headers()).unwrap_or(peer.ip())
        } else {
            peer.ip()
        };
        self.service
            .serve(Source::from(address), messages(websocket))
            .await;
        Ok(())
    }

    /// The answer to a request that is no upgrade.
    async fn answer(&self, request: &Request) -> Response {
        let path = request.uri().path();
        let file = self.files.iter().find(|file| file.path == path);
        if file.is_none() && !matches!(path, "/" | "/health") {
            return http::empty(StatusCode::NOT_FOUND);
        }
        if !matches!(request.method(), &Method::GET | &Method::HEAD) {
            return http::empty(StatusCode::METHOD_NOT_ALLOWED);
        }
        if let Some(file) = file {
            return file::serve(file);
        }
        if path == "/" {
            return http::text(
                "This is a bootstrap server of a WebRTC tree overlay. Join it with\n\
                 `overlay join --bootstrap ws://<this address>`.\n",
            );
        }
        let Some(stats) = self.service.stats().await else {
            return http::empty(StatusCode::SERVICE_UNAVAILABLE);
        };
        http::json(format!(
            r#"{{"status":"ok","connections":{},"overlays":{}}}"#,
            stats.connections, stats.overlays
        ))
    }

    async fn respond(
        &self,
        mut stream: Box<dyn ByteStream>,
        response: &Response,
        head_only: bool,
    ) -> io::Result<()> {
        let writing = async {
            stream.write_all(&http::head(response)).await?;
            if !head_only {
                stream.write_all(response.body()).await?;
            }
            stream.close().await
        };
        self.in_time(writing).await
    }

    /// A step of HTTP, within its timeout.
    async fn in_time<T>(&self, step: impl Future<Output = io::Result<T>>) -> io::Result<T> {
        let webrtc = self.runtime.webrtc();
        timeout(&*webrtc, self.header_timeout, step)
            .await
            .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }
}

/// A WebSocket as the service wants it: only messages with content, only bytes.
fn messages(
    websocket: WebSocketStream<Box<dyn ByteStream>>,
) -> impl Stream<Item = Result<Bytes, tungstenite::Error>> + Sink<Bytes, Error = tungstenite::Error> + Send
{
    websocket
        .with(|frame| future::ready(Ok(Message::Binary(frame))))
        .filter_map(|message| {
            future::ready(match message {
                Ok(Message::Binary(bytes)) => Some(Ok(bytes)),
                // No text is a frame of the protocol; the server says so.
                Ok(Message::Text(text)) => Some(Ok(text.into())),
                Ok(_) => None,
                Err(error) => Some(Err(error)),
            })
        })
}

/// The client that the nearest proxy saw. The client may have made up what comes before it in the list.
fn forwarded_for(headers: &HeaderMap) -> Option<IpAddr> {
    let list = headers.get_all("x-forwarded-for").iter().next_back()?;
    list.to_str().ok()?.rsplit(',').next()?.trim().parse().ok()
}
