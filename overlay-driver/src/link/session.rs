//! A link's task: from the first description to the last event.

use std::convert::Infallible;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use async_channel::{Receiver, Sender};
use async_lock::SemaphoreGuardArc;
use bytes::Bytes;
use futures_util::future::{Either, pending, select};
use futures_util::{FutureExt, select_biased};
use overlay_core::wire::MAX_FRAME;
use overlay_core::{Candidate, Sdp, Signal};
use tracing::debug;
use webrtc::data_channel::{DataChannelEvent, RTCDataChannelMessage};

use super::dialer::Shared;
use super::peer::{Peer, Reach, is_closed};
use super::{Backlog, Link, LinkError, LinkEvent, sdp};

/// Signals of the peer that may wait: an answer, and all candidates that are taken.
const SIGNALS: usize = 64;

/// Messages that are passed on before other tasks get a turn.
const TURN: usize = 32;

/// How often it is checked whether the peer has acknowledged everything.
const FLUSH_CHECK: Duration = Duration::from_millis(2);

/// How long messages that came before the peer's close, but are told after it, are waited for.
const LAST_WORDS: Duration = Duration::from_millis(10);

/// Which side of the handshake a link is.
pub(super) enum Role {
    Offer,
    Answer(Sdp),
}

/// A link's task.
pub(super) struct Session<K> {
    shared: Arc<Shared>,
    frames: Receiver<Bytes>,
    signals: Receiver<Signal>,
    backlog: Arc<Backlog>,
    key: K,
    events: Sender<(K, LinkEvent)>,
}

type Ended<T = Infallible> = Result<T, LinkError>;

impl<K: Copy + Send + Sync + 'static> Session<K> {
    pub(super) fn start(
        shared: Arc<Shared>,
        role: Role,
        key: K,
        events: Sender<(K, LinkEvent)>,
    ) -> Link {
        let (frame_sender, frames) = async_channel::unbounded();
        let (signal_sender, signals) = async_channel::bounded(SIGNALS);
        let backlog = Arc::new(Backlog::new(shared.config.max_backlog));
        let link = Link {
            frames: frame_sender,
            signals: signal_sender,
            backlog: backlog.clone(),
        };
        let runtime = shared.runtime.clone();
        let session = Self {
            shared,
            frames,
            signals,
            backlog,
            key,
            events,
        };
        // The handle detaches the task when dropped.
        drop(runtime.spawn(Box::pin(session.run(role))));
        link
    }

    async fn run(self, role: Role) {
        // A panic of the stack must not leave the link's owner waiting for a last event.
        let life = AssertUnwindSafe(self.live(role)).catch_unwind().await;
        let Err(end) = life.unwrap_or(Err(LinkError::Crashed));
        debug!(%end, "link closed");
        self.frames.close();
        self.signals.close();
        // An error means that nobody listens any more.
        let _ = self.emit(LinkEvent::Closed(end)).await;
    }

    async fn live(&self, role: Role) -> Ended {
        let mut remote = Remote::default();
        let turn = match role {
            Role::Offer => None,
            Role::Answer(_) => Some(self.turn(&mut remote).await?),
        };
        let peer = Peer::new(&self.shared)
            .await
            .map_err(|error| LinkError::Setup(error.to_string()))?;
        let life = async {
            self.open(&peer, role, remote, turn).await?;
            self.emit(LinkEvent::Opened).await?;
            self.converse(&peer).await
        };
        // Caught here, so that a peer is told even of this end.
        let life = AssertUnwindSafe(race(self.watch(&peer), life)).catch_unwind();
        let end = life.await.unwrap_or(Err(LinkError::Crashed));
        peer.close().await;
        end
    }

    /// Waits for a place among the handshakes, and keeps the candidates that come meanwhile.
    async fn turn(&self, remote: &mut Remote) -> Ended<SemaphoreGuardArc> {
        let turn = self.shared.handshakes.acquire_arc().map(Ok);
        let signals = async {
            loop {
                remote.keep(self.next_signal().await?);
            }
        };
        race(turn, signals).await
    }

    /// Does the handshake; returns when the channel is open.
    async fn open(
        &self,
        peer: &Peer,
        role: Role,
        mut remote: Remote,
        turn: Option<SemaphoreGuardArc>,
    ) -> Ended<()> {
        let setup = |error: webrtc::error::Error| LinkError::Setup(error.to_string());
        let answering = match role {
            Role::Offer => {
                let (description, rest) = self
                    .gather(peer, peer.offer().await.map_err(setup)?)
                    .await?;
                self.emit(LinkEvent::Offer(description)).await?;
                self.trickle(rest).await?;
                false
            }
            Role::Answer(offer) => {
                let offer = remote.describe(&offer)?;
                let answer = peer.answer(offer).await.map_err(bad_description)?;
                let (description, rest) = self.gather(peer, answer).await?;
                self.emit(LinkEvent::Signal(Signal::Answer(description)))
                    .await?;
                self.trickle(rest).await?;
                true
            }
        };
        let local = async {
            while let Some(candidate) = peer.found().await {
                self.trickle(vec![candidate]).await?;
            }
            pending().await
        };
        let signals = async {
            if !answering {
                let answer = loop {
                    match self.next_signal().await? {
                        Signal::Answer(answer) => break answer,
                        candidate @ Signal::Candidate(_) => remote.keep(candidate),
                    }
                };
                let answer = remote.describe(&answer)?;
                peer.accept(answer).await.map_err(bad_description)?;
            }
            for candidate in std::mem::take(&mut remote.early) {
                add(peer, &candidate).await;
            }
            let candidates = async {
                loop {
                    match self.next_signal().await? {
                        Signal::Candidate(candidate) => {
                            if remote.count(&candidate) {
                                add(peer, &candidate).await;
                            }
                        }
                        Signal::Answer(_) => debug!("a second answer"),
                    }
                }
            };
            race(candidates, self.deadline(turn)).await
        };
        let opened = async {
            loop {
                match peer.event().await {
                    Some(DataChannelEvent::OnOpen) => break Ok(()),
                    Some(DataChannelEvent::OnClose) => break Err(LinkError::PeerClosed),
                    Some(_) => {}
                    None => break Err(LinkError::Failed),
                }
            }
        };
        race(opened, race(local, signals)).await
    }

    /// Adds to `description` the candidates that are found at once.
    async fn gather(&self, peer: &Peer, description: String) -> Ended<(Sdp, Vec<Candidate>)> {
        let mut candidates = Vec::new();
        let all = async {
            while let Some(candidate) = peer.found().await {
                candidates.push(candidate);
            }
        };
        race(all, self.sleep(self.shared.config.gathering)).await;
        let (description, rest) = sdp::with_candidates(description, candidates);
        let description =
            Sdp::new(description).map_err(|error| LinkError::Setup(error.to_string()))?;
        Ok((description, rest))
    }

    async fn trickle(&self, candidates: Vec<Candidate>) -> Ended<()> {
        for candidate in candidates {
            self.emit(LinkEvent::Signal(Signal::Candidate(candidate)))
                .await?;
        }
        Ok(())
    }

    /// Gives up the place among the handshakes when its time is over, then the link.
    async fn deadline<T>(&self, turn: Option<SemaphoreGuardArc>) -> Ended<T> {
        let config = &self.shared.config;
        let first = config.handshake_turn.min(config.handshake_timeout);
        self.sleep(first).await;
        drop(turn);
        self.sleep(config.handshake_timeout.saturating_sub(first))
            .await;
        Err(LinkError::Unreachable)
    }

    /// Carries frames both ways until the link ends.
    async fn converse(&self, peer: &Peer) -> Ended {
        race(
            self.inbound(peer),
            race(self.outbound(peer), self.closing()),
        )
        .await
    }

    async fn inbound(&self, peer: &Peer) -> Ended {
        let mut passed = 0;
        loop {
            match peer.event().await {
                Some(DataChannelEvent::OnMessage(message)) => self.pass(message).await?,
                Some(DataChannelEvent::OnClose) => break,
                Some(_) => {}
                None => return Err(LinkError::Failed),
            }
            passed += 1;
            if passed % TURN == 0 {
                self.shared.runtime.yield_now().await;
            }
        }
        while let Either::Left((Some(event), _)) =
            select(pin!(peer.event()), self.sleep(LAST_WORDS)).await
        {
            if let DataChannelEvent::OnMessage(message) = event {
                self.pass(message).await?;
            }
        }
        Err(LinkError::PeerClosed)
    }

    async fn pass(&self, message: RTCDataChannelMessage) -> Ended<()> {
        if message.is_string {
            return Err(LinkError::Misbehaved("it sent text"));
        }
        if message.data.len() > MAX_FRAME {
            return Err(LinkError::TooLong(message.data.len()));
        }
        self.emit(LinkEvent::Message(message.data.freeze())).await
    }

    async fn outbound(&self, peer: &Peer) -> Ended {
        match self.send_all(peer).await {
            Ok(end) => Err(end),
            // The channel's last event says why, behind the messages that are still to be read.
            Err(error) if is_closed(&error) => pending().await,
            Err(error) => {
                debug!(%error, "cannot send");
                Err(LinkError::Failed)
            }
        }
    }

    /// Sends until the link is closed on this side and the peer has everything.
    async fn send_all(&self, peer: &Peer) -> webrtc::error::Result<LinkError> {
        while let Ok(frame) = self.frames.recv().await {
            if frame.len() > MAX_FRAME {
                return Ok(LinkError::TooLong(frame.len()));
            }
            let cost = Backlog::cost(&frame);
            peer.send(frame).await?;
            self.backlog.remove(cost);
        }
        while peer.unacknowledged().await? > 0 {
            self.sleep(FLUSH_CHECK).await;
        }
        Ok(self.closed())
    }

    /// Waits until the link is closed on this side, and then as long as it may still send.
    async fn closing<T>(&self) -> Ended<T> {
        // Candidates that come now are of no use: the way has been found.
        while self.next_signal().await.is_ok() {}
        if !self.backlog.is_exceeded() {
            self.sleep(self.shared.config.flush_timeout).await;
        }
        Err(self.closed())
    }

    /// Keeps the stack going, and ends the link when the peer has been silent for too long.
    async fn watch<T>(&self, peer: &Peer) -> Ended<T> {
        let mut reach = peer.reach().await?;
        loop {
            match reach {
                Reach::Connected => {
                    peer.nudge().await;
                    reach = peer.reach().await?;
                }
                Reach::Silent => {
                    let patience = self.sleep(self.shared.config.patience);
                    reach = match select(pin!(peer.reach()), patience).await {
                        Either::Left((reach, _)) => reach?,
                        Either::Right(_) => return Err(LinkError::Lost),
                    };
                }
            }
        }
    }

    async fn next_signal(&self) -> Ended<Signal> {
        match self.signals.recv().await {
            Ok(signal) => Ok(signal),
            Err(_) => Err(self.closed()),
        }
    }

    /// Why this side has closed the link.
    fn closed(&self) -> LinkError {
        if self.backlog.is_exceeded() {
            LinkError::Stalled
        } else {
            LinkError::ClosedHere
        }
    }

    async fn emit(&self, event: LinkEvent) -> Ended<()> {
        let sent = self.events.send((self.key, event)).await;
        sent.map_err(|_| LinkError::ClosedHere)
    }

    fn sleep(&self, duration: Duration) -> futures_util::future::BoxFuture<'static, ()> {
        self.shared.runtime.sleep(duration)
    }
}

/// What is known of the peer's side of the handshake.
#[derive(Default)]
struct Remote {
    /// Candidates that came before the description they belong to.
    early: Vec<Candidate>,
    /// How many candidates have been taken.
    candidates: usize,
}

impl Remote {
    /// Sieves the peer's description.
    fn describe(&mut self, description: &Sdp) -> Ended<String> {
        let (sieved, candidates) =
            sdp::sieve(description).map_err(|error| LinkError::BadDescription(error.to_owned()))?;
        self.candidates += candidates;
        Ok(sieved)
    }

    /// Keeps a candidate for later.
    fn keep(&mut self, signal: Signal) {
        if let Signal::Candidate(candidate) = signal
            && self.count(&candidate)
        {
            self.early.push(candidate);
        }
    }

    /// Whether a candidate is one to take.
    fn count(&mut self, candidate: &Candidate) -> bool {
        let take = self.candidates < sdp::MAX_CANDIDATES && sdp::usable(candidate);
        if take {
            self.candidates += 1;
        } else {
            debug!(%candidate, "candidate left out");
        }
        take
    }
}

async fn add(peer: &Peer, candidate: &Candidate) {
    if let Err(error) = peer.add(candidate).await {
        debug!(%candidate, %error, "candidate left out");
    }
}

fn bad_description(error: webrtc::error::Error) -> LinkError {
    LinkError::BadDescription(error.to_string())
}

/// Whichever is ready first.
async fn race<T>(first: impl Future<Output = T>, second: impl Future<Output = T>) -> T {
    select_biased! {
        output = pin!(first.fuse()) => output,
        output = pin!(second.fuse()) => output,
    }
}
