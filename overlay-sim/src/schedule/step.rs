//! What a schedule can do to a world: wishes of the embedder, app messages, and faults.

use core::time::Duration;

use crate::schedule::names::names;

/// The number of a machine in its schedule. A machine begins to exist when it is first named.
pub type Number = u32;

/// Something that is done to a world at some moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// The embedder wants something of a node.
    Wish(Wish, Number),
    /// An app sends a message of this many bytes.
    Send(Message, Number, u32),
    /// A machine, or one of its connections, is hit once.
    Fault(Fault, Number),
    /// Something is wrong with a machine for a while.
    Impairment(Impairment, Number, Duration),
    /// Something is wrong between two machines for a while.
    Partition(Partition, Number, Number, Duration),
    /// Something is wrong with the server for a while.
    Outage(Outage, Duration),
}

names! {
    /// A wish of a node's embedder.
    pub enum Wish {
        /// Be the root, registered with the server.
        Root = "root",
        /// Join the tree.
        Join = "join",
        /// Leave it.
        Leave = "leave",
        /// Close the link to the parent.
        CloseParent = "close-parent",
        /// Close the link to some child.
        CloseChild = "close-child",
    }
}

names! {
    /// An app's message.
    pub enum Message {
        /// To the parent.
        Up = "send-up",
        /// To some child.
        Down = "send-down",
        /// To every node.
        Broadcast = "broadcast",
        /// To the root, which may reply.
        ToRoot = "to-root",
        /// A question to every node.
        Ask = "ask",
    }
}

names! {
    /// What hits a machine once.
    pub enum Fault {
        /// The process dies, and its system closes its connections.
        Crash = "crash",
        /// The machine goes dark: no peer is told.
        Kill = "kill",
        /// The machine and all that descend from it go dark.
        KillSubtree = "kill-subtree",
        /// Its connection to a neighbour fails at this end only.
        HalfClose = "half-close",
        /// Its connection to a neighbour fails at both ends.
        DropLink = "drop-link",
        /// A neighbour is sent what is no frame.
        Garbage = "garbage",
        /// A neighbour is sent a frame that no honest node would send. Forgers die when the faults stop.
        Forge = "forge",
    }
}

names! {
    /// What is wrong with a machine for a while.
    pub enum Impairment {
        /// It sleeps: no event reaches it, and its timers do not fire.
        Pause = "pause",
        /// Its timers fire once a minute, as those of a tab in the background do.
        Throttle = "throttle",
        /// Its clock jumps ahead by so much, at once.
        ClockAhead = "clock-ahead",
        /// Its clock jumps back by so much, at once.
        ClockBack = "clock-back",
        /// None of its handshakes completes.
        Hang = "hang",
        /// Its handshakes complete on one side only.
        OneSided = "one-sided",
        /// Half of its answers and candidates are lost.
        LoseSignals = "lose-signals",
        /// Half of its answers and candidates come twice.
        DoubleSignals = "double-signals",
        /// Its answers and candidates come up to ten seconds late.
        DelaySignals = "delay-signals",
        /// Its app takes no messages.
        Busy = "busy",
        /// Nothing passes between it and the server.
        CutServer = "cut-server",
        /// Nothing passes between it and the server now, and everything at the end.
        ClogServer = "clog-server",
    }
}

names! {
    /// What is wrong between two machines for a while.
    pub enum Partition {
        /// Nothing passes, either way; a connection that loses a message is dead.
        Cut = "cut",
        /// Nothing passes from the first to the second.
        CutOneWay = "cut-one-way",
        /// Nothing passes now, and everything at the end.
        Clog = "clog",
    }
}

names! {
    /// What is wrong with the server for a while.
    pub enum Outage {
        /// It is stopped, and its clients' connections closed; it forgets everything.
        Stop = "stop-server",
        /// It goes dark; when it is back it has forgotten everything.
        Vanish = "vanish-server",
        /// It loses and doubles the frames of joins.
        Careless = "careless-server",
    }
}

impl Step {
    /// The name of what is done.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Wish(wish, _) => wish.name(),
            Self::Send(message, ..) => message.name(),
            Self::Fault(fault, _) => fault.name(),
            Self::Impairment(impairment, ..) => impairment.name(),
            Self::Partition(between, ..) => between.name(),
            Self::Outage(outage, _) => outage.name(),
        }
    }

    /// The machines that it is done to.
    pub fn machines(&self) -> impl Iterator<Item = Number> {
        let (one, other) = match *self {
            Self::Wish(_, number)
            | Self::Send(_, number, _)
            | Self::Fault(_, number)
            | Self::Impairment(_, number, _) => (Some(number), None),
            Self::Partition(_, one, other, _) => (Some(one), Some(other)),
            Self::Outage(..) => (None, None),
        };
        one.into_iter().chain(other)
    }

    /// How long it lasts.
    #[must_use]
    pub const fn lasts(&self) -> Duration {
        match *self {
            // A jump of a clock is over at once.
            Self::Wish(..)
            | Self::Send(..)
            | Self::Fault(..)
            | Self::Impairment(Impairment::ClockAhead | Impairment::ClockBack, ..) => {
                Duration::ZERO
            }
            Self::Impairment(_, _, time)
            | Self::Partition(_, _, _, time)
            | Self::Outage(_, time) => time,
        }
    }
}
