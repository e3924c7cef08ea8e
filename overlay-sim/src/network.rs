//! What lies between two machines: distance, cuts and clogs.

use overlay_core::Instant;

use crate::act::Between;
use crate::machine::Ix;

/// What is wrong between pairs of machines.
#[derive(Debug, Default)]
pub(crate) struct Network {
    faults: Vec<Fault>,
}

#[derive(Clone, Copy, Debug)]
struct Fault {
    kind: Between,
    from: Ix,
    to: Ix,
    until: Instant,
}

/// What becomes of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Passage {
    Free,
    /// It is lost.
    Lost(Between),
    /// It does not arrive before this.
    Held(Instant),
}

impl Network {
    pub(crate) fn disturb(&mut self, kind: Between, one: Ix, other: Ix, until: Instant) {
        let fault = Fault {
            kind,
            from: one,
            to: other,
            until,
        };
        self.faults.push(fault);
        if kind != Between::CutOneWay {
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
                Between::Cut | Between::CutOneWay => return Passage::Lost(fault.kind),
                Between::Clog => passage = Passage::Held(fault.until),
            }
        }
        passage
    }
}
