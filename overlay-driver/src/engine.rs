//! The loop that runs a node: what happens outside becomes an event for the core, whose actions are carried out.

mod sends;
mod view;

use std::collections::{BTreeMap, VecDeque};
use std::pin::pin;
use std::sync::Arc;

use async_channel::{Receiver, Sender};
use futures_util::{FutureExt, Stream, StreamExt, future, select_biased, stream};
use overlay_core::{
    Action, BootstrapId, Delivery, Dial, EventKind, Instant, LinkId, Notification, Role, Unsent,
};
use tracing::{Span, debug, field, info, info_span, warn};

use crate::bootstrap::{BootstrapError, BootstrapEvent, Connection};
use crate::clock::Clock;
use crate::event::{BootstrapLost, Event, EventSender, Message};
use crate::handle::{Command, Lead};
use crate::link::{Dialer, Link, LinkError, LinkEvent};
use crate::question::{Combiner, Question};
use crate::queue;
use crate::runtime::Runtime;
use crate::server_url::ServerUrl;
use crate::tls::Tls;
pub(crate) use sends::AskOutcome;
use sends::{Awaited, PendingSend};

/// Inputs that are handled before the deadline is looked at again.
const BATCH: usize = 64;

/// Link events that wait for the engine. When the queue is full, links do not read. Its slots are allocated at once, a
/// few kilobytes for a node: callers of a [`Dialer`] bring a channel of their own.
const LINK_QUEUE: usize = 256;

/// Server frames that wait for the engine.
const SERVER_QUEUE: usize = 64;

/// A running node.
pub(crate) struct Engine {
    core: overlay_core::Node,
    runtime: Arc<dyn Runtime>,
    clock: Clock,
    /// The node's own, that those of its joins belong to.
    span: Span,
    dialer: Dialer,
    links: BTreeMap<LinkId, Open>,
    /// The links and server connections whose last event has not come yet, among them those that the core has closed.
    unfinished: usize,
    /// The core has left the tree, and the app is told when the links have finished: a process that ends before would leave
    /// its neighbours to find out by its silence.
    left: bool,
    link_events: Sender<(LinkId, LinkEvent)>,
    servers: Vec<ServerUrl>,
    tls: Tls,
    server: Option<(BootstrapId, Connection)>,
    server_events: queue::Sender<(BootstrapId, BootstrapEvent)>,
    /// The error of the lost connection to the server, for the notification that the core is about to give.
    server_error: Option<BootstrapError>,
    app: EventSender,
    lead: Arc<Lead>,
    /// When the node leaves at the latest: what it has promised to send comes first.
    leave_by: Option<Instant>,
    /// Sends that wait for their neighbour, in order.
    sends: VecDeque<PendingSend>,
    /// Replies and questions of which the core has yet to say what has become.
    awaited: Awaited,
    /// The reason why the core did not take what it was handed in the event at hand.
    refusal: Option<Unsent>,
    combiner: Option<Combiner>,
    /// What the app gives back.
    returns: Sender<EventKind>,
    /// Events that follow from carrying out actions.
    following: VecDeque<EventKind>,
    /// The core's answer to the event at hand.
    actions: Vec<Action>,
}

/// A link that the core has opened.
struct Open {
    link: Link,
    /// The join that it was opened for. Its name is the same at both ends, and so are their logs'.
    span: Span,
}

/// The parts that a node is run with.
pub(crate) struct Parts {
    pub(crate) core: overlay_core::Node,
    pub(crate) runtime: Arc<dyn Runtime>,
    pub(crate) dialer: Dialer,
    pub(crate) servers: Vec<ServerUrl>,
    pub(crate) tls: Tls,
    pub(crate) app: EventSender,
    pub(crate) lead: Arc<Lead>,
    pub(crate) commands: queue::Receiver<Command>,
    /// What the app gives back: receipts and answers.
    pub(crate) returns: (Sender<EventKind>, Receiver<EventKind>),
    pub(crate) combiner: Option<Combiner>,
}

/// Something from outside.
enum Input {
    Link(LinkId, LinkEvent),
    Server(BootstrapId, BootstrapEvent),
    Command(Command),
    /// The last handle is dropped.
    Abandoned,
    Returned(EventKind),
}

/// Runs a node until its last handle is dropped and it has left the tree.
pub(crate) async fn run(parts: Parts) {
    let (link_events, links) = async_channel::bounded(LINK_QUEUE);
    let (server_events, server) = queue::bounded(SERVER_QUEUE);
    let commands = parts
        .commands
        .into_stream()
        .map(Input::Command)
        .chain(stream::once(future::ready(Input::Abandoned)));
    let inputs = stream::select(
        stream::select(
            links.map(|(link, event)| Input::Link(link, event)),
            server
                .into_stream()
                .map(|(id, event)| Input::Server(id, event)),
        ),
        stream::select(commands, parts.returns.1.map(Input::Returned)),
    );
    let engine = Engine {
        clock: Clock::new(&*parts.runtime),
        span: Span::current(),
        core: parts.core,
        runtime: parts.runtime,
        dialer: parts.dialer,
        links: BTreeMap::new(),
        unfinished: 0,
        left: false,
        link_events,
        servers: parts.servers,
        tls: parts.tls,
        server: None,
        server_events,
        server_error: None,
        app: parts.app,
        lead: parts.lead,
        leave_by: None,
        sends: VecDeque::new(),
        awaited: Awaited::default(),
        refusal: None,
        combiner: parts.combiner,
        returns: parts.returns.0,
        following: VecDeque::new(),
        actions: Vec::new(),
    };
    engine.drive(inputs).await;
}

impl Engine {
    async fn drive(mut self, inputs: impl Stream<Item = Input>) {
        let mut inputs = pin!(inputs);
        let mut abandoned = false;
        loop {
            let due = self.core.next_deadline().into_iter().chain(self.leave_by);
            let mut timer = self.clock.sleep_until(due.min());
            select_biased! {
                input = inputs.next().fuse() => {
                    abandoned |= self.take(input);
                    for _ in 1..BATCH {
                        let Some(input) = inputs.next().now_or_never() else { break };
                        abandoned |= self.take(input);
                    }
                }
                () = timer => self.handle(EventKind::Timeout),
            }
            self.retry_sends();
            self.leave_if_ready();
            let leads = self.core.role() == Role::Root && !self.core.has_ended();
            let children = leads.then(|| self.core.children().count());
            self.lead.set(children);
            if abandoned && self.core.role() == Role::Detached && self.unfinished == 0 {
                return;
            }
        }
    }

    /// Handles an input; true if there is no handle to the node any more.
    fn take(&mut self, input: Option<Input>) -> bool {
        match input {
            Some(Input::Link(link, event)) => self.link_event(link, event),
            Some(Input::Server(id, event)) => self.server_event(id, event),
            Some(Input::Command(command)) => self.command(command),
            Some(Input::Returned(event)) => self.handle(event),
            // The engine holds a sender of every other queue, so this one is the last to end.
            Some(Input::Abandoned) | None => {
                // A node that is leaving is not told twice: its children look for other parents, and a second time cuts that
                // short.
                if self.core.role() != Role::Leaving && self.leave_by.is_none() {
                    self.leave();
                }
                return true;
            }
        }
        false
    }

    fn link_event(&mut self, link: LinkId, event: LinkEvent) {
        let span = self.links.get(&link).map(|open| open.span.clone());
        let _entered = span.as_ref().map(Span::enter);
        let kind = match event {
            LinkEvent::Offer(offer) => EventKind::LinkOffer(link, offer),
            LinkEvent::Signal(signal) => EventKind::LinkSignal(link, signal),
            LinkEvent::Opened => EventKind::LinkOpened(link),
            LinkEvent::Message(bytes) => EventKind::LinkMessage(link, bytes),
            LinkEvent::Drained => EventKind::LinkDrained(link),
            LinkEvent::Closed(error) => {
                if error != LinkError::ClosedHere {
                    debug!(?link, %error, "link closed");
                }
                self.links.remove(&link);
                self.handle(EventKind::LinkClosed(link));
                return self.finished();
            }
        };
        self.handle(kind);
    }

    /// A link or a connection to the server has come to its end.
    fn finished(&mut self) {
        self.unfinished -= 1;
        if self.unfinished == 0 {
            self.tell_left();
        }
    }

    /// Tells the app that the node has left, if that is still to be told.
    fn tell_left(&mut self) {
        if std::mem::take(&mut self.left) {
            self.app.send(Event::Node(Notification::Left));
        }
    }

    fn server_event(&mut self, id: BootstrapId, event: BootstrapEvent) {
        let kind = match event {
            BootstrapEvent::Finished => return self.finished(),
            BootstrapEvent::Opened => EventKind::BootstrapOpened(id),
            BootstrapEvent::Message(bytes) => EventKind::BootstrapMessage(id, bytes),
            BootstrapEvent::Closed(error) => {
                if self
                    .server
                    .as_ref()
                    .is_some_and(|(current, _)| *current == id)
                {
                    self.server = None;
                    self.server_error = Some(error);
                }
                EventKind::BootstrapClosed(id)
            }
        };
        self.handle(kind);
    }

    fn command(&mut self, command: Command) {
        match command {
            Command::Join => {
                self.tell_left();
                self.handle(EventKind::Join);
            }
            Command::BecomeRoot(token) => {
                self.tell_left();
                self.handle(EventKind::BecomeRoot(token));
            }
            Command::Leave => self.leave(),
            Command::Close(neighbour) => {
                if let Some(link) = self.link_to(neighbour) {
                    self.handle(EventKind::Close(link));
                }
            }
            Command::Send { to, payload, done } => {
                self.sends.push_back(PendingSend::new(to, payload, done));
            }
            Command::Ask { ask, reply } => self.ask(ask, reply),
            Command::Status(reply) => {
                // The caller may be gone by now.
                let _ = reply.send(self.status());
            }
        }
    }

    /// Leaves the tree, after what the node has promised to send; at once if it is told twice, and without waiting longer than
    /// for neighbours that take nothing.
    fn leave(&mut self) {
        self.retry_sends();
        if self.leave_by.take().is_none() && self.has_promised_sends() {
            self.leave_by = Some(self.clock.now() + self.core.config().leave_timeout);
        } else {
            self.handle(EventKind::Leave);
        }
    }

    fn leave_if_ready(&mut self) {
        let ready = |by: &mut Instant| *by <= self.clock.now();
        let waits = self.has_promised_sends();
        if self.leave_by.take_if(|by| !waits || ready(by)).is_some() {
            self.handle(EventKind::Leave);
        }
    }

    /// Hands the core an event, and does what it answers; then what follows from that, in order.
    fn handle(&mut self, kind: EventKind) {
        self.following.push_back(kind);
        while let Some(kind) = self.following.pop_front() {
            let mut actions = std::mem::take(&mut self.actions);
            let event = overlay_core::Event::new(self.clock.now(), kind);
            self.core.handle_input_into(event, &mut actions);
            for action in actions.drain(..) {
                self.act(action);
            }
            self.actions = actions;
        }
    }

    /// Carries out an action.
    fn act(&mut self, action: Action) {
        match action {
            Action::OpenLink(id, dial) => {
                let events = self.link_events.clone();
                let join = self.core.join_of(id).map(field::debug);
                let span = info_span!(parent: &self.span, "join", id = join, link = ?id);
                let link = span.in_scope(|| match dial {
                    Dial::Offer => self.dialer.offer(id, events),
                    Dial::Answer(offer) => self.dialer.answer(id, offer, events),
                });
                self.links.insert(id, Open { link, span });
                self.unfinished += 1;
            }
            Action::ApplySignal(id, signal) => {
                if let Some(open) = self.links.get(&id) {
                    open.link.signal(signal);
                }
            }
            Action::Transmit(id, bytes) => {
                if let Some(open) = self.links.get(&id) {
                    open.link.send(bytes);
                }
            }
            Action::TransmitData(id, bytes) => {
                if let Some(open) = self.links.get(&id) {
                    open.link.send_data(bytes);
                }
            }
            Action::CloseLink(id, reason) => {
                debug!(link = ?id, %reason, "closing link");
                self.links.remove(&id);
            }
            Action::ConnectBootstrap(id) => self.connect_server(id),
            Action::SendBootstrap(id, bytes) => {
                if let Some((current, connection)) = &self.server
                    && *current == id
                    && connection.send(bytes).is_err()
                {
                    self.server = None;
                    self.following.push_back(EventKind::BootstrapClosed(id));
                }
            }
            Action::CloseBootstrap(id) => {
                if self
                    .server
                    .as_ref()
                    .is_some_and(|(current, _)| *current == id)
                {
                    self.server = None;
                }
            }
            Action::Deliver(delivery) => self.deliver(delivery),
            Action::Ask(asked) => {
                let question = Question::new(asked, self.returns.clone());
                self.app.send(Event::Question(question));
            }
            Action::Combine { ask, left, right } => {
                if let Some(combiner) = &self.combiner {
                    let combined = combiner.combine(&left, &right);
                    self.following.push_back(EventKind::Combined(ask, combined));
                }
            }
            Action::Notify(notification) => self.notify(notification),
        }
    }

    fn connect_server(&mut self, id: BootstrapId) {
        self.server_error = None;
        let count = self.servers.len().max(1);
        // The ids count from 1, and each try takes the next address.
        let index = (id.number() as usize).wrapping_sub(1) % count;
        let Some(server) = self.servers.get(index).cloned() else {
            return self.following.push_back(EventKind::BootstrapClosed(id));
        };
        debug!(%server, "connecting to the bootstrap server");
        let events = self.server_events.clone();
        let connection = Connection::open(&self.runtime, &self.tls, server, id, events);
        self.server = Some((id, connection));
        self.unfinished += 1;
    }

    fn deliver(&mut self, delivery: Delivery) {
        let Delivery {
            from,
            scope,
            payload,
            receipt,
        } = delivery;
        let message = Message {
            from,
            scope: scope.into(),
            payload,
        };
        if let Some(receipt) = self.app.deliver(message, receipt) {
            // The app has dropped its events: it takes everything, and looks at nothing.
            self.following.push_back(EventKind::Consumed(receipt));
        }
    }

    fn notify(&mut self, notification: Notification) {
        match &notification {
            // The engine mostly asks before it sends, and waits by itself.
            Notification::Unsent { reason, .. } => {
                self.refusal = Some(*reason);
                return;
            }
            Notification::Writable(_)
            | Notification::RoomToBroadcast
            | Notification::RoomToSendUp => return,
            Notification::Replied { tag, arrived, .. } => {
                return self.awaited.replied(*tag, *arrived);
            }
            Notification::Answers { number, answers } => {
                return self.awaited.answered(*number, answers.clone());
            }
            Notification::Left if self.unfinished > 0 => {
                self.left = true;
                return;
            }
            Notification::BootstrapLost { refusal, retry_in } => {
                let (cause, retry_in) = (self.why_lost(*refusal), *retry_in);
                info!(%cause, ?retry_in, "no bootstrap server");
                return self.app.send(Event::BootstrapLost { cause, retry_in });
            }
            Notification::ParentConnected {
                node,
                depth,
                attempt,
                ..
            } => info!(parent = ?node, depth, attempt, "joined"),
            Notification::ParentClosed { node, reason, .. } => {
                info!(parent = ?node, %reason, "parent gone");
            }
            Notification::Standby { epoch } => info!(epoch = epoch.0, "standby"),
            Notification::Promoted { epoch } => info!(epoch = epoch.0, "root now"),
            Notification::SteppedDown { epoch } => {
                info!(epoch = epoch.0, "another root has taken over");
            }
            Notification::RootChanged { epoch, root } => {
                info!(epoch = epoch.0, ?root, "the tree has another root");
            }
            Notification::ChildConnected { node, .. } => debug!(child = ?node, "child connected"),
            Notification::ChildClosed { node, reason, .. } => {
                debug!(child = ?node, %reason, "child gone");
            }
            Notification::JoinRejected { reason, retry_in } => {
                info!(%reason, ?retry_in, "join rejected");
            }
            Notification::Gap { from, to } => info!(?from, ?to, "a gap in the stream"),
            Notification::Stalled {
                node,
                behind,
                lasting,
            } => warn!(?node, behind, ?lasting, "a node takes nothing"),
            Notification::StreamEnded { missed, .. } => info!(missed, "the stream has ended"),
            _ => {}
        }
        self.app.send(Event::Node(notification));
    }

    fn why_lost(&mut self, refusal: Option<overlay_core::wire::Refusal>) -> BootstrapLost {
        match (refusal, self.server_error.take()) {
            (Some(refusal), _) => BootstrapLost::Refused(refusal),
            (None, Some(error)) => BootstrapLost::Failed(error),
            (None, None) if self.servers.is_empty() => BootstrapLost::NoServer,
            (None, None) => BootstrapLost::Silent,
        }
    }
}
