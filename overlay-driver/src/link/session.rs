//! A link's task, from its first description to its last event.

use std::convert::Infallible;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use async_channel::{Receiver, Sender};
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Either, pending, select};
use overlay_core::wire::MAX_FRAME;
use overlay_core::{Sdp, Signal};
use tracing::{Instrument, debug};
use webrtc::data_channel::{DataChannelEvent, RTCDataChannelMessage};
use webrtc::error::Error;

use super::dialer::Shared;
use super::peer::{Peer, Reach};
use super::{Backlog, Link, LinkError, LinkEvent, Outgoing};
use crate::queue;

/// Signals of the peer that may wait: an answer, and more candidates than are taken.
const SIGNALS: usize = 64;

/// Messages that are passed on before other tasks get a turn.
const TURN: usize = 32;

/// Interval of the checks whether the peer has acknowledged everything.
const FLUSH_CHECK: Duration = Duration::from_millis(2);

/// Intervals of silence after which a peer is lost.
const SILENT_INTERVALS: u32 = 5;

/// The side of the handshake that a link is.
pub(super) enum Role {
    /// The side that begins.
    Offer,
    /// The side that was sent this offer.
    Answer(Sdp),
}

/// The outcome of a step of a link's life. Most steps end only with the link.
pub(super) type Step<T = Infallible> = Result<T, LinkError>;

/// A link's task.
pub(super) struct Session<K> {
    pub(super) shared: Arc<Shared>,
    signals: queue::Receiver<Signal>,
    frames: Receiver<Outgoing>,
    backlog: Arc<Backlog>,
    key: K,
    events: Sender<(K, LinkEvent)>,
}

impl<K: Copy + Send + Sync + 'static> Session<K> {
    pub(super) fn start(
        shared: Arc<Shared>,
        role: Role,
        key: K,
        events: Sender<(K, LinkEvent)>,
    ) -> Link {
        let (signal_sender, signals) = queue::bounded(SIGNALS);
        // Its bound is the backlog.
        let (frame_sender, frames) = async_channel::unbounded();
        let backlog = Arc::new(Backlog::new(shared.config.max_backlog));
        let runtime = shared.runtime.clone();
        let session = Self {
            shared,
            signals,
            frames,
            backlog: backlog.clone(),
            key,
            events,
        };
        // Dropping the handle does not end the task.
        drop(runtime.spawn(Box::pin(session.run(role).in_current_span())));
        Link {
            signals: signal_sender,
            frames: frame_sender,
            backlog,
        }
    }

    async fn run(self, role: Role) {
        // A panic of the WebRTC stack must not leave the owner waiting for the last event.
        let life = AssertUnwindSafe(self.live(role)).catch_unwind().await;
        let Err(end) = life.unwrap_or(Err(LinkError::Crashed));
        debug!(%end, "link closed");
        self.signals.close();
        self.frames.close();
        // An error means that there is no listener any more.
        let _ = self.emit(LinkEvent::Closed(end)).await;
    }

    async fn live(&self, role: Role) -> Step {
        let start = self.prepare(role).await?;
        let peer = Peer::new(&self.shared)
            .await
            .map_err(|error| LinkError::Setup(error.to_string()))?;
        let life = async {
            Box::pin(self.shake_hands(&peer, start)).await?;
            self.emit(LinkEvent::Opened).await?;
            race(
                self.inbound(&peer),
                race(self.outbound(&peer), self.closing()),
            )
            .await
        };
        // Caught here as well, so that the peer is told even of this end.
        let life = AssertUnwindSafe(race(life, self.watch(&peer))).catch_unwind();
        let Err(end) = life.await.unwrap_or(Err(LinkError::Crashed));
        peer.close().await;
        if end == LinkError::PeerClosed {
            self.last_words(&peer).await?;
        }
        Err(end)
    }

    /// Passes on what the peer sends. A full queue of events holds the peer back.
    async fn inbound(&self, peer: &Peer) -> Step {
        let mut passed = 0_usize;
        loop {
            match peer.event().await {
                Some(DataChannelEvent::OnMessage(message)) => self.pass(message).await?,
                Some(DataChannelEvent::OnClose) => return Err(LinkError::PeerClosed),
                Some(_) => {}
                None => return Err(LinkError::Failed),
            }
            passed += 1;
            if passed.is_multiple_of(TURN) {
                self.shared.runtime.yield_now().await;
            }
        }
    }

    /// Passes on what came before the peer's close, since the stack may report the close first. The connection is
    /// closed on this side as well by now, so all there is can be read at once.
    async fn last_words(&self, peer: &Peer) -> Step<()> {
        while let Some(Some(event)) = peer.event().now_or_never() {
            if let DataChannelEvent::OnMessage(message) = event {
                self.pass(message).await?;
            }
        }
        Ok(())
    }

    async fn pass(&self, message: RTCDataChannelMessage) -> Step<()> {
        if message.is_string {
            return Err(LinkError::Misbehaved("it sent text"));
        }
        if message.data.len() > MAX_FRAME {
            return Err(LinkError::TooLong(message.data.len()));
        }
        self.emit(LinkEvent::Message(message.data.freeze())).await
    }

    /// Sends what is queued, and after a close the rest of it.
    async fn outbound(&self, peer: &Peer) -> Step {
        match self.send_all(peer).await {
            Ok(end) => Err(end),
            // The channel's last event says why, behind the messages that are still to be read.
            Err(Error::ErrDataChannelClosed) => pending().await,
            Err(error) => {
                debug!(%error, "cannot send");
                Err(LinkError::Failed)
            }
        }
    }

    /// Sends until the link is closed on this side and the peer has everything.
    async fn send_all(&self, peer: &Peer) -> webrtc::error::Result<LinkError> {
        let mut tells = false;
        while let Ok(outgoing) = self.frames.recv().await {
            let frame = outgoing.frame;
            tells |= outgoing.tells;
            if frame.len() > MAX_FRAME {
                return Ok(LinkError::TooLong(frame.len()));
            }
            let cost = Backlog::cost(&frame);
            peer.send(frame).await?;
            self.backlog.remove(cost);
            if tells && self.frames.is_empty() {
                tells = false;
                // Without a listener the link is about to end.
                let _ = self.emit(LinkEvent::Drained).await;
            }
        }
        while peer.unacknowledged().await? > 0 {
            self.sleep(FLUSH_CHECK).await;
        }
        Ok(self.closed())
    }

    /// Waits until the link is closed on this side, and then as long as it may still send.
    async fn closing(&self) -> Step {
        // Signals are of no use any more: the peer has been reached.
        while self.next_signal().await.is_ok() {}
        if !self.backlog.is_exceeded() {
            self.sleep(self.shared.config.flush_timeout).await;
        }
        Err(self.closed())
    }

    /// Ends the link when its connection fails, or when the peer is silent for too long.
    async fn watch(&self, peer: &Peer) -> Step {
        loop {
            let mut reach = peer.reach().await?;
            // While a link opens, its own deadline counts.
            while reach == Reach::Silent && peer.is_open() {
                reach = self.wait_for_silent(peer).await?;
            }
        }
    }

    /// Waits for a silent peer to be heard again. An interval that took twice its time does not count: then it was this
    /// machine that stood still, and what the peer has sent may wait to be read.
    async fn wait_for_silent(&self, peer: &Peer) -> Step<Reach> {
        let interval = self.shared.config.lost_after / 2 / SILENT_INTERVALS;
        let mut left = SILENT_INTERVALS;
        while left > 0 {
            let start = self.shared.runtime.now();
            match select(pin!(peer.reach()), self.sleep(interval)).await {
                Either::Left((reach, _)) => return reach,
                Either::Right(_) if self.shared.runtime.now() - start < interval * 2 => left -= 1,
                Either::Right(_) => {}
            }
        }
        Err(LinkError::Lost)
    }

    pub(super) async fn next_signal(&self) -> Step<Signal> {
        self.signals.recv().await.ok_or_else(|| self.closed())
    }

    /// The reason why this side has closed the link.
    fn closed(&self) -> LinkError {
        if self.backlog.is_exceeded() {
            LinkError::Stalled
        } else {
            LinkError::ClosedHere
        }
    }

    pub(super) async fn emit(&self, event: LinkEvent) -> Step<()> {
        let sent = self.events.send((self.key, event)).await;
        sent.map_err(|_| LinkError::ClosedHere)
    }

    pub(super) fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        self.shared.runtime.sleep(duration)
    }
}

/// The output of the future that is ready first. Both are boxed: futures that hold others by value double with each
/// layer, and a task keeps the size of its largest state.
pub(super) fn race<T>(
    first: impl Future<Output = T>,
    second: impl Future<Output = T>,
) -> impl Future<Output = T> {
    select(Box::pin(first), Box::pin(second)).map(|first| first.factor_first().0)
}
