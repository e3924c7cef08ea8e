//! What holds after every event, whatever happened before.

use std::collections::{BTreeMap, BTreeSet};

use overlay_core::wire::{self, ClientFrame, LinkFrame, MAX_FRAME};
use overlay_core::{
    Action, BootstrapId, EventKind, Instant, LinkId, Node, NodeId, Notification, Standing,
};

/// Watches one node: what it asks for must make sense to an embedder who believes every word.
#[derive(Debug, Default)]
pub(crate) struct Rules {
    /// Links between `OpenLink` and their end, and whether their channel is open.
    live: BTreeMap<LinkId, bool>,
    dead: BTreeSet<LinkId>,
    /// The connection to the server, and whether it is open.
    server: Option<(BootstrapId, bool)>,
    latest_try: Option<BootstrapId>,
    /// Parent and children as the app knows them.
    parent: Option<(LinkId, NodeId)>,
    children: BTreeMap<LinkId, NodeId>,
}

impl Rules {
    /// Before the node sees an event.
    pub(crate) fn before(&mut self, event: &EventKind) {
        match event {
            EventKind::LinkOpened(link) => {
                if let Some(open) = self.live.get_mut(link) {
                    *open = true;
                }
            }
            EventKind::LinkClosed(link) => {
                let dead = self.live.remove(link).map(|_| *link);
                self.dead.extend(dead);
            }
            EventKind::BootstrapOpened(id) => {
                if let Some((current, open)) = &mut self.server
                    && current == id
                {
                    *open = true;
                }
            }
            EventKind::BootstrapClosed(id) => {
                self.server.take_if(|(current, _)| current == id);
            }
            _ => {}
        }
    }

    /// After the node has answered an event with `actions`.
    pub(crate) fn after(&mut self, node: &Node, now: Instant, actions: &[Action]) {
        for action in actions {
            self.action(action);
        }
        assert!(
            actions.len() <= most_actions(node),
            "{} actions for one event",
            actions.len()
        );
        assert!(
            node.places_taken() <= usize::from(node.config().max_degree),
            "more children and candidates than max_degree"
        );
        let deadline = node.next_deadline();
        assert!(
            deadline.is_none_or(|due| due > now),
            "due at {deadline:?}, and it is {now:?}"
        );
        let parent = node.parent().map(|parent| (parent.link, parent.node));
        assert_eq!(self.parent, parent, "the app knows another parent");
        let children: BTreeMap<_, _> = node.children().map(|c| (c.link, c.node)).collect();
        assert_eq!(self.children, children, "the app knows other children");
        match node.standing() {
            Standing::Detached => {
                assert!(self.live.is_empty(), "a detached node has links");
                assert_eq!(self.server, None, "a detached node has a server");
            }
            Standing::Joining | Standing::Member | Standing::Leaving => {
                assert_ne!(deadline, None, "it would wait for ever");
            }
            Standing::Root => {}
        }
    }

    fn action(&mut self, action: &Action) {
        match action {
            Action::OpenLink(link, _) => {
                let fresh = !self.live.contains_key(link) && !self.dead.contains(link);
                assert!(fresh, "link {link:?} is opened twice");
                self.live.insert(*link, false);
            }
            Action::ApplySignal(link, _) => {
                assert!(self.live.contains_key(link), "{action:?} on a dead link");
            }
            Action::Transmit(link, bytes) => {
                let open = self.live.get(link) == Some(&true);
                assert!(open, "transmits on {link:?}, which is not open");
                assert!(bytes.len() <= MAX_FRAME);
                assert!(wire::decode::<LinkFrame<'_>>(bytes).is_ok());
            }
            Action::CloseLink(link, _) => {
                assert!(self.live.remove(link).is_some(), "{action:?} twice");
                self.dead.insert(*link);
            }
            Action::ConnectBootstrap(id) => {
                assert_eq!(self.server, None, "two connections to the server");
                assert!(Some(*id) > self.latest_try, "{id:?} is used twice");
                self.latest_try = Some(*id);
                self.server = Some((*id, false));
            }
            Action::SendBootstrap(id, bytes) => {
                assert_eq!(self.server, Some((*id, true)), "{id:?} is not open");
                assert!(wire::decode::<ClientFrame>(bytes).is_ok());
            }
            Action::CloseBootstrap(id) => {
                let server = self.server.take();
                assert_eq!(server.map(|(id, _)| id), Some(*id), "{id:?} is not there");
            }
            Action::Deliver(delivery) => {
                let neighbour = self
                    .parent
                    .filter(|(link, _)| *link == delivery.link)
                    .map(|(_, node)| node)
                    .or_else(|| self.children.get(&delivery.link).copied());
                assert_eq!(neighbour, Some(delivery.from), "delivery from a stranger");
            }
            Action::Notify(notification) => self.notification(notification),
        }
    }

    fn notification(&mut self, notification: &Notification) {
        match *notification {
            Notification::ParentConnected { link, node, .. } => {
                assert!(self.live.contains_key(&link));
                assert_eq!(self.parent.replace((link, node)), None, "two parents");
            }
            Notification::ParentClosed { link, node, .. } => {
                assert_eq!(self.parent.take(), Some((link, node)));
            }
            Notification::ChildConnected { link, node } => {
                assert!(self.live.contains_key(&link));
                assert!(
                    !self.children.values().any(|child| *child == node),
                    "{node:?} is a child twice"
                );
                self.children.insert(link, node);
            }
            Notification::ChildClosed { link, node, .. } => {
                assert_eq!(self.children.remove(&link), Some(node));
            }
            Notification::Writable(link) => {
                let neighbour = self.parent.is_some_and(|(parent, _)| parent == link)
                    || self.children.contains_key(&link);
                assert!(neighbour, "{link:?} is writable and no neighbour");
            }
            Notification::Left => assert!(self.live.is_empty(), "left with links"),
            _ => {}
        }
    }
}

/// More than this and one event of a peer would cost out of proportion: a few for each link, what a
/// candidate's end can set free, what a child's end can cut off, and what a credit can let go.
fn most_actions(node: &Node) -> usize {
    let config = node.config();
    let links = usize::from(config.max_degree) + 2;
    let early = config.max_early_candidates.saturating_add(2);
    let parked = config.max_parked.saturating_mul(early);
    let app = config.send_queue.saturating_add(config.window as usize) / 64;
    [8 + links * 4, config.max_routes, app]
        .into_iter()
        .fold(parked, usize::saturating_add)
}
