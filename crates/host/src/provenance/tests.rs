//! Answers of the interface, and answers of a proxy or portal.

use flowswap_contract::ErrorKind::{Invalid, Unavailable, Unreachable};

use super::*;

const PORTAL: &str =
    "<!DOCTYPE html><html><head><TITLE lang=en>\n Sign in &amp; accept </TITLE></head><body>hunter2</body></html>";

fn answer(status: u16, headers: &[(&str, &str)], body: &[u8]) -> http::Response<Bytes> {
    let mut answer = http::Response::builder().status(status);
    for (name, value) in headers {
        answer = answer.header(*name, *value);
    }
    answer.body(Bytes::copy_from_slice(body)).unwrap()
}

fn judged(status: u16, headers: &[(&str, &str)], body: &[u8]) -> Option<Error> {
    let url = Url::parse("https://acme.okta.test/api/v1/apps?limit=2").unwrap();
    judge(&url, &answer(status, headers, body), str::to_owned).map(|foreign| foreign.error("acme.okta.test"))
}

#[test]
fn answers_of_the_interface_are_accepted() {
    let json = ("content-type", "application/json");
    for (status, headers, body) in [
        (200, &[json][..], "{}"),
        (200, &[json], ""),
        (200, &[json], "\u{feff}[]"),
        (200, &[json, ("content-encoding", "identity")], "[]"),
        (200, &[("content-type", "text/plain")], "OK"),
        (200, &[], "OK"),
        (200, &[("content-type", "application/xml")], "<ok/>"),
        (200, &[("content-type", "text/html")], ""),
        (201, &[("content-type", "application/problem+JSON; charset=utf-8")], "{}"),
        (204, &[], ""),
        (204, &[("content-type", "text/html")], ""),
        (205, &[], ""),
        (205, &[json], "{}"),
        (400, &[json], r#"{"errorCode": "E0000001"}"#),
        (401, &[], ""),
        (404, &[], r#"{"errorCode": "E0000007"}"#),
        (404, &[("content-type", "text/plain")], r#"{"errorCode": "E0000007"}"#),
        (404, &[json], ""),
        (429, &[json], "{}"),
        (500, &[json], "{}"),
        (503, &[], ""),
    ] {
        assert_eq!(judged(status, headers, body.as_bytes()), None, "{status} {headers:?} {body}");
    }
}

#[test]
fn foreign_answers_are_recognized_and_described() {
    let (html, json, plain) = (
        ("content-type", "text/html; charset=utf-8"),
        ("content-type", "application/json"),
        ("content-type", "text/plain"),
    );
    let filter = ("server", "corporate-proxy");
    let blocked = "<html><title>Blocked by policy</title>";
    for (status, headers, body, kind, said) in [
        (200, &[html][..], PORTAL, Unavailable, "200 text/html, titled `Sign in & accept`"),
        (200, &[json], PORTAL, Unavailable, "200 application/json, titled `Sign in & accept`"),
        (200, &[], PORTAL, Unavailable, "200, titled `Sign in & accept`"),
        (200, &[html], "no title", Unavailable, "200 text/html"),
        (205, &[html], PORTAL, Unavailable, "205 text/html, titled `Sign in & accept`"),
        (200, &[json], r#"[{"id": "1"}, {"id""#, Invalid, "200 application/json, truncated or not JSON"),
        (201, &[json], "OK", Invalid, "201 application/json, truncated or not JSON"),
        (205, &[json], "{", Invalid, "205 application/json, truncated or not JSON"),
        (
            200,
            &[json, ("content-encoding", "br")],
            "x",
            Invalid,
            "200 application/json, compressed (`br`) without being asked to",
        ),
        (200, &[json], "\u{1f}\u{8b}", Invalid, "200 application/json, truncated or not JSON"),
        (
            403,
            &[html, filter],
            blocked,
            Unavailable,
            "403 text/html, server `corporate-proxy`, titled `Blocked by policy`",
        ),
        (403, &[plain], "Forbidden", Unavailable, "403 text/plain"),
        (404, &[html], "", Unavailable, "404 text/html"),
        (
            404,
            &[plain, ("server", "Microsoft-Azure-Application-Gateway/v2")],
            "gone",
            Unavailable,
            "404 text/plain, server `Microsoft-Azure-Application-Gateway/v2`",
        ),
        (404, &[], "default backend - 404", Unavailable, "404"),
        (404, &[json], "{", Unavailable, "404 application/json, truncated or not JSON"),
        (400, &[("content-type", "application/xml")], "<error/>", Unavailable, "400 application/xml"),
        (429, &[plain], "slow down", Unavailable, "429 text/plain"),
        (503, &[html], "<title>Maintenance</title>", Unavailable, "503 text/html, titled `Maintenance`"),
        (407, &[json], "{}", Unreachable, "407 application/json"),
        (301, &[], "", Unavailable, "301, a redirect without a target"),
        (
            302,
            &[("location", "https://portal.test/x?token=hunter2")],
            "",
            Unavailable,
            "302, a redirect to portal.test",
        ),
        (
            303,
            &[json, ("location", "/elsewhere?hunter2")],
            "{}",
            Unavailable,
            "303 application/json, a redirect to acme.okta.test",
        ),
        (304, &[], "", Unavailable, "304, a redirect without a target"),
        (307, &[("location", "http://me:hunter2@x.test:99/")], "", Unavailable, "307, a redirect to x.test"),
    ] {
        let error = judged(status, headers, body.as_bytes()).unwrap_or_else(|| panic!("{status} {headers:?} {body}"));
        let message = format!("something between this machine and acme.okta.test answered: {said}");
        assert_eq!((error.kind, error.message.as_str()), (kind, message.as_str()));
        assert_eq!(error.context["answered_by"], "foreign");
        assert_eq!(error.context["status"], status.to_string());
        assert!(error.hint.is_some());
        assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
    }
    let zipped = judged(200, &[json], b"\x1f\x8b\x08\x00").unwrap();
    assert!(zipped.message.ends_with("compressed (`gzip`) without being asked to"), "{}", zipped.message);
    let redirect = judged(302, &[("location", "https://portal.test/")], b"").unwrap();
    assert_eq!(redirect.context["location_host"], "portal.test");
    let filter = judged(403, &[html, filter], blocked.as_bytes()).unwrap();
    let facts = ["server", "title", "content_type"].map(|fact| filter.context[fact].as_str());
    assert_eq!(facts, ["corporate-proxy", "Blocked by policy", "text/html"]);
}

#[test]
fn only_temporary_answers_are_worth_another_try() {
    let url = Url::parse("https://acme.okta.test/").unwrap();
    for (status, is_temporary) in [
        (200, false),
        (302, false),
        (401, false),
        (403, false),
        (404, false),
        (407, false),
        (408, true),
        (429, true),
        (500, true),
        (501, false),
        (502, true),
        (503, true),
        (504, true),
    ] {
        let foreign =
            judge(&url, &answer(status, &[("content-type", "text/html")], PORTAL.as_bytes()), str::to_owned).unwrap();
        assert_eq!(foreign.is_temporary(), is_temporary, "{status}");
    }
}

#[test]
fn foreign_texts_are_shown_short_and_without_secrets() {
    for (text, expect) in [
        ("nginx/1.25", "nginx/1.25"),
        ("a\r\n\tb\u{1b}[31mc", "a b [31mc"),
        ("a\u{202e}b\u{200b}c", "a\u{202e}b\u{200b}c"),
        ("end ` of `quote`", "end ' of 'quote'"),
        ("at https://a.test/x?token=hunter2 now", "at https://a.test/x now"),
        ("Who are you?", "Who are you?"),
        ("", ""),
    ] {
        assert_eq!(displayable(text), expect, "{text:?}");
    }
    let long = displayable(&"ä".repeat(1000));
    assert_eq!((long.chars().count(), long.ends_with('…')), (MAX_SHOWN, true));
}

/// A text that is shortened first could end within a secret, and one whose characters were replaced would hide it.
#[test]
fn secrets_go_before_a_text_is_shortened() {
    let secret = "Sw0rd`fish-2026-xYz";
    let text = format!("{}{secret}", "x ".repeat(35));
    let clean = |text: &str| match text.find(secret) {
        Some(at) => format!("{}[redacted]", &text[..at]),
        None => text.to_owned(),
    };
    let url = Url::parse("https://acme.okta.test/x").unwrap();
    let page = format!("<title>{text}</title>");
    let html = ("content-type", "text/html");
    for (status, headers, body) in [
        (403, &[html][..], page.as_str()),
        (403, &[html, ("server", &text)], ""),
        (403, &[("content-type", &text)], "no"),
        (200, &[("content-encoding", &text)], "x"),
    ] {
        let shown = judge(&url, &answer(status, headers, body.as_bytes()), clean).unwrap().to_string();
        assert!(shown.contains("[redacted") && !shown.contains("Sw0rd"), "{shown}");
    }
}
