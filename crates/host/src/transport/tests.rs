//! Round trips over TLS on the loopback interface, with a throw-away CA.

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

struct Server {
    address: SocketAddr,
    ca_pem: String,
    /// How many requests have arrived.
    requests: Arc<AtomicU32>,
}

/// What the server does with a request: the bytes to send before it closes the connection.
type Behaviour = fn(request: &str) -> Vec<u8>;

/// The certificate that a server shows.
#[derive(Clone, Copy)]
enum Show {
    /// Signed by the CA of the server, for its names.
    Proper,
    /// Likewise, valid until 2020.
    Expired,
    /// Likewise, valid from 2090 on.
    Early,
    /// Signed by itself, which is the CA file then.
    SelfSigned,
    /// Signed by itself, as a CA, which is the CA file then.
    Ca,
}

/// Serves every name below `test.` with the behaviour.
async fn serve(behaviour: Behaviour) -> Server {
    serve_with(Show::Proper, behaviour).await
}

async fn serve_with(show: Show, behaviour: Behaviour) -> Server {
    let key = KeyPair::generate().unwrap();
    let mut ca = CertificateParams::new([]).unwrap();
    // CAs of one name would be told apart by their signatures only.
    ca.distinguished_name.push(DnType::CommonName, key.public_key_pem());
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca = CertifiedIssuer::self_signed(ca, key).unwrap();
    let key = KeyPair::generate().unwrap();
    let names = ["*.okta.test".to_owned(), "gateway.test".to_owned()];
    let mut own = CertificateParams::new(names).unwrap();
    match show {
        Show::Expired => (own.not_before, own.not_after) = (date_time_ymd(2019, 1, 1), date_time_ymd(2020, 1, 1)),
        Show::Early => (own.not_before, own.not_after) = (date_time_ymd(2090, 1, 1), date_time_ymd(2091, 1, 1)),
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
    // A CA that none of the servers knows, so that the client is also built where the system has no roots at all.
    let (stranger, dir) = (serve(echo).await, tempfile::tempdir().unwrap());
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
        (Show::Expired, "acme.okta.test", true, Err(("its certificate expired at 2020-01-01T00:00:00Z", "must renew"))),
        (
            Show::Early,
            "acme.okta.test",
            true,
            Err(("its certificate is valid from 2090-01-01T00:00:00Z on only", "clock")),
        ),
        (
            Show::Ca,
            "acme.okta.test",
            true,
            Err(("it shows the certificate of a CA as its own (CaUsedAsEndEntity)", "basicConstraints=CA:FALSE")),
        ),
        (
            Show::Proper,
            "acme.okta.test",
            false,
            Err(("nobody who is trusted has signed its certificate (UnknownIssuer)", "`ca_file`")),
        ),
        (
            Show::SelfSigned,
            "acme.okta.test",
            false,
            Err(("nobody who is trusted has signed its certificate (UnknownIssuer)", "if it has signed itself")),
        ),
    ] {
        let (server, dir) = (serve_with(show, echo).await, tempfile::tempdir().unwrap());
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
        assert!(
            error.hint.as_ref().unwrap().replace("it has signed itself", "if it has signed itself").contains(hint),
            "{error:?}"
        );
        assert!(!format!("{transport:?} {error:?}").contains("secret-path"), "{error:?}");
    }
}

/// A proxy that answers every CONNECT so; with 200 it makes a tunnel to the server.
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
async fn what_a_proxy_refuses_is_said_and_final() {
    let (server, dir) = (serve(echo).await, tempfile::tempdir().unwrap());
    let roots = ca_file::read(network(&server, dir.path()).ca_file.as_ref().unwrap()).unwrap();
    let none = Arc::new(Overrides::new());
    for (answer, expect) in [
        ("200 OK", None),
        ("407 Proxy Authentication Required", Some(Cause::ProxyAuth)),
        ("403 Forbidden", Some(Cause::ProxyRefused)),
        ("502 Bad Gateway", Some(Cause::ProxyRefused)),
    ] {
        let (address, asked) = proxy(answer, server.address).await;
        let through = reqwest::Proxy::all(format!("http://me:hunter2@{address}")).unwrap();
        let client = client(&none, &roots).no_proxy().proxy(through).build().unwrap();
        let request = http::Request::get("https://acme.okta.test/secret-path").body(Bytes::new()).unwrap();
        let got = send(client, request, true).await;
        assert_eq!(asked.load(Ordering::SeqCst), 1, "{answer}");
        assert_eq!(got.as_ref().err().map(TransportError::cause), expect.as_ref(), "{answer}");
        let Err(error) = got else { continue };
        assert!(error.cause().is_final() && error.sent == Sent::NotSent, "{error:?}");
        let shown = format!("{error:?} {:?}", error.error("acme.okta.test", "GET /"));
        assert!(!shown.contains("hunter2") && !shown.contains("secret-path"), "{shown}");
        assert!(shown.contains("HTTPS_PROXY"), "{shown}");
    }
    // Where nobody listens at the proxy's address, the host is not to be blamed alone.
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let through = reqwest::Proxy::all(format!("http://me:hunter2@{free}")).unwrap();
    let client = client(&none, &roots).no_proxy().proxy(through).build().unwrap();
    let request = http::Request::get("https://acme.okta.test/").body(Bytes::new()).unwrap();
    let error = send(client, request, true).await.unwrap_err().error("acme.okta.test", "GET /");
    assert_eq!(error.message, "failed to connect to acme.okta.test: connection refused");
    assert!(error.hint.as_ref().unwrap().contains("proxy that cannot be reached"), "{error:?}");
    assert!(!format!("{error:?}").contains("hunter2"));
}

#[tokio::test]
async fn what_speaks_no_tls_and_what_has_no_name_is_said() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let _ = client.read(&mut [0; 1024]).await;
            client.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        }
    });
    let (server, dir) = (serve(echo).await, tempfile::tempdir().unwrap());
    let mut network = network(&server, dir.path());
    network.resolve.values_mut().for_each(|to| *to = address);
    let error = get(&network, "https://acme.okta.test/").await.unwrap_err();
    assert_eq!((error.cause(), error.sent), (&Cause::NoTls, Sent::NotSent));
    // Not in the overrides, and in no name server either (RFC 6761 §6.4); without a name server nobody can say.
    network.system_proxy = false;
    let error = get(&network, "https://no-such-host.invalid/").await.unwrap_err();
    assert!(matches!(error.cause(), Cause::UnknownHost | Cause::LookupFailed(_)), "{error:?}");
    assert_eq!(error.sent, Sent::NotSent);
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
    assert_eq!(error.describe(), "failed to connect: connection refused");
}

#[tokio::test]
async fn an_answer_that_breaks_off_or_does_not_end_is_lost() {
    let cut = |_: &str| b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc".to_vec();
    let endless = |_: &str| {
        let mut answer = b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n".to_vec();
        answer.resize(answer.len() + MAX_ANSWER + 1, b'x');
        answer
    };
    // It is not waited for, because it says beforehand how long it will be.
    let announced = |_: &str| b"HTTP/1.1 200 OK\r\ncontent-length: 16777217\r\n\r\nabc".to_vec();
    for (behaviour, too_long) in [(cut as Behaviour, false), (endless, true), (announced, true)] {
        let (server, dir) = (serve(behaviour).await, tempfile::tempdir().unwrap());
        let error = get(&network(&server, dir.path()), "https://acme.okta.test/").await.unwrap_err();
        let expect = if too_long { Cause::TooLong(MAX_ANSWER) } else { Cause::Closed };
        assert_eq!((error.cause(), error.sent), (&expect, Sent::MaybeSent));
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
    for (content, problem) in [
        ("", "is empty"),
        ("text", "does not hold a certificate in PEM form"),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n", "holds a certificate that is damaged (number 1)"),
        (
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
            "holds a certificate that is damaged (number 1)",
        ),
    ] {
        std::fs::write(&path, content).unwrap();
        assert_eq!(message(), format!("the CA file `{shown}` {problem}"), "{content}");
    }
}
