//! What passes through nodes arrives, when the faults have stopped: messages to the root, its replies, and answers.

use core::time::Duration;

use overlay_core::Role;

use crate::invariants::Invariant;
use crate::world::machine::Ix;
use crate::world::{Failure, World};

/// How often the world is looked at while it answers.
const GLANCE: Duration = Duration::from_secs(1);

impl World {
    /// Demands that each node's message reaches the root and each reply its node, that all nodes answer a question, and that
    /// each app has heard of all its replies and questions.
    pub(super) fn everything_passes(&mut self) -> Result<(), Failure> {
        let Some(root) = self.root().filter(|_| self.checks_passing()) else {
            return Ok(());
        };
        let members: Vec<Ix> = (0..self.machines.len())
            .filter(|ix| self.machines[*ix].lives())
            .filter(|ix| self.machines[*ix].node.role() == Role::Member)
            .collect();
        // What nodes hold from before passes first.
        let end = self.now() + self.recovery_bound();
        let has_room = |world: &Self, ix: &Ix| world.machines[*ix].node.can_send_up();
        while !members.iter().all(|ix| has_room(self, ix)) && self.now() < end {
            self.run_until(self.now() + GLANCE)?;
        }
        let mut sent = Vec::new();
        for ix in &members {
            let number = self.send_to_root(*ix, 1_000);
            sent.push(number.map_err(|violation| self.failure(Some(*ix), violation))?);
        }
        let end = self.now() + self.recovery_bound();
        let arrived = |world: &Self| sent.iter().all(|number| world.passing.has_arrived(*number));
        while !arrived(self) && self.now() < end {
            self.run_until(self.now() + GLANCE)?;
        }
        let all = arrived(self);
        let invariant = Invariant::EverythingPasses;
        let holds = invariant.holds(all, || {
            let missing: Vec<_> = self.passing.missing().collect();
            format!("of {sent:?} the root lacks some: {missing:?}")
        });
        holds.map_err(|violation| self.failure(Some(root), violation))?;
        // Each level's share is a step, which an answer needs to come up one link, as the question to come down.
        let patience = self.journey() * 8 + GLANCE;
        let ask = self.ask(root, patience);
        let ask = ask.map_err(|violation| self.failure(Some(root), violation))?;
        self.run_until(self.now() + patience + GLANCE)?;
        let members = u32::try_from(members.len()).unwrap_or(u32::MAX);
        let answers = self.passing.answers_to(ask);
        let complete =
            answers.is_some_and(|answers| (answers.answered, answers.asked) == (members, members));
        let holds = invariant.holds(complete, || {
            format!("{members} were to answer: {answers:?}")
        });
        holds.map_err(|violation| self.failure(Some(root), violation))?;
        for ix in 0..self.machines.len() {
            let unheard = self.passing.unheard(ix);
            let holds = invariant.holds(unheard == 0 || !self.machines[ix].lives(), || {
                format!("its app has not heard of {unheard} replies and questions")
            });
            holds.map_err(|violation| self.failure(Some(ix), violation))?;
        }
        Ok(())
    }
}
