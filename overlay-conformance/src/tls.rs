//! `wss://`: a server behind a proxy that does the encryption, as in production.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::pin::pin;
use std::sync::Arc;

use futures_rustls::TlsAcceptor;
use futures_rustls::pki_types::PrivateKeyDer;
use futures_rustls::rustls::ServerConfig;
use futures_rustls::rustls::crypto::ring;
use futures_util::StreamExt;
use futures_util::future::select;
use futures_util::io::{AsyncReadExt, copy};
use overlay_driver::link::LinkConfig;
use overlay_driver::{BootstrapError, BootstrapLost, ByteStream, Event, ServerUrl, Tls};

use crate::Driver;
use crate::harness::{Member, World};

/// A proxy that decrypts what comes to it and passes it on to the server. Returns its address and its certificate.
fn proxy(driver: &Driver, server: SocketAddr) -> (ServerUrl, String) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port();
    let clients = driver.runtime.listen(listener).unwrap();
    let serving = driver.clone();
    let _proxying = driver.spawn(clients.for_each_concurrent(None, move |client| {
        let (acceptor, driver) = (acceptor.clone(), serving.clone());
        async move {
            // Both ends see for themselves how it ends.
            let _ = carry(&acceptor, client.unwrap().0, driver.connect(server).await).await;
        }
    }));
    let url = format!("wss://localhost:{port}").parse().unwrap();
    (url, made.cert.pem())
}

async fn carry(
    acceptor: &TlsAcceptor,
    client: Box<dyn ByteStream>,
    server: Box<dyn ByteStream>,
) -> io::Result<u64> {
    let (from_client, mut to_client) = acceptor.accept(client).await?.split();
    let (from_server, mut to_server) = server.split();
    let up = pin!(copy(from_client, &mut to_server));
    let down = pin!(copy(from_server, &mut to_client));
    select(up, down).await.factor_first().0
}

pub(crate) async fn a_node_joins_through_an_encrypted_connection_to_a_server_it_trusts(
    driver: Driver,
) {
    let world = World::new(driver);
    let _root = world.root(2).await;
    let (url, certificate) = proxy(&world.driver, world.address());
    let tls = Tls::from_pem(certificate.as_bytes()).unwrap();
    let mut member = Member::of(
        (world.driver.node)()
            .links(LinkConfig::loopback())
            .server(url)
            .tls(tls),
    );
    member.node.join().await;
    assert_eq!(member.joined().await.0, 1);
}

pub(crate) async fn a_server_without_a_trusted_certificate_is_refused(driver: Driver) {
    let world = World::new(driver);
    let (url, _) = proxy(&world.driver, world.address());
    let (_, another) = proxy(&world.driver, world.address());
    let tls = Tls::from_pem(another.as_bytes()).unwrap();
    let mut careful = Member::of((world.driver.node)().server(url).tls(tls));
    careful.node.join().await;
    let lost = careful
        .until(|event| matches!(event, Event::BootstrapLost { .. }))
        .await;
    assert!(matches!(
        lost,
        Event::BootstrapLost {
            cause: BootstrapLost::Failed(BootstrapError::Tls { .. }),
            ..
        }
    ));
}
