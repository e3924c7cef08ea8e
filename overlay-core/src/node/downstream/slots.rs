//! The slots for children and candidates, and which link holds each.

use alloc::boxed::Box;
use alloc::vec;

use crate::id::LinkId;

/// One slot for each of the `max_degree` children. The only place that knows which link holds which slot.
#[derive(Debug)]
pub(crate) struct Slots {
    holders: Box<[Option<LinkId>]>,
    /// A child that leaves and has given its slot back, for one of its own children to have it. One at a time, which
    /// bounds the links.
    giving_back: Option<LinkId>,
}

/// The slot that a link held, now that it is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Freed {
    /// A slot, which is free now.
    Slot,
    /// A slot that was given back before.
    GivenBack,
    Nothing,
}

impl Slots {
    pub(crate) fn new(max_degree: u16) -> Self {
        Self {
            holders: vec![None; usize::from(max_degree)].into_boxed_slice(),
            giving_back: None,
        }
    }

    /// The number of slots, free or not.
    pub(crate) fn len(&self) -> usize {
        self.holders.len()
    }

    pub(crate) fn taken(&self) -> usize {
        self.holders().count()
    }

    /// The first slot that nothing holds.
    pub(crate) fn first_free(&self) -> Option<usize> {
        self.holders.iter().position(Option::is_none)
    }

    /// The holder of each slot, free ones included.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Option<LinkId>> {
        self.holders.iter().copied()
    }

    /// The links that hold a slot, in the order of the slots.
    pub(crate) fn holders(&self) -> impl Iterator<Item = LinkId> {
        self.iter().flatten()
    }

    /// The same, and behind them the child that has given its slot back.
    pub(crate) fn links(&self) -> impl Iterator<Item = LinkId> {
        self.holders().chain(self.giving_back)
    }

    pub(crate) fn holds(&self, link: LinkId) -> bool {
        self.holders().any(|holder| holder == link)
    }

    /// Gives a free slot to a candidate.
    pub(crate) fn take(&mut self, slot: usize, candidate: LinkId) {
        if let Some(holder) = self.holders.get_mut(slot) {
            debug_assert!(holder.is_none(), "a slot is held by one link");
            *holder = Some(candidate);
        }
    }

    /// A child leaves and gives its slot back. False if another one is doing so.
    pub(crate) fn give_back(&mut self, child: LinkId) -> bool {
        if self.giving_back.is_some() || self.free(child) != Freed::Slot {
            return false;
        }
        self.giving_back = Some(child);
        true
    }

    /// The link is gone.
    pub(crate) fn free(&mut self, link: LinkId) -> Freed {
        if self.giving_back.take_if(|child| *child == link).is_some() {
            return Freed::GivenBack;
        }
        match self
            .holders
            .iter_mut()
            .find(|holder| **holder == Some(link))
        {
            Some(holder) => {
                *holder = None;
                Freed::Slot
            }
            None => Freed::Nothing,
        }
    }
}
