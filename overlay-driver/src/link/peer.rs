//! One `webrtc` peer connection with one data channel, tuned.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_channel::{Receiver, Sender};
use bytes::{Bytes, BytesMut};
use futures_util::future::{Either, select};
use overlay_core::IceCandidate;
use overlay_core::wire::MAX_FRAME;
use rtc::ice::mdns::MulticastDnsMode;
use rtc::peer_connection::configuration::setting_engine::SctpMaxMessageSize;
use rtc::peer_connection::configuration::{RTCAnswerOptions, RTCOfferOptions};
use tracing::debug;
use webrtc::data_channel::{DataChannel, DataChannelEvent, RTCDataChannelInit};
use webrtc::error::Result;
use webrtc::peer_connection::{
    PeerConnection, PeerConnectionBuilder, PeerConnectionEventHandler, RTCIceCandidateInit,
    RTCIceConnectionState, RTCIceGatheringState, RTCPeerConnectionIceEvent, RTCPeerConnectionState,
    RTCSessionDescription, SettingEngine, SettingEngineBuilder,
};

use webrtc::runtime::Runtime;

use super::LinkError;
use super::address;
use super::confine::{Confined, TaskGuard};
use super::dialer::Shared;
use super::opening::Opening;
use super::under_way::{self, UnderWay};
use crate::queue;

/// The longest message that a peer of our own kind takes, which tells it from all others. Twice a frame, so that a peer that
/// sends too much is found out and not just not heard: what is longer the stack drops without a word.
const LONGEST_MESSAGE: usize = 2 * MAX_FRAME;

/// The pause after which a sender looks again, should it have missed that there is room.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Local ICE candidates that may wait to be read. There is one for each address and server.
const FOUND: usize = 64;

/// Whether the peer is heard at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    Heard,
    Silent,
}

/// A peer connection. Dropping it ends its tasks and closes its sockets; [`close`](Self::close)
/// tells the peer as well.
pub(super) struct Peer {
    connection: Box<dyn PeerConnection>,
    channel: Arc<dyn DataChannel>,
    found: queue::Receiver<Option<IceCandidate>>,
    reach: Receiver<Reach>,
    faults: Receiver<LinkError>,
    opening: Arc<Opening>,
    under_way: Mutex<UnderWay>,
    /// Much of what was under way is acknowledged.
    room: (Sender<()>, Receiver<()>),
    runtime: Arc<dyn Runtime>,
    _tasks: TaskGuard,
}

impl Peer {
    pub(super) async fn new(shared: &Shared) -> Result<Self> {
        let (found_sender, found) = queue::bounded(FOUND);
        let (reach_sender, reach) = async_channel::bounded(1);
        let (fault_sender, faults) = async_channel::bounded(1);
        let opening = Arc::new(Opening::default());
        let (runtime, tasks) = Confined::new(
            shared.runtime.clone(),
            shared.config.receive_buffer,
            opening.clone(),
            fault_sender.clone(),
        );
        let builder = PeerConnectionBuilder::new()
            .with_configuration(shared.rtc.clone())
            .with_setting_engine(settings(shared))
            .with_runtime(Arc::new(runtime))
            .with_handler(Arc::new(Handler {
                found: found_sender,
                reach: reach_sender,
                faults: fault_sender,
                opening: opening.clone(),
            }))
            .with_udp_addrs(address::local(&shared.config.bind))
            .with_data_channel_send_buffer_limit(under_way::MOST);
        // Boxed: 20 KB, which the link's task would keep for life.
        let connection = Box::pin(builder.build()).await?;
        // Both sides make the same channel, so it needs no handshake of its own.
        let options = RTCDataChannelInit {
            negotiated: Some(0),
            ..RTCDataChannelInit::default()
        };
        let channel = connection
            .create_data_channel("overlay", Some(options))
            .await?;
        Ok(Self {
            connection: Box::new(connection),
            channel,
            found,
            reach,
            faults,
            opening,
            under_way: Mutex::new(UnderWay::new()),
            room: async_channel::bounded(1),
            runtime: shared.runtime.clone(),
            _tasks: tasks,
        })
    }

    /// Makes the offer. ICE candidates are found from here on.
    pub(super) async fn offer(&self) -> Result<String> {
        let offer = self
            .connection
            .create_offer(None::<RTCOfferOptions>)
            .await?;
        let text = offer.sdp.clone();
        self.connection.set_local_description(offer).await?;
        Ok(text)
    }

    /// Takes the peer's offer and answers it. ICE candidates are found from here on.
    pub(super) async fn answer(&self, offer: String) -> Result<String> {
        self.describes_itself(&offer);
        let offer = RTCSessionDescription::offer(offer)?;
        self.connection.set_remote_description(offer).await?;
        let answer = self
            .connection
            .create_answer(None::<RTCAnswerOptions>)
            .await?;
        let text = answer.sdp.clone();
        self.connection.set_local_description(answer).await?;
        self.opening.nudge();
        Ok(text)
    }

    /// Takes the peer's answer.
    pub(super) async fn accept(&self, answer: String) -> Result<()> {
        self.describes_itself(&answer);
        let answer = RTCSessionDescription::answer(answer)?;
        self.connection.set_remote_description(answer).await?;
        self.opening.nudge();
        Ok(())
    }

    /// Takes an ICE candidate of the peer.
    pub(super) async fn add(&self, candidate: &IceCandidate) -> Result<()> {
        let candidate = RTCIceCandidateInit {
            candidate: candidate.to_string(),
            sdp_mid: Some("0".to_owned()),
            sdp_mline_index: Some(0),
            ..RTCIceCandidateInit::default()
        };
        self.connection.add_ice_candidate(candidate).await?;
        self.opening.nudge();
        Ok(())
    }

    /// The next local ICE candidate. `None` when all have been found.
    pub(super) async fn found(&self) -> Option<IceCandidate> {
        self.found.recv().await.flatten()
    }

    /// The next change of whether the peer is heard, or the reason why the connection is over.
    pub(super) async fn reach(&self) -> std::result::Result<Reach, LinkError> {
        match select(Box::pin(self.faults.recv()), Box::pin(self.reach.recv())).await {
            Either::Left((fault, _)) => Err(fault.unwrap_or(LinkError::Crashed)),
            Either::Right((reach, _)) => reach.map_err(|_| LinkError::Crashed),
        }
    }

    /// The next event of the channel. `None` when there will be no more.
    pub(super) async fn event(&self) -> Option<DataChannelEvent> {
        let event = self.channel.poll().await;
        match event {
            Some(DataChannelEvent::OnOpen) => self.opening.finish(),
            Some(DataChannelEvent::OnBufferedAmountLow) => {
                let _ = self.room.0.try_send(());
            }
            _ => {}
        }
        event
    }

    /// Whether the channel has opened.
    pub(super) fn is_open(&self) -> bool {
        self.opening.is_over()
    }

    /// Hands a frame to the channel, once there is room for it.
    pub(super) async fn send(&self, frame: Bytes) -> Result<()> {
        let len = frame.len();
        loop {
            let under_way = self.channel.outstanding_bytes().await?;
            let now = self.runtime.now();
            if self.under_way().allows(len, under_way, now) {
                self.under_way().sent(len, under_way, now);
                return self.channel.send(BytesMut::from(frame)).await;
            }
            self.wait_for_room().await?;
        }
    }

    /// Waits until about half of what may be under way is acknowledged.
    async fn wait_for_room(&self) -> Result<()> {
        let low = u32::try_from(self.under_way().limit() / 2).unwrap_or(u32::MAX);
        self.channel.set_buffered_amount_low_threshold(low).await?;
        let again = self.runtime.sleep(LOOK_AGAIN);
        select(Box::pin(self.room.1.recv()), again).await;
        Ok(())
    }

    /// The peer's description says of what kind it is.
    fn describes_itself(&self, description: &str) {
        let own_kind = format!("a=max-message-size:{LONGEST_MESSAGE}");
        if description.lines().any(|line| line.trim_end() == own_kind) {
            self.under_way().takes_at_once(under_way::OWN_KIND);
        }
    }

    fn under_way(&self) -> MutexGuard<'_, UnderWay> {
        self.under_way
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// The number of bytes that the peer has not acknowledged.
    pub(super) async fn unacknowledged(&self) -> Result<usize> {
        self.channel.outstanding_bytes().await
    }

    /// Tells the peer, and ends the connection.
    pub(super) async fn close(&self) {
        self.opening.finish();
        if let Err(error) = self.connection.close().await {
            debug!(%error, "closing the connection");
        }
    }
}

fn settings(shared: &Shared) -> SettingEngine {
    // A path that is relayed anyway is not worth waiting for a better one.
    let relay_wait = if shared.config.relay_only {
        Duration::ZERO
    } else {
        Duration::from_millis(500)
    };
    SettingEngineBuilder::new()
        .with_crypto_provider(shared.crypto.clone())
        // It takes a socket for each connection and finds only machines that are found without it.
        .with_multicast_dns_mode(MulticastDnsMode::Disabled)
        // The default of 200 ms is the time that a first probe which comes too early costs.
        .with_ice_connection_attempts(Some(Duration::from_millis(50)), Some(60))
        // How long a path of each kind waits for a better one. The defaults are 0.5, 1 and 2 s.
        .with_srflx_acceptance_min_wait(Some(Duration::from_millis(100)))
        .with_prflx_acceptance_min_wait(Some(Duration::ZERO))
        .with_relay_acceptance_min_wait(Some(relay_wait))
        // Zero: ICE never fails by itself. The link has its own timeouts, which a process that was
        // suspended does not outlast at once.
        .with_ice_timeouts(
            Some(shared.config.lost_after / 2),
            Some(Duration::ZERO),
            Some(shared.config.lost_after / 6),
        )
        .with_sctp_max_message_size(SctpMaxMessageSize::Bounded(
            u32::try_from(LONGEST_MESSAGE).unwrap_or(u32::MAX),
        ))
        .build()
}

/// The handler that passes on the connection's events. It runs on the connection's own task and so never waits.
struct Handler {
    found: queue::Sender<Option<IceCandidate>>,
    reach: Sender<Reach>,
    faults: Sender<LinkError>,
    opening: Arc<Opening>,
}

impl Handler {
    fn reached(&self, reach: Reach) {
        // Only the latest matters.
        let _ = self.reach.force_send(reach);
    }

    fn fail(&self, error: LinkError) {
        // Only the first matters.
        let _ = self.faults.try_send(error);
    }
}

#[async_trait::async_trait]
impl PeerConnectionEventHandler for Handler {
    async fn on_ice_candidate(&self, event: RTCPeerConnectionIceEvent) {
        let candidate = event.candidate.to_json().map(|json| json.candidate);
        match candidate.map(IceCandidate::new) {
            Ok(Ok(candidate)) if !candidate.is_empty() => {
                if self.found.try_send(Some(candidate)).is_err() {
                    debug!("too many local candidates");
                }
            }
            other => debug!(?other, "a local candidate that cannot be told"),
        }
    }

    async fn on_ice_gathering_state_change(&self, state: RTCIceGatheringState) {
        if state == RTCIceGatheringState::Complete {
            let _ = self.found.try_send(None);
        }
    }

    async fn on_ice_connection_state_change(&self, state: RTCIceConnectionState) {
        if state == RTCIceConnectionState::Connected {
            self.opening.nudge();
        }
    }

    async fn on_connection_state_change(&self, state: RTCPeerConnectionState) {
        match state {
            RTCPeerConnectionState::Connected => {
                self.opening.nudge();
                self.reached(Reach::Heard);
            }
            RTCPeerConnectionState::Disconnected => self.reached(Reach::Silent),
            RTCPeerConnectionState::Failed => self.fail(LinkError::Failed),
            _ => {}
        }
    }

    async fn on_data_channel(&self, _: Arc<dyn DataChannel>) {
        // It has no reader, and what the peer sends on it would pile up.
        self.fail(LinkError::Misbehaved("it opened a second channel"));
    }
}
