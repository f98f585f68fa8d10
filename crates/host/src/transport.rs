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

use crate::{
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
    /// The file holds something else than certificates. What it holds is not repeated: it may be a key.
    #[error("the CA file `{}` {problem}", path.display())]
    CaKind {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A variable of the environment that names a proxy, or what goes by none, cannot be read. Its value may hold a password.
    #[error("`{variable}` cannot be read as {expected}")]
    Proxy {
        /// The variable.
        variable: &'static str,
        /// What it should be.
        expected: &'static str,
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
            Self::CaKind { .. } => Some("export the CA's certificate in PEM form, with its line breaks"),
            Self::Proxy { .. } => {
                Some("set it right, or unset it; `system_proxy = false` under `[network]` ignores it")
            }
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

/// What kept a request from being answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    /// Nobody listens.
    Refused,
    /// The address does not answer.
    Unreachable,
    /// There is no host of this name.
    UnknownHost,
    /// The server's certificate is not accepted.
    Certificate,
    /// The proxy lets no connection through.
    Proxy,
    /// The answer is longer than what is read.
    TooLong,
    /// Anything else.
    Other,
}

impl Cause {
    /// Another try would end the same way; at a proxy it could lock the account.
    pub(crate) fn is_final(self) -> bool {
        matches!(self, Self::UnknownHost | Self::Certificate | Self::Proxy | Self::TooLong)
    }

    /// No connection came about.
    pub(crate) fn is_connecting(self) -> bool {
        !matches!(self, Self::TooLong | Self::Other)
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Refused => "connection refused",
            Self::Unreachable => "no answer from the address",
            Self::UnknownHost => "unknown host",
            Self::Certificate => "the certificate is not accepted",
            Self::Proxy => "the proxy refused the connection",
            Self::TooLong => "the answer is too long",
            Self::Other => "no answer",
        }
    }
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
    cause: Cause,
}

impl TransportError {
    /// An error after which the request can have arrived or cannot.
    pub fn new(sent: Sent, source: impl Into<BoxError>) -> Self {
        let source = source.into();
        let cause = find_cause(source.as_ref());
        Self { sent, timed_out: false, source, cause }
    }

    /// The error of a request that was given up after this time.
    pub(crate) fn gave_up(after: Duration) -> Self {
        let source = format!("no answer within {} s", after.as_secs_f32());
        Self { sent: Sent::MaybeSent, timed_out: true, source: source.into(), cause: Cause::Other }
    }

    /// The error of a request that was not sent, because all others fail by the same cause.
    pub(crate) fn not_tried(cause: Cause) -> Self {
        let source = format!("not tried: no host can be reached ({})", cause.as_str());
        Self { sent: Sent::NotSent, timed_out: false, source: source.into(), cause }
    }

    pub(crate) fn cause(&self) -> Cause {
        self.cause
    }

    /// One line: what became of the request, and why.
    pub(crate) fn describe(&self) -> String {
        if self.cause == Cause::Refused {
            return format!("{self}: {}", last(self.source.as_ref()));
        }
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
        match self.cause {
            Cause::Certificate if line.contains("Expired") || line.contains("expired") => {
                Some("the server's certificate has expired; if it has not, this machine's clock is wrong")
            }
            Cause::Certificate if line.contains("NotValidForName") || line.contains("not valid for name") => {
                Some("the server's certificate is for another name; check the configured host")
            }
            Cause::Certificate => Some("to trust this certificate, name its CA as `ca_file` under `[network]`"),
            Cause::Proxy => Some("check the proxy settings (HTTPS_PROXY, NO_PROXY) and the proxy's credentials"),
            Cause::UnknownHost => Some("check the configured host name, and this machine's name servers"),
            Cause::Refused | Cause::Unreachable | Cause::TooLong | Cause::Other => None,
        }
    }
}

/// The last error of a chain, which knows best.
fn last(error: &(dyn std::error::Error + 'static)) -> String {
    let mut error = error;
    while let Some(next) = error.source() {
        error = next;
    }
    error.to_string()
}

/// What the chain of errors of the client, of TLS and of the system says.
fn find_cause(error: &(dyn std::error::Error + 'static)) -> Cause {
    let mut next = Some(error);
    let mut cause = Cause::Other;
    while let Some(error) = next {
        if let Some(found) = classify(error) {
            cause = found;
        }
        next = error.source();
    }
    cause
}

fn classify(error: &(dyn std::error::Error + 'static)) -> Option<Cause> {
    if let Some(error) = error.downcast_ref::<io::Error>() {
        // The source of an I/O error is that of the error in it, and never that error itself.
        let inner = error.get_ref().and_then(|inner| classify(inner));
        return inner.or(match error.kind() {
            io::ErrorKind::ConnectionRefused => Some(Cause::Refused),
            io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => Some(Cause::Unreachable),
            _ => None,
        });
    }
    if let Some(rustls::Error::InvalidCertificate(_)) = error.downcast_ref::<rustls::Error>() {
        return Some(Cause::Certificate);
    }
    // What the client's own layers do not export is known by its words (hyper-util, reqwest).
    match error.to_string() {
        text if text.starts_with("failed to lookup address information") && !text.contains("Temporary") => {
            Some(Cause::UnknownHost)
        }
        text if text.contains("tunnel error") || text.contains("proxy authorization required") => Some(Cause::Proxy),
        text if text.contains("longer than the") && text.contains("bytes that are read") => Some(Cause::TooLong),
        _ => None,
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
        let is_slow_to_connect = error.is_timeout() && error.is_connect();
        let timed_out = error.is_timeout();
        let made = Self::new(sent, error.without_url());
        let cause = if is_slow_to_connect { Cause::Unreachable } else { made.cause };
        Self { timed_out, cause, ..made }
    }
}

/// Makes the real service.
pub fn build(network: &Network) -> Result<HttpService, NetworkError> {
    // reqwest takes the provider of the process. That it is installed already is all that is wanted.
    let _ = rustls::crypto::ring::default_provider().install_default();
    if network.system_proxy {
        proxy::check(|variable| std::env::var(variable).ok())?;
    }
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
    if let Some(problem) = find_problem(&pem) {
        return Err(NetworkError::CaKind { path: path.to_owned(), problem });
    }
    match parse_certificates(&pem) {
        Ok(roots) if !roots.is_empty() => Ok(roots),
        Ok(_) => Err(NetworkError::CaContent { path: path.to_owned(), source: None }),
        // An error of the PEM format repeats the line that it is about, which may be that of a key.
        Err(error) if error.is::<rustls::pki_types::pem::Error>() => {
            Err(NetworkError::CaContent { path: path.to_owned(), source: None })
        }
        Err(error) => Err(NetworkError::CaContent { path: path.to_owned(), source: Some(error) }),
    }
}

/// What is wrong with a file that holds no certificate in PEM form, where that can be told.
fn find_problem(pem: &[u8]) -> Option<&'static str> {
    let text = String::from_utf8_lossy(pem);
    let (begin, key) = ("-----BEGIN CERTIFICATE-----", "PRIVATE KEY-----");
    match () {
        () if text.trim().is_empty() => Some("is empty"),
        () if text.contains(begin) => {
            let is_whole = |line: &str| line.trim_end() == begin;
            (!text.lines().any(is_whole))
                .then_some("has lost its line breaks: the first line must end after `CERTIFICATE-----`")
        }
        () if text.contains(key) => Some("holds a private key, and no certificate"),
        () if pem.starts_with(&[0x30]) => Some("is in DER form, and PEM form is needed"),
        () => None,
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
