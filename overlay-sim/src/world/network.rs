//! What lies between two machines: distance, cuts and clogs.

use overlay_core::Instant;

use crate::schedule::Partition;
use crate::world::machine::Ix;

/// What is wrong between pairs of machines.
#[derive(Debug, Default)]
pub(crate) struct Network {
    faults: Vec<Fault>,
}

#[derive(Clone, Copy, Debug)]
struct Fault {
    kind: Partition,
    from: Ix,
    to: Ix,
    until: Instant,
}

/// What becomes of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Passage {
    Free,
    /// It is lost.
    Lost(Partition),
    /// It does not arrive before this.
    Held(Instant),
}

impl Network {
    pub(crate) fn disturb(&mut self, kind: Partition, one: Ix, other: Ix, until: Instant) {
        let fault = Fault {
            kind,
            from: one,
            to: other,
            until,
        };
        self.faults.push(fault);
        if kind != Partition::CutOneWay {
            self.faults.push(Fault {
                from: other,
                to: one,
                ..fault
            });
        }
    }

    pub(crate) fn mend(&mut self) {
        self.faults.clear();
    }

    /// What becomes of a message that is sent now.
    pub(crate) fn passage(&self, from: Ix, to: Ix, now: Instant) -> Passage {
        let mut passage = Passage::Free;
        for fault in &self.faults {
            if (fault.from, fault.to) != (from, to) || fault.until <= now {
                continue;
            }
            match fault.kind {
                Partition::Cut | Partition::CutOneWay => return Passage::Lost(fault.kind),
                Partition::Clog => passage = Passage::Held(fault.until),
            }
        }
        passage
    }
}
