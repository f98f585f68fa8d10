//! Over a real socket: TLS with the throw-away authority, routing by host, closed connections, and a clean stop.

use std::io;
use std::sync::Arc;

use flowswap_sim::{Fault, FaultKind, Sim, SimConfig};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

async fn start() -> Sim {
    Sim::start(SimConfig::default().tenants(2), ([127, 0, 0, 1], 0).into()).await.unwrap()
}

/// Sends one request and reads until the connection ends. Errors come from TLS or from the socket.
async fn fetch(sim: &Sim, trusted: &str, host: &str, path: &str) -> io::Result<String> {
    let mut answer = String::new();
    connect(sim, trusted, host, path).await?.read_to_string(&mut answer).await?;
    Ok(answer)
}

/// Reads until the connection ends, with or without an error.
async fn read_all(sim: &Sim, host: &str, path: &str) -> String {
    let mut stream = connect(sim, sim.ca_pem(), host, path).await.unwrap();
    let mut answer = Vec::new();
    // A peer that closes early sends no close_notify, which is an error in TLS.
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8(answer).unwrap()
}

async fn connect(sim: &Sim, trusted: &str, host: &str, path: &str) -> io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(trusted.as_bytes()).unwrap()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = TcpStream::connect(sim.addr()).await?;
    let name = ServerName::try_from(host.to_owned()).unwrap();
    let mut stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    Ok(stream)
}

#[tokio::test]
async fn every_virtual_host_answers_on_the_one_port() {
    let sim = start().await;
    for (host, path, status) in [
        ("acme.okta.test", "/.well-known/okta-organization", "200"),
        ("globex.okta.test", "/api/v1/apps", "403"),
        ("gateway.cie.test", "/v1/directories", "401"),
        ("auth.cie.test", "/oauth2/access_token", "405"),
        ("api.cie.test", "/cie/directory-sync/v1/domains", "401"),
        ("admin.sim.test", "/world", "401"),
        ("stranger.okta.test", "/", "421"),
        ("localhost", "/", "421"),
    ] {
        let answer = fetch(&sim, sim.ca_pem(), host, path).await.unwrap();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{host}: {answer}");
        assert_eq!(answer.matches("\r\ndate: ").count(), 1, "{answer}");
    }
    sim.stop().await;
}

#[tokio::test]
async fn the_console_has_a_plain_port_of_its_own() {
    let sim = start().await;
    let addr = sim.console_url().strip_prefix("http://").unwrap().to_owned();
    assert_ne!(addr, sim.addr().to_string());
    for (path, status) in [("/", "200"), ("/tenants/acme/directories", "200"), ("/api/v1/users", "404")] {
        let mut stream = TcpStream::connect(&addr).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: {addr}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")) && answer.contains("<!doctype html>"), "{answer}");
    }
    sim.stop().await;
    assert!(TcpStream::connect(&addr).await.is_err());
}

#[tokio::test]
async fn no_other_page_uses_the_console() {
    let sim = start().await;
    let addr = sim.console_url().strip_prefix("http://").unwrap().to_owned();
    let local = addr.replace("127.0.0.1", "localhost");
    let own = format!("http://{addr}");
    let path = "/tenants/acme/directories";
    for (host, origin, status) in [
        (&*addr, None, 200),
        (&local, None, 200),
        (&addr, Some(&*own), 200),
        ("rebound.test", None, 403),
        ("rebound.test", Some("http://rebound.test"), 403),
        (&addr, Some("https://evil.test"), 403),
        (&addr, Some("null"), 403),
    ] {
        let origin = origin.map(|origin| format!("Origin: {origin}\r\n")).unwrap_or_default();
        let mut stream = TcpStream::connect(&addr).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n{origin}Connection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{host} {origin}: {answer}");
    }
    sim.stop().await;
}

#[tokio::test]
async fn a_certificate_of_another_authority_is_not_trusted() {
    let (sim, other) = (start().await, start().await);
    assert!(fetch(&sim, other.ca_pem(), "acme.okta.test", "/.well-known/okta-organization").await.is_err());
    sim.stop().await;
    other.stop().await;
}

#[tokio::test]
async fn a_closed_connection_sends_no_byte_of_an_answer() {
    let sim = start().await;
    let host = "acme.okta.test".to_owned();
    for kind in [FaultKind::DropBefore, FaultKind::DropAfterCommit] {
        sim.add_fault(Fault {
            host: host.clone(),
            method: None,
            path: String::new(),
            query: String::new(),
            kind,
            times: 1,
            skip: 0,
        });
        // Without a close_notify of TLS, some clients report an error, and others report the end of the text.
        let got = fetch(&sim, sim.ca_pem(), &host, "/.well-known/okta-organization").await.unwrap_or_default();
        assert_eq!(got, "");
    }
    let answer = fetch(&sim, sim.ca_pem(), &host, "/.well-known/okta-organization").await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "));
    assert_eq!(sim.faults().iter().map(|report| report.fired).sum::<u32>(), 2);
    sim.stop().await;
}

#[tokio::test]
async fn the_simulator_listens_only_on_loopback_and_frees_its_port() {
    let refused = Sim::start(SimConfig::default(), ([0, 0, 0, 0], 0).into()).await;
    assert_eq!(refused.unwrap_err().kind(), io::ErrorKind::InvalidInput);
    let sim = start().await;
    let addr = sim.addr();
    // An idle connection does not delay the stop.
    let idle = TcpStream::connect(addr).await.unwrap();
    sim.stop().await;
    drop(idle);
    let again = Sim::start(SimConfig::default().tenants(1), addr).await.unwrap();
    assert_eq!(again.addr(), addr);
    again.stop().await;
}

#[tokio::test]
async fn a_cut_body_announces_its_full_length_and_sends_the_first_half() {
    let sim = start().await;
    let path = "/.well-known/okta-organization";
    let whole = fetch(&sim, sim.ca_pem(), "acme.okta.test", path).await.unwrap();
    let body = whole.split("\r\n\r\n").nth(1).unwrap();
    for milliseconds in [0, 50] {
        let kind = FaultKind::CutBody { milliseconds };
        let host = "acme.okta.test".to_owned();
        sim.add_fault(Fault {
            host,
            method: None,
            path: path.to_owned(),
            query: String::new(),
            kind,
            times: 1,
            skip: 0,
        });
        let begun = std::time::Instant::now();
        let half = read_all(&sim, "acme.okta.test", path).await;
        assert!(half.ends_with(&body[..body.len() / 2]), "{half}");
        assert!(half.contains(&format!("content-length: {}", body.len())), "{half}");
        assert!(begun.elapsed().as_millis() >= u128::from(milliseconds));
    }
    assert!(sim.faults().iter().all(|report| report.fired == 1));
    sim.stop().await;
}
