//! A question to every node of a tree: how long the answers take, and what they cost the root.

use core::time::Duration;

use overlay_core::{Answers, Combine};

use crate::experiments::growth::{Growing, Growth, GrowthError};
use crate::schedule::Number;

/// How a question went.
#[derive(Clone, Debug)]
pub struct AskResult {
    /// How the answers were combined.
    pub combine: Combine,
    /// The answers, each of eight bytes before they are combined.
    pub answers: Answers,
    /// From the question to the answers.
    pub took: Duration,
    /// The bytes that came on the root's links meanwhile.
    pub bytes: u64,
}

/// The ways that are compared.
const WAYS: [Combine; 3] = [Combine::Concat, Combine::Sum, Combine::Count];

/// How long a root waits for answers.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long a tree is left alone before.
const PEACE: Duration = Duration::from_secs(30);

/// How often the root is looked at.
const GLANCE: Duration = Duration::from_millis(1);

/// Lets a tree of so many nodes grow, the root included, and asks them.
pub fn ask(growth: Growth, nodes: Number) -> Result<Vec<AskResult>, GrowthError> {
    let mut tree = Growing::new(growth)?;
    tree.more(nodes.saturating_sub(1))?;
    tree.settle()?;
    let world = &mut tree.world;
    let mut results = Vec::new();
    for combine in WAYS {
        world.run_until(world.now() + PEACE)?;
        let Some(root) = world.root() else {
            break;
        };
        let (start, before) = (world.now(), world.machines[root].received);
        let number = world.ask_to(root, combine, PATIENCE);
        let number = number.map_err(|violation| world.failure(Some(root), violation))?;
        let answers = loop {
            match world.passing.answers_to(number) {
                Some(answers) => break answers.clone(),
                None => world.run_until(world.now() + GLANCE)?,
            }
        };
        results.push(AskResult {
            combine,
            answers,
            took: world.now().since(start),
            bytes: world.machines[root].received - before,
        });
    }
    Ok(results)
}
