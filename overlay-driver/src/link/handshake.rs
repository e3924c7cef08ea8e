//! How a link opens: descriptions and candidates on their way out and in.

use async_lock::SemaphoreGuardArc;
use futures_util::FutureExt;
use futures_util::future::pending;
use overlay_core::{IceCandidate, Sdp, Signal};
use tracing::debug;
use webrtc::data_channel::DataChannelEvent;
use webrtc::error::Error;

use super::peer::Peer;
use super::session::{Role, Session, Step, race};
use super::{LinkError, LinkEvent, sdp};

/// What a handshake starts with.
pub(super) struct Start {
    /// For the answering side: the offer, and the place among the handshakes that are under way.
    offer: Option<(String, SemaphoreGuardArc)>,
    remote: Remote,
}

impl<K: Copy + Send + Sync + 'static> Session<K> {
    /// Looks at the offer, if it is an answer that is wanted, and waits for a place among the
    /// handshakes.
    pub(super) async fn prepare(&self, role: Role) -> Step<Start> {
        let mut remote = Remote::default();
        let offer = match role {
            Role::Offer => None,
            Role::Answer(offer) => {
                let offer = remote.describe(&offer)?;
                let place = self.shared.handshakes.acquire_arc().map(Ok);
                let early = async {
                    loop {
                        remote.keep(self.next_signal().await?);
                    }
                };
                Some((offer, race(place, early).await?))
            }
        };
        Ok(Start { offer, remote })
    }

    /// Does the handshake; returns when the channel is open.
    pub(super) async fn shake_hands(&self, peer: &Peer, start: Start) -> Step<()> {
        let place = match start.offer {
            None => {
                let offer = peer.offer().await.map_err(|error| setup(&error))?;
                self.tell(peer, offer, LinkEvent::Offer).await?;
                None
            }
            Some((offer, place)) => {
                let answer = peer.answer(offer).await.map_err(|error| bad(&error))?;
                let answered = |answer| LinkEvent::Signal(Signal::Answer(answer));
                self.tell(peer, answer, answered).await?;
                Some(place)
            }
        };
        let signals = race(self.trickle(peer), self.listen(peer, start.remote, place));
        race(opened(peer), signals).await
    }

    /// Tells our description, with the candidates that are found at once.
    ///
    /// On loopback that is as fast as telling them apart, and it is one message on the way through
    /// the tree instead of three.
    async fn tell(
        &self,
        peer: &Peer,
        description: String,
        event: impl FnOnce(Sdp) -> LinkEvent,
    ) -> Step<()> {
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
        self.emit(event(description)).await?;
        for candidate in rest {
            self.emit(LinkEvent::Signal(Signal::IceCandidate(candidate)))
                .await?;
        }
        Ok(())
    }

    /// Tells the candidates that are found later.
    async fn trickle(&self, peer: &Peer) -> Step<()> {
        while let Some(candidate) = peer.found().await {
            self.emit(LinkEvent::Signal(Signal::IceCandidate(candidate)))
                .await?;
        }
        pending().await
    }

    /// Takes the peer's signals for as long as a handshake may last. Only the answering side has a
    /// `place`.
    async fn listen(
        &self,
        peer: &Peer,
        mut remote: Remote,
        place: Option<SemaphoreGuardArc>,
    ) -> Step<()> {
        if place.is_none() {
            let answer = loop {
                match self.next_signal().await? {
                    Signal::Answer(answer) => break remote.describe(&answer)?,
                    candidate @ Signal::IceCandidate(_) => remote.keep(candidate),
                }
            };
            peer.accept(answer).await.map_err(|error| bad(&error))?;
        }
        let candidates = async {
            loop {
                for candidate in remote.kept.drain(..) {
                    if let Err(error) = peer.add(&candidate).await {
                        debug!(%candidate, %error, "candidate left out");
                    }
                }
                remote.keep(self.next_signal().await?);
            }
        };
        race(candidates, self.deadline(place)).await
    }

    /// Gives up the place among the handshakes when its time is over, and then the link.
    async fn deadline(&self, place: Option<SemaphoreGuardArc>) -> Step<()> {
        let config = &self.shared.config;
        let first = config.handshake_turn.min(config.handshake_timeout);
        self.sleep(first).await;
        drop(place);
        self.sleep(config.handshake_timeout.saturating_sub(first))
            .await;
        Err(LinkError::Unreachable)
    }
}

/// Waits until the channel is open.
async fn opened(peer: &Peer) -> Step<()> {
    loop {
        match peer.event().await {
            Some(DataChannelEvent::OnOpen) => return Ok(()),
            Some(DataChannelEvent::OnClose) => return Err(LinkError::PeerClosed),
            Some(_) => {}
            None => return Err(LinkError::Failed),
        }
    }
}

/// What the peer has told of itself.
#[derive(Default)]
struct Remote {
    /// Candidates that the connection has not been told yet.
    kept: Vec<IceCandidate>,
    /// How many candidates have been taken in all.
    candidates: usize,
}

impl Remote {
    /// Sieves the peer's description.
    fn describe(&mut self, description: &str) -> Step<String> {
        let (sieved, candidates) =
            sdp::sieve(description).map_err(|error| LinkError::BadDescription(error.to_owned()))?;
        self.candidates += candidates;
        Ok(sieved)
    }

    /// Keeps a candidate, if it is usable and not one too many.
    fn keep(&mut self, signal: Signal) {
        match signal {
            Signal::IceCandidate(candidate)
                if self.candidates < sdp::MAX_CANDIDATES && sdp::usable(&candidate) =>
            {
                self.candidates += 1;
                self.kept.push(candidate);
            }
            other => debug!(?other, "signal left out"),
        }
    }
}

fn setup(error: &Error) -> LinkError {
    LinkError::Setup(error.to_string())
}

fn bad(error: &Error) -> LinkError {
    LinkError::BadDescription(error.to_string())
}
