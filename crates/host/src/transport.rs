//! The HTTP client: rustls, no redirects, no retries of its own, behind a service that tests replace.

use std::{
    collections::BTreeMap,
    error::Error as _,
    fmt, io,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use reqwest::{Certificate, Client, redirect, tls};
use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};
use tower::{BoxError, util::BoxCloneSyncService};

use crate::resolve::{self, HostPattern, Overrides, Resolver};

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
    /// Whether the proxy that the system names is used.
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
    #[error("the CA file `{}` does not hold a certificate in PEM form", path.display())]
    CaContent {
        /// The file.
        path: PathBuf,
        /// Why, where there is more to say.
        #[source]
        source: Option<BoxError>,
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
            Self::CaContent { .. } => Some("a certificate in PEM form starts with `-----BEGIN CERTIFICATE-----`"),
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
    /// What the client said.
    source: BoxError,
}

impl TransportError {
    /// An error after which the request can have arrived or cannot.
    pub fn new(sent: Sent, source: impl Into<BoxError>) -> Self {
        Self { sent, timed_out: false, source: source.into() }
    }

    /// The error of a request that was given up after this time.
    pub(crate) fn gave_up(after: Duration) -> Self {
        let source = format!("no answer within {} s", after.as_secs_f32());
        Self { sent: Sent::MaybeSent, timed_out: true, source: source.into() }
    }

    /// The whole chain as one line: what became of the request, and why.
    pub(crate) fn describe(&self) -> String {
        let mut line = self.to_string();
        let mut next = self.source();
        while let Some(error) = next {
            let text = error.to_string();
            // Some layers only repeat what they carry.
            if !line.ends_with(&text) {
                line = format!("{line}: {text}");
            }
            next = error.source();
        }
        line
    }

    /// What the operator can do about it.
    pub(crate) fn hint(&self) -> Option<&'static str> {
        let line = self.describe();
        if line.contains("UnknownIssuer") || line.contains("BadSignature") {
            return Some("if this certificate is to be trusted, name its CA as `ca_file` under `[network]`");
        }
        if line.contains("tunnel") || line.contains("proxy") {
            return Some("look at the proxy settings (HTTPS_PROXY, NO_PROXY)");
        }
        None
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
        Some(self.source.as_ref())
    }
}

impl From<reqwest::Error> for TransportError {
    fn from(error: reqwest::Error) -> Self {
        // The connector's part includes name lookup, the proxy's tunnel and the TLS handshake: all of them come
        // before the first byte of the request.
        let sent = if error.is_connect() || error.is_builder() { Sent::NotSent } else { Sent::MaybeSent };
        Self { sent, timed_out: error.is_timeout(), source: error.without_url().into() }
    }
}

/// Makes the real service.
pub fn build(network: &Network) -> Result<HttpService, NetworkError> {
    // reqwest takes the provider of the process. That it is installed already is all that is wanted.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let roots = match &network.ca_file {
        Some(path) => read_certificates(path)?,
        None => Vec::new(),
    };
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
        send(if overridden { direct.clone() } else { usual.clone() }, request)
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

fn read_certificates(path: &Path) -> Result<Vec<Certificate>, NetworkError> {
    let pem = std::fs::read(path).map_err(|source| NetworkError::CaFile { path: path.to_owned(), source })?;
    match parse_certificates(&pem) {
        Ok(roots) if !roots.is_empty() => Ok(roots),
        Ok(_) => Err(NetworkError::CaContent { path: path.to_owned(), source: None }),
        Err(error) => Err(NetworkError::CaContent { path: path.to_owned(), source: Some(error) }),
    }
}

/// Also tries each certificate as a root, because reqwest would only do so when it no longer knows the file.
fn parse_certificates(pem: &[u8]) -> Result<Vec<Certificate>, BoxError> {
    let mut roots = Vec::new();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate?;
        roots.push(Certificate::from_der(&certificate)?);
        RootCertStore::empty().add(certificate)?;
    }
    Ok(roots)
}

async fn send(client: Client, request: http::Request<Bytes>) -> Result<http::Response<Bytes>, TransportError> {
    let mut answer = client.execute(request.try_into()?).await?;
    let mut response = http::Response::new(());
    *response.status_mut() = answer.status();
    *response.headers_mut() = std::mem::take(answer.headers_mut());
    let mut body = BytesMut::new();
    while let Some(chunk) = answer.chunk().await? {
        if body.len() + chunk.len() > MAX_ANSWER {
            let problem = format!("the answer is longer than the {MAX_ANSWER} bytes that are read");
            return Err(TransportError::new(Sent::MaybeSent, problem));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(response.map(|()| body.freeze()))
}

#[cfg(test)]
mod tests;
