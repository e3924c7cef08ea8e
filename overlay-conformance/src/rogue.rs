//! A client that speaks the protocol by hand, to misuse it.

use std::pin::pin;
use std::time::Duration;

use async_tungstenite::tungstenite::Message;
use async_tungstenite::tungstenite::client::IntoClientRequest;
use async_tungstenite::{WebSocketStream, client_async};
use futures_util::StreamExt;
use futures_util::future::{Either, select};
use overlay_core::wire::{
    self, ClientFrame, JoinFrame, JoinRequest, LinkFrame, OverlayName, Part, Record, Refusal,
    Registration, ResumeSecret, ServerFrame, VERSION,
};
use overlay_core::{Census, JoinId, NodeId, Sdp, Signal, Start};
use overlay_driver::ByteStream;
use overlay_driver::link::{Link, LinkConfig, LinkError, LinkEvent};

use crate::Driver;
use crate::harness::World;

pub(crate) struct Rogue {
    driver: Driver,
    id: NodeId,
    attempt: u32,
    socket: WebSocketStream<Box<dyn ByteStream>>,
}

impl Rogue {
    /// A client with a WebSocket that has said nothing yet.
    pub(crate) async fn connect(world: &World) -> Self {
        Self::forwarded_for(world, "unknown").await
    }

    /// The same, through a proxy that tells its address.
    pub(crate) async fn forwarded_for(world: &World, client: &str) -> Self {
        let stream = world.driver.connect(world.address()).await;
        let mut request = format!("ws://{}", world.address())
            .into_client_request()
            .unwrap();
        let client = client.parse().unwrap();
        request.headers_mut().insert("x-forwarded-for", client);
        let (socket, _) = client_async(request, stream).await.unwrap();
        Self {
            driver: world.driver.clone(),
            id: NodeId::from_u128(0xbad),
            attempt: 0,
            socket,
        }
    }

    /// A client that is registered as a joiner.
    pub(crate) async fn greet(world: &World) -> Self {
        let mut rogue = Self::connect(world).await;
        rogue.say(&rogue.hello(Registration::Joiner)).await;
        assert!(matches!(
            rogue.hear().await,
            Some(ServerFrame::Welcome { .. })
        ));
        rogue
    }

    pub(crate) fn hello(&self, registration: Registration) -> ClientFrame {
        ClientFrame::Hello {
            version: VERSION,
            overlay: OverlayName::new("default").unwrap(),
            id: self.id,
            secret: ResumeSecret::from_bytes([0xbd; 16]),
            registration,
        }
    }

    pub(crate) async fn say(&mut self, frame: &ClientFrame) {
        self.send(wire::encode(frame).to_vec()).await;
    }

    pub(crate) async fn send(&mut self, bytes: Vec<u8>) {
        self.send_message(Message::binary(bytes)).await;
    }

    pub(crate) async fn send_message(&mut self, message: Message) {
        // The server may have closed already. What matters is what it has sent before.
        let _ = self.socket.send(message).await;
    }

    /// The next frame. `None` when the server has closed the connection.
    pub(crate) async fn hear(&mut self) -> Option<ServerFrame> {
        loop {
            match self.socket.next().await {
                Some(Ok(Message::Binary(bytes))) => return wire::decode(&bytes).ok(),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return None,
            }
        }
    }

    /// The reason why the server ends the connection.
    pub(crate) async fn refusal(&mut self) -> Option<Refusal> {
        let mut refusal = None;
        while let Some(frame) = self.hear().await {
            if let ServerFrame::Refused { refusal: why, .. } = frame {
                refusal = Some(why);
            }
        }
        refusal
    }

    pub(crate) async fn send_join(&mut self, frame: JoinFrame) {
        self.say(&ClientFrame::Join(frame)).await;
    }

    /// Requests to join with an honest offer, and never follows up.
    pub(crate) async fn request_and_never_connect(&mut self) {
        let (_link, offer) = dial(&self.driver).await;
        self.request(offer).await;
        loop {
            if let Some(ServerFrame::Join(JoinFrame::Signal { .. })) = self.hear().await {
                return;
            }
        }
    }

    /// Joins by hand, up to the open channel, and says nothing on it.
    pub(crate) async fn open_link(&mut self) -> RogueLink {
        let (link, offer) = dial(&self.driver).await;
        self.request(offer).await;
        loop {
            let frame = pin!(self.hear());
            let event = pin!(link.events.recv());
            match select(frame, event).await {
                Either::Left((frame, _)) => {
                    let frame = frame.expect("the server closed the connection");
                    if let ServerFrame::Join(JoinFrame::Signal { signal, .. }) = frame {
                        link.link.signal(signal);
                    }
                }
                Either::Right((event, _)) => match event.unwrap().1 {
                    LinkEvent::Opened => return link,
                    LinkEvent::Closed(error) => panic!("the link failed: {error}"),
                    _ => {}
                },
            }
        }
    }

    /// The present join.
    pub(crate) fn join(&self) -> JoinId {
        JoinId {
            origin: self.id,
            attempt: self.attempt,
        }
    }

    async fn request(&mut self, offer: Sdp) {
        self.attempt += 1;
        let request = JoinRequest {
            join: self.join(),
            offer,
            census: Census::of_node(0),
            hops: 0,
            waited_ms: 0,
            kind: overlay_core::wire::JoinKind::Introduced,
            lost: overlay_core::Path::default(),
        };
        self.send_join(JoinFrame::Request(request)).await;
    }
}

/// A link that the rogue misuses.
pub(crate) struct RogueLink {
    pub(crate) link: Link,
    events: async_channel::Receiver<((), LinkEvent)>,
}

impl RogueLink {
    pub(crate) fn say(&self, frame: &LinkFrame<'_>) {
        self.link.send(wire::encode(frame));
    }

    pub(crate) fn hello(&self, join: JoinId) {
        self.say(&hello(join, VERSION));
    }

    /// Waits for the other side's welcome.
    pub(crate) async fn welcomed(&mut self) {
        loop {
            let ((), event) = self.events.recv().await.unwrap();
            match event {
                LinkEvent::Message(bytes) => {
                    if let Ok(LinkFrame::Welcome { .. }) = wire::decode(&bytes) {
                        return;
                    }
                }
                LinkEvent::Closed(error) => panic!("not welcomed: {error}"),
                _ => {}
            }
        }
    }

    /// Waits until the other side closes.
    pub(crate) async fn closed(&mut self) -> LinkError {
        loop {
            let ((), event) = self.events.recv().await.unwrap();
            if let LinkEvent::Closed(error) = event {
                return error;
            }
        }
    }
}

/// A link that offers, and its offer.
async fn dial(driver: &Driver) -> (RogueLink, Sdp) {
    let (sender, events) = async_channel::bounded(64);
    let link = (driver.dialer)(LinkConfig::loopback())
        .unwrap()
        .offer((), sender);
    let offer = loop {
        if let LinkEvent::Offer(offer) = events.recv().await.unwrap().1 {
            break offer;
        }
    };
    (RogueLink { link, events }, offer)
}

/// A greeting.
pub(crate) const fn hello(join: JoinId, version: u16) -> LinkFrame<'static> {
    LinkFrame::Hello {
        version,
        join,
        window: 256 * 1024,
        stream_window: 256 * 1024,
        start: Start::Live,
    }
}

/// A message, as the bytes of a record.
pub(crate) fn message(payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let part = Part::Whole;
    Record { part, payload }.write(&mut bytes);
    bytes
}

/// An answer that is of no use.
pub(crate) fn forged_answer(join: JoinId) -> JoinFrame {
    let answer = Sdp::new("v=0\r\n").unwrap();
    JoinFrame::Signal {
        join,
        signal: Signal::Answer(answer),
    }
}

/// Long enough for anything that should not happen to happen.
pub(crate) const A_MOMENT: Duration = Duration::from_millis(300);
