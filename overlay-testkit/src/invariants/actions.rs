//! The invariants of each action, in the order in which a node asks for them.

use overlay_core::wire::{self, ClientFrame, LinkFrame, MAX_FRAME};
use overlay_core::{Action, BootstrapId, Dial, JoinId, LinkId, Node, Notification, Role, Scope};

use super::links::{Entry, Told};
use super::{Invariants, Scrutiny};
use crate::violation::{Invariant, Violation};

impl Invariants {
    pub(super) fn action(&mut self, node: &Node, action: &Action) -> Result<(), Violation> {
        match action {
            Action::OpenLink(link, dial) => self.opens(node, *link, dial),
            Action::ApplySignal(link, _) => self.concerns_a_living_link(*link, action),
            Action::Transmit(link, bytes) | Action::TransmitData(link, bytes) => {
                self.transmits(*link, bytes)
            }
            Action::CloseLink(link, _) => {
                self.concerns_a_living_link(*link, action)?;
                self.links.close(*link);
                Ok(())
            }
            Action::ConnectBootstrap(id) => self.connects(*id),
            Action::SendBootstrap(id, bytes) => {
                Invariant::OneServerConnection.holds(self.server == Some((*id, true)), || {
                    format!("sends on {id:?}, has {:?}", self.server)
                })?;
                let decodes = |bytes: &[u8]| wire::decode::<ClientFrame>(bytes).is_ok();
                self.is_well_formed(bytes, decodes)
            }
            Action::CloseBootstrap(id) => {
                let server = self.server.take();
                let own = server.is_some_and(|(own, _)| own == *id);
                Invariant::OneServerConnection
                    .holds(own, || format!("closes {id:?}, has {server:?}"))
            }
            Action::Deliver(delivery) => {
                self.receipts += 1;
                let from = delivery.from;
                if let Scope::Root(way) = &delivery.scope {
                    let is_sender = way.node() == Some(from) && node.role() == Role::Root;
                    return Invariant::UpsAreTrue.holds(is_sender, || format!("{delivery:?}"));
                }
                let Scope::Direct(link) = delivery.scope else {
                    return Ok(());
                };
                let told = self.links.find(link).map(|entry| entry.told);
                let neighbour = [Some(Told::Parent(from)), Some(Told::Child(from))].contains(&told);
                Invariant::DeliveriesComeFromNeighbours.holds(neighbour, || format!("{delivery:?}"))
            }
            Action::Ask(_) | Action::Combine { .. } => Ok(()),
            Action::Notify(notification) => {
                self.notification(notification)?;
                match notification {
                    Notification::ParentConnected { .. } | Notification::PathChanged { .. } => {
                        is_no_ancestor_of_itself(node)
                    }
                    _ => Ok(()),
                }
            }
        }
    }

    /// A link is opened under a new name, and for a joiner that may come below this node.
    fn opens(&mut self, node: &Node, link: LinkId, dial: &Dial) -> Result<(), Violation> {
        let fresh = self.links.open(link);
        Invariant::LinkIdsAreFresh.holds(fresh, || format!("{link:?} is opened again"))?;
        if *dial == Dial::Offer {
            return Ok(());
        }
        let join = node.join_of(link);
        let max_depth = join.and_then(|join| self.requests.max_depth(join));
        Invariant::MovesRise.holds(max_depth != Some(0), || format!("accepts {join:?}"))?;
        let above = join.is_some_and(|JoinId { origin, .. }| {
            origin == node.id() || node.path().contains(origin)
        });
        Invariant::NoLoopIsAccepted.holds(!above, || {
            format!("accepts {join:?} below {:?}", node.path())
        })
    }

    fn concerns_a_living_link(&self, link: LinkId, action: &Action) -> Result<(), Violation> {
        let lives = self.links.lives(link);
        Invariant::NoActionForADeadLink.holds(lives, || format!("{action:?}"))
    }

    fn transmits(&mut self, link: LinkId, bytes: &[u8]) -> Result<(), Violation> {
        if self.scrutiny == Scrutiny::Frames {
            self.requests.sends(&mut self.links, link, bytes)?;
        }
        let open = self.links.find(link).is_some_and(Entry::is_open);
        Invariant::TransmitsOnOpenChannels
            .holds(open, || format!("transmits on {link:?}, which is not open"))?;
        let decodes = |bytes: &[u8]| wire::decode::<LinkFrame<'_>>(bytes).is_ok();
        self.is_well_formed(bytes, decodes)
    }

    fn is_well_formed(
        &self,
        bytes: &[u8],
        decodes: impl FnOnce(&[u8]) -> bool,
    ) -> Result<(), Violation> {
        let well_formed =
            bytes.len() <= MAX_FRAME && (self.scrutiny == Scrutiny::Lengths || decodes(bytes));
        Invariant::FramesAreWellFormed.holds(well_formed, || format!("{bytes:?}"))
    }

    fn connects(&mut self, id: BootstrapId) -> Result<(), Violation> {
        let fresh = self.server.is_none() && Some(id) > self.latest_try;
        Invariant::OneServerConnection.holds(fresh, || {
            let (server, latest) = (self.server, self.latest_try);
            format!("connects as {id:?} beside {server:?}, after {latest:?}")
        })?;
        self.latest_try = Some(id);
        self.server = Some((id, false));
        Ok(())
    }

    fn notification(&mut self, notification: &Notification) -> Result<(), Violation> {
        let invariant = Invariant::AppKnowsTheNeighbours;
        match *notification {
            Notification::ParentConnected { link, node, .. } => {
                let is_parent = |entry: &&Entry| matches!(entry.told, Told::Parent(_));
                let other = self.links.iter().find(is_parent);
                invariant.holds(other.is_none(), || format!("a second parent, {other:?}"))?;
                self.tell(link, Told::Parent(node))
            }
            Notification::ChildConnected { link, node } => {
                let is_child = |entry: &Entry| entry.told == Told::Child(node);
                let twice = self.links.iter().any(is_child);
                invariant.holds(!twice, || format!("{node:?} is a child twice"))?;
                self.tell(link, Told::Child(node))
            }
            Notification::ParentClosed { link, node, .. } => self.untell(link, Told::Parent(node)),
            Notification::ChildClosed { link, node, .. } => self.untell(link, Told::Child(node)),
            Notification::Writable(link) => invariant.holds(self.links.is_neighbour(link), || {
                format!("{link:?} is writable and no neighbour")
            }),
            Notification::Left => Invariant::DetachedHoldsNothing
                .holds(self.links.is_empty(), || {
                    format!("left with {:?}", self.links)
                }),
            _ => Ok(()),
        }
    }

    fn tell(&mut self, link: LinkId, told: Told) -> Result<(), Violation> {
        let entry = self.links.find_mut(link).filter(|entry| entry.is_open());
        let Some(entry) = entry else {
            let detail = format!("{told:?} on {link:?}, which is not open");
            return Err(Invariant::AppKnowsTheNeighbours.broken(detail));
        };
        entry.told = told;
        Ok(())
    }

    fn untell(&mut self, link: LinkId, told: Told) -> Result<(), Violation> {
        let told_before = self.links.untell(link, told);
        Invariant::AppKnowsTheNeighbours.holds(told_before, || {
            format!("{told:?} on {link:?} is closed, and was not open")
        })
    }
}

fn is_no_ancestor_of_itself(node: &Node) -> Result<(), Violation> {
    let path = node.path();
    let times = path.ids().iter().filter(|id| **id == node.id()).count();
    Invariant::NoLoopIsAccepted.holds(times <= 1, || format!("its path is {path:?}"))
}
