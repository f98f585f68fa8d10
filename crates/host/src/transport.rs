//! HTTP clients: rustls, without redirects or automatic retries, behind a service that tests replace.

use std::{
    collections::BTreeMap,
    fmt, io,
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
    ca_file::{self, CaProblem},
    cause::Cause,
    error_chain::chain,
    resolve::{HostPattern, Overrides, Resolver},
};

/// Sends one request once. Dropping the future abandons the request.
pub type HttpService = BoxCloneSyncService<http::Request<Bytes>, http::Response<Bytes>, TransportError>;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Shorter than the keep-alive times of common servers (Node.js: 5 s, `server.keepAliveTimeout`). A request on a
/// connection that the server is just closing is lost, and a lost mutation is costly. The pool looks only this often, so a
/// connection may stay for twice this time.
pub(crate) const POOL_IDLE_TIMEOUT: Duration = Duration::from_secs(1);

/// The longest answer that is read.
const MAX_ANSWER: usize = 16 * 1024 * 1024;

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
    /// The file cannot be read.
    #[error("failed to read the CA file `{}`", path.display())]
    CaFile {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
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
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::CaFile { .. } => None,
            Self::CaContent { problem, .. } => Some(problem.hint()),
            Self::ProxyVariable { name: "NO_PROXY" | "no_proxy", .. } => Some(
                "separate the entries with commas: `example.com` (includes all hosts below it), `192.0.2.7`, \
                 `192.0.2.0/24`, or `*`, without scheme and port",
            ),
            Self::ProxyVariable { .. } => Some("write it as `http://proxy.example.com:3128`, or unset it"),
            Self::Client(_) => None,
            Self::Tls(_) => Some("if this system has no root certificates, set `ca_file` to a file with them"),
        }
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
            (Sent::MaybeSent, Cause::TooLong(_)) => (ErrorKind::Invalid, format!("{request}: {}", self.cause)),
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
        match self.cause.hint() {
            Some(hint) => error.with_hint(hint),
            None if self.proxied && self.sent == Sent::NotSent => error.with_hint(proxy),
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
    let bytes = std::fs::read(path).map_err(|source| NetworkError::CaFile { path: path.to_owned(), source })?;
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
) -> Result<http::Response<Bytes>, TransportError> {
    let failed = |error: reqwest::Error| TransportError::of_client(&error, proxied);
    let too_long = || TransportError::of(Sent::MaybeSent, Cause::TooLong(MAX_ANSWER));
    let mut answer = client.execute(request.try_into().map_err(failed)?).await.map_err(failed)?;
    if answer.content_length().is_some_and(|length| length > MAX_ANSWER as u64) {
        return Err(too_long());
    }
    let mut response = http::Response::new(());
    *response.status_mut() = answer.status();
    *response.headers_mut() = std::mem::take(answer.headers_mut());
    // Most answers come in one piece, which is not copied.
    let first = answer.chunk().await.map_err(failed)?.unwrap_or_default();
    let Some(second) = answer.chunk().await.map_err(failed)? else { return Ok(response.map(|()| first)) };
    let mut body = BytesMut::from(first);
    let mut next = Some(second);
    while let Some(chunk) = next {
        if body.len() + chunk.len() > MAX_ANSWER {
            return Err(too_long());
        }
        body.extend_from_slice(&chunk);
        next = answer.chunk().await.map_err(failed)?;
    }
    Ok(response.map(|()| body.freeze()))
}

#[cfg(test)]
mod tests;
