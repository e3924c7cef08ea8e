//! The bootstrap server: introduces newcomers to the root of their overlay over WebSockets.
//!
//! - `GET /` with an upgrade: the protocol. Without one: a line that says what this is.
//! - `GET /health`: 200 and what the server has done, as JSON, for whoever watches over it.
//!
//! TLS is the business of a proxy in front of it; see [`ServerConfig::behind_proxy`].

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::extract::ws::{self, WebSocket, WebSocketUpgrade};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Json, Router};
use futures_util::{SinkExt, StreamExt, future};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use overlay_core::relay::{RelayConfig, Source};
use overlay_core::wire::MAX_FRAME;
use overlay_driver::{Hub, HubError};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tracing::{debug, info, warn};

use crate::Tokio;

/// How the server behaves beyond what its [`RelayConfig`] says.
#[derive(Clone, Debug)]
pub struct ServerConfig {
    /// Overlays, tokens, and the limits on clients.
    pub relay: RelayConfig,

    /// How long a client may take to send its request's head. Default 10 s; a socket that connects
    /// and says nothing is closed then.
    pub header_timeout: Duration,

    /// Most open sockets, whatever they are up to. Default 11,000: the clients that the relay takes
    /// by default, and a thousand that have not said what they want.
    pub max_sockets: usize,

    /// Whether a proxy stands in front and says in `X-Forwarded-For` who the client is. Default: no;
    /// without a proxy anybody could write there what they like.
    pub behind_proxy: bool,
}

impl ServerConfig {
    /// The default limits for this relay.
    #[must_use]
    pub const fn new(relay: RelayConfig) -> Self {
        Self {
            relay,
            header_timeout: Duration::from_secs(10),
            max_sockets: 11_000,
            behind_proxy: false,
        }
    }
}

/// The server can't be started.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The address can't be listened on.
    #[error("cannot listen on {address}: {cause}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        cause: io::Error,
    },
    /// The relay can't be started.
    #[error(transparent)]
    Hub(#[from] HubError),
}

/// A running bootstrap server. When this is dropped, it accepts no more clients, and serves those who
/// are connected until they go; [`shut_down`](Self::shut_down) sends them away.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    hub: Hub,
    /// Dropped or set: no more clients are accepted.
    stop: watch::Sender<bool>,
    /// Holds the place of each socket that is open.
    sockets: Arc<Semaphore>,
    max_sockets: u32,
}

/// The socket that a request came through.
#[derive(Clone)]
struct Socket {
    peer: SocketAddr,
    /// Free again when the last clone is dropped, be it that of a request or of a WebSocket.
    #[expect(dead_code, reason = "held, not read")]
    place: Arc<OwnedSemaphorePermit>,
}

/// What the handlers share.
#[derive(Clone)]
struct Desk {
    hub: Hub,
    behind_proxy: bool,
}

/// How long a shutdown waits for clients to hear their farewell.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(5);

/// How long to wait when the system has no sockets left to accept with.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

impl Server {
    /// Listens on `address` and serves in the background.
    pub async fn bind(address: SocketAddr, config: ServerConfig) -> Result<Self, ServerError> {
        let listen = |cause| ServerError::Listen { address, cause };
        let listener = TcpListener::bind(address).await.map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        let hub = Hub::start(Arc::new(Tokio), config.relay)?;
        let max_sockets =
            u32::try_from(config.max_sockets.min(Semaphore::MAX_PERMITS)).unwrap_or(u32::MAX >> 3);
        let sockets = Arc::new(Semaphore::new(max_sockets as usize));
        let (stop, stopped) = watch::channel(false);
        let desk = Desk {
            hub: hub.clone(),
            behind_proxy: config.behind_proxy,
        };
        let door = Door {
            listener,
            routes: routes(desk),
            sockets: Arc::clone(&sockets),
            header_timeout: config.header_timeout,
        };
        tokio::spawn(door.run(stopped));
        info!(%address, "bootstrap server listens");
        Ok(Self {
            address,
            hub,
            stop,
            sockets,
            max_sockets,
        })
    }

    /// Where it listens: the port is the real one, also if 0 was asked for.
    #[must_use]
    pub const fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// What the server has done so far.
    pub async fn stats(&self) -> Option<overlay_core::relay::RelayStats> {
        self.hub.stats().await
    }

    /// Accepts no more clients, tells those who are connected when to come back, and waits until they
    /// have heard it, for a few seconds at most.
    pub async fn shut_down(self) {
        let _ = self.stop.send(true);
        self.hub.shut_down().await;
        let all_closed = self.sockets.acquire_many(self.max_sockets);
        if tokio::time::timeout(SHUTDOWN_TIMEOUT, all_closed)
            .await
            .is_err()
        {
            debug!("some clients did not close in time");
        }
    }
}

fn routes(desk: Desk) -> Router {
    Router::new()
        .route("/", get(upgrade))
        .route("/health", get(health))
        .with_state(desk)
}

async fn upgrade(
    State(desk): State<Desk>,
    Extension(socket): Extension<Socket>,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, ws::rejection::WebSocketUpgradeRejection>,
) -> Response {
    let Ok(upgrade) = upgrade else {
        return "This is a bootstrap server of a WebRTC tree overlay. Join it with\n\
                `overlay join --bootstrap ws://<this address>`.\n"
            .into_response();
    };
    let address = if desk.behind_proxy {
        forwarded_for(&headers).unwrap_or(socket.peer.ip())
    } else {
        socket.peer.ip()
    };
    upgrade
        .max_message_size(MAX_FRAME)
        .max_frame_size(MAX_FRAME)
        .on_upgrade(move |websocket| async move {
            desk.hub
                .serve(Source::from(address), messages(websocket))
                .await;
            drop(socket);
        })
}

async fn health(State(desk): State<Desk>) -> Response {
    let Some(stats) = desk.hub.stats().await else {
        return axum::http::StatusCode::SERVICE_UNAVAILABLE.into_response();
    };
    Json(Health {
        status: "ok",
        connections: stats.connections as u64,
        overlays: stats.overlays as u64,
    })
    .into_response()
}

/// What `/health` says.
#[derive(serde::Serialize)]
struct Health {
    status: &'static str,
    connections: u64,
    overlays: u64,
}

/// A WebSocket as the hub wants it: only messages with content, only bytes.
fn messages(
    websocket: WebSocket,
) -> impl futures_util::Stream<Item = Result<bytes::Bytes, axum::Error>>
+ futures_util::Sink<bytes::Bytes, Error = axum::Error>
+ Send {
    websocket
        .with(|frame| future::ready(Ok(ws::Message::Binary(frame))))
        .filter_map(|message| {
            future::ready(match message {
                Ok(ws::Message::Binary(bytes)) => Some(Ok(bytes)),
                // No text is a frame of the protocol; the relay says so.
                Ok(ws::Message::Text(text)) => Some(Ok(text.into())),
                Ok(ws::Message::Ping(_) | ws::Message::Pong(_) | ws::Message::Close(_)) => None,
                Err(error) => Some(Err(error)),
            })
        })
}

/// The client that the nearest proxy saw. What stands before it in the list the client may have made up.
fn forwarded_for(headers: &HeaderMap) -> Option<IpAddr> {
    let list = headers.get_all("x-forwarded-for").iter().next_back()?;
    list.to_str().ok()?.rsplit(',').next()?.trim().parse().ok()
}

/// Accepts sockets.
struct Door {
    listener: TcpListener,
    routes: Router,
    sockets: Arc<Semaphore>,
    header_timeout: Duration,
}

impl Door {
    async fn run(self, mut stopped: watch::Receiver<bool>) {
        loop {
            let accepted = tokio::select! {
                accepted = self.listener.accept() => accepted,
                _ = stopped.changed() => return,
            };
            match accepted {
                Ok((socket, peer)) => self.admit(socket, peer),
                Err(error) => {
                    // Most often there are no file descriptors left: trying at once would only burn time.
                    warn!(%error, "cannot accept");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    fn admit(&self, socket: TcpStream, peer: SocketAddr) {
        let Ok(place) = Arc::clone(&self.sockets).try_acquire_owned() else {
            debug!(%peer, "too many sockets");
            return;
        };
        let place = Arc::new(place);
        let routes = self.routes.clone().layer(Extension(Socket { peer, place }));
        // A socket that can't be told to hurry works all the same.
        let _ = socket.set_nodelay(true);
        let mut http = hyper::server::conn::http1::Builder::new();
        http.timer(TokioTimer::new())
            .header_read_timeout(self.header_timeout);
        let serving = http
            .serve_connection(TokioIo::new(socket), TowerToHyperService::new(routes))
            .with_upgrades();
        tokio::spawn(async move {
            if let Err(error) = serving.await {
                debug!(%peer, %error, "request failed");
            }
        });
    }
}
