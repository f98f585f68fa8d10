//! Who answered: the API that was asked, or something in between. A captive portal, a filtering proxy, a load balancer and a
//! maintenance page all speak HTTP, and none of them knows anything of an app or a client. What they say never reaches a plugin.
//!
//! The API's answers are JSON, or have no body. A gateway may say `OK` as text where it succeeds, and nobody else redirects.

use bytes::Bytes;
use flowswap_contract::{Error, ErrorKind};
use http::{HeaderMap, Response, StatusCode, header};
use serde_json::Value;

/// How much of a foreign word is repeated.
const MOST_SHOWN: usize = 80;

/// The error that an answer stands for which is not the API's own, or is no whole one; none for the API's.
pub(crate) fn doubt(host: &str, answer: &Response<Bytes>) -> Option<Error> {
    let (status, headers, body) = (answer.status(), answer.headers(), answer.body());
    let kind = text(headers, header::CONTENT_TYPE).unwrap_or_default().to_ascii_lowercase();
    if status.is_redirection() {
        return Some(redirected(host, answer));
    }
    if status == StatusCode::PROXY_AUTHENTICATION_REQUIRED {
        return Some(foreign(host, answer).with_hint("the proxy wants credentials; look at HTTPS_PROXY and NO_PROXY"));
    }
    if let Some(coding) = text(headers, header::CONTENT_ENCODING).filter(|coding| coding != "identity") {
        let message = format!(
            "{host} answered {status} compressed (`{coding}`), which was not asked for",
            status = status.as_u16()
        );
        return Some(Error::new(ErrorKind::Invalid, message).with_context("status", status.as_str()));
    }
    if body.is_empty() {
        return None;
    }
    let is_html = kind.contains("html") || (!kind.contains("json") && body.trim_ascii_start().starts_with(b"<"));
    let is_json = || serde_json::from_slice::<Value>(body).is_ok();
    match () {
        () if is_html => Some(foreign(host, answer)),
        () if is_json() => None,
        () if !status.is_success() => Some(foreign(host, answer)),
        () if kind.contains("json") || kind.is_empty() => {
            let message =
                format!("{host} answered {} with JSON that does not parse: it may have been cut off", status.as_u16());
            Some(Error::new(ErrorKind::Invalid, message).with_context("status", status.as_str()))
        }
        () => None,
    }
}

fn foreign(host: &str, answer: &Response<Bytes>) -> Error {
    let (status, headers) = (answer.status(), answer.headers());
    let kind = text(headers, header::CONTENT_TYPE).map(|kind| kind.split(';').next().unwrap_or_default().to_owned());
    let server = text(headers, header::SERVER);
    let title = find_title(answer.body());
    let mut message = format!("something in between answered for {host}: {}", status.as_u16());
    message += &kind.as_ref().map(|kind| format!(" {kind}")).unwrap_or_default();
    message += &server.as_ref().map(|server| format!(", server `{server}`")).unwrap_or_default();
    message += &title.as_ref().map(|title| format!(", titled `{title}`")).unwrap_or_default();
    let mut error = Error::new(ErrorKind::Unavailable, message)
        .with_hint(
            "a proxy, a portal or a load balancer answered; look at what stands between this machine and the host",
        )
        .with_context("answered_by", "foreign")
        .with_context("status", status.as_str());
    for (key, value) in [("content_type", kind), ("server", server), ("title", title)] {
        if let Some(value) = value {
            error = error.with_context(key, value);
        }
    }
    error
}

fn redirected(host: &str, answer: &Response<Bytes>) -> Error {
    let location = answer.headers().get(header::LOCATION).and_then(|value| value.to_str().ok());
    let target = location.and_then(|location| reqwest::Url::parse(location).ok());
    let target = target.as_ref().and_then(|url| url.host_str()).map(str::to_owned);
    let to = target.as_ref().map_or("without a readable host".to_owned(), |target| format!("to {target}"));
    let message =
        format!("{host} redirected the request {to} ({}), which no request follows", answer.status().as_u16());
    let error = Error::new(ErrorKind::Unavailable, message)
        .with_hint("the host may have another name, or a portal answered; look at the configured host")
        .with_context("answered_by", "foreign")
        .with_context("status", answer.status().as_str());
    match target {
        Some(target) => error.with_context("location_host", target),
        None => error,
    }
}

fn text(headers: &HeaderMap, name: header::HeaderName) -> Option<String> {
    headers.get(name).map(|value| one_line(&String::from_utf8_lossy(value.as_bytes()))).filter(|text| !text.is_empty())
}

/// What stands between the first `<title>` and its end.
fn find_title(body: &[u8]) -> Option<String> {
    let page = String::from_utf8_lossy(&body[..body.len().min(64 * 1024)]).into_owned();
    let lower = page.to_ascii_lowercase();
    let begin = lower.find("<title")?;
    let begin = begin + lower[begin..].find('>')? + 1;
    let end = begin + lower[begin..].find("</title")?;
    Some(one_line(&page[begin..end])).filter(|title| !title.is_empty())
}

/// A foreign word as a part of one line: without what could move a cursor, and not too long.
fn one_line(text: &str) -> String {
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    words.chars().filter(|c| !c.is_control()).take(MOST_SHOWN).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, headers: &[(&str, &str)], body: &str) -> Response<Bytes> {
        let mut response = Response::builder().status(status);
        for (name, value) in headers {
            response = response.header(*name, *value);
        }
        response.body(body.to_owned().into()).unwrap()
    }

    #[test]
    fn what_stands_in_between_is_told_from_the_api() {
        const HTML: (&str, &str) = ("content-type", "text/html; charset=utf-8");
        const JSON: (&str, &str) = ("content-type", "application/json");
        const TEXT: (&str, &str) = ("content-type", "text/plain");
        let portal = "<!doctype html><html><head><TITLE>\n Network\u{7} login</TITLE></head></html>";
        type Case<'a> = (u16, &'a [(&'a str, &'a str)], &'a str, Option<&'a str>);
        let table: [Case<'_>; 25] = [
            (200, &[JSON], "[]", None),
            (200, &[], "{}", None),
            (200, &[TEXT], "OK", None),
            (200, &[TEXT], r#"{"a":1}"#, None),
            (204, &[], "", None),
            (403, &[("www-authenticate", "Bearer error=\"insufficient_scope\"")], "", None),
            (404, &[JSON], r#"{"errorCode":"E0000007"}"#, None),
            (404, &[TEXT], r#"{"errorCode":"E0000007"}"#, None),
            (500, &[JSON], r#"{"errorCode":"E0000009"}"#, None),
            (
                200,
                &[HTML, ("server", "corporate-proxy")],
                portal,
                Some(
                    "something in between answered for x.test: 200 text/html, server `corporate-proxy`, titled `Network login`",
                ),
            ),
            (200, &[], portal, Some("something in between answered for x.test: 200, titled `Network login`")),
            (403, &[HTML], "", None),
            (403, &[HTML], "<html>", Some("something in between answered for x.test: 403 text/html")),
            (
                404,
                &[HTML, ("server", "awselb/2.0")],
                "<html><title>404 Not Found</title>",
                Some(
                    "something in between answered for x.test: 404 text/html, server `awselb/2.0`, titled `404 Not Found`",
                ),
            ),
            (503, &[TEXT], "upstream connect error", Some("something in between answered for x.test: 503 text/plain")),
            (502, &[JSON], "bad gateway", Some("something in between answered for x.test: 502 application/json")),
            (407, &[], "", Some("something in between answered for x.test: 407")),
            (
                302,
                &[("location", "https://login.example/a?token=1")],
                "",
                Some("x.test redirected the request to login.example (302), which no request follows"),
            ),
            (
                307,
                &[("location", "/elsewhere")],
                "",
                Some("x.test redirected the request without a readable host (307), which no request follows"),
            ),
            (
                304,
                &[],
                "",
                Some("x.test redirected the request without a readable host (304), which no request follows"),
            ),
            (
                200,
                &[JSON, ("content-encoding", "gzip")],
                "\u{1f}",
                Some("x.test answered 200 compressed (`gzip`), which was not asked for"),
            ),
            (200, &[JSON, ("content-encoding", "identity")], "[]", None),
            (
                200,
                &[JSON],
                r#"[{"id":"0o"#,
                Some("x.test answered 200 with JSON that does not parse: it may have been cut off"),
            ),
            (
                201,
                &[],
                r#"{"id":"0o"#,
                Some("x.test answered 201 with JSON that does not parse: it may have been cut off"),
            ),
            (
                200,
                &[("content-type", "application/xml")],
                "<ok/>",
                Some("something in between answered for x.test: 200 application/xml"),
            ),
        ];
        for (status, headers, body, expected) in table {
            let error = doubt("x.test", &answer(status, headers, body));
            assert_eq!(error.as_ref().map(|error| error.message.as_str()), expected, "{status} {headers:?} {body}");
            let Some(error) = error else { continue };
            let is_foreign = error.context.get("answered_by").is_some_and(|by| by == "foreign");
            assert_eq!(error.kind == ErrorKind::Unavailable, is_foreign, "{error:?}");
            assert_eq!(error.context["status"], status.to_string());
        }
    }

    #[test]
    fn a_foreign_title_stays_on_one_short_line() {
        let long = format!("<html><title>{}\u{1b}[2K\r\nready</title>", "x".repeat(500));
        let error = doubt("x.test", &answer(403, &[], &long)).unwrap();
        assert!(error.message.len() < 200 && !error.message.contains(['\u{1b}', '\n']), "{error}");
    }
}
