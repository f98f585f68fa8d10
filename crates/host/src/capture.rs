//! Takes the secrets out of an answer and puts their handles in their place. Pure.

use flowswap_contract::{Capture, Custody, Handle};
use flowswap_engine::Secret;
use serde_json::Value;

use crate::budget::SECRET;

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

/// Whether a capture's name can be the last part of a handle's name.
pub(crate) fn is_name(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')) && name != ".."
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

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
            json!({"id": "1", "a": {"clientSecret": "x"}, "list": ["y"]}),
            &["/a/clientSecret", "/list/0"],
            json!({"id": "1", "a": {"clientSecret": {"$secret": "t/s/clientSecret"}}, "list": [{"$secret": "t/s/0"}]}),
            &["x", "y"],
            &[],
        );
    }

    #[test]
    fn missing_secrets_are_reported_and_the_others_are_extracted() {
        let body = json!({"none": null, "number": 1, "empty": "", "masked": "***abcd", "there": "x"});
        let mut left = body.clone();
        left["there"] = json!({"$secret": "t/s/there"});
        let bad = ["/none", "/number", "/empty", "/masked", "/absent", "no-pointer"];
        check(body, &[&bad[..], &["/there"]].concat(), left, &["x"], &bad);
    }

    #[test]
    fn a_text_with_a_secret_of_before_is_not_a_new_secret() {
        for custody in [Custody::Durable, Custody::Session] {
            let captures = [Capture { pointer: "/x".into(), name: "x".into(), custody }];
            let is_repeated = |secret: &Secret, _: &Handle, of: Custody| secret.expose() == "x known" && of == custody;
            let extracted = extract(&captures, &mut json!({ "x": "x known" }), is_repeated, |_| Handle::new("t/s/x"));
            assert!(extracted.has_other && extracted.captured.is_empty(), "{custody:?}");
        }
    }

    #[test]
    fn names_cannot_change_the_path_of_a_handle() {
        for (name, good) in [("client_secret", true), ("a-b.c", true), ("", false), ("a/b", false), ("..", false)] {
            assert_eq!(is_name(name), good, "{name}");
        }
    }
}
