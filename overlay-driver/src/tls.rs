//! Encryption of the connection to a bootstrap server.

use std::io;
use std::sync::Arc;

use async_lock::OnceCell;
use futures_channel::oneshot;
use futures_rustls::TlsConnector;
use futures_rustls::pki_types::pem::PemObject;
use futures_rustls::pki_types::{CertificateDer, ServerName};
use futures_rustls::rustls::crypto::ring;
use futures_rustls::rustls::{ClientConfig, RootCertStore};

use crate::runtime::ByteStream;

/// The certificates that a client trusts when it connects to a `wss://` server.
#[derive(Clone, Debug, Default)]
pub struct Tls {
    roots: Roots,
}

#[derive(Clone, Debug, Default)]
enum Roots {
    /// The certificate authorities that the system trusts; read when first needed.
    #[default]
    System,
    /// These and no others.
    Given(Arc<RootCertStore>),
}

impl Tls {
    /// Trusts the certificate authorities that the system trusts.
    #[must_use]
    pub fn system() -> Self {
        Self::default()
    }

    /// Trusts the certificates in this PEM text and no others: a private authority, or a server's own
    /// self-signed certificate.
    pub fn from_pem(pem: &[u8]) -> io::Result<Self> {
        let invalid = |error: String| io::Error::new(io::ErrorKind::InvalidData, error);
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let certificate = certificate.map_err(|error| invalid(error.to_string()))?;
            roots
                .add(certificate)
                .map_err(|error| invalid(error.to_string()))?;
        }
        if roots.is_empty() {
            return Err(invalid("no certificate found".to_owned()));
        }
        Ok(Self {
            roots: Roots::Given(Arc::new(roots)),
        })
    }

    /// Encrypts `stream`, if the other side proves to be `host`.
    pub(crate) async fn connect(
        &self,
        host: &str,
        stream: Box<dyn ByteStream>,
    ) -> io::Result<Box<dyn ByteStream>> {
        let roots = match &self.roots {
            Roots::System => system_roots().await?,
            Roots::Given(roots) => Arc::clone(roots),
        };
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
        let connector = TlsConnector::from(Arc::new(config));
        Ok(Box::new(connector.connect(name, stream).await?))
    }
}

/// The system's certificate authorities. Read once in the process's life, and on a thread of its own: hundreds of
/// files would hold up all that the runtime's thread has to do.
async fn system_roots() -> io::Result<Arc<RootCertStore>> {
    static SYSTEM: OnceCell<Arc<RootCertStore>> = OnceCell::new();
    let read = || async {
        let (done, roots) = oneshot::channel();
        std::thread::Builder::new()
            .name("tls-roots".to_owned())
            .spawn(move || done.send(read_system_roots()))?;
        roots.await.map_err(io::Error::other)?.map(Arc::new)
    };
    SYSTEM.get_or_try_init(read).await.cloned()
}

fn read_system_roots() -> io::Result<RootCertStore> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        return Err(io::Error::new(
            io::ErrorKind::NotFound,
            "the system trusts no certificate authority (is the package `ca-certificates` installed?)",
        ));
    }
    Ok(roots)
}
