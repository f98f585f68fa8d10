//! Why a request got no answer, told from what the client's layers say. Holds nothing of the request.

use std::{error::Error, fmt, io, time::Duration};

use jiff::Timestamp;

use crate::resolve::LookupError;

type Link<'a> = &'a (dyn Error + 'static);

/// The cause, as far as the layers let it be known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Cause {
    /// Nobody listens there.
    Refused,
    /// Nothing answers at the address.
    NoConnection(Duration),
    /// There is no way to the address.
    NoRoute,
    /// The name leads nowhere.
    UnknownHost,
    /// Nobody could say where the name leads.
    LookupFailed(String),
    /// The certificate is not to be trusted.
    Certificate(Flaw),
    /// What answers does not speak TLS.
    NoTls,
    /// The proxy wants to know who asks.
    ProxyAuth,
    /// The proxy makes no tunnel to the host.
    ProxyRefused,
    /// The connection ended.
    Closed,
    /// The answer did not come within this time.
    NoAnswer(Duration),
    /// The answer is longer than this many bytes.
    TooLong(usize),
    /// Something else.
    Other(String),
}

/// What is wrong with a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Flaw {
    /// It was valid until then.
    Expired(Option<Timestamp>),
    /// It is valid from then on.
    NotYetValid(Option<Timestamp>),
    /// It is for these names only.
    WrongName(Vec<String>),
    /// Nobody who is trusted has signed it.
    UnknownIssuer,
    /// It is a CA's own.
    IsCa,
    /// Something else.
    Other(String),
}

impl Cause {
    /// What an error of the client tells. `connecting` is the time that a connection may take.
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

    /// Whether a repetition can only fail in the same way, or do harm: proxies lock accounts.
    pub(crate) fn is_final(&self) -> bool {
        match self {
            Self::UnknownHost
            | Self::Certificate(_)
            | Self::NoTls
            | Self::ProxyAuth
            | Self::ProxyRefused
            | Self::TooLong(_) => true,
            Self::Refused
            | Self::NoConnection(_)
            | Self::NoRoute
            | Self::LookupFailed(_)
            | Self::Closed
            | Self::NoAnswer(_)
            | Self::Other(_) => false,
        }
    }

    /// Whether it may be a cause of this one host, as opposed to the network, and shows at once.
    pub(crate) fn is_of_host(&self) -> bool {
        matches!(self, Self::UnknownHost | Self::Certificate(_) | Self::NoTls | Self::TooLong(_))
    }

    /// The cause without what is special about one host, so that it can be told that many have the same.
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
            Self::UnknownHost => "look for a typing error in the host's name, and at the name server of this machine",
            Self::Certificate(flaw) => flaw.hint(),
            Self::NoTls => "look at the port: what listens there does not speak TLS",
            Self::ProxyAuth => {
                "the proxy asks for a user and a password: give them in HTTPS_PROXY, or name the host in NO_PROXY; \
                 the request is not repeated, because proxies lock accounts"
            }
            Self::ProxyRefused => {
                "the proxy that HTTPS_PROXY names does not let this host through; have it allowed, or name the host in \
                 NO_PROXY"
            }
            Self::TooLong(_) => "this is not the answer of an interface; look at the address in the configuration",
            Self::Refused
            | Self::NoConnection(_)
            | Self::NoRoute
            | Self::LookupFailed(_)
            | Self::Closed
            | Self::NoAnswer(_)
            | Self::Other(_) => return None,
        })
    }
}

impl Flaw {
    fn hint(&self) -> &'static str {
        match self {
            Self::Expired(_) => {
                "whoever runs the host must renew its certificate; if it is said to be valid, look at this machine's clock"
            }
            Self::NotYetValid(_) => "look at this machine's clock",
            Self::WrongName(_) => {
                "look at the host's name in the configuration; another server may answer in its place"
            }
            Self::UnknownIssuer => {
                "something on the way may show a certificate of its own; if it is to be trusted, name its CA (or, if it \
                 has signed itself, the certificate) as `ca_file` under `[network]`"
            }
            Self::IsCa => {
                "a certificate that is a CA's cannot be a server's: make one with `basicConstraints=CA:FALSE`, or one that \
                 is signed by the CA, and name the CA as `ca_file`"
            }
            Self::Other(_) => "whoever runs the host must look at its certificate",
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
            Self::UnknownHost => f.write_str("there is no host of this name"),
            Self::LookupFailed(why) => write!(f, "its name could not be looked up ({why})"),
            Self::Certificate(flaw) => flaw.fmt(f),
            Self::NoTls => f.write_str("what answers there does not speak TLS"),
            Self::ProxyAuth => f.write_str("the proxy asks for authentication (407)"),
            Self::ProxyRefused => f.write_str("the proxy refused to connect to it"),
            Self::Closed => f.write_str("the connection was closed"),
            Self::NoAnswer(limit) => write!(f, "no answer within {} s", limit.as_secs_f32()),
            Self::TooLong(limit) => write!(f, "the answer is longer than the {} MiB that are read", limit >> 20),
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
            Self::NotYetValid(Some(at)) => write!(f, "its certificate is valid from {at} on only"),
            Self::WrongName(names) if names.is_empty() => f.write_str("its certificate is for no name at all"),
            Self::WrongName(names) => write!(f, "its certificate is only for {}", names.join(", ")),
            Self::UnknownIssuer => f.write_str("nobody who is trusted has signed its certificate (UnknownIssuer)"),
            Self::IsCa => f.write_str("it shows the certificate of a CA as its own (CaUsedAsEndEntity)"),
            Self::Other(text) => write!(f, "its certificate is not valid ({text})"),
        }
    }
}

/// The error and all that led to it, also where an I/O error hides what it carries.
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
    // The layer that makes tunnels has no type of its own that others could see.
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
        // Another CA of the same name.
        InvalidCertificate(Bad::UnknownIssuer | Bad::BadSignature) => Flaw::UnknownIssuer,
        InvalidCertificate(other) if format!("{other:?}").contains("CaUsedAsEndEntity") => Flaw::IsCa,
        InvalidCertificate(other) => Flaw::Other(crate::provenance::shown(&format!("{other:?}"))),
        rustls::Error::InvalidMessage(_) => return Some(Cause::NoTls),
        _ => return None,
    };
    Some(Cause::Certificate(flaw))
}

/// A name as rustls presents it, `DnsName("a.test")`, without the wrapping.
fn dns_name(presented: &str) -> String {
    let inner = presented.split_once("(\"").and_then(|(_, rest)| rest.strip_suffix("\")"));
    crate::provenance::shown(inner.unwrap_or(presented))
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
