//! The words that belong to one tenant, such as its domain. Without them, equal migrations have equal text.

use flowswap_engine::{PlannedTenant, Seen};
use serde_json::{Value, json};

/// What the app of the legacy client in use is called.
pub(crate) const APP_IN_USE: &str = "app in use";
/// What the client ID in use is called. In most orgs, it is the ID of the app as well.
pub(crate) const CLIENT_IN_USE: &str = "client ID in use";

/// The names and ids of one tenant, each with what it is.
#[derive(Debug)]
pub(crate) struct OwnWords {
    /// Longest first, so that the name of an org is not cut out of its domain.
    words: Vec<(String, &'static str)>,
}

impl OwnWords {
    /// The words that the tenant's part of a plan shows.
    pub(crate) fn of(tenant: &PlannedTenant, seen: Option<&Seen>) -> Self {
        let mut words = vec![(tenant.name.as_str(), "tenant")];
        if let Some(Seen { provider, directory, .. }) = seen {
            words
                .extend([(provider.domain.as_str(), "domain"), (directory.domain.as_str(), "domain of the directory")]);
            words.extend([(directory.id.as_str(), "directory"), (directory.name.as_str(), "name of the directory")]);
            words.extend(directory.client_id.as_deref().map(|id| (id, CLIENT_IN_USE)));
            for client in &provider.legacy_clients {
                let is_used = directory.client_id.as_ref() == Some(&client.client_id);
                let used = [APP_IN_USE, CLIENT_IN_USE, "label in use"];
                let kinds = if is_used { used } else { ["other app", "other client ID", "other label"] };
                words.extend([client.id.as_str(), &client.client_id, &client.label].into_iter().zip(kinds));
            }
            words.extend(provider.service_clients.iter().map(|client| (client.id.as_str(), "integration")));
            for client in &provider.service_clients {
                // Which of them is replaced, and which is dropped, must stay different.
                let kinds = match client.secrets.len() {
                    1 => ["client secret", ""],
                    _ => ["older client secret", "newer client secret"],
                };
                words.extend(client.secrets.iter().map(|secret| secret.id.as_str()).zip(kinds));
            }
        }
        Self::new(words)
    }

    /// The same without what the tenant has several of, such as other apps. What is left in a text tells them apart.
    pub(crate) fn only_unique(mut self) -> Self {
        let kinds: Vec<_> = self.words.iter().map(|(_, kind)| *kind).collect();
        self.words.retain(|(_, kind)| kinds.iter().filter(|other| *other == kind).count() == 1);
        self
    }

    /// The same without the labels of apps. Most tenants have the same ones, and a message without them says less.
    pub(crate) fn without_labels(mut self) -> Self {
        self.words.retain(|(_, kind)| !kind.contains("label"));
        self
    }

    /// The words alone, longest first.
    pub(crate) fn into_words(self) -> Vec<String> {
        self.words.into_iter().map(|(word, _)| word).collect()
    }

    /// A word that is two things counts as the first of them.
    fn new<'a>(words: impl IntoIterator<Item = (&'a str, &'static str)>) -> Self {
        let mut words: Vec<_> = words.into_iter().map(|(word, kind)| (word.to_owned(), kind)).collect();
        words.retain(|(word, _)| !word.is_empty());
        words.sort_by(|(a, _), (b, _)| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        words.dedup_by(|(later, _), (first, _)| later == first);
        Self { words }
    }

    /// The value with each of the tenant's own words replaced by what it is. Different values stay different: a text becomes an
    /// array of its parts, so nothing that a plugin writes is taken for such a place. The names of members stay.
    pub(crate) fn generalize(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => self.parts(text),
            Value::Array(values) => {
                json!({ "items": values.iter().map(|value| self.generalize(value)).collect::<Value>() })
            }
            Value::Object(members) => {
                let members: serde_json::Map<_, _> =
                    members.iter().map(|(name, value)| (name.clone(), self.generalize(value))).collect();
                json!({ "members": members })
            }
            other => other.clone(),
        }
    }

    /// The parts of a text: its own text, and an object for each word of the tenant.
    fn parts(&self, text: &str) -> Value {
        if let Some((_, kind)) = self.words.iter().find(|(word, _)| word == text) {
            return json!([{ "the": kind }]);
        }
        let mut parts = Vec::new();
        let (mut rest, mut kept) = (text, 0);
        let mut at = 0;
        while let Some(next) = rest.chars().next() {
            let before = &text[..at];
            let found = self.words.iter().find(|(word, _)| rest.starts_with(word) && stands_alone(before, word, rest));
            let length = match found {
                Some((word, kind)) => {
                    parts.extend([json!(text[kept..at]), json!({ "the": kind })]);
                    kept = at + word.len();
                    word.len()
                }
                None => next.len_utf8(),
            };
            at += length;
            rest = &text[at..];
        }
        parts.push(json!(text[kept..]));
        parts.into()
    }
}

/// Whether a word at the start of `rest` is the tenant's own and not a word of the sentence. A name such as `test` is one only
/// in backticks, and as a segment of the path of a URL. An id or a domain is one wherever it is not part of something longer.
fn stands_alone(before: &str, word: &str, rest: &str) -> bool {
    let (previous, next) = (before.chars().next_back(), rest[word.len()..].chars().next());
    let is_segment = previous == Some('/') && matches!(next, None | Some('/' | '?' | '#'));
    if (previous == Some('`') && next == Some('`')) || (is_segment && is_in_path(before)) {
        return true;
    }
    let is_distinct = word.len() >= 8 && word.contains(|c: char| c.is_ascii_digit() || c == '.');
    let continues = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || matches!(c, '-' | '_'));
    // A full stop may end the sentence, but a domain with another label is another domain.
    let is_longer = next == Some('.') && rest[word.len() + 1..].starts_with(char::is_alphanumeric);
    is_distinct && !continues(previous) && previous != Some('.') && !continues(next) && !is_longer
}

/// Whether a text ends within the path of a URL.
fn is_in_path(text: &str) -> bool {
    let last = text.rsplit(char::is_whitespace).next().unwrap_or_default();
    last.split_once("://").is_some_and(|(_, rest)| rest.contains('/'))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::OwnWords;

    fn words() -> OwnWords {
        OwnWords::new([
            ("test", "tenant"),
            ("acme.okta.com", "domain"),
            ("acme.okta.com", "domain of the directory"),
            ("0oa1b2c3d4", "app in use"),
            ("CIE Directory Sync", "label in use"),
        ])
    }

    /// The parts of a text as one text again, with `<…>` for a word of the tenant.
    fn shown(text: &str) -> String {
        let Value::Array(parts) = words().generalize(&json!(text)) else { panic!("{text}") };
        let show = |part: &Value| match part.as_str() {
            Some(text) => text.to_owned(),
            None => format!("<{}>", part["the"].as_str().unwrap()),
        };
        parts.iter().map(show).collect()
    }

    #[test]
    fn only_whole_words_of_the_tenant_are_replaced() {
        let table = [
            ("", ""),
            ("test", "<tenant>"),
            ("test the connection of `test`", "test the connection of `<tenant>`"),
            ("deactivate `CIE Directory Sync` (0oa1b2c3d4) now", "deactivate `<label in use>` (<app in use>) now"),
            ("https://acme.okta.com/api", "https://<domain>/api"),
            ("https://acme.okta.com.attacker.example", "https://acme.okta.com.attacker.example"),
            ("https://not-acme.okta.com", "https://not-acme.okta.com"),
            ("https://cie.example/tenants/test/directories", "https://cie.example/tenants/<tenant>/directories"),
            ("open https://cie.example/test?a=test", "open https://cie.example/<tenant>?a=test"),
            ("https://cie.example/tests/test-1", "https://cie.example/tests/test-1"),
            ("https://test/a", "https://test/a"),
            ("https://cie.example/a or /test/b", "https://cie.example/a or /test/b"),
            ("restore client 0oa1b2c3d4.", "restore client <app in use>."),
            ("0oa1b2c3d4e5", "0oa1b2c3d4e5"),
        ];
        for (text, expect) in table {
            assert_eq!(shown(text), expect, "{text}");
        }
    }

    #[test]
    fn no_value_looks_like_a_replaced_word() {
        let replaced = words().generalize(&json!({ "to": "test" }));
        for imitation in [json!("<tenant>"), json!([{ "the": "tenant" }]), json!({ "the": "tenant" })] {
            assert_ne!(words().generalize(&json!({ "to": imitation })), replaced, "{imitation}");
        }
        assert_ne!(words().generalize(&json!(["test"])), words().generalize(&json!({ "items": "test" })));
    }
}
