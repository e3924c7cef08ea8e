//! The bootstrap service: runs a [`bootstrap::Server`] for the connections that any web server brings.
//!
//! One task owns the state machine. Each connection is served by the task that the web server runs it on.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use futures_channel::oneshot;
use futures_util::{FutureExt, Sink, SinkExt, Stream, StreamExt, select_biased};
use overlay_core::ConnectionId;
use overlay_core::bootstrap::{self, NotAccepted, Notice, Source};
use tracing::{debug, info};
use webrtc::runtime::timeout;

use crate::clock::Clock;
use crate::queue::{self, Receiver, Sender};
use crate::runtime::Runtime;
use crate::server::news::{self, News, ServerEvent};

/// Frames that wait for one client. A root with 4096 of them reads nothing any more.
const CLIENT_QUEUE: usize = 4096;

/// Inputs that wait for the brain; connections that bring more wait with reading.
const INPUT_QUEUE: usize = 1024;

/// The time in which a frame must be written. A client that reads nothing holds its task until then.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);

/// A running bootstrap server without a listener: it serves connections that it is given. Clones are handles to the same one; it ends when the last is dropped.
#[derive(Clone, Debug)]
pub struct Service {
    inputs: Sender<Input>,
    events: Arc<Receiver<ServerEvent>>,
    runtime: Arc<dyn Runtime>,
}

/// A server can't be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServiceError {
    /// Its configuration is impossible.
    #[error(transparent)]
    Config(#[from] bootstrap::ConfigError),
    /// The system has no randomness to give.
    #[error("the system has no randomness to give: {0}")]
    Randomness(getrandom::Error),
}

#[derive(Debug)]
enum Input {
    Accept {
        source: Source,
        frames: Sender<Bytes>,
        reply: oneshot::Sender<Result<ConnectionId, NotAccepted>>,
    },
    Message(ConnectionId, Bytes),
    Closed(ConnectionId),
    Shutdown(oneshot::Sender<()>),
    Stats(oneshot::Sender<bootstrap::Stats>),
}

impl Service {
    /// Starts a server. Call it within the runtime.
    pub fn start(
        runtime: Arc<dyn Runtime>,
        config: bootstrap::Config,
    ) -> Result<Self, ServiceError> {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(ServiceError::Randomness)?;
        let (inputs, queue) = queue::bounded(INPUT_QUEUE);
        let (news, events) = news::channel();
        let worker = Worker {
            news,
            brain: bootstrap::Server::new(config, seed, since_1970())?,
            clock: Clock::new(&*runtime),
            clients: BTreeMap::new(),
            actions: Vec::new(),
        };
        runtime.webrtc().spawn(Box::pin(worker.run(queue))).detach();
        Ok(Self {
            inputs,
            events: Arc::new(events),
            runtime,
        })
    }

    /// Serves a client from its acceptance to its end. `socket` yields the client's messages, text or binary, and takes
    /// binary ones.
    pub async fn serve<S, E>(&self, source: Source, socket: S)
    where
        S: Stream<Item = Result<Bytes, E>> + Sink<Bytes, Error = E> + Send,
        E: Display + Send,
    {
        let (sink, stream) = socket.split();
        let (mut sink, mut stream) = (pin!(sink), pin!(stream));
        let (frames, queue) = queue::bounded(CLIENT_QUEUE);
        let connection = match self.accept(source, frames).await {
            Some(Ok(connection)) => connection,
            Some(Err(refused)) => {
                self.within(sink.send(refused.farewell)).await;
                self.within(sink.close()).await;
                return;
            }
            None => return,
        };
        loop {
            select_biased! {
                frame = queue.recv().fuse() => {
                    let Some(frame) = frame else { break };
                    if !self.within(sink.send(frame)).await {
                        break;
                    }
                }
                message = stream.next().fuse() => {
                    let Some(Ok(message)) = message else { break };
                    self.tell(Input::Message(connection, message)).await;
                }
            }
        }
        self.tell(Input::Closed(connection)).await;
        self.within(sink.close()).await;
    }

    /// Accepts no more clients, and tells those that are connected that the server goes down.
    pub async fn shut_down(&self) {
        let (reply, done) = oneshot::channel();
        self.tell(Input::Shutdown(reply)).await;
        // Done, or the server is gone: either way it is down.
        let _ = done.await;
    }

    /// The counters of what the server has done so far; `None` if it is gone.
    pub async fn stats(&self) -> Option<bootstrap::Stats> {
        let (reply, stats) = oneshot::channel();
        self.tell(Input::Stats(reply)).await;
        stats.await.ok()
    }

    /// The next event, for one listener. `None` if the server is gone.
    pub async fn next_event(&self) -> Option<ServerEvent> {
        self.events.recv().await
    }

    async fn accept(
        &self,
        source: Source,
        frames: Sender<Bytes>,
    ) -> Option<Result<ConnectionId, NotAccepted>> {
        let (reply, accepted) = oneshot::channel();
        let input = Input::Accept {
            source,
            frames,
            reply,
        };
        self.tell(input).await;
        accepted.await.ok()
    }

    /// Whether a write succeeds before the timeout.
    async fn within<E: Display>(&self, write: impl Future<Output = Result<(), E>>) -> bool {
        let webrtc = self.runtime.webrtc();
        match timeout(&*webrtc, WRITE_TIMEOUT, write).await {
            Ok(Ok(())) => true,
            Ok(Err(error)) => {
                debug!(%error, "client is gone");
                false
            }
            Err(_) => {
                debug!("client reads nothing");
                false
            }
        }
    }

    async fn tell(&self, input: Input) {
        // The server ends after its last handle, unless the runtime is shut down.
        let _ = self.inputs.send(input).await;
    }
}

/// A clock that tells a time before 1970 has not been set: epochs then rise from 0.
fn since_1970() -> Duration {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    now.unwrap_or_default()
}

/// The task that owns the server's brain.
struct Worker {
    news: News,
    brain: bootstrap::Server,
    clock: Clock,
    clients: BTreeMap<ConnectionId, Sender<Bytes>>,
    actions: Vec<bootstrap::Action>,
}

impl Worker {
    async fn run(mut self, inputs: Receiver<Input>) {
        loop {
            let mut timer = self.clock.sleep_until(self.brain.next_deadline());
            select_biased! {
                input = inputs.recv().fuse() => match input {
                    Some(input) => self.take(input),
                    None => return,
                },
                () = timer => self.handle(bootstrap::EventKind::Timeout),
            }
        }
    }

    fn take(&mut self, input: Input) {
        match input {
            Input::Accept {
                source,
                frames,
                reply,
            } => {
                let accepted = self.brain.accept(self.clock.now(), source);
                match &accepted {
                    Ok(connection) => {
                        let connection = *connection;
                        debug!(?connection, source = %source.address(), "client connected");
                        self.clients.insert(connection, frames);
                        self.news
                            .tell(ServerEvent::Connected { connection, source });
                    }
                    Err(refused) => {
                        let refusal = refused.refusal;
                        info!(source = %source.address(), %refusal, "client not accepted");
                        self.news.tell(ServerEvent::NotAccepted { source, refusal });
                    }
                }
                if let Err(Ok(connection)) = reply.send(accepted) {
                    self.closed(connection);
                }
            }
            Input::Message(connection, bytes) => {
                self.handle(bootstrap::EventKind::Message { connection, bytes });
            }
            Input::Closed(connection) => self.closed(connection),
            Input::Shutdown(done) => {
                self.handle(bootstrap::EventKind::Shutdown);
                let _ = done.send(());
            }
            Input::Stats(reply) => {
                let _ = reply.send(self.brain.stats());
            }
        }
    }

    fn closed(&mut self, connection: ConnectionId) {
        // A client that was sent away is gone already.
        if self.clients.remove(&connection).is_some() {
            debug!(?connection, "client gone");
            let refusal = None;
            self.news.tell(ServerEvent::Disconnected {
                connection,
                refusal,
            });
        }
        self.handle(bootstrap::EventKind::Closed { connection });
    }

    fn handle(&mut self, kind: bootstrap::EventKind) {
        let mut actions = std::mem::take(&mut self.actions);
        let now = self.clock.now();
        self.brain
            .handle_input_into(bootstrap::Event { now, kind }, &mut actions);
        let mut gone = Vec::new();
        for action in actions.drain(..) {
            match action {
                bootstrap::Action::Send { connection, bytes } => {
                    if let Some(frames) = self.clients.get(&connection)
                        && frames.try_send(bytes).is_err()
                    {
                        gone.push(connection);
                    }
                }
                bootstrap::Action::Close {
                    connection,
                    refusal,
                } => {
                    info!(?connection, %refusal, "client disconnected");
                    self.clients.remove(&connection);
                    let refusal = Some(refusal);
                    self.news.tell(ServerEvent::Disconnected {
                        connection,
                        refusal,
                    });
                }
                bootstrap::Action::Notify(notice) => {
                    log(&notice);
                    self.news.tell(ServerEvent::Notice(notice));
                }
            }
        }
        self.actions = actions;
        for connection in gone {
            debug!(?connection, "client reads nothing");
            self.closed(connection);
        }
    }
}

fn log(notice: &Notice) {
    match notice {
        Notice::RootRegistered { overlay, id, epoch } => {
            info!(%overlay, root = ?id, epoch = epoch.0, "root registered");
        }
        Notice::RootLost { overlay, id } => info!(%overlay, root = ?id, "root lost"),
        Notice::StreamEnded { overlay, id } => info!(%overlay, root = ?id, "stream ended"),
        Notice::Registered {
            connection,
            overlay,
            id,
            role,
        } => debug!(?connection, %overlay, ?id, ?role, "client registered"),
        Notice::JoinPassed { join } => debug!(?join, "join passed to the root"),
        Notice::JoinRejected { join, reason } => debug!(?join, %reason, "join rejected"),
        _ => {}
    }
}
