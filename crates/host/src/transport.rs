//! HTTP clients: rustls, without redirects or automatic retries, behind a service that tests replace.

use std::{
    collections::BTreeMap,
    fmt,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use flowswap_contract::{Error, ErrorKind};
use reqwest::{Client, redirect};
use rustls::{
    ClientConfig,
    pki_types::CertificateDer,
    version::{TLS12, TLS13},
};
use rustls_platform_verifier::Verifier;
use tower::{BoxError, util::BoxCloneSyncService};

use crate::{
    budget::ANSWER,
    ca_file::{self, CaProblem},
    cause::Cause,
    chain, density,
    ownership::{TrustError, read_trusted},
    resolve::{HostPattern, Overrides, Resolver},
    room::{Held, Room, SMALL_ANSWER, Waited},
};

/// Sends one request once. Dropping the future abandons the request.
pub type HttpService = BoxCloneSyncService<http::Request<Bytes>, http::Response<Bytes>, TransportError>;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Shorter than the keep-alive times of common servers (Node.js: 5 s, `server.keepAliveTimeout`). A request on a
/// connection that the server is just closing is lost, and a lost mutation is costly. The pool looks only this often, so a
/// connection may stay for twice this time.
pub(crate) const POOL_IDLE_TIMEOUT: Duration = Duration::from_secs(1);

/// How to use the network.
#[derive(Debug, Clone)]
pub struct Network {
    /// A PEM file with certificates that are trusted in addition to those of the system.
    pub ca_file: Option<PathBuf>,
    /// Hosts with overridden addresses; they never use a proxy. A port in the URL wins over the port of the address.
    pub resolve: BTreeMap<HostPattern, SocketAddr>,
    /// Whether to use the proxy of `HTTPS_PROXY`, except for the hosts in `NO_PROXY`.
    pub system_proxy: bool,
}

impl Default for Network {
    fn default() -> Self {
        Self { ca_file: None, resolve: BTreeMap::new(), system_proxy: true }
    }
}

/// Why the HTTP client cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum NetworkError {
    /// The file cannot be read, or others can change it.
    #[error("failed to read the CA file `{}`", path.display())]
    CaFile {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: TrustError,
    },
    /// The file does not contain usable certificates.
    #[error("the CA file `{}` {problem}", path.display())]
    CaContent {
        /// The file.
        path: PathBuf,
        /// What is wrong; never contains the file's content.
        problem: CaProblem,
    },
    /// An environment variable that names proxies cannot be used. Its value may contain a password.
    #[error("cannot use the environment variable `{name}`: {problem}")]
    ProxyVariable {
        /// The variable.
        name: &'static str,
        /// What is wrong; never contains the value.
        problem: String,
    },
    /// TLS cannot be set up.
    #[error("failed to set up TLS")]
    Tls(#[source] rustls::Error),
    /// The client cannot be set up.
    #[error("failed to set up the HTTP client")]
    Client(#[source] reqwest::Error),
}

impl NetworkError {
    /// What the operator can do about it.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::CaFile { source, .. } => return source.hint(),
            Self::CaContent { problem, .. } => Some(problem.hint()),
            Self::ProxyVariable { name: "NO_PROXY" | "no_proxy", .. } => Some(
                "separate the entries with commas: `example.com` (includes all hosts below it), `192.0.2.7`, \
                 `192.0.2.0/24`, or `*`, without scheme and port",
            ),
            Self::ProxyVariable { .. } => Some("write it as `http://proxy.example.com:3128`, or unset it"),
            Self::Client(_) => None,
            Self::Tls(_) => Some("if this system has no root certificates, set `ca_file` to a file with them"),
        };
        hint.map(str::to_owned)
    }
}

/// Whether a request that got no answer may have arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sent {
    /// It did not: there was no connection.
    NotSent,
    /// It may have.
    MaybeSent,
}

/// Why a request got no answer. Never contains the URL or any other part of the request.
#[derive(Debug)]
pub struct TransportError {
    /// Whether it may have arrived.
    pub sent: Sent,
    /// Whether it took too long.
    pub timed_out: bool,
    /// Why there is no answer.
    cause: Cause,
    /// Whether the request uses a proxy, so that the cause may concern the proxy.
    proxied: bool,
}

impl TransportError {
    /// An error with a cause of unknown kind.
    pub fn new(sent: Sent, source: impl Into<BoxError>) -> Self {
        Self::of(sent, Cause::Other(chain(source.into().as_ref())))
    }

    pub(crate) fn of(sent: Sent, cause: Cause) -> Self {
        Self { sent, timed_out: false, cause, proxied: false }
    }

    /// The error of a request that was abandoned after this time.
    pub(crate) fn gave_up(after: Duration) -> Self {
        Self { timed_out: true, ..Self::of(Sent::MaybeSent, Cause::NoAnswer(after)) }
    }

    /// What the operator can do about it.
    pub fn hint(&self) -> Option<&'static str> {
        self.cause.hint()
    }

    /// What happened to the request, and why, as one line.
    pub(crate) fn describe(&self) -> String {
        format!("{self}: {}", self.cause)
    }

    /// Why there is no answer.
    pub(crate) fn cause(&self) -> &Cause {
        &self.cause
    }

    /// The error that the plugin gets. `request` must not contain the query.
    pub(crate) fn error(&self, host: &str, request: &str) -> Error {
        let (kind, message) = match (self.sent, &self.cause) {
            (Sent::NotSent, cause) => (ErrorKind::Unavailable, format!("failed to connect to {host}: {cause}")),
            (Sent::MaybeSent, Cause::TooLong | Cause::Beyond(_)) => {
                (ErrorKind::Invalid, format!("{request}: {}", self.cause))
            }
            (Sent::MaybeSent, cause) => {
                (ErrorKind::Unavailable, format!("got no answer from {host} to {request}: {cause}"))
            }
        };
        let kind = match kind {
            ErrorKind::Unavailable if self.cause.is_final() => ErrorKind::Unreachable,
            _ if self.timed_out => ErrorKind::TimedOut,
            kind => kind,
        };
        let error = Error::new(kind, message).with_context("host", host).with_context("cause", self.cause.brief());
        let proxy = "check HTTPS_PROXY, ALL_PROXY, and NO_PROXY: the proxy itself may be unreachable";
        // A cause that a repetition may cure concerns the network on the way, which begins with the proxy.
        let of_proxy = (self.proxied && self.sent == Sent::NotSent && !self.cause.is_final()).then_some(proxy);
        match of_proxy.or(self.cause.hint()) {
            Some(hint) => error.with_hint(hint),
            None => error,
        }
    }

    fn of_client(error: &reqwest::Error, proxied: bool) -> Self {
        // The connector does the name lookup, the proxy's tunnel, and the TLS handshake. All of them come before the first
        // byte of the request.
        let sent = if error.is_connect() || error.is_builder() { Sent::NotSent } else { Sent::MaybeSent };
        Self { sent, timed_out: error.is_timeout(), cause: Cause::of(error, CONNECT_TIMEOUT), proxied }
    }
}

impl fmt::Display for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.sent {
            Sent::NotSent => "failed to connect",
            Sent::MaybeSent => "got no answer",
        })
    }
}

impl std::error::Error for TransportError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.cause)
    }
}

/// The certificates in the file that the configuration names.
pub(crate) fn read_ca_file(path: &Path) -> Result<Vec<CertificateDer<'static>>, NetworkError> {
    let bytes = read_trusted(path).map_err(|source| NetworkError::CaFile { path: path.to_owned(), source })?;
    ca_file::parse(&bytes).map_err(|problem| NetworkError::CaContent { path: path.to_owned(), problem })
}

/// Trusts the certificates of the system and these. It is expensive to make, so all clients share it.
pub(crate) fn tls(roots: Vec<CertificateDer<'static>>) -> Result<ClientConfig, NetworkError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = Verifier::new_with_extra_roots(roots, Arc::clone(&provider)).map_err(NetworkError::Tls)?;
    let tls = ClientConfig::builder_with_provider(provider).with_protocol_versions(&[&TLS13, &TLS12]);
    let tls = tls.map_err(NetworkError::Tls)?.dangerous().with_custom_certificate_verifier(Arc::new(verifier));
    let mut tls = tls.with_no_client_auth();
    tls.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(tls)
}

pub(crate) fn client(tls: ClientConfig, overrides: &Arc<Overrides>) -> reqwest::ClientBuilder {
    Client::builder()
        .https_only(true)
        .tls_backend_preconfigured(tls)
        .redirect(redirect::Policy::none())
        // The host decides on each repetition, because it knows what the request does.
        .retry(reqwest::retry::never())
        .referer(false)
        .connect_timeout(CONNECT_TIMEOUT)
        .dns_resolver(Resolver { overrides: Arc::clone(overrides) })
}

pub(crate) async fn send(
    client: &Client,
    request: http::Request<Bytes>,
    proxied: bool,
    room: &Room,
) -> Result<http::Response<Bytes>, TransportError> {
    let failed = |error: reqwest::Error| TransportError::of_client(&error, proxied);
    let waited = request.extensions().get::<Waited>().cloned().unwrap_or_default();
    let mut answer = client.execute(request.try_into().map_err(failed)?).await.map_err(failed)?;
    let mut response = http::Response::new(());
    *response.status_mut() = answer.status();
    *response.headers_mut() = std::mem::take(answer.headers_mut());
    let (body, held) = read_body(&mut answer, room, &waited, failed).await?;
    if let Some(held) = held {
        response.extensions_mut().insert(held);
    }
    Ok(response.map(|()| body))
}

/// Reads the body, and takes room for it if it is long. If the server does not announce how long it is, this expects the longest.
pub(crate) async fn read_body(
    answer: &mut reqwest::Response,
    room: &Room,
    waited: &Waited,
    failed: impl Fn(reqwest::Error) -> TransportError,
) -> Result<(Bytes, Option<Held>), TransportError> {
    let too_long = || TransportError::of(Sent::MaybeSent, Cause::TooLong);
    let announced = answer.content_length().map(|length| usize::try_from(length).unwrap_or(usize::MAX));
    if announced.is_some_and(|length| length > ANSWER.limit) {
        return Err(too_long());
    }
    let mut permit = match announced {
        Some(length) if length > SMALL_ANSWER => room.take(length, waited).await,
        _ => None,
    };
    // Most answers come in one piece, which is not copied.
    let mut first = Bytes::new();
    let mut body = BytesMut::new();
    while let Some(chunk) = answer.chunk().await.map_err(&failed)? {
        let length = first.len() + body.len() + chunk.len();
        if length > ANSWER.limit {
            return Err(too_long());
        }
        if permit.is_none() && length > SMALL_ANSWER {
            permit = room.take(ANSWER.limit, waited).await;
        }
        if first.is_empty() && body.is_empty() {
            first = chunk;
        } else {
            body.extend_from_slice(&std::mem::take(&mut first));
            body.extend_from_slice(&chunk);
        }
    }
    let body = if body.is_empty() { first } else { body.freeze() };
    if let Some(budget) = density::beyond(&body) {
        return Err(TransportError::of(Sent::MaybeSent, Cause::Beyond(budget)));
    }
    let held = permit.map(|permit| Held::of(permit, body.len()));
    Ok((body, held))
}

#[cfg(test)]
mod tests;
