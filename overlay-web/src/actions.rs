//! What a node wants done, as calls of the driver's sink.

use js_sys::Uint8Array;
use overlay_core::{Action, Delivery, Dial, Receipt, Scope, Signal};
use slab::Slab;
use wasm_bindgen::prelude::*;

use crate::news;
use crate::object::{
    Fields, bytes, combine_name, double, link_number, milliseconds, position, way_bytes,
};

#[wasm_bindgen]
extern "C" {
    /// What the driver writes actions down with. Its methods do nothing else: above all they call no method of the node.
    #[derive(Debug)]
    pub type Sink;

    #[wasm_bindgen(method, js_name = openLink)]
    fn open_link(this: &Sink, link: f64, offer: Option<&str>);
    #[wasm_bindgen(method)]
    fn answer(this: &Sink, link: f64, answer: &str);
    #[wasm_bindgen(method, js_name = iceCandidate)]
    fn ice_candidate(this: &Sink, link: f64, candidate: &str);
    #[wasm_bindgen(method)]
    fn transmit(this: &Sink, link: f64, bytes: Uint8Array, tells: bool);
    #[wasm_bindgen(method, js_name = closeLink)]
    fn close_link(this: &Sink, link: f64, reason: &str);
    #[wasm_bindgen(method, js_name = connectBootstrap)]
    fn connect_bootstrap(this: &Sink, attempt: u32);
    #[wasm_bindgen(method, js_name = sendBootstrap)]
    fn send_bootstrap(this: &Sink, attempt: u32, bytes: Uint8Array);
    #[wasm_bindgen(method, js_name = closeBootstrap)]
    fn close_bootstrap(this: &Sink, attempt: u32);
    #[wasm_bindgen(method)]
    fn deliver(this: &Sink, from: &str, scope: JsValue, payload: Uint8Array, receipt: u32);
    #[wasm_bindgen(method)]
    fn combine(this: &Sink, root: &str, tag: f64, left: Uint8Array, right: Uint8Array);
    #[wasm_bindgen(method)]
    fn notify(this: &Sink, news: JsValue);
}

/// Hands the sink an action. The receipt of a message stays here, and the sink gets its number.
pub(crate) fn tell(sink: &Sink, receipts: &mut Slab<Receipt>, action: Action) {
    match action {
        Action::OpenLink(link, Dial::Offer) => sink.open_link(link_number(link), None),
        Action::OpenLink(link, Dial::Answer(offer)) => {
            sink.open_link(link_number(link), Some(&offer));
        }
        Action::ApplySignal(link, Signal::Answer(answer)) => {
            sink.answer(link_number(link), &answer);
        }
        Action::ApplySignal(link, Signal::IceCandidate(candidate)) => {
            sink.ice_candidate(link_number(link), &candidate);
        }
        Action::Transmit(link, frame) => sink.transmit(link_number(link), bytes(&frame), false),
        Action::TransmitData(link, frame) => sink.transmit(link_number(link), bytes(&frame), true),
        Action::CloseLink(link, reason) => {
            sink.close_link(link_number(link), &reason.to_string());
        }
        Action::ConnectBootstrap(server) => sink.connect_bootstrap(server.number()),
        Action::SendBootstrap(server, frame) => {
            sink.send_bootstrap(server.number(), bytes(&frame));
        }
        Action::CloseBootstrap(server) => sink.close_bootstrap(server.number()),
        Action::Deliver(delivery) => deliver(sink, receipts, delivery),
        Action::Ask(asked) => {
            let question = Fields::of("question")
                .with("root", asked.ask.root.to_string())
                .with("tag", double(asked.ask.number))
                .with("payload", bytes(&asked.question))
                .with("combine", combine_name(asked.combine))
                .with("left", milliseconds(asked.left));
            sink.notify(question.done());
        }
        Action::Combine { ask, left, right } => {
            let root = ask.root.to_string();
            sink.combine(&root, double(ask.number), bytes(&left), bytes(&right));
        }
        Action::Notify(notification) => {
            if let Some(news) = news::object(notification) {
                sink.notify(news);
            }
        }
    }
}

fn deliver(sink: &Sink, receipts: &mut Slab<Receipt>, delivery: Delivery) {
    let scope = match &delivery.scope {
        Scope::Direct(_) => Fields::of("direct"),
        Scope::Broadcast(at) => Fields::of("broadcast").with("position", position(*at)),
        Scope::End(at) => Fields::of("end").with("position", position(*at)),
        Scope::Root(way) => Fields::of("root").with("way", way_bytes(way)),
        Scope::Reply => Fields::of("reply"),
    };
    let receipt = receipts.insert(delivery.receipt);
    sink.deliver(
        &delivery.from.to_string(),
        scope.done(),
        bytes(&delivery.payload),
        // A node has far fewer than 2³² messages at its app.
        u32::try_from(receipt).unwrap_or(u32::MAX),
    );
}
