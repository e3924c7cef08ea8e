//! The driver that the suite tests.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_channel::oneshot;
use overlay_driver::link::{ConfigError, Dialer, LinkConfig};
use overlay_driver::{Builder, ByteStream, Runtime, Server, ServerConfig, ServerError};
use webrtc::runtime::timeout;

/// Time in which a test must end: far longer than it should take.
const TIMEOUT: Duration = Duration::from_mins(2);

/// A driver: what a runtime's crate offers to an app.
#[derive(Clone, Debug)]
pub struct Driver {
    /// The runtime.
    pub runtime: Arc<dyn Runtime>,
    /// A node, to be put together.
    pub node: fn() -> Builder,
    /// A dialer for the links of several nodes.
    pub dialer: fn(LinkConfig) -> Result<Dialer, ConfigError>,
    /// Starts a bootstrap server.
    pub serve: fn(SocketAddr, ServerConfig) -> Result<Server, ServerError>,
}

impl Driver {
    /// Runs a test within the runtime.
    pub fn block_on(&self, test: impl Future<Output = ()>) {
        let webrtc = self.runtime.webrtc();
        webrtc.block_on(Box::pin(async {
            let done = timeout(&*webrtc, TIMEOUT, test).await;
            done.expect("this takes too long");
        }));
    }

    /// Starts a task. Its output, or the fact that it has panicked, comes to the receiver.
    pub(crate) fn spawn<T: Send + 'static>(
        &self,
        task: impl Future<Output = T> + Send + 'static,
    ) -> oneshot::Receiver<T> {
        let (sender, receiver) = oneshot::channel();
        let task = async {
            // A caller that does not care has dropped the receiver.
            let _ = sender.send(task.await);
        };
        self.runtime.webrtc().spawn(Box::pin(task)).detach();
        receiver
    }

    pub(crate) async fn sleep(&self, duration: Duration) {
        self.runtime.webrtc().sleep(duration).await;
    }

    pub(crate) async fn connect(&self, address: SocketAddr) -> Box<dyn ByteStream> {
        let host = address.ip().to_string();
        let connected = self.runtime.connect(host, address.port()).await;
        connected.unwrap()
    }
}
