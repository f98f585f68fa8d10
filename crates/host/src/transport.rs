//! The HTTP client: rustls, no redirects, no retries of its own, behind a service that tests replace.

use std::{collections::BTreeMap, fmt, io, net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use flowswap_contract::{Error, ErrorKind};
use reqwest::{Certificate, Client, redirect, tls};
use tower::{BoxError, util::BoxCloneSyncService};

use crate::{
    ca_file::{self, CaProblem},
    cause::Cause,
    proxy,
    resolve::{self, HostPattern, Overrides, Resolver},
};

/// Sends one request once. Dropping the future gives the request up.
pub type HttpService = BoxCloneSyncService<http::Request<Bytes>, http::Response<Bytes>, TransportError>;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Shorter than the keep-alive times of common servers (Node.js: 5 s, `server.keepAliveTimeout`), because a request
/// on a connection that the server is just closing is lost, and a lost mutation is costly.
const POOL_IDLE_TIMEOUT: Duration = Duration::from_secs(4);

/// The longest answer that is read.
const MAX_ANSWER: usize = 16 * 1024 * 1024;

/// How the network is to be used.
#[derive(Debug, Clone)]
pub struct Network {
    /// A PEM file with certificates that are trusted in addition to those of the system.
    pub ca_file: Option<PathBuf>,
    /// Hosts that lead to other addresses, without any proxy. A port in the URL goes before that of the address.
    pub resolve: BTreeMap<HostPattern, SocketAddr>,
    /// Whether the proxy that the system names is used: that of `HTTPS_PROXY`, but for the hosts in `NO_PROXY`.
    pub system_proxy: bool,
}

impl Default for Network {
    fn default() -> Self {
        Self { ca_file: None, resolve: BTreeMap::new(), system_proxy: true }
    }
}

/// Why there is no HTTP client.
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
    /// The file does not hold what it should.
    #[error("the CA file `{}` {problem}", path.display())]
    CaContent {
        /// The file.
        path: PathBuf,
        /// What is wrong; never holds what stands in the file.
        problem: CaProblem,
    },
    /// A variable of the environment that names proxies cannot be used. Its value may hold a password.
    #[error("the environment variable `{name}` cannot be used: {problem}")]
    ProxyVariable {
        /// The variable.
        name: &'static str,
        /// What is wrong; never holds its value.
        problem: String,
    },
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
                "separate entries by commas: `example.com` (with all below it), `192.0.2.7`, `192.0.2.0/24` or `*`, without \
                 scheme and port",
            ),
            Self::ProxyVariable { .. } => Some("write it as `http://proxy.example.com:3128`, or unset it"),
            Self::Client(_) => Some("on a system without root certificates, name a file with them as `ca_file`"),
        }
    }
}

/// Whether a request that got no answer can have arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sent {
    /// Provably not: no connection came about.
    NotSent,
    /// It can.
    MaybeSent,
}

/// Why a request got no answer. Never holds the URL or anything else of the request.
#[derive(Debug)]
pub struct TransportError {
    /// Whether it can have arrived.
    pub sent: Sent,
    /// It took too long.
    pub timed_out: bool,
    /// What kept the answer away.
    cause: Cause,
    /// The request goes by a proxy, so that the proxy may be meant.
    proxied: bool,
}

impl TransportError {
    /// An error after which the request can have arrived or cannot.
    pub fn new(sent: Sent, source: impl Into<BoxError>) -> Self {
        Self::of(sent, Cause::Other(crate::chain(source.into().as_ref())))
    }

    pub(crate) fn of(sent: Sent, cause: Cause) -> Self {
        Self { sent, timed_out: false, cause, proxied: false }
    }

    /// The error of a request that was given up after this time.
    pub(crate) fn gave_up(after: Duration) -> Self {
        Self { timed_out: true, ..Self::of(Sent::MaybeSent, Cause::NoAnswer(after)) }
    }

    /// What became of the request, and why, as one line.
    pub(crate) fn describe(&self) -> String {
        format!("{self}: {}", self.cause)
    }

    /// What kept the answer away.
    pub(crate) fn cause(&self) -> &Cause {
        &self.cause
    }

    /// The error that the plugin gets. `request` is told without its query.
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
        let proxy = "HTTPS_PROXY or ALL_PROXY is set, so it may be the proxy that cannot be reached; look at both and at NO_PROXY";
        match self.cause.hint() {
            Some(hint) => error.with_hint(hint),
            None if self.proxied && self.sent == Sent::NotSent => error.with_hint(proxy),
            None => error,
        }
    }

    fn of_client(error: &reqwest::Error, proxied: bool) -> Self {
        // The connector's part includes name lookup, the proxy's tunnel and the TLS handshake: all of them come
        // before the first byte of the request.
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

/// Makes the real service.
pub fn build(network: &Network) -> Result<HttpService, NetworkError> {
    // reqwest takes the provider of the process. That it is installed already is all that is wanted.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let roots = match &network.ca_file {
        Some(path) => ca_file::read(path)?,
        None => Vec::new(),
    };
    let proxied = network.system_proxy
        && proxy::check(|name| std::env::var_os(name))
            .map_err(|proxy::BadVariable { name, problem }| NetworkError::ProxyVariable { name, problem })?;
    let overrides = Arc::new(network.resolve.clone());
    let make = |proxy: bool| {
        let client = client(&overrides, &roots);
        let client = if proxy { client } else { client.no_proxy() };
        client.build().map_err(NetworkError::Client)
    };
    let usual = make(network.system_proxy)?;
    let direct = if network.system_proxy && !overrides.is_empty() { make(false)? } else { usual.clone() };
    Ok(BoxCloneSyncService::new(tower::service_fn(move |request: http::Request<Bytes>| {
        // A proxy would look the name up by itself.
        let overridden = request.uri().host().is_some_and(|host| resolve::find(&overrides, host).is_some());
        send(if overridden { direct.clone() } else { usual.clone() }, request, proxied && !overridden)
    })))
}

fn client(overrides: &Arc<Overrides>, roots: &[Certificate]) -> reqwest::ClientBuilder {
    Client::builder()
        .https_only(true)
        .tls_version_min(tls::Version::TLS_1_2)
        .tls_certs_merge(roots.iter().cloned())
        .redirect(redirect::Policy::none())
        // Every attempt is decided on here, by what is known of the request.
        .retry(reqwest::retry::never())
        .referer(false)
        .connect_timeout(CONNECT_TIMEOUT)
        .pool_idle_timeout(POOL_IDLE_TIMEOUT)
        .dns_resolver(Resolver { overrides: Arc::clone(overrides) })
}

async fn send(
    client: Client,
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
    let mut body = BytesMut::new();
    while let Some(chunk) = answer.chunk().await.map_err(failed)? {
        if body.len() + chunk.len() > MAX_ANSWER {
            return Err(too_long());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(response.map(|()| body.freeze()))
}

#[cfg(test)]
mod tests;
