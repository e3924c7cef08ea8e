//! The root's stream on its way to a child: a position in the log, and credit.

use super::Link;
use crate::flow::Credit;
use crate::log::{Log, Next, Slice};
use crate::node::effects::Effects;
use crate::pace::Pace;
use crate::position::Position;
use crate::slow::SlowPolicy;
use crate::time::Instant;
use crate::wire::MAX_RECORDS;

/// A child's place in the log.
#[derive(Debug)]
pub(crate) struct Feed {
    at: Position,
    /// Whether the position is known to be at the beginning of a record. The child says where it is, and may have been told
    /// lies.
    aligned: bool,
    /// A child that this node parts from gets what there is by then, and no more.
    until: Option<Position>,
    credit: Credit,
    pace: Pace,
    /// Before this, the app is not told again that the child takes nothing.
    told: Option<Instant>,
    /// How many slow nodes of its subtree the child may still name before that.
    names: u8,
    /// Whether a bug makes it skip the next record.
    #[cfg(planted)]
    skips: bool,
}

/// The most slow nodes that a child may name in one `stall_timeout`.
const MOST_NAMES: u8 = 16;

/// What a child is sent next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Portion {
    Jump(Position),
    /// This many bytes from the beginning of a slice, which is at this position.
    Records(Position, Slice, usize),
}

impl Feed {
    /// The feed of a child that takes so many bytes at first.
    pub(crate) fn new(
        at: Position,
        window: u32,
        slow: SlowPolicy,
        log: &Log,
        fx: &Effects,
    ) -> Self {
        let mut credit = Credit::default();
        credit.open(window);
        let mut feed = Self {
            at,
            aligned: false,
            until: None,
            credit,
            pace: Pace::new(log.behind(&at).min(fx.config.history)),
            told: None,
            names: MOST_NAMES,
            #[cfg(planted)]
            skips: false,
        };
        // One that comes back and still takes nothing holds nobody up again.
        if slow != SlowPolicy::Wait && !feed.has_credit() {
            feed.pace.skip();
        }
        feed
    }

    /// The child takes more.
    pub(crate) fn grant(&mut self, bytes: u32) {
        self.credit.grant(bytes);
    }

    /// What the child is sent next, if there is something, and credit for it.
    pub(crate) fn next(&mut self, log: &Log, link: &Link, fx: &Effects) -> Option<Portion> {
        let now = fx.now;
        let behind = self.behind(log);
        match log.next(&self.at) {
            _ if self.until.is_some() && behind == 0 => None,
            // Until it takes something, a child that is skipped is left alone. Credit is no sign of that: a child that has
            // stopped altogether may have some left, and then it is its channel that takes nothing.
            _ if self.pace.is_skipped() && !(self.has_credit() && link.is_drained()) => {
                self.pace.waits(now);
                None
            }
            Next::Nothing => {
                self.pace.moves();
                None
            }
            Next::Jump(to) => {
                // A child that was skipped, and has lost its place: what is live is what it wants.
                let live = log.live().filter(|_| self.pace.is_skipped());
                self.at = live.unwrap_or(to);
                Some(Portion::Jump(self.at))
            }
            Next::Bytes(slice) if !self.aligned => {
                self.aligned = true;
                let aligned = log.aligned(self.at, slice);
                if aligned == self.at {
                    return self.next(log, link, fx);
                }
                self.at = aligned;
                Some(Portion::Jump(aligned))
            }
            Next::Bytes(slice) => {
                let most = MAX_RECORDS.min(self.credit.left() as usize);
                let most = most.min(behind).min(slice.len());
                // Before the records are looked at one by one: mostly the channel has yet to take what it was given.
                let len = if link.takes(most) {
                    log.fitting(slice, most)
                } else {
                    0
                };
                if len == 0 || !link.takes(len) {
                    self.pace.waits(now);
                    #[cfg(planted)]
                    {
                        self.skips = planted!(fx.config, FeedSkipsOne);
                    }
                    return None;
                }
                #[cfg(planted)]
                if core::mem::take(&mut self.skips)
                    && let Some(entry) = log.first(slice)
                {
                    self.at = self.at.plus(entry.len);
                    return self.next(log, link, fx);
                }
                let at = self.at;
                self.at = at.plus(len);
                self.credit.spend(u32::try_from(len).unwrap_or(u32::MAX));
                self.pace.moves();
                Some(Portion::Records(at, slice, len))
            }
        }
    }

    /// Whether there is credit for any record.
    const fn has_credit(&self) -> bool {
        self.credit.left() as usize >= MAX_RECORDS
    }

    /// The child goes on at this position, whatever it has had.
    pub(crate) const fn restart(&mut self, at: Position) {
        self.at = at;
    }

    /// Nothing that comes from here on is for the child.
    pub(crate) fn ends(&mut self, log: &Log) {
        self.until = log.head();
    }

    pub(crate) const fn has_end(&self) -> bool {
        self.until.is_some()
    }

    /// The number of bytes that it has not been sent.
    pub(crate) fn behind(&self, log: &Log) -> usize {
        let later = self.until.map_or(0, |until| log.behind(&until));
        log.behind(&self.at).saturating_sub(later)
    }

    /// At most how many bytes the child has not taken.
    pub(crate) fn unconfirmed(&self, log: &Log) -> usize {
        self.behind(log) + self.credit.under_way()
    }

    /// How many bytes it holds others up by.
    pub(crate) fn lag(&self, log: &Log) -> usize {
        self.pace.lag(self.behind(log))
    }

    /// How many bytes must be kept for it.
    pub(crate) fn needs(&self, log: &Log) -> usize {
        self.pace.needs(self.behind(log))
    }

    /// What it has caught up by now, it may not fall back again without holding others up.
    pub(crate) fn settle(&mut self, log: &Log) {
        let behind = self.behind(log);
        self.pace.settle(behind);
    }

    /// The app was told that the child takes nothing, and is not told again before this.
    pub(crate) const fn tell_again(&mut self, at: Instant) {
        self.told = Some(at);
    }

    pub(crate) const fn told(&self) -> Option<Instant> {
        self.told
    }

    /// The child names another node that it waits for, so it is not blamed before this. False if it has named too many.
    pub(crate) fn excuse(&mut self, until: Instant, now: Instant) -> bool {
        if self.told.is_none_or(|told| told <= now) {
            self.names = MOST_NAMES;
        }
        self.told = self.told.max(Some(until));
        let left = self.names.checked_sub(1);
        self.names = left.unwrap_or(0);
        left.is_some()
    }

    pub(crate) const fn pace(&self) -> &Pace {
        &self.pace
    }

    pub(crate) const fn pace_mut(&mut self) -> &mut Pace {
        &mut self.pace
    }
}
