//! The app of this node, as a reader of the log: it gets whole messages, and hears of each gap.

use alloc::vec::Vec;

use crate::action::{Action, Delivery, Held, Receipt, Scope};
use crate::assembly::{Assembled, Assembly};
use crate::flow::message_cost;
use crate::log::{Entry, Log, Next};
use crate::node::effects::Effects;
use crate::notification::Notification;
use crate::pace::Pace;
use crate::position::{Position, Start};
use crate::wire::Part;

/// The app's place in the log.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    /// The next record. `None` until this node is in a tree.
    at: Option<Position>,
    /// The beginning of the message that has begun.
    begun: Position,
    assembly: Assembly,
    search: Search,
    pace: Pace,
    /// The cost of the messages that the app has not taken.
    unconsumed: u32,
    /// The number of last messages among them: of this root's stream, and perhaps of one before.
    ends: u32,
    /// The app has taken the last message of the stream.
    finished: bool,
    /// It has missed messages of the present root.
    gapped: bool,
}

/// Whether the reader looks for the beginning of a message. Behind a jump it may be in the middle of one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Search {
    /// It is where it should be.
    #[default]
    None,
    /// It looks for the first message that it gets at all.
    First,
    /// It looks for the end of a gap, of which the app knows up to here.
    Gap(Position),
}

impl Reader {
    /// The app has come into a tree, where its stream begins with this.
    pub(super) fn begin(&mut self, start: Start, at: Position) {
        self.search = match start {
            // An app names the beginning of a message.
            Start::At(_) => Search::None,
            Start::Live | Start::Oldest => Search::First,
        };
        self.at = Some(at);
        self.assembly.forget();
    }

    /// Forgets what came in another tree. What the app holds, it still holds.
    pub(super) fn forget(&mut self) {
        *self = Self {
            unconsumed: self.unconsumed,
            ends: self.ends,
            ..Self::default()
        };
    }

    pub(super) const fn is_finished(&self) -> bool {
        self.finished
    }

    pub(super) const fn is_gapped(&self) -> bool {
        self.gapped
    }

    pub(super) const fn pace(&self) -> &Pace {
        &self.pace
    }

    pub(super) const fn pace_mut(&mut self) -> &mut Pace {
        &mut self.pace
    }

    /// The number of bytes that the app has not been handed.
    pub(super) fn behind(&self, log: &Log) -> usize {
        self.at.map_or(0, |at| log.behind(&at))
    }

    /// The bytes of a message of which the rest is to come.
    pub(super) fn assembled(&self) -> usize {
        self.assembly.len()
    }

    /// Hands the app what is there for it, as far as it takes what it was handed before.
    pub(super) fn read(&mut self, log: &Log, fx: &mut Effects) {
        while let Some(at) = self.at {
            match log.next(&at) {
                Next::Nothing => return self.pace.moves(),
                // A root's app has sent what is in its own stream.
                Next::Bytes(slice) if at.root == fx.id => {
                    self.at = Some(at.plus(slice.len()));
                    self.finished = log.has_end();
                }
                Next::Jump(_) | Next::Bytes(_) if self.unconsumed >= fx.config.window => {
                    return self.pace.waits(fx.now);
                }
                Next::Jump(to) => {
                    let live = log.live();
                    let live = live.filter(|_| self.pace.is_skipped());
                    self.jump(at, live.unwrap_or(to), fx);
                }
                Next::Bytes(slice) => {
                    self.pace.moves();
                    let Some(entry) = log.first(slice) else {
                        return;
                    };
                    self.at = Some(at.plus(entry.len));
                    if self.is_in_place(at, entry.part, fx) {
                        self.take(entry, log.first_payload(slice, entry), fx);
                    }
                }
            }
        }
    }

    /// The app has taken a message of this cost. True if it was the last one of the stream.
    pub(super) fn consumed(&mut self, cost: u32, last: bool) -> bool {
        self.unconsumed = self.unconsumed.saturating_sub(cost);
        self.ends = self.ends.saturating_sub(last.into());
        self.finished |= last && self.ends == 0;
        last
    }

    /// What comes next is not what follows: another root's stream begins, or there is a gap, which the app is told at once.
    fn jump(&mut self, at: Position, to: Position, fx: &mut Effects) {
        let other = !to.is_of(&at);
        let begun = self.assembly.has_begun();
        let whole = !begun && (to.root == fx.id || to.offset == 0);
        let gap = !(other && whole);
        if gap {
            let from = match self.search {
                Search::Gap(known) => known,
                Search::None if begun => self.begun,
                Search::None | Search::First => at,
            };
            self.search = Search::Gap(to);
            if !planted!(fx.config, GapNotTold) {
                fx.notify(Notification::Gap { from, to });
            }
        }
        if other {
            self.finished = false;
            self.gapped = to.offset > 0;
        } else {
            self.gapped |= gap;
        }
        self.assembly.forget();
        self.at = Some(to);
    }

    /// Whether a record belongs to a message that the app gets. If the gap was longer than the app knows, it is told.
    fn is_in_place(&mut self, at: Position, part: Part, fx: &mut Effects) -> bool {
        if part.begins() {
            if let Search::Gap(from) = self.search
                && from != at
            {
                fx.notify(Notification::Gap { from, to: at });
            }
            self.search = Search::None;
            self.begun = at;
        }
        self.search == Search::None
    }

    fn deliver(&mut self, message: Vec<u8>, last: bool, fx: &mut Effects) {
        let cost = message_cost(message.len());
        self.unconsumed = self.unconsumed.saturating_add(cost);
        self.ends += u32::from(last);
        fx.stats.messages_delivered += 1;
        fx.act(Action::Deliver(Delivery {
            from: self.begun.root,
            scope: if last {
                Scope::End(self.begun)
            } else {
                Scope::Broadcast(self.begun)
            },
            payload: message.into(),
            receipt: Receipt(Held::Stream { cost, last }),
        }));
    }

    fn take(&mut self, entry: Entry, payload: Vec<u8>, fx: &mut Effects) {
        let last = entry.part == Part::End;
        let reversed = entry.part == Part::Last && planted!(fx.config, PartsReversed);
        match self
            .assembly
            .push(entry.part, payload, fx.config.max_message)
        {
            Assembled::Message(mut message) if reversed => {
                let last = entry.len.min(message.len());
                message.rotate_right(last);
                self.deliver(message, false, fx);
            }
            Assembled::Message(message) => self.deliver(message, last, fx),
            Assembled::Part | Assembled::Cancelled => {}
            // This node takes shorter messages than the root sends, or a parent has lied.
            Assembled::TooLong | Assembled::Stray => {
                self.assembly.forget();
                self.search = Search::Gap(self.begun);
                self.gapped = true;
            }
        }
    }
}
