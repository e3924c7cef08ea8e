//! What happens to a node: one method for each kind of event.
//!
//! `now` is always the present time in milliseconds, of a clock that does not run backwards. A method that is given what no node
//! can take says so by returning false, and nothing has happened.

use bytes::Bytes;
use overlay_core::wire::Token;
use overlay_core::{
    Ask, AskId, BootstrapId, Combine, EventKind, IceCandidate, LinkId, NodeId, Sdp, Signal,
};
use wasm_bindgen::prelude::*;

use crate::core::Core;
use crate::object::{duration, link_id, number, way};

#[wasm_bindgen]
impl Core {
    /// Join the tree, and stay in it.
    pub fn join(&mut self, now: f64) {
        self.hand(now, EventKind::Join);
    }

    /// Lead a tree, or stand by for its root. False if the token is too long.
    #[wasm_bindgen(js_name = becomeRoot)]
    pub fn become_root(&mut self, now: f64, token: String) -> bool {
        let Ok(token) = Token::new(token) else {
            return false;
        };
        self.hand(now, EventKind::BecomeRoot(Some(token)));
        true
    }

    /// Leave the tree. Told twice, a node does not wait for its children.
    pub fn leave(&mut self, now: f64) {
        self.hand(now, EventKind::Leave);
    }

    /// Send a message to the neighbour at this link.
    pub fn send(&mut self, now: f64, link: f64, payload: Vec<u8>) {
        let (to, payload) = (link_id(link), payload.into());
        self.hand(now, EventKind::Send { to, payload });
    }

    /// Send a message to every node.
    pub fn broadcast(&mut self, now: f64, payload: Vec<u8>) {
        self.hand(now, EventKind::Broadcast(payload.into()));
    }

    /// End the stream with a last message.
    pub fn end(&mut self, now: f64, payload: Vec<u8>) {
        self.hand(now, EventKind::End(payload.into()));
    }

    /// Send a message to the root.
    #[wasm_bindgen(js_name = sendUp)]
    pub fn send_up(&mut self, now: f64, payload: Vec<u8>) {
        self.hand(now, EventKind::SendUp(payload.into()));
    }

    /// Reply by a way that came with a message: the ids on it, 16 bytes each. False if it is no way.
    pub fn reply(&mut self, now: f64, to: &[u8], tag: f64, payload: Vec<u8>) -> bool {
        let Some(to) = way(to) else { return false };
        let (tag, payload) = (number(tag), payload.into());
        self.hand(now, EventKind::Reply { to, tag, payload });
        true
    }

    /// Ask every node. `combine` is `each`, `count`, `sum`, `min`, `max` or `app`; false if it is none of them.
    pub fn ask(
        &mut self,
        now: f64,
        tag: f64,
        question: Vec<u8>,
        timeout: f64,
        combine: &str,
    ) -> bool {
        let Some(combine) = named(combine) else {
            return false;
        };
        let ask = Ask {
            number: number(tag),
            question: question.into(),
            timeout: duration(timeout),
            combine,
            limit: self.node.config().max_message,
        };
        self.hand(now, EventKind::Ask(ask));
        true
    }

    /// Answer a question, by the root and number that it came with; without bytes if there is no answer.
    pub fn answer(&mut self, now: f64, root: &str, tag: f64, answer: Option<Vec<u8>>) -> bool {
        let Some(ask) = ask_id(root, tag) else {
            return false;
        };
        self.hand(now, EventKind::Answer(ask, answer.map(Bytes::from)));
        true
    }

    /// Two answers that the app has combined.
    pub fn combined(&mut self, now: f64, root: &str, tag: f64, value: Vec<u8>) -> bool {
        let Some(ask) = ask_id(root, tag) else {
            return false;
        };
        self.hand(now, EventKind::Combined(ask, value.into()));
        true
    }

    /// Take back the latest message to a neighbour.
    #[wasm_bindgen(js_name = cancelSend)]
    pub fn cancel_send(&mut self, now: f64, link: f64) {
        self.hand(now, EventKind::CancelSend(link_id(link)));
    }

    /// Take back the latest broadcast.
    #[wasm_bindgen(js_name = cancelBroadcast)]
    pub fn cancel_broadcast(&mut self, now: f64) {
        self.hand(now, EventKind::CancelBroadcast);
    }

    /// Take back the latest message to the root.
    #[wasm_bindgen(js_name = cancelSendUp)]
    pub fn cancel_send_up(&mut self, now: f64) {
        self.hand(now, EventKind::CancelSendUp);
    }

    /// The app has taken a message. A receipt that was given back before changes nothing.
    pub fn consumed(&mut self, now: f64, receipt: u32) {
        if let Some(receipt) = self.receipt(receipt) {
            self.hand(now, EventKind::Consumed(receipt));
        }
    }

    /// Close the link to a neighbour.
    pub fn close(&mut self, now: f64, link: f64) {
        self.hand(now, EventKind::Close(link_id(link)));
    }

    /// The server has accepted the connection.
    #[wasm_bindgen(js_name = bootstrapOpened)]
    pub fn bootstrap_opened(&mut self, now: f64, attempt: u32) {
        self.hand(now, EventKind::BootstrapOpened(server(attempt)));
    }

    /// The server has sent a message.
    #[wasm_bindgen(js_name = bootstrapMessage)]
    pub fn bootstrap_message(&mut self, now: f64, attempt: u32, bytes: Vec<u8>) {
        let bytes = bytes.into();
        self.hand(now, EventKind::BootstrapMessage(server(attempt), bytes));
    }

    /// The connection to the server is over, or has not come about.
    #[wasm_bindgen(js_name = bootstrapClosed)]
    pub fn bootstrap_closed(&mut self, now: f64, attempt: u32) {
        self.hand(now, EventKind::BootstrapClosed(server(attempt)));
    }

    /// The offer for a link. False if it is too long.
    #[wasm_bindgen(js_name = linkOffer)]
    pub fn link_offer(&mut self, now: f64, link: f64, offer: String) -> bool {
        let Ok(offer) = Sdp::new(offer) else {
            return false;
        };
        self.hand(now, EventKind::LinkOffer(link_id(link), offer));
        true
    }

    /// The answer for a link. False if it is too long.
    #[wasm_bindgen(js_name = linkAnswer)]
    pub fn link_answer(&mut self, now: f64, link: f64, answer: String) -> bool {
        let Ok(answer) = Sdp::new(answer) else {
            return false;
        };
        self.signal(now, link, Signal::Answer(answer));
        true
    }

    /// An ICE candidate of this side. False if it is too long.
    #[wasm_bindgen(js_name = linkIceCandidate)]
    pub fn link_ice_candidate(&mut self, now: f64, link: f64, candidate: String) -> bool {
        let Ok(candidate) = IceCandidate::new(candidate) else {
            return false;
        };
        self.signal(now, link, Signal::IceCandidate(candidate));
        true
    }

    /// The link's data channel is open.
    #[wasm_bindgen(js_name = linkOpened)]
    pub fn link_opened(&mut self, now: f64, link: f64) {
        self.hand(now, EventKind::LinkOpened(link_id(link)));
    }

    /// A message has come through the link's data channel.
    #[wasm_bindgen(js_name = linkMessage)]
    pub fn link_message(&mut self, now: f64, link: f64, bytes: Vec<u8>) {
        self.hand(now, EventKind::LinkMessage(link_id(link), bytes.into()));
    }

    /// The link's data channel has taken all that it was given.
    #[wasm_bindgen(js_name = linkDrained)]
    pub fn link_drained(&mut self, now: f64, link: f64) {
        self.hand(now, EventKind::LinkDrained(link_id(link)));
    }

    /// The link is over.
    #[wasm_bindgen(js_name = linkClosed)]
    pub fn link_closed(&mut self, now: f64, link: f64) {
        self.hand(now, EventKind::LinkClosed(link_id(link)));
    }

    /// The next deadline has come.
    pub fn timeout(&mut self, now: f64) {
        self.hand(now, EventKind::Timeout);
    }
}

impl Core {
    fn signal(&mut self, now: f64, link: f64, signal: Signal) {
        let link: LinkId = link_id(link);
        self.hand(now, EventKind::LinkSignal(link, signal));
    }
}

const fn server(attempt: u32) -> BootstrapId {
    BootstrapId::from_number(attempt)
}

fn ask_id(root: &str, tag: f64) -> Option<AskId> {
    let root: NodeId = root.parse().ok()?;
    let number = number(tag);
    Some(AskId { root, number })
}

fn named(combine: &str) -> Option<Combine> {
    Combine::ALL
        .into_iter()
        .find(|known| crate::object::combine_name(*known) == combine)
}
