//! Removes known secrets from what the other side sends, as a second line of defense after the places and the capture.

use std::{borrow::Cow, collections::BTreeSet, fmt, sync::Arc};

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind, packed};
use flowswap_contract::Handle;
use flowswap_engine::Secret;
use serde_json::Value;
use zeroize::Zeroizing;

use crate::{
    decode::decoded,
    encodings::{backwards, forms_of},
    secret_members::{REDACTED, hide, is_secret_member},
};

/// Values shorter than this are not searched for within a text, because a text may contain them by chance.
const SHORTEST_CONTAINED: usize = 6;

/// How many characters at the beginning of a secret are searched for. It is too many to guess: a plugin could send its guesses to
/// a server that repeats them, and look which of them come back redacted.
const BEGINNING: usize = 16;

/// Knows the values that must not be shown.
pub(crate) struct Redactor {
    needles: Vec<Arc<Needle>>,
    /// The length of the shortest secret or form. Most texts are shorter.
    shortest: usize,
    /// Names of secrets, which stay as they are. A server can make an object that only looks like one.
    handles: BTreeSet<Handle>,
}

/// One secret, and what finds it. Making it takes longer than many searches, so those who know the secret share it.
pub(crate) struct Needle {
    secret: Secret,
    /// Searches for its beginning in all forms. `None` for a secret that is too short for that.
    finder: Option<Finder>,
    /// The length of the secret or of its shortest form.
    shortest: usize,
}

/// Searches for several texts at once.
enum Finder {
    /// With vector instructions.
    Packed(Box<packed::Searcher>),
    /// For processors without them.
    Automaton(Box<AhoCorasick>),
}

/// The forms of the beginning of a secret.
fn beginnings(secret: &str) -> Vec<Zeroizing<String>> {
    if secret.len() < SHORTEST_CONTAINED {
        return Vec::new();
    }
    let head = secret.get(..secret.ceil_char_boundary(BEGINNING)).unwrap_or(secret);
    let tail = secret.get(secret.floor_char_boundary(secret.len().saturating_sub(BEGINNING))..).unwrap_or(secret);
    let mut forms = forms_of(head);
    forms.push(backwards(tail));
    forms.retain(|form| form.len() >= SHORTEST_CONTAINED);
    forms
}

impl Finder {
    fn new(beginnings: &[Zeroizing<String>]) -> Option<Self> {
        let mut config = packed::Config::new();
        config.match_kind(packed::MatchKind::LeftmostLongest).heuristic_pattern_limits(false);
        if let Some(searcher) = config.builder().extend(beginnings.iter().map(|form| form.as_bytes())).build() {
            return Some(Self::Packed(Box::new(searcher)));
        }
        let mut builder = AhoCorasick::builder();
        builder.match_kind(MatchKind::LeftmostLongest).kind(Some(AhoCorasickKind::NoncontiguousNFA));
        builder
            .build(beginnings.iter().map(|form| form.as_bytes()))
            .ok()
            .map(|automaton| Self::Automaton(Box::new(automaton)))
    }

    /// Whether one of them is in a text in lower case.
    fn finds(&self, text: &str) -> bool {
        match self {
            Self::Packed(searcher) => searcher.find(text).is_some(),
            Self::Automaton(automaton) => automaton.is_match(text),
        }
    }
}

impl Needle {
    pub(crate) fn new(secret: Secret) -> Self {
        let beginnings = beginnings(secret.expose());
        let shortest = beginnings.iter().map(|form| form.len()).fold(secret.expose().len(), usize::min);
        let finder = (!beginnings.is_empty()).then(|| Finder::new(&beginnings)).flatten();
        Self { finder, shortest, secret }
    }

    /// Whether its beginning is in a text in lower case, in any form.
    pub(crate) fn is_within(&self, folded: &str) -> bool {
        self.finder.as_ref().is_some_and(|finder| finder.finds(folded))
    }

    pub(crate) fn is_of(&self, secret: &Secret) -> bool {
        self.secret.expose() == secret.expose()
    }
}

impl Redactor {
    pub(crate) fn new(needles: Vec<Arc<Needle>>, handles: BTreeSet<Handle>) -> Self {
        let shortest = needles.iter().map(|needle| needle.shortest).min().unwrap_or(usize::MAX);
        Self { needles, shortest, handles }
    }

    /// Knows what either of them knows.
    pub(crate) fn and(&self, other: &Self) -> Self {
        let needles = self.needles.iter().chain(&other.needles).cloned().collect();
        Self::new(needles, self.handles.union(&other.handles).cloned().collect())
    }

    /// The text, or nothing of it if it has a secret.
    pub(crate) fn text(&self, text: &str) -> String {
        self.redact(text).unwrap_or_else(|| text.to_owned())
    }

    /// What stands for a text that has a secret; `None` for any other.
    pub(crate) fn redact(&self, text: &str) -> Option<String> {
        self.has_secret(text).then(|| REDACTED.to_owned())
    }

    /// Whether a secret is in the text, in any form. Then nothing of the text is shown: how much of it is that secret, and where it
    /// begins, is nobody's business, least of all a plugin's that guesses.
    pub(crate) fn has_secret(&self, text: &str) -> bool {
        if text.len() < self.shortest {
            return false;
        }
        self.needles.iter().any(|needle| needle.secret.expose() == text)
            || self.is_in(text)
            || decoded(text).is_none_or(|texts| texts.iter().any(|text| self.is_in(text)))
    }

    /// Whether a secret is in the text without escapes.
    fn is_in(&self, text: &str) -> bool {
        let has_upper = text.bytes().any(|byte| byte.is_ascii_uppercase());
        let folded = if has_upper { Cow::Owned(text.to_ascii_lowercase()) } else { Cow::Borrowed(text) };
        // Base64 can have line breaks (RFC 2045 §6.8).
        self.finds(&folded) || folded.contains(['\r', '\n']) && self.finds(&folded.replace(['\r', '\n'], ""))
    }

    fn finds(&self, folded: &str) -> bool {
        self.needles.iter().any(|needle| needle.is_within(folded))
    }

    /// Removes secrets from a decoded body, at any depth.
    pub(crate) fn value(&self, value: &mut Value) {
        match value {
            Value::String(text) if self.has_secret(text) => *text = REDACTED.to_owned(),
            Value::Array(items) => items.iter_mut().for_each(|item| self.value(item)),
            Value::Object(members) => {
                if members.keys().any(|name| self.has_secret(name)) {
                    let renamed = std::mem::take(members).into_iter();
                    *members = renamed.map(|(name, member)| (self.text(&name), member)).collect();
                }
                members.iter_mut().for_each(|(name, member)| self.member(name, member));
            }
            Value::Number(number) => {
                if self.has_secret(&number.to_string()) {
                    *value = REDACTED.into();
                }
            }
            Value::String(_) | Value::Null | Value::Bool(_) => {}
        }
    }

    fn member(&self, name: &str, value: &mut Value) {
        if Handle::from_value(value).is_some_and(|handle| self.handles.contains(&handle)) {
            return;
        }
        match value {
            Value::String(_) | Value::Number(_) if is_secret_member(name) => hide(value),
            _ => self.value(value),
        }
    }
}

impl fmt::Debug for Needle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Needle(…)")
    }
}

impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Redactor({} secrets)", self.needles.len())
    }
}

#[cfg(test)]
mod tests;
