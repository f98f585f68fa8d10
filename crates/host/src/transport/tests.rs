//! Round trips over TLS on the loopback interface, with a throw-away CA.

use std::{
    net::SocketAddr,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
    },
};
use tower::ServiceExt;

use super::*;

struct Server {
    address: SocketAddr,
    ca_pem: String,
    /// How many requests have arrived.
    requests: Arc<AtomicU32>,
}

/// What the server does with a request: the bytes to send before it closes the connection.
type Behaviour = fn(request: &str) -> Vec<u8>;

/// Serves every name below `test.` with the behaviour.
async fn serve(behaviour: Behaviour) -> Server {
    let key = KeyPair::generate().unwrap();
    let mut ca = CertificateParams::new([]).unwrap();
    // CAs of one name would be told apart by their signatures only.
    ca.distinguished_name.push(DnType::CommonName, key.public_key_pem());
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca = CertifiedIssuer::self_signed(ca, key).unwrap();
    let key = KeyPair::generate().unwrap();
    let names = ["*.okta.test".to_owned(), "gateway.test".to_owned()];
    let certificate = CertificateParams::new(names).unwrap().signed_by(&key, &ca).unwrap();
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let requests = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&requests);
    tokio::spawn(async move {
        while let Ok((connection, _)) = listener.accept().await {
            let (acceptor, count) = (acceptor.clone(), Arc::clone(&count));
            tokio::spawn(async move {
                // A client that does not trust the CA ends the handshake.
                let Ok(mut stream) = acceptor.accept(connection).await else { return };
                let mut request = Vec::new();
                while !request.windows(4).any(|w| w == b"\r\n\r\n") && stream.read_buf(&mut request).await.unwrap() > 0
                {
                }
                count.fetch_add(1, Ordering::SeqCst);
                let answer = behaviour(&String::from_utf8_lossy(&request));
                stream.write_all(&answer).await.unwrap();
                stream.shutdown().await.unwrap();
            });
        }
    });
    Server { address, ca_pem: ca.pem(), requests }
}

fn echo(request: &str) -> Vec<u8> {
    let length = request.len();
    format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{request}").into_bytes()
}

fn network(server: &Server, dir: &Path) -> Network {
    let ca_file = dir.join("ca.pem");
    std::fs::write(&ca_file, &server.ca_pem).unwrap();
    let resolve = ["*.okta.test", "gateway.test", "other.test"].map(|p| (p.parse().unwrap(), server.address)).into();
    Network { ca_file: Some(ca_file), resolve, system_proxy: true }
}

async fn get(network: &Network, url: &str) -> Result<String, TransportError> {
    let request = http::Request::get(url).body(Bytes::new()).unwrap();
    let answer = build(network).unwrap().oneshot(request).await?;
    Ok(format!("{} {}", answer.status(), String::from_utf8_lossy(answer.body())))
}

#[tokio::test]
async fn a_host_is_reached_at_the_address_and_the_port_of_its_override() {
    let (server, dir) = (serve(echo).await, tempfile::tempdir().unwrap());
    let network = network(&server, dir.path());
    for host in ["acme.okta.test", "globex.okta.test", "gateway.test"] {
        let answer = get(&network, &format!("https://{host}/y?a=b")).await.unwrap();
        assert!(answer.starts_with("200 OK GET /y?a=b HTTP/1.1\r\n"), "{answer}");
        assert!(answer.contains(&format!("host: {host}\r\n")), "{answer}");
    }
}

#[tokio::test]
async fn only_trusted_certificates_of_the_right_name_are_accepted() {
    let (server, dir) = (serve(echo).await, tempfile::tempdir().unwrap());
    let trusting = network(&server, dir.path());
    let error = get(&trusting, "https://other.test/").await.unwrap_err();
    assert_eq!(error.sent, Sent::NotSent);
    assert!(error.describe().contains("not valid for name"), "{}", error.describe());

    // Another CA, so that the client is also built where the system has no roots at all.
    let (stranger, other_dir) = (serve(echo).await, tempfile::tempdir().unwrap());
    let strange = Network { ca_file: network(&stranger, other_dir.path()).ca_file, ..trusting };
    let error = get(&strange, "https://acme.okta.test/secret-path").await.unwrap_err();
    assert_eq!(error.sent, Sent::NotSent);
    let line = error.describe();
    assert!(line.starts_with("failed to connect: ") && line.contains("UnknownIssuer"), "{line}");
    assert!(!format!("{error:?} {line}").contains("secret-path"), "{line}");
    assert!(error.hint().unwrap().contains("ca_file"));
    assert_eq!(server.requests.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn an_unanswered_request_may_have_arrived_and_a_refused_connection_has_not() {
    let (server, dir) = (serve(|_| Vec::new()).await, tempfile::tempdir().unwrap());
    let mut network = network(&server, dir.path());
    let error = get(&network, "https://acme.okta.test/secret-path").await.unwrap_err();
    assert_eq!(error.sent, Sent::MaybeSent);
    assert!(!format!("{error:?} {}", error.describe()).contains("secret-path"));
    // Nothing repeats it behind the caller's back.
    assert_eq!(server.requests.load(Ordering::SeqCst), 1);

    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    network.resolve.values_mut().for_each(|address| *address = free);
    let error = get(&network, "https://acme.okta.test/").await.unwrap_err();
    assert_eq!(error.sent, Sent::NotSent);
    assert!(error.describe().starts_with("failed to connect: "), "{}", error.describe());
}

#[tokio::test]
async fn an_answer_that_breaks_off_or_does_not_end_is_lost() {
    let cut = |_: &str| b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc".to_vec();
    let endless = |_: &str| {
        let mut answer = b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n".to_vec();
        answer.resize(answer.len() + MAX_ANSWER + 1, b'x');
        answer
    };
    for behaviour in [cut as Behaviour, endless] {
        let (server, dir) = (serve(behaviour).await, tempfile::tempdir().unwrap());
        let error = get(&network(&server, dir.path()), "https://acme.okta.test/").await.unwrap_err();
        assert_eq!(error.sent, Sent::MaybeSent, "{}", error.describe());
    }
}

#[tokio::test]
async fn redirects_are_answers_and_plain_http_is_not_spoken() {
    let behaviour =
        |_: &str| b"HTTP/1.1 302 Found\r\nlocation: https://gateway.test/\r\ncontent-length: 0\r\n\r\n".to_vec();
    let (server, dir) = (serve(behaviour).await, tempfile::tempdir().unwrap());
    let network = network(&server, dir.path());
    assert_eq!(get(&network, "https://acme.okta.test/").await.unwrap(), "302 Found ");
    assert_eq!(server.requests.load(Ordering::SeqCst), 1);
    let error = get(&network, "http://acme.okta.test/").await.unwrap_err();
    assert_eq!(error.sent, Sent::NotSent, "{}", error.describe());
}

#[test]
fn a_ca_file_that_is_of_no_use_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ca.pem");
    let message =
        || build(&Network { ca_file: Some(path.clone()), ..Network::default() }).map(drop).unwrap_err().to_string();
    let shown = path.display();
    assert_eq!(message(), format!("failed to read the CA file `{shown}`"));
    let no_certificate = "does not hold a certificate in PEM form";
    let no_lines = "has lost its line breaks: the first line must end after `CERTIFICATE-----`";
    for (content, problem) in [
        ("", "is empty"),
        (" \n", "is empty"),
        ("c4n4ry", no_certificate),
        ("-----BEGIN CERTIFICATE-----\nc4n4ry\n", no_certificate),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", no_certificate),
        ("-----BEGIN CERTIFICATE----- c4n4ry -----END CERTIFICATE-----", no_lines),
        ("-----BEGIN CERTIFICATE-----\\nc4n4ry\\n-----END CERTIFICATE-----\\n", no_lines),
        ("-----BEGIN PRIVATE KEY-----\nc4n4ry\n-----END PRIVATE KEY-----\n", "holds a private key, and no certificate"),
        ("\u{30}\u{2}c4n4ry", "is in DER form, and PEM form is needed"),
    ] {
        std::fs::write(&path, content).unwrap();
        let error = build(&Network { ca_file: Some(path.clone()), ..Network::default() }).map(drop).unwrap_err();
        assert_eq!(error.to_string(), format!("the CA file `{shown}` {problem}"), "{content}");
        assert!(!format!("{error:?} {}", crate::chain(&error)).contains("c4n4ry"), "{error:?}");
    }
}
