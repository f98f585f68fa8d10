//! Round trips over TLS on the loopback interface, with a temporary CA.

use std::{
    net::SocketAddr,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd};
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
use crate::clients::{Connect, build, clients};

struct Server {
    address: SocketAddr,
    ca_pem: String,
    /// How many requests have arrived.
    requests: Arc<AtomicU32>,
}

/// What the server does with a request: the bytes to send before it closes the connection.
type Behavior = fn(request: &str) -> Vec<u8>;

/// The certificate that a server shows.
#[derive(Clone, Copy)]
enum Show {
    /// Signed by the CA of the server, for its names.
    Proper,
    /// Likewise, valid until 2020.
    Expired,
    /// Likewise, valid from 2090 on.
    Early,
    /// Self-signed; the CA file contains this certificate.
    SelfSigned,
    /// Self-signed as a CA; the CA file contains this certificate.
    Ca,
}

/// Serves every name below `test.` with the behavior.
async fn serve(behavior: Behavior) -> Server {
    serve_with(Show::Proper, behavior).await
}

/// An acceptor with this certificate, and the CA file with which a client trusts it.
fn acceptor(show: Show) -> (TlsAcceptor, String) {
    let key = KeyPair::generate().unwrap();
    let mut ca = CertificateParams::new([]).unwrap();
    // A unique name, because CAs of the same name differ only in their signatures.
    ca.distinguished_name.push(DnType::CommonName, key.public_key_pem());
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca = CertifiedIssuer::self_signed(ca, key).unwrap();
    let key = KeyPair::generate().unwrap();
    let names = ["*.okta.test".to_owned(), "gateway.test".to_owned()];
    let mut own = CertificateParams::new(names).unwrap();
    match show {
        Show::Expired => {
            own.not_before = date_time_ymd(2019, 1, 1);
            own.not_after = date_time_ymd(2020, 1, 1);
        }
        Show::Early => {
            own.not_before = date_time_ymd(2090, 1, 1);
            own.not_after = date_time_ymd(2091, 1, 1);
        }
        Show::Ca => own.is_ca = IsCa::Ca(BasicConstraints::Unconstrained),
        Show::Proper | Show::SelfSigned => {}
    }
    let (certificate, ca_pem) = match show {
        Show::SelfSigned | Show::Ca => {
            let certificate = own.self_signed(&key).unwrap();
            let pem = certificate.pem();
            (certificate, pem)
        }
        Show::Proper | Show::Expired | Show::Early => (own.signed_by(&key, &ca).unwrap(), ca.pem()),
    };
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    (TlsAcceptor::from(Arc::new(config)), ca_pem)
}

async fn serve_with(show: Show, behavior: Behavior) -> Server {
    let (acceptor, ca_pem) = acceptor(show);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let requests = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&requests);
    tokio::spawn(async move {
        while let Ok((connection, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            let count = Arc::clone(&count);
            tokio::spawn(async move {
                // A client that does not trust the CA ends the handshake.
                let Ok(mut stream) = acceptor.accept(connection).await else { return };
                let mut request = Vec::new();
                while !request.windows(4).any(|w| w == b"\r\n\r\n") && stream.read_buf(&mut request).await.unwrap() > 0
                {
                }
                count.fetch_add(1, Ordering::SeqCst);
                let answer = behavior(&String::from_utf8_lossy(&request));
                stream.write_all(&answer).await.unwrap();
                stream.shutdown().await.unwrap();
            });
        }
    });
    Server { address, ca_pem, requests }
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
    let origin = url.split('/').take(3).collect::<Vec<_>>().join("/");
    let answer = build(network).unwrap().connect(&[&origin]).unwrap().oneshot(request).await?;
    Ok(format!("{} {}", answer.status(), String::from_utf8_lossy(answer.body())))
}

#[tokio::test]
async fn an_override_decides_the_address_and_port_of_a_host() {
    let server = serve(echo).await;
    let dir = crate::testing::folder();
    let network = network(&server, dir.path());
    for host in ["acme.okta.test", "globex.okta.test", "gateway.test"] {
        let answer = get(&network, &format!("https://{host}/y?a=b")).await.unwrap();
        assert!(answer.starts_with("200 OK GET /y?a=b HTTP/1.1\r\n"), "{answer}");
        assert!(answer.contains(&format!("host: {host}\r\n")), "{answer}");
    }
}

#[tokio::test]
async fn only_trusted_certificates_of_the_right_name_are_accepted() {
    // A CA that signed no server, so that the client can be built even on a system without root certificates.
    let stranger = serve(echo).await;
    let dir = crate::testing::folder();
    let strange = network(&stranger, dir.path()).ca_file;
    for (show, host, trusted, expect) in [
        (Show::Proper, "acme.okta.test", true, Ok(())),
        (Show::SelfSigned, "acme.okta.test", true, Ok(())),
        (
            Show::Proper,
            "other.test",
            true,
            Err(("its certificate is only for *.okta.test, gateway.test", "another server")),
        ),
        (Show::Expired, "acme.okta.test", true, Err(("its certificate expired at 2020-01-01T00:00:00Z", "renew"))),
        (
            Show::Early,
            "acme.okta.test",
            true,
            Err(("its certificate is not valid before 2090-01-01T00:00:00Z", "clock")),
        ),
        (
            Show::Ca,
            "acme.okta.test",
            true,
            Err(("it presents the certificate of a CA as its own (CaUsedAsEndEntity)", "basicConstraints=CA:FALSE")),
        ),
        (
            Show::Proper,
            "acme.okta.test",
            false,
            Err(("no trusted CA signed its certificate (UnknownIssuer)", "`ca_file`")),
        ),
        (
            Show::SelfSigned,
            "acme.okta.test",
            false,
            Err(("no trusted CA signed its certificate (UnknownIssuer)", "if it is self-signed")),
        ),
    ] {
        let server = serve_with(show, echo).await;
        let dir = crate::testing::folder();
        let mut network = network(&server, dir.path());
        if !trusted {
            network.ca_file.clone_from(&strange);
        }
        let got = get(&network, &format!("https://{host}/secret-path?q=1")).await;
        assert_eq!(server.requests.load(Ordering::SeqCst) > 0, expect.is_ok(), "{got:?}");
        let Err((message, hint)) = expect else { continue };
        let transport = got.unwrap_err();
        assert!(transport.cause().is_final() && transport.sent == Sent::NotSent, "{transport:?}");
        let error = transport.error(host, "GET /");
        assert_eq!(error.message, format!("failed to connect to {host}: {message}"));
        assert!(error.hint.as_ref().unwrap().contains(hint), "{error:?}");
        assert!(!format!("{transport:?} {error:?}").contains("secret-path"), "{error:?}");
    }
}

/// A proxy that answers every CONNECT with `answer`. With 200 it opens a tunnel to the server.
async fn proxy(answer: &'static str, server: SocketAddr) -> (SocketAddr, Arc<AtomicU32>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let asked = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&asked);
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let mut request = Vec::new();
            while !request.windows(4).any(|w| w == b"\r\n\r\n") && client.read_buf(&mut request).await.unwrap() > 0 {}
            assert!(request.starts_with(b"CONNECT acme.okta.test:443 "));
            count.fetch_add(1, Ordering::SeqCst);
            client.write_all(format!("HTTP/1.1 {answer}\r\n\r\n").as_bytes()).await.unwrap();
            if answer.starts_with("200") {
                let mut server = tokio::net::TcpStream::connect(server).await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
            }
        }
    });
    (address, asked)
}

#[tokio::test]
async fn a_refusal_by_a_proxy_is_reported_and_final() {
    let server = serve(echo).await;
    let dir = crate::testing::folder();
    let roots = read_ca_file(network(&server, dir.path()).ca_file.as_ref().unwrap()).unwrap();
    let (tls, none) = (tls(roots).unwrap(), Arc::new(Overrides::new()));
    for (answer, expect) in [
        ("200 OK", None),
        ("407 Proxy Authentication Required", Some(Cause::ProxyAuth)),
        ("403 Forbidden", Some(Cause::ProxyRefused)),
        ("502 Bad Gateway", Some(Cause::ProxyRefused)),
    ] {
        let (address, asked) = proxy(answer, server.address).await;
        let through = reqwest::Proxy::all(format!("http://me:hunter2@{address}")).unwrap();
        let client = client(tls.clone(), &none).no_proxy().proxy(through).build().unwrap();
        let request = http::Request::get("https://acme.okta.test/secret-path").body(Bytes::new()).unwrap();
        let got = send(&client, request, true, &Room::default()).await;
        assert_eq!(asked.load(Ordering::SeqCst), 1, "{answer}");
        assert_eq!(got.as_ref().err().map(TransportError::cause), expect.as_ref(), "{answer}");
        let Err(error) = got else { continue };
        assert!(error.cause().is_final() && error.sent == Sent::NotSent, "{error:?}");
        let shown = format!("{error:?} {:?}", error.error("acme.okta.test", "GET /"));
        assert!(!shown.contains("hunter2") && !shown.contains("secret-path"), "{shown}");
        assert!(shown.contains("HTTPS_PROXY"), "{shown}");
    }
    // If nothing listens at the proxy's address, the hint names the proxy.
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let through = reqwest::Proxy::all(format!("http://me:hunter2@{free}")).unwrap();
    let client = client(tls.clone(), &none).no_proxy().proxy(through).build().unwrap();
    let request = http::Request::get("https://acme.okta.test/").body(Bytes::new()).unwrap();
    let error = send(&client, request, true, &Room::default()).await.unwrap_err().error("acme.okta.test", "GET /");
    assert_eq!(error.message, "failed to connect to acme.okta.test: connection refused");
    assert!(error.hint.as_ref().unwrap().contains("the proxy itself may be unreachable"), "{error:?}");
    assert!(!format!("{error:?}").contains("hunter2"));
}

#[tokio::test]
async fn a_server_without_tls_and_an_unknown_host_are_reported() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let _ = client.read(&mut [0; 1024]).await;
            client.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        }
    });
    let server = serve(echo).await;
    let dir = crate::testing::folder();
    let mut network = network(&server, dir.path());
    network.resolve.values_mut().for_each(|to| *to = address);
    let error = get(&network, "https://acme.okta.test/").await.unwrap_err();
    assert_eq!((error.cause(), error.sent), (&Cause::NoTls, Sent::NotSent));
    // Neither the overrides nor a name server know it (RFC 6761 §6.4). Without a name server, the lookup fails.
    network.system_proxy = false;
    let error = get(&network, "https://no-such-host.invalid/").await.unwrap_err();
    assert!(matches!(error.cause(), Cause::UnknownHost | Cause::LookupFailed(_)), "{error:?}");
    assert_eq!(error.sent, Sent::NotSent);
}

#[tokio::test]
async fn an_unanswered_request_may_have_arrived_and_one_over_a_refused_connection_has_not() {
    let server = serve(|_| Vec::new()).await;
    let dir = crate::testing::folder();
    let mut network = network(&server, dir.path());
    let error = get(&network, "https://acme.okta.test/secret-path").await.unwrap_err();
    assert_eq!(error.sent, Sent::MaybeSent);
    assert!(!format!("{error:?} {}", error.describe()).contains("secret-path"));
    // The client does not repeat it by itself.
    assert_eq!(server.requests.load(Ordering::SeqCst), 1);

    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    network.resolve.values_mut().for_each(|address| *address = free);
    let error = get(&network, "https://acme.okta.test/").await.unwrap_err();
    assert_eq!(error.sent, Sent::NotSent);
    assert_eq!(error.describe(), "failed to connect: connection refused");
}

#[tokio::test]
async fn a_truncated_or_too_long_answer_is_lost() {
    let cut = |_: &str| b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc".to_vec();
    let endless = |_: &str| {
        let mut answer = b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n".to_vec();
        answer.resize(answer.len() + ANSWER.limit + 1, b'x');
        answer
    };
    // The client does not wait for it, because it announces its length.
    let announced = |_: &str| b"HTTP/1.1 200 OK\r\ncontent-length: 16777217\r\n\r\nabc".to_vec();
    for (behavior, too_long) in [(cut as Behavior, false), (endless, true), (announced, true)] {
        let server = serve(behavior).await;
        let dir = crate::testing::folder();
        let error = get(&network(&server, dir.path()), "https://acme.okta.test/").await.unwrap_err();
        let expect = if too_long { Cause::TooLong } else { Cause::Closed };
        assert_eq!((error.cause(), error.sent), (&expect, Sent::MaybeSent));
    }
}

#[tokio::test]
async fn redirects_are_not_followed_and_plain_http_is_refused() {
    let behavior =
        |_: &str| b"HTTP/1.1 302 Found\r\nlocation: https://gateway.test/\r\ncontent-length: 0\r\n\r\n".to_vec();
    let server = serve(behavior).await;
    let dir = crate::testing::folder();
    let network = network(&server, dir.path());
    assert_eq!(get(&network, "https://acme.okta.test/").await.unwrap(), "302 Found ");
    assert_eq!(server.requests.load(Ordering::SeqCst), 1);
    let error = get(&network, "http://acme.okta.test/").await.unwrap_err();
    assert_eq!(error.sent, Sent::NotSent, "{}", error.describe());
}

#[test]
fn an_unusable_ca_file_is_named_in_the_error() {
    let dir = crate::testing::folder();
    let path = dir.path().join("ca.pem");
    let message =
        || build(&Network { ca_file: Some(path.clone()), ..Network::default() }).map(drop).unwrap_err().to_string();
    let shown = path.display();
    assert_eq!(message(), format!("failed to read the CA file `{shown}`"));
    for (content, problem) in [
        ("", "is empty"),
        ("text", "does not contain a certificate in PEM format"),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n", "contains a damaged certificate (number 1)"),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "contains a damaged certificate (number 1)"),
    ] {
        std::fs::write(&path, content).unwrap();
        assert_eq!(message(), format!("the CA file `{shown}` {problem}"), "{content}");
    }
}

/// A server that keeps connections open. Tells how many were opened, and how many are open.
async fn serve_on() -> (Server, Arc<[AtomicU32; 2]>) {
    let (acceptor, ca_pem) = acceptor(Show::Proper);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (requests, connections) = (Arc::new(AtomicU32::new(0)), Arc::new([AtomicU32::new(0), AtomicU32::new(0)]));
    let (count, counts) = (Arc::clone(&requests), Arc::clone(&connections));
    tokio::spawn(async move {
        while let Ok((connection, _)) = listener.accept().await {
            let (acceptor, count, counts) = (acceptor.clone(), Arc::clone(&count), Arc::clone(&counts));
            tokio::spawn(async move {
                let mut stream = acceptor.accept(connection).await.unwrap();
                counts.iter().for_each(|count| _ = count.fetch_add(1, Ordering::SeqCst));
                let mut request = Vec::new();
                while stream.read_buf(&mut request).await.is_ok_and(|read| read > 0) {
                    if request.ends_with(b"\r\n\r\n") {
                        request.clear();
                        count.fetch_add(1, Ordering::SeqCst);
                        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.unwrap();
                    }
                }
                counts[1].fetch_sub(1, Ordering::SeqCst);
            });
        }
    });
    (Server { address, ca_pem, requests }, connections)
}

#[tokio::test]
async fn sessions_share_the_connections_to_an_origin_until_the_last_ends() {
    let (server, connections) = serve_on().await;
    let dir = crate::testing::folder();
    // No connection closes because it is idle.
    let clients = clients(&network(&server, dir.path()), Duration::from_secs(3600)).unwrap();
    let count = || connections.each_ref().map(|count| count.load(Ordering::SeqCst));
    let get = async |session: &HttpService, url: &str| {
        session.clone().oneshot(http::Request::get(url).body(Bytes::new()).unwrap()).await.map(|answer| answer.status())
    };
    let (acme, gateway) = ("https://acme.okta.test", "https://gateway.test");
    let first = clients.connect(&[acme, gateway]).unwrap();
    let second = clients.connect(&[gateway]).unwrap();
    for (session, url) in [(&first, acme), (&first, gateway), (&second, gateway), (&first, acme)] {
        get(session, url).await.unwrap();
    }
    assert_eq!((server.requests.load(Ordering::SeqCst), count()), (4, [2, 2]));
    let foreign = get(&second, acme).await.unwrap_err();
    assert_eq!(foreign.sent, Sent::NotSent, "{foreign:?}");

    let closes = async |left: u32| {
        let closing = async {
            while count()[1] > left {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), closing).await.expect("the connections of a session close");
    };
    drop(first);
    closes(1).await;
    get(&second, gateway).await.unwrap();
    assert_eq!(count(), [2, 1], "the second session still has its connection");
    drop(second);
    closes(0).await;
    let third = clients.connect(&[gateway]).unwrap();
    get(&third, gateway).await.unwrap();
    assert_eq!(count(), [3, 1]);
}
