//! The dialer: an opener of links, shared by the nodes of a process.

use std::fmt;
use std::sync::Arc;

use async_channel::Sender;
use async_lock::Semaphore;
use overlay_core::Sdp;
use rtc::crypto::{self, RTCCryptoProvider, SignatureScheme};
use rtc::ice::url::{ProtoType, SchemeType, Url};
use rtc::peer_connection::certificate::{CertificateParams, RTCCertificate};
use webrtc::peer_connection::{
    RTCConfiguration, RTCConfigurationBuilder, RTCIceServer, RTCIceTransportPolicy,
};

use super::config::{ConfigError, IceServer, LinkConfig};
use super::session::{Role, Session};
use super::{Link, LinkEvent};
use crate::Runtime;

/// An opener of WebRTC links. Clones are cheap, and share one certificate and one limit on handshakes.
#[derive(Clone, Debug)]
pub struct Dialer(Arc<Shared>);

/// The parts of a [`Dialer`].
pub(super) struct Shared {
    pub(super) runtime: Arc<dyn webrtc::runtime::Runtime>,
    pub(super) config: LinkConfig,
    pub(super) rtc: RTCConfiguration,
    pub(super) crypto: Arc<dyn RTCCryptoProvider>,
    pub(super) handshakes: Arc<Semaphore>,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dialer")
            .field("runtime", &self.runtime)
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

impl Dialer {
    /// A dialer whose links run on `runtime`.
    pub fn new(runtime: &dyn Runtime, config: LinkConfig) -> Result<Self, ConfigError> {
        if config.max_handshakes == 0 {
            return Err(ConfigError::NoHandshakes);
        }
        let crypto = crypto::default_provider().map_err(|error| certificate_error(&error))?;
        let certificate = RTCCertificate::generate(
            crypto.crypto(),
            SignatureScheme::EcdsaP256Sha256,
            CertificateParams::default(),
        )
        .map_err(|error| certificate_error(&error))?;
        let policy = if config.relay_only {
            RTCIceTransportPolicy::Relay
        } else {
            RTCIceTransportPolicy::All
        };
        let rtc = RTCConfigurationBuilder::new()
            .with_ice_servers(servers(&config)?)
            .with_ice_transport_policy(policy)
            .with_certificates(vec![certificate])
            .build();
        Ok(Self(Arc::new(Shared {
            runtime: runtime.webrtc(),
            rtc,
            crypto,
            handshakes: Arc::new(Semaphore::new(config.max_handshakes)),
            config,
        })))
    }

    /// Opens a link to a peer that is not known yet. Its first event is the [`Offer`](LinkEvent::Offer).
    ///
    /// The link's events go to `events`, each with `key`. That channel should be bounded: while it is full, the link
    /// takes nothing more from its peer.
    pub fn offer<K>(&self, key: K, events: Sender<(K, LinkEvent)>) -> Link
    where
        K: Copy + Send + Sync + 'static,
    {
        Session::start(self.0.clone(), Role::Offer, key, events)
    }

    /// Opens a link to the peer that made `offer`. Its first event is the answer.
    ///
    /// While [`max_handshakes`](LinkConfig::max_handshakes) others run, the handshake waits. Only the answering side
    /// counts, because a handshake begins with its answer. If both counted, nodes of one process could all wait for
    /// each other. `key` and `events` are as for [`offer`](Self::offer).
    pub fn answer<K>(&self, key: K, offer: Sdp, events: Sender<(K, LinkEvent)>) -> Link
    where
        K: Copy + Send + Sync + 'static,
    {
        Session::start(self.0.clone(), Role::Answer(offer), key, events)
    }
}

fn certificate_error(error: &dyn fmt::Display) -> ConfigError {
    ConfigError::Certificate(error.to_string())
}

fn servers(config: &LinkConfig) -> Result<Vec<RTCIceServer>, ConfigError> {
    let mut relays = 0;
    for server in &config.ice_servers {
        for url in &server.urls {
            relays +=
                usize::from(
                    is_relay(server, url).map_err(|reason| ConfigError::IceServer {
                        url: url.clone(),
                        reason,
                    })?,
                );
        }
    }
    if config.relay_only && relays == 0 {
        return Err(ConfigError::NoRelay);
    }
    let servers = config.ice_servers.iter().map(|server| RTCIceServer {
        urls: server.urls.clone(),
        username: server.username.clone(),
        credential: server.credential.clone(),
    });
    Ok(servers.collect())
}

/// Whether the URL is of a TURN server. An error says why it cannot be used; the stack itself would leave the server
/// out, and say so in the log of every connection.
fn is_relay(server: &IceServer, url: &str) -> Result<bool, String> {
    let parsed = Url::parse_url(url).map_err(|error| error.to_string())?;
    match (parsed.scheme, parsed.proto) {
        (SchemeType::Stun, _) => Ok(false),
        (SchemeType::Turn, ProtoType::Udp) => {
            if server.username.is_empty() || server.credential.is_empty() {
                return Err("a turn: server needs a user name and a credential".to_owned());
            }
            Ok(true)
        }
        _ => Err("only stun: and turn: over UDP are supported".to_owned()),
    }
}
