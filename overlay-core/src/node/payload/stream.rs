//! The root's stream: from the parent, or this node's own app, into the log, and from there to the children and the app.
//!
//! Nothing is queued for a child: each has a position in the log (`link::Feed`), and is sent what comes next there as its
//! credit allows. The parent gets credit again for what all have passed, so the slowest sets the pace, and no node holds
//! more than [`history`](crate::Config::history) and two windows.
//!
//! A node that comes here, from outside or from another parent, says with its greeting how far it is, and goes on from there.
//! A parent that is behind the former one says nothing until it has got that far. So nothing comes twice.

use alloc::boxed::Box;
use alloc::vec::Vec;

use bytes::Bytes;

use super::{Inflow, Outgoing, Payload, credit, unsent};
use crate::action::Action;
use crate::close::ProtocolError;
use crate::id::{Epoch, LinkId};
use crate::log::Next;
use crate::node::ancestry::Above;
use crate::node::effects::Effects;
use crate::node::link::{Feed, Links, Portion, Welcome};
use crate::notification::{Notification, Unsent};
use crate::path::MAX_DEPTH;
use crate::position::{Position, Start};
use crate::wire::{self, Lane, LinkFrame, MAX_LAST, Part, Record};

impl Payload {
    /// This node is the root, and its stream begins.
    pub(crate) fn lead(&mut self, epoch: Epoch, links: &mut Links, fx: &mut Effects) {
        self.inflow = None;
        self.slow = fx.config.slow;
        let beginning = Position::beginning(fx.id, epoch);
        if self.log.head().is_none() {
            self.reader.begin(Start::Live, beginning);
        }
        self.log.begin(beginning);
        self.flow(links, fx);
    }

    /// This node is the root no more. A broadcast that has begun ends here.
    pub(crate) fn step_down(&mut self, links: &mut Links, fx: &mut Effects) {
        if let Some(outgoing) = self.outgoing.take()
            && let Some(payload) = outgoing.cancel(&mut self.log)
        {
            unsent(payload, Unsent::NotRoot, fx);
        }
        self.flow(links, fx);
    }

    /// The app broadcasts; `last`: nothing follows. False, and the message goes back to the app, if there is no room, or the
    /// stream has ended.
    pub(crate) fn broadcast(
        &mut self,
        payload: Bytes,
        last: bool,
        above: Above,
        links: &mut Links,
        fx: &mut Effects,
    ) -> bool {
        let longest = if last {
            MAX_LAST
        } else {
            fx.config.max_message
        };
        let objection = if !above.is_root {
            Some(Unsent::NotRoot)
        } else if self.has_ended() {
            Some(Unsent::Ended)
        } else if payload.len() > longest {
            Some(Unsent::TooLong)
        } else if !self.has_room(links, fx) {
            self.refused = true;
            Some(Unsent::Backlog)
        } else {
            None
        };
        if let Some(reason) = objection {
            unsent(payload, reason, fx);
            return false;
        }
        self.outgoing = Some(Outgoing::new(payload, last));
        self.flow(links, fx);
        true
    }

    /// The app takes its latest broadcast back.
    pub(crate) fn cancel_broadcast(&mut self, links: &mut Links, fx: &mut Effects) {
        if let Some(outgoing) = self.outgoing.take() {
            outgoing.cancel(&mut self.log);
            self.flow(links, fx);
        }
    }

    /// Whether the root's next broadcast would be taken now.
    pub(crate) fn has_room(&self, links: &Links, fx: &Effects) -> bool {
        self.outgoing.is_none() && self.is_below(fx.config.window as usize, links)
    }

    /// A child with this window comes in. Returns the position of what it gets first.
    pub(crate) fn admit(
        &self,
        child: LinkId,
        start: Start,
        window: u32,
        epoch: Epoch,
        links: &mut Links,
        fx: &Effects,
    ) -> Position {
        let start = match start {
            Start::Live if planted!(fx.config, EndNotRepeated) => {
                Start::At(self.log.head().unwrap_or_default())
            }
            Start::At(at) if at.epoch > epoch || self.is_lost(at, fx) || !at.is_possible() => {
                Start::Live
            }
            start => start,
        };
        let mut at = self.log.start(start).unwrap_or_default();
        while let Next::Jump(to) = self.log.next(&at) {
            at = to;
        }
        let fed_from = if planted!(fx.config, ReplayFromTheHead) {
            self.log.head().unwrap_or_default()
        } else {
            at
        };
        if let Some(link) = links.get_mut(child) {
            let feed = Feed::new(fed_from, window, self.slow, &self.log, fx);
            link.feed = Some(Box::new(feed));
        }
        at
    }

    /// Checks a position that a parent tells. A node that has heard of a later root is sent nothing of an earlier one.
    /// `epoch`: that of the root at the top of the path.
    pub(crate) fn check(&self, at: Position, epoch: Epoch) -> Result<(), ProtocolError> {
        if !at.is_possible() {
            return Err(ProtocolError::BadPosition);
        }
        let later = |own: Position| at.epoch < own.epoch && at.epoch < epoch;
        if self.log.head().is_some_and(later) {
            return Err(ProtocolError::StaleEpoch);
        }
        Ok(())
    }

    /// Whether going to a parent that begins here could leave a gap. Of a former root's stream the old parent may have more.
    pub(crate) fn would_miss(&self, position: Position) -> bool {
        let own = self.log.head();
        own.is_some_and(|own| !own.is_of(&position) || position.offset > own.offset)
    }

    /// A new parent's stream begins here, which [`check`](Self::check) has found possible.
    pub(crate) fn follow(
        &mut self,
        link: LinkId,
        welcome: &Welcome,
        links: &mut Links,
        fx: &mut Effects,
    ) {
        let at = welcome.position;
        self.slow = welcome.slow;
        let used = fx.config.window.saturating_sub(self.promised);
        self.inflow = Some(Inflow { link, at, used });
        if self.log.head().is_none() {
            let start = fx.config.start;
            let first = match start {
                Start::At(wanted) => wanted,
                Start::Live | Start::Oldest => at,
            };
            self.log.begin(first);
            self.reader.begin(start, first);
            if welcome.ended {
                fx.notify(Notification::BehindTheEnd { from: at });
            }
        }
        self.go_to(at, links, fx);
        self.flow(links, fx);
    }

    /// The parent's next record is at this position.
    pub(crate) fn jumped(
        &mut self,
        at: Position,
        epoch: Epoch,
        links: &mut Links,
        fx: &mut Effects,
    ) -> Result<(), ProtocolError> {
        self.check(at, epoch)?;
        if let Some(inflow) = &mut self.inflow {
            inflow.at = at;
        }
        self.go_to(at, links, fx);
        self.flow(links, fx);
        Ok(())
    }

    /// The parent has sent records.
    pub(crate) fn received(
        &mut self,
        link: LinkId,
        records: &[u8],
        links: &mut Links,
        fx: &mut Effects,
    ) -> Result<(), ProtocolError> {
        let inflow = self.inflow.as_mut().filter(|inflow| inflow.link == link);
        let (Some(inflow), Some(head)) = (inflow, self.log.head()) else {
            return Err(ProtocolError::UnexpectedFrame);
        };
        let used = u32::try_from(records.len()).map(|len| inflow.used.saturating_add(len));
        inflow.used = used.unwrap_or(u32::MAX);
        if inflow.used > fx.config.window {
            return Err(ProtocolError::WindowExceeded);
        }
        let mut at = inflow.at;
        inflow.at = at.plus(records.len());
        let (mut rest, mut new, mut end) = (records, None, None);
        while !rest.is_empty() {
            let (record, behind) = Record::take(rest).ok_or(ProtocolError::BadRecord)?;
            if record.part == Part::End && record.payload.len() > MAX_LAST {
                return Err(ProtocolError::LongLast);
            }
            let is_new = at.is_of(&head) && at.offset >= head.offset;
            if new.is_none() && (is_new || planted!(fx.config, PositionNotChecked)) {
                new = Some((at, rest));
            }
            let len = rest.len() - behind.len();
            end = (record.part == Part::End).then_some(len);
            at = at.plus(len);
            rest = behind;
        }
        match new {
            Some((at, records)) => {
                if at.offset > head.offset {
                    // This node is in the middle of a record: it was told a lie, and now lacks the rest.
                    self.log.begin(at);
                }
                self.log.append(records);
                if let Some(len) = end {
                    self.log.ends(len);
                }
            }
            None => fx.stats.records_repeated += 1,
        }
        self.flow(links, fx);
        Ok(())
    }

    /// Everything goes on as far as it can: the app's broadcast into the log, what is there to the children and the app, and
    /// credit to the parent for what all have passed. The children come before the app, so that a slow app delays none.
    pub(crate) fn flow(&mut self, links: &mut Links, fx: &mut Effects) {
        loop {
            let filled = self.fill(links, fx);
            self.feed(links, fx);
            if !filled {
                break;
            }
        }
        self.reader.read(&self.log, fx);
        self.trim(links, fx);
        self.give_credit(links, fx);
        if self.refused && self.outgoing.is_none() {
            let half = fx.config.window as usize / 2;
            if self.is_below(half, links) {
                self.refused = false;
                fx.notify(Notification::RoomToBroadcast);
            }
        }
        let closing = links.iter().filter(|(_, link)| link.is_closing());
        let closing: Vec<LinkId> = closing.map(|(id, _)| id).collect();
        for id in closing {
            self.say_goodbye(id, links, fx);
        }
    }

    /// Whether a joiner was told a lie about where it is.
    fn is_lost(&self, at: Position, fx: &Effects) -> bool {
        self.log.head().is_some_and(|head| is_too_far(at, head, fx))
    }

    /// Moves the app's broadcast into the log, as far as there is room. False if nothing could be moved, or nothing is left.
    fn fill(&mut self, links: &Links, fx: &Effects) -> bool {
        let window = fx.config.window as usize;
        let mut filled = false;
        while self.outgoing.is_some() && self.is_below(window, links) {
            let Some(outgoing) = &mut self.outgoing else {
                break;
            };
            filled = true;
            if outgoing.append(&mut self.log) {
                self.outgoing = None;
            }
            self.trim(links, fx);
        }
        filled && self.outgoing.is_some()
    }

    /// Sends each child what is there for it, as far as there is credit.
    fn feed(&mut self, links: &mut Links, fx: &mut Effects) {
        for (id, link) in links.iter_mut() {
            // Out of the link, so that both can be used.
            let Some(mut feed) = link.feed.take() else {
                continue;
            };
            while let Some(portion) = feed.next(&self.log, link, fx) {
                let frame = match portion {
                    Portion::Jump(to) => wire::encode(&LinkFrame::Jump(to)),
                    Portion::Records(at, slice, len) => match &self.latest {
                        Some((same, frame)) if *same == (at, len) => frame.clone(),
                        _ => {
                            let records = self.log.copy(slice, len);
                            let frame = wire::encode(&LinkFrame::Stream { records: &records });
                            self.latest = Some(((at, len), frame.clone()));
                            frame
                        }
                    },
                };
                link.given(frame.len(), fx.now);
                fx.stats.stream_frames_sent += 1;
                fx.act(Action::TransmitData(id, frame));
            }
            feed.settle(&self.log);
            link.feed = Some(feed);
        }
    }

    /// Drops what nobody needs any more, except for the history.
    fn trim(&mut self, links: &Links, fx: &Effects) {
        if self.log.len() <= fx.config.history {
            return;
        }
        let feeds = links.feeds().map(|feed| feed.needs(&self.log));
        let app = self.reader.pace().needs(self.reader.behind(&self.log));
        let mut needed = feeds.fold(app, usize::max);
        if planted!(fx.config, TrimmedTooEarly) {
            needed = app;
        }
        self.log.trim(needed.max(fx.config.history));
    }

    /// Grants the parent as much again as every child and the app have passed.
    fn give_credit(&mut self, links: &mut Links, fx: &mut Effects) {
        let app = self.reader.behind(&self.log);
        self.reader.pace_mut().settle(app);
        let lag = if planted!(fx.config, CreditForWhatIsHeld) {
            0
        } else {
            self.lag(links)
        };
        // A parent that this node parts from brings nothing more.
        let parent = |inflow: &&mut Inflow| links.neighbour(inflow.link).is_some();
        let Some(inflow) = self.inflow.as_mut().filter(parent) else {
            return;
        };
        let bytes = inflow
            .used
            .saturating_sub(u32::try_from(lag).unwrap_or(u32::MAX));
        if bytes >= fx.config.window / 2 && !planted!(fx.config, CreditForgotten) {
            inflow.used -= bytes;
            credit(inflow.link, Lane::Stream, bytes, links, fx);
        }
    }

    /// By how many bytes the slowest child or the app holds others up.
    pub(super) fn lag(&self, links: &Links) -> usize {
        let app = self.reader.pace().lag(self.reader.behind(&self.log));
        let lags = links.feeds().map(|feed| feed.lag(&self.log));
        lags.fold(app, usize::max)
    }

    /// Whether no child holds others up by more than so many bytes.
    fn is_below(&self, most: usize, links: &Links) -> bool {
        links.feeds().all(|feed| feed.lag(&self.log) < most)
    }

    /// Goes to a position that the parent has told.
    fn go_to(&mut self, at: Position, links: &mut Links, fx: &mut Effects) {
        let Some(head) = self.log.head() else {
            return;
        };
        if is_too_far(head, at, fx) {
            // This node was told a lie before, and believes the new parent.
            self.log.clear();
            self.log.begin(at);
            self.reader.begin(Start::Live, at);
            for (id, link) in links.iter_mut() {
                if let Some(feed) = &mut link.feed {
                    feed.restart(at);
                    fx.act(Action::Transmit(id, wire::encode(&LinkFrame::Jump(at))));
                }
            }
        } else if !at.is_of(&head) || at.offset > head.offset {
            self.log.begin(at);
        }
    }
}

/// Whether one place is further in a stream than another by more than an honest node can be ahead: each on the way from the
/// root may be behind the one above it by all that a node holds.
fn is_too_far(ahead: Position, behind: Position, fx: &Effects) -> bool {
    let held = fx
        .config
        .history
        .saturating_add(2 * fx.config.window as usize);
    let most = (held as u64).saturating_mul(MAX_DEPTH as u64 + 1);
    ahead.is_of(&behind) && ahead.offset.saturating_sub(behind.offset) > most
}
