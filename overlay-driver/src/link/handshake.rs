//! The handshake that opens a link: descriptions and ICE candidates, sent and received.

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

/// The start of a handshake.
pub(super) struct Start {
    /// For the answering side: the offer, and the permit to run the handshake.
    offer: Option<(String, SemaphoreGuardArc)>,
    remote: Remote,
}

impl<K: Copy + Send + Sync + 'static> Session<K> {
    /// On the answering side, looks at the offer and waits for a permit.
    pub(super) async fn prepare(&self, role: Role) -> Step<Start> {
        let mut remote = Remote::default();
        let offer = match role {
            Role::Offer => None,
            Role::Answer(offer) => {
                let offer = remote.describe(&offer)?;
                let permit = self.shared.handshakes.acquire_arc().map(Ok);
                let early = async {
                    loop {
                        remote.keep(self.next_signal().await?);
                    }
                };
                Some((offer, race(permit, early).await?))
            }
        };
        Ok(Start { offer, remote })
    }

    /// Does the handshake. Returns when the channel is open.
    pub(super) async fn shake_hands(&self, peer: &Peer, start: Start) -> Step<()> {
        let permit = match start.offer {
            None => {
                let offer = peer.offer().await.map_err(|error| setup(&error))?;
                self.tell(peer, offer, LinkEvent::Offer).await?;
                None
            }
            Some((offer, permit)) => {
                let answer = peer.answer(offer).await.map_err(|error| bad(&error))?;
                let answered = |answer| LinkEvent::Signal(Signal::Answer(answer));
                self.tell(peer, answer, answered).await?;
                Some(permit)
            }
        };
        let signals = race(self.trickle(peer), self.listen(peer, start.remote, permit));
        race(opened(peer), signals).await
    }

    /// Sends this side's description, with the ICE candidates that are found at once.
    ///
    /// On loopback that is as fast as sending each on its own, and it is one message through the tree instead of three.
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

    /// Sends the ICE candidates that are found later.
    async fn trickle(&self, peer: &Peer) -> Step<()> {
        while let Some(candidate) = peer.found().await {
            self.emit(LinkEvent::Signal(Signal::IceCandidate(candidate)))
                .await?;
        }
        pending().await
    }

    /// Takes the peer's signals for as long as a handshake may last. Only the answering side has a `permit`.
    async fn listen(
        &self,
        peer: &Peer,
        mut remote: Remote,
        permit: Option<SemaphoreGuardArc>,
    ) -> Step<()> {
        if permit.is_none() {
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
        race(candidates, self.deadline(permit)).await
    }

    /// Returns the permit when its time is over, and later gives up the link.
    async fn deadline(&self, permit: Option<SemaphoreGuardArc>) -> Step<()> {
        let config = &self.shared.config;
        let first = config.handshake_turn.min(config.handshake_timeout);
        self.sleep(first).await;
        drop(permit);
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

/// The peer, as far as it has described itself.
#[derive(Default)]
struct Remote {
    /// ICE candidates that the connection does not know yet.
    kept: Vec<IceCandidate>,
    /// The number of ICE candidates that have been taken in all.
    candidates: usize,
}

impl Remote {
    /// The peer's description, without what cannot be used.
    fn describe(&mut self, description: &str) -> Step<String> {
        let (filtered, candidates) = sdp::filter(description)
            .map_err(|error| LinkError::BadDescription(error.to_owned()))?;
        self.candidates += candidates;
        Ok(filtered)
    }

    /// Keeps an ICE candidate, if it is usable and within the limit.
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
