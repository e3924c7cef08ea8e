//! Questions of the root to every node: down at once, and the answers combined on the way up.
//!
//! A node passes a question on to the children that it has then, and waits for them and for its app; a child that goes is
//! not waited for. Each level answers a step before the one above it has to. A node answers a question once, however it
//! comes, and takes one answer from each child that it has asked: so no answer counts twice.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;
use core::time::Duration;

use bytes::Bytes;

use super::{lanes, unsent};
use crate::action::Action;
use crate::ask::{Answers, Ask, AskId, Asked, Combine};
use crate::close::ProtocolError;
use crate::id::LinkId;
use crate::node::effects::Effects;
use crate::node::link::{Links, State};
use crate::notification::{Notification, Unsent};
use crate::time::Instant;
use crate::wire::{Answer, Lane, Question, behind};

/// The questions of which the time is not over.
#[derive(Debug, Default)]
pub(crate) struct Gather(BTreeMap<AskId, Open>);

#[derive(Debug)]
struct Open {
    /// The parent that has asked; `None` at the root.
    from: Option<LinkId>,
    /// Until when the question is remembered.
    forget: Instant,
    /// `None` if this node has answered.
    collected: Option<Collected>,
}

/// The answers that have come so far.
#[derive(Debug)]
struct Collected {
    combine: Combine,
    limit: usize,
    /// When this node answers, with what there is.
    until: Instant,
    /// The children that have not answered, and the number of nodes below each.
    waits_for: BTreeMap<LinkId, u32>,
    waits_for_app: bool,
    answers: Answers,
    /// Answers that wait until the app has combined others.
    waiting: VecDeque<Answers>,
    /// What the app has to combine with the others.
    combining: Option<Answers>,
}

impl Gather {
    /// The app of the root asks.
    pub(crate) fn ask(&mut self, ask: Ask, links: &mut Links, fx: &mut Effects) {
        let Ask {
            number,
            question,
            timeout,
            combine,
            limit,
        } = ask;
        let name = AskId {
            root: fx.id,
            number,
        };
        let objection = if question.len() > fx.config.max_message {
            Some(Unsent::TooLong)
        } else if self.0.contains_key(&name) || !self.has_room(fx) {
            Some(Unsent::Backlog)
        } else {
            None
        };
        if let Some(reason) = objection {
            return unsent(question, reason, fx);
        }
        let total = millis(timeout);
        let levels = u32::try_from(levels(links)).unwrap_or(u32::MAX).max(1);
        let header = Question {
            ask: name,
            left_ms: total,
            step_ms: total / 4 / levels,
            total_ms: total,
            combine,
            limit: u32::try_from(limit).unwrap_or(u32::MAX),
        };
        self.open(None, &header, &question, links, fx);
    }

    /// The parent has sent questions, or parts of one.
    pub(crate) fn questions(
        &mut self,
        link: LinkId,
        records: &[u8],
        links: &mut Links,
        fx: &mut Effects,
    ) -> Result<(), ProtocolError> {
        let questions = lanes::receive_headed::<Question>(link, Lane::Gather, records, links, fx)?;
        for (header, question, cost) in questions {
            lanes::taken(link, Lane::Gather, cost, links, fx);
            let ask = header.ask;
            let known = self.0.contains_key(&ask);
            if known || !self.has_room(fx) {
                // What was asked before is counted there.
                let asked = if known { 0 } else { subtree(links) };
                let answers = Answers {
                    asked,
                    ..Answers::default()
                };
                answer(link, ask, &answers, links, fx);
                continue;
            }
            self.open(Some(link), &header, &question, links, fx);
            let left = header.left_ms - header.left_ms / 8;
            fx.act(Action::Ask(Asked {
                ask,
                question,
                combine: header.combine,
                left: Duration::from_millis(left.into()),
            }));
        }
        Ok(())
    }

    /// A child has sent answers, or parts of one.
    pub(crate) fn answers(
        &mut self,
        link: LinkId,
        records: &[u8],
        links: &mut Links,
        fx: &mut Effects,
    ) -> Result<(), ProtocolError> {
        let answers = lanes::receive_headed::<Answer>(link, Lane::Gather, records, links, fx)?;
        for (header, value, cost) in answers {
            lanes::taken(link, Lane::Gather, cost, links, fx);
            let Some(collected) = self.collected(header.ask) else {
                continue;
            };
            let Some(size) = collected.waits_for.get(&link).copied() else {
                continue;
            };
            let Answer {
                answered,
                omitted,
                asked,
                ..
            } = header;
            let answers = Answers {
                answered,
                omitted,
                asked,
                value,
            };
            if !answers.is_possible(collected.combine, collected.limit) {
                return Err(ProtocolError::BadMessage);
            }
            collected.waits_for.remove(&link);
            let others = collected.answers.asked.saturating_sub(size);
            collected.answers.asked = others.saturating_add(asked);
            if planted!(fx.config, AnswerCountedTwice) {
                collected.add(header.ask, answers.clone(), fx);
            }
            collected.add(header.ask, answers, fx);
        }
        Ok(())
    }

    /// The app answers.
    pub(crate) fn app_answers(&mut self, ask: AskId, answer: Option<Bytes>, fx: &mut Effects) {
        let Some(collected) = self
            .collected(ask)
            .filter(|collected| collected.waits_for_app)
        else {
            return;
        };
        collected.waits_for_app = false;
        if let Some(answers) = answer.and_then(|answer| collected.combine.answer(fx.id, answer)) {
            collected.add(ask, answers, fx);
        }
    }

    /// The app has combined two answers.
    pub(crate) fn app_combined(&mut self, ask: AskId, value: Bytes, fx: &mut Effects) {
        let Some(collected) = self.collected(ask) else {
            return;
        };
        let Some(other) = collected.combining.take() else {
            return;
        };
        let answers = &mut collected.answers;
        if value.len() <= collected.limit {
            answers.answered = answers.answered.saturating_add(other.answered);
            answers.value = value;
        } else {
            answers.omitted = answers.omitted.saturating_add(other.answered);
        }
        collected.go_on(ask, fx);
    }

    /// The number of questions that are remembered.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// When something is due: an answer, or forgetting a question.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        let due = |open: &Open| {
            open.collected
                .as_ref()
                .map_or(open.forget, |collected| collected.until)
        };
        self.0.values().map(due).min()
    }

    /// Answers what can be answered, and forgets what is over.
    pub(crate) fn settle(&mut self, links: &mut Links, fx: &mut Effects) {
        for (ask, open) in &mut self.0 {
            let Some(collected) = &mut open.collected else {
                continue;
            };
            collected
                .waits_for
                .retain(|child, _| links.child(*child).is_some());
            if collected.until > fx.now && !collected.is_complete() {
                continue;
            }
            let Some(collected) = open.collected.take() else {
                continue;
            };
            let (answers, number) = (collected.finish(), ask.number);
            match open.from {
                None => fx.notify(Notification::Answers { number, answers }),
                Some(parent) => answer(parent, *ask, &answers, links, fx),
            }
        }
        self.0
            .retain(|_, open| open.forget > fx.now || open.collected.is_some());
    }

    /// Whether one more question can be remembered.
    fn has_room(&self, fx: &Effects) -> bool {
        self.0.len() < fx.config.max_asks
    }

    fn collected(&mut self, ask: AskId) -> Option<&mut Collected> {
        self.0.get_mut(&ask)?.collected.as_mut()
    }

    /// Passes a question on to the children.
    fn open(
        &mut self,
        from: Option<LinkId>,
        header: &Question,
        question: &Bytes,
        links: &mut Links,
        fx: &mut Effects,
    ) {
        let left_ms = header.left_ms.saturating_sub(header.step_ms);
        let message = behind(&Question { left_ms, ..*header }, question);
        let asked = subtree(links) - u32::from(from.is_none());
        let mut waits_for = BTreeMap::new();
        let children: Vec<(LinkId, u32)> = children(links).collect();
        for (child, size) in children {
            if lanes::post(child, Lane::Gather, message.clone(), links, fx) {
                waits_for.insert(child, size);
            }
        }
        let limit = usize::try_from(header.limit).unwrap_or(usize::MAX);
        let collected = Collected {
            combine: header.combine,
            limit: limit.min(fx.config.max_message),
            until: fx.now + Duration::from_millis(header.left_ms.into()),
            waits_for,
            waits_for_app: from.is_some(),
            answers: Answers {
                asked,
                ..Answers::default()
            },
            waiting: VecDeque::new(),
            combining: None,
        };
        let open = Open {
            from,
            forget: fx.now + Duration::from_millis(header.total_ms.max(header.left_ms).into()),
            collected: Some(collected),
        };
        self.0.insert(header.ask, open);
    }
}

impl Collected {
    /// Whether nothing more is to come.
    fn is_complete(&self) -> bool {
        self.waits_for.is_empty() && !self.waits_for_app && self.combining.is_none()
    }

    fn add(&mut self, ask: AskId, answers: Answers, fx: &mut Effects) {
        self.waiting.push_back(answers);
        self.go_on(ask, fx);
    }

    /// Combines what waits, until the app has to.
    fn go_on(&mut self, ask: AskId, fx: &mut Effects) {
        while self.combining.is_none()
            && let Some(next) = self.waiting.pop_front()
        {
            let for_app =
                self.combine == Combine::App && self.answers.answered > 0 && next.answered > 0;
            if !for_app {
                self.answers.add(self.combine, &next, self.limit);
                continue;
            }
            self.answers.omitted = self.answers.omitted.saturating_add(next.omitted);
            let (left, right) = (self.answers.value.clone(), next.value.clone());
            fx.act(Action::Combine { ask, left, right });
            self.combining = Some(next);
        }
    }

    /// The answers, when the time is over. What the app has not combined is left out.
    fn finish(self) -> Answers {
        let mut answers = self.answers;
        let late = self.waiting.iter();
        let late = late.map(|late| late.answered.saturating_add(late.omitted));
        let combining = self.combining.map_or(0, |other| other.answered);
        answers.omitted = late
            .chain([combining])
            .fold(answers.omitted, u32::saturating_add);
        answers
    }
}

/// The children, and the number of nodes of each one's subtree.
fn children(links: &Links) -> impl Iterator<Item = (LinkId, u32)> {
    links.iter().filter_map(|(id, link)| match &link.state {
        State::Child(child) => Some((id, child.subtree.known.size())),
        _ => None,
    })
}

/// The number of levels below this node.
fn levels(links: &Links) -> usize {
    let children = links.iter().filter_map(|(id, _)| links.child(id));
    let levels = children.map(|child| child.subtree.known.nodes().len());
    levels.max().unwrap_or(0)
}

/// The number of nodes below this one, itself included.
fn subtree(links: &Links) -> u32 {
    children(links).fold(1, |sum, (_, size)| sum.saturating_add(size))
}

/// Tells the parent the answer of this node's subtree.
fn answer(parent: LinkId, ask: AskId, answers: &Answers, links: &mut Links, fx: &mut Effects) {
    let Answers {
        answered,
        omitted,
        asked,
        ..
    } = *answers;
    let header = Answer {
        ask,
        answered,
        omitted,
        asked,
    };
    if links.neighbour(parent).is_some() {
        lanes::post(
            parent,
            Lane::Gather,
            behind(&header, &answers.value),
            links,
            fx,
        );
    }
}

fn millis(time: Duration) -> u32 {
    u32::try_from(time.as_millis()).unwrap_or(u32::MAX)
}
