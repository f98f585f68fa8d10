//! Tells an answer of the interface from one of a portal, a filter, a load balancer, or a proxy in front of it. Pure.

use std::fmt;

use bytes::Bytes;
use flowswap_contract::{Error, ErrorKind};
use http::{HeaderMap, StatusCode, header};
use reqwest::Url;

/// How many characters of a foreign text are shown.
const MAX_SHOWN: usize = 80;

/// How many bytes of a page are searched for its title.
const MAX_HEAD: usize = 64 * 1024;

/// An answer that does not come from the interface itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Foreign {
    status: StatusCode,
    sign: Sign,
    content_type: Option<String>,
    server: Option<String>,
    title: Option<String>,
    /// The host that a redirect points to.
    location: Option<String>,
}

/// What shows that an answer is foreign.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Sign {
    /// No supported interface redirects its callers.
    Redirect,
    /// Only a proxy asks for this.
    ProxyAuth,
    /// flowswap did not request a compressed answer.
    Compressed(String),
    /// A page for people.
    Page,
    /// It claims to be JSON and is not.
    BrokenJson,
    /// A refusal in prose.
    Words,
}

/// What is foreign about an answer to a request for this URL; `None` if it comes from the interface itself. `clean` removes secrets
/// from a text. What is cut first could end within one.
pub(crate) fn judge(url: &Url, answer: &http::Response<Bytes>, clean: impl Fn(&str) -> String) -> Option<Foreign> {
    let (status, headers, body) = (answer.status(), answer.headers(), answer.body());
    let displayable = |text: &str| displayable(&clean(text));
    let sign = match sign(status, headers, body)? {
        Sign::Compressed(coding) => Sign::Compressed(displayable(&coding)),
        sign => sign,
    };
    Some(Foreign {
        status,
        content_type: text(headers, header::CONTENT_TYPE)
            .map(|kind| displayable(kind.split(';').next().unwrap_or_default())),
        server: text(headers, header::SERVER).map(|server| displayable(&server)).filter(|server| !server.is_empty()),
        title: (sign == Sign::Page)
            .then(|| title(body))
            .flatten()
            .map(|title| displayable(&title))
            .filter(|title| !title.is_empty()),
        location: text(headers, header::LOCATION)
            .and_then(|location| Some(displayable(url.join(&location).ok()?.host_str()?)))
            .filter(|_| sign == Sign::Redirect),
        sign,
    })
}

fn sign(status: StatusCode, headers: &HeaderMap, body: &Bytes) -> Option<Sign> {
    let refused = status.is_client_error() || status.is_server_error();
    let kind = text(headers, header::CONTENT_TYPE).unwrap_or_default().to_ascii_lowercase();
    if status.is_redirection() {
        return Some(Sign::Redirect);
    }
    if status == StatusCode::PROXY_AUTHENTICATION_REQUIRED {
        return Some(Sign::ProxyAuth);
    }
    if let Some(coding) = compression(headers, body) {
        return Some(Sign::Compressed(coding));
    }
    let page = kind.contains("html");
    if body.is_empty() {
        // Some gateways label every answer as HTML, including empty ones.
        return (page && refused).then_some(Sign::Page);
    }
    if page || is_page(body) {
        return Some(Sign::Page);
    }
    let json = serde_json::from_slice::<serde::de::IgnoredAny>(without_bom(body)).is_ok();
    match (kind.contains("json"), refused) {
        (_, false) if json => None,
        (true, false) => Some(Sign::BrokenJson),
        (false, false) => None,
        (_, true) if json && (kind.is_empty() || kind.contains("json") || is_object(body)) => None,
        (true, true) => Some(Sign::BrokenJson),
        (false, true) => Some(Sign::Words),
    }
}

impl Foreign {
    /// The status.
    pub(crate) fn status(&self) -> StatusCode {
        self.status
    }

    /// The cause without details, so that the same cause at many tenants is recognized.
    pub(crate) fn brief(&self) -> String {
        format!("something between this machine and the server answered {}", self.status.as_u16())
    }

    /// Whether a repetition may help. It does not help against a page in place of an answer, a refusal, or a redirect.
    pub(crate) fn is_temporary(&self) -> bool {
        !matches!(self.sign, Sign::Compressed(_)) && matches!(self.status.as_u16(), 408 | 429 | 500 | 502..=504)
    }

    /// The error that the plugin gets in place of the answer. The caller sets its effect.
    pub(crate) fn error(&self, host: &str) -> Error {
        let kind = match self.sign {
            Sign::Compressed(_) => ErrorKind::Invalid,
            Sign::BrokenJson if self.status.is_success() => ErrorKind::Invalid,
            Sign::ProxyAuth => ErrorKind::Unreachable,
            _ => ErrorKind::Unavailable,
        };
        let mut error = Error::new(kind, format!("something between this machine and {host} answered: {self}"))
            .with_hint(self.hint())
            .with_context("answered_by", "foreign")
            .with_context("status", self.status.as_u16().to_string());
        let facts = [
            ("content_type", &self.content_type),
            ("server", &self.server),
            ("title", &self.title),
            ("location_host", &self.location),
        ];
        for (name, value) in facts {
            if let Some(value) = value {
                error = error.with_context(name, value);
            }
        }
        error
    }

    fn hint(&self) -> &'static str {
        match self.sign {
            Sign::Redirect => {
                "check whether a portal wants a person to sign in, or whether the host has a new name; flowswap does not \
                 follow redirects"
            }
            Sign::ProxyAuth => {
                "put the proxy's user name and password into HTTPS_PROXY, or list the host in NO_PROXY; flowswap does not \
                 repeat the request, because proxies lock accounts"
            }
            Sign::Compressed(_) => {
                "find what compresses answers between this machine and the host, and turn the compression off"
            }
            Sign::BrokenJson => "find what truncates or changes answers between this machine and the host",
            Sign::Page | Sign::Words => {
                "check HTTPS_PROXY, NO_PROXY, and the address in the configuration. Then open the address from this machine: a \
                 portal, proxy, filter, load balancer, or maintenance page may answer"
            }
        }
    }
}

impl fmt::Display for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.status.as_u16())?;
        if let Some(kind) = &self.content_type {
            write!(f, " {kind}")?;
        }
        match &self.sign {
            Sign::Compressed(coding) => write!(f, ", compressed (`{coding}`) without being asked to")?,
            Sign::BrokenJson => f.write_str(", truncated or not JSON")?,
            Sign::Redirect if self.location.is_none() => f.write_str(", a redirect without a target")?,
            Sign::Redirect | Sign::ProxyAuth | Sign::Page | Sign::Words => {}
        }
        if let Some(host) = &self.location {
            write!(f, ", a redirect to {host}")?;
        }
        if let Some(server) = &self.server {
            write!(f, ", server `{server}`")?;
        }
        if let Some(title) = &self.title {
            write!(f, ", titled `{title}`")?;
        }
        Ok(())
    }
}

/// A foreign text that is safe to show: one short line without control characters, URL queries, or backticks, which would
/// end our own quotation. Displays make other invisible characters visible.
pub(crate) fn displayable(text: &str) -> String {
    let words = text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty());
    let words = words.map(|word| match word.split_once('?') {
        Some((before, _)) if before.contains('/') => before,
        _ => word,
    });
    let line = words.collect::<Vec<_>>().join(" ");
    let harmless = line.chars().map(|c| if c == '`' { '\'' } else { c });
    let mut kept: String = harmless.clone().take(MAX_SHOWN).collect();
    if harmless.count() > MAX_SHOWN {
        kept.pop();
        kept.push('…');
    }
    kept
}

/// The body without the byte order mark that some servers put in front of it.
pub(crate) fn without_bom(body: &[u8]) -> &[u8] {
    body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body)
}

fn compression(headers: &HeaderMap, body: &[u8]) -> Option<String> {
    let coding = text(headers, header::CONTENT_ENCODING).unwrap_or_default();
    let coding = coding.trim();
    if !coding.is_empty() && !coding.eq_ignore_ascii_case("identity") && !body.is_empty() {
        return Some(coding.to_owned());
    }
    body.starts_with(b"\x1f\x8b").then(|| "gzip".to_owned())
}

fn is_page(body: &[u8]) -> bool {
    let start = without_bom(body).trim_ascii_start();
    let begins = |with: &str| start.get(..with.len()).is_some_and(|s| s.eq_ignore_ascii_case(with.as_bytes()));
    ["<!doctype html", "<html", "<head", "<body"].iter().any(|with| begins(with))
}

/// Whether the body is a JSON object. An error object counts as one regardless of its content type.
fn is_object(body: &[u8]) -> bool {
    without_bom(body).trim_ascii_start().starts_with(b"{")
}

fn title(body: &[u8]) -> Option<String> {
    let head = String::from_utf8_lossy(body.get(..MAX_HEAD).unwrap_or(body));
    // Lower-casing ASCII keeps every byte position.
    let folded = head.to_ascii_lowercase();
    let start = folded.find("<title")?;
    let start = start + folded.get(start..)?.find('>')? + 1;
    let end = start + folded.get(start..)?.find('<')?;
    let decoded = ["&lt;<", "&gt;>", "&quot;\"", "&#39;'", "&nbsp; ", "&amp;&"].iter().fold(
        head.get(start..end)?.to_owned(),
        |text, pair| {
            let (name, character) = pair.split_at(pair.len() - 1);
            text.replace(name, character)
        },
    );
    Some(decoded)
}

fn text(headers: &HeaderMap, name: header::HeaderName) -> Option<String> {
    headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
}

#[cfg(test)]
mod tests;
