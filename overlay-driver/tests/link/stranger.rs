//! A peer that is no node: the bare WebRTC stack, free to break the rules.

use std::sync::Arc;

use overlay_core::Sdp;
use overlay_driver::link::{Dialer, LinkEvent};
use rtc::ice::mdns::MulticastDnsMode;
use webrtc::data_channel::{DataChannel, RTCDataChannelInit};
use webrtc::peer_connection::{
    PeerConnection, PeerConnectionBuilder, PeerConnectionEventHandler, RTCIceGatheringState,
    RTCSessionDescription, SettingEngineBuilder,
};
use webrtc::runtime::TokioRuntime;

use crate::harness::{Side, soon};

pub(crate) struct Stranger {
    pub(crate) connection: Box<dyn PeerConnection>,
    pub(crate) channel: Arc<dyn DataChannel>,
}

struct Gathered(async_channel::Sender<()>);

#[async_trait::async_trait]
impl PeerConnectionEventHandler for Gathered {
    async fn on_ice_gathering_state_change(&self, state: RTCIceGatheringState) {
        if state == RTCIceGatheringState::Complete {
            let _ = self.0.try_send(());
        }
    }
}

impl Stranger {
    /// A stranger, and the node's side of an open link to it. The stranger has made the offer.
    pub(crate) async fn meet(dialer: &Dialer) -> (Self, Side) {
        let (sender, gathered) = async_channel::bounded(1);
        let settings = SettingEngineBuilder::new()
            .with_multicast_dns_mode(MulticastDnsMode::Disabled)
            .build();
        let builder = PeerConnectionBuilder::new()
            .with_setting_engine(settings)
            .with_runtime(Arc::new(TokioRuntime))
            .with_handler(Arc::new(Gathered(sender)))
            .with_udp_addrs(vec!["127.0.0.1:0"]);
        let connection = Box::pin(builder.build()).await.unwrap();
        let options = RTCDataChannelInit {
            negotiated: Some(0),
            ..RTCDataChannelInit::default()
        };
        let channel = connection
            .create_data_channel("any", Some(options))
            .await
            .unwrap();
        let offer = connection.create_offer(None).await.unwrap();
        connection.set_local_description(offer).await.unwrap();
        gathered.recv().await.unwrap();
        let offer = connection.local_description().await.unwrap().sdp;

        let side = Side::answer(dialer, Sdp::new(offer).unwrap());
        // It believes that it may send more than a node takes.
        let answer = side
            .answered()
            .await
            .replace("max-message-size:32768", "max-message-size:65536");
        assert!(answer.contains("65536"));
        let answer = RTCSessionDescription::answer(answer).unwrap();
        connection.set_remote_description(answer).await.unwrap();
        assert_eq!(side.next().await, LinkEvent::Opened);
        let stranger = Self {
            connection: Box::new(connection),
            channel,
        };
        soon("the stranger's channel", stranger.channel.poll()).await;
        (stranger, side)
    }
}
