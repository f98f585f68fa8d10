//! Removes known secrets from what the other side sends, as a second line of defense after the capture.

use std::fmt;

use flowswap_contract::Handle;
use flowswap_engine::Secret;
use serde_json::Value;

use crate::splice::{encode_sparingly, form_encode};

const REDACTED: &str = "[redacted]";

/// Values shorter than this are not searched for within a text, because a text may contain them by chance.
const SHORTEST_CONTAINED: usize = 6;

/// Members whose value is always a secret.
const SECRET_MEMBERS: &[&str] = &["access_token", "refresh_token", "id_token", "client_secret", "clientSecret"];

/// Knows the values that must not be shown.
pub(crate) struct Redactor {
    /// The secrets and their encoded forms, the longest first, so that replacing one does not leave a part of another.
    needles: Vec<Secret>,
    /// The length of the shortest needle. Most texts are shorter, and contain none.
    shortest: usize,
}

impl Redactor {
    pub(crate) fn new<'a>(secrets: impl IntoIterator<Item = &'a Secret>) -> Self {
        let mut needles = Vec::new();
        for secret in secrets.into_iter().filter(|s| !s.expose().is_empty()) {
            let encoded = form_encode(secret.expose());
            let quoted = Value::from(secret.expose()).to_string();
            let escaped = quoted.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(&quoted);
            let sparing = encode_sparingly(secret.expose());
            for other in [encoded.as_str(), sparing.as_str(), escaped] {
                if other != secret.expose() {
                    needles.push(Secret::new(other));
                }
            }
            needles.push(secret.clone());
        }
        needles.sort_by_key(|needle| std::cmp::Reverse(needle.expose().len()));
        let shortest = needles.last().map_or(usize::MAX, |needle| needle.expose().len());
        Self { needles, shortest }
    }

    /// The text without any secret.
    pub(crate) fn text(&self, text: &str) -> String {
        self.clean(text).unwrap_or_else(|| text.to_owned())
    }

    /// Removes secrets from a text in place.
    pub(crate) fn replace_in(&self, text: &mut String) {
        if let Some(clean) = self.clean(text) {
            *text = clean;
        }
    }

    /// The text without any secret, or `None` if it has none.
    fn clean(&self, text: &str) -> Option<String> {
        if text.len() < self.shortest {
            return None;
        }
        let mut cleaned: Option<String> = None;
        for needle in self.needles.iter().map(Secret::expose) {
            let text = cleaned.as_deref().unwrap_or(text);
            if text == needle {
                return Some(REDACTED.to_owned());
            }
            if needle.len() >= SHORTEST_CONTAINED && needle.len() < text.len() && text.contains(needle) {
                cleaned = Some(text.replace(needle, REDACTED));
            }
        }
        cleaned
    }

    /// Removes secrets from a decoded body, at any depth.
    pub(crate) fn value(&self, value: &mut Value) {
        match value {
            Value::String(text) => self.replace_in(text),
            Value::Array(items) => items.iter_mut().for_each(|item| self.value(item)),
            Value::Object(members) => {
                if members.keys().any(|name| self.clean(name).is_some()) {
                    let renamed = std::mem::take(members).into_iter();
                    *members = renamed.map(|(name, member)| (self.text(&name), member)).collect();
                }
                members.iter_mut().for_each(|(name, member)| self.member(name, member));
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    fn member(&self, name: &str, value: &mut Value) {
        if Handle::from_value(value).is_some() {
            return;
        }
        match value {
            // The other side has already masked it, and the visible end helps to tell secrets apart.
            Value::String(text) if SECRET_MEMBERS.contains(&name) && !text.contains("***") => *value = REDACTED.into(),
            _ => self.value(value),
        }
    }
}

impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Redactor({} secrets)", self.needles.len())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(mut body: Value, expect: Value) {
        let secrets = ["c4n4ry/+ value", "ab", "", "long-\"quoted\""].map(Secret::new);
        Redactor::new(&secrets).value(&mut body);
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
}
