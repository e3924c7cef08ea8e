//! Which node waits for which, for the report of a failure.

use std::fmt::Write as _;

use overlay_core::{Instant, NodeId, Progress, Role};

use crate::world::World;
use crate::world::machine::Ix;

impl World {
    /// Where messages have been sent and not arrived.
    pub(crate) fn stuck_messages(&self) -> String {
        let mut text = String::new();
        for (ix, machine) in self.machines.iter().enumerate() {
            let node = &machine.node;
            for neighbour in node.parent().into_iter().chain(node.children()) {
                let end = machine.end(neighbour.link);
                let waiting = end.map_or(0, |end| self.messages.under_way(end));
                if waiting > 0 && machine.lives() && self.mutual(ix, neighbour.link) {
                    let from = self
                        .ix_of(neighbour.node)
                        .map(|ix| self.machines[ix].number);
                    let _ = write!(
                        text,
                        "\n    {} waits for {waiting} messages from {from:?}",
                        machine.number
                    );
                }
            }
        }
        text
    }

    /// Which node waits for which, from this machine on.
    pub(crate) fn why_not_attached(&self, ix: Ix) -> String {
        let mut text = String::new();
        for (ix, machine) in self.machines.iter().enumerate() {
            let node = &machine.node;
            let attached = matches!(node.role(), Role::Member | Role::Root);
            if machine.lives() && machine.willing && !attached {
                let _ = write!(text, "\n    {}", self.waits_for(ix));
            }
        }
        let _ = write!(text, "\n  the tree:");
        for machine in self.machines.iter().filter(|machine| machine.lives()) {
            let node = &machine.node;
            let children: Vec<_> = node.children().map(|child| self.name(child.node)).collect();
            let _ = write!(
                text,
                "\n    {}: {:?} below {}, {} of {} slots taken, children [{}]",
                machine.number,
                node.role(),
                node.parent()
                    .map_or_else(|| "none".to_owned(), |p| self.name(p.node)),
                node.slots_taken(),
                node.config().max_degree,
                children.join(", ")
            );
        }
        let machine = &self.machines[ix];
        format!(
            "machine {} is {:?}; which node waits for which:{text}",
            machine.number,
            machine.node.role()
        )
    }

    /// What one machine waits for.
    fn waits_for(&self, ix: Ix) -> String {
        let machine = &self.machines[ix];
        let node = &machine.node;
        let next = node
            .next_deadline()
            .map_or(Instant::ZERO, |due| machine.global(due));
        let (what, join) = match node.progress() {
            None => ("is on its way out", None),
            Some(Progress::Waiting { .. }) => ("waits for its next attempt", None),
            Some(Progress::Introducing) => ("waits for the server", None),
            Some(Progress::Offering { join, .. }) => ("makes an offer", Some(join)),
            Some(Progress::Requested { join, .. }) => ("waits for an answer", Some(join)),
            Some(Progress::Answered { join, .. }) => ("waits for its channel to open", Some(join)),
            Some(Progress::Greeted { join, .. }) => ("waits to be welcomed", Some(join)),
        };
        let mut text = format!(
            "{} {what}, and acts at {next:?} at the latest",
            machine.number
        );
        match machine.session {
            None => text += "; it is not connected to the server",
            Some(session) if session.broken => text += "; its connection to the server is dead",
            Some(_) => {}
        }
        if let Some(join) = join {
            let _ = write!(
                text,
                "; of its attempt {} the last was heard: ",
                join.attempt
            );
            let traces = self
                .transcript
                .as_ref()
                .map(|transcript| &transcript.traces);
            match traces.and_then(|traces| traces.get(&join)) {
                Some(seen) => text += seen,
                None => text += "replay it to know",
            }
        }
        text
    }

    fn name(&self, id: NodeId) -> String {
        match self.ix_of(id) {
            Some(ix) if self.machines[ix].lives() => self.machines[ix].number.to_string(),
            Some(ix) => format!("{} (dead)", self.machines[ix].number),
            None => "a forgery".to_owned(),
        }
    }
}
