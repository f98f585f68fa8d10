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
    check(json!({"a": ["x c4n4ry/+ value y"]}), json!({"a": ["[redacted]"]}));
    check(json!({"c4n4ry/+ value": 1}), json!({"[redacted]": 1}));
    check(json!("secret=c4n4ry%2F%2B+value&x=1"), json!("[redacted]"));
    check(json!("{\"x\":\"long-\\\"quoted\\\"\"}"), json!("[redacted]"));
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
    // A plugin names a secret of an earlier run by its handle.
    check(json!({"client_secret": {"$secret": "a/b/c"}}), json!({"client_secret": {"$secret": "a/b/c"}}));
    check(json!({"CLIENT_SECRET": "not masked ***"}), json!({"CLIENT_SECRET": "[redacted]"}));
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
        "looks like a handle": {"$secret": "[redacted]"},
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
    let form: String = form_urlencoded::byte_serialize(secret.as_bytes()).collect();
    vec![
        ("as it is", secret.to_owned()),
        ("upper case", secret.to_ascii_uppercase()),
        ("lower case", secret.to_ascii_lowercase()),
        ("form", form.clone()),
        ("percent", others(|c| format!("%{c:02X}"))),
        ("percent, twice", others(|c| format!("%25{c:02X}"))),
        ("HTML, all others", others(|c| format!("&#x{c:02X};"))),
        ("form in lower case", form.to_ascii_lowercase()),
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
        (
            "encodeURIComponent",
            others(
                |c| if "-_.!~*'()".contains(c as u8 as char) { (c as u8 as char).into() } else { format!("%{c:02X}") },
            ),
        ),
        (
            "HTML of Python",
            secret.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&#34;").replace('\'', "&#39;"),
        ),
        (
            "JSON of Go",
            json!(secret).to_string().replace('&', "\\u0026").replace('<', "\\u003c").replace('>', "\\u003e"),
        ),
        ("hexadecimal with dashes", bytes("", "-")),
        ("base64 of a form", STANDARD.encode(&form)),
        ("base64 of JSON", STANDARD.encode(json!({ "s": secret }).to_string())),
        ("hexadecimal of a form", form.bytes().map(|byte| format!("{byte:02x}")).collect()),
        ("HTML of Go", secret.replace('&', "&amp;").replace('+', "&#43;").replace('<', "&lt;").replace('"', "&#34;")),
        (
            "HTML, by name",
            secret.replace('&', "&amp;").replace('+', "&plus;").replace('/', "&sol;").replace('%', "&percnt;"),
        ),
        ("JSON of .NET", others(|c| format!("\\u{c:04X}"))),
        ("JSON within JSON", json!(json!(secret).to_string()).to_string().trim_matches(['"', '\\']).to_owned()),
        ("HTML within percent", others(|c| format!("%26%23{c}%3B"))),
        ("quoted-printable", others(|c| format!("={c:02X}"))),
    ]
}

#[test]
fn every_encoding_is_redacted() {
    let long: String = (1..200).map(|n| format!("{:X}-", n * 7919)).collect();
    for secret in ["Zb7-kQ_9xTfR2mVwLp4sNc8dHgJy6aE0uKoXiBvM", "a&b/c+d<e\"f'g h~%(i)*!", "sechs6", &long] {
        let redactor = redactor(&[secret]);
        for (name, echo) in echoes(secret) {
            assert_eq!(redactor.text(&format!("before {echo} after")), REDACTED, "{name}");
        }
    }
}

/// A plugin can have a server repeat its guesses. It must not be able to tell a good one from a bad one, before it has guessed
/// more than anybody can.
#[test]
fn what_is_cut_does_not_tell_how_much_was_guessed() {
    let secret = "Zb7-kQ_9xTfR2mVwLp4sNc8dHgJy6aE0uKoXiBvM";
    let redactor = redactor(&[secret]);
    let forms: [fn(&str) -> String; 5] = [
        str::to_owned,
        |guess| guess.bytes().map(|byte| format!("%25{byte:02x}")).collect(),
        |guess| guess.chars().map(|c| format!("\\u{:04x}", u32::from(c))).collect(),
        |guess| STANDARD.encode(format!("aaaaaaaaaaa{guess}")),
        |guess| guess.chars().rev().collect(),
    ];
    for form in forms {
        for known in 0..BEGINNING {
            let guess = form(&secret[..known]);
            assert_eq!(redactor.text(&guess), guess, "{known} characters are enough to guess");
        }
        for known in BEGINNING..secret.len() {
            let [right, wrong] = [&secret[known..=known], "!"].map(|next| form(&format!("{}{next}", &secret[..known])));
            if redactor.has_secret(&wrong) {
                assert_eq!(redactor.text(&right), redactor.text(&wrong), "after {known} characters");
            }
        }
    }
}

#[test]
fn base64_with_line_breaks_is_redacted() {
    let secret = "Zb7-kQ_9xTfR2mVwLp4sNc8dHgJy6aE0uKoXiBvM";
    let redactor = redactor(&[secret]);
    for (at, end) in [(64, "\r\n"), (76, "\n"), (76, "\\n")] {
        for before in 0..at {
            let text = STANDARD.encode(format!("{}{secret}", "x".repeat(before)));
            let lines: Vec<_> = text.as_bytes().chunks(at).map(|line| str::from_utf8(line).unwrap()).collect();
            assert!(redactor.has_secret(&lines.join(end)), "{before} bytes before it");
        }
    }
}

/// Where a secret begins would tell whether a plugin guessed what stands before it.
#[test]
fn nothing_of_a_text_with_a_secret_is_left() {
    let redactor = redactor(&["first-secret", "secret-second", "ßecret-wörd"]);
    for text in ["x first-secret-second y", "y secret-second, x first-secret", "ü ßecret-wörd ü"] {
        assert_eq!(redactor.text(text), REDACTED, "{text}");
    }
    assert_eq!(redactor.text("first-secre: only a part of it"), "first-secre: only a part of it");
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
        assert_eq!(packed.finds(&text), automaton.finds(&text), "{name}");
    }
    assert_eq!((packed.finds(""), automaton.finds("")), (false, false));
}

#[test]
fn a_tenant_can_have_many_secrets() {
    let secrets: Vec<String> = (0..40).map(|n| format!("{:x}-secret-{n}", n * 7919 + 1_000_003)).collect();
    let redactor = redactor(&secrets.iter().map(String::as_str).collect::<Vec<_>>());
    for secret in &secrets {
        for (name, echo) in echoes(secret) {
            assert!(redactor.has_secret(&format!("x {echo} y")), "{name} of {secret}");
        }
    }
}
