//! `wss://`: a server behind a proxy that does the encryption, as in production.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use futures_rustls::TlsAcceptor;
use futures_rustls::pki_types::PrivateKeyDer;
use futures_rustls::rustls::ServerConfig;
use futures_rustls::rustls::crypto::ring;
use overlay_tokio::{BootstrapError, Event, LinkConfig, ServerLost, ServerUrl, Tls};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::compat::{FuturesAsyncReadCompatExt, TokioAsyncReadCompatExt};

use crate::harness::*;

/// Decrypts what comes to it and passes it on to the server. Returns its address and its certificate.
async fn proxy(server: SocketAddr) -> (ServerUrl, String) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let client = acceptor.accept(client.compat()).await?;
                let mut server = TcpStream::connect(server).await?;
                tokio::io::copy_bidirectional(&mut client.compat(), &mut server).await
            });
        }
    });
    let url = format!("wss://localhost:{port}").parse().unwrap();
    (url, made.cert.pem())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_joins_through_an_encrypted_connection_to_a_server_it_trusts() {
    let world = World::new().await;
    let _root = world.root(2).await;
    let (url, certificate) = proxy(world.address()).await;
    let tls = Tls::from_pem(certificate.as_bytes()).unwrap();
    let mut member = Member::of(
        overlay_tokio::node()
            .links(LinkConfig::loopback())
            .server(url)
            .tls(tls),
    );
    member.node.join().await;
    assert_eq!(member.joined().await.0, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_nobody_vouches_for_is_not_trusted() {
    let world = World::new().await;
    let (url, _) = proxy(world.address()).await;
    let (_, another) = proxy(world.address()).await;
    let tls = Tls::from_pem(another.as_bytes()).unwrap();
    let mut careful = Member::of(overlay_tokio::node().server(url).tls(tls));
    careful.node.join().await;
    let lost = careful
        .until(|event| matches!(event, Event::ServerLost { .. }))
        .await;
    assert!(matches!(
        lost,
        Event::ServerLost {
            cause: ServerLost::Failed(BootstrapError::Tls { .. }),
            ..
        }
    ));
}
