//! Takes the secrets out of an answer and puts their handles in their place. Pure.

use flowswap_contract::{Auth, Body, Capture, Custody, Handle, HttpAsk};
use flowswap_engine::Secret;
use serde_json::Value;

use crate::{budget::SECRET, decode::decoded, redact::Needle, secret_members::SHORTEST_SECRET};

/// A secret that an answer carried.
#[derive(Debug)]
pub(crate) struct Captured {
    /// Its name.
    pub(crate) handle: Handle,
    /// Its value.
    pub(crate) secret: Secret,
    /// How long it is kept.
    pub(crate) custody: Custody,
}

/// What [`extract`] found.
#[derive(Debug, Default)]
pub(crate) struct Extracted {
    /// The secrets, no longer in the body.
    pub(crate) captured: Vec<Captured>,
    /// Pointers that did not lead to a secret.
    pub(crate) missing: Vec<String>,
    /// Whether a secret was over its budget. It is not among the others.
    pub(crate) has_too_long: bool,
    /// Whether a text had another secret in it. Then it is not a new secret, but a text of the server about an old one.
    pub(crate) has_other: bool,
    /// Whether a text that should be stored cannot be a secret.
    pub(crate) has_word: bool,
}

/// Takes the secrets that `captures` points at out of `body`. `name` makes the handle. `is_repeated` tells whether a text has a
/// secret of before in it.
pub(crate) fn extract(
    captures: &[Capture],
    body: &mut Value,
    is_repeated: impl Fn(&Secret, &Handle, Custody) -> bool,
    name: impl Fn(&Capture) -> Handle,
) -> Extracted {
    let mut extracted = Extracted::default();
    for capture in captures {
        match body.pointer_mut(&capture.pointer) {
            // A masked value is not the secret. Keeping it would hide that the real one is lost.
            Some(place) if place.as_str().is_some_and(|text| !text.is_empty() && !text.contains("***")) => {
                let handle = name(capture);
                if let Value::String(text) = std::mem::replace(place, handle.to_value()) {
                    let secret = Secret::new(text);
                    if secret.expose().len() > SECRET.limit {
                        extracted.has_too_long = true;
                    } else if capture.custody == Custody::Durable && !is_like_secret(secret.expose()) {
                        extracted.has_word = true;
                    } else if is_repeated(&secret, &handle, capture.custody) {
                        extracted.has_other = true;
                    } else {
                        extracted.captured.push(Captured { handle, secret, custody: capture.custody });
                    }
                }
            }
            _ => extracted.missing.push(capture.pointer.clone()),
        }
    }
    extracted
}

/// Whether nobody can guess the text (RFC 6749 §10.10: 128 bits). If a server chose a word for a secret, that word would be hidden
/// in the answers of both sides for as long as the secret is stored.
fn is_like_secret(text: &str) -> bool {
    let is_of_secret = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit();
    text.len() >= SHORTEST_SECRET && text.chars().take(SHORTEST_SECRET).any(is_of_secret)
}

/// What a plugin wrote into a request. A server that repeats it tells no new secret, and as a secret it would hide the plugin's
/// words wherever others see them.
pub(crate) struct OwnText(Vec<String>);

impl OwnText {
    pub(crate) fn of(ask: &HttpAsk) -> Self {
        if ask.capture.is_empty() {
            return Self(Vec::new());
        }
        let mut texts = vec![ask.url.clone()];
        if let Some(Auth::Basic { username, .. } | Auth::WrongSecret { username }) = &ask.auth {
            texts.push(username.clone());
        }
        texts.extend(decoded(&ask.url).into_iter().flatten());
        texts.extend(ask.headers.values().cloned());
        match &ask.body {
            Some(Body::Json(body)) => texts_in(body, &mut texts),
            Some(Body::Form(fields)) => {
                texts.extend(fields.iter().filter_map(|(_, value)| value.as_str().map(str::to_owned)));
            }
            None => {}
        }
        texts.iter_mut().for_each(|text| text.make_ascii_lowercase());
        Self(texts)
    }

    /// Whether the secret would hide one of these texts.
    pub(crate) fn contains(&self, secret: &Secret) -> bool {
        let needle = Needle::new(secret.clone());
        self.0.iter().any(|text| needle.is_within(text))
    }
}

fn texts_in(value: &Value, texts: &mut Vec<String>) {
    match value {
        Value::String(text) => texts.push(text.clone()),
        Value::Array(items) => items.iter().for_each(|item| texts_in(item, texts)),
        Value::Object(members) => {
            texts.extend(members.keys().cloned());
            members.values().for_each(|member| texts_in(member, texts));
        }
        _ => {}
    }
}

/// Whether a capture's name can be the last part of a handle's name.
pub(crate) fn is_name(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')) && name != ".."
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const X: &str = "secret-of-16-chars";
    const Y: &str = "ANOTHER-SECRET-OF-16";

    fn check(mut body: Value, pointers: &[&str], expect: Value, secrets: &[&str], missing: &[&str]) {
        let captures = pointers.iter().map(|&pointer| Capture {
            pointer: pointer.into(),
            name: pointer.rsplit('/').next().unwrap().into(),
            custody: Custody::Durable,
        });
        let name = |capture: &Capture| Handle::new(format!("t/s/{}", capture.name));
        let extracted = extract(&captures.collect::<Vec<_>>(), &mut body, |_, _, _| false, name);
        assert_eq!(body, expect);
        assert_eq!(extracted.captured.iter().map(|c| c.secret.expose()).collect::<Vec<_>>(), secrets);
        assert_eq!(extracted.missing, missing);
    }

    #[test]
    fn a_secret_is_replaced_by_its_handle() {
        check(
            json!({"id": "1", "a": {"clientSecret": X}, "list": [Y]}),
            &["/a/clientSecret", "/list/0"],
            json!({"id": "1", "a": {"clientSecret": {"$secret": "t/s/clientSecret"}}, "list": [{"$secret": "t/s/0"}]}),
            &[X, Y],
            &[],
        );
    }

    #[test]
    fn missing_secrets_are_reported_and_the_others_are_extracted() {
        let body = json!({"none": null, "number": 1, "empty": "", "masked": "***abcd", "there": X});
        let mut left = body.clone();
        left["there"] = json!({"$secret": "t/s/there"});
        let bad = ["/none", "/number", "/empty", "/masked", "/absent", "no-pointer"];
        check(body, &[&bad[..], &["/there"]].concat(), left, &[X], &bad);
    }

    #[test]
    fn a_text_with_a_secret_of_before_is_not_a_new_secret() {
        for custody in [Custody::Durable, Custody::Session] {
            let captures = [Capture { pointer: "/x".into(), name: "x".into(), custody }];
            let is_repeated = |secret: &Secret, _: &Handle, of: Custody| secret.expose() == X && of == custody;
            let extracted = extract(&captures, &mut json!({ "x": X }), is_repeated, |_| Handle::new("t/s/x"));
            assert!(extracted.has_other && extracted.captured.is_empty(), "{custody:?}");
        }
    }

    #[test]
    fn a_word_is_no_secret() {
        for (text, is_stored) in [
            ("not-applied", false),
            ("client-credentials", false),
            ("fifteen-chars-1", false),
            ("sixteen-chars-16", true),
            ("SIXTEEN-CHARS-XY", true),
            ("client-credentials1", false),
        ] {
            let captures = [Capture { pointer: "/x".into(), name: "x".into(), custody: Custody::Durable }];
            let extracted = extract(&captures, &mut json!({ "x": text }), |_, _, _| false, |_| Handle::new("t/s/x"));
            assert_eq!((extracted.captured.len() == 1, extracted.has_word), (is_stored, !is_stored), "{text}");
        }
    }

    #[test]
    fn what_a_plugin_wrote_is_no_secret() {
        let mut ask =
            HttpAsk::new(flowswap_contract::Intent::Mutate, "POST", "https://x.test/a?name=AUTHORIZATION%5FCODE");
        let contains = |ask: &HttpAsk, text: &str| OwnText::of(ask).contains(&Secret::new(text));
        assert!(!contains(&ask, "AUTHORIZATION_CODE"), "nothing is captured");
        ask.capture = vec![Capture { pointer: "/x".into(), name: "x".into(), custody: Custody::Durable }];
        ask.headers.insert("prefer".into(), "IN-THE-HEADER-1".into());
        ask.body = Some(Body::Json(json!({ "IN-THE-NAME-1": [{ "x": "so: IN-THE-BODY-1" }] })));
        ask.auth = Some(Auth::Basic { username: "in-the-user-1".into(), password: Handle::new("t/s/x") });
        for text in [
            "AUTHORIZATION_CODE",
            "authorization_code",
            "IN-THE-USER-1",
            "IN-THE-HEADER-1",
            "IN-THE-NAME-1",
            "IN-THE-BODY-1",
        ] {
            assert!(contains(&ask, text), "{text}");
        }
        assert!(!contains(&ask, "SOMETHING-ELSE-1") && !contains(&ask, "IN"));
        ask.body = Some(Body::Form(vec![("name".into(), json!("IN-THE-FORM-1"))]));
        assert!(contains(&ask, "IN-THE-FORM-1"));
    }

    #[test]
    fn names_cannot_change_the_path_of_a_handle() {
        for (name, good) in [("client_secret", true), ("a-b.c", true), ("", false), ("a/b", false), ("..", false)] {
            assert_eq!(is_name(name), good, "{name}");
        }
    }
}
