//! Every form of a secret is found, and nothing else is cut.

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE},
};
use serde_json::json;

use super::*;

fn redactor(secrets: &[&str]) -> Redactor {
    let handles = [Handle::new("acme/create/client_secret")].into();
    Redactor::new(secrets.iter().map(|secret| Arc::new(Needle::new(Secret::new(*secret)))).collect(), handles)
}

fn check(mut body: Value, expect: Value) {
    redactor(&["c4n4ry/+ value", "ab", "long-\"quoted\""]).value(&mut body);
    assert_eq!(body, expect);
}

#[test]
fn known_values_are_redacted_everywhere() {
    check(json!("c4n4ry/+ value"), json!("[redacted]"));
    check(json!({"a": ["x c4n4ry/+ value y"]}), json!({"a": ["x [redacted] y"]}));
    check(json!({"c4n4ry/+ value": 1}), json!({"[redacted]": 1}));
    check(json!("secret=c4n4ry%2F%2B+value&x=1"), json!("secret=[redacted]&x=1"));
    check(json!("{\"x\":\"long-\\\"quoted\\\"\"}"), json!("{\"x\":\"[redacted]\"}"));
}

#[test]
fn a_short_value_is_redacted_only_as_a_whole_text() {
    check(json!(["ab", "about", ""]), json!(["[redacted]", "about", ""]));
}

#[test]
fn members_with_secret_names_are_redacted_unless_masked_or_captured() {
    check(
        json!({
            "access_token": "t", "refresh_token": "t", "id_token": "t", "client_secret": "s", "clientSecret": "s",
            "deep": [{"client_secret": "***YDSk"}, {"client_secret": null}],
            "token_type": "Bearer",
        }),
        json!({
            "access_token": "[redacted]", "refresh_token": "[redacted]", "id_token": "[redacted]",
            "client_secret": "[redacted]", "clientSecret": "[redacted]",
            "deep": [{"client_secret": "***YDSk"}, {"client_secret": null}],
            "token_type": "Bearer",
        }),
    );
    check(json!({"client_secret": {"$secret": "a/b/c"}}), json!({"client_secret": {"$secret": "a/b/c"}}));
}

#[test]
fn nothing_hides_a_secret() {
    let redactor = redactor(&["fresh-secret-0123", "123456789012", "create"]);
    let mut body = json!({
        "looks like a handle": {"$secret": "x fresh-secret-0123"},
        "number": 123_456_789_012_u64, "other number": 123_456,
        "handle": {"$secret": "acme/create/client_secret"},
    });
    redactor.value(&mut body);
    let expected = json!({
        "looks like a handle": {"$secret": "x [redacted]"},
        "number": "[redacted]", "other number": 123_456,
        "handle": {"$secret": "acme/create/client_secret"},
    });
    assert_eq!(body, expected);
}

/// What a server may make of a secret: the name of the encoding, and the text.
fn echoes(secret: &str) -> Vec<(&'static str, String)> {
    let bytes = |before: &str, between: &str| {
        let all: Vec<_> = secret.bytes().map(|byte| format!("{before}{byte:02X}")).collect();
        all.join(between)
    };
    let chars = |write: fn(u32) -> String| secret.chars().map(|c| write(c.into())).collect::<String>();
    let others = |write: fn(u32) -> String| {
        let one = |c: char| if c.is_ascii_alphanumeric() { c.to_string() } else { write(c.into()) };
        secret.chars().map(one).collect::<String>()
    };
    vec![
        ("as it is", secret.to_owned()),
        ("upper case", secret.to_ascii_uppercase()),
        ("lower case", secret.to_ascii_lowercase()),
        ("form", crate::splice::form_encode(secret)),
        ("percent", others(|c| format!("%{c:02X}"))),
        ("percent, twice", others(|c| format!("%25{c:02X}"))),
        ("HTML, all others", others(|c| format!("&#x{c:02X};"))),
        ("form in lower case", crate::splice::form_encode(secret).to_ascii_lowercase()),
        ("percent, every byte", bytes("%", "")),
        ("percent, every byte twice", bytes("%25", "")),
        ("hexadecimal", bytes("", "")),
        ("hexadecimal with colons", bytes("", ":")),
        ("hexadecimal with spaces", bytes("", " ")),
        ("escaped bytes", bytes("\\x", "")),
        ("base64", STANDARD.encode(secret)),
        ("base64 of a pair", STANDARD.encode(format!("me:{secret}"))),
        ("base64 of a longer text", STANDARD.encode(format!("{{\"s\":\"{secret}\"}}"))),
        ("base64url", URL_SAFE.encode(secret)),
        ("JSON", json!(secret).to_string()),
        ("JSON with escaped slashes", json!(secret).to_string().replace('/', "\\/")),
        ("JSON, every character", chars(|c| format!("\\u{c:04X}"))),
        ("HTML", secret.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")),
        ("HTML, decimal", chars(|c| format!("&#{c};"))),
        ("HTML, hexadecimal", chars(|c| format!("&#x{c:X};"))),
        ("backwards", secret.chars().rev().collect()),
    ]
}

#[test]
fn every_encoding_is_redacted() {
    let long: String = (1..200).map(|n| format!("{:X}-", n * 7919)).collect();
    for secret in ["Zb7-kQ_9xTfR2mVwLp4sNc8dHgJy6aE0uKoXiBvM", "a&b/c+d<e\"f'g h~%", "sechs6", &long] {
        let redactor = redactor(&[secret]);
        for (name, echo) in echoes(secret) {
            let cleaned = redactor.text(&format!("before {echo} after"));
            assert!(cleaned.starts_with("before "), "{name}: {cleaned}");
            assert!(cleaned.ends_with(" after"), "{name}: {cleaned}");
            // Of base64, the characters at both ends also hold bits of the neighbors, so they can stay. They tell little.
            let left = cleaned.len() - "before [redacted] after".len();
            let may_stay = if name.starts_with("base64") { echo.len() - secret.len() * 8 / 6 + 2 } else { 2 };
            assert!(cleaned.contains("[redacted]") && left <= may_stay, "{name}: {cleaned}");
        }
    }
}

#[test]
fn secrets_that_overlap_are_cut_together() {
    let redactor = redactor(&["first-secret", "secret-second", "first-secret-2"]);
    assert_eq!(redactor.text("x first-secret-second y"), "x [redacted] y");
    assert_eq!(redactor.text("x first-secret-2 y"), "x [redacted] y");
    assert_eq!(redactor.text("first-secretsecret-second"), "[redacted]");
    assert_eq!(redactor.text("first-secret secret-second"), "[redacted] [redacted]");
}

#[test]
fn only_the_part_that_is_there_is_cut() {
    let long = format!("{}-end", "0123456789abcdef".repeat(4));
    let redactor = redactor(&[&long, "ßecret-wörd"]);
    assert_eq!(redactor.text(&format!("{long}.")), "[redacted].");
    assert_eq!(redactor.text("a: 0123456789abcdef0123456789abcdef0123.x"), "a: [redacted].x");
    assert_eq!(redactor.text("ü ßecret-wörd ü"), "ü [redacted] ü");
    assert_eq!(
        redactor.text("0123456789abcdef: only a part of its beginning"),
        "0123456789abcdef: only a part of its beginning"
    );
}

#[test]
fn a_text_of_nothing_but_beginnings_is_cut_quickly() {
    for length in [10, 10_000] {
        let redactor = redactor(&["a".repeat(length).as_str()]);
        assert_eq!(redactor.text(&"a".repeat(100_000)), "[redacted]");
    }
}

#[test]
fn processors_without_vectors_find_the_same() {
    let forms = forms_of("Zb7-kQ_9xTfR2mVw");
    let packed = Finder::new(&forms).unwrap();
    let forms = forms.iter().map(|form| form.as_bytes());
    let automaton = AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).build(forms).unwrap();
    let automaton = Finder::Automaton(Box::new(automaton));
    for (name, echo) in echoes("Zb7-kQ_9xTfR2mVw") {
        let text = format!("before {echo} after").to_ascii_lowercase();
        assert_eq!(packed.next(&text, 3), automaton.next(&text, 3), "{name}");
    }
    assert_eq!((packed.next("", 0), automaton.next("", 0)), (None, None));
}

#[test]
fn a_tenant_can_have_many_secrets() {
    let secrets: Vec<String> = (0..40).map(|n| format!("{:x}-secret-{n}", n * 7919 + 1_000_003)).collect();
    let redactor = redactor(&secrets.iter().map(String::as_str).collect::<Vec<_>>());
    for secret in &secrets {
        for (name, echo) in echoes(secret) {
            assert!(redactor.text(&format!("x {echo} y")).contains("[redacted]"), "{name} of {secret}");
        }
    }
}
