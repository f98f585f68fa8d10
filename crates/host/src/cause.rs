//! Why a request got no answer, derived from the errors of the client's layers. Contains nothing of the request.

use std::{error::Error, fmt, io, time::Duration};

use jiff::Timestamp;

use crate::{
    budget::{ANSWER, Budget},
    resolve::LookupError,
};

type Link<'a> = &'a (dyn Error + 'static);

/// The cause, as far as the layers reveal it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Cause {
    /// Nothing listens at the address.
    Refused,
    /// Nothing answers at the address within this time.
    NoConnection(Duration),
    /// There is no route to the address.
    NoRoute,
    /// The host name does not exist.
    UnknownHost,
    /// The lookup of the host name failed.
    LookupFailed(String),
    /// The certificate cannot be trusted.
    Certificate(Flaw),
    /// The server does not speak TLS.
    NoTls,
    /// The proxy requires authentication.
    ProxyAuth,
    /// The proxy refuses a tunnel to the host.
    ProxyRefused,
    /// The connection was closed.
    Closed,
    /// The answer did not come within this time.
    NoAnswer(Duration),
    /// The answer is too long.
    TooLong,
    /// The answer would take too much when it is decoded: the budget that it goes beyond.
    Beyond(&'static Budget),
    /// Something else.
    Other(String),
}

/// What is wrong with a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Flaw {
    /// It expired, at this time if known.
    Expired(Option<Timestamp>),
    /// It is not valid yet, until this time if known.
    NotYetValid(Option<Timestamp>),
    /// It is valid only for these names.
    WrongName(Vec<String>),
    /// No trusted CA signed it.
    UnknownIssuer,
    /// It is the certificate of a CA.
    IsCa,
    /// Something else.
    Other(String),
}

impl Cause {
    /// The cause of an error of the client. `connecting` is the time limit for a connection.
    pub(crate) fn of(error: &reqwest::Error, connecting: Duration) -> Self {
        let links = links(error);
        if let Some(cause) = links.iter().find_map(|link| of_link(*link)) {
            return cause;
        }
        if error.is_timeout() && error.is_connect() {
            return Self::NoConnection(connecting);
        }
        if let Some(cause) = links.iter().find_map(|link| link.downcast_ref::<io::Error>().and_then(of_io)) {
            return cause;
        }
        let last = links.last().map_or_else(|| error.to_string(), ToString::to_string);
        let closed = ["connection closed", "unexpected EOF", "end of file", "handshake eof", "IncompleteMessage"];
        if closed.iter().any(|text| last.contains(text)) { Self::Closed } else { Self::Other(last) }
    }

    /// Whether a repetition would fail in the same way, or do harm: proxies lock accounts.
    pub(crate) fn is_final(&self) -> bool {
        match self {
            Self::UnknownHost
            | Self::Certificate(_)
            | Self::NoTls
            | Self::ProxyAuth
            | Self::ProxyRefused
            | Self::TooLong
            | Self::Beyond(_) => true,
            Self::Refused
            | Self::NoConnection(_)
            | Self::NoRoute
            | Self::LookupFailed(_)
            | Self::Closed
            | Self::NoAnswer(_)
            | Self::Other(_) => false,
        }
    }

    /// Whether the cause may concern this host only, not the network, and shows at once.
    pub(crate) fn is_host_specific(&self) -> bool {
        matches!(self, Self::UnknownHost | Self::Certificate(_) | Self::NoTls | Self::TooLong | Self::Beyond(_))
    }

    /// The cause without details of one host, so that the same cause at many hosts is recognized.
    pub(crate) fn brief(&self) -> String {
        match self {
            Self::Certificate(Flaw::Expired(_)) => "its certificate has expired".to_owned(),
            Self::Certificate(Flaw::NotYetValid(_)) => "its certificate is not valid yet".to_owned(),
            Self::Certificate(Flaw::WrongName(_)) => "its certificate is for other names".to_owned(),
            other => other.to_string(),
        }
    }

    /// What the operator can do about it.
    pub(crate) fn hint(&self) -> Option<&'static str> {
        Some(match self {
            Self::UnknownHost => "check the spelling of the host name, and the DNS settings of this machine",
            Self::Certificate(flaw) => flaw.hint(),
            Self::NoTls => "check the port: the server that listens there does not speak TLS",
            Self::ProxyAuth => {
                "put the proxy's user name and password into HTTPS_PROXY, or list the host in NO_PROXY; flowswap does not \
                 repeat the request, because proxies lock accounts"
            }
            Self::ProxyRefused => "allow this host on the proxy that HTTPS_PROXY names, or list the host in NO_PROXY",
            Self::Refused => "check the address and the port, and that the server runs",
            Self::NoConnection(_) | Self::NoRoute => {
                "check the address, the firewall, and the network of this machine; behind a proxy, set HTTPS_PROXY"
            }
            Self::LookupFailed(_) => "check the DNS settings of this machine",
            Self::TooLong | Self::Beyond(_) => {
                "check the address in the configuration: this answer does not come from the interface"
            }
            Self::Closed | Self::NoAnswer(_) | Self::Other(_) => return None,
        })
    }
}

impl Flaw {
    fn hint(&self) -> &'static str {
        match self {
            Self::Expired(_) => "renew the host's certificate; if it is still valid, check this machine's clock",
            Self::NotYetValid(_) => "check this machine's clock",
            Self::WrongName(_) => "check the host name in the configuration; another server may answer in its place",
            Self::UnknownIssuer => {
                "something on the way may present its own certificate. If you trust it, set `ca_file` under `[network]` to its \
                 CA, or to the certificate itself if it is self-signed"
            }
            Self::IsCa => {
                "give the server a certificate with `basicConstraints=CA:FALSE`, or one that the CA signed, and set \
                 `ca_file` to the CA"
            }
            Self::Other(_) => "check the host's certificate",
        }
    }
}

impl Error for Cause {}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused => f.write_str("connection refused"),
            Self::NoConnection(limit) => write!(f, "no connection within {} s", limit.as_secs_f32()),
            Self::NoRoute => f.write_str("no route to its network"),
            Self::UnknownHost => f.write_str("this host name does not exist"),
            Self::LookupFailed(why) => write!(f, "failed to look up its name ({why})"),
            Self::Certificate(flaw) => flaw.fmt(f),
            Self::NoTls => f.write_str("the server does not speak TLS"),
            Self::ProxyAuth => f.write_str("the proxy asks for authentication (407)"),
            Self::ProxyRefused => f.write_str("the proxy refused to connect to it"),
            Self::Closed => f.write_str("the connection was closed"),
            Self::NoAnswer(limit) => write!(f, "no answer within {} s", limit.as_secs_f32()),
            Self::TooLong => ANSWER.fmt(f),
            Self::Beyond(budget) => write!(f, "the answer is not used: {budget}"),
            Self::Other(text) => f.write_str(text),
        }
    }
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Expired(None) => f.write_str("its certificate has expired"),
            Self::Expired(Some(at)) => write!(f, "its certificate expired at {at}"),
            Self::NotYetValid(None) => f.write_str("its certificate is not valid yet"),
            Self::NotYetValid(Some(at)) => write!(f, "its certificate is not valid before {at}"),
            Self::WrongName(names) if names.is_empty() => f.write_str("its certificate is not for any name"),
            Self::WrongName(names) => write!(f, "its certificate is only for {}", names.join(", ")),
            Self::UnknownIssuer => f.write_str("no trusted CA signed its certificate (UnknownIssuer)"),
            Self::IsCa => f.write_str("it presents the certificate of a CA as its own (CaUsedAsEndEntity)"),
            Self::Other(text) => write!(f, "its certificate is not valid ({text})"),
        }
    }
}

/// The error and all its sources, including the ones that an I/O error wraps.
fn links(error: Link<'_>) -> Vec<Link<'_>> {
    let mut links = Vec::new();
    let mut next = Some(error);
    while let Some(link) = next {
        links.push(link);
        let carried = link.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        next = carried.map(|carried| carried as Link<'_>).or_else(|| link.source());
    }
    links
}

fn of_link(link: Link<'_>) -> Option<Cause> {
    if let Some(lookup) = link.downcast_ref::<LookupError>() {
        return Some(match lookup {
            LookupError::Unknown => Cause::UnknownHost,
            LookupError::Failed(why) => Cause::LookupFailed(why.clone()),
        });
    }
    if let Some(tls) = link.downcast_ref::<rustls::Error>() {
        return of_tls(tls);
    }
    // The layer that opens tunnels has no public error type.
    match link.to_string().as_str() {
        text if text.contains("proxy authorization required") => Some(Cause::ProxyAuth),
        text if text.contains("tunnel") && text.contains("unsuccessful") => Some(Cause::ProxyRefused),
        _ => None,
    }
}

fn of_tls(error: &rustls::Error) -> Option<Cause> {
    use rustls::{CertificateError as Bad, Error::InvalidCertificate};
    let time = |time: &rustls::pki_types::UnixTime| Timestamp::from_second(time.as_secs().try_into().ok()?).ok();
    let flaw = match error {
        InvalidCertificate(Bad::Expired) => Flaw::Expired(None),
        InvalidCertificate(Bad::ExpiredContext { not_after, .. }) => Flaw::Expired(time(not_after)),
        InvalidCertificate(Bad::NotValidYet) => Flaw::NotYetValid(None),
        InvalidCertificate(Bad::NotValidYetContext { not_before, .. }) => Flaw::NotYetValid(time(not_before)),
        InvalidCertificate(Bad::NotValidForName) => Flaw::WrongName(Vec::new()),
        InvalidCertificate(Bad::NotValidForNameContext { presented, .. }) => {
            Flaw::WrongName(presented.iter().take(3).map(|name| dns_name(name)).collect())
        }
        // `BadSignature`: the issuer is another CA with the same name.
        InvalidCertificate(Bad::UnknownIssuer | Bad::BadSignature) => Flaw::UnknownIssuer,
        InvalidCertificate(other) if format!("{other:?}").contains("CaUsedAsEndEntity") => Flaw::IsCa,
        InvalidCertificate(other) => Flaw::Other(crate::provenance::displayable(&format!("{other:?}"))),
        rustls::Error::InvalidMessage(_) => return Some(Cause::NoTls),
        _ => return None,
    };
    Some(Cause::Certificate(flaw))
}

/// A name as rustls presents it, `DnsName("a.test")`, without the wrapping.
fn dns_name(presented: &str) -> String {
    let inner = presented.split_once("(\"").and_then(|(_, rest)| rest.strip_suffix("\")"));
    crate::provenance::displayable(inner.unwrap_or(presented))
}

fn of_io(error: &io::Error) -> Option<Cause> {
    use io::ErrorKind as Kind;
    match error.kind() {
        Kind::ConnectionRefused => Some(Cause::Refused),
        Kind::NetworkUnreachable | Kind::HostUnreachable | Kind::NetworkDown | Kind::AddrNotAvailable => {
            Some(Cause::NoRoute)
        }
        Kind::ConnectionReset | Kind::ConnectionAborted | Kind::BrokenPipe | Kind::UnexpectedEof => Some(Cause::Closed),
        _ => None,
    }
}
