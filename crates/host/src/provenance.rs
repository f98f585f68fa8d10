//! Tells an answer of the interface from one of something in between: a portal, a filter, a balancer, a proxy. Pure.

use std::fmt;

use bytes::Bytes;
use flowswap_contract::{Error, ErrorKind};
use http::{HeaderMap, StatusCode, header};
use reqwest::Url;

/// The most characters of a foreign text that are shown.
const MAX_SHOWN: usize = 80;

/// How far into a page its title is looked for.
const MAX_HEAD: usize = 64 * 1024;

/// An answer that is not the interface's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Foreign {
    status: StatusCode,
    sign: Sign,
    content_type: Option<String>,
    server: Option<String>,
    title: Option<String>,
    /// The host to which a redirect leads.
    location: Option<String>,
}

/// What shows that an answer is foreign.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Sign {
    /// No interface sends its callers elsewhere.
    Redirect,
    /// Only a proxy asks for this.
    ProxyAuth,
    /// Nobody asked for a compressed answer.
    Compressed(String),
    /// A page for people.
    Page,
    /// It says that it is JSON.
    BrokenJson,
    /// A refusal in words for people.
    Words,
}

/// What is foreign about an answer to a request for this URL; none where it is the interface's own.
pub(crate) fn judge(url: &Url, answer: &http::Response<Bytes>) -> Option<Foreign> {
    let (status, headers, body) = (answer.status(), answer.headers(), answer.body());
    let sign = sign(status, headers, body)?;
    Some(Foreign {
        status,
        content_type: text(headers, header::CONTENT_TYPE).map(|kind| shown(kind.split(';').next().unwrap_or_default())),
        server: text(headers, header::SERVER).map(|server| shown(&server)).filter(|server| !server.is_empty()),
        title: if sign == Sign::Page { title(body) } else { None },
        location: text(headers, header::LOCATION)
            .and_then(|location| Some(shown(url.join(&location).ok()?.host_str()?)))
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
        // Some gateways call an empty answer HTML because they call every answer so.
        return (page && refused).then_some(Sign::Page);
    }
    if page || is_page(body) {
        return Some(Sign::Page);
    }
    let json = serde_json::from_slice::<serde::de::IgnoredAny>(without_mark(body)).is_ok();
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

    /// The cause that many tenants may have in common.
    pub(crate) fn brief(&self) -> String {
        format!("something in between answered {}", self.status.as_u16())
    }

    /// Whether it is worth asking again. A page in place of an answer, a refusal or a redirect is what it is.
    pub(crate) fn may_pass(&self) -> bool {
        !matches!(self.sign, Sign::Compressed(_)) && matches!(self.status.as_u16(), 408 | 429 | 500 | 502..=504)
    }

    /// The error that the plugin gets in place of the answer; its effect is the caller's to say.
    pub(crate) fn error(&self, host: &str) -> Error {
        let kind = match self.sign {
            Sign::Compressed(_) => ErrorKind::Invalid,
            Sign::BrokenJson if self.status.is_success() => ErrorKind::Invalid,
            Sign::ProxyAuth => ErrorKind::Unreachable,
            _ => ErrorKind::Unavailable,
        };
        let mut error = Error::new(kind, format!("something in between answered for {host}: {self}"))
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
                "flowswap follows no redirects: a portal may want a person to sign in, or the host has another name now"
            }
            Sign::ProxyAuth => {
                "a proxy asks for a user and a password: give them in HTTPS_PROXY, or name the host in NO_PROXY; the \
                 request is not repeated, because proxies lock accounts"
            }
            Sign::Compressed(_) => {
                "something on the way compresses answers although nobody asked for it; have it left out"
            }
            Sign::BrokenJson => "something on the way has cut the answer off or changed it",
            Sign::Page | Sign::Words => {
                "open the address from this machine to see who answers: a portal, a proxy, a filter, a load balancer or a \
                 maintenance page; look at HTTPS_PROXY and NO_PROXY, and at the address in the configuration"
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
            Sign::Compressed(coding) => write!(f, ", compressed (`{coding}`) although nobody asked for it")?,
            Sign::BrokenJson => f.write_str(", cut off or no JSON at all")?,
            Sign::Redirect if self.location.is_none() => f.write_str(", a redirect that leads nowhere")?,
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

/// A foreign text as it may be shown: one short line without control characters, the query of a URL, or a quotation
/// mark that would end ours. What else is hidden in it, every display makes visible.
pub(crate) fn shown(text: &str) -> String {
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

/// The body without the mark that some put before it.
pub(crate) fn without_mark(body: &[u8]) -> &[u8] {
    body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body)
}

fn compression(headers: &HeaderMap, body: &[u8]) -> Option<String> {
    let coding = text(headers, header::CONTENT_ENCODING).unwrap_or_default();
    let coding = coding.trim();
    if !coding.is_empty() && !coding.eq_ignore_ascii_case("identity") && !body.is_empty() {
        return Some(shown(coding));
    }
    body.starts_with(b"\x1f\x8b").then(|| "gzip".to_owned())
}

fn is_page(body: &[u8]) -> bool {
    let start = without_mark(body).trim_ascii_start();
    let begins = |with: &str| start.get(..with.len()).is_some_and(|s| s.eq_ignore_ascii_case(with.as_bytes()));
    ["<!doctype html", "<html", "<head", "<body"].iter().any(|with| begins(with))
}

/// An error object is one under whatever name it is sent.
fn is_object(body: &[u8]) -> bool {
    without_mark(body).trim_ascii_start().starts_with(b"{")
}

fn title(body: &[u8]) -> Option<String> {
    let head = String::from_utf8_lossy(body.get(..MAX_HEAD).unwrap_or(body));
    // Case folding of ASCII keeps every position.
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
    Some(shown(&decoded)).filter(|title| !title.is_empty())
}

fn text(headers: &HeaderMap, name: header::HeaderName) -> Option<String> {
    headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
}

#[cfg(test)]
mod tests;
