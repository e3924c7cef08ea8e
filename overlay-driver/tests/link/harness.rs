//! Two runtimes, and two sides of a link with the signalling between them.

use std::future::Future;
use std::time::Duration;

use async_channel::Receiver;
use bytes::Bytes;
use futures_util::future::{Either, select, try_join};
use overlay_core::{Sdp, Signal};
use overlay_driver::link::{Dialer, Link, LinkConfig, LinkError, LinkEvent};
pub(crate) use overlay_smol::Smol;
pub(crate) use overlay_tokio::Tokio;

/// A timeout that is longer than anything should take on a busy machine.
const GENEROUS: Duration = Duration::from_mins(1);

/// Runs a test on tokio.
pub(crate) fn on_tokio(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(test);
}

/// Runs a test with links on loopback, once on each runtime.
pub(crate) fn on_each_runtime(test: impl AsyncFn(Dialer)) {
    on_tokio(async { test(Dialer::new(&Tokio, LinkConfig::loopback()).unwrap()).await });
    smol::block_on(async { test(Dialer::new(&Smol, LinkConfig::loopback()).unwrap()).await });
}

pub(crate) async fn pause(duration: Duration) {
    smol::Timer::after(duration).await;
}

/// The output of `future`, if it comes in time.
pub(crate) async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    match select(Box::pin(future), Box::pin(pause(GENEROUS))).await {
        Either::Left((output, _)) => output,
        Either::Right(_) => panic!("waited too long for {what}"),
    }
}

/// One side of a link.
pub(crate) struct Side {
    pub(crate) link: Link,
    pub(crate) events: Receiver<((), LinkEvent)>,
}

impl Side {
    pub(crate) fn offer(dialer: &Dialer) -> Self {
        let (sender, events) = async_channel::bounded(64);
        let link = dialer.offer((), sender);
        Self { link, events }
    }

    pub(crate) fn answer(dialer: &Dialer, offer: Sdp) -> Self {
        let (sender, events) = async_channel::bounded(64);
        let link = dialer.answer((), offer, sender);
        Self { link, events }
    }

    pub(crate) async fn next(&self) -> LinkEvent {
        let ((), event) = soon("an event", self.events.recv()).await.unwrap();
        event
    }

    /// The offer of a link that has just been made.
    pub(crate) async fn offered(&self) -> Sdp {
        match self.next().await {
            LinkEvent::Offer(offer) => offer,
            other => panic!("{other:?} instead of an offer"),
        }
    }

    /// The answer of a link that has just been made.
    pub(crate) async fn answered(&self) -> Sdp {
        match self.next().await {
            LinkEvent::Signal(Signal::Answer(answer)) => answer,
            other => panic!("{other:?} instead of an answer"),
        }
    }

    /// The next message.
    pub(crate) async fn message(&self) -> Bytes {
        match self.next().await {
            LinkEvent::Message(message) => message,
            other => panic!("{other:?} instead of a message"),
        }
    }

    /// The reason why the link is over. Asserts that no event comes after it.
    pub(crate) async fn end(&self) -> LinkError {
        let end = loop {
            if let LinkEvent::Closed(end) = self.next().await {
                break end;
            }
        };
        assert!(soon("the end of events", self.events.recv()).await.is_err());
        end
    }
}

/// Carries the signals of both sides until the link is open.
pub(crate) async fn carry(one: &Side, other: &Side) -> Result<(), LinkError> {
    try_join(carry_one_way(one, other), carry_one_way(other, one)).await?;
    Ok(())
}

async fn carry_one_way(from: &Side, to: &Side) -> Result<(), LinkError> {
    loop {
        match from.next().await {
            LinkEvent::Signal(signal) => to.link.signal(signal),
            LinkEvent::Opened => return Ok(()),
            LinkEvent::Closed(end) => return Err(end),
            other => panic!("{other:?} before the link is open"),
        }
    }
}

/// Opens a link between two dialers.
pub(crate) async fn connect(one: &Dialer, other: &Dialer) -> Result<(Side, Side), LinkError> {
    let offering = Side::offer(one);
    let answering = Side::answer(other, offering.offered().await);
    carry(&offering, &answering).await?;
    Ok((offering, answering))
}

/// A pair of linked sides.
pub(crate) async fn pair(dialer: &Dialer) -> (Side, Side) {
    connect(dialer, dialer).await.unwrap()
}
